"""What the scores of an evaluation tell: precision and recall by threshold, and whether 0.8 means right four times in five.

GestureRecognizer answers its winning class alone, so all of this is about the score of the winner: a photo that was answered
with another class counts as not found for its own, whatever the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gesture_maker.evaluation.results import Prediction

BINS = 10
"""Of equal width, as in Guo et al., On Calibration of Modern Neural Networks, ICML 2017."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision and recall where only answers of at least `thresholds` count: float [T] each, the highest threshold first.

    `average_precision`: precision averaged over the recall that each threshold adds; what is never reached counts as 0.
    """

    thresholds: Array
    precision: Array
    recall: Array
    average_precision: float


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often answers are right, by their score, in `BINS` bins of which the empty ones are left out.

    `score`: the mean score; `right`: int, how many are right; `count`: of how many. `error`: the expected calibration error,
    the mean of |share right - mean score| over all answers (Naeini et al., AAAI 2015).
    """

    score: Array
    right: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    error: float


def precision_recall(predictions: Sequence[Prediction], label: str | None = None) -> PrecisionRecall:
    """Return the curve of one class, or of all answers together (`label` None): the share of all photos is recall then.

    Average precision is that of scikit-learn's `average_precision_score`, with an answer's score for its own class alone.
    """
    answered = [p for p in predictions if p.answer is not None and (label is None or _said(p, label))]
    photos = sum(label is None or p.label == label for p in predictions)
    scores = np.array([p.score for p in answered], float)
    right = np.array([p.right for p in answered], float)
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(right[order])
    last = (
        np.append(scores[1:] != scores[:-1], True) if len(scores) else np.zeros(0, bool)
    )  # equal scores come together
    hits, said = hits[last], (np.arange(len(scores)) + 1)[last]
    precision, recall = hits / np.maximum(said, 1), hits / max(1, photos)
    gained = np.diff(recall, prepend=0.0)
    return PrecisionRecall(scores[last], precision, recall, float((gained * precision).sum()))


def reliability(predictions: Sequence[Prediction]) -> Reliability:
    """Return how often the answers to photos with a hand are right, by their score."""
    answered = [p for p in predictions if p.answer is not None]
    scores = np.array([p.score for p in answered], float)
    right = np.array([p.right for p in answered], bool)
    into = np.minimum((scores * BINS).astype(int), BINS - 1)
    count = np.bincount(into, minlength=BINS)
    total = np.bincount(into, weights=scores, minlength=BINS)
    hits = np.bincount(into, weights=right, minlength=BINS).astype(np.int64)
    some = count > 0
    error = float(np.abs(hits - total).sum() / max(1, len(answered)))
    return Reliability(total[some] / count[some], hits[some], count[some].astype(np.int64), error)


def _said(prediction: Prediction, label: str) -> bool:
    return prediction.answer == label and not prediction.canned
