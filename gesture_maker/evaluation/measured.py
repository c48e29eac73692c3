"""How well an exported network does on a part of its data, as a training on motions or on pixels says it at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gesture_maker.evaluation.intervals import Interval, accuracy_interval
from gesture_maker.evaluation.metrics import Metrics, measure
from gesture_maker.evaluation.plots import save_confusion_matrix, save_curves
from gesture_maker.training.crossvalidate import group_numbers
from gesture_maker.training.run_folder import RunFolder, SplitRow


@dataclass(frozen=True, eq=False)
class Measured:
    """What the answers come to. `interval`: the accuracy's of 95 %, None without answers."""

    metrics: Metrics
    interval: Interval | None

    @classmethod
    def of(cls, rows: Sequence[SplitRow], answers: Sequence[str | None], labels: Sequence[str]) -> Measured:
        """Return what the answers to these rows of `split.csv` come to; None is no answer, and wrong."""
        truth = [row.label for row in rows]
        right = np.array([one == two for one, two in zip(truth, answers, strict=True)], bool)
        interval = accuracy_interval(right, group_numbers([row.group for row in rows])) if rows else None
        return cls(measure(truth, list(answers), list(labels)), interval)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**self.metrics.as_dict(), "interval": vars(self.interval) if self.interval else None}


def save_training_plots(
    run: RunFolder, history: Sequence[dict[str, float]], measured: Mapping[str, Measured], thing: str
) -> None:
    """Draw `curves.png` and, of the test part or else the validation part, `confusion_matrix.png` into a run.

    `history`: a row for each epoch, with its number; `measured`: by part; `thing`: what is answered to, "photo" or "clip".
    """
    save_curves(history, run.path / "curves.png", loss="cross-entropy")
    part = next((part for part in ("test", "validation") if part in measured), None)
    if part is not None:
        title = f"{run.name}: {part} {thing}s"
        save_confusion_matrix(measured[part].metrics, run.path / "confusion_matrix.png", title, f"{thing} of")
