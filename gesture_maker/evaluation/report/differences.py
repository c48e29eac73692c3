"""Two models side by side: which is better on these photos, by how much, where, and what was trained differently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from gesture_maker.evaluation.model import Model
from gesture_maker.evaluation.report.gallery import gallery, listing
from gesture_maker.evaluation.report.html import Html, Tile, element, join, name, notes, paragraph, table, tiles
from gesture_maker.evaluation.report.numbers import counted, percent, points, points_between
from gesture_maker.evaluation.report.pictures import Picture
from gesture_maker.evaluation.results import ON_LANDMARKS, Comparison, Evaluation, Prediction, Runtime
from gesture_maker.landmarks.hands import NOT_FOUND

MOST_TWICE = 48
"""Broken photos that are pictured here: all are among the wrong ones further down, and each picture is 12 kB."""


def differences(
    evaluation: Evaluation,
    compared: Comparison,
    models: tuple[Model, Model],
    pictures: Mapping[int, Picture],
    mended_pictures: Mapping[int, Picture],
) -> Html:
    """Return the comparison: headline, recall of each class, photos mended and broken, and what differs in the training.

    `pictures`: of photos that the first has wrong; `mended_pictures`: of those that the other has wrong and the first right.
    """
    found = compared.difference
    mended, broken = compared.mended(evaluation.predictions), compared.broken(evaluation.predictions)
    numbers = tiles(
        [
            Tile(f"This {models[0].noun}", percent(evaluation.metrics.accuracy), models[0].name),
            Tile("The other", percent(compared.metrics.accuracy), compared.name),
            Tile(
                "Difference, in points",
                points(found.difference),
                f"95 % interval {points_between(found.low, found.high)}",
            ),
            Tile("Photos mended", f"{len(mended):,}", "right here, wrong with the other"),
            Tile("Photos broken", f"{len(broken):,}", "wrong here, right with the other"),
        ]
    )
    shown = [
        _photos(
            "Mended: what the other answered",
            mended,
            compared.predictions,
            mended_pictures,
            evaluation,
            compared.runtime,
        ),
        _photos(
            f"Broken: what this {models[0].noun} answers",
            broken,
            evaluation.predictions,
            pictures,
            evaluation,
            evaluation.runtime,
        ),
    ]
    return join(
        [
            numbers,
            paragraph(_verdict(compared, models[0].noun)),
            *_without_hands(evaluation, compared),
            notes([join([name(compared.name), ": ", sentence]) for sentence in compared.warnings]),
            _by_class(evaluation, compared, mended, broken),
            *shown,
            _trained_otherwise(*models),
        ]
    )


def _verdict(compared: Comparison, noun: str) -> Html:
    found = compared.difference
    about = (
        f"Both were asked about the same {counted(found.photos, 'photo')}, so only the {found.better + found.worse} that one of "
        "them has right and the other wrong tell them apart. "
    )
    if not found.sure:
        return join([about, "The interval holds 0: on these photos neither is surely better."])
    which = f"This {noun} is" if found.difference > 0 else "The other is"
    return join([about, f"{which} better, by more than chance explains: the interval leaves out 0."])


def _without_hands(evaluation: Evaluation, compared: Comparison) -> list[Html]:
    """Return how the one model does on the photos in which the other finds no hand, where only one of them needs hands."""
    if evaluation.runtime.finds_hands == compared.runtime.finds_hands:
        return []
    needs, other = evaluation.predictions, compared.predictions
    who = "the other"
    if compared.runtime.finds_hands:
        needs, other, who = other, needs, "this model"
    missed = [i for i, p in enumerate(needs) if p.reason == NOT_FOUND.reason]
    if not missed:
        return [paragraph("In every photo a hand is found, so neither has a lead by answering without one.")]
    right = sum(other[i].right for i in missed)
    where = f"In {counted(len(missed), 'photo')} no hand is found, which counts as wrong"
    return [paragraph(f"{where}; {who} answers {right:,} of them rightly ({percent(right / len(missed))}).")]


def _by_class(evaluation: Evaluation, compared: Comparison, mended: list[int], broken: list[int]) -> Html:
    here, there = evaluation.metrics.per_class, compared.metrics.per_class
    better, worse = (Counter(evaluation.predictions[i].label for i in photos) for photos in (mended, broken))
    rows = []
    for label, numbers in here.items():
        if not numbers["support"]:
            continue
        one, two = numbers["recall"], there[label]["recall"] if label in there else 0.0
        colour = "number better" if one > two else "number worse" if one < two else "number"
        change = Html(f'<td class="{colour}">{points(one - two)}</td>')
        row = [name(label), int(numbers["support"]), percent(one), percent(two), change, better[label], worse[label]]
        rows.append(row)
    columns = ["class", "photos", "recall", "the other's", "points", "mended", "broken"]
    return table("Recall by class", columns, rows)


def _photos(
    title: str,
    photos: list[int],
    predictions: tuple[Prediction, ...],
    pictures: Mapping[int, Picture],
    evaluation: Evaluation,
    runtime: Runtime,
) -> Html:
    if not photos:
        return Html("")
    head = element("h3", f"{title} ({len(photos):,})")
    if evaluation.asked == ON_LANDMARKS:
        return join([head, listing(photos, predictions, "By name", runtime)])
    if predictions is not evaluation.predictions:
        return join([head, gallery(photos, predictions, pictures, runtime)])
    rest = photos[MOST_TWICE:]
    among = paragraph(f"{counted(len(rest), 'more is', 'more are')} among the wrong photos below.") if rest else ""
    return join([head, gallery(photos[:MOST_TWICE], predictions, pictures, runtime), among])


def _trained_otherwise(first: Model, second: Model) -> Html:
    here, there = first.training_facts(), second.training_facts()
    if not here or not there:
        return Html("")
    rows = [
        [key, here.get(key), there.get(key)]
        for key in dict.fromkeys([*here, *there])
        if here.get(key) != there.get(key)
    ]
    columns = ["", f"this {first.noun}", "the other"]
    return table("What differs in the training", columns, rows, words=3) if rows else Html("")
