"""`landmarks.parquet`: one row per photo, a hand or the reason there is none.

Rows are keyed by the photo's SHA-256 and by the detection's settings, so that a photo is looked at once however often it
is renamed, and a change of settings never mixes with older answers. The whole file is written to a temporary name and
renamed: a kill leaves the old or the new table.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from gesture_maker.files import atomic_write, sha256_of
from gesture_maker.landmarks.hands import POINTS, Hand, HandOrNot, NoHand

TABLE_NAME = "landmarks.parquet"


def table_path(dataset: Path) -> Path:
    """Return where a dataset's table is kept: beside its photos, or in the user's cache when that folder is read-only.

    A folder without any write permission is taken as read-only even for root, who could write to it.
    """
    folder = dataset.resolve()
    writable = os.access(folder, os.W_OK) and bool(folder.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    if writable:
        return folder / TABLE_NAME
    cache = Path(platformdirs.user_cache_dir("gesture-maker", appauthor=False))
    return cache / "landmarks" / f"{sha256_of(str(folder).encode())[:16]}.parquet"


class LandmarkTable:
    """The answers for many photos, in memory, read from and written to one Parquet file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[tuple[str, str], HandOrNot] = {}
        self._changed = False

    @classmethod
    def open(cls, path: Path) -> LandmarkTable:
        """Return the table at `path`; a missing file gives an empty one, a damaged one is set aside first.

        Raises OSError when the file cannot be read at all.
        """
        table = cls(path)
        if path.is_file():
            try:
                table._read()
            except Exception as error:  # pyarrow raises many kinds of errors on damaged files
                if isinstance(error, ImportError | MemoryError) or getattr(error, "errno", None) is not None:
                    raise  # nothing is wrong with the file
                table._rows.clear()
                path.replace(path.with_name(f"{path.name}.damaged"))
        return table

    def get(self, sha256: str, key: str) -> HandOrNot | None:
        """Return the answer for a photo under the settings `key`, or None when it was not looked at yet."""
        return self._rows.get((sha256, key))

    def put(self, sha256: str, key: str, answer: HandOrNot) -> None:
        """Remember the answer for a photo; `save` writes it."""
        self._rows[sha256, key] = answer
        self._changed = True

    def __len__(self) -> int:
        return len(self._rows)

    def save(self) -> None:
        """Write the table if anything changed."""
        if not self._changed:
            return
        import pyarrow.parquet

        with atomic_write(self.path) as temporary:
            pyarrow.parquet.write_table(self._as_arrow(), temporary, compression="zstd")
        self._changed = False

    def _as_arrow(self) -> Any:
        import pyarrow

        points = pyarrow.list_(pyarrow.float32())  # not of fixed size: Parquet has no empty ones of those
        columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for (sha256, key), answer in self._rows.items():
            hand = answer if isinstance(answer, Hand) else None
            reason = answer.reason if isinstance(answer, NoHand) else None
            row = (
                sha256,
                key,
                reason,
                *((hand.width, hand.height, hand.margin, hand.handedness) if hand else (None,) * 4),
                hand.landmarks.ravel() if hand else None,
                hand.world.ravel() if hand else None,
            )
            for name, value in zip(_COLUMNS, row, strict=True):
                columns[name].append(value)
        types = {"landmarks": points, "world": points, "handedness": pyarrow.float64()}
        types |= dict.fromkeys(("width", "height", "margin"), pyarrow.int32())
        return pyarrow.table({n: pyarrow.array(v, types.get(n, pyarrow.string())) for n, v in columns.items()})

    def _read(self) -> None:
        import pyarrow.parquet

        columns = pyarrow.parquet.read_table(self.path).select(list(_COLUMNS)).to_pydict()
        for sha256, key, reason, width, height, margin, handedness, landmarks, world in zip(
            *columns.values(), strict=True
        ):
            answer: HandOrNot
            if reason is not None:
                answer = NoHand(reason)
            else:
                first = np.array(landmarks, np.float32).reshape(POINTS, 3)
                second = np.array(world, np.float32).reshape(POINTS, 3)
                answer = Hand(first, second, handedness, width, height, margin)
            self._rows[sha256, key] = answer


_COLUMNS = ("sha256", "detection", "reason", "width", "height", "margin", "handedness", "landmarks", "world")
