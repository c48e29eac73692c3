"""Bytes of an image, wherever it lies: in a folder, in a zip, or at an address of an object store.

Addresses (`s3://…`, `gs://…`, `hdfs://…`) are opened by pyarrow, which has those file systems inside, and all others
(`memory://…`, `https://…`) by fsspec, which the extra `ray` brings.
"""

from __future__ import annotations

import errno
import os
import threading
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

from gesture_maker.errors import SourceError, UnreadableImage

OPEN_ZIPS = 8  # at once; HaGRID is 18 of them, and its images come class by class

_PYARROW_SCHEMES = frozenset({"s3", "gs", "gcs", "hdfs", "viewfs", "abfs", "abfss", "file"})


def is_address(source: str | Path) -> bool:
    """Tell an address with a scheme from a path; Windows' drive letters are none."""
    scheme, found, _ = str(source).partition("://")
    return bool(found) and len(scheme) > 1 and scheme.replace("+", "").isalnum()


class Reader:
    """Reads the images of a listing's root; from any number of threads, and again after it was pickled to another node."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._zips: OrderedDict[str, zipfile.ZipFile] = OrderedDict()
        self._filesystem: tuple[Any, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["root"])  # type: ignore[misc]

    def read(self, path: str, member: str | None = None) -> bytes:
        """Return the content of a file, or of a member of the zip that the file is.

        Raises UnreadableImage when this one cannot be read.
        """
        name = f"{path}/{member}" if member else path
        try:
            if member is None:
                with self.open(path) as file:
                    return bytes(file.read())
            return self._zip(path).read(member)
        except OSError as error:
            raise UnreadableImage(name, f"cannot be read ({error.strerror or _words(error)})") from error
        except (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
            raise UnreadableImage(name, "cannot be read from its zip, which is damaged or encrypted") from error

    def open(self, path: str) -> Any:
        """Return a file opened for reading bytes, which can seek. Raises OSError when it cannot be."""
        if not is_address(self.root):
            return Path(self.root, path).open("rb")
        filesystem, base = self.filesystem()
        place = f"{base.rstrip('/')}/{path}" if path else base
        return filesystem.open_input_file(place) if hasattr(filesystem, "open_input_file") else filesystem.open(place)

    def filesystem(self) -> tuple[Any, str]:
        """Return the pyarrow or fsspec file system of an address, and the root's path in it. Raises SourceError if there is none."""
        with self._lock:
            if self._filesystem is None:
                self._filesystem = _filesystem_of(self.root)
            return self._filesystem

    def _zip(self, path: str) -> zipfile.ZipFile:
        with self._lock:
            if path in self._zips:
                self._zips.move_to_end(path)
                return self._zips[path]
        opened = zipfile.ZipFile(self.open(path))
        with self._lock:
            kept = self._zips.setdefault(path, opened)  # not closed when dropped: another thread may be reading from it
            if len(self._zips) > OPEN_ZIPS:
                self._zips.popitem(last=False)
            return kept


def _filesystem_of(root: str) -> tuple[Any, str]:
    scheme = root.partition("://")[0]
    try:
        if scheme in _PYARROW_SCHEMES:
            from pyarrow import fs

            found: tuple[Any, str] = fs.FileSystem.from_uri(root)
            return found
        import fsspec

        filesystem, place = fsspec.core.url_to_fs(root)
        return filesystem, str(place)
    except ImportError as error:
        needed = error.name if error.name and error.name != "fsspec" else "gesture-maker[ray]"
        raise SourceError(f"{root} cannot be read without another package: pip install '{needed}'.") from error
    except Exception as error:  # each file system has errors of its own
        raise SourceError(
            f"{root} cannot be opened ({_words(error)}): check the address and its credentials."
        ) from error


def _words(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    return (
        os.strerror(number)
        if isinstance(number, int) and number in errno.errorcode
        else " ".join(str(error).split()) or type(error).__name__
    )
