"""Photos of drawn hands that fill them, with their masks, for tests of classifiers on pixels that have a moment to learn in."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from helpers import write
from PIL import Image

from gesture_maker.pixels.collecting import collect_hgr1
from gesture_maker.synthetic.hgr1 import draw_hgr1_image, hgr1_name

GESTURES = ("1_A", "5_A", "S_A")
"""A finger, an open hand and a fist."""

QUICK: dict[str, Any] = {
    "backbone": "mobilenetv3-small",
    "image_size": 48,
    "batch_size": 8,
    "epochs": 20,
    "learning_rate": 0.002,
    "ease_in": 8,
    "dropout": 0.0,
    "rotation": 8.0,
    "light": 0.1,
    "background": 0.2,
}
"""Settings with which a network without pretrained weights gets somewhere in 15 s of one core: 0.79 and 0.83 of 24 photos, by chance 0.33."""

FLAGS = (
    "--weights",
    "none",
    *(one for name, value in QUICK.items() for one in (f"--{name.replace('_', '-')}", str(value))),
)
"""The same for the command line."""

_DRAWN, _AROUND = 112, 0.15  # pixels; and of the hand's longer side


def hand_photo(gesture: str, person: int, number: int) -> tuple[Any, Any]:
    """Return a photo that a hand fills, uint8 [side, side, 3], and its mask, uint8 [side, side], 255 where the hand is."""
    pixels, mask = draw_hgr1_image(gesture, person, number, size=_DRAWN)
    rows, columns = (np.flatnonzero((mask > 0).any(axis=axis)) for axis in (1, 0))
    half = int(max(np.ptp(rows), np.ptp(columns)) * (0.5 + _AROUND))
    places = []
    for its in (rows, columns):
        begin = max(0, int(its.mean()) - half)
        places.append(slice(begin, begin + 2 * half))
    return pixels[places[0], places[1]], mask[places[0], places[1]]


def hand_photos(root: Path, people: Iterable[int], photos: int = 4, gestures: Iterable[str] = GESTURES) -> Path:
    """Make a dataset of such photos, as `image collect` does it, and return its folder."""
    with tempfile.TemporaryDirectory() as folder:
        for gesture in gestures:
            for person in people:
                for number in range(1, photos + 1):
                    pixels, mask = hand_photo(gesture, person, number)
                    name = hgr1_name(gesture, person, number)
                    write(Path(folder, "original_images", f"{name}.jpg"), _encoded(pixels, "JPEG"))
                    write(Path(folder, "skin_masks", f"{name}.bmp"), _encoded(255 - mask, "BMP"))
        collect_hgr1(folder, root)
    return root


def _encoded(pixels: Any, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **({"quality": 92} if kind == "JPEG" else {}))
    return buffer.getvalue()
