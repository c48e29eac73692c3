"""Hands from a table of image landmarks (`formats/landmark_csv.py`), as if the landmarker had just found them.

Three things that training needs are not in such a table, and are made from the hand's geometry, for each line by itself:

*Depth.* The z of image landmarks is a share of the photo's width, which is not known, and says less than the true depth. Each hand
is stretched in depth so that its bones get proportions as near as possible to those of real hands, and its depth, compared to its
size, is not far from what is usual; then by `_DEEPER`.

*Size.* The palm gets the length that it has in MediaPipe's world landmarks, in metres.

*Handedness.* Seen from the palm, fingers and thumb bend towards the viewer, which tells a right hand from a left. Giving each line as
both hands would do without this, but could never learn a gesture that is told from another by which side of the hand is seen.

Measured on 896 lines of such a table, made from the Sign Language Digits training photos: logistic regression on the built-in
embedder's numbers of k people, mean of 12 draws, scored on real landmarks of the test photos of 30 other people / of these in a mirror:

    depth                                     error   k = 1           k = 3           k = 10          all 90
    world landmarks of the same photos                0.931 / 0.909   0.982 / 0.976   0.988 / 0.987   0.997 / 0.986
    none (z = 0)                              0.219   0.670 / 0.594   0.804 / 0.721   0.912 / 0.841   0.932 / 0.875
    z times the true width                    0.150   0.845 / 0.777   0.923 / 0.861   0.948 / 0.891   0.966 / 0.929
    the same, 1.6 times                       0.136   0.891 / 0.839   0.950 / 0.908   0.965 / 0.933   0.986 / 0.953
    from bones, the median of the file, x 1.6 0.140   0.906 / 0.858   0.956 / 0.925   0.972 / 0.950   0.986 / 0.963
    from bones, each line, x 1.6              0.150   0.895 / 0.864   0.957 / 0.939   0.974 / 0.954   0.980 / 0.980
    usual depth, each line                    0.141   0.896 / 0.846   0.961 / 0.923   0.977 / 0.944   0.993 / 0.970
    bones and usual depth, x 1.6 (taken)      0.143   0.908 / 0.873   0.961 / 0.944   0.975 / 0.955   0.976 / 0.986

(error: median distance from the world landmarks, in palms.) Handedness: this geometry gives the right hand in 0.99 of the lines, in
0.88 of the hands of `model_maker_sample`, seen at a distance. All lines as the wrong hand: 0.51 at k = 1, 0.62 at k = 10; all lines as
both hands: 0.92 / 0.88 at k = 1, 0.99 / 0.97 at k = 10, but see above.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow

from gesture_maker.dataset.formats.landmark_csv import LandmarkLines, read_landmark_csv
from gesture_maker.landmarks.hands import POINTS, Hand
from gesture_maker.landmarks.rows import SCHEMA

DETECTION = "landmark-csv"
"""The `detection` of these rows: nothing was looked at here."""

NO_PALM = "its palm has no size"

Points = npt.NDArray[np.float64]

_FINGERS = tuple((0, base, base + 1, base + 2, base + 3) for base in (1, 5, 9, 13, 17))
_BONES = np.array([*(pair for finger in _FINGERS for pair in itertools.pairwise(finger)), (5, 9), (9, 13), (13, 17)])

# Logarithms of the bones' lengths, less their mean, and their spread: of the world landmarks of the 897 Sign Language Digits
# training photos and of these in a mirror. Four to a finger from the thumb on, beginning at the wrist, then between the knuckles.
_PROPORTIONS = np.array(
    [
        *(0.11, -0.05, 0.07, -0.10),
        *(1.10, -0.15, -0.41, -0.19),
        *(1.07, 0.14, -0.19, -0.24),
        *(1.03, -0.06, -0.28, -0.32),
        *(0.91, -0.35, -0.41, -0.52),
        *(-0.38, -0.40, -0.38),
    ]
)
_PROPORTIONS_SPREAD = np.array(
    [
        *(0.09, 0.09, 0.10, 0.12),
        *(0.05, 0.09, 0.16, 0.12),
        *(0.05, 0.06, 0.10, 0.16),
        *(0.05, 0.08, 0.11, 0.13),
        *(0.06, 0.10, 0.16, 0.13),
        *(0.12, 0.13, 0.14),
    ]
)
_DEEPER = 1.6  # what the true depth is to the one that the bones say; see above
_USUAL_DEPTH = 0.47 / _DEEPER  # share of the hand's size: of the same hands 0.45, of model_maker_sample 0.52
_USUAL_DEPTH_SPREAD = 0.35  # of its logarithm; measured 0.29 to 0.33
_WIDTH = 0.7  # the photo's width in units of the stretch: 0.78 in the table above, 0.6 in model_maker_sample
_PALM = 0.095  # metres from the wrist to the knuckles, mean of four: measured 0.0948, in model_maker_sample 0.0925
_STRETCHES = np.geomspace(0.1, 60, 60)  # in units of the hand's size; photos are 1.5 to 20 hands wide


def landmark_csv_tables(source: str | Path) -> Iterator[pyarrow.Table]:
    """Yield the hands of a table of image landmarks as tables of `rows.SCHEMA`, some thousand rows each, in their order.

    `file` is the table's name and the line, `hands.csv#2`; `sha256` that of the line's numbers. Lines whose palm has no size
    have a reason and no hand. Raises DatasetError, see `read_landmark_csv`.
    """
    name = PurePosixPath(Path(source).as_posix()).name
    for lines in read_landmark_csv(source):
        yield _table(lines, name)


def world_landmarks(points: Points) -> tuple[Points, Points]:
    """Return world landmarks [N, 21, 3] in metres and the photos' estimated widths [N] in pixels, of hands whose palms have a size.

    `points`: [N, 21, 3], x and y in pixels, z as a share of the unknown width of the photo.
    """
    size = np.ptp(points[..., :2], axis=1).max(axis=1)
    stretch = _stretch(points, size)
    world = points - points.mean(axis=1, keepdims=True)
    world[..., 2] *= _DEEPER * stretch[:, None]
    palm = np.linalg.norm(world[:, (5, 9, 13, 17)] - world[:, :1], axis=-1).mean(axis=1)
    return world * (_PALM / palm)[:, None, None], _WIDTH * stretch


def are_right(world: Points) -> npt.NDArray[np.bool_]:
    """Return for world landmarks [N, 21, 3] whether each is a right hand, by the side to which thumb and fingers bend."""
    hand = world - world[:, :1]
    out = np.cross(hand[:, 5], hand[:, 17])  # to the back of a left hand and out of the palm of a right one
    bent = np.einsum("npx,nx->np", hand, out)
    thumb, arch = bent[:, 1:5].sum(axis=1), bent[:, 9] + bent[:, 13]
    fingers = sum(bent[:, knuckle + 3] - bent[:, knuckle] for knuckle in (5, 9, 13, 17))
    return np.asarray(thumb + fingers - arch > 0)


def _stretch(points: Points, size: Points) -> Points:
    """Return by what to multiply z so that each hand's bones and depth are most like those of real hands, [N]."""
    bones = points[:, _BONES[:, 1]] - points[:, _BONES[:, 0]]
    flat, deep = (bones[..., :2] ** 2).sum(axis=-1), bones[..., 2] ** 2
    depth = np.maximum(np.ptp(points[..., 2], axis=1), 1e-9)
    best, least = np.zeros(len(points)), np.full(len(points), np.inf)
    for share in _STRETCHES:
        lengths = np.log(np.maximum(flat + deep * (share * size[:, None]) ** 2, 1e-12)) / 2
        lengths -= lengths.mean(axis=1, keepdims=True)
        unlike = (((lengths - _PROPORTIONS) / _PROPORTIONS_SPREAD) ** 2).sum(axis=1)
        unlike += (np.log(depth * share / _USUAL_DEPTH) / _USUAL_DEPTH_SPREAD) ** 2
        better = unlike < least
        best[better], least[better] = share, unlike[better]
    return np.asarray(best * size)


