"""A finished run to a `.task` file, which is put in place only after it has been proved.

Model Maker's metadata writer makes it; the bytes depend on the data, settings and seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gesture_maker.assets import asset_bytes
from gesture_maker.bundle.card import model_card
from gesture_maker.bundle.task import TaskBundle, labels_of, read_task, write_task
from gesture_maker.dataset.names import bundle_label
from gesture_maker.embedders import EmbedderFiles, embedder_files
from gesture_maker.embedders.builtin import silent_canned_classifier_bytes
from gesture_maker.errors import BundleError, ConfigError
from gesture_maker.files import atomic_write, sha256_of
from gesture_maker.training.false_alarms import FalseAlarms, choose_threshold
from gesture_maker.training.model_maker import LabelledEmbeddings, TrainedHead, write_bundle
from gesture_maker.training.run import BUNDLE, Run
from gesture_maker.training.session import load_trained
from gesture_maker.training.tflite import TfliteEmbedder, classify

SCORE_THRESHOLD = 0.5
"""Model Maker's: below it the custom classifier's answer does not count, and the canned classifier is asked."""

TOLERANCE = 1e-4
"""How far the bundle's scores may be from the Keras model's."""


@dataclass(frozen=True)
class Export:
    """What was exported: the bundle, its model card, its SHA-256, its labels, and how its scores compare with Keras's.

    `largest_difference` is over all scores of `compared` hands of the test part (where there is none, of validation, and at
    last of training). `false_alarms`: what was found out when the score threshold was chosen for a false-alarm rate.
    """

    bundle: Path
    card: Path
    sha256: str
    labels: tuple[str, ...]
    compared: int
    largest_difference: float
    score_threshold: float
    false_alarms: FalseAlarms | None = None


def export(
    run: str | Path,
    *,
    out: Path | None = None,
    score_threshold: float | None = None,
    false_alarm_rate: float | None = None,
    canned: bool = True,
    assets: Path | None = None,
    runs: Path | None = None,
) -> Export:
    """Make the `.task` of a finished run, verify it, and put it in place with a model card beside it.

    `out`: the file or the folder it goes to; by default `gesture_recognizer.task` in the run. `score_threshold`: answers with
    a lower score do not count (0..1, by default `SCORE_THRESHOLD`); in its place `false_alarm_rate` chooses the lowest
    threshold from 0.5 with which at most that share (0..1) of hands that make none of the gestures is answered with one, see
    `training/false_alarms.py`. `canned`: let MediaPipe's canned gestures answer where the custom head says `None`, which they can
    with Google's embedder only; without, a classifier with the single label `None` takes their place. `assets`: where Google's
    files are looked for first. Raises ConfigError for settings that cannot be, or a rate that no threshold reaches, RunError for
    a run that is not finished, BundleError when the bundle does not do what the trained head does.
    """
    _check_thresholds(score_threshold, false_alarm_rate)
    found = Run.load_finished(run, runs)
    target = _target(found, out)
    files = embedder_files(found.description["embedder"], assets)
    _check_same_files(found, files)
    if not canned:
        files = replace(files, canned_gesture_classifier=silent_canned_classifier_bytes())
    return _exported(found, load_trained(found), files, target, score_threshold, false_alarm_rate)


def export_trained(run: Run, head: TrainedHead, *, assets: Path | None = None) -> Export:
    """Do what `export` does of a run that was finished just now, with its head at hand: the same bytes in less time."""
    found = Run.load(run.path)  # what was written, so that the card is the same too
    files = embedder_files(found.description["embedder"], assets)
    _check_same_files(found, files)
    return _exported(found, head, files, run.bundle, None, None)


def _exported(
    found: Run,
    head: TrainedHead,
    files: EmbedderFiles,
    target: Path,
    score_threshold: float | None,
    false_alarm_rate: float | None,
) -> Export:
    labels = [bundle_label(label) for label in found.labels]
    false_alarms = None
    if false_alarm_rate is not None:
        false_alarms = choose_threshold(found, head, TfliteEmbedder(files.embedder), false_alarm_rate)
        score_threshold = false_alarms.score_threshold
    elif score_threshold is None:
        score_threshold = SCORE_THRESHOLD
    content = task_with(head.tflite(), labels, score_threshold, files)
    compared, difference = verify(content, labels, head, found)
    card = target.with_name(f"{target.stem}.md")
    with atomic_write(target) as temporary, atomic_write(card) as temporary_card:  # both or none
        temporary.write_bytes(content)
        canned = len(labels_of(files.canned_gesture_classifier)) > 1
        text = model_card(found, target.name, sha256_of(content), score_threshold, false_alarms, canned)
        temporary_card.write_text(text, encoding="utf-8")
    return Export(target, card, sha256_of(content), tuple(labels), compared, difference, score_threshold, false_alarms)


def task_with(head: bytes, labels: list[str], score_threshold: float, files: EmbedderFiles) -> bytes:
    """Return the `.task` of a head (TFLite without metadata), the embedder that it was trained on, and MediaPipe's landmarker."""
    bundle = write_bundle(
        head,
        labels,
        score_threshold,
        hand_detector=asset_bytes("hand_detector"),
        hand_landmarks_detector=asset_bytes("hand_landmarks_detector"),
        gesture_embedder=files.embedder,
        canned_gesture_classifier=files.canned_gesture_classifier,
    )
    return write_task(bundle)


