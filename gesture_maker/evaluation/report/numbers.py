"""Numbers as a report writes them."""

from __future__ import annotations

import math

from gesture_maker.evaluation.results import Prediction


def percent(share: float | None) -> str:
    """Return a share as `97.6 %`: 100.0 only when it is all, 0.0 only when it is none; a dash for None."""
    if share is None:
        return "–"
    rounded = round(1000 * share) / 10
    if 0 < share < 1:
        rounded = min(max(rounded, 0.1), 99.9)
    return f"{rounded:.1f} %"


def between(low: float, high: float) -> str:
    """Return an interval of shares as `95.1 to 99.0 %`, rounded outwards."""
    return f"{math.floor(round(1000 * low, 6)) / 10:.1f} to {math.ceil(round(1000 * high, 6)) / 10:.1f} %"


def points(difference: float) -> str:
    """Return a difference of shares in percentage points, with its sign: `+2.1`."""
    rounded = round(1000 * difference) / 10
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"


def points_between(low: float, high: float) -> str:
    """Return an interval of differences in percentage points, rounded outwards."""
    least, most = math.floor(round(1000 * low, 6)) / 1000, math.ceil(round(1000 * high, 6)) / 1000
    return f"{points(least)} to {points(most)}"


def counted(count: int, one: str, several: str = "") -> str:
    """Return `1 photo` or `3 photos`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def when(stamp: str | None) -> str | None:
    """Return a time as `2026-11-21 21:07 UTC`, from `2026-11-21T21:07:01Z`."""
    return f"{stamp[:10]} {stamp[11:16]} UTC" if stamp else None


def hand_of(prediction: Prediction) -> str:
    """Return which hand it was, and how sure that is: `right hand 0.98`; empty when none was found."""
    if prediction.handedness is None:
        return ""
    right = prediction.handedness >= 0.5
    return f"{'right' if right else 'left'} hand {max(prediction.handedness, 1 - prediction.handedness):.2f}"


def who_answered(prediction: Prediction) -> str:
    """Return which of the bundle's classifiers answered; empty when none did."""
    if prediction.answer is None:
        return ""
    return "canned" if prediction.canned else "custom"
