"""The pure parts of the page Play, asked in Node: the cursor, its filter, clicks and grabs, the basket, the gestures chosen."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pytest
from helpers import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtimes import had, runtimes

from gesture_maker.synthetic.pointing import Act, Moment, trace_pointing

STATIC = ROOT / "gesture_maker/studio/static"
PURE = ("play_filter.js", "play_pointer.js", "play_targets.js", "play_basket.js", "play_choices.js")
NOISE = 0.0015  # of the picture: by how much what MediaPipe says of a drawn fingertip varies, measured on four films

Ask = Callable[..., Any]
Frames = list[dict[str, Any]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Ask play_logic.mjs something and return its answer."""
    node = had(runtimes.check_web)
    folder = tmp_path_factory.mktemp("play")
    for name in PURE:
        shutil.copy(STATIC / name, folder / name)
    (folder / "package.json").write_text('{"type": "module"}')
    command = [node, str(runtimes.WEB / "play_logic.mjs"), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(what: str, **given: Any) -> Any:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps({"what": what, **given}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            assert line, f"Node ended at {what}"
            return json.loads(line)

        yield ask
        process.stdin.close()
        process.wait(10)


def hand(gesture: str, x: float = 0.5, y: float = 0.4, size: float = 0.2) -> dict[str, Any]:
    """Return a hand whose knuckles are at a place of the picture and whose fingertip is above it."""
    points = [[x, y + size]] * 5 + [[x, y]] * 3 + [[x, y - size]] + [[x, y]] * 12
    return {"gesture": gesture, "points": points}


def film(gestures: Sequence[str | None], rate: float = 15.0, start: float = 0.0) -> Frames:
    """Return frames that show one hand making these gestures in turn; None: no hand."""
    return [
        {"at": start + number / rate, "hands": [hand(gesture)] if gesture else []}
        for number, gesture in enumerate(gestures)
    ]


def kinds(told: dict[str, Any]) -> list[str]:
    return [one["kind"] for one in told["happened"]]


POINTER = {"click": "click", "grab": "grab"}
rates = st.sampled_from([8.0, 10.0, 15.0, 24.0, 30.0])
frames_of = st.sampled_from(["point", "none", "click", "grab", None])


def opened(rate: float) -> list[str]:
    """Return as many frames of a pointing hand as let the next gesture count."""
    return ["point"] * (2 + int(np.ceil(0.2 * rate)))


@given(rates, st.integers(4, 200), st.sampled_from(["click", "grab"]))
def test_a_gesture_held_for_any_length_is_one(ask: Ask, rate: float, held: int, gesture: str) -> None:
    told = ask("pointer", frames=film([*opened(rate), *[gesture] * held, *opened(rate)], rate), **POINTER)
    assert kinds(told) == (["click"] if gesture == "click" else ["take", "drop"])


@given(rates, st.lists(st.tuples(st.sampled_from(["click", "grab"]), st.integers(1, 6)), max_size=20))
def test_single_frames_of_a_gesture_do_nothing(ask: Ask, rate: float, flickers: list[tuple[str, int]]) -> None:
    gestures = [one for gesture, pause in flickers for one in ([gesture] + ["point"] * pause)]
    told = ask("pointer", frames=film([*opened(rate), *gestures], rate), **POINTER)
    assert kinds(told) == []


@given(rates, st.integers(4, 40), st.lists(st.integers(1, 39), max_size=6))
def test_single_frames_of_something_else_do_not_click_again(
    ask: Ask, rate: float, held: int, flickers: list[int]
) -> None:
    gestures: list[str] = ["click"] * (held + 4)
    for place in flickers:
        if 4 < place < held:
            gestures[place] = "point"
    alone = [place for place, one in enumerate(gestures) if one == "point" and gestures[place - 1] == "point"]
    for place in alone:  # no two in a row
        gestures[place] = "click"
    told = ask("pointer", frames=film([*opened(rate), *gestures, *opened(rate)], rate), **POINTER)
    assert kinds(told) == ["click"]


@given(
    rates,
    st.lists(st.tuples(frames_of, st.integers(1, 12)), min_size=1, max_size=25),
    st.lists(st.tuples(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2)), min_size=1, max_size=9),
)
def test_whatever_is_seen_things_happen_in_an_order_that_makes_sense(
    ask: Ask, rate: float, runs: list[tuple[str | None, int]], places: list[tuple[float, float]]
) -> None:
    gestures = [gesture for gesture, length in runs for _ in range(length)]
    frames = film(gestures, rate)
    for number, (frame, gesture) in enumerate(zip(frames, gestures, strict=True)):
        if gesture:
            frame["hands"] = [hand(gesture, *places[number // 3 % len(places)])]
    told = ask("pointer", frames=frames, **POINTER)
    times = {frame["at"]: gesture for frame, gesture in zip(frames, gestures, strict=True)}
    holding = False
    for one in told["happened"]:
        assert one["point"] is None or all(0 <= value <= 1 for value in one["point"])
        if one["kind"] == "click":
            assert not holding
            assert times[one["at"]] == "click"
        elif one["kind"] == "take":
            assert not holding
            holding = True
        elif one["kind"] == "drop":
            assert holding
            holding = False
        else:
            assert one["carried"] == holding
            holding = False
    # No more clicks than rows of the gesture, and something else for 0.15 s between two.
    rows = sum(1 for gesture, row in groupby(gestures) if gesture == "click" and len(list(row)) > 1)
    clicks = [one["at"] for one in told["happened"] if one["kind"] == "click"]
    assert len(clicks) <= rows
    for before, after in pairwise(clicks):
        between = [gesture not in ("click", "grab", None) for at, gesture in times.items() if before < at < after]
        longest = max((len(list(row)) for other, row in groupby(between) if other), default=0)
        assert longest >= 2
        assert longest / rate >= 0.15
    for cursor in filter(None, told["cursors"]):
        assert all(0 <= value <= 1 for value in cursor)


@given(rates, st.sampled_from(["click", "grab"]), st.integers(1, 30))
def test_a_hand_that_comes_with_a_gesture_has_to_end_it_first(ask: Ask, rate: float, gesture: str, held: int) -> None:
    coming = [gesture] * held
    assert kinds(ask("pointer", frames=film(coming, rate), **POINTER)) == []
    told = ask("pointer", frames=film([*coming, *opened(rate), *["click"] * 6], rate), **POINTER)
    assert kinds(told) == ["click"]


@given(rates, st.integers(4, 10), st.booleans())
def test_a_lost_hand_lets_go_without_effect(ask: Ask, rate: float, held: int, by_clock: bool) -> None:
    frames = film([*opened(rate), *["grab"] * held], rate)
    last = frames[-1]["at"]
    if by_clock:  # no picture comes any more
        gone: Frames = [{"at": last + 0.1 * tick} for tick in range(1, 20)]
    else:
        gone = film([None] * int(0.5 * rate + 3), rate, last + 1 / rate)
    told = ask("pointer", frames=[*frames, *gone, *film(["point"], rate, last + 5)], **POINTER)
    assert kinds(told) == ["take", "lost"]
    assert told["happened"][-1]["carried"]
    after = told["happened"][-1]["at"] - last
    assert 1.5 < after <= 1.7 if by_clock else 0.5 < after <= 0.5 + 2.1 / rate
    assert told["cursors"][len(frames) + len(gone) - 1] is None
    assert told["cursors"][-1] is not None


@given(rates)
def test_a_hand_that_is_missed_for_a_moment_holds_on(ask: Ask, rate: float) -> None:
    missed: list[str | None] = [None] * int(0.4 * rate)
    told = ask(
        "pointer", frames=film([*opened(rate), *["grab"] * 5, *missed, *["grab"] * 5, *opened(rate)], rate), **POINTER
    )
    assert kinds(told) == ["take", "drop"]


@given(rates, st.floats(0.0, 1.0), st.booleans())
def test_the_other_hand_does_nothing(ask: Ask, rate: float, y: float, first: bool) -> None:
    mine, other = hand("point", 0.2, 0.5), hand("click", 0.9, y)
    frames = film([*opened(rate)] * 3, rate)
    for number, frame in enumerate(frames):
        frame["hands"] = [mine] if number == 0 else [other, mine] if first else [mine, other]
    told = ask("pointer", frames=frames, **POINTER)
    assert kinds(told) == []
    assert np.ptp(np.array(told["cursors"]), axis=0).max() < 1e-6


@given(rates, st.floats(0.0, 1.0))
def test_the_other_hand_does_not_take_over_at_once(ask: Ask, rate: float, y: float) -> None:
    other = hand("click", 0.95, y)
    mine = hand("point", 0.3, 0.5)
    alone = int(0.45 * rate)  # frames without the hand that is followed
    hands = [[mine]] + [[mine, other]] * 8 + [[other]] * alone + [[mine]]
    told = ask("pointer", frames=[{"at": n / rate, "hands": seen} for n, seen in enumerate(hands)], **POINTER)
    assert kinds(told) == []
    assert told["cursors"][-1] == pytest.approx(told["cursors"][8])


@given(rates, st.integers(5, 20))
def test_what_is_carried_stays_on_the_panel(ask: Ask, rate: float, steps: int) -> None:
    frames = film([*opened(rate), *["grab"] * steps], rate)
    for number, frame in enumerate(frames[-steps + 4 :]):
        frame["hands"] = [hand("grab", 0.5 + 0.1 * number, 0.4 - 0.1 * number)]
    told = ask("pointer", frames=frames, **POINTER)
    assert kinds(told) == ["take"]
    assert all(0 <= value <= 1 for cursor in told["cursors"] for value in cursor)


@given(st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)), min_size=1, max_size=10))
def test_the_panel_is_a_mirror_and_there_is_a_way_back(ask: Ask, points: list[tuple[float, float]]) -> None:
    told = ask("map", points=points)
    for point, one in zip(points, told, strict=True):
        assert one["back"] == pytest.approx(point)
    for (a, b), (one, other) in zip(pairwise(points), pairwise(told), strict=True):
        if a[0] - b[0] > 1e-6:
            assert one["panel"][0] < other["panel"][0]
        if a[1] - b[1] > 1e-6:
            assert one["panel"][1] > other["panel"][1]


# What a hand does, by the jointed hand: its landmarks without a picture, with the landmarker's noise.

acts_of = st.lists(
    st.builds(
        Act,
        place=st.tuples(st.floats(0.25, 0.75), st.floats(0.2, 0.6)),
        gesture=st.sampled_from(["ok", "fist", "victory", "thumbs_up"]),
        way=st.floats(0.4, 0.9),
        rest=st.floats(0.3, 0.6),
        change=st.floats(0.15, 0.5),
        hold=st.floats(0.5, 0.9),
    ),
    min_size=1,
    max_size=3,
)


def shown(moments: list[Moment], seed: int) -> Frames:
    """Return what would be recognized: the truth, `none` on the way to a gesture and back, and the landmarks with noise."""
    rng = np.random.default_rng(seed)
    frames = []
    for moment in moments:
        points = moment.points + rng.normal(0, NOISE, moment.points.shape)
        frames.append({"at": moment.seconds, "hands": [{"gesture": moment.truth, "points": points.tolist()}]})
    return frames


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(acts_of, st.integers(0, 10_000), st.integers(0, 1000), st.sampled_from([10.0, 15.0, 30.0]))
def test_a_click_goes_where_the_hand_pointed_before_it_closed(
    ask: Ask, acts: list[Act], person: int, seed: int, rate: float
) -> None:
    gesture = acts[0].gesture
    acts = [Act(act.place, gesture, None, act.way, act.rest, act.change, act.hold) for act in acts]
    moments = trace_pointing(acts, person, seed, rate=rate)
    told = ask("pointer", frames=shown(moments, seed), click=gesture)
    assert kinds(told) == ["click"] * len(acts)
    places = [one["panel"] for one in ask("map", points=[act.place for act in acts])]
    for one, place in zip(told["happened"], places, strict=True):
        assert np.hypot(*np.subtract(one["point"], place)) < 0.05, one  # a third of a product's width


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.tuples(st.floats(0.3, 0.7), st.floats(0.25, 0.55)),
    st.tuples(st.floats(0.3, 0.7), st.floats(0.25, 0.55)),
    st.integers(0, 10_000),
    st.sampled_from([10.0, 15.0, 30.0]),
)
def test_what_is_carried_goes_with_the_palm(
    ask: Ask, place: tuple[float, float], to: tuple[float, float], person: int, rate: float
) -> None:
    moments = trace_pointing([Act(place, "fist", to), Act(to, way=0.3)], person, 1, rate=rate)
    told = ask("pointer", frames=shown(moments, person), click="ok", grab="fist")
    assert kinds(told) == ["take", "drop"]
    for one, aimed in zip(told["happened"], ask("map", points=[place, to]), strict=True):
        assert np.hypot(*np.subtract(one["point"], aimed["panel"])) < 0.06, one


