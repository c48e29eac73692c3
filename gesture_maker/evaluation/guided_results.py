"""What a guided validation measures: the runtime's answers to frames in which a known gesture was made, or none.

What counts: a frame is *recognized* when any hand in it was answered with the gesture that was asked for, by the custom
classifier. Otherwise its answer is that of the hand with the surest gesture, and the gesture was *taken for* that: another
class, `none`, a canned gesture (called canned, also where it means the same), or no hand. All frames count, also those in
which the hand is still on its way. The *time until recognized* runs from the beginning of the film, or of the watch, to the
first recognized frame. Where no gesture is made, a frame in which any hand was answered with one, by either classifier, is a
*false alarm*; frames with the same answer that follow each other are one alarm.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.dataset.names import NONE
from gesture_maker.evaluation.intervals import Interval, accuracy_interval
from gesture_maker.evaluation.metrics import NO_HAND
from gesture_maker.recognition.answers import Recognition
from gesture_maker.recognition.frames import Frame


@dataclass(frozen=True)
class Said:
    """What a frame was answered with: a class, a canned gesture, or that there is no hand (`gesture` is None)."""

    gesture: str | None
    canned: bool = False

    def __str__(self) -> str:
        if self.gesture is None:
            return NO_HAND
        return f"{self.gesture} (canned)" if self.canned else self.gesture

    @property
    def alarms(self) -> bool:
        """Whether it is a gesture."""
        return self.gesture not in (None, NONE)

    @property
    def classifier(self) -> str:
        """Which classifier said it: custom or canned; empty without a hand."""
        return "" if self.gesture is None else "canned" if self.canned else "custom"


@dataclass(frozen=True)
class FrameAnswer:
    """The answer to one frame: its number, its time in `seconds` from the beginning of its film or watch, and `score` 0..1.

    `handedness`: the probability of a right hand, None without a hand; `milliseconds`: the runtime took so long.
    """

    number: int
    seconds: float
    said: Said
    score: float
    handedness: float | None
    milliseconds: float


@dataclass(frozen=True)
class Try:
    """One film, or one watch at a camera: what was asked for (`none`: no gesture), for how long, and every frame's answer.

    `whole`: whether it was watched to its end.
    """

    asked: str
    name: str
    seconds: float
    frames: tuple[FrameAnswer, ...]
    whole: bool = True

    @property
    def recognized(self) -> int:
        """How many frames were answered with what was asked for."""
        return sum(self.is_right(frame) for frame in self.frames)

    @property
    def first(self) -> float | None:
        """Seconds until the first frame that was; None when none was."""
        return next((frame.seconds for frame in self.frames if self.is_right(frame)), None)

    def is_right(self, frame: FrameAnswer) -> bool:
        """Tell whether this frame's answer is what was asked for; in a part without a gesture, whether it is no false alarm."""
        return not frame.said.alarms if self.asked == NONE else frame.said == Said(self.asked)


@dataclass(frozen=True)
class GestureResult:
    """How one gesture was recognized, over all its tries.

    `interval`: the share of recognized frames with its 95 % interval, in which each try is a group; None without frames.
    `first`: seconds until recognized, of each try, None where it never was. `steady`: the share of recognized frames among
    those from the first recognized one on; None when there is none. `taken_for`: how many frames had which other answer,
    the most frequent first.
    """

    gesture: str
    tries: int
    frames: int
    recognized: int
    interval: Interval | None
    first: tuple[float | None, ...]
    steady: float | None
    taken_for: dict[Said, int]

    @property
    def share(self) -> float | None:
        """The share of frames that were recognized; None without frames."""
        return self.recognized / self.frames if self.frames else None

    @property
    def median_seconds(self) -> float | None:
        """The median over its tries of the seconds until it was recognized; None when it never was in half of them."""
        return _finite(statistics.median(_times(self.first))) if self.first else None

    @property
    def worst_seconds(self) -> float | None:
        """The longest that it took until it was recognized; None when there is a try in which it never was."""
        return _finite(max(_times(self.first), default=math.inf))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`."""
        return {
            "tries": self.tries,
            "frames": self.frames,
            "recognized": self.recognized,
            "share": self.share,
            "interval": vars(self.interval) if self.interval else None,
            "seconds_until_recognized": {"median": self.median_seconds, "worst": self.worst_seconds, "each": self.first},
            "share_once_recognized": self.steady,
            "taken_for": [_as_dict(said, frames=count) for said, count in self.taken_for.items()],
        }  # fmt: skip


@dataclass(frozen=True)
class IdleResult:
    """What was answered while no gesture was made.

    `interval`: the share of frames with a false alarm, with its 95 % interval; None without frames. `alarms`: by answer, the
    frames and the number of alarms (frames that follow each other are one), the most frequent first. `seconds`: watched.
    """

    tries: int
    frames: int
    seconds: float
    false: int
    interval: Interval | None
    alarms: dict[Said, tuple[int, int]]

    @property
    def share(self) -> float | None:
        """The share of frames with a false alarm; None without frames."""
        return self.false / self.frames if self.frames else None

    @property
    def count(self) -> int:
        """How many false alarms there were."""
        return sum(times for _, times in self.alarms.values())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`."""
        return {
            "tries": self.tries,
            "frames": self.frames,
            "seconds": self.seconds,
            "false_alarm_frames": self.false,
            "share": self.share,
            "interval": vars(self.interval) if self.interval else None,
            "false_alarms": self.count,
            "by_answer": [_as_dict(said, frames=n, alarms=times) for said, (n, times) in self.alarms.items()],
        }


@dataclass(frozen=True, eq=False)
class GuidedEvaluation:
    """What a guided validation found, and where it wrote `metrics.json`, `frames.csv` and the report.

    `source`: what was watched; `live`: whether it was a camera or stream; `interval`: the share of recognized frames of all
    gestures together, None without frames; `idle`: None when that part was not watched; `latency_p50`, `latency_p95`:
    milliseconds, of a camera from a frame's arrival to its answer. `dropped`: frames of a camera without an answer. `partial`:
    why not all was watched, empty when all was; `stopped`: the error or KeyboardInterrupt that ended it early, if one did.
    """

    source: str
    live: bool
    tries: tuple[Try, ...]
    gestures: tuple[GestureResult, ...]
    idle: IdleResult | None
    interval: Interval | None
    latency_p50: float
    latency_p95: float
    dropped: int
    folder: Path
    warnings: tuple[str, ...] = ()
    partial: str = ""
    stopped: BaseException | None = None

    @property
    def report(self) -> Path:
        """The page that shows all of it, `report/index.html`."""
        return self.folder / "report" / "index.html"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for `metrics.json`."""
        return {
            "mode": "LIVE_STREAM" if self.live else "VIDEO",
            "share_recognized": self.interval.accuracy if self.interval else None,
            "interval": vars(self.interval) if self.interval else None,
            "gestures": {one.gesture: one.as_dict() for one in self.gestures},
            "idle": self.idle.as_dict() if self.idle else None,
            "tries": [
                {
                    "asked": one.asked,
                    "name": one.name,
                    "seconds": one.seconds,
                    "frames": len(one.frames),
                    "right": one.recognized,
                    "whole": one.whole,
                }
                for one in self.tries
            ],
            "latency_milliseconds": {"p50": self.latency_p50, "p95": self.latency_p95},
            "frames_dropped": self.dropped,
            "partial": self.partial,
            "warnings": list(self.warnings),
        }


