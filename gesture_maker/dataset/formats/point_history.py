"""Tables of fingertip paths, `point_history.csv`: a path in each line, the number of its class, then x and y from point to point.

The numbers are where the tip is from where it was at first, in shares of the picture's width and height. The names of the classes are
in a file beside it, a line each: `labels.csv`, or `point_history_classifier_label.csv` and others that end so; without one the classes
are called by their numbers. The lines come from a film, so that neighbours are nearly the same.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.formats.class_folders import printable
from gesture_maker.dataset.formats.landmark_csv import NUMBERS
from gesture_maker.dataset.names import normalize_label
from gesture_maker.errors import DatasetError, LabelError

LABEL_FILE, LABEL_ENDING = "labels.csv", "_label.csv"

_MOST_CLASSES = 1000
_LARGEST = 1e9  # more than a picture has pixels; float32 can hold it


@dataclass(frozen=True, eq=False)
class PointPaths:
    """Fingertip paths. `labels`: the classes that have paths; `y`: int64 [N], numbers of labels; `x`: float32 [N, points, 2]."""

    labels: tuple[str, ...]
    y: npt.NDArray[np.int64]
    x: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.x.ndim != 3 or self.x.shape[2] != 2 or len(self.x) != len(self.y):
            raise ValueError(f"paths {self.x.shape} and classes {self.y.shape} do not fit together")


def is_point_history(source: str | Path) -> bool:
    """Tell whether a source is meant to be a table of fingertip paths: a CSV file that does not begin with a landmark table's header."""
    path = Path(source)
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.readline(1 << 16).decode("utf-8-sig", errors="replace").lower()
    return NUMBERS[0] not in [name.strip() for name in first.split(",")]


def read_point_history(source: str | Path) -> PointPaths:
    """Return the paths of a table, in its order. Raises DatasetError, which says the line and what to do."""
    path = Path(source)
    numbers, rows = _rows(path)
    used = sorted(set(numbers))
    if len(used) < 2:
        raise DatasetError(f"{path} has paths of the class {used[0]} only: at least two classes are needed.")
    names = _names(path)
    labels = tuple(_name(number, names, path) for number in used)
    x = np.array(rows, np.float32).reshape(len(rows), -1, 2)
    return PointPaths(labels, np.searchsorted(used, numbers).astype(np.int64), x)


def _rows(path: Path) -> tuple[list[int], list[list[float]]]:
    """Return the number of the class and the coordinates of each line that is not empty."""
    classes: list[int] = []
    rows: list[list[float]] = []
    for line, values in _lines(path):
        if len(values) < 5 or len(values) % 2 == 0:
            raise DatasetError(
                f"Line {line} of {path} has {len(values)} values: a path is the number of its class, then x and y of two points or more."
            )
        if rows and len(values) != len(rows[0]) + 1:
            raise DatasetError(
                f"Line {line} of {path} has {len(values)} values, those before it {len(rows[0]) + 1}: all paths need as many points."
            )
        numbers = [_number(value, line, path) for value in values]
        if not numbers[0].is_integer() or not 0 <= numbers[0] < _MOST_CLASSES:
            raise DatasetError(
                f'"{printable(values[0][:20])}" in line {line} of {path} is no number of a class: use 0, 1, 2 and so on.'
            )
        classes.append(int(numbers[0]))
        rows.append(numbers[1:])
    if not rows:
        raise DatasetError(f"{path} is empty: give a table with a path in each line.")
    return classes, rows


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the lines of a CSV file that are not empty, with their numbers, from 1 on."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            return [(reader.line_num, values) for values in reader if any(value.strip() for value in values)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} is not a readable CSV file in UTF-8: save it again as that.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror or error}): check the path.") from error


def _number(text: str, line: int, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= _LARGEST:  # nor is what is not finite
        raise DatasetError(f'"{printable(text[:20])}" in line {line} of {path} is no number: mend or remove this line.')
    return value


def _names(path: Path) -> list[str] | None:
    """Return the names of all classes, in the order of their numbers; None where there is no file of them."""
    files = [path.with_name(LABEL_FILE), *sorted(path.parent.glob(f"*{LABEL_ENDING}"))]
    file = next((one for one in files if one.is_file()), None)
    if file is None:
        return None
    return [values[0].strip() for _, values in _lines(file)]


def _name(number: int, names: list[str] | None, path: Path) -> str:
    """Return the name of the class of a number."""
    if names is None:
        return str(number)
    if number >= len(names):
        raise DatasetError(
            f"{path} has paths of the class {number}, but the file of names beside it has {len(names)} lines: add its name."
        )
    try:
        name = normalize_label(names[number])
    except LabelError as error:
        raise DatasetError(f"{error} It is in line {number + 1} of the file of names beside {path}.") from error
    if [other.strip() for other in names].count(names[number]) > 1:
        raise DatasetError(f'The name "{name}" is there twice in the file of names beside {path}: change one.')
    return name
