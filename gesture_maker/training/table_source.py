"""Training from a table of landmarks: what its rows are, read as they come, never all at once.

A row counts when it has a label and was looked at with the wanted settings; looks in a mirror are no photos of their own.
`survey` reads the columns that say who is who, 20 bytes a row in memory, and `read` the hands of the rows that are asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.folder import LabelledImage, label_order
from gesture_maker.dataset.grouping import Grouping
from gesture_maker.dataset.names import normalize_label
from gesture_maker.errors import DatasetError, LabelError
from gesture_maker.landmarks import csv_table
from gesture_maker.landmarks.detector import detection_key
from gesture_maker.landmarks.engine import Seen
from gesture_maker.landmarks.hands import EmbedderInputs, Hand
from gesture_maker.landmarks.table import TABLE_NAME

SUFFIXES = (".parquet", ".csv")

BATCH_ROWS = 10_000  # 5 MB of landmarks; with ten times as many training from a million rows is not quicker

_ABOUT = ("file", "label", "group", "sha256", "detection", "reason")
_MIRRORED = "-mirrored"

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def is_table(path: Path) -> bool:
    """Tell whether a path names a table of landmarks: a Parquet or CSV file."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def run_name(dataset: Path) -> str:
    """Return how a run is called by default: as its dataset, or its table; a dataset's own table counts as the dataset."""
    place = dataset.resolve()
    if not is_table(place):
        return place.name
    return place.parent.name if place.name == TABLE_NAME else place.stem


@dataclass(frozen=True)
class TableImage(LabelledImage):
    """A photo that a table tells of. `name`: what the table calls it; `path`: where it would lie beside the table."""

    name: str = ""

    @property
    def file(self) -> str:
        """What the table calls it."""
        return self.name


@dataclass(frozen=True, eq=False)
class Survey:
    """The N rows of a table that count, in their order.

    `labels`: in the order of the head's outputs; `classes`: int16 [N], indices into them; `content`: uint64 [N], a hash of
    the photo's SHA-256, random but equal for equal photos; `unit`: uint64 [N], a hash of the group, or of the content
    where the row has none; `usable`: bool [N], whether the row shows a hand. `detection`: the settings that count. `reasons`:
    why how many rows show none. `fingerprint`: SHA-256 of labels, groups and contents in whatever order.
    """

    path: Path
    group_by: str | None
    detection: str
    labels: list[str]
    classes: npt.NDArray[np.int16]
    content: npt.NDArray[np.uint64]
    unit: npt.NDArray[np.uint64]
    usable: Mask
    reasons: Counter[str]
    fingerprint: str
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def hands(self) -> int:
        """How many rows show a hand."""
        return int(self.usable.sum())

    def counts(self, among: Mask | None = None) -> dict[str, int]:
        """Return how many rows (of those in the mask) each label has."""
        numbers = np.bincount(self.classes[among] if among is not None else self.classes, minlength=len(self.labels))
        return {label: int(number) for label, number in zip(self.labels, numbers, strict=True)}


def survey(
    path: Path, min_detection_confidence: float, group_by: str | None = None, detection: str | None = None
) -> Survey:
    """Return what a table's rows are. `detection`: the settings that count; by default those of the wanted confidence.

    Where the table has other settings only, those count, with a warning. Raises DatasetError for a file that is no table
    of landmarks, has no row with a label, or has rows of several settings but not of the wanted ones; ConfigError for a
    `group_by` that is no regular expression or matches no file.
    """
    collected = _Collected(path, group_by)
    for batch in _batches(path, _ABOUT):
        collected.add(batch)
    wanted = detection or detection_key(min_detection_confidence)
    chosen, warnings = _chosen(path, collected.detections(), wanted)
    return collected.survey(chosen, warnings)


def rows_of(of: Survey, where: Mask | None = None) -> Iterator[tuple[Integers, Any]]:
    """Yield the rows that count as pyarrow.RecordBatches of all columns, each with their numbers in the survey, int64 [n].

    `where`: bool [N], which of them. Raises DatasetError when the table is no longer the one that was surveyed.
    """
    number = 0
    for batch in _batches(of.path, None):
        counts = _labelled(batch) & (_settings(batch) == of.detection)
        numbers = number + np.arange(int(counts.sum()), dtype=np.int64)
        number += len(numbers)
        if number > len(of):
            break
        if where is not None:
            rows = np.flatnonzero(counts)[where[numbers]]
            numbers = numbers[where[numbers]]
        else:
            rows = np.flatnonzero(counts)
        if len(numbers):
            taken = batch if len(rows) == len(batch) else batch.take(_arrow(rows))
            yield numbers, taken
    if number != len(of):
        raise DatasetError(f"{of.path} was changed while it was read: run the command again.")


