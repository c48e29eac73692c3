"""Files that a page brings: streamed into a hidden folder beside the dataset, then collected as `gesture-maker collect` does.

Nothing that a page says of a file decides where it lies but within its upload's own folder. That folder goes when the upload ends, when
it is cancelled, when the studio ends, and one that a killed studio left when another begins.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from gesture_maker.dataset.archives import MAX_IMAGE_BYTES, MAX_TOTAL_BYTES
from gesture_maker.dataset.collecting import CollectResult, collect
from gesture_maker.dataset.formats.class_folders import is_passed_over
from gesture_maker.dataset.names import normalize_label
from gesture_maker.dataset.sources import ZIP_SUFFIX
from gesture_maker.dataset.videos import is_video_name
from gesture_maker.errors import ConfigError, SourceError
from gesture_maker.studio.collection import Collection
from gesture_maker.studio.events import Hub
from gesture_maker.studio.receiving import receive_into

MAX_LARGE_BYTES = 2_000_000_000
"""Of a zip or video: Teachable Machine's zips have some 10 MB, ten minutes of a phone's film 1.3 GB."""

MAX_FILES = 20_000  # of one upload
MAX_UPLOADS = 8  # at once; pages take one after the other
STALE_SECONDS = 24 * 3600.0
IDLE_SECONDS = 3600.0  # without a byte, after which an upload makes room for others: its page was closed
DRAINED_BYTES = 2 * MAX_LARGE_BYTES
"""Read, and thrown away, of a file that is refused: a browser shows an answer only when it could send all it has."""

MAX_NAME_BYTES = 200  # of each folder and file; file systems stop at 255
MAX_PARTS = 8  # folders that a name keeps, the innermost
TELL_SECONDS = 0.2  # between two events
MAX_SKIPPED = 500  # that a page is told of

TOO_LARGE = 413


class _CancelledError(SourceError):
    """The page gave an upload up."""


@dataclass
class _Upload:
    """One upload: its folder, the class (None: classes of its own), and what has come so far."""

    folder: Path
    label: str | None
    files: int = 0
    bytes: int = 0
    over: bool = False
    finishing: bool = False
    used: float = field(default_factory=time.monotonic)
    names: set[Path] = field(default_factory=set)


class Uploads:
    """The uploads of all pages."""

    def __init__(self, collection: Collection, hub: Hub) -> None:
        self._collection, self._hub = collection, hub
        self._mutex = threading.Lock()
        self._open: dict[str, _Upload] = {}
        self._prefix = f".{collection.root.absolute().name}-upload-"
        self._remove_stale()

    def begin(self, label: str | None) -> str:
        """Return a new upload into a class, or with classes of its own. Raises LabelError, ConfigError, OSError."""
        wanted = None if label is None else normalize_label(label)
        for old, upload in list(self._open.items()):
            if not upload.finishing and time.monotonic() - upload.used > IDLE_SECONDS:
                self._end(old)
        with self._mutex:
            if len(self._open) >= MAX_UPLOADS:
                raise ConfigError("Too many uploads are under way: wait until one has ended.")
            folder = Path(tempfile.mkdtemp(prefix=self._prefix, dir=self._place()))
            key = secrets.token_hex(8)
            self._open[key] = _Upload(folder, wanted)
        return key

    async def receive(self, key: str, path: str, request: Request) -> int:
        """Write a file of an upload and return its size. Raises SourceError, HTTPException 413, OSError; then nothing of it is kept."""
        upload = self._upload(key)
        upload.files += 1
        name, target = _parts_of(path)[-1], _target(upload, path)

        def write(piece: bytes) -> None:
            if upload.over:
                raise _CancelledError("The upload was cancelled.")
            upload.used = time.monotonic()
            file.write(piece)

        try:
            room = _room_for(upload, name, request.headers.get("content-length", ""))
            with await run_in_threadpool(_opened, target) as file:
                size = await receive_into(request, write, min(limit_of(path), room), name)
        except BaseException as error:
            with contextlib.suppress(OSError):
                target.unlink(missing_ok=True)
            if isinstance(error, ClientDisconnect):
                raise _CancelledError("The page has gone before the file had come.") from error
            if isinstance(error, Exception):  # not when the studio ends
                await _drain(request)
            if isinstance(error, OSError):
                if upload.over:
                    raise _CancelledError("The upload was cancelled.") from error
                error.filename = name
            raise
        finally:
            if upload.over:  # its folder was removed while a file was written into it
                await run_in_threadpool(shutil.rmtree, upload.folder, True)
        upload.bytes += size
        return size

    def finish(self, key: str) -> dict[str, Any]:
        """Collect an upload and return what became of it. Raises GestureMakerError, OSError; the upload has ended in any case."""
        upload = self._upload(key)
        upload.finishing = True
        try:
            with self._collection.uploading():
                return _told(self._collected(key, upload))
        finally:
            self._end(key)

    def cancel(self, key: str) -> None:
        """Give an upload up: what of it is in the dataset already stays. One that has ended is none."""
        self._end(key)

    def close(self) -> None:
        """Give all up."""
        for key in list(self._open):
            self._end(key)

    def _collected(self, key: str, upload: _Upload) -> CollectResult:
        sources = sorted(path for path in upload.folder.iterdir() if not is_passed_over(path.name))
        if not sources:
            raise SourceError("No file came with this upload: choose photos, folders or zips.")
        if upload.label is None:
            loose = [path.name for path in sources if path.is_file() and path.suffix.lower() != ZIP_SUFFIX]
            if loose:
                more = f" and {len(loose) - 1} more" if len(loose) > 1 else ""
                raise SourceError(f"{loose[0]}{more}: drop single files on a class, or a folder named like one here.")
        try:
            return collect(
                sources, self._collection.root, upload.label, progress=self._progress(key, upload), below=upload.folder
            )
        except SourceError as error:
            raise type(error)(_as_in_a_page(str(error), upload.label)) from error

    def _progress(self, key: str, upload: _Upload) -> Callable[[int, int], None]:
        told = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal told
            if upload.over:
                raise _CancelledError("The upload was cancelled.")
            if done == total or time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                self._hub.publish("upload", {"upload": key, "done": done, "total": total})

        return progress

    def _upload(self, key: str) -> _Upload:
        with self._mutex:
            if key not in self._open:
                raise SourceError("This upload has ended or was cancelled: begin it again.")
            return self._open[key]

    def _end(self, key: str) -> None:
        with self._mutex:
            upload = self._open.pop(key, None)
        if upload is not None:
            upload.over = True
            shutil.rmtree(upload.folder, ignore_errors=True)

    def _place(self) -> Path:
        """Return the folder for uploads: beside the dataset, on the same disk; where that is read-only, the system's own."""
        beside = self._collection.root.absolute().parent
        beside.mkdir(parents=True, exist_ok=True)
        return beside if os.access(beside, os.W_OK) else Path(tempfile.gettempdir())

    def _remove_stale(self) -> None:
        for place in (self._collection.root.absolute().parent, Path(tempfile.gettempdir())):
            for folder in place.glob(f"{self._prefix}*") if place.is_dir() else ():
                with contextlib.suppress(OSError):
                    if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                        shutil.rmtree(folder, ignore_errors=True)


