"""What lies on disk of a table at one moment: its files, and an index of the rows that count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow

from gesture_maker.landmarks.index import KeyIndex
from gesture_maker.landmarks.parts import part_names, parts_folder
from gesture_maker.landmarks.rows import SCHEMA
from gesture_maker.landmarks.table_file import Keys, Replaced, TableFile, identity_of

MERGES = 100  # by others, while this process reads the files once: then something else is wrong

MAIN = 0
"""The number of the merged file; those of parts are above it."""

Integers = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, eq=False)
class Stored:
    """The files of the table at `path` by number, the merged one (None when there is none) and the parts, and the index of their rows.

    `parts`: the names of the parts, oldest first; they have the numbers from 1 on.
    """

    path: Path
    files: tuple[TableFile | None, ...] = (None,)
    parts: tuple[str, ...] = ()
    index: KeyIndex = field(default_factory=KeyIndex.empty)

    @classmethod
    def load(cls, path: Path, known: Stored | None = None) -> Stored:
        """Return what lies at `path` now; what is `known` and still there is not read again.

        A million rows take about 2 s. Raises Damage for a file that cannot be used, OSError as reading does.
        """
        for _ in range(MERGES):
            names = part_names(path)  # first: what is merged from now on is in the merged file
            try:
                stored = known if known is not None and known._is_prefix_of(names) else cls._merged_alone(path)
                for name in names[len(stored.parts) :]:
                    stored = stored.with_part(name)
                return stored
            except Replaced:
                continue
        raise OSError(f"{path} is being written all the time")

    @classmethod
    def _merged_alone(cls, path: Path) -> Stored:
        if not path.is_file():
            return cls(path)
        file = TableFile.open(path)
        return cls.of_merged(path, file, file.keys())

    @classmethod
    def of_merged(cls, path: Path, file: TableFile, keys: Keys) -> Stored:
        """Return a table that is all in its merged file, the keys of whose rows are known."""
        return cls(path, (file,), (), KeyIndex.empty().with_file(MAIN, keys))

    def with_part(self, name: str, keys: Keys | None = None) -> Stored:
        """Return the table with one more part, later than the others. `keys`: of its rows, if known."""
        file = TableFile.open(parts_folder(self.path) / name)
        index = self.index.with_file(len(self.files), file.keys() if keys is None else keys)
        file = replace(file, metadata=None)  # 20 kB, more than the part itself, and there are hundreds of parts
        return replace(self, files=(*self.files, file), parts=(*self.parts, name), index=index)

    @property
    def main(self) -> TableFile | None:
        """The merged file."""
        return self.files[MAIN]

    def _is_prefix_of(self, names: Sequence[str]) -> bool:
        """Tell whether everything that is known is still there as it was, and what is new comes later."""
        if tuple(names[: len(self.parts)]) != self.parts or (self.main is None and self.path.is_file()):
            return False
        try:
            return all(file is None or identity_of(file.path) == file.identity for file in self.files)
        except Replaced:
            return False

    def groups(self, files: Integers, rows: Integers) -> Iterator[tuple[int, int, npt.NDArray[np.int64]]]:
        """Yield the row groups in which rows lie: the file's number, the group, and which of the given rows are in it."""
        order = np.lexsort((rows, files))
        bounds = np.flatnonzero(np.diff(files[order])) + 1
        for part in np.split(order, bounds):
            if not len(part):
                continue
            number = int(files[part[0]])
            groups = self.file(number).starts.searchsorted(rows[part], side="right") - 1
            for within in np.split(np.arange(len(part)), np.flatnonzero(np.diff(groups)) + 1):
                yield number, int(groups[within[0]]), part[within]

    def read(self, number: int, group: int, columns: Sequence[str] = SCHEMA.names) -> Any:
        """Return columns of a row group as a pyarrow.Table. Raises Damage, Replaced, OSError."""
        return self.file(number).read(group, columns)

    def read_rows(self, number: int, group: int, rows: Integers, columns: Sequence[str] = SCHEMA.names) -> Any:
        """Return columns of rows of one row group, in the order given; `rows`: counted from the begin of the file."""
        return _taken(self.read(number, group, columns), rows - self.file(number).starts[group])

    def take(self, files: Integers, rows: Integers, columns: Sequence[str] = SCHEMA.names) -> Any:
        """Return columns of rows, in the order given, as a pyarrow.Table. Raises Damage, Replaced, OSError."""
        schema = pyarrow.schema([SCHEMA.field(name) for name in columns])
        found, order = [schema.empty_table()], np.empty(len(rows), np.int64)
        taken = 0
        for number, group, places in self.groups(files, rows):
            found.append(self.read_rows(number, group, rows[places], columns))
            order[places] = np.arange(taken, taken + len(places))
            taken += len(places)
        return _taken(pyarrow.concat_tables(found).combine_chunks(), order)

    def file(self, number: int) -> TableFile:
        """Return a file by its number."""
        file = self.files[number]
        assert file is not None
        return file


def _taken(table: Any, rows: Integers) -> Any:
    """Return rows of a table; one after the other, which is the rule, without a copy."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return table.slice(int(rows[0]), len(rows))
    return table.take(pyarrow.array(rows, pyarrow.int64()))
