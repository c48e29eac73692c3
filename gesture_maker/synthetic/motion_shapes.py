"""The way of a hand in each gesture that moves: where the wrist goes, what the fingers do, and how near the hand comes.

A shape is a function of the share of its time, without a place, a camera or a frame rate. Ways are in hand widths, by which is
meant the length of the palm: a hand is about as wide as its palm is long. Movements from a place to another begin and end
softly, as a hand's do: T. Flash, N. Hogan, "The coordination of arm movements" (1985), their curve of the least jerk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from gesture_maker.synthetic.hand import Array, Pose
from gesture_maker.synthetic.people import Person, generator
from gesture_maker.synthetic.poses import POSES, blend, jitter

SWIPE_SECONDS, SWIPE_WIDTHS = (0.25, 0.6), (2.3, 4.0)
"""How long a swipe takes, and how far the hand goes, in hand widths: 3.8 widths a second at least."""

GROWTH = (1.5, 1.9)  # how much larger a hand that is pushed towards the camera becomes

_FASTEST = 10.0
"""Hand widths a second, on the way's average: half a hand's width from frame to frame at 20 frames a second. MediaPipe looks for a hand
where it was in the frame before, and loses quicker ones for a frame."""

_LEAN = np.radians(10.0)  # from the straight way to the side, at most
_FLAT_FINGER = (-1.0, 3.0, 6.0, 4.0)  # abduction, MCP, PIP, DIP in degrees, as in `POSES`
_PINCH_OPEN = {"index": (0.0, 15.0, 18.0, 10.0), "thumb": (46.0, 36.0, 24.0, 4.0, 4.0)}
_LOOSE_FINGERS = ((2.0, 42.0, 50.0, 30.0), (2.0, 50.0, 56.0, 34.0), (3.0, 55.0, 58.0, 36.0))


def flat_hand() -> Pose:
    """Return a stretched hand whose fingers lie side by side."""
    return replace(
        POSES["open_palm"], fingers=np.array([_FLAT_FINGER] * 4), thumb=np.array([24.0, 14.0, 6.0, 4.0, 6.0])
    )


@dataclass(frozen=True)
class Habits:
    """How one person moves: `tempo` (1 is the usual, more is quicker), `reach` (the size of ways), the `swipe` and `circle`
    hand, whether the hand waves about the `elbow` or the wrist, whether a pinch has `loose` other fingers, the share of the
    picture's shorter side that an open hand fills, and `home`, the wrist's place from the picture's middle in such shares."""

    tempo: float
    reach: float
    swipe: str
    circle: str
    elbow: bool
    loose: bool
    share: float
    home: tuple[float, float]


def habits(number: int, seed: int) -> Habits:
    """Return the habits of the person of this number; the same for the same seed."""
    rng = generator(seed, "habits", number)
    return Habits(
        tempo=_about(rng, 1.0, 0.18, 0.72, 1.4),
        reach=_about(rng, 1.0, 0.15, 0.75, 1.35),
        swipe="open_palm" if rng.random() < 0.5 else "flat",
        circle="point" if rng.random() < 0.65 else "open_palm",
        elbow=bool(rng.random() < 0.5),
        loose=bool(rng.random() < 0.5),
        share=float(rng.uniform(0.28, 0.36)),
        home=(float(rng.normal(0, 0.05)), float(rng.normal(0.17, 0.04))),
    )


@dataclass(frozen=True, eq=False)
class Step:
    """Where a hand is within its motion: its `pose`, the `way` [2] that its wrist has gone in the picture, in hand widths, and the
    natural logarithm of how much `nearer` it is."""

    pose: Pose
    way: Array
    nearer: float = 0.0


@dataclass(frozen=True, eq=False)
class Shape:
    """One motion: how many `seconds` it takes, and `at`, the step at a share of that time."""

    seconds: float
    at: Callable[[float], Step]


@dataclass(frozen=True, eq=False)
class Hand:
    """Whose hand moves, with their habits, and whether it is the `left` one."""

    who: Person
    habits: Habits
    left: bool

    def pose(self, name: str, rng: np.random.Generator) -> Pose:
        """Return the pose of this name as this person makes it this time."""
        return jitter(self.who.styled(flat_hand() if name == "flat" else POSES[name]), rng)

    def to(self, pose: Pose, other: Pose) -> Pose:
        """Return another pose as this person makes it, held before the camera as `pose` is."""
        return replace(self.who.styled(other), orientation=pose.orientation)

    def leaning(self, pose: Pose, degrees: float) -> Pose:
        """Return the pose turned clockwise in the picture."""
        return pose.turned(np.array([0.0, 0.0, -degrees if self.left else degrees]))


