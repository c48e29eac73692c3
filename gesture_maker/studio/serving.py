"""uvicorn, with what it leaves to a proxy in front of it: it parts from clients that neither ask nor take, and from threads that hang.

Only `server.py` imports this module, since it needs the extra `studio`.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time
from types import FrameType

import h11
from uvicorn import Server
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

HEAD_SECONDS = (
    20.0  # for the head of a request: browsers open connections in advance and ask for something soon, or close them
)
LEAVE_SECONDS = (
    20.0  # from the first signal, when threads hang: more than requests and parts of the studio are given to end
)
THREAD_SECONDS = 1.0  # for threads to end when all else has ended
LEAVE_AT_ONCE = 2.0  # from the second

_WATCH = "leaves in time"

TERMINATED = 128 + signal.SIGTERM


class Requests(H11Protocol):
    """HTTP; a connection whose next request does not come in `HEAD_SECONDS`, or twice that, is ended.

    Otherwise who sends a byte a second would hold a file descriptor for ever, without a key.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at the clock."""
        super().connection_made(transport)
        self._answered: object = None
        self._look = self.loop.call_later(HEAD_SECONDS, self._end_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self._look.cancel()
        super().connection_lost(exc)

    def _end_if_idle(self) -> None:
        if self.transport.get_protocol() is not self:  # has become a WebSocket, which is kept alive by pings
            return
        if self.conn.their_state is h11.IDLE and self.cycle is self._answered:
            self.transport.abort()
            return
        self._answered = self.cycle
        self._look = self.loop.call_later(HEAD_SECONDS, self._end_if_idle)


class Sockets(WebSocketsSansIOProtocol):
    """A WebSocket; who does not answer pings is parted from at once, also when what was sent before was never taken."""

    def keepalive_timeout(self) -> None:
        """Called when a ping was not answered in time."""
        super().keepalive_timeout()
        self.transport.abort()  # to close would wait until all that was sent is taken: for ever


class PatientServer(Server):
    """Ends with Ctrl-C and SIGTERM when all is done, but within `LEAVE_SECONDS` also when a thread hangs in a library.

    Python would wait for such a thread. What is being written meanwhile has a temporary name (`files.py`).
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called when a signal arrives."""
        again = self.should_exit
        super().handle_exit(sig, frame)
        status = TERMINATED if sig == signal.SIGTERM else 0
        timer = threading.Timer(LEAVE_AT_ONCE if again else LEAVE_SECONDS, _leave, [status])
        timer.daemon = True
        timer.name = _WATCH
        timer.start()


def leave_threads_behind(status: int) -> None:
    """Return when all threads have ended, and otherwise leave the process with `status` in `THREAD_SECONDS`.

    What they should do is done or given up by now. Python would end threads when they come back from a library, and MediaPipe
    aborts the process when its stack is unwound so.
    """
    end = time.monotonic() + THREAD_SECONDS
    others = [one for one in threading.enumerate() if one is not threading.current_thread() and one.name != _WATCH]
    for thread in others:
        thread.join(max(0.0, end - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        _leave(status)


def _leave(status: int) -> None:
    for child in multiprocessing.active_children():
        child.kill()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)
