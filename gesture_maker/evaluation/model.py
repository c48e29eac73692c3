"""What can be asked about labelled photos: a gesture bundle, a classifier on pixels, or what else answers with a class.

Measuring, intervals, files and report page are the same for all of them (evaluate.py, report/page.py). What they differ in is here:
which questions they can be asked, who asks them, and what can be told of where they are from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gesture_maker.errors import ConfigError, DatasetError
from gesture_maker.evaluation.questions import Questions, find_photos, own_test_photos
from gesture_maker.evaluation.report.html import Html, Section
from gesture_maker.evaluation.report.pictures import Pictures
from gesture_maker.evaluation.report.provenance import table_of_versions
from gesture_maker.evaluation.results import Prediction, Runtime
from gesture_maker.progress import Progress
from gesture_maker.training.run_folder import RunFolder


class Model(ABC):
    """A model that answers to photos with one of its classes.

    `runtime`: what asks it. `file`: what is asked. `run`: the training that it is of, None when a file was given. `variant`: what tells the file from the run's
    own, such as how it was quantized, for its name and that of its results; empty for that one.
    """

    runtime: Runtime
    file: Path
    run: RunFolder | None
    variant: str = ""

    noun: ClassVar[str] = "model"
    """What it is called in sentences, and the key of its file in `metrics.json`."""

    @property
    def name(self) -> str:
        """How it is called: the run's name and the variant's, or the file's."""
        return " ".join(filter(None, (self.run.name, self.variant))) if self.run else self.file.name

    @property
    @abstractmethod
    def labels(self) -> list[str]:
        """Its classes, as photos are labelled. Raises a GestureMakerError for a damaged file."""

    @property
    def canned(self) -> str:
        """What is said below the number of answers by canned gestures; empty where there can be none."""
        return ""

    def questions(self, images: str | Path | None, group_by: str | None) -> Questions:
        """Return what it is to be asked about: a folder of class folders or a dataset's name, or its run's own test part (None).

        `group_by`: a regular expression on file names, as for training. Raises a GestureMakerError when there is nothing to ask about.
        """
        if images is not None:
            return find_photos(images, group_by)
        if self.run is None:
            raise DatasetError(f"Name the photos to evaluate {self.file} on: a folder with one folder per class.")
        if group_by is not None:
            raise ConfigError("The groups of a run's own test part are those of its training: leave out --group-by.")
        return own_test_photos(self.run)

    def check(self, questions: Questions) -> None:
        """Raise DatasetError for questions of a sort that it cannot answer: by default landmarks without photos."""
        if questions.rows is not None:
            raise DatasetError(
                f"{self.name} answers to photos, and {questions.images or 'the test part'} has landmarks only: name a folder of photos."
            )

    @abstractmethod
    def ask(self, questions: Questions, pictures: Pictures, progress: Progress | None = None) -> list[Prediction]:
        """Return its answers, in the order of the questions. `pictures` takes the photos that were answered wrongly.

        Raises a GestureMakerError for a model that does not work.
        """

    def settings(self, questions: Questions) -> Mapping[str, Any]:  # noqa: ARG002
        """Return with which options it is asked these questions, by the names of the command's options without dashes."""
        return {}

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Return what identifies its file, as names and values for a reader."""

    @abstractmethod
    def training_facts(self) -> dict[str, Any]:
        """Return what its training is described by, as names and values for a reader; nothing where that is not known."""

    @abstractmethod
    def training(self) -> Html:
        """Return how it was trained."""

    def versions(self) -> Html:
        """Return the versions that its training and this evaluation were made with."""
        return table_of_versions(self.run)

    def sections(self, predictions: Sequence[Prediction]) -> Sequence[Section]:  # noqa: ARG002
        """Return further parts of the page, which stand before its training."""
        return ()


def results_folder(model: Model, name: str, of: str = "photos") -> Path:
    """Return where results go when nothing else is said: `evaluation/<name>` in the run, or beside the file.

    `of`: "photos" or "videos", whose results of the same name are not written over by each other's.
    """
    beside = model.run.path / "evaluation" if model.run else model.file.parent / f"{model.file.stem}_evaluation"
    name = "_".join(filter(None, (name, model.variant)))
    others = "frames.csv" if of == "photos" else "predictions.csv"
    return beside / (f"{name}_{of}" if (beside / name / others).exists() else name)


def about_unknown_classes(classes: Collection[str], model: Model) -> list[str]:
    """Return sentences on classes that a model does not know. Raises DatasetError when it knows none of them."""
    unknown = sorted(set(classes) - set(model.labels))
    if unknown and len(unknown) == len(classes):
        raise DatasetError(
            f"{model.file} knows none of the classes of these photos ({', '.join(unknown)}): its classes are "
            f"{', '.join(model.labels)}."
        )
    return [f'The {model.noun} does not know the class "{name}": its photos count as wrong.' for name in unknown]
