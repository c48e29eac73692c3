"""Photos from a camera by the space bar: a window shows what will be usable, and each press is a burst.

The window shows a mirror's view, in which everybody finds their hand; the photo is what the camera saw. Landmarks are those that
the training will find in the photo, so a frame without them is a photo that `check` will list as unusable.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from gesture_maker.dataset.folder import label_order
from gesture_maker.dataset.names import normalize_label
from gesture_maker.images import Pixels
from gesture_maker.landmarks.drawing import draw_hand
from gesture_maker.landmarks.fonts import font_file, readable
from gesture_maker.landmarks.hands import Hand
from gesture_maker.progress import StageProgress
from gesture_maker.recognition.capturing import (
    LOOK_SECONDS,
    RATE,
    Album,
    Burst,
    CaptureResult,
    Pace,
    Photo,
    Seen,
    Session,
    jpeg_of,
    open_session,
)
from gesture_maker.recognition.window import HeldKey, Window

TITLE = "gesture-maker collect"
STOP_KEYS = ("q", "escape")
NO_HAND_SECONDS = 0.7  # without a hand, before the window says so: single frames fail
NO_HAND = "No hand found: come nearer, turn on a light, show the whole hand"

NARROWEST, WIDEST, HIGHEST = 800, 1280, 720  # pixels, of the camera's picture in the window
HEAD, FOOT, GAP = 76, 40, 16  # pixels: the height of both bars, and the space beside what is written in them
GROUND, BRIGHT, DIM = (17, 24, 39), (255, 255, 255), (156, 163, 175)
GOOD, WARNING, RECORDING = (52, 211, 153), (251, 191, 36), (239, 68, 68)
LONGEST = 120  # letters of a line; what has no room is cut off

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Scene:
    """What the window shows besides the camera's picture; `what` is in the dataset."""

    label: str
    counts: tuple[int, int, int]
    total: int
    keys: str
    message: str = ""
    recording: bool = False
    what: str = "photo"


def collect_in_window(
    camera: int | str,
    label: str,
    dataset: Path | str,
    *,
    rate: float = RATE,
    only_usable: bool = False,
    mirrored_source: bool = False,
    mirror: bool = True,
    progress: StageProgress | None = None,
    window: Callable[[str], Window] = Window,
) -> CaptureResult:
    """Show the camera and take photos while the space bar is held, `rate` per second; return what was added to the dataset.

    Each press is a burst and a group. u moves the last burst out of the dataset, r brings it back, n and p go to the next and
    previous class of the dataset. q, Escape, Ctrl-C and closing the window end it. `only_usable`: save no photo without a hand.
    `mirrored_source`: the camera gives a mirror's view, which is turned back. `mirror`: show a mirror's view. `progress` (stage,
    done, total) while the dataset is looked at, stage "dataset".

    Raises ConfigError where there is no screen, LabelError, DatasetError and SourceError as `collect_headless` does: what was
    taken until then is in the dataset.
    """
    wanted, pace = normalize_label(label), Pace(rate)
    with (
        window(TITLE) as screen,
        open_session(
            camera,
            wanted,
            dataset,
            only_usable=only_usable,
            mirrored_source=mirrored_source,
            look_always=True,
            progress=progress,
        ) as session,
    ):
        _Recording(session, screen, wanted, pace, mirror).run()
        return session.album.result()


class _Recording:
    """The space bar, the camera and the window of one session."""

    def __init__(self, session: Session, window: Window, label: str, pace: Pace, mirror: bool) -> None:
        self.session, self.window, self.pace, self.mirror = session, window, pace, mirror
        self.album: Album = session.album
        totals = self.album.dataset.totals
        self.labels = sorted({label, *(known for known in totals if totals[known])}, key=label_order)
        self.label = label
        self.space = HeldKey()
        self.burst: Burst | None = None
        self.doubtful: list[Photo] = []  # taken while nobody knew whether the key was still down
        self.hand_seen: float | None = None
        self.shown: Seen | None = None
        self.pressed = -math.inf  # when the key went down last

    def run(self) -> None:
        """Go on until a key, Ctrl-C, the window or the camera ends it."""
        while not self.window.closed and not self.session.over:
            frame = self.session.frames.get(LOOK_SECONDS)
            if frame is not None:
                self.shown = frame
                if frame.hand is not None or self.hand_seen is None:
                    self.hand_seen = frame.seconds
                scene = self._scene(frame.seconds - self.hand_seen)
                self.window.show(draw_capture(frame.pixels, frame.hand, scene, self.mirror))
            key = self.window.key()
            if key in STOP_KEYS:
                break
            self._hear(key)
            if frame is not None and frame.seconds > self.pressed:
                self._record(frame)
            self.album.dataset.save_when_due()
        self._settle()

    def _hear(self, key: str | None) -> None:
        presses = self.space.presses
        if key is not None and key != "space":
            self._settle()
            self.space.release()  # its repeats end with another key
            self._command(key)
        self.space.look(key == "space", now := time.monotonic())
        if self.space.presses > presses:
            self.pressed = now
            self.burst = self.album.begin(self.label)
            self.pace.restart()
            if self.shown is not None:
                self._record(self.shown)  # what was seen when the key went down: a tap is one photo
        self._settle()

    def _settle(self) -> None:
        """Keep the photos that were taken while the key was down for certain, and drop those taken after it came up."""
        for photo in self.doubtful:
            if photo.seconds <= self.space.heard and self.burst is not None:
                self.album.keep(photo, self.burst)
        self.doubtful = [photo for photo in self.doubtful if photo.seconds > self.space.heard]
        if self.space.state == "released":
            self.doubtful, self.burst = [], None

    def _record(self, frame: Seen) -> None:
        if self.burst is not None and self.pace.due(frame.seconds):
            self.doubtful.append(Photo(jpeg_of(frame.pixels), frame.seconds, frame.hand is not None))
            self._settle()

    def _command(self, key: str) -> None:
        if key == "u":
            self.album.undo()
        elif key == "r":
            self.album.bring_back()
        elif key in ("n", "p"):
            step = 1 if key == "n" else -1
            self.label = self.labels[(self.labels.index(self.label) + step) % len(self.labels)]

    def _scene(self, without_hand: float) -> Scene:
        keys = ["hold SPACE: record", "q: end"]
        keys += ["u: undo the last burst"] if self.album.bursts else []
        keys += ["r: bring it back"] if self.album.undone else []
        keys += ["n, p: next, previous class"] if len(self.labels) > 1 else []
        return Scene(
            self.label,
            self.album.counts(self.label),
            self.album.dataset.totals[self.label],
            "     ".join(keys),
            NO_HAND if without_hand > NO_HAND_SECONDS else "",
            self.space.state != "released",
        )


