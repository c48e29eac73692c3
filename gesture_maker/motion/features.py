"""What the network sees of a hand that moves: 63 numbers a frame, the same wherever in the picture, however large and at what rate.

A frame's 21 points are moved so that the wrist is the origin, and divided by the hand's size. The wrist's own three numbers would
then always be 0; they say where it went instead: x and y from the window's middle place, in hand sizes, and the logarithm of the hand's
size against the window's, which is how a push towards the camera shows.

*Size.* The ratio of the hand in the picture to the hand in metres (MediaPipe's world landmarks): pixels per metre, whatever the pose. The
distance from wrist to knuckle, which is usual, shrinks when the hand is turned or bent, and a fist would seem to move away. A
hand size is `HAND` metres.

*Time.* Windows are `length` frames at `rate` frames a second, read off the track by straight lines between its frames: a camera of 30
frames a second and a film of 15 give the same numbers. Where the track is shorter than the window, its first and last frames are held.

*Either hand.* Nothing is mirrored: where a hand goes means the same for both, and the shape of the other hand is learned from
mirrored copies (`training/motion/augment.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gesture_maker.errors import ConfigError
from gesture_maker.landmarks.hands import POINTS, Floats
from gesture_maker.motion.track import HandTrack, Times

RATE = 20.0
"""Frames per second. With 30 frames a window is 1.5 s: of drawn motions the longest round of a hand takes 1.3 s."""

LENGTH = 30
HAND = 0.1
"""Metres: a palm, about. Numbers are of the order of 1 then."""

FINGERTIP = 8
"""Index finger: what paths of the kind "path" follow."""

FEATURES = {"hand": 3 * POINTS, "path": 2}
"""Numbers a frame by kind. "hand": see the module. "path": x and y of the index fingertip from where it was at first, in shares of the
picture's width and height, which is what tables of fingertip paths hold."""


@dataclass(frozen=True)
class Features:
    """How windows are made: `kind`, see `FEATURES`, and `length` frames at `rate` frames per second. Raises ConfigError."""

    kind: Literal["hand", "path"] = "hand"
    length: int = LENGTH
    rate: float = RATE

    def __post_init__(self) -> None:
        if self.kind not in FEATURES:
            raise ConfigError(f'There are no features "{self.kind}": use {" or ".join(FEATURES)}.')
        if not 2 <= self.length <= 1000:
            raise ConfigError(f"sequence_length is {self.length}, but has to be from 2 to 1000 frames.")
        if not 1 <= self.rate <= 240:
            raise ConfigError(f"rate is {self.rate:g}, but has to be from 1 to 240 frames per second.")

    @property
    def seconds(self) -> float:
        """From the first frame of a window to its last."""
        return (self.length - 1) / self.rate

    @property
    def size(self) -> int:
        """Numbers a frame."""
        return FEATURES[self.kind]

    def times(self, end: float) -> Times:
        """Return the times of a window's frames, float64 [length], of which the last is `end`."""
        return np.asarray(end - np.arange(self.length - 1, -1, -1) / self.rate, np.float64)

    def window(self, track: HandTrack, end: float) -> Floats:
        """Return the window that ends at a time, float32 [length, size].

        Before the track's first frame and after its last these are held. Raises ValueError for a track without a hand.
        """
        times = self.times(end)
        if self.kind == "path":
            return _path(track, times)
        return _hand(track, times)


def _hand(track: HandTrack, times: Times) -> Floats:
    seconds, picture, world = _seen(track)
    size = _sizes(picture, world)
    wrist = np.stack([np.interp(times, seconds, picture[:, 0, axis]) for axis in (0, 1)], axis=1)
    log_size = np.interp(times, seconds, np.log(size))
    shapes = ((picture - picture[:, :1]) / size[:, None, None]).reshape(len(seconds), -1)
    shape = _interpolated(times, seconds, shapes).reshape(len(times), POINTS, 3)
    middle = float(log_size.mean())
    shape[:, 0, :2] = (wrist - wrist.mean(axis=0)) / np.exp(middle)
    shape[:, 0, 2] = log_size - middle
    return np.asarray(shape.reshape(len(times), -1), np.float32)


def _path(track: HandTrack, times: Times) -> Floats:
    seen = track.found
    if not seen.any():
        raise ValueError("there is no hand in the track")
    tips = track.landmarks[seen][:, FINGERTIP, :2].astype(np.float64)
    path = _interpolated(times, track.seconds[seen], tips)
    return np.asarray(path - path[:1], np.float32)


def _seen(track: HandTrack) -> tuple[Times, Times, Times]:
    """Return times [N], points in the picture [N, 21, 3] in pixels and in the world [N, 21, 3] of the frames with the hand."""
    seen = track.found
    if not seen.any():
        raise ValueError("there is no hand in the track")
    scale = np.array([track.width, track.height, track.width], np.float64)
    return track.seconds[seen], track.landmarks[seen] * scale, track.world[seen].astype(np.float64)


def _sizes(picture: Times, world: Times) -> Times:
    """Return the hand's size in each frame [N], in pixels per `HAND` metres.

    By least squares without z, in which MediaPipe is least sure: the spread of the points in the picture to that in the world.
    """
    spread = [
        np.sqrt(((points - points.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2)))
        for points in (picture[..., :2], world[..., :2])
    ]
    return np.asarray(np.maximum(spread[0], 1e-6) / np.maximum(spread[1], 1e-6) * HAND, np.float64)


def _interpolated(times: Times, seconds: Times, values: Times) -> Times:
    """Return values [N, K] that are known at `seconds` [N], at `times` [T]: [T, K], the first and last held beyond the ends."""
    if len(seconds) == 1:
        return np.repeat(values, len(times), axis=0)
    after = np.clip(np.searchsorted(seconds, times), 1, len(seconds) - 1)
    begin, end = seconds[after - 1], seconds[after]
    share = np.clip((times - begin) / (end - begin), 0, 1)[:, None]
    return np.asarray((1 - share) * values[after - 1] + share * values[after], np.float64)


def travel(window: Floats) -> float:
    """Return how much moves in a window of the kind "hand", in hand sizes: the wrist's way, and that of the points beside it (root mean square).

    Smoothed first over a quarter of a second at `RATE`: else a hand that is held still, whose landmarks tremble, moves as much as a pinch.
    """
    points = window.reshape(len(window), POINTS, 3).astype(np.float64)
    sums = np.cumsum(np.concatenate([np.zeros((1, POINTS, 3)), points]), axis=0)
    smooth = (sums[_SMOOTH:] - sums[:-_SMOOTH]) / _SMOOTH if len(points) > _SMOOTH else points
    steps = np.linalg.norm(np.diff(smooth, axis=0), axis=2)
    return float(steps[:, 0].sum() + np.sqrt((steps[:, 1:] ** 2).mean(axis=1)).sum())


_SMOOTH = 5  # frames
