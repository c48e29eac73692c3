"""The layout everything else comes to: one folder per class, images directly inside.

    datasets/rps/rock/rock_000001.jpg
    datasets/rps/none/none_000001.jpg
    datasets/rps/manifest.csv

A class is one level. Whatever else lies there is returned with the reason why it is not used, so that no photo
disappears without a word; only what is plainly not the user's data (hidden files, the system's and our own) is passed
over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gesture_maker.dataset.formats.tree import Entry, Tree
from gesture_maker.dataset.names import RESERVED, normalize_label
from gesture_maker.errors import DatasetError, LabelError
from gesture_maker.images import is_image_name, not_an_image_reason

SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
"""Leftovers of operating systems, in lower case; hidden files are passed over anyway."""

RENAMING_PREFIX = ".renaming-"
"""Images on their way from one name to another, see `renaming.py`."""

OUTSIDE = "it lies outside the class folders"
TOO_DEEP = "it lies in a folder within a class, a class is one folder"

_DIGITS = re.compile("([0-9]+)")


@dataclass(frozen=True)
class ClassFolders:
    """What lies in a folder of class folders: the folders of each label, their images, and what is not used and why."""

    folders: dict[str, list[Path]]
    images: dict[str, list[Path]]
    ignored: list[tuple[Path, str]]


def natural_key(name: str) -> str:
    """Return a sort key that puts `img2` before `img10`; names that differ only in leading zeros keep a fixed order.

    Numbers compare by length, then digit by digit, because Python refuses to convert numbers of thousands of digits. The
    key is one string, where a tuple of parts would take four times the memory: the end of a part sorts before every letter.
    """
    parts = _DIGITS.split(name.casefold())
    for place in range(1, len(parts), 2):
        digits = parts[place].lstrip("0")
        parts[place] = f"\0{chr(len(digits) + 1)}{digits}"
    return f"{''.join(parts)}\0\0{name}"


def is_passed_over(name: str) -> bool:
    """Tell whether a file or folder is none of the user's data: hidden, or left by the operating system."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def read_class_folders(root: Path) -> ClassFolders:
    """Return the labels of `root` with their folders and images, each in natural order, and what is not used.

    Folders whose names mean the same label (`None` and `none`) come together. Raises DatasetError for a folder name
    that cannot be a label, because its photos would be missing from the training.
    """
    tree = Tree(root)
    top = top_level(tree)
    found = ClassFolders(
        {label: [root / name for name in names] for label, names in top.folders.items()},
        {},
        [(root / name, reason) for name, reason in top.unused],
    )
    for label, folders in top.folders.items():
        images: list[tuple[str, str, str]] = []
        for folder in folders:
            inside = class_content(tree, folder)
            images.extend((natural_key(name), folder, name) for name in inside.images)
            found.ignored.extend((root / folder / name, reason) for name, reason in inside.unused)
        found.images[label] = [root / folder / name for _, folder, name in sorted(images)]
    found.ignored[:] = [(shown(path), reason) for path, reason in found.ignored]
    return found


def printable(text: str) -> str:
    """Return a file's name for messages, with whatever is not text or would steer a terminal escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def shown(path: Path) -> Path:
    """Return the path as messages write it, see `printable`."""
    return Path(printable(str(path)))


@dataclass
class TopLevel:
    """What lies in a dataset's folder: the folders of each label, in natural order, and what is not used, with the reason."""

    folders: dict[str, list[str]] = field(default_factory=dict)
    unused: list[tuple[str, str]] = field(default_factory=list)


def top_level(tree: Tree) -> TopLevel:
    """Return what lies in a dataset's folder. Raises DatasetError for a folder name that cannot be a label."""
    top = TopLevel()
    for entry in sorted(tree.entries(), key=lambda entry: natural_key(entry.name)):
        if is_passed_over(entry.name):
            continue
        if entry.is_dir():
            try:
                top.folders.setdefault(normalize_label(entry.name), []).append(entry.name)
            except LabelError as error:
                raise DatasetError(f"{error} It is a folder of {tree.root}.") from error
        elif entry.name.lower() not in RESERVED:
            top.unused.append((entry.name, OUTSIDE if is_image_name(entry.name) else _why_not(entry)))
    return top


@dataclass
class ClassContent:
    """What lies in the folder of a class: the names of its images, in no order, and what is not used, with the reason."""

    images: list[str] = field(default_factory=list)
    unused: list[tuple[str, str]] = field(default_factory=list)


def class_content(tree: Tree, folder: str) -> ClassContent:
    """Return what lies in the folder of a class."""
    found = ClassContent()
    for entry in tree.entries(folder):
        name = entry.name
        if name.startswith(RENAMING_PREFIX):
            found.unused.append((name, "an interrupted rename left it, run gesture-maker rename"))
        elif is_passed_over(name):
            continue
        elif entry.is_dir():
            found.unused.extend((f"{name}/{image}", TOO_DEEP) for image in _images_below(tree, f"{folder}/{name}"))
        elif not is_image_name(name) or not entry.is_file():
            found.unused.append((name, _why_not(entry)))
        elif not _is_text(name):
            found.unused.append((name, "its name is not valid UTF-8, run gesture-maker rename"))
        else:
            found.images.append(name)
    return found


def _images_below(tree: Tree, folder: str) -> Iterator[str]:
    """Yield the images in a folder and in those below it, by their paths in it; links to folders are not followed."""
    try:
        entries = sorted(tree.entries(folder), key=lambda entry: entry.name)
    except OSError:  # without the permission to look into it
        return
    for entry in entries:
        if is_passed_over(entry.name):
            continue
        if not entry.is_dir():
            if is_image_name(entry.name):
                yield entry.name
        elif not entry.is_symlink():
            yield from (f"{entry.name}/{image}" for image in _images_below(tree, f"{folder}/{entry.name}"))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8; everything that writes a list of files would stumble over it
        return False
    return True


def _why_not(entry: Entry) -> str:
    if entry.is_file():
        return not_an_image_reason(entry.name)
    return "a broken link" if entry.is_symlink() else "not a file"
