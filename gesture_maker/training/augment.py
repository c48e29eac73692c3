"""More hands out of those that were photographed: the same gestures by other people, from other sides.

Everything happens on landmarks in 3D, before they are embedded, so that a thousand variants cost milliseconds. Each variant
gets bones of other lengths, joints bent a little differently, another view of the camera, and the landmarker's own noise.

The landmarker is not symmetric: of the mirror image of a photo it says something that differs more from what it says of the
photo (0.064, 0.033, 0.082 in x, y, z, in units of the hand's size) than two looks at the same photo do, with other borders or
at another size (0.010 to 0.022, 0.013 to 0.018, 0.022 to 0.042). Mirrored landmarks therefore do not show what the other hand
will look like, and `train` looks at each photo in a mirror too. `scripts/measure_landmark_noise.py` measures both. Mean
accuracy on people not trained on, of the photos and of their mirror images, by cross-validation over the 90 training people
of the Sign Language Digits:

                           k = 1          k = 3          k = 10         k = 30
    without mirror         0.959  0.940   0.993  0.982   0.996  0.986   0.998  0.986
    with mirror            0.968  0.958   0.992  0.983   0.996  0.987   0.996  0.986
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gesture_maker.landmarks.hands import POINTS, EmbedderInputs, normalize

_PARENT = np.array([0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19])
_DEPTH = np.array([0, *(1, 2, 3, 4) * 5])  # bones from the wrist


@dataclass(frozen=True)
class Augmentation:
    """How far variants may differ. Angles in degrees, standard deviations throughout.

    `bend`: of each joint; `palm_bend`: of the bones of the palm; `view`: rotation about the camera's axes x and y; `roll`:
    about its z; `length`: of each bone, relative; `proportion`: of each finger as a whole, relative; `jitter`: of each point,
    in units of the hand's size; `depth_jitter`: the same in z; `wrong_hand`: share of variants with the other handedness.

    Most of what two looks differ by moves the points together, as `bend` and `view` do; with a jitter of all of it (0.014,
    0.03), the accuracy from one person was 0.964 instead of 0.968. The landmarker names the wrong hand in about one photo of
    a hundred; naming it wrongly changed the gesture of 0.9 % of the hands (k = 10) with 0.01 variants of the other hand, of
    0.3 % with 0.05, and of less than 0.1 % with 0.15, all at the same accuracy.
    """

    bend: float = 6.0
    palm_bend: float = 2.0
    view: float = 10.0
    roll: float = 10.0
    length: float = 0.04
    proportion: float = 0.05
    jitter: float = 0.008
    depth_jitter: float = 0.016
    wrong_hand: float = 0.15


def augmented(
    inputs: EmbedderInputs, copies: int, rng: np.random.Generator, how: Augmentation | None = None
) -> EmbedderInputs:
    """Return `copies` variants of each of N hands, [N * copies] of them, hand by hand, normalized as the runtime does.

    Image and world landmarks of a hand are changed alike.
    """
    how = how or Augmentation()
    count = len(inputs) * copies
    turns = _turns(count, rng, how)
    lengths = np.exp(
        rng.normal(0, how.length, (count, POINTS, 1))
        + np.concatenate(
            [np.zeros((count, 1, 1)), np.repeat(rng.normal(0, how.proportion, (count, 5, 1)), 4, axis=1)], axis=1
        )
    )
    spread = np.array([how.jitter, how.jitter, how.depth_jitter])
    noise = rng.normal(0, 1, (count, POINTS, 3)) * spread
    view = _rotations(np.deg2rad(rng.normal(0, 1, (count, 1, 3)) * (how.view, how.view, how.roll)))
    changed = []
    for points in (inputs.hand, inputs.world_hand):
        bones = np.repeat(points - points[:, _PARENT], copies, axis=0).astype(np.float64)
        bones = np.einsum("npij,npj->npi", turns, bones) * lengths
        moved = np.zeros_like(bones)
        for point in range(1, POINTS):
            moved[:, point] = moved[:, _PARENT[point]] + bones[:, point]
        moved = np.einsum("nij,npj->npi", view[:, 0], moved)
        size = np.ptp(moved[..., :2], axis=1).max(axis=-1)[:, None, None]
        changed.append(normalize(moved + noise * size))
    handedness = np.repeat(inputs.handedness, copies, axis=0)
    wrong = rng.random((count, 1)) < how.wrong_hand
    return EmbedderInputs(changed[0], np.where(wrong, 1 - handedness, handedness).astype(np.float32), changed[1])


def mirrored(inputs: EmbedderInputs) -> EmbedderInputs:
    """Return the other hand of each: x mirrored, the handedness turned round."""
    flip = np.array([-1, 1, 1], np.float32)
    return EmbedderInputs(inputs.hand * flip, 1 - inputs.handedness, inputs.world_hand * flip)


def _turns(count: int, rng: np.random.Generator, how: Augmentation) -> npt.NDArray[np.float64]:
    """Return the rotation of each bone [count, 21, 3, 3]: its own joint's and those of all before it on its finger."""
    own = rng.normal(0, 1, (count, POINTS, 3)) * np.where(_DEPTH == 1, how.palm_bend, how.bend)[:, None]
    total = np.zeros_like(own)
    for point in range(1, POINTS):
        total[:, point] = own[:, point] + (total[:, _PARENT[point]] if _DEPTH[point] > 1 else 0)
    return _rotations(np.deg2rad(total))


def _rotations(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return rotation matrices [..., 3, 3] of rotation vectors [..., 3] in radians (Rodrigues' formula)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vectors / np.maximum(angle[..., 0], 1e-12), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], axis=-2)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross))
