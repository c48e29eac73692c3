"""Pictures of the hands that classifiers are trained on: how many of each class, what they look like, and what normalizing does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.classifiers.data import Integers, LabelledHands
from gesture_maker.dataset.names import NONE
from gesture_maker.embedders.transformers import BuiltinEmbedding, LandmarkNormalizer
from gesture_maker.evaluation.plots import (
    BLUE,
    LONGEST_NAME,
    font_of,
    new_figure,
    plain,
    save_figure,
)
from gesture_maker.landmarks.drawing import FINGER_COLOURS
from gesture_maker.landmarks.fonts import fitting, inches_of, readable
from gesture_maker.landmarks.hands import CONNECTIONS, POINTS, Floats

CLASSES, SKELETONS, NORMALIZED = "classes.png", "skeletons.png", "normalized.png"

CHECK_PREFIX = "check_"
"""Before their names in a dataset's folder: photos there have any name, but hardly these (`dataset.names.RESERVED`)."""

LOOKED_AT = 1000  # hands of a class among which the most typical one is looked for
BEHIND = 12  # hands of a class that are drawn behind it
MOST_CLASSES = 96  # in the picture of skeletons: 12 rows of 8
COLUMNS = 8
TALLEST = 48.0  # inches of the picture of classes: 300 of them are written in 5 points
OVERLAID = 60  # hands in the pictures of landmarks: of twice as many none can be followed
DOTS = 6000  # hands in the picture of embeddings
COLOURED = 10  # classes that have a colour of their own; more cannot be told apart

_PALE = "#d5d9e0"
_PALETTE = (
    *("#2563a8", "#d9822b", "#2f9e6e", "#c0392b", "#7d5ba6"),
    *("#8c6d46", "#d46a9f", "#5f6b7a", "#b8a11f", "#26a6b5"),
)


@dataclass(frozen=True)
class Balance:
    """How many hands, photos without a hand, and groups (people or bursts; 0: not known) each class has, and groups in all."""

    hands: Mapping[str, int]
    missed: Mapping[str, int]
    groups: Mapping[str, int]
    groups_in_all: int

    @classmethod
    def of(cls, hands: LabelledHands) -> Balance:
        """Return that of these hands."""
        known = {(index, group) for index, group in zip(hands.classes.tolist(), hands.groups, strict=True) if group}
        numbers = np.bincount(np.array([index for index, _ in known], np.int64), minlength=len(hands.labels))
        groups = dict(zip(hands.labels, numbers.tolist(), strict=True))
        return cls(hands.counts(), hands.without_hand, groups, len(set(hands.groups) - {""}))


def save_data_plots(
    hands: LabelledHands, folder: Path, prefix: str = "", balance: Balance | None = None
) -> tuple[Path, ...]:
    """Draw `classes.png`, `skeletons.png` and `normalized.png` into a folder and return their paths.

    `prefix`: before the names of the files; `balance`: where the hands are a sample, that of all. The same hands give the same
    bytes. Of many hands a sample is drawn, so that 100,000 take no longer than 1,000. Without any hand there is only the first.
    """
    paths = [folder / f"{prefix}{name}" for name in (CLASSES, SKELETONS, NORMALIZED)][: 3 if len(hands) else 1]
    _save_classes(balance or Balance.of(hands), _named(hands), paths[0])
    for path, draw in zip(paths[1:], (_save_skeletons, _save_normalized), strict=False):
        draw(hands, path)
    return tuple(paths)


# How many


