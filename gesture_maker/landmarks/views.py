"""Looking at a photo in more than one way until a hand is found.

The palm detector sees the whole photo in 192x192 pixels and needs background around the hand. A hand that fills the frame
is found when a border is put around the photo, a small hand of a person at a distance when it is not. Shares of photos in
which a hand is found (confidence 0.5; HaGRID-style photos, of which 4 of 40 show none it can find / Sign Language Digits):

    no border          0.90  / 0.83
    0.1                0.90  / 0.95
    0.25               0.75  / 1.00
    0.5                0.575 / 1.00
    all of them        0.90  / 1.00
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gesture_maker.images import Pixels, bordered

Found = TypeVar("Found")

BORDERED_VIEWS: tuple[float, ...] = (0.5, 0.0, 0.25, 0.1)
"""Widths of the replicated border as shares of the longer side, in the order in which they are tried."""

PLAIN_VIEW: tuple[float, ...] = (0.0,)
"""The photo as it is."""


def look(
    pixels: Pixels, find: Callable[[Pixels], Found | None], views: tuple[float, ...] = BORDERED_VIEWS
) -> tuple[Found, int] | None:
    """Return what `find` answers for the first view in which it finds something, and that view's border in pixels.

    Returns None when no view shows anything.
    """
    for share in views:
        view, margin = bordered(pixels, share)
        found = find(view)
        if found is not None:
            return found, margin
    return None


def to_photo(value: float, side: int, margin: int) -> float:
    """Return a coordinate of the bordered view (share of its side) as a share of the photo's own side."""
    return (value * (side + 2 * margin) - margin) / side
