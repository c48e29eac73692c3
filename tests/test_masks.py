"""Masks: kept by what a photo is, and what becomes of the background behind a hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import write
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gesture_maker.dataset.folder import load_dataset
from gesture_maker.dataset.masks import (
    BACKGROUNDS,
    GREY,
    Mask,
    apply_mask,
    mask_path,
    read_mask,
    with_background,
    write_mask,
)
from gesture_maker.errors import ConfigError, DatasetError
from gesture_maker.files import sha256_of
from gesture_maker.images import Pixels
from gesture_maker.synthetic.hgr1 import draw_hgr1_image

KEY = sha256_of(b"a photo")


@pytest.fixture(scope="module")
def hand() -> tuple[Pixels, Mask]:
    return draw_hgr1_image("5_A", 2, 1, size=160)


def well_inside(mask: Mask, pixels: int = 5) -> np.ndarray:
    """Return where everything around is hand too."""
    import cv2

    return cv2.erode(mask, np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0


def well_outside(mask: Mask, pixels: int = 5) -> np.ndarray:
    return well_inside(255 - mask, pixels)


@given(mask=arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.sampled_from([0, 255])))
def test_a_mask_is_read_as_it_was_written(mask: Mask, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("Fotos é")
    assert read_mask(root, KEY) is None
    path = write_mask(root, KEY, mask)
    assert path == mask_path(root, KEY) == root / ".masks" / f"{KEY}.png"
    read = read_mask(root, KEY)
    assert read is not None
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, mask)
    before = path.read_bytes()
    write_mask(root, KEY, mask > 0)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_masks_are_no_class_of_the_dataset(tmp_path: Path) -> None:
    write_mask(tmp_path, KEY, np.ones((4, 4), np.uint8))
    (tmp_path / "rock").mkdir()
    assert load_dataset(tmp_path).labels == ("rock",)


@pytest.mark.parametrize("key", ["", "../../photo", KEY.upper(), KEY[:-1], f"{KEY}/x"])
def test_only_a_hash_is_a_key(key: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no SHA-256"):
        mask_path(tmp_path, key)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n cut short"])
def test_bad_input_damaged_mask(content: bytes, tmp_path: Path) -> None:
    write(mask_path(tmp_path, KEY), content)
    with pytest.raises(DatasetError, match=r"damaged: remove it"):
        read_mask(tmp_path, KEY)


def test_keep_changes_nothing(hand: tuple[Pixels, Mask]) -> None:
    pixels, mask = hand
    np.testing.assert_array_equal(apply_mask(pixels, mask, "keep"), pixels)


@pytest.mark.parametrize("how", ["remove", "blur"])
def test_the_hand_stays_and_its_photo_too(how: str, hand: tuple[Pixels, Mask]) -> None:
    pixels, mask = hand
    before = pixels.copy()
    done = apply_mask(pixels, mask, how)  # type: ignore[arg-type]
    np.testing.assert_array_equal(pixels, before)
    assert (done.shape, done.dtype) == (pixels.shape, np.uint8)
    inside = well_inside(mask)
    assert inside.sum() > 200
    np.testing.assert_array_equal(done[inside], pixels[inside])


def test_what_is_removed_is_grey(hand: tuple[Pixels, Mask]) -> None:
    pixels, mask = hand
    assert (apply_mask(pixels, mask, "remove")[well_outside(mask)] == GREY).all()


def test_what_is_blurred_has_no_detail_and_no_glow_of_the_hand() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(40, 60, (120, 200, 3), dtype=np.uint8)
    mask = np.zeros((120, 200), np.uint8)
    mask[30:90, 60:120] = 255
    pixels[mask > 0] = 250
    done = apply_mask(pixels, mask, "blur")[well_outside(mask)].astype(int)
    assert abs(done.mean() - 49.5) < 1
    assert done.max() - done.min() <= 6


def test_the_edge_is_soft() -> None:
    pixels = np.full((40, 40, 3), 250, np.uint8)
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 20:] = 255
    row = with_background(pixels, mask, np.zeros_like(pixels))[20, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    between = int(((row > 5) & (row < 245)).sum())
    assert 2 <= between <= 6


@given(
    side=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    how=st.sampled_from(BACKGROUNDS),
    seed=st.integers(0, 99),
    share=st.floats(0.01, 0.9),
)
def test_any_size_can_be_masked(side: tuple[int, int], how: str, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (*side, 3), dtype=np.uint8)
    mask = np.where(rng.random(side) < rng.random(), 255, 0).astype(np.uint8)
    done = apply_mask(pixels, mask, how, blur_share=share)  # type: ignore[arg-type]
    assert (done.shape, done.dtype) == (pixels.shape, np.uint8)


def test_bad_input_of_masking(hand: tuple[Pixels, Mask]) -> None:
    pixels, mask = hand
    with pytest.raises(ConfigError, match="keep, remove, blur"):
        apply_mask(pixels, mask, "hide")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="share between 0 and 1"):
        apply_mask(pixels, mask, "blur", blur_share=0.0)
    with pytest.raises(ValueError, match="100x160 pixels, the photo 160x160"):
        apply_mask(pixels, mask[:, :100], "remove")
    with pytest.raises(ValueError, match="shape"):
        write_mask(Path("nowhere"), KEY, pixels)
