"""The touchless panel: its cursor logic by properties, and the page itself, used by a drawn hand before a real browser's camera."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cameras import camera_film
from runtimes import had, runtimes
from studios import studio

from gesture_maker.synthetic.draw import draw_dataset
from gesture_maker.synthetic.pointing import SIZE, Act, draw_pointing

CLICK, GRAB = "ok", "fist"
CLASSES = ("none", "point", CLICK, GRAB)
PEOPLE, PER_PERSON = 6, 2
PLAYER, SEED = 101, 2  # somebody who was not trained on
RATE = 10.0
ENOUGH, SLOWEST = 8.0, 2.5  # frames per second: what the page has to answer, and what the film is slowed down to
PICTURES = os.environ.get("STUDIO_PICTURES", "")  # a folder for pictures of the page while it is played


@dataclass(frozen=True)
class Played:
    """What was done touchless (`log`, see studio_play.mjs), and what the film wanted done, of (kind, target)."""

    told: dict[str, Any]
    wanted: list[tuple[str, str]]

    @property
    def log(self) -> list[dict[str, Any]]:
        log: list[dict[str, Any]] = self.told["log"]
        return log

    def first(self, kind: str, target: str, after: int = -1) -> int:
        """Return the place in the log of the first such thing after another."""
        return next(
            place
            for place, one in enumerate(self.log)
            if place > after and (one["kind"], one["target"]) == (kind, target)
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A studio's folder with a run that knows a pointing, a clicking and a grabbing hand."""
    from gesture_maker import export, train

    folder = tmp_path_factory.mktemp("play")
    dataset = folder / "datasets/small"
    draw_dataset(dataset, CLASSES, range(PEOPLE), PER_PERSON, 0)
    training = train(dataset, name="play", runs=folder / "exported_models", estimate=False)
    export(training.run.path)
    return folder


@pytest.fixture(scope="module")
def played(folder: Path) -> Played:
    """A film for the page's own places: it adds an apple and removes it, carries a cheese into the basket, and checks out."""
    node = had(runtimes.web_ready)
    blank = camera_film(folder / "blank.y4m", [np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)] * 2, RATE)
    wanted = [
        ("click", "add apple"),
        ("click", "remove apple"),
        ("take", "product cheese"),
        ("drop", "basket"),
        ("click", "check out"),
    ]
    with studio(folder) as served:
        film = folder / "film.y4m"
        plan = {
            "address": served.address,
            "camera": str(folder / "camera.y4m"),
            "blank": str(blank),
            "film": str(film),
            "click": CLICK,
            "grab": GRAB,
            "awaited": wanted,
            "pictures": PICTURES,
        }
        (folder / "plan.json").write_text(json.dumps(plan))
        script = runtimes.WEB / "studio_play.mjs"
        with subprocess.Popen(
            [node, str(script), str(folder / "plan.json")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                first = process.stdout.readline()
                assert first, process.stderr.read()
                about = json.loads(first)
                # In slow motion on a machine that is busy with other things: a gesture is to be seen in six frames.
                rate = float(np.clip(RATE * about["rate"] / ENOUGH, SLOWEST, RATE))
                camera_film(film, film_for(about["places"]), rate)
                process.stdin.write("\n")
                process.stdin.flush()
                told = process.stdout.readline()
                assert told, process.stderr.read()
            finally:
                process.kill()
    return Played({**json.loads(first), **json.loads(told)}, wanted)


def film_for(places: dict[str, list[float]]) -> list[np.ndarray[Any, Any]]:
    """Return the frames of the film, for places in shares of the camera's picture."""

    def at(name: str) -> tuple[float, float]:
        x, y = places[name]
        return x, y

    quick = {"way": 0.5, "rest": 0.6, "hold": 0.8}
    acts = [
        Act((0.5, 0.4), way=0.5, rest=0.5),
        Act(at("add apple"), CLICK, **quick),
        Act(at("remove apple"), CLICK, **quick),
        Act(at("add cheese"), GRAB, to=at("basket"), **quick),
        Act(at("check out"), CLICK, **quick),
        Act((0.5, 0.4), way=0.5, rest=0.3),
    ]
    return [frame.pixels for frame in draw_pointing(acts, PLAYER, SEED, rate=RATE)]


def test_an_item_is_added_and_removed_again_without_touching(played: Played) -> None:
    added = played.first("click", "add apple")
    assert (played.log[added]["before"], played.log[added]["after"]) == ({}, {"apple": 1})
    removed = played.first("click", "remove apple", added)
    assert (played.log[removed]["before"], played.log[removed]["after"]) == ({"apple": 1}, {})


def test_a_product_is_carried_into_the_basket_and_ordered(played: Played) -> None:
    taken = played.first("take", "product cheese")
    dropped = played.first("drop", "basket", taken)
    assert played.log[dropped]["product"] == "cheese"
    assert played.log[dropped]["after"] == {**played.log[dropped]["before"], "cheese": 1}
    ordered = played.first("click", "check out", dropped)
    assert played.log[ordered]["after"] == {}


def test_mouse_and_keyboard_do_it_too(played: Played) -> None:
    by_keyboard = played.told["by_keyboard"]
    assert by_keyboard["added"] == {"lines": {"pear": 2, "milk": 1}, "sum": "€2.79"}  # 2 x 0.75 + 1.29
    assert by_keyboard["changed"] == {"lines": {"pear": 1, "milk": 1}, "sum": "€2.04"}
    assert by_keyboard["removed"] == {"lines": {"milk": 1}, "sum": "€1.29"}
    assert by_keyboard["focused"] == "remove milk"  # where the removed line was
    assert by_keyboard["ordered"] == {"lines": {}, "sum": "€0.00"}
    assert "1 × Milk" in by_keyboard["thanks"]


def test_the_gestures_chosen_are_remembered(played: Played) -> None:
    assert played.told["before"] == {"run": "play", "click": "ok", "grab": "fist"}  # by their names
    assert played.told["exchanged"] == {"run": "play", "click": "fist", "grab": "ok"}  # no gesture does both
    assert played.told["remembered"] == played.told["exchanged"]


def test_how_many_were_made_and_missed(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    made = [(one["kind"], one["target"]) for one in played.log]
    loops = made.count(("click", "check out")) or 1
    missed = sum(max(0, loops - made.count(one)) for one in played.wanted)
    others = [one for one in made if one not in played.wanted and one[0] != "lost"]
    with capsys.disabled():
        print(
            f"\nplay: of {len(played.wanted)} clicks and grabs {len(played.wanted) - missed} were made, {missed} missed, ",
            end="",
        )
        print(f"{len(others)} unasked for; {played.told['delay']}")
    # With a film that is shown from its beginning again, the hand jumps: no more than that may go wrong.
    assert len(others) <= loops, others


def test_the_page_had_nothing_to_complain_about(played: Played) -> None:
    assert (played.told["said"], played.told["errors"], played.told["refused"]) == ([], [], [])