Maker = Callable[[Hand, np.random.Generator], Shape]


def softly(share: float) -> float:
    """Return how much of a way is done at a share of its time, 0..1: the curve of the least jerk."""
    u = min(max(share, 0.0), 1.0)
    return u * u * u * (10 - 15 * u + 6 * u * u)


def _swipe(across: float, down: float) -> Maker:
    def make(hand: Hand, rng: np.random.Generator) -> Shape:
        widths = _about(rng, 2.9 * hand.habits.reach, 0.1, *SWIPE_WIDTHS)
        seconds = max(_about(rng, 0.42 / hand.habits.tempo, 0.12, *SWIPE_SECONDS), widths / _FASTEST)
        lean = rng.uniform(-_LEAN, _LEAN)
        towards = np.array([across * np.cos(lean) - down * np.sin(lean), across * np.sin(lean) + down * np.cos(lean)])
        aside = np.array([-towards[1], towards[0]]) * rng.uniform(-0.25, 0.25)  # a hand goes in an arc
        pose = hand.pose(hand.habits.swipe, rng)
        # The fingers are ahead of the wrist, or trail behind it, and are upright again at the end.
        lag = rng.uniform(-8, 14) * (-across if across else rng.choice([-0.4, 0.4]))
        nod = rng.uniform(-4, 10) * down

        def at(share: float) -> Step:
            done = softly(share)
            bend = float(np.sin(np.pi * done))
            held = hand.leaning(pose, lag * bend).turned(np.array([0.0, nod * bend, 0.0]))
            return Step(held, widths * done * towards + 4 * done * (1 - done) * aside)

        return Shape(seconds, at)

    return make


def _circle(clockwise: float) -> Maker:
    """`clockwise`: 1, or -1 for the other way round, as seen in the picture (where y points down)."""

    def make(hand: Hand, rng: np.random.Generator) -> Shape:
        rounds = float(rng.choice([1.0, 1.0, 2.0])) + rng.uniform(-0.06, 0.1)
        radius = _about(rng, 0.8 * hand.habits.reach, 0.15, 0.5, 1.15)
        each = max(_about(rng, 0.68 / hand.habits.tempo, 0.12, 0.42, 0.95), 2 * np.pi * radius / _FASTEST)
        seconds = rounds * each
        axes = radius * np.array([1.0, rng.uniform(0.8, 1.2)])
        tilt, begin = rng.uniform(0, np.pi), rng.choice([-0.5, 0.5, -0.5, 1.0]) * np.pi + rng.normal(0, 0.35)
        dent, place = rng.uniform(0, 0.07), rng.uniform(0, 2 * np.pi)
        drift = rng.normal(0, 0.12, 2)
        pose = hand.pose(hand.habits.circle, rng)
        swing = rng.uniform(0, 7)  # degrees that the hand turns with it
        turned = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])

        def way(angle: float) -> Array:
            round_about = np.array([np.cos(angle - tilt), np.sin(angle - tilt)])
            return np.asarray(turned @ (axes * round_about) * (1 + dent * np.sin(2 * angle + place)))

        def at(share: float) -> Step:
            angle = begin + clockwise * 2 * np.pi * rounds * _steadily(share, 0.3)
            return Step(
                hand.leaning(pose, swing * float(np.cos(angle) - np.cos(begin))),
                way(angle) - way(begin) + share * drift,
            )

        return Shape(seconds, at)

    return make


def _wave(hand: Hand, rng: np.random.Generator) -> Shape:
    swings = int(rng.integers(2, 5))
    period = _about(rng, 0.42 / hand.habits.tempo, 0.1, 0.34, 0.55)
    degrees = _about(rng, (13.0 if hand.habits.elbow else 19.0) * hand.habits.reach, 0.12, 11, 26)
    side = rng.choice([-1.0, 1.0])
    # About the elbow, which is 2.8 hand widths below the wrist; about the wrist it moves a little all the same.
    wrist = np.radians(degrees) * (2.8 if hand.habits.elbow else rng.uniform(0.2, 1.0))
    pose = hand.pose("open_palm", rng)
    drift = rng.normal(0, 0.2, 2)

    def at(share: float) -> Step:
        envelope = softly(min(share, 1 - share) * 2 * swings / 0.3)  # from the first side on
        swing = side * float(np.sin(2 * np.pi * swings * share)) * envelope
        waved = hand.leaning(pose, degrees * swing)
        if not hand.habits.elbow:  # the forearm stays, so the wrist bends
            bent = (-degrees if hand.left else degrees) * swing
            waved = waved.with_angles(waved.angles + np.array([*[0.0] * 22, bent]))
        return Step(waved, wrist * swing * np.array([1.0, 0.0]) + share * drift)

    return Shape(swings * period, at)


