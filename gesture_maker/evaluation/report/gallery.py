"""The photos that were answered wrongly and those in which no hand was found: each with its picture, all by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gesture_maker.evaluation.report.html import Html, code, element, figure, figures, image, join, name, table, text
from gesture_maker.evaluation.report.numbers import counted, hand_of, who_answered
from gesture_maker.evaluation.report.pictures import MOST_BYTES, Picture
from gesture_maker.evaluation.results import GESTURE_RECOGNIZER, ON_LANDMARKS, Evaluation, Prediction, Runtime
from gesture_maker.landmarks.hands import NOT_FOUND

MOST_LISTED = 20_000
"""Lines of a list: 3 MB. What is beyond is in `predictions.csv`."""


def wrong_and_missed(evaluation: Evaluation, pictures: Mapping[int, Picture]) -> Html:
    """Return all photos that count as wrong: answered wrongly, without a hand, unreadable. `pictures`: by number of the photo."""
    predictions, on_landmarks = evaluation.predictions, evaluation.asked == ON_LANDMARKS
    wrong = [i for i, p in enumerate(predictions) if p.answer is not None and not p.right]
    missed = [i for i, p in enumerate(predictions) if p.reason == NOT_FOUND.reason]
    unreadable = [i for i, p in enumerate(predictions) if p.answer is None and p.reason != NOT_FOUND.reason]
    parts = [
        _group("Answered wrongly", wrong, evaluation, pictures),
        _group("No hand found", missed, evaluation, pictures),
        _group("Without a usable hand" if on_landmarks else "Cannot be read", unreadable, evaluation, {}),
    ]
    if not any(parts):
        return element("p", "None: every photo was answered rightly.")
    if on_landmarks:
        parts.insert(0, element("p", "These answers are to landmarks: there are no photos to be shown.", class_="note"))
    return join(parts)


def gallery(
    photos: Iterable[int],
    predictions: Sequence[Prediction],
    pictures: Mapping[int, Picture],
    runtime: Runtime = GESTURE_RECOGNIZER,
) -> Html:
    """Return these photos side by side, each with its picture and what `runtime` answered, and below a list of those without one.

    The surest come first within each class.
    """
    order = sorted(photos, key=lambda i: (predictions[i].label, -predictions[i].score, predictions[i].file))
    shown = [i for i in order if i in pictures or _has_reason(predictions[i])][:MOST_LISTED]
    seen = set(shown)
    listed = [i for i in order if i not in seen]
    content = (
        figures((_photo(predictions[i], pictures.get(i), runtime) for i in shown), "gallery") if shown else Html("")
    )
    if not listed:
        return content
    why = f"{counted(len(listed), 'photo')} more without a picture: the page has room for {MOST_BYTES // 1_000_000} MB of them"
    return join([content, listing(listed, predictions, why, runtime)])


def listing(
    photos: Sequence[int], predictions: Sequence[Prediction], caption: str, runtime: Runtime = GESTURE_RECOGNIZER
) -> Html:
    """Return these photos as a table, by name. `runtime`: what answered; who or which hand it was is told where there is a choice."""
    if len(photos) > MOST_LISTED:
        caption += f"; the first {MOST_LISTED:,} of them, all are in predictions.csv"
    shown = [predictions[i] for i in photos[:MOST_LISTED]]
    further: list[tuple[str, Callable[[Prediction], str]]] = [("by", who_answered)] if runtime.canned else []
    if runtime.finds_hands or any(p.handedness is not None for p in shown):
        further.append(("hand", hand_of))
    rows = (
        [
            code(p.file),
            name(p.label),
            _answer(p),
            *(tell(p) for _, tell in further),
            f"{p.score:.3f}" if p.answer else None,
        ]
        for p in shown
    )
    columns = ["photo", "class", "answer", *(title for title, _ in further), "score"]
    return table(caption, columns, rows, words=3 + len(further))


def _group(title: str, photos: list[int], evaluation: Evaluation, pictures: Mapping[int, Picture]) -> Html:
    if not photos:
        return Html("")
    predictions = evaluation.predictions
    head = element("h3", f"{title} ({len(photos):,})")
    if evaluation.asked == ON_LANDMARKS:
        order = sorted(photos, key=lambda i: (predictions[i].label, -predictions[i].score, predictions[i].file))
        return join([head, listing(order, predictions, "By class, the surest first")])
    return join([head, gallery(photos, predictions, pictures, evaluation.runtime)])


def _photo(prediction: Prediction, picture: Picture | None, runtime: Runtime) -> Html:
    answer = _answer(prediction)
    if picture is None:
        shown = element("div", prediction.reason, class_="placeholder")
    else:
        said = f"answered {prediction.answer}" if prediction.answer is not None else prediction.reason
        alternative = f"Photo of {prediction.label}, {said}"
        shown = image(picture.jpeg, alternative, picture.width, picture.height)
    lines = [element("strong", name(prediction.label), " → ", answer)]
    if prediction.answer is not None:
        who = f", {who_answered(prediction)}" if runtime.canned else ""
        lines.append(text(f"score {prediction.score:.2f}{who}"))
        if runtime.finds_hands or prediction.handedness is not None:
            lines.append(text(hand_of(prediction)))
    if prediction.group:
        lines.append(join(["group ", name(prediction.group)]))
    lines.append(code(prediction.file))
    return figure(shown, join(lines, Html("<br>")), kind="missed" if prediction.answer is None else None)


def _answer(prediction: Prediction) -> Html:
    if prediction.answer is None:
        return text(prediction.reason)
    return join([name(prediction.answer), " (canned)" if prediction.canned else ""])


def _has_reason(prediction: Prediction) -> bool:
    """Whether there can be no picture, for a reason that is told in its place."""
    return prediction.answer is None and prediction.reason != NOT_FOUND.reason
