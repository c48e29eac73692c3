"""A motion dataset: a folder with one folder of clips per class. A clip is a video or a folder of frames.

    datasets/swipes/swipe_left/swipe_left_000001.mp4
    datasets/swipes/still/still_000001/frame_1.png, frame_2.png, …, frame_10.png
    datasets/swipes/manifest.csv

As for photos, whatever lies there and is no clip is returned with the reason, so that nothing disappears without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.dataset.folder import check_is_folder, find_dataset
from gesture_maker.dataset.formats.class_folders import OUTSIDE, TOO_DEEP, is_passed_over, natural_key, shown, top_level
from gesture_maker.dataset.formats.tree import Tree
from gesture_maker.dataset.grouping import Grouping
from gesture_maker.dataset.manifest import ManifestRow, original_name, read_manifest
from gesture_maker.dataset.names import NONE
from gesture_maker.dataset.videos import is_video_name
from gesture_maker.errors import DatasetError
from gesture_maker.files import sha256_of, sha256_of_file
from gesture_maker.images import is_image_name, not_an_image_reason, read_image
from gesture_maker.recognition.frames import USUAL_RATE, Frame, open_film

STILL = "still"
"""The class of a hand that does nothing of meaning: holds still, drifts, moves slowly elsewhere. `none` stands for it too."""

FEWEST_FRAMES = 2  # of a folder: in a single picture nothing moves

A_PHOTO = "a single photo, a clip is a video or a folder of frames"
TOO_FEW = "one frame alone, in which nothing moves"
NO_FRAMES = "a folder without frames"


@dataclass(frozen=True)
class Clip:
    """A video, or a folder of `frames` in the natural order of their names (none for a video), and what is known of it.

    `label` is normalised; `group` names the person or the recording it belongs to, `source` is where it was collected from; both
    are None when unknown.
    """

    path: Path
    label: str
    frames: tuple[Path, ...] = ()
    group: str | None = None
    source: str | None = None

    @property
    def file(self) -> str:
        """Its posix path relative to the dataset's folder, such as `wave/wave_000001.mp4`, or of a folder `wave/wave_000001`."""
        return f"{self.path.parent.name}/{self.path.name}"  # a class is one level, so these two are all of it

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of frames, and no video."""
        return bool(self.frames)


@dataclass(frozen=True)
class Clips:
    """The clips of a dataset by label, then in natural order of their names.

    `problems`: what lies there and is no clip, each with the reason. `empty` are the labels whose folders hold no clip.
    """

    root: Path
    clips: tuple[Clip, ...]
    problems: tuple[tuple[Path, str], ...] = ()
    empty: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, the background first if present, then sorted; labels of empty class folders too."""
        return tuple(sorted({clip.label for clip in self.clips} | set(self.empty), key=motion_order))

    @property
    def counts(self) -> dict[str, int]:
        """How many clips each label has, in the order of `labels`."""
        counts = dict.fromkeys(self.labels, 0)
        for clip in self.clips:
            counts[clip.label] += 1
        return counts


def is_background(label: str) -> bool:
    """Tell whether a class is that of hands which do nothing of meaning: `still` or `none`, in any case."""
    return label.casefold() in (STILL, NONE)


def motion_order(label: str) -> tuple[bool, str]:
    """Return the sort key that puts the background first, as `label_order` does for photos."""
    return (not is_background(label), label)


def find_clips(root: str | Path, group_by: str | None = None) -> Clips:
    """Return what lies in a motion dataset: a path, or a bare name under `datasets/`.

    Groups come from `manifest.csv`, or with `group_by` from a regular expression searched in each clip's name before it was
    collected (its own name when unknown), as for photos: the first capture group if there is one, else the whole match. A
    clip whose name does not match is a group of its own.

    Raises DatasetError when there is no such folder, or no clip in it, ConfigError for a `group_by` that is no regular
    expression or matches no name.
    """
    root = _existing(root)
    grouping = Grouping(group_by)
    found = clips_in(root)
    if not found.clips and not found.empty:
        raise DatasetError(f"{root} has no class folders: put the clips of each gesture into a folder of its name.")
    if not found.clips:
        raise DatasetError(_without_clips(found))
    rows = read_manifest(root)
    clips = tuple(_known(clip, rows.get(clip.file), grouping) for clip in found.clips)
    if grouping.by_pattern:
        import pyarrow

        grouping.check(pyarrow.table({"file": [clip.file for clip in clips]}))
    return Clips(root, clips, found.problems, found.empty)


def clips_in(root: Path) -> Clips:
    """Return what lies in an existing folder, also when that is no clip, without what the manifest knows.

    Raises DatasetError for a folder name that cannot be a label.
    """
    top = top_level(Tree(root))
    problems = [(root / name, _why_outside(root / name, reason)) for name, reason in top.unused]
    clips: list[Clip] = []
    for label in sorted(top.folders, key=motion_order):
        here = [root / folder / name for folder in top.folders[label] for name in _names_in(root / folder)]
        for path in sorted(here, key=lambda path: (natural_key(path.name), path.parent.name)):
            clip = _clip_at(path, label, problems)
            if clip is not None:
                clips.append(clip)
    empty = set(top.folders) - {clip.label for clip in clips}
    problems.sort(key=lambda problem: natural_key(str(problem[0])))
    return Clips(
        root,
        tuple(clips),
        tuple((shown(path), reason) for path, reason in problems),
        tuple(sorted(empty, key=motion_order)),
    )


