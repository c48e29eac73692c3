"""Finding the hands of many photos: a thread per core, each with its own landmarker.

MediaPipe releases Python's lock while it works, so that threads scale (98 photos/s on one, 193 on two) and a fork, which
breaks landmarkers, is not needed. A photo already in the table is not looked at again; Ctrl-C keeps what was found.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.errors import UnreadableImage
from gesture_maker.files import sha256_of
from gesture_maker.images import MIN_SIDE, read_image
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE, HandDetector, detection_key
from gesture_maker.landmarks.hands import NOT_FOUND, HandOrNot, NoHand
from gesture_maker.landmarks.table import LandmarkTable

Progress = Callable[[int, int], None]

SAVE_EVERY = 500  # photos found anew; about 5 s of work on one core, while writing 100,000 rows takes 0.5 s


@dataclass(frozen=True)
class Seen:
    """One photo after the search: its content and its hand, or why there is none."""

    path: Path
    sha256: str
    answer: HandOrNot


def find_hands(
    paths: Sequence[Path],
    table: LandmarkTable | None = None,
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE,
    workers: int | None = None,
    progress: Progress | None = None,
    mirrored: bool = False,
) -> list[Seen]:
    """Return the hand, or the reason there is none, of each photo, in the order of `paths`.

    With a `table`, photos it knows are not looked at again, and it is saved now and then, at the end, and on Ctrl-C.
    `mirrored`: look at the photos in a mirror, and return the hands there: the landmarker's idea of the other hand.
    """
    key = detection_key(min_detection_confidence, mirrored=mirrored)
    workers = workers or os.cpu_count() or 1
    found: dict[int, Seen] = {}
    with _Detectors(min_detection_confidence) as detectors:

        def one(index: int) -> tuple[int, Seen, bool]:
            return index, *_look_at(paths[index], table, key, detectors, mirrored)

        fresh = 0
        try:
            # Closed before the landmarkers are: when it is left early, its threads still use some.
            with closing(_in_threads(one, range(len(paths)), workers)) as results:
                for index, seen, is_new in results:
                    found[index] = seen
                    if table is not None and is_new:
                        table.put(seen.sha256, key, seen.answer)
                        fresh += 1
                        if fresh % SAVE_EVERY == 0:
                            table.save()
                    if progress:
                        progress(len(found), len(paths))
        finally:
            if table is not None:
                table.save()
    return [found[index] for index in range(len(paths))]


def _look_at(
    path: Path, table: LandmarkTable | None, key: str, detectors: _Detectors, mirrored: bool
) -> tuple[Seen, bool]:
    try:
        content = path.read_bytes()
    except OSError as error:
        return Seen(path, "", NoHand(f"cannot be read ({error.strerror})")), False
    sha256 = sha256_of(content)
    known = table.get(sha256, key) if table is not None else None
    if known is not None:
        return Seen(path, sha256, known), False
    try:
        pixels = read_image(content, name=path.name)
    except UnreadableImage as error:
        return Seen(path, sha256, NoHand(error.reason)), True
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:  # the landmarker finds a hand in such a photo, but not the one that is there
        return Seen(path, sha256, NoHand(f"{width}x{height} pixels are too few to show a hand")), True
    with detectors.borrowed() as detector:
        return Seen(path, sha256, detector.find(pixels[:, ::-1] if mirrored else pixels) or NOT_FOUND), True


class _Detectors:
    """As many landmarkers as are in use at once, made when first needed."""

    def __init__(self, min_detection_confidence: float) -> None:
        self._confidence = min_detection_confidence
        self._idle: queue.SimpleQueue[HandDetector] = queue.SimpleQueue()

    def borrowed(self) -> _Borrowed:
        try:
            detector = self._idle.get_nowait()
        except queue.Empty:
            detector = HandDetector(self._confidence)
        return _Borrowed(detector, self._idle)

    def __enter__(self) -> _Detectors:
        return self

    def __exit__(self, *_: object) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


@dataclass
class _Borrowed:
    detector: HandDetector
    idle: queue.SimpleQueue[HandDetector]

    def __enter__(self) -> HandDetector:
        return self.detector

    def __exit__(self, *_: object) -> None:
        self.idle.put(self.detector)


def _in_threads(
    work: Callable[[int], tuple[int, Seen, bool]], items: Sequence[int], workers: int
) -> Generator[tuple[int, Seen, bool]]:
    """Yield `work(item)` for all items as they finish, with no more than four per worker under way."""
    with ThreadPoolExecutor(workers, thread_name_prefix="landmarks") as pool:
        under_way: set[Future[tuple[int, Seen, bool]]] = set()
        waiting = iter(items)
        try:
            while True:
                for item in waiting:
                    under_way.add(pool.submit(work, item))
                    if len(under_way) >= 4 * workers:
                        break
                if not under_way:
                    return
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in under_way:
                future.cancel()
