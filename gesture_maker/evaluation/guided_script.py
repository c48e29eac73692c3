"""What happens when before a camera: every gesture in turn, counted down and watched, then a while without a gesture.

The clock is that of the frames, so that a part is as long as what was seen of it, and a test needs no waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError

COUNTDOWN_SECONDS = 3.0
WATCH_SECONDS = 3.0
IDLE_SECONDS = 5.0
LONGEST = 3600.0  # seconds of a part; more is a mistake

Phase = Literal["countdown", "watch", "over"]


@dataclass(frozen=True)
class Moment:
    """What is going on at a time: `asked`, a gesture or `none` for the part without one, is counted down to or watched.

    `left`: seconds to the end of the phase, of `length`. `number` of `count`: the part. `attempt`: another number for every
    watch, None when nothing is watched. `begin`: when the watch began.
    """

    phase: Phase
    asked: str
    number: int
    count: int
    left: float = 0.0
    length: float = 0.0
    attempt: int | None = None
    begin: float = 0.0


class Script:
    """Goes through the parts as it is told the time, which never goes back. An `idle` of 0 seconds leaves out the last part.

    A watch begins with the first time told after its countdown, so that there is always something in it. `parts`: what is
    asked for, in turn. `attempts`: the number of the watch that counts, by its part's place in `parts`. Raises ConfigError
    for times that cannot be, or when there is nothing to be watched.
    """

    def __init__(
        self,
        gestures: Sequence[str],
        watch: float = WATCH_SECONDS,
        idle: float = IDLE_SECONDS,
        countdown: float = COUNTDOWN_SECONDS,
    ) -> None:
        if not 0 < watch <= LONGEST:
            raise ConfigError(f"Each gesture cannot be watched for {watch:g} s: choose more than 0, such as 3.")
        if not 0 <= idle <= LONGEST:
            raise ConfigError(f"A part of {idle:g} s without a gesture is not possible: choose 0 or more, such as 5.")
        self.parts = [*(one for one in gestures if one != NONE), *([NONE] if idle > 0 else [])]
        if not self.parts:
            raise ConfigError(
                "The bundle has no gesture, and no time is left to watch hands without one: choose --idle 5."
            )
        self.attempts: dict[int, int] = {}
        self._watch, self._idle, self._countdown = watch, idle, countdown
        self._part = 0
        self._begin: float | None = None  # of the part, with its countdown
        self._watch_begin: float | None = None
        self._latest = 0  # attempt

    def at(self, seconds: float) -> Moment:
        """Return what goes on at this time."""
        if self._watch_begin is not None and seconds - self._watch_begin >= self.length_of(self._part):
            self._go_to(self._part + 1, seconds)
        count = len(self.parts)
        if self._part >= count:
            return Moment("over", "", count, count)
        asked, numbers = self.parts[self._part], (self._part + 1, count)
        self._begin = seconds if self._begin is None else self._begin
        passed = seconds - self._begin
        if self._watch_begin is None and passed < self._countdown:
            return Moment("countdown", asked, *numbers, self._countdown - passed, self._countdown)
        if self._watch_begin is None:
            self._watch_begin = seconds
            self._latest += 1
            self.attempts[self._part] = self._latest
        length = self.length_of(self._part)
        left = length - (seconds - self._watch_begin)
        return Moment("watch", asked, *numbers, left, length, self._latest, self._watch_begin)

    def length_of(self, part: int) -> float:
        """Return for how many seconds a part is watched."""
        return self._idle if self.parts[part] == NONE else self._watch

    def skip(self, seconds: float) -> None:
        """Leave out the present part, also what was watched of it."""
        if self._part < len(self.parts):
            self.attempts.pop(self._part, None)
            self._go_to(self._part + 1, seconds)

    def repeat(self, seconds: float) -> None:
        """Begin the present watch again; in a countdown, the part before, whose watch counts until it is watched again."""
        if self._part < len(self.parts):
            if self._watch_begin is None:
                self._go_to(max(0, self._part - 1), seconds)
            else:
                self.attempts.pop(self._part, None)
                self._go_to(self._part, seconds)

    def _go_to(self, part: int, seconds: float) -> None:
        self._part, self._begin, self._watch_begin = part, seconds, None
