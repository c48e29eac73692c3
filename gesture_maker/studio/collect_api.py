"""The routes of the collect page: the dataset, its classes and photos, what was deleted, and uploads."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel

from gesture_maker.images import read_thumbnail
from gesture_maker.studio.collecting import Collecting
from gesture_maker.studio.state import Studio

THUMBNAIL_QUALITY = 80  # of 100, 6 kB at 160 pixels
THUMBNAILS_AT_ONCE = threading.BoundedSemaphore(2)  # a PNG of 100 megapixels takes 300 MB while it is read

TYPES = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".bmp": "image/bmp", ".webp": "image/webp",
    ".gif": "image/gif", ".tif": "image/tiff", ".tiff": "image/tiff",
}  # fmt: skip


class ClassName(BaseModel):
    """A class."""

    label: str


class Renaming(BaseModel):
    """A class and the name it gets."""

    label: str
    to: str


class Files(BaseModel):
    """Photos of the dataset."""

    files: list[str]


class Undo(BaseModel):
    """A deletion."""

    undo: str


class Beginning(BaseModel):
    """What is going to be uploaded: into a class, or with classes of its own."""

    label: str | None = None


class Upload(BaseModel):
    """An upload."""

    upload: str


def routes(studio: Studio) -> APIRouter:
    """Return the routes of the collect page."""
    router = APIRouter(prefix="/api")
    parts = studio.part(Collecting.of)
    _add_dataset(router, parts)
    _add_photos(router, parts)
    _add_uploads(router, parts)
    return router


def _add_dataset(router: APIRouter, parts: Collecting) -> None:
    collection = parts.collection

    @router.get("/dataset")
    def dataset() -> dict[str, Any]:
        return collection.dataset()

    @router.post("/classes/add")
    def add(body: ClassName) -> dict[str, Any]:
        return {"label": collection.add_class(body.label)}

    @router.post("/classes/rename")
    def rename(body: Renaming) -> dict[str, Any]:
        return {"label": collection.rename_class(body.label, body.to)}

    @router.post("/classes/delete")
    def delete(body: ClassName) -> dict[str, Any]:
        gone = collection.delete_class(body.label)
        return {"undo": gone.id, "photos": len(gone.files)}

    @router.post("/undo")
    def undo(body: Undo) -> dict[str, Any]:
        return {"photos": len(collection.undo(body.undo))}

    @router.get("/deleted")
    def deleted() -> dict[str, Any]:
        return {
            "deleted": [
                {"undo": one.id, "when": one.when, "label": one.label, "whole": one.whole, "photos": len(one.files), "files": one.files}
                for one in collection.deleted()
            ]
        }  # fmt: skip


def _add_photos(router: APIRouter, parts: Collecting) -> None:
    collection = parts.collection

    @router.get("/photos")
    def photos(
        label: str, offset: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> dict[str, Any]:
        return collection.photos(label, offset, limit)

    @router.get("/photo")
    def photo(request: Request, file: str, side: Annotated[int | None, Query(ge=16, le=2048)] = None) -> Response:
        path = collection.path_of(file)
        if path is None or not path.is_file():
            raise HTTPException(404, "There is no such photo in the dataset any more.")
        found = path.stat()
        # Asked after each time, since a number that was deleted may be given again; it costs no more than a look at the folder.
        headers = {
            "cache-control": "private, no-cache",
            "etag": f'"{found.st_mtime_ns:x}-{found.st_size:x}-{side or 0:x}"',
        }
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        if side is None:
            return FileResponse(path, media_type=TYPES[path.suffix.lower()], headers=headers)
        return Response(_thumbnail(path, side), media_type="image/jpeg", headers=headers)

    @router.post("/photos/delete")
    def delete(body: Files) -> dict[str, Any]:
        gone = collection.delete_photos(body.files)
        return {"undo": gone.id, "photos": len(gone.files)}


def _thumbnail(path: Path, side: int) -> bytes:
    from PIL import Image

    with THUMBNAILS_AT_ONCE:
        pixels = read_thumbnail(path, side, path.name)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    return buffer.getvalue()


def _add_uploads(router: APIRouter, parts: Collecting) -> None:
    uploads = parts.uploads

    @router.post("/upload/begin")
    def begin(body: Beginning) -> dict[str, Any]:
        return {"upload": uploads.begin(body.label)}

    @router.post("/upload/file")
    async def file(request: Request, upload: str, path: str) -> dict[str, Any]:
        return {"bytes": await uploads.receive(upload, path, request)}

    @router.post("/upload/finish")
    def finish(body: Upload) -> dict[str, Any]:
        return uploads.finish(body.upload)

    @router.post("/upload/cancel")
    def cancel(body: Upload) -> dict[str, Any]:
        uploads.cancel(body.upload)
        return {}
