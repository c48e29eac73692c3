"""MediaPipe's GestureRecognizer on photos: what an app that loads the bundle will answer."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.bundle.task import labels_of, read_task, write_task
from gesture_maker.dataset.names import NONE, class_of_bundle_label
from gesture_maker.embedders.builtin import silent_canned_classifier_bytes
from gesture_maker.errors import BundleError, ConfigError
from gesture_maker.images import Pixels, read_image
from gesture_maker.landmarks.detector import hand_from_result
from gesture_maker.landmarks.hands import Hand
from gesture_maker.landmarks.views import BORDERED_VIEWS, PLAIN_VIEW, look
from gesture_maker.mediapipe_runtime import load_mediapipe, quiet_stderr


@dataclass(frozen=True, eq=False)
class RecognizedHand:
    """One hand and the gesture it makes.

    `gesture`: a class (`none` when it makes none); `score`: 0..1; `canned`: whether Google's canned classifier said it;
    `hand`: where it is.
    """

    gesture: str
    score: float
    canned: bool
    hand: Hand


@dataclass(frozen=True, eq=False)
class Recognition:
    """The answer for one photo: its hands (none when no hand was found), and the time of the runtime's call in seconds."""

    hands: tuple[RecognizedHand, ...]
    seconds: float

    @property
    def best(self) -> RecognizedHand | None:
        """The hand with the surest gesture; one that makes a gesture goes before one that makes none."""
        return max(self.hands, key=lambda hand: (hand.gesture != NONE, hand.score), default=None)


class Recognizer:
    """A bundle, loaded into MediaPipe's GestureRecognizer in IMAGE mode.

        with gesture_maker.Recognizer("gesture_recognizer.task") as recognizer:
            print(recognizer.recognize("photo.jpg").best)

    `border`: when no hand is found in the photo as it is, or where it fills the frame, look again with a replicated border
    (see `landmarks/views.py`). `canned`: let Google's canned gestures answer where the custom head says `None`. The
    confidences and `num_hands` are those of MediaPipe's GestureRecognizerOptions. Raises BundleError for a file that is no
    gesture recognizer bundle.
    """

    def __init__(
        self,
        bundle: Path | str | bytes,
        *,
        num_hands: int = 1,
        min_hand_detection_confidence: float = 0.5,
        min_hand_presence_confidence: float = 0.5,
        min_tracking_confidence: float = 0.5,
        border: bool = True,
        canned: bool = True,
    ) -> None:
        if num_hands < 1:
            raise ConfigError(f"num_hands is {num_hands}, but has to be at least 1.")
        confidences = {
            "min_hand_detection_confidence": min_hand_detection_confidence,
            "min_hand_presence_confidence": min_hand_presence_confidence,
            "min_tracking_confidence": min_tracking_confidence,
        }
        for name, value in confidences.items():
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} is {value}, but has to be a number from 0 to 1.")
        content, self.labels = _loadable(bundle, canned)
        self._views = BORDERED_VIEWS if border else PLAIN_VIEW
        self._mediapipe = load_mediapipe()
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.GestureRecognizerOptions(
            base_options=BaseOptions(model_asset_buffer=content), num_hands=num_hands, **confidences
        )
        self._bundle_name = _name(bundle)
        problem = None
        with quiet_stderr():  # also when it fails: one sentence says it, in place of MediaPipe's log
            try:
                self._recognizer = vision.GestureRecognizer.create_from_options(options)
                self._ask(np.zeros((64, 64, 3), np.uint8))  # has the notes of the first inference printed now
            except (RuntimeError, ValueError) as error:
                problem = error
        if problem is not None:
            detail = next(iter(str(problem).strip().splitlines()), "").rstrip(" :")
            raise BundleError(f"MediaPipe cannot load {self._bundle_name} ({detail}): export it again.") from problem

    def recognize(self, photo: Pixels | Path | str) -> Recognition:
        """Return the hands of one photo, given as a file or as uint8 [height, width, 3] RGB.

        Raises UnreadableImage for a file that is no usable image, BundleError when a part of the bundle does not work
        with the others, which shows only once there is a hand.
        """
        pixels = read_image(Path(photo)) if isinstance(photo, str | Path) else photo
        self._seconds = 0.0
        seen = look(pixels, self._recognize, self._views)
        if seen is None:
            return Recognition((), self._seconds)
        result, margin = seen
        height, width = pixels.shape[:2]
        hands = []
        for index, gestures in enumerate(result.gestures):
            label = gestures[0].category_name if gestures else ""
            custom = label in self.labels or class_of_bundle_label(label) == NONE
            hands.append(
                RecognizedHand(
                    gesture=class_of_bundle_label(label),
                    score=float(gestures[0].score) if gestures else 0.0,
                    canned=not custom,
                    hand=hand_from_result(result, index, width, height, margin),
                )
            )
        return Recognition(tuple(hands), self._seconds)

    def close(self) -> None:
        """Free the recognizer."""
        with contextlib.suppress(RuntimeError, ValueError):  # after a failed recognition it complains once more
            self._recognizer.close()

    def __enter__(self) -> Recognizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _recognize(self, pixels: Pixels) -> Any | None:
        try:
            result = self._ask(pixels)
        except (RuntimeError, ValueError) as error:
            raise BundleError(
                f"MediaPipe cannot run {self._bundle_name}: one of its models does not fit the others, export it again."
            ) from error
        return result if result.hand_landmarks else None

    def _ask(self, pixels: Pixels) -> Any:
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        start = time.perf_counter()
        result = self._recognizer.recognize(image)
        self._seconds = time.perf_counter() - start
        return result


def _loadable(bundle: Path | str | bytes, canned: bool) -> tuple[bytes, list[str]]:
    parts = read_task(bundle if isinstance(bundle, bytes) else Path(bundle))
    labels = labels_of(parts.custom_gesture_classifier) if parts.custom_gesture_classifier else []
    if not canned:
        parts = replace(parts, canned_gesture_classifier=silent_canned_classifier_bytes())
    return write_task(parts), labels


def _name(bundle: Path | str | bytes) -> str:
    return "the bundle" if isinstance(bundle, bytes) else str(bundle)
