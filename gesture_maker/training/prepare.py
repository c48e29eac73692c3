"""A dataset made ready for training: every photo looked at, accounted for, and given a part.

A dataset is a folder of photos, or a table of landmarks. Of a table with more hands than are kept in memory, a random sample
is here, and the others are read when they are trained on.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gesture_maker.dataset.checking import empty_none
from gesture_maker.dataset.folder import LabelledImage
from gesture_maker.dataset.names import NONE
from gesture_maker.dataset.sentences import about_shared, about_so_many_shared, check_same_classes
from gesture_maker.dataset.splitting import PARTS, default_shares, split
from gesture_maker.errors import DatasetError
from gesture_maker.files import sha256_of
from gesture_maker.landmarks.engine import Seen
from gesture_maker.landmarks.hands import NOT_FOUND, Hand
from gesture_maker.landmarks.mirror import MIRROR_LOOKS
from gesture_maker.progress import Progress
from gesture_maker.training.run import by_content
from gesture_maker.training.run_folder import SplitRow
from gesture_maker.training.sources import FolderSource, Source, TableSource, mirrored_of, open_source
from gesture_maker.training.stream import SAMPLE, STREAM_FROM, Streamed, default_shares_of_many, plan, sampled
from gesture_maker.training.table_source import content_hash


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

    `shares`: percent for train, validation and test, as they were asked for or as they follow from the data. `streamed`: the
    table that is trained on as a stream, of which `photos` are a sample; None when `photos` are all.
    """

    labels: list[str]
    photos: list[Photo]
    shares: tuple[int, int, int]
    warnings: tuple[str, ...] = ()
    ignored: tuple[tuple[Path, str], ...] = field(default=())
    streamed: Streamed | None = None

    @property
    def trained_on(self) -> int:
        """How many hands are trained on."""
        return self.streamed.hands()["train"] if self.streamed else len(self.hands("train"))

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
        if self.streamed:
            return self.streamed.survey.fingerprint
        lines = sorted(f"{photo.image.label}\t{photo.seen.sha256}\n" for photo in self.photos)
        return sha256_of("".join(lines).encode())

    def split_rows(self) -> list[SplitRow]:
        """Return the lines of `split.csv`."""
        return [photo.row for photo in self.photos]


def check_labels(root: Path, counts: Mapping[str, int], background: bool = False) -> None:
    """Raise DatasetError when the classes of a dataset, with their photos, alone already make training impossible.

    `background`: whether made-up hands are added to `none`, which then may be empty.
    """
    for label, count in counts.items():
        if count == 0 and label == NONE:
            if background:
                continue
            raise DatasetError(
                f'The class "none" in {root} is empty, which needs made-up hands in it: add photos of hands that make '
                "none of your gestures, or train with the recipe auto and without --no-background."
            )
        if count == 0:
            raise DatasetError(f'The class "{label}" in {root} is empty: add photos to it, or remove its folder.')
    if NONE not in counts:
        raise DatasetError(
            f'There is no class "none" in {root}: add a folder "none" with photos of hands that make '
            "none of your gestures; it may be empty, but with photos the model is better."
        )
    if len(counts) < 2:
        raise DatasetError(f'{root} has the class "none" only: add a folder of photos for each gesture.')


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
    """Find the hands of all photos and split them; with `test`, that dataset is the whole test part.

    `dataset`, `test`: a folder of photos or a table of landmarks each. Without `shares` they follow from how many usable hands
    there are (`default_shares`). `mirror`: find the hands of `MIRROR_LOOKS` of the dataset's photos in a mirror too.
    `background`: whether made-up hands are added to `none`, which then may be empty.

    Raises DatasetError when a class is missing, empty, or has fewer usable hands than the split needs.
    """
    data = open_source(dataset, group_by, min_detection_confidence)
    check_labels(data.root, data.counts, background)
    others = open_source(test, group_by, min_detection_confidence) if test else None
    if others is not None:
        check_same_classes(data.root, data.counts, others.root, others.counts)
    bar = _Bar(progress, len(data) + (min(MIRROR_LOOKS, len(data)) if mirror else 0) + (len(others) if others else 0))
    if isinstance(data, TableSource) and data.survey.hands >= STREAM_FROM:
        prepared = _streamed(data, shares, seed, others is not None, background, bar)
    else:
        prepared = _in_memory(data, shares, seed, others is not None, mirror, background, bar)
    if others is None:
        return prepared
    return _with_test(prepared, data, others, bar)


