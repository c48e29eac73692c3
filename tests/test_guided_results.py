"""What a guided validation counts, by hand and by property; the script before a camera, and the page."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Trained
from hands import some_hand
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError
from gesture_maker.evaluation.bundle import Bundle
from gesture_maker.evaluation.guided_results import (
    FrameAnswer,
    GuidedEvaluation,
    Said,
    Try,
    answer_to,
    gesture_results,
    idle_result,
    shares_of,
)
from gesture_maker.evaluation.guided_screen import draw_moment
from gesture_maker.evaluation.guided_script import Moment, Script
from gesture_maker.evaluation.report import guided_page
from gesture_maker.evaluation.report.guided_page import Watching
from gesture_maker.recognition.answers import Recognition, RecognizedHand
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.runtime import RuntimeOptions


def said(text: str) -> Said:
    """Return what a word stands for: `-` no hand, `Rock!` a canned gesture, `none`, or a class."""
    return Said(None) if text == "-" else Said(text.removesuffix("!"), text.endswith("!"))


def tried(asked: str, answers: str, name: str = "film", step: float = 0.1, whole: bool = True) -> Try:
    """Return a try with these answers, one every `step` seconds."""
    words = answers.split()
    frames = [FrameAnswer(n, n * step, said(word), 0.9, 0.5, 10.0 + n) for n, word in enumerate(words)]
    return Try(asked, name, len(words) * step, tuple(frames), whole)


# What counts


def test_numbers_by_hand() -> None:
    tries = [
        tried("rock", "none none rock - rock rock", "a"),
        tried("rock", "Rock! rock none rock", "b"),
        tried("rock", "- none", "c"),
        tried("call", "rock rock call!", "d"),
        tried(NONE, "none rock rock - rock Rock! none", "e"),
        tried(NONE, "- none", "f"),
    ]
    call, rock = gesture_results(tries, ["none", "call", "rock", "victory"])
    assert (rock.gesture, rock.tries, rock.frames, rock.recognized, rock.share) == ("rock", 3, 12, 5, 5 / 12)
    assert rock.first == (0.2, 0.1, None)
    assert rock.median_seconds == 0.2
    assert rock.worst_seconds is None  # in c never
    assert rock.steady == 5 / 7
    assert rock.taken_for == {said("none"): 4, said("-"): 2, said("Rock!"): 1}
    assert next(iter(rock.taken_for)) == said("none")
    assert (call.share, call.first, call.median_seconds, call.steady) == (0, (None,), None, None)
    assert call.taken_for == {said("rock"): 2, said("call!"): 1}  # a canned gesture of the same name is another

    idle = idle_result(tries)
    assert idle is not None
    assert (idle.tries, idle.frames, idle.false, idle.share, idle.count) == (2, 9, 4, 4 / 9, 3)
    assert idle.seconds == pytest.approx(0.9)
    assert idle.alarms == {said("rock"): (3, 2), said("Rock!"): (1, 1)}
    assert idle_result(tries[:4]) is None
    json.dumps([rock.as_dict(), call.as_dict(), idle.as_dict()], allow_nan=False)


words = st.sampled_from(["rock", "call", "none", "-", "Rock!", "rock!"])
sequences = st.lists(st.lists(words, max_size=30).map(" ".join), min_size=1, max_size=5)


@given(sequences, st.sampled_from(["rock", "call", NONE]))
def test_numbers_by_property(several: list[str], asked: str) -> None:
    tries = [tried(asked, answers, str(number)) for number, answers in enumerate(several)]
    flat = [word for answers in several for word in answers.split()]
    if asked == NONE:
        idle = idle_result(tries)
        assert idle is not None
        wrong = [word for word in flat if word not in ("none", "-")]
        assert idle.false == len(wrong)
        assert {str(key): count for key, (count, _) in idle.alarms.items()} == {
            str(said(word)): wrong.count(word) for word in wrong
        }
        runs = sum(word not in ("none", "-") for answers in several for word, _ in groupby(answers.split()))
        assert idle.count == runs
        assert all(1 <= times <= count for count, times in idle.alarms.values())
        return
    (result,) = gesture_results(tries, ["none", "call", "rock"])
    assert result.recognized == flat.count(asked)
    assert result.recognized + sum(result.taken_for.values()) == result.frames == len(flat)
    assert said(asked) not in result.taken_for
    for answers, first in zip(several, result.first, strict=True):
        place = answers.split().index(asked) if asked in answers.split() else None
        assert first == (None if place is None else pytest.approx(0.1 * place))
    if result.interval is not None:
        assert result.share == pytest.approx(result.interval.accuracy)
        assert result.interval.low - 1e-9 <= result.share <= result.interval.high + 1e-9
        assert result.interval.groups == sum(bool(answers) for answers in several)
    if None not in result.first:
        assert 0 <= result.median_seconds <= result.worst_seconds
        assert result.share <= result.steady <= 1
    else:
        assert result.worst_seconds is None


def test_more_films_make_the_interval_narrower_and_more_frames_of_one_hardly() -> None:
    def width(*answers: str) -> float:
        found = shares_of([tried("rock", one) for one in answers])
        assert found is not None
        return found.high - found.low

    some = "rock rock rock none rock rock rock rock none rock"
    assert width(*[some] * 10) < 0.6 * width(some)
    assert width(" ".join([some] * 10)) > 0.7 * width(some)


hand_answers = st.lists(st.tuples(st.sampled_from(["rock", "call", NONE]), st.floats(0, 1), st.booleans()), max_size=3)


@given(hand_answers, st.sampled_from(["rock", NONE]))
def test_any_hand_counts_and_only_the_custom_classifier(hands: list[tuple[str, float, bool]], asked: str) -> None:
    several = tuple(RecognizedHand(name, score, canned and name != NONE, some_hand(0)) for name, score, canned in hands)
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 7, 2.5)
    found = answer_to(Recognition(several, 0.02), asked, frame, 2.0)
    assert (found.number, found.seconds, found.milliseconds) == (7, 0.5, 20.0)
    if asked == "rock":
        assert (found.said == Said("rock")) == any(h.gesture == "rock" and not h.canned for h in several)
    else:
        assert found.said.alarms == any(h.gesture != NONE for h in several)
    assert (found.said == Said(None)) == (not several)
    assert found.said == Said(None) or found.said in {Said(h.gesture, h.canned) for h in several}


# The script before a camera

steps = st.lists(st.floats(0.001, 1.0), min_size=1, max_size=400)


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, max_size=4),
    st.floats(0.1, 5),
    st.floats(0, 5),
    st.floats(0, 4),
    steps,
)
def test_every_part_is_counted_down_and_watched_in_turn(
    gestures: list[str], watch: float, idle: float, countdown: float, times: list[float]
) -> None:
    if not gestures and idle == 0:
        with pytest.raises(ConfigError):
            Script(gestures, watch, idle, countdown)
        return
    script = Script([NONE, *gestures], watch, idle, countdown)
    now, seen = 100.0, []
    for step in times:
        moment = script.at(now)
        seen.append((now, moment))
        assert script.at(now) == moment  # asking twice changes nothing
        now += step
    parts = [*gestures, *([NONE] if idle > 0 else [])]
    for number, (asked, moments) in enumerate(groupby(seen, key=lambda one: one[1].asked)):
        told = list(moments)
        if told[0][1].phase == "over":
            assert number == len(parts)
            continue
        assert asked == parts[number]
        phases = [moment.phase for _, moment in told]
        assert phases == sorted(phases)  # the countdown, then the watch
        assert all(0 < moment.left <= moment.length for _, moment in told)
        watched = [at for at, moment in told if moment.phase == "watch"]
        if watched:
            assert watched[0] - told[0][0] >= countdown - 1e-9
            assert watched[-1] - watched[0] < (idle if asked == NONE else watch)
            assert {moment.attempt for _, moment in told if moment.phase == "watch"} == {number + 1}
            assert script.attempts[number] == number + 1
    if seen[-1][1].phase == "over":
        assert list(script.attempts) == list(range(len(parts)))


def moments(script: Script, *times: float) -> list[tuple[str, str]]:
    return [(moment.phase, moment.asked) for moment in map(script.at, times)]


def test_a_part_left_out_does_not_count_and_one_repeated_counts_once() -> None:
    script = Script(["a", "b", "c"], watch=2, idle=0, countdown=1)
    assert moments(script, 0, 1) == [("countdown", "a"), ("watch", "a")]
    script.skip(1.5)  # in the middle of its watch
    assert moments(script, 1.5, 2.5) == [("countdown", "b"), ("watch", "b")]
    assert script.attempts == {1: 2}
    script.repeat(3)  # in the middle: what was watched of it does not count
    assert script.attempts == {}
    assert moments(script, 3, 4, 6) == [("countdown", "b"), ("watch", "b"), ("countdown", "c")]
    script.repeat(6.5)  # in the countdown of c: b again
    assert script.attempts == {1: 3}  # which counts until it is watched again
    assert moments(script, 6.5, 7.5, 9.5) == [("countdown", "b"), ("watch", "b"), ("countdown", "c")]
    assert script.attempts == {1: 4}
    script.skip(9.6)
    assert moments(script, 9.7) == [("over", "")]
    script.skip(9.8)
    script.repeat(9.9)
    assert moments(script, 10) == [("over", "")]


@given(
    st.integers(32, 200),
    st.integers(32, 200),
    st.sampled_from(["countdown", "watch"]),
    st.one_of(st.text(min_size=1), st.just("我爱你 👍"), st.just("a" * 300), st.just(NONE)),
    st.booleans(),
)
@settings(max_examples=30)
def test_what_is_shown_leaves_the_picture_above_it_alone(
    width: int, height: int, phase: str, asked: str, recognized: bool
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    moment = Moment(phase, asked, 1, 2, 1.5, 3.0, 1, 0.0)  # type: ignore[arg-type]
    shown = draw_moment(picture.copy(), moment, recognized)
    assert shown.shape == picture.shape
    assert np.array_equal(shown[: int(0.7 * height)], picture[: int(0.7 * height)])
    assert not np.array_equal(shown[int(0.8 * height) :], picture[int(0.8 * height) :])


# The page


class Outline(HTMLParser):
    """Which elements a page has, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, _attrs: Any) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(trained: Trained, tries: Sequence[Try], **changes: Any) -> str:
    labels = [NONE, *dict.fromkeys(one.asked for one in tries if one.asked != NONE)]
    evaluation = GuidedEvaluation(
        "films", False, tuple(tries), gesture_results(tries, labels), idle_result(tries),
        shares_of([one for one in tries if one.asked != NONE]), 10.0, 12.0, 0, Path("out"),
    )  # fmt: skip
    watching = Watching(Bundle(trained.export.bundle, None), RuntimeOptions(), "2026-01-01T00:00:00Z")
    return guided_page.guided_page(replace(evaluation, **changes), watching)


