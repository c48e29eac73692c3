"""Sources to collect from: what images lie in a file, folder, zip or video, and which class each belongs to.

Everything is looked at before anything is copied, so that a wrong path or a bad zip at the end of the line leaves the
dataset as it was. How classes are read off the folders, the same on disk and in a zip:

    photos/*.jpg                    one class: --label, or the name of the folder (or zip)
    photos/rock/*.jpg, paper/*.jpg  a class per folder; folders that only wrap these are passed through
    export.zip/rock.zip/*.jpg       a class per inner zip, named after it
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from gesture_maker.dataset import archives, videos
from gesture_maker.dataset.formats.class_folders import OUTSIDE, TOO_DEEP, is_passed_over, natural_key, shown
from gesture_maker.dataset.formats.zips import class_of_zip
from gesture_maker.dataset.manifest import MANIFEST_NAME, ManifestRow, parse_manifest, read_manifest
from gesture_maker.dataset.names import RESERVED, normalize_label
from gesture_maker.errors import DatasetError, LabelError, SourceError, UnreadableImage
from gesture_maker.images import is_image_name, not_an_image_reason

ZIP_SUFFIX = ".zip"
OTHER_ARCHIVES = frozenset({".rar", ".7z", ".tar", ".tgz", ".gz", ".bz2", ".xz"})


@dataclass(frozen=True)
class Skipped:
    """A file that was not collected, and why, in a few words."""

    name: str
    reason: str


@dataclass(frozen=True)
class DiskFile:
    """A file below a folder that is being collected."""

    parts: tuple[str, ...]
    path: Path

    @property
    def shown(self) -> str:
        """How messages and the manifest call it."""
        return shown(self.path).as_posix()

    def read(self) -> bytes:
        """Return the file's bytes. Raises UnreadableImage when no photo is that large, or it cannot be read."""
        try:
            if self.path.stat().st_size > archives.MAX_IMAGE_BYTES:
                raise UnreadableImage(self.shown, archives.too_large())
            return self.path.read_bytes()
        except OSError as error:
            raise UnreadableImage(self.shown, (error.strerror or "it cannot be read").lower()) from error


class Item(Protocol):
    """Something that can be collected: a file, a member of a zip, or what is made of them. `parts`: its folders and name."""

    @property
    def parts(self) -> tuple[str, ...]: ...
    @property
    def shown(self) -> str: ...
    def read(self) -> bytes: ...


@dataclass(frozen=True)
class Candidate:
    """An image or video that may come into the dataset, with its class and what its own manifest knew of it."""

    item: Item
    label: str
    source: str
    group: str = ""

    @property
    def suffix(self) -> str:
        """Its suffix as the dataset writes it: in lower case, `.jpg` for `.jpeg`."""
        suffix = Path(self.item.parts[-1]).suffix.lower()
        return ".jpg" if suffix == ".jpeg" else suffix

    @property
    def path(self) -> Path | None:
        """The file on disk, None for a member of a zip and whatever else is no such file."""
        return self.item.path if isinstance(self.item, DiskFile) else None

    @property
    def is_video(self) -> bool:
        """Whether its frames are meant, not its bytes."""
        return videos.is_video_name(self.item.parts[-1])


@dataclass
class Plan:
    """All that the sources hold, before anything is copied."""

    candidates: list[Candidate] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


@contextmanager
def planned(sources: Iterable[Path], dataset: Path, label: str | None, below: Path | None = None) -> Iterator[Plan]:
    """Yield what the sources hold; zips stay open until the end of the block.

    `label` is normalised, or None to take it from the folders. `below`: a folder that sources are called relative to, in messages
    and in the manifest. Raises SourceError or LabelError for a source that cannot be used, before anything is copied.
    """
    plan = Plan()
    with archives.opener() as opener, called_below(below):
        for source in sources:
            check_apart(source, dataset)
            if source.is_dir():
                _add_folder(plan, source, dataset, label, opener)
            elif source.is_file():
                _add_file(plan, source, label, opener)
            elif source.exists():
                raise SourceError(f"{source} is neither a file nor a folder.")
            else:
                raise SourceError(f"There is no {source}: check the path.")
        if not plan.candidates:
            raise SourceError(_nothing_in("the sources", plan.skipped))
        plan.candidates[:] = [
            replace(candidate, source=name_below(candidate.source, below)) for candidate in plan.candidates
        ]
        yield plan


