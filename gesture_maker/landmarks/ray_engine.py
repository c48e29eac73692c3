"""Looking for hands on many machines, or with many processes on this one: Ray Data maps batches over actors.

Each actor has a landmarker and reads its images itself, so that only names go out and only landmarks come back: 0.6 kB an
image. A batch is one task, and its result is below the 100 kB that Ray hands to the driver with the reply: nothing that is
finished stays on the node, and one that dies costs the batch it was at. The driver writes the table, so that no disk is
shared for the results.

The list of images is sent to each node once, and a task is the number of a batch. With blocks of the list as tasks Ray Data
runs a task for each of them before it begins, and one that reads them from a range competes with the actors for CPUs.
"""

from __future__ import annotations

import inspect
import itertools
import os
import pickle
import socket
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.compute

from gesture_maker.dataset.listing import Listing
from gesture_maker.dataset.reading import Reader, is_address
from gesture_maker.errors import GestureMakerError, SourceError, UnreadableImage
from gesture_maker.files import sha256_of
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.landmarks.hands import HandOrNot, NoHand
from gesture_maker.landmarks.looking import Box, Found, Look, look_at
from gesture_maker.landmarks.ray_cluster import cluster, data_settings, explained, load_ray
from gesture_maker.landmarks.rows import Row, answers_of, key_of, to_arrow

BATCH = 64
"""Images in a task: 40 kB of landmarks, and a second or two of work, which is what a lost worker costs."""

READERS = 4  # threads of an actor that read ahead
AHEAD = 8  # images that are read, or being read, before the landmarker has time for them

MAX_ATTEMPTS = 3
"""How often a batch is begun because its worker died. Ray would begin it for ever; an image that needs more memory than a node
has ends its worker each time."""

_ANSWER_COLUMNS = ["sha256", "reason", "width", "height", "margin", "handedness", "landmarks", "world"]


@dataclass(frozen=True, eq=False)
class _Work:
    """What there is to do. `images`, `known`: the objects, or Ray's references to them."""

    images: Any
    known: Any
    root: str
    look: Look
    batch: int
    batches: int
    journal: str | None


def find(
    listing: Listing,
    look: Look,
    known: npt.NDArray[np.void],
    *,
    workers: int | None = None,
    address: str | None = None,
    batch: int = BATCH,
    journal: str | None = None,
) -> Generator[Found]:
    """Yield what is found in each image of a listing, in any order; close it to stop early.

    `known`: sorted `key_of`s, V16 [N], of looks that need not be done. `workers`: actors, by default one for each CPU of the
    cluster. `address`: of the cluster (`auto`, `host:6379`, `ray://host:10001`), by default that of the job this runs in, or
    what Ray is connected to in this process; else one is started on this machine, and ended afterwards. `journal`: a folder
    in which each actor notes the batches that it begins and ends.

    Raises ConfigError when Ray is not installed, the cluster cannot be reached or lacks this package, and SourceError when its
    nodes cannot open the listing's root, or images end the workers that look at them.
    """
    if not len(listing):
        return
    ray = load_ray()
    root = listing.root if is_address(listing.root) else str(Path(listing.root).resolve())
    work = _Work(listing.images, known, root, look, batch, -(-len(listing) // batch), journal)
    with (
        cluster(ray, address, workers, 2 * (listing.images.nbytes + known.nbytes)) as count,
        data_settings(ray, count),
        explained(ray),
    ):
        blocks = _from_afar(ray, work, count) if ray.util.client.ray.is_connected() else _blocks(work, count)
        with closing(blocks):  # before Ray goes: what is left of Ray Data would connect again
            for block in blocks:
                yield from _found(block)


def _blocks(work: _Work, workers: int) -> Generator[pyarrow.Table]:
    """Yield the answers to each batch."""
    import ray

    workers = min(workers, work.batches)
    numbers = ray.data.from_items(
        [{"batch": number} for number in range(work.batches)], override_num_blocks=work.batches
    )
    results = numbers.map_batches(
        _Actor,
        fn_constructor_kwargs={
            "work": replace(work, images=ray.put(work.images), known=ray.put(work.known)),
            "attempts": ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Attempts).remote(),
        },
        batch_size=None,  # a block, which is one number
        batch_format="pyarrow",
        compute=_pool(ray, workers),
        num_cpus=1,
    )
    yield from results.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)


def _pool(ray: Any, workers: int) -> Any:
    # Not a fixed size: actors of a lost node would wait for CPUs that are gone, where those left now make room at the end.
    sizes = {"min_size": 1, "max_size": workers, "initial_size": workers}
    allowed = inspect.signature(ray.data.ActorPoolStrategy).parameters  # Ray 2.49 always begins with the least
    return ray.data.ActorPoolStrategy(**{name: size for name, size in sizes.items() if name in allowed})


def _from_afar(ray: Any, work: _Work, workers: int) -> Generator[pyarrow.Table]:
    """Yield the answers to each batch, for a process that is not part of the cluster: Ray Data does not work in one."""
    driver = ray.remote(num_cpus=0)(_Driver).remote(work, workers)
    under_way = deque(driver.next.remote() for _ in range(4))  # as the way may be long
    while (block := ray.get(under_way.popleft())) is not None:
        under_way.append(driver.next.remote())
        yield block


class _Driver:
    """What hands out the batches, as an actor in the cluster."""

    def __init__(self, work: _Work, workers: int) -> None:
        import ray

        self._settings = data_settings(ray, workers)
        self._settings.__enter__()  # as long as this process lives
        self._blocks = _blocks(work, workers)

    def next(self) -> pyarrow.Table | None:
        return next(self._blocks, None)


