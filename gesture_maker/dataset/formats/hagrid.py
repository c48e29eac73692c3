"""HaGRID's photos with its annotations as a listing: a row for each box of a hand.

    hagrid_30k/train_val_call/<uuid>.jpg    photos of a class: a folder or a zip, at any depth, with or without a prefix
    call.zip
    ann_train_val/call.json                 {uuid: {"bboxes": [[left, top, width, height], …], "labels": ["call", …],
    annotations/train/call.json                     "user_id": …, …}}, in folders, in a zip, or beside the photos

Both lie somewhere below one root, as they were downloaded or unpacked, or in one zip. Read are the boxes of hands in shares of the
photo, each with its own label (`no_gesture` is `none`), and the person. Version 2's two-handed gestures come as two hands, each
with the gesture's label; the united boxes around both are not used, since a row is a hand. A million rows take 175 MB.
Reading a class takes four times its JSON file, which has up to 100 MB.

Source of the format: the README of HaGRID's repository, from version 1 to HaGRIDv2.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from gesture_maker.dataset.archives import Archive, Member
from gesture_maker.dataset.formats.class_folders import is_passed_over, natural_key, printable
from gesture_maker.dataset.formats.tree import Tree, below
from gesture_maker.dataset.formats.zips import is_zip_name, opened_zip, users_members, why_unused
from gesture_maker.dataset.grouping import Grouping
from gesture_maker.dataset.listing import Parts, listing_table
from gesture_maker.dataset.names import NONE, normalize_label
from gesture_maker.errors import DatasetError, LabelError, SourceError, UnreadableImage
from gesture_maker.images import is_image_name

NO_GESTURE = "no_gesture"
DEPTH = 4  # folders below the root that are searched; HaGRID's own have two, unpacked beside each other three
MAX_JSON_BYTES = 2_000_000_000  # of one class; the largest have 100 MB
_PEEK = 1 << 16  # bytes of a JSON file in which the first record's boxes are
_OF_ANNOTATIONS = re.compile(r"(^|[_-])ann(otations?)?([_-]|$)", re.IGNORECASE)  # `ann_train_val`, `hagrid_annotations`
_SPLIT = re.compile(r"^(train_val|train|val|test|subsample)_")  # of `train_val_call`


def list_hagrid(tree: Tree, only_zip: str | None, grouping: Grouping) -> Parts | None:
    """Return the hands that HaGRID's annotations tell of, or None when there are no such annotations in the tree.

    `only_zip`: look into this zip, not into the tree. Groups are people, or with a pattern what it finds in the photos' names.
    Raises DatasetError for annotations that cannot be read, and when there is none of their photos.
    """
    with ExitStack() as stack:
        files = _Files(tree, stack)
        survey = _survey_zip(files, only_zip) if only_zip is not None else _survey_tree(files)
        if not survey.annotations:
            return None
        return _Reading(files, survey, grouping).run()


@dataclass(frozen=True, order=True)
class _Place:
    """A folder, on disk (`zip` is "") or in a zip, by its path there."""

    zip: str
    folder: str

    @property
    def name(self) -> str:
        return below(self.zip, self.folder) if self.zip else self.folder


@dataclass
class _Survey:
    """What was found: the annotation files (zip or "", path), and the folders that hold photos."""

    annotations: list[tuple[str, str]] = field(default_factory=list)
    places: list[_Place] = field(default_factory=list)


class _Files:
    """The files of a tree and of the zips in it; the last zip stays open, since its classes are read one after another."""

    def __init__(self, tree: Tree, stack: ExitStack) -> None:
        self.tree = tree
        self._stack = stack
        self._open = ""
        self._archive: Archive | None = None
        self._members: dict[str, list[Member]] = {}

    def members(self, path: str) -> dict[str, list[Member]]:
        """Return the members of a zip that are the user's, by the folders they lie in."""
        if self._open != path:
            self._stack.close()
            self._members, self._open = {}, path
            self._archive = self._stack.enter_context(opened_zip(self.tree, path))
            for member in users_members(self._archive):
                self._members.setdefault("/".join(member.parts[:-1]), []).append(member)
        return self._members

    def names_in(self, place: _Place) -> Iterator[tuple[str, str | None]]:
        """Yield the name of each photo in a folder, and its member's name if that is in a zip."""
        if not place.zip:
            for entry in self.tree.entries(place.folder):
                if is_image_name(entry.name) and not is_passed_over(entry.name) and entry.is_file():
                    yield entry.name, None
            return
        for member in self.members(place.zip)[place.folder]:
            if not why_unused(member):
                yield member.parts[-1], member.info.filename

    def read(self, zip_path: str, path: str, most: int) -> bytes:
        """Return the content of a file or of a member of a zip, or its first `most` bytes. Raises SourceError."""
        if not zip_path:
            with self.tree.opened(path) as file:
                return bytes(file.read(most))
        folder, _, name = path.rpartition("/")
        member = next(one for one in self.members(zip_path)[folder] if one.parts[-1] == name)
        pieces: list[bytes] = []
        try:
            for piece in member.archive.pieces(member):
                pieces.append(piece)
                most -= len(piece)
                if most <= 0:
                    break
        except UnreadableImage as error:
            raise SourceError(f"{member.shown} is damaged in the zip: download the zip again.") from error
        return b"".join(pieces)

    def name_of(self, zip_path: str, path: str) -> str:
        """Return how messages call a file, or a member of a zip."""
        return printable(self.tree.name_of(below(zip_path, path)))


