"""The studio's server as an ASGI application: the page, the routes of its parts, and one sentence for whatever goes wrong."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from gesture_maker import __version__
from gesture_maker.errors import GestureMakerError, is_out_of_room, sentence_of
from gesture_maker.studio import camera_api, collect_api, events, runs_api, train_api, try_api
from gesture_maker.studio.pages import STATIC, index
from gesture_maker.studio.state import Studio

BAD_INPUT, NO_ROOM, SYSTEM = 400, 507, 500


def make_app(studio: Studio) -> FastAPI:
    """Return the application; `security.Gate` goes around it.

    Errors are JSON, {"error": sentence}: 400 for a GestureMakerError, 507 for a full disk, 500 for what else the system refuses.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        studio.hub.begin()
        try:
            yield
        finally:
            await run_in_threadpool(studio.close)

    app = FastAPI(title="gesture-maker studio", version=__version__, lifespan=lifespan, openapi_url=None)
    app.include_router(events.routes(studio.hub))
    for part in (collect_api, camera_api, train_api, runs_api, try_api):
        app.include_router(part.routes(studio))

    @app.get("/")
    def page() -> Response:
        return index()

    @app.get("/api/about")
    def about() -> dict[str, Any]:
        return {"version": __version__, "dataset": {"name": studio.dataset.name, "path": str(studio.dataset)}}

    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.exception_handler(GestureMakerError)
    def bad_input(_: Request, error: GestureMakerError) -> Response:
        return _error(BAD_INPUT, str(error))

    @app.exception_handler(OSError)
    def system(_: Request, error: OSError) -> Response:
        return _error(NO_ROOM if is_out_of_room(error) else SYSTEM, sentence_of(error))

    @app.exception_handler(HTTPException)
    def refused(_: Request, error: HTTPException) -> Response:
        return _error(error.status_code, str(error.detail))

    @app.exception_handler(RequestValidationError)
    def misunderstood(*_: object) -> Response:
        return _error(422, "The studio's page sent something that the studio does not understand: reload the page.")

    return app


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
