"""Where frames come from: a film, a camera, a stream's address. One interface, and a sentence for all that can go wrong.

Frames of a film wait until they are read. Those of a camera or stream do not: a thread keeps only the newest, so that whoever
is slow sees what is there now and not a growing queue of what was.
"""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gesture_maker.dataset.videos import open_capture
from gesture_maker.errors import SourceError
from gesture_maker.images import Pixels

FIRST_FRAME_SECONDS = 15.0
"""How long a camera or stream may take to its first frame. Opening is part of it; webcams take 1 to 3 s."""

NEXT_FRAME_SECONDS = 5.0
"""How long it may send nothing after that, before it counts as gone."""

USUAL_RATE, FASTEST = 25.0, 240.0
"""Frames per second where a film tells no times, and the most that is believed then: raw H.264 may say 1000."""

BROKE_OFF = 0.9  # of the frames that a film's header promises: headers are a little wrong, not by a tenth


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of many: uint8 [height, width, 3] RGB, its number from 0, and its time in seconds from the first.

    `came`: when a camera sent it, by `time.perf_counter`; None in a film.
    """

    pixels: Pixels
    number: int
    seconds: float
    came: float | None = None


class FrameSource(Protocol):
    """Frames, one after the other.

    `name`: for messages. `live`: whether frames that nobody reads are lost. `rate`: frames per second as the source says,
    None when it does not. `count`: how many there will be about, None when unknown.
    """

    name: str
    live: bool
    rate: float | None
    count: int | None

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end. Raises SourceError when frames stop coming for another reason."""

    def close(self) -> None:
        """Free the camera or file."""


class Capture(Protocol):
    """What is used of cv2.VideoCapture."""

    def read(self) -> tuple[bool, Any]: ...
    def get(self, prop: int, /) -> float: ...
    def release(self) -> None: ...


class Film:
    """The frames of a film that was recorded, upright, each with its own time.

    Raises SourceError when there is not even a first one.
    """

    live = False

    def __init__(self, capture: Capture, name: str, mirrored: bool = False) -> None:
        import cv2

        self.name = name
        self.rate = _positive(capture.get(cv2.CAP_PROP_FPS))
        self.count = _counted(capture)
        self._capture = capture
        self._mirrored = mirrored
        self._number = 0
        self._seconds = self._begin = 0.0
        self._first = self._next()

    def read(self) -> Frame | None:
        """Return the next frame, or None after the last. Raises SourceError where the film breaks off."""
        first, self._first = self._first, None
        return first or self._next()

    def _next(self) -> Frame | None:
        import cv2

        taken, picture = self._capture.read()
        if not taken:
            if self._number == 0:
                raise SourceError(_no_film(self.name))
            if self.count is not None and self._breaks_off(self.count):
                raise SourceError(
                    f"{self.name} breaks off after {self._number} of {self.count} frames: it is cut short or damaged."
                )
            return None
        told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self._number == 0:
            self._begin, self._seconds = told, 0.0
        elif told - self._begin > self._seconds:
            self._seconds = told - self._begin
        else:  # some files have no times, or wrong ones
            self._seconds += 1 / (self.rate if self.rate and self.rate <= FASTEST else USUAL_RATE)
        # In place: a new picture for each frame is memory that MediaPipe, on the other core, waits for: 1 frame/s of 40.
        cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture)
        pixels = np.asarray(cv2.flip(picture, 1) if self._mirrored else picture, np.uint8)
        frame = Frame(pixels, self._number, self._seconds)
        self._number += 1
        return frame

    def _breaks_off(self, count: int) -> bool:
        """Tell whether so many frames were promised that this cannot be the end, by number and by time.

        By number alone it would seem so of a film whose frames come irregularly: where the file does not count them, OpenCV
        multiplies its length with its shortest step.
        """
        length = count / self.rate if self.rate else float("inf")
        return self._number < BROKE_OFF * count and self._seconds < BROKE_OFF * length

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class Live:
    """The newest frame of a camera or stream, which a thread keeps reading from the first call of `read` on.

    `lost` counts the frames that came after that and were never read.
    """

    live = True
    count: int | None = None

    def __init__(self, capture: Capture, name: str, mirrored: bool = False) -> None:
        import cv2

        self.name = name
        self.rate = _positive(capture.get(cv2.CAP_PROP_FPS))
        self.lost = 0
        self._capture = capture
        self._mirrored = mirrored
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._given = -1
        self._over = self._closed = False
        self._thread = threading.Thread(target=self._keep_reading, name=f"frames of {name}", daemon=True)

    def read(self) -> Frame | None:
        """Return the newest frame once there is one that was not returned before; None after `close`.

        Raises SourceError when the camera sends nothing, or is gone.
        """
        with self._changed:
            if self._thread.ident is None and not self._closed:
                self._thread.start()
            began = self._given >= 0
            patience = NEXT_FRAME_SECONDS if began else FIRST_FRAME_SECONDS
            self._changed.wait_for(lambda: self._closed or self._over or self._is_new(), patience)
            if self._closed:
                return None
            newest = self._newest
            if newest is not None and newest.number > self._given:
                self.lost += newest.number - self._given - 1
                self._given = newest.number
                return newest
            if self._over and newest is not None:
                raise SourceError(f"{self.name} is gone after {newest.number + 1} frames: check its cable or network.")
            if began:
                raise SourceError(
                    f"{self.name} has sent no frame for {NEXT_FRAME_SECONDS:.0f} s: check its cable or network."
                )
            raise SourceError(
                f"{self.name} sends no frames: another program may be using it, or its cover or switch is closed."
            )

    def close(self) -> None:
        """Stop reading and free the camera."""
        with self._changed:
            first, self._closed = not self._closed, True
            self._changed.notify_all()
        if first and self._thread.ident is not None:
            self._thread.join(1.0)  # a camera that hangs keeps its thread, which ends with the process
        elif first:
            self._capture.release()

    def _is_new(self) -> bool:
        return self._newest is not None and self._newest.number > self._given

    def _keep_reading(self) -> None:
        import cv2

        begin, number = 0.0, 0
        try:
            while not self._closed:
                try:
                    taken, picture = self._capture.read()
                except cv2.error:  # some cameras' drivers fail so when the cable is pulled
                    break
                now = time.perf_counter()
                if not taken:
                    break
                begin = begin if number else now
                frame = Frame(_rgb(picture, self._mirrored), number, now - begin, now)
                number += 1
                with self._changed:
                    self._newest = frame
                    self._changed.notify_all()
        finally:
            self._capture.release()
            with self._changed:
                self._over = True
                self._changed.notify_all()


