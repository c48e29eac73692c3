"""A table of landmarks from any source of labelled images: the look at the images, apart from what is done with it."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow

from gesture_maker.dataset.folder import LabelledImage, find_dataset
from gesture_maker.dataset.listing import Listing
from gesture_maker.dataset.reading import is_address
from gesture_maker.errors import ConfigError
from gesture_maker.files import atomic_write
from gesture_maker.landmarks.engine import Engine, Filled, Seen, fill, held
from gesture_maker.landmarks.hands import Hand, HandOrNot
from gesture_maker.landmarks.local_engine import Detectors
from gesture_maker.landmarks.looking import Look, box_key
from gesture_maker.landmarks.mirror import to_mirror
from gesture_maker.landmarks.table import DamagedTable, LandmarkTable, table_path
from gesture_maker.landmarks.table_file import TableWriter, keys_of
from gesture_maker.progress import StageProgress, of_stage

SUFFIX = ".parquet"

AT_ONCE = 10_000  # answers in memory, 12 MB


@dataclass(frozen=True)
class MadeTable:
    """A table of landmarks and what it holds.

    `images`, `hands`: how many of each class, by label; `reasons`: how many images show no usable hand, by reason; `looks`: how
    many looks this took, all others being known, None where there are no images; `unreadable`: images that cannot be read, and
    why; `ignored`: what the source holds beside its images, with the reason.
    """

    path: Path
    images: Counter[str]
    hands: Counter[str]
    reasons: Counter[str]
    looks: int | None
    unreadable: tuple[tuple[str, str], ...] = ()
    ignored: tuple[tuple[str, str], ...] = field(default=())


def place_of_table(source: str | Path, out: Path | None) -> Path:
    """Return where the table of a source goes: to `out`; that of a dataset's folder beside its images; any other to this folder.

    Raises ConfigError when `out` is no name of a Parquet file.
    """
    if out is not None:
        if out.suffix != SUFFIX or out.is_dir():
            raise ConfigError(f"{out} is no name for a table: use one that ends in {SUFFIX}.")
        _refuse_others(out)
        return out
    if not is_address(source):
        found = find_dataset(source)
        if found.is_dir():
            return table_path(found)
    name = str(source).rstrip("/").rpartition("/")[2]
    return Path(Path(name).stem + SUFFIX)


def _refuse_others(path: Path) -> None:
    """Raise ConfigError for a Parquet file of something else, which would be set aside as a damaged table."""
    import pyarrow.parquet

    try:
        columns = set(pyarrow.parquet.read_schema(path).names) if path.is_file() else {"sha256", "detection"}
    except (OSError, pyarrow.ArrowException):
        return  # a damaged file
    if not {"sha256", "detection"} <= columns:
        raise ConfigError(f"{path} holds something else than landmarks: use another name.")


def holds_many(root: Path, many: int) -> bool:
    """Tell whether the class folders of a dataset hold that many files."""
    if not root.is_dir():
        return False
    names = (name for folder in root.iterdir() if folder.is_dir() for name in os.scandir(folder))
    return next(itertools.islice(names, many - 1, None), None) is not None


def seed_table(path: Path, own: Path) -> None:
    """Let a new table at `path` begin with what the dataset's own table knows."""
    if not path.exists() and own.is_file() and own.resolve() != path.resolve():
        LandmarkTable.open(own).save()  # what lies beside it, unmerged
        with atomic_write(path) as temporary:
            shutil.copyfile(own, temporary)


def make_table(
    listing: Listing,
    path: Path,
    *,
    min_detection_confidence: float,
    mirror: int = 0,
    engine: Engine | None = None,
    progress: StageProgress | None = None,
) -> MadeTable:
    """Look at the images of a listing, up to `mirror` of them in a mirror too, and return their table.

    Images that the table knows are not looked at again. Its rows come in the order of the listing, first those of the images as
    they are, then those in the mirror. What cannot be read at all has no row.
    """
    table = LandmarkTable.open(path)
    plain, mirrored = (Look(min_detection_confidence, in_mirror) for in_mirror in (False, True))
    looks = 0
    with Detectors(min_detection_confidence) as detectors:
        while True:
            try:
                filled = fill(listing, table, plain, engine, of_stage(progress, "landmarks"), detectors)
                counts = _count(listing, filled, table, plain)
                looks += filled.looks
                chosen = to_mirror(counts.labels, filled.sha256, counts.usable, mirror)
                if len(chosen):
                    part = Listing(listing.root, listing.images.take(pyarrow.array(chosen)))
                    looks += fill(part, table, mirrored, engine, of_stage(progress, "mirror"), detectors).looks
                table.merge(named(listing, filled), [plain.key(), mirrored.key()])
                break
            except DamagedTable:  # it goes on without the file, whose images are looked at again
                continue
    unreadable = tuple(
        (listing.images.column("file")[index].as_py(), answer.reason) for index, answer in filled.unreadable.items()
    )
    return MadeTable(path, counts.images, counts.hands, counts.reasons, looks, unreadable, listing.ignored)


