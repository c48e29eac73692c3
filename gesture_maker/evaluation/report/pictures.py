"""Small pictures of the photos that were answered wrongly, made while the photo is at hand, so that none is read twice.

The hand that is drawn is the one that the answer came from.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from gesture_maker.images import Pixels
from gesture_maker.landmarks.drawing import close_up
from gesture_maker.landmarks.hands import Hand

SIDE = 240  # pixels of the longer side: sharp at 160 points on a phone, 5 to 12 kB
QUALITY = 82  # of the JPEG; at 70 the thin lines get halos

MOST_BYTES = 12_000_000
"""Of all pictures of one bundle's answers: about 1,200, a page of 16 MB as text, which browsers still open at once."""


@dataclass(frozen=True)
class Picture:
    """A JPEG of so many pixels, with the hand's landmarks where there was one."""

    jpeg: bytes
    width: int
    height: int


class Pictures:
    """Pictures by the number of their photo, until the space is used up; each class gets the same share of it.

    `classes`: how many there are; `only`: the photos that are wanted, all when None.
    """

    def __init__(self, classes: int, only: Collection[int] | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._share = most_bytes // max(1, classes)
        self._only, self._used = only, Counter[str]()
        self.by_photo: dict[int, Picture] = {}

    def add(self, number: int, label: str, pixels: Pixels, hand: Hand | None) -> None:
        """Keep a picture of a photo (uint8 [height, width, 3] RGB) of a class, where there is space left for it."""
        if (self._only is not None and number not in self._only) or self._used[label] > self._share:
            return
        picture = picture_of(pixels, hand)
        self._used[label] += len(picture.jpeg)
        if self._used[label] <= self._share:  # else the class is full: no other photo is tried
            self.by_photo[number] = picture


def picture_of(pixels: Pixels, hand: Hand | None) -> Picture:
    """Return a small picture of a photo (uint8 [height, width, 3] RGB), of the part around its hand, with its landmarks."""
    from PIL import Image

    small = close_up(pixels, hand, SIDE)
    written = io.BytesIO()
    Image.fromarray(small).save(written, "JPEG", quality=QUALITY, optimize=True)
    return Picture(written.getvalue(), small.shape[1], small.shape[0])
