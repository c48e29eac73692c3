"""Clips of drawn hands that make a gesture that moves, or do what hands do between gestures.

A clip is a row of parts, each a function of time: the hand rests or moves slowly, makes its motion, and rests again. So a clip of
another frame rate shows the same movement, and the hand can be had as numbers (`clip_hands`) without a picture being drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from gesture_maker.errors import ConfigError
from gesture_maker.images import MIN_SIDE
from gesture_maker.landmarks.hands import Hand as FoundHand
from gesture_maker.synthetic.film import (
    STILL_ANGLES,
    STILL_DISTANCE,
    STILL_TURN,
    FilmFrame,
    Waves,
    picture,
    project_in,
    with_noise,
)
from gesture_maker.synthetic.hand import JOINT_LIMITS, Array, HandShape, Pose
from gesture_maker.synthetic.motion_shapes import (
    SHAPES,
    SWIPE_SECONDS,
    SWIPE_WIDTHS,
    Hand,
    Shape,
    habits,
    softly,
)
from gesture_maker.synthetic.people import OTHER_HAND, draw_person, generator
from gesture_maker.synthetic.poses import blend, none_pose
from gesture_maker.synthetic.render import OPEN_HAND, Camera, draw_camera, draw_light, draw_room

MOTIONS = (
    *("swipe_left", "swipe_right", "swipe_up", "swipe_down", "circle_clockwise", "circle_counterclockwise"),
    *("wave", "pinch", "grab_release", "push"),
)
"""The motions that can be drawn, left, right and clockwise as the unmirrored picture shows them."""

STILL = "still"
"""The background class: a hand that rests, drifts, or slowly goes elsewhere."""

SECONDS = (1.2, 2.5)  # of a clip
RATE, SIZE = 20.0, (192, 192)
"""Frames per second, and width and height in pixels, by default. A frame takes 11 ms of one core, one of 256x256 16 ms. MediaPipe
found the hand in 0.989 of 2106 frames of this size, and in as many of either."""

SLOW = SWIPE_WIDTHS[0] / SWIPE_SECONDS[1] / 3.5
"""Hand widths a second, from beginning to end: a hand that makes no gesture is never faster. Below a third of any swipe."""

CHANGE = 0.9  # seconds that a slow change of the pose takes at least; a grab closes in less than half of it

_PLACE = 0.05  # hand widths: the spread of where a hand is that is held still
_EDGE = (0.9, 2.2, 0.3)  # hand widths around the wrist that have to be in sight: to the sides, above and below
_AT_MOST = np.log(1.25)  # how much nearer a hand that only drifts may come
_LANDMARK_NOISE = (
    0.012,
    0.0015,
)  # of the palm's length in the picture, and metres: as the landmarker's from frame to frame
_AT_ONCE = 64  # frames whose landmarks are computed together
_HELD_POSES = ("relaxed", "open_palm", "flat", "point", "fist", "ok", "victory", "l_sign", "four")


@dataclass(frozen=True, eq=False)
class State:
    """A hand at a time: its `pose`, the `place` [2] of its wrist from the picture's middle in shares of the shorter side, and the
    natural logarithm of how much `nearer` it is than usual."""

    pose: Pose
    place: Array
    nearer: float = 0.0


@dataclass(frozen=True, eq=False)
class Part:
    """What a hand does for some `seconds`: `at` is its state at a share of that time, `label` what that is called."""

    label: str
    seconds: float
    at: Callable[[float], State]


@dataclass(frozen=True, eq=False)
class Scene:
    """Who moves the hand before which camera. `width`: the hand's in shares of the picture's shorter side; `size` in pixels."""

    hand: Hand
    camera: Camera
    size: tuple[int, int]

    @property
    def width(self) -> float:
        focal_share = 1 / (2 * np.tan(np.radians(self.camera.field_of_view / 2)))
        return float(self.hand.who.shape.palm_length * focal_share / self.camera.distance)

    def box(self, nearer: float = 0.0) -> tuple[Array, Array]:
        """Return the least and the greatest place of the wrist with which the hand is in sight."""
        half = np.array(self.size) / (2 * min(self.size))
        side, above, below = np.array(_EDGE) * self.width * np.exp(nearer)
        low, high = -half + [side, above], half - [side, below]
        middle = (low + high) / 2
        return np.minimum(low, middle), np.maximum(high, middle)


def draw_scene(person: int, seed: int, rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Return a person before a camera, as far away as this person is."""
    who, ways = draw_person(person, seed), habits(person, seed)
    left = who.left_handed != bool(rng.random() < OTHER_HAND)
    camera = draw_camera(rng)
    share = np.clip(ways.share * np.exp(rng.normal(0, 0.05)), 0.26, 0.37)
    open_hand = OPEN_HAND * who.shape.palm_length / HandShape().palm_length
    distance = open_hand / (2 * share * np.tan(np.radians(camera.field_of_view / 2)))
    return Scene(Hand(who, ways, left), replace(camera, distance=float(distance)), size)


