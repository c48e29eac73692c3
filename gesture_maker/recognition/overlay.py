"""What is shown of a frame: the skeleton of each hand, a label beside it, and lines of status at the top left.

Words are drawn by Pillow, in any script (`landmarks/fonts.py`), on dark plates that can be read on any picture. Plates are
kept, so that most frames need no new one. A 1280x720 frame with two hands and two lines of status takes 1.4 ms, mirrored or not,
a 3840x2160 one 9 ms (processor time on x86-64).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.names import NONE
from gesture_maker.images import Pixels
from gesture_maker.landmarks.drawing import draw_hand
from gesture_maker.landmarks.fonts import font_file, readable
from gesture_maker.landmarks.hands import Hand
from gesture_maker.recognition.answers import UNANSWERED
from gesture_maker.recognition.smoothing import ShownHand

Colour = tuple[int, int, int]

PLATE: Colour = (17, 24, 39)
OPACITY = 0.8  # of the plates: white words on them have a contrast of 9:1 on white, more on anything darker
WORDS: Colour = (255, 255, 255)
SMALL_WORDS: Colour = (203, 213, 225)
CUSTOM: Colour = (52, 211, 153)  # the stripe at the left of a label: who answered
CANNED: Colour = (251, 191, 36)
NO_GESTURE: Colour = (148, 163, 184)

LETTER = 1 / 36  # of the geometric mean of width and height: 27 pixels high at 1280x720
SMALLEST_LETTER = 9  # pixels, just readable
SMALL = 0.72  # of the letters' height, for the second line of a label
WIDEST = 0.6  # of the picture's width, for one line
WIDEST_AT_LEAST = 160  # pixels, where the picture has so many
LONGEST_NAME = 60  # letters
SURROUNDINGS = 0.6
"""How much around a hand counts to it, in lengths of its box. `draw_hand` makes lines of 1/160 of what it is given: 5 pixels
for a hand of 330, 1 for one of 60, which 8 pixels, 1/160 of a whole 1280x720 frame, would make a blot."""


def draw_overlay(pixels: Pixels, hands: Sequence[ShownHand], status: str | Sequence[str], *, mirror: bool) -> Pixels:
    """Return a new picture (uint8 [height, width, 3] RGB) of the same size with hands, labels and status drawn on it.

    `pixels` as the camera saw them; `mirror` turns the picture and the hands over, not the words, and a right hand is
    still called right. A label has the gesture and its score, then left or right, and "canned" when Google's classifier
    answered, or "?" and "no answer" when a server did not. It is put above its hand, or where it covers no hand and no other label, and always within the picture.
    The answer about a whole picture is a label of gesture and score alone, below the status.
    """
    import cv2

    height, width = pixels.shape[:2]
    canvas = np.asarray(cv2.flip(pixels, 1), np.uint8) if mirror else pixels.copy()
    placed = [(one, _mirrored(hand) if mirror else hand) for one in hands if (hand := one.raw.hand) is not None]
    around = [_around(hand, width, height) for _, hand in placed]
    letter = max(SMALLEST_LETTER, round(LETTER * (height * width) ** 0.5))
    widest = round(max(WIDEST * width, min(width, WIDEST_AT_LEAST)))
    gap = max(1, letter // 3)

    for (_, hand), box in zip(placed, around, strict=True):
        _draw_skeleton(canvas, hand, box)
    corner = [
        _plate(((line, ""),), letter, widest, None)
        for line in ([status] if isinstance(status, str) else status)
        if line
    ]
    corner += [_label(one, letter, widest) for one in hands if one.raw.hand is None]
    taken: list[_Box] = []
    for plate in corner:
        taken.append(_paste(canvas, plate, gap, taken[-1].bottom + max(1, gap // 2) if taken else gap))
    for (one, _), box in zip(placed, around, strict=True):
        plate = _label(one, letter, widest)
        left, top = _best_place(plate, box, 2 * gap, taken, around, (width, height))
        taken.append(_paste(canvas, plate, left, top))
    return canvas


def load_fonts(labels: Iterable[str]) -> None:
    """Find the fonts for these gestures now: the first word that needs another font than DejaVu Sans takes a second."""
    for label in ("", *labels):
        font_file(label)


@dataclass(frozen=True)
class _Box:
    """A rectangle in pixels; right and bottom are the first beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    def shared(self, other: _Box) -> int:
        """Return how many pixels two boxes have in common."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0, across) * max(0, down)


@dataclass(frozen=True, eq=False)
class _Plate:
    """Words on a dark ground. `ink`: uint16 [height, width, 3], colour times opacity (255 · 255 at most); `rest`: uint16
    [height, width, 1], how much of the picture shines through, 0..255."""

    ink: npt.NDArray[np.uint16]
    rest: npt.NDArray[np.uint16]


def _mirrored(hand: Hand) -> Hand:
    landmarks = hand.landmarks.copy()
    landmarks[:, 0] = 1 - landmarks[:, 0]
    return replace(hand, landmarks=landmarks)


def _around(hand: Hand, width: int, height: int) -> _Box:
    """Return the part of the picture that a hand takes up."""
    low, high = hand.landmarks.min(axis=0), hand.landmarks.max(axis=0)
    left, right = (round(min(1.0, max(0.0, float(x))) * width) for x in (low[0], high[0]))
    top, bottom = (round(min(1.0, max(0.0, float(y))) * height) for y in (low[1], high[1]))
    return _Box(left, top, right, bottom)


def _draw_skeleton(canvas: Pixels, hand: Hand, box: _Box) -> None:
    """Draw a hand into its surroundings only, so that its lines are as thick as its size asks for, and nothing else is copied."""
    height, width = canvas.shape[:2]
    margin = round(SURROUNDINGS * max(box.right - box.left, box.bottom - box.top)) + 8
    left, top = max(0, box.left - margin), max(0, box.top - margin)
    right, bottom = min(width, box.right + margin), min(height, box.bottom + margin)
    landmarks = hand.landmarks.copy()
    landmarks[:, 0] = (landmarks[:, 0] * width - left) / (right - left)
    landmarks[:, 1] = (landmarks[:, 1] * height - top) / (bottom - top)
    part = canvas[top:bottom, left:right]
    part[:] = draw_hand(part, replace(hand, landmarks=landmarks, width=right - left, height=bottom - top))


def _best_place(
    plate: _Plate, hand: _Box, gap: int, taken: list[_Box], hands: list[_Box], size: tuple[int, int]
) -> tuple[int, int]:
    """Return left and top of a label: above, below, right or left of its hand, the first that covers least."""
    height, width = plate.rest.shape[:2]
    middle, level = (hand.left + hand.right - width) // 2, (hand.top + hand.bottom - height) // 2
    places = [(middle, hand.top - gap - height), (middle, hand.bottom + gap)]
    places += [(hand.right + gap, level), (hand.left - gap - width, level)]
    inside = [
        (max(0, min(left, size[0] - width)), max(0, min(top, size[1] - height)))  # a plate is no wider than the picture
        for left, top in places
    ]

    def covered(place: tuple[int, int]) -> int:
        box = _Box(*place, place[0] + width, place[1] + height)
        return 4 * sum(box.shared(other) for other in taken) + sum(box.shared(other) for other in hands)

    return min(inside, key=covered)


def _label(one: ShownHand, letter: int, widest: int) -> _Plate:
    score = f"{one.score:.2f}" if one.score > 0 else ""
    stripe = CANNED if one.canned else NO_GESTURE if one.gesture == NONE else CUSTOM
    if one.raw.right is None:
        return _plate(((one.gesture, score),), letter, widest, stripe)
    side = "right" if one.raw.right >= 0.5 else "left"
    if one.gesture == UNANSWERED:
        return _plate((("?", ""), (f"{side} · no answer", "")), letter, widest, NO_GESTURE)
    return _plate(((one.gesture, score), (f"{side} · canned" if one.canned else side, "")), letter, widest, stripe)


@lru_cache(512)
def _plate(lines: tuple[tuple[str, str], ...], letter: int, widest: int, stripe: Colour | None) -> _Plate:
    """Draw lines below each other, the first in letters of this height. Each is a text, cut where it is too long, and a
    number after it, which is not."""
    from PIL import Image, ImageDraw

    edge = max(1, letter // 3)  # between the plate's border and the words
    bar = max(2, letter // 5) if stripe else 0
    sizes = [letter if number == 0 else max(SMALLEST_LETTER, round(SMALL * letter)) for number in range(len(lines))]
    room = widest - bar - 2 * edge
    runs = []
    for (text, number), size in zip(lines, sizes, strict=True):
        after = _length(number, size, font_file("")) + size // 2 if number else 0
        runs.append((*_fitting(text, size, room - after), number, size))
    wide = max(_length(text, size, font) + (size // 2 + _length(number, size, font_file("")) if number else 0)
               for text, font, number, size in runs)  # fmt: skip
    width = min(widest, bar + 2 * edge + wide)
    height = edge + sum(round(1.3 * size) for size in sizes)
    opaque = Image.new("L", (width, height), 0)
    ImageDraw.Draw(opaque).rounded_rectangle((0, 0, width - 1, height - 1), edge, fill=round(255 * OPACITY))
    colours = Image.new("RGB", (width, height), PLATE)
    pens = ImageDraw.Draw(opaque), ImageDraw.Draw(colours)
    if stripe:
        pens[0].rectangle((0, 0, bar - 1, height - 1), fill=255)
        pens[1].rectangle((0, 0, bar - 1, height - 1), fill=stripe)
    top = edge / 2
    for text, file, number, size in runs:
        colour = WORDS if size == letter else SMALL_WORDS
        middle = top + 0.65 * size
        inks: tuple[int | Colour, ...] = (255, colour)
        for pen, ink in zip(pens, inks, strict=True):
            pen.text((bar + edge, middle), text, fill=ink, font=_font(file, size), anchor="lm")
            if number:
                pen.text((width - edge, middle), number, fill=ink, font=_font(font_file(""), size), anchor="rm")
        top += round(1.3 * size)
    shining = np.asarray(opaque).astype(np.uint16)[:, :, None]
    return _Plate(np.asarray(colours).astype(np.uint16) * shining, np.uint16(255) - shining)


@lru_cache(256)
def _fitting(text: str, size: int, room: int) -> tuple[str, str]:
    """Return as much of a text as fits into so many pixels, and the file of its font."""
    for longest in range(min(LONGEST_NAME, len(readable(text, LONGEST_NAME))), 0, -1):
        shown = readable(text, longest)
        if _length(shown, size, font_file(text)) <= room:
            return shown, font_file(text)
    return "", font_file("")


@lru_cache(32)
def _font(file: str, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(file, size)


def _length(text: str, size: int, file: str) -> int:
    return int(np.ceil(_font(file, size).getlength(text)))


def _paste(canvas: Pixels, plate: _Plate, left: int, top: int) -> _Box:
    """Blend a plate into the picture, as much of it as there is room for, and return where."""
    height, width = (
        min(*sides) for sides in zip(plate.rest.shape[:2], (canvas.shape[0] - top, canvas.shape[1] - left), strict=True)
    )
    height, width = max(0, height), max(0, width)
    part = canvas[top : top + height, left : left + width]
    part[:] = (part * plate.rest[:height, :width] + plate.ink[:height, :width]) // 255
    return _Box(left, top, left + width, top + height)
