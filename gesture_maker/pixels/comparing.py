"""The winner of a comparison beside a classifier on pixels: trained on the same people, asked about the same photos, each by its own runtime.

Landmarks give no answer where no hand is found, and that counts as wrong; pixels answer always. So the photos held out are asked about all,
and told apart by whether GestureRecognizer finds a hand in them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.classifiers.comparing import compare
from gesture_maker.classifiers.comparison import Comparison, Line
from gesture_maker.classifiers.comparison_parts import Parts
from gesture_maker.dataset.folder import find_dataset
from gesture_maker.errors import DatasetError
from gesture_maker.evaluation.bundle import OPTIONS, Bundle
from gesture_maker.evaluation.evaluate import evaluate
from gesture_maker.evaluation.questions import Questions
from gesture_maker.evaluation.results import Evaluation, Prediction, interval_of
from gesture_maker.files import sha256_of, write_csv, write_json
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE
from gesture_maker.landmarks.hands import NOT_FOUND
from gesture_maker.pixels.exporting import export_pixels
from gesture_maker.pixels.held_out import Sides, refuse_trained_on, sides_of
from gesture_maker.pixels.model import PixelModel
from gesture_maker.pixels.pictures import Seeing
from gesture_maker.pixels.run import PixelRun
from gesture_maker.pixels.train import resume_pixels, train_pixels
from gesture_maker.pixels.weights import Weights, find_weights
from gesture_maker.progress import StageProgress, of_stage
from gesture_maker.training.pixels.backbones import BACKBONES
from gesture_maker.training.pixels.export import check_quantize
from gesture_maker.training.pixels.settings import IMAGENET, SCRATCH, PixelSettings
from gesture_maker.training.run import BUNDLE
from gesture_maker.training.session import versions
from gesture_maker.training.table_source import is_table
from gesture_maker.training.tensorflow_runtime import load_tensorflow

ANSWERS = "with_image"
"""The folder of what both answered."""

TABLE = "comparison_with_image.csv"

_ASKED_FOR = ".training_on_pixels.json"  # what the training on pixels in an unfinished comparison's folder is of

_COLUMNS = (
    *("classifier", "sort", "right", "photos", "accuracy", "low", "high", "right_with_hand", "with_hand"),
    *("right_without_hand", "without_hand", "bytes", "latency_p50"),
)


@dataclass(frozen=True)
class ImageChoice:
    """The classifier on pixels to be compared: how one is trained (see `train_pixels`), or the `run` of one that was.

    `epochs`: None for the default. `quantize`: in which numbers it is asked, "none" for float32, see `export_pixels`.
    """

    backbone: str = "resnet50"
    weights: str | Path = IMAGENET
    image_size: int = 224
    crop: str = "none"
    epochs: int | None = None
    quantize: str = "none"
    run: str | Path | None = None

    def settings(self, seed: int) -> PixelSettings:
        """Return the settings of the training. Raises ConfigError for what cannot be."""
        return PixelSettings.of(self.given(seed), pretrained=str(self.weights) != SCRATCH)

    def given(self, seed: int) -> dict[str, Any]:
        """Return those settings that are not the defaults'."""
        epochs = {} if self.epochs is None else {"epochs": self.epochs}
        return {"backbone": self.backbone, "image_size": self.image_size, "seed": seed, **epochs}


def compare_with_image(
    data: str | Path,
    image: ImageChoice | None = None,
    *,
    test: str | Path | None = None,
    group_by: str | None = None,
    seed: int = 0,
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE,
    progress: StageProgress | None = None,
    **options: Any,
) -> Comparison:
    """Compare classifiers on hands, and the winner with one on pixels; `with_image` of the result says how they compare.

    `options`: the others of `classifiers.comparing.compare`. The photos of the people that are searched on train the network, a part of them
    decides when it stops, and both are asked about all photos of those held out. `progress` is called with the stages of `compare`, then
    with ("image downloading", "image landmarks", "image reading", "image training" or "asking", done, total). `with_image` has "rows", first the
    landmarks, with the columns of `comparison_with_image.csv`; "difference", by how much pixels are better, as `Difference` and whether it is "sure";
    "sentences" on that, "warnings", and where the "run" and the "report" are, beneath the comparison's folder or anywhere.

    Interrupted at any moment, the same call goes on. Raises a GestureMakerError for data, settings or weights that cannot be used: a table of
    landmarks has no pixels.
    """
    choice = image or ImageChoice()
    for place in (find_dataset(one) for one in (data, test) if one is not None):
        if is_table(place):
            raise DatasetError(
                f"{place} is a table of landmarks, in which there are no pixels: name the folder of its photos."
            )
    beside = _Pixels(choice, group_by, seed, min_detection_confidence, progress)
    # First, since the process keeps what is said at the first call, and the head of Model Maker says one thread.
    load_tensorflow(heavy=True)
    return compare(
        data,
        test=test,
        group_by=group_by,
        seed=seed,
        min_detection_confidence=min_detection_confidence,
        progress=progress,
        beside=beside,
        **options,
    )


