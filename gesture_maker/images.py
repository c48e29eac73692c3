"""Photos to pixels, with nothing accepted that is damaged or would fill the memory.

Pillow rather than OpenCV reads them: it tells the size before any pixel is decoded, and fails on a file that was cut short
where OpenCV fills the rest with grey.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Union

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from gesture_maker.errors import UnreadableImage

Pixels = npt.NDArray[np.uint8]
"""An upright photo: uint8 [height, width, 3], RGB."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"})
PHOTO_SUFFIXES_WE_CANNOT_READ = frozenset({".heic", ".heif", ".avif", ".jxl", ".dng", ".cr2", ".nef", ".arw"})
MAX_PIXELS = 100_000_000  # 300 MB as RGB; the largest phone cameras write 50 to 200 megapixels
MIN_SIDE = 32  # pixels; the hand landmarker looks at 224x224, below this nothing of a hand is left

Image.MAX_IMAGE_PIXELS = None  # our own limit below gives a clear sentence instead of Pillow's warning


def is_image_name(name: Union[str, Path]) -> bool:
    """Tell by its suffix whether a file is meant to be an image."""
    return Path(name).suffix.lower() in IMAGE_SUFFIXES


def image_size(source: Union[Path, bytes], name: str = "") -> tuple[int, int]:
    """Return (width, height) in pixels from the header, before any rotation, without decoding.

    Raises UnreadableImage when it is no image, is empty, or has more than `MAX_PIXELS`.
    """
    name = name or (str(source) if isinstance(source, Path) else "image")
    try:
        with _open(source) as image:
            return _checked_size(image, name)
    except UnreadableImage:
        raise
    except Exception as error:
        raise UnreadableImage(name, _reason(source, error)) from error


def read_image(source: Union[Path, bytes], name: str = "") -> Pixels:
    """Return the photo as uint8 [height, width, 3] RGB, rotated as its EXIF orientation says.

    Transparent parts become white; only the first frame of an animation is read; 16-bit grey is scaled to 8 bits.
    Raises UnreadableImage (with a short reason) for anything empty, cut short, too large or not an image.
    """
    name = name or (str(source) if isinstance(source, Path) else "image")
    try:
        with warnings.catch_warnings(), _open(source) as image:
            warnings.simplefilter("ignore")  # odd EXIF and palettes: the pixels are what counts
            _checked_size(image, name)
            image.load()
            try:
                upright = ImageOps.exif_transpose(image)
            except Exception:
                upright = image  # a broken EXIF block does not make the pixels worse
            return np.ascontiguousarray(_to_rgb(upright or image))
    except UnreadableImage:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged files
        raise UnreadableImage(name, _reason(source, error)) from error


def bordered(pixels: Pixels, share: float) -> tuple[Pixels, int]:
    """Return the photo with its edge replicated outwards on all sides, and the border's width in pixels.

    `share` is the border's width as a share of the longer side. Replicating, not a constant: with a border of a quarter a
    hand is found in 0.990 of the Sign Language Digits photos, with a grey border in 0.92.
    """
    import cv2

    margin = round(max(pixels.shape[:2]) * share)
    if margin == 0:
        return pixels, 0
    return cv2.copyMakeBorder(pixels, margin, margin, margin, margin, cv2.BORDER_REPLICATE), margin  # type: ignore[return-value]


def _open(source: Union[Path, bytes]) -> Image.Image:
    return Image.open(source if isinstance(source, Path) else io.BytesIO(source))


def _checked_size(image: Image.Image, name: str) -> tuple[int, int]:
    width, height = image.size
    if width < 1 or height < 1:
        raise UnreadableImage(name, "it has no pixels")
    if width * height > MAX_PIXELS:
        raise UnreadableImage(
            name, f"{width}x{height} is over {MAX_PIXELS // 1_000_000} megapixels, make it smaller first"
        )
    return width, height


def _to_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        values = np.asarray(image, dtype=np.float64)
        # 16-bit files by their nominal range, others by what they hold.
        top = 65535.0 if image.mode.startswith("I;16") or values.max(initial=0) > 255 else 255.0
        grey = np.clip(values / top * 255, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _reason(source: Union[Path, bytes], error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    empty = source.stat().st_size == 0 if isinstance(source, Path) and source.is_file() else source == b""
    if empty:
        return "the file is empty"
    if isinstance(source, Path) and source.suffix.lower() in PHOTO_SUFFIXES_WE_CANNOT_READ:
        return f"{source.suffix.lower()} photos are not read, convert them to JPEG first"
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return "the image is damaged or cut short"
