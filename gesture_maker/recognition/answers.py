"""What the runtime or a classifier on pixels answers for one picture: its hands, each with a gesture."""

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
    `hand`: where it is; None where the whole picture was asked, and nobody looked for a hand.
    """

    gesture: str
    score: float
    canned: bool
    hand: Hand | None

    @property
    def right(self) -> float | None:
        """The probability of a right hand, 0..1; None where the whole picture was asked."""
        return None if self.hand is None else self.hand.handedness

    @property
    def found(self) -> Hand:
        """Where the hand is, for what works on landmarks. Raises ValueError where the whole picture was asked."""
        if self.hand is None:
            raise ValueError("the whole picture was asked: there are no landmarks")
        return self.hand


@dataclass(frozen=True, eq=False)
class Recognition:
    """The answer for one picture: its hands (none when no hand was found), and the time that it took in seconds."""

    hands: tuple[RecognizedHand, ...]
    seconds: float

    @property
    def best(self) -> RecognizedHand | None:
        """The hand with the surest gesture; one that makes a gesture goes before one that makes none."""
        return max(self.hands, key=lambda hand: (hand.gesture != NONE, hand.score), default=None)
