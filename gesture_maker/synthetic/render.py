"""A webcam's picture of a hand: spheres projected, melted into one skin, lit and put before a background.

Per pixel the spheres' front depths z are joined as -k log(sum(exp(-z / k))): the smooth minimum lets neighbours within about
k melt into each other and still hides what is farther behind. Normals are averaged with the same weights. All spheres are
handled in one go, as one long list of (sphere, pixel) pairs summed by `numpy.bincount`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gesture_maker.images import Pixels
from gesture_maker.synthetic.background import draw_background
from gesture_maker.synthetic.hand import Array, Pose, landmarks, many_landmarks, placement, rotation
from gesture_maker.synthetic.people import Person
from gesture_maker.synthetic.surface import Surface, surface

MELT = 0.0024  # metres, the k above: creases of skin are a few millimetres wide
CAMERA_LIMITS = {"yaw": 15.0, "pitch": 12.0, "roll": 10.0}  # degrees: a webcam or phone before a person
OPEN_HAND = 0.19  # metres from the wrist to the tip of the middle finger
MARGIN = 8  # pixels around the hand: room for its soft edge

Floats = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """Where the camera is. Angles in degrees, `distance` from camera to hand in metres, `field_of_view` in degrees, `centre`
    where the hand's middle appears as shares of the picture."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = 0.5
    field_of_view: float = 35.0
    centre: tuple[float, float] = (0.5, 0.48)

    def project(self, points: Array, size: int, distances: Array | None = None) -> Array:
        """Return pixels x, y and the distance from the camera in metres, [..., N, 3], of points relative to the hand's middle.

        `distances` [...]: of each hand, where they are not all as far away as `distance`."""
        focal = size / 2 / np.tan(np.radians(self.field_of_view / 2))
        depth = points[..., 2] + (self.distance if distances is None else distances[..., None])
        xy = points[..., :2] * (focal / depth)[..., None] + np.array(self.centre) * size
        return np.concatenate([xy, depth[..., None]], axis=-1)


@dataclass(frozen=True)
class Light:
    """One lamp and the light of the room. `direction` points from the hand to the lamp (x right, y down, z away)."""

    direction: tuple[float, float, float] = (-0.45, -0.65, -0.62)
    strength: float = 0.74
    ambient: float = 0.54
    warmth: float = 0.0  # -1 bluish .. 1 yellowish


def draw_camera(rng: np.random.Generator) -> Camera:
    """Return a camera as people hold a hand before it: an open hand would fill 38 to 58% of the picture's height.

    The distance does not depend on the pose: fists drawn from nearer are found less often (0.88 instead of 0.97 of 40), as
    the palm detector wants to see more around them.
    """
    yaw, pitch, roll = (float(rng.uniform(-limit, limit)) for limit in CAMERA_LIMITS.values())
    field_of_view = float(rng.uniform(24, 44))  # of the crop around the hand: webcams have 60 to 80
    share = rng.uniform(0.38, 0.58)
    distance = OPEN_HAND / (2 * share * np.tan(np.radians(field_of_view / 2)))
    centre = (float(rng.uniform(0.42, 0.58)), float(rng.uniform(0.42, 0.56)))
    return Camera(yaw, pitch, roll, float(distance), field_of_view, centre)


def draw_light(rng: np.random.Generator) -> Light:
    """Return a lamp from above and in front, anywhere from the left to the right."""
    direction = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.9, -0.25), rng.uniform(-0.95, -0.5)])
    x, y, z = (float(value) for value in direction / np.linalg.norm(direction))
    return Light(
        (x, y, z), float(rng.uniform(0.60, 0.88)), float(rng.uniform(0.44, 0.64)), float(rng.uniform(-0.6, 0.8))
    )


@dataclass(frozen=True, eq=False)
class Rendered:
    """`pixels` uint8 [size, size, 3] RGB; `image_landmarks` float32 [21, 3] as MediaPipe gives them: x, y as shares of width
    and height, z in the scale of x with the wrist at 0; `world_landmarks` float32 [21, 3] in metres from the hand's middle."""

    pixels: Pixels
    image_landmarks: npt.NDArray[np.float32]
    world_landmarks: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Room:
    """What of a picture stays while a hand moves, for pictures of `size` pixels: `mottle` [32, 32] of the skin, `background`
    float32 [size, size, 3] in 0..1, and `grain` float32 [size, size, 3], the sensor's noise with the spread 1."""

    mottle: Floats
    background: Image
    grain: Image

    @property
    def size(self) -> int:
        return len(self.background)


