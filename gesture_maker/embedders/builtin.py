"""The built-in embedder: a hand's geometry as 64 numbers and their negatives.

Distances and angles of the world landmarks say which gesture a hand makes whoever makes it, with either hand, and however
it is turned; where it points is said by six numbers more, so that a thumb up differs from a thumb down. It needs no
training and no download. Its price against a learned embedding: nothing that the 21 points do not say.

The formula stands once, in `features`, written over a handful of array operations: numpy runs it for training, and
`scripts/build_embedder` traces the same lines with TensorFlow into `builtin.tflite` for the runtime.

How the parts were chosen: logistic regression on the hands of the first k people of the Sign Language Digits training
photos and, in brackets, mean over six draws of k people, scored on the 30 test people:

    features                                     k = 1           k = 3           k = 10
    fingertip coordinates along the palm (15)    0.733 (0.807)   0.929 (0.944)   0.926 (0.968)
    all coordinates along the palm (60)          0.517 (0.715)   0.902 (0.927)   0.912 (0.961)
    cosines of the joints (15)                   0.801 (0.858)   0.929 (0.946)   0.976 (0.981)
    distances between fingertips, to wrist (15)  0.939 (0.949)   0.980 (0.981)   0.983 (0.988)
    distances, cosines, fingertips (45)          0.932 (0.946)   0.986 (0.985)   0.986 (0.988)
    with spread and orientation (55)             0.892 (0.913)   0.970 (0.975)   0.983 (0.988)

Orientation costs something where every photo is taken from the same side, and is kept because gestures differ by it.

A trained embedding was tried and not taken: the 64 features whitened by how they vary within a gesture, learned from 45 people.
It won on the same kind of photos (other 45 people, k = 1: 0.991 instead of 0.981; k = 3: the same), also when it had learned
from other gestures, and lost on photos of another kind (`model_maker_sample`, cross-validation: 0.91 instead of 0.94). Learned
from drawn hands, or from hands turned as other photos would show them, it won nothing worth having (0.979 to 0.988; 0.94).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.landmarks.hands import POINTS, EmbedderInputs, Floats

FEATURES = 64
EMBEDDING_SIZE = 2 * FEATURES

_TIPS = (4, 8, 12, 16, 20)
_KNUCKLES = (5, 9, 13, 17)  # of the four fingers, at the palm
_MIDDLE_JOINTS = (6, 10, 14, 18)
_BASES = (1, *_KNUCKLES)
_FINGERS = tuple((0, base, base + 1, base + 2, base + 3) for base in (1, 5, 9, 13, 17))

# Each group is moved by its centre and divided by its spread, so that each number has about unit spread. Measured on the
# hands of the Sign Language Digits training photos; lengths are in units of the palm (mean distance of knuckles and wrist).
_DISTANCE = (0.9, 0.35)
_REACH = (1.4, 0.45)
_COSINE = (0.8, 0.25)
_PLACE = (np.tile((0.0, 1.4, 0.35), len(_TIPS)), np.tile((0.4, 0.4, 0.2), len(_TIPS)))
_SPREAD = (0.75, 0.35)
_NEAR = (0.55, 0.3)
_ORIENTATION = (np.zeros(6), np.full(6, 0.6))

_TINY = 1e-9  # under a square root: keeps the length of a zero vector, and what is divided by it, finite


@dataclass(frozen=True)
class Operations:
    """The array operations that `features` needs, of numpy or of TensorFlow."""

    matmul: Callable[[Any, Any], Any]
    sum_last: Callable[[Any], Any]  # over the last axis, which stays with length 1
    sqrt: Callable[[Any], Any]
    concat: Callable[[Sequence[Any]], Any]  # along the last axis
    sign_of_right: Callable[[Any], Any]  # [N, 1] -> +1 where above 0.5, else -1
    reshape: Callable[[Any, tuple[int, ...]], Any]


NUMPY = Operations(
    matmul=np.matmul,
    sum_last=lambda x: np.sum(x, axis=-1, keepdims=True),
    sqrt=np.sqrt,
    concat=lambda parts: np.concatenate(parts, axis=-1),
    sign_of_right=lambda x: np.where(x > 0.5, np.float32(1), np.float32(-1)),
    reshape=np.reshape,
)


def embed(inputs: EmbedderInputs) -> Floats:
    """Return the embeddings, float32 [N, 128], of N hands as the runtime presents them."""
    return np.asarray(features(NUMPY, inputs.handedness, inputs.world_hand), np.float32)


def features(xp: Operations, handedness: Any, world_hand: Any) -> Any:
    """Return the embedding [N, 128]: 64 features and their negatives.

    `handedness`: [N, 1], probability of a right hand; `world_hand`: [N, 21, 3], wrist at the origin. The negatives are
    there because the head begins with BatchNorm and ReLU, which would throw away half of each number.
    """
    hand = _mirrored_to_right(xp, handedness, world_hand)
    from_wrist = xp.matmul(_between([(0, knuckle) for knuckle in _KNUCKLES]), hand)  # [N, 4, 3]
    palm = xp.matmul(_mean_of(4), _length(xp, from_wrist))  # [N, 1, 1], the unit of length
    axes = _palm_axes(xp, from_wrist)  # [N, 3, 3], rows: across, along, out of the palm

    tips_apart = [*itertools.combinations(_TIPS, 2)]
    thumb_near = [(4, joint) for joint in (*_MIDDLE_JOINTS, 5, 17)]
    neighbours = [*itertools.pairwise(_MIDDLE_JOINTS)]
    fingers = _unit(xp, xp.matmul(_between([*zip(_BASES, _TIPS, strict=True)]), hand))  # [N, 5, 3]
    bones = _unit(xp, xp.matmul(_between([p for finger in _FINGERS for p in itertools.pairwise(finger)]), hand))

    parts = [
        _scaled(_distances(xp, hand, tips_apart, palm), _DISTANCE),  # 10
        _scaled(_distances(xp, hand, [(0, tip) for tip in _TIPS], palm), _REACH),  # 5
        _scaled(_cosines(xp, bones, [(4 * f + j, 4 * f + j + 1) for f in range(5) for j in range(3)]), _COSINE),
        _scaled(_flat(xp, _along(xp, xp.matmul(_pick(_TIPS), hand), axes) / palm, 15), _PLACE),  # 15
        _scaled(_cosines(xp, fingers, [*itertools.pairwise(range(5))]), _SPREAD),  # 4
        _scaled(_distances(xp, hand, thumb_near + neighbours, palm), _NEAR),  # 9
        _scaled(_flat(xp, xp.matmul(_pick((1, 2), 3), axes), 6), _ORIENTATION),  # 6: along and out of the palm
    ]
    positive = xp.concat(parts)
    return xp.concat([positive, positive * np.float32(-1)])


def tflite_bytes() -> bytes:
    """Return `builtin.tflite`, the same function for the runtime."""
    return (resources.files("gesture_maker.embedders") / "builtin.tflite").read_bytes()


def silent_canned_classifier_bytes() -> bytes:
    """Return a canned classifier that knows `None` alone: Google's would misread these embeddings."""
    return (resources.files("gesture_maker.embedders") / "silent_canned_classifier.tflite").read_bytes()