def hands_of(of: Survey, where: Mask) -> Iterator[tuple[Integers, EmbedderInputs]]:
    """Yield the hands of the rows of a mask, which all show one, each batch with their numbers in the survey."""
    from gesture_maker.landmarks.rows import inputs_of

    for numbers, batch in rows_of(of, where):
        with _told(of.path):
            hands = inputs_of(batch)
        yield numbers, hands


def read(of: Survey, where: Mask | None = None) -> list[tuple[TableImage, Seen]]:
    """Return the photos of the rows (of a mask), in the table's order."""
    from gesture_maker.landmarks.rows import answers_of

    groups = Grouping(of.group_by).by_name()
    found = []
    for numbers, batch in rows_of(of, where):
        with _told(of.path):
            answers = answers_of(batch)
        names = [
            file or f"row {number}" for number, file in zip(numbers, batch.column("file").to_pylist(), strict=True)
        ]
        known = batch.column("group") if of.group_by is None else groups.of(_arrow(names))
        columns = (numbers, names, known.to_pylist(), batch.column("sha256").to_pylist(), answers)
        for number, name, group, sha256, answer in zip(*columns, strict=True):
            image = TableImage(of.path.parent / name, of.labels[of.classes[number]], group or None, None, name)
            found.append((image, Seen(image.path, sha256 or "", answer)))
    return found


def read_mirrored(of: Survey, files: Collection[str]) -> dict[str, Hand]:
    """Return the hands in the mirror images of some photos, by what the table calls the photo; of those where it has one."""
    from gesture_maker.landmarks.rows import answers_of

    found: dict[str, Hand] = {}
    if not files:
        return found
    for batch in _batches(of.path, None):
        mirrored = np.flatnonzero(_labelled(batch) & (_settings(batch) == of.detection + _MIRRORED))
        names = batch.column("file").to_pylist()
        rows = [row for row in mirrored if names[row] in files]
        with _told(of.path):
            answers = answers_of(batch.take(_arrow(np.array(rows, np.int64)))) if rows else []
        found |= {names[row]: one for row, one in zip(rows, answers, strict=True) if isinstance(one, Hand)}
    return found


class _Collected:
    """The columns of a survey, batch by batch; rows of every detection setting until it is known which of them count."""

    def __init__(self, path: Path, group_by: str | None) -> None:
        self._path, self._group_by = path, group_by
        self._grouping = Grouping(group_by)
        self._codes: dict[str, int] = {}  # of labels
        self._settings: dict[str, int] = {}
        self._columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("label", "setting", *_HASHES, "ok")}
        self._reasons: Counter[tuple[int, str]] = Counter()
        self._first: Any = None

    def add(self, batch: Any) -> None:
        """Add the rows with a label."""
        labelled = np.flatnonzero(_labelled(batch))
        if not len(labelled):
            return
        batch = batch if len(labelled) == len(batch) else batch.take(_arrow(labelled))
        names = _settings(batch)
        counts = np.array([not name.endswith(_MIRRORED) for name in names.tolist()])
        batch, names = batch.filter(_arrow(counts)), names[counts]
        if not len(names):
            return
        self._first = self._first or batch.column("file").slice(0, 1)
        columns = {name: batch.column(name).to_pylist() for name in ("label", "sha256", "reason", "file")}
        if self._group_by is None:
            groups = batch.column("group").to_pylist()
        else:
            files = [file or sha256 or "" for file, sha256 in zip(columns["file"], columns["sha256"], strict=True)]
            groups = self._grouping.by_name().of(_arrow(files)).to_pylist()
        labels = [self._code(label) for label in columns["label"]]
        settings = [self._settings.setdefault(name, len(self._settings)) for name in names.tolist()]
        shas = [sha256 or file or "" for sha256, file in zip(columns["sha256"], columns["file"], strict=True)]
        content = [content_hash(sha256) for sha256 in shas]
        units = [_hash(group, b"group") if group else own for group, own in zip(groups, content, strict=True)]
        usable = [reason is None for reason in columns["reason"]]
        values = (labels, settings, content, units, usable)
        types = (np.int16, np.int16, np.uint64, np.uint64, np.bool_)
        for name, column, kind in zip(self._columns, values, types, strict=True):
            self._columns[name].append(np.array(column, kind))
        self._reasons.update(
            (setting, reason) for setting, reason in zip(settings, columns["reason"], strict=True) if reason is not None
        )

    def _code(self, label: str) -> int:
        known = self._codes.get(label)
        if known is None:
            try:
                normalize_label(label)
            except LabelError as error:
                raise DatasetError(f"{self._path} cannot be trained from. {error}") from error
            known = self._codes[label] = len(self._codes)
        return known

    def detections(self) -> Counter[str]:
        """Return how many rows there are of each detection setting."""
        numbers = np.bincount(self._joined("setting", np.int16), minlength=len(self._settings))
        return Counter({name: int(numbers[code]) for name, code in self._settings.items()})

    def survey(self, detection: str, warnings: tuple[str, ...]) -> Survey:
        """Return the survey of the rows with this setting."""
        import pyarrow

        if self._first is not None:
            self._grouping.check(pyarrow.table({"file": self._first}))
        setting = self._settings[detection]
        chosen = self._joined("setting", np.int16) == setting
        codes = self._joined("label", np.int16)[chosen]
        spelled = {code: normalize_label(label) for label, code in self._codes.items()}
        labels = sorted({spelled[code] for code in np.unique(codes).tolist()}, key=label_order)
        place = np.array(
            [labels.index(spelled[code]) if spelled[code] in labels else -1 for code in range(len(spelled))]
        )
        content, unit = (self._joined(name, np.uint64)[chosen] for name in _HASHES)
        classes = place.astype(np.int16)[codes]
        reasons = Counter({reason: count for (code, reason), count in self._reasons.items() if code == setting})
        usable = self._joined("ok", np.bool_)[chosen]
        fingerprint = _fingerprint(labels, classes, content, unit)
        return Survey(
            self._path,
            self._group_by,
            detection,
            labels,
            classes,
            content,
            unit,
            usable,
            reasons,
            fingerprint,
            warnings,
        )

    def _joined(self, name: str, kind: Any) -> npt.NDArray[Any]:
        return np.concatenate([np.zeros(0, kind), *self._columns[name]])