def answer_to(recognition: Recognition, asked: str, frame: Frame, begin: float = 0.0) -> FrameAnswer:
    """Return what counts of the answer to a frame of a film or watch that began at `begin` seconds."""
    wanted = [hand for hand in recognition.hands if hand.gesture == asked and not hand.canned]
    best = max(wanted, key=lambda hand: hand.score) if wanted and asked != NONE else recognition.best
    about = (frame.number, frame.seconds - begin)
    if best is None:
        return FrameAnswer(*about, Said(None), 0.0, None, 1000 * recognition.seconds)
    said = Said(best.gesture, best.canned)
    return FrameAnswer(*about, said, best.score, best.right, 1000 * recognition.seconds)


def gesture_results(tries: Iterable[Try], labels: Sequence[str]) -> tuple[GestureResult, ...]:
    """Return the result of each gesture that was tried, in the order of `labels`."""
    by_gesture: dict[str, list[Try]] = {}
    for one in tries:
        by_gesture.setdefault(one.asked, []).append(one)
    return tuple(_of_gesture(label, by_gesture[label]) for label in labels if label != NONE and label in by_gesture)


def idle_result(tries: Iterable[Try]) -> IdleResult | None:
    """Return the result of the parts without a gesture; None when there are none."""
    idle = [one for one in tries if one.asked == NONE]
    if not idle:
        return None
    frames, times = Counter[Said](), Counter[Said]()
    for one in idle:
        frames.update(frame.said for frame in one.frames if frame.said.alarms)
        times.update(said for said, _ in groupby(frame.said for frame in one.frames) if said.alarms)
    alarms = {said: (count, times[said]) for said, count in frames.most_common()}
    interval = shares_of(idle, right=False)
    return IdleResult(
        len(idle), sum(len(one.frames) for one in idle), sum(one.seconds for one in idle), frames.total(), interval, alarms
    )  # fmt: skip


def shares_of(tries: Sequence[Try], *, right: bool = True) -> Interval | None:
    """Return the share of right frames (of wrong ones when not `right`) and its 95 % interval, each try a group; None
    without frames."""
    values = [one.is_right(frame) == right for one in tries for frame in one.frames]
    groups = np.repeat(np.arange(len(tries)), [len(one.frames) for one in tries])
    return accuracy_interval(np.array(values, np.bool_), groups.astype(np.int64)) if values else None


def _of_gesture(gesture: str, tries: Sequence[Try]) -> GestureResult:
    taken_for = Counter(frame.said for one in tries for frame in one.frames if not one.is_right(frame))
    after = [one.is_right(frame) for one in tries for frame in one.frames if one.first is not None
             and frame.seconds >= one.first]  # fmt: skip
    return GestureResult(
        gesture,
        len(tries),
        sum(len(one.frames) for one in tries),
        sum(one.recognized for one in tries),
        shares_of(tries),
        tuple(one.first for one in tries),
        sum(after) / len(after) if after else None,
        dict(taken_for.most_common()),
    )


def _times(first: Iterable[float | None]) -> list[float]:
    return [math.inf if seconds is None else seconds for seconds in first]


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def _as_dict(said: Said, **counts: int) -> dict[str, Any]:
    return {"answer": said.gesture, "classifier": said.classifier or None, **counts}
