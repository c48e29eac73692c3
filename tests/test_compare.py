"""`compare`: from a table of hands to the best of several classifiers, each as a `.task`."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from classified import LABELS, gesture_rows
from conftest import Cli
from hands import drawn_dataset
from helpers import environment, one_sentence_error, tree, write

import gesture_maker
from gesture_maker.classifiers.comparison import Comparison, load_comparison
from gesture_maker.classifiers.comparison_parts import parts_of
from gesture_maker.classifiers.data import folds_of, hold_out, load_hands
from gesture_maker.classifiers.search import IDENTITY
from gesture_maker.classifiers.storing import load_classifier
from gesture_maker.errors import ConfigError, DatasetError, GestureMakerError, RunError
from gesture_maker.landmarks.hands import EmbedderInputs, Hand
from gesture_maker.landmarks.looking import Look
from gesture_maker.landmarks.rows import Row, to_arrow
from gesture_maker.recognition.class_scores import ClassScores

PATIENCE = 120  # seconds; only for a broken program, nothing waits this long
PEOPLE = 10
QUICK = ("nearest-neighbours", "logistic-regression")


def table_of(path: Path, count: int, seed: int = 0, groups: Sequence[str] | None = None, only: Any = None) -> Path:
    """Write a table of landmarks of so many hands of `LABELS` in turn, such as `gesture-maker landmarks` makes."""
    rows, classes = gesture_rows(count, seed, 22.0)
    hands = EmbedderInputs.from_rows(rows)
    known = groups or [f"p{number // len(LABELS) % PEOPLE}" for number in range(count)]
    written = [
        Row(
            f"{seed:08d}{number:056d}",
            Look().key(),
            Hand(hands.hand[number] * 0.4 + 0.5, hands.world_hand[number] * 0.1, float(right), 100, 100),
            f"{LABELS[classes[number]]}/{known[number]}_{seed}_{number}.jpg",
            LABELS[classes[number]],
            known[number] or None,
        )
        for number, right in enumerate(hands.handedness[:, 0])
        if only is None or classes[number] in only
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(to_arrow(written), path)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table_of(tmp_path_factory.mktemp("table") / "hands.parquet", 250)


@pytest.fixture(scope="module")
def compared(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """A finished comparison of three kinds; not to be changed."""
    runs = tmp_path_factory.mktemp("compared")
    return gesture_maker.compare(table, kinds=[*QUICK, "mlp"], folds=2, runs=runs, workers=1, refit_on_all=True)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out, which take longer than all else; one comparison has them."""
    from gesture_maker.classifiers import comparison_plots, data_plots

    monkeypatch.setattr(data_plots, "save_data_plots", lambda *_: ())
    monkeypatch.setattr(comparison_plots, "save_comparison_plots", lambda *_: ())


def settled(comparison: Comparison) -> Any:
    """Return what has to be the same for equal data and seed: all but times, and when it was made."""
    lines = [replace(line, train_seconds=0.0, predict_seconds=0.0) for line in comparison.lines]
    return replace(comparison, path=Path(), created="", lines=tuple(lines))


# What comes of it


