"""One hand followed over time: where MediaPipe saw it in each frame of a clip, or in the last seconds of a camera.

Frames in which it was not seen are filled in between its neighbours, up to a stated gap; what is longer is not guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gesture_maker.landmarks.hands import POINTS, Floats, Hand

MAX_GAP = 0.35
"""Seconds without the hand that are filled in. MediaPipe loses a hand that swipes for 1 to 3 frames of 30 a second, at 15 a second
for as many; in a third of a second a hand makes half a swipe, and a straight line says nothing of that."""

LEAST_FRAMES = 5
"""In which the hand has to be seen: with fewer there is no path."""

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HandTrack:
    """A hand in T frames.

    `seconds`: float64 [T], ascending. `found`: bool [T]. `landmarks`: float32 [T, 21, 3], as in `Hand`, shares of the picture's width
    and height, and `world`: float32 [T, 21, 3] in metres; both 0 where it was not found. `handedness`: float32 [T], the probability
    of a right hand. `width`, `height`: of the pictures, pixels.
    """

    seconds: Times
    found: npt.NDArray[np.bool_]
    landmarks: Floats
    world: Floats
    handedness: Floats
    width: int
    height: int

    def __post_init__(self) -> None:
        frames = len(self.seconds)
        shapes = {
            "found": (frames,),
            "handedness": (frames,),
            "landmarks": (frames, POINTS, 3),
            "world": (frames, POINTS, 3),
        }
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise ValueError(f"{name} has the shape {np.shape(getattr(self, name))}, not {shape}")
        if frames > 1 and not (np.diff(self.seconds) > 0).all():
            raise ValueError("seconds do not ascend")

    def __len__(self) -> int:
        return len(self.seconds)

    @classmethod
    def of(cls, frames: Sequence[tuple[float, Hand | None]]) -> HandTrack:
        """Return the track of what was seen at each time. Frames whose time does not come after the one before are left out."""
        times: list[float] = []
        hands: list[Hand | None] = []
        for seconds, hand in frames:
            if not times or seconds > times[-1]:
                times.append(seconds)
                hands.append(hand)
        first = next((hand for hand in hands if hand is not None), None)
        nothing = np.zeros((POINTS, 3), np.float32)
        return cls(
            np.array(times, np.float64),
            np.array([hand is not None for hand in hands], bool),
            _stacked([hand.landmarks if hand else nothing for hand in hands]),
            _stacked([hand.world if hand else nothing for hand in hands]),
            np.array([hand.handedness if hand else 0.0 for hand in hands], np.float32),
            first.width if first else 1,
            first.height if first else 1,
        )

    def trimmed(self) -> HandTrack:
        """Return the track from the first to the last frame in which the hand was found."""
        seen = np.flatnonzero(self.found)
        return self[int(seen[0]) : int(seen[-1]) + 1] if len(seen) else self[:0]

    def __getitem__(self, part: slice) -> HandTrack:
        return HandTrack(
            self.seconds[part],
            self.found[part],
            self.landmarks[part],
            self.world[part],
            self.handedness[part],
            self.width,
            self.height,
        )

    @property
    def longest_gap(self) -> float:
        """Seconds from one frame with the hand to the next, at most, where there is one without between them; 0 without a gap."""
        seen = np.flatnonzero(self.found)
        gaps = np.diff(self.seconds[seen])[np.diff(seen) > 1]
        return float(gaps.max(initial=0.0))

    def problem(self, max_gap: float = MAX_GAP) -> str | None:
        """Return why nothing can be learned from the track, in a few words; None when it can."""
        seen = int(self.found.sum())
        if not len(self):
            return "it has no frames"
        if not seen:
            return "no hand found"
        if seen < LEAST_FRAMES:
            return f"a hand in {seen} of {len(self)} frames only"
        gap = self.trimmed().longest_gap
        return f"the hand is gone for {gap:.2f} s" if gap > max_gap else None


def _stacked(points: Sequence[Floats]) -> Floats:
    return np.array(points, np.float32).reshape(-1, POINTS, 3)
