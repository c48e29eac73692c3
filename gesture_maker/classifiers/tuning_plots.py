"""The picture of a search for settings: the losses of its trials in their order, and over the settings that mattered."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.classifiers.tuned import Trial, Tuning
from gesture_maker.evaluation.plots import BLUE, GREY, ORANGE, font_of, new_figure, plain, save_figure
from gesture_maker.landmarks.fonts import fitting, readable
from gesture_maker.training.options import text_of

PANELS = 6  # settings that are drawn
FEWEST = 8  # trials from which on it can be said at all which settings mattered
LOG_FROM = 5.0  # ratio of the largest loss to the least from which on the axis is logarithmic

_GROUPS = 4  # of the values of a number, to say what it does to the loss
_CATEGORIES = 5  # numbers with no more values than this stand side by side
_PALE = "#b9c0ca"

_WIDTH, _HEIGHT, _LEFT = 13.2, 6.2, 6.0  # inches: of the picture, and of its left part


def save_tuning_plot(tuning: Tuning, file: Path) -> None:
    """Draw the trials of a search into a PNG file; the same search gives the same bytes."""
    shown = _that_mattered(tuning.trials)[:PANELS]
    figure, axes = new_figure(_WIDTH, _HEIGHT, columns=1 + PANELS, layout=None)
    left, *panels = axes
    foot, tall = 1.0, _HEIGHT - 1.0 - 1.3
    width = _LEFT - 0.85 if shown else _WIDTH - 1.1
    left.set_position((0.75 / _WIDTH, foot / _HEIGHT, width / _WIDTH, tall / _HEIGHT))
    _draw_trials(left, tuning)
    across, cell = (_WIDTH - _LEFT - 0.45) / 3, (tall - 0.62) / 2
    for place, panel in enumerate(panels):
        if place >= len(shown):
            figure.delaxes(panel)
            continue
        x, y = _LEFT + 0.35 + place % 3 * across, foot + (1 - place // 3) * (cell + 0.62)
        panel.set_position((x / _WIDTH, y / _HEIGHT, (across - 0.2) / _WIDTH, cell / _HEIGHT))
        _draw_setting(panel, tuning, shown[place])
        panel.set_yscale(left.get_yscale())
        panel.set_ylim(left.get_ylim())
        panel.tick_params(axis="y", which="both", labelleft=False, length=0)
    if shown:
        enough = sum(bool(trial.settings) for trial in _tried(tuning.trials)) >= FEWEST
        which = "settings that mattered most" if enough else "settings (too few trials to say which mattered)"
        about = f"Loss over the {which}; bars: medians of the trials with like values"
        figure.text((_LEFT + 0.35) / _WIDTH, 0.45 / _HEIGHT, about, va="center", fontsize=8.5, color=GREY)
    title = f"{readable(tuning.name, 40)}: trial {tuning.best} is the best of {len(tuning.trials)}"
    if tuning.best == 0:
        title += ", the recipe's own settings"
    figure.text(0.15 / _WIDTH, 1 - 0.27 / _HEIGHT, plain(title), va="center", fontproperties=font_of(title, 11.5))
    verdict = readable(tuning.verdict.sentence, 520)
    lines = "\n".join(textwrap.wrap(verdict, 180)[:3])
    figure.text(
        0.15 / _WIDTH, 1 - 0.47 / _HEIGHT, plain(lines), va="top", color="#374151", fontproperties=font_of(verdict, 9)
    )
    save_figure(figure, file)


def _draw_trials(axes: Any, tuning: Tuning) -> None:
    whole = _tried(tuning.trials)
    losses = [_loss(trial) for trial in whole]
    stopped = [(trial.number, loss) for trial in tuning.trials if trial.state == "pruned" and (loss := _so_far(trial))]
    failed = [trial.number for trial in tuning.trials if trial.state == "failed"]
    if stopped:
        axes.plot(*zip(*stopped, strict=True), "x", color=_PALE, markersize=6, label="stopped early (mean so far)")
    if whole:
        numbers = [trial.number for trial in whole]
        last = max(trial.number for trial in tuning.trials)
        best = np.minimum.accumulate(losses)
        axes.step([*numbers, last], [*best, best[-1]], where="post", color=ORANGE, linewidth=1.3, label="best so far")
        axes.plot(numbers, losses, "o", color=BLUE, markersize=5, alpha=0.8, label="trial")
    own = _own(tuning)
    if own is not None:
        axes.axhline(own, color=GREY, linestyle="--", linewidth=1, label="the recipe's own settings")
    if tuning.best in [trial.number for trial in whole]:
        _mark_best(axes, tuning.best, _loss(tuning.trial(tuning.best)))
    _scale(axes, [*losses, *(loss for _, loss in stopped)])
    if failed:
        axes.plot(
            failed, [0.02] * len(failed), "|", color="#b91c1c", markersize=9, markeredgewidth=2, label="failed",
            transform=axes.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
    axes.set_xlim(-0.6, max([1, *(trial.number for trial in tuning.trials)]) + 0.6)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.set_title("Loss of each trial (mean of its folds)", loc="left", fontsize=10)
    axes.set_xlabel("trial")
    axes.grid(alpha=0.25)
    axes.legend(  # below, where it hides no trial
        loc="upper left", bbox_to_anchor=(-0.02, -0.13), ncols=3, fontsize=8.5, frameon=False, columnspacing=1.5
    )


def _scale(axes: Any, losses: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    if not losses:
        return
    low, high = min(losses), max(losses)
    if 0 < LOG_FROM * low < high:
        axes.set_yscale("log")
        axes.set_ylim(low / (high / low) ** 0.08, high * (high / low) ** 0.06)
        steps = (1, 2, 3, 5) if high < 100 * low else (1, 3) if high < 10_000 * low else (1,)
        tens = [10.0**power for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)]
        axes.set_yticks([step * ten for ten in tens for step in steps if low * 0.9 < step * ten < high * 1.2])
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        return
    span = max(high - low, 0.1 * abs(high), 1e-6)
    axes.set_ylim(low - 0.1 * span, high + 0.06 * span)
    axes.yaxis.set_major_locator(MaxNLocator(6))


def _draw_setting(axes: Any, tuning: Tuning, name: str) -> None:
    """Draw the losses of the trials over their values of one setting, and the medians of groups of these."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    trials = [trial for trial in _tried(tuning.trials) if name in trial.settings]
    losses = np.array([_loss(trial) for trial in trials])
    values = [trial.settings[name] for trial in trials]
    groups, names = _grouped(values)
    if names:
        places = groups.astype(float)
        places += 0.14 * np.sin(2.4 * np.arange(len(places)))  # so that equal values do not hide each other
        shown = ["\n".join(fitting(part, 20, 1.9 / len(names), 8) for part in one.split(",")) for one in names]
        axes.set_xticks(range(len(names)), [plain(one) for one in shown])
        for label, one in zip(axes.get_xticklabels(), names, strict=True):
            label.set_fontproperties(font_of(one, 8))
        axes.set_xlim(-0.5, len(names) - 0.5)
        centres = {group: (group - 0.3, group + 0.3) for group in set(groups.tolist())}
    else:
        places = np.array(values, float)
        if _is_skewed(places):
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.get_major_locator().set_params(nbins=4)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        centres = {
            group: (places[groups == group].min(), places[groups == group].max()) for group in set(groups.tolist())
        }
    axes.plot(places, losses, "o", color=BLUE, markersize=4, alpha=0.7)
    for group, ends in centres.items():
        axes.plot(ends, [float(np.median(losses[groups == group]))] * 2, color=ORANGE, linewidth=1.6)
    own = _own(tuning)
    if own is not None:
        axes.axhline(own, color=GREY, linestyle="--", linewidth=0.8)
    for trial, place, loss in zip(trials, places.tolist(), losses.tolist(), strict=True):
        if trial.number == tuning.best:
            _mark_best(axes, place, loss)
    axes.set_title(plain(fitting(name, 40, 2.0, 9.5)), loc="left", fontproperties=font_of(name, 9.5))
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(alpha=0.25)


