"""A clip that is being recorded: a film that grows under a hidden name of the dataset's, and comes into it when it is finished."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gesture_maker.dataset.manifest import ManifestRow
from gesture_maker.dataset.sources import Skipped
from gesture_maker.motion.clip_writer import ClipWriter
from gesture_maker.motion.clips import NO_FRAMES
from gesture_maker.motion.collecting import ClipCollector
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.growing import RecordingError
from gesture_maker.recognition.recorder import Recorder


class RecordedClip:
    """A clip of a class on its way into a dataset. Either `finish` or `drop` ends it."""

    def __init__(self, writer: ClipWriter, label: str) -> None:
        self.label = label
        self.frames = 0
        self._stack = contextlib.ExitStack()
        self._place = self._stack.enter_context(writer.temporary(label, ".mp4"))
        try:
            self._recorder = Recorder(self._place)
        except BaseException:
            self._stack.close()
            raise

    def add(self, frame: Frame) -> None:
        """Add a frame, at its own time. Raises RecordingError when an earlier one could not be written."""
        with self._explained():
            self._recorder.add(frame.pixels, frame.seconds)
        self.frames += 1

    def finish(self, collector: ClipCollector, source: str, group: str = "") -> str:
        """Put the clip into the dataset and return its file; empty when it is no clip, or the dataset has the same."""
        with self._stack, self._explained():
            if self._recorder.close() is None:
                collector.skipped.append(Skipped(source, NO_FRAMES))
                return ""
            return collector.take_recorded(self._place, ManifestRow("", self.label, source, group))

    def drop(self) -> None:
        """Leave nothing of it."""
        with self._stack, contextlib.suppress(RecordingError, OSError):
            self._recorder.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except RecordingError as error:  # temporary names say nothing to a user
            raise RecordingError(str(error).replace(str(self._place), f"A clip in {self._place.parent}")) from error
