"""Looking for hands on this machine: a thread per core, each with a landmarker of its own.

MediaPipe releases Python's lock while it works, so that threads scale (98 photos/s on one, 193 on two) and a fork, which
breaks landmarkers, is not needed. Reading and hashing run ahead in other threads, so that a slow disk delays nobody.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from gesture_maker.errors import UnreadableImage
from gesture_maker.files import sha256_of
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.landmarks.hands import NoHand
from gesture_maker.landmarks.looking import Box, Found, Look, look_at

READERS = 4
AHEAD = 4  # images per worker that are read, or being read, before a landmarker has time for them


class Images(Protocol):
    """Images by number."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return what the image is called."""

    def read(self, index: int) -> bytes:
        """Return its bytes; raises UnreadableImage."""

    def box(self, index: int, /) -> Box | None:
        """Return the part of it to look at, None for all of it."""


Known = Callable[[str, str], bool]
"""Whether the look at the photo of this SHA-256 under this detection key is known already."""


def usable_cores() -> int:
    """Return how many cores this process may use, which in a container is fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find(
    images: Images, look: Look, known: Known, workers: int | None = None, detectors: Detectors | None = None
) -> Generator[Found]:
    """Yield what is found in each image, as they are finished; close it to stop early.

    No more than `AHEAD` encoded and one decoded image for each worker are in memory. `detectors`: to be used, and used again
    afterwards: what a landmarker took of the memory (60 MB) is not all given back when it is closed.
    """
    workers = workers or usable_cores()
    whole = look.key()  # reading the assets' checksums takes longer than a known photo
    own = Detectors(look.min_detection_confidence)
    detectors = detectors or own

    def read(index: int) -> tuple[str, bytes | UnreadableImage]:
        try:
            content = images.read(index)
        except UnreadableImage as error:
            return "", error
        return sha256_of(content), content

    def one(index: int, reading: Future[tuple[str, bytes | UnreadableImage]]) -> Found:
        sha256, content = reading.result()
        if isinstance(content, UnreadableImage):
            return Found(index, "", NoHand(content.reason))
        box = images.box(index)
        if known(sha256, whole if box is None else look.key(box)):
            return Found(index, sha256, None)
        with detectors.borrowed() as detector:
            return Found(index, sha256, look_at(content, images.name(index), look, detector, box))

    reader_pool = ThreadPoolExecutor(READERS, thread_name_prefix="reading")
    pool = ThreadPoolExecutor(workers, thread_name_prefix="landmarks")

    def begin(index: int) -> Future[Found]:
        return pool.submit(one, index, reader_pool.submit(read, index))

    try:
        yield from _as_they_finish(begin, range(len(images)), AHEAD * workers)
    finally:  # the threads first: one that is left early is still using its landmarker
        reader_pool.shutdown(cancel_futures=True)
        pool.shutdown(cancel_futures=True)
        own.close()


def _as_they_finish(begin: Callable[[int], Future[Found]], items: Iterable[int], at_once: int) -> Generator[Found]:
    """Yield the results of all items, with no more than so many under way."""
    under_way: set[Future[Found]] = set()
    waiting = iter(items)
    try:
        while True:
            for item in waiting:
                under_way.add(begin(item))
                if len(under_way) >= at_once:
                    break
            if not under_way:
                return
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        for future in under_way:
            future.cancel()


class Detectors:
    """As many landmarkers as are in use at once, made when first needed; a context manager that closes them."""

    def __init__(self, min_detection_confidence: float) -> None:
        self._confidence = min_detection_confidence
        self._idle: queue.SimpleQueue[HandDetector] = queue.SimpleQueue()

    def borrowed(self) -> _Borrowed:
        """Return a context manager of a landmarker for one thread."""
        try:
            detector = self._idle.get_nowait()
        except queue.Empty:
            detector = HandDetector(self._confidence)
        return _Borrowed(detector, self._idle)

    def __enter__(self) -> Detectors:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free those that are not in use."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


class _Borrowed:
    def __init__(self, detector: HandDetector, idle: queue.SimpleQueue[HandDetector]) -> None:
        self._detector, self._idle = detector, idle

    def __enter__(self) -> HandDetector:
        return self._detector

    def __exit__(self, *_: object) -> None:
        self._idle.put(self._detector)
