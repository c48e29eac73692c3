"""The studio's process: a socket on 127.0.0.1, the server on it, and the browser that is opened."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from gesture_maker.errors import ConfigError

ADDRESS = "127.0.0.1"
PORT = 8765
"""Where the studio listens unless told otherwise; when that is taken, at any free port."""

PING_SECONDS = 10.0  # a page that does not answer in as many more is gone
GRACE_SECONDS = 5  # for requests under way when the studio ends
MAX_MESSAGE = 16 << 20


def run_studio(
    dataset: Path,
    *,
    runs: Path,
    port: int | None = None,
    assets: Path | None = None,
    opened: Callable[[str], None] | None = None,
) -> None:
    """Serve a studio until Ctrl-C.

    `port`: where to listen, 0 for any free one; by default `PORT`, or any free one when that is taken. `opened` is called with the
    page's address as soon as it can be opened.

    Raises ConfigError for a port that cannot be used or when the extra `studio` is not installed, and what is wrong with the
    dataset's folder.
    """
    try:
        import uvicorn

        from gesture_maker.studio.app import make_app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("fastapi", "starlette", "uvicorn", "websockets"):
            raise
        raise ConfigError(
            f"The studio needs {error.name}, which is not installed: pip install 'gesture-maker[studio]'."
        ) from error
    from gesture_maker.studio.security import Gate
    from gesture_maker.studio.state import Studio

    with _listening(port) as listener:
        place = listener.getsockname()[1]
        gate = Gate(make_app(Studio(dataset, runs, assets)), place)
        config = uvicorn.Config(
            gate,
            log_level="warning",
            access_log=False,  # it would hold the token
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            ws_per_message_deflate=False,  # JPEGs do not get smaller
            timeout_graceful_shutdown=GRACE_SECONDS,
            server_header=False,
            proxy_headers=False,
        )
        server = uvicorn.Server(config)
        if opened is not None:  # from now on connections wait in the socket's queue, so the address works
            opened(f"http://{ADDRESS}:{place}{gate.entrance}")
        with contextlib.suppress(KeyboardInterrupt):  # how a studio is ended
            server.run([listener])


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