def verify(content: bytes, labels: list[str], head: TrainedHead, run: Run) -> tuple[int, float]:
    """Return how many hands were compared and the largest difference of their scores from the Keras model's.

    Raises BundleError when the bundle does not load in GestureRecognizer, has other labels, or its scores differ by more
    than `TOLERANCE`.
    """
    from gesture_maker.recognition.recognizer import Recognizer  # the one look ahead: the runtime is the proof

    bundle: TaskBundle = read_task(content)
    assert bundle.custom_gesture_classifier is not None
    written = labels_of(bundle.custom_gesture_classifier)
    if written != labels:
        raise BundleError(f"The exported bundle has the labels {written}, not {labels}: it was not put in place.")
    with Recognizer(content) as recognizer:
        recognizer.recognize(np.zeros((256, 256, 3), np.uint8))
    data = _hands_to_compare(run)
    expected, scores = head.scores(data.embeddings), classify(bundle.custom_gesture_classifier, data.embeddings)
    difference = float(np.abs(expected - scores).max()) if len(data) else 0.0
    if not difference <= TOLERANCE:
        raise BundleError(
            f"The bundle's scores differ from the trained head's by {difference:.1e}, more than {TOLERANCE:.0e}: "
            "it was not put in place. Train again."
        )
    return len(data), difference


def _hands_to_compare(run: Run) -> LabelledEmbeddings:
    """Return the hands that training saw least of: of few photos all are trained on."""
    parts = (run.embeddings(part) for part in ("test", "validation"))
    return next((part for part in parts if len(part)), run.embeddings("train"))


def _check_thresholds(score_threshold: float | None, false_alarm_rate: float | None) -> None:
    if score_threshold is not None and false_alarm_rate is not None:
        raise ConfigError("A false_alarm_rate chooses the score_threshold: give one of them.")
    for name, value in (("score_threshold", score_threshold), ("false_alarm_rate", false_alarm_rate)):
        if value is not None and not 0 <= value <= 1:
            raise ConfigError(f"{name} is {value}, but has to be a number from 0 to 1.")


def _target(run: Run, out: Path | None) -> Path:
    if out is None:
        return run.bundle
    if out.is_dir():
        return out / BUNDLE
    if out.suffix != ".task":
        raise ConfigError(f"{out} does not end in .task, by which apps know a bundle: name it {out.name}.task.")
    return out


def _check_same_files(run: Run, files: EmbedderFiles) -> None:
    """Refuse another embedder than the one the head was trained on: its answers would mean nothing."""
    trained = run.description.get("checksums", {}).get("gesture_embedder")
    if trained != files.checksums["gesture_embedder"]:
        raise BundleError(
            f'The run "{run.name}" was trained on another version of the {files.name} embedder '
            f"({str(trained)[:12]}…, now {files.checksums['gesture_embedder'][:12]}…): train again."
        )
