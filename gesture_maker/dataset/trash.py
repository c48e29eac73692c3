"""Deleting with a way back: photos, or a class with all that lies in its folder, wait in a hidden folder of the dataset.

    .deleted/20260131T120000000000-5f0c2a91/deleted.json            when, and what the manifest knew
    .deleted/20260131T120000000000-5f0c2a91/rock/rock_000007.jpg

What the manifest knew is written before the first photo goes. Where photos will come back to is written before the first one does, and
what the manifest knew is forgotten when it is in the manifest again. So a kill at any moment loses neither photos nor their
groups, and bringing back that was interrupted is finished by whoever looks next.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gesture_maker.dataset.adding import next_number, take_name
from gesture_maker.dataset.folder import check_is_folder
from gesture_maker.dataset.formats.class_folders import natural_key
from gesture_maker.dataset.manifest import ManifestRow, locked, now, read_manifest, write_manifest
from gesture_maker.dataset.names import normalize_label
from gesture_maker.errors import DatasetError, LabelError
from gesture_maker.files import TEMPORARY_PREFIX, write_json
from gesture_maker.images import is_image_name

TRASH = ".deleted"
"""Folder within a dataset: hidden, so that no step takes what lies there for images of it."""

_DESCRIPTION = "deleted.json"
_ID = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}")  # time to the microsecond, so that they sort


@dataclass(frozen=True)
class Deleted:
    """One deletion that can be undone.

    `label`: the class of the photos, None when they are of several; `whole`: the class itself went. `when`: ISO 8601, UTC. `files`:
    the photos as they were called.
    """

    id: str
    when: str
    label: str | None
    whole: bool
    files: tuple[str, ...]


@dataclass
class _Entry:
    """What is written down of a deletion. `rows`: of the manifest, by file; `going`: where what lies there comes back to;
    `renamed`: classes that have got other names since."""

    when: str
    label: str | None
    whole: bool
    rows: dict[str, ManifestRow]
    going: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    def write(self, place: Path) -> None:
        rows = [asdict(row) for row in self.rows.values()]
        write_json(place / _DESCRIPTION, {**asdict(self), "rows": rows})

    @classmethod
    def read(cls, place: Path) -> _Entry:
        """Return what is known of a deletion; nothing of one whose description is missing or damaged, whose photos come back all the same."""
        try:
            told: dict[str, Any] = json.loads((place / _DESCRIPTION).read_text(encoding="utf-8"))
            rows = [ManifestRow(**row) for row in told["rows"]]
            going = {str(old): str(new) for old, new in told["going"].items()}
            if not all(_is_file_of_class(name) for names in going.items() for name in names):
                raise ValueError(going)
            renamed = {str(old): normalize_label(new) for old, new in told["renamed"].items()}
            return cls(
                told["when"], told["label"], bool(told["whole"]), {row.file: row for row in rows}, going, renamed
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, LabelError):
            return cls("", None, False, {})


def delete_photos(root: Path, files: Iterable[str]) -> Deleted:
    """Take photos (`label/name.jpg`) out of the dataset and return what `restore` brings back. Raises DatasetError, OSError.

    Photos that are gone already are passed over; with an error, all are where they were.
    """
    check_is_folder(root)
    with locked(root):
        there = [file for file in dict.fromkeys(files) if _is_file_of_class(file) and (root / file).is_file()]
        if not there:
            raise DatasetError("These photos are not in the dataset any more: nothing was deleted.")
        labels = {_label_of(file.partition("/")[0]) for file in there}
        there.sort(key=natural_key)
        return _take_out(root, there, there, labels.pop() if len(labels) == 1 else None, whole=False)


def delete_class(root: Path, label: str) -> Deleted:
    """Take a class with all that lies in its folder out of the dataset, as `delete_photos` does with photos."""
    check_is_folder(root)
    with locked(root):
        folders = sorted(path.name for path in root.iterdir() if path.is_dir() and _label_of(path.name) == label)
        if not folders:
            raise DatasetError(f'There is no class "{label}" in {root}: nothing was deleted.')
        photos = [f"{folder}/{name}" for folder in folders for name in _names_in(root / folder) if is_image_name(name)]
        return _take_out(root, folders, photos, label, whole=True)


def deleted(root: Path) -> list[Deleted]:
    """Return the deletions that can be undone, newest first. Bringing back that was interrupted is finished first."""
    found = []
    for place in _places(root):
        entry = _Entry.read(place)
        if entry.going or not _holds(place, entry):
            with locked(root):  # who deletes or brings back at this moment has ended then
                entry = _Entry.read(place)
                if entry.going:
                    _bring_back(root, place)
                elif not _holds(place, entry):
                    _forget(place)  # killed before the first photo went
        if place.is_dir():
            files = tuple(file for file in _held(place) if is_image_name(file))
            label = entry.renamed.get(entry.label or "", entry.label)
            found.append(Deleted(place.name, entry.when, label, entry.whole, files))
    return sorted(found, key=lambda one: one.id, reverse=True)


def restore(root: Path, deletion: str) -> list[str]:
    """Bring back what was deleted and return the photos, as they are called now. `deletion`: its `Deleted.id`.

    They get their old names, or new numbers where these are taken, and their rows in the manifest. Raises DatasetError when it was
    brought back already.
    """
    place = root / TRASH / deletion
    if _ID.fullmatch(deletion) is None or not place.is_dir():
        raise DatasetError("This has been brought back already, or its folder was removed.")
    check_is_folder(root)
    with locked(root):
        return _bring_back(root, place)


def follow(root: Path, labels: Mapping[str, str]) -> None:
    """Have photos come back into a class that got another name, {old: new}; a class that was deleted keeps its own.

    For who renames, and holds the dataset's lock.
    """
    for place in _places(root):
        entry = _Entry.read(place)
        if entry.whole or not entry.when:
            continue
        for folder in (path.name for path in place.iterdir() if path.is_dir()):
            label = _label_of(folder) or folder
            now_called = entry.renamed.get(label, label)
            if now_called in labels:
                entry.renamed[label] = labels[now_called]
        entry.write(place)


def _take_out(root: Path, moving: Sequence[str], photos: Sequence[str], label: str | None, whole: bool) -> Deleted:
    manifest = read_manifest(root)
    entry = _Entry(now(), label, whole, {file: manifest[file] for file in photos if file in manifest})
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f")
    place = root / TRASH / f"{stamp}-{secrets.token_hex(4)}"
    gone: list[str] = []
    try:
        entry.write(place)
        for name in moving:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # somebody has removed it meanwhile
                (root / name).rename(place / name)
                gone.append(name)
    except BaseException:
        for name in gone:
            if not (root / name).exists():
                (place / name).rename(root / name)
        if not _held(place):
            _forget(place)
        raise
    if entry.rows:
        with contextlib.suppress(OSError):  # rows without their files mean nothing
            write_manifest(root, manifest.values())
    return Deleted(place.name, entry.when, label, whole, tuple(photos))


def _bring_back(root: Path, place: Path) -> list[str]:
    if not place.is_dir():
        return []
    entry = _Entry.read(place)
    names = _Names(root, entry.going, entry.renamed)
    for folder in (path for path in place.iterdir() if path.is_dir()):
        (root / names.folder_of(folder.name)).mkdir(exist_ok=True)  # an empty class comes back too
    for file in _held(place):
        if file not in entry.going:
            entry.going[file] = names.free_for(file)
    entry.write(place)
    for old in [*entry.going]:
        if not (place / old).exists():
            continue  # an interrupted bringing back has moved it
        while not _moved(place / old, root / entry.going[old]):
            entry.going[old] = names.free_for(old)  # somebody took the name meanwhile
            entry.write(place)
    rows = read_manifest(root)
    for old, new in entry.going.items():
        if (row := entry.rows.get(old)) is not None:
            rows[new] = replace(row, file=new, label=entry.renamed.get(row.label, row.label))
    if entry.rows:
        write_manifest(root, rows.values())
    _forget(place)
    return [new for new in entry.going.values() if is_image_name(new)]


class _Names:
    """Names in a dataset that are free, and promised to nobody."""

    def __init__(self, root: Path, promised: dict[str, str], renamed: dict[str, str]) -> None:
        self._root, self._renamed = root, renamed
        self._promised = set(promised.values())
        self._numbers: dict[str, int] = {}

    def folder_of(self, was: str) -> str:
        """Return the folder for what lay in a folder."""
        return self._renamed.get(_label_of(was) or was, was)

    def free_for(self, file: str) -> str:
        """Return a file's own name, or one like it."""
        was, _, name = file.partition("/")
        folder = self.folder_of(was)
        label, path = _label_of(folder) or folder, Path(name)
        ours = is_image_name(name)
        if (folder == was or not ours) and self._take(f"{folder}/{name}"):
            return f"{folder}/{name}"
        number = self._numbers.setdefault(folder, next_number(self._root / folder, label))
        while True:
            new = f"{label}_{number:06d}{path.suffix.lower()}" if ours else f"{path.stem}-{number}{path.suffix}"
            number += 1
            self._numbers[folder] = number
            if self._take(f"{folder}/{new}"):
                return f"{folder}/{new}"

    def _take(self, file: str) -> bool:
        """Promise a name if it is free."""
        free = file not in self._promised and not (self._root / file).exists()
        self._promised.add(file)
        return free


