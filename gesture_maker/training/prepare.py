"""A dataset folder made ready for training: every photo looked at, accounted for, and given a part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gesture_maker.dataset.checking import empty_none
from gesture_maker.dataset.folder import ImageDataset, LabelledImage, load_dataset
from gesture_maker.dataset.names import NONE
from gesture_maker.dataset.splitting import PARTS, default_shares, split
from gesture_maker.errors import DatasetError
from gesture_maker.files import sha256_of
from gesture_maker.landmarks.engine import Seen, find_hands
from gesture_maker.landmarks.hands import NOT_FOUND, Hand
from gesture_maker.landmarks.table import LandmarkTable, table_path
from gesture_maker.training.run import SplitRow, by_content

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Photo:
    """One photo, what was seen in it, and its part (empty when it could not be read).

    `mirrored`: the hand in its mirror image, where that was looked at and shows one.
    """

    image: LabelledImage
    seen: Seen
    part: str = ""
    mirrored: Hand | None = None

    @property
    def hand(self) -> Hand | None:
        """The hand, if there is one."""
        return self.seen.answer if isinstance(self.seen.answer, Hand) else None

    @property
    def row(self) -> SplitRow:
        """Its line of `split.csv`."""
        image = self.image
        return SplitRow(image.file, image.label, image.group or "", self.part, self.seen.sha256, self.reason)

    @property
    def reason(self) -> str:
        """Why the photo is not used; empty when it is."""
        return "" if isinstance(self.seen.answer, Hand) else self.seen.answer.reason


@dataclass(frozen=True, eq=False)
class Prepared:
    """All photos with their parts, and the classes in the order of the head's outputs.

    `shares`: percent for train, validation and test, as they were asked for or as they follow from the data.
    """

    labels: list[str]
    photos: list[Photo]
    shares: tuple[int, int, int]
    warnings: tuple[str, ...] = ()
    ignored: tuple[tuple[Path, str], ...] = field(default=())

    def hands(self, part: str) -> list[Photo]:
        """Return the photos of a part that show a hand, in an order that has nothing to do with their names or classes."""
        return sorted(
            (photo for photo in self.photos if photo.part == part and photo.hand is not None),
            key=lambda photo: by_content(photo.row),
        )

    @property
    def unused(self) -> list[Photo]:
        """The photos that show no usable hand."""
        return [photo for photo in self.photos if photo.hand is None]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all labels and photo contents: equal for equal data, whatever the files are called."""
        lines = sorted(f"{photo.image.label}\t{photo.seen.sha256}\n" for photo in self.photos)
        return sha256_of("".join(lines).encode())

    def split_rows(self) -> list[SplitRow]:
        """Return the lines of `split.csv`."""
        return [photo.row for photo in self.photos]


def check_labels(dataset: ImageDataset, background: bool = False) -> None:
    """Raise DatasetError when the classes alone already make training impossible.

    `background`: whether made-up hands are added to `none`, which then may be empty.
    """
    for label, count in dataset.counts.items():
        if count == 0 and label == NONE:
            if background:
                continue
            raise DatasetError(
                f'The class "none" in {dataset.root} is empty, which needs made-up hands in it: add photos of hands that make '
                "none of your gestures, or train with the recipe auto and without --no-background."
            )
        if count == 0:
            raise DatasetError(
                f'The class "{label}" in {dataset.root} is empty: add photos to it, or remove its folder.'
            )
    if NONE not in dataset.labels:
        raise DatasetError(
            f'There is no class "none" in {dataset.root}: add a folder "none" with photos of hands that make '
            "none of your gestures; it may be empty, but with photos the model is better."
        )
    if len(dataset.labels) < 2:
        raise DatasetError(f'{dataset.root} has the class "none" only: add a folder of photos for each gesture.')


