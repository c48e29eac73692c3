"""The dataset as the studio sees it: the same folder that the commands use, in turn and at the same time.

What lies there is asked of the disk (`index.py`), what is known of the hands of the table of landmarks (`answers.py`). Photos go in as
`collect --camera` puts them in, never over another; what is deleted goes to the dataset's trash.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gesture_maker.dataset import trash
from gesture_maker.dataset.adding import DatasetWriter
from gesture_maker.dataset.folder import check_is_folder
from gesture_maker.dataset.manifest import ManifestRow
from gesture_maker.dataset.names import NONE, normalize_label
from gesture_maker.dataset.renaming import rename
from gesture_maker.errors import DatasetError, GestureMakerError, sentence_of
from gesture_maker.files import sha256_of
from gesture_maker.landmarks.hands import Hand, HandOrNot
from gesture_maker.studio.answers import Answers
from gesture_maker.studio.index import Index, Photo
from gesture_maker.studio.state import Studio

WATCH_SECONDS = 1.0  # between looks at the folders
TELL_SECONDS = 0.3  # between two events


class Collection:
    """The dataset of a studio. Threads share it."""

    def __init__(self, studio: Studio) -> None:
        self.root = studio.dataset
        self.answers = Answers(self.root)
        self.work = threading.Event()
        self._hub = studio.hub
        self._index = Index(self.root)
        self._mutex = threading.RLock()  # the index
        self._writing = threading.RLock()  # the writer and the manifest; taken before `_mutex`
        self._whole = threading.RLock()  # uploads and renaming: what takes long, and not at the same time; taken first
        self._writer = DatasetWriter(self.root)
        self._blocked = ""  # why the dataset cannot be used
        self._troubles: dict[str, str] = {}  # what goes wrong behind the scenes
        self._deleted: tuple[int, int] = (0, 0)
        self._changed = threading.Event()
        self._ending = threading.Event()
        self.refresh()
        self._changed.set()
        self._watching = threading.Thread(target=self._watch, name="watching the dataset", daemon=True)
        self._watching.start()
        studio.at_end(self.close)

    # What is there

    def dataset(self) -> dict[str, Any]:
        """Return the dataset and its classes for a page. Raises DatasetError when its folder cannot be used."""
        self.refresh()
        if self._blocked:
            raise DatasetError(self._blocked)
        return self._told()

    def photos(self, label: str, offset: int, limit: int) -> dict[str, Any]:
        """Return `limit` photos of a class from `offset` on, newest first, with their hands."""
        self.refresh()
        with self._mutex:
            every = self._index.newest(normalize_label(label))
            wanted = every[offset : offset + limit]
        shas = [photo.sha256 for photo in wanted]
        hands = self.answers.hands(shas)
        told = [
            {
                "file": photo.file,
                "group": photo.group,
                "added": photo.added,
                **self._state(photo),
                "hand": points_of(hand),
            }
            for photo, hand in zip(wanted, hands, strict=True)
        ]
        return {"total": len(every), "photos": told}

    def path_of(self, file: str) -> Path | None:
        """Return the path of a photo of the dataset, None for whatever else."""
        with self._mutex:
            photo = self._index.photo(file)
        if photo is None:
            self.refresh()
            with self._mutex:
                photo = self._index.photo(file)
        return None if photo is None else self.root / photo.file

    def refresh(self) -> None:
        """See what commands or people changed on disk."""
        blocked = ""
        with self._writing, self._mutex:
            try:
                changed = self._index.refresh(self._writer.unsaved)
            except (GestureMakerError, OSError) as error:
                blocked, changed = sentence_of(error), False
            if changed or blocked != self._blocked:
                self._blocked = blocked
                self.changed()

    def changed(self) -> None:
        """Have the pages told soon, and photos looked at."""
        self._changed.set()
        self.work.set()

    def trouble(self, who: str, error: GestureMakerError | OSError | None) -> None:
        """Have the pages told what goes wrong behind the scenes with somebody's work, or that it goes well again."""
        sentence = sentence_of(error) if error else ""
        if sentence != self._troubles.get(who, ""):
            self._troubles[who] = sentence
            self._changed.set()

    # Changing it

    def keep(self, label: str, group: str, source: str, jpeg: bytes, answer: HandOrNot) -> str | None:
        """Put a JPEG into a class and return its file, None when the dataset has it already. Raises DatasetError, OSError."""
        sha256 = sha256_of(jpeg)
        with self._writing:
            self._check()
            with self._mutex:
                same = self._index.of_bytes(sha256)
            if same is not None and (self.root / same.file).exists():
                return None
            with self._named(self.root / label):
                row = self._writer.add(jpeg, ManifestRow("", label, source, group, sha256), ".jpg")
            with self._mutex:
                self._index.insert(row)
        self.answers.put(sha256, answer)
        self.changed()
        return row.file

    def add_class(self, name: str) -> str:
        """Make the folder of a class and return its label. Raises LabelError, DatasetError, OSError."""
        label = normalize_label(name)
        with self._writing:
            self._check()
            self.refresh()
            if self._index.has_class(label) or label == NONE:
                raise DatasetError(f'There is a class "{label}" already: choose another name.')
            with self._named(self.root / label):
                (self.root / label).mkdir(parents=True)
            self.refresh()
        return label

    def rename_class(self, name: str, to: str) -> str:
        """Give a class another name and return it; its photos keep their groups. Raises LabelError, DatasetError, OSError."""
        old, new = normalize_label(name), normalize_label(to)
        with self.alone(), self._mutex:
            if old != new:
                rename(self.root, labels={old: new})
            self._writer = DatasetWriter(self.root)  # its numbers are others now
            self.refresh()
        return new

    def delete_class(self, name: str) -> trash.Deleted:
        """Move a class to the trash. Raises LabelError, DatasetError, OSError."""
        label = normalize_label(name)
        if label == NONE:
            raise DatasetError(f"The class {NONE} cannot be deleted: it is always there. Its photos can be deleted.")
        with self.alone():
            gone = trash.delete_class(self.root, label)
            self.refresh()
        return gone

    def delete_photos(self, files: list[str]) -> trash.Deleted:
        """Move photos to the trash. Raises DatasetError, OSError."""
        with self._writing:
            self._check()
            self._writer.save()
            known = [file for file in files if self.path_of(file) is not None]
            gone = trash.delete_photos(self.root, known)
            self.refresh()
        return gone

    def undo(self, deletion: str) -> list[str]:
        """Bring back what was deleted and return the photos. Raises DatasetError, OSError."""
        with self._writing:
            self._check()
            self._writer.save()
            back = trash.restore(self.root, deletion)
            self.refresh()
        return back

    def deleted(self) -> list[trash.Deleted]:
        """Return what can be brought back, newest first."""
        if not self.root.is_dir():
            return []
        with self._writing:
            return trash.deleted(self.root)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold off renaming, deleting and uploads of others, with all that is known of the photos on disk."""
        with self._whole, self._writing:
            self._check()
            self._writer.save()
            yield

    @contextlib.contextmanager
    def uploading(self) -> Iterator[None]:
        """Hold off renaming and other uploads, but no camera."""
        with self._whole:
            self._check()
            self.save()
            yield
        self.refresh()

    def save(self) -> None:
        """Write what is known onto the disk: the rows of the manifest and what was found in the photos. Raises OSError."""
        with self._writing:
            self._writer.save()
        self.answers.flush()

    def save_what_can_be(self) -> None:
        """Do as `save`; what goes wrong the pages are told, and it is tried again."""
        try:
            self.save()
        except (GestureMakerError, OSError) as error:
            self.trouble("manifest", error)

    def close(self) -> None:
        """Write everything, and end."""
        self._ending.set()
        self._changed.set()
        self._watching.join(5)
        with contextlib.suppress(GestureMakerError, OSError):
            self.save()
            self.answers.close()

    # Looking at photos, for `looking.py`

    def pending(self) -> list[Photo]:
        """Return the photos that were not looked at yet, newest first."""
        with self._mutex:
            every = [
                photo for photo in self._index.photos() if not photo.problem and not self.answers.of(photo.sha256)[0]
            ]
        return sorted(every, key=lambda photo: photo.added, reverse=True)

    def usable(self) -> list[Photo]:
        """Return the photos with a hand."""
        with self._mutex:
            return [photo for photo in self._index.photos() if self._state(photo)["state"] == "usable"]

    def learned(self, photo: Photo, sha256: str = "", problem: str = "") -> None:
        """Note the SHA-256 of a photo, or why it cannot be read."""
        with self._mutex:
            photo.sha256, photo.problem = sha256, problem
            self._index.touch()
        self._changed.set()

    # Inside

    def _check(self) -> None:
        if self.root.exists():
            check_is_folder(self.root)

    @staticmethod
    @contextlib.contextmanager
    def _named(place: Path) -> Iterator[None]:
        """Let errors name a place that the user knows."""
        try:
            yield
        except OSError as error:
            error.filename, error.filename2 = str(place), None
            raise

    def _state(self, photo: Photo) -> dict[str, Any]:
        looked, reason = self.answers.of(photo.sha256)
        if photo.problem or reason is not None:
            return {"state": "unusable", "reason": photo.problem or reason}
        return {"state": "usable" if looked else "pending", "reason": None}

    def _told(self) -> dict[str, Any]:
        with self._mutex:
            classes = [self._class(label) for label in self._index.labels()]
        path = self.root.absolute()
        problem = self._blocked or next(filter(None, self._troubles.values()), None)
        return {
            "name": path.name, "path": str(path), "classes": classes, "deleted": self._count_deleted(), "problem": problem,
        }  # fmt: skip

    def _class(self, label: str) -> dict[str, Any]:
        photos = self._index.newest(label)
        counts = {"usable": 0, "unusable": 0, "pending": 0}
        cover = None
        for photo in photos:
            state = self._state(photo)["state"]
            counts[state] += 1
            if cover is None and state == "usable":
                cover = photo.file
        if cover is None and photos:
            cover = photos[0].file
        groups = {photo.group for photo in photos if photo.group}
        return {"label": label, "photos": len(photos), **counts, "groups": len(groups), "cover": cover}

    def _count_deleted(self) -> int:
        try:
            modified = (self.root / trash.TRASH).stat().st_mtime_ns
        except OSError:
            return 0
        if modified != self._deleted[0]:
            count = sum(max(1, len(one.files)) for one in self.deleted())  # a class without photos can come back too
            self._deleted = (modified, count)
        return self._deleted[1]

    def _watch(self) -> None:
        looked = 0.0
        while not self._ending.is_set():
            told = self._changed.wait(WATCH_SECONDS)
            self._changed.clear()
            if time.monotonic() - looked > WATCH_SECONDS:
                self.refresh()
                self._save_when_due()
                looked = time.monotonic()
            if told:
                with contextlib.suppress(GestureMakerError, OSError):
                    self._hub.publish("dataset", self._told())
                self._ending.wait(TELL_SECONDS)

    def _save_when_due(self) -> None:
        try:
            with self._writing:
                if not self._writer.unsaved or self._writer.save_when_due():
                    self.trouble("manifest", None)
        except (GestureMakerError, OSError) as error:
            self.trouble("manifest", error)


def points_of(hand: Hand | None) -> list[list[float]] | None:
    """Return a hand's points for a page: [x, y] of each, as shares of the photo's width and height."""
    return None if hand is None else [[round(float(x), 4), round(float(y), 4)] for x, y in hand.landmarks[:, :2]]
