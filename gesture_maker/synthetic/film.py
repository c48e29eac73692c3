"""Films of drawn hands: a person makes a gesture for a while, or moves the hand and makes none.

A film is a few key poses and the ways between them, with the small movements of a living hand on top: sums of slow waves,
which are functions of time, so that a film of another frame rate shows the same movement. Frames come one by one: a film
costs no more memory than a picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError
from gesture_maker.images import MIN_SIDE, Pixels
from gesture_maker.synthetic.hand import JOINT_LIMITS, Array, Pose
from gesture_maker.synthetic.people import OTHER_HAND, Person, draw_person, generator
from gesture_maker.synthetic.poses import (
    GESTURES,
    NONE_TURN,
    POSES,
    blend,
    is_apart,
    jitter,
    none_pose,
)
from gesture_maker.synthetic.render import (
    Camera,
    Light,
    Room,
    draw_camera,
    draw_light,
    draw_room,
    project_hands,
    render_in,
)

SECONDS, RATE = 3.0, 15.0
"""Of a film by default: as long as the guided validation watches, at frames per second that a webcam gives in dim light."""

SIZE = (320, 320)
"""Width and height by default, in pixels. A frame takes 40 to 55 ms of one core, one of 640x480 130 ms."""

ON_THE_WAY = (
    0.35,
    0.65,
)  # seconds that a hand takes to come, to go, or to another pose: measured movements take 0.3 to 0.7
HELD = 0.9  # of the way: the rest of it is less than two takes of a gesture differ by
FROM_EDGE = 0.5  # share of films in which the hand comes from the picture's edge; in the others it was there already
ROAMING = 0.1  # of the picture: how far a hand that makes no gesture strays

STILL_ANGLES, STILL_TURN, STILL_PLACE, STILL_DISTANCE = 1.0, 3.0, 0.012, 0.02
"""Spread of what a hand that is held still does all the same, in degrees and shares."""

_WAVES, _WAVE_HERTZ = 3, (0.15, 0.9)  # slower than a tremor, faster than a film is long
_NOISE = 1.3  # grey levels from frame to frame; a webcam's in a lit room


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """One frame: `pixels` uint8 [height, width, 3] RGB, its time in `seconds` from the first, and the `truth`: the gesture
    where it is held, `none` where the hand is on its way."""

    pixels: Pixels
    seconds: float
    truth: str


@dataclass(frozen=True, eq=False)
class _Key:
    """Where the hand is at a time: its pose, and its middle in shares of the picture; whether that is the gesture."""

    seconds: float
    pose: Pose
    centre: Array
    held: bool = False


def draw_film(
    label: str,
    person: int,
    index: int,
    seed: int,
    *,
    seconds: float = SECONDS,
    rate: float = RATE,
    size: tuple[int, int] = SIZE,
) -> Iterator[FilmFrame]:
    """Return the frames of one film, each drawn when it is asked for.

    `label`: a gesture, or `none` for a hand that moves and makes none. A gesture's hand comes from an edge or is there in
    another pose, holds the gesture, and goes. `index` tells the films of one person apart; `size` is (width, height). The
    same arguments give the same frames. Raises ConfigError for another label, a size under 32 pixels, or no time or rate.
    """
    if label != NONE and label not in GESTURES:
        raise ConfigError(f'There is no drawn gesture "{label}": choose from {NONE}, {", ".join(GESTURES)}.')
    if min(size) < MIN_SIDE:
        raise ConfigError(f"A drawn film of {size[0]}x{size[1]} pixels shows no hand: draw at least {MIN_SIDE}.")
    if not (0 < seconds < np.inf and 0 < rate < np.inf):
        raise ConfigError(f"A film of {seconds} s at {rate} frames/s has no frames: give more of both.")
    return _frames(label, person, index, seed, max(1, round(seconds * rate)), rate, size)


def _frames(
    label: str, person: int, index: int, seed: int, count: int, rate: float, size: tuple[int, int]
) -> Iterator[FilmFrame]:
    film = (person, label, index)
    rng = generator(seed, "film", *film)
    who = draw_person(person, seed)
    left = who.left_handed != bool(rng.random() < OTHER_HAND)
    camera, light = draw_camera(rng), draw_light(rng)
    home = np.array(camera.centre)
    last = count / rate
    keys = _moving(who, rng, home, last) if label == NONE else _making(who, label, rng, home, last)
    still = Waves(rng, len(JOINT_LIMITS) + 6)
    room = draw_room(generator(seed, "film's room", *film), max(size))
    for number in range(count):
        seconds = number / rate
        pose, centre, held = _between(keys, seconds)
        angles, turn, place, (nearer,) = np.split(still.at(seconds), np.cumsum([len(JOINT_LIMITS), 3, 2]))
        pose = pose.with_angles(pose.angles + STILL_ANGLES * angles).turned(STILL_TURN * turn)
        # From the middle of the picture's edge on, something of the hand is always seen: nothing else can be drawn.
        centre = np.clip(centre + STILL_PLACE * place, 0, 1)
        seen = replace(camera, distance=camera.distance * float(np.exp(STILL_DISTANCE * nearer)))
        pixels = picture(room, who, pose, left, seen, centre, light, size)
        noisy = with_noise(pixels, generator(seed, "film's noise", *film, number))
        yield FilmFrame(noisy, seconds, label if held else NONE)


def picture(
    room: Room,
    who: Person,
    pose: Pose,
    left: bool,
    camera: Camera,
    centre: Array,
    light: Light,
    size: tuple[int, int],
) -> Pixels:
    """Return the picture of `size`: the middle of one of its longer side, which is the room's. `camera`: see `square_camera`."""
    width, height = size
    pixels = render_in(room, who, pose, left, square_camera(camera, centre, size), light)
    top, first = (room.size - height) // 2, (room.size - width) // 2
    return pixels[top : top + height, first : first + width]


