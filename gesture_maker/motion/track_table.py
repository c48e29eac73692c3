"""Tracks as Parquet, `motion.parquet` beside the clips: one row a clip, whatever was found in it, known by content and settings.

Each clip is written down as soon as it has been looked at, as a small file in `.motion.parquet.parts/`, and all are merged into one
at the end: Ctrl-C or a kill costs the clips that were being looked at. A file that cannot be read is set aside, its clips are looked at again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from filelock import FileLock

from gesture_maker.files import atomic_write
from gesture_maker.landmarks.hands import POINTS
from gesture_maker.landmarks.rows import FLOATS, LOOKED_AT
from gesture_maker.motion.track import HandTrack

TABLE = "motion.parquet"

SCHEMA = pyarrow.schema(
    [
        *LOOKED_AT,
        ("seconds", pyarrow.list_(pyarrow.float64())),
        ("found", pyarrow.list_(pyarrow.bool_())),
        ("handedness", FLOATS),
        ("landmarks", FLOATS),
        ("world", FLOATS),
    ]
)
"""`sha256`: `clips.clip_sha256`. `detection`: of the settings that it was looked at with. `reason`: why it cannot be read, null when it
can; the columns behind it are those of `HandTrack`, points in one list, null when it cannot."""


@dataclass(frozen=True, eq=False)
class TrackRow:
    """What was found in one clip: its track, or the `reason` why it cannot be read."""

    sha256: str
    detection: str
    track: HandTrack | None
    reason: str | None = None
    file: str = ""
    label: str = ""
    group: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return self.sha256, self.detection


def to_arrow(rows: Sequence[TrackRow]) -> Any:
    """Return rows as a pyarrow.Table of `SCHEMA`."""
    columns: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in rows]
        for name in ("file", "label", "group", "sha256", "detection", "reason")
    }
    for name in ("width", "height"):
        columns[name] = [getattr(row.track, name) if row.track else None for row in rows]
    for name in ("seconds", "found", "handedness", "landmarks", "world"):
        columns[name] = [getattr(row.track, name).ravel() if row.track else None for row in rows]
    return pyarrow.table(columns, schema=SCHEMA)


def from_arrow(table: Any) -> list[TrackRow]:
    """Return the rows of a table. Raises ValueError (or an error of PyArrow's) for another kind of table."""
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise ValueError(f"it has no column {', '.join(missing)}")
    rows = []
    for row in table.select(SCHEMA.names).to_pylist():
        track = None
        if row["reason"] is None:
            points = {name: np.array(row[name], np.float32).reshape(-1, POINTS, 3) for name in ("landmarks", "world")}
            track = HandTrack(
                np.array(row["seconds"], np.float64),
                np.array(row["found"], bool),
                points["landmarks"],
                points["world"],
                np.array(row["handedness"], np.float32),
                row["width"],
                row["height"],
            )
        names = (row["file"] or "", row["label"] or "", row["group"])
        rows.append(TrackRow(row["sha256"], row["detection"], track, row["reason"], *names))
    return rows


class TrackTable:
    """The tracks that are known beside a dataset, at `path`. `damaged`: files that could not be read and were set aside."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged: list[Path] = []
        self._rows: dict[tuple[str, str], TrackRow] = {}
        for file in (path, *sorted(self._parts.glob("*.parquet"))):
            self._read(file)

    @property
    def _parts(self) -> Path:
        return self.path.with_name(f".{self.path.name}.parts")

    def get(self, sha256: str, detection: str) -> TrackRow | None:
        """Return what is known of a clip's content."""
        return self._rows.get((sha256, detection))

    def put(self, row: TrackRow) -> None:
        """Write down what was found in a clip."""
        self._rows[row.key] = row
        with atomic_write(self._parts / f"{row.sha256[:32]}-{row.detection}.parquet") as temporary:
            pyarrow.parquet.write_table(to_arrow([row]), temporary, write_page_checksum=True)

    def merge(self, named: Sequence[TrackRow] = ()) -> None:
        """Make one file of all that is known; `named`: rows with the names that their clips have now. Others' rows are kept."""
        parts = list(self._parts.glob("*.parquet"))
        for row in named:
            if row.key in self._rows:
                self._rows[row.key] = row
        with FileLock(self._parts.with_suffix(".lock")) if self._parts.exists() else contextlib.nullcontext():
            others = TrackTable(self.path)  # what another training has found meanwhile
            rows = sorted((others._rows | self._rows).values(), key=lambda row: (row.file, row.sha256, row.detection))
            if parts or to_arrow(rows) != _merged(self.path):
                with atomic_write(self.path) as temporary:
                    pyarrow.parquet.write_table(to_arrow(rows), temporary, compression="zstd", write_page_checksum=True)
        for part in parts:
            part.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another training writes there
            self._parts.rmdir()
        self._parts.with_suffix(".lock").unlink(missing_ok=True)

    def _read(self, file: Path) -> None:
        try:
            rows = from_arrow(pyarrow.parquet.read_table(file, page_checksum_verification=True))
        except FileNotFoundError:
            return
        except (pyarrow.ArrowException, ValueError, TypeError, OSError):
            aside = file.with_name(f"{file.name}.damaged")
            with contextlib.suppress(OSError):
                file.replace(aside)
            self.damaged.append(aside)
            return
        self._rows |= {row.key: row for row in rows}


def _merged(path: Path) -> Any:
    try:
        return pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError):
        return None
