"""`landmarks.parquet`: what was found in each photo, so that no photo is looked at twice.

Rows are keyed by the photo's SHA-256 and by the detection's settings, so that a photo is looked at once however often it
is renamed, and a change of settings never mixes with older answers. What is found is written every few seconds as a small
file of its own (`parts.py`) and merged now and then into one: a kill costs seconds, and several processes may fill one table.
Rows stay on disk; in memory is where they lie (`index.py`), 24 bytes for each.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np

from gesture_maker.errors import DatasetError, GestureMakerError
from gesture_maker.files import sha256_of, user_cache
from gesture_maker.landmarks import merging
from gesture_maker.landmarks.hands import HandOrNot
from gesture_maker.landmarks.parts import locked, naming, part_names, parts_folder, remove_parts, set_aside, write_part
from gesture_maker.landmarks.rows import SCHEMA, Row, answers_of, key_of, to_arrow
from gesture_maker.landmarks.stored import MERGES, Stored
from gesture_maker.landmarks.table_file import KEY_TYPE, Damage, Keys, Replaced, TableFile, keys_of

TABLE_NAME = "landmarks.parquet"

KEPT_GROUPS = 8
"""Row groups of which the answers are kept for `get`, about 1 MB each."""

T = TypeVar("T")


class DamagedTable(GestureMakerError):
    """A file of the table was found damaged when its rows were read, and was set aside.

    The table goes on without it and can be used at once: `has`, `get`, `keys` and `len` no longer know the rows of that file,
    and nothing that was put is lost. So whoever relied on them asks again which looks are missing, looks, and puts them.
    """


def table_path(dataset: Path, name: str = TABLE_NAME) -> Path:
    """Return where a dataset's table is kept: beside its photos, or in the user's cache when that folder is read-only.

    `name`: of the table's file, of which there may be several kinds. A folder without any write permission is taken as read-only even for root, who could write to it.
    """
    folder = dataset.resolve()
    writable = os.access(folder, os.W_OK) and bool(folder.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    if writable:
        return folder / name
    return user_cache(Path(name).stem) / f"{sha256_of(str(folder).encode())[:16]}.parquet"


class LandmarkTable:
    """The answers for many photos. Threads may share it; processes open the same path each for themselves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stored = Stored(path)
        self._fresh: dict[bytes, Row] = {}  # put and not written yet
        self._kept: OrderedDict[tuple[int, int], list[HandOrNot]] = OrderedDict()  # by file and row group
        self._mutex = threading.RLock()

    @classmethod
    def open(cls, path: Path) -> LandmarkTable:
        """Return the table at `path`; a missing file gives an empty one, a damaged one is set aside first.

        A million rows take 2 s and 24 MB. Raises OSError when a file cannot be read at all.
        """
        table = cls(path)
        table._load()
        return table

    def __len__(self) -> int:
        """Return the number of looks that are known, written or not."""
        return len(self.keys())

    def has(self, sha256: str, detection: str) -> bool:
        """Tell whether the answer for a photo under these settings is known."""
        key = key_of(sha256, detection)
        with self._mutex:
            return key in self._fresh or bool(self._stored.index.find(np.frombuffer(key, KEY_TYPE))[0] >= 0)

    def keys(self) -> Keys:
        """Return the keys (`rows.key_of`) of all looks that are known, written or not: 16 bytes each [N], sorted."""
        with self._mutex:
            fresh = np.frombuffer(b"".join(self._fresh), KEY_TYPE)
            return self._stored.index.with_file(-1, fresh).keys if self._fresh else self._stored.index.keys

    def get(self, sha256: str, detection: str) -> HandOrNot | None:
        """Return the answer for a photo under these settings, or None when it was not looked at yet.

        Raises DamagedTable, OSError.
        """
        key = key_of(sha256, detection)

        def fetch() -> HandOrNot | None:
            if key in self._fresh:
                return self._fresh[key].answer
            index = self._stored.index
            place = int(index.find(np.frombuffer(key, KEY_TYPE))[0])
            if place < 0:
                return None
            for file, group, _ in self._stored.groups(index.files[[place]], index.rows[[place]]):
                return self._answers(file, group)[int(index.rows[place]) - int(self._stored.file(file).starts[group])]
            raise AssertionError("unreachable")

        with self._mutex:
            return self._reading(fetch)

    def get_many(self, shas: Sequence[str], detection: str | Sequence[str]) -> list[HandOrNot | None]:
        """Return the answers for photos in their order, None for those that were not looked at under these settings.

        `detection`: of all, or of each. Raises DamagedTable, OSError.
        """
        keys = keys_of(shas, detection)

        def fetch() -> list[HandOrNot | None]:
            answers: list[HandOrNot | None] = [None] * len(shas)
            index = self._stored.index
            places = index.find(keys)
            known = np.flatnonzero(places >= 0)
            files, rows = index.files[places[known]], index.rows[places[known]]
            for file, group, which in self._stored.groups(files, rows):
                found = self._decoded(file, self._stored.read_rows(file, group, rows[which]))
                for row, answer in zip(known[which].tolist(), found, strict=True):
                    answers[row] = answer
            if self._fresh:
                for row, key in enumerate(keys.tolist()):
                    if key in self._fresh:
                        answers[row] = self._fresh[key].answer
            return answers

        with self._mutex:
            return self._reading(fetch)

    def put(
        self,
        sha256: str,
        detection: str,
        answer: HandOrNot,
        file: str | None = None,
        label: str | None = None,
        group: str | None = None,
    ) -> None:
        """Remember the answer for a photo, in place of an earlier one; `flush` writes it. `file`, `label`, `group`: if known."""
        with self._mutex:
            self._fresh[key_of(sha256, detection)] = Row(sha256, detection, answer, file, label, group)

    def flush(self) -> None:
        """Write what was put as one small file: from then on a kill does not cost it.

        Raises OSError, naming the table, when it cannot be written; nothing is forgotten then. Raises DamagedTable.
        """
        with self._mutex:
            if not self._fresh:
                return
            keys = np.frombuffer(b"".join(self._fresh), KEY_TYPE)
            newest = self._stored.parts[-1] if self._stored.parts else ""
            with naming(self.path):
                name = write_part(self.path, to_arrow(list(self._fresh.values())), keys, newest)
            try:
                self._stored = self._stored.with_part(name, keys)
                self._fresh.clear()
            except Replaced:  # another process has merged it already
                self._fresh.clear()
                self._reading(self._reload)

    def merge(self, images: Any | None = None, detections: Sequence[str] = ()) -> None:
        """Write what was put, and make one file of all rows, also of those that other processes wrote; their names are set.

        `images`: a pyarrow.Table with a row for each image of the dataset: file, label, group and sha256 (strings; sha256 null
        for an image that cannot be read), and if wanted box_key: what `Look.key` appends for a box, null for none. For
        each of `detections`, one after the other, the rows of the images then lie in the order of images, with their names; after
        them, without names and in the order of their keys, those that no image is of. Without `images`, rows stay as they lie, and new ones come last.
        A file that is so already is not touched. While another process holds the lock for a minute, nothing is done: the parts
        stay, and are merged another time. Raises DamagedTable; OSError, naming the table, when it cannot be written.
        """
        with self._mutex:
            self.flush()
            try:
                for _ in range(MERGES):
                    try:
                        return self._merge(images, detections)
                    except Replaced:
                        self._reload()
            except Damage as damage:
                self._without(damage)

    def save(self) -> None:
        """Write what was put, and make one file of all rows, as `merge` does without images."""
        self.merge()

    def _merge(self, images: Any | None, detections: Sequence[str]) -> None:
        def chunks() -> Iterator[merging.Chunk]:
            if images is None:
                return merging.as_they_lie(self._stored)
            return merging.by_images(self._stored, images, detections)

        def is_done() -> bool:
            stored = self._stored
            if part_names(self.path) or stored.parts:
                return False
            if images is None or not len(stored.index):
                return True
            return stored.main is not None and stored.main.rows_digest == merging.digest_of(chunks())

        self._reload()
        done = is_done()
        if done and not parts_folder(self.path).exists():
            return
        try:
            with naming(self.path), locked(self.path) as ours:
                if not ours:
                    return
                before = self._stored
                self._reload()
                if self._stored is not before:
                    done = is_done()
                if done:
                    remove_parts(self.path, [])
                else:
                    self._stored = merging.write_merged(self._stored, chunks())
                    self._kept.clear()
        except OSError:
            if not done:  # else only what a kill left could not be removed
                raise

    def _answers(self, file: int, group: int) -> list[HandOrNot]:
        """Return the answers of a row group, which are kept for a while."""
        if (file, group) not in self._kept:
            self._kept[file, group] = self._decoded(file, self._stored.read(file, group))
            if len(self._kept) > KEPT_GROUPS:
                self._kept.popitem(last=False)
        self._kept.move_to_end((file, group))
        return self._kept[file, group]

    def _decoded(self, file: int, rows: Any) -> list[HandOrNot]:
        try:
            return answers_of(rows)
        except ValueError as error:
            damaged = self._stored.file(file)
            raise Damage(damaged.path, damaged.identity, str(error)) from error

    def _reading(self, fetch: Callable[[], T]) -> T:
        """Return what `fetch` reads, from the files as they lie now if another process merged them meanwhile."""
        try:
            for _ in range(MERGES):
                try:
                    return fetch()
                except Replaced:
                    self._reload()
        except Damage as damage:
            self._without(damage)
        raise OSError(f"{self.path} is being written all the time")

    def _reload(self) -> None:
        """See what other processes wrote. Raises Damage, OSError."""
        before, self._stored = self._stored, Stored.load(self.path, self._stored)
        if self._stored.files[: len(before.files)] != before.files:
            self._kept.clear()

    def _load(self) -> None:
        """See what lies there; what is damaged is set aside."""
        self._kept.clear()
        self._stored = Stored(self.path)
        for _ in range(MERGES):
            try:
                self._stored = Stored.load(self.path)
                return
            except Damage as damage:
                with naming(self.path):
                    set_aside(self.path, damage.path, damage.identity)
        raise OSError(f"{self.path} is being written all the time")

    def _without(self, damage: Damage) -> NoReturn:
        with naming(self.path):
            aside = set_aside(self.path, damage.path, damage.identity)
        self._load()
        where = f" and is set aside as {aside.name}" if aside else ""
        raise DamagedTable(
            f"{damage.path} was damaged{where}: run the same again, which looks for its hands again."
        ) from damage


