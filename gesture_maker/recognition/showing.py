"""What `live` tells of each frame, and the window that shows it: a film at its own pace, until a key or its closing ends it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from gesture_maker.images import Pixels
from gesture_maker.recognition.answers import Recognition
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.smoothing import ShownHand

LOOK_SECONDS = 0.02  # how often keys and Ctrl-C are looked at while no frame comes
STOP_KEYS = ("q", "escape")


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """A frame with its answer, what is shown of it, and `fps`, frames answered per second just now.

    `latency`: seconds, as in `LiveSummary`. `picture`: with what was drawn on it, uint8 [height, width, 3] RGB; None when it is
    neither shown nor recorded. `notice`: what its classifier has to say, such as that a server does not answer, since when and why; mostly empty.
    """

    frame: Frame
    recognition: Recognition
    shown: tuple[ShownHand, ...]
    fps: float
    latency: float
    picture: Pixels | None
    notice: str = ""


class Screen(Protocol):
    """What is used of `window.Window`."""

    closed: bool

    def show(self, pixels: Pixels, /) -> None: ...
    def key(self, milliseconds: int = 1, /) -> str | None: ...


class Viewer:
    """Shows frames in a window; those of a film when their time has come (`at_its_pace`)."""

    def __init__(self, window: Screen, at_its_pace: bool) -> None:
        self._window, self._at_its_pace = window, at_its_pace
        self._begin: float | None = None  # when the film's time was 0

    def ends(self, one: LiveFrame | None) -> bool:
        """Show the next frame if there is one; return whether the user wants it to end."""
        if one is not None and one.picture is not None:
            if self._at_its_pace and self._waited_for(one.frame.seconds):
                return True
            self._window.show(one.picture)
        return self._asked(1)

    def _asked(self, milliseconds: int) -> bool:
        return self._window.key(max(1, milliseconds)) in STOP_KEYS or self._window.closed

    def _waited_for(self, seconds: float) -> bool:
        """Wait until it is time for the film's `seconds`; return whether the user wants it to end before."""
        latest = time.perf_counter() - seconds
        self._begin = latest if self._begin is None else max(self._begin, latest)  # what was late is not made up for
        while (wait := self._begin + seconds - time.perf_counter()) > 0:
            if self._asked(int(1000 * min(wait, LOOK_SECONDS))):
                return True
        return False
