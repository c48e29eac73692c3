"""From what a user has to a listing: which layout it is, and the module of `formats/` that reads it.

photos/rock/*.jpg, paper/*.jpg           class folders, on disk or at an address       formats/listed_folders.py
export.zip, or zips/rock.zip, paper.zip  zips, read where they are                     formats/zips.py
call/, call.zip and call.json            HaGRID's photos with its boxes                formats/hagrid.py
"""

from __future__ import annotations

from pathlib import Path

import pyarrow

from gesture_maker.dataset.folder import check_is_folder, find_dataset, label_order
from gesture_maker.dataset.formats import hagrid, zips
from gesture_maker.dataset.formats.class_folders import is_passed_over, natural_key
from gesture_maker.dataset.formats.listed_folders import list_class_folders
from gesture_maker.dataset.formats.tree import Tree
from gesture_maker.dataset.grouping import Grouping
from gesture_maker.dataset.listing import LISTING_SCHEMA, Listing, Parts
from gesture_maker.dataset.reading import is_address
from gesture_maker.errors import DatasetError


def list_images(source: str | Path, group_by: str | None = None) -> Listing:
    """Return the images of a source: a dataset's folder or name, a zip, a folder of zips, HaGRID, or an address of any of these.

    Of class folders on disk these are the images of `load_dataset`, in its order. `group_by`: a regular expression searched
    in the images' names, see `load_dataset`; without it groups are those of manifests, and HaGRID's people.

    Raises DatasetError or SourceError for a source that cannot be used, ConfigError for a `group_by` that is no regular
    expression or matches no image.
    """
    grouping = Grouping(group_by)
    tree, zip_name = _opened(source)
    if zip_name is not None:
        parts = hagrid.list_hagrid(tree, zip_name, grouping) or zips.list_zip(tree, zip_name, grouping)
    else:
        parts = hagrid.list_hagrid(tree, None, grouping) or _list_folder(tree, grouping)
    listing = _assembled(tree.root, parts)
    grouping.check(listing.images)
    return listing


def _opened(source: str | Path) -> tuple[Tree, str | None]:
    """Return the folder to look into, and the name of the zip in it if a zip is meant."""
    if is_address(source):
        place = str(source)
        # To find out whether it is a folder, a web address would be loaded as a whole.
        kind = "file" if zips.is_zip_name(place) else Tree(place).kind()
        if not kind:
            raise DatasetError(f"There is nothing at {place}: check the address.")
    else:
        path = find_dataset(source)
        place, kind = str(path), "folder" if path.is_dir() else "file"
    if kind == "folder":
        if not is_address(place):
            check_is_folder(Path(place))
        return Tree(place), None
    if not zips.is_zip_name(place):
        raise DatasetError(f"{place} is a file: give a folder with one folder of images per class, or a zip.")
    if is_address(place):
        folder, _, name = place.rpartition("/")
        return Tree(folder + "/" if folder.endswith("/") else folder), name
    return Tree(Path(place).parent), Path(place).name


def _list_folder(tree: Tree, grouping: Grouping) -> Parts:
    """Return the images of a folder of class folders, or of one of zips; DatasetError says what to do about others."""
    entries = [entry for entry in tree.entries() if not is_passed_over(entry.name)]
    folders = sorted((entry.name for entry in entries if entry.is_dir()), key=natural_key)
    packed = sorted((entry.name for entry in entries if zips.is_zip_name(entry.name)), key=natural_key)
    if not folders and not packed:
        raise DatasetError(
            f"{tree.root} has no class folders: put the photos of each gesture into a folder of its name."
        )
    parts = list_class_folders(tree, grouping)
    if parts.count:
        return parts
    if packed:
        names = {tree.name_of(name) for name in packed}
        parts.ignored[:] = [(name, reason) for name, reason in parts.ignored if name not in names]
        return zips.list_zips(tree, packed, grouping, parts)
    for folder in folders:
        inside = Tree(tree.name_of(folder))
        deeper = [entry for entry in inside.entries() if not is_passed_over(entry.name)]
        if any(zips.is_zip_name(entry.name) for entry in deeper) or (
            any(entry.is_dir() for entry in deeper) and list_class_folders(inside, Grouping(None)).count
        ):
            raise DatasetError(f"The class folders lie one level deeper than {tree.root}: use {inside.root} instead.")
    return parts


def _assembled(root: str, parts: Parts) -> Listing:
    """Return the listing of the parts, `none` first, then by label."""
    order = sorted(parts.tables, key=label_order)
    empty = LISTING_SCHEMA.empty_table()
    images = pyarrow.concat_tables([empty, *(table for label in order for table in parts.tables[label])])
    ignored = sorted(parts.ignored, key=lambda item: natural_key(item[0]))
    return Listing(root, images, tuple(label for label in order if not parts.tables[label]), tuple(ignored))
