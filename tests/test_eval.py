"""Evaluation: the runtime's answers to photos, what is counted and what is written down, and bad input."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, QUICK, Cli, Trained
from helpers import environment, one_sentence_error, photo, tree, write
from PIL import Image

import gesture_maker
from gesture_maker.bundle.task import read_task, write_task
from gesture_maker.errors import DatasetError
from gesture_maker.evaluation.evaluate import COLUMNS
from gesture_maker.training.run import Run


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def check_consistent(folder: Path) -> dict[str, object]:
    """Check that metrics.json says what predictions.csv says, and return it."""
    metrics = json.loads((folder / "metrics.json").read_text())
    rows = rows_of(folder)
    assert list(rows[0]) == list(COLUMNS)
    right = [row["answer"] == row["label"] and row["canned"] == "0" for row in rows]
    assert [row["right"] == "1" for row in rows] == right
    found = [row["answer"] != "" for row in rows]
    assert metrics["photos"] == len(rows)
    assert metrics["no_hand"] == found.count(False)
    assert metrics["accuracy"] == pytest.approx(np.mean(right))
    assert metrics["accuracy_where_found"] == pytest.approx(sum(right) / max(1, sum(found)))
    confusion = metrics["confusion"]
    counted = Counter()
    for row, was_found in zip(rows, found, strict=True):
        answer = (row["answer"] + (" (canned)" if row["canned"] == "1" else "")) if was_found else "no hand"
        counted[row["label"], answer] += 1
        assert bool(row["reason"]) != was_found
        assert bool(row["handedness"]) == was_found
    for label, line in zip(confusion["labels"], confusion["counts"], strict=True):
        assert line == [counted[label, answer] for answer in confusion["answers"]]
    assert confusion["answers"][-1] == "no hand"
    for label, numbers in metrics["per_class"].items():
        mine = [r for row, r in zip(rows, right, strict=True) if row["label"] == label]
        assert numbers["support"] == len(mine)
        assert numbers["recall"] == pytest.approx(np.mean(mine) if mine else 0)
        said = [r for row, r in zip(rows, right, strict=True) if row["answer"] == label and row["canned"] == "0"]
        assert numbers["precision"] == pytest.approx(np.mean(said) if said else 0)
    times = [float(row["milliseconds"]) for row in rows if row["milliseconds"] != "0.00"]
    assert metrics["latency_milliseconds"]["p50"] == pytest.approx(np.percentile(times, 50), abs=0.01)
    assert metrics["latency_milliseconds"]["p95"] == pytest.approx(np.percentile(times, 95), abs=0.01)
    with Image.open(folder / "confusion_matrix.png") as picture:
        assert min(picture.size) > 200
    return metrics


# What is asked and what is written


def test_a_run_is_asked_about_exactly_its_test_part(workspace: Path, cli: Cli) -> None:
    done = cli("eval", "first", cwd=workspace)
    assert (done.returncode, done.stderr) == (0, "")
    run = workspace / "exported_models/first"
    metrics = check_consistent(run / "evaluation/test")
    with (run / "split.csv").open(newline="") as file:
        expected = [(row["file"], row["label"]) for row in csv.DictReader(file) if row["part"] == "test"]
    rows = rows_of(run / "evaluation/test")
    assert [(row["file"], row["label"]) for row in rows] == expected
    assert f"Accuracy: {metrics['accuracy']:.4f}" in done.stdout
    assert f"of {len(rows)} photos right" in done.stdout
    for label in CLASSES:
        assert label in done.stdout


def test_photos_without_a_usable_hand_count_as_wrong(workspace: Path, cli: Cli) -> None:
    """The test part of a run has such photos too; here they are in a folder of their own."""
    whole = next((workspace / "datasets/small/victory").glob("*.jpg")).read_bytes()
    images = workspace / "some of them"
    write(images / "victory/1.jpg", whole)
    write(images / "victory/2.jpg", whole[:2000])
    write(images / "none/1.jpg", b"")
    Image.new("RGB", (200, 200), "gray").save(images / "none/2.png")
    write(images / "none/notes.txt", "text")
    done = cli("eval", "first", "some of them", cwd=workspace)
    assert done.returncode == 0, done.stderr
    folder = workspace / "exported_models/first/evaluation/some_of_them"
    metrics = check_consistent(folder)
    assert (metrics["photos"], metrics["no_hand"]) == (4, 3)
    reasons = {row["file"]: row["reason"] for row in rows_of(folder)}
    assert reasons == {
        "victory/1.jpg": "",
        "victory/2.jpg": "the image is damaged or cut short",
        "none/1.jpg": "the file is empty",
        "none/2.png": "no hand found",
    }
    assert "1 file in some of them is no image" in done.stdout
    assert "(no hand in 1)" in done.stdout
    about = (
        "Warning: 2 photos cannot be read and count as wrong, such as none/1.jpg (the file is empty): see predictions"
    )
    assert about in done.stdout


def test_photos_that_were_trained_on_are_told(workspace: Path, cli: Cli) -> None:
    with (workspace / "exported_models/first/split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    trained_on = [row for row in rows if row["part"] in ("train", "validation") and not row["reason"]]
    done = cli("eval", "first", "small", cwd=workspace)
    assert (
        f"The run was trained on {len(trained_on)} of these {len(rows)} photos: the accuracy flatters." in done.stdout
    )
    for row in rows:
        if row["part"] == "test":
            copy = workspace / "others" / row["file"]
            write(copy, (workspace / "datasets/small" / row["file"]).read_bytes())
    for arguments in (["first", "others"], ["first"]):
        done = cli("eval", *arguments, cwd=workspace)
        assert done.returncode == 0, done.stderr
        assert "was trained on" not in done.stdout


def test_a_folder_named_test_is_not_taken_for_the_runs_own_test_part(workspace: Path, cli: Cli) -> None:
    assert cli("eval", "first", cwd=workspace).returncode == 0
    own = tree(workspace / "exported_models/first/evaluation/test")
    shutil.copytree(workspace / "datasets/small", workspace / "of others/test")
    assert cli("eval", "first", "of others/test", cwd=workspace).returncode == 0
    assert tree(workspace / "exported_models/first/evaluation/test") == own
    check_consistent(workspace / "exported_models/first/evaluation/of_others_test")


def test_a_task_file_alone_is_evaluated_beside_it(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    shutil.copy(trained.export.bundle, tmp_path / "mine.task")
    done = cli("eval", "mine.task", trained.dataset, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    metrics = check_consistent(tmp_path / "mine_evaluation/small")
    assert metrics["photos"] == 48
    assert set(tree(tmp_path)) == {
        "mine.task", *(f"mine_evaluation/small/{name}" for name in ("metrics.json", "predictions.csv", "confusion_matrix.png", "report/index.html"))
    }  # fmt: skip
    same = gesture_maker.evaluate(trained.export.bundle, trained.dataset, out=tmp_path / "again")
    assert same.folder == tmp_path / "again"
    assert same.metrics.as_dict() == {name: metrics[name] for name in same.metrics.as_dict()} | {
        "confusion": same.metrics.as_dict()["confusion"]
    }
    assert same.metrics.confusion.tolist() == metrics["confusion"]["counts"]


def test_fail_under(workspace: Path, cli: Cli) -> None:
    accuracy = gesture_maker.evaluate(workspace / "exported_models/first").metrics.accuracy
    assert 0 < accuracy < 1 or accuracy == 1
    assert cli("eval", "first", "--fail-under", str(accuracy), cwd=workspace).returncode == 0
    images = workspace / "wrong"
    shutil.copytree(workspace / "datasets/small/victory", images / "none")
    done = cli("eval", "first", "wrong", "--fail-under", "0.9", cwd=workspace)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "is below 0.9" in done.stderr
    assert (
        workspace / "exported_models/first/evaluation/wrong/metrics.json"
    ).exists()  # the report is there all the same


def test_border_finds_hands_that_fill_the_photo(workspace: Path, shared: Path, cli: Cli) -> None:
    """Real photos of 100x100 pixels, filled by a hand: without a border every sixth shows none (facts, 10)."""
    images = workspace / "digits"
    for digit, label in (("none", "none"), ("5", "open_palm")):
        for path in sorted((shared / f"data/sign_language_digits/test/{digit}").iterdir())[:15]:
            (images / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, images / label / path.name)
    missed = {}
    for flag in ("--border", "--no-border"):
        done = cli("eval", "first", "digits", flag, "--out", flag.strip("-"), cwd=workspace)
        assert done.returncode == 0, done.stderr
        missed[flag] = check_consistent(workspace / flag.strip("-"))["no_hand"]
    assert missed["--border"] == 0
    assert missed["--no-border"] > 0


# Canned gestures and several hands


@pytest.fixture(scope="module")
def with_canned(trained: Trained, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a bundle of Google's embedder whose head answers `None` to nearly everything."""
    folder = tmp_path_factory.mktemp("canned")
    run = gesture_maker.train(
        trained.dataset,
        name="google",
        embedder="mediapipe",
        assets=shared / "assets",
        settings=QUICK
        | {"class_weights": {"none": 100.0, "victory": 0.0, "open_palm": 0.0, "thumbs_up": 0.0}}
        | {"augment": False, "background": False, "layer_widths": []},
        runs=folder / "exported_models",
    ).run
    gesture_maker.export(run.path, assets=shared / "assets")
    shutil.copytree(trained.dataset, folder / "datasets/small")
    return folder


