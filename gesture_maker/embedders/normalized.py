"""Normalized image landmarks as an embedding: the wrist at the origin, scaled by the distance to the middle fingertip.

That is how tables of landmarks such as HaGRID's are usually prepared. It keeps where the hand points, and says less of people and
views that were not trained on than the built-in embedder; classifiers can be compared on both.

The formula stands once, in `features`, as that of `builtin.py` does: numpy runs it, and `scripts/build_embedder` traces it into
`normalized.tflite`.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np

from gesture_maker.embedders.builtin import EMBEDDING_SIZE, NUMPY, Operations
from gesture_maker.landmarks.hands import POINTS, EmbedderInputs, Floats

FEATURES = 3 * POINTS
MIDDLE_TIP = 12

_TINY = 1e-9  # under the square root: a fingertip on the wrist gives large numbers, not infinite ones


def embed(inputs: EmbedderInputs) -> Floats:
    """Return the embeddings, float32 [N, 128], of N hands as the runtime presents them."""
    return np.asarray(features(NUMPY, inputs.handedness, inputs.hand), np.float32)


def features(xp: Operations, handedness: Any, hand: Any) -> Any:
    """Return the embedding [N, 128]: x, y, z of each point in turn, their negatives, and two zeros.

    `handedness`: [N, 1], probability of a right hand; left hands are mirrored. `hand`: [N, 21, 3], wrist at the origin.
    """
    sign = xp.reshape(xp.sign_of_right(handedness), (-1, 1, 1))
    only_x, others = np.array([1, 0, 0], np.float32), np.array([0, 1, 1], np.float32)
    right = normalized(xp, hand) * (sign * only_x + others)
    positive = xp.reshape(right, (-1, FEATURES))
    nothing = xp.matmul(positive, np.zeros((FEATURES, EMBEDDING_SIZE - 2 * FEATURES), np.float32))
    return xp.concat([positive, positive * np.float32(-1), nothing])


def normalized(xp: Operations, hand: Any) -> Any:
    """Return landmarks [N, 21, 3] with the wrist at the origin, divided by the distance from there to the middle fingertip."""
    moved = hand - xp.matmul(_row_of(0), hand)
    tip = xp.matmul(_row_of(MIDDLE_TIP), moved)
    return moved / xp.sqrt(xp.sum_last(tip * tip) + np.float32(_TINY))


def tflite_bytes() -> bytes:
    """Return `normalized.tflite`, the same function for the runtime."""
    return (resources.files("gesture_maker.embedders") / "normalized.tflite").read_bytes()


def _row_of(point: int) -> Floats:
    row = np.zeros((1, POINTS), np.float32)
    row[0, point] = 1
    return row
