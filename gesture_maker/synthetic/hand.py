"""A jointed hand: bone lengths and joint angles in, MediaPipe's 21 landmarks out.

The palm's own frame is a right hand held up with its palm to the camera, in MediaPipe's axes: x to the right (towards the
thumb), y down (fingers point to -y), z away from the camera (the back of the hand looks to +z). The wrist is the origin.
Each finger bends in one plane, so a finger is a chain in the plane of its direction and its bending direction; what the
model leaves out (the arch of a cupped palm, the play of the wrist bones) moves landmarks by less than MediaPipe's own error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


# Degrees, flexion positive. American Academy of Orthopaedic Surgeons, "Joint Motion: Method of Measuring and Recording":
# fingers MCP 0-90 (hyperextension to 45, of which a gesture uses little), PIP 0-100, DIP 0-90; thumb MCP 0-50, IP 0-80,
# CMC abduction 0-70; wrist flexion 80, extension 70, radial deviation 20, ulnar deviation 30.
_FINGER_LIMITS = ((-20.0, 25.0), (-30.0, 90.0), (-5.0, 100.0), (-10.0, 90.0))
_THUMB_LIMITS = ((-20.0, 70.0), (-10.0, 70.0), (-30.0, 60.0), (-10.0, 55.0), (-20.0, 80.0))
_WRIST_LIMITS = ((-70.0, 80.0), (-30.0, 20.0))

JOINT_LIMITS: Array = np.array([*_FINGER_LIMITS * 4, *_THUMB_LIMITS, *_WRIST_LIMITS])
"""Lowest and highest angle of each joint in degrees, [23, 2], in the order of `Pose.angles`."""

# Direction of each straight finger in the palm's plane, and where it bends to, in degrees: bent fingers do not close side
# by side but point to the scaphoid at the root of the thumb.
_FAN = np.radians([3.0, -1.0, -5.0, -11.0])
_CONVERGENCE = np.radians([-5.0, 2.0, 8.0, 15.0])
_THUMB_PULP = np.radians(35.0)  # how far the thumb's pulp is turned out of the palm's plane at rest


@dataclass(frozen=True, eq=False)
class HandShape:
    """The sizes of one hand in metres.

    Bone lengths: A. Buryanov and V. Kotiuk, "Proportions of Hand Segments" (2010), means of X-rays, plus about 4 mm of
    fingertip, as MediaPipe's tip lies in the pulp; knuckles are a metacarpal and 22 mm of carpus away from the wrist.
    """

    knuckles: Array = field(
        default_factory=lambda: np.array(
            [[0.0250, -0.0870, -0.001], [0.0030, -0.0880, 0.002], [-0.0165, -0.0815, 0.000], [-0.0340, -0.0710, -0.005]]
        )
    )  # MCP joints of index to pinky in the palm's frame, [4, 3]
    phalanges: Array = field(
        default_factory=lambda: np.array(
            [[0.0398, 0.0224, 0.0200], [0.0446, 0.0263, 0.0215], [0.0414, 0.0257, 0.0213], [0.0327, 0.0181, 0.0195]]
        )
    )  # proximal, middle, distal of index to pinky, [4, 3]
    thumb_root: Array = field(default_factory=lambda: np.array([0.0210, -0.0200, -0.0080]))  # CMC joint, [3]
    thumb: Array = field(default_factory=lambda: np.array([0.0440, 0.0316, 0.0257]))  # metacarpal and phalanges, [3]
    radii: Array = field(
        default_factory=lambda: np.array(
            [
                [0.0130, 0.0112, 0.0100, 0.0080],
                [0.0110, 0.0100, 0.0087, 0.0070],
                [0.0112, 0.0101, 0.0089, 0.0071],
                [0.0107, 0.0096, 0.0084, 0.0067],
                [0.0096, 0.0085, 0.0074, 0.0059],
            ]
        )
    )  # half the thickness at the four landmarks of thumb to pinky, [5, 4]
    palm_thickness: float = 0.0125  # half of it, between the knuckles
    wrist_width: float = 0.0285  # half of it

    def __post_init__(self) -> None:
        shapes = {"knuckles": (4, 3), "phalanges": (4, 3), "thumb_root": (3,), "thumb": (3,), "radii": (5, 4)}
        for name, shape in shapes.items():
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.shape != shape:
                raise ValueError(f"HandShape.{name} must have the shape {shape}, not {value.shape}.")
            object.__setattr__(self, name, value)

    @property
    def palm_length(self) -> float:
        """Wrist to the middle finger's knuckle, in metres."""
        return float(np.linalg.norm(self.knuckles[1]))

    @property
    def bone_lengths(self) -> Array:
        """Lengths of the 20 bones that end in landmarks 1 to 20, in metres."""
        fingers = np.column_stack([np.linalg.norm(self.knuckles, axis=1), self.phalanges])
        return np.concatenate([[np.linalg.norm(self.thumb_root)], self.thumb, fingers.ravel()])


