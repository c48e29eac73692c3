"""Which photos are of one person or burst, for listings: from a manifest, or from the files' names.

The rules are those of `load_dataset`. What is known is kept as Arrow columns, because a manifest of a million rows would take a
gigabyte as Python objects.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from gesture_maker.dataset.formats.tree import Tree
from gesture_maker.dataset.manifest import COLUMNS, ManifestRow, original_name, parse_manifest
from gesture_maker.errors import ConfigError

_ROWS_AT_ONCE = 10_000


class Grouping:
    """How the images of one listing are grouped: by `pattern`, a regular expression, or None for what manifests say.

    Raises ConfigError for a pattern that is no regular expression.
    """

    def __init__(self, pattern: str | None) -> None:
        self._written, self._matched = pattern, False
        try:
            self._pattern = re.compile(pattern) if pattern is not None else None
        except re.error as error:
            raise ConfigError(f"--group-by {pattern!r} is not a regular expression: {error}.") from error

    def by_manifest(self, file: Any, name: str) -> Groups:
        """Return the groups that a manifest knows; `file`: it, opened for reading bytes. Raises DatasetError, see `parse_manifest`."""
        try:
            lines = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
            return Groups(self, *_columns(csv.DictReader(lines, restval=""), with_source=self._pattern is not None))
        except (UnicodeDecodeError, csv.Error, KeyError):
            file.seek(0)
            parse_manifest(file.read(), name)  # raises, and says what is wrong
            raise

    def by_name(self) -> Groups:
        """Return the groups where there is no manifest."""
        return Groups(self)

    def of_tree(self, tree: Tree, manifest: str | None) -> Groups:
        """Return the groups that the manifest in a tree knows, or those where there is none."""
        if manifest is None:
            return self.by_name()
        with tree.opened(manifest) as file:
            return self.by_manifest(file, tree.name_of(manifest))

    def key(self, name: str) -> str | None:
        """Return the group that the pattern finds in a file's name."""
        assert self._pattern is not None
        match = self._pattern.search(name)
        found = (match.group(1) if self._pattern.groups else match.group()) if match else None
        self._matched = self._matched or bool(found)
        return found

    @property
    def by_pattern(self) -> bool:
        """Whether names decide."""
        return self._pattern is not None

    def check(self, images: Any) -> None:
        """Raise ConfigError when there are images (a table), and the pattern was found in none of their names."""
        if self._pattern is not None and len(images) and not self._matched:
            raise ConfigError(
                f"--group-by {self._written!r} matches no file name, such as {_own_name(images.column('file')[0].as_py())}: "
                "use one that finds the person or burst in the name, e.g. '^p[0-9]+'."
            )


class Groups:
    """What one manifest knows: `files`, their `groups`, and where they are from (`sources`), as pyarrow.Arrays."""

    def __init__(self, grouping: Grouping, files: Any = None, groups: Any = None, sources: Any = None) -> None:
        self._grouping, self._files, self._groups, self._sources = grouping, files, groups, sources

    def of(self, files: Any) -> Any:
        """Return the group of each file (an Arrow array of names such as `rock/rock_000001.jpg`), null when unknown."""
        import pyarrow
        import pyarrow.compute

        rows = pyarrow.compute.index_in(files, value_set=self._files) if self._files is not None else None
        if not self._grouping.by_pattern:
            return pyarrow.nulls(len(files), pyarrow.string()) if rows is None else self._groups.take(rows)
        sources = pyarrow.nulls(len(files), pyarrow.string()) if rows is None else self._sources.take(rows)
        groups = (self._by_name(file.as_py(), source.as_py()) for file, source in zip(files, sources, strict=True))
        return pyarrow.array(groups, pyarrow.string(), size=len(files))

    def _by_name(self, file: str, source: str | None) -> str:
        original = original_name(ManifestRow(file, "", source)) if source else ""
        return self._grouping.key(original or _own_name(file)) or file


def _own_name(file: str) -> str:
    return file.rsplit("/", 1)[-1]


def _columns(reader: csv.DictReader[str], with_source: bool) -> tuple[Any, Any, Any]:
    """Return the columns file, group and source of a manifest; of rows of one file the last counts, so it comes first.

    Raises KeyError when a column is missing.
    """
    import pyarrow

    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise KeyError(*missing)
    chunks = []
    for rows in _batches(reader):
        rows.reverse()
        files = pyarrow.array([row["file"] for row in rows], pyarrow.string())
        groups = pyarrow.array([row["group"] or None for row in rows], pyarrow.string())
        sources = [row["source"] if with_source else None for row in rows]
        chunks.append((files, groups, pyarrow.array(sources, pyarrow.string())))
    empty = pyarrow.array([], pyarrow.string())
    chunks.append((empty, empty, empty))
    files, groups, sources = (pyarrow.concat_arrays(column) for column in zip(*reversed(chunks), strict=True))
    return files, groups, sources


def _batches(reader: csv.DictReader[str]) -> Iterator[list[dict[str, str]]]:
    rows: list[dict[str, str]] = []
    for row in reader:
        if row["file"]:
            rows.append(row)
        if len(rows) == _ROWS_AT_ONCE:
            yield rows
            rows = []
    yield rows
