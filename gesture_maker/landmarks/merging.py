"""The rows of a table in the order in which they are to lie in its one file, a few at a time.

10,000 rows are looked up, taken and written at once, about 6 MB; what is held for all rows is the index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.compute

from gesture_maker.landmarks.parts import remove_parts, writing_merged
from gesture_maker.landmarks.rows import SCHEMA
from gesture_maker.landmarks.stored import MAIN, Stored
from gesture_maker.landmarks.table_file import KEY_TYPE, NAMES, Keys, RowsDigest, TableFile, keys_of

CHUNK_ROWS = 10_000
MOST_CHUNKS = 20
"""Rows that lie in another order are gathered from the whole file once for each chunk, 2 s for a million each time: so a table of
more than 200,000 rows is cut into 20 chunks, which are 30 MB for a million."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """N rows: their keys, the numbers of the files they lie in, and the rows there; `names`: what their photos are called.

    `names` is a pyarrow.Table of `NAMES`, None where the rows keep those they have.
    """

    keys: Keys
    files: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    names: Any | None


def by_images(stored: Stored, images: Any, detections: Sequence[str]) -> Iterator[Chunk]:
    """Yield for each detection the rows of images in their order, then all that no image is of, without names.

    `images`: a pyarrow.Table with the columns file, label, group, sha256 (null: nothing is known of the image), and if wanted
    box_key (null: the whole image), which is appended to the detection.
    """
    index, many = stored.index, _chunk_rows(stored)
    used = np.zeros(len(index), bool)
    for detection in detections:
        for begin in range(0, len(images), many):
            part = images.slice(begin, many)
            part = part.filter(pyarrow.compute.is_valid(part.column("sha256")))
            places = index.find(_keys_of_images(part, detection))
            known = np.flatnonzero(places >= 0)
            used[places[known]] = True
            yield _chunk(stored, places[known], part.select(list(NAMES)).take(pyarrow.array(known)))
    rest = np.flatnonzero(~used)
    nothing = pyarrow.schema([SCHEMA.field(name) for name in NAMES])
    for begin in range(0, len(rest), many):
        places = rest[begin : begin + many]
        nulls = [pyarrow.nulls(len(places), field.type) for field in nothing]
        yield _chunk(stored, places, pyarrow.table(nulls, schema=nothing))


def as_they_lie(stored: Stored) -> Iterator[Chunk]:
    """Yield the merged rows in their order and with their names, the newest answer for each, then what is new."""
    index = stored.index
    used = np.zeros(len(index), bool)
    if stored.main is not None:
        begin = 0
        for batch in stored.main.batches(("sha256", "detection", *NAMES), CHUNK_ROWS):
            keys = keys_of(batch.column("sha256").to_pylist(), batch.column("detection").to_pylist())
            places = index.find(keys)
            used[places] = True
            files, rows = index.files[places], index.rows[places].copy()
            here = files == MAIN
            rows[here] = np.arange(begin, begin + len(keys), dtype=np.int32)[here]
            yield Chunk(keys, files, rows, pyarrow.Table.from_batches([batch]).select(list(NAMES)))
            begin += len(keys)
    rest = np.flatnonzero(~used)
    rest = rest[np.lexsort((index.rows[rest], index.files[rest]))]
    for begin in range(0, len(rest), CHUNK_ROWS):
        yield _chunk(stored, rest[begin : begin + CHUNK_ROWS], None)


def taken(stored: Stored, chunk: Chunk, columns: Sequence[str] = SCHEMA.names) -> Any:
    """Return columns of a chunk's rows as a pyarrow.Table of `SCHEMA`."""
    table = stored.take(chunk.files, chunk.rows, columns)
    if chunk.names is not None:
        for place, name in enumerate(columns):
            if name in NAMES:
                table = table.set_column(place, SCHEMA.field(name), chunk.names.column(name))
    return table


def digest_of(chunks: Iterator[Chunk]) -> str:
    """Return the digest of the names and keys of chunks which all have names."""
    digest = RowsDigest()
    for chunk in chunks:
        digest.update(chunk.names, chunk.keys)
    return digest.hexdigest()


def write_merged(stored: Stored, chunks: Iterator[Chunk]) -> Stored:
    """Make the merged file of chunks, remove the parts, and return the table as it lies then. Under the lock only.

    A kill before the new file has its name leaves everything as it was, a kill after it leaves parts whose rows are in it.
    """
    keys = [np.empty(0, KEY_TYPE)]
    with writing_merged(stored.path) as writer:
        for chunk in chunks:
            writer.write(taken(stored, chunk), chunk.keys)
            keys.append(chunk.keys)
    merged = Stored.of_merged(stored.path, TableFile.open(stored.path), np.concatenate(keys))
    remove_parts(stored.path, list(stored.parts))
    pyarrow.default_memory_pool().release_unused()
    return merged


def _chunk_rows(stored: Stored) -> int:
    return max(CHUNK_ROWS, len(stored.index) // MOST_CHUNKS)


def _chunk(stored: Stored, places: npt.NDArray[np.int64], names: Any | None) -> Chunk:
    index = stored.index
    return Chunk(index.keys[places], index.files[places], index.rows[places], names)


def _keys_of_images(images: Any, detection: str) -> Keys:
    shas = images.column("sha256").to_pylist()
    if "box_key" not in images.column_names:
        return keys_of(shas, detection)
    return keys_of(shas, [detection + (box or "") for box in images.column("box_key").to_pylist()])
