"""What a request to the scoring server asks about: hands by their landmarks, or photos.

MLflow's server makes a DataFrame, a mapping of columns, a list of mappings or an array of the body, by the name under which it was
sent. A record is one of

    landmarks        21 of [x, y, z], x and y as shares of the photo's width and height; with
    world_landmarks  21 of [x, y, z] in metres, `handedness` (probability of a right hand), `width` and `height` (pixels)
    row              127 numbers, see `EmbedderInputs.rows`; an array of N rows needs no name
    x1, y1 … z21     the columns of a table of landmarks as HaGRID's users share them, in pixels
    image            a JPEG, PNG or other photo in base64

and other columns, such as a table's `label`, are passed over.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.formats.landmark_csv import NUMBERS
from gesture_maker.errors import GestureMakerError
from gesture_maker.landmarks.csv_table import hand_of
from gesture_maker.landmarks.hands import POINTS, ROW_SIZE, EmbedderInputs, Floats, Hand, embedder_inputs

LANDMARKS = ("landmarks", "world_landmarks", "handedness", "width", "height")
ROW, IMAGE = "row", "image"

MOST_RECORDS = 10_000
"""In one request: 2.5 kB each as JSON, and half a second of one core."""

LARGEST = 1e6
"""No landmark is farther away, in whatever unit; the squares of larger numbers would leave float32."""

LARGEST_SHARE = 2.0  # of a photo: no hand is two pixels large
LARGEST_SIDE = 100_000  # pixels of a photo

_KINDS = (LANDMARKS[0], ROW, NUMBERS[0], IMAGE)  # what tells which kind of record it is
_WANTED = (
    "give landmarks, world_landmarks, handedness, width and height; or row (127 numbers); or x1, y1, z1 … z21; or image "
    "(base64)"
)

Record = Mapping[str, Any]
Question = EmbedderInputs | bytes
"""What is asked of a model: one hand, or the bytes of a photo."""


class RecordError(GestureMakerError):
    """A request that cannot be read, and why; the server answers it with HTTP 400."""


def questions_of(data: Any) -> list[Question]:
    """Return what is asked, in its order, of what MLflow's scoring server read of a request.

    Raises RecordError, which says which record it is and what is wrong with it.
    """
    records = _records_of(data)
    if len(records) > MOST_RECORDS:
        raise RecordError(f"{len(records)} records at once are too many: send {MOST_RECORDS} at most.")
    questions = []
    for number, record in enumerate(records, 1):
        try:
            questions.append(_question_of(record))
        except RecordError as error:
            raise RecordError(f"Record {number} of {len(records)}: {error}") from None
    return questions


def _records_of(data: Any) -> list[Record]:
    """Return the records of a DataFrame, a mapping of columns, a list of mappings or an array."""
    if hasattr(data, "to_dict"):  # a DataFrame; without pandas here, which takes half a second to import
        if len(data.columns) == ROW_SIZE and all(isinstance(name, int) for name in data.columns):  # it has no names
            return _records_of(data.to_numpy())
        data.columns = [str(name) for name in data.columns]
        return list(data.to_dict("records"))
    if isinstance(data, Mapping):
        columns = {str(name): column for name, column in data.items()}
        if not columns:  # what MLflow makes of records without anything in them
            raise RecordError(f"The request is empty: {_WANTED}.")
        lengths = {len(column) if np.ndim(column) else -1 for column in columns.values()}
        if len(lengths) != 1 or -1 in lengths:
            raise RecordError("Each column has to be a list with an entry for each record, all of them equally long.")
        return [{name: column[index] for name, column in columns.items()} for index in range(lengths.pop())]
    if isinstance(data, np.ndarray) and data.ndim == 2:
        return [{ROW: row} for row in data]
    if isinstance(data, Sequence) and all(isinstance(one, Mapping) for one in data):
        return [{str(name): _plain(value) for name, value in one.items()} for one in data]
    raise RecordError(f"The request is no list of records: {_WANTED}.")


def _question_of(record: Record) -> Question:
    there = {name: value for name, value in record.items() if not _is_missing(value)}
    kinds = [name for name in _KINDS if name in there]
    if len(kinds) != 1:
        what = f"it has {' and '.join(kinds)}, give one of them" if kinds else _WANTED
        raise RecordError(f"{what}.")
    if kinds == [IMAGE]:
        return _decoded(there[IMAGE])
    if kinds == [ROW]:
        return EmbedderInputs.from_rows(_numbers(ROW, there[ROW], (ROW_SIZE,))[None])
    return embedder_inputs([_hand_of(there) if kinds == [LANDMARKS[0]] else _hand_of_columns(there)])


def _hand_of(record: Record) -> Hand:
    _check_there(record, LANDMARKS)
    handedness = _number("handedness", record["handedness"])
    if not 0 <= handedness <= 1:
        raise RecordError(f"handedness is {handedness:g}, but is the probability of a right hand, 0 to 1.")
    sides = {name: _number(name, record[name]) for name in ("width", "height")}
    for name, side in sides.items():
        if not (1 <= side <= LARGEST_SIDE and side == int(side)):
            raise RecordError(f"{name} is {side:g}, but is a number of pixels, 1 to {LARGEST_SIDE}.")
    shape = (POINTS, 3)
    points = [_numbers(name, record[name], shape) for name in ("landmarks", "world_landmarks")]
    return Hand(points[0], points[1], handedness, int(sides["width"]), int(sides["height"]))


def _hand_of_columns(record: Record) -> Hand:
    _check_there(record, NUMBERS)
    points = np.array([_number(name, record[name]) for name in NUMBERS], np.float64).reshape(POINTS, 3)
    if np.abs(points).max() > LARGEST:
        raise RecordError(f"x1 … z21 have numbers beyond {LARGEST:,.0f}.")
    if np.abs(points[:, :2]).max() <= LARGEST_SHARE:
        raise RecordError("x1 … y21 have to be pixels, not shares of the photo; as shares send them as landmarks.")
    found = hand_of(points)
    if found is None:
        raise RecordError("the palm has no size: its wrist and knuckles are in one place.")
    return found


def _check_there(record: Record, names: Iterable[str]) -> None:
    missing = [name for name in names if name not in record]
    if missing:
        raise RecordError(f"{missing[0]} is missing.")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _is_missing(value: Any) -> bool:
    """Tell whether this is what pandas puts where a record has no such column."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(name: str, value: Any) -> float:
    found = _numbers(name, value, ())
    return float(found)


def _numbers(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """Return numbers of this shape as float32. Raises RecordError when they are not, or not finite."""
    wanted = {(): "a number", (ROW_SIZE,): f"{ROW_SIZE} numbers"}.get(shape, f"{POINTS} points of 3 numbers")
    try:
        if isinstance(value, str) and shape:
            value = json.loads(value)  # in a CSV
        numbers: npt.NDArray[Any] = np.array(value, np.float64)
    except (ValueError, TypeError, RecursionError):
        raise RecordError(f"{name} has to be {wanted}.") from None
    if numbers.shape != shape:
        raise RecordError(f"{name} has to be {wanted}, but has the shape {numbers.shape}.")
    if not np.isfinite(numbers).all():
        raise RecordError(f"{name} has numbers that are not finite.")
    if np.abs(numbers).max() > LARGEST:
        raise RecordError(f"{name} has numbers beyond {LARGEST:,.0f}.")
    return numbers.astype(np.float32)


def _decoded(value: Any) -> bytes:
    if not isinstance(value, str):
        raise RecordError("image has to be a text, the photo's bytes in base64.")
    if value.startswith("data:"):
        value = value.partition(",")[2]
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise RecordError("image is not base64.") from None
