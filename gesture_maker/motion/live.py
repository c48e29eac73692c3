"""Gestures that move, live: in a film, of a camera or of a stream, with an event for each.

Frames, hands, drawing and recording are those of `recognition/live.py`; here is only what says which gesture a hand makes: the last
seconds of each hand, read off as a window at every frame, through the network's TFLite. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError
from gesture_maker.landmarks.hands import Floats, Hand
from gesture_maker.motion.events import Debounce, Event, EventFinder
from gesture_maker.motion.features import Features
from gesture_maker.motion.run import MotionRun
from gesture_maker.motion.track import MAX_GAP, HandTrack
from gesture_maker.recognition.answers import Recognition, RecognizedHand
from gesture_maker.recognition.frames import Frame, FrameSource
from gesture_maker.recognition.growing import GrowingFile
from gesture_maker.recognition.interpreter import TfliteModel
from gesture_maker.recognition.live import live
from gesture_maker.recognition.runtime import RuntimeOptions
from gesture_maker.recognition.seen import LiveSummary
from gesture_maker.recognition.tracks import Tracker

SHOWN_SECONDS = 1.0
"""How long an event is shown on the picture."""

LEAST_OF_WINDOW = 0.3
"""Seconds that a hand has to be seen before anything is said of it: half a swipe. What a window lacks is held, as in training."""

STDOUT = "-"


@dataclass(frozen=True, eq=False)
class MotionSummary:
    """How it went: `live`, see `LiveSummary`, and the events in their order."""

    live: LiveSummary
    events: tuple[Event, ...]


@dataclass
class _Past:
    """One hand's last frames, and what was said of it."""

    frames: deque[tuple[float, Hand | None]]
    finder: EventFinder