def test_the_filter_is_calm_at_rest_and_quick_on_the_way(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    rate, noise = 15.0, 0.004  # of the panel: a webcam's at night
    rng = np.random.default_rng(0)
    places = [(0.3, 0.25), (0.6, 0.5), (0.4, 0.4), (0.75, 0.3), (0.5, 0.55), (0.2, 0.5)]
    jitter, raw_jitter, late = [], [], []
    for person in range(4):
        moments = trace_pointing([Act(place, rest=1.0) for place in places], person, person, rate=rate)
        true = np.array([one["panel"] for one in ask("map", points=[m.points[8].tolist() for m in moments])])
        noisy = true + rng.normal(0, noise, true.shape)
        told = np.array(ask("filter", points=[[m.seconds, *p] for m, p in zip(moments, noisy.tolist(), strict=True)]))
        speed = (true[2:] - true[:-2]) * rate / 2
        fast = np.linalg.norm(speed, axis=1)
        behind = ((true - told)[1:-1] * speed).sum(axis=1) / np.maximum(fast, 1e-9) ** 2
        late += behind[fast > 0.5].tolist()
        calm = fast < 0.05
        for errors, of in ((jitter, told), (raw_jitter, noisy)):
            trembling = of[1:-1] - (of[2:] + of[:-2]) / 2
            errors.extend(trembling[calm].ravel().tolist())
    measured = {name: float(np.sqrt(np.mean(np.square(one)))) for name, one in (("raw", raw_jitter), ("out", jitter))}
    with capsys.disabled():
        print(
            f"\ncursor: at rest it trembles by {measured['out']:.4f} of the panel instead of {measured['raw']:.4f},"
            f" on the way it is {1000 * np.mean(late):.0f} ms late (p90 {1000 * np.quantile(late, 0.9):.0f})"
        )
    assert measured["out"] < 0.6 * measured["raw"]
    assert 0 < np.mean(late) < 0.05


@given(
    st.lists(
        st.tuples(st.floats(0.001, 2.0), st.floats(-1, 2), st.floats(-1, 2)),
        min_size=1,
        max_size=30,
    )
)
def test_the_filter_stays_between_what_was_seen(ask: Ask, steps: list[tuple[float, float, float]]) -> None:
    at = np.cumsum([step[0] for step in steps])
    points = np.array([step[1:] for step in steps])
    told = np.array(ask("filter", points=np.column_stack([at, points]).tolist()))
    assert told[0] == pytest.approx(points[0])
    assert (told >= points.min(axis=0) - 1e-9).all()
    assert (told <= points.max(axis=0) + 1e-9).all()
    still = np.array(ask("filter", points=[[float(one), 0.25, 0.75] for one in at]))
    assert np.allclose(still, [0.25, 0.75])


boxes = st.builds(
    lambda left, top, width, height: {"left": left, "top": top, "right": left + width, "bottom": top + height},
    *[st.integers(0, 500)] * 2,
    *[st.integers(0, 200)] * 2,
)


@given(st.lists(boxes, max_size=8), st.tuples(st.integers(-50, 750), st.integers(-50, 750)), st.integers(0, 60))
def test_the_nearest_target_is_the_one_meant(
    ask: Ask, targets: list[dict[str, int]], point: tuple[int, int], reach: int
) -> None:
    told = ask("nearest", boxes=targets, point=point, reach=reach)

    def away(box: dict[str, int]) -> float:
        x, y = point
        return float(np.hypot(max(box["left"] - x, 0, x - box["right"]), max(box["top"] - y, 0, y - box["bottom"])))

    def area(box: dict[str, int]) -> int:
        return (box["right"] - box["left"]) * (box["bottom"] - box["top"])

    seen = [box for box in targets if area(box) > 0 and away(box) <= reach]
    if told["index"] is None:
        assert not seen
        return
    found = targets[told["index"]]
    assert away(found) == pytest.approx(min(map(away, seen)))
    if away(found) == 0:
        assert area(found) == min(area(box) for box in seen if away(box) == 0)


@given(st.integers(0, 99), st.integers(0, 99), st.booleans())
def test_a_button_goes_before_the_line_it_is_in(ask: Ask, x: int, y: int, button_first: bool) -> None:
    line, button = (
        {"left": 0, "top": 0, "right": 300, "bottom": 200},
        {"left": 0, "top": 0, "right": 100, "bottom": 100},
    )
    targets = [button, line] if button_first else [line, button]
    told = ask("nearest", boxes=targets, point=[x, y], reach=28)
    assert targets[told["index"]] == button


PRODUCTS = {"apple": 60, "milk": 129, "cheese": 495}


@given(st.lists(st.tuples(st.sampled_from(sorted(PRODUCTS)), st.integers(-4, 60)), max_size=30))
def test_the_basket_adds_up(ask: Ask, steps: list[tuple[str, int]]) -> None:
    told = ask("basket", prices=PRODUCTS, steps=steps)
    expected: dict[str, int] = {}
    for product, more in steps:
        now = min(99, max(0, expected.get(product, 0) + more))
        if now:
            expected[product] = now
        else:
            expected.pop(product, None)
    assert [(line["product"], line["amount"]) for line in told["lines"]] == list(expected.items())
    assert told["cents"] == sum(PRODUCTS[product] * amount for product, amount in expected.items())
    assert told["order"] == {"lines": told["lines"], "cents": told["cents"], "pieces": told["pieces"]}
    assert told["left"] == 0


NAMES = ["none", "point", "pointing_up", "ok", "fist", "victory", "thumbs_up", "grab", "click", "open_palm", "rock"]


@given(
    st.lists(st.sampled_from(NAMES), unique=True).map(lambda labels: ["none", *[x for x in labels if x != "none"]]),
    st.fixed_dictionaries({}, optional={"click": st.sampled_from(NAMES), "grab": st.sampled_from([*NAMES, None])}),
)
def test_the_gestures_chosen_are_two_of_the_bundles(ask: Ask, labels: list[str], wanted: dict[str, str | None]) -> None:
    told = ask("chosen", labels=labels, wanted=wanted)
    for one in (told["click"], told["grab"]):
        assert one is None or (one in labels and one != "none")
    assert told["click"] is None or told["click"] != told["grab"]
    if wanted.get("click") in labels[1:]:
        assert told["click"] == wanted["click"]
    gestures = [label for label in labels[1:] if "point" not in label]
    if gestures and "click" not in wanted and "grab" not in wanted:
        assert told["click"] is not None


@pytest.mark.parametrize(
    ("labels", "click", "grab"),
    [
        (["none", "point", "pinch", "grab"], "pinch", "grab"),
        (["none", "point", "ok", "fist"], "ok", "fist"),
        (["none", "open_palm", "thumbs_up", "victory"], "victory", "open_palm"),
        (["none", "point", "fist"], "fist", None),
        (["none", "point"], None, None),
        (["none"], None, None),
        (["none", "grab", "victory"], "victory", "grab"),
        (["none", "rock", "paper"], "rock", "paper"),
    ],
)
def test_gestures_with_telling_names(ask: Ask, labels: list[str], click: str | None, grab: str | None) -> None:
    assert ask("chosen", labels=labels, wanted={}) == {"click": click, "grab": grab}
