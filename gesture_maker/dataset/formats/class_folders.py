"""The layout everything else comes to: one folder per class, images directly inside.

    datasets/rps/rock/rock_000001.jpg
    datasets/rps/none/none_000001.jpg
    datasets/rps/manifest.csv

A class is one level. Whatever else lies there is returned with the reason why it is not used, so that no photo
disappears without a word; only what is plainly not the user's data (hidden files, the system's and our own) is passed
over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


def natural_key(name: str) -> tuple[object, ...]:
    """Return a sort key that puts `img2` before `img10`; names that differ only in leading zeros keep a fixed order.

    Numbers compare by length, then digit by digit, because Python refuses to convert numbers of thousands of digits.
    """
    parts: list[object] = list(_DIGITS.split(name.casefold()))
    for place in range(1, len(parts), 2):
        digits = str(parts[place]).lstrip("0")
        parts[place] = (len(digits), digits)
    return (tuple(parts), name)


def is_passed_over(name: str) -> bool:
    """Tell whether a file or folder is none of the user's data: hidden, or left by the operating system."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def read_class_folders(root: Path) -> ClassFolders:
    """Return the labels of `root` with their folders and images, each in natural order, and what is not used.

    Folders whose names mean the same label (`None` and `none`) come together. Raises DatasetError for a folder name
    that cannot be a label, because its photos would be missing from the training.
    """
    found = ClassFolders({}, {}, [])
    for entry in _entries(root):
        path = root / entry.name
        if is_passed_over(entry.name):
            continue
        if not entry.is_dir():
            if entry.name.lower() not in RESERVED:
                found.ignored.append((shown(path), OUTSIDE if is_image_name(entry.name) else _why_not(entry)))
            continue
        try:
            label = normalize_label(entry.name)
        except LabelError as error:
            raise DatasetError(f"{error} It is a folder of {root}.") from error
        found.folders.setdefault(label, []).append(path)
        found.images.setdefault(label, []).extend(_images_in(path, found.ignored))
    for images in found.images.values():
        images.sort(key=lambda path: (natural_key(path.name), path.parent.name))
    return found


def printable(text: str) -> str:
    """Return a file's name for messages, with whatever is not text or would steer a terminal escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def shown(path: Path) -> Path:
    """Return the path as messages write it, see `printable`."""
    return Path(printable(str(path)))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8; everything that writes a list of files would stumble over it
        return False
    return True


def _images_in(folder: Path, ignored: list[tuple[Path, str]]) -> Iterator[Path]:
    for entry in _entries(folder):
        path = folder / entry.name
        if entry.name.startswith(RENAMING_PREFIX):
            ignored.append((shown(path), "an interrupted rename left it, run gesture-maker rename"))
        elif is_passed_over(entry.name):
            continue
        elif entry.is_dir():
            ignored.extend((shown(image), TOO_DEEP) for image in _images_below(path))
        elif not is_image_name(entry.name) or not entry.is_file():
            ignored.append((shown(path), _why_not(entry)))
        elif not _is_text(entry.name):
            ignored.append((shown(path), "its name is not valid UTF-8, run gesture-maker rename"))
        else:
            yield path


def _images_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_passed_over(name))
        yield from (Path(place, name) for name in sorted(files) if is_image_name(name) and not is_passed_over(name))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: natural_key(entry.name))


def _why_not(entry: os.DirEntry[str]) -> str:
    if entry.is_file():
        return not_an_image_reason(entry.name)
    return "a broken link" if entry.is_symlink() else "not a file"
