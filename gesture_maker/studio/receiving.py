"""Files that a page sends as the body of a request: read piece by piece, up to a limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool

_PIECE = (
    4 << 20
)  # bytes that are written at once: a thread's turn for each of a socket's 64 kB costs more than the writing


async def receive_into(request: Request, write: Callable[[bytes], Any], limit: int, what: str) -> int:
    """Hand a request's body to `write`, which is called in threads, one after the other, and return its bytes.

    Raises HTTPException (413) for more than `limit` bytes, with a sentence about `what`; starlette's ClientDisconnect when the
    page goes before all has come; and what `write` raises.
    """
    refused = HTTPException(413, f"{what} is larger than {limit / 1e9:g} GB: make it smaller first.")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise refused
    received, waiting = 0, bytearray()
    async for piece in request.stream():
        received += len(piece)
        if received > limit:
            raise refused
        waiting += piece
        if len(waiting) >= _PIECE:
            await run_in_threadpool(write, bytes(waiting))
            waiting.clear()
    await run_in_threadpool(write, bytes(waiting))
    return received