def _save_classes(balance: Balance, name: str, path: Path) -> None:
    """A bar of hands for each class, and behind its end one of the photos without a hand; the numbers beside them."""
    labels = [*balance.hands, *sorted(set(balance.missed) - set(balance.hands))]
    columns = [balance.hands, balance.missed, balance.groups]
    found, missed, groups = (np.array([column.get(label, 0) for label in labels]) for column in columns)
    step = min(0.32, (TALLEST - 1.2) / len(labels))  # inches of a bar
    size = 9.5 * step / 0.32
    names = [readable(label, LONGEST_NAME) for label in labels]
    notes = [_note(label, int(found[row]), int(groups[row]), int(missed[row])) for row, label in enumerate(labels)]
    # To let matplotlib find the room for all the names takes a second for 100 of them.
    width, height, margin = 9.0, 1.2 + step * len(labels), 0.25 + max(inches_of(name, size) for name in names)
    figure, axes = new_figure(width, height, layout=None)
    inside = width - margin - 0.2
    axes.set_position((margin / width, 0.5 / height, inside / width, 1 - 1.0 / height))
    rows = np.arange(len(labels))
    axes.barh(rows, found, 0.72, color=BLUE, label="hands")
    if missed.any():
        axes.barh(rows, missed, 0.72, found, color=_PALE, label="photos without a hand")
    ends, longest = found + missed, max(1, int((found + missed).max()))
    for row, note in enumerate(notes):
        axes.text(ends[row] + 0.012 * longest, row, note, va="center", fontsize=size, color="#374151")
    shares = 1 - np.array([inches_of(note, size) + 0.1 for note in notes]) / inside  # of the width, before the note
    axes.set_xlim(0, max(1.05 * longest, float(((ends + 0.012 * longest) / np.maximum(shares, 0.3)).max())))
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_yticks(rows, [plain(name) for name in names])
    for tick, label in zip(axes.get_yticklabels(), labels, strict=True):
        tick.set_fontproperties(font_of(label, size))
    axes.tick_params(axis="y", length=0)
    axes.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    if missed.any():
        # Above the bars: within, it would hide the words at the end of one.
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=2, fontsize=9, frameon=False)
    several = _count(int((found > 0).sum()), "class", "classes")
    of = f", {_count(balance.groups_in_all, 'group')} (people or bursts)" if balance.groups_in_all else ""
    title = f"{name}: {_count(int(found.sum()), 'hand')}, {several}{of}"
    figure.text(0.1 / width, 1 - 0.25 / height, plain(title), va="center", fontproperties=font_of(title, 11))
    save_figure(figure, path)


def _note(label: str, found: int, groups: int, missed: int) -> str:
    if label == NONE and not found and not missed:
        return "no hands: made-up ones take their place"
    parts = [f"{found}"]
    if groups:
        parts.append(_count(groups, "group"))
    if missed:
        parts.append(f"{missed} without a hand")
    return " · ".join(parts)


# What they look like


