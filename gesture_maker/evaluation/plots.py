"""Pictures of a training and of an evaluation, drawn with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gesture_maker.evaluation.metrics import Metrics
from gesture_maker.files import atomic_write
from gesture_maker.landmarks.fonts import font_file, readable

LONGEST_NAME = 24  # letters of a class's name on an axis
DPI = 130
MAX_INCHES = 30.0  # of a confusion matrix: with more than 60 classes its cells shrink; 4000 pixels take 4 s to draw

BLUE, ORANGE, GREY = "#2563a8", "#d9822b", "#6b7280"


def save_curves(history: Sequence[dict[str, float]], path: Path, best_epoch: bool = True, loss: str = "focal") -> None:
    """Draw loss and accuracy of the training over the epochs, and of the validation part where there is one.

    `best_epoch`: whether the epoch with the least validation loss was kept, and is marked; else it was the last. `loss`: its
    name.
    """
    figure, (left, right) = new_figure(9, 3.6, columns=2, layout=None)
    figure.subplots_adjust(
        left=0.085, right=0.985, bottom=0.14, top=0.9, wspace=0.24
    )  # to work them out takes half the time
    for axes, name, title in ((left, "loss", f"Loss ({loss})"), (right, "accuracy", "Accuracy")):
        draw_history(axes, history, name, best_epoch, (BLUE, ORANGE, GREY))
        axes.set_title(title, loc="left")
        axes.grid(alpha=0.25)
    right.legend(loc="lower right", framealpha=0.9, edgecolor="none")  # the best epoch's line may pass behind it
    save_figure(figure, path)


def draw_history(
    axes: Any, history: Sequence[dict[str, float]], name: str, best_epoch: bool, colours: tuple[str, str, str]
) -> None:
    """Draw one column of a training's history ("loss" or "accuracy") into matplotlib's axes.

    `colours`: of the training part, of the validation part, and of the mark at the best epoch.
    """
    epochs = [row["epoch"] for row in history]
    parts = [("", "training", colours[0])]
    if "val_loss" in history[0]:
        parts.append(("val_", "validation", colours[1]))
    marker = "o" if len(epochs) == 1 else None  # one point makes no line
    for prefix, part, colour in parts:
        axes.plot(epochs, [row[f"{prefix}{name}"] for row in history], color=colour, label=part, marker=marker)
    if len(parts) > 1 and best_epoch:
        best = min(history, key=lambda row: math.inf if math.isnan(row["val_loss"]) else row["val_loss"])
        axes.axvline(best["epoch"], color=colours[2], linestyle=":", label=f"best epoch ({best['epoch']:.0f})")
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    if name == "loss" and any(row["loss"] > 0 for row in history):
        axes.set_yscale("log")


def save_confusion_matrix(metrics: Metrics, path: Path, title: str, truth: str = "photo of") -> None:
    """Draw the confusion matrix: counts as numbers, shares of each true class as colour. `truth`: what its rows are."""
    counts = metrics.confusion
    shown = [i for i in range(counts.shape[1]) if i < len(metrics.labels) or counts[:, i].any()]
    counts, answers = counts[:, shown], [metrics.answers[i] for i in shown]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows, columns = counts.shape
    names = {name: readable(name, LONGEST_NAME) for name in (*metrics.labels, *answers)}
    text = 0.09 * max(len(name) for name in names.values())
    cell = min(0.5, MAX_INCHES / columns)
    figure, axes = new_figure(2.2 + text + cell * columns, 1.7 + text + cell * rows)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    size = (9 if counts.max(initial=0) < 10_000 else 7) * cell / 0.5  # so that the digits fit into a cell
    for row in range(rows):
        for column in range(columns):
            if counts[row, column]:
                dark = shares[row, column] > 0.55
                wrong = row != column
                axes.text(
                    column, row, counts[row, column], ha="center", va="center", fontsize=size,
                    color="white" if dark else ("#b91c1c" if wrong else "black"),
                )  # fmt: skip
    axes.set_xticks(range(columns), [plain(names[name]) for name in answers], rotation=45, ha="right")
    axes.set_yticks(range(rows), [plain(names[name]) for name in metrics.labels])
    for tick, name in zip((*axes.get_xticklabels(), *axes.get_yticklabels()), (*answers, *metrics.labels), strict=True):
        tick.set_fontproperties(font_of(name, 10 * cell / 0.5))
    axes.set_xlabel("answer")
    axes.set_ylabel(truth)
    axes.set_title(plain(readable(title, 200)), loc="left", fontproperties=font_of(title, 11), wrap=True)
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e5e7eb", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    save_figure(figure, path)


def plain(text: str) -> str:
    """Return a name as matplotlib is to be given it."""
    return text.replace("$", r"\$")  # a dollar sign would begin a formula


def font_of(text: str, size: float) -> Any:
    """Return the FontProperties of a font that has all letters of `text`; `size` in points."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=font_file(text), size=size)


def new_figure(
    width: float, height: float, columns: int = 1, layout: Literal["constrained"] | None = "constrained"
) -> Any:
    """Return a new figure of so many inches, and its axes side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)  # not pyplot: no global state, no screen
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as PNG in one step; the same figure gives the same bytes."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata={"Software": None})
