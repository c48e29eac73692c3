"""Variants of pictures: turned, nearer, elsewhere, in other light, as the other hand, and where a mask tells the hand, before another background.

Each follows from the seed, the epoch and the picture's number alone, so that a training that was interrupted sees what it would have seen.
A variant of 224 x 224 takes 1.5 ms of one core, with another background 2.5; a ResNet50 learns from it for 150.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.masks import EDGE_PIXELS
from gesture_maker.images import Pixels
from gesture_maker.synthetic.background import draw_background
from gesture_maker.training.epochs import Floats, Integers
from gesture_maker.training.pixels.settings import PixelSettings

BACKGROUNDS = 64
"""Drawn rooms to choose from, each turned and lit anew: 12 ms a drawing at 224 x 224, too much for every picture."""

TINT = 0.1  # of the light, in each channel: lamps and white balances differ
MIDDLE = 127.5  # of 0..255, about which contrast is changed


@dataclass(frozen=True, eq=False)
class Pictures:
    """N pictures and their classes.

    `x`: uint8 [N, side, side, 3] RGB, which may lie in a file; `y`: int64 [N]; `masks`: uint8 [N, side, side], 255 where the hand is, of those
    pictures that have one (`masked`, bool [N]); None where none has.
    """

    x: Pixels
    y: Integers
    masks: npt.NDArray[np.uint8] | None = None
    masked: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def plain(self, numbers: npt.ArrayLike) -> tuple[Floats, Integers]:
        """Return pictures of these numbers as they are, float32 [n, side, side, 3], and their classes."""
        chosen = np.asarray(numbers, np.int64)
        return np.asarray(self.x[chosen], np.float32), self.y[chosen]

    def varied(self, numbers: npt.ArrayLike, settings: PixelSettings, epoch: int) -> tuple[Floats, Integers]:
        """Return a variant of each picture of these numbers, float32 [n, side, side, 3] in 0..255, and their classes."""
        chosen = np.asarray(numbers, np.int64)
        return np.stack([self._variant(int(number), settings, epoch) for number in chosen]), self.y[chosen]

    def _variant(self, number: int, settings: PixelSettings, epoch: int) -> Floats:
        rng = np.random.default_rng((settings.seed, epoch, number))
        mask = None
        if self.masks is not None and self.masked is not None and self.masked[number]:
            mask = self.masks[number] if rng.random() < settings.background else None
        return variant(self.x[number], mask, settings, rng)


def variant(
    picture: Pixels, mask: npt.NDArray[np.uint8] | None, settings: PixelSettings, rng: np.random.Generator
) -> Floats:
    """Return one variant, float32 [side, side, 3] in 0..255; with a mask, uint8 [side, side], before another background."""
    import cv2

    side = picture.shape[0]
    matrix = _moved(settings, side, rng)
    moved = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = lit(moved.astype(np.float32), settings.light, rng)
    if mask is not None:
        inside = cv2.warpAffine(mask, matrix, (side, side), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
        soft = cv2.GaussianBlur(inside, (0, 0), EDGE_PIXELS)[:, :, None]
        rooms = _rooms(side, settings.seed)
        behind = rooms[int(rng.integers(len(rooms)))]
        mirrored = behind[:, ::-1] if rng.random() < 0.5 else behind
        turned = np.rot90(mirrored, int(rng.integers(4)))
        room = lit(np.asarray(turned, np.float32), settings.light, rng)
        seen = np.asarray(room + soft * (seen - room), np.float32)
    return np.asarray(seen, np.float32)


def lit(picture: Floats, light: float, rng: np.random.Generator) -> Floats:
    """Return a picture, float32 [h, w, 3] in 0..255, in another light: contrast and brightness changed by at most the share `light`."""
    contrast, brightness = 1 + rng.uniform(-light, light), 255 * rng.uniform(-light, light) / 2
    gain = (contrast * (1 + rng.uniform(-TINT, TINT, 3) * light)).astype(np.float32)
    return np.clip((picture - MIDDLE) * gain + np.float32(MIDDLE + brightness), 0, 255)


def _moved(settings: PixelSettings, side: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the affine map [2, 3] of a random turn, size, place and side."""
    angle = np.radians(rng.uniform(-settings.rotation, settings.rotation))
    size = np.exp(rng.uniform(-1, 1) * np.log1p(settings.scale))
    flip = -1.0 if settings.flip and rng.random() < 0.5 else 1.0
    cosine, sine = size * np.cos(angle), size * np.sin(angle)
    turned = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([flip, 1.0])
    middle = np.full(2, (side - 1) / 2)
    place = middle - turned @ middle + side * rng.uniform(-settings.shift, settings.shift, 2)
    return np.hstack([turned, place[:, None]])


@lru_cache(maxsize=2)
def _rooms(side: int, seed: int) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng((seed, side))
    return np.stack([np.uint8(255 * draw_background(rng, side)) for _ in range(BACKGROUNDS)])
