"""HGR1's names and masks, and the drawn look-alike: people and poses that differ, and masks that fit their photos."""

from __future__ import annotations

import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers import tree
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.dataset.formats.hgr1 import (
    NO_MASK,
    NO_PHOTO,
    NOT_HGR1,
    TWICE,
    border_votes,
    hand_in,
    hgr1_photos,
    is_hgr1_name,
    skin_colour,
)
from gesture_maker.dataset.names import normalize_label
from gesture_maker.errors import ConfigError, SourceError
from gesture_maker.images import read_image
from gesture_maker.synthetic.hgr1 import GESTURES, draw_hgr1, draw_hgr1_image, hgr1_name
from gesture_maker.synthetic.poses import difference

PLACES = ("", "hgr1/", "a b/é/👋/", "x/original_images/")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    assert draw_hgr1(folder, people=2, poses=3, photos=2, size=96) == 12
    return folder


# Names


@given(
    gesture=st.from_regex(r"[A-Za-z0-9]{1,6}_[A-Z]", fullmatch=True),
    person=st.integers(1, 99),
    number=st.integers(1, 999),
    place=st.sampled_from(PLACES),
    other=st.sampled_from(PLACES),
    upper=st.booleans(),
)
def test_photo_and_mask_are_found_by_their_names(
    gesture: str, person: int, number: int, place: str, other: str, upper: bool
) -> None:
    stem = hgr1_name(gesture, person, number)
    photo, mask = f"{place}{stem}{'.JPG' if upper else '.jpg'}", f"{other}{stem}.bmp"
    assert is_hgr1_name(photo)
    assert is_hgr1_name(mask)
    found = hgr1_photos([mask, photo])
    assert found.problems == ()
    (one,) = found.photos
    assert (one.photo, one.mask) == (photo, mask)
    assert (one.label, one.person) == (normalize_label(gesture), f"id{person:02d}")


def test_what_is_missing_or_there_twice_is_told() -> None:
    found = hgr1_photos(
        [
            "original_images/0_A_hgr1_id01_1.jpg",
            "copy/original_images/0_A_hgr1_id01_1.jpg",
            "skin_masks/0_A_hgr1_id01_1.bmp",
            "original_images/0_A_hgr1_id01_2.jpg",
            "skin_masks/0_A_hgr1_id02_1.bmp",
            "original_images/holiday.jpg",
            "original_images/0_A_hgr2A_id01_1.jpg",
            "feature_pts/0_A_hgr1_id01_1.xml",
            "original_images/.._A_hgr1_id01_1.jpg",
            "original_images/x_.._A_hgr1_id01_9.jpg",
            "skin_masks/x_.._A_hgr1_id01_9.bmp",
            "__MACOSX/original_images/._0_A_hgr1_id01_1.jpg",
            "Thumbs.db",
            "manifest.csv",
        ]
    )
    assert dict(found.problems) == {
        "copy/original_images/0_A_hgr1_id01_1.jpg": TWICE,
        "original_images/0_A_hgr1_id01_2.jpg": NO_MASK,
        "skin_masks/0_A_hgr1_id02_1.bmp": NO_PHOTO,
        "original_images/holiday.jpg": NOT_HGR1,
        "original_images/0_A_hgr2A_id01_1.jpg": NOT_HGR1,
        "feature_pts/0_A_hgr1_id01_1.xml": "not an image",
    }
    assert [one.label for one in found.photos] == ["0_A", "x_.._A"]
    assert found.seen == (3, 3)


def test_masks_that_were_converted_are_known_by_their_folder() -> None:
    (one,) = hgr1_photos(["hgr1/skin_masks/B_P_hgr1_id3_1.png", "hgr1/original_images/B_P_hgr1_id3_1.png"]).photos
    assert one.mask == "hgr1/skin_masks/B_P_hgr1_id3_1.png"


# Which colour skin has


@pytest.mark.parametrize("is_black", [True, False])
def test_the_colour_of_skin_is_decided_for_the_set(is_black: bool) -> None:
    """Of one photo alone it would be wrong: an arm takes most of its border."""
    hand = np.zeros((3, 20, 30), np.uint8)
    hand[0, 3:, :] = hand[1, 5:9, 4:9] = hand[2, 9:, 10:20] = 255
    shown = [np.repeat((255 - one if is_black else one)[:, :, None], 3, axis=2) for one in hand]
    votes = [border_votes(one) for one in shown]
    assert all(vote.sum() == 2 * (20 + 30) - 4 for vote in votes)
    assert skin_colour(votes[0]).is_black is not is_black
    skin = skin_colour(np.sum(votes, axis=0))
    assert skin.is_black is is_black
    assert skin.share == pytest.approx(1 - (30 + 2 * 16 + 9 + 1) / 288, abs=0.02)
    for one, meant in zip(shown, hand, strict=True):
        np.testing.assert_array_equal(hand_in(one, skin), meant)


