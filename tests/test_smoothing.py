"""Hands keep their numbers from frame to frame, and smoothing shows what it says, as late as it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hands import drawn
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gesture_maker.errors import ConfigError
from gesture_maker.landmarks.hands import Hand
from gesture_maker.recognition.answers import Recognition, RecognizedHand
from gesture_maker.recognition.smoothing import LEAST_WEIGHT, LONGEST_VOTE, ShownHand, Smoothing, parse_smoothing
from gesture_maker.recognition.tracks import PATIENCE, Tracker

GESTURES = ("none", "fist", "victory")

answers = st.tuples(st.sampled_from(GESTURES), st.floats(0, 1), st.booleans())
smoothings = st.one_of(
    st.just("off"),
    st.integers(1, LONGEST_VOTE).map("vote:{}".format),
    st.floats(LEAST_WEIGHT, 1).map("average:{}".format),
)


def hand_at(x: float, y: float = 0.5, right: float = 0.98) -> Hand:
    """A hand, a fifth of a 640x480 picture high, with the middle of its palm there."""
    _, hand = drawn("open_palm")
    points = hand.landmarks.copy()
    points[:, :2] *= 0.2 / np.ptp(points[:, 1])
    points[:, :2] += np.array([x, y], np.float32) - points[[0, 5, 9, 13, 17], :2].mean(axis=0)
    return replace(hand, landmarks=points, handedness=right, width=640, height=480)


STILL = hand_at(0.5)


def recognition(*hands: tuple[str, float, bool, Hand]) -> Recognition:
    return Recognition(tuple(RecognizedHand(*one) for one in hands), 0.01)


def shown(smoothing: Smoothing, frames: Sequence[tuple[str, float, bool]]) -> list[ShownHand]:
    """Return what is shown of a hand that stays where it is."""
    return [smoothing.show(recognition((*answer, STILL)))[0] for answer in frames]


def brief(one: ShownHand) -> tuple[str, float, bool]:
    return one.gesture, one.score, one.canned


# What is shown


@given(st.lists(answers, min_size=1, max_size=20))
def test_off_shows_every_answer_as_it_is(frames: list[tuple[str, float, bool]]) -> None:
    for smoothing in (Smoothing.off(), Smoothing.vote(1)):
        found = shown(smoothing, frames)
        assert [brief(one) for one in found] == frames
        assert smoothing.delay_frames == 0


@given(st.lists(answers, min_size=1, max_size=30))
def test_an_average_with_the_weight_one_is_off(frames: list[tuple[str, float, bool]]) -> None:
    smoothing = Smoothing.average(1.0)
    assert smoothing.delay_frames == 0
    for one, (gesture, score, canned) in zip(shown(smoothing, frames), frames, strict=True):
        assert (one.gesture, one.canned) == (gesture, canned)
        assert one.score == pytest.approx(score)


@given(smoothings, answers, st.integers(1, 50))
def test_constant_answers_are_shown_as_they_are(text: str, answer: tuple[str, float, bool], count: int) -> None:
    for one in shown(parse_smoothing(text), [answer] * count):
        assert (one.gesture, one.canned) == (answer[0], answer[2])
        assert one.score == pytest.approx(answer[1], abs=1e-9)


@settings(max_examples=40)
@given(smoothings, st.floats(0.01, 1), st.booleans())
def test_a_change_shows_as_many_frames_later_as_stated(text: str, score: float, to_canned: bool) -> None:
    smoothing = parse_smoothing(text)
    if text.startswith("average:"):  # exactly a half after k frames: rounding decides
        weight = float(text.removeprefix("average:"))
        assume(all(abs((1 - weight) ** k - 0.5) > 1e-9 for k in range(2, 80)))
    before, after = ("fist", score, False), ("victory", score, to_canned)
    settled, rest = LONGEST_VOTE, LONGEST_VOTE // 2 + 2
    found = [one.gesture for one in shown(smoothing, [before] * settled + [after] * rest)]
    assert found == ["fist"] * (settled + smoothing.delay_frames) + ["victory"] * (rest - smoothing.delay_frames)


@pytest.mark.parametrize(("weight", "delay"), [(0.5, 1), (0.3, 1), (0.2, 3), (0.1, 6), (0.01, 68), (1.0, 0)])
def test_the_delay_of_an_average_by_its_formula(weight: float, delay: int) -> None:
    assert Smoothing.average(weight).delay_frames == delay


@given(smoothings, st.lists(answers, min_size=1, max_size=40))
def test_nothing_is_shown_that_was_not_answered(text: str, frames: list[tuple[str, float, bool]]) -> None:
    for number, one in enumerate(shown(parse_smoothing(text), frames)):
        seen = [answer for answer in frames[: number + 1] if answer[0] == one.gesture]
        assert seen
        assert min(score for _, score, _ in seen) - 1e-9 <= one.score <= max(score for _, score, _ in seen) + 1e-9
        assert one.canned in {canned for _, _, canned in seen}
        assert (one.raw.gesture, one.raw.score, one.raw.canned) == frames[number]


@given(st.integers(3, 40), st.integers(0, 60))
def test_a_vote_lets_no_flicker_through(frames: int, when: int) -> None:
    sequence = [("fist", 0.9, False)] * 60
    sequence[when : when + 1] = [("victory", 1.0, True)]
    assume(when > 0)  # the first answer is all there is
    assert {one.gesture for one in shown(Smoothing.vote(frames), sequence)} == {"fist"}


def test_a_vote_that_is_even_keeps_what_is_shown() -> None:
    flicker = [("fist", 0.9, False), ("victory", 0.9, False)] * 20
    for frames in (2, 4, 6):
        found = [one.gesture for one in shown(Smoothing.vote(frames), flicker)]
        assert found == ["fist"] * len(flicker)


def test_no_gesture_without_a_score_counts_in_an_average() -> None:
    """The runtime gives no score when nothing passed its threshold: what was shown before must not stay for ever."""
    smoothing = Smoothing.average(0.3)
    found = shown(smoothing, [("fist", 0.9, False)] * 30 + [("none", 0.0, False)] * 30)
    assert [one.gesture for one in found[30:]].index("none") <= smoothing.delay_frames
    assert brief(found[-1]) == ("none", 0.0, False)


# Which hand is which


@given(smoothings, st.lists(st.booleans(), min_size=1, max_size=40))
def test_two_hands_are_not_mixed_in_whatever_order_they_come(text: str, swapped: list[bool]) -> None:
    smoothing = parse_smoothing(text)
    tracks = set()
    for swap in swapped:
        hands = [("fist", 0.9, False, hand_at(0.2)), ("victory", 0.8, True, hand_at(0.8))]
        found = smoothing.show(recognition(*(reversed(hands) if swap else hands)))
        assert [one.gesture for one in found] == (["victory", "fist"] if swap else ["fist", "victory"])
        assert all(one.raw.gesture == one.gesture and one.score == pytest.approx(one.raw.score) for one in found)
        tracks |= {(one.track, one.gesture) for one in found}
    assert len(tracks) == len({gesture for _, gesture in tracks}) == 2


@given(st.integers(6, 60), st.floats(-0.05, 0.05), st.randoms(use_true_random=False))
def test_a_left_and_a_right_hand_that_cross_keep_their_numbers(steps: int, apart: float, random: object) -> None:
    tracker = Tracker()
    for step in range(steps + 1):
        x = 0.3 + 0.4 * step / steps
        hands = {"right": hand_at(x, 0.5, 0.97), "left": hand_at(1 - x, 0.5 + apart, 0.02)}
        order = sorted(hands, key=lambda _: random.random())  # type: ignore[attr-defined]
        numbers = dict(zip(order, tracker.follow([hands[name] for name in order]), strict=True))
        if step == 0:
            first = numbers
        assert numbers == first


@given(st.lists(st.floats(-0.04, 0.04), min_size=1, max_size=40))
def test_a_hand_that_moves_keeps_its_number_also_when_its_side_is_mistaken(moves: list[float]) -> None:
    tracker, x = Tracker(), 0.5
    for number, move in enumerate(moves):
        x += move
        assert tracker.follow([hand_at(x, right=0.98 if number % 3 else 0.3)]) == (1,)


def test_a_track_ends_with_its_hand_and_survives_a_moment_without() -> None:
    tracker = Tracker()
    for gap in range(PATIENCE + 1):
        assert tracker.follow([STILL]) == (1,)
        for _ in range(gap):
            assert tracker.follow([]) == ()
    assert tracker.follow([STILL]) == (1,)
    for _ in range(PATIENCE + 1):
        tracker.follow([])
    assert tracker.numbers == frozenset()
    assert tracker.follow([STILL]) == (2,)


def test_a_hand_somewhere_else_is_another_one_and_begins_anew() -> None:
    smoothing = Smoothing.vote(9)
    for _ in range(9):
        (one,) = smoothing.show(recognition(("fist", 0.9, False, hand_at(0.1))))
    (other,) = smoothing.show(recognition(("victory", 0.7, True, hand_at(0.9))))
    assert other.track != one.track
    assert brief(other) == ("victory", 0.7, True)
    both = smoothing.show(recognition(("victory", 0.7, False, hand_at(0.9)), ("victory", 0.9, False, hand_at(0.1))))
    assert [(hand.track, hand.gesture) for hand in both] == [(other.track, "victory"), (one.track, "fist")]


@given(st.lists(st.lists(st.tuples(st.floats(-1, 2), st.floats(-1, 2), st.floats(0, 1)), max_size=5), max_size=12))
def test_numbers_are_never_given_twice_in_a_frame(frames: list[list[tuple[float, float, float]]]) -> None:
    tracker = Tracker()
    ever: set[int] = set()
    for places in frames:
        numbers = tracker.follow([hand_at(*place) for place in places])
        assert len(set(numbers)) == len(numbers) == len(places)
        new = set(numbers) - ever
        assert all(number > max(ever, default=0) for number in new)
        ever |= new
        assert set(numbers) <= tracker.numbers


# How it is asked for


@pytest.mark.parametrize(
    "text",
    ["", "vote", "vote:", "vote:0", "vote:-3", "vote:2.5", "vote:301", "vote:1e3", "average", "average:", "average:0",
     "average:1.01", "average:nan", "average:inf", "average:-0.5", "average:half", "median:5", "off:3", "5", "vote 5"],
)  # fmt: skip
def test_what_is_no_smoothing_is_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError) as problem:
        parse_smoothing(text)
    assert "\n" not in str(problem.value)
    assert str(problem.value).endswith(".")


@given(smoothings)
def test_a_smoothing_is_read_back_from_its_name(text: str) -> None:
    smoothing = parse_smoothing(text)
    again = parse_smoothing(smoothing.name)
    assert (again.name, again.delay_frames) == (smoothing.name, smoothing.delay_frames)
