"""Long films of one person who makes one motion after the other, with what a hand does in between.

What happens when is known, so that what is recognized live can be counted: found, missed, and false. Between two motions the
hand rests or goes slowly to where it begins the next one; sometimes it sinks out of the picture and comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gesture_maker.errors import ConfigError
from gesture_maker.synthetic.film import FilmFrame
from gesture_maker.synthetic.motion_shapes import SHAPES
from gesture_maker.synthetic.motions import (
    CHANGE,
    MOTIONS,
    SLOW,
    STILL,
    Part,
    Scene,
    State,
    check_clip,
    draw_parts,
    draw_scene,
    draw_waves,
    held_pose,
    home,
    motion_part,
    rest_part,
    slow_part,
    slow_place,
)
from gesture_maker.synthetic.people import generator

PAUSE = (1.0, 2.5)  # seconds between two motions; longer where the hand leaves, or has far to go
AWAY = 0.12  # share of the pauses in which the hand leaves the picture and comes back
RATE, SIZE = 25.0, (320, 240)
"""Frames per second, and width and height in pixels, by default."""

_GONE = (0.3, 1.0)  # seconds out of the picture
_SETTLED = 0.25  # seconds that a hand rests at least before and after a motion
_BELOW = 1.7  # hand widths that the wrist goes below the edge: nothing of a relaxed hand is in sight then


@dataclass(frozen=True)
class MotionEvent:
    """A motion of a film: its `label`, and when it begins and ends in seconds from the first frame."""

    label: str
    begin: float
    end: float


def draw_motion_film(
    events: int, person: int, seed: int, *, rate: float = RATE, size: tuple[int, int] = SIZE
) -> tuple[list[MotionEvent], Iterator[FilmFrame]]:
    """Return the motions of a film in their order, and its frames, each drawn when it is asked for.

    Every motion is there equally often, but for those that are left over when `events` is no multiple of ten. A frame's truth is
    the label of the event that it is in, else `still`. The same arguments give the same film, at any rate. Raises
    ConfigError for no events, a size under 32 pixels, or no rate.
    """
    if events < 1:
        raise ConfigError(f"A film of {events} motions shows nothing: ask for one at least.")
    check_clip(STILL, rate, size)
    rng = generator(seed, "motion film", person)
    scene = draw_scene(person, seed, rng, size)
    waves = draw_waves(rng)
    parts = _parts(_order(events, rng), scene, rng)
    known, now = [], 0.0
    for part in parts:
        if part.label != STILL:
            known.append(MotionEvent(part.label, now, now + part.seconds))
        now += part.seconds
    return known, draw_parts(scene, parts, waves, rate, seed, "motion film", person)


def _order(events: int, rng: np.random.Generator) -> list[str]:
    """Return the motions in a random order, first as often as every one fits, then some."""
    labels = [*MOTIONS * (events // len(MOTIONS)), *rng.permutation(MOTIONS)[: events % len(MOTIONS)]]
    return [str(label) for label in rng.permutation(labels)]


def _parts(labels: list[str], scene: Scene, rng: np.random.Generator) -> list[Part]:
    state = State(held_pose(scene, rng), np.clip(home(scene, rng), *scene.box()))
    parts = [rest_part(state, rng.uniform(*PAUSE))]
    for number, label in enumerate(labels):
        near = (state.place + home(scene, rng)) / 2  # or the hand would stay in the corner that swipes have led it to
        motion = motion_part(label, scene, SHAPES[label](scene.hand, rng), near)
        parts += [*_pause(scene, state, motion.at(0.0), number > 0, rng), motion]
        state = motion.at(1.0)
    end = State(held_pose(scene, rng), slow_place(scene, state.place, CHANGE, rng))
    return [*parts, rest_part(state, _SETTLED), _slowly(scene, state, end, CHANGE), rest_part(end, rng.uniform(*PAUSE))]


def _pause(scene: Scene, state: State, ready: State, may_leave: bool, rng: np.random.Generator) -> list[Part]:
    """Return how the hand gets from the end of a motion to the beginning of the next one."""
    if rng.random() < AWAY and may_leave:
        depth = scene.size[1] / (2 * min(scene.size)) + _BELOW * scene.width
        pose = scene.hand.pose("relaxed", rng)
        gone, back = (State(pose, np.array([one.place[0], depth])) for one in (state, ready))
        ways = [
            _slowly(scene, state, gone, CHANGE),
            rest_part(back, rng.uniform(*_GONE)),
            _slowly(scene, back, ready, CHANGE),
        ]
    else:
        seconds = rng.uniform(*PAUSE) - 2 * _SETTLED
        if rng.random() < 0.4 and seconds > CHANGE + 0.5:  # rests on the way, in another pose
            between = State(held_pose(scene, rng), (state.place + ready.place) / 2)
            ways = [_slowly(scene, state, between, CHANGE / 2 + 0.2), _slowly(scene, between, ready, CHANGE / 2 + 0.2)]
            ways.insert(1, rest_part(between, max(0.1, seconds - sum(way.seconds for way in ways))))
        else:
            way = _slowly(scene, state, ready, min(seconds, rng.uniform(CHANGE, PAUSE[1])))
            rest = rng.uniform(0, 1) * max(0.0, seconds - way.seconds)
            ways = [rest_part(state, rest), way, rest_part(ready, max(0.0, seconds - way.seconds - rest))]
    ways = [rest_part(state, _SETTLED), *ways, rest_part(ready, _SETTLED)]
    return [way for way in ways if way.seconds > 0]


def _slowly(scene: Scene, begin: State, end: State, least: float) -> Part:
    """Return a way that takes `least` seconds, or longer where the hand would be faster than slow."""
    widths = float(np.linalg.norm(end.place - begin.place)) / scene.width
    return slow_part(begin, end, max(least, widths / SLOW))
