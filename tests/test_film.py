"""Drawn films: what they promise of their frames, and that nothing in them depends on chance or on what was drawn before."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError
from gesture_maker.synthetic.film import _at_rest, _moving, draw_film
from gesture_maker.synthetic.people import draw_person, generator
from gesture_maker.synthetic.poses import GESTURES, blend, is_apart

SMALL = (48, 40)

labels = st.sampled_from([NONE, *GESTURES])


@settings(max_examples=25)
@given(
    labels,
    st.integers(0, 10_000),
    st.integers(0, 5),
    st.integers(0, 2**31),
    st.floats(0.2, 1.5),
    st.floats(2, 6),
    st.tuples(st.integers(32, 60), st.integers(32, 60)),
)
def test_any_film_has_the_frames_it_promises(
    label: str, person: int, index: int, seed: int, seconds: float, rate: float, size: tuple[int, int]
) -> None:
    frames = list(draw_film(label, person, index, seed, seconds=seconds, rate=rate, size=size))
    assert len(frames) == max(1, round(seconds * rate))
    assert [frame.seconds for frame in frames] == pytest.approx([number / rate for number in range(len(frames))])
    assert all(frame.pixels.shape == (size[1], size[0], 3) and frame.pixels.dtype == np.uint8 for frame in frames)
    assert {frame.truth for frame in frames} <= {label, NONE}
    assert frames[0].truth == NONE  # the hand comes first


@settings(max_examples=10)
@given(st.sampled_from(GESTURES), st.integers(0, 10_000), st.integers(0, 2**31))
def test_a_gesture_is_held_once_and_for_the_most_part(label: str, person: int, seed: int) -> None:
    truth = [frame.truth for frame in draw_film(label, person, 0, seed, seconds=3, rate=8, size=SMALL)]
    assert [name for name, _ in groupby(truth)] in ([NONE, label, NONE], [NONE, label])
    assert truth.count(label) >= 0.5 * len(truth)


@settings(max_examples=10)
@given(st.integers(0, 100_000), st.integers(0, 2**31))
def test_a_hand_without_a_gesture_comes_near_none(person: int, seed: int) -> None:
    who, rng = draw_person(person, seed), generator(seed, "test")
    assert is_apart(_at_rest(who, rng))
    keys = _moving(who, rng, np.array([0.5, 0.5]), 1.0)
    assert keys[-1].seconds >= 1.0
    for before, after in pairwise(keys):
        assert all(is_apart(blend(before.pose, after.pose, share)) for share in np.linspace(0, 1, 6))


def test_the_same_film_twice_is_the_same_and_others_are_others() -> None:
    def film(*what: object, **how: object) -> bytes:
        return b"".join(frame.pixels.tobytes() for frame in draw_film(*what, seconds=0.5, rate=6, size=SMALL, **how))  # type: ignore[arg-type]

    first = film("rock", 3, 0, 7)
    others = [film("rock", 3, 1, 7), film("rock", 4, 0, 7), film("rock", 3, 0, 8), film("call", 3, 0, 7)]
    assert film("rock", 3, 0, 7) == first
    assert len({first, *others}) == 5


def test_the_room_stays_and_the_noise_does_not() -> None:
    first, second, *_, last = draw_film("rock", 1, 0, 0, seconds=2, rate=8, size=SMALL)
    corner = np.s_[:6, :6]  # a hand is in the middle, or comes from the middle of an edge
    for other in (second, last):
        difference = first.pixels[corner].astype(int) - other.pixels[corner]
        assert 0 < np.abs(difference).max() < 15
        assert abs(difference.mean()) < 1.5


def test_another_frame_rate_shows_the_same_movement() -> None:
    slow = list(draw_film("victory", 1, 0, 0, seconds=2, rate=4, size=SMALL))
    fast = list(draw_film("victory", 1, 0, 0, seconds=2, rate=8, size=SMALL))[::2]
    assert [frame.truth for frame in slow] == [frame.truth for frame in fast]
    for one, other in zip(slow, fast, strict=True):
        assert np.abs(one.pixels.astype(int) - other.pixels).mean() < 3  # only the noise differs


@pytest.mark.parametrize(
    ("label", "settings", "reason"),
    [
        ("wave", {}, 'no drawn gesture "wave"'),
        ("relaxed", {}, 'no drawn gesture "relaxed"'),
        ("rock", {"size": (31, 64)}, "31x64"),
        ("rock", {"seconds": 0.0}, "no frames"),
        ("rock", {"rate": float("nan")}, "no frames"),
        ("rock", {"seconds": float("inf")}, "no frames"),
    ],
)
def test_bad_input_is_refused_before_the_first_frame(label: str, settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        draw_film(label, 0, 0, 0, **settings)  # type: ignore[arg-type]