def _is_skewed(values: npt.NDArray[np.float64]) -> bool:
    """Tell whether numbers were tried on a logarithmic scale: most of them at the lower end of a wide range."""
    low, high = values.min(), values.max()
    return bool(0 < 8 * low < high and np.median(values) < low + 0.32 * (high - low))


def _mark_best(axes: Any, place: float, loss: float) -> None:
    axes.plot(place, loss, "*", color=ORANGE, markersize=13, markeredgecolor="white", markeredgewidth=0.8, zorder=4)


def _that_mattered(trials: Sequence[Trial]) -> list[str]:
    """Return the settings that differ between trials, first those that say most of a trial's loss.

    One after the other: that whose groups of values take most of the variance out of the losses' ranks, less what chance would
    take (adjusted R squared of a one-way analysis of variance), then that which takes most out of what remains. Ranks, because
    a few settings are far worse than all others. Of too few trials to tell they come in the order of the settings.
    """
    whole = [trial for trial in _tried(trials) if trial.settings]
    left = {name: groups for name in _names(whole) if len(set((groups := _groups_of(whole, name)).tolist())) > 1}
    if len(whole) < FEWEST:
        return list(left)
    losses = np.array([_loss(trial) for trial in whole])
    remaining = (losses[:, None] > losses).sum(axis=1) + (losses[:, None] == losses).sum(axis=1) / 2
    remaining = remaining - remaining.mean()
    ranked: list[str] = []
    while left:
        means = {name: _means(remaining, groups) for name, groups in left.items()}
        best = max(left, key=lambda name: _explained(remaining, means[name], left[name]))
        remaining = remaining - means[best]
        del left[best]
        ranked.append(best)
    return ranked


