"""Zips of photos as a listing, read where they are: nothing is unpacked, and the members are known from the zip's directory.

    export.zip/rock/*.jpg, paper/*.jpg   a class per folder; folders that only wrap these are passed through
    zips/rock.zip, zips/paper.zip        a class per zip, named after it, or per folder where a zip has several

The rules are those of `collect`, also for what is refused; only a zip in a zip has to be unpacked first, and there is no limit for
all photos together, since each is read on its own.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from gesture_maker.dataset.archives import (
    MAX_IMAGE_BYTES,
    SUSPICIOUS_BYTES,
    SUSPICIOUS_RATIO,
    Archive,
    Member,
    too_large,
)
from gesture_maker.dataset.formats.class_folders import OUTSIDE, TOO_DEEP, is_passed_over, natural_key
from gesture_maker.dataset.formats.tree import Tree
from gesture_maker.dataset.grouping import Grouping, Groups
from gesture_maker.dataset.listing import Parts, listing_table
from gesture_maker.dataset.manifest import MANIFEST_NAME
from gesture_maker.dataset.names import RESERVED, normalize_label
from gesture_maker.errors import DatasetError, LabelError, SourceError, UnreadableImage
from gesture_maker.images import is_image_name, not_an_image_reason

ZIP_SUFFIX = ".zip"
_OF_TEACHABLE_MACHINE = re.compile(r"-samples( ?\(\d+\))?$")  # it calls the zip of a class `rock-samples.zip`


def is_zip_name(name: str | Path) -> bool:
    """Tell by its suffix whether a file is meant to be a zip."""
    return PurePosixPath(name).suffix.lower() == ZIP_SUFFIX


def class_of_zip(name: str) -> str:
    """Return the class that a zip is named after."""
    return _OF_TEACHABLE_MACHINE.sub("", PurePosixPath(name).stem)


@contextmanager
def opened_zip(tree: Tree, path: str) -> Iterator[Archive]:
    """Yield a zip of a tree, found harmless by its directory. Raises SourceError for one that is not, and for what is no zip."""
    name = tree.name_of(path)
    with tree.opened(path) as file:
        try:
            packed = zipfile.ZipFile(file)
        except Exception as error:  # BadZipFile, but also struct.error, ValueError, OSError from a directory of rubbish
            raise SourceError(f"{name} is no zip or is cut short: make or download it again.") from error
        total = sum(info.file_size for info in packed.infolist())
        if total > SUSPICIOUS_BYTES and total > SUSPICIOUS_RATIO * file.seek(0, io.SEEK_END):
            raise SourceError(
                f"{name} would unpack to {total / 1e9:.1f} GB, which no photos do: it is refused as a zip bomb."
            )
        yield Archive(packed, name)


def list_zip(tree: Tree, path: str, grouping: Grouping) -> Parts:
    """Return the images of one zip: of its class folders, else one class named after it.

    Raises SourceError for a zip that cannot be used, DatasetError when no image is in it.
    """
    parts = Parts()
    _add(parts, tree, path, grouping, alone=True)
    return _checked(parts, tree.name_of(path))


def list_zips(tree: Tree, paths: Iterable[str], grouping: Grouping, parts: Parts) -> Parts:
    """Put the images of several zips into `parts` and return it; a zip is a class, or holds several class folders.

    Raises SourceError for a zip that cannot be used, DatasetError when no image is in any of them.
    """
    for path in paths:
        _add(parts, tree, path, grouping, alone=False)
    return _checked(parts, f"the zips in {tree.root}")


def why_unused(member: Member) -> str:
    """Return in a few words why a member of a zip is no image that can be used; empty when it is one."""
    if is_zip_name(member.parts[-1]):
        return "a zip in a zip, unpack the outer one first"
    if not is_image_name(member.parts[-1]):
        return not_an_image_reason(member.parts[-1])
    return too_large() if member.info.file_size > MAX_IMAGE_BYTES else ""


def users_members(archive: Archive) -> Iterator[Member]:
    """Yield the members that are the user's data, each name once: of several with one name a reader gets the last."""
    last = {member.info.filename: member for member in archive.members}
    for member in last.values():
        if not any(is_passed_over(part) for part in member.parts):
            yield member


