"""HGR1: photos of still hands, and the mask of the skin of each, by gesture and person.

    original_images/0_A_hgr1_id01_1.jpg    <gesture>_<sign language>_hgr1_id<person>_<number>
    skin_masks/0_A_hgr1_id01_1.bmp         of the same size, black and white

899 photos of 25 gestures by 12 people, published as two zips. Photo and mask are found by their names, in whatever folders or zips
they lie. Skin is black in the masks of some releases and white in others.

Source: M. Kawulok, J. Kawulok, J. Nalepa, B. Smolka, "Self-adaptive algorithm for segmenting skin regions" (2014).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.formats.class_folders import is_passed_over, natural_key, printable
from gesture_maker.dataset.manifest import MANIFEST_NAME
from gesture_maker.dataset.masks import Mask, mask_of
from gesture_maker.dataset.names import normalize_label
from gesture_maker.errors import LabelError, SourceError
from gesture_maker.images import Pixels, is_image_name, not_an_image_reason

IMAGES, MASKS = "original_images", "skin_masks"
"""The folders, as published."""

NO_MASK, NO_PHOTO, TWICE = "a photo without a skin mask", "a skin mask without a photo", "there is another of this name"
NOT_HGR1 = "not named as HGR1's photos are, such as 0_A_hgr1_id01_1.jpg"

_STEM = re.compile(r"(?P<label>.+_[A-Za-z]+)_hgr1_(?P<person>id[0-9]+)_(?P<number>[0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Hgr1Photo:
    """One photo: the paths (posix) of it and its mask, its class `label` such as `0_A`, and whose hand it is, such as `id01`."""

    photo: str
    mask: str
    label: str
    person: str


@dataclass(frozen=True)
class Hgr1:
    """The photos that have a mask, in natural order; `problems`: what lacks the other, is there twice or is none, each with the
    reason. `seen`: how many photos and masks have HGR1's names."""

    photos: tuple[Hgr1Photo, ...]
    problems: tuple[tuple[str, str], ...] = ()
    seen: tuple[int, int] = (0, 0)


def is_hgr1_name(name: str) -> bool:
    """Tell by its path (posix) whether a file is a photo or mask of HGR1."""
    return _match(name) is not None and is_image_name(name)


def hgr1_photos(names: Iterable[str]) -> Hgr1:
    """Return the photos that these files make, by their posix paths, whatever order they come in.

    Of two photos (or masks) of one name, that in the outer folder counts.
    """
    photos: dict[str, str] = {}
    masks: dict[str, str] = {}
    problems: list[tuple[str, str]] = []
    for name in sorted(names, key=lambda name: (name.count("/"), natural_key(name))):
        last = name.rsplit("/", 1)[-1]
        if any(map(is_passed_over, name.split("/"))) or last == MANIFEST_NAME:
            continue
        if not is_image_name(last):
            problems.append((printable(name), not_an_image_reason(last)))
        elif _match(name) is None:
            problems.append((printable(name), NOT_HGR1))
        else:
            known = masks if _is_mask(name) else photos
            if known.setdefault(_stem(name).casefold(), name) != name:
                problems.append((printable(name), TWICE))
    found = []
    for stem, photo in photos.items():
        if stem not in masks:
            problems.append((printable(photo), NO_MASK))
            continue
        match = _match(photo)
        assert match is not None
        try:
            label = normalize_label(match["label"])
        except LabelError as error:
            problems.append((printable(photo), str(error).rstrip(".")))
            continue
        found.append(Hgr1Photo(photo, masks[stem], label, match["person"].lower()))
    problems += [(printable(mask), NO_PHOTO) for stem, mask in masks.items() if stem not in photos]
    found.sort(key=lambda one: natural_key(_stem(one.photo)))
    return Hgr1(tuple(found), tuple(problems), (len(photos), len(masks)))


@dataclass(frozen=True)
class SkinColour:
    """Whether skin is black in the masks of a set, and the `share` of all their border pixels that say so, 0.5..1."""

    is_black: bool
    share: float


def border_votes(pixels: Pixels) -> npt.NDArray[np.int64]:
    """Return how many pixels at the border of a mask are black and how many are white, [2]; `pixels` as `read_image` gives them."""
    white = mask_of(pixels) > 0
    border = np.concatenate([white[0], white[-1], white[1:-1, 0], white[1:-1, -1]])
    return np.array([(~border).sum(), border.sum()], np.int64)


def skin_colour(votes: npt.NDArray[np.int64]) -> SkinColour:
    """Return which colour skin has in a set, by the sum [2] of the `border_votes` of all its masks: the border is background.

    Of one photo alone that would be wrong, where an arm takes most of the border. Raises SourceError when there is no mask.
    """
    black, white = (int(count) for count in votes)
    if black + white == 0:
        raise SourceError("There is no skin mask that can be read: give HGR1's skin_masks or hgr1_skin.zip too.")
    return SkinColour(white >= black, max(black, white) / (black + white))


def hand_in(pixels: Pixels, skin: SkinColour) -> Mask:
    """Return the mask that a picture of one means, uint8 [height, width]: 255 hand, 0 background."""
    bright = mask_of(pixels)
    return np.asarray(255 - bright, np.uint8) if skin.is_black else bright


def _is_mask(name: str) -> bool:
    """Masks are BMPs; converted ones are known by their folder."""
    return name.lower().endswith(".bmp") or MASKS in name.lower().split("/")[:-1]


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _match(name: str) -> re.Match[str] | None:
    return _STEM.fullmatch(_stem(name))
