"""Films of a pointing hand: where the fingertip is when, and that nothing in them depends on chance or on what was drawn before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError
from gesture_maker.synthetic.pointing import POINT, Act, draw_pointing, trace_pointing

SMALL = (64, 48)

places = st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.7))


@settings(max_examples=15)
@given(
    places,
    places,
    st.sampled_from(["ok", "fist", "victory"]),
    st.integers(0, 10_000),
    st.sampled_from([(320, 240), SMALL, (240, 320)]),
)
def test_the_fingertip_is_where_it_shall_point_and_the_knuckle_stays(
    place: tuple[float, float], to: tuple[float, float], gesture: str, person: int, size: tuple[int, int]
) -> None:
    act = Act(place, gesture, to)
    moments = trace_pointing([act, Act(to)], person, 3, rate=12, size=size)
    assert len(moments) == round(12 * (act.seconds + Act(to).seconds))

    def at(seconds: float) -> np.ndarray:
        return moments[round(12 * seconds)].points

    pointing, closed = at(act.way + act.rest), at(act.way + act.rest + act.change + act.hold / 2)
    assert np.abs(pointing[8] - place).max() < 0.03
    assert np.abs(closed[5] - pointing[5]).max() < 0.03
    assert np.abs(moments[-1].points[8] - to).max() < 0.03
    carried = at(act.seconds - act.change - act.hold / 2)
    assert carried[5] - closed[5] == pytest.approx(np.subtract(to, place), abs=0.03)


@settings(max_examples=10)
@given(st.sampled_from(["ok", "fist", "thumbs_up"]), st.integers(0, 1000))
def test_the_truth_is_told_in_turn(gesture: str, person: int) -> None:
    moments = trace_pointing([Act((0.5, 0.4), gesture), Act((0.3, 0.3))], person, 0, rate=20)
    told = [
        moment.truth for number, moment in enumerate(moments) if not number or moments[number - 1].truth != moment.truth
    ]
    assert told == [POINT, NONE, gesture, NONE, POINT]
    assert [moment.act for moment in moments] == sorted(moment.act for moment in moments)


def test_the_same_film_twice_is_the_same_and_others_are_others() -> None:
    acts = [Act((0.5, 0.3), "ok", way=0.1, rest=0.1, change=0.1, hold=0.1)]

    def film(acts: list[Act], person: int, seed: int) -> bytes:
        return b"".join(frame.pixels.tobytes() for frame in draw_pointing(acts, person, seed, size=SMALL))

    first = film(acts, 3, 7)
    assert film(acts, 3, 7) == first
    elsewhere = [Act((0.4, 0.3), "ok", way=0.1, rest=0.1, change=0.1, hold=0.1)]
    assert len({first, film(acts, 4, 7), film(acts, 3, 8), film(elsewhere, 3, 7)}) == 4


def test_a_frame_shows_the_moment() -> None:
    size = (160, 120)
    frame, *_ = draw_pointing([Act((0.5, 0.3))], 0, 0, size=size)
    elsewhere, *_ = draw_pointing([Act((0.9, 0.7))], 0, 0, size=size)
    assert frame.pixels.shape == (120, 160, 3)
    assert frame.pixels.dtype == np.uint8
    differs = np.abs(frame.pixels.astype(int) - elsewhere.pixels).max(axis=2) > 20
    for point in frame.moment.points[[0, 5, 6, 7, 9, 13]]:  # the tip's and the thumb's middle are a pixel from the edge
        x, y = np.rint(point * size).astype(int)
        assert differs[y, x]
    assert not differs[:, :50].any()  # the same room


@pytest.mark.parametrize(
    ("acts", "more", "reason"),
    [
        ([], {}, "0 acts"),
        ([Act((0.5, 0.5), "wave")], {}, 'no drawn gesture "wave"'),
        ([Act((0.5, 0.5))], {"size": (31, 64)}, "31x64"),
        ([Act((0.5, 0.5))], {"rate": 0.0}, "no frames"),
        ([Act((0.5, 0.5))], {"rate": float("nan")}, "no frames"),
    ],
)
def test_bad_input_is_refused_before_the_first_frame(acts: list[Act], more: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        draw_pointing(acts, 0, 0, **more)  # type: ignore[arg-type]
