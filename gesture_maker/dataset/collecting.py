"""Collecting: images from anywhere into `<class>/<class>_000001.jpg`, byte for byte, and none twice.

An image is copied to a hidden temporary file, then linked to the next free number, which fails when that number exists:
so two runs at once cannot overwrite each other's files, and a kill leaves no half image. What is in a dataset already
is known by the SHA-256 of its bytes; a run that was interrupted therefore goes on where it stopped when it is started
again.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from gesture_maker.dataset import videos
from gesture_maker.dataset.folder import check_is_folder, label_order
from gesture_maker.dataset.formats.class_folders import read_class_folders, shown
from gesture_maker.dataset.manifest import ManifestRow, now, read_manifest, update_manifest
from gesture_maker.dataset.names import normalize_label
from gesture_maker.dataset.sources import Candidate, Plan, Skipped, planned
from gesture_maker.errors import ConfigError, DatasetError, SourceError, UnreadableImage
from gesture_maker.files import TEMPORARY_PREFIX, sha256_of, sha256_of_file
from gesture_maker.images import read_image

Progress = Callable[[int, int], None]

THREADS = 4  # decoding to see whether an image is whole is nearly all of the time, and Pillow does it without the GIL
SAVE_SECONDS = 5.0  # between writings of the manifest, so that a kill loses little of where images came from
SAVE_SHARE = 0.05  # of the time may go into writing it: with a million rows, one writing takes seconds


@dataclass(frozen=True)
class CollectResult:
    """What a collect did: per label how many images it added, found there already, and how many there are now."""

    dataset: Path
    added: dict[str, int]
    already: dict[str, int]
    totals: dict[str, int]
    skipped: tuple[Skipped, ...]
    moved: int = 0


def collect(
    sources: Iterable[str | Path] | str | Path,
    dataset: str | Path,
    label: str | None = None,
    move: bool = False,
    every: int = videos.EVERY,
    progress: Progress | None = None,
) -> CollectResult:
    """Copy the images of the sources into a dataset and return what was added, there already, and skipped and why.

    A source is an image or video file (which needs `label`), a folder of images, a folder of class folders, or a zip of
    these. Of a video, every `every`-th frame is taken. With `move`, image files are removed when their copy is safe.

    Raises SourceError, LabelError, DatasetError or ConfigError for input that cannot be used, before anything is
    copied. Interrupted and called again, it goes on where it stopped.
    """
    root = Path(dataset)
    if every < 1:
        raise ConfigError(f"--every {every} is impossible: it counts frames from one image to the next, from 1 on.")
    wanted = None if label is None else normalize_label(label)
    if root.exists():
        check_is_folder(root)
    paths = [Path(sources)] if isinstance(sources, (str, Path)) else [Path(source) for source in sources]
    with planned(paths, root, wanted) as plan:
        collector = _Collector(root, plan, move, progress)
        return collector.run(every)


@dataclass(frozen=True)
class _Loaded:
    """A candidate with its bytes, or the reason why it is not used."""

    candidate: Candidate
    content: bytes
    sha256: str
    problem: UnreadableImage | None = None


class _Collector:
    """One collect under way."""

    def __init__(self, root: Path, plan: Plan, move: bool, progress: Progress | None) -> None:
        self.root, self.plan, self.move = root, plan, move
        self.skipped = list(plan.skipped)
        self.added: Counter[str] = Counter()
        self.already: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self.moved = 0
        self._progress = progress
        self._done = self._total = 0
        self._rows: dict[str, ManifestRow] = {}
        self._file_of: dict[str, str] = {}  # by SHA-256
        self._numbers: dict[str, int] = {}
        self._unsaved: list[ManifestRow] = []
        self._to_remove: list[tuple[Path, str]] = []
        self._save_after = time.monotonic() + SAVE_SECONDS

    def run(self, every: int) -> CollectResult:
        """Copy everything, and keep the manifest up to date whatever happens."""
        stills = [candidate for candidate in self.plan.candidates if not candidate.is_video]
        films = [candidate for candidate in self.plan.candidates if candidate.is_video]
        frames = {film: self._frames_in(film) for film in films}
        self._total = len(stills) + sum(-(-count // every) for count in frames.values())
        try:
            self._know_what_is_there()
            for loaded in _loaded(stills, self._file_of):
                self._take(loaded)
            for film, count in frames.items():
                if count:
                    self._take_video(film, count, every)
        finally:
            self._save()
        order = sorted(self.totals, key=label_order)
        return CollectResult(
            self.root,
            {label: self.added[label] for label in order if self.added[label]},
            {label: self.already[label] for label in order if self.already[label]},
            {label: self.totals[label] for label in order},
            tuple(self.skipped),
            self.moved,
        )

    def _know_what_is_there(self) -> None:
        """Learn the hashes of the images in the dataset, from the manifest where it is not older than the file."""
        if not self.root.exists():
            return
        self._rows = read_manifest(self.root)
        found = read_class_folders(self.root).images
        self.totals.update(dict.fromkeys(found, 0))
        images = [(label, path) for label, paths in found.items() for path in paths]
        self._total += len(images)
        for label, path in images:
            file = f"{path.parent.name}/{path.name}"
            row = self._rows.get(file)
            if row is None or not row.sha256 or path.stat().st_mtime > _seconds(row.added):
                digest = sha256_of_file(path)
                if row is None or row.sha256 != digest:
                    row = replace(row or ManifestRow(file, label), sha256=digest, added=now())
                    self._remember(row)
            self._file_of.setdefault(row.sha256, file)
            self.totals[label] += 1
            self._step()

    def _take(self, loaded: _Loaded, group: str = "") -> None:
        candidate = loaded.candidate
        if loaded.problem is not None:
            self.skipped.append(Skipped(loaded.problem.name, loaded.problem.reason))
        elif loaded.sha256 in self._file_of:
            self._meet_again(candidate, loaded.sha256, group)
        else:
            self._add(candidate, loaded, group)
        self._step()

    def _meet_again(self, candidate: Candidate, sha256: str, group: str) -> None:
        file = self._file_of[sha256]
        row = self._rows[file]
        if row.label != candidate.label:
            self.skipped.append(Skipped(candidate.source, f"the same image is there as {row.label} ({file})"))
            return
        self.already[candidate.label] += 1
        known = replace(row, source=row.source or candidate.source, group=row.group or group or candidate.group)
        if known != row:  # an interrupted run copied it but could not write where it came from
            self._remember(known)
        if row.source == candidate.item.shown:
            self._remove_later(candidate, file)  # an interrupted --move copied this very file

    def _add(self, candidate: Candidate, loaded: _Loaded, group: str) -> None:
        label, suffix = candidate.label, ".jpg" if candidate.is_video else candidate.suffix
        folder = self.root / label
        if label not in self._numbers:
            self._numbers[label] = next_number(folder, label)
        path, number = place(loaded.content, folder, label, suffix, self._numbers[label], durable=self.move)
        self._numbers[label] = number + 1
        file = f"{label}/{path.name}"
        self._file_of[loaded.sha256] = file
        self.added[label] += 1
        self.totals[label] += 1
        self._remember(ManifestRow(file, label, candidate.source, group or candidate.group, loaded.sha256, now()))
        self._remove_later(candidate, file)

    def _frames_in(self, film: Candidate) -> int:
        assert film.path is not None  # videos in zips are not planned
        try:
            return max(1, videos.count_frames(film.path))
        except SourceError:
            self.skipped.append(Skipped(film.source, "not a video that can be read"))
            return 0

    def _take_video(self, film: Candidate, count: int, every: int) -> None:
        assert film.path is not None
        group = film.group or videos.video_group(film.path)
        number = 0
        for number, jpeg in videos.read_frames(film.path, every):
            frame = replace(film, source=f"{film.source}#frame={number}")
            self._take(_Loaded(frame, jpeg, sha256_of(jpeg)), group)
        if number + every < count * 0.9:  # headers are a little wrong, not by a tenth
            self.skipped.append(Skipped(film.source, f"the video broke off after {number + 1} of {count} frames"))

    def _remember(self, row: ManifestRow) -> None:
        self._rows[row.file] = row
        self._unsaved.append(row)

    def _remove_later(self, candidate: Candidate, file: str) -> None:
        if self.move and candidate.path is not None and not candidate.is_video:
            self._to_remove.append((candidate.path, file))

    def _step(self) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, max(self._done, self._total))
        if time.monotonic() > self._save_after:
            self._save()

    def _save(self) -> None:
        """Write the manifest, and then remove the originals of what is safely there and written down."""
        begin = time.monotonic()
        if self._unsaved:
            update_manifest(self.root, self._unsaved)
            self._unsaved.clear()
        while self._to_remove:
            original, file = self._to_remove[-1]
            if original.exists() and sha256_of_file(self.root / file) == self._rows[file].sha256 == sha256_of_file(
                original
            ):
                _remove(original, self.root / file)
                self.moved += 1
            self._to_remove.pop()
        end = time.monotonic()
        self._save_after = end + max(SAVE_SECONDS, (end - begin) / SAVE_SHARE)


def _remove(original: Path, copy: Path) -> None:
    try:
        original.unlink()
    except OSError as error:
        why = (error.strerror or "it cannot be removed").lower()
        raise SourceError(
            f"{shown(original)} cannot be removed ({why}), its copy is {shown(copy)}: collect without --move."
        ) from error


def next_number(folder: Path, label: str) -> int:
    """Return the number after the highest that an image `<label>_<number>.<ext>` in the folder has."""
    pattern = re.compile(re.escape(label) + r"_([0-9]{1,18})\.[^.]+", re.IGNORECASE)
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
            if _put(temporary, target):
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


def _put(temporary: Path, target: Path) -> bool:
    """Give the file its name unless that exists, in which case return False."""
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


def _loaded(candidates: list[Candidate], known: dict[str, str]) -> Iterator[_Loaded]:
    """Yield the candidates in order, read and found whole, a few ahead at a time so that memory stays bounded."""
    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))
    waiting: deque[Future[_Loaded]] = deque()
    try:
        for candidate in candidates:
            waiting.append(pool.submit(_load, candidate, known))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _load(candidate: Candidate, known: dict[str, str]) -> _Loaded:
    try:
        content = candidate.item.read()
        digest = sha256_of(content)
        if digest not in known:  # what is there has been decoded before
            read_image(content, candidate.item.shown)
    except UnreadableImage as problem:
        return _Loaded(candidate, b"", "", problem)
    return _Loaded(candidate, content, digest)


def _seconds(added: str) -> float:
    """Return the end of the second that a row names, in seconds since 1970; 0 when it is no time."""
    try:
        return datetime.fromisoformat(added.replace("Z", "+00:00")).timestamp() + 1
    except ValueError:
        return 0.0
