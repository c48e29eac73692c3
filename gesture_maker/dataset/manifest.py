"""`manifest.csv`: where each image of a dataset came from.

One row per image, or per clip of a motion dataset: `file` (relative to the dataset), `label`, `source` (the file, zip member or
video frame it was copied from), `group` (photos of one person or one burst, empty when unknown), `sha256` of its bytes, and
`added` (UTC).
The folders stay the truth: a row without its file means nothing, a file without a row is still an image of the dataset.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from gesture_maker.errors import DatasetError
from gesture_maker.files import write_bytes

MANIFEST_NAME = "manifest.csv"


@dataclass(frozen=True)
class ManifestRow:
    """One image: `file` is its posix path relative to the dataset, `added` an ISO 8601 time in UTC."""

    file: str
    label: str
    source: str = ""
    group: str = ""
    sha256: str = ""
    added: str = ""


COLUMNS = tuple(field.name for field in fields(ManifestRow))


def now() -> str:
    """Return the time as the manifest writes it: UTC, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_manifest(root: Path) -> dict[str, ManifestRow]:
    """Return the rows of a dataset's manifest by their `file`; nothing when it has none.

    Raises DatasetError when the file is there but is not such a table.
    """
    path = root / MANIFEST_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except IsADirectoryError:
        raise DatasetError(f"{path} is a folder: rename it, the manifest of the dataset belongs there.") from None
    return parse_manifest(content, str(path))


def parse_manifest(content: bytes, name: str) -> dict[str, ManifestRow]:
    """Return the rows of a manifest's bytes by their `file`; `name` is what errors call it. Raises DatasetError."""
    remedy = "mend it or delete it (the photos stay, their sources and groups are lost)"
    try:
        # utf-8-sig: what a spreadsheet saves as "CSV UTF-8" is read too
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), restval="")
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise DatasetError(f"{name} lacks the columns {', '.join(missing)}: {remedy}.")
        rows = [ManifestRow(**{column: record[column] for column in COLUMNS}) for record in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{name} is not a readable CSV file in UTF-8: {remedy}.") from error
    return {row.file: row for row in rows if row.file}


def write_manifest(root: Path, rows: Iterable[ManifestRow]) -> None:
    """Write the manifest in one step, sorted by file; rows whose files are gone are dropped."""
    present = _files_of(root)
    write_bytes(root / MANIFEST_NAME, format_manifest(row for row in rows if row.file in present))


def format_manifest(rows: Iterable[ManifestRow]) -> bytes:
    """Return a manifest's bytes, sorted by file, so that `parse_manifest` gives the same rows."""
    text = io.StringIO(newline="")
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(COLUMNS)
    for row in sorted(rows, key=lambda row: row.file):
        values = [getattr(row, column) for column in COLUMNS]
        # The csv module quotes a value with a line feed, but not one with a carriage return, and reads both as line ends.
        (quoted if any("\r" in value for value in values) else plain).writerow(values)
    return text.getvalue().encode("utf-8", "backslashreplace")  # what is no text is escaped, so a person can read it


def update_manifest(root: Path, changed: Iterable[ManifestRow]) -> None:
    """Put the changed rows into the manifest that is on disk now, which another process may have written meanwhile.

    Who met a photo before its row was written does not know its source and group: those of the row stay.
    """
    with locked(root):
        rows = read_manifest(root)
        for row in changed:
            rows[row.file] = _with_what_is_known(row, rows.get(row.file))
        write_manifest(root, rows.values())


def _with_what_is_known(row: ManifestRow, known: ManifestRow | None) -> ManifestRow:
    if known is None or known.sha256 != row.sha256:
        return row
    return replace(row, source=row.source or known.source, group=row.group or known.group)


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold other processes off the dataset, as far as the system and the file system can lock a folder."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        yield
        return
    handle = os.open(root, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def original_name(row: ManifestRow) -> str:
    """Return the file name an image had before it was collected, e.g. `p012_IMG_1.jpg`; empty when unknown."""
    return PurePosixPath(row.source).name if row.source else ""


def _files_of(root: Path) -> set[str]:
    files: set[str] = set()
    with os.scandir(root) as folders:
        for folder in folders:
            if folder.is_dir() and not folder.name.startswith("."):
                with os.scandir(folder) as entries:
                    files.update(f"{folder.name}/{entry.name}" for entry in entries)
    return files
