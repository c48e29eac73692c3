"""Variants of pictures: what they follow from, and what stays as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hand_photos import hand_photo
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from gesture_maker.pixels.pictures import stretched
from gesture_maker.training.pixels.augment import Pictures, lit, variant
from gesture_maker.training.pixels.settings import PixelSettings

SIDE, COUNT = 64, 6
STILL = PixelSettings(flip=False, rotation=0, scale=0, shift=0, light=0, background=0)
"""Settings that leave a picture as it is."""


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """Six hands with their masks, all but the last."""
    taken = [hand_photo("S_A", person, 1) for person in range(1, COUNT + 1)]
    x = np.stack([stretched(pixels, SIDE) for pixels, _ in taken])
    masks = np.stack([stretched(mask, SIDE) for _, mask in taken])
    return Pictures(x, np.arange(COUNT), masks, np.arange(COUNT) < COUNT - 1)


@budget(max_examples=25)
@given(st.integers(0, 2**31 - 1), st.integers(0, 10_000), st.integers(0, COUNT - 1))
def test_variants_follow_from_seed_epoch_and_number_alone(
    pictures: Pictures, seed: int, epoch: int, number: int
) -> None:
    settings = PixelSettings(seed=seed % 3, ease_in=0)  # the rooms of two seeds are kept
    x, y = pictures.varied([number], settings, epoch)
    among, classes = pictures.varied(range(COUNT), settings, epoch)
    np.testing.assert_array_equal(among[number], x[0])
    np.testing.assert_array_equal(classes, np.arange(COUNT))
    assert y[0] == number
    assert x.dtype == np.float32
    assert x.shape == (1, SIDE, SIDE, 3)
    assert 0 <= x.min() <= x.max() <= 255
    assert not np.array_equal(pictures.varied([number], settings, epoch + 1)[0], x)
    other = replace(settings, seed=(settings.seed + 1) % 3)
    assert not np.array_equal(pictures.varied([number], other, epoch)[0], x)


def test_without_variation_pictures_are_as_they_are(pictures: Pictures) -> None:
    for epoch in range(3):
        np.testing.assert_array_equal(pictures.varied(range(COUNT), STILL, epoch)[0], pictures.plain(range(COUNT))[0])


def test_only_flip_changes_sides(pictures: Pictures) -> None:
    plain, _ = pictures.plain(range(COUNT))
    mirrored = 0
    for epoch in range(20):
        for one, before in zip(pictures.varied(range(COUNT), replace(STILL, flip=True), epoch)[0], plain, strict=True):
            turned = np.array_equal(one, before[:, ::-1])
            assert turned or np.array_equal(one, before)
            mirrored += turned
    assert 40 <= mirrored <= 80  # of 120, half on average


def test_without_flip_a_mark_on_the_left_stays_there() -> None:
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[:, : SIDE // 4] = 255
    settings = PixelSettings(flip=False)
    rng = np.random.default_rng(0)
    for _ in range(200):
        one = variant(picture, None, settings, rng).mean(axis=(0, 2))
        assert one[: SIDE // 2].mean() > one[SIDE // 2 :].mean()


def test_a_mask_keeps_the_hand_and_changes_what_is_behind_it(pictures: Pictures) -> None:
    assert pictures.masks is not None
    settings = replace(STILL, background=1.0)
    plain, _ = pictures.plain(range(COUNT))
    varied, _ = pictures.varied(range(COUNT), settings, 0)
    for number in range(COUNT - 1):
        mask, square = pictures.masks[number], np.ones((3, 3), np.uint8)
        inside, outside = (cv2.erode(np.uint8(mask == one), square, iterations=4) == 1 for one in (255, 0))
        difference = np.abs(varied[number] - plain[number]).mean(axis=2)
        assert inside.any()  # off the soft edge
        assert difference[inside].max() < 3
        assert difference[outside].mean() > 10
    np.testing.assert_array_equal(varied[-1], plain[-1])  # it has no mask


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_so_many_get_another_background(pictures: Pictures, share: float) -> None:
    settings, plain = replace(STILL, background=share), pictures.plain(range(COUNT))[0]
    changed = sum(
        not np.array_equal(one, before)
        for epoch in range(60)
        for one, before in zip(pictures.varied(range(COUNT - 1), settings, epoch)[0], plain, strict=False)
    )
    assert share == changed == 0 or 60 <= changed <= 120  # of 300, 90 on average


@given(st.floats(0, 0.9), st.integers(0, 2**32 - 1))
def test_light_stays_within_what_a_picture_can_show(light: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.uniform(0, 255, (8, 8, 3)).astype(np.float32)
    made: Any = lit(picture, light, rng)
    assert made.dtype == np.float32
    assert 0 <= made.min() <= made.max() <= 255
    np.testing.assert_allclose(lit(picture, 0.0, rng), picture, atol=1e-4)
