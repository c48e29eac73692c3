"""What happens, told to every open page: the dataset changed, a training moved on, runs came or went.

Pages that do not read cost nothing: of each kind only the newest is kept for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

MAX_LISTENERS = 32
"""Pages at once; each costs a few kB."""


class Hub:
    """Hands events to all listeners. `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: set[_Listener] = set()
        self._last: dict[str, Any] = {}

    def begin(self) -> None:
        """Call it in the server's loop, before anybody listens."""
        self._loop = asyncio.get_running_loop()

    def publish(self, kind: str, data: Any = None) -> None:
        """Tell every page that something of a kind happened; it is told later ones instead when it is slow.

        `data` is anything that JSON can hold. A page that connects later is told the newest of each kind first.
        """
        loop = self._loop
        if loop is None:
            self._last[kind] = data
            return
        with contextlib.suppress(RuntimeError):  # the server has ended
            loop.call_soon_threadsafe(self._publish, kind, data)

    def _publish(self, kind: str, data: Any) -> None:
        self._last[kind] = data
        for listener in self._listeners:
            listener.put(kind, data)

    async def listen(self, websocket: WebSocket) -> None:
        """Serve one page until it goes. Messages are JSON: {"kind": …, "data": …}."""
        if len(self._listeners) >= MAX_LISTENERS:
            await websocket.close(1013)
            return
        await websocket.accept()
        listener = _Listener(self._last)
        self._listeners.add(listener)
        telling = asyncio.create_task(listener.tell(websocket))
        try:
            while True:
                await websocket.receive_bytes()  # pages say nothing here; it ends when they go
        except (WebSocketDisconnect, KeyError):
            pass
        finally:
            self._listeners.discard(listener)
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await telling


class _Listener:
    def __init__(self, waiting: dict[str, Any]) -> None:
        self._waiting = dict(waiting)
        self._changed = asyncio.Event()
        self._changed.set()

    def put(self, kind: str, data: Any) -> None:
        self._waiting[kind] = data
        self._changed.set()

    async def tell(self, websocket: WebSocket) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                kind = next(iter(self._waiting))
                await websocket.send_text(json.dumps({"kind": kind, "data": self._waiting.pop(kind)}))


def routes(hub: Hub) -> APIRouter:
    """Return the WebSocket on which pages listen."""
    router = APIRouter()

    @router.websocket("/ws/events")
    async def events(websocket: WebSocket) -> None:
        await hub.listen(websocket)

    return router