def draw_capture(pixels: Pixels, hand: Hand | None, scene: Scene, mirror: bool) -> Pixels:
    """Return what the window shows: the camera's picture with its hand, the class and counts above, the keys below.

    `pixels`: uint8 [height, width, 3] RGB as the camera gave them; what is written is never mirrored.
    """
    import cv2

    height, width = pixels.shape[:2]
    scale = min(min(max(width, NARROWEST), WIDEST) / width, HIGHEST / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    view = pixels if scale == 1 else np.asarray(cv2.resize(pixels, size, interpolation=kind), np.uint8)
    if hand is not None:
        view = draw_hand(view, hand)
    if mirror:
        view = np.asarray(cv2.flip(view, 1), np.uint8)

    wide = max(size[0], NARROWEST)
    canvas = np.full((HEAD + size[1] + FOOT, wide, 3), GROUND, np.uint8)
    left = (wide - size[0]) // 2
    canvas[HEAD : HEAD + size[1], left : left + size[0]] = view
    if scene.recording:
        cv2.rectangle(canvas, (left + 1, HEAD + 1), (left + size[0] - 2, HEAD + size[1] - 2), RECORDING, 4)

    photos, usable, bursts = scene.counts
    middle = HEAD // 2
    there = f"{_many(scene.total, scene.what)} in the dataset"
    taken = f"{_many(photos, 'photo')} in {_many(bursts, 'burst')}, {usable} with a hand"
    right = _write(canvas, there, 16, DIM, wide - GAP, middle + (14 if photos else 0), "r")
    if photos:
        right = max(
            right, _write(canvas, taken, 18, GOOD if usable == photos else WARNING, wide - GAP, middle - 14, "r")
        )
    if scene.recording:
        right += GAP + _write(canvas, "● recording", 20, RECORDING, wide - 2 * GAP - right, middle, "r")
    _write(canvas[:, : wide - right - 2 * GAP], scene.label, 28, BRIGHT, GAP, middle)
    _write(canvas, scene.keys, 16, DIM, GAP, HEAD + size[1] + FOOT // 2)
    if scene.message:
        band = canvas[HEAD + size[1] - FOOT : HEAD + size[1]]
        band[:] = WARNING
        _write(band, scene.message, 18, GROUND, wide // 2, FOOT // 2, "m", WARNING)
    return canvas


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _write(
    canvas: Pixels, text: str, height: int, colour: Colour, x: int, y: int, anchor: str = "l", ground: Colour = GROUND
) -> int:
    """Write a line with its middle at y and return its width; `anchor`: x is its left, middle ("m") or right ("r")."""
    line = _line(text, height, colour, ground)
    left = max(0, {"l": x, "m": x - line.shape[1] // 2, "r": x - line.shape[1]}[anchor])
    part = canvas[y - height : y + height, left : left + line.shape[1]]
    part[:] = line[:, : part.shape[1]]
    return line.shape[1]


@lru_cache(maxsize=256)
def _line(text: str, height: int, colour: Colour, ground: Colour) -> Pixels:
    """Return a line of text on its ground, in whatever script; kept, since most frames repeat those of the one before."""
    from PIL import Image, ImageDraw, ImageFont

    shown = readable(text, LONGEST)
    font = ImageFont.truetype(font_file(text), height)
    image = Image.new("RGB", (max(1, math.ceil(font.getlength(shown))), 2 * height), ground)
    ImageDraw.Draw(image).text((0, height), shown, fill=colour, font=font, anchor="lm")
    return np.asarray(image, np.uint8)
