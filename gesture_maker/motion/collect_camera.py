"""Clips from a camera: so many of so many seconds, with a pause between them, or by the space bar (`collect_window.py`).

All times are those of the frames, so that a clip is as long as was wanted however slow the machine is. Unlike a photo, a clip needs
every frame that the camera sends: no hand is looked for while it is recorded.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.dataset.adding import next_number
from gesture_maker.dataset.collecting import CollectResult
from gesture_maker.dataset.names import normalize_label
from gesture_maker.errors import ConfigError, SourceError
from gesture_maker.motion.collect_recording import RecordedClip
from gesture_maker.motion.collecting import ClipCollector, check_place
from gesture_maker.progress import Progress
from gesture_maker.recognition.capturing import check_writable
from gesture_maker.recognition.frames import Frame, FrameSource, open_frames
from gesture_maker.recognition.stages import interrupts_noted

SECONDS = 2.0  # of a clip: a swipe takes half of it, a wave all, and a window of 30 frames fits in
PAUSE = 2.0  # seconds before each clip, to bring the hand back
LONGEST_SECONDS = 60.0

Countdown = Callable[[int, int], None]
Watch = Callable[[Frame, "Takes", str], bool]


@dataclass
class Takes:
    """The clips of one session with a camera, on their way into a dataset."""

    source: FrameSource
    collector: ClipCollector
    interrupted: threading.Event
    group: str
    over: bool = False
    clip: RecordedClip | None = None

    def read(self) -> Frame | None:
        """Return the next frame, None when it is over: interrupted, or there are no more. Raises SourceError."""
        frame = None if self.interrupted.is_set() else self.source.read()
        self.over = frame is None
        return frame

    def begin(self, label: str) -> None:
        """Begin a clip of a class."""
        self.clip = RecordedClip(self.collector.writer, label)

    def add(self, frame: Frame) -> None:
        """Add a frame to the clip that is under way."""
        assert self.clip is not None
        self.clip.add(frame)

    def end(self) -> str:
        """Put the clip that is under way into the dataset and return its file; empty when it is too short to be one."""
        clip, self.clip = self.clip, None
        assert clip is not None
        return clip.finish(self.collector, self.source.name, self.group)

    def drop(self) -> None:
        """Leave nothing of the clip that is under way, if there is one."""
        clip, self.clip = self.clip, None
        if clip is not None:
            clip.drop()


def record_clips(
    camera: FrameSource | int | str,
    label: str,
    dataset: str | Path,
    clips: int,
    *,
    seconds: float = SECONDS,
    pause: float = PAUSE,
    group: str = "",
    mirrored_source: bool = False,
    countdown: Countdown | None = None,
    watch: Watch | None = None,
    progress: Progress | None = None,
) -> CollectResult:
    """Record `clips` clips of a class, `seconds` each, with `pause` seconds before each; return what was added.

    `camera`: its number from 0, a stream's address, or frames from elsewhere, which are closed at the end. `group`: who makes the
    gesture. `mirrored_source`: the camera gives a mirror's view, which is turned back. `countdown` is told the seconds left before a
    clip, rounded up, 0 when it begins, and the clip's number from 1. `watch` is given each frame and what is under way, and answers
    whether to go on. `progress` (done, total): clips, those learned too.

    Raises SourceError for a camera that cannot be used or is gone, and KeyboardInterrupt at Ctrl-C: all clips finished until then
    are in the dataset. LabelError, DatasetError and ConfigError come before anything is opened.
    """
    wanted = normalize_label(label)
    if clips < 1:
        raise ConfigError(f"--clips {clips} is impossible: record at least one.")
    check_times(seconds, pause)
    with open_takes(camera, wanted, dataset, group, mirrored_source, progress, clips) as takes:
        told: tuple[int, int] | None = None
        done, message = 0, ""
        due = math.nan  # when the next clip begins, or the one that is under way ends
        while done < clips and (frame := takes.read()) is not None:
            if math.isnan(due):
                due = frame.seconds + pause
            if takes.clip is not None and frame.seconds >= due:
                takes.end()
                done += 1
                takes.collector.count()
                due = frame.seconds + pause
            if takes.clip is None and done < clips:
                left = (max(0, math.ceil(due - frame.seconds)), done + 1)
                if countdown and left != told:
                    countdown(*left)
                told = left
                message = f"Clip {done + 1} of {clips} in {left[0]} …"
                if frame.seconds >= due:
                    takes.begin(wanted)
                    due = frame.seconds + seconds
            if takes.clip is not None:
                takes.add(frame)
                message = f"Clip {done + 1} of {clips}"
            if watch and not watch(frame, takes, message):
                break
        result = takes.collector.result()
    if takes.interrupted.is_set():
        raise KeyboardInterrupt(f"Interrupted: {_kept(takes.collector)}.")
    return result


def check_times(seconds: float, pause: float) -> None:
    """Raise ConfigError for lengths of clips and pauses that cannot be."""
    if not (math.isfinite(seconds) and 0 < seconds <= LONGEST_SECONDS):
        raise ConfigError(f"--seconds {seconds:g} is impossible: a clip has up to {LONGEST_SECONDS:g} seconds.")
    if not (math.isfinite(pause) and pause >= 0):
        raise ConfigError(f"--pause {pause:g} is impossible: it counts seconds before each clip, from 0 on.")


@contextlib.contextmanager
def open_takes(
    camera: FrameSource | int | str,
    label: str,
    dataset: str | Path,
    group: str = "",
    mirrored_source: bool = False,
    progress: Progress | None = None,
    to_come: int = 0,
) -> Iterator[Takes]:
    """Open a dataset and a camera, and have everything finished in the dataset and its manifest however the block ends.

    Within the block, Ctrl-C only sets `interrupted`. Raises DatasetError, SourceError, which says what is kept when the camera is gone
    in the middle, and OSError for a dataset that cannot be written to.
    """
    root = Path(dataset)
    check_place(root)
    next_number(root / label, label)  # raises where no folder can be
    check_writable(root)
    collector = ClipCollector(root, progress, to_come)
    with collector.under_way():
        source = open_frames(camera, mirrored=mirrored_source) if isinstance(camera, int | str) else camera
        with contextlib.closing(source), interrupts_noted() as interrupted:
            takes = Takes(source, collector, interrupted, group.strip())
            try:
                yield takes
            except SourceError as problem:
                raise SourceError(f"{str(problem).rstrip('.')}; {_kept(collector)}.") from problem
            finally:
                takes.drop()


def _kept(collector: ClipCollector) -> str:
    count = sum(collector.result().added.values())
    if not count:
        return "no clip was finished"
    return f"the {f'{count} clips' if count > 1 else 'clip'} finished until then {'are' if count > 1 else 'is'} in {collector.writer.root}"
