"""From windows to numbers: what the TFLite answers to each clip, and what that comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gesture_maker.evaluation.measured import Measured
from gesture_maker.landmarks.hands import Floats
from gesture_maker.motion.run import Sequences
from gesture_maker.recognition.interpreter import TfliteModel
from gesture_maker.training.run_folder import SplitRow


@dataclass(frozen=True)
class ClipAnswer:
    """The answer to one clip: None where no hand could be followed (`reason` says why). `score`: of the answer, 0..1."""

    row: SplitRow
    answer: str | None
    score: float
    reason: str = ""

    @property
    def right(self) -> bool:
        """Whether it is the clip's class."""
        return self.answer == self.row.label


@dataclass(frozen=True, eq=False)
class MotionMeasured(Measured):
    """The answers to clips, and what they come to. `metrics.photos` counts clips."""

    answers: tuple[ClipAnswer, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        told = super().as_dict()
        return {"clips": told.pop("photos"), **told}


def measure_clips(
    model: TfliteModel, labels: Sequence[str], sequences: Sequences, rows: Sequence[SplitRow], part: str | None
) -> MotionMeasured:
    """Return how the model does on the clips of a part (None: all of `rows`), those without a hand that can be followed among them.

    `sequences.clip` names rows. A clip's scores are the mean of its windows'.
    """
    asked = [number for number, row in enumerate(rows) if row.label and (part is None or row.part == part)]
    scores = model.scores(sequences.x)
    answers = tuple(_answer(rows[number], labels, scores[sequences.clip == number]) for number in asked)
    told = Measured.of([one.row for one in answers], [one.answer for one in answers], labels)
    return MotionMeasured(told.metrics, told.interval, answers)


def _answer(row: SplitRow, labels: Sequence[str], scores: Floats) -> ClipAnswer:
    if not len(scores):
        return ClipAnswer(row, None, 0.0, row.reason)
    mean = scores.mean(axis=0)
    best = int(np.argmax(mean))
    return ClipAnswer(row, labels[best], float(mean[best]))