def _names(trials: Sequence[Trial]) -> list[str]:
    return list(dict.fromkeys(name for trial in trials for name in trial.settings))


def _groups_of(trials: Sequence[Trial], name: str) -> npt.NDArray[np.int64]:
    """Return the group of each trial by its value of a setting, -1 for those that lack it."""
    having = np.array([name in trial.settings for trial in trials])
    groups = np.full(len(trials), -1, np.int64)
    groups[having], _ = _grouped([trial.settings[name] for trial in trials if name in trial.settings])
    return groups


def _means(values: npt.NDArray[np.float64], groups: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return for each value the mean of its group."""
    _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(number, values) / sizes)[number])


def _explained(values: npt.NDArray[np.float64], means: npt.NDArray[np.float64], groups: npt.NDArray[np.int64]) -> float:
    """Return the share of the values' variance that lies between groups, less what chance would give."""
    free, total = len(values) - len(set(groups.tolist())), float(values @ values)
    if free < 1 or total < 1e-9:
        return -math.inf
    return 1 - float((values - means) @ (values - means)) / free / (total / (len(values) - 1))


def _grouped(values: Sequence[Any]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return to which group each value belongs, and the groups' names: of numbers with many values quarters, without names."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    different = sorted(set(values)) if numbers else list(dict.fromkeys(map(_word, values)))
    if numbers and len(different) > _CATEGORIES:
        cuts = np.quantile(values, np.linspace(0, 1, _GROUPS + 1)[1:-1])
        return np.searchsorted(cuts, values).astype(np.int64), []
    if numbers:
        return np.array([different.index(value) for value in values], np.int64), [text_of(one) for one in different]
    different.sort(key=lambda word: (len(word), word) if word != "none" else (0, ""))
    return np.array([different.index(_word(value)) for value in values], np.int64), different


def _word(value: Any) -> str:
    return text_of(value) or "none"


def _tried(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials with a loss of all folds, in their order."""
    whole = [trial for trial in trials if trial.loss is not None and math.isfinite(trial.loss)]
    return sorted(whole, key=lambda trial: trial.number)


def _loss(trial: Trial) -> float:
    return float(trial.loss) if trial.loss is not None else math.nan


def _so_far(trial: Trial) -> float | None:
    known = [loss for loss in trial.fold_losses if math.isfinite(loss)]
    return float(np.mean(known)) if known else None


def _own(tuning: Tuning) -> float | None:
    """Return the loss of the recipe's own settings, those of trial 0."""
    return next((_loss(trial) for trial in _tried(tuning.trials) if trial.number == 0), None)