@given(size=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_every_border_pixel_votes_once(size: tuple[int, int]) -> None:
    height, width = size
    pixels = np.full((height, width, 3), 255, np.uint8)
    inside = max(height - 2, 0) * max(width - 2, 0)
    black, white = border_votes(pixels)
    assert black == 0
    if min(size) > 1:  # a row is its own upper and lower border
        assert white == height * width - inside


def test_bad_input_no_mask_that_can_be_read() -> None:
    with pytest.raises(SourceError, match="no skin mask"):
        skin_colour(np.zeros(2, np.int64))


# The drawn set


def test_drawn_files_have_the_names_and_sizes_of_hgr1(drawn: Path) -> None:
    files = [path.relative_to(drawn).as_posix() for path in drawn.rglob("*.*")]
    assert len(files) == 24
    found = hgr1_photos(files)
    assert found.problems == ()
    assert {(one.label, one.person) for one in found.photos} == set(
        itertools.product(("0_A", "1_A", "2_A"), ("id01", "id02"))
    )
    for one in found.photos:
        assert read_image(drawn / one.photo).shape == read_image(drawn / one.mask).shape == (96, 96, 3)


def test_masks_are_black_and_white(drawn: Path) -> None:
    for path in (drawn / "skin_masks").iterdir():
        pixels = read_image(path)
        assert set(np.unique(pixels)) == {0, 255}
        assert 0.01 < (pixels == 0).mean() < 0.5


def test_the_mask_ends_where_the_hand_does() -> None:
    """Along its outline the photo changes; along the same outline moved aside it does less."""
    import cv2

    on_it, beside = [], []
    for person, gesture in enumerate(("1_A", "5_A", "L_A", "T_S"), 1):
        pixels, mask = draw_hgr1_image(gesture, person, 1, size=160)
        changes = cv2.morphologyEx(cv2.medianBlur(pixels, 3), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
        outline = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        on_it.append(changes[outline].mean())
        beside += [changes[np.roll(outline, step, axis=(0, 1))].mean() for step in ((0, 6), (6, 0), (0, -6), (-6, 0))]
    assert np.mean(on_it) > 1.6 * np.mean(beside)


def test_drawing_again_draws_what_is_missing_and_the_same(drawn: Path, tmp_path: Path) -> None:
    draw_hgr1(tmp_path, people=1, poses=1, photos=1, size=96)
    assert tree(tmp_path).items() <= tree(drawn).items()
    assert draw_hgr1(tmp_path, people=1, poses=1, photos=2, size=96) == 1
    seen: list[tuple[int, int]] = []
    assert draw_hgr1(tmp_path, people=2, poses=3, photos=2, size=96, progress=lambda *at: seen.append(at)) == 10
    assert seen == [(number, 12) for number in range(3, 13)]
    assert tree(tmp_path) == tree(drawn)


def test_the_zips_hold_the_same(drawn: Path, tmp_path: Path) -> None:
    draw_hgr1(tmp_path, people=2, poses=3, photos=2, size=96, zips=True)
    packed: dict[str, bytes] = {}
    for name in ("hgr1_images.zip", "hgr1_skin.zip"):
        with zipfile.ZipFile(tmp_path / name) as file:
            packed |= {member: file.read(member) for member in file.namelist()}
    assert packed == tree(drawn)
    assert set(tree(tmp_path)) == {"hgr1_images.zip", "hgr1_skin.zip"}


def test_skin_may_be_white_as_in_other_releases(drawn: Path, tmp_path: Path) -> None:
    draw_hgr1(tmp_path, people=1, poses=1, photos=1, size=96, skin_is_black=False)
    (path,) = (tmp_path / "skin_masks").iterdir()
    np.testing.assert_array_equal(read_image(path), 255 - read_image(drawn / "skin_masks" / path.name))


def test_all_poses_differ_and_can_be_held() -> None:
    assert len(GESTURES) == 25
    assert all(pose.within_limits() for pose in GESTURES.values())
    for (one, pose), (other, another) in itertools.combinations(GESTURES.items(), 2):
        apart = difference(pose, another) + np.abs(pose.orientation - another.orientation).max() / 90
        # 0.15 palm lengths on the root mean square of five fingertips: two fingers spread or side by side
        assert apart > 0.15, (one, other)


def test_people_are_told_apart_by_their_hands() -> None:
    shares = {float((draw_hgr1_image("5_A", person, 1, size=96)[1] > 0).mean()) for person in range(1, 5)}
    assert len(shares) == 4


@pytest.mark.parametrize("wrong", [{"people": 0}, {"people": 100}, {"poses": 26}, {"photos": 0}, {"size": 20}])
def test_bad_input_of_drawing(wrong: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="draw"):
        draw_hgr1(tmp_path, **wrong)  # type: ignore[arg-type]
    assert tree(tmp_path) == {}