def _moved(old: Path, new: Path) -> bool:
    """Give a file or folder its name unless that exists, in which case return False."""
    if old.is_dir():
        if new.exists():
            return False
        old.rename(new)
        return True
    if not (new.exists() and new.samefile(old)) and not take_name(old, new):
        return False
    old.unlink(missing_ok=True)  # last: a kill before leaves one file with two names
    return True


def _places(root: Path) -> list[Path]:
    try:
        return [path for path in (root / TRASH).iterdir() if _ID.fullmatch(path.name) and path.is_dir()]
    except OSError:
        return []


def _holds(place: Path, entry: _Entry) -> bool:
    """Tell whether there is anything to bring back; of a class that is its folder, though it be empty."""
    return bool(_held(place)) or (entry.whole and any(path.is_dir() for path in place.glob("*")))


def _held(place: Path) -> list[str]:
    """Return what of a deletion lies in its folder, as it was called; nothing when that is gone."""
    with contextlib.suppress(FileNotFoundError):
        folders = sorted((path.name for path in place.iterdir() if path.is_dir()), key=natural_key)
        return [f"{folder}/{name}" for folder in folders for name in _names_in(place / folder)]
    return []


def _names_in(folder: Path) -> list[str]:
    names = (path.name for path in folder.iterdir() if not path.name.startswith(TEMPORARY_PREFIX))
    return sorted(names, key=natural_key)


def _forget(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    with contextlib.suppress(OSError):
        place.parent.rmdir()  # only when empty


def _label_of(folder: str) -> str | None:
    try:
        return normalize_label(folder)
    except LabelError:
        return None


def _is_file_of_class(file: str) -> bool:
    """Tell whether this is a name such as `rock/rock_000001.jpg`, and no way out of the dataset."""
    parts = file.split("/")
    return len(parts) == 2 and not any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts)
