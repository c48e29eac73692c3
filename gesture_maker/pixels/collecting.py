"""Collecting HGR1: its photos into class folders, and beside them where the hand is in each.

    <dataset>/0_A/0_A_000001.jpg    the photo, byte for byte, or as a PNG with another background
    <dataset>/.masks/<sha256>.png   its mask, written before it

The copying is that of `collect` (`dataset/collecting.py`); here a photo is found with its mask, and its background changed where that
is wanted. What a photo becomes is always the same, so that it is known by its bytes when it is collected again.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from gesture_maker.dataset import archives
from gesture_maker.dataset.collecting import THREADS, CollectResult, collect_planned
from gesture_maker.dataset.folder import check_is_folder
from gesture_maker.dataset.formats.hgr1 import (
    Hgr1,
    SkinColour,
    border_votes,
    hand_in,
    hgr1_photos,
    is_hgr1_name,
    skin_colour,
)
from gesture_maker.dataset.manifest import original_name, read_manifest
from gesture_maker.dataset.masks import BACKGROUNDS, Background, apply_mask, mask_path, write_mask
from gesture_maker.dataset.sources import Candidate, Item, Plan, Skipped, called_below, images_in, name_below
from gesture_maker.errors import ConfigError, DatasetError, SourceError, UnreadableImage
from gesture_maker.files import sha256_of
from gesture_maker.images import Pixels, read_image
from gesture_maker.progress import StageProgress, of_stage

STAGES = ("masks", "photos")
_CHANGED = "#background="  # in the manifest's source, of a photo whose background was changed


@dataclass(frozen=True)
class Hgr1Collected:
    """What was collected, as `collect` says it, and which colour `skin` has in the masks."""

    result: CollectResult
    skin: SkinColour


def collect_hgr1(
    sources: Iterable[str | Path] | str | Path,
    dataset: str | Path,
    background: Background = "keep",
    *,
    progress: StageProgress | None = None,
    below: Path | None = None,
) -> Hgr1Collected:
    """Copy HGR1's photos into a dataset with their masks, and return what was added, there already, and skipped and why.

    A source is a folder or zip with photos, masks or both, wherever in it they lie; classes are the gestures, groups the persons.
    `background`: of the photos in the dataset; with `remove` and `blur` they are new files, PNGs. `below`: a folder that
    sources are called relative to, in messages and in the manifest. `progress`: of `masks`, which are looked at, then of `photos`, which are copied.

    Raises SourceError, DatasetError or ConfigError for input that cannot be used, before anything is copied. Interrupted and
    called again, it goes on where it stopped.
    """
    root = Path(dataset)
    if background not in BACKGROUNDS:
        raise ConfigError(f"There is no background {background!r}: choose from {', '.join(BACKGROUNDS)}.")
    if root.exists():
        check_is_folder(root)
        _check_same_background(root, background)
    paths = [Path(sources)] if isinstance(sources, (str, Path)) else [Path(source) for source in sources]
    with archives.opener() as opener, called_below(below):
        items: dict[str, Item] = {}
        skipped: list[Skipped] = []
        for source in paths:
            found, others = images_in(source, root, opener)
            if not any(is_hgr1_name("/".join(item.parts)) for item in found):
                raise SourceError(
                    f"{source} holds nothing of HGR1, such as 0_A_hgr1_id01_1.jpg: class folders, other zips and videos are for "
                    "`gesture-maker collect`."
                )
            items.update({item.shown: item for item in found})
            skipped += others
        pairs = _paired(items, paths)
        skin = _skin_colour([items[one.mask] for one in pairs.photos], progress)
        skipped += [Skipped(name, reason) for name, reason in pairs.problems]
        changed = "" if background == "keep" else f"{_CHANGED}{background}"
        candidates = [
            Candidate(
                _MaskedPhoto(items[one.photo], items[one.mask], root, background, skin),
                one.label,
                name_below(one.photo, below) + changed,
                one.person,
            )
            for one in pairs.photos
        ]
        result = collect_planned(Plan(candidates, skipped), root, of_stage(progress, "photos"))
    named = tuple(Skipped(name_below(one.name, below), name_below(one.reason, below)) for one in result.skipped)
    return Hgr1Collected(replace(result, skipped=named), skin)


@dataclass(frozen=True)
class _MaskedPhoto:
    """A photo that is to come into the dataset at `root` together with its mask."""

    photo: Item
    mask: Item
    root: Path
    background: Background
    skin: SkinColour

    @property
    def parts(self) -> tuple[str, ...]:
        name = self.photo.parts[-1]
        return (*self.photo.parts[:-1], name if self.background == "keep" else f"{PurePosixPath(name).stem}.png")

    @property
    def shown(self) -> str:
        return self.photo.shown

    def read(self) -> bytes:
        """Return the photo's bytes as they come into the dataset; its mask is there then.

        In this order, because a mask without its photo does no harm, and a photo without its mask is missed later. Raises
        UnreadableImage when photo or mask is damaged, or they have two sizes.
        """
        content = self.photo.read()
        pixels = read_image(content, self.shown)
        try:
            mask = hand_in(_pixels(self.mask), self.skin)
        except UnreadableImage as error:
            raise UnreadableImage(self.shown, f"its skin mask cannot be used: {error.reason}") from error
        if mask.shape != pixels.shape[:2]:
            sizes = f"{mask.shape[1]}x{mask.shape[0]} pixels, the photo {pixels.shape[1]}x{pixels.shape[0]}"
            raise UnreadableImage(self.shown, f"its skin mask has {sizes}")
        if self.background != "keep":
            content = _png(apply_mask(pixels, mask, self.background))
        digest = sha256_of(content)
        if not mask_path(self.root, digest).is_file():
            write_mask(self.root, digest, mask)
        return content


def _paired(items: dict[str, Item], sources: list[Path]) -> Hgr1:
    """Return the photos that have masks. Raises SourceError when there are none."""
    pairs = hgr1_photos(items)
    if pairs.photos:
        return pairs
    places = " and ".join(map(str, sources))
    photos, masks = pairs.seen
    if not masks:
        raise SourceError(f"{places} holds photos of HGR1 and no skin mask: give skin_masks or hgr1_skin.zip too.")
    if not photos:
        raise SourceError(
            f"{places} holds skin masks of HGR1 and no photo: give original_images or hgr1_images.zip too."
        )
    raise SourceError(
        f"No photo of HGR1 in {places} has a skin mask of its name: give photos and masks of one release."
    )


def _skin_colour(masks: list[Item], progress: StageProgress | None) -> SkinColour:
    """Return which colour skin has, having looked at the border of every mask that can be read. Raises SourceError."""
    report = of_stage(progress, "masks")
    votes: Any = 0
    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))
    try:
        for done, vote in enumerate(pool.map(_votes, masks), 1):
            votes = votes + vote
            if report:
                report(done, len(masks))
    finally:
        pool.shutdown(cancel_futures=True)
    return skin_colour(votes)


def _votes(mask: Item) -> Any:
    import numpy as np

    try:
        return border_votes(_pixels(mask))
    except UnreadableImage:  # told of when its photo is looked at
        return np.zeros(2, np.int64)


def _pixels(item: Item) -> Pixels:
    return read_image(item.read(), item.shown)


def _png(pixels: Pixels) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _check_same_background(root: Path, background: Background) -> None:
    """Raise DatasetError when the dataset has HGR1 with another background: each photo would be in it twice."""
    for row in read_manifest(root).values():
        name, _, changed = original_name(row).partition(_CHANGED)
        if is_hgr1_name(name) and (changed or "keep") != background and (root / row.file).is_file():
            raise DatasetError(
                f"{root} has HGR1's photos with --background {changed or 'keep'} already: give that, or another dataset."
            )