def _pinch(hand: Hand, rng: np.random.Generator) -> Shape:
    times = int(rng.integers(1, 3))
    each = _about(rng, 0.58 / hand.habits.tempo, 0.12, 0.42, 0.9)
    others = np.array(_LOOSE_FINGERS) if hand.habits.loose else POSES["ok"].fingers[1:]
    closed = replace(POSES["ok"], fingers=np.vstack([POSES["ok"].fingers[:1], others]))
    apart = np.vstack([[_PINCH_OPEN["index"]], others])
    opened = jitter(hand.who.styled(replace(closed, fingers=apart, thumb=np.array(_PINCH_OPEN["thumb"]))), rng)
    # Tips that meet do so in every style: half of it is left out.
    half = replace(closed, orientation=opened.orientation)
    touching = half.with_angles(half.angles + 0.35 * hand.who.style)
    rest = rng.uniform(0.05, 0.3)  # of each pinch, closed

    def at(share: float) -> Step:
        return Step(blend(opened, touching, _there_and_back(share * times % 1.0, rest)), np.zeros(2))

    return Shape(times * each, at)


def _grab_release(hand: Hand, rng: np.random.Generator) -> Shape:
    seconds = _about(rng, 0.95 / hand.habits.tempo, 0.14, 0.62, 1.5)
    opened = hand.pose("open_palm", rng)
    fist = hand.to(opened, POSES["fist"])
    rest = rng.uniform(0.1, 0.35)
    sinking = rng.uniform(0, 0.25)  # a hand that grabs goes down a little

    def at(share: float) -> Step:
        closed = _there_and_back(share, rest)
        return Step(blend(opened, fist, closed), np.array([0.0, sinking * closed]))

    return Shape(seconds, at)


def _push(hand: Hand, rng: np.random.Generator) -> Shape:
    seconds = _about(rng, 0.85 / hand.habits.tempo, 0.14, 0.55, 1.4)
    growth = float(np.log(_about(rng, 1.65, 0.07, *GROWTH)))
    pose = hand.pose(hand.habits.swipe, rng)
    rest, aside = rng.uniform(0.02, 0.2), rng.normal(0, 0.15, 2)
    bend = rng.uniform(-4, 3)  # degrees: the fingertips stay back as the palm comes forward

    def at(share: float) -> Step:
        done = _there_and_back(share, rest)
        return Step(pose.turned(np.array([0.0, bend * done, 0.0])), aside * done, growth * done)

    return Shape(seconds, at)


SHAPES: Mapping[str, Maker] = MappingProxyType(
    {
        "swipe_left": _swipe(-1, 0),
        "swipe_right": _swipe(1, 0),
        "swipe_up": _swipe(0, -1),
        "swipe_down": _swipe(0, 1),
        "circle_clockwise": _circle(1),
        "circle_counterclockwise": _circle(-1),
        "wave": _wave,
        "pinch": _pinch,
        "grab_release": _grab_release,
        "push": _push,
    }
)
"""What makes the shape of each motion, left, right and clockwise as the unmirrored picture shows them."""


def _about(rng: np.random.Generator, usual: float, spread: float, low: float, high: float) -> float:
    """Return a random factor of the usual, within limits."""
    return float(np.clip(usual * np.exp(rng.normal(0, spread)), low, high))


def _steadily(share: float, ramp: float) -> float:
    """Return how much is done at a share of the time, 0..1: a steady speed that is gained and lost within `ramp` of it."""
    u = min(share, 1 - share)
    part = u * u / (2 * ramp) if u < ramp else u - ramp / 2
    part /= 1 - ramp
    return part if share <= 0.5 else 1 - part


def _there_and_back(share: float, rest: float) -> float:
    """Return 0 at both ends and 1 for the share `rest` in the middle."""
    return softly(min(share, 1 - share) * 2 / (1 - rest))
