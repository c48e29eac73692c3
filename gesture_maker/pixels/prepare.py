"""A dataset made ready for training on pixels: every photo read, accounted for, given a part, and seen as the network will see it.

Pictures are written into files that are mapped into memory, a part each: 224 x 224 pixels are 150 kB, so 10,000 photos need 1.5 GB of disk
while the training lasts, and no more memory than a batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.dataset.folder import ImageDataset, LabelledImage, find_dataset, load_dataset
from gesture_maker.dataset.masks import FOLDER, read_mask
from gesture_maker.dataset.sentences import about_empty, about_ignored, about_shared, check_same_classes
from gesture_maker.dataset.splitting import PARTS, Words, split
from gesture_maker.errors import DatasetError, UnreadableImage
from gesture_maker.files import sha256_of
from gesture_maker.images import Pixels, read_image
from gesture_maker.landmarks.engine import find_hands
from gesture_maker.landmarks.hands import NOT_FOUND, Hand
from gesture_maker.landmarks.table import LandmarkTable, table_path
from gesture_maker.pixels.pictures import Seeing, cut, stretched
from gesture_maker.pixels.run import PixelRun
from gesture_maker.progress import StageProgress, of_stage
from gesture_maker.training.pixels.augment import Pictures
from gesture_maker.training.run_folder import SplitRow

SHARES = (70, 15, 15)
"""Percent for train, validation and test: of 12 people 8, 2 and 2."""

_PHOTOS = Words("readable photo", "readable photos", "photos")


_READING, _LANDMARKS = "reading", "landmarks"


@dataclass(frozen=True, eq=False)
class Photo:
    """One photo: its SHA-256 and `hand` (None: not found, or not looked for), or the `reason` why it cannot be used."""

    image: LabelledImage
    root: Path
    sha256: str
    hand: Hand | None = None
    part: str = ""
    reason: str = ""

    @property
    def row(self) -> SplitRow:
        """Its line of `split.csv`."""
        one = self.image
        return SplitRow(one.file, one.label, one.group or "", self.part, self.sha256, self.reason)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A dataset's photos with their parts. `labels`: in the order of the network's outputs, `none` first where there is one."""

    root: Path
    test: Path | None
    labels: tuple[str, ...]
    photos: tuple[Photo, ...]
    warnings: tuple[str, ...]

    @property
    def unused(self) -> list[Photo]:
        """The photos that cannot be used."""
        return [photo for photo in self.photos if photo.reason]

    @property
    def without_hand(self) -> int:
        """In how many no hand was found, of those that are looked at whole for that reason."""
        return sum(not photo.reason and photo.hand is None for photo in self.photos)

    def of_part(self, part: str) -> list[Photo]:
        """Return the usable photos of a part."""
        return [photo for photo in self.photos if photo.part == part and not photo.reason]

    @property
    def fingerprint(self) -> str:
        """A checksum of the photos' contents, classes and parts, in whatever order."""
        rows = (photo.row for photo in self.photos)
        return sha256_of("\n".join(sorted(f"{row.sha256} {row.label} {row.part}" for row in rows)).encode())[:16]


