"""The rows of a landmark table as Arrow: one schema for what is kept beside a dataset, handed on, and trained from.

A row is one look at one photo (or at one box of a photo): what the photo is called and which gesture it shows, its content,
the settings it was looked at with, and a hand or the reason there is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow

from gesture_maker.landmarks.hands import POINTS, EmbedderInputs, Floats, Hand, HandOrNot, NoHand, normalize

FLOATS = pyarrow.list_(pyarrow.float32())  # not of fixed size: Parquet has no empty ones of those

LOOKED_AT = (
    ("file", pyarrow.string()),
    ("label", pyarrow.string()),
    ("group", pyarrow.string()),
    ("sha256", pyarrow.string()),
    ("detection", pyarrow.string()),
    ("reason", pyarrow.string()),
    ("width", pyarrow.int32()),
    ("height", pyarrow.int32()),
)
"""What every table says first of what was looked at: what it is called, how it is known, and why nothing was found."""

SCHEMA = pyarrow.schema(
    [
        *LOOKED_AT,
        ("margin", pyarrow.int32()),
        ("handedness", pyarrow.float64()),
        ("landmarks", FLOATS),
        ("world", FLOATS),
    ]
)
"""`file`, `label` and `group` are null where no photo of the dataset is of this content (any more), `group` also where it is
not known. `sha256`: of the photo's bytes, hexadecimal. `detection`: `detection_key`, for a box with its place behind it.
`reason`: why there is no hand, null when there is one; the columns behind it are those of `Hand`, null when there is none."""

KEY_BYTES = 16


@dataclass(frozen=True)
class Row:
    """One row; see `SCHEMA`."""

    sha256: str
    detection: str
    answer: HandOrNot
    file: str | None = None
    label: str | None = None
    group: str | None = None


def key_of(sha256: str, detection: str) -> bytes:
    """Return what a look is known by, 16 bytes: equal for equal photos looked at with equal settings."""
    return hashlib.blake2b(f"{sha256}\n{detection}".encode(), digest_size=KEY_BYTES).digest()


def to_arrow(rows: Sequence[Row]) -> pyarrow.Table:
    """Return rows as a table of `SCHEMA`."""
    hands = [row.answer if isinstance(row.answer, Hand) else None for row in rows]
    columns: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in rows] for name in ("file", "label", "group", "sha256", "detection")
    }
    columns["reason"] = [row.answer.reason if isinstance(row.answer, NoHand) else None for row in rows]
    for name in ("width", "height", "margin", "handedness"):
        columns[name] = [getattr(hand, name) if hand else None for hand in hands]
    for name in ("landmarks", "world"):
        columns[name] = [getattr(hand, name).ravel() if hand else None for hand in hands]
    return pyarrow.table(columns, schema=SCHEMA)


def answers_of(table: pyarrow.Table | pyarrow.RecordBatch) -> list[HandOrNot]:
    """Return the hand, or the reason there is none, of each row. Raises ValueError for rows that hold neither."""
    names = ("reason", "width", "height", "margin", "handedness")
    reasons, widths, heights, margins, handedness = (table.column(name).to_pylist() for name in names)
    found = np.array([reason is None for reason in reasons], bool)
    points = {name: iter(_points(table.column(name), found)) for name in ("landmarks", "world")}
    answers: list[HandOrNot] = []
    for row, reason in enumerate(reasons):
        if reason is not None:
            answers.append(NoHand(reason))
        else:
            places = (next(points["landmarks"]).copy(), next(points["world"]).copy())
            answers.append(Hand(*places, handedness[row], widths[row], heights[row], margins[row]))
    return answers


def inputs_of(table: pyarrow.Table | pyarrow.RecordBatch) -> EmbedderInputs:
    """Return what GestureRecognizer computes of the N rows that show a hand, in their order; see `embedder_inputs`.

    Many rows at once, without a Python object for each: 40 times as fast for 100,000 rows. Raises ValueError for rows that hold neither a hand nor a reason.
    """
    found = table.column("reason").is_null().to_numpy(zero_copy_only=False)
    sizes = [
        np.asarray(table.column(name).to_numpy(zero_copy_only=False)[found], np.float32)
        for name in ("width", "height", "margin")
    ]
    width, height, margin = sizes
    seen_width, seen_height = width + 2 * margin, height + 2 * margin
    longer = np.maximum(seen_width, seen_height)
    scale = np.stack([width / longer, height / longer, width / np.maximum(seen_width, 1)], axis=1)
    handedness = np.asarray(table.column("handedness").to_numpy(zero_copy_only=False)[found], np.float32)
    image = _points(table.column("landmarks"), found) * scale[:, None, :]
    return EmbedderInputs(normalize(image), handedness[:, None], normalize(_points(table.column("world"), found)))


def _points(column: Any, found: npt.NDArray[np.bool_]) -> Floats:
    """Return the landmarks [N, 21, 3] of the rows that have some."""
    chunks = column.chunks if isinstance(column, pyarrow.ChunkedArray) else [column]
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks]  # flatten leaves null lists out
    values = np.concatenate(flat).astype(np.float32, copy=False) if flat else np.zeros(0, np.float32)
    if len(values) != int(found.sum()) * POINTS * 3 or len(column) - column.null_count != found.sum():
        raise ValueError("landmarks are missing, or are not 21 points")
    return values.reshape(-1, POINTS, 3)