def test_canned_gestures_are_shown_as_such_and_can_be_silenced(with_canned: Path, cli: Cli) -> None:
    done = cli("eval", "google", "small", "--out", "with", cwd=with_canned)
    assert done.returncode == 0, done.stderr
    metrics = check_consistent(with_canned / "with")
    canned = {row["answer"] for row in rows_of(with_canned / "with") if row["canned"] == "1"}
    assert canned <= {"Closed_Fist", "Open_Palm", "Pointing_Up", "Thumb_Down", "Thumb_Up", "Victory", "ILoveYou"}
    assert canned >= {"Victory"}
    assert "Victory (canned)" in metrics["confusion"]["answers"]
    count = sum(row["canned"] == "1" for row in rows_of(with_canned / "with"))
    assert f"{count} photos were answered with one of Google's canned gestures" in done.stdout
    assert f"Answered by: custom {metrics['photos'] - metrics['no_hand'] - count}, canned {count}" in done.stdout
    report = (with_canned / "with/report/index.html").read_text()
    assert (
        report.count("→ <bdi>Victory</bdi> (canned)")
        == Counter(row["answer"] for row in rows_of(with_canned / "with") if row["canned"] == "1")["Victory"]
    )
    assert "custom / canned</span>" in report
    done = cli("eval", "google", "small", "--no-canned", "--out", "without", cwd=with_canned)
    assert done.returncode == 0, done.stderr
    check_consistent(with_canned / "without")
    assert "custom / canned (silenced)" in (with_canned / "without/report/index.html").read_text()
    assert {row["canned"] for row in rows_of(with_canned / "without")} == {"0"}


