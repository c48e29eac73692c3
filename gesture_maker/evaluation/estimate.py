"""How well a head will do for other people, in sentences: from cross-validation, or from the test part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.evaluation.intervals import Interval, accuracy_interval
from gesture_maker.training.crossvalidate import CrossValidation, group_numbers

A_GUESS = 5
"""Groups below which the estimate is called a guess: of 4 people with 10 photos each, all of them right, the 95 % interval
reaches down to 0.80."""

MORE_PEOPLE = 3


@dataclass(frozen=True)
class Estimate:
    """How many of other people's hands will be recognized, as far as the photos tell.

    `by`: "cross-validation" or "test part". `interval`: None when it cannot be known. `groups`: known groups (people or
    bursts); `ungrouped`: hands of which the group is not known. `sentences`: what to tell the user, the estimate first.
    """

    by: str
    interval: Interval | None
    groups: int
    ungrouped: int
    sentences: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`."""
        values = vars(self.interval) if self.interval else {}
        about = {
            "by": self.by,
            "groups": self.groups,
            "ungrouped_hands": self.ungrouped,
            "sentences": [*self.sentences],
        }
        return {**{name: values.get(name) for name in ("accuracy", "low", "high", "hands", "effective")}, **about}


def estimate_from_test(right: npt.NDArray[np.bool_], groups: Sequence[str]) -> Estimate:
    """Return the estimate from N answers to hands of the test part, of N groups (empty where not known)."""
    return _estimate("test part", right, groups, ())


def estimate_from_cross_validation(found: CrossValidation, labels: Sequence[str]) -> Estimate:
    """Return the estimate from cross-validation; classes that could not be tested are named."""
    tested = found.tested
    right = np.argmax(found.scores[tested], axis=1) == found.classes[tested]
    groups = [group for group, known in zip(found.groups, tested, strict=True) if known]
    untested = [labels[index] for index in sorted({int(one) for one in found.classes[~tested]})]
    names, classes = ", ".join(f'"{label}"' for label in untested), "class" if len(untested) == 1 else "classes"
    left_out = (
        f"{int((~tested).sum())} hands of the {classes} {names} could not be tested: without their groups (people or bursts) "
        "too little is left to train on."
    )
    return _estimate("cross-validation", right, groups, (left_out,) if untested else ())


def no_estimate(groups: Sequence[str]) -> Estimate:
    """Return what to say when cross-validation has nothing to hold back."""
    known = {group for group in groups if group}
    if len(known) == 1 and all(groups):
        sentence = (
            "All photos are of one person or burst: how well it does for others cannot be known from them. "
            f"Photograph {MORE_PEOPLE} more people."
        )
    elif not known:
        sentence = (
            "With one photo of each class, how well it does for others cannot be known: "
            f"photograph {MORE_PEOPLE} more people."
        )
    else:
        sentence = (
            "All photos of each class are of one person or burst: how well it does for others cannot be known from them. "
            f"Photograph {MORE_PEOPLE} more people, each with every gesture."
        )
    return Estimate("cross-validation", None, len(known), sum(not group for group in groups), (sentence,))


def _estimate(by: str, right: npt.NDArray[np.bool_], groups: Sequence[str], about: tuple[str, ...]) -> Estimate:
    known, ungrouped = len({group for group in groups if group}), sum(not group for group in groups)
    if not len(right):
        return Estimate(by, None, known, ungrouped, about)
    interval = accuracy_interval(right, group_numbers(groups))
    several = f"{known} groups" if known != 1 else "1 group"
    over = f"{several} (people or bursts)" if known else ""
    if ungrouped:
        photos = f"{ungrouped} {'photo' if ungrouped == 1 else 'photos'}"
        over = f"{over} and {photos} without one" if over else photos
    who = "people" if known else "photos"
    sentences = [
        f"Estimate for {who} like these: {100 * interval.accuracy:.1f} % right (95 % interval "
        f"{math.floor(100 * interval.low)} to {math.ceil(100 * interval.high)} %), by {_by(by)} over {over}."
    ]
    if not known:
        sentences.append(
            "The photos carry no groups (people or bursts), so photos of one person may be on both sides: for other people "
            "it may be lower. Say who is who with --group-by."
        )
    elif known == 1 and not ungrouped:
        sentences.append(
            "All photos tested are of one person or burst: how well it does for others cannot be known from them. "
            f"Photograph {MORE_PEOPLE} more people."
        )
    elif known + ungrouped < A_GUESS:
        sentences.append(f"With {several} it is no more than a guess: photograph {MORE_PEOPLE} more people.")
    return Estimate(by, interval, known, ungrouped, (*sentences, *about))


def _by(by: str) -> str:
    return by if by == "cross-validation" else f"the {by}"