def prepare_photos(
    dataset: str | Path,
    seeing: Seeing,
    *,
    shares: tuple[int, int, int] = SHARES,
    seed: int = 0,
    group_by: str | None = None,
    test: str | Path | None = None,
    held_out: Collection[str] = (),
    progress: StageProgress | None = None,
) -> Prepared:
    """Return a dataset's photos by part; with `test`, that dataset is the whole test part, with `held_out` these files of `dataset`.

    Photos of one group, a person or a burst, stay in one part. With hand crops all are looked at, and what is found is kept in the
    dataset's table. Raises DatasetError for what cannot be trained on.
    """
    data = load_dataset(find_dataset(dataset), group_by)
    _check(data)
    others = load_dataset(find_dataset(test), group_by) if test is not None else None
    if others is not None:
        check_same_classes(data.root, data.labels, others.root, others.labels)
    if others is not None or held_out:
        train, validation, _ = shares
        first = round(100 * train / (train + validation)) if validation else 100
        shares = (first, 100 - first, 0)
    photos = _looked_at(data, seeing, progress)
    tested = _looked_at(others, seeing, progress) if others is not None else []
    labels = [label for label in data.labels if label not in data.empty]
    _check_readable(labels, photos)
    held = set(held_out)
    usable = [photo for photo in photos if not photo.reason and photo.image.file not in held]
    dealt = split(
        [photo.image.label for photo in usable], [photo.image.group for photo in usable], shares, seed, _PHOTOS
    )
    parts = iter(dealt.parts)
    parted = [
        photo if photo.reason else replace(photo, part="test" if photo.image.file in held else next(parts))
        for photo in photos
    ]
    parted += [photo if photo.reason else replace(photo, part="test") for photo in tested]
    warnings = [*about_empty(data.empty), *about_ignored(data)]
    if others is not None:
        contents = (photo.sha256 for photo in tested if not photo.reason)
        warnings += about_shared(others.root, data.root, contents, (photo.sha256 for photo in photos))
    if not any(photo.image.group for photo in parted):
        warnings.append(
            "No groups (people or bursts) are known: photos of one person on both sides of the split flatter. Say who is who with --group-by."
        )
    warnings += list(dealt.warnings)
    return Prepared(data.root, others.root if others else None, tuple(labels), tuple(parted), tuple(warnings))


def write_pictures(prepared: Prepared, seeing: Seeing, folder: Path, progress: StageProgress | None = None) -> None:
    """Write the pictures of all parts into a folder, for `read_pictures`. Raises DatasetError for a photo that changed meanwhile."""
    folder.mkdir()
    numbers = {label: number for number, label in enumerate(prepared.labels)}
    total, done = sum(len(prepared.of_part(part)) for part in PARTS), 0
    for part in PARTS:
        its = prepared.of_part(part)
        shape = (len(its), seeing.side, seeing.side)
        if not its:
            continue
        x = _mapped(folder / f"{part}_x.npy", (*shape, 3))
        with_masks = any((photo.root / FOLDER).is_dir() for photo in its)
        masks = _mapped(folder / f"{part}_masks.npy", shape) if with_masks else None
        masked = np.zeros(len(its), bool)
        for number, (picture, mask) in enumerate(_pictures(its, seeing)):
            x[number] = picture
            if masks is not None and mask is not None:
                masks[number], masked[number] = mask, True
            done += 1
            if progress:
                progress(_READING, done, total)
        np.savez(folder / f"{part}.npz", y=np.array([numbers[photo.image.label] for photo in its]), masked=masked)
        for written in (x, masks):
            if written is not None:
                written.flush()


def read_pictures(folder: Path) -> dict[str, Pictures]:
    """Return the pictures by part; their pixels stay in the files. Raises OSError or ValueError for damaged ones."""
    found: dict[str, Pictures] = {}
    for part in PARTS:
        if not (folder / f"{part}.npz").is_file():
            continue
        with np.load(folder / f"{part}.npz") as arrays:
            y, masked = arrays["y"].astype(np.int64), arrays["masked"]
        x = np.load(folder / f"{part}_x.npy", mmap_mode="r")
        masks = np.load(folder / f"{part}_masks.npy", mmap_mode="r") if masked.any() else None
        found[part] = Pictures(x, y, masks, masked if masks is not None else None)
    return found


def masked_pictures(parts: Mapping[str, Pictures]) -> int:
    """Return how many of the training pictures have a mask."""
    masked = parts["train"].masked
    return 0 if masked is None else int(masked.sum())