class _Pixels:
    """The classifier on pixels, as `compare` takes it. What can be known to be wrong is said when it is made."""

    def __init__(
        self, choice: ImageChoice, group_by: str | None, seed: int, confidence: float, progress: StageProgress | None
    ) -> None:
        self._choice, self._group_by, self._seed, self._confidence = choice, group_by, seed, confidence
        self._progress = progress
        self._run: PixelRun | None = None
        self._weights: Weights | None = None
        self._sides: Sides | None = None
        check_quantize(choice.quantize)
        if choice.run is not None:
            self._run = PixelRun.load_finished(choice.run)
        else:
            self._settings = choice.settings(seed)
            Seeing(choice.image_size, choice.crop)
            self._weights = find_weights(
                choice.weights,
                choice.backbone,
                progress=of_stage(progress, "image downloading"),
            )

    def begin(self, parts: Parts, test: Path | None) -> None:
        """Take note of what is held out, and refuse a run that has seen some of it."""
        self._sides = sides_of(parts, test, self._group_by, self._seed)
        if self._run is not None:
            refuse_trained_on(self._run, self._sides)

    def beside(self, winner: Line, folder: Path) -> Mapping[str, Any]:
        """Train where that is needed, ask both, and write down what comes of it."""
        assert self._sides is not None  # begin() came first
        run = self._run or self._trained(self._sides, folder)
        file = run.quantized(self._choice.quantize)
        if self._choice.quantize != "none" and not file.is_file():
            export_pixels(run.path, self._choice.quantize)
        pixels = _Asked(run, file, self._sides.questions)
        # Not the one at the top, which may have been trained on what is held out.
        bundle = folder / winner.folder / BUNDLE
        hands = _Winner(bundle, None, {**OPTIONS, "min_hand_detection_confidence": self._confidence}, winner.title)
        asked = evaluate(
            pixels,
            compare=hands,
            out=folder / ANSWERS,
            progress=of_stage(self._progress, "asking"),
        )
        found = _told(asked, winner.title, pixels, bundle, folder)
        _write(asked, found, folder)
        (folder / _ASKED_FOR).unlink(missing_ok=True)
        return found

    def _trained(self, sides: Sides, folder: Path) -> PixelRun:
        """Return the training in the comparison's folder: a new one, or what an interrupted call left, finished."""
        choice, place = self._choice, folder / self._choice.backbone
        identity = self._identity(sides)
        if _identity_in(folder) == identity and (place / PixelRun.MARK).is_file():
            run = PixelRun.load(place)
            return run if run.finished else resume_pixels(place, self._told).run
        for name in BACKBONES:
            shutil.rmtree(folder / name, ignore_errors=True)
        write_json(folder / _ASKED_FOR, {"identity": identity})
        return train_pixels(
            sides.place,
            name=choice.backbone,
            settings=choice.given(self._seed),
            weights=choice.weights,
            crop=choice.crop,
            group_by=self._group_by,
            test=sides.other,
            held_out=() if sides.other else [one.photo.file for one in sides.held],
            runs=folder,
            progress=self._told,
        ).run

    def _identity(self, sides: Sides) -> str:
        weights = self._weights.sha256 if self._weights else ""
        told = [self._settings.to_json(), weights, self._choice.crop, sides.identity, versions()]
        return sha256_of(json.dumps(told, sort_keys=True).encode())

    def _told(self, stage: str, done: int, total: int) -> None:
        if self._progress:
            self._progress(f"image {stage}", done, total)