def frames_in(folder: Path) -> tuple[Path, ...]:
    """Return the images in a folder in natural order: `frame_2.png` before `frame_10.png`."""
    return tuple(folder / name for name in _names_in(folder) if is_image_name(name) and (folder / name).is_file())


def clip_sha256(clip: Clip) -> str:
    """Return a SHA-256 that is the same for the same content: of a video its bytes', of a folder `sha256_of_frames`.

    Raises OSError when it cannot be read.
    """
    return sha256_of_frames(map(sha256_of_file, clip.frames)) if clip.is_folder else sha256_of_file(clip.path)


def sha256_of_frames(digests: Iterable[str]) -> str:
    """Return the SHA-256 of a folder of frames: of the SHA-256 of each frame, in their order, whatever they are called."""
    return sha256_of("\n".join(digests).encode())


def read_frames(clip: Clip, rate_of_folders: float = USUAL_RATE) -> Iterator[Frame]:
    """Yield the frames of a clip, upright, each with its time; those of a folder come `rate_of_folders` to the second.

    Raises SourceError for a video that cannot be read or breaks off, UnreadableImage for a frame of a folder that is damaged.
    """
    if clip.is_folder:
        for number, path in enumerate(clip.frames):
            yield Frame(read_image(path), number, number / rate_of_folders)
        return
    film = open_film(clip.path)
    try:
        while (frame := film.read()) is not None:
            yield frame
    finally:
        film.close()


def as_motion(sentence: str) -> str:
    """Return what the functions for datasets of photos say, in the words for those of clips."""
    return sentence.replace("gesture-maker collect", "gesture-maker motion collect").replace("of images", "of clips")


def _existing(name: str | Path) -> Path:
    try:
        root = find_dataset(name)
        check_is_folder(root)
    except DatasetError as error:
        raise DatasetError(as_motion(str(error))) from error
    return root


def _without_clips(found: Clips) -> str:
    deeper = {path.parent for path, reason in found.problems if reason == TOO_DEEP}
    above = {folder.parent for folder in deeper}
    if len(above) == 1:
        return f"The class folders lie one level deeper than {found.root}: use {above.pop()} instead."
    if not found.problems:
        return f"There is no clip in {found.root}: its class folders are empty."
    path, reason = found.problems[0]
    more = f" and {len(found.problems) - 1} more" if len(found.problems) > 1 else ""
    return f"There is no clip in {found.root}, only {path} ({reason}){more}."


def _known(clip: Clip, row: ManifestRow | None, grouping: Grouping) -> Clip:
    group, source = (row.group or None, row.source or None) if row else (None, None)
    if grouping.by_pattern:
        group = grouping.key((row and original_name(row)) or clip.path.name) or clip.file
    return Clip(clip.path, clip.label, clip.frames, group, source)


def _names_in(folder: Path) -> list[str]:
    names = (path.name for path in folder.iterdir())
    return sorted((name for name in names if not is_passed_over(name)), key=natural_key)


def _clip_at(path: Path, label: str, problems: list[tuple[Path, str]]) -> Clip | None:
    """Return the clip at a path in a class's folder; None when it is none, and what is wrong goes to the problems."""
    if reason := why_no_text(path):
        problems.append((path, reason))
    elif path.is_dir():
        return _folder_clip(path, label, problems)
    elif is_video_name(path.name) and path.is_file():
        return Clip(path, label)
    else:
        problems.append((path, _why_not(path)))
    return None


def _folder_clip(path: Path, label: str, problems: list[tuple[Path, str]]) -> Clip | None:
    names = _names_in(path)
    frames = frames_in(path)
    others = [path / name for name in names if path / name not in frames]
    for other in others:
        deep = other.is_dir() or is_video_name(other.name)
        problems.append((other, TOO_DEEP if deep else not_an_image_reason(other.name)))
    if len(frames) >= FEWEST_FRAMES:
        return Clip(path, label, frames)
    if frames or not others:
        problems.append((path, TOO_FEW if frames else NO_FRAMES))
    return None


def why_no_text(path: Path) -> str:
    """Return why a name cannot be written into tables of files; empty when it can."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        return "its name is not valid UTF-8, rename it"
    return ""


def _why_not(path: Path) -> str:
    if path.is_file():
        return A_PHOTO if is_image_name(path.name) else f"{not_an_image_reason(path.name)} and not a video"
    return "a broken link" if path.is_symlink() else "not a file"


def _why_outside(path: Path, reason: str) -> str:
    return OUTSIDE if is_video_name(path.name) else reason
