"""MediaPipe's HandLandmarker on single photos."""

from __future__ import annotations

from typing import Any

import numpy as np

from gesture_maker.assets import asset_bytes
from gesture_maker.bundle.task import hand_landmarker_task
from gesture_maker.files import sha256_of
from gesture_maker.images import Pixels
from gesture_maker.landmarks.hands import POINTS, Hand
from gesture_maker.landmarks.views import BORDERED_VIEWS, look, to_photo
from gesture_maker.mediapipe_runtime import load_mediapipe, quiet_stderr

MIN_DETECTION_CONFIDENCE = 0.5
"""The landmarker's own default. Model Maker's 0.7 loses 23% of the Sign Language Digits photos, 0.5 with a border 0.1%."""


class HandDetector:
    """Finds the most certain hand of a photo. Not to be shared between threads, nor created before a fork."""

    def __init__(self, min_detection_confidence: float = MIN_DETECTION_CONFIDENCE) -> None:
        self.min_detection_confidence = min_detection_confidence
        mediapipe = load_mediapipe()
        from mediapipe.tasks.python import BaseOptions, vision

        task = hand_landmarker_task(asset_bytes("hand_detector"), asset_bytes("hand_landmarks_detector"))
        options = vision.HandLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=task),
            num_hands=1,
            min_hand_detection_confidence=min_detection_confidence,
        )
        self._mediapipe = mediapipe
        with quiet_stderr():
            self._landmarker = vision.HandLandmarker.create_from_options(options)
            # The notes of the first inference would otherwise be printed in the middle of a progress bar.
            self._detect(np.zeros((64, 64, 3), np.uint8))

    def find(self, pixels: Pixels, views: tuple[float, ...] = BORDERED_VIEWS) -> Hand | None:
        """Return the hand in photo coordinates, or None when no view of the photo shows one.

        `pixels`: uint8 [height, width, 3], RGB, upright.
        """
        seen = look(pixels, self._detect, views)
        if seen is None:
            return None
        result, margin = seen
        height, width = pixels.shape[:2]
        return hand_from_result(result, 0, width, height, margin)

    def close(self) -> None:
        """Free the landmarker."""
        self._landmarker.close()

    def __enter__(self) -> HandDetector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _detect(self, pixels: Pixels) -> Any | None:
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        result = self._landmarker.detect(image)
        return result if result.hand_landmarks and result.hand_world_landmarks and result.handedness else None


def hand_from_result(result: Any, index: int, width: int, height: int, margin: int) -> Hand:
    """Return one hand of a HandLandmarker's or GestureRecognizer's result for a photo seen with a border of `margin` pixels.

    `width`, `height`: of the photo without the border.
    """
    landmarks = np.empty((POINTS, 3), np.float32)
    for row, point in enumerate(result.hand_landmarks[index]):
        landmarks[row] = (
            to_photo(point.x, width, margin),
            to_photo(point.y, height, margin),
            point.z * (width + 2 * margin) / width,
        )
    world = np.array([(p.x, p.y, p.z) for p in result.hand_world_landmarks[index]], np.float32)
    return Hand(landmarks, world, probability_of_right(result.handedness[index][0]), width, height, margin)


def probability_of_right(category: Any) -> float:
    """Return the probability of a right hand from the landmarker's answer, which is that of the likelier hand."""
    score = float(category.score)
    return score if category.category_name == "Right" else 1.0 - score


def detection_key(
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE,
    views: tuple[float, ...] = BORDERED_VIEWS,
    mirrored: bool = False,
) -> str:
    """Return a short key of everything that decides which landmarks a photo gets, besides its pixels."""
    parts = (
        asset_bytes("hand_detector"),
        asset_bytes("hand_landmarks_detector"),
        repr((float(min_detection_confidence), tuple(map(float, views)))).encode(),
    )
    return sha256_of(b"".join(sha256_of(part).encode() for part in parts))[:16] + ("-mirrored" if mirrored else "")
