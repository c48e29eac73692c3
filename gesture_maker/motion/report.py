"""The report of an evaluation of motions: how well each gesture is told, what it is taken for, and the clips that were wrong, as strips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gesture_maker.evaluation.report.headline import accuracy_tile, lead
from gesture_maker.evaluation.report.html import (
    Html,
    Section,
    Tile,
    code,
    element,
    figure,
    figures,
    image,
    join,
    name,
    notes,
    page,
    paragraph,
    table,
    tiles,
)
from gesture_maker.evaluation.report.matrix import confusion_matrix
from gesture_maker.evaluation.report.numbers import counted, percent, when
from gesture_maker.evaluation.report.pictures import Picture
from gesture_maker.evaluation.report.provenance import about_training
from gesture_maker.motion.measure import ClipAnswer, MotionMeasured
from gesture_maker.motion.run import MotionRun

MOST_CONFUSED = 3  # answers that are named for a gesture


@dataclass(frozen=True)
class AboutClips:
    """What was asked: `name` of the clips, `when` (UTC), and `milliseconds` that a window takes."""

    name: str
    when: str
    milliseconds: float | None


def motion_page(
    run: MotionRun, measured: MotionMeasured, about: AboutClips, strips: Mapping[int, Picture], warnings: Sequence[str]
) -> Html:
    """Return the whole page. `strips`: pictures of wrong clips, by number of the answer. The same evaluation gives the same bytes."""
    sections = [
        Section("glance", "At a glance", _glance(measured, about, warnings)),
        Section("gestures", "Gesture by gesture", _gestures(measured)),
        Section("confusion", "Confusion matrix", confusion_matrix(measured.metrics, "clip")),
        Section("wrong", "Wrong and missed clips", _wrong(measured, strips)),
        Section("training", "How it was trained", _training(run)),
    ]
    return page(f"{run.name} on {about.name}", sections, lead(measured.metrics, measured.interval, "clip"))


def _glance(measured: MotionMeasured, about: AboutClips, warnings: Sequence[str]) -> Html:
    metrics = measured.metrics
    right = sum(one.right for one in measured.answers)
    groups = {one.row.group for one in measured.answers if one.row.group}
    numbers = [
        accuracy_tile(metrics, right, measured.interval, " clips"),
        Tile(
            "Where a hand was followed", percent(metrics.accuracy_where_found), f"of {counted(metrics.found, 'clip')}"
        ),
        Tile("No hand to follow", f"{metrics.photos - metrics.found:,}", "counts as wrong"),
    ]
    if about.milliseconds is not None:
        numbers.append(Tile("A window", f"{about.milliseconds:.2f} ms", "of one core, landmarks not counted"))
    asked = (
        f"The network's TFLite, asked about the windows of each clip in which most moves. The clips are of {counted(len(groups), 'group')} "
        "(people or recordings), which the interval knows."
        if groups
        else "The network's TFLite, asked about the windows of each clip in which most moves. No groups (people or recordings) are known: "
        "if several clips are of one person, the interval is too narrow."
    )
    return join([tiles(numbers), paragraph(asked), notes(warnings)])


def _gestures(measured: MotionMeasured) -> Html:
    rows: list[list[Any]] = []
    for label, numbers in measured.metrics.per_class.items():
        own = [one for one in measured.answers if one.row.label == label]
        scores = [one.score for one in own if one.right]
        taken = Counter(one.answer for one in own if not one.right and one.answer is not None).most_common(
            MOST_CONFUSED
        )
        rows.append(
            [
                name(label),
                join([join([name(answer), f" {count}"]) for answer, count in taken], ", ") if taken else "",
                int(numbers["support"]),
                percent(numbers["recall"]) if own else None,
                percent(numbers["precision"]),
                f"{numbers['f1']:.3f}",
                f"{sum(scores) / len(scores):.2f}" if scores else None,
                sum(one.answer is None for one in own) or "",
            ]
        )
    columns = ["gesture", "taken for", "clips", "recall", "precision", "F1", "score when right", "no hand"]
    caption = "Recall: share of the clips of a gesture. Precision: share of the answers of a gesture."
    return table(caption, columns, rows, words=2)


def _wrong(measured: MotionMeasured, strips: Mapping[int, Picture]) -> Html:
    wrong = [(number, one) for number, one in enumerate(measured.answers) if not one.right]
    if not wrong:
        return paragraph("None: every clip was answered rightly.")
    shown = [_strip(one, strips[number]) for number, one in wrong if number in strips]
    others = [
        [code(one.row.file), name(one.row.label), _said(one), f"{one.score:.3f}" if one.answer else None]
        for number, one in wrong
        if number not in strips
    ]
    listed = table("By name", ["clip", "class", "answer", "score"], others, words=3) if others else ""
    return join([figures(shown, "strips"), listed])


def _strip(answer: ClipAnswer, strip: Picture) -> Html:
    lines = [element("strong", name(answer.row.label), " → ", _said(answer)), code(answer.row.file)]
    if answer.row.group:
        lines.insert(1, join(["group ", name(answer.row.group)]))
    alternative = f"Frames of a clip of {answer.row.label}"
    return figure(image(strip.jpeg, alternative, strip.width, strip.height), join(lines, Html("<br>")))


def _said(answer: ClipAnswer) -> Html:
    if answer.answer is None:
        return join([answer.reason])
    return join([name(answer.answer), f" {answer.score:.2f}"])


def _training(run: MotionRun) -> Html:
    about, settings = run.description, run.description.get("settings", {})
    clips = about.get("clips", {})
    told = {
        "run": run.name,
        "trained": when(about.get("created")),
        "clips": ", ".join(f"{part} {count}" for part, count in clips.items()),
        "model": f"{settings.get('model')}, {about.get('parameters', 0):,} parameters",
        "epochs": f"{about.get('epochs')}, the best {about.get('best_epoch')}",
        "window": f"{run.features.length} frames at {run.features.rate:g} a second",
        "seconds": about.get("seconds"),
        "data fingerprint": code(about.get("fingerprint", "")),
    }
    shown = ", ".join(f"{key} {value}" for key, value in settings.items() if key != "model")
    return about_training(run, {**told, "settings": shown})
