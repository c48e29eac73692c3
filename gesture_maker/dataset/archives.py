"""Zips, read in place and trusted in nothing.

Nothing is ever unpacked under a name that the zip chose: a member is bytes, and the dataset gives it a name of its own.
A zip that reaches outside itself (`../`, absolute names, links) or swells (10 GB of zeros in 10 MB) is refused as a
whole, since whoever made it did not make a set of photos.
"""

from __future__ import annotations

import re
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.dataset.formats.class_folders import printable
from gesture_maker.errors import SourceError, UnreadableImage

MAX_IMAGE_BYTES = 200_000_000  # 200 MB; 100 megapixels as PNG are about 150 MB
MAX_TOTAL_BYTES = 20_000_000_000  # 20 GB unpacked; about 7,000 photos of a phone, larger ones come unpacked
SUSPICIOUS_BYTES = 100_000_000  # below 100 MB unpacked, a high ratio can do no harm
SUSPICIOUS_RATIO = 200  # unpacked/packed; photos have about 1, drawn BMPs up to 50, zeros about 1,000
_PIECE = 1 << 20  # bytes read at a time
_ENCRYPTED, _NAME_IS_UTF8 = 0x1, 0x800  # flag bits of a member, APPNOTE.TXT 4.4.4
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@dataclass(frozen=True)
class Member:
    """One file in a zip: the folders it lies in and its name, and how to read it."""

    parts: tuple[str, ...]
    archive: Archive
    info: zipfile.ZipInfo

    @property
    def shown(self) -> str:
        """How messages and the manifest call it: the zip, then the path inside."""
        return printable("/".join((self.archive.name, *self.parts)))

    def read(self) -> bytes:
        """Return the member's bytes, at most `MAX_IMAGE_BYTES`. Raises UnreadableImage."""
        pieces, size = [], 0
        for piece in self.archive.pieces(self):
            size += len(piece)
            if size > MAX_IMAGE_BYTES:
                raise UnreadableImage(self.shown, too_large())
            pieces.append(piece)
        return b"".join(pieces)


class Archive:
    """A zip that has been found harmless; `members` are its files in the order in which they lie in it."""

    def __init__(self, file: zipfile.ZipFile, name: str) -> None:
        self.name = name
        self._file = file
        for info in file.infolist():
            _check(info, name)
        self.members = [
            Member(_parts(_decoded(info)), self, info) for info in file.infolist() if not _decoded(info).endswith("/")
        ]

    def pieces(self, member: Member) -> Iterator[bytes]:
        """Yield a member's bytes piece by piece, never more than its header promised. Raises UnreadableImage."""
        try:
            with self._file.open(member.info) as stream:  # stops at the promised size and checks the CRC there
                while piece := stream.read(_PIECE):
                    yield piece
        except Exception as error:  # zipfile and its decompressors raise a dozen kinds on damaged data
            raise UnreadableImage(member.shown, "it is damaged in the zip") from error


class Opener:
    """Opens zips, also zips inside zips, which share one budget of unpacked bytes."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._left = MAX_TOTAL_BYTES
        self._folder: Path | None = None
        self._count = 0

    def open(self, path: Path, name: str = "") -> Archive:
        """Return the zip at `path`, checked from its directory before a byte is unpacked. Raises SourceError."""
        name = name or str(path)
        file = self._stack.enter_context(_zip_file(path, name))
        total = sum(info.file_size for info in file.infolist())
        if total > SUSPICIOUS_BYTES and total > SUSPICIOUS_RATIO * path.stat().st_size:
            raise SourceError(
                f"{name} would unpack to {_size(total)} from {_size(path.stat().st_size)}, which no photos do: "
                "it is refused as a zip bomb."
            )
        self._left -= total
        if self._left < 0:
            raise SourceError(
                f"{name} unpacks to more than {_size(MAX_TOTAL_BYTES)}: unpack it and collect the folder."
            )
        return Archive(file, name)

    def open_inner(self, member: Member) -> Archive:
        """Return a zip that lies in another zip. Raises SourceError."""
        if self._folder is None:
            self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gesture-maker-")))
        self._count += 1
        path = self._folder / f"{self._count}.zip"
        try:
            with path.open("wb") as copy:
                for piece in member.archive.pieces(member):
                    copy.write(piece)
        except UnreadableImage as error:
            raise SourceError(f"{member.shown} is damaged in the zip: make or download the zip again.") from error
        return self.open(path, member.shown)


@contextmanager
def opener() -> Iterator[Opener]:
    """Yield an `Opener`; what it opened and put aside is closed and removed at the end."""
    with ExitStack() as stack:
        yield Opener(stack)


def too_large() -> str:
    """Return the reason for a file that is larger than any photo."""
    return f"it is larger than {_size(MAX_IMAGE_BYTES)}"


def _zip_file(path: Path, name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except PermissionError:
        raise
    except Exception as error:  # BadZipFile, but also struct.error, ValueError, OSError from a directory of rubbish
        raise SourceError(f"{name} is no zip or is cut short: make or download it again.") from error


def _check(info: zipfile.ZipInfo, name: str) -> None:
    """Raise SourceError for a member that no set of photos has or that cannot be read."""
    path = _decoded(info)
    if path.startswith("/") or re.match("[A-Za-z]:", path) or ".." in _parts(path):
        raise SourceError(f"{name} holds a file that would lie outside it ({path!a}): the whole zip is refused.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "a device"
        raise SourceError(f"{name} holds {what} ({path!a}), which photos do not need: the whole zip is refused.")
    if info.flag_bits & _ENCRYPTED:
        raise SourceError(f"{name} is encrypted: unpack it with its password and collect the folder.")
    if info.compress_type not in _METHODS:
        raise SourceError(f"{name} is compressed in a way that is not read here: unpack it and collect the folder.")


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in ("", "."))


def _decoded(info: zipfile.ZipInfo) -> str:
    """Return the member's name; macOS writes UTF-8 without saying so, which zipfile takes for the old DOS letters."""
    path = info.filename
    if not info.flag_bits & _NAME_IS_UTF8:
        with suppress(UnicodeError):
            path = path.encode("cp437").decode()
    return path.replace("\\", "/")  # some Windows programs write backslashes


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