def training_pictures(run: PixelRun, most: int) -> Pixels:
    """Return at most `most` pictures of a run's training part, uint8 [N, side, side, 3], the same each time.

    Raises RunError when one of the photos is gone or is no longer the same.
    """
    photos = [(path, row) for path, row in run.photos_of("train") if not row.reason]
    chosen = np.random.default_rng(run.settings.seed).permutation(len(photos))[:most]
    some = [photos[index] for index in chosen]
    run.check_photos(some)
    seeing = run.seeing
    hands: list[Hand | None] = [None] * len(some)
    if seeing.crop == "hand":
        table = LandmarkTable.open(table_path(run.photo_folder()))
        seen = find_hands([path for path, _ in some], table)
        hands = [one.answer if isinstance(one.answer, Hand) else None for one in seen]
    made = []
    for (path, _), hand in zip(some, hands, strict=True):
        pixels = read_image(path)
        made.append(seeing.picture(pixels, seeing.box(pixels, hand)))
    return np.stack(made)


def _mapped(path: Path, shape: tuple[int, ...]) -> Any:
    """Return a new file of so many bytes, mapped into memory."""
    return np.lib.format.open_memmap(path, "w+", np.uint8, shape)  # type: ignore[no-untyped-call]


def _pictures(photos: Sequence[Photo], seeing: Seeing) -> Iterator[tuple[Any, Any]]:
    for photo in photos:
        content = photo.image.path.read_bytes()
        if sha256_of(content) != photo.sha256:
            raise DatasetError(f"{photo.image.path} changed while it was being read: run the same command again.")
        pixels = read_image(content, str(photo.image.path))
        box = seeing.box(pixels, photo.hand)
        mask = read_mask(photo.root, photo.sha256)
        if mask is not None and mask.shape != pixels.shape[:2]:
            mask = None  # it was drawn for the pixels as they are stored, and the photo is turned by its EXIF
        yield seeing.picture(pixels, box), None if mask is None else stretched(cut(mask, box), seeing.side)


def _looked_at(data: ImageDataset, seeing: Seeing, progress: StageProgress | None) -> list[Photo]:
    if seeing.crop == "none":
        return [_read(image, data.root) for image in _told(data.images, _READING, progress)]
    table = LandmarkTable.open(table_path(data.root))
    told = of_stage(progress, _LANDMARKS)
    photos = []
    for image, seen in zip(
        data.images, find_hands([one.path for one in data.images], table, progress=told), strict=True
    ):
        hand = seen.answer if isinstance(seen.answer, Hand) else None
        reason = "" if isinstance(seen.answer, Hand) or seen.answer == NOT_FOUND else seen.answer.reason
        photos.append(Photo(image, data.root, seen.sha256, hand, reason=reason))
    return photos


def _told(images: Sequence[LabelledImage], stage: str, progress: StageProgress | None) -> Iterator[LabelledImage]:
    for done, image in enumerate(images, 1):
        yield image
        if progress:
            progress(stage, done, len(images))


def _read(image: LabelledImage, root: Path) -> Photo:
    try:
        content = image.path.read_bytes()
        read_image(content, str(image.path))
    except UnreadableImage as error:
        return Photo(image, root, sha256_of(content), reason=error.reason)
    except OSError as error:
        return Photo(image, root, "", reason=f"cannot be read ({error.strerror})")
    return Photo(image, root, sha256_of(content))


def _check(data: ImageDataset) -> None:
    filled = [label for label in data.labels if label not in data.empty]
    if len(filled) < 2:
        what = f'only the class "{filled[0]}" has photos' if filled else "no class has photos"
        raise DatasetError(f"In {data.root} {what}: to tell classes apart there have to be two at least.")


def _check_readable(labels: Sequence[str], photos: Sequence[Photo]) -> None:
    usable = Counter(photo.image.label for photo in photos if not photo.reason)
    for label in labels:
        if not usable[label]:
            reason = next(photo.reason for photo in photos if photo.image.label == label)
            raise DatasetError(
                f'No photo of the class "{label}" can be read ({reason}): take others, or remove its folder.'
            )
