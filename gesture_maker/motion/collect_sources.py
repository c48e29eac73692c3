"""What can be collected as clips: videos and folders of frames, folders of these, folders of classes of these, and zips of all.

Everything is looked at before anything is copied, as `dataset/sources.py` does for photos. How classes are read off the folders:

    wave.mp4, or a folder of frames            one clip, whose class --label says
    waves/*.mp4, waves/<clip>/*.png            one class: --label, or the name of the folder (or zip)
    swipes/left/*.mp4, swipes/right/<clip>/…   a class per folder; folders that only wrap these are passed through
    …/wave.zip/…                               as a folder of the zip's name

LeapGestRecog is known by its layout, and its sequences are cut into clips.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gesture_maker.dataset import archives
from gesture_maker.dataset.formats.class_folders import OUTSIDE, TOO_DEEP, is_passed_over, natural_key, shown
from gesture_maker.dataset.formats.leap_gest_recog import (
    LeapSequence,
    is_leap_frame,
    is_leap_gest_recog,
    leap_sequences,
)
from gesture_maker.dataset.formats.zips import class_of_zip, is_zip_name, wrapping
from gesture_maker.dataset.manifest import MANIFEST_NAME
from gesture_maker.dataset.names import RESERVED
from gesture_maker.dataset.sources import (
    DiskFile,
    Skipped,
    SourceManifest,
    check_apart,
    files_below,
    label_of_folder,
)
from gesture_maker.dataset.videos import is_video_name
from gesture_maker.errors import ConfigError, SourceError, UnreadableImage
from gesture_maker.images import is_image_name, not_an_image_reason
from gesture_maker.motion.clips import A_PHOTO, FEWEST_FRAMES, TOO_FEW

CLIP_FRAMES = 30
"""Frames of a clip that is cut from a sequence of LeapGestRecog: as many as the network looks at by default."""

BESIDE = "a photo beside clips, which are videos or folders of frames"

_PIECE = 1 << 20  # bytes read at a time

Item = DiskFile | archives.Member


@dataclass(frozen=True)
class FoundClip:
    """A clip that may come into the dataset: a film, or frames in order; where it lies, `parts`, below its source.

    `source` is what messages and the manifest call it.
    """

    items: tuple[Item, ...]
    is_film: bool
    parts: tuple[str, ...]
    source: str
    label: str = ""
    group: str = ""


@dataclass
class ClipPlan:
    """All that the sources hold, before anything is copied."""

    clips: list[FoundClip] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


@contextmanager
def planned_clips(
    sources: Iterable[Path], dataset: Path, label: str | None, group: str = "", clip_frames: int = CLIP_FRAMES
) -> Iterator[ClipPlan]:
    """Yield what the sources hold; zips stay open until the end of the block.

    `label` is normalised, or None to take it from the folders. `group`: of the clips whose group no manifest knows. Raises
    SourceError or LabelError for a source that cannot be used, before anything is copied, ConfigError for `clip_frames`.
    """
    if clip_frames < FEWEST_FRAMES:
        raise ConfigError(f"--clip-frames {clip_frames} is impossible: a clip has {FEWEST_FRAMES} frames or more.")
    plan = ClipPlan()
    with archives.opener() as opener:
        for source in sources:
            if not source.exists():
                raise SourceError(f"There is no {source}: check the path.")
            check_apart(source, dataset)
            before = len(plan.clips), len(plan.skipped)
            if is_leap_gest_recog(source):
                _add_leap(plan, source, dataset, label, clip_frames, opener)
            elif source.is_dir() or is_zip_name(source.name):
                _add_tree(plan, source, dataset, label, opener)
            else:
                _add_file(plan, source, label)
            if len(plan.clips) == before[0]:
                raise SourceError(_nothing_in(source, plan.skipped[before[1] :]))
        plan.clips[:] = [replace(clip, group=clip.group or group) for clip in plan.clips]
        yield plan


def pieces(item: Item) -> Iterator[bytes]:
    """Yield the bytes of a file or member, piece by piece. Raises UnreadableImage when it cannot be read."""
    if isinstance(item, archives.Member):
        yield from item.archive.pieces(item)
        return
    try:
        file = item.path.open("rb")
    except OSError as error:
        raise UnreadableImage(item.shown, (error.strerror or "it cannot be read").lower()) from error
    with file:
        while True:
            try:
                piece = file.read(_PIECE)
            except OSError as error:
                raise UnreadableImage(item.shown, (error.strerror or "it cannot be read").lower()) from error
            if not piece:
                return
            yield piece


def dealt(count: int, size: int) -> list[range]:
    """Return how `count` frames are dealt to clips of `size` frames or more, all but equal; one clip when there are fewer.

    No clip is shorter than `size`, because the network could not look at it as a whole: 200 frames are 6 clips of 33 or 34.
    """
    clips = max(1, count // size)
    ends = [count * number // clips for number in range(clips + 1)]
    return [range(begin, end) for begin, end in itertools.pairwise(ends)]


def _add_file(plan: ClipPlan, source: Path, label: str | None) -> None:
    item = DiskFile((source.name,), source)
    if not is_video_name(source.name):
        plan.skipped.append(Skipped(item.shown, _why_not(source.name)))
        return
    plan.clips.append(FoundClip((item,), True, item.parts, item.shown, _said(label, source)))


def _add_tree(plan: ClipPlan, source: Path, dataset: Path, label: str | None, opener: archives.Opener) -> None:
    items, skipped, name = _items_of(source, dataset, opener)
    clips = _clips_among(items, shown(source).as_posix(), opener, skipped, 0 if source.is_dir() else 1)
    plan.skipped += skipped
    manifest = _manifest_of(source, items)
    if manifest.problem:
        plan.skipped.append(manifest.problem)
    depth = wrapping({clip.parts[:-1] for clip in clips if clip.parts})
    inner = [clip.parts[min(depth, max(0, len(clip.parts) - 1)) :] for clip in clips]
    folders = sorted({parts[:-1] for parts in inner if len(parts) > 1})
    if label is not None and len(folders) > 1:
        names = ", ".join("/".join(folder) for folder in folders[:3]) + (", ..." if len(folders) > 3 else "")
        raise SourceError(
            f"{source} has several folders of clips ({names}), which --label {label} would mix: "
            "leave --label out, or give one of the folders."
        )
    for clip, parts in zip(clips, inner, strict=True):
        if label is None and folders and len(parts) != 2:
            plan.skipped.append(Skipped(clip.source, OUTSIDE if len(parts) < 2 else TOO_DEEP))
            continue
        mine = _said(label, source) if not parts else label or label_of_folder(parts[0] if folders else name, source)
        row = manifest.row_of(clip.parts)
        plan.clips.append(
            replace(clip, label=mine, source=(row and row.source) or clip.source, group=row.group if row else "")
        )


def _add_leap(
    plan: ClipPlan, source: Path, dataset: Path, label: str | None, size: int, opener: archives.Opener
) -> None:
    if label is not None:
        raise SourceError(f"{source} is LeapGestRecog, whose folders say the classes: leave --label out.")
    items, skipped, _ = _items_of(source, dataset, opener)
    by_name = {"/".join(item.parts): item for item in items}
    found = leap_sequences(by_name)
    plan.skipped += skipped
    plan.skipped += [Skipped(f"{shown(source).as_posix()}/{name}", reason) for name, reason in found.problems]
    for sequence in found.sequences:
        gesture = label_of_folder(sequence.gesture, source)
        place = f"{shown(source).as_posix()}/{sequence.subject}/{sequence.folder}"
        begin = 0
        for run in sequence.runs:
            for part in dealt(len(run), size):
                name = f"{place}#frames={begin + part.start + 1}-{begin + part.stop}"
                if len(part) < _fewest(sequence, size):
                    plan.skipped.append(Skipped(name, "too few frames between gaps"))
                    continue
                frames = tuple(by_name[run[number]] for number in part)
                plan.clips.append(FoundClip(frames, False, (), name, gesture, sequence.subject))
            begin += len(run)


def _fewest(sequence: LeapSequence, size: int) -> int:
    """Return how short a clip of a sequence may be: half as long as wanted, but a sequence without gaps is one anyway."""
    return max(FEWEST_FRAMES, size // 2) if len(sequence.runs) > 1 else FEWEST_FRAMES


def _said(label: str | None, source: Path) -> str:
    if label is None:
        raise SourceError(f"{source} is a single clip, so its class is not known: say it with --label NAME.")
    return label


def _items_of(source: Path, dataset: Path, opener: archives.Opener) -> tuple[list[Item], list[Skipped], str]:
    """Return the files in a folder or zip, what cannot be looked at, and the name that stands for a class."""
    if source.is_dir():
        files, skipped = files_below(source, dataset.resolve())
        return list(files), skipped, source.resolve().name
    return list(opener.open(source).members), [], class_of_zip(source.name)


def _manifest_of(source: Path, items: list[Item]) -> SourceManifest:
    found = next((item for item in items if item.parts[-1] == MANIFEST_NAME), None)
    if isinstance(found, archives.Member):
        return SourceManifest.of_member(found)
    return SourceManifest.of_file(found, source) if source.is_dir() else SourceManifest()


def _clips_among(
    items: list[Item], place: str, opener: archives.Opener, skipped: list[Skipped], depth: int
) -> list[FoundClip]:
    """Return the clips among the files of a tree and in the zips among them; `depth`: how many zips these lie in."""
    clips: list[FoundClip] = []
    frames: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        name = item.parts[-1]
        if any(map(is_passed_over, item.parts)) or name.lower() in RESERVED:
            continue
        if is_zip_name(name):
            clips += _clips_in_zip(item, opener, skipped, depth)
        elif is_video_name(name):
            clips.append(FoundClip((item,), True, item.parts, item.shown))
        elif is_image_name(name):
            frames.setdefault(item.parts[:-1], []).append(item)
        else:
            skipped.append(Skipped(item.shown, _why_not(name)))
    places = [clip.parts for clip in clips] + list(frames)
    above = {parts[:length] for parts in places for length in range(len(parts))}
    for folder, found in frames.items():
        name = "/".join((place, *folder))
        if folder in above:
            skipped += [Skipped(item.shown, BESIDE) for item in found]
        elif len(found) < FEWEST_FRAMES:
            skipped.append(Skipped(name, TOO_FEW))
        else:
            found.sort(key=lambda item: natural_key(item.parts[-1]))
            clips.append(FoundClip(tuple(found), False, folder, name))
    clips.sort(key=lambda clip: [natural_key(part) for part in clip.parts])
    return clips


def _clips_in_zip(item: Item, opener: archives.Opener, skipped: list[Skipped], depth: int) -> list[FoundClip]:
    """Return the clips in a zip among other files as if they lay in a folder of its name, or in the class folders that it has."""
    if depth == 2:
        skipped.append(Skipped(item.shown, "a zip in a zip in a zip, unpack it first"))
        return []
    inner = opener.open(item.path) if isinstance(item, DiskFile) else opener.open_inner(item)
    if any(is_leap_frame("/".join(member.parts)) for member in inner.members):
        skipped.append(Skipped(item.shown, "LeapGestRecog in a zip, give that zip itself"))
        return []
    clips = _clips_among(list(inner.members), item.shown, opener, skipped, depth + 1)
    wrapped = wrapping({clip.parts[:-1] for clip in clips if clip.parts})
    parts = [clip.parts[min(wrapped, max(0, len(clip.parts) - 1)) :] for clip in clips]
    own = class_of_zip(item.parts[-1])
    several = len({one[0] for one in parts if len(one) > 1}) > 1
    places = parts if several else [(own, *one[-1:]) for one in parts]
    return [replace(clip, parts=(*item.parts[:-1], *below)) for clip, below in zip(clips, places, strict=True)]


def _why_not(name: str) -> str:
    if is_image_name(name):
        return A_PHOTO
    return f"{not_an_image_reason(name)} and not a video"


def _nothing_in(source: Path, skipped: list[Skipped]) -> str:
    if not skipped:
        return f"There is no clip in {source}."
    more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
    return f"There is no clip to collect in {source}, only {skipped[0].name} ({skipped[0].reason}){more}."
