"""Which hand of this frame is which hand of the frame before: by place, and by being a left or a right one.

MediaPipe gives its hands in no fixed order. Without this, the gestures of two hands would be mixed when they are smoothed.
Answers about whole pictures, which have no place, are one track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gesture_maker.landmarks.hands import Hand

PALM = (0, 5, 9, 13, 17)  # wrist and knuckles: their middle moves least when fingers do

FARTHEST = 1.0
"""How far the middle of a palm may move from frame to frame, in lengths of the hand's box. At 30 frames/s an outstretched
hand (0.18 m) does that at 5 m/s, a fist (0.1 m) at 3 m/s."""

OTHER_SIDE = 1.0
"""How much farther away a left hand seems from where a right one was, in lengths of the hand's box: tells two hands that cross."""

PATIENCE = 5
"""For how many frames a hand may be unseen and keep its number: 1/6 s at 30 frames/s. MediaPipe loses fast hands for 1 to 3."""


@dataclass
class _Track:
    number: int
    hand: Hand | None
    unseen: int = 0


class Tracker:
    """Numbers hands from 1, the same number as long as it is the same hand."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._last = 0

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of the hands that are there, or were a moment ago."""
        return frozenset(track.number for track in self._tracks)

    def follow(self, hands: Sequence[Hand | None]) -> tuple[int, ...]:
        """Return the number of each hand of the next frame: that of the nearest one of the frame before, or a new one.

        None stands for a whole picture, which is like every other whole picture and like no hand. A track ends when its hand has not been seen for more than `PATIENCE` frames.
        """
        pairs = sorted(
            (cost, track.number, index)
            for track in self._tracks
            for index, hand in enumerate(hands)
            if (cost := _cost(track.hand, hand)) is not None
        )
        taken: dict[int, int] = {}  # nearest pairs first, each track and each hand once
        for _, number, index in pairs:
            if number not in taken.values():
                taken.setdefault(index, number)
        for index in range(len(hands)):
            if index not in taken:
                self._last += 1
                taken[index] = self._last
        seen = {taken[index]: _Track(taken[index], hand) for index, hand in enumerate(hands)}
        unseen = [
            _Track(track.number, track.hand, track.unseen + 1)
            for track in self._tracks
            if track.number not in seen and track.unseen < PATIENCE
        ]
        self._tracks = [*seen.values(), *unseen]
        return tuple(taken[index] for index in range(len(hands)))


def _cost(before: Hand | None, now: Hand | None) -> float | None:
    """Return how unlike two hands are, None when they are too far apart to be one."""
    if before is None or now is None:
        return 0.0 if before is now else None
    size = max(_size(before), _size(now))
    distance = float(np.linalg.norm(_middle(before) - _middle(now))) / max(size, 1e-6)
    return distance + OTHER_SIDE * abs(before.handedness - now.handedness) if distance <= FARTHEST else None


def _points(hand: Hand) -> npt.NDArray[np.float64]:
    """Return the landmarks [21, 2] in units of the picture's longer side."""
    longer = max(hand.width, hand.height)
    return np.asarray(hand.landmarks[:, :2] * (hand.width / longer, hand.height / longer), np.float64)


def _middle(hand: Hand) -> npt.NDArray[np.float64]:
    return np.asarray(_points(hand)[list(PALM)].mean(axis=0))


def _size(hand: Hand) -> float:
    return float(np.ptp(_points(hand), axis=0).max())