@dataclass(frozen=True, eq=False)
class Pose:
    """What a hand does, in degrees; bending towards the palm is positive.

    `fingers` [4, 4]: index to pinky; abduction (away from the middle finger; the middle finger's own: towards the thumb),
    then MCP, PIP, DIP flexion. `thumb` [5]: radial abduction (in the palm's plane), palmar abduction (out of it), pronation
    (turning the pulp towards the fingers), MCP and IP flexion. `wrist` [2]: flexion, radial deviation.
    `orientation` [3]: the hand before the camera: yaw about the palm's long axis (180 shows the back of the hand), then pitch
    (positive: fingertips towards the camera), then roll in the image (positive: clockwise).
    """

    fingers: Array
    thumb: Array
    wrist: Array = field(default_factory=lambda: np.zeros(2))
    orientation: Array = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        for name, shape in {"fingers": (4, 4), "thumb": (5,), "wrist": (2,), "orientation": (3,)}.items():
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.shape != shape:
                raise ValueError(f"Pose.{name} must have the shape {shape}, not {value.shape}.")
            object.__setattr__(self, name, value)

    @property
    def angles(self) -> Array:
        """All joint angles as one vector [23], in the order of `JOINT_LIMITS`, without the orientation."""
        return np.concatenate([self.fingers.ravel(), self.thumb, self.wrist])

    def with_angles(self, angles: Array) -> Pose:
        """Return the pose with these joint angles [23], each moved into its joint's limits."""
        angles = np.clip(angles, JOINT_LIMITS[:, 0], JOINT_LIMITS[:, 1])
        return replace(self, fingers=angles[:16].reshape(4, 4), thumb=angles[16:21], wrist=angles[21:])

    def turned(self, orientation: Array) -> Pose:
        """Return the pose with `orientation` [3] in degrees added to its own."""
        return replace(self, orientation=self.orientation + orientation)

    def within_limits(self) -> bool:
        """Tell whether every joint is within its limits."""
        angles = self.angles
        return bool(np.all(angles >= JOINT_LIMITS[:, 0] - 1e-9) and np.all(angles <= JOINT_LIMITS[:, 1] + 1e-9))


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A posed hand in the palm's frame: `points` [21, 3] in metres, `dorsal` [21, 3] unit vectors that point out of the
    back of the bone ending in each landmark, `forearm` [3] the direction from the wrist to the elbow."""

    points: Array
    dorsal: Array
    forearm: Array


def skeleton(shape: HandShape, pose: Pose) -> Skeleton:
    """Return the posed right hand in the palm's frame (forward kinematics); the orientation is not applied."""
    points, dorsal = _kinematics(shape.knuckles, shape.phalanges, shape.thumb_root, shape.thumb, pose.angles)
    flexion, deviation = np.radians(pose.wrist)
    forearm = np.array([np.sin(deviation), np.cos(deviation) * np.cos(flexion), -np.cos(deviation) * np.sin(flexion)])
    return Skeleton(points, dorsal, forearm)


def _kinematics(
    knuckles: Array, phalanges: Array, thumb_root: Array, thumb: Array, angles: Array
) -> tuple[Array, Array]:
    """Return `Skeleton`'s points and dorsal of one hand, or with one more axis in front of all, of many."""
    joints = np.radians(angles)
    many = joints.shape[:-1]
    points, dorsal = np.zeros((*many, 21, 3)), np.broadcast_to([0.0, 0.0, 1.0], (*many, 21, 3)).copy()
    radial, palmar, pronation, mcp, ip = np.moveaxis(joints[..., 16:21], -1, 0)
    zero = np.zeros(many)
    along = _vector(np.sin(radial) * np.cos(palmar), -np.cos(radial) * np.cos(palmar), -np.sin(palmar))
    inward = _vector(-np.cos(radial), -np.sin(radial), zero)  # in the palm's plane, square to the thumb
    bend = _turned_about(inward, along, _THUMB_PULP - pronation)
    points[..., 1, :] = thumb_root
    dorsal[..., 1, :] = -bend
    _chain(points, dorsal, 1, along, bend, np.stack([zero, mcp, ip], axis=-1), thumb)

    for finger in range(4):
        abduction, flexion = joints[..., 4 * finger], joints[..., 4 * finger + 1 : 4 * finger + 4]
        direction = _FAN[finger] + (abduction if finger < 2 else -abduction)
        along = _vector(np.sin(direction), -np.cos(direction), zero)
        across = _vector(np.cos(direction), np.sin(direction), zero)
        bend = np.cos(_CONVERGENCE[finger]) * np.array([0.0, 0.0, -1.0]) + np.sin(_CONVERGENCE[finger]) * across
        first = 5 + 4 * finger
        points[..., first, :] = knuckles[..., finger, :]
        _chain(points, dorsal, first, along, bend, flexion, phalanges[..., finger, :])
    return points, dorsal