def _survey_tree(files: _Files) -> _Survey:
    """Return what lies in a tree. Zips are opened only when they may hold annotations, or when annotations have been found."""
    survey = _Survey()
    packed: list[str] = []
    folders = [""]
    for depth in range(DEPTH + 1):
        deeper: list[str] = []
        for folder in folders:
            _look_into(files, folder, survey, packed, deeper)
        folders = sorted(deeper, key=natural_key) if depth < DEPTH else []
    packed.sort(key=natural_key)
    likely = [path for path in packed if _OF_ANNOTATIONS.search(PurePosixPath(path).stem)]
    if not survey.places and not survey.annotations and len(packed) == 1:
        likely = packed  # everything in one zip
    inside = {path: _survey_zip(files, path) for path in likely}
    survey.annotations += [one for path in likely for one in inside[path].annotations]
    if survey.annotations:
        for path in packed:
            survey.places += (inside.get(path) or _survey_zip(files, path)).places
    return survey


def _look_into(files: _Files, folder: str, survey: _Survey, packed: list[str], deeper: list[str]) -> None:
    """Put what lies in a folder where it belongs."""
    try:
        has_images = False
        for entry in files.tree.entries(folder):
            path = below(folder, entry.name)
            if is_passed_over(entry.name):
                continue
            if is_image_name(entry.name):  # most are, and it need not be asked what they are
                has_images = True
            elif is_zip_name(entry.name):
                packed.append(path)
            elif entry.name.lower().endswith(".json") and entry.is_file():
                if _are_annotations(files, "", path):
                    survey.annotations.append(("", path))
            elif entry.is_dir():
                deeper.append(path)
    except PermissionError:  # what is needed of it is looked at again, and then it is an error
        return
    if has_images:
        survey.places.append(_Place("", folder))


def _survey_zip(files: _Files, path: str) -> _Survey:
    survey = _Survey()
    jsons: list[str] = []
    for folder, members in files.members(path).items():
        jsons += ["/".join(member.parts) for member in members if member.parts[-1].lower().endswith(".json")]
        if any(is_image_name(member.parts[-1]) for member in members):
            survey.places.append(_Place(path, folder))
    survey.annotations = [(path, name) for name in jsons if _are_annotations(files, path, name)]
    return survey


def _are_annotations(files: _Files, zip_path: str, path: str) -> bool:
    begin = files.read(zip_path, path, _PEEK)
    return begin.lstrip().startswith(b"{") and b'"bboxes"' in begin


@dataclass(frozen=True, slots=True)
class _Record:
    """What is kept of one photo's annotation."""

    boxes: Any
    labels: Any
    user: Any
    united: Any


def _record(pairs: list[tuple[str, Any]]) -> Any:
    """Called for each JSON object as it is read: keeps of a photo's what is used, so that a class of 100 MB takes 20 MB more."""
    found = dict(pairs)
    if "bboxes" not in found:
        return found
    united = found.get("united_bbox")
    count = sum(box is not None for box in united) if isinstance(united, list) else 0
    return _Record(found["bboxes"], found.get("labels"), found.get("user_id"), count)