class MotionClassifier:
    """Says which gesture each hand of a frame makes, from what it did in the last seconds.

    `model`: TFLite of float32 [1, length, size]; `labels`: of its outputs; `background`: the class that is no event. `on_event` is called
    with each event as it is told. It is asked about the frames of one film or camera, in their order.
    """

    unanswered = outages = 0

    def __init__(
        self,
        model: bytes,
        labels: tuple[str, ...],
        background: str | None,
        features: Features,
        *,
        debounce: Debounce | None = None,
        max_gap: float = MAX_GAP,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.labels = labels
        self.events: list[Event] = []
        self._model = TfliteModel(model)
        if self._model.input_shape[1:] != (features.length, features.size):
            raise ConfigError(
                f"The model takes {self._model.input_shape[1:]}, not {features.length} frames of {features.size} numbers: train again."
            )
        self._background, self._features = background, features
        self._debounce, self._max_gap, self._on_event = debounce or Debounce(), max_gap, on_event
        self._tracker = Tracker()
        self._hands: dict[int, _Past] = {}
        self._now = 0.0
        self._seen = False  # a hand, in the newest frame

    @property
    def notice(self) -> str:
        """The newest event, for a second; else whether there is no hand."""
        newest = self.events[-1] if self.events else None
        if newest and self._now - newest.seconds < SHOWN_SECONDS:
            return newest.gesture
        return "" if self._seen else "no hand"

    def answered(self, recognition: Recognition, frame: Frame) -> Recognition:
        """Return the frame's hands with the gesture that each is making."""
        begin = time.perf_counter()
        self._now, self._seen = frame.seconds, bool(recognition.hands)
        numbers = self._tracker.follow([one.hand for one in recognition.hands])
        self._forget(numbers, frame)
        told = tuple(self._hand(number, one, frame) for number, one in zip(numbers, recognition.hands, strict=True))
        return Recognition(told, recognition.seconds + time.perf_counter() - begin)

    def scores(self, hand: int) -> Floats | None:
        """Return the scores of the window that ends now, float32 [classes], of a hand by its number; None when it is too short."""
        seen = HandTrack.of(self._hands[hand].frames)
        if not seen.found.any() or self._now - float(seen.seconds[np.argmax(seen.found)]) < LEAST_OF_WINDOW:
            return None
        return np.asarray(self._model.scores(self._features.window(seen, self._now)[None])[0], np.float32)

    def _hand(self, number: int, one: RecognizedHand, frame: Frame) -> RecognizedHand:
        past = self._hands.setdefault(
            number, _Past(deque(), EventFinder(self.labels, self._background, self._debounce))
        )
        past.frames.append((frame.seconds, one.hand))
        self._drop_old(past)
        scores = self.scores(number)
        event = past.finder.add(frame.number, frame.seconds, scores, number)
        if event is not None:
            self.events.append(event)
            if self._on_event:
                self._on_event(event)
        if scores is None:
            return replace(one, gesture=self._background or NONE, score=0.0, canned=False)
        best = int(np.argmax(scores))
        return replace(one, gesture=self.labels[best], score=float(scores[best]), canned=False)

    def _drop_old(self, past: _Past) -> None:
        """Forget what no window reaches any more, and all before a gap that is not filled in."""
        frames = past.frames
        if len(frames) > 1 and frames[-1][0] - frames[-2][0] > self._max_gap:
            newest = frames[-1]
            frames.clear()
            frames.append(newest)
        while len(frames) > 2 and frames[1][0] <= self._now - self._features.seconds:
            frames.popleft()

    def _forget(self, numbers: tuple[int, ...], frame: Frame) -> None:
        """Forget hands that are gone, and tell those that are only unseen just now that they are."""
        self._hands = {number: past for number, past in self._hands.items() if number in self._tracker.numbers}
        for number, past in self._hands.items():
            if number not in numbers:
                past.finder.add(frame.number, frame.seconds, None, number)


def live_motions(
    run: str | Path,
    source: str | Path | int | FrameSource = 0,
    *,
    debounce: Debounce | None = None,
    events: Path | str | None = None,
    options: RuntimeOptions | None = None,
    overwrite: bool = False,
    on_event: Callable[[Event], None] | None = None,
    on_end: Callable[[MotionSummary], None] | None = None,
    **settings: Any,
) -> MotionSummary:
    """Recognize the gestures that the hands in a film, of a camera or of a stream make, and return what was seen.

    `run`: a training on motions, by name or folder. `debounce`: when a gesture is told. `events`: a .jsonl file for them, one object a
    line as they come, `-` for standard output. `options`: by default one hand. `on_event` gets each event, from another thread.
    `settings`: those of `recognition.live.live`, such as `record`, `max_fps`, `window`.

    Raises what `live` raises, RunError for a run that is none or is damaged. What came before an error or Ctrl-C is kept.
    """
    made = MotionRun.load_finished(run)
    with ExitStack() as opened:
        log = opened.enter_context(EventLog(events, overwrite=overwrite)) if events is not None else None

        def tell(event: Event) -> None:
            if log is not None:
                log.add(event)
            if on_event:
                on_event(event)

        classifier = MotionClassifier(
            made.model(), made.labels, made.background, made.features, debounce=debounce, on_event=tell
        )

        def seen(summary: LiveSummary) -> MotionSummary:
            """Return how it went, with the file of the events among those that were written."""
            if log is not None and (kept := log.close()) is not None:
                summary = replace(summary, files=(*summary.files, kept))
            return MotionSummary(summary, tuple(classifier.events))

        def ended(summary: LiveSummary) -> None:
            if on_end:
                on_end(seen(summary))

        return seen(
            live(
                None,
                source,
                classifier=classifier,
                options=options or RuntimeOptions(num_hands=1),
                overwrite=overwrite,
                on_end=ended,
                **settings,
            )
        )


class EventLog:
    """Events as JSON lines, each written out as it is told: `gesture`, `seconds`, `frame`, `score`, `track`.

    A file grows as `NAME.recording.jsonl` and gets its name at `close`; `-` is standard output. Raises ConfigError for another suffix
    than .jsonl, or a file that exists (unless `overwrite`), OSError where nothing can be written.
    """

    def __init__(self, place: Path | str, *, overwrite: bool = False) -> None:
        self._growing: GrowingFile | None = None
        self._kept: Path | None = None
        if str(place) == STDOUT:
            self._file: Any = sys.stdout
            return
        path = Path(place)
        if path.suffix.lower() != ".jsonl":
            raise ConfigError(
                f"{path} is no file for events: give a name that ends with .jsonl, or - for standard output."
            )
        self._growing = GrowingFile(path, overwrite=overwrite)
        self._file = self._growing.partial.open("w", encoding="utf-8")

    def add(self, event: Event) -> None:
        """Write an event. Raises RecordingError when the disk is full or gone."""
        line = {**vars(event), "seconds": round(event.seconds, 3), "score": round(event.score, 6)}
        try:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            if self._growing is None:
                raise
            raise self._growing.problem(error) from error

    def close(self) -> Path | None:
        """Give the file its name and return it; None for standard output."""
        if self._growing is not None and self._kept is None:
            self._file.close()
            self._kept = self._growing.finish()
        return self._kept

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
