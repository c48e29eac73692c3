"""MediaPipe's GestureRecognizer on frames that follow each other: VIDEO mode for films, LIVE_STREAM for cameras.

Both look for palms only where the hand of the frame before is gone, so they are faster than IMAGE mode and steadier.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gesture_maker.errors import GestureMakerError
from gesture_maker.recognition.answers import Recognition, RecognizedHand
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.runtime import Runtime, RuntimeOptions


class _Clock:
    """Time stamps for MediaPipe: whole milliseconds, each later than the one before; 0 is for the black picture."""

    def __init__(self) -> None:
        self._last = 0

    def stamp(self, seconds: float) -> int:
        self._last = max(self._last + 1, round(1000 * seconds) + 1)
        return self._last


class FilmRecognizer:
    """A bundle in VIDEO mode: every frame is answered before the next is taken. One film each."""

    def __init__(self, bundle: Path | str | bytes, options: RuntimeOptions | None = None) -> None:
        self._runtime = Runtime(bundle, options or RuntimeOptions(num_hands=2), "VIDEO")
        self.labels = self._runtime.labels
        self._clock = _Clock()

    def recognize(self, frame: Frame) -> Recognition:
        """Return the hands of the next frame of the film. Raises BundleError when the bundle's parts do not fit."""
        return self.recognition(frame, *self.ask(frame, self.image(frame)))

    # The same in three parts, of which only the second has to be one frame after the other. It is the slowest, so that what
    # other threads do before and after it costs nothing: 0.4 ms of 23.

    def image(self, frame: Frame) -> Any:
        """Return MediaPipe's copy of a frame."""
        return self._runtime.image(frame.pixels)

    def ask(self, frame: Frame, image: Any) -> tuple[Any, float]:
        """Return MediaPipe's result for the next frame of the film, and the seconds it took. Raises BundleError."""
        stamp = self._clock.stamp(frame.seconds)
        start = time.perf_counter()
        try:
            result = self._runtime.recognizer.recognize_for_video(image, stamp)
        except (RuntimeError, ValueError) as error:
            raise self._runtime.misfit() from error
        return result, time.perf_counter() - start

    def recognition(self, frame: Frame, result: Any, seconds: float) -> Recognition:
        """Return the hands of a frame from what `ask` returned for it."""
        height, width = frame.pixels.shape[:2]
        return Recognition(self.hands(result, width, height), seconds)

    def hands(self, result: Any, width: int, height: int, margin: int = 0) -> tuple[RecognizedHand, ...]:
        """Return the hands of what `ask` returned, for a picture of `width` x `height` that was seen with a border of `margin` pixels."""
        return self._runtime.hands(result, width, height, margin)

    def close(self) -> None:
        """Free the recognizer."""
        self._runtime.close()

    def __enter__(self) -> FilmRecognizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LiveRecognizer:
    """A bundle in LIVE_STREAM mode: `send` returns at once, `answered` is called from another thread, in order.

    MediaPipe drops a frame that arrives while it is busy; such a frame gets no answer, and `dropped` counts it.
    `Recognition.seconds` is the time from `send` to the answer. `under_way`: how many frames have neither been answered
    nor dropped for certain. What `answered` raises is kept and raised by the next `send` or by `close`.
    """

    def __init__(
        self,
        bundle: Path | str | bytes,
        answered: Callable[[Frame, Recognition], None],
        options: RuntimeOptions | None = None,
    ) -> None:
        self._answered = answered
        self._clock = _Clock()
        self._changed = threading.Condition()
        self._sent: dict[int, tuple[Frame, float]] = {}
        self._problem: BaseException | None = None
        self.dropped = 0
        self._runtime = Runtime(bundle, options or RuntimeOptions(num_hands=2), "LIVE_STREAM", self._receive)
        self.labels = self._runtime.labels

    @property
    def under_way(self) -> int:
        """How many frames have neither been answered nor dropped for certain."""
        with self._changed:
            return len(self._sent)

    def wait(self, at_most: int, seconds: float) -> bool:
        """Wait until no more than `at_most` frames are under way; return whether that came about in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._sent) <= at_most or self._problem is not None, seconds)

    def send(self, frame: Frame) -> None:
        """Hand over a frame. Raises what an answer could not be processed for, BundleError when the parts do not fit."""
        self._raise_problem()
        image, stamp = self._runtime.image(frame.pixels), self._clock.stamp(frame.seconds)
        with self._changed:
            self._sent[stamp] = (frame, time.perf_counter())
        try:
            self._runtime.recognizer.recognize_async(image, stamp)
        except (RuntimeError, ValueError) as error:
            raise self._runtime.misfit() from error

    def close(self) -> None:
        """Free the recognizer after the answers under way have been given."""
        self._runtime.close()
        with self._changed:
            self.dropped += len(self._sent)
            self._sent.clear()
            self._changed.notify_all()
        self._raise_problem()

    def __enter__(self) -> LiveRecognizer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        try:
            self.close()
        except GestureMakerError:  # the first problem is being raised already
            return

    def _receive(self, result: Any, _image: Any, stamp: int) -> None:
        now = time.perf_counter()
        with self._changed:
            found = self._sent.pop(stamp, None)
            earlier = [one for one in self._sent if one < stamp]
            for one in earlier:
                del self._sent[one]
            self.dropped += len(earlier)
            self._changed.notify_all()
        if found is None:
            return
        frame, sent = found
        height, width = frame.pixels.shape[:2]
        try:
            self._answered(frame, Recognition(self._runtime.hands(result, width, height), now - sent))
        except BaseException as error:  # in MediaPipe's thread nobody would see it
            with self._changed:
                self._problem = self._problem or error
                self._changed.notify_all()

    def _raise_problem(self) -> None:
        with self._changed:
            problem, self._problem = self._problem, None
        if problem is not None:
            raise problem
