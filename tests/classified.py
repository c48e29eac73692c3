"""Hands of gestures as rows, made without drawing, and classifiers fitted on some, each once."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.classifiers.classifier import Classifier, fit
from gesture_maker.classifiers.kinds import KINDS, MODEL_MAKER
from gesture_maker.landmarks.hands import EmbedderInputs, Floats, normalize

LABELS = ("none", "open_palm", "victory", "thumbs_up", "call")
CLASSICAL = tuple(kind for kind in KINDS if kind != MODEL_MAKER)

Integers = npt.NDArray[np.int64]


@cache
def gesture_rows(count: int, seed: int = 0, spread: float = 6.0) -> tuple[Floats, Integers]:
    """Return `count` hands as rows [N, 127] of the gestures `LABELS` in turn, and their classes; not to be written to.

    `spread`: degrees by which joints differ; of `none` they are anywhere.
    """
    from gesture_maker.synthetic.hand import JOINT_LIMITS, many_landmarks
    from gesture_maker.synthetic.people import draw_person
    from gesture_maker.synthetic.poses import POSES, any_angles

    rng = np.random.default_rng((seed, count))
    classes = np.arange(count) % len(LABELS)
    poses = [POSES["relaxed" if label == "none" else label] for label in LABELS]
    angles = np.array([pose.angles for pose in poses])[classes] + rng.normal(0, spread, (count, len(JOINT_LIMITS)))
    angles[classes == 0] = any_angles(rng, int((classes == 0).sum()))
    turns = np.array([pose.orientation for pose in poses])[classes] + rng.normal(0, 8, (count, 3))
    shapes = [draw_person(number).shape for number in range(8)]
    shapes = [shapes[one % 8] for one in range(count)]
    world = many_landmarks(shapes, np.clip(angles, *JOINT_LIMITS.T), turns)
    left = rng.random(count) < 0.5
    world[left, :, 0] *= -1
    image = world + rng.normal(0, 0.002, world.shape)
    right = np.where(left, 0.02, 0.98).astype(np.float32)[:, None]
    rows = EmbedderInputs(normalize(image), right, normalize(world)).rows()
    rows.setflags(write=False)
    return rows, classes


def fitted(kind: str, features: str, parameters: dict[str, Any], hands: int = 150, seed: int = 0) -> Classifier:
    """Return a classifier of `LABELS`."""
    rows, classes = gesture_rows(hands, seed)
    return fit(kind, features, parameters, LABELS, rows, classes)


@cache
def first_of(kind: str, features: str = "builtin") -> Classifier:
    """Return a classifier with the first settings of a kind's grid."""
    return fitted(kind, features, KINDS[kind].candidates()[0], hands=100)
