"""One look at one photo: what every engine does with its bytes, so that all of them give the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gesture_maker.errors import UnreadableImage
from gesture_maker.images import MIN_SIDE, Pixels, read_image
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE, HandDetector, detection_key
from gesture_maker.landmarks.hands import NOT_FOUND, Floats, Hand, HandOrNot, NoHand

Box = Sequence[float]
"""Left, top, width and height, as shares of the photo's width and height."""

BOX_LOOKS: tuple[tuple[float, float], ...] = ((1.0, 0.0), (0.5, 0.25), (0.35, 0.25), (0.15, 0.5))
"""How a box is looked at until its hand is found: how much of the photo around it is seen, as a share of the box's longer side, and
the border put around that, as a share of what is seen. Measured with 42 boxes of 33 to 141 pixels in the 36 photos of `model_maker_sample` in which
there are hands (share in which a hand is found / the hand of the box; 6 photos show two):

    around the box   no border       border of 0.25   border of 0.5
    0                0.36 / 0.31     0.79 / 0.79      0.83 / 0.83
    0.15             0.64 / 0.64     0.93 / 0.88      0.98 / 0.95
    0.35             0.86 / 0.83     1.00 / 0.98      1.00 / 0.98
    0.5              0.88 / 0.86     1.00 / 0.98      0.98 / 0.95
    1.0              1.00 / 0.98     1.00 / 0.98      0.98 / 0.95
    2.0              1.00 / 0.93     1.00 / 0.91      0.93 / 0.86"""

MIN_OVERLAP = 0.3
"""Of what is found with the box (intersection over union), else it is the hand beside: the right ones had at least 0.46, also with
boxes moved and resized by a tenth, hands of others up to about 0.3."""

MIN_BOX = MIN_SIDE / 2
"""Pixels, the longer side of a box: the smallest measured had 33, and MIN_SIDE is for photos that the hand does not fill."""


@dataclass(frozen=True)
class Look:
    """The settings of a look. `mirrored`: in a mirror, where the hand is the other one."""

    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE
    mirrored: bool = False

    def key(self, box: Box | None = None) -> str:
        """Return the `detection` under which its answers are kept."""
        key = detection_key(self.min_detection_confidence, mirrored=self.mirrored)
        return key if box is None else key + box_key(box)


def box_key(box: Box) -> str:
    """Return what a box adds to the key of a look."""
    return "@" + ",".join(f"{value:.5f}" for value in box)


@dataclass(frozen=True)
class Found:
    """What an engine answers for image `index` of a listing; `answer` is None when that look was known already.

    `sha256` is empty when the file could not be read at all, and its answer is then not kept.
    """

    index: int
    sha256: str
    answer: HandOrNot | None


def look_at(content: bytes, name: str, look: Look, detector: HandDetector, box: Box | None = None) -> HandOrNot:
    """Return the hand in a photo, or in a box of it, in the photo's coordinates; or the reason there is none."""
    try:
        pixels = read_image(content, name=name)
    except UnreadableImage as error:
        return NoHand(error.reason)
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:  # the landmarker finds a hand in such a photo, but not the one that is there
        return NoHand(f"{width}x{height} pixels are too few to show a hand")
    if box is not None:
        return _in_box(pixels, box, look, detector)
    return detector.find(pixels[:, ::-1] if look.mirrored else pixels) or NOT_FOUND


def _in_box(pixels: Pixels, box: Box, look: Look, detector: HandDetector) -> HandOrNot:
    height, width = pixels.shape[:2]
    x, y, w, h = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    if max(w, h) < MIN_BOX:
        return NoHand(f"its box of {round(w)}x{round(h)} pixels is too small to show a hand")
    if look.mirrored:
        pixels, x = pixels[:, ::-1], width - x - w
    for share, border in BOX_LOOKS:
        around = share * max(w, h)
        left, top = max(0, round(x - around)), max(0, round(y - around))
        right, bottom = min(width, round(x + w + around)), min(height, round(y + h + around))
        if min(right - left, bottom - top) < MIN_SIDE:
            continue
        hand = detector.find(pixels[top:bottom, left:right], (border,))
        if hand is None:
            continue
        landmarks = hand.landmarks.copy()
        landmarks[:, 0] = (landmarks[:, 0] * (right - left) + left) / width
        landmarks[:, 1] = (landmarks[:, 1] * (bottom - top) + top) / height
        landmarks[:, 2] *= (right - left) / width
        if _overlap(landmarks, (x / width, y / height, w / width, h / height)) >= MIN_OVERLAP:
            return Hand(landmarks, hand.world, hand.handedness, width, height)
    return NOT_FOUND


def _overlap(landmarks: Floats, box: Box) -> float:
    """Return the intersection over union of the landmarks' extent and a box."""
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    begin = np.asarray(box[:2], np.float64)
    end = begin + box[2:]
    both = float(np.maximum(np.minimum(high, end) - np.maximum(low, begin), 0).prod())
    return both / (float((high - low).prod()) + float((end - begin).prod()) - both)
