"""The runtime's answers to labelled photos, measured and written down; or a bundle's, to the landmarks of such photos."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.bundle.task import labels_of, read_task
from gesture_maker.dataset.folder import find_dataset, load_dataset
from gesture_maker.dataset.formats.class_folders import printable
from gesture_maker.dataset.names import class_of_bundle_label
from gesture_maker.errors import BundleError, DatasetError, RunError, UnreadableImage
from gesture_maker.evaluation import on_landmarks
from gesture_maker.evaluation.metrics import Metrics, measure
from gesture_maker.evaluation.plots import save_confusion_matrix
from gesture_maker.files import sha256_of_file, write_json
from gesture_maker.landmarks.hands import NOT_FOUND
from gesture_maker.recognition.recognizer import Recognizer
from gesture_maker.training.run import Run, load_finished_run, write_csv
from gesture_maker.training.table_source import is_table

Progress = Callable[[int, int], None]

COLUMNS = ("file", "label", "answer", "score", "right", "canned", "handedness", "milliseconds", "reason")

OWN_TEST_PART = "test"
"""How the results of a run's own test part are called."""

ON_PHOTOS = "on photos, through MediaPipe's GestureRecognizer"
ON_LANDMARKS = "on landmarks, not through GestureRecognizer: the bundle's embedder and classifiers alone"


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

    `latency_p50`, `latency_p95`: milliseconds of one call of the runtime on one photo; None on landmarks. `asked`: how,
    `ON_PHOTOS` or `ON_LANDMARKS`.
    """

    metrics: Metrics
    predictions: tuple[Prediction, ...]
    latency_p50: float | None
    latency_p95: float | None
    folder: Path
    warnings: tuple[str, ...]
    asked: str = ON_PHOTOS

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`."""
        latency = {"p50": self.latency_p50, "p95": self.latency_p95}
        about = {"asked": self.asked, "latency_milliseconds": latency, "warnings": list(self.warnings)}
        return {**self.metrics.as_dict(), **about}


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
    folders, or a dataset's name; without it a run's own test part, which training never saw. A table of landmarks in their
    place, or the test part of a run that was trained from a table where the photos are not beside it, is asked about without
    GestureRecognizer, see `ON_LANDMARKS`. `out`: the folder for the
    results; by default `evaluation/<name of images>` in the run, or beside the `.task`. The other arguments are those of
    `Recognizer`, of which `canned` alone counts for landmarks. Raises a GestureMakerError for anything missing or damaged.
    """
    task, run = _find_bundle(bundle)
    rows = _rows(run, images, min_hand_detection_confidence)
    if rows is not None:
        return _on_landmarks(task, run, images, rows, canned, out, progress)
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
            warnings += _about_trained_on(run, [_content_of(path) for path, _, _ in photos])
        predictions = []
        for done, (path, file, label) in enumerate(photos):
            predictions.append(_predict(recognizer, path, file, label))
            if progress:
                progress(done + 1, len(photos))
    warnings += [*_about_unreadable(predictions), *_about_canned(predictions)]
    times = [p.milliseconds for p in predictions if p.milliseconds] or [0.0]
    latency = (float(np.percentile(times, 50)), float(np.percentile(times, 95)))
    return _measured(predictions, labels, latency, _place(task, run, name, out), warnings, ON_PHOTOS, task)


def _on_landmarks(
    task: Path,
    run: Run | None,
    images: str | Path | None,
    rows: on_landmarks.Rows,
    canned: bool,
    out: Path | None,
    progress: Progress | None,
) -> Evaluation:
    parts = read_task(task)
    labels = labels_of(parts.custom_gesture_classifier) if parts.custom_gesture_classifier else []
    labels = [class_of_bundle_label(label) for label in labels]
    warnings = [*rows.warnings, *_about_unknown_classes(set(rows.labels), labels, task)]
    if run is not None and images is not None:
        warnings += _about_trained_on(run, rows.shas)
    answers = iter(on_landmarks.answers_to(parts, rows.hands, canned))
    rights = iter(rows.hands.handedness[:, 0].tolist())
    predictions = []
    for file, label, reason in zip(rows.files, rows.labels, rows.reasons, strict=True):
        if reason:
            predictions.append(Prediction(Path(file), file, label, None, 0.0, False, None, 0.0, reason))
            continue
        answer, right = next(answers), next(rights)
        predictions.append(Prediction(Path(file), file, label, answer.gesture, answer.score, answer.canned, right, 0.0))
        if progress:
            progress(len(predictions), len(rows.files))
    warnings += [*_about_unreadable(predictions), *_about_canned(predictions)]
    name = OWN_TEST_PART if images is None else _name_of(Path(images).with_suffix(""))
    return _measured(predictions, labels, (None, None), _place(task, run, name, out), warnings, ON_LANDMARKS, task)


def _measured(
    predictions: Sequence[Prediction],
    labels: Sequence[str],
    latency: tuple[float | None, float | None],
    place: tuple[Path, str],
    warnings: Sequence[str],
    asked: str,
    task: Path,
) -> Evaluation:
    """Measure the answers and write the results down."""
    truth = [p.label for p in predictions]
    answers = [f"{p.answer} (canned)" if p.canned else p.answer for p in predictions]
    folder, name = place
    metrics = measure(truth, answers, labels)
    evaluation = Evaluation(metrics, tuple(predictions), *latency, folder, tuple(warnings), asked)
    _write(evaluation, task, name)
    return evaluation


def _place(task: Path, run: Run | None, name: str, out: Path | None) -> tuple[Path, str]:
    """Return the folder for the results, and what they are called."""
    beside = run.path / "evaluation" if run else task.parent / f"{task.stem}_evaluation"
    return out or beside / name, name


def _find_bundle(bundle: str | Path) -> tuple[Path, Run | None]:
    path = Path(bundle)
    if path.is_file() or path.suffix == ".task":
        return path, None
    run = load_finished_run(bundle)
    if not run.bundle.is_file():
        raise RunError(f'The run "{run.name}" has no bundle yet: make it with `gesture-maker export {run.name}`.')
    return run.bundle, run


def _rows(run: Run | None, images: str | Path | None, min_detection_confidence: float) -> on_landmarks.Rows | None:
    """Return what is asked about by its landmarks; None when photos are to be looked at."""
    if images is not None:
        place = find_dataset(images)
        return on_landmarks.rows_of_table(place, min_detection_confidence) if is_table(place) else None
    if run is not None and run.photos_are_elsewhere():
        return on_landmarks.rows_of_test_part(run)
    return None


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
    return [(image.path, image.file, image.label) for image in data.images], ignored, _name_of(root)


def _name_of(place: Path) -> str:
    """Return how the results on these photos are called."""
    name = re.sub(r"[^\w.-]+", "_", place.resolve().name) or "images"
    if name == OWN_TEST_PART:  # photos/test: not to be taken for the run's own, nor written over it
        name = re.sub(r"[^\w.-]+", "_", f"{place.resolve().parent.name}_{name}")
    return name


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


def _content_of(path: Path) -> str:
    return sha256_of_file(path) if path.is_file() else ""


def _about_trained_on(run: Run, shas: Sequence[str]) -> list[str]:
    try:
        used = {row.sha256 for row in run.split() if row.part in ("train", "validation") and not row.reason}
    except RunError:  # a damaged list is no reason not to evaluate
        return []
    count = sum(sha256 in used for sha256 in shas)
    if not count:
        return []
    least = "at least " if run.description.get("streamed") else ""  # split.csv has a sample of what it was trained on
    return [f"The run was trained on {least}{count} of these {len(shas)} photos: the accuracy flatters."]


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
    if evaluation.asked == ON_LANDMARKS:
        share += ", on landmarks"
    save_confusion_matrix(evaluation.metrics, folder / "confusion_matrix.png", f"{name}: {share}")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
