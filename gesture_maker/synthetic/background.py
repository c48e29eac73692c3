"""Rooms out of focus: gradients, furniture-like shapes and soft blobs."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]


def draw_background(rng: np.random.Generator, size: int) -> Image:
    """Return a soft random background, float32 [size, size, 3], RGB in 0..1.

    It is painted at a quarter of the size: everything in it is out of focus anyway.
    """
    small = max(size // 4, 16)
    wall, other = _wall_colour(rng), _wall_colour(rng)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:small, 0:small].astype(np.float32) / small - 0.5
    along = np.clip((np.cos(angle) * x + np.sin(angle) * y) * 0.9 + 0.5, 0, 1)[:, :, None]
    image = np.ascontiguousarray(wall * (1 - along) + other * along, dtype=np.float32)

    for _ in range(int(rng.integers(1, 5))):  # shelves, doors, windows, tables
        corner = rng.uniform(-0.2, 0.9, 2) * small
        extent = rng.uniform(0.15, 0.6, 2) * small
        colour = _wall_colour(rng) * rng.uniform(0.5, 1.3)
        _blend(image, _rectangle(small, corner, extent), colour, rng.uniform(0.3, 0.9))
    image = _blurred(image, small * rng.uniform(0.008, 0.035))
    for _ in range(int(rng.integers(2, 7))):  # lamps, plants, cushions
        centre = rng.uniform(0, small, 2)
        axes = rng.uniform(0.04, 0.22, 2) * small
        mask = np.zeros((small, small), np.float32)
        cv2.ellipse(mask, _ints(centre), _ints(axes), rng.uniform(0, 180), 0, 360, (1.0,), -1)
        mask = _blurred(mask, small * rng.uniform(0.015, 0.06))
        _blend(image, mask, _any_colour(rng), rng.uniform(0.2, 0.7))
    return np.clip(cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)


def _rectangle(small: int, corner: npt.NDArray[np.float64], extent: npt.NDArray[np.float64]) -> Image:
    mask = np.zeros((small, small), np.float32)
    cv2.rectangle(mask, _ints(corner), _ints(corner + extent), (1.0,), -1)
    return mask


def _blurred(image: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)


def _blend(image: Image, mask: Image, colour: Image, strength: float) -> None:
    share = (mask * strength)[:, :, None]
    image += share * (colour - image)


def _wall_colour(rng: np.random.Generator) -> Image:
    """A colour of little saturation, as of paint, wood or stone."""
    return np.clip(rng.uniform(0.18, 0.9) + rng.normal(0, 0.05, 3), 0.03, 0.97).astype(np.float32)


def _any_colour(rng: np.random.Generator) -> Image:
    return (rng.uniform(0.1, 0.9) + rng.uniform(-0.22, 0.22, 3)).clip(0.03, 0.97).astype(np.float32)


def _ints(values: npt.NDArray[np.float64]) -> tuple[int, int]:
    return int(values[0]), int(values[1])
