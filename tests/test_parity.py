"""The exported bundle answers the same in mediapipe 0.10.21, in the newest mediapipe, and on the web, with both embedders."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import QUICK, Trained
from helpers import ROOT, environment, write
from runtimes import had, parity, runtimes

REAL, SAMPLE = 16, 4
"""Photos of the digits, and of people at a distance, which are larger."""


@pytest.fixture(scope="module")
def google(drawn: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with Google's embedder and canned gestures."""
    from gesture_maker import train

    folder = tmp_path_factory.mktemp("google")
    asked = {"embedder": "mediapipe", "assets": shared / "assets", "estimate": False, "settings": QUICK}
    export = train(drawn, name="google", runs=folder, export=True, **asked).export
    assert export is not None
    return export.bundle


def check(comparisons: list[dict[str, Any]], photos: dict[str, int]) -> None:
    """Check that both other runtimes answered as the project's does, to all of the photos of each kind."""
    locked = re.search(r"^mediapipe==(\S+)", runtimes.NEWEST_LOCK.read_text(), flags=re.MULTILINE)
    assert locked is not None
    for one in comparisons:
        assert one["different"] == []
        assert one["count"] == photos[one["photos"]]
        assert one["first"] == "mediapipe 0.10.21"
        assert 0.75 * one["count"] <= one["both"] == one["same"]
        assert one["score_largest"] <= 0.02
        # The bundle does the same everywhere: what differs is what the landmarker says, by rounding.
        assert one["unexplained"] is None or one["unexplained"] < 1e-4
        assert one["landmark_largest"] < 0.005
    others = {one["other"].partition(",")[0] for one in comparisons}
    assert others == {f"mediapipe {locked[1]}", "@mediapipe/tasks-vision 1.1.0"}


def test_drawn_hands(trained: Trained, tmp_path: Path) -> None:
    shutil.copy(trained.export.bundle, tmp_path / "builtin.task")
    photos = sorted(trained.dataset.glob("*/*.jpg"))[::2]
    parity.write_photos(photos, tmp_path, "drawn")
    found = had(lambda: parity.compare(tmp_path, ["builtin.task"]))
    assert len(found) == 2
    check([vars(one) for one in found], {"drawn": len(photos)})


def test_real_hands_and_both_embedders(trained: Trained, google: Path, shared: Path, tmp_path: Path) -> None:
    """Through the script, which writes what it found."""
    had(runtimes.newest_python)
    had(runtimes.web_ready)
    shutil.copy(trained.export.bundle, tmp_path / "builtin.task")
    shutil.copy(google, tmp_path / "mediapipe.task")
    done = run_script(tmp_path, "--data", shared, "--photos", REAL, "--sample", SAMPLE)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "parity.json").read_text())
    assert len(found) == 2 * 2 * 2  # embedders, kinds of photos, other runtimes
    check(found, {"digits": REAL, "sample": SAMPLE})
    table = (tmp_path / "parity.md").read_text()
    assert table in done.stdout
    assert table.count("\n| builtin |") == table.count("\n| mediapipe |") == 4
    assert "Photos with another answer: none." in table


