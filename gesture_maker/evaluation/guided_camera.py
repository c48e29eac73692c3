"""Guided validation before a camera: one is told which gesture to make, and the bundle watches, in LIVE_STREAM mode.

A thread takes the newest frame whenever MediaPipe has time for one and decides by the frame's time which part it belongs to;
the answer comes later and counts for that part. The calling thread shows and hears keys and Ctrl-C.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import GestureMakerError, SourceError
from gesture_maker.evaluation.bundle import find_bundle
from gesture_maker.evaluation.guided import finished
from gesture_maker.evaluation.guided_results import FrameAnswer, GuidedEvaluation, Said, Try, answer_to
from gesture_maker.evaluation.guided_screen import draw_moment
from gesture_maker.evaluation.guided_script import COUNTDOWN_SECONDS, IDLE_SECONDS, WATCH_SECONDS, Moment, Script
from gesture_maker.evaluation.model import results_folder
from gesture_maker.images import Pixels
from gesture_maker.recognition.answers import Recognition
from gesture_maker.recognition.frames import Frame, FrameSource, open_frames
from gesture_maker.recognition.overlay import draw_overlay
from gesture_maker.recognition.runtime import RuntimeOptions
from gesture_maker.recognition.smoothing import Smoothing
from gesture_maker.recognition.stages import Pipe, Stages, interrupts_noted
from gesture_maker.recognition.tracking import LiveRecognizer

UNDER_WAY = 2  # frames that are not shown yet: one that MediaPipe works on, one that it may begin with at once
PATIENCE = 5.0  # seconds for an answer, after which MediaPipe gets the next frame all the same; it takes 0.03
LOOK_SECONDS = 0.02  # how often keys and Ctrl-C are looked at while no frame comes
STOP_KEYS = ("q", "escape")

OnMoment = Callable[[Moment], None]


class Screen(Protocol):
    """What is used of `window.Window`."""

    closed: bool

    def show(self, pixels: Pixels, /) -> None: ...
    def key(self, milliseconds: int = 1, /) -> str | None: ...


@dataclass(frozen=True, eq=False)
class _Seen:
    """A frame with its answer, and the moment that it belongs to."""

    frame: Frame
    moment: Moment
    recognition: Recognition
    said: Said


def evaluate_camera(
    bundle: str | Path,
    source: int | str | FrameSource = 0,
    *,
    options: RuntimeOptions | None = None,
    watch: float = WATCH_SECONDS,
    idle: float = IDLE_SECONDS,
    countdown: float = COUNTDOWN_SECONDS,
    mirror: bool | None = None,
    mirrored_source: bool = False,
    window: Screen | None = None,
    out: Path | None = None,
    on_moment: OnMoment | None = None,
    on_try: Callable[[Try], None] | None = None,
) -> GuidedEvaluation:
    """Ask for every gesture of a bundle in turn, watch for `watch` seconds each, then `idle` seconds without one; report.

    `bundle`: a `.task` file, or a run (its folder or its name) whose bundle was exported. `source`: a camera's number, a
    stream's address, or frames of your own. `options`: by default one hand, canned gestures answer. `countdown`: seconds
    before each part. `mirror`: show as in a mirror; by default a camera in a window. `mirrored_source`: the source gives a
    mirror's view, which is turned back. `window`: where it is shown; there q, Escape or closing it ends it, n leaves a
    gesture out, r repeats it. `out`: the folder for the results; by default `evaluation/live-<time>` in the run, or beside
    the `.task`. `on_moment` gets what goes on at each frame, `on_try` each part that was watched to its end.

    After Ctrl-C, an error of the camera or a key the result holds what was watched until then, and says so. Raises a
    GestureMakerError when nothing could be watched, KeyboardInterrupt when nothing was until then.
    """
    asked_of = find_bundle(bundle)
    options = options or RuntimeOptions()
    script = Script(asked_of.labels, watch, idle, countdown)
    session = _Session(script)
    recognizer = LiveRecognizer(asked_of.file, session.answered, options)
    try:
        frames = open_frames(source, mirrored=mirrored_source) if isinstance(source, int | str) else source
    except BaseException:
        recognizer.close()
        raise
    if mirror is None:
        mirror = isinstance(source, int) and window is not None
    session.run(frames, recognizer, _Shown(window, mirror), on_moment, on_try)
    tries = session.tries()
    stopped = session.stopped
    if not any(one.frames for one in tries):
        raise stopped or SourceError("It was ended before a gesture was watched: there is nothing to report.")
    return finished(
        asked_of,
        tries,
        source=frames.name,
        live=True,
        options=options,
        folder=out or results_folder(asked_of, time.strftime("live-%Y%m%d-%H%M%S"), "videos"),
        dropped=recognizer.dropped,
        partial=session.partial(),
        stopped=stopped,
    )


class _Shown:
    """The window, if there is one."""

    def __init__(self, window: Screen | None, mirror: bool) -> None:
        self._window, self._mirror = window, mirror
        self._smoothing = Smoothing.off()

    def show(self, seen: _Seen) -> None:
        if self._window is None:
            return
        shown = self._smoothing.show(seen.recognition)
        picture = draw_overlay(seen.frame.pixels, shown, "", mirror=self._mirror)
        self._window.show(draw_moment(picture, seen.moment, seen.said == Said(seen.moment.asked)))

    def key(self) -> str | None:
        """Return the key that was pressed; q when the window was closed."""
        if self._window is None:
            return None
        return "q" if self._window.closed else self._window.key()


class _Session:
    """What happens before the camera, from its first frame to the end."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._seen: Pipe[_Seen] = Pipe(1)
        self._keys: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._moments: dict[int, Moment] = {}
        self._answers: dict[int, list[FrameAnswer]] = {}
        self._last: Moment | None = None
        self._changed = threading.Condition()
        self._sent = self._done = 0  # frames given to MediaPipe, and those of them that were shown
        self._over = self._stop = self._by_hand = False
        self.stopped: BaseException | None = None

    def run(
        self,
        frames: FrameSource,
        recognizer: LiveRecognizer,
        shown: _Shown,
        on_moment: OnMoment | None,
        on_try: Callable[[Try], None] | None,
    ) -> None:
        """Watch until all is over, or something ends it: then `stopped` says what."""
        stages = Stages()
        with interrupts_noted() as interrupted:
            stages.start("watching", lambda: self._watch(frames, recognizer), None, self._seen)
            try:
                before: Moment | None = None
                while not self._seen.over:
                    one = self._seen.get(LOOK_SECONDS)
                    if interrupted.is_set():
                        self.stopped = KeyboardInterrupt("Interrupted: nothing was watched yet.")
                        break
                    if one is not None:
                        self._tell(one.moment, before, on_moment, on_try)
                        before = one.moment
                        shown.show(one)
                        self._tell_thread(done=1)
                    if (key := shown.key()) in STOP_KEYS:
                        self._by_hand = True
                        break
                    if key in ("n", "r"):
                        self._keys.put(key)
                else:
                    if before is not None and self._over:
                        self._tell(None, before, on_moment, on_try)
            finally:
                self._stop = True
                self._tell_thread()
                frames.close()  # the thread may be waiting for a frame
                self._seen.refuse()
                stages.wait()
        if stages.problem is not None and not isinstance(stages.problem, GestureMakerError):
            raise stages.problem
        self.stopped = self.stopped or stages.problem

    def answered(self, frame: Frame, recognition: Recognition) -> None:
        """Take the answer to a frame; called from MediaPipe's thread."""
        moment = self._moments.pop(frame.number)
        said = answer_to(recognition, moment.asked, frame, moment.begin)
        if moment.attempt is not None:
            self._answers.setdefault(moment.attempt, []).append(said)
        self._seen.put(_Seen(frame, moment, recognition, said.said))

    def tries(self) -> list[Try]:
        """Return what was watched, and counts."""
        parts = sorted(self._script.attempts.items())
        return [self._try_of(part, attempt, self._is_whole(attempt)) for part, attempt in parts]

    def partial(self) -> str:
        """Return which parts were not watched, or not to their end, and why; empty when all were."""
        names = [part if part != NONE else "hands without a gesture" for part in self._script.parts]
        whole = {part for part, attempt in self._script.attempts.items() if self._is_whole(attempt)}
        begun = [names[part] for part in self._script.attempts if part not in whole]
        missing = [name for part, name in enumerate(names) if part not in self._script.attempts]
        sentences = []
        if isinstance(self.stopped, KeyboardInterrupt):
            sentences.append("It was interrupted.")
        elif self.stopped is not None:
            sentences.append(str(self.stopped))
        elif self._by_hand:
            sentences.append("It was ended by hand.")
        elif not self._over:
            sentences.append("No more frames came.")
        if begun:
            sentences.append(f"Not watched to its end: {', '.join(begun)}.")
        if missing:
            sentences.append(f"Not watched: {', '.join(missing)}.")
        return " ".join(sentences)

    def _watch(self, frames: FrameSource, recognizer: LiveRecognizer) -> None:
        with recognizer:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._may_send(recognizer.dropped), PATIENCE)
                if self._stop:
                    return
                frame = frames.read()
                if frame is None:
                    return
                for key in self._pressed():
                    (self._script.skip if key == "n" else self._script.repeat)(frame.seconds)
                self._last = self._script.at(frame.seconds)
                if self._last.phase == "over":
                    self._over = True
                    return
                self._moments[frame.number] = self._last
                self._sent += 1
                recognizer.send(frame)

    def _may_send(self, dropped: int) -> bool:
        return self._stop or self._sent - self._done - dropped < UNDER_WAY

    def _tell_thread(self, done: int = 0) -> None:
        with self._changed:
            self._done += done
            self._changed.notify_all()

    def _pressed(self) -> Iterator[str]:
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._keys.get_nowait()

    def _tell(
        self,
        now: Moment | None,
        before: Moment | None,
        on_moment: OnMoment | None,
        on_try: Callable[[Try], None] | None,
    ) -> None:
        attempt = before.attempt if before else None
        if on_try and attempt is not None and (now is None or now.attempt != attempt):
            for part, counts in list(self._script.attempts.items()):  # the thread may be adding to them
                if counts == attempt:
                    on_try(self._try_of(part, attempt, True))
        if on_moment and now is not None:
            on_moment(now)

    def _is_whole(self, attempt: int) -> bool:
        return self._over or self._last is None or self._last.attempt != attempt

    def _try_of(self, part: int, attempt: int, whole: bool) -> Try:
        answers = tuple(self._answers.get(attempt, ()))
        length = self._script.length_of(part)
        seconds = length if whole else min(length, answers[-1].seconds if answers else 0.0)
        return Try(self._script.parts[part], "", seconds, answers, whole)
