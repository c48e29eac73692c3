"""From scores to events: one for each gesture, however long it wins, and none for a flicker."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.errors import ConfigError
from gesture_maker.motion.collect_marks import Mark
from gesture_maker.motion.evaluate import against_marks
from gesture_maker.motion.events import Debounce, Event, EventFinder
from gesture_maker.motion.live import MotionSummary
from gesture_maker.recognition.seen import LiveSummary

LABELS = ("still", "left", "right")
RATE = 25


def told(wins: Sequence[tuple[str | None, int]], debounce: Debounce | None = None, score: float = 0.95) -> list[Event]:
    """Return the events of so many frames of each class after the other (None: no hand)."""
    finder = EventFinder(LABELS, "still", debounce)
    found, number = [], 0
    for label, frames in wins:
        for _ in range(frames):
            scores = np.full(3, (1 - score) / 2, np.float32)
            if label is not None:
                scores[LABELS.index(label)] = score
            event = finder.add(number, number / RATE, None if label is None else scores)
            found += [event] if event else []
            number += 1
    return found


def names(events: Sequence[Event]) -> list[str]:
    return [one.gesture for one in events]


def test_a_gesture_that_wins_for_long_is_one_event() -> None:
    (event,) = told([("still", 30), ("left", 100), ("still", 30)])
    assert event.gesture == "left"
    assert event.frame == 30 + 5, "after a fifth of a second"
    assert event.seconds == event.frame / RATE
    assert event.score == pytest.approx(0.95)


def test_a_flicker_is_none() -> None:
    assert told([("still", 30), ("left", 2), ("still", 1), ("left", 2), ("still", 30)]) == []


def test_the_same_gesture_again_is_told_when_it_was_gone() -> None:
    assert names(told([("left", 20), ("still", 30), ("left", 20)])) == ["left", "left"]
    assert names(told([("left", 20), ("still", 5), ("left", 20)])) == ["left"], "a dip is no end"
    assert names(told([("left", 20), (None, 30), ("left", 20)])) == ["left", "left"], "gone with the hand"


def test_another_gesture_is_told_when_the_window_has_room_for_it() -> None:
    assert names(told([("left", 30), ("right", 30)])) == ["left", "right"]
    assert names(told([("left", 6), ("right", 6), ("still", 20)])) == ["left"], "what the window sees of the end"


def test_the_background_and_what_is_unsure_are_never_told() -> None:
    assert told([("still", 200)]) == []
    assert told([("left", 200)], score=0.7) == []
    assert names(told([("left", 200)], Debounce(threshold=0.6), score=0.7)) == ["left"]
    assert names([one for one in [EventFinder(LABELS, None).add(0, 0.0, np.array([1, 0, 0], np.float32))] if one]) == []
    assert EventFinder(LABELS, None, Debounce(confirm=0)).add(0, 0.0, np.array([1, 0, 0], np.float32)) is not None


@given(
    wins=st.lists(st.tuples(st.sampled_from([*LABELS, None]), st.integers(1, 60)), max_size=20),
    rest=st.floats(0, 3),
)
def test_never_two_within_the_rest(wins: list[tuple[str | None, int]], rest: float) -> None:
    events = told(wins, Debounce(rest=rest))
    assert all(b.seconds - a.seconds >= rest for a, b in itertools.pairwise(events))
    assert "still" not in names(events)


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0.0}, {"threshold": 1.5}, {"release": 0.9}, {"confirm": -1.0}, {"rest": float("nan")}]
)
def test_settings_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="but has to be"):
        Debounce(**wrong)


# Against marks


def film(events: Sequence[tuple[str, float]]) -> MotionSummary:
    live = LiveSummary(1000, 0, 0, 0, 40.0, 1.0, 1.0, (), (), (320, 240))
    return MotionSummary(live, tuple(Event(name, at, round(at * RATE), 0.9) for name, at in events))


MARKS = [Mark(2.0, 2.5, "left"), Mark(6.0, 7.0, "right"), Mark(10.0, 10.5, "left")]


def test_each_gesture_is_told_once() -> None:
    done = against_marks(MARKS, film([("left", 2.58), ("right", 6.8), ("left", 10.9), ("left", 11.2), ("right", 20.0)]))
    assert len(done.found) == 3
    assert [round(one.delay_frames or 0) for one in done.found] == [2, -5, 10]
    assert [one.seconds for one in done.false] == [11.2, 20.0], "told twice, and without being made"


def test_what_is_told_wrongly_or_late_is_missed_and_false() -> None:
    done = against_marks(MARKS, film([("right", 2.4), ("right", 8.5), ("left", 1.5)]))
    assert [one.mark.label for one in done.missed] == ["left", "right", "left"]
    assert len(done.false) == 3
    assert against_marks(MARKS, film([])).false == ()