def _mirrored_to_right(xp: Operations, handedness: Any, world_hand: Any) -> Any:
    sign = xp.reshape(xp.sign_of_right(handedness), (-1, 1, 1))
    only_x, others = np.array([1, 0, 0], np.float32), np.array([0, 1, 1], np.float32)
    return world_hand * (sign * only_x + others)


def _palm_axes(xp: Operations, from_wrist: Any) -> Any:
    """Return three unit vectors [N, 3, 3]: across the palm (towards the little finger), along it, and out of it."""
    along = _unit(xp, xp.matmul(_pick((1,), 4), from_wrist))  # to the middle finger's knuckle
    index, little = xp.matmul(_pick((0,), 4), from_wrist), xp.matmul(_pick((3,), 4), from_wrist)
    out = _unit(xp, _cross(xp, index, little))
    across = _unit(xp, _cross(xp, along, out))
    out = _cross(xp, across, along)
    return xp.matmul(_row(0), across) + xp.matmul(_row(1), along) + xp.matmul(_row(2), out)


def _cross(xp: Operations, a: Any, b: Any) -> Any:
    """Cross product of [N, 1, 3] vectors, by cyclic permutations: TFLite has no operation for it."""
    forward, backward = _permutation(1), _permutation(2)
    return xp.matmul(a, forward) * xp.matmul(b, backward) - xp.matmul(a, backward) * xp.matmul(b, forward)


def _length(xp: Operations, vectors: Any) -> Any:
    return xp.sqrt(xp.sum_last(vectors * vectors) + np.float32(_TINY))


def _unit(xp: Operations, vectors: Any) -> Any:
    return vectors / _length(xp, vectors)


def _distances(xp: Operations, hand: Any, pairs: Sequence[tuple[int, int]], palm: Any) -> Any:
    return _flat(xp, _length(xp, xp.matmul(_between(pairs), hand)) / palm, len(pairs))


def _cosines(xp: Operations, units: Any, pairs: Sequence[tuple[int, int]]) -> Any:
    count = 1 + max(max(pair) for pair in pairs)
    first = xp.matmul(_pick([a for a, _ in pairs], count), units)
    second = xp.matmul(_pick([b for _, b in pairs], count), units)
    return _flat(xp, xp.sum_last(first * second), len(pairs))


def _along(xp: Operations, vectors: Any, axes: Any) -> Any:
    """Return [N, M, 3] vectors in coordinates of the palm's axes."""
    columns = [xp.sum_last(vectors * xp.matmul(_pick((axis,), 3), axes)) for axis in range(3)]
    return xp.concat(columns)


def _flat(xp: Operations, values: Any, count: int) -> Any:
    return xp.reshape(values, (-1, count))


def _scaled(values: Any, centre_and_spread: tuple[Any, Any]) -> Any:
    centre, spread = (np.asarray(part, np.float32) for part in centre_and_spread)
    return (values - centre) / spread


def _between(pairs: Sequence[tuple[int, int]]) -> Floats:
    """Return the matrix [len(pairs), 21] that takes points to the vectors from the first to the second of each pair."""
    matrix = np.zeros((len(pairs), POINTS), np.float32)
    for row, (start, end) in enumerate(pairs):
        matrix[row, start] -= 1
        matrix[row, end] += 1
    return matrix


def _pick(rows: Sequence[int], count: int = POINTS) -> Floats:
    return np.eye(count, dtype=np.float32)[list(rows)]


def _mean_of(count: int) -> Floats:
    return np.full((1, count), 1 / count, np.float32)


def _row(index: int) -> Floats:
    return np.eye(3, dtype=np.float32)[:, index : index + 1]


@cache
def _permutation(shift: int) -> npt.NDArray[np.float32]:
    return np.roll(np.eye(3, dtype=np.float32), -shift, axis=1)
