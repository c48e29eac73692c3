"""Photos to pixels: upright RGB, or one short reason why not."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers import photo, write
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gesture_maker.errors import UnreadableImage
from gesture_maker.images import IMAGE_SUFFIXES, bordered, is_image_name, read_image, read_thumbnail

SUFFIXES = [".jpg", ".png", ".bmp", ".webp", ".gif", ".tif"]


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_read_from_bytes_and_file_alike(tmp_path: Path, suffix: str) -> None:
    content = photo(1, suffix, (50, 40))
    pixels = read_image(content)
    assert pixels.shape == (40, 50, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.array_equal(read_image(write(tmp_path / f"a{suffix}", content)), pixels)
    assert is_image_name(f"A{suffix.upper()}")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30] = 255  # the upper left quarter is white
    turned = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud}
    turned |= {5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, 1), 8: lambda a: np.rot90(a, 3)}
    turned |= {7: lambda a: np.rot90(a.swapaxes(0, 1), 2)}
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(np.ascontiguousarray(turned[orientation](upright))), exif=exif)
    assert np.array_equal(read_image(content), upright)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = np.linspace(0, 255, 48 * 48).reshape(48, 48)
    if mode == "I;16":
        image = Image.fromarray((grey * 257).astype(np.uint16))
    elif mode == "F":
        image = Image.fromarray(grey.astype(np.float32))
    else:
        image = Image.fromarray(grey.astype(np.uint8)).convert(mode)
    pixels = read_image(encoded(image, "TIFF"))
    assert pixels.shape == (48, 48, 3)
    assert pixels[-4:].mean() > 230
    assert pixels[:4].mean() < 25


def test_transparent_parts_are_white() -> None:
    assert (read_image(encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 0)))) == 255).all()
    palette = Image.new("RGB", (40, 40), "red").quantize(2)
    assert (read_image(encoded(palette, transparency=palette.getpixel((0, 0)))) == 255).all()


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(read_image(content)[0, 0], (255, 0, 0))


def reason(source: bytes | Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(source)
    assert len(caught.value.reason) < 80
    return caught.value.reason


def test_bad_input_empty_or_no_image(tmp_path: Path) -> None:
    assert reason(b"") == "the file is empty"
    assert reason(write(tmp_path / "a.jpg", b"")) == "the file is empty"
    assert reason(tmp_path / "missing.jpg") == "no such file"
    assert reason(b"hello") == "not an image"
    assert reason(tmp_path) != ""
    assert "HEIC" in reason(write(tmp_path / "b.jpg", b"\0\0\0\x18ftypheic" + bytes(40)))
    assert "convert" in reason(write(tmp_path / "c.dng", b"II" + bytes(4)))


def test_bad_input_other_formats_are_not_tried() -> None:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n"
    assert reason(eps) == "not an image"  # Pillow would start Ghostscript on it
    assert reason(encoded(Image.new("RGB", (40, 40)), "PPM")) == "not an image"


def png_of(width: int, height: int) -> bytes:
    """Return a PNG whose header promises that size."""
    content = bytearray(photo(0, ".png"))
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    return bytes(content)


def test_bad_input_zero_sized_or_huge() -> None:
    assert reason(png_of(0, 40)) != ""
    assert "100 megapixels" in reason(png_of(10_001, 10_000))
    assert "100 megapixels" in reason(png_of(2**31 - 1, 2**31 - 1))


@given(st.sampled_from(SUFFIXES), st.data())
def test_bad_input_a_cut_file_is_never_accepted_with_missing_pixels(suffix: str, data: st.DataObject) -> None:
    content = photo(2, suffix)
    end = data.draw(st.integers(0, len(content) - 1))
    try:
        pixels = read_image(content[:end])
    except UnreadableImage:
        return
    assert np.array_equal(pixels, read_image(content))  # only an end mark was missing


@given(st.sampled_from(SUFFIXES), st.integers(0, 10_000), st.binary(min_size=1, max_size=20))
def test_bad_input_a_damaged_file_is_an_image_or_unreadable(suffix: str, at: int, junk: bytes) -> None:
    content = bytearray(photo(3, suffix))
    at %= len(content)
    content[at : at + len(junk)] = junk
    try:
        pixels = read_image(bytes(content))
    except UnreadableImage:
        return
    assert pixels.ndim == 3
    assert pixels.dtype == np.uint8


def test_a_border_repeats_the_edge() -> None:
    pixels = read_image(photo(4, ".png", (40, 60)))
    larger, margin = bordered(pixels, 0.25)
    assert margin == 15
    assert np.array_equal(larger[margin:-margin, margin:-margin], pixels)
    assert np.array_equal(larger[0, margin:-margin], pixels[0])
    assert bordered(pixels, 0.0)[1] == 0


def test_reading_images_needs_no_opencv() -> None:
    code = "import sys, gesture_maker.images; assert 'cv2' not in sys.modules and 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_suffixes_are_lower_case() -> None:
    assert all(suffix == suffix.lower() for suffix in IMAGE_SUFFIXES)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_thumbnail_is_the_photo_made_smaller(suffix: str) -> None:
    tall = encoded(
        Image.linear_gradient("L").resize((300, 900)), {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:])
    )
    small, whole = read_thumbnail(tall, 90), read_image(tall)
    assert small.shape == (90, 30, 3)
    assert np.abs(small.astype(int) - whole[5::10, 5::10]).max() < 12
    assert read_thumbnail(tall, 1000).shape == whole.shape  # never larger than it is
    assert read_thumbnail(encoded(Image.new("RGB", (900, 1))), 16).shape == (1, 16, 3)


def test_a_thumbnail_is_upright_and_none_is_made_of_what_is_no_photo(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    content = encoded(Image.new("RGB", (400, 200)), "JPEG", exif=turned)
    assert read_thumbnail(write(tmp_path / "a.jpg", content), 64).shape == (64, 32, 3)
    for damaged in (content[: len(content) // 2], b"", b"words"):
        with pytest.raises(UnreadableImage):
            read_thumbnail(damaged, 64)
