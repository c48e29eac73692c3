"""Named gestures as joint angles, and everything between them that is no gesture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.names import NONE
from gesture_maker.synthetic.hand import JOINT_LIMITS, HandShape, Pose, skeleton

# Abduction, MCP, PIP, DIP in degrees.
_STRAIGHT = (2.0, 2.0, 5.0, 3.0)
_CURLED = (0.0, 84.0, 98.0, 62.0)
_LOOSE = (2.0, 30.0, 44.0, 25.0)

# Radial, palmar, pronation, MCP, IP in degrees.
_THUMB_OUT = (48.0, 12.0, 0.0, 0.0, 0.0)
_THUMB_OVER = (34.0, 48.0, 4.0, 52.0, 62.0)  # across the bent fingers
_THUMB_IN = (9.0, 44.0, 14.0, 50.0, 60.0)  # across the open palm
_THUMB_LOOSE = (30.0, 28.0, 5.0, 12.0, 18.0)


def _pose(
    index: tuple[float, ...],
    middle: tuple[float, ...],
    ring: tuple[float, ...],
    pinky: tuple[float, ...],
    thumb: tuple[float, ...],
    orientation: tuple[float, float, float] = (0.0, 0.0, 0.0),
    wrist: tuple[float, float] = (0.0, 0.0),
) -> Pose:
    return Pose(np.array([index, middle, ring, pinky]), np.array(thumb), np.array(wrist), np.array(orientation))


def _spread(abduction: float) -> tuple[float, ...]:
    return (abduction, *_STRAIGHT[1:])


POSES: Mapping[str, Pose] = MappingProxyType(
    {
        "fist": _pose(_CURLED, _CURLED, _CURLED, _CURLED, _THUMB_OVER),
        "open_palm": _pose(_spread(12), _spread(2), _spread(8), _spread(16), _THUMB_OUT),
        "point": _pose(_STRAIGHT, _CURLED, _CURLED, _CURLED, _THUMB_OVER),
        "victory": _pose(_spread(12), _spread(-10), _CURLED, _CURLED, _THUMB_OVER),
        "three": _pose(_spread(11), _spread(1), _spread(9), _CURLED, _THUMB_IN),
        "four": _pose(_spread(9), _spread(2), _spread(6), _spread(12), _THUMB_IN),
        "thumbs_up": _pose(_CURLED, _CURLED, _CURLED, _CURLED, (62.0, 8.0, 0.0, 0.0, -12.0), (180.0, 25.0, 80.0)),
        "call": _pose(_CURLED, _CURLED, _CURLED, _spread(20), (62.0, 10.0, 0.0, 0.0, -8.0)),
        "rock": _pose(_spread(8), _CURLED, _CURLED, _spread(12), _THUMB_OVER),
        "ok": _pose((-5.0, 57.0, 46.0, 0.0), (2.0, 18.0, 14.0, 8.0), (6.0, 8.0, 10.0, 5.0), _spread(14),
                    (18.0, 50.0, 50.0, 11.0, 16.0)),
        "l_sign": _pose(_STRAIGHT, _CURLED, _CURLED, _CURLED, (62.0, 8.0, 0.0, 0.0, -8.0)),
        "relaxed": _pose(_LOOSE, _LOOSE, (2.0, 35.0, 48.0, 27.0), (3.0, 37.0, 50.0, 28.0), _THUMB_LOOSE),
    }
)  # fmt: skip
"""Every pose by name; `relaxed` is no gesture, the others are."""

GESTURES = tuple(name for name in POSES if name != "relaxed")

DEMO_CLASSES = (NONE, "open_palm", "victory", "thumbs_up", "call", "l_sign", "rock")
"""What the demo draws; `none` first, as in the bundle. Chosen from 20 sets of six by two seeds; on four seeds that had no
part in the choice, logistic regression on the world landmarks that MediaPipe finds, trained on 12 people, was right on
0.982 to 0.994 (mean 0.990) of the images of 6 others in which a hand was found. A fist costs 1 to 2%: MediaPipe puts the
landmarks of a fist seen from the palm 0.07 hand sizes off, those of these gestures 0.015 to 0.06."""

TAKE_DEGREES = 2.5  # spread of one joint's angle between two takes by one person
TAKE_TURN = np.array([6.0, 5.0, 5.0])  # spread of the orientation between two takes, degrees
NONE_TURN = np.array([22.0, 12.0, 14.0])  # hands that make no gesture are held less carefully
APART = 0.52  # palm lengths, see `difference`: one finger must be nearly all the way elsewhere, or two half the way

_ANY_THUMB = np.array([(5, 55), (5, 45), (0, 20), (0, 40), (-5, 55)])  # degrees
_AVERAGE = HandShape()
_TIPS = [4, 8, 12, 16, 20]


def blend(a: Pose, b: Pose, t: float) -> Pose:
    """Return the pose at share `t` of the way from `a` (0) to `b` (1)."""
    angles = (1 - t) * a.angles + t * b.angles
    return a.with_angles(angles).turned(t * (b.orientation - a.orientation))


def jitter(pose: Pose, rng: np.random.Generator) -> Pose:
    """Return the pose as the same person makes it another time."""
    angles = pose.angles + rng.normal(0, TAKE_DEGREES, len(JOINT_LIMITS))
    return pose.with_angles(angles).turned(rng.normal(0, 1, 3) * TAKE_TURN)


def difference(a: Pose, b: Pose) -> float:
    """Return how far apart two poses' fingertips are in the palm's frame: root mean square in palm lengths."""
    tips = skeleton(_AVERAGE, a).points[_TIPS] - skeleton(_AVERAGE, b).points[_TIPS]
    return float(np.sqrt((tips**2).sum(axis=1).mean()) / _AVERAGE.palm_length)


def is_apart(pose: Pose, gestures: Collection[str] = GESTURES) -> bool:
    """Tell whether the pose is none of these gestures, nor easily taken for one."""
    return all(difference(pose, POSES[name]) >= APART for name in gestures)


def random_pose(rng: np.random.Generator, avoid: Collection[str] = GESTURES) -> Pose:
    """Return a plausible pose within the joint limits that is apart from all gestures in `avoid`."""
    while True:
        pose = any_pose(rng)
        if is_apart(pose, avoid) and not _may_offend(pose):
            return pose


def none_pose(rng: np.random.Generator) -> Pose:
    """Return a pose of the class `none`: half of them relaxed hands, the others in equal parts hands on their way between
    two gestures and hands in any other pose."""
    kind = rng.random()
    if kind < 0.5:
        pose = POSES["relaxed"]
    elif kind < 0.75:
        pose = _between(rng)
    else:
        pose = random_pose(rng)
    return pose.turned(rng.normal(0, 1, 3) * NONE_TURN)


def _between(rng: np.random.Generator) -> Pose:
    while True:
        first, second = rng.choice(len(GESTURES), 2, replace=False)
        pose = blend(POSES[GESTURES[first]], POSES[GESTURES[second]], rng.uniform(0.3, 0.7))
        if is_apart(pose):
            return pose


def any_pose(rng: np.random.Generator) -> Pose:
    """Return a plausible pose within the joint limits, see `any_angles`."""
    return POSES["relaxed"].with_angles(any_angles(rng))


def any_angles(rng: np.random.Generator, *count: int) -> npt.NDArray[np.float64]:
    """Return the joint angles [23] of a plausible pose, or with a `count` of that many [count, 23]; some beyond the limits.

    Neighbouring fingers bend together (they share tendons), and the end joint follows the middle one by about 2/3."""
    curl = np.clip(rng.uniform(0, 1, (*count, 1)) + np.cumsum(rng.normal(0, 0.35, (*count, 4)), axis=-1), 0, 1)
    mcp = curl * 80 + rng.normal(0, 10, (*count, 4))
    pip = np.clip(curl + rng.normal(0, 0.15, (*count, 4)), 0, 1) * 92 + 4
    dip = pip * 0.66 + rng.normal(0, 5, (*count, 4))
    abduction = rng.uniform(-4, 14, (*count, 4)) * (
        1 - 0.8 * curl
    )  # bent fingers cannot spread: the ligaments are taut
    fingers = np.stack([abduction, mcp, pip, dip], axis=-1).reshape(*count, 16)
    thumb = rng.uniform(_ANY_THUMB[:, 0], _ANY_THUMB[:, 1], (*count, 5))
    wrist = rng.normal(0, [14, 7], (*count, 2))
    return np.concatenate([fingers, thumb, wrist], axis=-1)


def _may_offend(pose: Pose) -> bool:
    """The middle finger alone: nobody wants it in a demo."""
    bend = pose.fingers[:, 1:3].sum(axis=1)
    return bool(bend[1] + 50 < min(bend[0], bend[2]))
