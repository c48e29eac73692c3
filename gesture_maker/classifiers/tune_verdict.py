"""Whether the best of many trials is really better than the recipe's own settings, or only the luckiest.

The trial with the least loss of thirty has been lucky on the folds of the search: on others its loss is higher. So the best few are
cross-validated anew on folds of another seed, which chooses among them; and the one that is chosen is compared with the
recipe's own settings on folds of two more seeds, which have chosen nothing. Answers to the same hand are a pair, and the
intervals know that hands of one person hang together (`evaluation/paired.py`). All of it is on the hands of the search: how
well either does for other people `train` estimates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.classifiers.tuned import Trial, Verdict
from gesture_maker.evaluation.intervals import effective_size
from gesture_maker.evaluation.paired import Difference, Z, difference
from gesture_maker.training.session import MAX_SEED

BEST_FEW = 3
"""Trials among which new folds choose."""

CHOOSING = 1
COMPARING = (2, 3)
"""Added to the seed of the search: the seeds of the folds that choose, and of those that compare."""

MORE_FALSE_ALARMS = 0.02
"""By how much more of the made-up hands may be answered with a gesture. Cross-validation has no unknown gestures, and settings can
buy a lower loss with calling them known. With the recipe's own settings it was 0.166 and 0.168 with two seeds, on the training people of
the Sign Language Digits; with others, 0.03 to 0.18."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """A cross-validation of one trial's settings on folds of one seed.

    `losses`: float [N], NaN for hands that could not be asked; `right`: bool [N]; `false_alarms`: share of made-up hands, NaN where
    none were asked.
    """

    losses: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    false_alarms: float

    @property
    def asked(self) -> npt.NDArray[np.bool_]:
        """Which hands were asked: bool [N]."""
        return np.asarray(~np.isnan(self.losses))

    @property
    def loss(self) -> float:
        """The mean over the hands that were asked; infinite when there are none."""
        return float(self.losses[self.asked].mean()) if self.asked.any() else math.inf

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Outcome:
        """Return what a worker told, or was kept of that; a cross-validation that failed has asked nothing."""
        if told["kind"] != "done":
            return cls(np.zeros(0), np.zeros(0, bool), math.nan)
        alarms = told["false_alarms"]
        return cls(
            np.array([math.nan if one is None else one for one in told["losses"]]),
            np.array(told["right"], bool),
            float(np.mean(alarms)) if alarms else math.nan,
        )


def seeds_of(seed: int) -> tuple[int, tuple[int, ...]]:
    """Return the seed that chooses and those that compare, for a search with `seed`."""
    return (seed + CHOOSING) % (MAX_SEED + 1), tuple((seed + one) % (MAX_SEED + 1) for one in COMPARING)


def best_few(trials: Sequence[Trial]) -> list[int]:
    """Return the numbers of the best trials beside the recipe's own, the best first."""
    complete = [trial for trial in trials if trial.state == "complete" and trial.number != 0]
    return [trial.number for trial in sorted(complete, key=lambda one: (one.loss, one.number))[:BEST_FEW]]


def judge(number: int, best: Sequence[Outcome], default: Sequence[Outcome], units: npt.NDArray[np.int64]) -> Verdict:
    """Return the verdict on trial `number`; `best` and `default`: its outcomes and those of the recipe's own settings, by seed.

    `units`: int [N], the person, burst or photo of each hand.
    """
    if not all(one.asked.any() for one in (*best, *default)):
        sentence = f"{_STAY} on folds that the search did not see, trial {number}, the best found, could not be compared with them."
        return Verdict(_numbers(best), _numbers(default), False, sentence)
    pairs = [(one, other, one.asked & other.asked) for one, other in zip(best, default, strict=True)]
    saved = np.concatenate([(other.losses - one.losses)[both] for one, other, both in pairs])
    groups = np.concatenate([units[both] for _, _, both in pairs])
    lower, low, high = _mean_interval(saved, groups)
    right = difference(
        np.concatenate([one.right[both] for one, _, both in pairs]),
        np.concatenate([other.right[both] for _, other, both in pairs]),
        groups,
    )
    more_alarms = _false_alarms(best) - _false_alarms(default)
    seen = _seen(_numbers(best), _numbers(default), (lower, low, high), right)
    if low <= 0:
        why = f"{_STAY} trial {number}, the best found, does not beat them beyond chance"
    elif right.difference < 0:
        why = f"{_STAY} trial {number}, the best found, has a lower loss, but recognizes fewer hands"
    elif more_alarms > MORE_FALSE_ALARMS:
        why = (
            f"{_STAY} trial {number}, the best found, has a lower loss, but answers {100 * more_alarms:.1f} % more of the "
            "made-up hands that make no gesture with one"
        )
    else:
        sentence = f"Trial {number} beats the recipe's own settings on folds that the search did not see: {seen}."
        return Verdict(_numbers(best), _numbers(default), True, sentence)
    sentence = f"{why}, on folds that the search did not see: {seen}."
    return Verdict(_numbers(best), _numbers(default), False, sentence)


_STAY = "The recipe's own settings stay:"


def nothing_to_judge(default: Trial | None) -> Verdict:
    """Return the verdict when no trial but the recipe's own came to its end."""
    known = {"loss": default.loss, "accuracy": default.accuracy} if default else {}
    numbers = {name: value for name, value in known.items() if value is not None}
    sentence = (
        f"{_STAY} no other trial came to its end, so there is nothing to compare them with; ask for more --trials."
    )
    return Verdict(numbers, numbers, False, sentence)


def _seen(
    best: Mapping[str, float], default: Mapping[str, float], saved: tuple[float, float, float], right: Difference
) -> str:
    lower, low, high = saved
    alarms = ""
    if "false_alarms" in best and "false_alarms" in default:
        alarms = (
            f"; of made-up hands that make no gesture, {100 * best['false_alarms']:.1f} % instead of "
            f"{100 * default['false_alarms']:.1f} % are answered with one"
        )
    return (
        f"loss {best['loss']:.4f} instead of {default['loss']:.4f} ({-lower:+.4f}, 95 % interval {-high:+.4f} to {-low:+.4f}), "
        f"accuracy {100 * best['accuracy']:.2f} % instead of {100 * default['accuracy']:.2f} % "
        f"({100 * right.difference:+.2f} %, {100 * right.low:+.2f} to {100 * right.high:+.2f}){alarms}"
    )


def _numbers(outcomes: Sequence[Outcome]) -> dict[str, float]:
    if not all(one.asked.any() for one in outcomes):
        return {}
    found = {
        "loss": float(np.mean([one.loss for one in outcomes])),
        "accuracy": float(np.mean([one.right[one.asked].mean() for one in outcomes])),
    }
    alarms = _false_alarms(outcomes)
    return found if math.isnan(alarms) else found | {"false_alarms": alarms}


def _false_alarms(outcomes: Sequence[Outcome]) -> float:
    return float(np.mean([one.false_alarms for one in outcomes]))


def _mean_interval(values: npt.NDArray[np.float64], groups: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Return a mean with its 95 % interval for hands of other groups like these.

    The normal one, for as many independent hands as these are worth (`intervals.effective_size`).
    """
    effective, _ = effective_size(values, groups)
    mean, spread = float(values.mean()), float(values.std())
    half = Z * spread / math.sqrt(max(effective - 1, 1e-9))
    return mean, mean - half, mean + half
