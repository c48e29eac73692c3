"""Films of a hand that points at places of the picture in turn and makes a gesture there, as if it clicked and carried.

What is given is where the index fingertip points. The wrist leads the way and the fingers follow: while a hand goes from
pointing to the gesture, its knuckle stays where it is and its fingertip leaves the place, as real ones do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError
from gesture_maker.images import MIN_SIDE, Pixels
from gesture_maker.synthetic.film import Waves, picture, project_in, with_noise
from gesture_maker.synthetic.hand import JOINT_LIMITS, Array, Pose
from gesture_maker.synthetic.people import Person, draw_person, generator
from gesture_maker.synthetic.poses import GESTURES, POSES, blend
from gesture_maker.synthetic.render import OPEN_HAND, Camera, draw_light, draw_room

POINT = "point"
"""The pose that points, and the truth of frames in which it does."""

RATE, SIZE = 10.0, (320, 240)
"""Frames per second and (width, height) by default: a frame takes 40 ms of one core, one of 640x480 130 ms."""

_TIP, _KNUCKLE = 8, 5  # landmarks
_SHARE, _FIELD_OF_VIEW = 0.40, 35.0  # of the picture's height that an open hand fills; degrees
_CAMERA = Camera(
    distance=float(OPEN_HAND / (2 * _SHARE * np.tan(np.radians(_FIELD_OF_VIEW / 2)))), field_of_view=_FIELD_OF_VIEW
)  # looks straight at the hand: who points at a screen faces the camera on it
_TURN = 2.0  # degrees of what a hand does that is held still; two thirds of a film's, since one aims
_ANGLES, _PLACE = 1.0, 0.004  # degrees, and shares of the picture: a third of a film's
_HELD = 0.9  # of the way between two poses: the rest is less than two takes differ by


@dataclass(frozen=True)
class Act:
    """What a hand does next: goes to `place` (x, y in shares of the picture, unmirrored) pointing, within `way` seconds, points
    there for `rest` seconds and makes `gesture` (None: goes on pointing), which takes `change` seconds and is held for
    `hold`. With `to` it carries it there, within `way` seconds, before it points again, which takes `change` seconds too."""

    place: tuple[float, float]
    gesture: str | None = None
    to: tuple[float, float] | None = None
    way: float = 0.6
    rest: float = 0.5
    change: float = 0.25
    hold: float = 0.6

    @property
    def seconds(self) -> float:
        """How long it takes."""
        if self.gesture is None:
            return self.way + self.rest
        carried = self.way + self.hold if self.to else 0.0
        return self.way + self.rest + 2 * self.change + self.hold + carried


@dataclass(frozen=True, eq=False)
class Moment:
    """What is seen at a time: `seconds` from the first frame, the `truth` (a gesture, `point`, or `none` on the way between them),
    the number of the `act`, and `points`, float64 [21, 2], the landmarks in shares of the picture."""

    seconds: float
    truth: str
    act: int
    points: Array
    pose: Pose
    centre: Array


@dataclass(frozen=True, eq=False)
class PointingFrame:
    """One frame: `pixels` uint8 [height, width, 3] RGB, and the `moment` it shows."""

    pixels: Pixels
    moment: Moment


@dataclass(frozen=True, eq=False)
class _Key:
    """A time, the pose then, where the pointing fingertip would be, and of what act it is the end."""

    seconds: float
    label: str
    place: Array
    act: int


def trace_pointing(
    acts: Sequence[Act], person: int, seed: int, *, rate: float = RATE, size: tuple[int, int] = SIZE
) -> list[Moment]:
    """Return where the hand is in each frame of `draw_pointing`'s film, without drawing it: 0.3 ms a frame.

    Raises ConfigError for no acts, a gesture that cannot be drawn, a size under 32 pixels, or no rate.
    """
    for act in acts:
        if act.gesture is not None and act.gesture not in GESTURES:
            raise ConfigError(f'There is no drawn gesture "{act.gesture}": choose from {", ".join(GESTURES)}.')
    if min(size) < MIN_SIDE:
        raise ConfigError(f"A drawn film of {size[0]}x{size[1]} pixels shows no hand: draw at least {MIN_SIDE}.")
    if not acts or not 0 < rate < np.inf:
        raise ConfigError(f"A film of {len(acts)} acts at {rate} frames/s has no frames: give more of both.")
    who = draw_person(person, seed)
    still = Waves(generator(seed, "pointing's hand", person), len(JOINT_LIMITS) + 5)
    keys = _keys(acts)
    poses = {label: who.styled(POSES[label]) for label in {key.label for key in keys}}
    # From the place of the pointing fingertip to the knuckle: where the knuckle is while the fingers do something else.
    aim = _seen(who, poses[POINT], size)
    to_knuckle = aim[_KNUCKLE] - aim[_TIP]
    moments = []
    for number in range(max(1, round(keys[-1].seconds * rate))):
        seconds = number / rate
        before, after, share = _between(keys, seconds)
        angles, turn, place = np.split(still.at(seconds), np.cumsum([len(JOINT_LIMITS), 3]))
        pose = blend(poses[before.label], poses[after.label], share)
        pose = pose.with_angles(pose.angles + _ANGLES * angles).turned(_TURN * turn)
        knuckle = (1 - share) * before.place + share * after.place + to_knuckle + _PLACE * place
        seen = _seen(who, pose, size)  # from the hand's middle
        centre = knuckle - seen[_KNUCKLE]
        held = before.label if share <= 1 - _HELD else after.label if share >= _HELD else NONE
        truth = before.label if before.label == after.label else held
        moments.append(Moment(seconds, truth, after.act, centre + seen, pose, centre))
    return moments


def draw_pointing(
    acts: Sequence[Act], person: int, seed: int, *, rate: float = RATE, size: tuple[int, int] = SIZE
) -> Iterator[PointingFrame]:
    """Return the frames of a film of these acts, each drawn when it is asked for; it begins at the first act's place.

    The same arguments give the same frames. Raises ConfigError as `trace_pointing` does, before the first frame.
    """
    return _frames(trace_pointing(acts, person, seed, rate=rate, size=size), person, seed, size)


def _frames(moments: list[Moment], person: int, seed: int, size: tuple[int, int]) -> Iterator[PointingFrame]:
    who = draw_person(person, seed)
    light = draw_light(generator(seed, "pointing's light", person))
    room = draw_room(generator(seed, "pointing's room", person), max(size))
    for number, moment in enumerate(moments):
        pixels = picture(room, who, moment.pose, who.left_handed, _CAMERA, moment.centre, light, size)
        noisy = with_noise(pixels, generator(seed, "pointing's noise", person, number))
        yield PointingFrame(noisy, moment)


def _keys(acts: Sequence[Act]) -> list[_Key]:
    keys = [_Key(0.0, POINT, np.array(acts[0].place), 0)]

    def then(seconds: float, label: str, place: tuple[float, float], act: int) -> None:
        if seconds > 0:
            keys.append(_Key(keys[-1].seconds + seconds, label, np.array(place), act))

    for number, act in enumerate(acts):
        then(act.way, POINT, act.place, number)
        then(act.rest, POINT, act.place, number)
        if act.gesture is None:
            continue
        then(act.change, act.gesture, act.place, number)
        then(act.hold, act.gesture, act.place, number)
        if act.to:
            then(act.way, act.gesture, act.to, number)
            then(act.hold, act.gesture, act.to, number)
        then(act.change, POINT, act.to or act.place, number)
    return keys


def _between(keys: list[_Key], seconds: float) -> tuple[_Key, _Key, float]:
    after = next((place for place, key in enumerate(keys) if key.seconds > seconds), len(keys) - 1)
    a, b = keys[after - 1], keys[after]
    share = float(np.clip((seconds - a.seconds) / (b.seconds - a.seconds), 0, 1))
    return a, b, share * share * (3 - 2 * share)  # begins and ends softly


def _seen(who: Person, pose: Pose, size: tuple[int, int]) -> Array:
    """Return where the landmarks are seen, [21, 2] in shares of the picture, from where the hand's middle is seen."""
    image, _ = project_in(who, [pose], who.left_handed, _CAMERA, np.array([_CAMERA.distance]), size)
    return np.asarray(image[0, :, :2] - 0.5)
