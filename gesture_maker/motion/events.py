"""When something is said: from scores for every frame to events, one for each gesture that was made.

A sliding window sees a swipe come in, be there and go out: its class wins for a dozen frames and is one swipe. An event is told when a
class has won surely enough for a few frames on end; then nothing more is told until that class has gone, or, for another class, until
the window has room for another gesture. A circle that goes on is one event until it stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gesture_maker.errors import ConfigError
from gesture_maker.landmarks.hands import Floats

CLOSE = 1e-3  # seconds by which times of frames are off in many files


@dataclass(frozen=True)
class Debounce:
    """`threshold`: the score that a class has to reach; `confirm`: seconds for which it has to win; `release`: the score below which it
    has gone; `rest`: seconds for which it has to have gone, and for which another gesture is not believed after an event.

    The defaults: of two drawn films with 40 gestures, with 0.1 / 0.2 / 0.3 s to confirm, tcn found 37 / 37 / 36 and told 4 / 2 / 0 that
    were not made, gru 39 / 40 / 40 and 16 / 11 / 8, lstm 40 / 40 / 39 and 20 / 17 / 15; each tenth of a second is one of delay.

    Raises ConfigError for what cannot be.
    """

    threshold: float = 0.8
    confirm: float = 0.2
    release: float = 0.5
    rest: float = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ConfigError(f"threshold is {self.threshold:g}, but has to be more than 0 and at most 1.")
        if not 0 <= self.release <= self.threshold:
            raise ConfigError(
                f"release is {self.release:g}, but has to be from 0 to the threshold ({self.threshold:g})."
            )
        for name in ("confirm", "rest"):
            if not 0 <= getattr(self, name) <= 10:
                raise ConfigError(f"{name} is {getattr(self, name):g}, but has to be from 0 to 10 seconds.")


@dataclass(frozen=True)
class Event:
    """A gesture that was made: `seconds` and `frame` at which it was told, its `score` then, and which hand made it (`track`, see
    `recognition/tracks.py`)."""

    gesture: str
    seconds: float
    frame: int
    score: float
    track: int = 1


class EventFinder:
    """The events of one hand, from its scores frame by frame. `background`: the class that is never told, None when there is none."""

    def __init__(self, labels: Sequence[str], background: str | None, debounce: Debounce | None = None) -> None:
        self.labels = tuple(labels)
        self.background = background
        self.debounce = debounce or Debounce()
        self._candidate: tuple[str, float] | None = None  # a class, and since when it wins
        self._told: Event | None = None  # the last event
        self._gone_since: float | None = None  # since when its class has gone
        self._over = True  # whether it has gone for long enough, so that the same gesture is another one

    def add(self, frame: int, seconds: float, scores: Floats | None, track: int = 1) -> Event | None:
        """Take the scores of the next frame, float32 [classes] (None: no hand), and return the event that is told now, if any."""
        winner, score = self._winner(scores)
        self._look_back(scores, seconds)
        if winner is None or score < self.debounce.threshold:
            self._candidate = None
            return None
        if self._candidate is None or self._candidate[0] != winner:
            self._candidate = (winner, seconds)
        if seconds - self._candidate[1] < self.debounce.confirm - CLOSE or not self._may_tell(winner, seconds):
            return None
        self._told = Event(winner, seconds, frame, score, track)
        self._gone_since, self._over = None, False
        return self._told

    def _winner(self, scores: Floats | None) -> tuple[str | None, float]:
        if scores is None:
            return None, 0.0
        best = int(np.argmax(scores))
        label = self.labels[best]
        return (None if label == self.background else label), float(scores[best])

    def _look_back(self, scores: Floats | None, seconds: float) -> None:
        """Note whether the class that was told last is there still."""
        if self._told is None:
            return
        score = 0.0 if scores is None else float(scores[self.labels.index(self._told.gesture)])
        if score >= self.debounce.release:
            self._gone_since = None
            return
        if self._gone_since is None:
            self._gone_since = seconds
        self._over = self._over or seconds - self._gone_since >= self.debounce.rest

    def _may_tell(self, winner: str, seconds: float) -> bool:
        """Tell whether this can be another gesture than the one that was told last."""
        if self._told is None:
            return True
        if winner == self._told.gesture:
            return self._over
        return seconds - self._told.seconds >= self.debounce.rest