class _Asked(PixelModel):
    """A training on pixels that is asked about the photos held out, whatever its own test part is."""

    def __init__(self, run: PixelRun, file: Path, questions: Questions) -> None:
        super().__init__(run, file)
        self._questions = questions

    def questions(self, images: str | Path | None, group_by: str | None) -> Questions:  # noqa: ARG002
        """Return the photos held out."""
        return self._questions


@dataclass(frozen=True, eq=False)
class _Winner(Bundle):
    """The winner's bundle, called as its kind in the table."""

    title: str = ""

    @property
    def name(self) -> str:
        """What kind of classifier it is."""
        return self.title


def _identity_in(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / _ASKED_FOR).read_text(encoding="utf-8"))["identity"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _told(asked: Evaluation, winner: str, pixels: PixelModel, bundle: Path, folder: Path) -> dict[str, Any]:
    """Return how both compare, as plain values; places in the comparison's `folder` are relative to it."""
    other = asked.comparison
    assert other is not None  # evaluate() was given one
    title = f"{BACKBONES[pixels.run.settings.backbone].title} on pixels"
    if pixels.variant:
        title += f", {pixels.variant}"
    hands = list(other.predictions)
    rows = [
        _row(f"{winner} on landmarks", "landmarks", hands, hands, bundle),
        _row(title, "pixels", asked.predictions, hands, pixels.file),
    ]
    found = other.difference
    warnings = [*pixels.run.description.get("warnings", ()), *asked.warnings, *other.warnings]
    return {
        "rows": rows,
        "difference": {**asdict(found), "sure": found.sure},
        "sentences": _sentences(rows, found),
        "warnings": list(dict.fromkeys(warnings)),
        "run": _within(pixels.run.path, folder),
        "report": _within(asked.report, folder),
        "cropped": asked.runtime.crops,
    }


def _within(path: Path, folder: Path) -> str:
    whole, around = path.resolve(), folder.resolve()
    return whole.relative_to(around).as_posix() if whole.is_relative_to(around) else str(whole)


def _row(
    title: str, sort: str, predictions: Sequence[Prediction], hands: Sequence[Prediction], file: Path
) -> dict[str, Any]:
    """Return a line of the table; `hands`: the answers of the landmarks, which say where a hand was found."""
    interval = interval_of(predictions)
    right = np.array([one.right for one in predictions], bool)
    found = np.array([not one.reason for one in hands], bool)
    missed = np.array([one.reason == NOT_FOUND.reason for one in hands], bool)  # and not: unreadable
    times = [one.milliseconds for one in predictions if one.milliseconds]
    return {
        "classifier": title,
        "sort": sort,
        "right": int(right.sum()),
        "photos": len(right),
        "accuracy": float(right.mean()),
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "right_with_hand": int(right[found].sum()),
        "with_hand": int(found.sum()),
        "right_without_hand": int(right[missed].sum()),
        "without_hand": int(missed.sum()),
        "bytes": file.stat().st_size,
        "latency_p50": float(np.median(times)) if times else None,
    }


def _sentences(rows: Sequence[Mapping[str, Any]], found: Any) -> list[str]:
    hands, pixels = rows
    points = f"{100 * found.difference:+.1f} points (95 % interval {100 * found.low:+.1f} to {100 * found.high:+.1f})"
    told = [
        f"Pixels against landmarks: {points} on the {found.photos} photos held out{'' if found.sure else ': that may be chance'}."
    ]
    if missed := pixels["without_hand"]:
        photos = "1 photo" if missed == 1 else f"{missed} photos"
        told.append(f"In {photos} no hand is found, and pixels are right in {pixels['right_without_hand']} of them.")
    else:
        told.append(f"A hand is found in all {hands['with_hand']} photos that can be read.")
    return told


def _write(asked: Evaluation, found: Mapping[str, Any], folder: Path) -> None:
    """Write the table, and beside the report what both answered to each photo."""
    write_csv(folder / TABLE, found["rows"], _COLUMNS)
    assert asked.comparison is not None
    pairs = zip(asked.predictions, asked.comparison.predictions, strict=True)
    answers = [
        {
            "file": pixels.file,
            "label": pixels.label,
            "group": pixels.group,
            "landmarks": hands.answer or "",
            "pixels": pixels.answer or "",
            "landmarks_right": int(hands.right),
            "pixels_right": int(pixels.right),
            "reason": hands.reason,
        }
        for pixels, hands in pairs
    ]
    write_csv(folder / ANSWERS / "both.csv", answers, list(answers[0]))
