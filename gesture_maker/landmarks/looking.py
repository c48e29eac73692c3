"""One look at one photo: what every engine does with its bytes, so that all of them give the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gesture_maker.errors import UnreadableImage
from gesture_maker.images import MIN_SIDE, Pixels, read_image
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE, HandDetector, detection_key
from gesture_maker.landmarks.hands import NOT_FOUND, Hand, HandOrNot, NoHand

Box = Sequence[float]
"""Left, top, width and height, as shares of the photo's width and height."""

BOX_MARGIN = 0.5
"""Around a box, as a share of its longer side: what `BORDERED_VIEWS` tries first, here with the photo's own background."""

BOX_VIEWS: tuple[float, ...] = (0.0, 0.25)


@dataclass(frozen=True)
class Look:
    """The settings of a look. `mirrored`: in a mirror, where the hand is the other one."""

    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE
    mirrored: bool = False

    def key(self, box: Box | None = None) -> str:
        """Return the `detection` under which its answers are kept."""
        key = detection_key(self.min_detection_confidence, mirrored=self.mirrored)
        return key if box is None else key + "@" + ",".join(f"{value:.5f}" for value in box)


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
    around = BOX_MARGIN * max(w, h)
    left, top = max(0, round(x - around)), max(0, round(y - around))
    right, bottom = min(width, round(x + w + around)), min(height, round(y + h + around))
    if min(right - left, bottom - top) < MIN_SIDE:
        return NoHand(f"its box of {round(w)}x{round(h)} pixels is too small to show a hand")
    part = pixels[top:bottom, left:right]
    hand = detector.find(part[:, ::-1] if look.mirrored else part, BOX_VIEWS)
    if hand is None:
        return NOT_FOUND
    landmarks = hand.landmarks.copy()
    # In the mirror image of the photo the part begins where it ends in the photo.
    begin = width - right if look.mirrored else left
    landmarks[:, 0] = (landmarks[:, 0] * (right - left) + begin) / width
    landmarks[:, 1] = (landmarks[:, 1] * (bottom - top) + top) / height
    landmarks[:, 2] *= (right - left) / width
    return Hand(landmarks, hand.world, hand.handedness, width, height)
