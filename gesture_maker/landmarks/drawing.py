"""Hands drawn onto photos, and the contact sheet that shows a dataset at one look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.errors import UnreadableImage
from gesture_maker.files import atomic_write
from gesture_maker.images import Pixels, read_image
from gesture_maker.landmarks.fonts import font_file, readable
from gesture_maker.landmarks.hands import CONNECTIONS, Hand

FINGER_COLOURS = (
    *((255, 200, 60),) * 5,  # wrist and thumb
    *((255, 120, 60),) * 4,
    *((90, 200, 120),) * 4,
    *((70, 160, 255),) * 4,
    *((190, 110, 255),) * 4,
)

TILE = 150  # pixels, the side of one photo on the contact sheet
PER_CLASS = 8
LONGEST_NAME = 60  # letters of a class's name beside its note
CAPTION, CAPTION_SIZES = 34, (13, 11)  # pixels: the height of both lines, and their fonts
NAME_SHARE = 0.7  # of the sheet's width at most for the name: the rest is for the note


@dataclass(frozen=True, eq=False)
class Example:
    """One photo for the contact sheet, with its hand or None, and up to two lines to be written below it."""

    path: Path
    hand: Hand | None
    caption: str = ""


def draw_hand(pixels: Pixels, hand: Hand) -> Pixels:
    """Return a copy of a photo (uint8 [height, width, 3] RGB) with the hand's landmarks and connections on it."""
    import cv2

    canvas = pixels.copy()
    height, width = canvas.shape[:2]
    thickness = max(1, round(max(height, width) / 160))
    points = [(round(float(x) * width), round(float(y) * height)) for x, y, _ in hand.landmarks]
    for start, end in CONNECTIONS:
        cv2.line(canvas, points[start], points[end], (255, 255, 255), thickness + 2, cv2.LINE_AA)
    for start, end in CONNECTIONS:
        cv2.line(canvas, points[start], points[end], FINGER_COLOURS[end], thickness, cv2.LINE_AA)
    for point, colour in zip(points, FINGER_COLOURS, strict=True):
        cv2.circle(canvas, point, thickness + 1, colour, -1, cv2.LINE_AA)
    return canvas


def save_contact_sheet(examples: Mapping[str, Sequence[Example]], notes: Mapping[str, str], path: Path) -> None:
    """Draw up to `PER_CLASS` photos per class in a row, each with its landmarks, and the class's note beside its name.

    Photos without a hand get a red frame. Photos are read again, a few per class.
    """
    from PIL import Image, ImageDraw, ImageFont

    head, gap = 30, 6
    width = PER_CLASS * (TILE + gap) + gap
    feet = [CAPTION if any(photo.caption for photo in photos) else 0 for photos in examples.values()]
    sheet = Image.new("RGB", (width, max(1, len(examples)) * (TILE + gap + head) + sum(feet) + gap), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (label, photos) in enumerate(examples.items()):
        top = row * (TILE + gap + head) + sum(feet[:row]) + gap
        font = ImageFont.truetype(font_file(label), 17)
        longest, name, note = LONGEST_NAME, readable(label, LONGEST_NAME), notes.get(label, "")
        while pen.textlength(name, font=font) > NAME_SHARE * width:
            longest -= 1
            name = readable(label, longest)
        pen.text((gap, middle := top + head / 2 - gap), name, fill="black", font=font, anchor="lm")
        begin = gap + pen.textlength(name, font=font) + 14
        small = ImageFont.truetype(font_file(note), 13)
        pen.text((begin, middle), note, fill="#6b7280", font=small, anchor="lm")
        for column, example in enumerate(photos[:PER_CLASS]):
            left = gap + column * (TILE + gap)
            tile = _tile(example)
            sheet.paste(Image.fromarray(tile), (left, top + head - gap))
            if example.hand is None:
                pen.rectangle(
                    (left, top + head - gap, left + TILE - 1, top + head - gap + TILE - 1), outline="red", width=3
                )
            if example.caption:
                _write_caption(pen, example.caption, left, top + head - gap + TILE)
    with atomic_write(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)


def _write_caption(pen: Any, caption: str, left: int, top: int) -> None:
    """Write up to two lines below a tile, cut to its width."""
    from PIL import ImageFont

    for number, line in enumerate(caption.splitlines()[:2]):
        font = ImageFont.truetype(font_file(line), CAPTION_SIZES[number])
        shown = next(
            text for n in range(LONGEST_NAME, 0, -1) if pen.textlength(text := readable(line, n), font=font) <= TILE
        )
        colour = "black" if number == 0 else "#6b7280"
        pen.text((left, top + CAPTION * (number + 0.5) / 2), shown, fill=colour, font=font, anchor="lm")


def close_up(pixels: Pixels, hand: Hand | None, side: int) -> Pixels:
    """Return a photo (uint8 [height, width, 3] RGB) with its longer side scaled to `side` pixels and its hand drawn onto it.

    Where the hand is small in the photo, only the part around it is shown.
    """
    import cv2

    if hand is not None:
        pixels, hand = _around(pixels, hand)
    scale = side / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small: Pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC))
    return small if hand is None else draw_hand(small, hand)


def _tile(example: Example) -> Pixels:
    try:
        small = close_up(read_image(example.path), example.hand, TILE)
    except UnreadableImage:
        return np.full((TILE, TILE, 3), 225, np.uint8)
    height, width = small.shape[:2]
    tile = np.full((TILE, TILE, 3), 245, np.uint8)
    top, left = (TILE - height) // 2, (TILE - width) // 2
    tile[top : top + height, left : left + width] = small
    return tile


def _around(pixels: Pixels, hand: Hand) -> tuple[Pixels, Hand]:
    """Return the part of the photo around a hand that is small in it, with the hand in its coordinates."""
    height, width = pixels.shape[:2]
    points = hand.landmarks[:, :2] * (width, height)
    middle, reach = (points.max(axis=0) + points.min(axis=0)) / 2, float(np.ptp(points, axis=0).max())
    half = max(reach * 1.1, 40.0)
    if 2 * half > 0.7 * max(width, height):
        return pixels, hand
    left, top = (int(max(0, middle[i] - half)) for i in (0, 1))
    right, bottom = int(min(width, middle[0] + half)), int(min(height, middle[1] + half))
    if right - left < 2 or bottom - top < 2:  # a hand beyond the photo's edge
        return pixels, hand
    moved = hand.landmarks.copy()
    moved[:, 0] = (points[:, 0] - left) / (right - left)
    moved[:, 1] = (points[:, 1] - top) / (bottom - top)
    return pixels[top:bottom, left:right], replace(hand, landmarks=moved, width=right - left, height=bottom - top)