class _Reading:
    """One listing of HaGRID under way."""

    def __init__(self, files: _Files, survey: _Survey, grouping: Grouping) -> None:
        self.files, self.grouping = files, grouping
        self.parts = Parts()
        self.annotations: dict[str, list[tuple[str, str]]] = {}
        for zip_path, path in sorted(survey.annotations):
            self.annotations.setdefault(_SPLIT.sub("", PurePosixPath(path).stem), []).append((zip_path, path))
        self.places: dict[str, list[_Place]] = {}
        self.others: list[_Place] = []
        for place in sorted(survey.places):
            of_class = self._class_of(place)
            (self.places.setdefault(of_class, []) if of_class else self.others).append(place)
        self._labels: dict[str, str] = {}
        self._united = self._unusable = self._twice = 0

    def run(self) -> Parts:
        """Read class by class. Raises DatasetError."""
        missing: list[str] = []
        for of_class in sorted(self.annotations, key=natural_key):
            if of_class in self.places:
                self._read_class(of_class)
            else:
                missing.append(of_class)
        if not self.parts.count:
            where = self.files.name_of(*next(iter(self.annotations.values()))[0])
            raise DatasetError(
                f"None of the photos that {where} tells of is below {self.files.tree.root}: put the folders or zips of the "
                "classes there, such as call/ or call.zip."
            )
        root = self.files.tree.root
        for place in self.others:
            count = sum(1 for _ in self.files.names_in(place))
            self._ignore(place.name, count, "image without annotation", "images without annotations")
        if missing:
            classes = "1 class has" if len(missing) == 1 else f"{len(missing)} classes have"
            self.parts.ignored.append((root, f"{classes} annotations but no images here: {', '.join(missing)}"))
        self._ignore(root, self._twice, "image that is there twice", "images that are there twice", whole=True)
        self._ignore(root, self._unusable, "box that is none", "boxes that are none", whole=True)
        why = "around both hands of a gesture, each hand is used by itself"
        self._ignore(root, self._united, f"box {why}", f"boxes {why}", whole=True)
        return self.parts

    def _ignore(self, name: str, count: int, one: str, many: str, whole: bool = False) -> None:
        if count:
            shown = name if whole else self.files.name_of("", name)
            self.parts.ignored.append((shown, f"{count:,} {one if count == 1 else many}"))

    def _class_of(self, place: _Place) -> str:
        """Return the annotated class that a folder of photos is of, going by the innermost folder with such a name; else ""."""
        outer = (*PurePosixPath(place.zip).with_suffix("").parts,) if place.zip else ()
        root = PurePosixPath(self.files.tree.root).name
        for name in reversed((root, *outer, *PurePosixPath(place.folder).parts)):
            if (of_class := _SPLIT.sub("", name)) in self.annotations:
                return of_class
        return ""

    def _read_class(self, of_class: str) -> None:
        records: dict[str, _Record] = {}
        for zip_path, path in self.annotations[of_class]:
            records.update(self._records(zip_path, path))
        used: set[str] = set()
        rows: dict[str, _Rows] = {}
        for place in self.places[of_class]:
            unknown = 0
            for name, member in sorted(self.files.names_in(place), key=lambda one: natural_key(one[0])):
                stem = name.rsplit(".", 1)[0]
                if stem not in records:
                    unknown += 1
                elif stem in used:
                    self._twice += 1
                else:
                    used.add(stem)
                    path = place.zip or below(place.folder, name)
                    self._add(rows, of_class, name, path, member, records[stem])
            self._ignore(place.name, unknown, "image without annotation", "images without annotations")
        of_what = self.files.name_of(*self.annotations[of_class][0])
        self._ignore(
            of_what, len(records) - len(used), "annotation of no image here", "annotations of no image here", True
        )
        for label, of_label in rows.items():
            self.parts.add(label, of_label.table(label))

    def _add(
        self, rows: dict[str, _Rows], of_class: str, name: str, path: str, member: str | None, record: _Record
    ) -> None:
        self._united += record.united
        file = f"{of_class}/{name}"
        group = str(record.user) if record.user else None
        if self.grouping.by_pattern:
            group = self.grouping.key(name) or file
        several = len(record.boxes) > 1
        for number, (box, label) in enumerate(zip(record.boxes, record.labels, strict=True), 1):
            if not _is_box(box):
                self._unusable += 1
                continue
            of_label = rows.setdefault(self._label(label, of_class), _Rows())
            of_label.append(f"{file}#{number}" if several else file, path, member, group, box)

    def _label(self, label: Any, of_class: str) -> str:
        if label not in self._labels:
            try:
                self._labels[label] = NONE if label == NO_GESTURE else normalize_label(label)
            except LabelError as error:
                where = self.files.name_of(*self.annotations[of_class][0])
                raise DatasetError(f"{error} It is a label in {where}.") from error
        return self._labels[label]

    def _records(self, zip_path: str, path: str) -> dict[str, _Record]:
        """Return the annotations of a file by the names of their photos. Raises DatasetError."""
        name = self.files.name_of(zip_path, path)
        content = self.files.read(zip_path, path, MAX_JSON_BYTES)
        try:
            found = json.loads(content, object_pairs_hook=_record)
        except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
            raise DatasetError(f"{name} is no JSON or is cut short: download the annotations again.") from error
        for photo, record in found.items() if isinstance(found, dict) else [("", None)]:
            if not _is_record(record):
                raise DatasetError(
                    f'{name} is not as HaGRID writes annotations (at "{printable(photo)}"): each photo needs "bboxes" and as many "labels".'
                )
        return dict(found)


@dataclass
class _Rows:
    """Columns in the making."""

    files: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    members: list[str | None] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    boxes: list[Any] = field(default_factory=list)

    def append(self, file: str, path: str, member: str | None, group: str | None, box: Any) -> None:
        columns: tuple[list[Any], ...] = (self.files, self.paths, self.members, self.groups, self.boxes)
        for column, value in zip(columns, (file, path, member, group, box), strict=True):
            column.append(value)

    def table(self, label: str) -> Any:
        return listing_table(
            self.files, label, paths=self.paths, members=self.members, groups=self.groups, boxes=self.boxes
        )


def _is_record(record: Any) -> bool:
    return (
        isinstance(record, _Record)
        and isinstance(record.boxes, list)
        and isinstance(record.labels, list)
        and len(record.boxes) == len(record.labels)
        and all(isinstance(label, str) for label in record.labels)
    )


def _is_box(box: Any) -> bool:
    """Tell whether this is left, top, width and height of something that is, at least in part, in the photo."""
    if not isinstance(box, list) or len(box) != 4:
        return False
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in box):
        return False
    left, top, width, height = map(float, box)
    return width > 0 and height > 0 and left < 1 and top < 1 and left + width > 0 and top + height > 0
