"""Looking for the hands of photos that came by other ways than the camera, in a thread that leaves the camera its time.

Photos that were uploaded, collected by a command or put there by hand are looked at as `train` would look at them. When none is
left, those that `train` looks at in a mirror too (`landmarks/mirror.py`) are looked at in a mirror.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

from gesture_maker.dataset.sources import DiskFile
from gesture_maker.errors import GestureMakerError, UnreadableImage
from gesture_maker.files import sha256_of
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.landmarks.looking import Look, look_at
from gesture_maker.landmarks.mirror import MIRROR_LOOKS, to_mirror
from gesture_maker.studio.collection import Collection
from gesture_maker.studio.index import Photo

FLUSH_SECONDS = 2.0  # what was found is written down so often: a kill costs no more
RETRY_SECONDS = 10.0  # after a full disk or missing files of Google's
CALM_SECONDS = 0.2  # between two looks through all photos, while a camera adds some all the time
NICENESS = 10  # of 19: on a busy machine the camera's threads come first

KEEP_SECONDS = 1.0  # after a photo was taken, before others are looked at: the next one comes after a fifth of that
PREVIEW_SECONDS = 1.0  # after a frame, before the camera counts as closed
PREVIEW_SHARE = 0.25  # of the time may go into looks while a camera is only shown: of two cores the preview takes one


class Looker:
    """Looks at the photos of a collection until it is closed."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._answers = collection.answers
        self._previewed = self._kept = -float("inf")
        self._flushed = time.monotonic()
        self._mirrored = False  # nothing has changed since the last mirror image was looked at
        self._detector: HandDetector | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="looking at photos", daemon=True)
        self._thread.start()

    def camera(self, kept: bool) -> None:
        """Note that a camera has just sent a frame, or a photo that was kept."""
        self._previewed = time.monotonic()
        if kept:
            self._kept = self._previewed

    def close(self) -> None:
        """End, when the look that is under way is done."""
        self._ending.set()
        self._collection.work.set()
        self._thread.join(5)

    def _run(self) -> None:
        if sys.platform == "linux":  # there a thread has a niceness of its own, which MediaPipe's threads inherit
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            while not self._ending.is_set():
                if self._collection.work.is_set():
                    self._collection.work.clear()
                    self._mirrored = False
                try:
                    if not self._look_at_pending():
                        self._look_in_mirror()
                        self._answers.flush()
                        self._ending.wait(CALM_SECONDS)
                        self._collection.work.wait(FLUSH_SECONDS)
                    self._collection.trouble("looking", None)
                except (GestureMakerError, OSError) as error:
                    self._collection.trouble("looking", error)
                    self._ending.wait(RETRY_SECONDS)
        finally:
            if self._detector is not None:
                self._detector.close()

    def _look_at_pending(self) -> bool:
        """Look at photos that were not looked at until more come; return whether there were any."""
        pending = self._collection.pending()
        if self._answers.learn([photo.sha256 for photo in pending if photo.sha256]):
            self._collection.changed()
        before = len(pending)
        pending = [photo for photo in pending if not self._answers.of(photo.sha256)[0]]
        begin = time.monotonic()
        for photo in pending:
            if self._ending.is_set() or time.monotonic() - begin > FLUSH_SECONDS:
                break
            self._look_at(photo)
        self._flush_when_due()
        return before > 0

    def _look_at(self, photo: Photo) -> None:
        content = self._read(photo)
        if content is None:
            return
        if not self._answers.of(photo.sha256)[0] and not self._answers.learn([photo.sha256]):
            self._wait_for_camera()
            begin = time.monotonic()
            self._answers.put(photo.sha256, look_at(content, photo.file, Look(), self._detecting()))
            self._leave_time(time.monotonic() - begin)
        self._collection.changed()

    def _read(self, photo: Photo) -> bytes | None:
        """Return a photo's bytes, whose SHA-256 is noted; None when it cannot be read, which is noted too, or is gone."""
        folder, _, name = photo.file.partition("/")
        try:
            content = DiskFile((folder, name), self._collection.root / photo.file).read()
        except UnreadableImage as error:
            if Path(self._collection.root / photo.file).exists():
                self._collection.learned(photo, problem=error.reason)
            else:
                self._collection.refresh()
            return None
        self._collection.learned(photo, sha256_of(content))
        return content

    def _look_in_mirror(self) -> None:
        """Look at photos in a mirror, as training will, until there is something else to do."""
        if self._mirrored or self._camera_is_open():
            return
        photos = self._collection.usable()
        labels, shas = [photo.label for photo in photos], [photo.sha256 for photo in photos]
        chosen = [photos[row] for row in to_mirror(labels, shas, [True] * len(photos), MIRROR_LOOKS)]
        missing = set(self._answers.not_in_mirror([photo.sha256 for photo in chosen]))
        for photo in chosen:
            if photo.sha256 not in missing:
                continue
            if self._ending.is_set() or self._collection.work.is_set() or self._camera_is_open():
                return
            content = self._read(photo)
            if content is not None:
                answer = look_at(content, photo.file, Look(mirrored=True), self._detecting())
                self._answers.put(photo.sha256, answer, mirrored=True)
            self._flush_when_due()
        self._mirrored = True

    def _detecting(self) -> HandDetector:
        if self._detector is None:
            self._detector = HandDetector()
        return self._detector

    def _flush_when_due(self) -> None:
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._answers.flush()
            self._flushed = time.monotonic()

    def _camera_is_open(self) -> bool:
        return time.monotonic() - self._previewed < PREVIEW_SECONDS

    def _wait_for_camera(self) -> None:
        """Wait until no photos are being taken."""
        while not self._ending.is_set() and (left := self._kept + KEEP_SECONDS - time.monotonic()) > 0:
            self._ending.wait(left)

    def _leave_time(self, taken: float) -> None:
        """Let a camera that is open have its share of the time, after a look that took so many seconds."""
        if self._camera_is_open():
            self._ending.wait(taken * (1 / PREVIEW_SHARE - 1))
