"""Pictures of a training and of an evaluation, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.evaluation.metrics import Metrics
from gesture_maker.files import atomic_write

_BLUE, _ORANGE, _GREY = "#2563a8", "#d9822b", "#6b7280"


def save_curves(history: Sequence[dict[str, float]], path: Path) -> None:
    """Draw loss and accuracy of training and validation over the epochs, and mark the best epoch."""
    epochs = [row["epoch"] for row in history]
    best = min(history, key=lambda row: row["val_loss"])
    figure, (left, right) = _figure(9, 3.6, columns=2)
    for axes, name, title in ((left, "loss", "Loss (focal)"), (right, "accuracy", "Accuracy")):
        axes.plot(epochs, [row[name] for row in history], color=_BLUE, label="training")
        axes.plot(epochs, [row[f"val_{name}"] for row in history], color=_ORANGE, label="validation")
        axes.axvline(best["epoch"], color=_GREY, linestyle=":", label=f"best epoch ({best['epoch']:.0f})")
        axes.set_title(title, loc="left")
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
    left.set_yscale("log")
    right.legend(frameon=False, loc="lower right")
    _save(figure, path)


def save_confusion_matrix(metrics: Metrics, path: Path, title: str) -> None:
    """Draw the confusion matrix: counts as numbers, shares of each true class as colour."""
    counts = metrics.confusion
    shown = [i for i in range(counts.shape[1]) if i < len(metrics.labels) or counts[:, i].any()]
    counts, answers = counts[:, shown], [metrics.answers[i] for i in shown]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows, columns = counts.shape
    longest = max(len(name) for name in (*metrics.labels, *answers))
    text = 0.09 * min(longest, 24)
    figure, axes = _figure(2.2 + text + 0.5 * columns, 1.7 + text + 0.5 * rows)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    size = 9 if columns <= 15 else 6
    for row in range(rows):
        for column in range(columns):
            if counts[row, column]:
                dark = shares[row, column] > 0.55
                wrong = row != column
                axes.text(
                    column, row, counts[row, column], ha="center", va="center", fontsize=size,
                    color="white" if dark else ("#b91c1c" if wrong else "black"),
                )  # fmt: skip
    axes.set_xticks(range(columns), [_shortened(name) for name in answers], rotation=45, ha="right")
    axes.set_yticks(range(rows), [_shortened(name) for name in metrics.labels])
    axes.set_xlabel("answer")
    axes.set_ylabel("photo of")
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e5e7eb", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    _save(figure, path)


def _shortened(name: str) -> str:
    # A dollar sign would begin a formula.
    return (name if len(name) <= 24 else f"{name[:23]}…").replace("$", r"\$")


def _figure(width: float, height: float, columns: int = 1) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")  # not pyplot: no global state, no screen
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import rc_context

    families = ["DejaVu Sans", "Noto Sans CJK JP", "Noto Sans", "Arial Unicode MS", "sans-serif"]
    import logging
    import warnings

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with rc_context({"font.family": families}), warnings.catch_warnings(), atomic_write(path) as temporary:
        warnings.simplefilter("ignore")  # letters that no installed font has become boxes, which is enough
        figure.savefig(temporary, dpi=130, metadata={"Software": None})