def _add(parts: Parts, tree: Tree, path: str, grouping: Grouping, alone: bool) -> None:
    with opened_zip(tree, path) as archive:
        images: list[Member] = []
        manifest: Member | None = None
        for member in users_members(archive):
            if member.parts[-1] == MANIFEST_NAME:
                manifest = manifest or member
            elif member.parts[-1].lower() not in RESERVED:
                if reason := why_unused(member):
                    parts.ignored.append((member.shown, reason))
                else:
                    images.append(member)
        if not images and not alone:
            parts.ignored.append((tree.name_of(path), "there is no image in it"))
        depth = wrapping({member.parts[:-1] for member in images})
        folders = {member.parts[depth] for member in images if len(member.parts) > depth + 1}
        own = "" if len(folders) > (0 if alone else 1) else class_of_zip(path)
        groups = _groups(grouping, manifest, images[0].parts[:depth] if images else (), parts)
        for folder, members in sorted(_by_folder(images, depth, own, parts).items()):
            label = _label(folder, archive.name)
            parts.add(label, _table(path, folder, label, members, groups))


def wrapping(folders: set[tuple[str, ...]]) -> int:
    """Return how many folders, from the outermost on, only wrap the class folders."""
    depth = 0
    while True:
        nested = [folder[depth:] for folder in folders if len(folder) > depth]
        if len({folder[0] for folder in nested}) != 1 or any(len(folder) == 1 for folder in nested):
            return depth
        depth += 1


def _by_folder(images: list[Member], depth: int, own: str, parts: Parts) -> dict[str, list[Member]]:
    """Return the images by class folder, or all as one class `own`; those that lie in none go to what is ignored."""
    found: dict[str, list[Member]] = {}
    for member in images:
        inner = member.parts[min(depth, len(member.parts) - 1) :]
        if own or len(inner) == 2:
            found.setdefault(own or inner[0], []).append(member)
        else:
            parts.ignored.append((member.shown, OUTSIDE if len(inner) == 1 else TOO_DEEP))
    return found


def _table(path: str, folder: str, label: str, members: list[Member], groups: Groups) -> Any:
    import pyarrow

    members.sort(key=lambda member: (natural_key(member.parts[-1]), member.parts))
    names = (f"{folder}/{member.parts[-1]}" for member in members)
    files = pyarrow.array(names, pyarrow.string(), size=len(members))
    inside = [member.info.filename for member in members]
    return listing_table(files, label, paths=path, members=inside, groups=groups.of(files))


def _label(folder: str, archive: str) -> str:
    try:
        return normalize_label(folder)
    except LabelError as error:
        raise DatasetError(f"{error} It is a class of {archive}.") from error


def _groups(grouping: Grouping, manifest: Member | None, wrapper: tuple[str, ...], parts: Parts) -> Groups:
    if manifest is not None and manifest.parts[:-1] == wrapper:
        try:
            return grouping.by_manifest(io.BytesIO(manifest.read()), manifest.shown)
        except (DatasetError, UnreadableImage):
            parts.ignored.append((manifest.shown, "not a manifest of gesture-maker, groups are not taken from it"))
    return grouping.by_name()


def _checked(parts: Parts, place: str) -> Parts:
    """Return the parts with a name of its own for every image; DatasetError when there is none."""
    import pyarrow
    import pyarrow.compute

    if not parts.count:
        name, reason = parts.ignored[0] if parts.ignored else ("", "")
        only = f", only {name} ({reason})" if name else ""
        raise DatasetError(f"There is no image in {place}{only}: give class folders or zips of photos.")
    tables = [table for of_label in parts.tables.values() for table in of_label]
    files = pyarrow.concat_tables(tables).column("file")
    if pyarrow.compute.count_distinct(files).as_py() < len(files):  # two zips hold one name: say which zip
        for of_label in parts.tables.values():
            of_label[:] = [_named_by_zip(table) for table in of_label]
    return parts


def _named_by_zip(table: Any) -> Any:
    import pyarrow.compute

    names = pyarrow.compute.binary_join_element_wise(table.column("path"), table.column("member"), "/")
    return table.set_column(0, table.schema.field("file"), names)
