"""The files of one table: `landmarks.parquet`, and beside it the small ones that were written since it was merged.

    landmarks.parquet                                           the merged rows
    .landmarks.parquet.parts/01763747..-4711-000001.parquet     what process 4711 found in a few seconds
    .landmarks.parquet.lock                                     held while merging
    landmarks.parquet.damaged, landmarks.parquet.damaged-2      files that could not be read, set aside

A part has its final name only when it is whole, and a name of its own, so that any number of processes add to a table at
once and a kill costs what was not written yet. Parts are in the order of their names: a later row takes an earlier one's place.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from gesture_maker.files import TEMPORARY_PREFIX, atomic_write
from gesture_maker.landmarks.table_file import Identity, Keys, Replaced, TableWriter, identity_of

LOCK_SECONDS = 60.0
"""How long to wait for another process that merges: it writes 10,000 to 100,000 rows a second."""

STALE_SECONDS = 600.0  # a temporary part is written in milliseconds; what is older was left by a kill

_STAMP = re.compile(r"(\d{20})-\d+-\d{6}\.parquet")
_counter = count()


def parts_folder(path: Path) -> Path:
    """Return the folder of the parts of the table at `path`."""
    return path.with_name(f".{path.name}.parts")  # hidden, or it would be a class of the dataset it lies in


def lock_file(path: Path) -> Path:
    """Return the empty file that is locked while the table at `path` is merged; it stays, for the next to lock the same."""
    return path.with_name(f".{path.name}.lock")


def part_names(path: Path) -> list[str]:
    """Return the names of the parts, oldest first."""
    try:
        names = os.listdir(parts_folder(path))  # noqa: PTH208 - thousands of Path objects are not needed
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if name.endswith(".parquet") and not name.startswith("."))


def write_part(path: Path, table: Any, keys: Keys, newest: str = "") -> str:
    """Write rows (a pyarrow.Table of `SCHEMA`) as a part and return its name, which is behind that of the part `newest`."""
    stamp, found = time.time_ns(), _STAMP.fullmatch(newest)
    if found:
        stamp = max(stamp, int(found.group(1)) + 1)  # the clock may have been set back
    name = f"{stamp:020d}-{os.getpid()}-{next(_counter) % 1_000_000:06d}.parquet"
    for attempt in count():
        try:
            with atomic_write(parts_folder(path) / name) as temporary, TableWriter(temporary) as writer:
                writer.write(table, keys)
            return name
        except FileNotFoundError:  # who merges removes the folder when it is empty, also just after it was made
            if attempt >= 100:
                raise
    raise AssertionError("unreachable")


@contextmanager
def writing_merged(path: Path) -> Generator[TableWriter, None, None]:
    """Yield a writer; what it was given becomes the merged table when the block ends without an error. Under the lock only.

    It is written in the folder of the parts, where nobody takes what a kill leaves of it for something else.
    """
    merged = parts_folder(path) / "merged"
    try:
        with atomic_write(merged) as temporary, TableWriter(temporary) as writer:
            yield writer
        merged.replace(path)
    finally:
        merged.unlink(missing_ok=True)
        with suppress(OSError):
            merged.parent.rmdir()


def remove_parts(path: Path, names: list[str]) -> None:
    """Remove parts that were merged, and what kills have left. Under the lock only.

    Oldest first: if it ends halfway, those that are left are read as later than the merged rows, which they are equal to.
    """
    folder = parts_folder(path)
    for name in sorted(names):
        (folder / name).unlink(missing_ok=True)
    try:
        left = list(folder.iterdir())
    except FileNotFoundError:
        return
    for file in left:
        is_part = file.suffix == ".parquet"
        with suppress(OSError):  # somebody may just have given it its name
            if file.name == "merged" or (file.name.startswith(TEMPORARY_PREFIX) and (not is_part or _is_stale(file))):
                file.unlink()
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def locked(path: Path) -> Generator[bool, None, None]:
    """Hold the table's lock and yield True, or False when another process has held it for `LOCK_SECONDS`."""
    from filelock import FileLock, Timeout

    lock = FileLock(lock_file(path))
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def set_aside(path: Path, file: Path, identity: Identity | None) -> Path | None:
    """Give a damaged file of the table at `path` the name `….damaged` and return it; None when it is gone or replaced."""
    with locked(path), suppress(Replaced):
        if identity is not None and identity_of(file) != identity:
            return None
        for number in count(1):
            target = path.with_name(f"{path.name}.damaged" + (f"-{number}" if number > 1 else ""))
            if not target.exists():
                file.replace(target)
                return target
    return None


@contextmanager
def naming(path: Path) -> Generator[None, None, None]:
    """Let errors of writing any of the table's files name the table."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def _is_stale(file: Path) -> bool:
    return time.time() - file.stat().st_mtime > STALE_SECONDS
