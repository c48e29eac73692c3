"""Which frames are taken: no more a second than wanted, by the frames' own times, and up to when."""

from __future__ import annotations

from dataclasses import dataclass

from gesture_maker.recognition.frames import Frame

EARLY = 0.1  # of the step between two frames by `max_fps`: many files round times to milliseconds, and cameras tremble


@dataclass
class Pace:
    """Which frames are taken, by their time, and when it is enough."""

    max_fps: float | None
    seconds: float | None
    frames: int | None
    taken: int = 0
    due: float | None = None  # the time of the next frame; None before the first
    begin: float = 0.0

    def enough(self, frame: Frame) -> bool:
        """Tell whether it ends before this frame."""
        if self.due is None:
            self.begin = frame.seconds
        over = self.seconds is not None and frame.seconds - self.begin >= self.seconds
        return over or self.full

    @property
    def full(self) -> bool:
        """Whether as many frames were taken as are wanted."""
        return self.frames is not None and self.taken >= self.frames

    def takes(self, frame: Frame) -> bool:
        """Tell whether this frame is taken, and count it if so."""
        step = 0.0 if self.max_fps is None else 1 / self.max_fps
        if self.due is None:
            self.due = frame.seconds
        if frame.seconds < self.due - EARLY * step:
            return False
        late = frame.seconds >= self.due + step  # after a gap there is nothing to be made up for
        self.due = (frame.seconds if late else self.due) + step
        self.taken += 1
        return True