def test_the_folder_holds_all_that_was_promised(compared: Comparison) -> None:
    files = {"classifier.json", "gesture_recognizer.md", "gesture_recognizer.task", "model.skops"}
    for folder in (*QUICK, "mlp", "refitted"):
        assert files <= {path.name for path in (compared.path / folder).iterdir()}
    top = {path.name for path in compared.path.iterdir() if path.is_file()}
    pictures = {"classes.png", "skeletons.png", "normalized.png", "comparison.png", "confusion_matrix.png"}
    assert top == pictures | {
        *("comparison.json", "comparison.csv", "fits.jsonl", "gesture_recognizer.task", "gesture_recognizer.md")
    }
    assert load_comparison(compared.path) == compared
    assert len(compared.fits()) == 2 * (12 + 8 + 6)
    with (compared.path / "comparison.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["classifier"] for row in rows] == [line.kind for line in compared.lines]
    assert [float(row["test_accuracy"]) for row in rows] == [line.test.accuracy for line in compared.lines]
    assert [line.tried for line in compared.lines] == [
        {"nearest-neighbours": 12, "logistic-regression": 8, "mlp": 6}[line.kind] for line in compared.lines
    ]


def test_the_winner_is_the_best_of_the_cross_validation(compared: Comparison) -> None:
    by_settings: dict[str, list[float]] = {}
    for fit in compared.fits():
        by_settings.setdefault(json.dumps([fit.kind, fit.parameters]), []).append(fit.scores.accuracy)
    best = max(float(np.mean(one)) for one in by_settings.values())
    assert compared.winner.cross_validation.accuracy == pytest.approx(best)
    accuracies = [line.cross_validation.accuracy for line in compared.lines]
    assert accuracies == sorted(accuracies, reverse=True)


def test_each_bundle_answers_held_out_hands_as_the_table_says(compared: Comparison, table: Path) -> None:
    search_on, test = hold_out(load_hands(table), 0)
    assert not set(search_on.groups) & set(test.groups)
    assert compared.hands == {"search": len(search_on), "test": len(test)}
    inputs = EmbedderInputs.from_rows(test.rows)
    for line in compared.lines:
        scores = ClassScores((compared.path / line.folder / "gesture_recognizer.task").read_bytes())
        answers = np.array(scores.of_inputs(inputs)).argmax(axis=1)
        scores.close()
        assert (answers == test.classes).mean() == pytest.approx(line.test.accuracy)
        kept = load_classifier(compared.path / line.folder).scores(test.rows).argmax(axis=1)
        assert np.array_equal(kept, answers)
        assert line.largest_difference < 1e-4
        assert line.model_bytes > 1000
        assert line.train_seconds > 0
        assert line.predict_seconds > 0
        if line is compared.winner:
            counts = np.zeros((len(LABELS), len(LABELS)), int)
            np.add.at(counts, (test.classes, answers), 1)
            order = [load_hands(table).labels.index(label) for label in compared.labels]
            assert np.array_equal(counts[np.ix_(order, order)], compared.confusion)
    assert compared.winner.test.accuracy > 0.6
    assert compared.estimate["low"] < compared.winner.test.accuracy < compared.estimate["high"]
    assert compared.estimate["groups"] == len(set(test.groups))


def test_the_task_is_of_the_winner_trained_on_everything(compared: Comparison, table: Path) -> None:
    top = compared.bundle.read_bytes()
    assert top == (compared.path / "refitted/gesture_recognizer.task").read_bytes()
    assert top != (compared.path / compared.winner.folder / "gesture_recognizer.task").read_bytes()
    hands = load_hands(table)
    refitted = load_classifier(compared.path / "refitted")
    assert refitted.kind == compared.winner.kind
    assert refitted.parameters == compared.winner.parameters
    right = (refitted.scores(hands.rows).argmax(axis=1) == hands.classes).mean()
    assert right > compared.winner.cross_validation.accuracy


@pytest.mark.usefixtures("no_pictures")
def test_equal_data_and_seed_give_the_same_bytes_on_one_process_and_on_two(
    compared: Comparison, table: Path, tmp_path: Path
) -> None:
    again = gesture_maker.compare(table, kinds=QUICK, folds=2, runs=tmp_path, workers=2)
    assert again.bundle.read_bytes() == (again.path / again.winner.folder / "gesture_recognizer.task").read_bytes()
    for name in QUICK:
        task = f"{name}/gesture_recognizer.task"
        assert (again.path / task).read_bytes() == (compared.path / task).read_bytes()
    before = {line.kind: line for line in settled(compared).lines}
    assert settled(again).lines == tuple(before[line.kind] for line in again.lines)
    assert [line.kind for line in again.lines] == [line.kind for line in compared.lines if line.kind in QUICK]


@pytest.mark.usefixtures("no_pictures")
def test_model_makers_head_and_a_test_dataset(table: Path, tmp_path: Path) -> None:
    others = table_of(tmp_path / "others.parquet", 60, 5, [f"q{number % 6}" for number in range(60)])
    done = gesture_maker.compare(
        table, kinds=["model-maker", "nearest-neighbours"], test=others, folds=2, runs=tmp_path / "runs", workers=1
    )
    assert done.hands == {"search": 250, "test": 60}
    assert done.settings["test"] == str(others)
    assert done.warnings == ()
    (line,) = (one for one in done.lines if one.kind == "model-maker")
    assert line.test.accuracy > 0.6
    assert (done.path / "model-maker/head_weights.h5").is_file()
    assert sum(map(sum, done.confusion)) == 60


# Which hands


def test_hands_in_both_parts_are_warned_of(table: Path, tmp_path: Path) -> None:
    hands = load_hands(table)
    parts = parts_of(hands, load_hands(table), 3, 0)
    assert any("250 photos" in one and "flatters" in one for one in parts.warnings)
    other = table_of(tmp_path / "more.parquet", 50, 1)
    renamed = replace(load_hands(other), labels=("none", "open_palm", "victory", "thumbs_up", "shrug"))
    with pytest.raises(DatasetError, match="not trained on"):
        parts_of(hands, renamed, 3, 0)


def test_a_class_of_one_person_is_trained_on_and_not_tested(tmp_path: Path) -> None:
    groups = ["the only one" if number % 5 == 4 else f"p{number // 5 % 8}" for number in range(120)]
    hands = load_hands(table_of(tmp_path / "hands.parquet", 120, 0, groups))
    for seed in range(4):  # whichever part the only one would be in
        parts = parts_of(hands, None, 3, seed)
        assert "call" not in {parts.test.labels[one] for one in parts.test.classes}
        assert "call" in {parts.search.labels[one] for one in parts.search.classes}
        assert any("No hand of call is held out" in one for one in parts.warnings)
        assert not set(parts.search.groups) & set(parts.test.groups)


def test_fewer_people_than_folds_are_fewer_folds(tmp_path: Path) -> None:
    groups = [f"p{number // 5 % 5}" for number in range(100)]
    parts = parts_of(load_hands(table_of(tmp_path / "hands.parquet", 100, 0, groups)), None, 5, 0)
    assert parts.folds == 4
    assert any("There are 4 folds, not 5" in one for one in parts.warnings)
    for number in range(4):
        inside = parts.search.take(parts.fold == number)
        assert not set(inside.groups) & set(parts.search.take(parts.fold != number).groups)


@pytest.mark.usefixtures("no_pictures")
def test_an_empty_class_and_a_photo_that_cannot_be_read_are_told_of(tmp_path: Path) -> None:
    root = drawn_dataset(tmp_path / "data", ("none", "four"), 6)
    (root / "été vide").mkdir()
    write(root / "four" / "broken.jpg", b"no photo")
    hands = load_hands(root)
    assert hands.labels == ("none", "four")
    told = parts_of(hands, None, 2, 0).warnings
    assert [sentence for sentence in told if "été vide" in sentence] == [
        f'The class "été vide" in {root} is empty, and is left out.'
    ]
    assert any(sentence.startswith("1 photo shows no usable hand and is not counted here") for sentence in told)


def test_no_hand_of_none_is_fine(tmp_path: Path) -> None:
    table = table_of(tmp_path / "hands.parquet", 150, only=(1, 2, 3))
    done = gesture_maker.compare(table, kinds=["logistic-regression"], folds=2, runs=tmp_path / "runs", workers=1)
    assert done.labels[0] == "none"
    assert done.confusion[0] == (0, 0, 0, 0)
    assert done.winner.test.accuracy > 0.7


@pytest.mark.parametrize(
    ("count", "groups", "only", "what"),
    [
        (3, None, None, "too few to hold a fifth back"),
        (60, "alone", None, "1 people or bursts|too few to hold a fifth back"),
        (40, None, (1,), "of 1 class only"),
    ],
)
def test_too_few_hands_are_a_sentence_and_leave_nothing(
    tmp_path: Path, count: int, groups: str | None, only: Any, what: str
) -> None:
    table = table_of(tmp_path / "hands.parquet", count, 0, [groups] * count if groups else None, only)
    with pytest.raises(DatasetError, match=what):
        gesture_maker.compare(table, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_folds_that_cannot_be_are_a_sentence(table: Path) -> None:
    hands = load_hands(table)
    of_each = replace(hands.take(np.unique(hands.classes, return_index=True)[1]), groups=("",) * len(LABELS))
    with pytest.raises(DatasetError, match="1 hand of a class at most"):
        folds_of(of_each, 2, 0)
    with pytest.raises(DatasetError, match="cannot be split into 20 parts"):
        folds_of(hands, 20, 0)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"kinds": ["svm"]}, 'no classifier "svm"'),
        ({"kinds": []}, "No classifier is named"),
        ({"features": ("pixels",)}, 'no features "pixels"'),
        ({"folds": 1}, "2 at least"),
        ({"workers": 0}, "1 at least"),
        ({"seed": -1}, "whole number from 0"),
        ({"min_detection_confidence": 2.0}, "min_detection_confidence"),
        ({"name": "a/b"}, "no folder name"),
    ],
)
def test_impossible_settings_are_found_out_before_anything_is_read(
    tmp_path: Path, settings: dict[str, Any], what: str
) -> None:
    write(tmp_path / "broken.parquet", b"never read")
    with pytest.raises((ConfigError, RunError), match=what):
        gesture_maker.compare(tmp_path / "broken.parquet", runs=tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()


# Whose folder


@pytest.fixture
def quick(table: Path, tmp_path: Path, no_pictures: None) -> Any:  # noqa: ARG001
    """Compare nearest neighbours, with other arguments."""

    def run(**changes: Any) -> Comparison:
        about: dict[str, Any] = {"kinds": ["nearest-neighbours"], "folds": 2, "runs": tmp_path / "runs", "workers": 1}
        return gesture_maker.compare(table, **about | changes)

    return run


def test_names_of_folders(quick: Any, tmp_path: Path) -> None:
    first = quick()
    assert first.name == "hands-compare"
    assert quick().name == "hands-compare-2"
    before = tree(first.path)
    with pytest.raises(RunError, match='already a comparison "hands-compare"'):
        quick(name="hands-compare")
    write(tmp_path / "runs/mine/notes.txt", "of the user")
    with pytest.raises(RunError, match="is no comparison"):
        quick(name="mine")
    assert tree(first.path) == before
    assert tree(tmp_path / "runs/mine") == {"notes.txt": b"of the user"}


def unfinished(comparison: Comparison, target: Path, keep: int) -> Path:
    """Make what a comparison left that was killed after so many fits, one of which is known by its accuracy."""
    lines = (comparison.path / "fits.jsonl").read_text().splitlines()[: keep + 1]
    known = json.loads(lines[1])
    known["scores"]["accuracy"] = 0.015625
    write(target / "fits.jsonl", "\n".join([lines[0], json.dumps(known), *lines[2:]]) + '\n{"kind": "near')
    return target


def test_an_unfinished_comparison_is_taken_up(quick: Any, tmp_path: Path) -> None:
    whole = quick()
    shutil.move(whole.path, tmp_path / "whole")
    whole = replace(whole, path=tmp_path / "whole")
    folder = unfinished(whole, tmp_path / "runs/hands-compare", 7)
    reported: list[tuple[str, int, int]] = []
    again = quick(progress=lambda *at: reported.append(at))
    assert again.path == folder
    assert next(at for at in reported if at[0] == "searching") == ("searching", 7, 24)
    assert sum(fit.scores.accuracy == 0.015625 for fit in again.fits()) == 1
    assert [stage for stage, _, _ in reported][-1] == "exporting"
    assert not any(path.name.startswith(".") for path in folder.iterdir())

    other = unfinished(whole, tmp_path / "runs/named", 7)
    before = tree(other)
    with pytest.raises(RunError, match="never finished, and is of other hands"):
        quick(name="named", seed=1)
    assert tree(other) == before
    assert quick(name="named").path == other


def test_two_at_once_do_not_write_into_one_folder(quick: Any, tmp_path: Path) -> None:
    from gesture_maker.classifiers.comparison_folder import working_in

    with working_in(tmp_path / "runs/hands-compare"), pytest.raises(RunError, match="by another process"):
        quick()


def test_an_error_in_the_middle_leaves_a_comparison_that_goes_on(quick: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from gesture_maker.classifiers import bundling

    class FullError(GestureMakerError):
        pass

    def full(*_: object, **__: object) -> None:
        raise FullError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(bundling, "bundle_classifier", full)
        with pytest.raises(FullError):
            quick()
    reported: list[tuple[str, int, int]] = []
    done = quick(progress=lambda *at: reported.append(at))
    assert done.name == "hands-compare"
    assert ("searching", 24, 24) in reported
    assert ("searching", 0, 24) not in reported


# The command


@pytest.mark.usefixtures("no_pictures")
def test_the_command_fits_80_columns_and_says_what_to_do_next(
    table: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    arguments = ("--classifier", "nearest-neighbours,", "--classifier", "logistic-regression", "--folds", "2")
    done = cli("compare", table, *arguments, "--features", "both", "--jobs", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    begin = next(number for number, line in enumerate(lines) if "classifier, settings" in line)
    end = next(number for number, line in enumerate(lines) if line.startswith("Percent: "))
    shown = lines[begin:end]
    assert max(map(len, shown)) <= 80
    made = load_comparison(tmp_path / "exported_models/hands-compare")
    for line in made.lines:
        (row,) = (one for one in shown if line.title in one)
        assert f"{100 * line.test.accuracy:.1f}" in row
        assert row.split()[-1] in ("kB", "MB")
    assert f"Winner by cross-validation: {made.winner.title}" in done.stdout
    assert f"on {made.winner.features}" in done.stdout
    assert "Estimate for people like these" in done.stdout
    confused = [(t, a) for t, row in enumerate(made.confusion) for a, n in enumerate(row) if n and t != a]
    assert done.stdout.count(" taken for ") == min(8, len(confused))
    task = "exported_models/hands-compare/gesture_recognizer.task"
    assert f"gesture-maker eval {task} PHOTOS" in done.stdout
    assert f"gesture-maker live {task}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("nowhere",), "There is no dataset nowhere"),
        (("hands.csv",), "lacks the columns"),
        (("few.csv",), "too few to hold a fifth back"),
        (("few.csv", "--classifier", "svm"), 'no classifier "svm"'),
        (("few.csv", "--test", "gone.csv"), "gone.csv"),
    ],
)
def test_bad_input_ends_with_a_sentence(tmp_path: Path, cli: Cli, arguments: tuple[str, ...], what: str) -> None:
    write(tmp_path / "hands.csv", "a,b\n1,2\n")
    header = ",".join([f"{axis}{point}" for point in range(1, 22) for axis in "xyz"] + ["label"])
    hand = gesture_rows(5)[0][:, :63] * [[100, 100, 1] * 21]
    lines = [",".join([*map(str, one), label]) for one, label in zip(hand, ("fist", "ok", "ok"), strict=False)]
    write(tmp_path / "few.csv", "\n".join([header, *lines]) + "\n")
    assert what in one_sentence_error(cli("compare", *arguments, cwd=tmp_path))
    assert not (tmp_path / "exported_models").exists()


def test_an_unknown_choice_of_features_is_wrong_usage(tmp_path: Path, cli: Cli) -> None:
    done = cli("compare", "hands.csv", "--features", "pixels", cwd=tmp_path)
    assert done.returncode == 2
    assert "--features" in done.stderr


@pytest.mark.usefixtures("no_pictures")
def test_ctrl_c_ends_all_processes_without_a_traceback_and_the_same_command_goes_on(
    table: Path, tmp_path: Path, cli: Cli
) -> None:
    shutil.copy(table, tmp_path / "hands.parquet")
    arguments = ("compare", "hands.parquet", "--classifier", "mlp", "--folds", "3", "--jobs", "2")
    process = subprocess.Popen(
        [sys.executable, "-m", "gesture_maker", *arguments],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # a terminal sends Ctrl-C to all processes of the command
    )
    file, begin = tmp_path / "exported_models/hands-compare/fits.jsonl", time.monotonic()
    try:
        while not file.is_file() or len(file.read_text().splitlines()) < 3:
            assert process.poll() is None, "it ended before"
            assert time.monotonic() - begin < PATIENCE
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)  # whoever lives on holds its end open
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, stderr
    (sentence,) = stderr.strip().splitlines()
    assert sentence == (
        'The comparison "hands-compare" was interrupted: what was tried is kept, run the same command again to go on.'
    )
    kept = [line for line in file.read_text().splitlines() if IDENTITY not in line]
    assert 2 <= len(kept) < 18
    assert [path.name for path in file.parent.iterdir()] == ["fits.jsonl"]

    done = cli(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = file.read_text().splitlines()
    assert after[1 : 1 + len(kept)] == kept  # with their times: not done again
    assert len(after) == 1 + 18
    assert load_comparison(file.parent).winner.kind == "mlp"
