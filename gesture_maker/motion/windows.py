"""Where in a clip the network looks: the windows in which its gesture goes on.

A clip is labelled as a whole, and is often longer than the gesture in it: the hand comes, makes it, and stays. So each clip is
searched by how much moves (`features.travel`): a window is of the gesture when nearly as much moves in it as in the liveliest one, and of
the background when less than a third does. What lies between shows half a gesture, and is not learned from: one would have to guess.

Of a class in which nothing moves (poses, the background) that is as good a choice as any: the windows in which it trembles or drifts most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gesture_maker.landmarks.hands import Floats
from gesture_maker.motion.features import Features, travel
from gesture_maker.motion.track import HandTrack

ALL_OF_IT = 0.9
"""Share of the liveliest window's movement in those that stand for the clip: the whole gesture, somewhere in the window."""

MOST_OF_IT = 0.75
"""The same in those that are trained on: live, a window ends before the gesture does, and should know it all the same."""

NOTHING_OF_IT = 0.3
"""Windows of a gesture's clip with less than this are of the background: the hand is still, or only begins or ends something. With 0.15 in
its place tcn told 4 gestures in two drawn films that nobody made, with this none, and found 38 in place of 37 of 40."""

STEP = 0.1  # seconds between two windows that are looked at

AT_MOST = 4
"""Windows of one clip, spread evenly over those that qualify: neighbours are nearly the same."""


@dataclass(frozen=True, eq=False)
class ClipWindows:
    """The windows of one clip. `whole`: those that stand for it, float32 [N, T, F], at least one. `most`: those to train on.
    `still`: in which its hand does nothing."""

    whole: Floats
    most: Floats
    still: Floats


def windows_of(track: HandTrack, features: Features) -> ClipWindows:
    """Return the windows of a clip that has no `problem`. Raises ValueError for one without a hand."""
    track = track.trimmed()
    first, last = float(track.seconds[0]), float(track.seconds[-1])
    ends = _ends(first, last, features.seconds)
    windows = np.stack([features.window(track, float(end)) for end in ends])
    moved = np.array([_moved(window, features) for window in windows])
    most = float(moved.max())
    return ClipWindows(
        windows[_spread(moved >= ALL_OF_IT * most)],
        windows[_spread(moved >= MOST_OF_IT * most)],
        windows[_spread(moved <= NOTHING_OF_IT * most)],
    )


def _ends(first: float, last: float, window: float) -> npt.NDArray[np.float64]:
    """Return where windows end: from halfway into the track, as far as until only its second half is left."""
    begin, end = first + window / 2, last + window / 2
    return np.linspace(begin, end, max(1, round((end - begin) / STEP) + 1))


def _moved(window: Floats, features: Features) -> float:
    if features.kind == "hand":
        return travel(window)
    return float(np.linalg.norm(np.diff(window, axis=0), axis=1).sum())


def _spread(qualified: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the numbers of those that qualify, at most `AT_MOST`, evenly."""
    numbers = np.flatnonzero(qualified)
    if len(numbers) <= AT_MOST:
        return numbers
    return np.asarray(numbers[np.linspace(0, len(numbers) - 1, AT_MOST).round().astype(int)], np.int64)
