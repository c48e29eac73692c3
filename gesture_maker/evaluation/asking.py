"""Asking one photo after the other, whatever answers; and asking a bundle, through GestureRecognizer or its models about landmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.bundle.task import TaskBundle
from gesture_maker.dataset.formats.class_folders import printable
from gesture_maker.errors import UnreadableImage
from gesture_maker.evaluation import on_landmarks
from gesture_maker.evaluation.questions import Photo
from gesture_maker.evaluation.report.pictures import Pictures
from gesture_maker.evaluation.results import Prediction
from gesture_maker.images import Pixels, read_image
from gesture_maker.landmarks.hands import NOT_FOUND, Hand
from gesture_maker.progress import Progress
from gesture_maker.recognition.recognizer import Recognizer


@dataclass(frozen=True, eq=False)
class Answer:
    """What is said of a photo. `gesture`: None for no answer, `reason` says why; `right_hand`: the probability that it is one, None where
    no hand is known; `shown`, `hand`: what is pictured in the report when it is wrong, by default the photo itself."""

    gesture: str | None
    score: float
    canned: bool
    right_hand: float | None
    milliseconds: float
    reason: str = ""
    shown: Pixels | None = None
    hand: Hand | None = None


def ask_about_photos(
    answer: Callable[[Pixels], Answer],
    photos: Sequence[Photo],
    pictures: Pictures | None = None,
    progress: Progress | None = None,
) -> list[Prediction]:
    """Return what `answer` says of each photo (uint8 [height, width, 3] RGB), in their order; unreadable ones are not asked about.

    `pictures` takes the photos that were answered wrongly.
    """
    predictions = []
    for number, photo in enumerate(photos):
        predictions.append(_ask_about_photo(answer, number, photo, pictures))
        if progress:
            progress(number + 1, len(photos))
    return predictions


def _ask_about_photo(
    answer: Callable[[Pixels], Answer], number: int, photo: Photo, pictures: Pictures | None
) -> Prediction:
    try:
        pixels = read_image(photo.path)
    except UnreadableImage as error:
        return _prediction(photo, Answer(None, 0.0, False, None, 0.0, error.reason))
    said = answer(pixels)
    prediction = _prediction(photo, said)
    if pictures is not None and not prediction.right:
        pictures.add(number, photo.label, pixels if said.shown is None else said.shown, said.hand)
    return prediction


def _prediction(photo: Photo, said: Answer) -> Prediction:
    about = (photo.path, photo.file, photo.label, said.gesture, said.score, said.canned, said.right_hand)
    return Prediction(*about, said.milliseconds, said.reason, photo.group)


def hand_answer(recognizer: Recognizer, pixels: Pixels) -> Answer:
    """Return what GestureRecognizer says of a photo, with the hand that the answer came from."""
    found = recognizer.recognize(pixels)
    best, milliseconds = found.best, 1000 * found.seconds
    if best is None:
        return Answer(None, 0.0, False, None, milliseconds, NOT_FOUND.reason)
    return Answer(best.gesture, best.score, best.canned, best.right, milliseconds, hand=best.hand)


def ask_about_landmarks(
    bundle: TaskBundle, rows: on_landmarks.Rows, canned: bool, progress: Progress | None = None
) -> list[Prediction]:
    """Return what a bundle's models say of rows of landmarks, in their order."""
    answers = iter(on_landmarks.answers_to(bundle, rows.hands, canned))
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
