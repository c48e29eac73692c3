"""A model's answers to labelled photos, measured and written down; or a bundle's, to the landmarks of such photos."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.evaluation.asking import about_unreadable
from gesture_maker.evaluation.bundle import about_canned, find_bundle
from gesture_maker.evaluation.metrics import NO_ANSWER, NO_HAND, Metrics, measure
from gesture_maker.evaluation.model import Model, about_unknown_classes, results_folder
from gesture_maker.evaluation.plots import save_confusion_matrix
from gesture_maker.evaluation.questions import Questions, about_trained_on
from gesture_maker.evaluation.report.page import Asking, report_page
from gesture_maker.evaluation.report.pictures import Pictures
from gesture_maker.evaluation.results import (
    ON_LANDMARKS,
    Comparison,
    Evaluation,
    Prediction,
    difference_of,
    interval_of,
)
from gesture_maker.files import write_csv, write_json, write_text
from gesture_maker.progress import Progress

COLUMNS = ("file", "label", "answer", "score", "right", "canned", "handedness", "milliseconds", "reason")


def evaluate(
    bundle: str | Path | Model,
    images: str | Path | None = None,
    *,
    compare: str | Path | Model | None = None,
    group_by: str | None = None,
    num_hands: int = 1,
    min_hand_detection_confidence: float = 0.5,
    min_hand_presence_confidence: float = 0.5,
    min_tracking_confidence: float = 0.5,
    border: bool = True,
    canned: bool = True,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Ask MediaPipe about labelled photos and return how well a model does, with a report of it.

    `bundle`: a `.task` file, or a run (its folder or its name) whose bundle was exported, which GestureRecognizer is asked about; or
    any other `Model`, which says itself how it is asked. `images`: a folder of class
    folders, or a dataset's name; without it a run's own test part, which training never saw. A table of landmarks in their
    place, or the test part of a run that was trained from a table where the photos are not beside it, is asked about without
    GestureRecognizer, see `ON_LANDMARKS`. `compare`: another bundle, run or `Model`, which is asked about the same photos in the same
    way. `group_by`: a regular expression on the names of `images`; photos with the same match are of one person or burst, which
    widens the intervals. `out`: the folder for the
    results; by default `evaluation/<name of images>` in the run, or beside the `.task`. The other arguments are those of
    `Recognizer`, of which `canned` alone counts for landmarks; a `Model` has its own. Raises a GestureMakerError for anything missing or damaged.
    """
    options: dict[str, Any] = {
        "num_hands": num_hands,
        "min_hand_detection_confidence": min_hand_detection_confidence,
        "min_hand_presence_confidence": min_hand_presence_confidence,
        "min_tracking_confidence": min_tracking_confidence,
        "border": border,
        "canned": canned,
    }
    model, other = _found(bundle, options), _found(compare, options) if compare is not None else None
    questions = model.questions(images, group_by)
    warnings = [*questions.warnings, *about_unknown_classes(questions.classes, model)]
    if images is not None:
        warnings += about_trained_on(model.run, questions.shas)
    about_other = _about_other(other, questions) if other else []  # first: it may be that it cannot be asked at all
    turns = 2 if other else 1
    pictures = Pictures(len(questions.classes))
    predictions = model.ask(questions, pictures, _turn(progress, 0, turns))
    warnings += [*about_unreadable(predictions), *about_canned(predictions)]
    comparison, mended = None, Pictures(len(questions.classes), [i for i, p in enumerate(predictions) if p.right])
    if other:
        others = other.ask(questions, mended, _turn(progress, 1, turns))
        comparison = Comparison(
            other.name,
            other.noun,
            other.file,
            _measured(others, other),
            tuple(others),
            difference_of(predictions, others),
            tuple(about_other),
            other.runtime,
        )
    evaluation = Evaluation(
        _measured(predictions, model),
        interval_of(predictions),
        tuple(predictions),
        *_latency(predictions if questions.rows is None else None),
        out or results_folder(model, questions.name),
        tuple(warnings),
        model.runtime.on_photos if questions.rows is None else ON_LANDMARKS,
        comparison,
        model.runtime,
    )
    _write(evaluation, Asking(model, other, questions, group_by, _now()), pictures, mended)
    return evaluation


def _found(model: str | Path | Model, options: Mapping[str, Any]) -> Model:
    return model if isinstance(model, Model) else find_bundle(model, options)


def _about_other(other: Model, questions: Questions) -> list[str]:
    """Return what makes a comparison unfair. Raises DatasetError when the other cannot be asked, or knows none of the classes."""
    other.check(questions)
    return [*about_unknown_classes(questions.classes, other), *about_trained_on(other.run, questions.shas)]


def _turn(progress: Progress | None, turn: int, turns: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total: progress(turn * total + done, turns * total)


def _measured(predictions: Sequence[Prediction], model: Model) -> Metrics:
    answers = [f"{p.answer} (canned)" if p.canned else p.answer for p in predictions]
    nothing = NO_HAND if model.runtime.finds_hands else NO_ANSWER
    return measure([p.label for p in predictions], answers, model.labels, nothing)


def _latency(predictions: Sequence[Prediction] | None) -> tuple[float | None, float | None]:
    """Return the median and the 95th percentile in milliseconds."""
    if predictions is None:
        return None, None
    times = [p.milliseconds for p in predictions if p.milliseconds] or [0.0]
    return float(np.percentile(times, 50)), float(np.percentile(times, 95))


def _write(evaluation: Evaluation, asking: Asking, pictures: Pictures, mended: Pictures) -> None:
    folder, name = evaluation.folder, asking.questions.name
    rows = [
        {
            "file": p.file,
            "label": p.label,
            "answer": p.answer or "",
            "score": f"{p.score:.6f}",
            "right": int(p.right),
            "canned": int(p.canned),
            "handedness": "" if p.handedness is None else f"{p.handedness:.4f}",
            "milliseconds": f"{p.milliseconds:.2f}",
            "reason": p.reason,
        }
        for p in evaluation.predictions
    ]
    columns = _columns(evaluation)
    write_csv(folder / "predictions.csv", [{key: row[key] for key in columns} for row in rows], columns)
    about = {asking.model.noun: str(asking.model.file), "images": name, "evaluated": asking.when}
    write_json(folder / "metrics.json", {**about, **evaluation.as_dict()})
    share = f"{evaluation.metrics.accuracy:.1%} of {evaluation.metrics.photos} photos right"
    if evaluation.asked == ON_LANDMARKS:
        share += ", on landmarks"
    save_confusion_matrix(evaluation.metrics, folder / "confusion_matrix.png", f"{name}: {share}")
    write_text(evaluation.report, report_page(evaluation, asking, pictures.by_photo, mended.by_photo))


def _columns(evaluation: Evaluation) -> list[str]:
    """Return those of COLUMNS that can have something in them."""
    left_out = set() if evaluation.runtime.canned else {"canned"}
    if not evaluation.knows_hands:
        left_out.add("handedness")
    return [column for column in COLUMNS if column not in left_out]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
