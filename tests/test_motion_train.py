"""Training on motions and what comes of it: the run folder, the split, clips that cannot be used, Ctrl-C, eval and its report."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from helpers import environment, one_sentence_error, tree, write
from motions import LABELS, QUICK, real_clip, small_film

from gesture_maker.errors import ConfigError, DatasetError, GestureMakerError, RunError
from gesture_maker.motion.clips import find_clips
from gesture_maker.motion.evaluate import evaluate_motions
from gesture_maker.motion.following import follow_clips
from gesture_maker.motion.run import MotionRun
from gesture_maker.motion.track_table import TABLE, TrackTable
from gesture_maker.motion.train import MotionTraining, resume_motions, train_motions
from gesture_maker.recognition.interpreter import TfliteModel

PEOPLE = range(10)


@pytest.fixture(scope="module")
def place(motions_place: Path) -> Path:
    """A folder with datasets/moves, of ten people, and datasets/others, of three more."""
    return motions_place


@pytest.fixture(scope="module")
def made(motions_made: MotionTraining) -> MotionTraining:
    """A training on the first; not to be changed."""
    return motions_made


def test_people_are_in_one_part_each_and_all_clips_are_accounted_for(made: MotionTraining) -> None:
    rows = made.run.split()
    assert len(rows) == 2 * len(LABELS) * len(PEOPLE)
    parts = {row.group: {other.part for other in rows if other.group == row.group} for row in rows}
    assert all(len(its) == 1 for its in parts.values())
    shares = [sum(row.part == part for row in rows) / len(rows) for part in ("train", "validation", "test")]
    assert shares == pytest.approx([0.6, 0.2, 0.2])
    assert made.run.description["clips"] == {"train": 48, "validation": 16, "test": 16}


def test_the_background_comes_first_and_learns_from_quiet_windows_of_others(made: MotionTraining) -> None:
    assert made.run.labels == LABELS
    assert made.run.background == "still"
    assert (made.run.path / "labels.txt").read_text() == "still\npush\nswipe_left\nswipe_right\n"
    train, rows = made.run.sequences("train"), made.run.split()
    quiet = [rows[clip].label for clip, y in zip(train.clip, train.y, strict=True) if y == 0]
    assert {"swipe_left", "still"} <= set(quiet)
    assert all(rows[clip].part == "train" for clip in train.clip)
    for part in ("validation", "test"):
        its = made.run.sequences(part)
        assert [rows[clip].label for clip in its.clip] == [LABELS[y] for y in its.y]


def test_it_tells_people_it_has_not_seen_what_they_do(made: MotionTraining) -> None:
    assert made.measured["test"].metrics.accuracy >= 0.85  # 1.0 here; by chance 0.25
    about = json.loads((made.run.path / "motion.json").read_text())
    assert about["status"] == "finished"
    assert about["measured"]["test"]["accuracy"] == made.measured["test"].metrics.accuracy
    assert about["measured"]["test"]["clips"] == 16
    assert {"model.keras", "model.tflite", "history.json", "split.csv", "curves.png", "confusion_matrix.png"} <= set(
        tree(made.run.path)
    )


def test_the_model_is_checked_when_it_is_loaded(made: MotionTraining, tmp_path: Path) -> None:
    copy = shutil.copytree(made.run.path, tmp_path / "copy")
    run = MotionRun.load_finished(copy)
    assert TfliteModel(run.model()).input_shape == (1, 30, 63)
    write(copy / "model.tflite", run.model() + b"more")
    with pytest.raises(RunError, match="is not what the training wrote"):
        MotionRun.load_finished(copy).model()
    write(copy / "motion.json", "{")
    with pytest.raises(RunError, match="is damaged"):
        MotionRun.load(copy)


def test_a_run_of_that_name_is_left_alone(made: MotionTraining, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    before = tree(made.run.path)
    with pytest.raises(RunError, match='There is already a run "first"'):
        train_motions("moves", name="first", settings=QUICK)
    assert tree(made.run.path) == before
    assert resume_error("first") == 'The run "first" is finished: there is nothing to resume.'


def resume_error(name: str) -> str:
    with pytest.raises(GestureMakerError) as caught:
        resume_motions(name)
    return str(caught.value)


# What cannot be used


def test_clips_without_a_hand_are_told_and_count_as_wrong(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = shutil.copytree(place / "datasets/moves", tmp_path / "datasets/moves")
    small_film(dataset / "push/empty room ä.mp4", ("no hand",))
    write(dataset / "push/damaged.mp4", b"not a film")
    write(dataset / "push/notes.txt", "text")
    real_clip(dataset / "push/held.mp4")
    made = train_motions("moves", name="first", settings={**QUICK, "epochs": 1})
    assert made.prepared is not None
    reasons = {row.file: row.reason for row in made.prepared.unusable}
    assert reasons == {
        "push/empty room ä.mp4": "no hand found",
        "push/damaged.mp4": "it is not a video that can be read",
    }
    assert [path.name for path, _ in made.prepared.problems] == ["notes.txt"]
    rows = {row.file: row for row in made.run.split()}
    assert rows["push/empty room ä.mp4"].part, "it has a part, in which it counts as wrong"
    assert not rows["push/damaged.mp4"].part
    assert not rows["push/held.mp4"].reason
    table = TrackTable(dataset / TABLE)
    track = table.get(rows["push/held.mp4"].sha256, next(iter(table._rows))[1])
    assert track is not None
    assert track.track is not None
    assert track.track.found.mean() > 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("one class", "There is only one class with clips"),
        ("no hand", 'No clip of the class "push" shows a hand that can be followed (no hand found)'),
        ("two clips", 'The class "push" has 2 readable clips'),
        ("photos", "There is no clip in"),
        ("nowhere", "There is no dataset moves"),
    ],
)
def test_bad_input_datasets(
    change: str, message: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = tmp_path / "datasets/moves"
    if change != "nowhere":
        shutil.copytree(place / "datasets/moves", dataset)
    if change == "one class":
        for label in ("push", "swipe_left", "swipe_right"):
            shutil.rmtree(dataset / label)
    elif change in ("no hand", "two clips"):
        shutil.rmtree(dataset / "push")
        for number in range(4 if change == "no hand" else 0):
            small_film(dataset / f"push/{number}.mp4", ("no hand", number))
        for number in range(2 if change == "two clips" else 0):
            source = place / f"datasets/moves/push/push_00000{number + 1}.mp4"
            write(dataset / f"push/{number}.mp4", source.read_bytes())
    elif change == "photos":
        for path in dataset.glob("*/*.mp4"):
            path.rename(path.with_suffix(".jpg"))
    with pytest.raises(DatasetError) as caught:
        train_motions("moves", settings=QUICK)
    assert message in str(caught.value)
    assert "photo" not in str(caught.value).replace("a single photo", "")
    assert not (tmp_path / "exported_models").exists()


def test_settings_that_cannot_be(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    for wrong in ({"max_gap": 0.0}, {"folder_rate": -1.0}, {"rate": 0.5}, {"settings": {"model": "rnn"}}):
        with pytest.raises(ConfigError):
            train_motions("moves", name="wrong", **wrong)  # type: ignore[arg-type]
    assert not (place / "exported_models/wrong").exists()


def test_an_empty_still_is_made_of_quiet_windows(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = shutil.copytree(place / "datasets/moves", tmp_path / "moves")
    for path in (dataset / "still").iterdir():
        path.unlink()
    made = train_motions(dataset, settings={**QUICK, "epochs": 1})
    assert made.run.labels == LABELS
    assert (made.run.sequences("train").y == 0).any()
    shutil.rmtree(dataset / "still")
    made = train_motions(dataset, settings={**QUICK, "epochs": 1})
    assert made.run.name == "moves-2"
    assert (made.run.labels, made.run.background) == (LABELS[1:], None)
    assert 'There is no class "still"' in made.warnings[0]


def test_nothing_is_looked_at_twice(tmp_path: Path) -> None:
    real_clip(tmp_path / "clips/a/1.mp4")
    real_clip(tmp_path / "clips/b/1.mp4", "four")
    clips = find_clips(tmp_path / "clips").clips
    table = TrackTable(tmp_path / TABLE)
    first = follow_clips(clips, table)
    assert [one.problem for one in first] == [None, None]
    content = (tmp_path / TABLE).read_bytes()
    for clip in clips:  # a film that cannot be read any more, of the same content as far as the table knows
        assert table.get(first[clips.index(clip)].sha256, next(iter(table._rows))[1]) is not None
    again = follow_clips(clips, TrackTable(tmp_path / TABLE))
    for one, other in zip(first, again, strict=True):
        assert one.track is not None
        assert other.track is not None
        np.testing.assert_array_equal(one.track.landmarks, other.track.landmarks)
    assert (tmp_path / TABLE).read_bytes() == content


# Interrupted


STOPPED = """
import os, signal, sys
from gesture_maker.motion import train
def progress(stage, done, total):
    if stage == "training" and done == 2:
        os.kill(os.getpid(), signal.{signal})
