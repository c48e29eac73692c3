"""Tables of landmarks as HaGRID's users share them: `x1,y1,z1 … x21,y21,z21,label`, a hand in each line.

x and y are in pixels of a photo that is not there, z is as MediaPipe gives it, a share of the photo's width; other columns are
passed over, but for `group` or `user_id`, the person. Read in pieces, so that a million lines need no more memory than ten thousand.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.formats.class_folders import printable
from gesture_maker.dataset.names import NONE, normalize_label
from gesture_maker.dataset.reading import Reader, is_address
from gesture_maker.errors import DatasetError, LabelError

POINTS = 21
NUMBERS = tuple(f"{axis}{point}" for point in range(1, POINTS + 1) for axis in "xyz")
LABEL, GROUPS = "label", ("group", "user_id")
NO_GESTURE = "no_gesture"  # HaGRID's name of what is `none` here

_LARGEST_SHARE = 2.0  # of the photo; a hand partly outside has points a little above 1, and no hand is two pixels large
_PEEK = 1 << 16  # bytes in which the header is
_BLOCK = 8 << 20  # bytes read at a time, about 10,000 lines


@dataclass(frozen=True, eq=False)
class LandmarkLines:
    """Some lines of a table. `lines`: their numbers in the file, from 1 on, the header being one; `points`: float64 [N, 21, 3];
    `labels`: normalised; `groups`: None where it is not known."""

    lines: list[int]
    points: npt.NDArray[np.float64]
    labels: list[str]
    groups: list[str | None]


def is_landmark_csv(source: str | Path) -> bool:
    """Tell by its name whether a source is meant to be a table of landmarks."""
    return str(source).lower().endswith(".csv")


def read_landmark_csv(source: str | Path) -> Iterator[LandmarkLines]:
    """Yield the lines of a table, a few thousand at a time, in their order.

    Raises DatasetError, which says the line and what to do, for a file that is not such a table.
    """
    import pyarrow
    import pyarrow.csv

    with _opened(source) as file:
        header = _header(file, source)
        group = next((name for name in GROUPS if name in header), None)
        wanted = [*NUMBERS, LABEL, *([group] if group else [])]
        types = dict.fromkeys(NUMBERS, pyarrow.float64()) | dict.fromkeys(wanted[len(NUMBERS) :], pyarrow.string())
        line = 2
        labels: dict[str, str] = {}
        try:
            pieces = pyarrow.csv.open_csv(
                file,
                pyarrow.csv.ReadOptions(block_size=_BLOCK, column_names=list(header), skip_rows=1),
                pyarrow.csv.ParseOptions(ignore_empty_lines=False),  # so that lines can be counted
                pyarrow.csv.ConvertOptions(column_types=types, include_columns=wanted, strings_can_be_null=False),
            )
            for piece in pieces:
                yield _lines(piece, line, labels, group, source)
                line += piece.num_rows
        except pyarrow.ArrowInvalid as error:
            raise _explained(file, header, source) from error
        if line == 2:
            raise _nothing_in(source)


@contextmanager
def _opened(source: str | Path) -> Iterator[Any]:
    place = str(source)
    folder, name = place.rsplit("/", 1) if is_address(source) else (str(Path(place).parent), Path(place).name)
    try:
        file = Reader(folder).open(name)
    except OSError as error:
        why = error.strerror or "it cannot be opened"
        raise DatasetError(f"{source} cannot be read ({why}): check the path.") from error
    with file:
        yield file


def _header(file: Any, source: str | Path) -> tuple[str, ...]:
    """Return the names of the columns, trimmed and in lower case; DatasetError when one is missing or there twice."""
    try:
        first = bytes(file.read(_PEEK)).partition(b"\n")[0].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_text(source) from error
    file.seek(0)
    names = tuple(name.strip().lower() for name in next(csv.reader([first]), []))
    missing = [name for name in (*NUMBERS, LABEL) if name not in names]
    if missing:
        which = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise DatasetError(
            f"{source} lacks the columns {which}: a table of landmarks begins with the line x1,y1,z1,x2,... up to z21,label."
        )
    twice = sorted({name for name in names if names.count(name) > 1 and name in (*NUMBERS, LABEL, *GROUPS)})
    if twice:
        raise DatasetError(f"{source} has the column {twice[0]} twice: remove one.")
    return tuple(f"{name} {place}" if names.count(name) > 1 else name for place, name in enumerate(names))


def _lines(piece: Any, first: int, known: dict[str, str], group: str | None, source: str | Path) -> LandmarkLines:
    columns = [piece.column(name).to_numpy(zero_copy_only=False) for name in NUMBERS]
    numbers = np.stack(columns, axis=1) if columns else np.zeros((0, len(NUMBERS)))
    written = piece.column(LABEL).to_pylist()
    empty = np.isnan(numbers).all(axis=1) & np.array([not label for label in written], bool)
    bad = ~np.isfinite(numbers).all(axis=1) & ~empty
    if bad.any():
        row = int(bad.argmax())
        name = NUMBERS[int((~np.isfinite(numbers[row])).argmax())]
        raise DatasetError(f"{source} has no number for {name} in line {first + row}: mend or remove this line.")
    rows = np.flatnonzero(~empty)
    labels = [_label(written[row], known, first + int(row), source) for row in rows]
    people = piece.column(group).to_pylist() if group else [None] * len(written)
    points = numbers[rows].reshape(-1, POINTS, 3)
    if len(points) and np.abs(points[..., :2]).max() <= _LARGEST_SHARE:
        raise DatasetError(
            f"{source} has x and y as shares of the photo (line {first + int(rows[0])}), not in pixels: "
            "multiply them by the width and height of the photo."
        )
    return LandmarkLines([first + int(row) for row in rows], points, labels, [people[row] or None for row in rows])


def _label(written: str, known: dict[str, str], line: int, source: str | Path) -> str:
    if written not in known:
        try:
            known[written] = NONE if written.strip() == NO_GESTURE else normalize_label(written)
        except LabelError as error:
            raise DatasetError(f"{error} It is the label in line {line} of {source}.") from error
    return known[written]


def _explained(file: Any, header: tuple[str, ...], source: str | Path) -> DatasetError:
    """Return what is wrong with a file that pyarrow refused, which does not tell the line: it is read again to find that."""
    file.seek(0)
    places = [header.index(name) for name in NUMBERS]
    try:
        reader = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
        next(reader)
        empty = True
        for values in reader:
            empty = False
            where = f"line {reader.line_num} of {source}"
            if values and len(values) != len(header):
                return DatasetError(
                    f"L{where[1:]} does not have as many values as its header, {len(header)}: mend or remove this line."
                )
            for place in places if values else ():
                if not _is_number(values[place]):
                    shown = printable(values[place][:20])
                    return DatasetError(
                        f'"{shown}" for {header[place]} in {where} is no number: mend or remove this line.'
                    )
        if empty:
            return _nothing_in(source)
    except UnicodeDecodeError:
        return _not_text(source)
    except csv.Error:
        pass
    return DatasetError(f"{source} is no readable CSV file: save it again, with commas between the values.")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _nothing_in(source: str | Path) -> DatasetError:
    return DatasetError(f"{source} has no line below its header: give a table with a hand in each line.")


def _not_text(source: str | Path) -> DatasetError:
    return DatasetError(f"{source} is not a readable CSV file in UTF-8: save it again as that.")
