"""What the runtime answers for one picture: its hands, each with a gesture."""

from __future__ import annotations

from dataclasses import dataclass

from gesture_maker.dataset.names import NONE
from gesture_maker.landmarks.hands import Hand

UNANSWERED = ""
"""The gesture of a hand that a server was to be asked about and did not answer. No class has an empty name."""


@dataclass(frozen=True, eq=False)
class RecognizedHand:
    """One hand and the gesture it makes.

    `gesture`: a class (`none` when it makes none, `UNANSWERED` when it is not known); `score`: 0..1; `canned`: whether Google's canned classifier said it;
    `hand`: where it is.
    """

    gesture: str
    score: float
    canned: bool
    hand: Hand


@dataclass(frozen=True, eq=False)
class Recognition:
    """The answer for one picture: its hands (none when no hand was found), and the time the runtime took in seconds."""

    hands: tuple[RecognizedHand, ...]
    seconds: float

    @property
    def best(self) -> RecognizedHand | None:
        """The hand with the surest gesture; one that makes a gesture goes before one that makes none."""
        return max(self.hands, key=lambda hand: (hand.gesture != NONE, hand.score), default=None)
