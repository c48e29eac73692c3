"""A dataset: a folder with one folder of images per class."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from gesture_maker.dataset.formats.class_folders import natural_key, read_class_folders
from gesture_maker.dataset.manifest import ManifestRow, original_name, read_manifest
from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError, DatasetError

DATASETS = Path("datasets")
"""Where a bare name is looked up, relative to the current folder."""

JOURNAL_NAME = ".renaming.json"
"""Lies in a dataset while `rename` is under way, see `renaming.py`."""


@dataclass(frozen=True)
class LabelledImage:
    """One image file and what is known of it.

    `label` is normalised; `group` names the person or burst it belongs to, `source` is where it was collected from;
    both are None when unknown.
    """

    path: Path
    label: str
    group: str | None = None
    source: str | None = None

    @property
    def file(self) -> str:
        """Its posix path relative to the dataset's folder, such as `rock/rock_000001.jpg`."""
        return f"{self.path.parent.name}/{self.path.name}"  # a class is one level, so these two are all of it


@dataclass(frozen=True)
class ImageDataset:
    """The images of a dataset by label, then in natural order of their names.

    `ignored` holds the files that are not used at all, each with the reason. `empty` are the labels whose folders hold
    no image.
    """

    root: Path
    images: tuple[LabelledImage, ...]
    ignored: tuple[tuple[Path, str], ...] = ()
    empty: tuple[str, ...] = field(default=())

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, `none` first if present, then sorted; labels of empty class folders too."""
        return tuple(sorted({image.label for image in self.images} | set(self.empty), key=label_order))

    @property
    def counts(self) -> dict[str, int]:
        """How many images each label has, in the order of `labels`."""
        counts = dict.fromkeys(self.labels, 0)
        for image in self.images:
            counts[image.label] += 1
        return counts


def label_order(label: str) -> tuple[bool, str]:
    """Return the sort key that puts `none` first, as the bundle's background label has to be."""
    return (label != NONE, label)


def find_dataset(name: str | Path) -> Path:
    """Return the folder a dataset's name stands for: an existing path, or that name under `datasets/`.

    Raises DatasetError when neither exists.
    """
    path, under = Path(name), DATASETS / name
    for place in (path, under):
        if place.is_dir():
            return place
    if path.exists():
        return path  # a file: load_dataset says what to do with it
    if path.is_absolute() or ".." in path.parts or not str(name).strip():
        raise DatasetError(f"There is no folder {name}: check the path, or make a dataset with gesture-maker collect.")
    raise DatasetError(
        f"There is no dataset {name}: neither {path} nor {under} is a folder. Make one with gesture-maker collect."
    )


def place_for(name: str | Path) -> Path:
    """Return the folder that a name stands for when the dataset may be new: a bare name goes under `datasets/`."""
    path = Path(name)
    return DATASETS / path if len(path.parts) == 1 and str(name) == path.name and not path.exists() else path


def check_is_folder(root: Path) -> None:
    """Raise DatasetError, saying what to do, unless `root` is a folder that no interrupted rename left half-named."""
    if root.is_dir():
        if (root / JOURNAL_NAME).exists():
            raise DatasetError(
                f"Renaming {root} was interrupted: run `gesture-maker rename {root}` first, which finishes it."
            )
        return
    if not root.exists():
        raise DatasetError(f"There is no folder {root}: check the path, or make a dataset with gesture-maker collect.")
    if root.suffix.lower() == ".zip":
        raise DatasetError(f"{root} is a zip: collect it first (gesture-maker collect {root} --dataset {root.stem}).")
    raise DatasetError(f"{root} is a file: a dataset is a folder with one folder of images per class.")


def load_dataset(root: Path, group_by: str | None = None) -> ImageDataset:
    """Return what lies in a folder of class folders.

    Groups come from `manifest.csv`, or with `group_by` from a regular expression searched in each image's name before
    it was collected (its own name when unknown): the first capture group if there is one, else the whole match. An
    image whose name does not match is a group of its own.

    Raises DatasetError when there is no such folder or it has no class folders, ConfigError for a `group_by` that is no
    regular expression or matches no image.
    """
    root = Path(root)
    check_is_folder(root)
    found = read_class_folders(root)
    if not found.folders:
        raise DatasetError(f"{root} has no class folders: put the photos of each gesture into a folder of its name.")
    manifest = read_manifest(root)
    images = [
        _labelled(path, label, manifest.get(f"{path.parent.name}/{path.name}"))
        for label in sorted(found.images, key=label_order)
        for path in found.images[label]
    ]
    if not images:
        _check_not_one_level_up(root, list(found.folders.values()))
    if group_by is not None:
        images = _grouped(images, manifest, group_by)
    ignored = sorted(found.ignored, key=lambda item: natural_key(str(item[0])))
    empty = tuple(sorted((label for label, paths in found.images.items() if not paths), key=label_order))
    return ImageDataset(root, tuple(images), tuple(ignored), empty)


def _labelled(path: Path, label: str, row: ManifestRow | None) -> LabelledImage:
    if row is None:
        return LabelledImage(path, label)
    return LabelledImage(path, label, row.group or None, row.source or None)


def _check_not_one_level_up(root: Path, folders: list[list[Path]]) -> None:
    """Raise DatasetError when `root` has no image, but a folder in it looks like the dataset that was meant."""
    for folder in (folder for same in folders for folder in same):
        if any(read_class_folders(folder).images.values()):
            raise DatasetError(f"The class folders lie one level deeper than {root}: use {folder} instead.")


def _grouped(images: list[LabelledImage], manifest: dict[str, ManifestRow], group_by: str) -> list[LabelledImage]:
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise ConfigError(f"--group-by {group_by!r} is not a regular expression: {error}.") from error
    grouped, matched = [], False
    for image in images:
        row = manifest.get(image.file)
        match = pattern.search((row and original_name(row)) or image.path.name)
        key = (match.group(1) if pattern.groups else match.group()) if match else None
        matched = matched or bool(key)
        grouped.append(LabelledImage(image.path, image.label, key or image.file, image.source))
    if images and not matched:
        raise ConfigError(
            f"--group-by {group_by!r} matches no file name, such as {images[0].path.name}: "
            "use one that finds the person or burst in the name, e.g. '^p[0-9]+'."
        )
    return grouped
