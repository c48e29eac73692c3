"""`gesture-maker image …` from the command line on a trained run: interrupted and resumed, exported, evaluated, live, and shared."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Cli
from hand_photos import FLAGS
from helpers import environment, one_sentence_error, run_cli
from hub_runs import Shared
from hub_server import hub_server
from test_live import rows_of

from gesture_maker.images import read_image
from gesture_maker.pixels.classifier import PixelClassifier
from gesture_maker.pixels.run import PixelRun
from gesture_maker.recognition.recorder import Recorder

STOPPED = """
import os, signal, sys
from gesture_maker.cli import main
from gesture_maker.training.pixels import fitting
original, begun = fitting._epoch, []
def epoch(*args, **settings):
    begun.append(1)
    if len(begun) == 4:
        os.kill(os.getpid(), signal.SIGINT)
    return original(*args, **settings)
fitting._epoch = epoch
sys.argv[0] = "gesture-maker"
main()
"""
"""The command line, with Ctrl-C in the fourth epoch."""


@pytest.fixture
def workspace(pixels_place: Path, tmp_path: Path) -> Path:
    """A working folder with the run, which was trained on photos elsewhere."""
    shutil.copytree(pixels_place / "exported_models", tmp_path / "exported_models")
    return tmp_path


def test_interrupted_and_resumed_it_is_the_same_network(
    pixels_place: Path, pixels_made: PixelRun, tmp_path: Path, cli: Cli
) -> None:
    photos = str(pixels_place / "datasets/hands")
    stopped = subprocess.run(
        [sys.executable, "-c", STOPPED, "image", "train", photos, "--name", "again", *FLAGS],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert stopped.returncode == 130
    assert "continue it with `gesture-maker image train --resume again`" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert "was never finished: continue it with" in one_sentence_error(cli("image", "eval", "again", cwd=tmp_path))
    resumed = run_cli("image", "train", "--resume", "again", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    run = PixelRun.load_finished(tmp_path / "exported_models/again")
    assert run.model() == pixels_made.model()
    assert (run.path / "history.csv").read_bytes() == (pixels_made.path / "history.csv").read_bytes()
    for key in ("stages", "measured", "labels", "fingerprint", "parameters"):
        assert run.description[key] == pixels_made.description[key], key
    assert "fine-tuned: validation" in resumed.stdout
    assert "gesture-maker image export again --quantize int8" in resumed.stdout
    assert "there is nothing to resume" in one_sentence_error(cli("image", "train", "--resume", "again", cwd=tmp_path))


def test_export_then_eval_with_its_report(workspace: Path, cli: Cli) -> None:
    exported = cli("image", "export", "first", cwd=workspace)
    assert exported.returncode == 0, exported.stderr
    assert "Exported: exported_models/first/model_float16.tflite (" in exported.stdout
    assert "same answers, scores differ by" in exported.stdout
    command = exported.stdout.split("Next:  gesture-maker ")[1].split()
    evaluated = cli(*command, cwd=workspace)
    assert evaluated.returncode == 0, evaluated.stderr
    folder = workspace / "exported_models/first/evaluation/test_float16"
    metrics = json.loads((folder / "metrics.json").read_text())
    told = PixelRun.load(workspace / "exported_models/first").description["measured"]["test"]["accuracy"]
    assert metrics["accuracy"] == pytest.approx(told, abs=1 / 24 + 1e-6)
    assert "Where the network looks" in (folder / "report/index.html").read_text()


def test_live_never_looks_at_more_frames_than_asked(workspace: Path, cli: Cli) -> None:
    run = PixelRun.load_finished(workspace / "exported_models/first")
    photos = [read_image(path) for path, _ in run.photos_of("test")[::8]]
    with Recorder(workspace / "film.mp4") as film:
        for number in range(30):
            picture = photos[number // 10]
            film.add(run.seeing.picture(picture, run.seeing.box(picture, None)).repeat(4, 0).repeat(4, 1), number / 30)
    done = cli(
        *("image", "live", "first", "film.mp4", "--headless", "--max-fps", "10", "--threshold", "0"),
        *("--smooth", "off", "--out", "answers.csv"),
        cwd=workspace,
    )
    assert done.returncode == 0, done.stderr
    rows = rows_of(workspace / "answers.csv")
    assert 9 <= len(rows) <= 10  # of a second
    assert {row["gesture"] for row in rows} <= set(run.labels)
    unknown = cli("image", "live", "first", "film.mp4", "--headless", "--threshold", "2", cwd=workspace)
    assert "threshold is 2" in one_sentence_error(unknown)


def test_a_run_is_shared_without_what_is_private(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli, pixels_place: Path
) -> None:
    own = PixelRun.load_finished(workspace / "exported_models/first")
    picture = read_image(own.photos_of("test")[0][0])
    with hub_server() as server:
        shared = Shared.at_home(server, workspace, monkeypatch)
        (workspace / "token").write_text(f"{shared.token}\n")
        where = ("--token-file", "token", "--endpoint", server.address)
        pushed = cli("hub", "push", "first", "anna/rps", *where, cwd=workspace)
        assert (pushed.returncode, pushed.stderr) == (0, "")
        pulled = cli("hub", "pull", "anna/rps", "--name", "theirs", *where, cwd=workspace)
        assert (pulled.returncode, pulled.stderr) == (0, "")
        sent = b"".join(shared.repository.files().values())
    for private in (pixels_place, workspace, "id01", "hgr1"):
        assert str(private).encode() not in sent
    run = PixelRun.load_finished(workspace / "exported_models/theirs")
    assert (run.labels, run.seeing, run.settings) == (own.labels, own.seeing, own.settings)
    assert run.model() == own.model()
    for key in ("stages", "kept", "measured", "parameters"):
        assert run.description.get(key) == own.description[key], key
    with PixelClassifier(run) as theirs, PixelClassifier(own) as first:
        assert theirs.classify(picture).label == first.classify(picture).label
        assert (theirs.classify(picture).scores == first.classify(picture).scores).all()