def draw_room(rng: np.random.Generator, size: int) -> Room:
    """Return a room; of the 23 ms that a picture of 256x256 takes, it takes 3."""
    mottle = rng.normal(0, 1, (32, 32))
    return Room(mottle, draw_background(rng, size), rng.standard_normal((size, size, 3), np.float32))


def render(
    person: Person,
    pose: Pose,
    left: bool,
    camera: Camera,
    light: Light,
    rng: np.random.Generator,
    size: int = 320,
) -> Rendered:
    """Return the picture of a person's hand; `rng` decides the background and the sensor's noise."""
    pixels = render_in(draw_room(rng, size), person, pose, left, camera, light)
    (image,), (world,) = project_hands(person, [pose], left, camera, np.array([camera.distance]))
    return Rendered(pixels, image.astype(np.float32), world.astype(np.float32))


def render_in(room: Room, person: Person, pose: Pose, left: bool, camera: Camera, light: Light) -> Pixels:
    """Return the picture of a person's hand in a room, or of the room alone where nothing of hand and arm is in sight."""
    return develop(room, person, layers_of(person, pose, left, camera, room.size), light)


def develop(room: Room, person: Person, layers: Layers | None, light: Light) -> Pixels:
    """Return the picture of what `layers_of` tells of a person's hand in a room; None: of the room alone."""
    hand = None if layers is None else (layers, _shade(layers, person, light, room.mottle))
    return _develop(room, hand, light)


def layers_of(
    person: Person, pose: Pose, left: bool, camera: Camera, size: int, cut: tuple[int, int] = (0, 0)
) -> Layers | None:
    """Return what a picture of `size` pixels shows of a hand and its arm before any light falls on it; None for nothing. `cut`: as
    many columns at the left and right, and rows at the top and bottom, are left out."""
    view, middle = _before(camera, person, pose, left)
    flesh = surface(person.shape, pose, person.sleeve)
    turn = view @ placement(pose, left)
    return _splat(flesh, flesh.centres @ turn.T - middle, flesh.dorsal @ turn.T, camera, size, cut)


def project_hands(
    person: Person, poses: Sequence[Pose], left: bool, camera: Camera, distances: Array
) -> tuple[Array, Array]:
    """Return the image landmarks and world landmarks, float64 [N, 21, 3] each, of `Rendered`, without drawing anything.

    `distances` [N] from the camera to each hand take the place of the camera's own. 0.05 ms a hand.
    """
    angles, orientations = np.array([pose.angles for pose in poses]), np.array([pose.orientation for pose in poses])
    points = many_landmarks([person.shape] * len(poses), angles, orientations).astype(np.float64)
    points[..., 0] *= -1 if left else 1
    world = points @ rotation(camera.yaw, camera.pitch, camera.roll).T
    world -= (world.min(axis=1, keepdims=True) + world.max(axis=1, keepdims=True)) / 2
    image = camera.project(world, 1, distances)
    focal_share = 1 / (2 * np.tan(np.radians(camera.field_of_view / 2)) * distances)
    image[..., 2] = (world[..., 2] - world[:, :1, 2]) * focal_share[:, None]
    return image, world


def _before(camera: Camera, person: Person, pose: Pose, left: bool) -> tuple[Array, Array]:
    """Return the camera's turn [3, 3], and in its axes the hand's middle [3] from the wrist."""
    view = rotation(camera.yaw, camera.pitch, camera.roll)
    world = landmarks(person.shape, pose, left).astype(np.float64) @ view.T
    return view, (world.min(axis=0) + world.max(axis=0)) / 2


@dataclass(frozen=True, eq=False)
class Layers:
    """The hand's part of the picture, which begins at column `left` and row `top`: images [height, width] `cover` 0 or 1,
    `depth` in metres (0 where nothing is), `normal` [height, width, 3], `dorsal` -1..1, and `nail`, `blush`, `sleeve` 0..1."""

    left: int
    top: int
    cover: Floats
    depth: Floats
    normal: Floats
    dorsal: Floats
    nail: Floats
    blush: Floats
    sleeve: Floats
    pixels_per_metre: float