def images_in(source: Path, dataset: Path, opener: archives.Opener) -> tuple[list[Item], list[Skipped]]:
    """Return the images in a file, folder or zip, whatever their folders mean, and what is not used.

    Zips in folders and zips in a zip are looked into. Raises SourceError for a source that is not there, cannot be read, or lies in
    the dataset.
    """
    if not source.exists():
        raise SourceError(f"There is no {source}: check the path.")
    check_apart(source, dataset)
    if source.is_dir():
        files, unreadable = files_below(source, dataset.resolve())
        placed, skipped = _expanded(files, opener, 0)
        skipped = unreadable + skipped
    elif source.suffix.lower() == ZIP_SUFFIX:
        placed, skipped = _expanded(opener.open(source).members, opener, 1)
    else:
        placed, skipped = _expanded([DiskFile((source.name,), source)], opener, 0)
    return [one.item for one in placed], skipped


def name_below(text: str, folder: Path | None) -> str:
    """Return a name or sentence with files called relative to a folder."""
    return text if folder is None else text.replace(f"{shown(folder).as_posix()}/", "").replace(f"{folder}/", "")


@contextmanager
def called_below(folder: Path | None) -> Iterator[None]:
    """Let errors of reading sources call them relative to a folder."""
    try:
        yield
    except (SourceError, LabelError) as error:
        if folder is None:
            raise
        raise type(error)(name_below(str(error), folder)) from error


def check_apart(source: Path, dataset: Path) -> None:
    """Raise SourceError when a source lies in the dataset that it is to be collected into."""
    inside, target = source.resolve(), dataset.resolve()
    if inside == target:
        raise SourceError(f"{source} is the dataset itself: to give its images new names, use gesture-maker rename.")
    if inside.is_relative_to(target):
        raise SourceError(f"{source} lies in the dataset {dataset} already: collect from outside it.")


def _add_file(plan: Plan, source: Path, label: str | None, opener: archives.Opener) -> None:
    if source.suffix.lower() == ZIP_SUFFIX:
        _add_archive(plan, source, label, opener)
        return
    reason = _unusable(source.name)
    if reason:
        plan.skipped.append(Skipped(shown(source).as_posix(), reason))
        return
    if label is None:
        raise SourceError(f"{source} is a single file, so its class is not known: say it with --label NAME.")
    if videos.is_video_name(source):
        videos.count_frames(source)  # raises when it is none
    item = DiskFile((source.name,), source)
    plan.candidates.append(Candidate(item, label, item.shown))


def _add_archive(plan: Plan, source: Path, label: str | None, opener: archives.Opener) -> None:
    archive = opener.open(source)
    items, skipped = _expanded(archive.members, opener, 1)
    content = next((member for member in archive.members if member.parts[-1] == MANIFEST_NAME), None)
    _add(plan, source, class_of_zip(source.name), items, skipped, label, SourceManifest.of_member(content))


def _add_folder(plan: Plan, source: Path, dataset: Path, label: str | None, opener: archives.Opener) -> None:
    files, skipped = files_below(source, dataset.resolve())
    items, others = _expanded(files, opener, 0)
    content = next((file for file in files if file.parts[-1] == MANIFEST_NAME), None)
    _add(plan, source, source.resolve().name, items, skipped + others, label, SourceManifest.of_file(content, source))


