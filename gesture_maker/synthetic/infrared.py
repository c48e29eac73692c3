"""Drawn hands as an infra-red camera on the table sees them, in folders and names of Kaggle's LeapGestRecog.

The lamp is beside the camera: what faces it is bright, what is near is brighter, and the room behind is dark. The hand is above it,
with its palm to the camera, and each sequence of frames is one hand that lives, or, where a gesture is called moved, goes about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from gesture_maker.errors import ConfigError
from gesture_maker.files import write_bytes
from gesture_maker.images import MIN_SIDE, Pixels
from gesture_maker.synthetic.film import Waves, square_camera
from gesture_maker.synthetic.hand import JOINT_LIMITS, Array
from gesture_maker.synthetic.motion_dataset import drawing_pool
from gesture_maker.synthetic.motion_shapes import flat_hand
from gesture_maker.synthetic.people import draw_person, generator
from gesture_maker.synthetic.poses import POSES, jitter
from gesture_maker.synthetic.render import OPEN_HAND, Camera, Layers, layers_of, openness

ROOT = "leapGestRecog"
SIZE = (640, 240)
"""Width and height in pixels, as in LeapGestRecog."""

FRAMES_PER_SECOND = 20.0
FIRST_PERSON = 3000  # the subject 00; nobody whom the demo trains or tests on

_SHARE = (0.62, 0.74)  # of the picture's height that an open hand fills
_FIELD_OF_VIEW = 70.0  # degrees, of the picture's longer side; Leap Motion's has 150
_VIEW = {"yaw": 8.0, "pitch": 8.0, "roll": 8.0}  # degrees, at most: a hand is not held quite above the camera
_NEARER_IS_BRIGHTER = 3.0  # the power of the distance: lamps fade with its square, and skin that is nearer faces them
_SKIN, _CLOTH = 0.7, 0.45  # of the light: in infra-red, skin of all tones is bright
_DARK, _NOISE, _GAMMA = 8.0, 2.0, 0.8  # grey levels of the room, and their spread


@dataclass(frozen=True)
class LeapGesture:
    """One gesture: its `folder`, whether it is `moved`, and how far it is turned from the camera, yaw, pitch and roll in degrees."""

    folder: str
    pose: str
    moved: bool = False
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)


GESTURES = (
    LeapGesture("01_palm", "open_palm"),
    LeapGesture("02_l", "l_sign"),
    LeapGesture("03_fist", "fist"),
    LeapGesture("04_fist_moved", "fist", moved=True),
    LeapGesture("05_thumb", "thumb"),
    LeapGesture("06_index", "point"),
    LeapGesture("07_ok", "ok"),
    LeapGesture("08_palm_moved", "open_palm", moved=True),
    LeapGesture("09_c", "c", turn=(-35.0, 0.0, 0.0)),
    LeapGesture("10_down", "flat", turn=(0.0, 42.0, 0.0)),
)
"""In the order of their numbers, from 1."""

_C_FINGER = (0.0, 34.0, 48.0, 26.0)  # abduction, MCP, PIP, DIP in degrees
_OWN_POSES = {
    "flat": flat_hand(),
    "c": replace(POSES["open_palm"], fingers=np.array([_C_FINGER] * 4), thumb=np.array([22.0, 58.0, 40.0, 8.0, 14.0])),
    "thumb": replace(POSES["thumbs_up"], orientation=np.zeros(3)),
}


@dataclass(frozen=True)
class _Liveliness:
    """Spread of what a hand does: turn in degrees, place in the picture's heights, share of the distance; and how fast."""

    turn: float
    place: float
    distance: float
    tempo: float


_HELD = _Liveliness(3.5, 0.012, 0.025, 1.0)
_MOVED = _Liveliness(9.0, 0.16, 0.10, 1.3)


