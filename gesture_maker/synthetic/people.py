"""Who makes the gestures: sizes, skin and habits of one person, from a seed and a number."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from gesture_maker.synthetic.hand import JOINT_LIMITS, Array, HandShape, Pose

# sRGB from light to dark, the range of the Monk Skin Tone scale's middle eight steps.
_SKIN = np.array(
    [[240, 208, 188], [232, 190, 162], [219, 169, 136], [196, 144, 110], [164, 113, 82], [125, 83, 60], [92, 60, 45]]
)
_CLOTH = np.array([[52, 62, 92], [40, 42, 46], [122, 44, 48], [196, 192, 184], [70, 98, 84], [148, 136, 116]])

LEFT_HANDED = 0.15  # share of people; about a tenth are, and a few more hold the phone in the right hand
OTHER_HAND = 0.2  # share of a person's photos that show the other hand
STYLE_DEGREES = 3.0  # spread between people of one joint's angle in the same gesture
STYLE_TURN = np.array([6.0, 4.0, 6.0])  # spread between people of the orientation, degrees


@dataclass(frozen=True, eq=False)
class Person:
    """One drawn person. `skin`, `cloth`: sRGB in 0..255; `style` [23] degrees are added to every pose's joint angles,
    `turn` [3] degrees to its orientation; `sleeve` metres from the wrist (infinite: bare arm)."""

    name: str
    shape: HandShape
    skin: Array
    cloth: Array
    sleeve: float
    left_handed: bool
    style: Array
    turn: Array

    def styled(self, pose: Pose) -> Pose:
        """Return the pose as this person makes it."""
        return pose.with_angles(pose.angles + self.style).turned(self.turn)


def generator(seed: int, *what: int | str) -> np.random.Generator:
    """Return a random generator of its own for this seed and these words and numbers.

    Every image has one, so that it does not matter which images are drawn before it.
    """
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else abs(part) for part in what]
    return np.random.default_rng(np.random.SeedSequence([abs(seed), *words]))


def person_name(number: int) -> str:
    """Return what the manifest calls the person, e.g. `person07`."""
    return f"person{number:02d}"


def draw_person(number: int, seed: int = 0) -> Person:
    """Return the person of this number; the same one for the same seed, whoever was drawn before."""
    rng = generator(seed, "person", number)
    tone = rng.uniform(0, len(_SKIN) - 1)
    low = min(int(tone), len(_SKIN) - 2)
    skin = _SKIN[low] + (tone - low) * (_SKIN[low + 1] - _SKIN[low]) + rng.normal(0, 3, 3)
    return Person(
        name=person_name(number),
        shape=_draw_shape(rng),
        skin=np.clip(skin, 30, 250),
        cloth=np.clip(_CLOTH[rng.integers(len(_CLOTH))] + rng.normal(0, 12, 3), 10, 235),
        sleeve=float(rng.uniform(0.015, 0.10)) if rng.random() < 0.65 else np.inf,
        left_handed=bool(rng.random() < LEFT_HANDED),
        style=rng.normal(0, STYLE_DEGREES, len(JOINT_LIMITS)),
        turn=rng.normal(0, 1, 3) * STYLE_TURN,
    )


def _draw_shape(rng: np.random.Generator) -> HandShape:
    """Sizes vary by about 7% between adults as a whole and by 3% each by itself."""
    base = HandShape()
    size = rng.normal(1.0, 0.07)
    slim = rng.normal(1.0, 0.07)
    wide = rng.normal(1.0, 0.04)
    fingers = size * rng.normal(1.0, 0.035)
    size, slim, wide, fingers = (float(np.clip(value, 0.8, 1.22)) for value in (size, slim, wide, fingers))
    return HandShape(
        knuckles=base.knuckles * size * [wide, 1, 1] * rng.normal(1, 0.012, (4, 3)),
        phalanges=base.phalanges * fingers * np.clip(rng.normal(1, 0.03, (4, 3)), 0.9, 1.1),
        thumb_root=base.thumb_root * size * [wide, 1, 1],
        thumb=base.thumb * fingers * np.clip(rng.normal(1, 0.03, 3), 0.9, 1.1),
        radii=base.radii * size * slim * np.clip(rng.normal(1, 0.02, (5, 4)), 0.94, 1.06),
        palm_thickness=base.palm_thickness * size * slim,
        wrist_width=base.wrist_width * size * wide,
    )