def _splat(
    flesh: Surface, centres: Array, dorsal: Array, camera: Camera, size: int, cut: tuple[int, int]
) -> Layers | None:
    x, y, depth = camera.project(centres, size).T
    focal = size / 2 / np.tan(np.radians(camera.field_of_view / 2))
    depth = np.maximum(depth, 0.05)
    radius = flesh.radii * focal / depth  # pixels
    (first_x, first_y), (end_x, end_y) = cut, (size - cut[0], size - cut[1])
    seen = (x > first_x - radius) & (x < end_x + radius) & (y > first_y - radius) & (y < end_y + radius)
    index = np.flatnonzero(seen)
    if not len(index):
        return None
    index = index[np.argsort(-depth[index], kind="stable")]  # from far to near, as a painter does
    reach = np.ceil(radius[index]).astype(np.int32)
    left = int(np.clip(np.min(x[index] - reach) - MARGIN, first_x, end_x - 1))
    top = int(np.clip(np.min(y[index] - reach) - MARGIN, first_y, end_y - 1))
    width = int(np.clip(np.max(x[index] + reach) + MARGIN, left + 1, end_x)) - left
    height = int(np.clip(np.max(y[index] + reach) + MARGIN, top + 1, end_y)) - top

    # One entry per pixel of each sphere's bounding box. 32-bit numbers, and repeating rather than indexing: this is where
    # the time goes.
    side = 2 * reach + 1
    count = side * side
    within = np.arange(count.sum(), dtype=np.int32) - np.repeat((np.cumsum(count) - count).astype(np.int32), count)
    row, column = np.divmod(within, np.repeat(side, count))
    first_column = np.round(x[index]).astype(np.int32) - reach - left
    first_row = np.round(y[index]).astype(np.int32) - reach - top
    inverse = np.repeat((1 / radius[index]).astype(np.float32), count)
    dx = (column.astype(np.float32) - np.repeat((x[index] - left - first_column).astype(np.float32), count)) * inverse
    dy = (row.astype(np.float32) - np.repeat((y[index] - top - first_row).astype(np.float32), count)) * inverse
    column += np.repeat(first_column, count)
    row += np.repeat(first_row, count)
    square = np.float32(1) - dx * dx - dy * dy
    keep = np.flatnonzero((square > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height))
    sphere, dx, dy, dz = np.repeat(index, count)[keep], dx[keep], dy[keep], np.sqrt(square[keep])
    flat = (row * np.int32(width) + column)[keep].astype(np.int64)

    front = depth.astype(np.float32)[sphere] - flesh.radii.astype(np.float32)[sphere] * dz
    painted = np.full(width * height, np.inf, np.float32)
    painted[flat] = front  # the last one stays: the sphere with the nearest centre, so about the nearest surface
    behind = (front - painted[flat]) * np.float32(1 / MELT)
    near = np.flatnonzero(behind < 7)  # exp(-7) is a thousandth: most pairs are not worth the sums below
    sphere, dx, dy, dz, flat = sphere[near], dx[near], dy[near], dz[near], flat[near]
    weight = np.exp(-behind[near])

    def total(values: npt.NDArray[Any]) -> Floats:
        return np.bincount(flat, values, minlength=width * height).astype(np.float64).reshape(height, width)

    mass = total(weight)
    there = mass > 0
    mass = np.where(there, mass, 1.0)
    backs = dorsal.astype(np.float32)[sphere]
    outward = backs[:, 0] * dx + backs[:, 1] * dy - backs[:, 2] * dz
    normal = np.stack([total(weight * part) for part in (dx, dy, -dz)], axis=-1)
    normal /= np.sqrt((normal * normal).sum(axis=-1, keepdims=True)) + 1e-9
    nails = np.flatnonzero(flesh.nail[sphere])
    nail_weight = weight[nails] * np.clip((outward[nails] - 0.60) / 0.14, 0, 1)
    return Layers(
        left=left,
        top=top,
        cover=there.astype(np.float64),
        depth=np.where(there, painted.reshape(height, width) - MELT * np.log(mass), 0.0),
        normal=normal,
        dorsal=total(weight * outward) / mass,
        nail=np.bincount(flat[nails], nail_weight, minlength=width * height).reshape(height, width) / mass,
        blush=total(weight * flesh.blush[sphere]) / mass,
        sleeve=total(weight * flesh.sleeve[sphere]) / mass,
        pixels_per_metre=focal / camera.distance,
    )


