"""MLflow's scoring server for a registered model, a run or a `.task`: its socket and processes.

The application is MLflow's own (`/invocations`, `/ping`, `/health`, `/version`), with a gate before it (`gate.py`), on a socket that was
opened before anything was loaded.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gesture_maker.errors import ConfigError, TrackingError
from gesture_maker.landmarks.hands import embedder_inputs
from gesture_maker.recognition.remote import example_hand
from gesture_maker.tracking.finding import model_folder
from gesture_maker.tracking.gate import App, Gate
from gesture_maker.tracking.models import load_model
from gesture_maker.tracking.store import SILENCE

HOST = "127.0.0.1"
PORT = 5001
"""Where `serve` listens unless told otherwise: beside `mlflow ui`, which takes 5000."""

GRACE_SECONDS = 5  # for requests under way when the server ends
MOST_WORKERS = 64
MODEL_VARIABLE = "GESTURE_MAKER_SERVED_MODEL"
"""How the workers are told which model folder to load."""

_EXTRA = ("mlflow", "fastapi", "starlette", "uvicorn", "h11")


@dataclass(frozen=True)
class Served:
    """A server that listens. `address`: http://HOST:PORT; `model`: what is served, for people; `labels`: its classes;
    `open_to_others`: whether other machines can reach it; `example`: a hand as a row of 127 numbers."""

    address: str
    model: str
    labels: tuple[str, ...]
    takes_images: bool
    open_to_others: bool
    example: tuple[float, ...]


def serve(
    model: str | Path,
    *,
    host: str = HOST,
    port: int = PORT,
    workers: int = 1,
    store: str | None = None,
    runs: Path | None = None,
    ready: Callable[[Served], None] | None = None,
) -> None:
    """Serve a model until Ctrl-C. Call it in the main thread of a process that has nothing else to do.

    `model`: `models:/NAME@ALIAS`, NAME, NAME/VERSION or NAME@ALIAS of a registered model (of a bare name the version in production, or
    else in staging, or else the newest), a `.task` file, or a run or comparison by its name or folder. `port`: 0 for any free one.
    `workers`: processes. `store`: MLflow's address, None: the local one. `ready` is called when requests can be sent.

    Raises KeyboardInterrupt at Ctrl-C, and a GestureMakerError for what cannot be served, or an address that cannot be listened at.
    """
    if not 1 <= workers <= MOST_WORKERS:
        raise ConfigError(f"workers is {workers}, but has to be a number from 1 to {MOST_WORKERS}.")
    with tempfile.TemporaryDirectory(prefix="gesture-maker-serve-") as temporary, _listening(host, port) as listener:
        uvicorn, scoring_server = _imported()
        title, folder = model_folder(model, Path(temporary), store, runs)
        loaded = load_model(folder)  # here too when others answer: what is wrong with it is told before they start
        gestures = loaded._model_impl
        try:
            served = Served(
                _address(host, listener),
                title,
                tuple(gestures.labels),
                gestures.takes_images,
                not _is_loopback(listener.getsockname()[0]),
                tuple(embedder_inputs([example_hand()]).rows()[0].tolist()),
            )
            config = uvicorn.Config(
                Gate(scoring_server.init(loaded)) if workers == 1 else f"{__name__}:app_of_worker",
                factory=workers > 1,
                workers=workers,
                loop="asyncio",
                log_level="error",  # warnings are of garbage that strangers send
                access_log=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                server_header=False,
                proxy_headers=False,
                ws="none",
            )
            if workers == 1:
                _run_here(config, listener, served, ready)
            else:
                os.environ[MODEL_VARIABLE] = str(folder)
                _run_workers(config, listener, served, ready)
        finally:
            gestures.close()


def _imported() -> tuple[Any, Any]:
    """Return uvicorn and MLflow's scoring server. Raises TrackingError when they are not installed."""
    os.environ.update(SILENCE)  # MLflow reads it when it is imported
    try:
        import uvicorn
        from mlflow.pyfunc import scoring_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise TrackingError(
            f"Serving needs {error.name}, which is not installed: pip install 'gesture-maker[tracking]'"
        ) from error
    return uvicorn, scoring_server


def app_of_worker() -> App:
    """Return the application in a worker process. uvicorn calls it by its name."""
    _, scoring_server = _imported()
    return Gate(scoring_server.init(load_model(Path(os.environ[MODEL_VARIABLE]))))


def _run_here(config: Any, listener: socket.socket, served: Served, ready: Callable[[Served], None] | None) -> None:
    import uvicorn

    if ready is not None:
        ready(served)  # connections wait in the socket's queue, so the address works from now on
    uvicorn.Server(config).run([listener])  # raises what a signal stands for when all is done


def _run_workers(config: Any, listener: socket.socket, served: Served, ready: Callable[[Served], None] | None) -> None:
    from uvicorn.supervisors import Multiprocess

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    received: list[int] = []

    class Workers(Multiprocess):
        """uvicorn's, which ends without a word of which signal ended it."""

        def handle_signals(self) -> None:
            received.extend(self.signal_queue)
            super().handle_signals()

        def init_processes(self) -> None:
            super().init_processes()
            if ready is not None:
                ready(served)

    try:
        Workers(config, [listener]).run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    ending = [number for number in received if number in before]
    if ending:
        signal.raise_signal(ending[0])
    raise TrackingError("A worker could not load the model: serve it with --workers 1 to see why.")


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens. Raises ConfigError when it cannot."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind)
    except (OSError, UnicodeError, OverflowError) as error:
        raise ConfigError(f"{host} is no address to listen at: give --host 127.0.0.1, or leave it out.") from error
    with listener:
        try:
            if sys.platform != "win32":  # there it would let two servers have the same port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(2048)
        except OSError as error:
            raise ConfigError(
                f"The server cannot listen at {host}, port {port} ({error.strerror}): choose another --port, or 0 for any free one."
            ) from error
        yield listener


def _address(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    named = HOST if host in ("0.0.0.0", "") else "::1" if host == "::" else host
    return f"http://[{named}]:{port}" if ":" in named else f"http://{named}:{port}"


def _is_loopback(address: str) -> bool:
    import ipaddress

    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
