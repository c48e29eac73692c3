"""Flesh on the bones: a posed hand as a few hundred overlapping spheres.

A sphere looks the same from everywhere, so that the renderer needs no mesh and no intersection test, and neighbouring spheres
melt into one skin there. Fingers are rows of spheres along their bones; the palm is a fan of such rows between the knuckles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gesture_maker.synthetic.hand import Array, HandShape, Pose, Skeleton, skeleton

SPACING = 0.45  # of the radius; between two spheres the surface then sinks by 2.5% of the radius, a fraction of a pixel
FOREARM_LENGTH = 0.55  # metres: longer than a real one, so that it always leaves the picture


@dataclass(frozen=True, eq=False)
class Surface:
    """Spheres in the palm's frame, metres: `centres` [S, 3], `radii` [S], `dorsal` [S, 3] unit vectors out of the back of
    the hand, and per sphere in 0..1: `nail`, `blush` (redder skin: knuckles, fingertips), `sleeve` (cloth)."""

    centres: Array
    radii: Array
    dorsal: Array
    nail: Array
    blush: Array
    sleeve: Array


class _Spheres:
    """Collects rows of spheres."""

    def __init__(self) -> None:
        self.rows: list[Array] = []

    def row(
        self,
        start: Array,
        end: Array,
        start_radius: float,
        end_radius: float,
        dorsal: Array,
        *,
        waist: float = 0.0,
        nail: bool = False,
        blush: tuple[float, float] = (0.0, 0.0),
        sleeve_from: float = np.inf,
        spacing: float = SPACING,
    ) -> None:
        """Add spheres from `start` to `end`; `waist` narrows the middle by that share, `sleeve_from` is in metres."""
        length = float(np.linalg.norm(end - start))
        count = max(2, int(np.ceil(length / (spacing * min(start_radius, end_radius)))) + 1)
        t = np.linspace(0.0, 1.0, count)
        row = np.zeros((count, 10))
        row[:, :3] = start + t[:, None] * (end - start)
        row[:, 3] = (start_radius + t * (end_radius - start_radius)) * (1 - waist * np.sin(np.pi * t))
        row[:, 4:7] = dorsal
        row[:, 7] = nail & (t > 0.42)
        row[:, 8] = blush[0] * (1 - t) ** 2 + blush[1] * t**2
        row[:, 9] = t * length > sleeve_from
        self.rows.append(row)


def surface(shape: HandShape, pose: Pose, sleeve_from: float = np.inf) -> Surface:
    """Return the flesh of the posed hand; `sleeve_from` is where the sleeve begins, in metres from the wrist."""
    bones = skeleton(shape, pose)
    spheres = _Spheres()
    _fingers(spheres, shape, bones)
    _palm(spheres, shape, bones)
    _forearm(spheres, shape, bones, sleeve_from)
    table = np.concatenate(spheres.rows)
    return Surface(table[:, :3], table[:, 3], table[:, 4:7], table[:, 7], table[:, 8], table[:, 9])


def _fingers(spheres: _Spheres, shape: HandShape, bones: Skeleton) -> None:
    points, dorsal = bones.points, bones.dorsal
    for finger in range(5):
        first = 1 + 4 * finger
        radii = shape.radii[finger]
        for bone in range(3):
            a, b = first + bone, first + bone + 1
            metacarpal_of_thumb = finger == 0 and bone == 0
            spheres.row(
                points[a],
                points[b],
                radii[bone] * (1.1 if metacarpal_of_thumb else 1.0),  # the ball of the thumb
                radii[bone + 1],
                dorsal[b],
                waist=0.0 if metacarpal_of_thumb else 0.05,  # joints are thicker than the bones between them
                nail=bone == 2,
                blush=(0.5 if bone else 0.3, 0.9 if bone == 2 else 0.5),
            )


def _palm(spheres: _Spheres, shape: HandShape, bones: Skeleton) -> None:
    points, knuckles = bones.points, shape.knuckles
    back = np.array([0.0, 0.0, 1.0])
    roots = knuckles * [0.62, 0.16, 0.6]
    thickness = shape.palm_thickness
    steps = 10  # rows between index and little finger: nearer to each other than their radius
    for u in np.linspace(0.0, 3.0, steps):
        low = min(int(u), 2)
        t = u - low
        knuckle = knuckles[low] * (1 - t) + knuckles[low + 1] * t
        root = roots[low] * (1 - t) + roots[low + 1] * t
        between = 1 - 0.22 * np.sin(np.pi * t)  # knuckles stand out, with hollows between them
        top = shape.radii[1 + low, 0] * (1 - t) + shape.radii[2 + low, 0] * t
        spheres.row(root, knuckle, thickness * 1.05, top * 1.08 * between, back, blush=(0.0, 0.35))
    # The pads under the knuckles, the ball of the little finger, and the ball of the thumb bulge into the palm.
    towards_palm = np.array([0.0, 0.0, -1.0])
    spheres.row(
        knuckles[0] * [0.90, 0.92, 1] + towards_palm * 0.002,
        knuckles[3] * [0.94, 0.92, 1] + towards_palm * 0.002,
        0.0112,
        0.0100,
        back,
    )
    spheres.row(
        roots[3] * [0.92, 1.3, 1] + towards_palm * 0.003,
        knuckles[3] * [1.0, 0.75, 1] + towards_palm * 0.002,
        0.0132,
        0.0110,
        back,
    )
    thenar = points[1] * 0.55 + points[2] * 0.45
    spheres.row(points[1] * 0.72, thenar, 0.0140, 0.0135, back)
    spheres.row(thenar, knuckles[0] * 0.5, 0.0130, 0.0115, back)
    # Webs: between thumb and index finger a sheet that is thin at its edge, between the fingers one that ends before the
    # middle of the first phalanx, and sooner when one finger bends and the other does not.
    for share in np.linspace(0.1, 0.72, 7):
        on_thumb = points[1] * (1 - share) + points[2] * share
        on_index = roots[0] * (1 - share) + knuckles[0] * share
        thin = 1 - 0.45 * share
        spheres.row(on_thumb, on_index, 0.0125 * thin, 0.0120 * thin, back, waist=0.3 * share)
    for finger in range(3):
        a, b = 5 + 4 * finger, 9 + 4 * finger
        first, second = points[a + 1] - points[a], points[b + 1] - points[b]
        together = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
        for share in np.linspace(0.05, 0.40, 4) * np.clip(together, 0.2, 1.0):
            thin = (1 - 0.75 * share) * (shape.radii[1 + finger, 0] + shape.radii[2 + finger, 0]) / 2
            spheres.row(
                points[a] + share * first, points[b] + share * second, thin, thin, back, waist=0.2 + 0.5 * share
            )


def _forearm(spheres: _Spheres, shape: HandShape, bones: Skeleton, sleeve_from: float) -> None:
    along = bones.forearm
    across = np.array([1.0, 0.0, 0.0]) - along[0] * along
    across /= np.linalg.norm(across)
    back = np.cross(along, across)
    back = back if back[2] > 0 else -back
    half = shape.wrist_width
    thick = half * 0.68
    for side in (-1.0, -0.4, 0.4, 1.0):
        at_wrist = along * 0.004 + across * side * (half - thick)
        start = at_wrist - along * 0.018
        spheres.row(start, at_wrist + along * 0.035, thick * 0.92, thick, back, sleeve_from=sleeve_from + 0.014)
        far = along * FOREARM_LENGTH + across * side * half * 0.75
        spheres.row(
            at_wrist + along * 0.035,
            far,
            thick * 1.0,
            thick * 1.5,
            back,
            sleeve_from=max(sleeve_from - 0.039, -1.0),
            spacing=0.5,
        )
