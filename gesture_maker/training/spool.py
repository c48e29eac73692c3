"""Embeddings on disk, in buckets, for trainings on more of them than memory should hold.

An external shuffle: every embedding goes into a bucket drawn at random, so that each bucket is a random sample of all,
whatever order they came in. An epoch reads bucket after bucket in a random order, and shuffles what is in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.embedders.builtin import EMBEDDING_SIZE
from gesture_maker.files import TEMPORARY_PREFIX
from gesture_maker.landmarks.hands import Floats
from gesture_maker.training.model_maker import LabelledEmbeddings
from gesture_maker.training.tensorflow_runtime import load_tensorflow

BUCKET_ROWS = 32_768  # about; 17 MB, of which two or three are in memory
BATCHES_AHEAD = 4

_ROW = np.dtype([("embedding", "<f4", EMBEDDING_SIZE), ("class", "<i2")])


class Spool:
    """Labelled embeddings on disk, to be trained on in batches; see `spooled`.

    `identity`: SHA-256 of all of them in the order in which they came, and of the seed.
    """

    def __init__(self, files: list[Path], rows: list[int], seed: int, identity: str) -> None:
        self._files, self._rows, self._seed = files, rows, seed
        self.identity = identity
        self._next_epoch = 0

    def __len__(self) -> int:
        return sum(self._rows)

    def begin_at(self, epoch: int) -> None:
        """Let the next epoch that is trained be this one, counted from 0."""
        self._next_epoch = epoch

    def as_dataset(self, labels: Sequence[str], steps: int | None, reshuffle: bool) -> _Batches:
        """Return them as Model Maker takes training data; `steps`: of an epoch, None for one pass over all."""
        return _Batches(self, labels, steps, reshuffle)

    def next_epoch(self, batch_size: int, steps: int | None, reshuffle: bool) -> Iterator[LabelledEmbeddings]:
        """Yield the batches of the next epoch, all of them of `batch_size` but the last of a pass.

        With `steps`, epochs go on where the one before left off; else each is a pass over all. `reshuffle`: each pass in
        another order.
        """
        epoch = self._next_epoch
        self._next_epoch += 1
        if steps is None:
            yield from _batched(self._pass(epoch if reshuffle else 0), batch_size)
            return
        number, skipped = divmod(epoch * steps * batch_size, len(self))
        rows = self._endless(number, skipped, reshuffle)
        for _, batch in zip(range(steps), _batched(rows, batch_size), strict=False):
            yield batch

    def _endless(self, number: int, skipped: int, reshuffle: bool) -> Iterator[LabelledEmbeddings]:
        while True:
            yield from self._pass(number if reshuffle else 0, skipped)
            number, skipped = number + 1, 0

    def _pass(self, number: int, skipped: int = 0) -> Iterator[LabelledEmbeddings]:
        """Yield bucket after bucket of one pass over all rows, without the first `skipped` rows."""
        order = np.random.default_rng((self._seed, 0x0DE, number)).permutation(len(self._files))
        for bucket in order.tolist():
            if skipped >= self._rows[bucket]:
                skipped -= self._rows[bucket]
                continue
            rows = np.fromfile(self._files[bucket], _ROW)
            mixed = np.random.default_rng((self._seed, 0x0DF, number, bucket)).permutation(len(rows))[skipped:]
            skipped = 0
            yield LabelledEmbeddings(rows["embedding"][mixed], rows["class"][mixed].astype(np.int64))


@contextlib.contextmanager
def spooled(folder: Path, blocks: Iterable[LabelledEmbeddings], rows: int, seed: int) -> Iterator[Spool]:
    """Yield the embeddings of all blocks as a Spool, in a temporary folder in `folder` that is gone when the block ends.

    `rows`: about how many there will be. 514 bytes each are needed on the disk.
    """
    remove_left_over(folder)
    place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
    try:
        yield _write(place, blocks, max(1, math.ceil(rows / BUCKET_ROWS)), seed)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def remove_left_over(folder: Path) -> None:
    """Remove what a killed training left in its folder."""
    for left in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)


_PREFIX = f"{TEMPORARY_PREFIX}spool-"


def _write(place: Path, blocks: Iterable[LabelledEmbeddings], buckets: int, seed: int) -> Spool:
    files = [place / f"{bucket:05d}" for bucket in range(buckets)]
    counts = np.zeros(buckets, np.int64)
    digest = hashlib.sha256(str((seed, buckets)).encode())
    rng = np.random.default_rng((seed, 0x5B0))
    for block in blocks:
        rows = np.empty(len(block), _ROW)
        rows["embedding"], rows["class"] = block.embeddings, block.classes
        digest.update(rows.tobytes())
        bucket = rng.integers(buckets, size=len(rows))
        order = np.argsort(bucket, kind="stable")
        rows, ends = rows[order], np.cumsum(np.bincount(bucket, minlength=buckets))
        for number, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            if end > begin:
                _append(files[number], rows[begin:end])
                counts[number] += end - begin
    kept = np.flatnonzero(counts)
    return Spool([files[one] for one in kept], counts[kept].tolist(), seed, digest.hexdigest())


def _append(file: Path, rows: npt.NDArray[Any]) -> None:
    try:
        with file.open("ab") as opened:
            opened.write(rows.tobytes())
    except OSError as error:
        run = file.parent.parent
        raise OSError(
            error.errno, f"{error.strerror or error}: embeddings that are trained on pass through it", str(run)
        ) from error


def _batched(blocks: Iterator[LabelledEmbeddings], size: int) -> Iterator[LabelledEmbeddings]:
    """Yield batches of `size` out of blocks of any size, the last one maybe smaller."""
    left: LabelledEmbeddings | None = None
    for block in blocks:
        if left is not None:
            block = LabelledEmbeddings(  # noqa: PLW2901
                np.concatenate([left.embeddings, block.embeddings]), np.concatenate([left.classes, block.classes])
            )
        whole = len(block) // size * size
        for start in range(0, whole, size):
            yield LabelledEmbeddings(block.embeddings[start : start + size], block.classes[start : start + size])
        left = LabelledEmbeddings(block.embeddings[whole:], block.classes[whole:])
    if left is not None and len(left):
        yield left


class _Batches:
    """A Spool as Model Maker takes training data: what of `ClassificationDataset` its training asks for."""

    def __init__(self, spool: Spool, labels: Sequence[str], steps: int | None, reshuffle: bool) -> None:
        self._spool, self._steps, self._reshuffle = spool, steps, reshuffle
        self.label_names = list(labels)

    def __len__(self) -> int:
        return len(self._spool)

    def gen_tf_dataset(self, batch_size: int = 1, *_: Any, **__: Any) -> Any:
        """Return a tf.data.Dataset of batches, the next epoch's each time that it is begun."""
        tensorflow = load_tensorflow()
        one_hot = np.eye(len(self.label_names), dtype=np.float32)

        def batches() -> Iterator[tuple[Floats, Floats]]:
            for batch in self._spool.next_epoch(batch_size, self._steps, self._reshuffle):
                yield batch.embeddings, one_hot[batch.classes]

        kinds = tuple(
            tensorflow.TensorSpec((None, width), tensorflow.float32) for width in (EMBEDDING_SIZE, len(one_hot))
        )
        return tensorflow.data.Dataset.from_generator(batches, output_signature=kinds).prefetch(BATCHES_AHEAD)
