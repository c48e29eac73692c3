"""The confusion matrix as part of a page: counts as numbers, shares of each true class as colour."""

from __future__ import annotations

from typing import Any

from gesture_maker.evaluation.metrics import Metrics
from gesture_maker.evaluation.report.html import Html, cell, join, name, table
from gesture_maker.evaluation.report.style import SHADES

MOST_NAMED = 14
"""Columns of a confusion matrix that bear names; with more they are numbered, or they would not fit onto a page."""


def confusion_matrix(metrics: Metrics, what: str) -> Html:
    """Return the confusion matrix as a table; `what`: one of the things that were asked about, such as "photo"."""
    counts = metrics.confusion
    shown = [i for i in range(counts.shape[1]) if i < len(metrics.labels) or counts[:, i].any()]
    dense = len(shown) > MOST_NAMED
    heads: list[Any] = [i + 1 if dense else name(metrics.answers[i]) for i in shown]
    rows = []
    for number, label in enumerate(metrics.labels):
        whole = max(1, int(counts[number].sum()))
        cells = [_count(int(counts[number, i]), whole, i == number) for i in shown]
        rows.append([join([f"{number + 1} ", name(label)]) if dense else name(label), *cells])
    beyond = [join([f"{i + 1}: ", name(metrics.answers[i])]) for i in shown if i >= len(metrics.labels)]
    caption = join(
        [
            f"Rows: the {what}'s class; columns: the answer",
            *(["; ", join(beyond, ", ")] if dense and beyond else []),
            ". Colour: share of the row.",
        ]
    )
    return table(caption, ["", *heads], rows, kind="matrix dense" if dense else "matrix")


def _count(count: int, whole: int, right: bool) -> Html:
    if not count:
        return cell("", "none")
    step = max(1, round(SHADES * count / whole))
    return cell(count, f"{'right' if right else 'wrong'} shade-{step}")