def draw_clip(
    label: str,
    person: int,
    index: int,
    seed: int,
    *,
    rate: float = RATE,
    size: tuple[int, int] = SIZE,
) -> Iterator[FilmFrame]:
    """Return the frames of one clip, each drawn when it is asked for.

    `label`: one of `MOTIONS`, or `still`. The clip takes 1.2 to 2.5 s; the truth of a frame is the label while the motion goes on,
    and `still` before and after. `index` tells the clips of one person apart; `size` is (width, height). The same arguments
    give the same frames. Raises ConfigError for another label, a size under 32 pixels, or no rate.
    """
    check_clip(label, rate, size)
    scene, parts, waves = _clip(label, person, index, seed, size)
    return draw_parts(scene, parts, waves, rate, seed, "clip", person, label, index)


def clip_hands(label: str, person: int, index: int, seed: int, *, rate: float = RATE) -> list[tuple[float, FoundHand]]:
    """Return each frame's time in seconds and its hand, as MediaPipe's landmarker would describe that of `draw_clip`, of the same
    size as by default: with a landmarker's noise, but no picture is drawn. Raises ConfigError as `draw_clip`.
    """
    check_clip(label, rate, SIZE)
    scene, parts, waves = _clip(label, person, index, seed, SIZE)
    rng = generator(seed, "landmarks", person, label, index)
    hands = []
    for moment in _seen(scene, parts, waves, rate):
        palm = float(np.linalg.norm(moment.image[9, :2] - moment.image[0, :2]))
        image = moment.image + _LANDMARK_NOISE[0] * palm * rng.standard_normal((21, 3))
        world = moment.world + _LANDMARK_NOISE[1] * rng.standard_normal((21, 3))
        certain = rng.uniform(0.9, 1.0)
        found = FoundHand(
            image.astype(np.float32),
            world.astype(np.float32),
            float(1 - certain if scene.hand.left else certain),
            *SIZE,
        )
        hands.append((moment.seconds, found))
    return hands


def clip_parts(label: str, person: int, index: int, seed: int) -> list[Part]:
    """Return what the hand of a clip of the default size does, one thing after the other. Raises ConfigError for another label."""
    check_clip(label, RATE, SIZE)
    return _clip(label, person, index, seed, SIZE)[1]


def check_clip(label: str, rate: float, size: tuple[int, int]) -> None:
    """Raise ConfigError for what `draw_clip` cannot draw."""
    if label != STILL and label not in MOTIONS:
        raise ConfigError(f'There is no drawn motion "{label}": choose from {STILL}, {", ".join(MOTIONS)}.')
    if min(size) < MIN_SIDE:
        raise ConfigError(f"A drawn clip of {size[0]}x{size[1]} pixels shows no hand: draw at least {MIN_SIDE}.")
    if not 0 < rate < np.inf:
        raise ConfigError(f"A clip at {rate} frames/s has no frames: give more of them.")


def _clip(label: str, person: int, index: int, seed: int, size: tuple[int, int]) -> tuple[Scene, list[Part], Waves]:
    rng = generator(seed, "clip", person, label, index)
    scene = draw_scene(person, seed, rng, size)
    waves = draw_waves(rng)
    if label == STILL:
        return scene, _still(scene, rng), waves
    shape = SHAPES[label](scene.hand, rng)
    motion = motion_part(label, scene, shape, home(scene, rng))
    total = rng.uniform(max(SECONDS[0], motion.seconds + 0.3), SECONDS[1])
    before = (total - motion.seconds) * rng.uniform(0.15, 0.85)
    after = total - motion.seconds - before
    return scene, [_coming(scene, motion, before, rng), motion, _going(scene, motion, after, rng)], waves


