"""A bundle on a film, camera or stream: what the runtime answers to every frame, drawn, recorded, logged and shown.

A film's frames are all answered, in VIDEO mode; of a camera's the newest, in LIVE_STREAM mode. A classifier of whole pictures takes
the runtime's place (`answering.py`). Three threads work one behind the other (`stages.py`): one reads frames, one has them recognized,
one draws, records and logs. The calling thread shows them, and hears keys and Ctrl-C.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gesture_maker.bundle.finding import find_bundle
from gesture_maker.bundle.task import read_task
from gesture_maker.errors import ConfigError, GestureMakerError
from gesture_maker.mediapipe_runtime import load_mediapipe
from gesture_maker.progress import Progress
from gesture_maker.recognition.answering import (
    CameraAnswers,
    FilmAnswers,
    HandClassifier,
    HandsOfFilm,
    PictureAnswers,
    PictureClassifier,
)
from gesture_maker.recognition.answers import Recognition
from gesture_maker.recognition.frame_log import LOG_SUFFIXES, FrameLog
from gesture_maker.recognition.frames import Frame, FrameSource, open_frames
from gesture_maker.recognition.overlay import draw_overlay, load_fonts
from gesture_maker.recognition.pace import Pace
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.recognition.remote import TIMEOUT, RemoteClassifier, landmarks_bundle
from gesture_maker.recognition.runtime import RuntimeOptions
from gesture_maker.recognition.seen import LiveSummary, Tally
from gesture_maker.recognition.showing import LOOK_SECONDS, LiveFrame, Screen, Viewer
from gesture_maker.recognition.smoothing import Smoothing
from gesture_maker.recognition.stages import Pipe, Stages, helpers_on_one_core, interrupts_noted
from gesture_maker.recognition.tracking import LiveRecognizer

FILM_ROOM = 2  # frames between two stages, to even out what some take longer; many would leave the processor's cache
UNDER_WAY = 2  # frames of a camera between reading and showing: one is being recognized, one drawn and recorded
CAMERA_ROOM = 1  # frames of a camera that wait to be shown
PATIENCE = 5.0  # seconds for an answer, after which MediaPipe gets the next frame all the same; it takes 0.03


def live(
    bundle: str | Path | None,
    source: str | Path | int | FrameSource = 0,
    *,
    server: str | None = None,
    server_timeout: float = TIMEOUT,
    classifier: HandClassifier | None = None,
    pictures: PictureClassifier | None = None,
    options: RuntimeOptions | None = None,
    mirror: bool | None = None,
    mirrored_source: bool = False,
    smoothing: Smoothing | None = None,
    max_fps: float | None = None,
    record: Path | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    window: Screen | None = None,
    seconds: float | None = None,
    frames: int | None = None,
    progress: Progress | None = None,
    on_frame: Callable[[LiveFrame], None] | None = None,
    on_begin: Callable[[FrameSource], None] | None = None,
    on_end: Callable[[LiveSummary], None] | None = None,
) -> LiveSummary:
    """Recognize the gestures in a film, of a camera or of a stream, frame by frame, and return what was seen.

    `bundle`: a `.task` file, or a run (its folder or name) whose bundle was exported. `source`: a video file, a camera's
    number, an address such as rtsp://…, or frames of your own. `server`: the address of a scoring server, in place of a bundle
    (None): hands are found here, and it is asked what gestures they make, for which it has `server_timeout` seconds; see
    `recognition/remote.py` for what happens when it is gone. `classifier`: the same, of your own. `pictures`: what answers about
    whole pictures, in place of a bundle too: no bundle is loaded then, and no hand looked for here; it is closed in the end.
    `options`: by default two hands, canned gestures answer. `mirror`: show and record as in a mirror; by default only a camera in a window. `mirrored_source`: the source gives a
    mirror's view, which is turned back first. `smoothing`: against flicker, see `Smoothing`. `max_fps`: pass over frames
    that come earlier. `record`: an MP4 file for the frames with what was drawn on them; `out`: a .csv or .jsonl file for the
    answers, by default beside the recording. `overwrite`: in place of existing files. `window`: where to show the frames, a
    film at its own pace; q and Escape end it, as does closing it. `seconds`, `frames`: end after so much of the source's
    time, or so many answers. `on_begin` gets the source when all is ready, `progress` (frame, frames in all) of a film,
    `on_frame` every frame, `on_end` the summary, also when an error or Ctrl-C follows. They are called from the calling
    thread, as is the window.

    Raises a GestureMakerError for what is missing, damaged or breaks off, KeyboardInterrupt at Ctrl-C. What was recorded
    and logged until then is kept, and the message names it.
    """
    with contextlib.ExitStack() as opened:
        if pictures is not None:
            opened.callback(pictures.close)
        for name, limit in (("max_fps", max_fps), ("seconds", seconds), ("frames", frames)):
            if limit is not None and not limit > 0:
                raise ConfigError(f"{name} is {limit:g}, but has to be more than 0.")
        if record is not None and out is None:
            out = record.with_suffix(".csv")
        _check_files(record, out, source, overwrite)
        if [bundle, server, classifier, pictures].count(None) != 3:
            raise ConfigError("Give a bundle, or a server, classifier or pictures to be asked in its place.")
        asked = _bundle_of(bundle) if pictures is None else pictures
        if mirror is None:
            mirror = isinstance(source, int) and window is not None
        try:
            if server is not None:
                classifier = opened.enter_context(RemoteClassifier(server, server_timeout))
            if pictures is None:
                load_mediapipe()  # it takes a second, in which frames of a camera would grow old
            with helpers_on_one_core():
                taken = (
                    open_frames(source, mirrored=mirrored_source) if isinstance(source, str | Path | int) else source
                )
            opened.callback(taken.close)
            pace = Pace(max_fps, seconds, frames)
            session = _Session(taken, smoothing or Smoothing.off(), pace, mirror, window, classifier)
            session.begin(asked, options or RuntimeOptions(num_hands=2), record, out, overwrite)
            if on_begin:
                on_begin(taken)
        except KeyboardInterrupt as early:
            raise KeyboardInterrupt("Stopped before the first frame: nothing was recorded.") from early
        session.run(progress, on_frame)
    summary = session.summary()
    if on_end and summary.answered:
        on_end(summary)
    problem = session.stages.problem
    if isinstance(problem, GestureMakerError):
        kept = _kept(summary, "What came before is in ")
        raise type(problem)(f"{problem}{' ' + kept if kept else ''}") from problem
    if problem is not None:
        raise problem
    if session.interrupted:
        count = "1 frame" if summary.answered == 1 else f"{summary.answered} frames"
        raise KeyboardInterrupt(f"Stopped after {count}. {_kept(summary, 'They are in ') or 'Nothing was recorded.'}")
    return summary


class _Session:
    """One film or camera, from its first frame to its last."""

    def __init__(
        self,
        source: FrameSource,
        smoothing: Smoothing,
        pace: Pace,
        mirror: bool,
        window: Screen | None,
        classifier: HandClassifier | None,
    ) -> None:
        self.film: FilmAnswers  # one of these
        self.camera: CameraAnswers
        self.source, self.smoothing, self.pace, self.mirror = source, smoothing, pace, mirror
        self.classifier = classifier
        self.viewer = None if window is None else Viewer(window, at_its_pace=not source.live)
        self.frames: Pipe[tuple[Frame, Any]] = Pipe(FILM_ROOM)
        self.answers: Pipe[tuple[Frame, Callable[[], Recognition]]] = Pipe(FILM_ROOM)
        self.finished: Pipe[LiveFrame] = Pipe(CAMERA_ROOM if source.live else FILM_ROOM)
        self.under_way = threading.Condition()
        self.sent = self.done = 0
        self.stages = Stages()
        self.tally = Tally()
        self.interrupted = self.stopped = False
        self.skipped = self.dropped = 0
        self.began = self.ended = 0.0
        self.files: list[Path] = []
        self.recorder: Recorder | None = None
        self.log: FrameLog | None = None

    def begin(
        self,
        asked: Path | bytes | PictureClassifier,
        options: RuntimeOptions,
        record: Path | None,
        out: Path | None,
        overwrite: bool,
    ) -> None:
        """Load the bundle, where no classifier of whole pictures is asked, and make the recording's file."""
        self.out, self.overwrite = out, overwrite
        with contextlib.ExitStack() as unless_all_is_well:
            recognizer: CameraAnswers | FilmAnswers
            if not isinstance(asked, Path | bytes):
                recognizer = self.camera = self.film = PictureAnswers(asked, self._answered)
            elif self.source.live:
                recognizer = self.camera = LiveRecognizer(asked, self._answered, options)
            else:
                recognizer = self.film = HandsOfFilm(asked, options)
            unless_all_is_well.callback(recognizer.close)
            if record is not None or self.viewer is not None:
                load_fonts(recognizer.labels if self.classifier is None else self.classifier.labels)
            if record is not None:
                import av  # noqa: F401  # the recorder would import it when the first frame waits already

                with helpers_on_one_core():
                    self.recorder = Recorder(record, overwrite=overwrite)
            unless_all_is_well.pop_all()

    def run(self, progress: Progress | None, on_frame: Callable[[LiveFrame], None] | None) -> None:
        """Start the threads, show what they have done, and return when all of it is kept."""
        with interrupts_noted() as interrupted, contextlib.ExitStack() as on_one_core:
            self.began = time.perf_counter()
            only_sends = self.source.live and isinstance(self.camera, LiveRecognizer)  # MediaPipe's own threads answer
            if not only_sends:
                self._start_recognizing()
            on_one_core.enter_context(helpers_on_one_core())
            if only_sends:
                self._start_recognizing()
            if not self.source.live:
                self.stages.start("reading", self._read, None, self.frames)
            self.stages.start("recording", self._finish, self.answers, self.finished)
            try:
                while not self.finished.over and not interrupted.is_set():
                    one = self.finished.get(LOOK_SECONDS)
                    if one is not None and on_frame:
                        on_frame(one)
                    if one is not None and progress and self.source.count:
                        progress(min(one.frame.number + 1, self.source.count), self.source.count)
                    if self.viewer is not None and self.viewer.ends(one):
                        break
                self.interrupted = interrupted.is_set()
            finally:
                self._stop()
                self.ended = time.perf_counter()

    def summary(self) -> LiveSummary:
        """Return what was seen."""
        return LiveSummary(
            answered=self.tally.answered,
            skipped=self.skipped,
            lost=getattr(self.source, "lost", 0),
            dropped=self.dropped,
            seconds=self.ended - self.began,
            latency_p50=self.tally.latency(50),
            latency_p95=self.tally.latency(95),
            seen=self.tally.seen(),
            files=tuple(self.files),
            size=self.tally.size,
            unanswered=self.classifier.unanswered if self.classifier else 0,
            outages=self.classifier.outages if self.classifier else 0,
        )

    def _start_recognizing(self) -> None:
        if self.source.live:
            self.stages.start("recognizing", self._send, None, self.answers)
        else:
            self.stages.start("recognizing", self._recognize, self.frames, self.answers)

    def _stop(self) -> None:
        """Read no more frames, let those that were read be answered and kept, and wait for that."""
        with self.under_way:
            self.stopped = True
            self.under_way.notify_all()
        if self.source.live:
            self.source.close()  # it may be waiting for a frame
        while not self.finished.over:
            self.finished.get()
        self.stages.wait()

    # The stages, each in a thread of its own

    def _read(self) -> None:
        while not self.stopped and not self.pace.full:
            frame = self.source.read()
            if frame is None or self.pace.enough(frame):
                return
            if not self.pace.takes(frame):
                self.skipped += 1
            elif not self.frames.put((frame, self.film.prepared(frame))):
                return

    def _recognize(self) -> None:
        with self.film as recognizer:
            while (taken := self.frames.get()) is not None:
                if not self.answers.put((taken[0], recognizer.asked(*taken))):
                    return

    def _send(self) -> None:
        """Hand the newest frame to MediaPipe, or ask about it, whenever there and in the recording is time for it."""
        try:
            with self.camera as recognizer:
                while not self.pace.full:
                    with self.under_way:
                        self.under_way.wait_for(lambda: self._may_send(recognizer.dropped), PATIENCE)
                    if self.stopped or self.answers.refused:
                        return
                    frame = self.source.read()
                    if frame is None or self.pace.enough(frame):
                        return
                    if self.pace.due is None:
                        self.began = time.perf_counter()  # cameras take seconds to their first frame
                    if self.pace.takes(frame):
                        self.sent += 1
                        recognizer.send(frame)
                    else:
                        self.skipped += 1
        finally:
            self.dropped = self.camera.dropped

    def _may_send(self, dropped: int) -> bool:
        return self.stopped or self.answers.refused or self.sent - self.done - dropped < UNDER_WAY

    def _answered(self, frame: Frame, recognition: Recognition) -> None:
        self.answers.put((frame, lambda: recognition))

    def _finish(self) -> None:
        """Draw, record and log what was answered; at the end, for whatever reason, put the files in place."""
        try:
            while (answer := self.answers.get()) is not None:
                frame, recognition = answer
                if not self.finished.put(self._finished(frame, recognition())):
                    return
                with self.under_way:
                    self.done += 1
                    self.under_way.notify_all()
        except BaseException as error:
            self.stages.failed(error)
        finally:
            for file in (self.recorder, self.log):
                if file is not None:
                    self._keep(file)

    def _keep(self, file: Recorder | FrameLog) -> None:
        for _ in range(2):  # a recorder tells of a full disk first, then where what came before it is
            try:
                kept = file.close()
            except (GestureMakerError, OSError) as error:
                self.stages.failed(error)
            else:
                self.files += [kept] if kept is not None else []
                return

    def _finished(self, frame: Frame, recognition: Recognition) -> LiveFrame:
        notice = ""
        if self.classifier is not None:
            recognition = self.classifier.answered(recognition, frame)
            notice = self.classifier.notice
        shown = self.smoothing.show(recognition)
        latency, picture = self._latency(frame, recognition), None
        if self.recorder is not None or self.viewer is not None:
            status = [f"{self.tally.fps:.0f} frames/s, {1000 * latency:.0f} ms", notice]
            picture = draw_overlay(frame.pixels, shown, status, mirror=self.mirror)
            latency = self._latency(frame, recognition)
        height, width = frame.pixels.shape[:2]
        self.tally.add(frame.seconds, shown, latency, (width, height))
        if self.recorder is not None and picture is not None:
            self.recorder.add(picture, frame.seconds)
        if self.out is not None:
            if self.log is None:  # not before: without an answer there is nothing to be kept
                self.log = FrameLog(self.out, overwrite=self.overwrite)
            self.log.add(frame, recognition, shown, latency)
        return LiveFrame(frame, recognition, shown, self.tally.fps, latency, picture, notice)

    def _latency(self, frame: Frame, recognition: Recognition) -> float:
        return recognition.seconds if frame.came is None else time.perf_counter() - frame.came