def _shade(layers: Layers, person: Person, light: Light, skin_mottle: Floats) -> Image:
    """Return the lit hand, float32 [height, width, 3] RGB, mostly in 0..1, before it is put on the background."""
    skin = person.skin / 255
    height, width = layers.cover.shape
    # The palm is lighter and pinker than the back, the more the darker the skin is.
    palmar = np.clip(0.35 - layers.dorsal, 0, 1)[..., None]
    albedo = skin + palmar * (0.10 + 0.32 * (1 - skin.mean())) * (np.array([0.92, 0.70, 0.62]) - skin)
    albedo *= 1 - layers.blush[..., None] * np.array([0.02, 0.13, 0.12])
    mottle = cv2.resize(skin_mottle, (width, height), interpolation=cv2.INTER_CUBIC)
    albedo *= 1 + 0.012 * mottle[..., None] * np.array([0.6, 1.1, 1.0])
    nail = layers.nail[..., None]
    albedo += nail * 0.55 * (np.minimum(albedo * [1.08, 1.02, 1.04] + 0.06, 1) - albedo)
    cloth = layers.sleeve[..., None]
    albedo += cloth * (person.cloth / 255 - albedo)

    direction = np.array(light.direction)
    normal = layers.normal
    # Light wraps a little around skin, and enters it: shadows on skin are warm, not grey.
    diffuse = np.clip((normal @ direction + 0.25) / 1.25, 0, 1) * _unshadowed(layers, direction)
    open_to = openness(layers)
    warmer = ((1 - diffuse) * (1 - layers.sleeve))[..., None] * np.array([0.08, -0.03, -0.07]) + 1
    tint = 1.25 * light.strength * (1 + light.warmth * np.array([0.06, 0.0, -0.08]))
    from_room = light.ambient * (0.75 - 0.25 * normal[..., 1]) * open_to
    halfway = direction + np.array([0.0, 0.0, -1.0])
    shine = np.clip(normal @ (halfway / np.linalg.norm(halfway)), 0, 1)
    gloss = (0.09 * shine**14 + 0.22 * layers.nail * shine**30) * (1 - layers.sleeve) * diffuse
    lit = (diffuse[..., None] * tint + from_room[..., None]) * warmer * (0.35 + 0.65 * open_to)[..., None]
    return np.asarray(albedo * lit + gloss[..., None], dtype=np.float32)


def openness(layers: Layers) -> Floats:
    """Ambient occlusion from the depth image: dark where the surroundings are nearer.

    Source: T. Luft, C. Colditz, O. Deussen, "Image Enhancement by Unsharp Masking the Depth Buffer" (2006).
    """
    result = np.ones_like(layers.depth)
    depth, cover = layers.depth.astype(np.float32), layers.cover.astype(np.float32)
    for reach, strength in ((0.004, 0.35), (0.012, 0.4)):  # metres: creases, and hollows between fingers
        sigma = max(reach * layers.pixels_per_metre, 0.8)
        around = cv2.GaussianBlur(depth, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(cover, (0, 0), sigma), 1e-3)
        result *= 1 - strength * np.clip((depth - around) / (reach * 1.6), 0, 1)
    return result


def _unshadowed(layers: Layers, direction: Array) -> Floats:
    """Return per pixel how much of the lamp is seen, by looking along the way to it in the depth image."""
    height, width = layers.depth.shape
    far = 10.0  # metres
    depth = np.where(layers.cover > 0, layers.depth, far).astype(np.float32)
    shade = np.zeros_like(depth)
    for step in (0.008, 0.014, 0.021, 0.030):  # metres towards the lamp
        x, y, z = direction * step
        move = np.array([[1, 0, -x * layers.pixels_per_metre], [0, 1, -y * layers.pixels_per_metre]])
        there = cv2.warpAffine(depth, move, (width, height), borderValue=(far,))
        nearer = depth + np.float32(z) - there  # positive: something lies between here and the lamp
        shade = np.maximum(shade, np.clip((nearer - 0.002) / 0.005, 0, 1) * (nearer < 0.05))
    return 1 - 0.6 * cv2.GaussianBlur(shade, (0, 0), max(0.0025 * layers.pixels_per_metre, 0.8)).astype(np.float64)


def _develop(room: Room, hand: tuple[Layers, Image] | None, light: Light) -> Pixels:
    """Put the hand on the background, with soft edges, a lens's softness and a sensor's noise."""
    image = room.background * np.float32(0.65 + 0.6 * light.ambient)
    image *= np.array([1 + 0.03 * light.warmth, 1.0, 1 - 0.04 * light.warmth], np.float32)
    if hand is not None:
        _put_on(image, *hand)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.55), dtype=np.float32)
    image += np.float32(0.004) * room.grain + np.float32(0.008) * room.grain[..., :1]
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)


def _put_on(image: Image, layers: Layers, hand: Image) -> None:
    """Put the lit hand on a picture without it, in place."""
    height, width = layers.cover.shape
    cover = layers.cover.astype(np.float32)
    alpha = np.clip((cv2.GaussianBlur(cover, (0, 0), 0.9) - 0.35) / 0.5, 0, 1)[..., None]
    # Colours run over the edge, so that half-covered pixels mix with skin and not with black.
    inside = cover[..., None]
    spread = (
        cv2.GaussianBlur(hand * inside, (0, 0), 1.5) / np.maximum(cv2.GaussianBlur(cover, (0, 0), 1.5), 1e-3)[..., None]
    )
    part = image[layers.top : layers.top + height, layers.left : layers.left + width]
    part += alpha * (np.where(inside > 0, hand, spread) - part)
