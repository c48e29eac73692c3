"""Hands that make no gesture, without photographing them: outlier exposure.

A head that has seen nothing between and beyond its classes calls almost anything one of them: trained on none and five
gestures of 90 people, it called 0.93 of the photos of four other gestures one of the five. Two kinds of hands fill that
space with `none`: random plausible poses of the jointed hand, and the user's own hands with their fingers exchanged. What
comes near a hand of the user's gestures is left out, by distance in the built-in embedding, whichever embedder is trained on.

    background                             others called a gesture, where 0.99 of the five are recognized (two seeds)
    none                                   0.64, 0.51
    jointed hand                           0.19, 0.08
    jointed hand and exchanged fingers     0.05, 0.01
"""

from __future__ import annotations

from functools import cache

import numpy as np

from gesture_maker.embedders.builtin import FEATURES, embed
from gesture_maker.landmarks.hands import EmbedderInputs, Floats, normalize
from gesture_maker.synthetic.hand import JOINT_LIMITS, many_landmarks
from gesture_maker.synthetic.people import draw_person
from gesture_maker.synthetic.poses import POSES, any_angles

YAW, PITCH, ROLL = 60.0, 25.0, 25.0  # degrees, spread of how a hand is held that makes no gesture
PEOPLE = 200
RELAXED = 0.25  # share of poses on their way to a relaxed hand

_AT_ONCE = 2048  # hands whose distances are worked out together: 66 MB for 4000 others

NEAR = 5.0
"""Background nearer than this to a hand of the user's gestures is left out. The same gesture by two people is 3.5 apart
(median; 6.2 in one of twenty pairs), two different gestures 9.5 (median; 4.8 in one of a hundred pairs): measured on the Sign
Language Digits training photos, in the 64 features of the built-in embedder."""

NEAR_FEW = 21.0
"""Added to `NEAR`, divided by the hands of a class and 3 more: few hands do not show how far a gesture reaches, which makes 10
of it for one, 8.5 for three, 6.6 for ten, 5.3 for 70. With 7 instead of 8.5 for one hand, people not trained on were
recognized 0.950 instead of 0.968 of the time from one photo per class; with 5.6 instead of 5.3 for 70, 0.17 instead of 0.13
of unseen gestures were called known, before any margin."""


@cache  # the same for each fold of a cross-validation
def background_hands(count: int, seed: int) -> EmbedderInputs:
    """Return `count` hands in random plausible poses, as the runtime would present them to an embedder."""
    rng = np.random.default_rng((seed, 0xBAC))
    shapes = [draw_person(number, seed=7).shape for number in range(min(count, PEOPLE))]
    relaxed = POSES["relaxed"].angles
    way = np.where(rng.random(count) < RELAXED, rng.random(count), 0)[:, None]
    limited = np.clip(any_angles(rng, count), *JOINT_LIMITS.T)
    angles = (1 - way) * limited + way * relaxed
    turns = rng.normal(0, 1, (count, 3)) * (YAW, PITCH, ROLL)
    return _right_hands(many_landmarks([shapes[row % len(shapes)] for row in range(count)], angles, turns))


def recombined_hands(hands: EmbedderInputs, count: int, seed: int) -> EmbedderInputs:
    """Return `count` hands: the palm of one of `hands`, each finger its own or that of another of them.

    Real fingers in combinations that were not photographed, which is what lies between the user's gestures.
    """
    rng = np.random.default_rng((seed, 0xF1E))
    right = _mirrored_to_right(hands)
    frames, lengths = _palm_frames(right)
    local = np.einsum("nij,npj->npi", frames, right) / lengths
    palm = rng.integers(len(hands), size=count)
    points = local[palm].copy()
    for base in (1, 5, 9, 13, 17):
        donor = np.where(rng.random(count) < 0.5, palm, rng.integers(len(hands), size=count))
        bones = local[donor, base + 1 : base + 4] - local[donor, base : base + 3]
        points[:, base + 1 : base + 4] = points[:, base : base + 1] + np.cumsum(bones, axis=1)
    return _right_hands(np.einsum("nji,npj->npi", frames[palm], points))


def background_for(gestures: EmbedderInputs, per_class: float, count: int, seed: int) -> EmbedderInputs:
    """Return up to `count` background hands, half of each kind, without those that come near one of the user's gestures.

    `gestures`: the training hands of all classes but `none`, one at least; `per_class`: how many there are of each.
    """
    posed, exchanged = background_hands(count - count // 2, seed), recombined_hands(gestures, count // 2, seed)
    hands = posed.joined(exchanged)
    return farther_than(reach(per_class), hands, gestures)


def farther_than(distance: float, hands: EmbedderInputs, gestures: EmbedderInputs) -> EmbedderInputs:
    """Return those of `hands` that are farther than this from every one of `gestures`, in the built-in embedder's features."""
    asked, known = (_features(one).astype(np.float64) for one in (hands, gestures))
    nearest = np.full(len(asked), np.inf)
    for start in range(0, len(known), _AT_ONCE):  # by matrix products: 0.02 s, where importing scikit-learn takes 0.5
        some = known[start : start + _AT_ONCE]
        squares = (asked**2).sum(axis=1)[:, None] - 2 * asked @ some.T + (some**2).sum(axis=1)
        nearest = np.minimum(nearest, squares.min(axis=1, initial=np.inf))
    return hands.take(nearest > distance**2)


def reach(per_class: float) -> float:
    """Return how near to a gesture background may come, for so many hands of each class."""
    return NEAR + NEAR_FEW / (max(per_class, 1.0) + 3)


def _right_hands(points: Floats) -> EmbedderInputs:
    hands = normalize(points)
    return EmbedderInputs(hands, np.ones((len(points), 1), np.float32), hands)


def _mirrored_to_right(hands: EmbedderInputs) -> Floats:
    """Return the world landmarks [N, 21, 3] from the wrist, left hands mirrored."""
    flip = np.ones((len(hands), 1, 3), np.float32)
    flip[:, 0, 0] = np.where(hands.handedness[:, 0] > 0.5, 1, -1)
    return np.asarray((hands.world_hand - hands.world_hand[:, :1]) * flip, np.float32)


def _palm_frames(points: Floats) -> tuple[Floats, Floats]:
    """Return rotations [N, 3, 3] of right hands into their palms' frames, and palm lengths [N, 1, 1]."""
    along = _unit(points[:, 9])
    across = _unit(np.cross(along, _unit(np.cross(points[:, 5], points[:, 17]))))
    frames = np.stack([across, along, np.cross(across, along)], axis=1)
    return frames, np.linalg.norm(points[:, [5, 9, 13, 17]], axis=-1).mean(axis=1)[:, None, None]


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9), np.float32)


def _features(hands: EmbedderInputs) -> Floats:
    return embed(hands)[:, :FEATURES]
