"""The runtime's answers to labelled photos, measured and written down."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.dataset.folder import find_dataset, load_dataset
from gesture_maker.dataset.formats.class_folders import printable
from gesture_maker.dataset.names import class_of_bundle_label
from gesture_maker.errors import BundleError, DatasetError, RunError, UnreadableImage
from gesture_maker.evaluation.metrics import Metrics, measure
from gesture_maker.evaluation.plots import save_confusion_matrix
from gesture_maker.files import sha256_of_file, write_json
from gesture_maker.landmarks.hands import NOT_FOUND
from gesture_maker.recognition.recognizer import Recognizer
from gesture_maker.training.run import Run, load_finished_run, write_csv

Progress = Callable[[int, int], None]

COLUMNS = ("file", "label", "answer", "score", "right", "canned", "handedness", "milliseconds", "reason")

OWN_TEST_PART = "test"
"""How the results of a run's own test part are called."""


@dataclass(frozen=True)
class Prediction:
    """The answer to one photo.

    `answer` is None when no hand was found or the photo cannot be read (`reason` says which); `handedness` is the
    probability of a right hand.
    """

    path: Path
    file: str
    label: str
    answer: str | None
    score: float
    canned: bool
    handedness: float | None
    milliseconds: float
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an evaluation found and where it wrote `metrics.json`, `predictions.csv` and `confusion_matrix.png`.

    `latency_p50`, `latency_p95`: milliseconds of one call of the runtime on one photo.
    """

    metrics: Metrics
    predictions: tuple[Prediction, ...]
    latency_p50: float
    latency_p95: float
    folder: Path
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`."""
        latency = {"p50": self.latency_p50, "p95": self.latency_p95}
        return {**self.metrics.as_dict(), "latency_milliseconds": latency, "warnings": list(self.warnings)}