def draw_leap_gestures(
    folder: Path,
    subjects: int,
    frames: int,
    seed: int,
    *,
    size: tuple[int, int] = SIZE,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Draw `leapGestRecog/<subject>/<gesture>/frame_<subject>_<gesture>_<number>.png` into a folder; return how many are new.

    Every subject is another drawn person and makes each of `GESTURES` for so many frames, grey PNGs of `size` (width, height).
    Frames that are there already are left. `progress` is called with (frames done, total). The same arguments give the same
    files. Raises ConfigError for no or more than 100 subjects, no frames, or a size under 32 pixels.
    """
    if not 1 <= subjects <= 100 or frames < 1:
        raise ConfigError(
            f"{subjects} subjects of {frames} frames cannot be drawn: give 1 to 100, and a frame at least."
        )
    if min(size) < MIN_SIDE:
        raise ConfigError(f"A drawn image of {size[0]}x{size[1]} pixels shows no hand: draw at least {MIN_SIDE}.")
    sequences = [(subject, number) for subject in range(subjects) for number in range(1, len(GESTURES) + 1)]
    missing = sum(any(not path.exists() for path in _paths(folder, *one, frames)) for one in sequences)
    drawn = done = 0
    with drawing_pool(missing) as pool:
        waiting: deque[Future[int]] = deque(
            pool.submit(_draw_sequence, folder, *one, frames, seed, size) for one in sequences
        )
        try:
            while waiting:
                drawn += waiting.popleft().result()
                done += frames
                if progress:
                    progress(done, len(sequences) * frames)
        finally:
            for future in waiting:
                future.cancel()
    return drawn


def _paths(folder: Path, subject: int, number: int, frames: int) -> list[Path]:
    place = folder / ROOT / f"{subject:02d}" / GESTURES[number - 1].folder
    return [place / f"frame_{subject:02d}_{number:02d}_{frame:04d}.png" for frame in range(1, frames + 1)]


def _draw_sequence(folder: Path, subject: int, number: int, frames: int, seed: int, size: tuple[int, int]) -> int:
    drawn = 0
    for frame, path in enumerate(_paths(folder, subject, number, frames)):
        if not path.exists():
            done, png = cv2.imencode(".png", draw_leap_frame(subject, number, frame, seed, size))
            assert done
            write_bytes(path, png.tobytes())
            drawn += 1
    return drawn


def draw_leap_frame(subject: int, number: int, frame: int, seed: int, size: tuple[int, int] = SIZE) -> Pixels:
    """Return a frame, uint8 [height, width] grey: the `frame`-th, from 0, of a subject's gesture of this `number`, from 1."""
    gesture = GESTURES[number - 1]
    rng = generator(seed, "leap", subject, number)
    who = draw_person(FIRST_PERSON + subject, seed)
    how = _MOVED if gesture.moved else _HELD
    pose = _OWN_POSES.get(gesture.pose) or POSES[gesture.pose]
    pose = jitter(who.styled(pose.turned(np.array(gesture.turn))), rng)
    yaw, pitch, roll = (float(rng.uniform(-limit, limit)) for limit in _VIEW.values())
    distance = OPEN_HAND / (2 * rng.uniform(*_SHARE) * np.tan(np.radians(_FIELD_OF_VIEW / 2)))
    home = np.array([0.5, 0.5]) + rng.normal(0, [0.06, 0.02])
    waves = Waves(rng, len(JOINT_LIMITS) + 6)

    angles, turn, place, (nearer,) = np.split(
        waves.at(how.tempo * frame / FRAMES_PER_SECOND), np.cumsum([len(JOINT_LIMITS), 3, 2])
    )
    pose = pose.with_angles(pose.angles + 1.5 * angles).turned(how.turn * turn)
    across = min(size) / np.array(size)
    centre = np.clip(home + how.place * np.array([1.0, 0.3]) * place * across, 0.1, 0.9)
    camera = Camera(yaw, pitch, roll, float(distance * np.exp(how.distance * nearer)), _FIELD_OF_VIEW)
    seen = square_camera(camera, centre, size)
    width, height = size
    cut = (max(size) - width) // 2, (max(size) - height) // 2
    layers = layers_of(who, pose, who.left_handed, seen, max(size), cut)
    return _developed(layers, seen.distance, size, cut, generator(seed, "leap's noise", subject, number, frame))


def _developed(
    layers: Layers | None, distance: float, size: tuple[int, int], cut: tuple[int, int], rng: np.random.Generator
) -> Pixels:
    width, height = size
    image = np.zeros(
        (max(size) - 2 * cut[1], max(size) - 2 * cut[0]), np.float32
    )  # a pixel more where the cut is uneven
    if layers is not None:
        rows, columns = layers.cover.shape
        left, top = layers.left - cut[0], layers.top - cut[1]
        image[top : top + rows, left : left + columns] = _lit(layers, distance)
    part = cv2.GaussianBlur(image[:height, :width], (0, 0), 0.7)
    grey = 255 * np.clip(part, 0, 1) ** _GAMMA + _DARK + _NOISE * rng.standard_normal((height, width), np.float32)
    return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


def _lit(layers: Layers, distance: float) -> Array:
    """Return how bright hand and arm are, [height, width], about 0.7 where the skin faces a camera at this distance."""
    facing = np.clip(-layers.normal[..., 2], 0, 1)
    nearer = (distance / np.where(layers.cover > 0, layers.depth, distance)) ** _NEARER_IS_BRIGHTER
    reflects = _SKIN + layers.sleeve * (_CLOTH - _SKIN) + 0.08 * layers.nail
    return np.asarray(layers.cover * reflects * (0.15 + 0.85 * facing) * nearer * openness(layers))