class _Attempts:
    """How often each batch was begun."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def begin(self, number: int) -> int:
        self._counts[number] += 1
        return self._counts[number]

    def end(self, number: int) -> None:
        del self._counts[number]


class _Actor:
    """Looks at batches of the listing. Made anew wherever a worker or its node has died."""

    def __init__(self, work: _Work, attempts: Any) -> None:
        self._work, self._attempts = work, attempts
        self._detector: HandDetector | None = None

    def __call__(self, numbers: pyarrow.Table) -> pyarrow.Table:
        """Return the answers for the images of some batches, or what is wrong with the node."""
        try:
            return pyarrow.concat_tables([self._batch(number) for number in numbers.column("batch").to_pylist()])
        except GestureMakerError as error:  # as an answer, since Ray Data keeps but the text of what is raised
            return _block([Row("", "", NoHand(str(error)))], [-1], pickle.dumps(error))

    def _batch(self, number: int) -> pyarrow.Table:
        self._count(number)
        if self._detector is None:  # not when the actor is made: what fails there is tried again
            self._begin()
        answers = self._look_at_batch(number)
        self._attempts.end.remote(number)
        return answers

    def _count(self, number: int) -> None:
        import ray

        if ray.get(self._attempts.begin.remote(number)) > MAX_ATTEMPTS:
            names = ray.get(self._work.images).column("file").slice(number * self._work.batch, self._work.batch)
            raise SourceError(
                f"The images from {names[0]} to {names[-1]} ended {MAX_ATTEMPTS} workers that looked at them, one after the "
                f"other: give the workers more memory, or take the image out that does it."
            )

    def _begin(self) -> None:
        import ray

        root = self._work.root
        if not is_address(root) and not Path(root).is_dir():
            raise SourceError(
                f"{root} is not there on the node {socket.gethostname()}: put the images on a disk that all nodes "
                f"share, or at an address such as s3://bucket/images."
            )
        self._reader = Reader(root)
        if is_address(root):
            self._reader.filesystem()  # or each image would be unreadable for the same reason
        self._images, self._known = ray.get([self._work.images, self._work.known])
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="reading")
        self._whole = self._work.look.key()
        self._detector = HandDetector(self._work.look.min_detection_confidence)

    def _look_at_batch(self, number: int) -> pyarrow.Table:
        start = number * self._work.batch
        images = self._images.slice(start, self._work.batch)
        self._note(f"begin {number}")
        names, boxes = images.column("file").to_pylist(), images.column("box").to_pylist()
        rows = [
            self._row(content, name, box)
            for content, name, box in zip(self._contents(images), names, boxes, strict=True)
        ]
        answers = _block(rows, range(start, start + len(rows)))
        self._note(f"end {number}")
        return answers

    def _row(self, content: bytes | UnreadableImage, name: str, box: Box | None) -> Row:
        if isinstance(content, UnreadableImage):
            return Row("", "", NoHand(content.reason))
        assert self._detector is not None
        sha256 = sha256_of(content)
        answer: HandOrNot | None = None
        if not self._is_known(sha256, self._whole if box is None else self._work.look.key(box)):
            answer = look_at(content, name, self._work.look, self._detector, box)
        return Row(sha256, "", answer)  # type: ignore[arg-type]  # None where the answer is known: all null

    def _is_known(self, sha256: str, detection: str) -> bool:
        key = np.frombuffer(key_of(sha256, detection), self._known.dtype)
        place = int(np.searchsorted(self._known, key)[0])
        return place < len(self._known) and bool(self._known[place] == key[0])

    def _contents(self, images: pyarrow.Table) -> Iterator[bytes | UnreadableImage]:
        """Yield the bytes of the images in their order, read a few ahead: an object store takes 50 ms to answer."""
        places = zip(images.column("path").to_pylist(), images.column("member").to_pylist(), strict=True)
        reading: deque[Future[bytes | UnreadableImage]] = deque(
            self._pool.submit(self._read, *place) for place in itertools.islice(places, AHEAD)
        )
        while reading:
            yield reading.popleft().result()
            reading.extend(self._pool.submit(self._read, *place) for place in itertools.islice(places, 1))

    def _read(self, path: str, member: str | None) -> bytes | UnreadableImage:
        try:
            return self._reader.read(path, member)
        except UnreadableImage as error:
            return error

    def _note(self, line: str) -> None:
        if self._work.journal:
            with Path(self._work.journal, f"{socket.gethostname()}-{os.getpid()}").open("a") as file:
                file.write(line + "\n")


def _block(rows: Sequence[Row], indices: Sequence[int], error: bytes | None = None) -> pyarrow.Table:
    block = to_arrow(rows).select(_ANSWER_COLUMNS).append_column("index", pyarrow.array(indices, pyarrow.int64()))
    return block.append_column("error", pyarrow.array([error] * len(rows), pyarrow.binary()))


def _found(block: pyarrow.Table) -> Iterator[Found]:
    if block.column("error").null_count < len(block):
        raise pickle.loads(block.column("error")[0].as_py())  # written by our own worker
    new = pyarrow.compute.or_(block.column("reason").is_valid(), block.column("width").is_valid())
    answers = iter(answers_of(block.filter(new)))
    columns = (block.column("index").to_pylist(), block.column("sha256").to_pylist(), new.to_pylist())
    for index, sha256, is_new in zip(*columns, strict=True):
        yield Found(index, sha256, next(answers) if is_new else None)