_HASHES = ("content", "unit")


def with_none(of: Survey) -> Survey:
    """Return a survey whose labels begin with `none`, which then has no row: made-up hands can take its place."""
    from gesture_maker.dataset.names import NONE

    if NONE in of.labels:
        return of
    return replace(of, labels=[NONE, *of.labels], classes=of.classes + np.int16(1))


def _batches(path: Path, columns: tuple[str, ...] | None) -> Iterator[Any]:
    """Yield the rows of a table as pyarrow.RecordBatches of `rows.SCHEMA`, or of some of its columns."""
    if path.suffix.lower() == ".csv":
        for table in csv_table.landmark_csv_tables(path):
            yield from table.to_batches(max_chunksize=BATCH_ROWS)
        return
    from gesture_maker.landmarks.table import read_batches

    yield from read_batches(path, columns, BATCH_ROWS)


def _chosen(path: Path, found: Counter[str], wanted: str) -> tuple[str, tuple[str, ...]]:
    if not found:
        raise DatasetError(
            f"{path} has no row with a label: make a table of labelled photos with `gesture-maker landmarks DATASET`."
        )
    if wanted in found:
        others = sum(found.values()) - found[wanted]
        rows, verbs = ("row", ("was", "is")) if others == 1 else ("rows", ("were", "are"))
        about = f"{others} {rows} of {path} {verbs[0]} found with other detection settings and {verbs[1]} not used."
        return wanted, (about,) if others else ()
    if len(found) > 1:
        raise DatasetError(
            f"{path} has landmarks of {len(found)} detection settings, none of them the wanted ones: make it anew, or name "
            "the --min-detection-confidence it was made with."
        )
    (only,) = found
    if only == csv_table.DETECTION:
        return only, ()
    return only, (
        f"The landmarks in {path} were found with other detection settings than are wanted now (another "
        "--min-detection-confidence, or another version): they are used as they are.",
    )


def _labelled(batch: Any) -> Mask:
    return np.asarray(batch.column("label").is_valid().to_numpy(zero_copy_only=False), bool)


def _settings(batch: Any) -> npt.NDArray[Any]:
    """Return the detection settings of each row without the box they were applied to; empty where they are null."""
    names = batch.column("detection").dictionary_encode()
    plain = np.array([(name or "").partition("@")[0] for name in names.dictionary.to_pylist()] + [""], object)
    return np.asarray(plain[names.indices.fill_null(len(plain) - 1).to_numpy(zero_copy_only=False)])


def content_hash(sha256: str) -> int:
    """Return the hash by which a survey knows a photo."""
    return _hash(sha256, b"content")


def _hash(text: str, what: bytes) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=what).digest()
    return int.from_bytes(digest, "little")


def _fingerprint(
    labels: list[str], classes: npt.NDArray[np.int16], content: npt.NDArray[np.uint64], unit: npt.NDArray[np.uint64]
) -> str:
    digest = hashlib.sha256("\n".join(labels).encode())
    # Sorted, so that the order of the rows does not matter.
    order = np.lexsort((classes, unit, content))
    for column in (classes.astype("<i2"), content.astype("<u8"), unit.astype("<u8")):
        digest.update(column[order].tobytes())
    return digest.hexdigest()


def _arrow(values: Any) -> Any:
    import pyarrow

    return pyarrow.array(values)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say of which table rows are damaged, when they turn out to be."""
    try:
        yield
    except ValueError as error:
        raise DatasetError(
            f"{path} holds rows that are neither a hand nor a reason why there is none ({error}): make it anew."
        ) from error
