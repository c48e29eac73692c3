"""Images into a dataset: each under the next free number, none twice, and a row for each in the manifest.

An image is written to a hidden temporary file, then linked to the next free number, which fails when that number exists:
so two runs at once cannot overwrite each other's files, and a kill leaves no half image. What is in a dataset already
is known by the SHA-256 of its bytes.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from gesture_maker.dataset.formats.class_folders import read_class_folders
from gesture_maker.dataset.manifest import ManifestRow, now, read_manifest, update_manifest
from gesture_maker.errors import DatasetError
from gesture_maker.files import TEMPORARY_PREFIX, sha256_of_file

SAVE_SECONDS = 5.0  # between writings of the manifest, so that a kill loses little of where images came from
SAVE_SHARE = 0.05  # of the time may go into writing it: with a million rows, one writing takes seconds


class DatasetWriter:
    """A dataset that images are being added to. Its folder is made with the first image.

    `rows`: the manifest by file, as it will be written; `totals`: how many images each label has.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: dict[str, ManifestRow] = {}
        self.totals: Counter[str] = Counter()
        self._file_of: dict[str, str] = {}  # by SHA-256
        self._numbers: dict[str, int] = {}
        self._unsaved: list[ManifestRow] = []
        self._forgotten = False
        self._save_after = time.monotonic() + SAVE_SECONDS

    def learn(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Learn the hashes of the images that are there, from the manifest where it is not older than the file."""
        if not self.root.exists():
            return
        self.rows = read_manifest(self.root)
        found = read_class_folders(self.root).images
        self.totals.update(dict.fromkeys(found, 0))
        images = [(label, path) for label, paths in found.items() for path in paths]
        for done, (label, path) in enumerate(images, 1):
            file = f"{path.parent.name}/{path.name}"
            row = self.rows.get(file)
            if row is None or not knows(row, path.stat().st_mtime):
                digest = sha256_of_file(path)
                if row is None or row.sha256 != digest:
                    row = replace(row or ManifestRow(file, label), sha256=digest, added=now())
                    self.remember(row)
            self._file_of.setdefault(row.sha256, file)
            self.totals[label] += 1
            if progress:
                progress(done, len(images))
            self.save_when_due()

    def row_of(self, sha256: str) -> ManifestRow | None:
        """Return the row of the image with these bytes, None when there is none."""
        file = self._file_of.get(sha256)
        return None if file is None else self.rows[file]

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self._file_of

    def add(self, content: bytes, row: ManifestRow, suffix: str, durable: bool = False) -> ManifestRow:
        """Write an image into the folder of the row's label and return its row, which now has its `file` and `added`.

        `row.sha256` is that of `content`. With `durable` the bytes are on the disk itself before this returns.
        """
        label, folder = row.label, self.root / row.label
        if label not in self._numbers:
            self._numbers[label] = next_number(folder, label)
        path, number = place(content, folder, label, suffix, self._numbers[label], durable)
        self._numbers[label] = number + 1
        row = replace(row, file=f"{label}/{path.name}", added=now())
        self._file_of[row.sha256] = row.file
        self.totals[label] += 1
        self.remember(row)
        return row

    def remember(self, row: ManifestRow) -> None:
        """Have this row written with the next saving, in place of the one its file had."""
        self.rows[row.file] = row
        self._unsaved.append(row)

    def forget(self, file: str) -> None:
        """Have the row of a file that has been taken out of the dataset removed with the next saving."""
        row = self.rows.pop(file)
        if self._file_of.get(row.sha256) == file:
            del self._file_of[row.sha256]
        self.totals[row.label] -= 1
        self._unsaved = [one for one in self._unsaved if one.file != file]
        self._forgotten = True

    @property
    def unsaved(self) -> tuple[ManifestRow, ...]:
        """The rows that the manifest on disk does not have yet."""
        return tuple(self._unsaved)

    def save_when_due(self) -> bool:
        """Save when the last time is long enough ago; return whether it was."""
        due = time.monotonic() > self._save_after
        if due:
            self.save()
        return due

    def save(self) -> None:
        """Write the changed rows into the manifest."""
        begin = time.monotonic()
        if self._unsaved or self._forgotten:
            update_manifest(self.root, self._unsaved)  # drops the rows whose files are gone
            self._unsaved.clear()
            self._forgotten = False
        end = time.monotonic()
        self._save_after = end + max(SAVE_SECONDS, (end - begin) / SAVE_SHARE)


def next_number(folder: Path, label: str) -> int:
    """Return the number after the highest that an image or video `<label>_<number>.<ext>`, or a folder of frames, has there."""
    pattern = re.compile(re.escape(label) + r"_([0-9]{1,18})(\.[^.]+)?", re.IGNORECASE)
    try:
        with os.scandir(folder) as entries:
            numbers = [int(match.group(1)) for entry in entries if (match := pattern.fullmatch(entry.name))]
    except FileNotFoundError:
        numbers = []
    except NotADirectoryError:
        raise DatasetError(f"{folder} is a file, where the folder of the images of {label} belongs: move it.") from None
    return max(numbers, default=0) + 1


def place(
    content: bytes, folder: Path, label: str, suffix: str, number: int, durable: bool = False
) -> tuple[Path, int]:
    """Write an image under the first free number from `number` on, never over a file; return its path and number.

    With `durable` the bytes are on the disk itself, not in the system's memory, before this returns.
    """
    made = [new for new in (folder, folder.parent) if not new.exists()]
    temporary = folder / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        while True:
            target = folder / f"{label}_{number:06d}{suffix}"
            if take_name(temporary, target):
                return target, number
            number += 1
    except BaseException:
        temporary.unlink(missing_ok=True)
        for new in made:
            with contextlib.suppress(OSError):
                new.rmdir()  # only when empty: the first image of the class, or of all, has failed
        raise
    finally:
        temporary.unlink(missing_ok=True)


def take_name(temporary: Path, target: Path) -> bool:
    """Give a file its name unless that exists, in which case return False; its temporary name may go or stay."""
    try:
        os.link(temporary, target)  # unlike a rename, fails when the target exists
    except FileExistsError:
        return False
    except OSError:  # file systems of memory cards know no links: take the name first, then fill it
        try:
            target.open("xb").close()
        except FileExistsError:
            return False
        try:
            temporary.replace(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    return True


def knows(row: ManifestRow, modified: float) -> bool:
    """Tell whether a row knows the bytes of its file, which was written at `modified` (seconds since 1970)."""
    return bool(row.sha256) and modified <= _seconds(row.added)


def _seconds(added: str) -> float:
    """Return the end of the second that a row names, in seconds since 1970; 0 when it is no time."""
    try:
        return datetime.fromisoformat(added.replace("Z", "+00:00")).timestamp() + 1
    except ValueError:
        return 0.0