def _save_skeletons(hands: LabelledHands, path: Path) -> None:
    """For each class its most typical hand, and some others behind it, normalized, left hands mirrored.

    The typical hand is the real one that is nearest to the medians of all coordinates: the means themselves make fingers that
    are too short where some hands bend them, and in `none` no hand at all.
    """
    every = [index for index, count in enumerate(np.bincount(hands.classes)) if count]
    shown = every[:MOST_CLASSES]
    columns = min(COLUMNS, max(4, int(np.ceil(np.sqrt(1.6 * len(shown))))))
    lines = -(-len(shown) // columns)
    cell, head = 1.55, 0.26  # inches: the side of a hand's square, the height of its name
    width, height = columns * cell, lines * (cell + head)
    figure, axes = new_figure(width + 0.2, height + 0.5, layout=None)
    axes.set_position((0.1 / (width + 0.2), 0.05 / (height + 0.5), width / (width + 0.2), height / (height + 0.5)))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    for place, index in enumerate(shown):
        left, top = place % columns * cell, place // columns * (cell + head)
        _draw_class(axes, _sample(hands, index, LOOKED_AT), (left, top + head), cell)
        name = hands.labels[index]
        axes.text(
            left + cell / 2, top + head / 2 + 0.02, plain(fitting(name, LONGEST_NAME, cell - 0.1, 9.5)), ha="center", va="center",
            fontproperties=font_of(name, 9.5),
        )  # fmt: skip
    more = f"; {len(every) - len(shown)} more classes are not shown" if len(every) > len(shown) else ""
    text = f"{_named(hands)}: a typical hand of each class, others behind it (normalized, left hands mirrored{more})"
    axes.text(
        0.04, -0.2, plain(text), va="center", fontproperties=font_of(text, min(11, 10.6 * width / inches_of(text, 11)))
    )
    save_figure(figure, path)


def _draw_class(axes: Any, rows: Floats, corner: tuple[float, float], side: float) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    points = _normalized(rows)
    typical = points[np.abs(points - np.median(points, axis=0)).sum(axis=(1, 2)).argmin()]
    middle = (typical.min(axis=0) + typical.max(axis=0)) / 2
    scale = 0.72 * side / max(float(np.ptp(typical, axis=0).max()), 1e-6)

    def placed(some: Any) -> Any:
        return (some - middle) * scale + np.array(corner) + side / 2

    frame = Rectangle(
        (corner[0] + 0.04, corner[1] + 0.02), side - 0.08, side - 0.06, facecolor="#f6f7f9", edgecolor="none"
    )
    axes.add_patch(frame)
    behind = LineCollection(
        _bones(placed(points[_spread(len(points), BEHIND)])), colors="#9aa3b0", linewidths=0.7, alpha=0.55
    )
    behind.set_capstyle("round")
    colours = np.array(FINGER_COLOURS) / 255 * 0.88  # a little darker than on photos: the ground is pale
    front = LineCollection(
        _bones(placed(typical[None])), colors=colours[[end for _, end in CONNECTIONS]], linewidths=2.4
    )
    front.set_capstyle("round")
    for lines in (behind, front):
        axes.add_collection(lines, autolim=False)
        lines.set_clip_path(frame)
    axes.scatter(*placed(typical).T, s=7, color=colours, zorder=3)


# What normalizing does


def _save_normalized(hands: LabelledHands, path: Path) -> None:
    """Landmarks as they come, the same hands normalized, and the built-in embedding of many hands in two dimensions."""
    order = np.argsort(-np.bincount(hands.classes, minlength=len(hands.labels)), kind="stable")
    coloured = [int(index) for index in order[:COLOURED] if (hands.classes == index).any()]
    colour = {index: _PALETTE[place] for place, index in enumerate(sorted(coloured))}
    among = np.flatnonzero(np.isin(hands.classes, coloured))
    figure, axes = new_figure(13.6, 4.7, columns=3)
    chosen = _balanced(hands, among, OVERLAID)
    tints = [colour[index] for index in hands.classes[chosen].tolist()]
    if hands.pixels is None:
        raw = hands.rows[chosen, : 3 * POINTS].reshape(-1, POINTS, 3)[..., :2]
        _overlay(axes[0], raw, tints, "Landmarks as the runtime hands them on")
    else:
        _overlay(axes[0], hands.pixels[chosen], tints, "Landmarks as they come", "pixels of the photo")
    _overlay(axes[1], _normalized(hands.rows[chosen]), tints, "Normalized", "wrist to middle fingertip = 1")
    dots = _spread_of(np.arange(len(hands)), DOTS)
    _scatter(axes[2], hands.rows[dots], [colour.get(index, _PALE) for index in hands.classes[dots].tolist()])
    others = len(set(hands.classes.tolist())) - len(coloured)
    _legend(figure, [hands.labels[index] for index in colour], list(colour.values()), others)
    save_figure(figure, path)


def _overlay(axes: Any, points: Floats, colours: Sequence[str], title: str, unit: str = "") -> None:
    from matplotlib.collections import LineCollection

    lines = LineCollection(
        _bones(points),
        colors=np.repeat(colours, len(CONNECTIONS)),
        linewidths=0.8,
        alpha=min(0.8, 30 / len(points) + 0.25),
    )
    axes.add_collection(lines, autolim=False)
    axes.scatter(*points[:, 0].T, s=14, color=colours, zorder=3)  # the wrists
    # A few hands whose fingertip lies on the wrist, or that stick out of the photo, do not make the others small.
    low, high = np.quantile(points.reshape(-1, 2), (0.01, 0.99), axis=0)
    (x, y), half = (low + high) / 2, 0.58 * max(float((high - low).max()), 1e-3)
    axes.set_xlim(x - half, x + half)
    axes.set_ylim(y + half, y - half)  # downwards, as in a photo
    axes.set_box_aspect(1)
    axes.grid(alpha=0.25)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(unit)


def _scatter(axes: Any, rows: Floats, colours: Sequence[str]) -> None:
    """Draw the first two principal components of the built-in embedding."""
    features = BuiltinEmbedding().transform(rows).astype(np.float64)
    features -= features.mean(axis=0)
    values, vectors = np.linalg.eigh(features.T @ features / len(features))
    first = vectors[:, :-3:-1]
    first = first * np.where(
        first[np.abs(first).argmax(axis=0), [0, 1]] < 0, -1, 1
    )  # a direction has no sign of its own
    places = features @ first
    axes.scatter(*places.T, c=list(colours), s=float(np.clip(4000 / len(rows), 5, 26)), alpha=0.7, linewidths=0)
    share = f" ({values[-2:].sum() / values.sum():.0%} of the variance)" if values.sum() > 0 else ""
    axes.set_title("Built-in embedding", loc="left", fontsize=11)
    axes.set_xlabel(f"two principal components of 64{share}")
    axes.tick_params(labelbottom=False, labelleft=False, length=0)
    axes.grid(alpha=0.25)
    axes.set_box_aspect(1)


def _legend(figure: Any, labels: Sequence[str], colours: Sequence[str], others: int) -> None:
    from matplotlib.lines import Line2D

    names = [*labels, *([f"{others} more"] if others else [])]
    marks = [Line2D([], [], color=colour, marker="o", linestyle="") for colour in (*colours, _PALE)][: len(names)]
    shown = figure.legend(
        marks,
        [plain(fitting(name, LONGEST_NAME, 2.0, 9.5)) for name in names],
        loc="outside right upper",
        frameon=False,
    )
    for text, name in zip(shown.get_texts(), names, strict=True):
        text.set_fontproperties(font_of(name, 9.5))


# Both


def _normalized(rows: Floats) -> Floats:
    """Return x and y of normalized landmarks, [N, 21, 2], left hands mirrored."""
    return LandmarkNormalizer().transform(rows).reshape(-1, POINTS, 3)[..., :2]


def _bones(points: Any) -> Any:
    """Return the lines of hands [N, 21, 2]: [N * connections, 2, 2]."""
    return points[:, np.array(CONNECTIONS)].reshape(-1, 2, 2)


def _sample(hands: LabelledHands, index: int, most: int) -> Floats:
    return hands.rows[_spread_of(np.flatnonzero(hands.classes == index), most)]


def _balanced(hands: LabelledHands, among: Integers, most: int) -> Integers:
    """Return about `most` of some hands, as many of each class as of any other that has enough; in random order."""
    classes = np.unique(hands.classes[among])
    each = max(1, most // len(classes))
    chosen = np.concatenate([_spread_of(among[hands.classes[among] == index], each) for index in classes])
    return np.asarray(np.random.default_rng(0).permutation(chosen))  # so that no class lies on top


def _spread_of(some: Integers, most: int) -> Integers:
    return some[_spread(len(some), most)]


def _spread(count: int, most: int) -> Integers:
    """Return up to `most` of so many places, evenly: hands come in the order of their content, which is random."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def _named(hands: LabelledHands) -> str:
    return readable(hands.place.resolve().name, 40)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