def test_of_several_hands_the_one_that_makes_a_gesture_counts(workspace: Path, trained: Trained, cli: Cli) -> None:
    """A photo of two hands side by side, of `none` and of another class."""
    rows = [row for row in trained.training.run.split() if row.part == "train"]
    images = workspace / "pairs/thumbs_up"
    images.mkdir(parents=True)
    pictures = {
        label: [np.asarray(Image.open(trained.dataset / row.file)) for row in rows if row.label == label][:4]
        for label in ("none", "thumbs_up")
    }
    for number, pair in enumerate(zip(pictures["none"], pictures["thumbs_up"], strict=True)):
        Image.fromarray(np.concatenate(pair, axis=1)).save(images / f"{number}.png")
    accuracy = {}
    for hands in ("1", "2"):
        done = cli("eval", "first", "pairs", "--num-hands", hands, "--out", hands, cwd=workspace)
        assert done.returncode == 0, done.stderr
        accuracy[hands] = check_consistent(workspace / hands)["accuracy"]
    assert accuracy["2"] >= max(accuracy["1"], 0.75)


def test_confidences_reach_the_runtime(workspace: Path, cli: Cli) -> None:
    done = cli("eval", "first", "--min-hand-detection-confidence", "1", "--out", "sure", cwd=workspace)
    assert done.returncode == 0, done.stderr
    metrics = check_consistent(workspace / "sure")
    assert metrics["no_hand"] == metrics["photos"]


