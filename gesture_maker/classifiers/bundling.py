"""A classifier to a `.task`, which is put in place only after it has been proved against scikit-learn.

What a search compares is which label is the likeliest, so the bundle's score threshold is 0: with Model Maker's 0.5 the runtime would
drop many answers of a forest or of nearest neighbours, whose winner often has less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.bundle.card import as_code, use_lines
from gesture_maker.bundle.export import TOLERANCE, task_with
from gesture_maker.bundle.task import MAX_BYTES, labels_of, read_task
from gesture_maker.classifiers.classifier import Classifier, scores_of
from gesture_maker.classifiers.kinds import MODEL_MAKER
from gesture_maker.classifiers.tensors import EMBEDDER_OF, FEATURES_OF, classifier_tflite
from gesture_maker.dataset.names import bundle_label
from gesture_maker.embedders import EmbedderFiles, embedder_files
from gesture_maker.errors import BundleError, ConfigError
from gesture_maker.files import atomic_write, sha256_of
from gesture_maker.landmarks.hands import EmbedderInputs, Floats
from gesture_maker.recognition.class_scores import ClassScores
from gesture_maker.recognition.recognizer import Recognizer
from gesture_maker.training.tflite import TfliteEmbedder, classify

MOST_COMPARED = 500
"""Of more hands so many are compared, at even distances: they take 0.1 s, with nearest neighbours of 20,000 hands 2 s."""

_SAME_DISTANCE = 1e-6
"""Neighbours whose distances differ by less than this share of them are equally near: float32 has a resolution of 1e-7, and the
sum of 64 squares is a few of that off."""

_NO_DISTANCE = 1e-5
"""In the unit of the features, what scikit-learn may say of equal hands in place of 0: it takes the square of a difference apart, and
what remains of 64 in float64 is 1e-14, the square of 1e-7."""


@dataclass(frozen=True)
class Bundled:
    """The `.task` of a classifier, its model card, SHA-256 and labels, and how its scores compare with scikit-learn's.

    `model_bytes`: of the classifier's TFLite in it. `largest_difference`: of all scores of `compared` hands, where scikit-learn is
    given the embedding that the bundle's embedder computes. `from_landmarks`: the same where it is given the features that numpy
    computes, which differ by 2e-6 at most; that may be another branch of a tree, or another neighbour, but was for none of 10,752
    noisy hands with 200 trees or 5 neighbours. `other_answers`: how many of the hands then get another label.
    """

    bundle: Path
    card: Path
    sha256: str
    labels: tuple[str, ...]
    model_bytes: int
    compared: int
    largest_difference: float
    score_threshold: float
    from_landmarks: float = 0.0
    other_answers: int = 0


@dataclass(frozen=True)
class Proof:
    """What was compared, see `Bundled`."""

    compared: int
    largest_difference: float
    from_landmarks: float
    other_answers: int


def bundle_classifier(
    classifier: Classifier,
    target: Path,
    rows: Floats,
    *,
    score_threshold: float = 0.0,
    about: Mapping[str, Any] | None = None,
) -> Bundled:
    """Write the classifier as a `.task` and a model card (`.md`) beside it, both or none.

    `rows`: hands as float32 [N, 127] to compare the bundle with scikit-learn on, better not those it was trained on.
    `score_threshold`: answers with a lower score do not count, 0..1. `about`: what the card is to say of it, by name
    (`accuracy`, `hands` …). Raises ConfigError for settings that cannot be, BundleError when the bundle is too large or does not
    answer as the classifier does.
    """
    if not 0 <= score_threshold <= 1:
        raise ConfigError(f"score_threshold is {score_threshold}, but has to be a number from 0 to 1.")
    if target.suffix != ".task":
        raise ConfigError(f"{target} does not end in .task, by which apps know a bundle: name it {target.name}.task.")
    _check_size(classifier, getattr(getattr(classifier.estimator, "_fit_X", None), "nbytes", 0))
    files = embedder_files(EMBEDDER_OF[classifier.features])
    model = classifier_tflite(classifier)
    labels = [bundle_label(label) for label in classifier.labels]
    content = task_with(model, labels, score_threshold, files)
    _check_size(classifier, len(content))
    proof = prove(content, classifier, files, np.asarray(rows, np.float32))
    written = Bundled(
        target,
        target.with_name(f"{target.stem}.md"),
        sha256_of(content),
        tuple(labels),
        len(model),
        proof.compared,
        proof.largest_difference,
        score_threshold,
        proof.from_landmarks,
        proof.other_answers,
    )
    with atomic_write(written.bundle) as temporary, atomic_write(written.card) as temporary_card:  # both or none
        temporary.write_bytes(content)
        temporary_card.write_text(_card(classifier, written, files, about or {}), encoding="utf-8")
    return written


def prove(content: bytes, classifier: Classifier, files: EmbedderFiles, rows: Floats) -> Proof:
    """Return how the scores of a `.task` compare with scikit-learn's on hands as rows [N, 127], of which some are taken.

    Raises BundleError when it does not load in GestureRecognizer, has other labels, or its scores for the same embedding
    differ by more than `TOLERANCE`. Hands that are equally near to several stored ones have no one right answer to be
    compared with, see `_undecided`.
    """
    model = read_task(content).custom_gesture_classifier
    assert model is not None
    labels = [bundle_label(label) for label in classifier.labels]
    if labels_of(model) != labels:
        raise BundleError(f"The bundle has the labels {labels_of(model)}, not {labels}: it was not put in place.")
    with Recognizer(content) as recognizer:
        recognizer.recognize(np.zeros((256, 256, 3), np.uint8))
    if len(rows) > MOST_COMPARED:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_COMPARED).astype(int)]
    if not len(rows):
        return Proof(0, 0.0, 0.0, 0)
    inputs = EmbedderInputs.from_rows(rows)
    embeddings = TfliteEmbedder(files.embedder)(inputs)
    given = embeddings[:, : FEATURES_OF[classifier.features]]
    if classifier.kind == MODEL_MAKER:
        expected = classifier.estimator.head_.scores(embeddings)
    else:
        expected = scores_of(classifier.estimator, given, len(labels))
    apart = np.abs(classify(model, embeddings) - expected).max(axis=1)
    counted = np.ones(len(rows), bool)
    if classifier.kind == "nearest-neighbours":
        counted = ~((apart > TOLERANCE) & _undecided(classifier.estimator, given))
    difference = float(apart[counted].max(initial=0))
    if not (difference <= TOLERANCE and np.isfinite(apart).all()):
        raise BundleError(
            f"The bundle's scores differ from scikit-learn's by {difference:.1e}, more than {TOLERANCE:.0e}: "
            "it was not put in place. Train it with other settings."
        )
    scores = ClassScores(content)
    try:
        found = np.array(scores.of_inputs(inputs), np.float32)
    finally:
        scores.close()
    wanted = classifier.scores(rows)
    others = int((found.argmax(axis=1) != wanted.argmax(axis=1)).sum())
    return Proof(int(counted.sum()), difference, float(np.abs(found - wanted).max()), others)


def _undecided(estimator: Any, given: Floats) -> npt.NDArray[np.bool_]:
    """Return which hands have as near a neighbour beyond those that count, or lie on several at once: bool [N].

    Which of them counts, or has the distance 0, rests on the last digit of a sum, and on the order in which it was taken. Rare: of
    1,440 noisy hands among 17,900 stored ones at most one, and its scores were the same.
    """
    neighbours = min(estimator.n_neighbors + 1, len(estimator._fit_X))
    distances, _ = estimator.kneighbors(given, n_neighbors=neighbours)
    undecided = np.zeros(len(given), bool)
    if neighbours > estimator.n_neighbors:
        undecided = distances[:, -1] - distances[:, -2] <= _SAME_DISTANCE * distances[:, -1]
    if estimator.weights == "distance" and neighbours > 1:
        undecided |= distances[:, 1] <= _NO_DISTANCE
    return np.asarray(undecided, bool)


def _check_size(classifier: Classifier, size: int) -> None:
    if size > MAX_BYTES:
        raise BundleError(
            f"The .task of {classifier.title} would have {size / (1 << 20):.0f} MB, more than the {MAX_BYTES >> 20} that a bundle may "
            "have: train on fewer hands, or use another kind of classifier."
        )


def _card(classifier: Classifier, written: Bundled, files: EmbedderFiles, about: Mapping[str, Any]) -> str:
    title = classifier.title[0].upper() + classifier.title[1:]
    gestures = ", ".join(as_code(label) for label in written.labels if label != "None")
    settings = ", ".join(f"{name} {value}" for name, value in classifier.parameters.items())
    threshold = (
        f"Answers with a score below {written.score_threshold:g} do not count."
        if written.score_threshold
        else "The likeliest counts, however low its score: the score threshold is 0, so that the bundle answers what was compared."
    )
    compared = (
        f"- On {written.compared} hands its scores differ from scikit-learn's by {written.largest_difference:.1e} at most, given the "
        f"same embedding; from landmarks on by {written.from_landmarks:.1e}, with another answer to {written.other_answers}."
        if written.compared
        else "- Its scores were compared with scikit-learn's on no hand."
    )
    return "\n".join(
        [
            f"# {title}: a MediaPipe gesture recognizer",
            "",
            f"{as_code(written.bundle.name)}, SHA-256 `{written.sha256}`.",
            "",
            "## Gestures",
            "",
            f"{gestures}. `None` is the answer to a hand that makes none of them.",
            threshold,
            "",
            "## Classifier",
            "",
            f"- {title}{f': {settings}' if settings else ''}; {written.model_bytes:,} bytes as TFLite.",
            f"- Embedder: gesture-maker's (`{files.name}`), SHA-256 `{files.checksums['gesture_embedder']}`.",
            compared,
            "",
            *(["## Measured", "", *(f"- {_said(name, value)}" for name, value in about.items()), ""] if about else []),
            *use_lines(written.bundle.name),
        ]
    )


def _said(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}: {_worded(value)}."


def _worded(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{str(name).replace('_', ' ')} {_worded(one)}" for name, one in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