def _in_memory(
    data: Source,
    shares: tuple[int, int, int] | None,
    seed: int,
    tested_apart: bool,
    mirror: bool,
    background: bool,
    bar: _Bar,
) -> Prepared:
    looked_at = data.look(bar.stage())
    limit = MIRROR_LOOKS if mirror else 0
    mirrored = mirrored_of(data, looked_at, limit, bar.stage()) if limit else [None] * len(looked_at)
    data.remember(looked_at)
    photos = [Photo(image, seen, "", other) for (image, seen), other in zip(looked_at, mirrored, strict=True)]
    totals, hands = (Counter(photo.image.label for photo in some) for some in (photos, _usable(photos)))
    _check_hands(totals, hands, data, background)
    shares = shares or default_shares(hands.total())
    parted, warnings = _parted(photos, (shares[0], shares[1], 0) if tested_apart else shares, seed)
    return Prepared(
        list(data.counts), parted, shares, _about_none(data, hands) + data.warnings + warnings, data.ignored
    )


def _streamed(
    data: TableSource,
    shares: tuple[int, int, int] | None,
    seed: int,
    tested_apart: bool,
    background: bool,
    bar: _Bar,
) -> Prepared:
    """Split a table by its columns alone, and read a sample of its rows."""
    of = data.survey
    hands = Counter(of.counts(of.usable))
    _check_hands(Counter(of.counts()), hands, data, background)
    shares = shares or default_shares_of_many(of.hands)
    streamed = plan(of, (100 - shares[1], shares[1], 0) if tested_apart else shares, seed)
    chosen = streamed.sample()
    looked_at = data.look(bar.stage(), chosen)
    photos = [
        Photo(image, seen, PARTS[part])
        for (image, seen), part in zip(looked_at, streamed.parts[chosen].tolist(), strict=True)
    ]
    warnings = _about_none(data, hands) + data.warnings + streamed.warnings
    return Prepared(of.labels, photos, shares, warnings, (), streamed)


def _with_test(prepared: Prepared, data: Source, others: FolderSource | TableSource, bar: _Bar) -> Prepared:
    """Add the photos of another dataset as the test part."""
    warnings = others.warnings
    if isinstance(others, TableSource) and others.survey.hands > SAMPLE:
        every = np.ones(len(others), bool)
        looked_at = others.look(bar.stage(), sampled(others.survey, every, SAMPLE))
        warnings += (f"Of the {others.survey.hands} hands in {others.root} a random sample of {SAMPLE} is tested on.",)
    else:
        looked_at = others.look(bar.stage())
    photos = [Photo(image, seen) for image, seen in looked_at]
    tested = [replace(photo, part="test" if _readable(photo) else "") for photo in photos]
    if prepared.streamed:
        contents = np.array([content_hash(photo.seen.sha256) for photo in tested], np.uint64)
        count = int(np.isin(contents, prepared.streamed.survey.content).sum())
        shared = about_so_many_shared(count, others.root, data.root)
    else:
        known = (photo.seen.sha256 for photo in prepared.photos)
        shared = about_shared(others.root, data.root, (photo.seen.sha256 for photo in tested), known)
    return replace(
        prepared,
        photos=[*prepared.photos, *tested],
        warnings=(*prepared.warnings, *warnings, *shared),
        ignored=prepared.ignored + others.ignored,
    )


class _Bar:
    """One progress over several stages, of which it is not known before how long each is."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._before, self._stage = progress, total, 0, 0

    def stage(self) -> Progress | None:
        """Return the callback of the next stage."""
        if self._progress is None:
            return None
        self._before, self._stage = self._before + self._stage, 0
        return self._report

    def _report(self, done: int, total: int) -> None:
        assert self._progress is not None
        self._stage = total
        self._progress(self._before + done, max(self._total, self._before + total))


def _readable(photo: Photo) -> bool:
    return photo.hand is not None or photo.seen.answer == NOT_FOUND


def _usable(photos: Sequence[Photo]) -> list[Photo]:
    return [photo for photo in photos if photo.hand is not None]


def _about_none(data: Source, hands: Counter[str]) -> tuple[str, ...]:
    return () if hands[NONE] else (empty_none(data.counts[NONE]),)


def _check_hands(totals: Counter[str], hands: Counter[str], data: Source, background: bool) -> None:
    for label, total in totals.items():
        if total and not hands[label] and not (background and label == NONE):
            see = (
                f"see them with `gesture-maker check {shlex.quote(str(data.root))}` and take others"
                if data.root.is_dir()
                else "take others"
            )
            raise DatasetError(f'No hand was found in any of the {total} photos of the class "{label}": {see}.')


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
