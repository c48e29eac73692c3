"""Variants of sequences, as other people, cameras and light would have given them: of the training part only.

A frame of a hand is 63 numbers (`motion/features.py`): point 0 says where the hand went, x and y from the window's middle and the
logarithm of the hand's size, and points 1 to 20 where they are beside the wrist; all in hand sizes. A frame of a fingertip's path
is x and y from where it was at first. Everything is done to all sequences at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gesture_maker.training.motion.settings import MotionSettings

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

POINTS = 21
HAND_NUMBERS = 3 * POINTS

_ZERO_SHARE = (
    0.5  # of the points that are hidden, those that are at the wrist meanwhile; the others stay where they were
)


def augmented(x: Floats, y: Integers, settings: MotionSettings, rng: np.random.Generator) -> tuple[Floats, Integers]:
    """Return the sequences [N, T, F] themselves and variants of each, `settings.augment` * N in all, and their classes."""
    copies = settings.augment - 1
    if not copies:
        return x, y
    return (
        np.concatenate([x, varied(np.repeat(x, copies, axis=0), settings, rng)]),
        np.concatenate([y, np.repeat(y, copies)]),
    )


def varied(x: Floats, settings: MotionSettings, rng: np.random.Generator) -> Floats:
    """Return a variant of each sequence [N, T, F]; F is 63 for hands, else of a path, which is not mirrored and begins where it begins."""
    x = stretched(x, _factors(settings.stretch, len(x), rng))
    x = (x * rng.uniform(1 - settings.scale, 1 + settings.scale, (len(x), 1, 1))).astype(np.float32)
    if is_hand(x):
        x = moved(x, rng.uniform(-settings.translate, settings.translate, (len(x), 2)))
        x = np.where((rng.random(len(x)) < settings.mirror)[:, None, None], mirrored(x), x)
        x = _points_hidden(x, settings.occlude_points, rng)
    x = _frames_hidden(x, settings.occlude_frames, rng)
    size = 1.0 if is_hand(x) else x.std(axis=(1, 2), keepdims=True)  # a path that stands still is told by how still
    x = x + rng.normal(0, settings.noise, x.shape) * size
    return np.asarray(x if is_hand(x) else x - x[:, :1], np.float32)


def is_hand(x: Floats) -> bool:
    """Tell whether the frames of sequences [N, T, F] are of hands, not of a path."""
    return x.shape[2] == HAND_NUMBERS


def unit_of(x: Floats) -> float:
    """Return what is 1 of the numbers of sequences [N, T, F]: a hand's size, and for paths, whose numbers are shares of a picture, their spread."""
    return 1.0 if is_hand(x) else float(x.std()) or 1.0


def mirrored(x: Floats) -> Floats:
    """Return the same motions made by the other hand, [N, T, 63]: x of its points is mirrored, where the hand goes is not.

    Else a swipe to the left would become one to the right.
    """
    flip = np.ones((POINTS, 3), np.float32)
    flip[1:, 0] = -1
    return x * flip.reshape(-1)


def moved(x: Floats, by: npt.NDArray[np.float64]) -> Floats:
    """Return the sequences [N, T, 63] with the hand elsewhere, by [N, 2] hand sizes."""
    shift = np.zeros((len(x), 1, x.shape[2]), np.float32)
    shift[:, 0, :2] = by
    return x + shift


def stretched(x: Floats, factors: npt.NDArray[np.float64]) -> Floats:
    """Return the sequences [N, T, F] so many times [N] faster about their middle; before the beginning and after the end the frame is held."""
    frames = x.shape[1]
    middle = (frames - 1) / 2
    times = np.clip(middle + (np.arange(frames) - middle) * factors[:, None], 0, frames - 1)
    before = np.minimum(times.astype(np.int64), frames - 2)
    share = (times - before)[..., None].astype(np.float32)
    rows = np.arange(len(x))[:, None]
    return np.asarray((1 - share) * x[rows, before] + share * x[rows, before + 1], np.float32)


def _factors(most: float, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.asarray(np.exp(rng.uniform(-np.log(most), np.log(most), count)), np.float64)


def _hidden(frames: int, share: float, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Return the first and the last frame but one of a while in which something is hidden, never the first of all."""
    length = np.floor(rng.random(shape) * (share * frames + 1)).astype(np.int64)
    begin = 1 + np.floor(rng.random(shape) * (frames - 1)).astype(np.int64)
    return begin, np.minimum(begin + length, frames)


def _frames_hidden(x: Floats, share: float, rng: np.random.Generator) -> Floats:
    """Return the sequences with the frames of a while, a share of all at most, as the one before them."""
    begin, end = _hidden(x.shape[1], share, (len(x), 1), rng)
    frame = np.arange(x.shape[1])
    seen = np.where((frame >= begin) & (frame < end), begin - 1, frame)
    return np.asarray(x[np.arange(len(x))[:, None], seen], np.float32)


def _points_hidden(x: Floats, share: float, rng: np.random.Generator) -> Floats:
    """Return the sequences [N, T, 63] with a share of the points 1 to 20, at most, hidden for a while of any length."""
    count, frames, _ = x.shape
    points = x.reshape(count, frames, POINTS, 3)
    begin, end = _hidden(frames, 1.0, (count, 1, POINTS), rng)
    hidden = rng.random((count, 1, POINTS)) < rng.uniform(0, share, (count, 1, 1))
    hidden[..., 0] = False  # without a wrist there is no hand
    frame = np.arange(frames)[None, :, None]
    during = hidden & (frame >= begin) & (frame < end)
    held = np.take_along_axis(points, (begin - 1)[..., None], axis=1)
    zero = rng.random((count, 1, POINTS, 1)) < _ZERO_SHARE
    return np.asarray(np.where(during[..., None], np.where(zero, 0, held), points), np.float32).reshape(x.shape)
