"""A bundle's answers to landmarks, where there are no photos: its own embedder and classifiers, without GestureRecognizer.

What is left out is GestureRecognizer's look at the photo; the scores from there on are its own to 2e-6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gesture_maker.bundle.task import TaskBundle, labels_of, score_threshold_of
from gesture_maker.dataset.names import NONE, class_of_bundle_label
from gesture_maker.errors import BundleError
from gesture_maker.landmarks.hands import EmbedderInputs, Floats, Hand, embedder_inputs
from gesture_maker.training.crossvalidate import known_group
from gesture_maker.training.run import Run
from gesture_maker.training.sources import TableSource
from gesture_maker.training.stream import sampled

MOST_ROWS = 100_000
"""Of a larger table so many hands are asked about, at random: the accuracy is then known to 0.001 (95 %), in 4 s."""


@dataclass(frozen=True, eq=False)
class Rows:
    """N labelled photos of which the landmarks are known. `hands`: those of the M photos that show one, in their order;
    `reasons`: why a photo shows none, empty where it does; `groups`: the person or burst, empty where not known."""

    files: list[str]
    labels: list[str]
    shas: list[str]
    reasons: list[str]
    groups: list[str]
    hands: EmbedderInputs
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = (self.files, self.labels, self.shas, self.reasons, self.groups)
        if len({len(column) for column in columns}) != 1:
            raise ValueError("files, labels, shas, reasons and groups are not of the same photos")
        if self.reasons.count("") != len(self.hands):
            raise ValueError("there are not as many hands as photos that show one")


@dataclass(frozen=True)
class Answer:
    """What a bundle says of a hand: a class, its score, and whether it was the canned classifier that said it."""

    gesture: str
    score: float
    canned: bool


def rows_of_table(path: Path, min_detection_confidence: float, group_by: str | None = None) -> Rows:
    """Return the labelled rows of a table of landmarks, a random sample of them when they are many. Raises DatasetError."""
    source = TableSource(path, group_by, min_detection_confidence)
    warnings = source.warnings
    where = None
    if source.survey.hands > MOST_ROWS:
        where = sampled(source.survey, np.ones(len(source), bool), MOST_ROWS)
        warnings += (f"Of the {source.survey.hands} hands in {path} a random sample of {MOST_ROWS} was asked about.",)
    photos = source.look(None, where)
    answers = [seen.answer for _, seen in photos]
    return Rows(
        [image.file for image, _ in photos],
        [image.label for image, _ in photos],
        [seen.sha256 for _, seen in photos],
        ["" if isinstance(answer, Hand) else answer.reason for answer in answers],
        [image.group if image.group and image.group != image.file else "" for image, _ in photos],
        embedder_inputs([answer for answer in answers if isinstance(answer, Hand)]),
        warnings,
    )


def rows_of_test_part(run: Run) -> Rows:
    """Return the test part of a run by the landmarks that it keeps. Raises RunError when it is damaged."""
    with_hand = run.rows_of_hands("test")
    without = [row for row in run.split() if row.part == "test" and row.reason]
    rows = [*with_hand, *without]
    return Rows(
        [row.file for row in rows],
        [row.label for row in rows],
        [row.sha256 for row in rows],
        [row.reason for row in rows],
        [known_group(row) for row in rows],
        run.hands("test"),
    )


def answers_to(bundle: TaskBundle, hands: EmbedderInputs, canned: bool = True) -> list[Answer]:
    """Return what a bundle answers to each of N hands. `canned`: let its canned classifier answer where the custom one says `None`.

    Source: GestureRecognizer's graph. The custom classifier's winner counts when its score reaches the threshold and it is not
    the background label; else the canned classifier is asked. Raises BundleError for a bundle without a custom classifier.
    """
    from gesture_maker.training.tflite import TfliteEmbedder, classify

    if bundle.custom_gesture_classifier is None:
        raise BundleError("The bundle has no custom gesture classifier: give a bundle of `gesture-maker export`.")
    embeddings = TfliteEmbedder(bundle.gesture_embedder)(hands)
    if not len(embeddings):
        return []
    first = _answers(bundle.custom_gesture_classifier, classify(bundle.custom_gesture_classifier, embeddings))
    undecided = [index for index, answer in enumerate(first) if answer.gesture == NONE]
    if canned and undecided and len(labels_of(bundle.canned_gesture_classifier)) > 1:
        scores = classify(bundle.canned_gesture_classifier, embeddings[undecided])
        for index, answer in zip(undecided, _answers(bundle.canned_gesture_classifier, scores), strict=True):
            if answer.gesture != NONE:
                first[index] = replace(answer, canned=answer.gesture not in labels_of(bundle.custom_gesture_classifier))
    return first


def _answers(classifier: bytes, scores: Floats) -> list[Answer]:
    labels = [class_of_bundle_label(label) for label in labels_of(classifier)]
    threshold = score_threshold_of(classifier) or 0.0
    winners = scores.argmax(axis=1)
    best = scores[np.arange(len(scores)), winners]
    return [
        Answer(labels[winner] if score >= threshold else NONE, float(score), False)
        for winner, score in zip(winners.tolist(), best, strict=True)
    ]
