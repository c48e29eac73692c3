"""Which photos lie in the dataset's folders, kept up to date by looking at what changed only.

Folders tell by their time of change that something in them changed, and so does the manifest. Nothing else is remembered of them, so that
commands and people may change whatever they like meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from gesture_maker.dataset.adding import knows
from gesture_maker.dataset.folder import check_is_folder, label_order
from gesture_maker.dataset.formats.class_folders import class_content, natural_key, top_level
from gesture_maker.dataset.formats.tree import Tree
from gesture_maker.dataset.manifest import MANIFEST_NAME, ManifestRow, read_manifest
from gesture_maker.dataset.names import NONE

SETTLED_NS = 2_000_000_000
"""A folder that changed so shortly before it was listed is listed again: memory cards count time in steps of 2 s."""

RELIST_NS = 30_000_000_000
"""Folders are listed so often in any case: a file that is written over, which no command does, changes nothing in its folder's time.
It takes 25 ms for 10,000 photos."""

Stamp = tuple[int, int]


@dataclass(eq=False)
class Photo:
    """A photo of the dataset. `file`: `label/name.jpg`; `stamp`: when it was written (ns) and its size.

    `sha256`: of its bytes, empty until known; `problem`: why it cannot be read, else empty; `group` and `added` as in the manifest.
    """

    file: str
    label: str
    stamp: Stamp
    order: str
    sha256: str = ""
    group: str = ""
    added: str = ""
    problem: str = ""

    @property
    def modified(self) -> float:
        """When the file was written, in seconds since 1970."""
        return self.stamp[0] / 1e9


@dataclass
class _Folder:
    name: str
    label: str
    modified: int = 0
    listed: int = 0
    photos: dict[str, Photo] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        return self.listed - self.modified > SETTLED_NS


class Index:
    """The photos of the dataset at `root`. Not for threads at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, _Folder] = {}
        self._rows: dict[str, ManifestRow] = {}
        self._manifest: Stamp = (0, 0)
        self._newest: dict[str, list[Photo]] = {}
        self._by_sha: dict[str, Photo] | None = None

    def refresh(self, unsaved: Iterable[ManifestRow] = ()) -> bool:
        """See what changed on disk; return whether anything did. `unsaved`: rows that the manifest will get.

        Raises DatasetError for a folder that cannot be used as a dataset, OSError for one that cannot be read.
        """
        if not self.root.exists():
            changed = bool(self._folders)
            self._folders.clear()
            self._rows, self._manifest = {}, (0, 0)
            self.touch()
            return changed
        check_is_folder(self.root)
        manifest = _stamp_of(self.root / MANIFEST_NAME)
        reread = manifest != self._manifest
        if reread:
            self._rows, self._manifest = read_manifest(self.root), manifest
        changed = self._relist()
        if changed or reread:
            rows = {row.file: row for row in unsaved}
            for photo in self.photos():
                self._inform(photo, rows.get(photo.file) or self._rows.get(photo.file))
            self.touch()
        return changed or reread

    def labels(self) -> list[str]:
        """Return the classes, `none` first although it has no folder."""
        return sorted({NONE, *(folder.label for folder in self._folders.values())}, key=label_order)

    def has_class(self, label: str) -> bool:
        """Tell whether there is a folder of this class."""
        return any(folder.label == label for folder in self._folders.values())

    def photos(self) -> Iterator[Photo]:
        """Yield all photos."""
        for folder in self._folders.values():
            yield from folder.photos.values()

    def newest(self, label: str) -> list[Photo]:
        """Return the photos of a class, newest first."""
        if not self._newest:
            for photo in sorted(self.photos(), key=lambda photo: (photo.added, photo.order), reverse=True):
                self._newest.setdefault(photo.label, []).append(photo)
        return self._newest.get(label, [])

    def photo(self, file: str) -> Photo | None:
        """Return the photo called `label/name.jpg`, None when there is none."""
        folder, _, name = file.partition("/")
        return self._folders[folder].photos.get(name) if folder in self._folders else None

    def of_bytes(self, sha256: str) -> Photo | None:
        """Return a photo with these bytes, None when none is known."""
        if self._by_sha is None:
            self._by_sha = {photo.sha256: photo for photo in self.photos() if photo.sha256}
        return self._by_sha.get(sha256)

    def insert(self, row: ManifestRow) -> None:
        """Take in a photo that has just been written, without looking at the folder."""
        folder, _, name = row.file.partition("/")
        photo = Photo(row.file, row.label, _stamp_of(self.root / row.file), natural_key(name))
        self._inform(photo, row)
        self._folders.setdefault(folder, _Folder(folder, row.label)).photos[name] = photo
        if self._newest:
            self._newest.setdefault(row.label, []).insert(0, photo)
        if self._by_sha is not None:
            self._by_sha[row.sha256] = photo

    def touch(self) -> None:
        """Forget what was computed from the photos."""
        self._newest, self._by_sha = {}, None

    def _relist(self) -> bool:
        tree = Tree(self.root)
        labels = {name: label for label, names in top_level(tree).folders.items() for name in names}
        changed = labels != {folder.name: folder.label for folder in self._folders.values()}
        self._folders = {name: self._folders.get(name) or _Folder(name, label) for name, label in labels.items()}
        for folder in self._folders.values():
            now, modified = time.time_ns(), _stamp_of(self.root / folder.name)[0]
            if modified == folder.modified and folder.is_settled and now - folder.listed < RELIST_NS:
                continue
            before, photos = folder.photos, {}
            for name in class_content(tree, folder.name).images:
                stamp = _stamp_of(self.root / folder.name / name)
                known = before.get(name)
                if known is None or known.stamp != stamp:
                    known = Photo(f"{folder.name}/{name}", folder.label, stamp, natural_key(name))
                photos[name] = known
            changed = (
                changed or before.keys() != photos.keys() or any(photos[name] is not before[name] for name in before)
            )
            folder.photos, folder.modified, folder.listed = photos, modified, now
        return changed

    @staticmethod
    def _inform(photo: Photo, row: ManifestRow | None) -> None:
        photo.group = row.group if row else ""
        photo.added = row.added if row and row.added else _time(photo.modified)
        if row and not photo.sha256 and knows(row, photo.modified):
            photo.sha256 = row.sha256


def _stamp_of(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