def _chain(points: Array, dorsal: Array, first: int, along: Array, bend: Array, flexion: Array, lengths: Array) -> None:
    total = np.cumsum(flexion, axis=-1)[..., None]
    along, bend = along[..., None, :], bend[..., None, :]
    steps = along * np.cos(total) + bend * np.sin(total)
    reached = np.cumsum(steps * lengths[..., None], axis=-2)
    points[..., first + 1 : first + 4, :] = points[..., first : first + 1, :] + reached
    dorsal[..., first + 1 : first + 4, :] = along * np.sin(total) - bend * np.cos(total)


def _turned_about(vector: Array, axis: Array, angle: Array) -> Array:
    """Rodrigues' rotation of a vector that is square to `axis`."""
    angle = np.asarray(angle)[..., None]
    return np.asarray(vector * np.cos(angle) + np.cross(axis, vector) * np.sin(angle), dtype=np.float64)


def _vector(x: Array, y: Array, z: Array) -> Array:
    return np.stack([x, y, z], axis=-1)


def rotation(yaw: npt.ArrayLike, pitch: npt.ArrayLike, roll: npt.ArrayLike) -> Array:
    """Return the matrix [..., 3, 3] that turns by yaw (about y), then pitch (about x), then roll (about z), in degrees."""
    a, b, c = (np.radians(np.asarray(angle, np.float64)) for angle in (yaw, pitch, roll))
    one, zero = np.ones_like(a), np.zeros_like(a)
    about_y = _matrix([[np.cos(a), zero, np.sin(a)], [zero, one, zero], [-np.sin(a), zero, np.cos(a)]])
    about_x = _matrix([[one, zero, zero], [zero, np.cos(b), -np.sin(b)], [zero, np.sin(b), np.cos(b)]])
    about_z = _matrix([[np.cos(c), -np.sin(c), zero], [np.sin(c), np.cos(c), zero], [zero, zero, one]])
    return np.asarray(about_z @ about_x @ about_y)


def _matrix(rows: list[list[Array]]) -> Array:
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def placement(pose: Pose, left: bool = False) -> Array:
    """Return the matrix [3, 3] that takes points of the palm's frame into MediaPipe's axes; a left hand is mirrored."""
    turn = rotation(*pose.orientation)
    mirror = np.diag([-1.0 if left else 1.0, 1.0, 1.0])
    return np.asarray(mirror @ turn)


def landmarks(shape: HandShape, pose: Pose, left: bool = False) -> npt.NDArray[np.float32]:
    """Return the world landmarks, float32 [21, 3] in metres in MediaPipe's axes and order, with the wrist as origin.

    MediaPipe's own world landmarks have the hand's middle as origin; differences between points are the same.
    """
    return np.asarray(skeleton(shape, pose).points @ placement(pose, left).T, dtype=np.float32)


def many_landmarks(shapes: Sequence[HandShape], angles: Array, orientations: Array) -> npt.NDArray[np.float32]:
    """Return the world landmarks of N right hands, float32 [N, 21, 3]: `landmarks` of each, in a fiftieth of the time.

    `angles` [N, 23] within the limits of the joints and `orientations` [N, 3] are those of `Pose`, in degrees.
    """
    points, _ = _kinematics(
        np.array([one.knuckles for one in shapes]),
        np.array([one.phalanges for one in shapes]),
        np.array([one.thumb_root for one in shapes]),
        np.array([one.thumb for one in shapes]),
        angles,
    )
    return np.asarray(points @ np.swapaxes(rotation(*orientations.T), -1, -2), dtype=np.float32)
