"""A bundle in MediaPipe's GestureRecognizer, in any of its running modes: what photos, films and cameras share."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.bundle.task import labels_of, read_task, write_task
from gesture_maker.dataset.names import NONE, class_of_bundle_label
from gesture_maker.embedders.builtin import silent_canned_classifier_bytes
from gesture_maker.errors import BundleError, ConfigError
from gesture_maker.images import Pixels
from gesture_maker.landmarks.detector import hand_from_result
from gesture_maker.mediapipe_runtime import load_mediapipe, quiet_stderr
from gesture_maker.recognition.answers import RecognizedHand

BEGIN_SECONDS = 10.0  # at most, for the answer to the first picture; it takes 0.1


@dataclass(frozen=True)
class RuntimeOptions:
    """The settings of MediaPipe's GestureRecognizerOptions, with their names, and whether canned gestures answer.

    Raises ConfigError for a value that cannot be.
    """

    num_hands: int = 1
    min_hand_detection_confidence: float = 0.5
    min_hand_presence_confidence: float = 0.5
    min_tracking_confidence: float = 0.5
    canned: bool = True

    def __post_init__(self) -> None:
        if self.num_hands < 1:
            raise ConfigError(f"num_hands is {self.num_hands}, but has to be at least 1.")
        for name, value in self.confidences.items():
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} is {value}, but has to be a number from 0 to 1.")

    @property
    def confidences(self) -> dict[str, float]:
        """The three confidences by their names."""
        return {
            "min_hand_detection_confidence": self.min_hand_detection_confidence,
            "min_hand_presence_confidence": self.min_hand_presence_confidence,
            "min_tracking_confidence": self.min_tracking_confidence,
        }


class Runtime:
    """A bundle, loaded. `mode` is IMAGE, VIDEO or LIVE_STREAM; the last hands its answers to `callback`.

    `labels`: those of the custom classifier, as the bundle has them. It has seen a black picture, with the time stamp 0, so
    that what MediaPipe prints at its first inference is not seen. Raises BundleError for a file that is no gesture
    recognizer bundle.
    """

    def __init__(
        self,
        bundle: Path | str | bytes,
        options: RuntimeOptions,
        mode: str,
        callback: Callable[[Any, Any, int], None] | None = None,
    ) -> None:
        content, self.labels = _loadable(bundle, options.canned)
        self.name = "the bundle" if isinstance(bundle, bytes) else str(bundle)
        self._begun = threading.Event()
        self._mediapipe = load_mediapipe()
        from mediapipe.tasks.python import BaseOptions, vision

        settings = vision.GestureRecognizerOptions(
            base_options=BaseOptions(model_asset_buffer=content),
            running_mode=vision.RunningMode[mode],
            num_hands=options.num_hands,
            result_callback=self._after_beginning(callback) if callback else None,
            **options.confidences,
        )
        problem = None
        with quiet_stderr():  # also when it fails: one sentence says it, in place of MediaPipe's log
            try:
                self.recognizer = vision.GestureRecognizer.create_from_options(settings)
                self._begin(mode)  # has the notes of the first inference printed now
            except (RuntimeError, ValueError) as error:
                problem = error
        if problem is not None:
            detail = next(iter(str(problem).strip().splitlines()), "").rstrip(" :")
            raise BundleError(f"MediaPipe cannot load {self.name} ({detail}): export it again.") from problem

    def _begin(self, mode: str) -> None:
        black = self.image(np.zeros((64, 64, 3), np.uint8))
        if mode == "IMAGE":
            self.recognizer.recognize(black)
        elif mode == "VIDEO":
            self.recognizer.recognize_for_video(black, 0)
        else:
            self.recognizer.recognize_async(black, 0)
            self._begun.wait(BEGIN_SECONDS)

    def _after_beginning(self, callback: Callable[[Any, Any, int], None]) -> Callable[[Any, Any, int], None]:
        """Return `callback` without the answer to the black picture."""

        def answered(result: Any, image: Any, stamp: int) -> None:
            if stamp:
                callback(result, image, stamp)
            else:
                self._begun.set()

        return answered

    def image(self, pixels: Pixels) -> Any:
        """Return uint8 [height, width, 3] RGB as MediaPipe's image."""
        return self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))

    def hands(self, result: Any, width: int, height: int, margin: int = 0) -> tuple[RecognizedHand, ...]:
        """Return the hands of a result, for a picture of `width` x `height` seen with a border of `margin` pixels."""
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
        return tuple(hands)

    def misfit(self) -> BundleError:
        """Return the error for a bundle that fails once there is a hand."""
        return BundleError(
            f"MediaPipe cannot run {self.name}: one of its models does not fit the others, export it again."
        )

    def close(self) -> None:
        """Free the recognizer; in the mode LIVE_STREAM, after the answers under way have been given."""
        with contextlib.suppress(RuntimeError, ValueError):  # after a failed recognition it complains once more
            self.recognizer.close()


def _loadable(bundle: Path | str | bytes, canned: bool) -> tuple[bytes, list[str]]:
    parts = read_task(bundle if isinstance(bundle, bytes) else Path(bundle))
    labels = labels_of(parts.custom_gesture_classifier) if parts.custom_gesture_classifier else []
    if not canned:
        parts = replace(parts, canned_gesture_classifier=silent_canned_classifier_bytes())
    return write_task(parts), labels
