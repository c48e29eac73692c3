"""The routes of Try: a camera's frames over a WebSocket, a photo, a film."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import anyio
from fastapi import APIRouter, HTTPException, Request, WebSocket
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from gesture_maker.dataset.archives import MAX_IMAGE_BYTES
from gesture_maker.errors import GestureMakerError, sentence_of
from gesture_maker.studio.frames import answer_frames
from gesture_maker.studio.receiving import receive_into
from gesture_maker.studio.state import Studio
from gesture_maker.studio.trying import answer_film, answer_photo, answering_frames, bundle_of

MAX_FILM = 2_000_000_000
"""Bytes: half an hour of a phone's 1080p."""

_GONE = 499  # nobody is there to read it; what servers log for it


def routes(studio: Studio) -> APIRouter:
    """Return the routes of this part."""
    router = APIRouter()

    @router.websocket("/ws/try")
    async def frames(websocket: WebSocket) -> None:
        run = websocket.query_params.get("run", "")
        await answer_frames(websocket, studio.seats, lambda: answering_frames(studio, run))

    @router.post("/api/upload/try/photo")
    async def photo(request: Request, run: str) -> Response:
        bundle = bundle_of(studio, run)
        content = io.BytesIO()
        with contextlib.ExitStack() as stack:
            _sit(studio, stack)
            try:
                await receive_into(request, content.write, MAX_IMAGE_BYTES, "The photo")
            except ClientDisconnect:
                return Response(status_code=_GONE)
            return JSONResponse(await run_in_threadpool(answer_photo, bundle, content.getvalue()))

    @router.post("/api/upload/try/video")
    async def video(request: Request, run: str) -> Response:
        """Answer with lines of JSON: about the film, then of each frame (`trying.answer_film`), at last {"done": true} or {"error": sentence}."""
        bundle = bundle_of(studio, run)
        with contextlib.ExitStack() as stack:
            _sit(studio, stack)
            film = stack.enter_context(tempfile.NamedTemporaryFile(prefix="gesture-maker-film-"))
            try:
                await receive_into(request, film.write, MAX_FILM, "The video")
            except ClientDisconnect:
                return Response(status_code=_GONE)
            await run_in_threadpool(film.flush)
            answers = _lines(answer_film(bundle, Path(film.name), "The video"))
            first = await run_in_threadpool(next, answers)  # what is wrong from the start is no 200
            return _Lines(first, answers, stack.pop_all())

    return router


def _sit(studio: Studio, stack: contextlib.ExitStack) -> None:
    """Take a camera's seat until the stack is closed: a photo or film needs a recognizer as a camera does."""
    if not stack.enter_context(studio.seats.taken()):
        raise HTTPException(503, "Too many cameras and films are open: close another page of the studio.")


def _lines(answers: Iterator[dict[str, Any]]) -> Generator[str, None, None]:
    first = True
    try:
        for answer in answers:
            yield json.dumps(answer) + "\n"
            first = False
        yield json.dumps({"done": True}) + "\n"
    except (GestureMakerError, OSError) as error:
        if first:
            raise
        yield json.dumps({"error": sentence_of(error)}) + "\n"


class _Lines(StreamingResponse):
    """Lines as they come; ends at once when the page goes, and frees what they were made of."""

    def __init__(self, first: str, rest: Generator[str, None, None], held: contextlib.ExitStack) -> None:
        def every() -> Iterator[str]:
            yield first
            yield from rest

        super().__init__(every(), media_type="application/x-ndjson")
        self._rest, self._held = rest, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except ClientDisconnect:
            return
        finally:
            with self._held, anyio.CancelScope(shield=True):
                await run_in_threadpool(self._rest.close)
