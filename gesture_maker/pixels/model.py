"""A classifier on pixels that is evaluated: its TFLite through MediaPipe's ImageClassifier, on photos with or without a hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gesture_maker.evaluation.asking import Answer, ask_about_photos
from gesture_maker.evaluation.model import Model
from gesture_maker.evaluation.questions import Questions
from gesture_maker.evaluation.report.html import Html, Section, join, name, paragraph, table
from gesture_maker.evaluation.report.numbers import between, counted, percent
from gesture_maker.evaluation.report.pictures import Pictures
from gesture_maker.evaluation.report.provenance import about_file, about_training, training_facts, written_in
from gesture_maker.evaluation.results import IMAGE_CLASSIFIER, Prediction, interval_of
from gesture_maker.images import Pixels
from gesture_maker.pixels.classifier import PixelClassifier
from gesture_maker.pixels.map_gallery import where_it_looks
from gesture_maker.pixels.pictures import cut
from gesture_maker.pixels.run import PixelRun
from gesture_maker.progress import Progress
from gesture_maker.training.pixels.backbones import BACKBONES


class PixelModel(Model):
    """A training on pixels, asked through ImageClassifier as an app would ask it.

    `file`: a .tflite of it in place of its own, such as a quantized one.
    """

    run: PixelRun

    def __init__(self, run: PixelRun, file: Path | None = None) -> None:
        own = run.path / run.MODEL
        self.runtime = replace(IMAGE_CLASSIFIER, crops=run.seeing.crop == "hand")
        self.run, self.file = run, file or own
        self.variant = "" if self.file.resolve() == own.resolve() else self.file.stem.removeprefix("model_")

    @property
    def labels(self) -> list[str]:
        """The classes in the order of the network's outputs."""
        return list(self.run.labels)

    def ask(self, questions: Questions, pictures: Pictures, progress: Progress | None = None) -> list[Prediction]:
        """Return ImageClassifier's answers. The pictures of those that are wrong show what the network saw of the photo."""
        model = self.file if self.variant else None
        with PixelClassifier(self.run, model) as classifier:
            return ask_about_photos(partial(_answer, classifier), questions.photos, pictures, progress)

    def about(self) -> dict[str, Any]:
        """Return what identifies the file, and what it takes."""
        side = self.run.seeing.side
        return {
            **about_file(self.file),
            "classes": join([name(label) for label in self.labels], ", "),
            "network": BACKBONES[self.run.settings.backbone].title,
            "sees": f"{self._seen}, as {side} × {side} pixels",
        }

    def training_facts(self) -> dict[str, Any]:
        """Return what the training is described by."""
        parts = Counter(row.part for row in self.run.split() if row.part)
        told = {**training_facts(self.run), "parts": ", ".join(f"{part} {count}" for part, count in parts.items())}
        about = self.run.description
        stages = (_stage(name, one) for name, one in written_in(self.run, "stages").items())
        further = {
            "sees": self._seen,
            "network": BACKBONES[self.run.settings.backbone].title,
            "weights before": written_in(self.run, "weights").get("name", "none"),
            "parameters": about.get("parameters"),
            "photos with a mask": about.get("masks"),
            "stages": "; ".join(stages),
            "kept": about.get("kept"),
        }
        return told | {key: value for key, value in further.items() if value not in (None, "")}

    def training(self) -> Html:
        """Return how it was trained, with its curves."""
        return about_training(self.run, self.training_facts())

    def sections(self, predictions: Sequence[Prediction]) -> Sequence[Section]:
        """Return where the network looks, and how well it does without a hand where it is cropped to hands."""
        found = [Section("maps", "Where the network looks", where_it_looks(self.run, predictions))]
        if self.runtime.crops:
            found.append(Section("crops", "Cropped to the hand", _with_and_without_hand(predictions)))
        return found

    @property
    def _seen(self) -> str:
        if not self.runtime.crops:
            return "the whole photo"
        return f"the hand with {self.run.seeing.margin:g} of its size around it, the whole photo where none is found"


def _stage(called: str, about: Mapping[str, Any]) -> str:
    """Return what a stage of the training came to, such as `top: 10 epochs, validation 81.0 %, test 79.5 %`."""
    reached = [f"{part} {percent(about[part]['accuracy'])}" for part in ("validation", "test") if part in about]
    return ", ".join([f"{called}: {counted(about['epochs'], 'epoch')}", *reached])


def _answer(classifier: PixelClassifier, pixels: Pixels) -> Answer:
    said = classifier.classify(pixels)
    hand = said.hand.handedness if said.hand is not None else None
    return Answer(said.label, said.score, False, hand, said.milliseconds, shown=cut(pixels, said.crop))


def _with_and_without_hand(predictions: Sequence[Prediction]) -> Html:
    rows: list[list[Any]] = []
    for what, found in (("a hand, cropped to it", True), ("no hand, taken whole", False)):
        some = [p for p in predictions if not p.reason and (p.handedness is not None) == found]
        own = interval_of(some)
        share = percent(sum(p.right for p in some) / len(some)) if some else None
        rows.append([what, len(some), share, between(own.low, own.high) if own else None])
    about = paragraph("Where no hand is found there is nothing to crop to, and the network is shown the whole photo.")
    return join(
        [about, table("Accuracy by what was found in the photo", ["found", "photos", "right", "95 % interval"], rows)]
    )
