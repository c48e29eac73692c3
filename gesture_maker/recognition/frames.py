"""Where frames come from: a film, a camera, a stream's address. One interface, and a sentence for all that can go wrong.

Frames of a film wait until they are read. Those of a camera or stream do not: a thread keeps only the newest, so that whoever
is slow sees what is there now and not a growing queue of what was.
"""

from __future__ import annotations

import re
import threading
import time
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

BROKE_OFF = 0.9  # of the frames that a film's header promises: headers are a little wrong, not by a tenth


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of many: uint8 [height, width, 3] RGB, its number from 0, and its time in seconds from the first."""

    pixels: Pixels
    number: int
    seconds: float


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
    """The frames of a video file, upright, each with its own time."""

    live = False

    def __init__(self, path: Path | str, mirrored: bool = False) -> None:
        import cv2

        self.path = Path(path)
        self.name = str(path)
        if not self.path.is_file():
            raise SourceError(f"There is no video {path}: check the name.")
        self._mirrored = mirrored
        self._capture = _opened(str(self.path.absolute()))
        if not self._capture.isOpened():
            raise SourceError(f"{path} is not a video that can be read: convert it to MP4 (H.264) first.")
        self.rate = _positive(self._capture.get(cv2.CAP_PROP_FPS))
        counted = _positive(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = None if counted is None else int(counted)
        self._number = 0
        self._seconds = -1.0

    def read(self) -> Frame | None:
        """Return the next frame, or None after the last. Raises SourceError where the film breaks off."""
        import cv2

        taken, picture = self._capture.read()
        if not taken:
            if self._number == 0:
                raise SourceError(f"{self.path} is not a video that can be read: convert it to MP4 (H.264) first.")
            if self.count is not None and self._number < BROKE_OFF * self.count:
                raise SourceError(
                    f"{self.path} breaks off after {self._number} of {self.count} frames: it is cut short or damaged."
                )
            return None
        told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        step = 1 / (self.rate or 25.0)
        self._seconds = (
            told if told > self._seconds else self._seconds + step
        )  # some files have no times, or wrong ones
        frame = Frame(_rgb(picture, self._mirrored), self._number, self._seconds)
        self._number += 1
        return frame

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class Live:
    """The newest frame of a camera or stream, which a thread keeps reading.

    `lost` counts the frames that came and were never read.
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
        self._thread.start()

    def read(self) -> Frame | None:
        """Return the newest frame once there is one that was not returned before; None after `close`.

        Raises SourceError when the camera sends nothing, or is gone.
        """
        with self._changed:
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
            self._closed = True
            self._changed.notify_all()
        self._thread.join(1.0)  # a camera that hangs keeps its thread, which ends with the process

    def _is_new(self) -> bool:
        return self._newest is not None and self._newest.number > self._given

    def _keep_reading(self) -> None:
        begin, number = 0.0, 0
        try:
            while not self._closed:
                taken, picture = self._capture.read()
                now = time.monotonic()
                if not taken:
                    break
                begin = begin if number else now
                frame = Frame(_rgb(picture, self._mirrored), number, now - begin)
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
    return Film(path, mirrored)


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


def open_stream(address: str, *, mirrored: bool = False) -> Live:
    """Return the frames of a stream (rtsp://, http://, …). Raises SourceError when nothing answers there."""
    capture = _opened(address)
    if not capture.isOpened():
        raise SourceError(
            f"No video can be read from {without_password(address)}: check the address and that it sends."
        )
    return Live(capture, without_password(address), mirrored)


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
    """Return an address without user and password, which belong in no message or file."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", address)


def _opened(what: int | str) -> Any:
    import cv2

    if isinstance(what, str) and is_address(what):
        patience = int(1000 * FIRST_FRAME_SECONDS)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, patience, cv2.CAP_PROP_READ_TIMEOUT_MSEC, patience]
        return open_capture(what, cv2.CAP_FFMPEG, limits)
    return open_capture(what)


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


def _positive(number: float) -> float | None:
    return number if 0 < number < 1e6 else None
