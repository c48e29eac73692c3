"""What was seen from the first frame to the last: gestures with their time, and how fast frames were answered."""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gesture_maker.recognition.smoothing import ShownHand

RECENT = 2.0  # seconds over which the momentary frames per second are taken


@dataclass(frozen=True)
class Seen:
    """One gesture as it was seen: `frames` and `seconds` with it (any hand), from `first` seconds on, and its mean score.

    `gesture` is None for the frames without a hand, `UNANSWERED` for hands that a server did not answer for. A frame counts for the time until the next.
    """

    gesture: str | None
    canned: bool
    frames: int
    seconds: float
    first: float
    score: float


@dataclass(frozen=True)
class LiveSummary:
    """How it went.

    `answered`: frames that got an answer; `skipped`: passed over for `max_fps`; `lost`: of a camera, came while the one
    before was being worked on; `dropped`: by MediaPipe, never where whole pictures are asked. `seconds`: from the first frame's reading (of a camera its
    coming) until the files were in place; `fps`: answered frames per such second. `latency_p50`, `latency_p95`: milliseconds from a camera's frame to what
    is shown of it; of a film, whose frames wait their turn, what the answer takes; None without an answer. `seen`: the
    longest first. `files`: what was written. `size`: width and height of the frames in pixels. Of a server: `unanswered`,
    frames with hands for which no answer came, and `outages`, how often it stopped answering.
    """

    answered: int
    skipped: int
    lost: int
    dropped: int
    seconds: float
    latency_p50: float | None
    latency_p95: float | None
    seen: tuple[Seen, ...]
    files: tuple[Path, ...]
    size: tuple[int, int] | None
    unanswered: int = 0
    outages: int = 0

    @property
    def fps(self) -> float:
        """Frames answered per second."""
        return self.answered / self.seconds if self.seconds > 0 else 0.0


@dataclass
class _Sum:
    frames: int = 0
    seconds: float = 0.0
    first: float = 0.0
    score: float = 0.0


class Tally:
    """Counts what is shown, frame by frame."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None
        self._sums: dict[tuple[str | None, bool], _Sum] = {}
        self._latencies = array("f")  # 4 bytes a frame: 10 MB for a day at 30 frames/s
        self._open: list[_Sum] = []  # what the last frame showed, whose time is known with the next
        self._last = self._step = 0.0
        self._recent: deque[float] = deque()

    def add(self, seconds: float, hands: Sequence[ShownHand], latency: float, size: tuple[int, int]) -> None:
        """Count a frame at `seconds`, answered after `latency` seconds."""
        if self._latencies:
            self._close(seconds - self._last)
        self.size = self.size or size
        self._latencies.append(latency)
        self._last = seconds
        shown: dict[tuple[str | None, bool], float] = {}
        for one in hands:
            score = shown.get((one.gesture, one.canned), 0.0)
            shown[one.gesture, one.canned] = max(one.score, score)
        for key, score in (shown or {(None, False): 0.0}).items():
            one_sum = self._sums.setdefault(key, _Sum(first=seconds))
            one_sum.frames += 1
            one_sum.score += score
            self._open.append(one_sum)
        now = time.perf_counter()
        self._recent.append(now)
        while now - self._recent[0] > RECENT:
            self._recent.popleft()

    @property
    def answered(self) -> int:
        """How many frames were counted."""
        return len(self._latencies)

    @property
    def fps(self) -> float:
        """Frames per second just now; 0 until there are two."""
        passed = self._recent[-1] - self._recent[0] if self._recent else 0.0
        return (len(self._recent) - 1) / passed if passed > 0 else 0.0

    def latency(self, percent: float) -> float | None:
        """Return this percentile of the latencies in milliseconds; None without a frame."""
        return 1000 * float(np.percentile(self._latencies, percent)) if self._latencies else None

    def seen(self) -> tuple[Seen, ...]:
        """Return what was seen, the longest first; the last frame counts as long as the one before it."""
        self._close(self._step)
        found = [
            Seen(gesture, canned, one.frames, one.seconds, one.first, one.score / one.frames)
            for (gesture, canned), one in self._sums.items()
        ]
        return tuple(sorted(found, key=lambda one: (-one.seconds, -one.frames, one.first)))

    def _close(self, seconds: float) -> None:
        for one in self._open:
            one.seconds += seconds
        self._open.clear()
        self._step = seconds
