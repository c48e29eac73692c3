"""The page collect in Chromium: held to record, deleted and brought back, files dropped, and a studio that goes and comes back.

The camera is Chromium's fake one, which plays a film of drawn hands that are gone for every fourth second.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cameras import camera_film, numbered, scene
from hands import drawn as drawn_photo
from hands import save_photo
from helpers import write
from runtimes import had, run_node, runtimes
from studios import StudioProcess, studio

from gesture_maker.dataset.manifest import read_manifest

RATE = 10
SECONDS = 40  # longer than the camera is on; then it would begin again
SIZE = (320, 240)
COMMAND = """
import secrets, sys
secrets.token_urlsafe = lambda *_: "the-same-key-as-before"  # or the page would have to be opened anew
sys.argv = ["gesture-maker", "studio", "--no-open", "--dataset", "small", "--port", sys.argv[1]]
from gesture_maker.cli import main
main()
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn hands, gone for every fourth second; no two frames are alike, or the studio would leave out those that repeat."""
    had(runtimes.web_ready)
    hands = [scene(drawn_photo("victory", person)[0], SIZE) for person in range(3)]
    pictures = [*hands, np.full_like(hands[0], 128)]
    frames = [numbered(pictures[number // RATE % 4], number) for number in range(SECONDS * RATE)]
    return camera_film(tmp_path_factory.mktemp("film") / "hands.y4m", frames, RATE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    """A studio for pages that do not record."""
    had(runtimes.web_ready)
    with studio(tmp_path_factory.mktemp("served")) as process:
        yield process


def run(place: Path, work: str, **plan: Any) -> Any:
    """Return what the page showed, having checked that it had nothing to complain about."""
    path = place / "plan.json"
    path.write_text(json.dumps(plan | {"work": work}, default=str))
    done = run_node("studio_collect.mjs", path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["errors"], told["refused"]) == ([], [])
    return told


@pytest.fixture(scope="module")
def recorded(film: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """What the page showed while somebody recorded, and the dataset afterwards."""
    folder = tmp_path_factory.mktemp("recorded")
    with studio(folder) as served:
        told = run(folder, "recording", address=served.address, film=film)
    # What may be said: a name that the studio refused, and a picture of a photo that was deleted or renamed before it was asked for.
    gone = [one for one in told["said"] if "404" in one["text"] and one["about"] == "/api/photo"]
    assert [one for one in told["said"] if "400" not in one["text"] and one not in gone] == []
    return told["answer"], folder / "datasets/small"


def test_a_wrong_name_is_said_beside_the_field(recorded: tuple[Any, Path]) -> None:
    seen, _ = recorded
    empty, slash, hidden, none = seen["names"][::2]
    assert "name" in empty
    assert "slash" in slash
    assert "dot" in hidden, "what the studio says of it"
    assert "already" in none
    assert seen["names"][1::2] == ["true"] * 4
    assert seen["invalid"] is None
    assert "already" in seen["taken"], "also when a class gets another name"


def test_an_empty_dataset_says_what_to_do_first(recorded: tuple[Any, Path]) -> None:
    assert recorded[0]["intro"].startswith("Add a class for each gesture.")


def test_each_press_is_a_group_by_mouse_and_by_space_bar(recorded: tuple[Any, Path]) -> None:
    seen, dataset = recorded
    assert seen["afterMouse"]["photos"] >= 4, seen["mouse"]
    assert seen["afterMouse"]["groups"] == 1
    assert seen["afterSpace"]["photos"] >= seen["afterMouse"]["photos"] + 4
    assert seen["afterSpace"]["groups"] == 2
    for said in (seen["mouse"], seen["space"]):
        assert re.search(r"[0-9]+ photos recorded into vïctory", said)
    rows = list(read_manifest(dataset).values())
    assert len({row.group for row in rows if row.label == "sieg ✌"}) == 3
    assert len({row.sha256 for row in rows}) == len(rows)


def test_a_click_takes_a_photo_and_a_field_takes_the_space(recorded: tuple[Any, Path]) -> None:
    seen, _ = recorded
    assert seen["click"] >= 1
    assert seen["typed"] == [" ", 0]


def test_a_press_ends_when_the_window_is_left(recorded: tuple[Any, Path]) -> None:
    seen, _ = recorded
    assert seen["left"] == 0
    assert seen["spoken"] == "Recording other"


def test_a_photo_without_a_hand_is_marked_with_why(recorded: tuple[Any, Path]) -> None:
    seen, _ = recorded
    assert seen["badge"] == "No hand"
    assert seen["reasons"] == ["no hand found"]
    shown, counted = seen["filtered"]
    assert shown == counted >= 1
    assert seen["hash"] == "#collect"


def test_photos_are_deleted_and_brought_back_by_the_keyboard(recorded: tuple[Any, Path]) -> None:
    seen, _ = recorded
    assert seen["chosen"].startswith("2 ")
    assert seen["focusStays"]
    newest = seen["deleted"]["deleted"][0]
    assert newest["photos"] == 2
    assert sorted(newest["files"]) == sorted(seen["newest"])


def test_a_class_is_renamed_in_place_and_deleted_with_a_way_back(recorded: tuple[Any, Path]) -> None:
    seen, dataset = recorded
    assert seen["renamed"]["photos"] == seen["afterSpace"]["photos"] + seen["click"]
    without, back = seen["classes"]
    assert without == ["none", "sieg ✌"]
    assert back == ["none", "other", "sieg ✌"]
    assert len(list((dataset / "sieg ✌").glob("*.jpg"))) == seen["renamed"]["photos"]


def test_files_zips_and_folders_come_in_on_cards_and_beside_them(served: StudioProcess, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "in/photo.png", drawn_photo("victory", 0)[0])
    text = write(tmp_path / "in/words.txt", "these are words")
    for label in ("left", "right"):
        save_photo(tmp_path / f"sets/{label}/{label}.png", drawn_photo("victory", len(label))[0])
    write(tmp_path / "sets/left/.hidden.png", b"left behind by a system")
    save_photo(tmp_path / "packed/deep/a.png", drawn_photo("victory", 1)[0])
    save_photo(tmp_path / "packed/deep/b.png", drawn_photo("victory", 0)[0])
    archive = shutil.make_archive(str(tmp_path / "more"), "zip", tmp_path / "packed/deep")
    other = save_photo(tmp_path / "other.png", drawn_photo("victory", 2)[0])
    given = {"photo": photo, "text": text, "zip": archive, "folder": tmp_path / "sets", "other": other}
    told = run(tmp_path, "files", address=served.address, **given)
    seen = told["answer"]
    assert seen["chosen"] == "1 photo added to one."
    assert len(seen["skipped"]) == 1
    assert "words.txt" in seen["skipped"][0]
    assert seen["afterChosen"] == 1
    assert seen["zip"] == "1 photo added to one. 1 was there already."
    assert seen["over"] is True
    assert seen["folder"] == "2 photos added."
    assert seen["classes"] == {"none": 0, "left": 1, "one": 2, "right": 1}
    assert "on a class" in seen["loose"]
    assert seen["typing"] == ["half a na", 1, 3], "what others change takes nothing away from who types"


def test_recording_stops_when_the_studio_goes_and_can_go_on_when_it_is_back(film: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", COMMAND, str(port)]
    told = run(tmp_path, "goneAndBack", command=command, folder=tmp_path, film=film)
    seen = told["answer"]
    assert seen["gone"] == "true"
    assert seen["recordingWhileGone"] == 0
    assert seen["kept"] >= 1, "photos that were confirmed before are on disk"
    assert seen["again"] >= 2


def test_no_camera_and_a_refused_one_are_told_apart(served: StudioProcess, film: Path, tmp_path: Path) -> None:
    seen = run(tmp_path, "withoutCamera", address=served.address, film=film)["answer"]
    assert seen["none"][0].startswith("No camera was found")
    assert "not allowed" in seen["refused"][0]
    assert (seen["none"][1], seen["refused"][1]) == (0, 0)
