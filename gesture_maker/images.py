"""Photos to pixels, with nothing accepted that is damaged or would fill the memory.

Pillow rather than OpenCV reads them: it tells the size before any pixel is decoded, and fails on a file that was cut
short where OpenCV fills the rest with grey.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

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

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF")
"""What is decoded, whatever the file is called. Pillow's other readers are not for strangers' files: EPS runs a
program."""

Image.MAX_IMAGE_PIXELS = None  # our own limit below gives a clear sentence instead of Pillow's warning
# Odd EXIF and palettes: the pixels are what counts. Once, here, because warnings.catch_warnings is not safe in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def is_image_name(name: str | Path) -> bool:
    """Tell by its suffix whether a file is meant to be an image."""
    return Path(name).suffix.lower() in IMAGE_SUFFIXES


def not_an_image_reason(name: str | Path) -> str:
    """Return in a few words why a file of this name is not read as an image."""
    suffix = Path(name).suffix.lower()
    if suffix in PHOTO_SUFFIXES_WE_CANNOT_READ:
        return f"{suffix} photos are not read, convert them to JPEG first"
    return "not an image"


def read_image(source: Path | bytes, name: str = "") -> Pixels:
    """Return the photo as uint8 [height, width, 3] RGB, rotated as its EXIF orientation says.

    Transparent parts become white; only the first frame of an animation is read; 16-bit grey is scaled to 8 bits.
    Raises UnreadableImage (with a short reason) for anything empty, cut short, too large or not an image.
    """
    return _read(source, name, None)


def read_thumbnail(source: Path | bytes, side: int, name: str = "") -> Pixels:
    """Return the photo as `read_image` does, made smaller until no side has more than `side` pixels.

    JPEGs are decoded at the next larger of their reduced sizes, a fifth of the time at 12 megapixels. Raises UnreadableImage.
    """
    return _read(source, name, side)


def _read(source: Path | bytes, name: str, side: int | None) -> Pixels:
    name = name or (str(source) if isinstance(source, Path) else "image")
    try:
        with _open(source) as image:
            _checked_size(image, name)
            if side is not None:
                image.draft(None, (side, side))
            image.load()
            try:
                upright = ImageOps.exif_transpose(image)
            except Exception:
                upright = image  # a broken EXIF block does not make the pixels worse
            pixels = np.ascontiguousarray(_to_rgb(upright or image))
    except UnreadableImage:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged files
        raise UnreadableImage(name, _reason(source, error)) from error
    if side is None or max(pixels.shape[:2]) <= side:
        return pixels
    small = Image.fromarray(pixels)
    small.thumbnail((side, side))
    return np.asarray(small)


def bordered(pixels: Pixels, share: float) -> tuple[Pixels, int]:
    """Return the photo with its edge replicated outwards on all sides, and the border's width in pixels.

    `share` is the border's width as a share of the longer side. Replicating, not a constant: with a border of a quarter
    a hand is found in 0.990 of the Sign Language Digits photos, with a grey border in 0.92.
    """
    import cv2

    margin = round(max(pixels.shape[:2]) * share)
    if margin == 0:
        return pixels, 0
    return cv2.copyMakeBorder(pixels, margin, margin, margin, margin, cv2.BORDER_REPLICATE), margin  # type: ignore[return-value]


def _open(source: Path | bytes) -> Image.Image:
    return Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=FORMATS)


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
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        # 16-bit files by their nominal range, others by what they hold.
        top = 65535.0 if image.mode.startswith("I;16") or values.max(initial=0) > 255 else 255.0
        grey = np.clip(values / top * 255, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def _reason(source: Path | bytes, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    empty = source.stat().st_size == 0 if isinstance(source, Path) and source.is_file() else source == b""
    if empty:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        if _is_heif(source):  # also when something has renamed it to .jpg
            return "HEIC and AVIF photos are not read, convert them to JPEG first"
        return not_an_image_reason(source if isinstance(source, Path) else "")
    return "the image is damaged or cut short"


def _is_heif(source: Path | bytes) -> bool:
    if isinstance(source, Path):
        with source.open("rb") as file:
            source = file.read(12)
    return source[4:8] == b"ftyp" and source[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
