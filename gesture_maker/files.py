"""Files that are either the old or the new one, never half of it.

Everything the project writes goes through `atomic_write` (a temporary name beside the target, then a rename), so that a
kill or a full disk at any moment leaves what was there before.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

TEMPORARY_PREFIX = ".writing-"  # hidden, so that no step takes a leftover of a killed one for data


@contextlib.contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; it becomes `target` when the block ends without an error.

    The temporary file keeps the target's suffix, because image and video writers go by it. Parent folders are made. An
    OSError, such as of a full disk, names `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, suffix=target.suffix, dir=target.parent)
    except OSError as error:
        error.filename = str(target)
        raise
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner can read
        temporary.replace(target)
    except OSError as error:
        if error.filename in (None, name) and (number := _number_of(error)):
            raise OSError(number, os.strerror(number), str(target)) from error  # temporary names say nothing to a user
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(target: Path, content: bytes) -> None:
    """Write `content` to `target` in one step."""
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)


def write_text(target: Path, content: str) -> None:
    """Write `content` to `target` in one step, as UTF-8 with bare newlines."""
    write_bytes(target, content.encode())


def write_json(target: Path, value: Any) -> None:
    """Write `value` as indented JSON in one step; keys keep their order, unicode stays readable."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(target: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as CSV in one step, after a line with the names of the columns."""
    text = io.StringIO()
    plain = csv.DictWriter(text, list(columns), lineterminator="\n")
    quoted = csv.DictWriter(text, list(columns), lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writeheader()
    for row in rows:  # before Python 3.13 a carriage return, which a file's name may have, is not quoted of itself
        (quoted if any("\r" in value for value in row.values() if isinstance(value, str)) else plain).writerow(row)
    write_text(target, text.getvalue())


def user_cache(folder: str) -> Path:
    """Return a folder in the user's cache; it need not exist."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("gesture-maker", appauthor=False), folder)


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _number_of(error: OSError) -> int | None:
    told = re.search(r"\[errno (\d+)\]", str(error), re.IGNORECASE)  # PyArrow's have a text only
    return error.errno or (int(told.group(1)) if told else None)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