names = st.text(min_size=1, max_size=20).filter(lambda name: name != NONE)


@settings(max_examples=20)
@given(st.lists(names, min_size=1, max_size=3, unique=True), names, names, names)
def test_any_name_comes_out_as_text(trained: Trained, gestures: list[str], film: str, other: str, source: str) -> None:
    one = tried("rock", "rock - none rock")
    frames = (*one.frames, replace(one.frames[0], number=9, seconds=0.4, said=Said(other, True)))
    tries = [Try(asked, film, 0.5, frames) for asked in (*gestures, NONE)]
    hostile = [Try("<script>alert(1)</script>", '"><img src=x>', 0.5, frames)]
    page = page_of(trained, [*tries, *hostile], source=source, warnings=(film,), partial=other)
    assert page == page_of(trained, [*tries, *hostile], source=source, warnings=(film,), partial=other)
    outline = Outline(page)
    assert outline.open == []
    assert not {"script", "img", "link", "iframe"} & set(outline.tags)
    assert "<script>alert(1)</script>" in outline.text
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!#|data:)\w+:""", page)


def test_the_page_of_nothing_much(trained: Trained) -> None:
    for tries in (
        [tried("rock", "")],
        [tried(NONE, "none")],
        [tried("rock", "-")],
        [tried("rock", "rock"), tried(NONE, "")],
    ):
        assert Outline(page_of(trained, tries)).open == []


def test_a_page_of_many_films_shows_the_worst(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guided_page, "MOST_TIMELINES", 3)
    tries = [tried("rock", " ".join(["none"] * n + ["rock"] * (10 - n)), f"film{n}") for n in range(10)]
    text = Outline(page_of(trained, tries)).text
    assert "The 3 worst of 10; frames.csv has all of them." in text
    assert [n for n in range(10) if f"film{n}" in text] == [7, 8, 9]


@given(st.lists(words, min_size=1, max_size=40))
def test_timelines_show_every_moment_once(answers: list[str]) -> None:
    one = tried("rock", " ".join(answers))
    every = [guided_page._spans(one, frozenset([said(word)]), one.seconds) for word in set(answers)]
    spans = sorted(span for spans in every for span in spans)
    assert spans[0][0] == 0
    assert spans[-1][1] == one.seconds
    assert all(math.isclose(before[1], after[0]) for before, after in pairwise(spans))