def files_below(source: Path, apart: Path) -> tuple[list[DiskFile], list[Skipped]]:
    """Return the files below a folder in natural order, following links once and staying out of the dataset itself."""
    files: list[DiskFile] = []
    skipped: list[Skipped] = []
    seen = {apart}
    folders: list[tuple[Path, tuple[str, ...]]] = [(source, ())]
    while folders:
        folder, parts = folders.pop()
        if (real := folder.resolve()) in seen:
            continue
        seen.add(real)
        below: list[tuple[Path, tuple[str, ...]]] = []
        before = len(files) + len(skipped)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: natural_key(entry.name))
        except OSError as error:
            skipped.append(Skipped(shown(folder).as_posix(), (error.strerror or "it cannot be read").lower()))
            continue
        for entry in entries:
            path, here = folder / entry.name, (*parts, entry.name)
            if is_passed_over(entry.name):
                continue
            if entry.is_dir():
                below.append((path, here))
            elif entry.is_file():
                files.append(DiskFile(here, path))
            else:
                reason = "a broken link" if entry.is_symlink() else "not a file"
                skipped.append(Skipped(shown(path).as_posix(), reason))
        folders.extend(reversed(below))
        if parts and not below and len(files) + len(skipped) == before:
            skipped.append(Skipped(shown(folder).as_posix(), "an empty folder"))
    return files, skipped


_Item = DiskFile | archives.Member


@dataclass(frozen=True)
class _Placed:
    """An image or video with the folders that count for its class, which for an inner zip begin with the zip's name."""

    parts: tuple[str, ...]
    item: _Item


def _expanded(items: Iterable[_Item], opener: archives.Opener, depth: int) -> tuple[list[_Placed], list[Skipped]]:
    """Return the images and videos among the items and in the zips among them, and what is not used.

    `depth` is how many zips the items lie in: zips are opened on disk and in one zip, not deeper.
    """
    placed: list[_Placed] = []
    skipped: list[Skipped] = []
    for item in items:
        name = item.parts[-1]
        if any(is_passed_over(part) for part in item.parts) or name.lower() in RESERVED:
            continue
        if Path(name).suffix.lower() == ZIP_SUFFIX:
            if depth == 2:
                skipped.append(Skipped(item.shown, "a zip in a zip in a zip, unpack it first"))
                continue
            inner = opener.open(item.path) if isinstance(item, DiskFile) else opener.open_inner(item)
            found, others = _expanded(inner.members, opener, depth + 1)
            placed.extend(_below(item.parts[:-1], class_of_zip(name), found))
            skipped.extend(others)
        elif reason := _unusable(name, in_zip=isinstance(item, archives.Member)):
            skipped.append(Skipped(item.shown, reason))
        else:
            placed.append(_Placed(item.parts, item))
    return placed, skipped


def _below(parts: tuple[str, ...], own_name: str, inner: list[_Placed]) -> list[_Placed]:
    """Return an inner zip's images as if they lay in a folder of its name, or in the class folders that it has."""
    unwrapped = _unwrapped(inner)
    classes = {placed.parts[0] for placed in unwrapped if len(placed.parts) > 1}
    if len(classes) > 1:
        return [_Placed((*parts, *placed.parts), placed.item) for placed in unwrapped]
    return [_Placed((*parts, own_name, placed.parts[-1]), placed.item) for placed in unwrapped]


def _unwrapped(items: list[_Placed]) -> list[_Placed]:
    """Return the items without the folders that only wrap the class folders."""
    while True:
        nested = [placed for placed in items if len(placed.parts) > 1]
        tops = {placed.parts[0] for placed in nested}
        if len(tops) != 1 or any(len(placed.parts) == 2 for placed in nested):
            return items
        items = [_Placed(placed.parts[1:] if len(placed.parts) > 1 else placed.parts, placed.item) for placed in items]