def import_csv(source: Path, path: Path, progress: StageProgress | None = None) -> MadeTable:
    """Return the table of a CSV of landmarks in HaGRID's layout, which has no images to look at.

    Raises DatasetError for what is no such CSV; then there is no table.
    """
    from gesture_maker.landmarks.csv_table import landmark_csv_tables

    images, hands, reasons = Counter[str](), Counter[str](), Counter[str]()
    with atomic_write(path) as temporary, TableWriter(temporary) as writer:
        for rows in landmark_csv_tables(source):
            writer.write(rows, keys_of(rows.column("sha256").to_pylist(), rows.column("detection").to_pylist()))
            images.update(rows.column("label").to_pylist())
            hands.update(rows.filter(rows.column("reason").is_null()).column("label").to_pylist())
            reasons.update(rows.column("reason").drop_null().to_pylist())
            if progress:
                progress("rows", images.total(), 0)
    return MadeTable(path, images, hands, reasons, None)


def name_rows(
    table: LandmarkTable, photos: Sequence[LabelledImage], seen: Sequence[Seen], min_detection_confidence: float
) -> None:
    """Write down which photo of a dataset each row of its table is of, so that it can be trained from without them."""
    columns = {name: [getattr(photo, name) for photo in photos] for name in ("file", "label", "group")}
    columns["sha256"] = [one.sha256 or None for one in seen]
    images = pyarrow.table({name: pyarrow.array(values, pyarrow.string()) for name, values in columns.items()})
    # Those in the mirror too: which were looked at is for the table to know.
    with contextlib.suppress(DamagedTable):  # what was in the damaged file will be looked for when it is needed
        table.merge(images, [Look(min_detection_confidence, in_mirror).key() for in_mirror in (False, True)])


def named(listing: Listing, filled: Filled) -> pyarrow.Table:
    """Return what `LandmarkTable.merge` wants to know of the images: file, label, group, sha256, and of boxes `box_key`."""
    columns = {name: listing.images.column(name) for name in ("file", "label", "group")}
    # One by one: as a numpy array of str they would take four times as much.
    shas = (sha256.decode() or None for sha256 in filled.sha256.tolist())
    columns["sha256"] = pyarrow.array(shas, pyarrow.string(), size=len(listing))
    boxes = listing.images.column("box")
    if boxes.null_count < len(listing):
        places = (box_key(box) if box is not None else None for box in boxes.to_pylist())
        columns["box_key"] = pyarrow.array(places, pyarrow.string(), size=len(listing))
    return pyarrow.table(columns)


@dataclass(frozen=True, eq=False)
class _Counts:
    """What was found: `labels` of each image, `usable`: bool [N], and the sums."""

    labels: list[str]
    usable: npt.NDArray[np.bool_]
    images: Counter[str]
    hands: Counter[str]
    reasons: Counter[str]


def _count(listing: Listing, filled: Filled, table: LandmarkTable, look: Look) -> _Counts:
    labels = listing.images.column("label").to_pylist()
    usable = np.zeros(len(listing), bool)
    reasons: Counter[str] = Counter()
    for start in range(0, len(listing), AT_ONCE):
        rows = range(start, min(start + AT_ONCE, len(listing)))
        for index, answer in zip(rows, _answers(listing, filled, table, look, rows), strict=True):
            usable[index] = isinstance(answer, Hand)
            if not isinstance(answer, Hand):
                reasons[answer.reason] += 1
    hands = Counter(label for label, one in zip(labels, usable, strict=True) if one)
    return _Counts(labels, usable, Counter(labels), hands, reasons)


def _answers(listing: Listing, filled: Filled, table: LandmarkTable, look: Look, rows: range) -> list[HandOrNot]:
    """Return what is found in these images of a listing."""
    boxes = listing.images.column("box").slice(rows.start, len(rows)).to_pylist()
    whole = look.key()
    keys = [whole if box is None else look.key(box) for box in boxes]
    found = table.get_many([filled.hex(index) for index in rows], keys)
    return [filled.unreadable.get(index) or held(answer) for index, answer in zip(rows, found, strict=True)]
