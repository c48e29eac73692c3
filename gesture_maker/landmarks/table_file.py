"""One Parquet file of landmark rows: written with checksums, read by row group, and found out when it is damaged.

Rows lie in groups of 1,000, so that a few of a million cost what a few of a thousand do: reading one group takes 1.5 ms. Each
page carries a checksum, which tells a flipped bit as soon as the page is read; the file carries one more of all its keys,
which tells at opening that the right rows are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from gesture_maker.landmarks.rows import KEY_BYTES, SCHEMA, key_of

GROUP_ROWS = 1000  # 0.5 MB
KEY_TYPE = np.dtype(f"V{KEY_BYTES}")
NAMES = ("file", "label", "group")
"""The columns that say what a photo is called; tables of version 0.1 lack them."""

_REQUIRED = tuple(name for name in SCHEMA.names if name not in NAMES)
_KEYS_DIGEST = b"gesture_maker.keys"
_ROWS_DIGEST = b"gesture_maker.names"
_REPEATED = ["label", "group", "detection", "reason", "width", "height", "margin"]  # worth a dictionary

Keys = npt.NDArray[np.void]
"""[N] of `KEY_TYPE`: what `rows.key_of` says of N looks. They sort and compare as bytes do."""

Identity = tuple[int, int, int]


class Damage(Exception):
    """A file that is no table, or no whole one. `identity` is that of the file that was read."""

    def __init__(self, path: Path, identity: Identity | None, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.identity, self.reason = path, identity, reason


class Replaced(Exception):
    """The file is not the one that was opened: another process merged the table."""


def identity_of(path: Path) -> Identity:
    """Return what changes when another file takes this name. Raises Replaced when there is no file."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise Replaced(str(path)) from None
    return status.st_ino, status.st_size, status.st_mtime_ns


def keys_of(shas: Sequence[str], detections: str | Sequence[str]) -> Keys:
    """Return the keys of looks at photos, under one detection or one for each; 0.5 s for a million."""
    each = repeat(detections) if isinstance(detections, str) else detections
    return np.frombuffer(b"".join(map(key_of, shas, each)), KEY_TYPE)


@dataclass(frozen=True, eq=False)
class TableFile:
    """A file as it was when it was opened. `starts`: int64 [groups + 1], the first row of each row group, and the end."""

    path: Path
    identity: Identity
    metadata: Any  # a pyarrow.parquet.FileMetaData, so that the file can be opened again in 0.3 ms; None: read it again
    starts: npt.NDArray[np.int64]

    @classmethod
    def open(cls, path: Path) -> TableFile:
        """Return the file at `path`. Raises Damage when it is no table, Replaced when it is gone, OSError as reading does."""
        identity = identity_of(path)
        with _watched(path, identity):
            with _parquet(path) as file:
                metadata, schema = file.metadata, file.schema_arrow
            if identity_of(path) != identity:
                raise Replaced(str(path))
            _check_columns(schema, SCHEMA.names if _KEYS_DIGEST in (metadata.metadata or {}) else _REQUIRED)
            counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
            if min(counts, default=0) < 0 or sum(counts) != metadata.num_rows:
                raise ValueError("its row groups do not add up")
        return cls(path, identity, metadata, np.cumsum([0, *counts], dtype=np.int64))

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def rows_digest(self) -> str | None:
        """What `TableWriter` said of its names and keys; None for files of others."""
        found = (self.metadata.metadata or {}).get(_ROWS_DIGEST)
        return found.decode(errors="replace") if found else None

    def keys(self) -> Keys:
        """Return the key of each row. Raises Damage when they are not those that were written."""
        keys, row = np.empty(len(self), KEY_TYPE), 0
        for batch in self.batches(("sha256", "detection")):
            shas, detections = (batch.column(name) for name in ("sha256", "detection"))
            if shas.null_count or detections.null_count:
                raise Damage(self.path, self.identity, "it has rows that are of no photo")
            keys[row : row + len(batch)] = keys_of(shas.to_pylist(), detections.to_pylist())
            row += len(batch)
        expected = (self.metadata.metadata or {}).get(_KEYS_DIGEST)
        if row != len(self) or (expected and _digest(keys.tobytes()).encode() != expected):
            raise Damage(self.path, self.identity, "its rows are not those that were written")
        return keys

    def read(self, group: int, columns: Sequence[str] = SCHEMA.names) -> Any:
        """Return columns of a row group as a pyarrow.Table of `SCHEMA`. Raises Damage, Replaced, OSError."""
        with self._opened() as (file, present):
            table = file.read_row_group(group, [name for name in columns if name in present], use_threads=False)
            if len(table) != self.starts[group + 1] - self.starts[group]:
                raise ValueError("rows are missing")
            return _conform(table, columns)

    def batches(self, columns: Sequence[str] = SCHEMA.names, batch_rows: int = 10_000) -> Iterator[Any]:
        """Yield columns of all rows as pyarrow.RecordBatches of `SCHEMA`. Raises Damage, Replaced, OSError."""
        with self._opened() as (file, present):
            wanted = [name for name in columns if name in present]
            for batch in file.iter_batches(batch_rows, columns=wanted, use_threads=False):
                yield from _conform(pyarrow.Table.from_batches([batch]), columns).to_batches()

    @contextmanager
    def _opened(self) -> Generator[tuple[Any, set[str]], None, None]:
        with _watched(self.path, self.identity), _parquet(self.path, self.metadata) as file:
            if identity_of(self.path) != self.identity:
                raise Replaced(str(self.path))
            yield file, set(file.schema_arrow.names)