# The yardstick beside the repository


def test_it_agrees_with_the_independent_scorer(shared: Path, tmp_path: Path) -> None:
    """score_task.py looks once, with a border of half the longer side; we look on in other ways where it finds no hand."""
    dataset, images = tmp_path / "train", tmp_path / "photos"
    for part, target, count in (("train", dataset, 14), ("test", images, 15)):
        for label in ("none", "1", "2", "3"):
            (target / label).mkdir(parents=True)
            for path in sorted((shared / f"data/sign_language_digits/{part}/{label}").iterdir())[:count]:
                shutil.copy(path, target / label / path.name)
    settings = {"epochs": 5, "steps_per_epoch": 40}
    run = gesture_maker.train(dataset, name="digits", group_by=r"^p\d+", settings=settings, runs=tmp_path).run
    bundle = gesture_maker.export(run.path).bundle
    # Without TensorFlow, which mediapipe imports for nothing (8 s).
    run_it = "import runpy, sys; sys.modules['tensorflow'] = None; runpy.run_path(sys.argv[1], run_name='__main__')"
    wrapped = "import sys; script = sys.argv[1]; sys.argv = sys.argv[1:]; " + run_it.replace("sys.argv[1]", "script")
    scorer = [sys.executable, "-c", wrapped, str(shared / "baseline/score_task.py"), str(bundle), str(images)]
    with subprocess.Popen(
        scorer, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as theirs:
        ours = gesture_maker.evaluate(bundle, images)
        output = theirs.communicate()[0]
    views = {line["view"]: line for line in map(json.loads, output.splitlines())}
    bordered = views["bordered"]
    assert ours.metrics.photos == bordered["images"] == 60
    right = [round(value * 60) for value in (ours.metrics.accuracy, bordered["end_to_end"])]
    # Only where it finds no hand can the answers differ.
    assert 0 <= right[0] - right[1] <= bordered["no_hand"]
    assert bordered["no_hand"] - (60 - ours.metrics.found) >= right[0] - right[1]
    assert ours.metrics.accuracy >= 0.9
    assert ours.metrics.accuracy > views["as is"]["end_to_end"]


# Bad input


def test_classes_the_bundle_does_not_know(workspace: Path, cli: Cli) -> None:
    images = workspace / "more"
    shutil.copytree(workspace / "datasets/small/victory", images / "fist")
    before = tree(workspace)
    message = one_sentence_error(cli("eval", "first", "more", cwd=workspace))
    assert "knows none of the classes of these photos (fist): its classes are none, open_palm" in message
    assert tree(workspace) == before
    shutil.copytree(workspace / "datasets/small/none", images / "none")
    done = cli("eval", "first", "more", cwd=workspace)
    assert done.returncode == 0
    assert 'Warning: The bundle does not know the class "fist": its photos count as wrong.' in done.stdout
    metrics = check_consistent(workspace / "exported_models/first/evaluation/more")
    assert metrics["per_class"]["fist"]["recall"] == 0
    assert metrics["photos"] == 24


@pytest.mark.parametrize("way", ["gone", "changed"])
def test_bad_input_a_photo_of_the_test_part_is_not_as_it_was(way: str, workspace: Path, cli: Cli) -> None:
    path = Run(
        workspace / "exported_models/first", json.loads((workspace / "exported_models/first/run.json").read_text())
    )
    photo_path = path.test_photos()[3][0]
    if way == "gone":
        photo_path.unlink()
    else:
        write(photo_path, photo())
    before = tree(workspace)
    message = one_sentence_error(cli("eval", "first", cwd=workspace))
    assert f"{photo_path} of the run's test part {'is gone' if way == 'gone' else 'has changed since'}" in message
    assert tree(workspace) == before


IMAGES = {
    "nowhere": "There is no dataset nowhere",
    "flat": "flat has no class folders",
    "file.txt": "file.txt is a file",
    "hollow": "There are no images in hollow",
}


@pytest.mark.parametrize("images", IMAGES)
def test_bad_input_images(images: str, workspace: Path, cli: Cli) -> None:
    write(workspace / "flat/1.jpg", photo())
    write(workspace / "file.txt", "text")
    (workspace / "hollow/none").mkdir(parents=True)
    before = tree(workspace)
    assert IMAGES[images] in one_sentence_error(cli("eval", "first", images, cwd=workspace))
    assert tree(workspace) == before


def test_bad_input_a_run_without_bundle_or_test_part(workspace: Path, cli: Cli) -> None:
    run = workspace / "exported_models/first"
    assert "Name the photos" in one_sentence_error(cli("eval", run / "gesture_recognizer.task", cwd=workspace))
    table = (run / "split.csv").read_text()
    write(run / "split.csv", table.replace(",test,", ",train,"))
    assert 'The run "first" has no test part' in one_sentence_error(cli("eval", "first", cwd=workspace))
    (run / "gesture_recognizer.task").unlink()
    assert "gesture-maker export first" in one_sentence_error(cli("eval", "first", cwd=workspace))
    assert 'no run "second"' in one_sentence_error(cli("eval", "second", cwd=workspace))


def bad_bundles(good: bytes, trained: Trained) -> dict[str, tuple[bytes, str]]:
    bundle = read_task(good)
    head = bundle.custom_gesture_classifier or b""
    without_head = write_task(replace(bundle, custom_gesture_classifier=None))
    scrambled = bytearray(head)
    scrambled[200:5000] = bytes(4800)
    return {
        "empty": (b"", "is empty"),
        "text": (b"not a bundle", "is not a .task bundle (it is no zip)"),
        "photo": (next((trained.dataset / "none").glob("*.jpg")).read_bytes(), "is not a .task bundle (it is no zip)"),
        "cut short": (good[: len(good) // 2], "is cut short or damaged"),
        "begun": (good[:300], "is cut short or damaged"),
        "a model": (head, "is a single TFLite model, not a .task bundle"),
        "lacks a part": (without_part(good), "lacks hand_gesture_recognizer.task"),
        "no custom classifier": (without_head, "no custom gesture classifier"),
        "scrambled head": (write_task(replace(bundle, custom_gesture_classifier=bytes(scrambled))), ""),
        "scrambled embedder": (
            write_task(replace(bundle, gesture_embedder=bytes(4) + b"TFL3" + bytes(999))),
            "cannot load",
        ),
    }


def without_part(good: bytes) -> bytes:
    import io

    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as whole, zipfile.ZipFile(kept, "w", zipfile.ZIP_STORED) as part:
        part.writestr("hand_landmarker.task", whole.read("hand_landmarker.task"))
    return kept.getvalue()


BUNDLES = (
    "empty", "text", "photo", "cut short", "begun", "a model", "lacks a part", "no custom classifier", "scrambled head",
    "scrambled embedder",
)  # fmt: skip


@pytest.mark.parametrize("case", BUNDLES)
def test_bad_input_a_task_file(case: str, trained: Trained, tmp_path: Path, cli: Cli) -> None:
    cases = bad_bundles(trained.export.bundle.read_bytes(), trained)
    assert set(cases) == set(BUNDLES)
    content, message = cases[case]
    write(tmp_path / "bad.task", content)
    before = tree(tmp_path)
    assert message in one_sentence_error(cli("eval", "bad.task", trained.dataset, cwd=tmp_path))
    assert tree(tmp_path) == before


def test_bad_input_no_task_file(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "folder.task").mkdir()
    assert "folder.task is a folder" in one_sentence_error(cli("eval", "folder.task", trained.dataset, cwd=tmp_path))
    assert "There is no file gone.task" in one_sentence_error(cli("eval", "gone.task", trained.dataset, cwd=tmp_path))


def test_bad_input_out_is_a_file(workspace: Path, cli: Cli) -> None:
    write(workspace / "taken", "mine")
    before = tree(workspace)
    one_sentence_error(cli("eval", "first", "--out", "taken", cwd=workspace))
    assert tree(workspace) == before


def test_the_library_raises_what_the_command_prints(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        gesture_maker.evaluate(trained.run, tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())
