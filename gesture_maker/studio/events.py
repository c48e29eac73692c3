"""What happens, told to every open page: the dataset changed, a training moved on, runs came or went.

Pages that do not read cost nothing: of each kind only the newest is kept for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from gesture_maker.studio.frames import TRY_LATER

MAX_LISTENERS = 32
"""Pages at once; each costs a few kB."""


class Hub:
    """Hands events to all listeners. `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[_Listener] = set()
        self._last: dict[str, str] = {}  # kind -> message

    def begin(self) -> None:
        """Call it in the server's loop, before anybody listens."""
        self._loop = asyncio.get_running_loop()

    def publish(self, kind: str, data: Any = None) -> None:
        """Tell every page that something of a kind happened; it is told later ones instead when it is slow.

        `data` is anything that JSON can hold, as it is now: the caller may change it afterwards. A page that connects later is told
        the newest of each kind first. Raises TypeError or ValueError for what JSON cannot hold, such as NaN.
        """
        message = json.dumps({"kind": kind, "data": data}, allow_nan=False)
        loop = self._loop
        if loop is None:
            self._last[kind] = message
            return
        with contextlib.suppress(RuntimeError):  # the server has ended
            loop.call_soon_threadsafe(self._publish, kind, message)

    def _publish(self, kind: str, message: str) -> None:
        self._last[kind] = message
        for listener in self._listeners:
            listener.put(kind, message)

    async def listen(self, websocket: WebSocket) -> None:
        """Serve one page until it goes. Messages are JSON: {"kind": …, "data": …}."""
        if len(self._listeners) >= MAX_LISTENERS:
            await websocket.close(
                TRY_LATER
            )  # not accepted at all, or the page would take it for connected and try at once
            return
        await websocket.accept()
        listener = _Listener(self._last)
        self._listeners.add(listener)
        telling = asyncio.create_task(listener.tell(websocket))
        try:
            while (await websocket.receive())["type"] != "websocket.disconnect":
                pass  # pages say nothing here; it ends when they go
        finally:
            self._listeners.discard(listener)
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await telling


class _Listener:
    def __init__(self, waiting: dict[str, str]) -> None:
        self._waiting = dict(waiting)
        self._changed = asyncio.Event()
        self._changed.set()

    def put(self, kind: str, message: str) -> None:
        self._waiting[kind] = message
        self._changed.set()

    async def tell(self, websocket: WebSocket) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                kind = next(iter(self._waiting))
                await websocket.send_text(self._waiting.pop(kind))


def routes(hub: Hub) -> APIRouter:
    """Return the WebSocket on which pages listen."""
    router = APIRouter()

    @router.websocket("/ws/events")
    async def events(websocket: WebSocket) -> None:
        await hub.listen(websocket)

    return router