def prepare(
    dataset: Path,
    *,
    shares: tuple[int, int, int] | None,
    seed: int,
    min_detection_confidence: float,
    group_by: str | None = None,
    test: Path | None = None,
    mirror: bool = False,
    background: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Find the hands of all photos and split them; with `test`, that folder is the whole test part.

    Without `shares` they follow from how many usable hands there are (`default_shares`). `mirror`: find the hands of the
    dataset's photos in a mirror too. `background`: whether made-up hands are added to `none`, which then may be empty.

    Raises DatasetError when a class is missing, empty, or has fewer usable hands than the split needs.
    """
    data = load_dataset(dataset, group_by)
    check_labels(data, background)
    others = load_dataset(test, group_by) if test else None
    if others is not None:
        _check_same_classes(data, others)
    images = [*data.images, *(others.images if others else ())]
    seen, mirrored = _look(data, others, min_detection_confidence, mirror, progress)
    photos = [Photo(i, one, "", other) for i, one, other in zip(images, seen, mirrored, strict=True)]
    own, apart = photos[: len(data.images)], photos[len(data.images) :]
    _check_hands([photo for photo in own if not (background and photo.image.label == NONE)], dataset)
    shares = shares or default_shares(sum(photo.hand is not None for photo in own))
    parted, warnings = _parted(own, shares if others is None else (shares[0], shares[1], 0), seed)
    if not any(photo.hand is not None for photo in own if photo.image.label == NONE):
        warnings = (empty_none(data.counts[NONE]), *warnings)
    tested = [Photo(p.image, p.seen, "test" if _readable(p) else "") for p in apart]
    if others is not None:
        known = {photo.seen.sha256 for photo in parted}
        shared = sum(photo.seen.sha256 in known for photo in tested)
        if shared:
            warnings = (*warnings, f"{shared} photos of {test} are also in {dataset}: the accuracy flatters.")
    ignored = (*data.ignored, *(others.ignored if others else ()))
    return Prepared(list(data.labels), [*parted, *tested], shares, warnings, ignored)


def _look(
    data: ImageDataset,
    others: ImageDataset | None,
    min_detection_confidence: float,
    mirror: bool,
    progress: Progress | None,
) -> tuple[list[Seen], list[Hand | None]]:
    """Return what is seen in each photo, and the hand in its mirror image; those of `others` are not mirrored."""
    looks = [(data, False), *([(data, True)] if mirror else []), *([(others, False)] if others else [])]
    total, before = sum(len(part.images) for part, _ in looks), 0
    found: list[list[Seen]] = []
    for part, mirrored in looks:
        table = LandmarkTable.open(table_path(part.root))
        paths = [image.path for image in part.images]
        report = (lambda done, _, before=before: progress(before + done, total)) if progress else None
        found.append(find_hands(paths, table, min_detection_confidence, progress=report, mirrored=mirrored))
        before += len(paths)
    seen = found[0] + (found[-1] if others else [])
    other_hands = [one.answer if isinstance(one.answer, Hand) else None for one in found[1]] if mirror else []
    return seen, other_hands + [None] * (len(seen) - len(other_hands))


def _readable(photo: Photo) -> bool:
    return photo.hand is not None or photo.seen.answer == NOT_FOUND


def _check_same_classes(data: ImageDataset, others: ImageDataset) -> None:
    unknown = sorted(set(others.labels) - set(data.labels))
    if unknown:
        raise DatasetError(
            f"{others.root} has classes that {data.root} lacks ({', '.join(unknown)}): both need the same classes."
        )


def _check_hands(photos: Sequence[Photo], dataset: Path) -> None:
    totals = Counter(photo.image.label for photo in photos)
    hands = Counter(photo.image.label for photo in photos if photo.hand is not None)
    for label, total in totals.items():
        if not hands[label]:
            raise DatasetError(
                f'No hand was found in any of the {total} photos of the class "{label}": '
                f"see them with `gesture-maker check {dataset}` and take others."
            )


def _parted(photos: Sequence[Photo], shares: tuple[int, int, int], seed: int) -> tuple[list[Photo], tuple[str, ...]]:
    """Split the photos with a hand; those without go where their group went, or are dealt out in the same shares."""
    order = sorted(range(len(photos)), key=lambda index: by_content(photos[index].row))
    hands = [index for index in order if photos[index].hand is not None]
    result = split([photos[i].image.label for i in hands], [photos[i].image.group for i in hands], shares, seed)
    parts = dict(zip(hands, result.parts, strict=True))
    of_group = {photos[i].image.group: part for i, part in parts.items() if photos[i].image.group}
    # Every so many photos one goes to each part, so that a dataset's misses are spread as its hands are.
    held_back = max(1, round(100 / max(1, 100 - shares[0])))
    used = [part for part in PARTS if part in result.parts and part != "train"]
    missed = 0
    for index in order:
        photo = photos[index]
        if index in parts or not _readable(photo):
            continue
        if photo.image.group in of_group:
            parts[index] = of_group[photo.image.group]
            continue
        missed += 1
        parts[index] = used[(missed // held_back) % len(used)] if used and missed % held_back == 0 else "train"
        if photo.image.group:
            of_group[photo.image.group] = parts[index]
    return [replace(photo, part=parts.get(i, "")) for i, photo in enumerate(photos)], result.warnings