def open_film(path: Path | str, *, mirrored: bool = False) -> Film:
    """Return the frames of a video file; `mirrored` turns back what was recorded in a mirror. Raises SourceError."""
    place = Path(path)
    if not place.exists():
        raise SourceError(f"There is no video {path}: check the name.")
    if place.is_dir():
        raise SourceError(f"{path} is a folder: name a video in it.")
    capture = _opened(str(place.absolute()))
    if not capture.isOpened():
        raise SourceError(_no_film(str(path)))
    return Film(capture, str(path), mirrored)


def open_camera(number: int, *, mirrored: bool = False) -> Live:
    """Return the frames of this machine's camera `number` (from 0), turned back when it gives a mirror's view.

    Raises SourceError when there is none or it cannot be used.
    """
    capture = _opened(number)
    if not capture.isOpened():
        raise SourceError(_about_cameras(number))
    import cv2

    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return Live(capture, f"Camera {number}", mirrored)


def open_stream(address: str, *, mirrored: bool = False) -> Live | Film:
    """Return the frames of a stream (rtsp://, http://, …), or of a film that lies at an address.

    Raises SourceError when nothing answers there.
    """
    capture = _opened(address)
    if not capture.isOpened():
        raise SourceError(
            f"No video can be read from {without_password(address)}: check the address and that it sends."
        )
    source = Live if _counted(capture) is None else Film
    return source(capture, without_password(address), mirrored)


def open_frames(source: str | Path | int, *, mirrored: bool = False) -> FrameSource:
    """Return the frames of a camera's number, a stream's address or a video file. Raises SourceError."""
    if isinstance(source, int):
        return open_camera(source, mirrored=mirrored)
    if is_address(source):
        return open_stream(str(source), mirrored=mirrored)
    return open_film(source, mirrored=mirrored)


def is_address(source: str | Path) -> bool:
    """Tell whether a source is an address, such as rtsp://…, and no file."""
    return isinstance(source, str) and re.match(r"[a-z][a-z0-9+.-]+://", source, re.IGNORECASE) is not None


def without_password(address: str) -> str:
    """Return an address without user, password and what follows a ?, which may hold secrets and belong in no message.

    A password may have an @, / or ? of its own, so all up to the last @ goes.
    """
    scheme, mark, rest = address.partition("://")
    return f"{scheme}{mark}{re.split('[?#&]', rest.rpartition('@')[2])[0]}"


def _opened(what: int | str) -> Any:
    """Return the capture of a film, camera or address, opened or not. Ctrl-C does not wait until an address answers."""
    if not (isinstance(what, str) and is_address(what)):
        return open_capture(what)  # not in a thread: macOS asks whether a camera may be used in the main thread only
    import cv2

    patience = int(1000 * FIRST_FRAME_SECONDS)
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, patience, cv2.CAP_PROP_READ_TIMEOUT_MSEC, patience]
    answer: Future[Any] = Future()

    def open_it() -> None:
        try:
            answer.set_result(open_capture(what, cv2.CAP_FFMPEG, limits))
        except BaseException as error:
            answer.set_exception(error)

    # Signals are handled in the main thread, between two lines of Python: not while OpenCV waits.
    threading.Thread(target=open_it, daemon=True).start()
    return answer.result()


def _no_film(name: str) -> str:
    return f"{name} is not a video that can be read: convert it to MP4 (H.264) first."


def _about_cameras(number: int) -> str:
    present = sorted(int(path.name[5:]) for path in Path("/dev").glob("video*") if path.name[5:].isdigit())
    if number in present:
        return f"Camera {number} cannot be opened: another program may be using it, or you may lack permission."
    if present:
        return (
            f"There is no camera {number}: this machine has {', '.join(map(str, present))}, choose one with --camera."
        )
    return f"There is no camera {number}: plug one in, allow its use, or give a video file instead."


def _rgb(picture: Any, mirrored: bool) -> Pixels:
    import cv2

    pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return np.asarray(cv2.flip(pixels, 1) if mirrored else pixels, np.uint8)


def _counted(capture: Capture) -> int | None:
    """Return how many frames there are; None for what has no end."""
    import cv2

    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < 1e9 else None  # a year at 30 frames/s; of a stream it is below 0


def _positive(number: float) -> float | None:
    return number if 0 < number < 1e6 else None