def square_camera(camera: Camera, centre: Array, size: tuple[int, int]) -> Camera:
    """Return the camera of a square picture of the longer side, whose middle is the picture of `size`: as far away as fills the
    shorter side, and with the hand's middle at `centre`, in shares of the picture."""
    share = np.array(size) / max(size)
    x, y = (float(value) for value in 0.5 + (centre - 0.5) * share)
    return replace(camera, distance=camera.distance / float(share.min()), centre=(x, y))


def project_in(
    who: Person, poses: Sequence[Pose], left: bool, camera: Camera, distances: Array, size: tuple[int, int]
) -> tuple[Array, Array]:
    """Return the landmarks of `project_hands` in a picture of `size`, as `picture` shows hands with their middle in its middle."""
    share = np.array(size) / max(size)
    square = square_camera(camera, np.full(2, 0.5), size)
    image, world = project_hands(who, poses, left, square, distances / float(share.min()))
    image[..., :2] = 0.5 + (image[..., :2] - 0.5) / share
    image[..., 2] /= share[0]
    return image, world


def with_noise(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a picture with the noise that differs from frame to frame."""
    noise = rng.standard_normal(pixels.shape, np.float32)
    return np.clip(np.rint(pixels + np.float32(_NOISE) * noise), 0, 255).astype(np.uint8)


def _making(who: Person, label: str, rng: np.random.Generator, home: Array, last: float) -> list[_Key]:
    gesture = jitter(who.styled(POSES[label]), rng)
    coming, going = (min(rng.uniform(*ON_THE_WAY), last / 5) for _ in range(2))
    begin = _Key(0.0, _at_rest(who, rng), _edge(rng, home))
    end = _Key(last, _at_rest(who, rng), _edge(rng, home))
    return [begin, _Key(coming, gesture, home, True), _Key(last - going, gesture, home, True), end]


def _moving(who: Person, rng: np.random.Generator, home: Array, last: float) -> list[_Key]:
    """Every other pose is the hand at rest: on no way to or from it does the middle finger ever stand alone."""
    keys = [_Key(0.0, _at_rest(who, rng), home)]
    while keys[-1].seconds < last:
        before = keys[-1].pose
        pose = before
        while pose is before or not _apart_all_the_way(before, pose):
            pose = who.styled(none_pose(rng)) if len(keys) % 2 else _at_rest(who, rng)
        centre = np.clip(home + rng.normal(0, ROAMING, 2), 0.2, 0.8)
        keys.append(_Key(keys[-1].seconds + rng.uniform(*ON_THE_WAY), pose, centre))
    return keys


def _at_rest(who: Person, rng: np.random.Generator) -> Pose:
    while True:
        pose = jitter(who.styled(POSES["relaxed"]), rng)
        if is_apart(pose):  # of 300 people's first tries, one was not
            return pose.turned(rng.normal(0, 0.5, 3) * NONE_TURN)


def _apart_all_the_way(a: Pose, b: Pose) -> bool:
    return all(is_apart(blend(a, b, t)) for t in np.linspace(0, 1, 6))


def _edge(rng: np.random.Generator, home: Array) -> Array:
    """Return where a hand comes from: a place on the left, right or lower edge, or where it will be anyway."""
    if rng.random() >= FROM_EDGE:
        return home
    side = rng.integers(3)
    return np.array([home[0], 1.0]) if side == 2 else np.array([float(side), home[1]])


def _between(keys: list[_Key], seconds: float) -> tuple[Pose, Array, bool]:
    after = next((place for place, key in enumerate(keys) if key.seconds > seconds), len(keys) - 1)
    a, b = keys[after - 1], keys[after]
    share = float(np.clip((seconds - a.seconds) / (b.seconds - a.seconds), 0, 1))
    share = share * share * (3 - 2 * share)  # begins and ends softly
    held = a.held if share <= 1 - HELD else b.held if share >= HELD else a.held and b.held
    return blend(a.pose, b.pose, share), (1 - share) * a.centre + share * b.centre, held


class Waves:
    """`count` numbers that change slowly, each with the mean 0 and the spread 1 over time."""

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self._hertz = rng.uniform(*_WAVE_HERTZ, (count, _WAVES))
        self._phase = rng.uniform(0, 2 * np.pi, (count, _WAVES))

    def at(self, seconds: float) -> Array:
        waves = np.sin(2 * np.pi * self._hertz * seconds + self._phase)
        return np.asarray(waves.sum(axis=1) * np.sqrt(2 / _WAVES), np.float64)
