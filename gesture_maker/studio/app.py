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
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from gesture_maker import __version__
from gesture_maker.errors import GestureMakerError, is_out_of_room, sentence_of
from gesture_maker.studio import camera_api, collect_api, events, runs_api, train_api, try_api
from gesture_maker.studio.pages import STATIC, index
from gesture_maker.studio.state import Studio

BAD_INPUT, NO_ROOM, SYSTEM = 400, 507, 500
DEFECT = 1011  # of a WebSocket


def make_app(studio: Studio) -> FastAPI:
    """Return the application; `security.Gate` goes around it.

    Errors are JSON, {"error": sentence}: 400 for a GestureMakerError, 507 for a full disk, 500 for what else the system refuses
    and for defects of ours, of which only the terminal is told more. A WebSocket that ends by one is closed with 1011.
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
    app.add_middleware(_Sockets)

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

    @app.exception_handler(Exception)
    def defect(*_: object) -> Response:  # raised again afterwards, so that the terminal shows where
        answer = _error(SYSTEM, "The studio failed at this, which is a defect of it: its terminal says more.")
        answer.headers["connection"] = "close"  # which the server then does, and the next request must not go there
        return answer

    return app


class _Sockets:
    """Closes a WebSocket whose endpoint failed; uvicorn would cut it off, and a page could not tell that from a lost network."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except WebSocketDisconnect:  # the page has gone while it was told something
            pass
        except Exception:
            if scope["type"] == "websocket":
                with contextlib.suppress(Exception):  # closed already
                    await send({"type": "websocket.close", "code": DEFECT})
            raise


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
