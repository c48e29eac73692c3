"""Clips into a motion dataset: each under the next free number, none twice, and a row for each in the manifest.

As for photos (`dataset/adding.py`): what is new is written under a hidden temporary name beside its place and then renamed to a
number that is free, so that a kill leaves no half clip and nothing is overwritten. Frames get names of our own, since those of a
zip are a stranger's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gesture_maker.dataset.adding import DatasetWriter, knows, next_number, take_name
from gesture_maker.dataset.manifest import ManifestRow, now, read_manifest
from gesture_maker.files import TEMPORARY_PREFIX
from gesture_maker.motion.clips import STILL, Clip, clip_sha256, clips_in, is_background

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)  # what renaming a folder fails with when the name has one


@dataclass(frozen=True)
class NewFrame:
    """A frame of a clip that is being added: its bytes and its suffix, such as `.png`."""

    content: bytes
    suffix: str


class ClipWriter(DatasetWriter):
    """A motion dataset that clips are being added to. Its folder is made with the first clip."""

    def learn(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Learn the hashes of the clips that are there, from the manifest where it is not older than the clip."""
        if not self.root.exists():
            return
        self.rows = read_manifest(self.root)
        found = clips_in(self.root)
        self.totals.update(dict.fromkeys(found.labels, 0))
        for done, clip in enumerate(found.clips, 1):
            row = self.rows.get(clip.file)
            if row is None or not knows(row, _modified(clip)):
                digest = clip_sha256(clip)
                if row is None or row.sha256 != digest:
                    row = replace(row or ManifestRow(clip.file, clip.label), sha256=digest, added=now())
                    self.remember(row)
            self._file_of.setdefault(row.sha256, clip.file)
            self.totals[clip.label] += 1
            if progress:
                progress(done, len(found.clips))
            self.save_when_due()

    @property
    def background(self) -> str:
        """The label of the background: the one that the dataset has already, or `still`."""
        return next((label for label in sorted(self.totals, reverse=True) if is_background(label)), STILL)

    @contextlib.contextmanager
    def temporary(self, label: str, suffix: str = "") -> Iterator[Path]:
        """Yield a hidden name in a class's folder; what is still there at the end is removed, as are folders left empty."""
        folder = self.root / label
        made = [new for new in (folder, self.root) if not new.exists()]
        path = folder / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{suffix}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            yield path
        except OSError as error:
            if error.filename is None or TEMPORARY_PREFIX in str(error.filename):
                error.filename = str(folder)  # temporary names say nothing to a user
            raise
        finally:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            for new in made:
                with contextlib.suppress(OSError):
                    new.rmdir()  # only when empty: the first clip of the class, or of all, has failed

    def add_film(self, film: Path, row: ManifestRow) -> ManifestRow:
        """Give a film under a `temporary` name its own and return its row, with `file` and `added`; `row.sha256` is the film's."""
        return self._added(row, film.suffix, lambda target: take_name(film, target))

    def add_frames(self, frames: Iterable[NewFrame], row: ManifestRow) -> ManifestRow:
        """Write frames as a folder and return its row, with `file` and `added`; `row.sha256` is that of the clip."""
        with self.temporary(row.label) as folder:
            folder.mkdir()
            for number, frame in enumerate(frames, 1):
                (folder / f"frame_{number:06d}{frame.suffix}").write_bytes(frame.content)
            return self._added(row, "", lambda target: _take_folder(folder, target))

    def _added(self, row: ManifestRow, suffix: str, take: Callable[[Path], bool]) -> ManifestRow:
        label, folder = row.label, self.root / row.label
        number = self._numbers.get(label) or next_number(folder, label)
        while not take(folder / f"{label}_{number:06d}{suffix}"):
            number += 1
        self._numbers[label] = number + 1
        row = replace(row, file=f"{label}/{label}_{number:06d}{suffix}", added=now())
        self._file_of[row.sha256] = row.file
        self.totals[label] += 1
        self.remember(row)
        return row


def _take_folder(temporary: Path, target: Path) -> bool:
    """Give a folder its name unless that exists, in which case return False."""
    if os.path.lexists(target):
        return False
    try:
        temporary.rename(target)
    except OSError as error:  # another collect was faster
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _modified(clip: Clip) -> float:
    """Return when a clip was written last, in seconds since 1970."""
    return max(path.stat().st_mtime for path in (clip.path, *clip.frames))
