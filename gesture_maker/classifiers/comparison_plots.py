"""Pictures of a comparison: who wins and what it costs, and what the winner confuses."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.classifiers.comparison import Comparison, Fit, Line
from gesture_maker.evaluation.intervals import accuracy_interval
from gesture_maker.evaluation.metrics import measure
from gesture_maker.evaluation.plots import (
    BLUE,
    GREY,
    ORANGE,
    font_of,
    new_figure,
    plain,
    save_confusion_matrix,
    save_figure,
)
from gesture_maker.landmarks.fonts import fitting, readable
from gesture_maker.training.options import text_of

COMPARED, CONFUSION = "comparison.png", "confusion_matrix.png"

_FEATURES = {"builtin": "built-in embedding", "landmarks": "normalized landmarks"}
_COLOURS = {"builtin": BLUE, "landmarks": ORANGE}
_NAME = 40  # letters of the comparison's name in titles
_LONGEST = 120  # letters of a classifier's settings
_FAR_OFF = 0.4  # of the range that has to be seen: settings that are worse by more are drawn at the edge


def save_comparison_plots(comparison: Comparison, fits: Sequence[Fit], folder: Path) -> tuple[Path, ...]:
    """Draw `comparison.png` and `confusion_matrix.png` (of the winner) into a folder and return their paths.

    `fits`: of the search, see `Comparison.fits`. The same comparison gives the same bytes.
    """
    compared, confusion = folder / COMPARED, folder / CONFUSION
    _save_compared(comparison, fits, compared)
    winner, hands = comparison.winner, sum(map(sum, comparison.confusion))
    title = f"{readable(comparison.name, _NAME)}, {winner.title}: {winner.test.accuracy:.1%} of {_hands(hands)} held out right"
    truth, answers = _expanded(comparison)
    save_confusion_matrix(measure(truth, answers, comparison.labels), confusion, title, "hand of")
    return compared, confusion


def _expanded(comparison: Comparison) -> tuple[list[str], list[str]]:
    """Return the true class of each hand held out, and the answer to it."""
    truth, answers = [], []
    for label, row in zip(comparison.labels, comparison.confusion, strict=True):
        for answer, count in zip(comparison.labels, row, strict=True):
            truth += [label] * count
            answers += [answer] * count
    return truth, answers


def _save_compared(comparison: Comparison, fits: Sequence[Fit], path: Path) -> None:
    """A row for each kind, the winner first: on the left accuracies, beside them what it costs, on axes of their own."""
    lines, step = comparison.lines, 0.72
    width, height = 13.0, 1.75 + step * len(lines)
    figure, axes = new_figure(width, height, columns=4, layout=None)
    bottom, tall = 0.95 / height, step * len(lines) / height
    # inches: where each part begins and how wide it is; left of the first are the names
    for part, (begin, inches) in zip(axes, ((3.85, 4.05), (8.15, 1.45), (9.75, 1.45), (11.35, 1.45)), strict=True):
        part.set_position((begin / width, bottom, inches / width, tall))
        part.set_ylim(len(lines) - 0.5, -0.5)
        part.set_yticks([])
        part.axhspan(-0.5, 0.5, color="#e8f0f8", zorder=0)
        for between in range(1, len(lines)):
            part.axhline(between - 0.5, color="#e5e7eb", linewidth=0.8, zorder=0)
        for side in ("left", "right", "top"):
            part.spines[side].set_visible(False)
    _draw_names(figure, axes[0], lines)
    _draw_accuracies(axes[0], comparison, _tried(fits))
    _draw_costs(axes[1], "training, one core", [line.train_seconds for line in lines], _seconds)
    _draw_costs(axes[2], "answer for one hand", [line.predict_seconds for line in lines], _seconds)
    _draw_costs(axes[3], "size in the bundle", [line.model_bytes for line in lines], _bytes)
    winner = comparison.winner
    title = (
        f"{readable(comparison.name, _NAME)}: {winner.title} is best, {winner.cross_validation.accuracy:.1%} right by cross-validation, "
        f"{winner.test.accuracy:.1%} of {_hands(comparison.hands['test'])} held out"
    )
    shown = fitting(title, 200, width - 0.4, 11.5)
    figure.text(0.15 / width, 1 - 0.28 / height, plain(shown), va="center", fontproperties=font_of(title, 11.5))
    save_figure(figure, path)


def _draw_names(figure: Any, axes: Any, lines: Sequence[Line]) -> None:
    """Write each kind's name with its features and chosen settings below, right of the figure's left edge."""
    inches = axes.get_position().x0 * figure.get_size_inches()[0] - 0.3
    for row, line in enumerate(lines):
        features = _FEATURES.get(line.features, line.features)
        texts = (
            (line.title, 10.5, "black", -0.22),
            (features, 8.0, GREY, 0.07),
            (_settings(line.parameters), 8.0, GREY, 0.3),
        )
        for text, size, colour, off in texts:
            axes.annotate(
                plain(fitting(text, _LONGEST, inches, size)), (0, row + off), (-inches * 72 - 8, 0),
                xycoords=("axes fraction", "data"), textcoords="offset points", va="center", color=colour,
                fontproperties=font_of(text, size), annotation_clip=False,
            )  # fmt: skip


def _draw_accuracies(axes: Any, comparison: Comparison, tried: Mapping[str, Mapping[tuple[str, str], float]]) -> None:
    lines = comparison.lines
    intervals = [_interval(comparison, line) for line in lines]
    dots = [sorted((mean, features) for (features, _), mean in tried.get(line.kind, {}).items()) for line in lines]
    needed = [value for line in lines for value in (line.cross_validation.accuracy, line.test.accuracy)]
    needed += [low for low, _ in intervals]
    left = max(0.0, min(needed) - _FAR_OFF * (max(needed) - min(needed)) - 0.002)
    used, hidden = set(), False
    for row, (line, some, (low, high)) in enumerate(zip(lines, dots, intervals, strict=True)):
        spread = 0.09 * np.sin(np.arange(len(some)) * 2.4)  # so that equal ones do not hide each other
        for (mean, features), off in zip(some, spread, strict=True):
            used.add(features)
            beyond = mean < left
            hidden |= beyond
            axes.plot(
                left if beyond else mean, row - 0.17 + off, "<" if beyond else "o", color=_COLOURS.get(features, GREY),
                alpha=0.55, markersize=5, markeredgewidth=0, clip_on=False,
            )  # fmt: skip
        axes.plot(line.cross_validation.accuracy, row - 0.17, "D", color="white", markeredgecolor="black", markersize=7)
        axes.plot((low, high), (row + 0.2,) * 2, color="#374151", linewidth=2, solid_capstyle="butt")
        axes.plot(line.test.accuracy, row + 0.2, "s", color="#374151", markersize=7)
    axes.set_xlim(left, 1 + 0.02 * (1 - left))
    axes.grid(axis="x", alpha=0.3)
    axes.xaxis.get_major_locator().set_params(nbins=6)
    axes.set_title("accuracy", loc="left", fontsize=10)
    _explain(axes, used, hidden)


def _explain(axes: Any, features: set[str], hidden: bool) -> None:
    from matplotlib.lines import Line2D

    marks = [
        *(
            Line2D([], [], marker="o", linestyle="", color=colour, alpha=0.55, label=f"tried: {_FEATURES[name]}")
            for name, colour in _COLOURS.items()
            if name in features
        ),
        Line2D(
            [], [], marker="D", linestyle="", color="white", markeredgecolor="black", label="chosen (cross-validation)"
        ),
        Line2D([], [], marker="s", linewidth=2, color="#374151", label="held out, 95 % interval"),
        *([Line2D([], [], marker="<", linestyle="", color=GREY, alpha=0.55, label="far worse")] if hidden else []),
    ]
    axes.legend(
        handles=marks, loc="upper left", bbox_to_anchor=(-0.93, -0.35 / (axes.get_position().height * axes.figure.get_size_inches()[1])),
        ncols=5, fontsize=9, frameon=False, columnspacing=1.4, handletextpad=0.4,
    )  # fmt: skip


def _draw_costs(axes: Any, title: str, values: Sequence[float], words: Callable[[float], str]) -> None:
    """Draw a dot for each value on a logarithmic axis, with the value in words above it."""
    known = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    low, high = math.floor(math.log10(min(known)) - 0.3), math.ceil(math.log10(max(known)) + 0.3)
    axes.set_xscale("log")
    axes.set_xlim(10.0**low, 10.0**high)
    ticks = range(low, high + 1, max(1, -(-(high - low) // 2)))
    axes.set_xticks([10.0**one for one in ticks], [words(10.0**one) for one in ticks], fontsize=8)
    axes.get_xticklabels()[0].set_horizontalalignment("left")  # its neighbour's last one is near
    if ticks[-1] == high:
        axes.get_xticklabels()[-1].set_horizontalalignment("right")
    axes.minorticks_off()
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(title, loc="left", fontsize=10)
    for row, value in enumerate(values):
        if not math.isfinite(value) or value <= 0:
            continue
        axes.plot((10.0**low, value), (row + 0.15,) * 2, color="#c3d3e4", linewidth=3, solid_capstyle="butt", zorder=1)
        axes.plot(value, row + 0.15, "o", color=BLUE, markersize=7, clip_on=False, zorder=2)
        axes.text(0.03, row - 0.2, words(value), transform=axes.get_yaxis_transform(), va="center", fontsize=9.5)


def _tried(fits: Sequence[Fit]) -> dict[str, dict[tuple[str, str], float]]:
    """Return the mean accuracy over the folds of all settings of each kind, by features and settings."""
    folds: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    for one in fits:
        settings = json.dumps(one.parameters, sort_keys=True, default=str)
        folds[one.kind, one.features, settings][one.fold] = one.scores.accuracy
    found: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for (kind, features, settings), accuracies in folds.items():
        found[kind][features, settings] = float(np.mean(list(accuracies.values())))
    return found


def _interval(comparison: Comparison, line: Line) -> tuple[float, float]:
    """Return the 95 % interval of the accuracy on the hands held out.

    How many independent hands they are worth, being of people or bursts, is known of the winner, and taken for the others too.
    """
    about, hands = comparison.estimate, comparison.hands["test"]
    if line is comparison.winner and about.get("low") is not None:
        return float(about["low"]), float(about["high"])
    worth = max(1, round(about.get("effective") or hands))
    right = np.arange(worth) < round(line.test.accuracy * worth)
    found = accuracy_interval(right, np.arange(worth))
    return found.low, found.high


def _settings(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {text_of(value) or 'none'}" for name, value in parameters.items())


def _hands(number: int) -> str:
    return f"{number} {'hand' if number == 1 else 'hands'}"


def _seconds(value: float) -> str:
    """Return a duration in the unit that suits it."""
    if value >= 99.5:
        return f"{value / 60:.3g} min" if value < 3600 else f"{value / 3600:.3g} h"
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 0.9995:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def _bytes(value: float) -> str:
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= 0.9995 * factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.3g} bytes"
