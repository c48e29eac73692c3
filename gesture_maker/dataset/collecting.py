"""Collecting: images from anywhere into `<class>/<class>_000001.jpg`, byte for byte, and none twice.

What is in the dataset already is known by its bytes (`adding.py`), so a run that was interrupted goes on where it stopped when
it is started again.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from gesture_maker.dataset import videos
from gesture_maker.dataset.adding import DatasetWriter
from gesture_maker.dataset.folder import check_is_folder, label_order
from gesture_maker.dataset.formats.class_folders import shown
from gesture_maker.dataset.manifest import ManifestRow
from gesture_maker.dataset.names import normalize_label
from gesture_maker.dataset.sources import Candidate, Plan, Skipped, name_below, planned
from gesture_maker.errors import ConfigError, SourceError, UnreadableImage
from gesture_maker.files import sha256_of, sha256_of_file
from gesture_maker.images import read_image
from gesture_maker.progress import Progress

THREADS = 4  # decoding to see whether an image is whole is nearly all of the time, and Pillow does it without the GIL


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
    below: Path | None = None,
) -> CollectResult:
    """Copy the images of the sources into a dataset and return what was added, there already, and skipped and why.

    A source is an image or video file (which needs `label`), a folder of images, a folder of class folders, or a zip of
    these. Of a video, every `every`-th frame is taken. With `move`, image files are removed when their copy is safe.
    `below`: a folder that the sources are called relative to, in messages and in the manifest.

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
    with planned(paths, root, wanted, below) as plan:
        result = _Collector(root, plan, move, progress).run(every)
    return replace(result, skipped=tuple(Skipped(name_below(one.name, below), one.reason) for one in result.skipped))


def collect_planned(plan: Plan, root: Path, progress: Progress | None = None) -> CollectResult:
    """Copy what is planned into a dataset and return what was added, there already, and skipped and why, as `collect` does.

    Raises DatasetError when there is no dataset at `root` and none can be made.
    """
    if root.exists():
        check_is_folder(root)
    return _Collector(root, plan, False, progress).run(videos.EVERY)


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
        self.moved = 0
        self._progress = progress
        self._done = self._total = 0
        self._dataset = DatasetWriter(root)
        self._to_remove: list[tuple[Path, str]] = []

    def run(self, every: int) -> CollectResult:
        """Copy everything, and keep the manifest up to date whatever happens."""
        stills = [candidate for candidate in self.plan.candidates if not candidate.is_video]
        films = [candidate for candidate in self.plan.candidates if candidate.is_video]
        frames = {film: self._frames_in(film) for film in films}
        self._total = to_come = len(stills) + sum(-(-count // every) for count in frames.values())

        def learned(done: int, there: int) -> None:
            self._done, self._total = done, there + to_come
            self._report()

        try:
            self._dataset.learn(learned)
            for loaded in _loaded(stills, self._dataset):
                self._take(loaded)
            for film, count in frames.items():
                if count:
                    self._take_video(film, count, every)
        finally:
            self._save()
        totals = self._dataset.totals
        order = sorted(totals, key=label_order)
        return CollectResult(
            self.root,
            {label: self.added[label] for label in order if self.added[label]},
            {label: self.already[label] for label in order if self.already[label]},
            {label: totals[label] for label in order},
            tuple(self.skipped),
            self.moved,
        )

    def _take(self, loaded: _Loaded, group: str = "") -> None:
        candidate = loaded.candidate
        if loaded.problem is not None:
            self.skipped.append(Skipped(loaded.problem.name, loaded.problem.reason))
        elif (row := self._dataset.row_of(loaded.sha256)) is not None:
            self._meet_again(candidate, row, group)
        else:
            self._add(candidate, loaded, group)
        self._done += 1
        self._report()
        if self._dataset.save_when_due():
            self._remove_originals()

    def _meet_again(self, candidate: Candidate, row: ManifestRow, group: str) -> None:
        if row.label != candidate.label:
            self.skipped.append(Skipped(candidate.source, f"the same image is there as {row.label} ({row.file})"))
            return
        self.already[candidate.label] += 1
        known = replace(row, source=row.source or candidate.source, group=row.group or group or candidate.group)
        if known != row:  # an interrupted run copied it but could not write where it came from
            self._dataset.remember(known)
        if row.source == candidate.item.shown:
            self._remove_later(candidate, row.file)  # an interrupted --move copied this very file

    def _add(self, candidate: Candidate, loaded: _Loaded, group: str) -> None:
        suffix = ".jpg" if candidate.is_video else candidate.suffix
        row = ManifestRow("", candidate.label, candidate.source, group or candidate.group, loaded.sha256)
        row = self._dataset.add(loaded.content, row, suffix, durable=self.move)
        self.added[row.label] += 1
        self._remove_later(candidate, row.file)

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

    def _remove_later(self, candidate: Candidate, file: str) -> None:
        if self.move and candidate.path is not None and not candidate.is_video:
            self._to_remove.append((candidate.path, file))

    def _report(self) -> None:
        if self._progress:
            self._progress(self._done, max(self._done, self._total))

    def _save(self) -> None:
        self._dataset.save()
        self._remove_originals()

    def _remove_originals(self) -> None:
        """Remove the originals of what is safely there and written down."""
        while self._to_remove:
            original, file = self._to_remove[-1]
            known = self._dataset.rows[file].sha256
            if original.exists() and sha256_of_file(self.root / file) == known == sha256_of_file(original):
                _remove(original, self.root / file)
                self.moved += 1
            self._to_remove.pop()


def _remove(original: Path, copy: Path) -> None:
    try:
        original.unlink()
    except OSError as error:
        why = (error.strerror or "it cannot be removed").lower()
        raise SourceError(
            f"{shown(original)} cannot be removed ({why}), its copy is {shown(copy)}: collect without --move."
        ) from error


def _loaded(candidates: list[Candidate], known: Container[str]) -> Iterator[_Loaded]:
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


def _load(candidate: Candidate, known: Container[str]) -> _Loaded:
    try:
        content = candidate.item.read()
        digest = sha256_of(content)
        if digest not in known:  # what is there has been decoded before
            read_image(content, candidate.item.shown)
    except UnreadableImage as problem:
        return _Loaded(candidate, b"", "", problem)
    return _Loaded(candidate, content, digest)
