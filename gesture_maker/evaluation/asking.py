"""Asking a bundle: what the runtime answers to each photo, or the bundle's models to landmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gesture_maker.dataset.formats.class_folders import printable
from gesture_maker.errors import UnreadableImage
from gesture_maker.evaluation import on_landmarks
from gesture_maker.evaluation.questions import Bundle, Photo, Questions
from gesture_maker.evaluation.report.pictures import Pictures
from gesture_maker.evaluation.results import Prediction
from gesture_maker.images import read_image
from gesture_maker.landmarks.hands import NOT_FOUND
from gesture_maker.recognition.recognizer import Recognizer

Progress = Callable[[int, int], None]


def ask(
    bundle: Bundle,
    questions: Questions,
    options: dict[str, Any],
    pictures: Pictures | None = None,
    progress: Progress | None = None,
) -> list[Prediction]:
    """Return a bundle's answers, in the order of the questions.

    `options`: those of `Recognizer`, of which `canned` alone counts for landmarks. `pictures` takes the photos that were answered
    wrongly. Raises BundleError for a bundle that does not work.
    """
    if questions.rows is not None:
        return _ask_about_landmarks(bundle, questions.rows, options["canned"], progress)
    predictions = []
    with Recognizer(bundle.task, **options) as recognizer:
        for number, photo in enumerate(questions.photos):
            predictions.append(_ask_about_photo(recognizer, number, photo, pictures))
            if progress:
                progress(number + 1, len(questions))
    return predictions


def _ask_about_photo(recognizer: Recognizer, number: int, photo: Photo, pictures: Pictures | None) -> Prediction:
    def answered(
        answer: str | None, score: float, canned: bool, right_hand: float | None, seconds: float, reason: str = ""
    ) -> Prediction:
        about = (photo.path, photo.file, photo.label)
        return Prediction(*about, answer, score, canned, right_hand, 1000 * seconds, reason, photo.group)

    try:
        pixels = read_image(photo.path)
    except UnreadableImage as error:
        return answered(None, 0.0, False, None, 0.0, error.reason)
    found = recognizer.recognize(pixels)
    best = found.best
    if best is None:
        prediction = answered(None, 0.0, False, None, found.seconds, NOT_FOUND.reason)
    else:
        prediction = answered(best.gesture, best.score, best.canned, best.hand.handedness, found.seconds)
    if pictures is not None and not prediction.right:
        pictures.add(number, photo.label, pixels, best.hand if best else None)
    return prediction


def _ask_about_landmarks(
    bundle: Bundle, rows: on_landmarks.Rows, canned: bool, progress: Progress | None
) -> list[Prediction]:
    answers = iter(on_landmarks.answers_to(bundle.parts, rows.hands, canned))
    rights = iter(rows.hands.handedness[:, 0].tolist())
    predictions = []
    for file, label, reason, group in zip(rows.files, rows.labels, rows.reasons, rows.groups, strict=True):
        if reason:
            predictions.append(Prediction(Path(file), file, label, None, 0.0, False, None, 0.0, reason, group))
        else:
            answer, right = next(answers), next(rights)
            of = (Path(file), file, label)
            predictions.append(Prediction(*of, answer.gesture, answer.score, answer.canned, right, 0.0, "", group))
        if progress:
            progress(len(predictions), len(rows.files))
    return predictions


def about_unreadable(predictions: Sequence[Prediction]) -> list[str]:
    """Return a sentence on photos that cannot be read."""
    unreadable = [p for p in predictions if p.reason and p.reason != NOT_FOUND.reason]
    if not unreadable:
        return []
    first = f"{printable(unreadable[0].file)} ({unreadable[0].reason})"
    if len(unreadable) == 1:
        return [f"The photo {first} cannot be read and counts as wrong."]
    return [f"{len(unreadable)} photos cannot be read and count as wrong, such as {first}: see predictions.csv."]


def about_canned(predictions: Sequence[Prediction]) -> list[str]:
    """Return a sentence on answers of the canned classifier."""
    count = sum(p.canned for p in predictions)
    if not count:
        return []
    photos = "photo was" if count == 1 else "photos were"
    return [
        f"{count} {photos} answered with one of Google's canned gestures, which counts as wrong: --no-canned shows the "
        "answers without them."
    ]
