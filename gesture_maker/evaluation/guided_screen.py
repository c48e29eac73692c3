"""What the person before the camera sees: the gesture to make in large letters, a countdown, and how much time is left."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.names import NONE
from gesture_maker.evaluation.guided_script import Moment
from gesture_maker.images import Pixels
from gesture_maker.landmarks.fonts import font_file, readable

IDLE = "Move your hands, make no gesture"
KEYS = "n: leave out   r: again   q: end"

BAND = 0.22  # of the picture's height, at its lower end
OPACITY = 0.75  # of the dark ground: white letters on it have a contrast of 8:1 on white
LONGEST_NAME = 60  # letters

_WHITE, _GREY, _GREEN, _GROUND = (255, 255, 255), (190, 198, 208), (90, 220, 130), (16, 20, 28)


def title_of(moment: Moment) -> str:
    """Return what the person is asked to do."""
    return IDLE if moment.asked == NONE else moment.asked


def draw_moment(picture: Pixels, moment: Moment, recognized: bool) -> Pixels:
    """Draw what is asked for onto a picture (uint8 [height, width, 3] RGB), which is changed and returned.

    `recognized`: the frame was answered with what is asked for, which turns the bar green.
    """
    height, width = picture.shape[:2]
    band = max(8, round(BAND * height))
    top, margin = height - band, max(2, band // 10)
    ground = picture[top:].astype(np.float32)
    picture[top:] = (ground + OPACITY * (np.array(_GROUND, np.float32) - ground)).astype(np.uint8)
    passed = 1 - moment.left / moment.length if moment.length else 1.0
    if moment.phase == "watch":
        thick = max(2, band // 12)
        picture[top : top + thick, : round(width * min(1.0, max(0.0, passed)))] = _GREEN if recognized else _WHITE
    room = width - 2 * margin
    small = max(6, band // 6)
    lines = band - small - 4 * margin
    _write(picture, title_of(moment), margin, top + 2 * margin, lines, round(0.8 * room), _WHITE)
    note = f"{moment.number} of {moment.count}   {'now' if moment.phase == 'watch' else 'get ready'}   {KEYS}"
    _write(picture, note, margin, height - margin - small, small, room, _GREY)
    if moment.phase == "countdown":
        digit = _words(str(max(1, int(np.ceil(moment.left)))), round(1.15 * lines), room)
        _paint(picture, digit, width - margin - digit.shape[1], top + margin, _GREEN)
    return picture


def _write(
    picture: Pixels, text: str, left: int, top: int, height: int, widest: int, colour: tuple[int, int, int]
) -> None:
    words = _words(readable(text, LONGEST_NAME), height, widest)
    _paint(picture, words, left, top + (height - words.shape[0]) // 2, colour)


def _paint(picture: Pixels, words: npt.NDArray[np.float32], left: int, top: int, colour: tuple[int, int, int]) -> None:
    left, top = max(0, left), max(0, top)
    part = picture[top : top + words.shape[0], left : left + words.shape[1]]
    share = words[: part.shape[0], : part.shape[1], None]
    part[:] = (part + share * (np.array(colour, np.float32) - part)).astype(np.uint8)


@lru_cache(maxsize=64)
def _words(text: str, height: int, widest: int) -> npt.NDArray[np.float32]:
    """Return letters as shares of ink, float32 [at most height, at most widest]."""
    from PIL import Image, ImageDraw, ImageFont

    file = font_file(text)
    size = max(4, round(0.8 * height))
    font = ImageFont.truetype(file, size)
    width = max(1.0, font.getlength(text))
    if width > widest:
        size = max(4, int(size * widest / width))
        font = ImageFont.truetype(file, size)
    above, below = font.getmetrics()
    size_of_all = (max(1, min(widest, int(np.ceil(font.getlength(text))) + 1)), max(1, min(height, above + below)))
    canvas = Image.new("L", size_of_all)
    ImageDraw.Draw(canvas).text((0, 0), text, fill=255, font=font)
    return np.asarray(canvas, np.float32) / 255