def run_script(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts/parity.py"), *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)


def test_the_script_refuses_a_folder_without_photos(tmp_path: Path) -> None:
    done = run_script(tmp_path / "out", "--data", tmp_path)
    assert done.returncode == 2
    assert f"no data/sign_language_digits in {tmp_path}" in done.stderr
    assert run_script("--help").returncode == 0


# What counts as different

HAND = {
    "gesture": "four",
    "score": 0.9,
    "handedness": 1.0,
    "landmarks": [[0.5, 0.5, 0]] * 21,
    "world": [[0, 0, 0]] * 21,
}
PHOTO = {"file": "a.png", "pixels": "1", "hands": [HAND]}


def compared(**change: Any) -> Any:
    """Compare an answer with another one, of which the hand or, with `hands` or `pixels`, the photo is changed."""
    photo = change if change.keys() <= {"hands", "pixels"} else {"hands": [HAND | change]}
    comparison = parity.Comparison("builtin", "drawn", "one", "other")
    parity.count_differences(comparison, [(copy.deepcopy(PHOTO), PHOTO | photo)])
    return comparison


def test_equal_answers_are_not_different() -> None:
    same = compared()
    assert (same.both, same.same, same.only_first, same.only_other, same.different) == (1, 1, 0, 0, [])
    assert compared(score=0.885).different == []
    assert compared(score=0.885).score_largest == pytest.approx(0.015)
    assert compared(landmarks=[[0.5, 0.52, 0]] * 21).landmark_largest == pytest.approx(0.02)


def test_another_gesture_a_hand_missed_or_a_score_apart_is_different() -> None:
    for found in (compared(gesture="five"), compared(score=0.87), compared(hands=[])):
        assert len(found.different) == 1
        assert found.count == 1
        table = parity.as_markdown([found])
        assert "Photos with another answer: 1." in table
        assert "a.png: four 0.9000 → " in table
    assert compared(gesture="five").same == 0
    assert compared(hands=[]).only_first == 1


def test_other_pixels_are_no_comparison() -> None:
    with pytest.raises(ValueError, match=r"other has seen other pixels of a\.png"):
        compared(pixels="2")


# The runtimes


def test_the_locks_pin_everything_and_name_no_host() -> None:
    about = json.loads((runtimes.WEB / "package.json").read_text())
    text = (runtimes.WEB / "package-lock.json").read_text()
    lock = json.loads(text)["packages"]
    assert about["dependencies"]["@mediapipe/tasks-vision"] == "1.1.0"
    for name, version in about["dependencies"].items():
        assert lock[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in package for place, package in lock.items() if place)
    assert "://" not in text
    assert "resolved" not in text
    assert "omit-lockfile-registry-resolved=true" in (runtimes.WEB / ".npmrc").read_text()
    requirements = runtimes.NEWEST_LOCK.read_text()
    assert "://" not in requirements
    packages = re.findall(r"^[\w.-]+(?:==)?.*\\\n    --hash=sha256:", requirements, flags=re.MULTILINE)
    assert len(packages) == len(re.findall(r"^[^\s#]", requirements, flags=re.MULTILINE)) > 10
    assert all("==" in package for package in packages)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The newest mediapipe's environment elsewhere, with a lock of nothing. Returns the lock."""
    if not (ROOT / ".venv" / "pyvenv.cfg").is_file():
        pytest.skip("needs the environment that scripts/setup makes")
    lock = write(tmp_path / "requirements.txt", "# nothing\n")
    monkeypatch.setattr(runtimes, "NEWEST_LOCK", lock)
    monkeypatch.setattr(runtimes, "NEWEST", tmp_path / "newest")
    return lock


def test_the_environment_is_made_once_for_a_lock(tiny: Path, tmp_path: Path) -> None:
    python = runtimes.newest_python()
    prefix = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert Path(prefix.stdout.strip()) == tmp_path / "newest"
    kept = write(tmp_path / "newest/kept", "")
    assert runtimes.newest_python() == python
    assert kept.exists()
    tiny.write_text("# nothing, again\n")
    runtimes.newest_python()
    assert not kept.exists()
    kept.write_text("")
    (tmp_path / "newest/made-from").unlink()  # what a kill in the middle leaves
    runtimes.newest_python()
    assert not kept.exists()


def test_an_environment_that_cannot_be_made_is_a_reason_and_not_taken_for_one(tiny: Path) -> None:
    tiny.write_text("no requirement at all\n")
    for _ in range(2):
        with pytest.raises(runtimes.NotToBeHad, match="the newest mediapipe could not be installed: "):
            runtimes.newest_python()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHROMIUM", "/no/such/chromium")
    with pytest.raises(runtimes.NotToBeHad, match="no program /no/such/chromium"):
        runtimes.check_web()
    monkeypatch.delenv("CHROMIUM")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(runtimes.NotToBeHad, match="apt install chromium"):
        runtimes.check_web()
    program(tmp_path / "google-chrome", "")
    with pytest.raises(runtimes.NotToBeHad, match=r"not installed.*apt install nodejs npm"):
        runtimes.check_web()
    program(tmp_path / "node", "echo v16.3.0")
    with pytest.raises(runtimes.NotToBeHad, match=r"found only v16\.3\.0"):
        runtimes.check_web()


def program(path: Path, does: str) -> None:
    write(path, f"#!/bin/sh\n{does}\n").chmod(0o755)


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_runtime_fails_in_ci_and_is_skipped_elsewhere(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise runtimes.NotToBeHad("there is none")

    monkeypatch.setitem(os.environ, "CI", ci)
    with pytest.raises(outcome, match="there is none"):
        had(missing)


SERVED = """
import { serve } from "./server.mjs";
const server = await serve({ "/": process.argv[1], "/other/": process.argv[2] });
const told = {};
for (const asked of process.argv.slice(3)) {
  const answer = await fetch(server.address + asked);
  told[asked] = [answer.status, answer.headers.get("content-type"), await answer.text()];
}
console.log(JSON.stringify({ told, missing: server.missing }));
await server.close();
"""


def test_the_server_serves_what_it_should_and_nothing_else(tmp_path: Path) -> None:
    node = had(runtimes.node)
    for name in ("site/a b.mjs", "site/x.wasm", "second/x.wasm", "secret.mjs"):
        write(tmp_path / name, name)
    asked = [
        "/a%20b.mjs",
        "/x.wasm",
        "/other/x.wasm",
        "/other/y",
        "/%2e%2e%2fsecret.mjs",
        "/other/..%2fsecret.mjs",
        "/",
    ]
    command = [node, "--input-type=module", "-e", SERVED, str(tmp_path / "site"), str(tmp_path / "second"), *asked]
    done = subprocess.run(command, cwd=runtimes.WEB, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    told = answers["told"]
    assert told["/a%20b.mjs"] == [200, "text/javascript; charset=utf-8", "site/a b.mjs"]
    assert told["/x.wasm"] == [200, "application/wasm", "site/x.wasm"]
    assert told["/other/x.wasm"] == [200, "application/wasm", "second/x.wasm"]
    assert [told[name][0] for name in asked[3:]] == [404] * 4
    assert len(answers["missing"]) == 4
