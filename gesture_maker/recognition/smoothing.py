"""Against flicker: what is shown of a hand may follow from its last frames instead of the newest alone.

Smoothing costs time: a new gesture shows some frames later. How many, `Smoothing.delay_frames` says.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gesture_maker.errors import ConfigError
from gesture_maker.recognition.answers import UNANSWERED, Recognition, RecognizedHand
from gesture_maker.recognition.tracks import Tracker

LONGEST_VOTE = 300  # frames: 10 s at 30 frames/s; more is a mistake
LEAST_WEIGHT = 0.01  # of the average: a change shows 68 frames later, which is more than anybody wants

HOW = "use vote:N (frames, such as vote:5), average:A (weight of the newest, such as average:0.3) or off"


@dataclass(frozen=True, eq=False)
class ShownHand:
    """One hand as it is shown: its answer after smoothing, and `raw`, the answer for this frame alone.

    `track`: a number from 1, the same as long as it is the same hand. `score`: 0..1, the mean of the scores with which the
    remembered frames gave this gesture, weighted like their votes. `canned`: whether Google's canned classifier said it,
    in the newest of them.
    """

    track: int
    gesture: str
    score: float
    canned: bool
    raw: RecognizedHand


class Smoothing:
    """What is shown of each hand, frame by frame. Made by `off`, `vote`, `average` or `parse_smoothing`.

    It remembers each hand by its track, so it is for one film or camera. `name`: as `parse_smoothing` reads it.
    `delay_frames`: how many frames later a change shows when every frame before answers one gesture, every frame after
    another, all with equal scores.
    """

    def __init__(self, name: str, delay_frames: int, memory: Callable[[], _Memory]) -> None:
        self.name = name
        self.delay_frames = delay_frames
        self._memory = memory
        self._tracker = Tracker()
        self._memories: dict[int, _Memory] = {}

    @classmethod
    def off(cls) -> Smoothing:
        """Return what shows every answer as it is, without delay."""
        return cls("off", 0, lambda: _Vote(1))

    @classmethod
    def vote(cls, frames: int) -> Smoothing:
        """Return a vote over a hand's last `frames` frames: the most frequent gesture is shown; on a tie, the one shown stays.

        `delay_frames` is frames // 2, since a new gesture needs more than half of the votes. Raises ConfigError.
        """
        if not 1 <= frames <= LONGEST_VOTE:
            raise ConfigError(f"A vote over {frames} frames is not possible: take 1 to {LONGEST_VOTE}.")
        return cls(f"vote:{frames}", frames // 2, lambda: _Vote(frames))

    @classmethod
    def average(cls, weight: float) -> Smoothing:
        """Return an exponential average: the gesture with the highest average score is shown; on a tie, the one shown stays.

        Average of a gesture = weight · its score in this frame (0 when another was answered) + (1 - weight) · average
        before. A new gesture has the higher average after k frames when (1 - weight)^k < 1/2, so that `delay_frames` is
        ⌊log(1/2) / log(1 - weight)⌋: 1 for 0.5 and 0.3, 3 for 0.2, 6 for 0.1. Raises ConfigError.
        """
        if not LEAST_WEIGHT <= weight <= 1:  # also when it is not a number
            raise ConfigError(f"An average with the weight {weight:g} is not possible: take {LEAST_WEIGHT} to 1.")
        return cls(f"average:{weight}", _frames_to_half(weight), lambda: _Average(weight))

    def show(self, recognition: Recognition) -> tuple[ShownHand, ...]:
        """Return the hands of the next frame as they are to be shown, in the order of `recognition.hands`.

        Answers about whole pictures are smoothed like those about one hand. A hand without an answer is shown without one, and what was remembered of it is forgotten: it would be out of date.
        """
        numbers = self._tracker.follow([one.hand for one in recognition.hands])
        self._memories = {
            number: self._memories.get(number) or self._memory() for number in sorted(self._tracker.numbers)
        }
        return tuple(self._shown(number, one) for number, one in zip(numbers, recognition.hands, strict=True))

    def _shown(self, number: int, one: RecognizedHand) -> ShownHand:
        if one.gesture == UNANSWERED:
            self._memories[number] = self._memory()
            return ShownHand(number, UNANSWERED, 0.0, False, raw=one)
        return ShownHand(number, *self._memories[number].add(one), raw=one)


def parse_smoothing(text: str) -> Smoothing:
    """Return the smoothing that `vote:5`, `average:0.3` or `off` describes. Raises ConfigError for anything else."""
    kind, _, amount = text.strip().partition(":")
    try:
        if kind == "vote":
            return Smoothing.vote(int(amount))
        if kind == "average":
            return Smoothing.average(float(amount))
    except ValueError:
        pass
    if kind == "off" and not amount:
        return Smoothing.off()
    raise ConfigError(f'"{text}" is no smoothing: {HOW}.')


_Answer = tuple[str, float, bool]  # gesture, score, canned


class _Memory(Protocol):
    def add(self, hand: RecognizedHand, /) -> _Answer:
        """Take the next frame's answer for this hand and return what is to be shown."""


class _Vote:
    def __init__(self, frames: int) -> None:
        self._last: deque[RecognizedHand] = deque(maxlen=frames)
        self._shown = ""

    def add(self, hand: RecognizedHand, /) -> _Answer:
        self._last.append(hand)
        votes: dict[str, list[RecognizedHand]] = {}
        for one in self._last:
            votes.setdefault(one.gesture, []).append(one)
        self._shown = max(votes, key=lambda gesture: (len(votes[gesture]), gesture == self._shown))
        agreed = votes[self._shown]
        score = math.fsum(one.score for one in agreed) / len(agreed)
        return self._shown, score, agreed[-1].canned


@dataclass
class _Standing:
    """How a gesture stands: its average score, and the sum of the weights of the frames that are in it."""

    average: float = 0.0
    weight: float = 0.0
    scores: float = 0.0  # weighted sum of the scores as they were
    canned: bool = False


class _Average:
    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._standings: dict[str, _Standing] = {}
        self._shown = ""

    def add(self, hand: RecognizedHand, /) -> _Answer:
        weight = self._weight if self._standings else 1.0  # the first frame is all there is
        for one in self._standings.values():
            one.average, one.weight, one.scores = (x * (1 - weight) for x in (one.average, one.weight, one.scores))
        newest = self._standings.setdefault(hand.gesture, _Standing())
        # The runtime gives the score 0 when nothing passed its threshold: then it is sure that there is no gesture.
        newest.average += weight * (hand.score or 1.0)
        newest.weight += weight
        newest.scores += weight * hand.score
        newest.canned = hand.canned
        self._shown = max(self._standings, key=lambda name: (self._standings[name].average, name == self._shown))
        shown = self._standings[self._shown]
        return self._shown, shown.scores / shown.weight, shown.canned


def _frames_to_half(weight: float) -> int:
    """Return ⌊log(1/2) / log(1 - weight)⌋, counted as the average itself counts, so that rounding is the same."""
    rest, frames = 1.0 - weight, 0
    while rest >= 0.5:
        rest, frames = rest * (1 - weight), frames + 1
    return frames
