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

MAX_KEPT = 30
"""Photos that wait to be saved: six seconds of them at the usual rate."""

MAX_SEATS = 8
"""Cameras at once: each has a recognizer (30 to 60 MB) and a thread, and on two cores two keep up."""

TRY_LATER, TOO_LARGE, BAD_MESSAGE = 1013, 1009, 1007


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
    header = json.loads(message[4 : 4 + length])
    if len(message) < 4 + length or not isinstance(header, dict) or not isinstance(header.get("n"), int):
        raise ValueError("no frame")
    return PageFrame(header, message[4 + length :])


async def answer_frames(
    websocket: WebSocket, seats: Seats, opened: Callable[[], AbstractContextManager[Answerer]]
) -> None:
    """Serve one page's camera until it goes.

    `opened` makes the answerer and frees it, in the thread that answers; then the page is told {"ready": true}. A GestureMakerError or OSError of an answer is sent as
    {"n": …, "error": sentence}; one of `opened` as {"error": sentence}, and the socket is closed.
    """
    with seats.taken() as got:
        if not got:
            await websocket.accept()
            await websocket.close(TRY_LATER, "Too many cameras are open: close another page of the studio.")
            return
        await websocket.accept()
        waiting = _Waiting()
        with contextlib.ExitStack() as stack:
            thread = ThreadPoolExecutor(1, thread_name_prefix="camera of a page")
            stack.callback(thread.shutdown, wait=False)
            answering = asyncio.create_task(_answer(websocket, waiting, thread, opened))
            try:
                await _receive(websocket, waiting)
            finally:
                waiting.end()
                await asyncio.wait({answering}, timeout=10)
                answering.cancel()
                with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                    await answering


class _Waiting:
    """Frames that wait for their answer."""

    def __init__(self) -> None:
        self._kept: deque[PageFrame] = deque()
        self._newest: PageFrame | None = None
        self._ended = False
        self._changed = asyncio.Event()
        self.refused: list[int] = []

    def put(self, frame: PageFrame) -> None:
        if not frame.kept:
            self._newest = frame
        elif len(self._kept) < MAX_KEPT:
            self._kept.append(frame)
        else:
            self.refused.append(frame.header["n"])
        self._changed.set()

    def end(self) -> None:
        """Say that nobody is there any more; photos to keep are still taken."""
        self._ended = True
        self._newest = None
        self._changed.set()

    async def get(self) -> PageFrame | None:
        while True:
            if self._kept:
                return self._kept.popleft()
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
        answer = await loop.run_in_executor(thread, stack.enter_context, opened())
    except (GestureMakerError, OSError) as error:
        await _tell(websocket, {"error": sentence_of(error)})
        with contextlib.suppress(RuntimeError):
            await websocket.close()
        return
    try:
        await _tell(websocket, {"ready": True})
        while (frame := await waiting.get()) is not None:
            number = frame.header["n"]
            try:
                told = await loop.run_in_executor(thread, answer, frame)
            except (GestureMakerError, OSError) as error:
                told = {"error": sentence_of(error)}
            if waiting.refused:
                told = {**told, "refused": [waiting.refused.pop() for _ in waiting.refused[:]]}
            await _tell(websocket, {"n": number, **told})
    finally:
        await asyncio.shield(loop.run_in_executor(thread, stack.close))


async def _tell(websocket: WebSocket, told: Mapping[str, Any]) -> None:
    """Send unless the page has gone: photos that it wanted kept are kept all the same."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await websocket.send_text(json.dumps(told))
