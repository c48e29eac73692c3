"""A classifier on pixels in MediaPipe's ImageClassifier: what an app that loads its TFLite file will answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError, RunError
from gesture_maker.images import Pixels
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.landmarks.hands import Floats, Hand
from gesture_maker.mediapipe_runtime import load_mediapipe, quiet_stderr
from gesture_maker.pixels.pictures import Box, cut
from gesture_maker.pixels.run import PixelRun
from gesture_maker.recognition.answers import Recognition, RecognizedHand


@dataclass(frozen=True, eq=False)
class PixelAnswer:
    """The answer to one photo: the best class and its score, 0..1; `scores`: of all classes, float32 [classes].

    `milliseconds`: of ImageClassifier, with the hand's finding where it is looked for. `hand`: where it was found; `crop`: the part of the photo that was asked about.
    """

    label: str
    score: float
    milliseconds: float
    hand: Hand | None
    crop: Box
    scores: Floats


class PixelClassifier:
    """A training on pixels, loaded into ImageClassifier. Not for two threads at a time.

    `model`: a TFLite file of the run in place of its own, such as a quantized one. `threshold`: of `answered`, a picture whose best score is less
    shows no gesture. Raises RunError for a file that ImageClassifier cannot run, or that has other classes.
    """

    def __init__(self, run: PixelRun, model: Path | None = None, threshold: float = 0.0) -> None:
        if not 0 <= threshold <= 1:
            raise ConfigError(f"threshold is {threshold:g}, but has to be a number from 0 to 1.")
        self.labels, self._seeing = run.labels, run.seeing
        self._threshold = threshold
        self._classifier = _loaded(run, model)
        self._detector = HandDetector() if self._seeing.crop == "hand" else None
        try:
            self.scores(np.zeros((self._seeing.side, self._seeing.side, 3), np.uint8))
        except RunError:
            self.close()
            raise

    def classify(self, pixels: Pixels) -> PixelAnswer:
        """Return the answer to a photo, uint8 [height, width, 3] RGB."""
        begin = time.perf_counter()
        hand = self._detector.find(pixels) if self._detector else None
        box = self._seeing.box(pixels, hand)
        scores = self.scores(cut(pixels, box))
        milliseconds = 1000 * (time.perf_counter() - begin)
        best = int(np.argmax(scores))
        return PixelAnswer(self.labels[best], float(scores[best]), milliseconds, hand, box, scores)

    def answered(self, pixels: Pixels) -> Recognition:
        """Return the same as live recognition has it: one answer, with the hand where one was looked for and found."""
        answer = self.classify(pixels)
        gesture = answer.label if answer.score >= self._threshold else NONE
        return Recognition((RecognizedHand(gesture, answer.score, False, answer.hand),), answer.milliseconds / 1000)

    def scores(self, pixels: Pixels) -> Floats:
        """Return the scores of a picture, uint8 [height, width, 3] RGB, as it is: float32 [classes]. Raises RunError."""
        mediapipe = load_mediapipe()
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
        try:
            with_classes = self._classifier.classify(image).classifications[0].categories
        except (RuntimeError, ValueError) as error:
            raise RunError(
                f"MediaPipe's ImageClassifier cannot run the model ({_first_line(error)}): export it again."
            ) from error
        scores = np.zeros(len(self.labels), np.float32)
        for one in with_classes:
            if one.index >= len(self.labels) or one.category_name != self.labels[one.index]:
                raise RunError("The model has other classes than the run: give one that was exported of it.")
            scores[one.index] = one.score
        return scores

    def close(self) -> None:
        """Free what was loaded."""
        self._classifier.close()
        if self._detector is not None:
            self._detector.close()

    def __enter__(self) -> PixelClassifier:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _loaded(run: PixelRun, model: Path | None) -> Any:
    if model is None:
        content = run.model()
    else:
        try:
            content = model.read_bytes()
        except OSError as error:
            raise RunError(
                f"{model} cannot be read ({error.strerror}): make one with `{run.COMMANDS} export`."
            ) from error
    load_mediapipe()
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_buffer=content), max_results=-1)
    problem = None
    with quiet_stderr():  # also when it fails: one sentence says it, in place of MediaPipe's log
        try:
            return vision.ImageClassifier.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            problem = error
    raise RunError(
        f"MediaPipe's ImageClassifier cannot load {model or run.path / run.MODEL} ({_first_line(problem)}): export it again."
    ) from problem


def _first_line(error: Exception | None) -> str:
    return next(iter(str(error).strip().splitlines()), "").rstrip(" :")