def home(scene: Scene, rng: np.random.Generator) -> Array:
    """Return about where this person holds the hand, [2]."""
    return np.asarray(np.array(scene.hand.habits.home) + rng.normal(0, 0.05, 2))


def draw_waves(rng: np.random.Generator) -> Waves:
    """Return what a hand does in all it does: joints, turn, place and distance of `_seen`."""
    return Waves(rng, len(JOINT_LIMITS) + 6)


def motion_part(label: str, scene: Scene, shape: Shape, near: Array) -> Part:
    """Return the motion, begun as near to a place as the picture has room for, and smaller where it has too little."""
    steps = [shape.at(share) for share in np.linspace(0, 1, 25)]
    ways = np.array([step.way for step in steps]) * scene.width
    low, high = scene.box(max(step.nearer for step in steps))
    room, extent = high - low, np.ptp(ways, axis=0)
    scale = float(np.min(np.minimum(1, room / np.maximum(extent, 1e-9))))
    begin = np.clip(near, low - scale * ways.min(axis=0), high - scale * ways.max(axis=0))

    def at(share: float) -> State:
        step = shape.at(share)
        return State(step.pose, begin + scale * scene.width * step.way, step.nearer)

    return Part(label, shape.seconds, at)


def rest_part(state: State, seconds: float) -> Part:
    """Return a hand that stays as it is."""
    return Part(STILL, seconds, lambda _: state)


def slow_part(begin: State, end: State, seconds: float) -> Part:
    """Return a slow way from one state to another."""

    def at(share: float) -> State:
        done = softly(share)
        return State(
            blend(begin.pose, end.pose, done),
            (1 - done) * begin.place + done * end.place,
            (1 - done) * begin.nearer + done * end.nearer,
        )

    return Part(STILL, seconds, at)


def _coming(scene: Scene, motion: Part, seconds: float, rng: np.random.Generator) -> Part:
    """Before its motion a hand rests, or in a third of the clips comes slowly from nearby."""
    begin = motion.at(0.0)
    if rng.random() < 0.67:
        return rest_part(begin, seconds)
    return slow_part(_elsewhere(scene, begin, seconds, rng), begin, seconds)


def _going(scene: Scene, motion: Part, seconds: float, rng: np.random.Generator) -> Part:
    """After its motion a hand rests, or in a third of the clips goes slowly."""
    end = motion.at(1.0)
    if rng.random() < 0.67:
        return rest_part(end, seconds)
    return slow_part(end, _elsewhere(scene, end, seconds, rng), seconds)


def _elsewhere(scene: Scene, state: State, seconds: float, rng: np.random.Generator) -> State:
    """Return where a hand slowly gets within some seconds: another place, and, if there is time, perhaps another pose."""
    pose = held_pose(scene, rng) if seconds >= CHANGE and rng.random() < 0.5 else state.pose
    return State(pose, slow_place(scene, state.place, seconds, rng), state.nearer)


def slow_place(scene: Scene, place: Array, seconds: float, rng: np.random.Generator) -> Array:
    """Return a place in sight that a hand gets to slowly, [2]."""
    angle, widths = rng.uniform(0, 2 * np.pi), SLOW * seconds * rng.uniform(0.2, 1.0)
    return np.clip(place + widths * scene.width * np.array([np.cos(angle), np.sin(angle)]), *scene.box())


def held_pose(scene: Scene, rng: np.random.Generator) -> Pose:
    """Return a pose in which a hand rests: half of them relaxed or none in particular, the others those of gestures."""
    if rng.random() < 0.25:
        return scene.hand.who.styled(none_pose(rng))
    return scene.hand.pose("relaxed" if rng.random() < 0.3 else str(rng.choice(_HELD_POSES)), rng)


