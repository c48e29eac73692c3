"""The report of an evaluation: one page that says how well a model does, where it fails, and how it came about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gesture_maker.evaluation.model import Model
from gesture_maker.evaluation.questions import Questions
from gesture_maker.evaluation.report.charts import (
    chart_of_all_answers,
    chart_of_class,
    chart_of_latency,
    chart_of_reliability,
    chart_of_scores,
)
from gesture_maker.evaluation.report.curves import PrecisionRecall, precision_recall, reliability
from gesture_maker.evaluation.report.differences import differences
from gesture_maker.evaluation.report.gallery import wrong_and_missed
from gesture_maker.evaluation.report.headline import accuracy_tile, lead
from gesture_maker.evaluation.report.html import (
    Html,
    Section,
    Tile,
    code,
    element,
    facts,
    figure,
    figures,
    join,
    name,
    notes,
    page,
    paragraph,
    table,
    text,
    tiles,
)
from gesture_maker.evaluation.report.matrix import confusion_matrix
from gesture_maker.evaluation.report.numbers import between, counted, percent, when
from gesture_maker.evaluation.report.pictures import Picture
from gesture_maker.evaluation.results import Evaluation, interval_of
from gesture_maker.landmarks.hands import NOT_FOUND

MOST_CURVES = 24
"""Classes whose precision-recall curve is drawn, the weakest: each takes 30 ms and 5 kB. The table has all of them."""

MOST_PAIRS = 10

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Asking:
    """What was asked of which models, and when (UTC); `other` and `group_by` may be None."""

    model: Model
    other: Model | None
    questions: Questions
    group_by: str | None
    when: str


def report_page(
    evaluation: Evaluation, asking: Asking, pictures: Mapping[int, Picture], mended_pictures: Mapping[int, Picture]
) -> Html:
    """Return the whole page. `pictures`: of wrong photos by number; `mended_pictures`: of those that only the other has wrong.

    The same evaluation gives the same bytes.
    """
    compared = evaluation.comparison
    sections = [Section("glance", "At a glance", _glance(evaluation, asking))]
    if compared is not None and asking.other is not None:
        both = (asking.model, asking.other)
        content = differences(evaluation, compared, both, pictures, mended_pictures)
        sections.append(Section("compared", f"Compared with {compared.name}", content))
    sections += [
        Section("classes", "Classes", _classes(evaluation)),
        Section("confusion", "Confusion matrix", _confusion(evaluation)),
        Section("scores", "Scores", _scores(evaluation)),
        Section("latency", "Latency", _latency(evaluation)),
        Section("wrong", "Wrong and missed photos", wrong_and_missed(evaluation, pictures)),
        *asking.model.sections(evaluation.predictions),
        Section("training", "How it was trained", asking.model.training()),
        Section("asked", "How it was asked", _asked(evaluation, asking)),
    ]
    on = "its own test part" if asking.questions.images is None else asking.questions.name
    return page(f"{asking.model.name} on {on}", sections, lead(evaluation.metrics, evaluation.interval, "photo"))


def _glance(evaluation: Evaluation, asking: Asking) -> Html:
    metrics, predictions = evaluation.metrics, evaluation.predictions
    right = sum(p.right for p in predictions)
    no_hand = sum(p.reason == NOT_FOUND.reason for p in predictions)
    unreadable = metrics.photos - metrics.found - no_hand
    canned = sum(p.canned for p in predictions)
    numbers = [accuracy_tile(metrics, right, evaluation.interval)]
    if evaluation.runtime.finds_hands:
        found = f"of {counted(metrics.found, 'photo')}"
        wrong = f"and {unreadable:,} not readable" if unreadable else "counts as wrong"
        numbers += [
            Tile("Where a hand was found", percent(metrics.accuracy_where_found), found),
            Tile("No hand found", f"{no_hand:,}", wrong),
        ]
    elif unreadable:
        numbers.append(Tile("Not readable", f"{unreadable:,}", "counts as wrong"))
    if asking.model.canned:
        numbers.append(Tile("Answered by", f"{metrics.found - canned:,} / {canned:,}", asking.model.canned))
    if evaluation.latency_p50 is not None:
        numbers.append(
            Tile("Latency", f"{evaluation.latency_p50:.1f} ms", f"median; p95 {evaluation.latency_p95:.1f} ms")
        )
    asked = f"Asked {evaluation.asked}."
    return join([tiles(numbers), paragraph(asked, " ", _about_groups(evaluation, asking)), notes(evaluation.warnings)])


def _about_groups(evaluation: Evaluation, asking: Asking) -> Html:
    """Return what the interval takes for independent."""
    interval = evaluation.interval
    if interval is None:
        return Html("")
    groups = {p.group for p in evaluation.predictions if p.group}
    alone = sum(not p.group for p in evaluation.predictions)
    source = "its manifest" if asking.group_by is None else "--group-by"
    source = "the run's split" if asking.questions.images is None else source
    if not groups:
        return join(
            [
                "No groups (people or bursts) of these photos are known, so the intervals take each photo for itself. If several "
                "are of one person, they are too narrow: say who is who with ",
                code("--group-by"),
                " or a manifest.",
            ]
        )
    and_alone = f" and {counted(alone, 'photo')} without one" if alone else ""
    return text(
        f"The photos are of {counted(len(groups), 'group')} (people or bursts, by {source}){and_alone}. Photos of one group are "
        f"right or wrong together, which the intervals know: these are worth {interval.effective:.0f} independent ones."
    )


def _classes(evaluation: Evaluation) -> Html:
    nothing, canned = Counter[str](), Counter[str]()
    for p in evaluation.predictions:
        nothing[p.label] += p.answer is None
        canned[p.label] += p.canned
    columns = ["class", "photos", "recall", "95 % interval", "precision", "F1", "average precision"]
    further = [(evaluation.metrics.answers[-1], nothing)] if evaluation.runtime.finds_hands or nothing.total() else []
    further += [("canned", canned)] if evaluation.runtime.canned else []
    rows = []
    for label, numbers in evaluation.metrics.per_class.items():
        own = interval_of([p for p in evaluation.predictions if p.label == label])
        some = numbers["support"] > 0
        rows.append(
            [
                name(label),
                int(numbers["support"]),
                percent(numbers["recall"]) if some else None,
                between(own.low, own.high) if own else None,
                percent(numbers["precision"]),
                f"{numbers['f1']:.3f}",
                f"{precision_recall(evaluation.predictions, label).average_precision:.3f}" if some else None,
                *(counts[label] or "" for _, counts in further),
            ]
        )
    columns += [title for title, _ in further]
    return table("Recall: share of the photos of a class. Precision: share of the answers of a class.", columns, rows)


def _confusion(evaluation: Evaluation) -> Html:
    return join([confusion_matrix(evaluation.metrics, "photo"), _most_confused(evaluation)])


def _most_confused(evaluation: Evaluation) -> Html:
    """Return the most frequent confusions; nothing when there are none."""
    pairs = Counter(
        (p.label, p.answer or "", p.canned) for p in evaluation.predictions if p.answer is not None and not p.right
    )
    rows = [
        [name(label), join([name(answer), " (canned)" if canned else ""]), count,
         percent(count / evaluation.metrics.per_class[label]["support"])]
        for (label, answer, canned), count in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_PAIRS]
    ]  # fmt: skip
    left_out = len(pairs) - len(rows)
    more = f"; {counted(left_out, 'more pair')} in the matrix" if left_out else ""
    return (
        table(f"Most confused{more}", ["class", "taken for", "photos", "of its class"], rows, words=2)
        if rows
        else Html("")
    )


def _scores(evaluation: Evaluation) -> Html:
    predictions = evaluation.predictions
    answered = [p for p in predictions if p.answer is not None]
    if not answered:
        return paragraph("No photo was answered, so there are no scores.")
    calibration, overall = reliability(predictions), precision_recall(predictions)
    curves = {
        label: precision_recall(predictions, label)
        for label, numbers in evaluation.metrics.per_class.items()
        if numbers["support"]
    }
    drawn = sorted(curves, key=lambda label: curves[label].average_precision)[:MOST_CURVES]
    drawn = [label for label in curves if label in set(drawn)]  # in the order of the table
    every = [
        figure(
            chart_of_all_answers(overall),
            "All answers: precision against recall, as the score threshold falls from left to right.",
        ),
        figure(
            chart_of_reliability(calibration),
            f"Reliability: on the dotted line a score of 0.8 is right in 80 %. Expected calibration error {calibration.error:.3f}.",
        ),
        figure(
            chart_of_scores([p.score for p in answered if p.right], [p.score for p in answered if not p.right]),
            "Scores of right and of wrong answers. A threshold helps where they lie apart.",
        ),
    ]
    small = (
        figure(chart_of_class(curves[label], number), join([name(label), f" {curves[label].average_precision:.3f}"]))
        for number, label in enumerate(drawn)
        if len(curves[label].thresholds)
    )
    left_out = len(curves) - len(drawn)
    return join(
        [
            paragraph(
                f"{evaluation.runtime.name} answers its winning class alone, so all curves are over the winner's score: a photo that was "
                "given another class counts as not found, whatever the threshold."
            ),
            figures([*every, _by_threshold(overall)]),
            element("h3", "Precision-recall by class, with the average precision"),
            paragraph(f"The {len(drawn)} weakest of {len(curves)} classes.", class_="note") if left_out else "",
            figures(small, "small"),
        ]
    )


def _by_threshold(overall: PrecisionRecall) -> Html:
    rows = []
    for threshold in THRESHOLDS:
        at = int((overall.thresholds >= threshold).sum()) - 1  # the curve's last point at which such answers count
        shares = (percent(float(one[at])) if at >= 0 else None for one in (overall.precision, overall.recall))
        rows.append([f"{threshold:g}", *shares])
    columns = ["score from", "precision", "right, of all photos"]
    return table("If only answers with such a score counted (an app's threshold)", columns, rows)


def _latency(evaluation: Evaluation) -> Html:
    times = [p.milliseconds for p in evaluation.predictions if p.milliseconds]
    if evaluation.latency_p50 is None or evaluation.latency_p95 is None or not times:
        return paragraph(f"Not measured: {evaluation.runtime.name} was not asked.")
    caption = (
        f"{evaluation.runtime.call}, on this machine: median {evaluation.latency_p50:.1f} ms, "
        f"95th percentile {evaluation.latency_p95:.1f} ms. What is beyond the right edge is counted there."
    )
    return figure(chart_of_latency(times, evaluation.latency_p50, evaluation.latency_p95), caption)


def _asked(evaluation: Evaluation, asking: Asking) -> Html:
    return join(
        [
            facts([("date", when(asking.when)), *_options(evaluation, asking)]),
            element("h3", f"The {asking.model.noun}"),
            facts(asking.model.about().items()),
            asking.model.versions(),
        ]
    )


def _options(evaluation: Evaluation, asking: Asking) -> Iterator[tuple[str, Any]]:
    images = asking.questions.images
    yield "photos", "the run's test part" if images is None else images.name
    yield "asked", evaluation.asked
    if asking.group_by is not None:
        yield "--group-by", code(asking.group_by)
    for option, value in asking.model.settings(asking.questions).items():
        flag = f"--{option.replace('_', '-')}"
        yield flag, ("yes" if value else "no") if isinstance(value, bool) else f"{value:g}"
    if asking.other is not None:
        yield "--compare", code(asking.other.name)
        if asking.other.runtime != asking.model.runtime:
            yield "the other asked", asking.other.runtime.on_photos
