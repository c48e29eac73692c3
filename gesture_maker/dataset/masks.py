"""Where the hand is in each photo of a dataset: masks, kept beside the photos and keyed by what these are.

    <dataset>/.masks/<SHA-256 of the photo's bytes>.png    8 bits, 255 hand, 0 background

A photo that is renamed, or moved to another class, keeps its mask; one whose bytes change has none, rather than a wrong one.
The folder is hidden, so that no step takes it for a class.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from gesture_maker.errors import ConfigError, DatasetError, UnreadableImage
from gesture_maker.files import write_bytes
from gesture_maker.images import Pixels, read_image

FOLDER = ".masks"

Mask = npt.NDArray[np.uint8]
"""Where the hand is in a photo: uint8 [height, width], 255 hand, 0 background."""

Background = Literal["keep", "remove", "blur"]
"""What becomes of what is behind the hand: it stays, or is plain grey, or blurred."""

BACKGROUNDS: tuple[Background, ...] = get_args(Background)

GREY = 128  # of 255: the middle, which networks that scale pixels to -1..1 see as 0
BLUR_SHARE = 0.06  # of the photo's longer side, the gaussian's sigma; a finger is 0.05 wide in a close photo
EDGE_PIXELS = 1.0  # sigma over which the hand goes over into its background; lenses are about as soft

_SHA256 = re.compile(r"[0-9a-f]{64}")
_BLURRED_AT = 8.0  # pixels of sigma: for a stronger blur the photo is made smaller first, which nobody sees


def mask_path(root: Path, sha256: str) -> Path:
    """Return where a dataset has the mask of the photo with these bytes, whether it is there or not.

    Raises ValueError for anything but a SHA-256 in small hexadecimal digits.
    """
    if _SHA256.fullmatch(sha256) is None:
        raise ValueError(f"{sha256!r} is no SHA-256")
    return root / FOLDER / f"{sha256}.png"


def read_mask(root: Path, sha256: str) -> Mask | None:
    """Return the mask of the photo with these bytes, uint8 [height, width] of 255 (hand) and 0; None when there is none.

    Raises DatasetError for a mask that cannot be read.
    """
    path = mask_path(root, sha256)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatasetError(f"The mask {path} cannot be read ({error.strerror}): change its permissions.") from error
    try:
        return mask_of(read_image(content, str(path)))
    except UnreadableImage as error:
        raise DatasetError(f"The mask {path} is damaged: remove it and collect its photo again.") from error


def write_mask(root: Path, sha256: str, mask: npt.NDArray[np.bool_] | Mask) -> Path:
    """Write the mask of the photo with these bytes, [height, width] where 0 and False are background; return its path.

    The same mask gives the same bytes; one that is there already is replaced. Raises ValueError for another shape, OSError.
    """
    from PIL import Image

    if mask.ndim != 2 or not mask.size:
        raise ValueError(f"a mask has the shape [height, width], not {mask.shape}")
    path = mask_path(root, sha256)
    buffer = io.BytesIO()
    Image.fromarray(np.where(mask > 0, np.uint8(255), np.uint8(0))).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())
    return path


def mask_of(pixels: Pixels) -> Mask:
    """Return the mask that a picture of one shows, uint8 [height, width]: 255 where it is brighter than the middle, else 0."""
    return np.asarray(np.where(pixels.mean(axis=2) >= GREY, 255, 0), np.uint8)


def apply_mask(pixels: Pixels, mask: Mask, how: Background, *, blur_share: float = BLUR_SHARE) -> Pixels:
    """Return a photo, uint8 [height, width, 3], with what is behind the hand kept, removed (grey) or blurred.

    `mask` is uint8 [height, width] of the same size. `blur_share`: the gaussian's sigma as a share of the photo's longer side.
    Only pixels of the background are blurred into each other, so that the hand leaves no glow around itself. The photo
    itself is never changed, and with `keep` returned as it is. Raises ConfigError for another `how` or no blur, ValueError
    for a mask of another size.
    """
    if how not in BACKGROUNDS:
        raise ConfigError(f"There is no background {how!r}: choose from {', '.join(BACKGROUNDS)}.")
    if not 0 < blur_share < 1:
        raise ConfigError(f"A blur of {blur_share} of the photo's side is impossible: give a share between 0 and 1.")
    if mask.shape != pixels.shape[:2]:
        raise ValueError(f"the mask is {_size(mask)}, the photo {_size(pixels)}")
    if how == "keep":
        return pixels
    behind = np.full_like(pixels, GREY) if how == "remove" else _blurred_behind(pixels, mask, blur_share)
    return with_background(pixels, mask, behind)


def with_background(pixels: Pixels, mask: Mask, behind: Pixels) -> Pixels:
    """Return the hand of a photo before another background, with an edge as soft as a lens makes it; all uint8, of one size."""
    import cv2

    inside = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), EDGE_PIXELS)[:, :, None]
    mixed = behind + inside * (pixels.astype(np.float32) - behind)
    return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)


def _blurred_behind(pixels: Pixels, mask: Mask, share: float) -> Pixels:
    import cv2

    height, width = mask.shape
    sigma = share * max(height, width)
    scale = min(1.0, _BLURRED_AT / sigma)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # What is half hand at its edge does not count as background either.
    outside = (cv2.dilate(mask, np.ones((3, 3), np.uint8)) == 0).astype(np.float32)
    seen = np.dstack([pixels * outside[:, :, None], outside])
    small = cv2.GaussianBlur(cv2.resize(seen, size, interpolation=cv2.INTER_AREA), (0, 0), sigma * scale)
    weight = small[:, :, 3:]
    # Where no background is near, deep inside of a large hand, it does not matter what lies behind.
    colours = np.where(weight > 1e-4, small[:, :, :3] / np.maximum(weight, 1e-4), np.float32(GREY))
    return np.asarray(np.clip(np.rint(cv2.resize(colours, (width, height))), 0, 255), np.uint8)


def _size(pixels: npt.NDArray[np.uint8]) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]} pixels"