def _still(scene: Scene, rng: np.random.Generator) -> list[Part]:
    """Half of the hands are held still. The others drift, come back from where a swipe has ended, or change the pose."""
    total = rng.uniform(*SECONDS)
    if rng.random() < 0.5:
        pose = SHAPES[str(rng.choice(MOTIONS))](scene.hand, rng).at(0.0).pose  # as before a motion
        pose = pose if rng.random() < 0.5 else held_pose(scene, rng)
        return [rest_part(State(pose, _anywhere(scene, rng)), total)]
    begin = State(held_pose(scene, rng), _anywhere(scene, rng))
    if rng.random() < 0.4:  # where a swipe has ended
        swipe = motion_part(STILL, scene, SHAPES[str(rng.choice(MOTIONS[:4]))](scene.hand, rng), home(scene, rng))
        begin = swipe.at(1.0)
    way = rng.uniform(CHANGE, total) if rng.random() < 0.5 else total
    rest = (total - way) * rng.uniform(0, 1)
    end = _elsewhere(scene, begin, way, rng)
    end = replace(end, nearer=float(rng.uniform(-_AT_MOST, _AT_MOST) * min(1, way / 2)) * (rng.random() < 0.3))
    parts = [rest_part(begin, rest), slow_part(begin, end, way), rest_part(end, total - way - rest)]
    return [part for part in parts if part.seconds > 0]


def _anywhere(scene: Scene, rng: np.random.Generator) -> Array:
    if rng.random() < 0.5:
        return np.clip(home(scene, rng), *scene.box())
    return np.asarray(rng.uniform(*scene.box()))


def frames_of(parts: Sequence[Part], rate: float) -> Iterator[tuple[float, str, State]]:
    """Yield the time in seconds, the label and the state of every frame."""
    ends = np.cumsum([part.seconds for part in parts])
    for number in range(max(1, round(float(ends[-1]) * rate))):
        seconds = number / rate
        place = min(int(np.searchsorted(ends, seconds, side="right")), len(parts) - 1)
        part = parts[place]
        share = (seconds - (ends[place] - part.seconds)) / part.seconds
        yield seconds, part.label, part.at(float(np.clip(share, 0, 1)))


def draw_parts(
    scene: Scene, parts: Sequence[Part], waves: Waves, rate: float, seed: int, *what: int | str
) -> Iterator[FilmFrame]:
    """Yield the frames of a hand that does one thing after the other; `what` tells this film apart from others."""
    light = draw_light(generator(seed, "light", *what))
    room = draw_room(generator(seed, "room", *what), max(scene.size))
    for number, moment in enumerate(_seen(scene, parts, waves, rate)):
        camera = replace(scene.camera, distance=moment.distance)
        pixels = picture(room, scene.hand.who, moment.pose, scene.hand.left, camera, moment.centre, light, scene.size)
        yield FilmFrame(with_noise(pixels, generator(seed, "noise", *what, number)), moment.seconds, moment.label)


@dataclass(frozen=True, eq=False)
class _Moment:
    """A frame before it is drawn. `distance` in metres, `centre` [2] of the hand's middle in shares of the picture, and `image` and
    `world` [21, 3], the landmarks as in `Rendered`."""

    seconds: float
    label: str
    pose: Pose
    distance: float
    centre: Array
    image: Array
    world: Array


def _seen(scene: Scene, parts: Sequence[Part], waves: Waves, rate: float) -> Iterator[_Moment]:
    """Yield every frame. What a state says is where the wrist is, what is drawn is where the hand's middle is: so the landmarks are
    projected first, of many frames at once. No hand is ever quite still."""
    frames = frames_of(parts, rate)
    while some := list(islice(frames, _AT_ONCE)):
        poses, distances, wrists = [], [], []
        for seconds, _, state in some:
            angles, turn, aside, (nearer,) = np.split(waves.at(seconds), np.cumsum([len(JOINT_LIMITS), 3, 2]))
            poses.append(state.pose.with_angles(state.pose.angles + STILL_ANGLES * angles).turned(STILL_TURN * turn))
            distances.append(scene.camera.distance * float(np.exp(STILL_DISTANCE * nearer - state.nearer)))
            place = state.place + _PLACE * scene.width * aside
            wrists.append(0.5 + place * min(scene.size) / np.array(scene.size))
        images, worlds = project_in(
            scene.hand.who, poses, scene.hand.left, scene.camera, np.array(distances), scene.size
        )
        aside = np.array(wrists) - images[:, 0, :2]
        images[..., :2] += aside[:, None]
        for (seconds, label, _), *one in zip(some, poses, distances, 0.5 + aside, images, worlds, strict=True):
            yield _Moment(seconds, label, *one)