def read_batches(path: Path, columns: Sequence[str] | None = None, batch_rows: int = 10_000) -> Iterator[Any]:
    """Yield the rows of the table at `path`, merged or not, as pyarrow.RecordBatches of at most `batch_rows` rows.

    `columns`: names out of `rows.SCHEMA`, all by default; file, label and group are null in tables that lack them. Rows come in
    the order in which `merge` without images leaves them; some 10,000 are in memory at once. Nothing is changed on disk. Raises
    DatasetError for a file that is missing, no table of landmarks, or damaged, at the first batch or when it gets there.
    """
    wanted = SCHEMA.names if columns is None else list(columns)
    for _ in range(MERGES):
        begun = False
        try:
            for batch in _batches(path, wanted, batch_rows):
                begun = True
                yield batch
            return
        except Replaced as error:
            if begun:
                raise DatasetError(f"{path} was changed while it was read: run the same again.") from error
        except Damage as damage:
            raise DatasetError(
                f"{damage.path} is no table of landmarks, or a damaged one ({damage.reason}): "
                "make it anew with gesture-maker landmarks."
            ) from damage
    raise DatasetError(f"{path} is being written all the time: run the same again when that has ended.")


def _batches(path: Path, columns: Sequence[str], batch_rows: int) -> Iterator[Any]:
    if not path.is_file() and not part_names(path):
        raise DatasetError(f"There is no file {path}: make it with gesture-maker landmarks.")
    if not part_names(path):  # then there is no need to know which rows are replaced, which takes 2 s for a million
        yield from TableFile.open(path).batches(columns, batch_rows)
        return
    stored = Stored.load(path)
    for chunk in merging.as_they_lie(stored):
        yield from merging.taken(stored, chunk, columns).to_batches(batch_rows)
