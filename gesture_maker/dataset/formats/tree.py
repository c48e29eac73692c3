"""A folder and what lies below it, on disk or at an address: what the layouts are read from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gesture_maker.dataset.reading import Reader, is_address
from gesture_maker.errors import SourceError


class Entry(Protocol):
    """A file or folder in a folder; those on disk are `os.DirEntry`."""

    @property
    def name(self) -> str: ...
    def is_dir(self) -> bool: ...
    def is_file(self) -> bool: ...
    def is_symlink(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class AddressEntry:
    """A file or folder at an address."""

    name: str
    folder: bool

    def is_dir(self) -> bool:
        return self.folder

    def is_file(self) -> bool:
        return not self.folder

    def is_symlink(self) -> bool:
        return False


class Tree:
    """The files below `root`, which is a folder or an address; paths are relative to it, with slashes, "" for itself."""

    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        self._at_address = is_address(self.root)
        self._reader = Reader(self.root)
        self._seen: dict[str, Any] = {}  # what an address answered: a listing of 100,000 files takes a hundred requests

    def entries(self, folder: str = "") -> Iterator[Entry]:
        """Yield what lies directly in a folder, in no order. Raises SourceError or OSError when it cannot be read."""
        if not self._at_address:
            with os.scandir(Path(self.root, folder)) as entries:
                yield from entries
            return
        if folder not in self._seen:
            self._seen[folder] = self._listed(folder)
        names, folders = self._seen[folder]
        for name, is_folder in zip(names, folders, strict=True):
            yield AddressEntry(name.as_py(), is_folder.as_py())

    def open(self, path: str) -> Any:
        """Return a file opened for reading bytes, which can seek. Raises OSError."""
        return self._reader.open(path)

    @contextmanager
    def opened(self, path: str) -> Iterator[Any]:
        """Yield a file opened for reading bytes; whatever keeps it from being read is a SourceError that names it."""
        try:
            file = self.open(path)
        except SourceError:
            raise
        except Exception as error:  # each file system has errors of its own
            raise SourceError(f"{self.name_of(path)} cannot be read ({_words(error)}): check the path.") from error
        with file:
            yield file

    def name_of(self, path: str) -> str:
        """Return how messages call a file or folder: with the root before it."""
        if not self._at_address:
            return str(Path(self.root, path))
        return f"{self.root.rstrip('/')}/{path}" if path else self.root

    def kind(self) -> str:
        """Return what the root is: "folder", "file", or "" when there is nothing."""
        if not self._at_address:
            path = Path(self.root)
            return "folder" if path.is_dir() else "file" if path.exists() else ""
        filesystem, base = self._reader.filesystem()
        with self._explained(""):
            if hasattr(filesystem, "get_file_info"):
                from pyarrow.fs import FileType

                kinds = {FileType.Directory: "folder", FileType.File: "file"}
                return kinds.get(filesystem.get_file_info(base).type, "")
            return "folder" if filesystem.isdir(base) else "file" if filesystem.exists(base) else ""

    def _listed(self, folder: str) -> tuple[Any, Any]:
        """Return the names in a folder at an address and which of them are folders, as Arrow arrays: 30 bytes a file."""
        import pyarrow

        filesystem, base = self._reader.filesystem()
        place = below(base.rstrip("/"), folder) if folder else base
        with self._explained(folder):
            if hasattr(filesystem, "get_file_info"):
                from pyarrow.fs import FileSelector, FileType

                infos = filesystem.get_file_info(FileSelector(place))
                found = [(info.base_name, info.type == FileType.Directory) for info in infos]
            else:
                infos = filesystem.ls(place, detail=True)
                found = [(info["name"].rstrip("/").rsplit("/", 1)[-1], info["type"] == "directory") for info in infos
                         if info["name"].strip("/") != place.strip("/")]  # some list the folder itself  # fmt: skip
        return (
            pyarrow.array((name for name, _ in found), pyarrow.string(), size=len(found)),
            pyarrow.array((is_folder for _, is_folder in found), pyarrow.bool_(), size=len(found)),
        )

    @contextmanager
    def _explained(self, folder: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each file system has errors of its own
            place = self.name_of(folder)
            raise SourceError(
                f"{place} cannot be listed ({_words(error)}): check the address and its credentials."
            ) from error


def below(folder: str, name: str) -> str:
    """Return the path of what is called `name` in a folder."""
    return f"{folder}/{name}" if folder else name


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
