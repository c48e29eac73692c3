"""Collecting clips: videos and folders of frames from anywhere into `<class>/<class>_000001.mp4`, byte for byte, and none twice.

A film is read to its end before it comes into the dataset, and each frame of a folder, so that what is damaged is told of now and
not when landmarks are looked for. What is there already is known by its content, so a run that was interrupted goes on where it
stopped when it is started again.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from gesture_maker.dataset.collecting import CollectResult
from gesture_maker.dataset.folder import check_is_folder
from gesture_maker.dataset.formats.class_folders import shown
from gesture_maker.dataset.manifest import ManifestRow
from gesture_maker.dataset.names import normalize_label
from gesture_maker.dataset.sources import Skipped
from gesture_maker.errors import DatasetError, SourceError, UnreadableImage
from gesture_maker.files import sha256_of_file
from gesture_maker.images import read_image
from gesture_maker.motion.clip_writer import ClipWriter, NewFrame
from gesture_maker.motion.clips import (
    FEWEST_FRAMES,
    TOO_FEW,
    Clip,
    as_motion,
    motion_order,
    read_frames,
    sha256_of_frames,
)
from gesture_maker.motion.collect_sources import CLIP_FRAMES, FoundClip, Item, pieces, planned_clips
from gesture_maker.motion.fetching import PREFIX, Fetched, clean_up, fetch, is_kaggle
from gesture_maker.progress import Progress
from gesture_maker.recognition.capturing import UNDONE


def collect_clips(
    sources: Iterable[str | Path] | str | Path,
    dataset: str | Path,
    label: str | None = None,
    *,
    group: str = "",
    clip_frames: int = CLIP_FRAMES,
    cleanup: bool = False,
    progress: Progress | None = None,
) -> CollectResult:
    """Copy the clips of the sources into a motion dataset and return what was added, there already, and skipped and why.

    A source is a video or a folder of frames (which needs `label`), a folder of clips, a folder of classes of clips, a zip of
    these, or LeapGestRecog, whose sequences are cut into clips of `clip_frames` or a few more; `kaggle:OWNER/NAME` is fetched
    first, and with `cleanup` removed from kagglehub's cache at the end. `group`: who makes the gestures,
    where no manifest of a source knows. `progress` (done, total) counts clips, those in the dataset that are learned too.

    Raises SourceError, LabelError, DatasetError or ConfigError for input that cannot be used, before anything is copied.
    Interrupted and called again, it goes on where it stopped.
    """
    root = Path(dataset)
    wanted = None if label is None else normalize_label(label)
    check_place(root)
    given = [sources] if isinstance(sources, (str, Path)) else list(sources)
    fetched = {source: fetch(str(source)) for source in given if is_kaggle(source)}
    paths = [fetched[source].path if source in fetched else Path(source) for source in given]
    with planned_clips(paths, root, wanted, group.strip(), clip_frames) as plan:
        collector = ClipCollector(root, progress, len(plan.clips))
        with collector.under_way():
            for clip in plan.clips:
                collector.take(replace(clip, source=_called(clip.source, fetched.values())))
    if cleanup:
        for one in fetched.values():
            clean_up(one)
    result = collector.result(plan.skipped)
    skipped = (Skipped(_called(one.name, fetched.values()), one.reason) for one in result.skipped)
    return replace(result, skipped=tuple(skipped))


def _called(name: str, fetched: Iterable[Fetched]) -> str:
    """Return a name with what was fetched called as it was asked for, not by where a cache has it."""
    for one in fetched:
        name = name.replace(shown(one.path).as_posix(), f"{PREFIX}{one.handle}")
    return name


def check_place(root: Path) -> None:
    """Raise DatasetError unless a motion dataset is or can be made there."""
    if root.exists():
        try:
            check_is_folder(root)
        except DatasetError as error:
            raise DatasetError(as_motion(str(error))) from error


class ClipCollector:
    """Clips on their way into a dataset, and what became of them. `to_come`: how many, for `progress`."""

    def __init__(self, root: Path, progress: Progress | None = None, to_come: int = 0) -> None:
        self.writer = ClipWriter(root)
        self.skipped: list[Skipped] = []
        self._added: Counter[str] = Counter()
        self._already: Counter[str] = Counter()
        self._progress, self._to_come, self._done = progress, to_come, 0

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Learn what the dataset has; at the end of the block, however it ends, the manifest is up to date."""

        def learned(done: int, there: int) -> None:
            self._done = done
            self._total = there + self._to_come
            self._report()

        self._total = self._to_come
        try:
            self.writer.learn(learned)
            yield
        finally:
            self.writer.save()

    def take(self, clip: FoundClip) -> None:
        """Copy a clip into the dataset, unless it is there or damaged."""
        try:
            if clip.is_film:
                self._take_film(clip)
            else:
                self._take_frames(clip)
        except UnreadableImage as problem:
            which = "" if clip.is_film else f"{PurePosixPath(problem.name).name}: "
            self.skipped.append(Skipped(clip.source, f"{which}{problem.reason}"))
        self.count()

    def take_recorded(self, film: Path, row: ManifestRow) -> str:
        """Move a film, which lies under a `temporary` name of the writer's, into the dataset and return its file there.

        Empty when it is damaged or has too few frames, and when the dataset has it already. `row` says the rest.
        """
        digest = sha256_of_file(film)
        if self._is_there(digest, row):
            return ""
        if reason := why_no_clip(film):
            self.skipped.append(Skipped(row.source, reason))
            return ""
        self._added[row.label] += 1
        return self.writer.add_film(film, replace(row, sha256=digest)).file

    def take_back(self, file: str) -> None:
        """Move a clip that was added out of the dataset, into its hidden folder `UNDONE`, where no step takes it for one."""
        row = self.writer.rows[file]
        place = self.writer.root / UNDONE / row.label
        place.mkdir(parents=True, exist_ok=True)
        name = PurePosixPath(file)
        target = place / f"{name.stem}-{row.sha256[:8]}{name.suffix}"
        with contextlib.suppress(FileNotFoundError):  # somebody has removed it meanwhile
            (self.writer.root / file).replace(target)
        self.writer.forget(file)
        self._added[row.label] -= 1
        self.skipped.append(
            Skipped(file, f"taken back, it is kept as {target.relative_to(self.writer.root).as_posix()}")
        )
        self.writer.save()

    def count(self) -> None:
        """Count one of the clips to come as dealt with."""
        self._done += 1
        self._report()
        self.writer.save_when_due()

    def result(self, also_skipped: Iterable[Skipped] = ()) -> CollectResult:
        """Return what was done."""
        totals = self.writer.totals
        order = sorted(totals, key=motion_order)
        return CollectResult(
            self.writer.root,
            {label: self._added[label] for label in order if self._added[label]},
            {label: self._already[label] for label in order if self._already[label]},
            {label: totals[label] for label in order},
            (*also_skipped, *self.skipped),
        )

    def _take_film(self, clip: FoundClip) -> None:
        row = ManifestRow("", clip.label, clip.source, clip.group)
        if self._is_there(_sha256_of(clip.items[0]), row):
            return
        with self.writer.temporary(clip.label, _suffix(clip.items[0])) as temporary:
            with temporary.open("xb") as copy:
                copy.writelines(pieces(clip.items[0]))
            self.take_recorded(temporary, row)

    def _take_frames(self, clip: FoundClip) -> None:
        digest = sha256_of_frames(map(_sha256_of, clip.items))
        row = ManifestRow("", clip.label, clip.source, clip.group, digest)
        if not self._is_there(digest, row):
            self.writer.add_frames(map(_new_frame, clip.items), row)
            self._added[clip.label] += 1

    def _is_there(self, digest: str, row: ManifestRow) -> bool:
        """Tell whether the dataset has the same clip, and count it or say that it is there as another class."""
        known = self.writer.row_of(digest)
        if known is None:
            return False
        if known.label != row.label:
            self.skipped.append(Skipped(row.source, f"the same clip is there as {known.label} ({known.file})"))
            return True
        self._already[row.label] += 1
        told = replace(known, source=known.source or row.source, group=known.group or row.group)
        if told != known:  # an interrupted run copied it but could not write where it came from
            self.writer.remember(told)
        return True

    def _report(self) -> None:
        if self._progress:
            self._progress(self._done, max(self._done, self._total))


def why_no_clip(film: Path) -> str:
    """Return what is wrong with a film, in a few words, having read it to its end; empty when it is a clip."""
    count = 0
    try:
        for _ in read_frames(Clip(film, "")):
            count += 1
    except SourceError as error:
        return str(error).removeprefix(f"{film} ").rstrip(".")
    return TOO_FEW if count < FEWEST_FRAMES else ""


def _sha256_of(item: Item) -> str:
    digest = hashlib.sha256()
    for piece in pieces(item):
        digest.update(piece)
    return digest.hexdigest()


def _new_frame(item: Item) -> NewFrame:
    """Return a frame of a folder, read and found whole. Raises UnreadableImage."""
    content = item.read()
    read_image(content, item.shown)
    return NewFrame(content, _suffix(item))


def _suffix(item: Item) -> str:
    """Return the suffix as the dataset writes it: in lower case, `.jpg` for `.jpeg`."""
    suffix = PurePosixPath(item.parts[-1]).suffix.lower()
    return ".jpg" if suffix == ".jpeg" else suffix
