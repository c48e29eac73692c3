"""What is drawn on a frame: hands where they are, labels beside them, mirrored or not, and never beyond the picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hands import drawn, hands
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.images import Pixels
from gesture_maker.landmarks.hands import Hand
from gesture_maker.recognition.answers import RecognizedHand
from gesture_maker.recognition.overlay import CANNED, CUSTOM, NO_GESTURE, _label, draw_overlay, load_fonts
from gesture_maker.recognition.smoothing import ShownHand

names = st.one_of(
    st.sampled_from(
        ["none", "thumbs_up", "拇指向上", "👍🏽", "إشارة", "a" * 200, "ok sign " * 20, "é́", "\u200b", "", "=1+1"]
    ),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=40),
)


def shown(
    hand: Hand, gesture: str = "thumbs_up", score: float = 0.87, canned: bool = False, track: int = 1
) -> ShownHand:
    return ShownHand(track, gesture, score, canned, RecognizedHand(gesture, score, canned, hand))


def scene(
    x: float, y: float, size: int = 200, width: int = 640, height: int = 480, level: int = 128
) -> tuple[Pixels, Hand]:
    """A picture with a drawn hand of `size` pixels, its middle at (x, y) of the picture."""
    import cv2

    photo, hand = drawn("open_palm")
    photo, points = photo[:, ::-1], hand.landmarks * (-1, 1, 1) + (1, 0, 0)  # its thumb tells which way round it is
    canvas = np.full((height, width, 3), level, np.uint8)
    left, top = round(x * width - size / 2), round(y * height - size / 2)
    canvas[top : top + size, left : left + size] = cv2.resize(np.ascontiguousarray(photo), (size, size))
    moved = points.astype(np.float32)
    moved[:, 0] = (points[:, 0] * size + left) / width
    moved[:, 1] = (points[:, 1] * size + top) / height
    return canvas, replace(hand, landmarks=moved, width=width, height=height)


def changed(before: Pixels, after: Pixels) -> Any:
    """Return where a picture was drawn on, [height, width] of bool."""
    return (before != after).any(axis=2)


def box(where: Any) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what is true."""
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def stripe(picture: Pixels, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return the box of a label's stripe, which has its colour exactly."""
    return box((picture == np.array(colour)).all(axis=2))


@settings(max_examples=60)
@given(
    st.lists(st.builds(shown, hands, names, st.floats(0, 1), st.booleans()), max_size=3),
    st.one_of(names, st.lists(names, max_size=4)),
    st.booleans(),
    st.sampled_from([(48, 64), (33, 20), (240, 320), (721, 1279), (1, 1), (500, 40)]),
)
def test_anything_can_be_drawn_on_anything(
    several: list[ShownHand], status: str | list[str], mirror: bool, size: tuple[int, int]
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    before = picture.copy()
    picture.setflags(write=False)
    drawn_on = draw_overlay(picture, several, status, mirror=mirror)
    assert (drawn_on.shape, drawn_on.dtype) == (picture.shape, np.uint8)
    assert drawn_on.flags.writeable
    assert drawn_on.flags.c_contiguous
    assert np.array_equal(picture, before)
    if not several and not any([status] if isinstance(status, str) else status):
        assert np.array_equal(drawn_on, picture[:, ::-1] if mirror else picture)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("x", [0.25, 0.75])
def test_a_hand_and_its_label_are_where_the_hand_is_seen(x: float, mirror: bool) -> None:
    picture, hand = scene(x, 0.6)
    after = draw_overlay(picture, [shown(hand)], "", mirror=mirror)
    background = picture[:, ::-1] if mirror else picture
    seen_at = 1 - x if mirror else x
    left, top, right, bottom = box(changed(background, after))
    assert abs((left + right) / 2 / 640 - seen_at) < 0.06
    points = hand.landmarks.copy()
    points[:, 0] = 1 - points[:, 0] if mirror else points[:, 0]
    for px, py, _ in points:  # a white or coloured spot on every joint
        assert changed(background, after)[round(float(py) * 480), round(float(px) * 640)]
    assert bottom <= round(float(points[:, 1].max()) * 480) + 12  # the label is above
    _, label_top, _, label_bottom = stripe(after, CUSTOM)
    assert (label_top, label_bottom) < (float(points[:, 1].min()) * 480,) * 2
    assert top == label_top


@pytest.mark.parametrize("right", [0.97, 0.02])
def test_words_are_not_mirrored(right: float) -> None:
    """In the middle of an even picture a mirrored label is the same label, pixel by pixel, with its stripe at the left."""
    picture = np.full((480, 640, 3), 90, np.uint8)
    _, hand = scene(0.5, 0.6)
    points = hand.landmarks.copy()
    points[:, 0] += 0.5 - (points[:, 0].min() + points[:, 0].max()) / 2
    hand = replace(hand, landmarks=points, handedness=right)
    plain, mirrored = (draw_overlay(picture, [shown(hand)], "21 ms", mirror=mirror) for mirror in (False, True))
    left, top, _, bottom = stripe(plain, CUSTOM)
    area = np.s_[top:bottom, left : left + 120]
    shifted = stripe(mirrored, CUSTOM)[0] - left
    assert abs(shifted) <= 1
    assert np.array_equal(plain[area], mirrored[top:bottom, left + shifted : left + shifted + 120])
    assert np.array_equal(plain[:40, :120], mirrored[:40, :120])  # the status stays at the top left
    assert changed(picture, plain)[:40, :120].any()


def test_a_label_says_left_or_right_by_the_persons_own_hand_mirrored_or_not() -> None:
    picture, hand = scene(0.5, 0.6)
    for mirror in (False, True):
        pictures = [
            draw_overlay(picture, [shown(replace(hand, handedness=right))], "", mirror=mirror)
            for right in (0.97, 0.8, 0.1, 0.02)
        ]
        assert np.array_equal(pictures[0], pictures[1])
        assert np.array_equal(pictures[2], pictures[3])
        assert not np.array_equal(pictures[1], pictures[2])


def test_a_label_tells_who_answered() -> None:
    picture, hand = scene(0.5, 0.6)
    custom, canned, none = (
        draw_overlay(picture, [one], "", mirror=False)
        for one in (shown(hand), shown(hand, canned=True), shown(hand, "none"))
    )
    for after, colour in ((custom, CUSTOM), (canned, CANNED), (none, NO_GESTURE)):
        left, top, right, bottom = stripe(after, colour)
        assert right - left < 10 < bottom - top
    _, top, _, bottom = stripe(custom, CUSTOM)
    middle = np.s_[(top + bottom) // 2 : bottom, 200:440]
    assert (custom[middle] > 150).all(axis=2).sum() < (canned[middle] > 150).all(
        axis=2
    ).sum()  # "· canned" is more to write


@pytest.mark.parametrize(("x", "y"), [(0.5, 0.25), (0.17, 0.25), (0.83, 0.75), (0.17, 0.75), (0.83, 0.25)])
def test_a_label_leaves_hands_and_status_free_where_there_is_room(x: float, y: float) -> None:
    picture, hand = scene(x, y)
    after = draw_overlay(picture, [shown(hand)], "21 ms", mirror=False)
    without = draw_overlay(picture, [], "21 ms", mirror=False)
    left, top, right, bottom = stripe(after, CUSTOM)
    assert top >= 0
    assert bottom <= 480
    points = hand.landmarks[:, :2] * (640, 480)
    beside = (
        points[:, 1].max() <= top
        or points[:, 1].min() >= bottom
        or points[:, 0].max() <= left
        or points[:, 0].min() > right
    )
    assert beside
    words = (without > 200).all(axis=2) & changed(picture, without)
    assert words.any()
    assert np.array_equal(after[words], without[words])


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.3])
def test_labels_of_two_hands_do_not_cover_each_other(gap: float) -> None:
    picture = np.full((720, 1280, 3), 60, np.uint8)
    pair = [scene(0.4, 0.6, width=1280, height=720)[1], scene(0.4 + gap, 0.6, width=1280, height=720)[1]]
    both = [shown(pair[0], "a gesture with a long name"), shown(pair[1], "victory", canned=True, track=2)]
    after = draw_overlay(picture, both, "", mirror=False)
    first, second = stripe(after, CUSTOM), stripe(after, CANNED)
    assert first[3] - first[1] == second[3] - second[1]  # both whole
    width = _label(both[0], 27, 768).rest.shape[1], _label(both[1], 27, 768).rest.shape[1]
    apart_in_height = first[3] <= second[1] or second[3] <= first[1]
    assert apart_in_height or first[0] + width[0] <= second[0] or second[0] + width[1] <= first[0]


@pytest.mark.parametrize("size", [(48, 64), (480, 640), (720, 1280), (1280, 720), (2160, 3840)])
@pytest.mark.parametrize("name", ["thumbs_up", "拇指向上 👍", "a name " * 25], ids=["short", "other scripts", "long"])
def test_a_label_is_whole_and_inside_whatever_the_size(name: str, size: tuple[int, int]) -> None:
    height, width = size
    picture = np.full((height, width, 3), 200, np.uint8)
    _, hand = scene(0.5, 0.5)
    points = hand.landmarks.copy()
    for corner in (0.0, 1.0):
        points[:, :2] += corner - points[9, :2]
        edge = replace(hand, landmarks=points, width=width, height=height)
        after = draw_overlay(picture, [shown(edge, name)], [], mirror=False)
        left, top, right, bottom = stripe(after, CUSTOM)
        letter = max(9, round((height * width) ** 0.5 / 36))
        assert (right - left, bottom - top) == (
            max(2, letter // 5),
            max(1, letter // 3) + round(1.3 * letter) + round(1.3 * max(9, round(0.72 * letter))),
        )
        assert 0 <= left < right < width


@pytest.mark.parametrize("level", [0, 255])
def test_words_can_be_read_on_black_and_on_white(level: int) -> None:
    picture = np.full((720, 1280, 3), level, np.uint8)
    after = draw_overlay(picture, [], "21 ms", mirror=False)
    left, top, right, bottom = box(changed(picture, after))
    plate = after[top + 8 : bottom - 8, left + 8 : right - 8].max(axis=2)
    assert plate.max() == 255
    assert np.median(plate) < 90  # of 255, what is around the words: a contrast of more than 7:1


def test_the_picture_beside_what_is_drawn_is_untouched() -> None:
    picture, hand = scene(0.5, 0.6)
    noise = np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8)
    after = draw_overlay(noise, [shown(hand)], "21 ms", mirror=False)
    touched = changed(noise, after)
    assert 0 < touched.mean() < 0.2
    assert not touched[:, 500:].any()


def test_fonts_are_found_beforehand_for_any_names() -> None:
    load_fonts([])
    load_fonts(["thumbs_up", "拇指", "👍", ""])
