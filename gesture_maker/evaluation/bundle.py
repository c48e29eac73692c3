"""A gesture bundle that is asked: a `.task` through GestureRecognizer, or its models alone where there are landmarks only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gesture_maker.bundle import finding
from gesture_maker.bundle.task import TaskBundle, labels_of, read_task, score_threshold_of
from gesture_maker.dataset.folder import find_dataset
from gesture_maker.dataset.names import class_of_bundle_label
from gesture_maker.errors import BundleError
from gesture_maker.evaluation.asking import ask_about_landmarks, ask_about_photos, hand_answer
from gesture_maker.evaluation.model import Model
from gesture_maker.evaluation.questions import Questions, landmarks_of_table, landmarks_of_test_part
from gesture_maker.evaluation.report.html import Html, code, join, name, paragraph
from gesture_maker.evaluation.report.pictures import Pictures
from gesture_maker.evaluation.report.provenance import about_file, about_training, training_facts, written_in
from gesture_maker.evaluation.results import GESTURE_RECOGNIZER, Prediction
from gesture_maker.progress import Progress
from gesture_maker.recognition.recognizer import Recognizer
from gesture_maker.training.run import Run
from gesture_maker.training.table_source import is_table

OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "num_hands": 1,
        "min_hand_detection_confidence": 0.5,
        "min_hand_presence_confidence": 0.5,
        "min_tracking_confidence": 0.5,
        "border": True,
        "canned": True,
    }
)
"""Those of `Recognizer`, as they are when nothing else is said; of these `canned` alone counts for landmarks."""


@dataclass(frozen=True, eq=False)
class Bundle(Model):
    """A `.task` file, the run that it is of (None when the file was given), and with which `OPTIONS` it is asked."""

    file: Path
    run: Run | None
    options: Mapping[str, Any] = field(default_factory=lambda: OPTIONS)

    runtime = GESTURE_RECOGNIZER
    noun = "bundle"

    @cached_property
    def parts(self) -> TaskBundle:
        """What is in it. Raises BundleError for a file that is no gesture recognizer bundle."""
        return read_task(self.file)

    @cached_property
    def labels(self) -> list[str]:
        """The classes of its custom classifier, as photos are labelled. Raises BundleError when it has none."""
        head = self.parts.custom_gesture_classifier
        labels = labels_of(head) if head else []
        if not labels:
            raise BundleError(f"{self.file} has no custom gesture classifier: give a bundle of `gesture-maker export`.")
        return [class_of_bundle_label(label) for label in labels]

    @property
    def has_canned(self) -> bool:
        """Whether its canned classifier knows more than the background."""
        return len(labels_of(self.parts.canned_gesture_classifier)) > 1

    @property
    def canned(self) -> str:
        """What is said below the number of answers by canned gestures."""
        if not self.has_canned:
            return "custom / canned (none in the bundle)"
        return "custom / canned" if self.options["canned"] else "custom / canned (silenced)"

    def questions(self, images: str | Path | None, group_by: str | None) -> Questions:
        """Return what it is to be asked about: photos as any model, or a table of landmarks in their place."""
        if images is not None and is_table(place := find_dataset(images)):
            return landmarks_of_table(images, place, self.options["min_hand_detection_confidence"], group_by)
        if images is None and self.run is not None and group_by is None and self.run.photos_are_elsewhere():
            return landmarks_of_test_part(self.run)
        return super().questions(images, group_by)

    def check(self, questions: Questions) -> None:
        """Do nothing: it answers to photos and to landmarks."""

    def ask(self, questions: Questions, pictures: Pictures, progress: Progress | None = None) -> list[Prediction]:
        """Return GestureRecognizer's answers to photos, or those of the bundle's models to landmarks."""
        if questions.rows is not None:
            return ask_about_landmarks(self.parts, questions.rows, self.options["canned"], progress)
        with Recognizer(self.file, **self.options) as recognizer:
            return ask_about_photos(partial(hand_answer, recognizer), questions.photos, pictures, progress)

    def settings(self, questions: Questions) -> Mapping[str, Any]:
        """Return the options that count for these questions."""
        return self.options if questions.rows is None else {"canned": self.options["canned"]}

    def about(self) -> dict[str, Any]:
        """Return what identifies it: its file, checksum, classes, score threshold, and the checksums of its models."""
        head = self.parts.custom_gesture_classifier
        threshold = score_threshold_of(head) if head else None
        found = {
            **about_file(self.file),
            "classes": join([name(label) for label in self.labels], ", "),
            "score threshold": f"{threshold:g}" if threshold else "none",
            "canned gestures": "yes" if self.has_canned else "none in the bundle",
        }
        checksums = written_in(self.run, "checksums") if self.run else {}
        return found | {f"{part.replace('_', ' ')} SHA-256": code(value) for part, value in checksums.items()}

    def training_facts(self) -> dict[str, Any]:
        """Return what its training is described by; nothing without its run."""
        return training_facts(self.run) if self.run else {}

    def training(self) -> Html:
        """Return how it was trained: facts, what was estimated, and the curves of the training where they are."""
        if self.run is None:
            return paragraph("A .task file does not tell how it was trained: evaluate its run to see that here.")
        best_epoch = bool(written_in(self.run, "settings").get("best_epoch"))
        return about_training(self.run, self.training_facts(), best_epoch, "focal")


def find_bundle(bundle: str | Path, options: Mapping[str, Any] = OPTIONS) -> Bundle:
    """Return a `.task` file, or the bundle of a run (its folder or its name), to be asked with these `OPTIONS`.

    Raises RunError when it was never exported.
    """
    return Bundle(*finding.find_bundle(bundle), options)


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
