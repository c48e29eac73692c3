"""What can be told of a picture without reading it: that it is whole, not blank, not cut off at its edges, and where its colours are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

AWKWARD = [
    "none",
    "$x^2$",
    "手势",
    "👍🏽 gut",
    "W" * 150,
    "مرحبا",
    "日本語クラス名とても長い" * 5,
    "ok\u200dok",
    "\\$\\frac{",
    "a$b",
]
"""Names of classes that trip over fonts, formulas, or the room there is."""

_MARGIN = 2  # pixels at each edge in which nothing may be


def pixels_of(path: Path) -> Any:
    """Return a picture's pixels, uint8 [height, width, 3]."""
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def check_picture(path: Path) -> Any:
    """Check that a picture is not blank and that nothing in it runs over its edges; return its pixels."""
    pixels = pixels_of(path)
    height, width = pixels.shape[:2]
    assert 100 < height < 8000
    assert 300 < width < 8000
    drawn = (pixels != 255).any(axis=2)
    assert 0.004 < drawn.mean() < 0.9
    inside = np.zeros_like(drawn)
    inside[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = True
    assert not (drawn & ~inside).any(), f"{path.name} is cut off"
    return pixels


def coloured(pixels: Any, colour: str, within: int = 12) -> Any:
    """Return where a picture has about a colour, `#2563a8`: bool [height, width]."""
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
    return (np.abs(pixels.astype(int) - wanted) <= within).all(axis=2)


def runs(flags: Any) -> list[tuple[int, int]]:
    """Return where the runs of True begin and end (the place behind the last) in a row of flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]