sys.argv = ["gesture-maker"]
train.train_motions("moves", name="stopped", settings={settings!r}, progress=progress)
"""


@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
def test_interrupted_and_resumed_it_is_the_same_network(
    how: str, made: MotionTraining, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(place / "datasets/moves", tmp_path / "datasets/moves")
    done = subprocess.run(
        [sys.executable, "-c", STOPPED.format(signal=how, settings=QUICK)],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == (-signal.SIGKILL if how == "SIGKILL" else -signal.SIGINT), done.stderr
    if how == "SIGINT":
        assert "gesture-maker motion train --resume stopped" in done.stderr
    with pytest.raises(RunError, match="was never finished: continue it with"):
        MotionRun.load_finished("stopped")
    resumed = resume_motions("stopped")
    assert resumed.run.finished
    assert resumed.run.model() == made.run.model()


# eval


def test_eval_on_other_people_and_on_its_own_test_part(
    made: MotionTraining, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    own = evaluate_motions("first", out=tmp_path / "own")
    assert own.measured.metrics.accuracy == made.measured["test"].metrics.accuracy
    others = evaluate_motions("first", "others", out=tmp_path / "others")
    assert others.measured.metrics.photos == 24
    assert others.measured.metrics.accuracy >= 0.85
    with (others.folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert sum(line["answer"] == line["label"] for line in lines) / len(lines) == others.measured.metrics.accuracy
    assert others.warnings == ()
    trained_on = evaluate_motions("first", "moves", out=tmp_path / "moves")
    assert "trained on 64 of these 80 clips" in trained_on.warnings[0]


def test_the_report_shows_wrong_clips_and_escapes_names(
    made: MotionTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    label = "<b>&é"
    real_clip(tmp_path / "clips" / label / "held.mp4")
    small_film(tmp_path / "clips/push/nobody.mp4", ("nobody",))
    done = evaluate_motions(made.run.path, tmp_path / "clips", out=tmp_path / "out")
    page = done.report.read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;é" in page
    assert "<b>&" not in page
    assert page.count('<img src="data:image/jpeg;base64,') == 2
    assert "no hand found" in page
    assert done.measured.metrics.accuracy == 0
    assert "The run does not know <b>&é" in done.warnings[0]


def test_commands(made: MotionTraining, place: Path, cli: Cli) -> None:
    done = cli("motion", "eval", "first", "others", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "of 24 clips" in done.stdout
    assert (made.run.path / "evaluation/others/report/index.html").is_file()
    assert "There is no run" in one_sentence_error(cli("motion", "eval", "nothing", cwd=place))
    assert cli("motion", "train", cwd=place).returncode == 2
    assert cli("motion", "train", "moves", "--resume", "first", cwd=place).returncode == 2
    assert cli("motion", "train", "--resume", "first", "--epochs", "3", cwd=place).returncode == 2
    assert "sequence_length is 1" in one_sentence_error(
        cli("motion", "train", "moves", "--sequence-length", "1", "--name", "x", cwd=place)
    )