def _bundle_of(bundle: str | Path | None) -> Path | bytes:
    """Return the bundle to load; without one, that which only finds hands. Raises GestureMakerError for what is none."""
    task = landmarks_bundle() if bundle is None else find_bundle(bundle)[0]
    read_task(task)  # raises: a camera is not opened for a film that was given in the bundle's place
    return task


def _check_files(record: Path | None, out: Path | None, source: object, overwrite: bool) -> None:
    """Raise ConfigError for names that cannot be, before a camera is opened for nothing."""
    if record is not None and record.suffix.lower() != ".mp4":
        raise ConfigError(f"{record} is no name for a recording: give one that ends with .mp4.")
    if out is not None and out.suffix.lower() not in LOG_SUFFIXES:
        raise ConfigError(f"{out} is no name for a table of frames: give one that ends with .csv or .jsonl.")
    for path in (record, out):
        if path is None or not os.path.lexists(path):
            continue
        with contextlib.suppress(OSError):
            if isinstance(source, str | Path) and path.samefile(source):
                raise ConfigError(f"{path} is the film itself: give another name.")
        if not overwrite:
            raise ConfigError(f"{path} exists already: give another name, or --overwrite it.")


def _kept(summary: LiveSummary, begin: str) -> str:
    """Return a sentence that names the files; empty when there are none."""
    return f"{begin}{' and '.join(map(str, summary.files))}." if summary.files else ""
