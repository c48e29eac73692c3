"""Finding the hands of many images, none of them twice: one way in, whichever engine looks.

What an engine finds goes into the table as it comes, every few seconds as a file of its own, so that Ctrl-C, a kill or
an empty battery cost the last seconds only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.listing import Listing
from gesture_maker.dataset.reading import Reader
from gesture_maker.errors import ConfigError, UnreadableImage
from gesture_maker.landmarks import local_engine
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE
from gesture_maker.landmarks.hands import HandOrNot, NoHand
from gesture_maker.landmarks.looking import Box, Found, Look
from gesture_maker.landmarks.table import DamagedTable, LandmarkTable
from gesture_maker.progress import Progress

ENGINES = ("local", "ray")

FLUSH_ROWS, FLUSH_SECONDS = 1000, 2.0
"""What was found is written down after so many rows or seconds: a kill costs at most this much."""


@dataclass(frozen=True)
class Engine:
    """Which engine looks, and with how many workers (None: one a core); `address`: of a Ray cluster, None to start one here.

    Raises ConfigError for an engine that there is not.
    """

    name: str = "local"
    workers: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise ConfigError(f'There is no engine "{self.name}": use {" or ".join(ENGINES)}.')
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"workers is {self.workers}, but has to be at least 1.")
        if self.address is not None and self.name != "ray":
            raise ConfigError("An address is that of a Ray cluster: use the engine ray with it.")


@dataclass(frozen=True)
class Seen:
    """One photo after the search: its content and its hand, or why there is none."""

    path: Path
    sha256: str
    answer: HandOrNot


@dataclass(frozen=True, eq=False)
class Filled:
    """What `fill` did. `sha256`: of each image, S64 [N], empty where it cannot be read; `unreadable`: why, by index; `looks`:
    how many images were looked at, all others being known."""

    sha256: npt.NDArray[np.bytes_]
    unreadable: dict[int, NoHand]
    looks: int

    def hex(self, index: int) -> str:
        """Return the SHA-256 of an image, empty where it cannot be read."""
        return str(self.sha256[index].decode())


def find_hands(
    paths: Sequence[Path],
    table: LandmarkTable | None = None,
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE,
    workers: int | None = None,
    progress: Progress | None = None,
    mirrored: bool = False,
) -> list[Seen]:
    """Return the hand, or the reason there is none, of each photo, in the order of `paths`.

    With a `table`, photos it knows are not looked at again, and what is found goes into it, now and then and on Ctrl-C.
    `mirrored`: look at the photos in a mirror, and return the hands there: the landmarker's idea of the other hand.
    """
    look = Look(min_detection_confidence, mirrored)
    images = _Files(paths)
    if table is None:
        found: dict[int, Seen] = {}
        with closing(local_engine.find(images, look, lambda *_: False, workers)) as results:
            for done, one in enumerate(results, 1):
                assert one.answer is not None  # nothing is known
                found[one.index] = Seen(paths[one.index], one.sha256, one.answer)
                if progress:
                    progress(done, len(paths))
        return [found[index] for index in range(len(paths))]
    while True:
        filled = _fill(images, local_engine.find(images, look, table.has, workers), table, look, progress)
        try:
            answers = table.get_many([filled.hex(index) for index in range(len(paths))], look.key())
        except DamagedTable:  # it goes on without the file, whose photos are looked at again
            continue
        return [
            Seen(path, filled.hex(index), filled.unreadable.get(index) or held(answer))
            for index, (path, answer) in enumerate(zip(paths, answers, strict=True))
        ]


def fill(
    listing: Listing,
    table: LandmarkTable,
    look: Look,
    engine: Engine | None = None,
    progress: Progress | None = None,
    detectors: local_engine.Detectors | None = None,
) -> Filled:
    """Look at all images of a listing that the table does not know yet, and put what is found into it.

    `detectors`: for the local engine, when there are more calls to come. Memory does not grow with the number of images, but for their names and 64 bytes each.
    """
    engine = engine or Engine()
    if engine.name == "ray":
        from gesture_maker.landmarks import ray_engine

        found = ray_engine.find(listing, look, table.keys(), workers=engine.workers, address=engine.address)
        return _fill(_Listed(listing), found, table, look, progress)
    images = _Listed(listing)
    return _fill(images, local_engine.find(images, look, table.has, engine.workers, detectors), table, look, progress)


def _fill(
    images: local_engine.Images,
    results: Iterator[Found],
    table: LandmarkTable,
    look: Look,
    progress: Progress | None,
) -> Filled:
    shas = np.zeros(len(images), "S64")
    unreadable: dict[int, NoHand] = {}
    looks = fresh = 0
    flushed = time.monotonic()
    whole = look.key()
    try:
        with closing(results) as found:  # type: ignore[type-var]
            for done, one in enumerate(found, 1):
                shas[one.index] = one.sha256
                if not one.sha256:
                    assert isinstance(one.answer, NoHand)
                    unreadable[one.index] = one.answer
                elif one.answer is not None:
                    box = images.box(one.index)
                    table.put(one.sha256, whole if box is None else look.key(box), one.answer)
                    looks, fresh = looks + 1, fresh + 1
                    if fresh >= FLUSH_ROWS or time.monotonic() - flushed > FLUSH_SECONDS:
                        table.flush()
                        fresh, flushed = 0, time.monotonic()
                if progress:
                    progress(done, len(images))
    finally:
        table.flush()
    return Filled(shas, unreadable, looks)


def held(answer: HandOrNot | None) -> HandOrNot:
    """Return what a table holds of an image that was looked at."""
    assert answer is not None  # everything readable was put in or is known
    return answer


class _Files:
    """Photos by their paths."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def name(self, index: int) -> str:
        return self._paths[index].name

    def read(self, index: int) -> bytes:
        path = self._paths[index]
        try:
            return path.read_bytes()
        except OSError as error:
            raise UnreadableImage(path.name, f"cannot be read ({error.strerror})") from error

    def box(self, _: int) -> Box | None:
        return None


class _Listed:
    """The images of a listing."""

    def __init__(self, listing: Listing) -> None:
        columns = {name: listing.images.column(name).combine_chunks() for name in listing.images.column_names}
        self._file, self._path, self._member = columns["file"], columns["path"], columns["member"]
        self._box = columns["box"] if columns["box"].null_count < len(listing) else None
        self._reader = Reader(listing.root)

    def __len__(self) -> int:
        return len(self._file)

    def name(self, index: int) -> str:
        return str(self._file[index].as_py())

    def read(self, index: int) -> bytes:
        return self._reader.read(self._path[index].as_py(), self._member[index].as_py())

    def box(self, index: int) -> Box | None:
        found: Box | None = self._box[index].as_py() if self._box is not None else None
        return found
