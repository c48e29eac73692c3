"""What goes wrong in a dataset: which classes are confused and by whom, and which photos look mislabelled.

Everything is read off the answers of cross-validation: heads that were not trained on a photo, nor on others of its person,
do not repeat its label by heart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gesture_maker.landmarks.hands import Floats
from gesture_maker.training.crossvalidate import CrossValidation

LEAST_SURE, SURE_ENOUGH = 0.5, 0.9
"""An answer with a lower score is never a confident one, however unsure a head is; with the higher it always is, also where
right answers have more on average. With these, five photos of 50, 100, 100 and 900 put into wrong folders were 5, 5, 4 and 5 of
the suspects (Sign Language Digits, 5, 10, 10 and 90 people), and but one other photo was among them, of a gesture made wrongly."""


@dataclass(frozen=True)
class ClassLine:
    """One class: its hands, its people or bursts (0: not known), how many hands were tested, and how many were right."""

    label: str
    hands: int
    groups: int
    tested: int
    right: int

    @property
    def recall(self) -> float | None:
        """The share of the tested hands that was answered rightly; None when none was tested."""
        return self.right / self.tested if self.tested else None


@dataclass(frozen=True)
class Confusion:
    """Hands of one class taken for another: how many of the `tested`, and by group, most first ("" where not known).

    `hands`: which they are, by their number in the cross-validation, the surest first.
    """

    label: str
    answer: str
    tested: int
    hands: tuple[int, ...]
    groups: tuple[tuple[str, int], ...]

    @property
    def count(self) -> int:
        """How many hands were confused."""
        return len(self.hands)


@dataclass(frozen=True)
class Suspect:
    """A photo that looks mislabelled: all others say, with the score `score`, that it shows `answer`."""

    hand: int
    file: str
    group: str
    label: str
    answer: str
    score: float


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What was found out about the photos of a run.

    `classes`: in the run's order; `confusions` and `suspects`: the worst first; `advice`: what to photograph next, each with
    its number; `estimate`: what cross-validation says about other people; `picture`: the PNG, None when there is nothing to
    show; `missing`: pictured photos that are gone or have changed.
    """

    run: Path
    classes: tuple[ClassLine, ...]
    confusions: tuple[Confusion, ...]
    suspects: tuple[Suspect, ...]
    advice: tuple[str, ...]
    estimate: tuple[str, ...]
    picture: Path | None = field(default=None)
    missing: tuple[Path, ...] = field(default=())


def calibrated(scores: Floats, temperature: float) -> Floats:
    """Return scores [N, classes] as a head with this temperature gives them: their logarithms divided by it."""
    logits = np.log(np.maximum(scores, 1e-12)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def class_lines(
    labels: Sequence[str], classes: npt.NDArray[np.int64], groups: Sequence[str], found: CrossValidation | None
) -> tuple[ClassLine, ...]:
    """Return a line for each class of N hands; `found` is their cross-validation, if there could be one."""
    tested = found.tested if found is not None else np.zeros(len(classes), bool)
    right = np.zeros(len(classes), bool)
    if found is not None:
        right[tested] = np.argmax(found.scores[tested], axis=1) == classes[tested]
    lines = []
    for number, label in enumerate(labels):
        own = classes == number
        known = {group for group, is_own in zip(groups, own, strict=True) if is_own and group}
        lines.append(ClassLine(label, int(own.sum()), len(known), int((own & tested).sum()), int((own & right).sum())))
    return tuple(lines)


def find_confusions(found: CrossValidation, scores: Floats, labels: Sequence[str]) -> tuple[Confusion, ...]:
    """Return each pair of class and wrong answer, the most frequent first; `scores`: [N, classes], calibrated."""
    tested = found.tested
    answers = np.where(tested, np.argmax(np.nan_to_num(scores), axis=1), -1)
    of_pair: dict[tuple[int, int], list[int]] = {}
    for hand in np.flatnonzero(tested & (answers != found.classes)):
        of_pair.setdefault((int(found.classes[hand]), int(answers[hand])), []).append(int(hand))
    confusions = []
    for (label, answer), hands in of_pair.items():
        hands.sort(key=lambda hand: -float(scores[hand, answer]))
        groups = Counter(found.groups[hand] for hand in hands)
        total = int((tested & (found.classes == label)).sum())
        by_whom = tuple(sorted(groups.items(), key=lambda item: (-item[1], item[0])))
        confusions.append(Confusion(labels[label], labels[answer], total, tuple(hands), by_whom))
    return tuple(sorted(confusions, key=lambda one: (-one.count, -one.count / one.tested, one.label, one.answer)))


def find_suspects(found: CrossValidation, scores: Floats, labels: Sequence[str]) -> tuple[Suspect, ...]:
    """Return the hands that are confidently answered with another class, the highest loss first.

    Confident: at least as sure as heads are on average of hands with that label, within `LEAST_SURE` and `SURE_ENOUGH`.
    Source: confident learning (Northcutt, Jiang and Chuang, Journal of Artificial Intelligence Research 70, 2021).
    """
    tested = np.flatnonzero(found.tested)
    own = scores[tested, found.classes[tested]]
    usual = np.full(len(labels), SURE_ENOUGH)
    for number in range(len(labels)):
        of_class = own[found.classes[tested] == number]
        if len(of_class):
            usual[number] = float(np.clip(of_class.mean(), LEAST_SURE, SURE_ENOUGH))
    suspects = []
    for hand in tested[np.argsort(own, kind="stable")]:
        answer, label = int(np.argmax(scores[hand])), int(found.classes[hand])
        if answer != label and scores[hand, answer] >= usual[answer]:
            row = found.rows[hand]
            score = float(scores[hand, answer])
            suspects.append(Suspect(int(hand), row.file, found.groups[hand], labels[label], labels[answer], score))
    return tuple(suspects)


def least_sure(found: CrossValidation, scores: Floats, count: int) -> list[int]:
    """Return the hands that were answered rightly with the least lead before the next class."""
    tested = np.flatnonzero(found.tested)
    right = tested[np.argmax(scores[tested], axis=1) == found.classes[tested]]
    ordered = np.sort(scores[right], axis=1)
    lead = ordered[:, -1] - ordered[:, -2]
    return [int(hand) for hand in right[np.argsort(lead, kind="stable")][:count]]
