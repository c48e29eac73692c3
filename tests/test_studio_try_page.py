"""The page Try in Chromium: the right gesture for each that the camera shows, photos and videos, and what can go wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cameras import camera_film
from conftest import Trained
from helpers import write
from PIL import Image
from runtimes import had, run_node, runtimes
from studios import PATIENCE, StudioProcess, studio

from gesture_maker.images import Pixels
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.synthetic.film import draw_film

GESTURES = ("victory", "open_palm", "thumbs_up")
RATE = 15.0


@pytest.fixture(scope="module")
def films() -> dict[str, list[Pixels]]:
    """Of each gesture the frames in which it is held, by a person whom the bundle knows."""
    had(runtimes.web_ready)
    return {
        gesture: [frame.pixels for frame in draw_film(gesture, 1, 0, 0, seconds=2, rate=RATE) if frame.truth == gesture]
        for gesture in GESTURES
    }


@pytest.fixture(scope="module")
def served(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    folder = tmp_path_factory.mktemp("served")
    runs = folder / "exported_models"
    for name in ("first", "second", "broken"):
        shutil.copytree(trained.run, runs / name)
        described = runs / name / "run.json"
        created = {"first": "2025-03", "second": "2025-02", "broken": "2025-01"}[name]
        about = json.loads(described.read_text()) | {"created": f"{created}-01T00:00:00+00:00"}
        described.write_text(json.dumps(about))
    bundle = runs / "broken/gesture_recognizer.task"
    bundle.write_bytes(bundle.read_bytes()[:-1000])
    with studio(folder) as running:
        yield running


def run(place: Path, work: str, **plan: Any) -> Any:
    """Return what the page showed, having checked that it had nothing to complain about."""
    path = write(place / "plan.json", json.dumps(plan | {"work": work}, default=str))
    done = run_node("studio_try.mjs", path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["errors"], told["refused"]) == ([], [])
    return told["answer"]


def test_the_camera_is_answered(served: StudioProcess, films: dict[str, list[Pixels]], tmp_path: Path) -> None:
    frames = [frame for gesture in GESTURES for frame in films[gesture]]
    film = camera_film(tmp_path / "gestures.y4m", frames, RATE)
    seen = run(
        tmp_path,
        "camera",
        address=served.address,
        film=film,
        gestures=GESTURES,
        other="second",
        broken="broken",
    )
    assert seen["runs"] == ["first", "second", "broken"]  # the newest first
    assert seen["bars"] == ["open_palm", "thumbs_up", "victory", "none"]
    assert " hand: " in seen["hand"]
    assert seen["frozen"] == ["true", True, 0]
    assert (seen["hidden"], seen["elsewhere"]) == (0, 0)
    assert "broken/gesture_recognizer.task is cut short or damaged" in seen["refused"]
    assert seen["task"] == "/api/runs/file?run=second&what=task"
    assert "camera is gone" in seen["lost"]
    assert seen["open"] == 0


def test_photos_and_videos_are_answered(served: StudioProcess, films: dict[str, list[Pixels]], tmp_path: Path) -> None:
    photo, video, long = tmp_path / "hand.jpg", tmp_path / "victory.mp4", tmp_path / "long.mp4"
    frames = films["victory"]
    Image.fromarray(frames[len(frames) // 2]).save(photo, quality=95)
    for path, number in ((video, len(frames)), (long, 600)):
        with Recorder(path) as recorder:
            for index in range(number):
                recorder.add(frames[index % len(frames)], index / RATE)
    seen = run(
        tmp_path,
        "files",
        address=served.address,
        photo=photo,
        bad=write(tmp_path / "bad.jpg", "these are words"),
        video=video,
        long=long,
        gesture="victory",
        other="second",
    )
    assert seen["photo"] == {"alt": "Photo hand.jpg", "shown": True, "inked": True}
    assert seen["said"] == "victory"
    assert seen["bad"] == "The photo: not an image."
    assert seen["done"] == f"{len(frames)} frames answered."
    assert seen["stretch"].startswith("victory, 0:0")
    assert seen["length"] == pytest.approx(len(frames) / RATE, abs=0.2)
    assert seen["value"].endswith(("victory", "none"))
    assert seen["cancelled"].startswith("Cancelled")
    assert seen["back"] == [True, 0]


def test_without_a_run_it_leads_to_training_until_there_is_one(trained: Trained, tmp_path: Path) -> None:
    node = had(runtimes.web_ready)
    plan = tmp_path / "plan.json"
    with studio(tmp_path) as running:
        plan.write_text(json.dumps({"work": "nothing", "address": running.address}))
        command = [node, str(runtimes.WEB / "studio_try.mjs"), str(plan)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as page:
            assert page.stderr is not None
            assert page.stderr.readline() == "ready\n"
            shutil.copytree(trained.folder / "exported_models", tmp_path / "exported_models")
            out, err = page.communicate(timeout=PATIENCE)
    assert page.returncode == 0, err
    assert json.loads(out)["answer"] == {"hidden": True, "run": "first"}
