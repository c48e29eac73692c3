"""A hand over time and what the network sees of it: the same wherever, however large, and at whatever rate it was filmed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import write
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.errors import ConfigError
from gesture_maker.files import sha256_of
from gesture_maker.landmarks.hands import POINTS, Hand
from gesture_maker.motion.features import FINGERTIP, Features, travel
from gesture_maker.motion.track import HandTrack
from gesture_maker.motion.track_table import TrackRow, TrackTable, from_arrow, to_arrow
from gesture_maker.motion.windows import windows_of
from gesture_maker.synthetic.motions import MOTIONS, STILL, clip_hands

FEATURES = Features()
CLIPS = st.tuples(st.sampled_from((*MOTIONS, STILL)), st.integers(0, 20), st.integers(0, 3))


def track_of(label: str = "swipe_left", person: int = 0, index: int = 0, rate: float = 20.0) -> HandTrack:
    return HandTrack.of(clip_hands(label, person, index, 0, rate=rate))


def without(track: HandTrack, frames: Any) -> HandTrack:
    """Return a track in which the hand was not found in some frames."""
    found = track.found.copy()
    found[frames] = False
    landmarks, world = track.landmarks.copy(), track.world.copy()
    landmarks[~found], world[~found] = 0, 0
    return replace(track, found=found, landmarks=landmarks, world=world)


def moved(track: HandTrack, x: float, y: float, times: float) -> HandTrack:
    """Return a track elsewhere in the picture, and larger."""
    landmarks = track.landmarks.copy() * np.float32(times)
    landmarks[..., 0] += x
    landmarks[..., 1] += y
    return replace(track, landmarks=landmarks)


# The track


def test_a_track_is_of_frames_that_follow_each_other() -> None:
    hand = clip_hands("push", 0, 0, 0)[0][1]
    track = HandTrack.of([(0.0, None), (0.1, hand), (0.1, hand), (0.05, hand), (0.2, None)])
    assert track.seconds.tolist() == [0.0, 0.1, 0.2]
    assert track.found.tolist() == [False, True, False]
    assert (track.width, track.height) == (hand.width, hand.height)
    assert not track.landmarks[0].any()
    with pytest.raises(ValueError, match="found has the shape"):
        replace(track, found=track.found[:2])
    with pytest.raises(ValueError, match="do not ascend"):
        replace(track, seconds=track.seconds[::-1].copy())


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([], "it has no frames"),
        ([None] * 9, "no hand found"),
        ([True] * 4 + [None] * 9, "a hand in 4 of 13 frames only"),
    ],
)
def test_why_nothing_can_be_learned(frames: list[Any], problem: str) -> None:
    hand = clip_hands("push", 0, 0, 0)[0][1]
    told = HandTrack.of([(number / 20, hand if one else None) for number, one in enumerate(frames)]).problem()
    assert told == problem


def test_a_gap_is_filled_in_up_to_what_is_stated() -> None:
    track = without(track_of(), slice(8, 14))
    assert track.longest_gap == pytest.approx(7 / 20)
    assert track.problem(max_gap=0.36) is None
    assert track.problem(max_gap=0.34) == "the hand is gone for 0.35 s"


def test_before_it_came_and_after_it_went_is_no_gap() -> None:
    track = track_of()
    late = without(without(track, slice(0, 5)), slice(len(track) - 4, None))
    assert late.longest_gap == 0
    assert len(late.trimmed()) == len(track) - 9
    assert late.problem() is None


# What the network sees


@given(clip=CLIPS, x=st.floats(-0.3, 0.3), y=st.floats(-0.3, 0.3), times=st.floats(0.4, 2.5))
@settings(max_examples=25)
def test_place_and_size_in_the_picture_do_not_matter(
    clip: tuple[str, int, int], x: float, y: float, times: float
) -> None:
    track = track_of(*clip)
    end = float(track.seconds[-1])
    one, other = (FEATURES.window(each, end) for each in (track, moved(track, x, y, times)))
    assert one.shape == (30, 63)
    assert one.dtype == np.float32
    np.testing.assert_allclose(one, other, atol=2e-3)


@given(clip=CLIPS)
@settings(max_examples=15)
def test_the_rate_of_the_film_hardly_matters(clip: tuple[str, int, int]) -> None:
    windows = [FEATURES.window(track_of(*clip, rate=rate), 1.1) for rate in (60.0, 30.0, 15.0)]
    for window in windows[1:]:  # landmarks tremble otherwise in each
        assert abs(windows[0] - window).mean() < 0.06


def test_the_wrist_says_where_the_hand_went_and_how_near_it_came() -> None:
    wrist = {label: FEATURES.window(track_of(label), 1.2).reshape(30, POINTS, 3)[:, 0] for label in MOTIONS}
    assert wrist["swipe_left"][-1, 0] < wrist["swipe_left"][0, 0] - 1.5
    assert wrist["swipe_right"][-1, 0] > wrist["swipe_right"][0, 0] + 1.5
    assert np.ptp(wrist["push"][:, 2]) > 0.3  # the logarithm of how much larger
    assert np.ptp(wrist["pinch"][:, 2]) < 0.15
    for one in wrist.values():
        np.testing.assert_allclose(one.mean(axis=0), 0, atol=1e-5)


def test_missing_frames_are_straight_lines_and_what_lies_beyond_is_held() -> None:
    track = track_of("circle_clockwise")
    whole, gappy = FEATURES.window(track, 1.4), FEATURES.window(without(track, [9, 10, 17]), 1.4)
    assert abs(whole - gappy).max() < 0.5
    assert abs(whole - gappy).mean() < 0.02
    late = FEATURES.window(track, float(track.seconds[-1]) + 10)
    assert travel(late) == 0
    with pytest.raises(ValueError, match="no hand"):
        FEATURES.window(without(track, slice(None)), 1.0)


def test_a_path_is_that_of_the_index_fingertip_from_where_it_was() -> None:
    features = Features("path", 16, 20.0)
    track = track_of()
    window = features.window(track, 1.0)
    assert window.shape == (16, 2)
    assert not window[0].any()
    tip = track.landmarks[:, FINGERTIP, :2]
    np.testing.assert_allclose(window[-1], tip[20] - tip[5], atol=1e-5)


@pytest.mark.parametrize("wrong", [{"kind": "feet"}, {"length": 1}, {"length": 10_000}, {"rate": 0.0}, {"rate": 1e6}])
def test_features_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Features(**wrong)


# Windows


@given(clip=CLIPS)
@settings(max_examples=20)
def test_a_clip_has_windows_with_all_of_its_movement(clip: tuple[str, int, int]) -> None:
    track = track_of(*clip)
    windows = windows_of(track, FEATURES)
    assert 1 <= len(windows.whole) <= 4
    most = max(travel(one) for one in windows.whole)
    assert all(travel(one) >= 0.9 * most - 1e-6 for one in windows.whole)
    assert all(travel(one) >= 0.75 * most - 1e-6 for one in windows.most)
    assert all(travel(one) <= 0.3 / 0.9 * most for one in windows.still)


def test_a_clip_that_is_shorter_than_a_window() -> None:
    track = track_of("push")[:10]
    assert windows_of(track, FEATURES).whole.shape[1:] == (30, 63)


# The table


def row_of(number: int, track: HandTrack | None = None, reason: str | None = None) -> TrackRow:
    return TrackRow(sha256_of(bytes([number])), "a", track, reason, f"push/push_{number}.mp4", "push", None)


def same(one: TrackRow | None, other: TrackRow) -> bool:
    assert one is not None
    return to_arrow([one]) == to_arrow([other])


def test_rows_come_back_as_they_were() -> None:
    rows = [row_of(1, track_of("push")), row_of(2, None, "not a video"), row_of(3, without(track_of("wave"), [1, 2]))]
    for row, back in zip(rows, from_arrow(to_arrow(rows)), strict=True):
        assert same(back, row)


def test_what_was_put_is_there_after_a_kill_and_merged_in_the_end(tmp_path: Path) -> None:
    table = TrackTable(tmp_path / "motion.parquet")
    rows = [row_of(number, track_of("push", number)) for number in range(3)]
    for row in rows:
        table.put(row)
    assert not table.path.exists(), "killed here"
    again = TrackTable(tmp_path / "motion.parquet")
    assert all(same(again.get(row.sha256, "a"), row) for row in rows)
    assert again.get(rows[0].sha256, "other settings") is None
    again.merge([replace(rows[0], file="push/renamed.mp4")])
    assert [path.name for path in tmp_path.iterdir()] == ["motion.parquet"]
    merged = TrackTable(tmp_path / "motion.parquet")
    named = merged.get(rows[0].sha256, "a")
    assert named is not None
    assert named.file == "push/renamed.mp4"


def test_two_that_merge_lose_nothing(tmp_path: Path) -> None:
    tables = [TrackTable(tmp_path / "motion.parquet") for _ in range(2)]
    rows = [row_of(number, track_of("push", number)) for number in range(2)]
    for table, row in zip(tables, rows, strict=True):
        table.put(row)
    for table in tables:
        table.merge()
    merged = TrackTable(tmp_path / "motion.parquet")
    assert all(same(merged.get(row.sha256, "a"), row) for row in rows)


def test_a_damaged_table_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path / "motion.parquet", b"PAR1 not at all")
    table = TrackTable(tmp_path / "motion.parquet")
    assert [path.name for path in table.damaged] == ["motion.parquet.damaged"]
    table.put(row_of(1, track_of("push")))
    table.merge()
    assert TrackTable(tmp_path / "motion.parquet").get(row_of(1).sha256, "a") is not None
    assert (tmp_path / "motion.parquet.damaged").read_bytes() == b"PAR1 not at all"


def test_hands_of_a_track_are_those_that_were_found() -> None:
    seen = clip_hands("wave", 3, 0, 0)
    track = HandTrack.of(seen)
    assert all(isinstance(hand, Hand) for _, hand in seen)
    np.testing.assert_array_equal(track.world, [hand.world for _, hand in seen])
