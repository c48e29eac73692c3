"""The studio's pages for everybody: no serious finding of axe-core, all of it by keyboard, and nothing to scroll sideways.

`STUDIO_PICTURES` names a folder for pictures of each state, light and dark, wide and narrow.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Trained
from hands import save_photo
from runtimes import had, run_node, runtimes
from studio_films import Film, draw_films
from studios import studio

PICTURES = os.environ.get("STUDIO_PICTURES", "")
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module", params=["empty", "full"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was seen of a new studio's pages, and of those of one with photos and a run; see studio_axe.mjs."""
    had(runtimes.web_ready)
    folder = tmp_path_factory.mktemp("accessibility")
    if request.param == "full":
        _furnish(folder, request.getfixturevalue("trained"))
    film = Film("victory", 0)
    films = draw_films(tmp_path_factory.getbasetemp() / "studio_films", [film])
    with studio(folder) as served:
        plan = {
            "address": served.address,
            "film": str(films[film]),
            "camera": str(folder / "camera.y4m"),
            "states": request.param,
            "pictures": PICTURES,
        }
        (folder / "plan.json").write_text(json.dumps(plan))
        done = run_node("studio_axe.mjs", folder / "plan.json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _furnish(folder: Path, trained: Trained) -> None:
    """Put a run, and its dataset with a photo without a hand, into a folder."""
    shutil.copytree(trained.folder, folder, dirs_exist_ok=True)
    save_photo(folder / "datasets/small/victory/wall.png", np.full((240, 320, 3), 128, np.uint8))


def test_axe_finds_nothing_serious(seen: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    found = seen["violations"]
    with capsys.disabled():
        for one in found:
            if one["impact"] not in SERIOUS:
                print(f"\n{one['state']}, {one['look']}: {one['impact']}: {one['help']}: {one['nodes'][0]}")
    assert [one for one in found if one["impact"] in SERIOUS] == []


def test_every_page_works_by_keyboard_alone(seen: dict[str, Any]) -> None:
    assert [walk["state"] for walk in seen["walks"]] == seen["looked"]
    for walk in seen["walks"]:
        state = walk["state"]
        assert walk["stops"] >= walk["wanted"] > 4, state
        assert (state, walk["missed"]) == (state, []), "what can be used has to be reached"
        assert (state, walk["backwards"]) == (state, []), "the order is that of the page"
        assert (state, walk["unseen"]) == (state, []), "where the focus is has to be seen"


def test_nothing_is_wider_than_the_window(seen: dict[str, Any]) -> None:
    assert seen["sideways"] == []


def test_the_pages_had_nothing_to_complain_about(seen: dict[str, Any]) -> None:
    assert (seen["said"], seen["errors"], seen["refused"]) == ([], [], [])