def _add(
    plan: Plan,
    source: Path,
    own_name: str,
    items: list[_Placed],
    skipped: list[Skipped],
    label: str | None,
    manifest: SourceManifest,
) -> None:
    if manifest.problem:
        skipped.append(manifest.problem)
    items = _unwrapped(items)
    folders = sorted({placed.parts[:-1] for placed in items if len(placed.parts) > 1})
    if label is not None and len(folders) > 1:
        names = ", ".join("/".join(folder) for folder in folders[:3]) + (", ..." if len(folders) > 3 else "")
        raise SourceError(
            f"{source} has several folders of images ({names}), which --label {label} would mix: "
            "leave --label out, or give one of the folders."
        )
    found = 0
    for placed in items:
        if label is None and folders and len(placed.parts) != 2:
            skipped.append(Skipped(placed.item.shown, OUTSIDE if len(placed.parts) == 1 else TOO_DEEP))
            continue
        name = label or label_of_folder(placed.parts[0] if folders else own_name, source)
        row = manifest.row_of(placed.item.parts)
        plan.candidates.append(
            Candidate(placed.item, name, (row and row.source) or placed.item.shown, row.group if row else "")
        )
        found += 1
    plan.skipped.extend(skipped)
    if not found:
        raise SourceError(_nothing_in(str(source), skipped))


@dataclass(frozen=True)
class SourceManifest:
    """What a source's own manifest.csv says; paths in it are relative to the folder in which it lies."""

    rows: dict[str, ManifestRow] = field(default_factory=dict)
    folder: tuple[str, ...] = ()
    problem: Skipped | None = None

    @classmethod
    def of_member(cls, member: archives.Member | None) -> SourceManifest:
        """Return that of a zip, from the member that it is; an empty one when there is none."""
        return cls._parsed(member) if member else cls()

    @classmethod
    def of_file(cls, file: DiskFile | None, source: Path) -> SourceManifest:
        """Return that of a folder, from the file that it is, or the one above a folder that is a class of a dataset."""
        if file is not None:
            return cls._parsed(file)
        try:  # one class folder of a dataset: the manifest lies above it
            above = read_manifest(source.resolve().parent)
        except (DatasetError, OSError):
            return cls()
        name = source.resolve().name
        return cls({row.file[len(name) + 1 :]: row for row in above.values() if row.file.startswith(f"{name}/")})

    @classmethod
    def _parsed(cls, item: _Item) -> SourceManifest:
        try:
            return cls(parse_manifest(item.read(), item.shown), item.parts[:-1])
        except (DatasetError, UnreadableImage):
            return cls(problem=Skipped(item.shown, "not a manifest of gesture-maker, groups are not taken from it"))

    def row_of(self, parts: tuple[str, ...]) -> ManifestRow | None:
        """Return what it says of the file, or folder of frames, that lies there in the source."""
        below = len(self.folder)
        return self.rows.get("/".join(parts[below:])) if parts[:below] == self.folder else None


def label_of_folder(name: str, source: Path) -> str:
    """Return the class that a folder of a source is named after. Raises LabelError when it cannot be one."""
    try:
        return normalize_label(name)
    except LabelError as error:
        raise LabelError(f"{error} It is a folder of {source}.") from error


def _unusable(name: str, in_zip: bool = False) -> str:
    if videos.is_video_name(name):
        return "a video in a zip, unpack it first" if in_zip else ""
    if Path(name).suffix.lower() == ".tm":  # a zip too, but its classes are not folders
        return "a project of Teachable Machine, download the samples of its classes instead"
    if Path(name).suffix.lower() in OTHER_ARCHIVES:
        return "an archive that is no zip, unpack it first"
    return "" if is_image_name(name) else not_an_image_reason(name)


def _nothing_in(place: str, skipped: list[Skipped]) -> str:
    if not skipped:
        return f"There is no image in {place}."
    more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
    return f"There is no image to collect in {place}, only {skipped[0].name} ({skipped[0].reason}){more}."
