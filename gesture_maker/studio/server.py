"""The studio's process: a socket on 127.0.0.1, the server on it, and the browser that is opened."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from gesture_maker.dataset.folder import check_is_folder
from gesture_maker.errors import ConfigError

ADDRESS = "127.0.0.1"
PORT = 8765
"""Where the studio listens unless told otherwise; when that is taken, at any free port."""

PING_SECONDS = 10.0  # a page that does not answer in as many more is gone
GRACE_SECONDS = 5  # for requests under way when the studio ends


def run_studio(
    dataset: Path,
    *,
    runs: Path,
    port: int | None = None,
    assets: Path | None = None,
    opened: Callable[[str], None] | None = None,
) -> None:
    """Serve a studio until Ctrl-C. Call it in the main thread of a process that has nothing else to do.

    `port`: where to listen, 0 for any free one; by default `PORT`, or any free one when that is taken. `opened` is called with the
    page's address as soon as it can be opened.

    Raises ConfigError for a port that cannot be used or when the extra `studio` is not installed, and what is wrong with the
    dataset's folder.
    """
    try:
        import uvicorn

        from gesture_maker.studio.app import make_app
        from gesture_maker.studio.frames import MAX_MESSAGE
        from gesture_maker.studio.serving import PatientServer, Requests, Sockets, leave_threads_behind
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("fastapi", "starlette", "uvicorn", "websockets", "h11"):
            raise
        raise ConfigError(
            f"The studio needs {error.name}, which is not installed: pip install 'gesture-maker[studio]'."
        ) from error
    from gesture_maker.studio.security import Gate
    from gesture_maker.studio.state import Studio

    check_place(dataset)
    with _listening(port) as listener, contextlib.closing(Studio(dataset, runs, assets)) as studio:
        place = listener.getsockname()[1]
        gate = Gate(make_app(studio), place)
        config = uvicorn.Config(
            gate,
            http=Requests,
            ws=Sockets,
            loop="asyncio",
            lifespan="on",
            log_level="error",  # warnings are of garbage that strangers send
            access_log=False,  # it would hold the token
            ws_max_size=MAX_MESSAGE,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            ws_per_message_deflate=False,  # JPEGs do not get smaller
            timeout_graceful_shutdown=GRACE_SECONDS,
            server_header=False,
            proxy_headers=False,
        )
        server = PatientServer(config)
        leaving: SystemExit | None = None
        try:
            if opened is not None:  # from now on connections wait in the socket's queue, so the address works
                opened(f"http://{ADDRESS}:{place}{gate.entrance}")
            with _hanging_up_ends_it():
                server.run([listener])
        except KeyboardInterrupt:  # how a studio is ended
            pass
        except SystemExit as told:  # by a signal
            leaving = told
    status = leaving.code if leaving is not None else 0
    leave_threads_behind(status if isinstance(status, int) else 1)
    if leaving is not None:
        raise leaving


def check_place(dataset: Path) -> None:
    """Raise DatasetError unless a studio can work on this folder, or make it: see `check_is_folder`."""
    if dataset.exists() or dataset.is_symlink():
        check_is_folder(dataset)


@contextlib.contextmanager
def _hanging_up_ends_it() -> Iterator[None]:
    """Within the block a closed terminal ends the studio like SIGTERM, so that a training does not outlive it."""
    number = getattr(signal, "SIGHUP", None)
    if number is None or signal.getsignal(number) is signal.SIG_IGN:  # as by nohup
        yield
        return
    before = signal.signal(number, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(number, before)


def _listening(port: int | None) -> socket.socket:
    wanted = PORT if port is None else port
    try:
        return _bound(wanted)
    except OSError as error:
        if port is None:
            return _bound(0)
        raise ConfigError(
            f"The studio cannot listen on port {port} ({error.strerror}): choose another --port, or leave it out."
        ) from error


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, port))
        listener.listen(256)
    except (OSError, OverflowError):
        listener.close()
        raise
    return listener