def evaluate(
    bundle: str | Path,
    images: str | Path | None = None,
    *,
    num_hands: int = 1,
    min_hand_detection_confidence: float = 0.5,
    min_hand_presence_confidence: float = 0.5,
    min_tracking_confidence: float = 0.5,
    border: bool = True,
    canned: bool = True,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Ask MediaPipe's GestureRecognizer about labelled photos and return how well it does.

    `bundle`: a `.task` file, or a run (its folder or its name) whose bundle was exported. `images`: a folder of class
    folders, or a dataset's name; without it a run's own test part, which training never saw. `out`: the folder for the
    results; by default `evaluation/<name of images>` in the run, or beside the `.task`. The other arguments are those of
    `Recognizer`. Raises a GestureMakerError for anything missing or damaged.
    """
    task, run = _find_bundle(bundle)
    photos, ignored, name = _photos(task, run, images)
    with Recognizer(
        task,
        num_hands=num_hands,
        min_hand_detection_confidence=min_hand_detection_confidence,
        min_hand_presence_confidence=min_hand_presence_confidence,
        min_tracking_confidence=min_tracking_confidence,
        border=border,
        canned=canned,
    ) as recognizer:
        labels = [class_of_bundle_label(label) for label in recognizer.labels]
        warnings = [*ignored, *_about_unknown_classes({label for _, _, label in photos}, labels, task)]
        if run is not None and images is not None:
            warnings += _about_trained_on(run, [path for path, _, _ in photos])
        predictions = []
        for done, (path, file, label) in enumerate(photos):
            predictions.append(_predict(recognizer, path, file, label))
            if progress:
                progress(done + 1, len(photos))
    warnings += [*_about_unreadable(predictions), *_about_canned(predictions)]
    truth = [p.label for p in predictions]
    answers = [f"{p.answer} (canned)" if p.canned else p.answer for p in predictions]
    metrics = measure(truth, answers, labels)
    times = [p.milliseconds for p in predictions if p.milliseconds] or [0.0]
    place = out or (run.path if run else task.parent / f"{task.stem}_evaluation") / ("evaluation" if run else "") / name
    evaluation = Evaluation(
        metrics,
        tuple(predictions),
        float(np.percentile(times, 50)),
        float(np.percentile(times, 95)),
        place,
        tuple(warnings),
    )
    _write(evaluation, task, name)
    return evaluation


def _find_bundle(bundle: str | Path) -> tuple[Path, Run | None]:
    path = Path(bundle)
    if path.is_file() or path.suffix == ".task":
        return path, None
    run = load_finished_run(bundle)
    if not run.bundle.is_file():
        raise RunError(f'The run "{run.name}" has no bundle yet: make it with `gesture-maker export {run.name}`.')
    return run.bundle, run


def _photos(
    task: Path, run: Run | None, images: str | Path | None
) -> tuple[list[tuple[Path, str, str]], list[str], str]:
    """Return the photos as (path, file, label), sentences on files that were passed over, and a name for the set."""
    if images is None:
        if run is None:
            raise DatasetError(f"Name the photos to evaluate {task} on: a folder with one folder per class.")
        return [(path, row.file, row.label) for path, row in run.test_photos()], [], OWN_TEST_PART
    root = find_dataset(images)
    data = load_dataset(root)
    if not data.images:
        raise DatasetError(f"There are no images in {root}: its class folders are empty.")
    passed_over = len(data.ignored)
    verbs = "file in {} is no image and was" if passed_over == 1 else "files in {} are no images and were"
    ignored = [f"{passed_over} {verbs.format(root)} passed over."] if passed_over else []
    name = re.sub(r"[^\w.-]+", "_", root.resolve().name) or "images"
    if name == OWN_TEST_PART:  # photos/test: not to be taken for the run's own, nor written over it
        name = re.sub(r"[^\w.-]+", "_", f"{root.resolve().parent.name}_{name}")
    return [(image.path, image.file, image.label) for image in data.images], ignored, name


def _about_unknown_classes(classes: set[str], labels: Sequence[str], task: Path) -> list[str]:
    if not labels:
        raise BundleError(f"{task} has no custom gesture classifier: give a bundle of `gesture-maker export`.")
    unknown = sorted(classes - set(labels))
    if unknown and len(unknown) == len(classes):
        raise DatasetError(
            f"{task} knows none of the classes of these photos ({', '.join(unknown)}): its classes are "
            f"{', '.join(labels)}."
        )
    return [f'The bundle does not know the class "{name}": its photos count as wrong.' for name in unknown]


def _about_trained_on(run: Run, paths: Sequence[Path]) -> list[str]:
    try:
        used = {row.sha256 for row in run.split() if row.part in ("train", "validation") and not row.reason}
    except RunError:  # a damaged list is no reason not to evaluate
        return []
    count = sum(path.is_file() and sha256_of_file(path) in used for path in paths)
    if not count:
        return []
    return [f"The run was trained on {count} of these {len(paths)} photos: the accuracy flatters."]


def _about_unreadable(predictions: Sequence[Prediction]) -> list[str]:
    unreadable = [p for p in predictions if p.reason and p.reason != NOT_FOUND.reason]
    if not unreadable:
        return []
    first = f"{printable(unreadable[0].file)} ({unreadable[0].reason})"
    if len(unreadable) == 1:
        return [f"The photo {first} cannot be read and counts as wrong."]
    return [f"{len(unreadable)} photos cannot be read and count as wrong, such as {first}: see predictions.csv."]


def _about_canned(predictions: Sequence[Prediction]) -> list[str]:
    count = sum(p.canned for p in predictions)
    if not count:
        return []
    photos = "photo was" if count == 1 else "photos were"
    return [
        f"{count} {photos} answered with one of Google's canned gestures, which counts as wrong: --no-canned shows the "
        "answers without them."
    ]


def _predict(recognizer: Recognizer, path: Path, file: str, label: str) -> Prediction:
    try:
        answer = recognizer.recognize(path)
    except UnreadableImage as error:
        return Prediction(path, file, label, None, 0.0, False, None, 0.0, error.reason)
    milliseconds = 1000 * answer.seconds
    best = answer.best
    if best is None:
        return Prediction(path, file, label, None, 0.0, False, None, milliseconds, NOT_FOUND.reason)
    return Prediction(path, file, label, best.gesture, best.score, best.canned, best.hand.handedness, milliseconds)


def _write(evaluation: Evaluation, task: Path, name: str) -> None:
    folder = evaluation.folder
    rows = [
        {
            "file": p.file,
            "label": p.label,
            "answer": p.answer or "",
            "score": f"{p.score:.6f}",
            "right": int(p.answer == p.label and not p.canned),
            "canned": int(p.canned),
            "handedness": "" if p.handedness is None else f"{p.handedness:.4f}",
            "milliseconds": f"{p.milliseconds:.2f}",
            "reason": p.reason,
        }
        for p in evaluation.predictions
    ]
    write_csv(folder / "predictions.csv", rows, COLUMNS)
    write_json(
        folder / "metrics.json",
        {"bundle": str(task), "images": name, "evaluated": _now(), **evaluation.as_dict()},
    )
    share = f"{evaluation.metrics.accuracy:.1%} of {evaluation.metrics.photos} photos right"
    save_confusion_matrix(evaluation.metrics, folder / "confusion_matrix.png", f"{name}: {share}")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
