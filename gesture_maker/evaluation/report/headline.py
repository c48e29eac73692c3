"""What stands at the top of a report on answers, whether to photos or to clips: the accuracy, and what it is worth."""

from __future__ import annotations

from gesture_maker.evaluation.intervals import Interval
from gesture_maker.evaluation.metrics import Metrics
from gesture_maker.evaluation.report.html import Html, Tile, element, join
from gesture_maker.evaluation.report.numbers import between, counted, percent


def lead(metrics: Metrics, interval: Interval | None, what: str) -> Html:
    """Return the first sentence; `what`: one of the things that were asked about, such as "photo"."""
    told = join([element("strong", percent(metrics.accuracy)), f" of {counted(metrics.photos, what)} answered rightly"])
    if interval is None:
        return join([told, "."])
    return join([told, f" (95 % interval {between(interval.low, interval.high)})."])


def accuracy_tile(metrics: Metrics, right: int, interval: Interval | None, what: str = "") -> Tile:
    """Return the accuracy as a headline number; `right`: how many were answered rightly, of `what`, such as " clips"."""
    sure = f"; 95 %: {between(interval.low, interval.high)}" if interval else ""
    return Tile("Accuracy", percent(metrics.accuracy), f"{right:,} of {metrics.photos:,}{what}{sure}")
