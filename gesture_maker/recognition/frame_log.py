"""Every frame's answers as a table (.csv) or as JSON lines (.jsonl), written as they come.

A CSV has one row per hand; a frame without a hand has one row whose cells of the hand are empty. Where whole pictures were asked,
each has one row, without handedness:

| column | what |
|---|---|
| frame | number of the frame, from 0; one that was dropped is missing |
| seconds | its time from the first frame |
| track | number of the hand, the same as long as it is the same hand |
| gesture, score | what is shown, 0..1: after smoothing |
| classifier | who said it: `custom`, or `canned` (Google's); `unanswered` when a server did not, the gesture is empty then |
| handedness, handedness_score | `left` or `right`, as the person's own hand, and its probability 0.5..1 |
| raw_gesture, raw_score | the answer for this frame alone, before smoothing |
| latency_ms | milliseconds from the frame to what is shown of it; of a film, whose frames wait their turn, the next |
| recognition_ms | milliseconds of these that MediaPipe, and a server where one is asked, or a classifier on pixels took for the answer |

JSON lines have one object per frame: `frame`, `seconds`, `width`, `height`, `latency_ms`, `recognition_ms`, and `hands`, a list
of objects with the other columns' names, `landmarks` (21 of [x, y, z]; x and y as shares of width and height) and `world_landmarks` (21 of
[x, y, z] in metres from the hand's centre). Handedness and landmarks are null where the whole picture was asked.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gesture_maker.errors import ConfigError
from gesture_maker.landmarks.hands import Floats
from gesture_maker.recognition.answers import UNANSWERED, Recognition
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.growing import GrowingFile
from gesture_maker.recognition.smoothing import ShownHand

COLUMNS = (
    *("frame", "seconds", "track", "gesture", "score", "classifier", "handedness", "handedness_score"),
    *("raw_gesture", "raw_score", "latency_ms", "recognition_ms"),
)
LOG_SUFFIXES = (".csv", ".jsonl")
DIGITS = 6  # behind the point: a microsecond, a millionth of a score, of the picture's width or of a metre


class FrameLog:
    """A file of every frame's answers; see the module for its columns.

    It grows as `NAME.recording.csv`, each frame written out at once, and gets its name at `close`. As a context manager it
    is kept after an error or Ctrl-C too. Raises ConfigError for another suffix than .csv and .jsonl or when the file
    exists (unless `overwrite`), OSError where nothing can be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        if path.suffix.lower() not in LOG_SUFFIXES:
            raise ConfigError(f"{path} is no table of frames: give a name that ends with .csv or .jsonl.")
        self._growing = GrowingFile(path, overwrite=overwrite)
        self._file = self._growing.partial.open("wb", buffering=0)
        self._length = 0
        self._kept: Path | None = None
        self._rows = path.suffix.lower() == ".csv"
        if self._rows:
            self._write(_csv([COLUMNS]))

    def add(self, frame: Frame, recognition: Recognition, shown: Sequence[ShownHand], latency: float) -> None:
        """Write the answers of a frame; `latency` in seconds. Raises RecordingError when the disk is full or gone."""
        hands = [_described(one) for one in shown]
        about: dict[str, Any] = {"frame": frame.number, "seconds": round(frame.seconds, DIGITS)}
        took = {"latency_ms": round(1000 * latency, 3), "recognition_ms": round(1000 * recognition.seconds, 3)}
        if self._rows:
            cells = about | took
            self._write(_csv([[(cells | hand).get(name, "") for name in COLUMNS] for hand in hands or [{}]]))
            return
        height, width = frame.pixels.shape[:2]
        described = [hand | _points(one) for hand, one in zip(hands, shown, strict=True)]
        line = about | {"width": width, "height": height} | took | {"hands": described}
        self._write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

    def close(self) -> Path:
        """Give the file its name and return it."""
        if self._kept is None:
            self._file.close()
            self._kept = self._growing.finish()
        return self._kept

    def __enter__(self) -> FrameLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, text: str) -> None:
        content = memoryview(text.encode(errors="backslashreplace"))
        try:
            done = 0
            while done < len(content):  # a full disk takes a part of it first
                done += self._file.write(content[done:]) or 0
        except OSError as error:
            os.ftruncate(self._file.fileno(), self._length)  # whole lines only
            raise self._growing.problem(error) from error
        self._length += len(content)


def _described(one: ShownHand) -> dict[str, Any]:
    right = one.raw.right
    return {
        "track": one.track,
        "gesture": one.gesture,
        "score": round(one.score, DIGITS),
        "classifier": "unanswered" if one.raw.gesture == UNANSWERED else "canned" if one.canned else "custom",
        "handedness": None if right is None else "right" if right >= 0.5 else "left",
        "handedness_score": None if right is None else round(max(right, 1 - right), DIGITS),
        "raw_gesture": one.raw.gesture,
        "raw_score": round(one.raw.score, DIGITS),
    }


def _points(one: ShownHand) -> dict[str, Any]:
    hand = one.raw.hand
    if hand is None:
        return {"landmarks": None, "world_landmarks": None}
    return {"landmarks": _rounded(hand.landmarks), "world_landmarks": _rounded(hand.world)}


def _rounded(points: Floats) -> list[list[float]]:
    return [[round(number, DIGITS) for number in point] for point in points.tolist()]


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
