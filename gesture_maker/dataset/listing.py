"""Which images a source holds, and nothing of the images: what the engines that look for hands are given.

A dataset of a million images is a million names. They are kept as Arrow columns, about 60 bytes an image, where a Python
object for each would take 700; and Ray hands them out to its nodes as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow

LISTING_SCHEMA = pyarrow.schema(
    [
        ("file", pyarrow.string()),
        ("path", pyarrow.string()),
        ("member", pyarrow.string()),
        ("label", pyarrow.string()),
        ("group", pyarrow.string()),
        ("box", pyarrow.list_(pyarrow.float32())),
    ]
)
"""`file`: the image's name in the table of landmarks, unique. `path`: of its file, or of the zip it is in, relative to the
listing's root, with slashes. `member`: its name in that zip, else null. `label`: its class, normalised. `group`: the person or
burst, null when unknown. `box`: where in the photo the hand is (left, top, width, height, as shares of the photo's width and height),
null for the whole photo; an image with several boxes has a row for each."""


@dataclass(frozen=True, eq=False)
class Listing:
    """The images of one source: `images` is a table of `LISTING_SCHEMA`, the classes in the order of `label_order`.

    `root`: the local folder, or the address (`s3://bucket/photos`, `memory://photos`), that paths are relative to. `empty`:
    classes without an image. `ignored`: files that are not used, each with the reason.
    """

    root: str
    images: Any  # a pyarrow.Table
    empty: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.images.schema != LISTING_SCHEMA:
            raise ValueError(f"the columns of a listing are {LISTING_SCHEMA}, not {self.images.schema}")

    def __len__(self) -> int:
        return int(self.images.num_rows)


@dataclass
class Parts:
    """A listing in the making: the tables of each label (none for an empty class), and what is not used."""

    tables: dict[str, list[Any]] = field(default_factory=dict)
    ignored: list[tuple[str, str]] = field(default_factory=list)

    def add(self, label: str, table: Any) -> None:
        """Put the images of a table behind those of the same label."""
        self.tables.setdefault(label, []).extend([table] if len(table) else [])

    @property
    def count(self) -> int:
        """How many images there are."""
        return sum(len(table) for tables in self.tables.values() for table in tables)


def listing_table(
    files: Sequence[str],
    labels: Sequence[str] | str,
    *,
    paths: Sequence[str] | str | None = None,
    members: Sequence[str | None] | None = None,
    groups: Sequence[str | None] | None = None,
    boxes: Sequence[Sequence[float] | None] | None = None,
) -> Any:
    """Return a pyarrow.Table of `LISTING_SCHEMA`; what is not given is null, and `paths` are the files.

    Each column may be a pyarrow.Array too; a single label, path or group is that of all images.
    """
    count = len(files)
    names = _column(files, "file", count)
    columns = {
        "file": names,
        "path": names if paths is None else _column(paths, "path", count),  # the same bytes, kept once
        "member": _column(members, "member", count),
        "label": _column(labels, "label", count),
        "group": _column(groups, "group", count),
        "box": _column(boxes, "box", count),
    }
    return pyarrow.table(columns, schema=LISTING_SCHEMA)


def _column(values: Any, name: str, count: int) -> Any:
    kind = LISTING_SCHEMA.field(name).type
    if values is None:
        return pyarrow.nulls(count, kind)
    if isinstance(values, str):
        return pyarrow.repeat(pyarrow.scalar(values, kind), count)
    return values if isinstance(values, pyarrow.Array) else pyarrow.array(values, kind)
