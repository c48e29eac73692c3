"""What is known of the hands in a dataset's photos: its table of landmarks, and in memory whether each photo is usable.

It is the table that `train` reads, in its place, with its settings, so that a training finds what the studio found.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from gesture_maker.landmarks.hands import Hand, HandOrNot
from gesture_maker.landmarks.looking import Look
from gesture_maker.landmarks.parts import part_names, parts_folder
from gesture_maker.landmarks.table import DamagedTable, LandmarkTable, table_path

AT_ONCE = 2000  # photos whose answers are read together, 2 MB
MERGED_PARTS = 100  # small files, one for each `flush`, after which one is made of all: 0.3 s for 10,000 photos

Signature = tuple[int, int]

_UNKNOWN = "\0"  # no reason


class Answers:
    """The answers for the photos of the dataset at `root`, by the SHA-256 of their bytes. Threads may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mutex = threading.RLock()
        self._table: LandmarkTable | None = None
        self._seen: Signature = (0, 0)
        self._keys: dict[bool, str] = {}
        self._known: dict[str, str | None] = {}
        self._unwritten = False

    def of(self, sha256: str) -> tuple[bool, str | None]:
        """Return whether the photo is known to have been looked at, without reading, and why it is not usable (None: it is)."""
        reason = self._known.get(sha256, _UNKNOWN)
        return (False, None) if reason == _UNKNOWN else (True, reason)

    def learn(self, shas: Sequence[str]) -> bool:
        """Read which of these photos the table knows; return whether it knows any. Raises AssetError, OSError."""
        wanted = [sha for sha in shas if sha not in self._known]
        with self._mutex:
            if not wanted or (table := self._opened(look_again=True)) is None:
                return False
            key, found = self._key(False), False
            for start in range(0, len(wanted), AT_ONCE):
                part = wanted[start : start + AT_ONCE]
                for sha, answer in zip(part, self._read(table, part, key), strict=True):
                    if answer is not None:
                        self._known[sha] = None if isinstance(answer, Hand) else answer.reason
                        found = True
            return found

    def hands(self, shas: Sequence[str]) -> list[Hand | None]:
        """Return the hands of photos, None where none is found or known."""
        with self._mutex:
            table = self._opened()
            if table is None or not any(sha in self._known for sha in shas):
                return [None] * len(shas)
            answers = self._read(table, shas, self._key(False))
        return [answer if isinstance(answer, Hand) else None for answer in answers]

    def put(self, sha256: str, answer: HandOrNot, mirrored: bool = False) -> None:
        """Remember what was found in a photo; `flush` writes it."""
        with self._mutex:
            table = self._opened()
            if table is not None:
                table.put(sha256, self._key(mirrored), answer)
                self._unwritten = True
            if not mirrored:
                self._known[sha256] = None if isinstance(answer, Hand) else answer.reason

    def not_in_mirror(self, shas: Iterable[str]) -> list[str]:
        """Return those of the photos that were not looked at in a mirror yet."""
        with self._mutex:
            table = self._opened(look_again=True)
            return [sha for sha in shas if table is not None and not table.has(sha, self._key(True))]

    def flush(self) -> None:
        """Write what was put, if anything was. Raises OSError; nothing is forgotten then."""
        with self._mutex:
            if self._unwritten and self._table is not None and self._root.is_dir():
                self._guarded(self._table.flush)
                self._unwritten = False
                if len(part_names(self._table.path)) >= MERGED_PARTS:
                    self._guarded(self._table.merge)
                self._seen = self._signature(self._table.path)

    def close(self) -> None:
        """Write what was put, and make one file of all. Raises OSError."""
        with self._mutex:
            self.flush()
            if self._table is not None and self._root.is_dir():
                self._guarded(self._table.merge)

    def _opened(self, look_again: bool = False) -> LandmarkTable | None:
        """Return the table, None while there is no dataset. `look_again`: see what other processes have written since."""
        if not self._root.is_dir():
            return None
        path = table_path(self._root)
        signature = self._signature(path)
        if self._table is None or self._table.path != path or (look_again and signature != self._seen):
            self.flush()
            self._table, self._seen = LandmarkTable.open(path), signature
        return self._table

    def _read(self, table: LandmarkTable, shas: Sequence[str], key: str) -> list[HandOrNot | None]:
        try:
            return table.get_many(shas, key)
        except DamagedTable:  # it goes on without the damaged file, whose photos are looked at again
            self._known.clear()
            return table.get_many(shas, key)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except DamagedTable:
            self._known.clear()
            work()

    def _key(self, mirrored: bool) -> str:
        if mirrored not in self._keys:  # takes longer than a photo that is known
            self._keys[mirrored] = Look(mirrored=mirrored).key()
        return self._keys[mirrored]

    @staticmethod
    def _signature(path: Path) -> Signature:
        return (_modified(path), _modified(parts_folder(path)))


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
