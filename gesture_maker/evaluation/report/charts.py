"""Charts, drawn with matplotlib as SVG that is part of the page: its colours are the theme's, its letters the browser's.

A chart is drawn once in colours that stand for the theme's (`INK`, `BLUE` …), which are then replaced by CSS variables. No name
that comes from the user is ever given to matplotlib: it would read `$x$` as a formula, and has no letters for most scripts.
The same numbers give the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np

from gesture_maker.evaluation.intervals import accuracy_interval
from gesture_maker.evaluation.plots import draw_history
from gesture_maker.evaluation.report.curves import BINS, PrecisionRecall, Reliability
from gesture_maker.evaluation.report.html import Html

INK, MUTED, LINE, PAGE = "#000001", "#000002", "#000003", "#000004"
BLUE, ORANGE, RED, GREEN = "#000005", "#000006", "#000007", "#000008"
_VARIABLES = {
    INK: "ink", MUTED: "muted", LINE: "line", PAGE: "page", BLUE: "blue", ORANGE: "orange", RED: "red", GREEN: "green",
}  # fmt: skip

WIDTH, HEIGHT = 4.4, 3.1  # inches: 317 x 223 units, which a phone shows at about their own size
SMALL = 1.75
SIZE = 9.5  # points, of letters

_SETTINGS = {
    "svg.fonttype": "none", "svg.hashsalt": "gesture-maker", "font.size": SIZE, "axes.edgecolor": MUTED, "text.color": INK,
    "axes.labelcolor": INK, "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelcolor": MUTED, "ytick.labelcolor": MUTED,
    "grid.color": LINE, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    "axes.titlesize": SIZE + 0.5, "legend.fontsize": SIZE - 0.5, "lines.linewidth": 1.8,
    "figure.facecolor": "none", "axes.facecolor": "none",
}  # fmt: skip

_REFERENCE = re.compile(r"(?:url\(|href=\")#(\w+)")


def chart_of_all_answers(curve: PrecisionRecall) -> Html:
    """Return precision against the share of all photos that are answered rightly, as the score threshold falls."""
    with _style():
        figure, axes = _figure()
        axes.plot(curve.recall, curve.precision, color=BLUE)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(min(0.8, float(curve.precision.min(initial=1))) - 0.02, 1.02)
        axes.set_xlabel("share of all photos answered rightly")
        axes.set_ylabel("precision")
        axes.grid(True)
        return _svg(figure, "Precision against recall, over all answers", "answers")


def chart_of_class(curve: PrecisionRecall, number: int) -> Html:
    """Return a small precision-recall curve; its caption has to say of which class, each with a `number` of its own."""
    with _style():
        figure, axes = _figure(SMALL, SMALL, left=0.2, bottom=0.17, right=0.95, top=0.95)
        recall, precision = (np.concatenate([values[:1] * first, values]) for values, first in
                             ((curve.recall, 0), (curve.precision, 1)))  # fmt: skip
        axes.plot(recall, precision, color=BLUE)
        axes.plot(recall[-1:], precision[-1:], "o", color=BLUE, markersize=4)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks([0, 0.5, 1], ["0", ".5", "1"])
        axes.set_xlim(0, 1.06)
        axes.set_ylim(0, 1.06)
        axes.grid(True)
        return _svg(
            figure, f"Precision-recall curve, average precision {curve.average_precision:.3f}", f"class{number}"
        )


def chart_of_reliability(found: Reliability) -> Html:
    """Return the share of right answers against their score, with 95 % intervals of each photo for itself."""
    with _style():
        figure, axes = _figure()
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1)
        shares = found.right / found.count
        for score, right, count in zip(found.score, found.right, found.count, strict=True):
            interval = accuracy_interval(np.arange(count) < right, np.arange(count))
            axes.plot([score, score], [interval.low, interval.high], color=BLUE, linewidth=1)
        axes.plot(found.score, shares, "o-", color=BLUE, markersize=4)
        for score, count in zip(found.score, found.count, strict=True):
            axes.text(score, -0.1, f"{count}", ha="center", color=MUTED, fontsize=SIZE - 1.5)
        axes.set_xlim(0, 1.03)
        axes.set_ylim(-0.13, 1.03)
        axes.set_xlabel("score (above: how many answers)")
        axes.set_ylabel("share right")
        axes.grid(True)
        return _svg(
            figure, f"Reliability: share of right answers by score, calibration error {found.error:.3f}", "reliability"
        )


def chart_of_scores(right: Sequence[float], wrong: Sequence[float]) -> Html:
    """Return the histograms of the scores of right and of wrong answers, each with its own scale."""
    with _style():
        figure, both = _figure(rows=2)
        bins = np.linspace(0, 1, 2 * BINS + 1)
        for axes, scores, colour, what in zip(both, (right, wrong), (BLUE, RED), ("right", "wrong"), strict=True):
            axes.hist(scores, bins=bins, color=colour, rwidth=0.9)
            axes.set_title(f"{len(scores)} {what}", loc="left", pad=2)
            axes.set_xlim(0, 1.01)
            axes.yaxis.get_major_locator().set_params(integer=True, nbins=3, min_n_ticks=1)
            axes.grid(True, axis="y")
            axes.set_axisbelow(True)
        both[1].set_xlabel("score")
        return _svg(figure, "Histograms of the scores of right and of wrong answers", "scores")


def chart_of_latency(milliseconds: Sequence[float], median: float, p95: float) -> Html:
    """Return the histogram of the milliseconds of a call, up to three times the 95th percentile."""
    with _style():
        figure, axes = _figure()
        end = 3 * p95
        axes.hist(np.minimum(milliseconds, end), bins=40, color=BLUE, rwidth=0.9)
        for value, name, below in ((median, "median", 0), (p95, "p95", -12)):  # they may be close
            axes.axvline(value, color=ORANGE, linewidth=1.2)
            at = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            axes.annotate(name, (value, 1), (4, below), va="top", color=ORANGE, **at)
        axes.set_xlim(0, None)
        axes.yaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.set_xlabel("milliseconds")
        axes.set_ylabel("photos")
        axes.grid(True, axis="y")
        axes.set_axisbelow(True)
        return _svg(
            figure, f"Histogram of the latency, median {median:.1f} ms, 95th percentile {p95:.1f} ms", "latency"
        )


def charts_of_training(history: Sequence[dict[str, float]], best_epoch: bool, loss: str = "focal") -> list[Html]:
    """Return loss (of this name) and accuracy over the epochs of a training."""
    made = []
    for name, title in (("loss", f"Loss ({loss})"), ("accuracy", "Accuracy")):
        with _style():
            figure, axes = _figure()
            draw_history(axes, history, name, best_epoch, (BLUE, ORANGE, MUTED))
            axes.set_title(title, loc="left")
            axes.grid(True)
            if name == "accuracy" and "val_accuracy" in history[0]:
                axes.legend(loc="lower right", frameon=True, facecolor=PAGE, edgecolor="none")
            made.append(_svg(figure, f"{title} over the epochs of the training", name))
    return made


def _style() -> Any:
    import matplotlib

    return matplotlib.rc_context(_SETTINGS)


def _figure(
    width: float = WIDTH, height: float = HEIGHT, *, rows: int = 1, left: float = 0.14, right: float = 0.98,
    bottom: float = 0.16, top: float = 0.93,
) -> tuple[Any, Any]:  # fmt: skip
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasSVG(figure)
    # Fixed margins: to work them out takes longer than to draw.
    figure.subplots_adjust(left=left, right=right, bottom=bottom, top=top, hspace=0.45)
    return figure, figure.subplots(rows, 1, sharex=rows > 1)


def _svg(figure: Any, label: str, key: str) -> Html:
    """Return a drawing as an element of the page, its colours those of the theme; `key` begins its ids, which have to differ."""
    written = io.BytesIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    source = written.getvalue().decode()
    root = ElementTree.fromstring(source)
    referred = set(_REFERENCE.findall(source))
    for parent in list(root.iter()):
        for child in list(parent):
            # Its style sheet would be that of the whole page.
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for one in root.iter():
        one.tag = one.tag.split("}")[-1]
        attributes = {name.split("}")[-1]: value for name, value in one.attrib.items()}
        if "id" in attributes:
            known = attributes.pop("id")
            if known in referred:  # others, such as `axes_1`, serve nothing
                attributes["id"] = f"{key}-{known}"
        one.attrib.clear()
        one.attrib.update(
            {name: _themed(_own_ids(name, _plain_font(value), key)) for name, value in attributes.items()}
        )
    box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"viewBox": box, "role": "img", "aria-label": str(label)})
    return Html(ElementTree.tostring(root, encoding="unicode", short_empty_elements=True))


def _own_ids(name: str, value: str, key: str) -> str:
    if name == "href":
        return value.replace("#", f"#{key}-", 1)
    return value.replace("url(#", f"url(#{key}-")


def _themed(value: str) -> str:
    for colour, variable in _VARIABLES.items():
        value = value.replace(colour, f"rgb(var(--{variable}))")
    return value


def _plain_font(value: str) -> str:
    """Return a style with the size of its font only: the family is the page's."""
    value = re.sub(r"\bfont: (?:[\w-]+ )*?([\d.]+px)[^;]*", r"font-size: \1", value)
    return re.sub(r"\s*\bfont-family:[^;]*;?", "", value)
