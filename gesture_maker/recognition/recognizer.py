"""MediaPipe's GestureRecognizer on photos: what an app that loads the bundle will answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from gesture_maker.images import Pixels, read_image
from gesture_maker.landmarks.views import BORDERED_VIEWS, PLAIN_VIEW, look
from gesture_maker.recognition.answers import Recognition
from gesture_maker.recognition.runtime import Runtime, RuntimeOptions


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
        options = RuntimeOptions(
            num_hands, min_hand_detection_confidence, min_hand_presence_confidence, min_tracking_confidence, canned
        )
        self._views = BORDERED_VIEWS if border else PLAIN_VIEW
        self._runtime = Runtime(bundle, options, "IMAGE")
        self.labels = self._runtime.labels
        self._seconds = 0.0

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
        return Recognition(self._runtime.hands(result, width, height, margin), self._seconds)

    def close(self) -> None:
        """Free the recognizer."""
        self._runtime.close()

    def __enter__(self) -> Recognizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _recognize(self, pixels: Pixels) -> Any | None:
        image = self._runtime.image(pixels)
        start = time.perf_counter()
        try:
            result = self._runtime.recognizer.recognize(image)
        except (RuntimeError, ValueError) as error:
            raise self._runtime.misfit() from error
        self._seconds = time.perf_counter() - start
        return result if result.hand_landmarks else None
