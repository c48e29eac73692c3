"""Frames from a page's camera over a WebSocket, answered one after the other: the newest wins, no queue grows.

A message of the page is binary: the length of a header (4 bytes, little-endian), the header (JSON), a JPEG. The header has the
frame's number `n`, and whatever the answerer wants to know. An answer is JSON with the same `n`. A frame that arrives while
another is being answered takes the place of one that waits, unless its header says `keep` (a photo to be saved): those wait for
their turn, up to `MAX_KEPT`, and a page that sends more than are answered is told so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from gesture_maker.errors import GestureMakerError, sentence_of

MAX_MESSAGE = 16 << 20
"""Bytes; a JPEG of 4K at quality 0.95 has 4 MB."""

MAX_HEADER = 8 << 10
"""Bytes; the longest label and burst need a tenth of it."""

MAX_KEPT = 30
"""Photos that wait to be saved: six seconds of them at the usual rate."""

MAX_KEPT_BYTES = 64 << 20
"""What these may hold together, of one camera: sixteen photos of 4K."""

LAST_SECONDS = 10
"""How long photos that wait to be saved are waited for when their page has gone."""

MAX_SEATS = 8
"""Cameras at once: each has a recognizer (30 to 60 MB) and a thread, and on two cores two keep up."""

TRY_LATER, BAD_MESSAGE = 1013, 1007


@dataclass(frozen=True)
class PageFrame:
    """One message: the page's `header`, and the frame as JPEG bytes, not looked at yet."""

    header: Mapping[str, Any]
    jpeg: bytes

    @property
    def kept(self) -> bool:
        """Whether it must not be passed over."""
        return bool(self.header.get("keep"))


Answerer = Callable[[PageFrame], Mapping[str, Any]]
"""Answers a frame, in a thread of its own, always the same."""


class Seats:
    """How many cameras are served at once, of `MAX_SEATS`. Used from the server's loop only."""

    def __init__(self, limit: int = MAX_SEATS) -> None:
        self._free = limit

    @contextlib.contextmanager
    def taken(self) -> Any:
        """Hold a seat within the block, which is told whether there was one."""
        got = self._free > 0
        self._free -= got
        try:
            yield got
        finally:
            self._free += got


def parse(message: bytes) -> PageFrame:
    """Return a message's frame. Raises ValueError for what is no such message."""
    length = int.from_bytes(message[:4], "little")
    if length > MAX_HEADER or len(message) < 4 + length:
        raise ValueError("no frame")
    try:
        header = json.loads(message[4 : 4 + length].decode())
    except RecursionError as error:  # brackets within brackets
        raise ValueError("no frame") from error
    if not isinstance(header, dict) or not isinstance(header.get("n"), int):
        raise ValueError("no frame")
    return PageFrame(header, message[4 + length :])


async def answer_frames(
    websocket: WebSocket, seats: Seats, opened: Callable[[], AbstractContextManager[Answerer]]
) -> None:
    """Serve one page's camera until it goes.

    `opened` makes the answerer and frees it, in the thread that answers; then the page is told {"ready": true}. A
    GestureMakerError or OSError of an answer is sent as {"n": …, "error": sentence}; one of `opened` as {"error": sentence}, and
    the socket is closed. Whatever else an answer raises is raised here, and ends the socket at once.
    """
    with seats.taken() as got:
        await websocket.accept()
        if not got:
            await websocket.close(TRY_LATER, "Too many cameras are open: close another page of the studio.")
            return
        waiting = _Waiting()
        thread = ThreadPoolExecutor(1, thread_name_prefix="camera of a page")
        answering = asyncio.create_task(_answer(websocket, waiting, thread, opened))
        receiving = asyncio.create_task(_receive(websocket, waiting))
        try:
            await asyncio.wait({answering, receiving}, return_when=asyncio.FIRST_COMPLETED)
            waiting.end()
            await asyncio.wait({answering}, timeout=LAST_SECONDS)
        finally:  # also when the studio ends meanwhile
            try:
                await _ended(receiving)
                await _ended(answering)
            finally:
                thread.shutdown(wait=False)


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task that still runs; raise what one raised that has ended, unless it is that the page has gone."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect):
        await task


class _Waiting:
    """Frames that wait for their answer."""

    def __init__(self) -> None:
        self._kept: deque[PageFrame] = deque()
        self._kept_bytes = 0
        self._newest: PageFrame | None = None
        self._ended = False
        self._changed = asyncio.Event()
        self._refused: deque[int] = deque(maxlen=1000)  # more than a page sends while one is answered

    def put(self, frame: PageFrame) -> None:
        if not frame.kept:
            self._newest = frame
        elif len(self._kept) < MAX_KEPT and self._kept_bytes + len(frame.jpeg) <= MAX_KEPT_BYTES:
            self._kept.append(frame)
            self._kept_bytes += len(frame.jpeg)
        else:
            self._refused.append(frame.header["n"])
        self._changed.set()

    def refused(self) -> list[int]:
        """Return the numbers of the photos that found no room since this was last asked."""
        numbers = list(self._refused)
        self._refused.clear()
        return numbers

    def end(self) -> None:
        """Say that nobody is there any more; photos to keep are still taken."""
        self._ended = True
        self._newest = None
        self._changed.set()

    async def get(self) -> PageFrame | None:
        while True:
            if self._kept:
                frame = self._kept.popleft()
                self._kept_bytes -= len(frame.jpeg)
                return frame
            if self._newest is not None:
                frame, self._newest = self._newest, None
                return frame
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()


async def _receive(websocket: WebSocket, waiting: _Waiting) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        try:
            waiting.put(parse(message.get("bytes") or b""))
        except ValueError:
            with contextlib.suppress(RuntimeError):  # closed already
                await websocket.close(BAD_MESSAGE)
            return


async def _answer(
    websocket: WebSocket,
    waiting: _Waiting,
    thread: ThreadPoolExecutor,
    opened: Callable[[], AbstractContextManager[Answerer]],
) -> None:
    loop = asyncio.get_running_loop()
    stack = contextlib.ExitStack()
    try:
        try:
            answer = await loop.run_in_executor(thread, lambda: stack.enter_context(opened()))
        except (GestureMakerError, OSError) as error:
            await _tell(websocket, {"error": sentence_of(error)})
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await websocket.close()
            return
        await _tell(websocket, {"ready": True})
        while (frame := await waiting.get()) is not None:
            number = frame.header["n"]
            try:
                told = await loop.run_in_executor(thread, answer, frame)
            except (GestureMakerError, OSError) as error:
                told = {"error": sentence_of(error)}
            if refused := waiting.refused():
                told = {**told, "refused": refused}
            await _tell(websocket, {"n": number, **told})
    finally:  # after what the thread is at, be it `opened`
        await asyncio.shield(loop.run_in_executor(thread, stack.close))


async def _tell(websocket: WebSocket, told: Mapping[str, Any]) -> None:
    """Send unless the page has gone: photos that it wanted kept are kept all the same."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await websocket.send_text(json.dumps(told))
