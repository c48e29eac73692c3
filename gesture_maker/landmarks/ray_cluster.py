"""Ray, started on this machine or connected to elsewhere, without its chatter and without its patience.

Left alone, `ray.init` waits minutes for an address at which nobody answers, prints what its C++ parts think, reports its use
to its makers, listens on all of the machine's addresses and writes a key to the home folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from gesture_maker.errors import ConfigError
from gesture_maker.landmarks.local_engine import usable_cores
from gesture_maker.mediapipe_runtime import quiet_stderr

REACH_SECONDS, CONNECT_SECONDS = 10.0, 40.0
"""How long to wait until something listens at the address, and until it turns out to be a cluster (a slow one takes 5 s)."""

_STORE_BYTES = 256 << 20  # of the object store on this machine, besides what is known to go there; Ray wants 80 MB

_VERBOSE = bool(os.environ.get("GESTURE_MAKER_VERBOSE"))
_QUIET = {"logging_level": logging.INFO if _VERBOSE else logging.ERROR, "log_to_driver": _VERBOSE}
_KEY_NAME, _KEY = "RAY_AUTH_TOKEN", secrets.token_hex(32)
"""Of clusters that are started here, so that nobody else on this machine can use them. Ray remembers the first one that a
process has used."""


def load_ray() -> Any:
    """Return Ray with its part for data. Raises ConfigError when it is not installed."""
    quiet = {
        "RAY_BACKEND_LOG_LEVEL": "fatal",  # what its C++ parts write to stderr
        "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # what it prints to stdout about nodes and workers that died
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns of its own next version
    }
    for name, value in {"RAY_USAGE_STATS_ENABLED": "0", **({} if _VERBOSE else quiet)}.items():
        os.environ.setdefault(name, value)  # read when it is imported
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigError("--engine ray needs the extra: pip install 'gesture-maker[ray]'.") from error
    return ray


@contextlib.contextmanager
def cluster(ray: Any, address: str | None, workers: int | None, store: int) -> Iterator[int]:
    """Connect to a cluster, or start one here that ends with the block; yield how many workers it is to have.

    `store`: bytes that will be in its object store. Raises ConfigError when the cluster cannot be reached.
    """
    if ray.is_initialized():
        yield workers or _cpus(ray)
        return
    address = address or os.environ.get("RAY_ADDRESS")
    on_sigterm = signal.getsignal(signal.SIGTERM)
    here = not address or address == "local"
    workers = workers or (usable_cores() if here else None)
    with _started(ray, workers or 1, _STORE_BYTES + store) if here else _connected(ray, str(address)):
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own ends the process before anything is tidied up
        yield workers or _cpus(ray)


@contextlib.contextmanager
def data_settings(ray: Any, workers: int) -> Iterator[None]:
    """Keep Ray Data's own bars and notes from the terminal, and let it bear a node that is lost while workers start on it."""
    context = ray.data.DataContext.get_current()
    wanted = {
        "enable_progress_bars": False,
        "print_on_execution_start": False,
        "max_consecutive_actor_init_deaths": workers,  # more is not bad luck: this package is missing on the nodes
    }
    before = {name: getattr(context, name) for name in wanted if hasattr(context, name)}  # some came with Ray 2.60
    logger = logging.getLogger("ray.data")
    level = logger.level
    try:
        for name in before:
            setattr(context, name, wanted[name])
        logger.setLevel(logging.CRITICAL)  # errors are raised as well
        yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            setattr(context, name, value)


@contextlib.contextmanager
def explained(ray: Any) -> Iterator[None]:
    """Raise ConfigError when nodes lack this package; other errors of workers come as they are."""
    try:
        yield
    except ray.exceptions.RayError as error:
        if "No module named 'gesture_maker" in str(error):
            raise ConfigError(
                "A node of the Ray cluster does not have this package: install 'gesture-maker[ray]' on all of them."
            ) from error
        raise


@contextlib.contextmanager
def _started(ray: Any, workers: int, store: int) -> Iterator[None]:
    # Sockets come into the folder, whose paths are limited to 107 bytes.
    folder = tempfile.mkdtemp(prefix="gm-", dir="/tmp" if Path("/tmp").is_dir() else None)
    before = os.environ.get(_KEY_NAME)
    os.environ[_KEY_NAME] = before or _KEY
    try:
        with _interruptible(), quiet_stderr():  # it says that it was told to be quiet
            ray.init(
                address="local",
                num_cpus=workers,
                object_store_memory=store,
                include_dashboard=False,
                _node_ip_address="127.0.0.1",
                _temp_dir=folder,
                **_QUIET,
            )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        if before is None:
            os.environ.pop(_KEY_NAME, None)


@contextlib.contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    try:
        _connect(ray, address)
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of the block when Ctrl-C in it went unnoticed, as one in seven did while Ray started."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> Any:
        came.append(number)
        return usual(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if came:
        raise KeyboardInterrupt


def _connect(ray: Any, address: str) -> None:
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), REACH_SECONDS).close()
        except OSError as error:
            raise _unreachable(address, error) from error
    failed: list[BaseException] = []

    def connect() -> None:
        try:
            try:
                ray.init(address=address, **_QUIET)
            except (
                ConnectionAbortedError
            ):  # the cluster's own process for this client died as it began: seen on a busy head
                ray.shutdown()
                ray.init(address=address, **_QUIET)
        except BaseException as error:
            failed.append(error)

    # In a thread, because it neither has a time-out nor notices Ctrl-C.
    thread = threading.Thread(target=connect, name="connecting", daemon=True)
    with quiet_stderr():
        thread.start()
        thread.join(CONNECT_SECONDS)
    if thread.is_alive():
        raise _unreachable(address, TimeoutError(f"what is there did not answer within {CONNECT_SECONDS:.0f} s"))
    if failed:
        raise _unreachable(address, failed[0]) from failed[0]


def _unreachable(address: str, error: BaseException) -> ConfigError:
    words = " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".") or type(error).__name__
    return ConfigError(
        f"There is no Ray cluster at {address} ({words[:300]}): check --address, or leave it out to start one here."
    )


def _cpus(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