def hand_of(points: Points) -> Hand | None:
    """Return the hand that a line of a table is taken for; None when its palm has no size. `points`: [21, 3] as for `world_landmarks`."""
    if not _has_palm(points[None])[0]:
        return None
    landmarks, world, side = _seen(points[None])
    sides = int(side[0])
    return Hand(landmarks[0].astype(np.float32), world[0].astype(np.float32), float(are_right(world)[0]), sides, sides)


def _has_palm(points: Points) -> npt.NDArray[np.bool_]:
    return np.asarray(np.linalg.norm(points[:, (5, 9, 13, 17), :2] - points[:, :1, :2], axis=-1).sum(axis=1) > 0)


def _seen(points: Points) -> tuple[Points, Points, Points]:
    """Return landmarks as shares of a square photo, world landmarks, both [N, 21, 3], and the photos' sides in pixels, [N]."""
    world, width = world_landmarks(points)
    side = np.ceil(np.maximum(width, points[..., :2].max(axis=(1, 2), initial=1)))
    return points / np.stack([side, side, np.ones_like(side)], axis=-1)[:, None, :], world, side


def _table(lines: LandmarkLines, name: str) -> pyarrow.Table:
    points = lines.points
    found = _has_palm(points)
    landmarks, world, side = _seen(points[found])
    columns: dict[str, Any] = {
        "file": [f"{name}#{line}" for line in lines.lines],
        "label": lines.labels,
        "group": lines.groups,
        "sha256": [hashlib.sha256(hand.astype("<f8").tobytes()).hexdigest() for hand in points],
        "detection": [DETECTION] * len(points),
        "reason": [None if one else NO_PALM for one in found],
        "width": _spread(side.astype(np.int32), found),
        "height": _spread(side.astype(np.int32), found),
        "margin": _spread(np.zeros(len(side), np.int32), found),
        "handedness": _spread(are_right(world).astype(np.float64), found),
        "landmarks": _spread(list(landmarks.reshape(-1, POINTS * 3).astype(np.float32)), found),
        "world": _spread(list(world.reshape(-1, POINTS * 3).astype(np.float32)), found),
    }
    return pyarrow.table(columns, schema=SCHEMA)


def _spread(values: Any, found: npt.NDArray[np.bool_]) -> list[Any]:
    """Return the values in the places of the hands, None in the others."""
    remaining = iter(values)
    return [next(remaining) if one else None for one in found]
