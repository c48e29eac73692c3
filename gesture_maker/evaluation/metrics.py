"""Answers to numbers: accuracy, precision, recall, F1, and a confusion matrix with a column for photos without an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

NO_HAND = "no hand"
"""How the last column of the confusion matrix is called. A class may have this name too: they are never mixed up."""

NO_ANSWER = "no answer"
"""Its name where a model needs no hand to answer."""


@dataclass(frozen=True, eq=False)
class Metrics:
    """How well predictions match.

    `accuracy`: share of all photos answered rightly, those without a hand counting as wrong. `accuracy_where_found`: share of
    the photos in which a hand was found. `per_class`: precision, recall, f1 and support by class. `confusion`: int64
    [classes, answers], rows the true classes in the order of `labels`, columns in the order of `answers` (the classes,
    further answers such as canned gestures, then "no hand" or "no answer").
    """

    labels: tuple[str, ...]
    answers: tuple[str, ...]
    photos: int
    found: int
    accuracy: float
    accuracy_where_found: float
    per_class: dict[str, dict[str, float]]
    confusion: npt.NDArray[np.int64]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`."""
        hands = self.answers[-1] == NO_HAND
        return {
            "photos": self.photos,
            "no_hand" if hands else "no_answer": self.photos - self.found,
            "accuracy": self.accuracy,
            "accuracy_where_found" if hands else "accuracy_where_answered": self.accuracy_where_found,
            "per_class": self.per_class,
            "confusion": {"labels": self.labels, "answers": self.answers, "counts": self.confusion.tolist()},
        }


def measure(
    truth: Sequence[str], answers: Sequence[str | None], labels: Sequence[str], nothing: str = NO_HAND
) -> Metrics:
    """Return the metrics of `answers` (None: `nothing`, NO_HAND or NO_ANSWER) to photos of the classes `truth`.

    `labels` gives the order; classes and answers it lacks are appended. Precision, recall and F1 are those of scikit-learn (which
    takes 0.5 s to import, a tenth of a training), 0 where nothing was answered.
    """
    rows = [*dict.fromkeys(labels), *sorted(set(truth) - set(labels))]
    names = [*rows, *sorted({answer for answer in answers if answer is not None} - set(rows))]
    number = {name: index for index, name in enumerate(names)}
    no_hand = len(names)  # a number, not a name: a class may be called anything
    true = np.array([number[label] for label in truth], np.int64)
    given = np.array([no_hand if answer is None else number[answer] for answer in answers], np.int64)
    if len(true) != len(given):
        raise ValueError(f"there are {len(given)} answers to {len(true)} photos")
    right, found = true == given, given != no_hand
    every = np.zeros((len(names) + 1,) * 2, np.int64)
    np.add.at(every, (true, given), 1)
    hits, support, answered = (one[: len(rows)] for one in (np.diag(every), every.sum(axis=1), every.sum(axis=0)))
    precision, recall = hits / np.maximum(answered, 1), hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(answered + support, 1)
    per_class = {
        label: {
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "support": int(support[i]),
        }
        for i, label in enumerate(rows)
    }
    return Metrics(
        labels=tuple(rows),
        answers=(*names, nothing),
        photos=len(truth),
        found=int(found.sum()),
        accuracy=float(right.mean()) if len(right) else 0.0,
        accuracy_where_found=float(right[found].mean()) if found.any() else 0.0,
        per_class=per_class,
        confusion=np.asarray(every[: len(rows)], np.int64),
    )
