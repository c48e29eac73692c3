"""What an evaluation found: the answer to each photo, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.evaluation.intervals import Interval, accuracy_interval
from gesture_maker.evaluation.metrics import Metrics
from gesture_maker.evaluation.paired import Difference, difference
from gesture_maker.training.crossvalidate import group_numbers

ON_LANDMARKS = "on landmarks, not through GestureRecognizer: the bundle's embedder and classifiers alone"


@dataclass(frozen=True)
class Runtime:
    """What of MediaPipe asks a model: its `name`, whether a photo goes without an answer where it `finds_hands` and there is none,
    whether `canned` gestures may answer in place of the model's own classes, and whether it `crops` photos to the hand before."""

    name: str
    finds_hands: bool
    canned: bool
    crops: bool = False

    @property
    def on_photos(self) -> str:
        """How photos were asked about, the end of a sentence."""
        cropped = ", cropped to the hand where there is one" if self.crops else ""
        return f"on photos{cropped}, through MediaPipe's {self.name}"

    @property
    def call(self) -> str:
        """What the latency is of, the beginning of a sentence."""
        return f"{'Finding the hand and one' if self.crops else 'One'} call of {self.name} on one photo"


GESTURE_RECOGNIZER = Runtime("GestureRecognizer", finds_hands=True, canned=True)
IMAGE_CLASSIFIER = Runtime("ImageClassifier", finds_hands=False, canned=False)


@dataclass(frozen=True)
class Prediction:
    """The answer to one photo.

    `answer` is None when no hand was found or the photo cannot be read (`reason` says which); `handedness` is the
    probability of a right hand, None where no hand is known; `group` the person or burst, empty where it is not known.
    """

    path: Path
    file: str
    label: str
    answer: str | None
    score: float
    canned: bool
    handedness: float | None
    milliseconds: float
    reason: str = ""
    group: str = ""

    @property
    def right(self) -> bool:
        """Whether the custom classifier answered with the photo's class."""
        return self.answer == self.label and not self.canned


@dataclass(frozen=True, eq=False)
class Comparison:
    """Another model's answers to the same photos, in their order.

    `name`: of its run or file; `noun`: what it is, "bundle" or "model"; `difference`: by how much the first is better; `warnings`: what
    makes the comparison unfair.
    """

    name: str
    noun: str
    file: Path
    metrics: Metrics
    predictions: tuple[Prediction, ...]
    difference: Difference
    warnings: tuple[str, ...]
    runtime: Runtime = GESTURE_RECOGNIZER

    def mended(self, predictions: Sequence[Prediction]) -> list[int]:
        """Return which photos `predictions`, those of the first, has right and the other wrong."""
        return [i for i, (one, two) in enumerate(self._pairs(predictions)) if one.right and not two.right]

    def broken(self, predictions: Sequence[Prediction]) -> list[int]:
        """Return which photos the other has right and `predictions`, those of the first, wrong."""
        return [i for i, (one, two) in enumerate(self._pairs(predictions)) if two.right and not one.right]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`."""
        numbers = {"accuracy": self.metrics.accuracy, **vars(self.difference)}
        return {"name": self.name, self.noun: str(self.file), **numbers, "warnings": list(self.warnings)}

    def _pairs(self, predictions: Sequence[Prediction]) -> list[tuple[Prediction, Prediction]]:
        return list(zip(predictions, self.predictions, strict=True))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an evaluation found and where it wrote `metrics.json`, `predictions.csv`, `confusion_matrix.png` and the report.

    `interval`: of the accuracy, None without photos. `latency_p50`, `latency_p95`: milliseconds of one call of the runtime on
    one photo; None on landmarks. `asked`: how, `Runtime.on_photos` or `ON_LANDMARKS`. `report`: the page. `comparison`: with another
    model, where that was asked for.
    """

    metrics: Metrics
    interval: Interval | None
    predictions: tuple[Prediction, ...]
    latency_p50: float | None
    latency_p95: float | None
    folder: Path
    warnings: tuple[str, ...]
    asked: str = GESTURE_RECOGNIZER.on_photos
    comparison: Comparison | None = None
    runtime: Runtime = GESTURE_RECOGNIZER

    @property
    def knows_hands(self) -> bool:
        """Whether it is known of some photos which hand they show."""
        return self.runtime.finds_hands or any(p.handedness is not None for p in self.predictions)

    @property
    def report(self) -> Path:
        """The page that shows all of it, `report/index.html`."""
        return self.folder / "report" / "index.html"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`."""
        latency = {"p50": self.latency_p50, "p95": self.latency_p95}
        interval = vars(self.interval) if self.interval else None
        about = {"asked": self.asked, "latency_milliseconds": latency, "warnings": list(self.warnings)}
        compared = {"compared_with": self.comparison.as_dict()} if self.comparison else {}
        return {**self.metrics.as_dict(), "interval": interval, **about, **compared}


def interval_of(predictions: Sequence[Prediction]) -> Interval | None:
    """Return the accuracy of the answers with its 95 % interval, by the photos' groups; None without answers."""
    if not predictions:
        return None
    return accuracy_interval(_right(predictions), _groups(predictions))


def difference_of(first: Sequence[Prediction], second: Sequence[Prediction]) -> Difference:
    """Return how much better the first answers are than the second to the same photos, by the photos' groups."""
    return difference(_right(first), _right(second), _groups(first))


def _right(predictions: Sequence[Prediction]) -> npt.NDArray[np.bool_]:
    return np.array([p.right for p in predictions], bool)


def _groups(predictions: Sequence[Prediction]) -> npt.NDArray[np.int64]:
    return group_numbers([p.group for p in predictions])