class TableWriter:
    """Writes rows of `SCHEMA` in groups of `GROUP_ROWS` to a path that is nobody's yet; see `files.atomic_write`."""

    def __init__(self, path: Path) -> None:
        self._sink = pyarrow.OSFile(str(path), "wb")
        self._writer = pyarrow.parquet.ParquetWriter(
            self._sink,
            SCHEMA,
            compression="zstd",
            use_dictionary=_REPEATED,
            write_statistics=False,  # of points they say nothing, and they would be half of the footer
            write_page_checksum=True,
        )
        self._waiting: list[Any] = []
        self._keys = hashlib.blake2b(digest_size=16)
        self._rows = RowsDigest()

    def write(self, table: Any, keys: Keys) -> None:
        """Add the rows of a pyarrow.Table with their keys."""
        self._keys.update(keys.tobytes())
        self._rows.update(table, keys)
        table = pyarrow.concat_tables([*self._waiting, table])
        whole = len(table) // GROUP_ROWS * GROUP_ROWS
        if whole:
            self._writer.write_table(table.slice(0, whole), row_group_size=GROUP_ROWS)
        self._waiting = [table.slice(whole).combine_chunks()]

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                for table in self._waiting:
                    self._writer.write_table(table, row_group_size=GROUP_ROWS)
                digests = {_KEYS_DIGEST: self._keys.hexdigest(), _ROWS_DIGEST: self._rows.hexdigest()}
                self._writer.add_key_value_metadata(digests)
                self._writer.close()
        finally:
            self._writer.is_open = False  # or it would try to finish the file again when it is forgotten
            self._sink.close()


class RowsDigest:
    """A digest of the names and keys of rows in their order, however they are cut into tables."""

    def __init__(self) -> None:
        self._digests = [hashlib.blake2b(digest_size=16) for _ in range(1 + 2 * len(NAMES))]

    def update(self, names: Any, keys: Keys) -> None:
        """Add rows: a pyarrow.Table with the columns `NAMES`, and their keys."""
        self._digests[0].update(keys.tobytes())
        for place, name in enumerate(NAMES):
            column = names.column(name)
            lengths = pyarrow.compute.fill_null(pyarrow.compute.binary_length(column), -1)
            self._digests[2 * place + 1].update(lengths.to_numpy().astype("<i4").tobytes())
            self._digests[2 * place + 2].update("".join(column.drop_null().to_pylist()).encode())

    def hexdigest(self) -> str:
        """Return the digest of what was added so far."""
        return _digest(b"".join(one.digest() for one in self._digests))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _parquet(path: Path, metadata: Any = None) -> Any:
    return pyarrow.parquet.ParquetFile(path, metadata=metadata, pre_buffer=False, page_checksum_verification=True)


@contextmanager
def _watched(path: Path, identity: Identity) -> Generator[None, None, None]:
    """Turn what pyarrow raises for a damaged file, which is of many kinds, into Damage."""
    try:
        yield
    except (Damage, Replaced, ImportError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise Replaced(str(path)) from error
    except Exception as error:
        if getattr(error, "errno", None) is not None:
            raise  # nothing is wrong with the file
        raise Damage(path, identity, str(error)) from error


def _check_columns(schema: Any, required: Sequence[str]) -> None:
    missing = [name for name in required if name not in schema.names]
    if missing:
        raise ValueError(f"it has no column {', '.join(missing)}")
    for field in SCHEMA:
        if field.name in schema.names and _kind(schema.field(field.name).type) != _kind(field.type):
            raise ValueError(f"its column {field.name} is of type {schema.field(field.name).type}")


def _kind(type_: Any) -> str:
    """Return what a column holds, whatever width another program gave it."""
    types = pyarrow.types
    if types.is_string(type_) or types.is_large_string(type_):
        return "text"
    if types.is_integer(type_) or types.is_floating(type_):
        return "number"
    if types.is_list(type_) or types.is_large_list(type_):
        return f"list of {_kind(type_.value_type)}"
    return str(type_)


def _conform(table: Any, columns: Sequence[str]) -> Any:
    schema = pyarrow.schema([SCHEMA.field(name) for name in columns])
    found = [
        table.column(field.name) if field.name in table.column_names else pyarrow.nulls(len(table), field.type)
        for field in schema
    ]
    return pyarrow.table(
        [
            column if column.type == field.type else column.cast(field.type)
            for column, field in zip(found, schema, strict=True)
        ],
        schema=schema,
    )
