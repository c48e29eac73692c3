"""Clips from a camera by the space bar: a tap begins a clip and another ends it, or it lasts as long as the bar is held.

The window shows a mirror's view, in which everybody finds their hand; the clip is what the camera saw. A window hears keys go down
but not come up (`recognition/window.py`), so that a clip of a held bar ends when the bar was heard last, and what came after that is
kept back until it is heard again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gesture_maker.dataset.collecting import CollectResult
from gesture_maker.dataset.names import normalize_label
from gesture_maker.motion.clips import motion_order
from gesture_maker.motion.collect_camera import PAUSE, SECONDS, Takes, open_takes, record_clips
from gesture_maker.progress import Progress
from gesture_maker.recognition.capture_window import STOP_KEYS, Scene, draw_capture
from gesture_maker.recognition.frames import Frame, FrameSource
from gesture_maker.recognition.window import HeldKey, Window

TITLE = "gesture-maker motion collect"


def record_in_window(
    camera: FrameSource | int | str,
    label: str,
    dataset: str | Path,
    *,
    group: str = "",
    mirrored_source: bool = False,
    mirror: bool = True,
    progress: Progress | None = None,
    window: Callable[[str], Window] = Window,
) -> CollectResult:
    """Show the camera and record a clip for each tap, or hold, of the space bar; return what was added to the dataset.

    u moves the last clip out of the dataset, into the hidden folder `UNDONE`; n and p go to the next and previous class. q, Escape,
    Ctrl-C and closing the window end it, and drop a clip that is not finished. `group`: who makes the gestures. `mirrored_source`:
    the camera gives a mirror's view, which is turned back. `mirror`: show a mirror's view. `progress` (done, total) while the
    dataset is looked at.

    Raises ConfigError where there is no screen, LabelError, DatasetError and SourceError as `record_clips` does.
    """
    wanted = normalize_label(label)
    with (
        window(TITLE) as screen,
        open_takes(camera, wanted, dataset, group, mirrored_source, progress) as takes,
    ):
        _Session(takes, screen, wanted, mirror).run()
        return takes.collector.result()


def record_clips_in_window(
    camera: FrameSource | int | str,
    label: str,
    dataset: str | Path,
    clips: int,
    *,
    seconds: float = SECONDS,
    pause: float = PAUSE,
    group: str = "",
    mirrored_source: bool = False,
    mirror: bool = True,
    progress: Progress | None = None,
    window: Callable[[str], Window] = Window,
) -> CollectResult:
    """Record clips by the clock, as `record_clips` does, and show the camera and the seconds left.

    q, Escape and closing the window end it, as Ctrl-C does, and drop the clip that is not finished. Raises ConfigError where there is
    no screen, and what `record_clips` raises.
    """
    wanted = normalize_label(label)
    with window(TITLE) as screen:

        def watch(frame: Frame, takes: Takes, message: str) -> bool:
            total = takes.collector.writer.totals[wanted]
            scene = Scene(wanted, (0, 0, 0), total, "q: end", message, takes.clip is not None, "clip")
            screen.show(draw_capture(frame.pixels, None, scene, mirror))
            return screen.key() not in STOP_KEYS and not screen.closed

        return record_clips(
            camera,
            wanted,
            dataset,
            clips,
            seconds=seconds,
            pause=pause,
            group=group,
            mirrored_source=mirrored_source,
            watch=watch,
            progress=progress,
        )


class SpaceBar:
    """What the space bar says of the clip: `recording`, and whether it is `held` or goes on until the next tap."""

    def __init__(self) -> None:
        self.key = HeldKey()
        self.recording = self.held = self.certain = False
        self._ending = False  # the press that ended a clip, and its repeats, begin none

    def look(self, hears: bool, now: float) -> None:
        """Learn at the time `now` (seconds, never going back) whether the bar is heard."""
        before = self.key.presses
        state = self.key.look(hears, now)
        pressed = self.key.presses > before
        if not self.recording:
            self._ending = self._ending and state != "released"
            if pressed and not self._ending:
                self.recording, self.held, self.certain = True, False, False
        elif not self.certain:
            self.certain = state != "pressed"
            self.held = state == "held"
        elif self.held:
            self.recording = state != "released"
        elif pressed:
            self.recording, self._ending = False, True


class _Session:
    """The space bar, the camera and the window."""

    def __init__(self, takes: Takes, window: Window, label: str, mirror: bool) -> None:
        self.takes, self.window, self.mirror = takes, window, mirror
        totals = takes.collector.writer.totals
        self.labels = sorted({label, *(known for known in totals if totals[known])}, key=motion_order)
        self.label = label
        self.bar = SpaceBar()
        self.files: list[str] = []
        self.waiting: list[Frame] = []  # frames of which nobody knows yet whether the bar was still down
        self.message = ""

    def run(self) -> None:
        """Go on until a key, Ctrl-C, the window or the camera ends it."""
        while not self.window.closed and (frame := self.takes.read()) is not None:
            scene = self._scene()
            self.window.show(draw_capture(frame.pixels, None, scene, self.mirror))
            key = self.window.key()
            if key in STOP_KEYS:
                break
            self.bar.look(key == "space", frame.seconds)
            self._record(frame)
            if key is not None and key != "space" and self.takes.clip is None:
                self._command(key)
            self.takes.collector.writer.save_when_due()

    def _record(self, frame: Frame) -> None:
        if self.bar.recording:
            if self.takes.clip is None:
                self.takes.begin(self.label)
                self.message = ""
            self.waiting.append(frame)
        tapped = self.bar.certain and not self.bar.held
        sure = [one for one in self.waiting if tapped or one.seconds <= self.bar.key.heard]
        self.waiting = self.waiting[len(sure) :]
        if self.takes.clip is not None:
            for one in sure:
                self.takes.add(one)
            if not self.bar.recording:
                self._end()

    def _end(self) -> None:
        self.waiting = []
        file = self.takes.end()
        if file:
            self.files.append(file)
        self.message = "" if file else "Not a clip: too short, or the same as another"

    def _command(self, key: str) -> None:
        if key == "u" and self.files:
            self.takes.collector.take_back(self.files.pop())
        elif key in ("n", "p"):
            step = 1 if key == "n" else -1
            self.label = self.labels[(self.labels.index(self.label) + step) % len(self.labels)]

    def _scene(self) -> Scene:
        recording = self.takes.clip is not None
        keys = ["tap SPACE: end the clip" if recording else "tap or hold SPACE: record a clip", "q: end"]
        keys += ["u: undo the last clip"] if self.files else []
        keys += ["n, p: next, previous class"] if len(self.labels) > 1 else []
        total = self.takes.collector.writer.totals[self.label]
        return Scene(self.label, (0, 0, 0), total, "     ".join(keys), self.message, recording, "clip")
