"""From photos to what the network sees: the whole photo or its hand, stretched to a square as MediaPipe's ImageClassifier does it.

ImageClassifier stretches whatever it is given and picks a pixel, blended with its neighbours, for each of its own, with corners on corners and without any
smoothing before: what is trained on is made the same way (equal to it in every pixel, for sizes from 7 x 9 to 419 x 237).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gesture_maker.errors import ConfigError
from gesture_maker.images import Pixels
from gesture_maker.landmarks.hands import Hand

CROPS = ("none", "hand")
"""What the network is shown: the whole photo, or a square around the hand that the landmarks tell, and where none is found the whole photo."""

MARGIN = 0.25
"""Around the box of the landmarks on each side, as a share of its longer side: they end within the fingertips, and know nothing of the hand's edge."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, of which the last are outside."""


@dataclass(frozen=True)
class Seeing:
    """How a photo becomes a picture of `side` x `side` pixels. `crop`: one of `CROPS`; `margin`: around the hand, see `MARGIN`."""

    side: int
    crop: str = "none"
    margin: float = MARGIN

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise ConfigError(f"There is no crop {self.crop!r}: use {' or '.join(CROPS)}.")
        if not 0 <= self.margin <= 2:
            raise ConfigError(f"margin is {self.margin}, but has to be a number from 0 to 2.")

    def box(self, pixels: Pixels, hand: Hand | None) -> Box:
        """Return the part of a photo, uint8 [height, width, 3], that is seen."""
        height, width = pixels.shape[:2]
        if self.crop == "none" or hand is None:
            return 0, 0, width, height
        return around(hand, width, height, self.margin)

    def picture(self, pixels: Pixels, box: Box) -> Pixels:
        """Return what the network sees of a part of a photo, uint8 [side, side, 3]."""
        return stretched(cut(pixels, box), self.side)


def around(hand: Hand, width: int, height: int, margin: float) -> Box:
    """Return the square around a hand in a photo of `width` x `height` pixels; where the photo ends, so does it, unless nothing would be left."""
    points = hand.landmarks[:, :2] * (width, height)
    low, high = points.min(axis=0), points.max(axis=0)
    half = max(float((high - low).max()) * (0.5 + margin), 1.0)
    middle = np.clip((low + high) / 2, 0, (width - 1, height - 1))
    left, top = (max(0, int(np.floor(one))) for one in middle - half)
    right, bottom = (min(limit, int(np.ceil(one))) for one, limit in zip(middle + half, (width, height), strict=True))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def cut(pixels: npt.NDArray[np.uint8], box: Box) -> npt.NDArray[np.uint8]:
    """Return a part of a photo or mask, in memory of its own."""
    left, top, right, bottom = box
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def stretched(pixels: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Return a photo or mask, uint8 [height, width, …], as ImageClassifier gives it to a network: uint8 [side, side, …]."""
    import cv2

    height, width = pixels.shape[:2]
    scale = np.array([[side / width, 0, 0], [0, side / height, 0], [0, 0, 1]], np.float32)
    made = cv2.warpPerspective(pixels, scale, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(made, np.uint8)