def limit_of(path: str) -> int:
    """Return how many bytes a file of this name may have."""
    large = path.lower().endswith(ZIP_SUFFIX) or is_video_name(path)
    return MAX_LARGE_BYTES if large else MAX_IMAGE_BYTES


def _parts_of(path: str) -> list[str]:
    """Return the folders and the name of a file, harmless: none leads up or out, and none has control characters."""
    parts = [_harmless(part) for part in path.replace("\\", "/").split("/")]
    return [part for part in parts if part.strip(".")][-MAX_PARTS:] or ["file"]


def _harmless(part: str) -> str:
    letters = unicodedata.normalize("NFC", part)
    plain = "".join(
        letter for letter in letters if unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp")
    ).strip()
    stem, dot, suffix = plain.rpartition(".")
    if not dot or len(suffix.encode()) > 16:
        stem, suffix = plain, ""
    room = MAX_NAME_BYTES - len(f"{dot}{suffix}".encode())
    return stem.encode()[:room].decode(errors="ignore") + (f".{suffix}" if suffix else "")


def _room_for(upload: _Upload, name: str, announced: str) -> int:
    """Return how many bytes an upload may still bring. Raises HTTPException 413 when it may not bring this file."""
    room = MAX_TOTAL_BYTES - upload.bytes
    if announced.isdecimal() and int(announced) > room:
        raise HTTPException(
            TOO_LARGE, f"{name} would make this upload larger than {MAX_TOTAL_BYTES / 1e9:g} GB: upload less at once."
        )
    if upload.files > MAX_FILES:
        raise HTTPException(
            TOO_LARGE, f"{name} is one file too many: upload at most {MAX_FILES:,} at once, or a zip of them."
        )
    return room


def _target(upload: _Upload, path: str) -> Path:
    """Return where a file goes: a name that no other file of the upload has."""
    wanted = upload.folder.joinpath(*_parts_of(path))
    count, first = 1, wanted
    while wanted in upload.names:
        count += 1
        wanted = first.with_name(f"{first.stem}-{count}{first.suffix}")
    upload.names.add(wanted)
    return wanted


def _opened(target: Path) -> BinaryIO:
    with contextlib.suppress(FileExistsError):  # a file of that name came before: `open` says so
        target.parent.mkdir(parents=True, exist_ok=True)
    return target.open("xb")


async def _drain(request: Request) -> None:
    left = DRAINED_BYTES
    with contextlib.suppress(ClientDisconnect, RuntimeError):  # RuntimeError: all was read
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                break


def _told(result: CollectResult) -> dict[str, Any]:
    skipped = [{"name": one.name, "reason": one.reason} for one in result.skipped]
    more = len(skipped) - MAX_SKIPPED
    if more > 0:
        skipped[MAX_SKIPPED:] = [{"name": f"{more} more files", "reason": "not listed"}]
    added, already = sum(result.added.values()), sum(result.already.values())
    return {"added": added, "already": already, "skipped": skipped, "totals": result.totals}


def _as_in_a_page(sentence: str, label: str | None) -> str:
    """Return what `collect` says with a page's remedies in place of the command's."""
    return sentence.replace(
        f"which --label {label} would mix: leave --label out, or give one of the folders.",
        f"which would be mixed in {label}: drop it beside the classes, where it brings classes of its own, or drop one of the folders.",
    )
