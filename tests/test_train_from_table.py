"""Training from a table of landmarks in place of photos, and evaluating on one."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from conftest import CLASSES, QUICK, SPLIT_FLAGS, Cli, Trained
from hands import drawn, drawn_dataset
from helpers import one_sentence_error, photo, tree, write

import gesture_maker
from gesture_maker import steps
from gesture_maker.dataset.splitting import DEFAULT_SHARES
from gesture_maker.errors import ConfigError, DatasetError
from gesture_maker.evaluation.results import GESTURE_RECOGNIZER, ON_LANDMARKS
from gesture_maker.landmarks import csv_table
from gesture_maker.landmarks.hands import NOT_FOUND, NoHand
from gesture_maker.landmarks.looking import Look
from gesture_maker.landmarks.rows import Row, to_arrow
from gesture_maker.training.run import Run
from gesture_maker.training.table_source import read, read_mirrored, run_name, survey

KEY = Look().key()
OTHER_KEY = Look(0.9).key()


def write_rows(path: Path, rows: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(to_arrow(rows), path)
    return path


def row(label: str | None, number: int, answer: NoHand | None = None, key: str = KEY, group: str | None = None) -> Row:
    """Return a row of a drawn hand, another for each number."""
    name = label or "none"
    hand = drawn("four" if name == "none" else name, number % 7, number // 7, 64)[1]
    return Row(f"{label}{number:061d}"[-64:], key, answer or hand, f"{name}/{number}.jpg", label, group)


def table_of(dataset: Path, path: Path) -> Path:
    """Write the table of a dataset's photos, somewhere else, and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return steps.find_landmarks(dataset, out=path).path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def check_same_training(one: Run, other: Run) -> None:
    """Check that two runs hold the same hands, in the same parts, and the same head."""
    assert (one.path / "head_weights.h5").read_bytes() == (other.path / "head_weights.h5").read_bytes()
    with np.load(one.path / "embeddings.npz") as a, np.load(other.path / "embeddings.npz") as b:
        assert set(a) == set(b)
        for name in a:
            assert np.array_equal(a[name], b[name]), name
    assert sorted(map(repr, one.split())) == sorted(map(repr, other.split()))
    same = ("labels", "fingerprint", "photos", "hands", "split", "settings", "warnings")
    assert {name: one.description[name] for name in same} == {name: other.description[name] for name in same}


# The same training


def test_a_table_trains_what_its_photos_train(trained: Trained, tmp_path: Path) -> None:
    table = table_of(trained.dataset, tmp_path / "elsewhere/hands.parquet")
    about = {"shares": DEFAULT_SHARES, "estimate": False, "settings": QUICK, "runs": tmp_path / "runs"}
    done = gesture_maker.train(table, **about)
    assert done.run.name == "hands"
    assert done.run.description["dataset"] == str(table)
    check_same_training(trained.training.run, done.run)
    exported = gesture_maker.export(done.run.path)
    assert exported.sha256 == trained.export.sha256


def test_a_dataset_that_was_trained_on_can_lose_its_photos(trained: Trained, tmp_path: Path) -> None:
    """Its own table knows the names and classes of the photos, with nothing done for it but the training."""
    dataset = shutil.copytree(trained.dataset, tmp_path / "gone")
    (dataset / "landmarks.parquet").unlink()
    about = {"shares": DEFAULT_SHARES, "estimate": False, "settings": QUICK, "runs": tmp_path / "runs"}
    first = gesture_maker.train(dataset, name="photos", **about)
    for label in CLASSES:
        shutil.rmtree(dataset / label)
    second = gesture_maker.train(dataset / "landmarks.parquet", **about)
    assert second.run.name == "gone"  # landmarks would say nothing
    check_same_training(first.run, second.run)


def test_photos_without_a_hand_stay_in_the_table_and_in_the_run(trained: Trained, tmp_path: Path) -> None:
    dataset = shutil.copytree(trained.dataset, tmp_path / "data")
    write(dataset / "victory/no_hand.png", photo(3, ".png", (64, 64)))
    write(dataset / "victory/cut.jpg", b"no image")
    table = table_of(dataset, tmp_path / "data.parquet")
    about = {"shares": DEFAULT_SHARES, "estimate": False, "settings": QUICK, "runs": tmp_path / "runs"}
    photos, rows = gesture_maker.train(dataset, **about), gesture_maker.train(table, **about)
    check_same_training(photos.run, rows.run)
    assert photos.unused is not None
    assert rows.unused is not None
    assert sorted(reason for _, reason in photos.unused) == sorted(reason for _, reason in rows.unused)


def test_the_test_part_may_be_another_table(trained: Trained, tmp_path: Path) -> None:
    others = drawn_dataset(tmp_path / "others", CLASSES, 2)
    table = table_of(others, tmp_path / "others.parquet")
    own = table_of(trained.dataset, tmp_path / "own.parquet")
    runs = [
        gesture_maker.train(data, name=name, test=test, settings=QUICK, estimate=False, runs=tmp_path / "runs").run
        for name, data, test in (("pp", trained.dataset, others), ("tt", own, table), ("pt", trained.dataset, table))
    ]
    check_same_training(runs[0], runs[1])
    check_same_training(runs[0], runs[2])
    assert runs[1].description["hands"]["test"] == 2 * len(CLASSES)


def test_group_by_is_applied_to_the_names_in_the_table(tmp_path: Path) -> None:
    rows = [row(label, number) for label in ("none", "fist") for number in range(6)]
    found = survey(write_rows(tmp_path / "t.parquet", rows), 0.5, r"^(\d)")
    assert len(np.unique(found.unit)) == 6
    assert {image.group for image, _ in read(found)} == set("012345")
    with pytest.raises(ConfigError, match=r"matches no file name, such as 0\.jpg"):
        survey(tmp_path / "t.parquet", 0.5, "person")


# Which rows count


def test_rows_that_are_no_photo_of_the_dataset_do_not_count(tmp_path: Path) -> None:
    kept = [row("none", 0, group="ann"), row("fist", 1), row("fist", 2, NOT_FOUND)]
    others = [
        row(None, 3),
        row("fist", 1, key=f"{KEY}-mirrored"),
        row("fist", 2, NOT_FOUND, f"{KEY}-mirrored"),
        row("fist", 4, key=OTHER_KEY),
    ]
    path = write_rows(tmp_path / "t.parquet", [others[0], kept[0], others[1], kept[1], others[2], kept[2], others[3]])
    found = survey(path, 0.5)
    assert (len(found), found.hands, found.labels) == (3, 2, ["none", "fist"])
    assert found.reasons == {NOT_FOUND.reason: 1}
    assert found.counts() == {"none": 1, "fist": 2}
    assert len(found.warnings) == 1
    assert "1 row of" in found.warnings[0]
    photos = read(found)
    assert [(image.file, image.label, image.group) for image, _ in photos] == [
        ("none/0.jpg", "none", "ann"), ("fist/1.jpg", "fist", None), ("fist/2.jpg", "fist", None)
    ]  # fmt: skip
    assert [image.path for image, _ in photos] == [tmp_path / image.file for image, _ in photos]
    assert [seen.answer == NOT_FOUND for _, seen in photos] == [False, False, True]
    mirrored = read_mirrored(found, {"fist/1.jpg", "fist/2.jpg"})
    assert set(mirrored) == {"fist/1.jpg"}


def test_a_box_does_not_hide_the_settings(tmp_path: Path) -> None:
    rows = [row(label, n, key=f"{KEY}{where}@0.1,0.2,0.3,{n}") for label in ("none", "fist") for n in (1, 2) for where in ("", "-mirrored")]  # fmt: skip
    found = survey(write_rows(tmp_path / "t.parquet", rows), 0.5)
    assert (len(found), found.detection, found.warnings) == (4, KEY, ())
    assert set(read_mirrored(found, {"fist/2.jpg"})) == {"fist/2.jpg"}


def test_landmarks_of_other_settings_are_used_when_there_are_no_better(tmp_path: Path) -> None:
    rows = [row(label, number, key=OTHER_KEY) for label in ("none", "fist") for number in range(2)]
    found = survey(write_rows(tmp_path / "other.parquet", rows), 0.5)
    assert len(found) == 4
    assert "other detection settings than are wanted now" in found.warnings[0]
    assert survey(tmp_path / "other.parquet", 0.9).warnings == ()
    of_csv = [row(label, number, key=csv_table.DETECTION) for label in ("none", "fist") for number in range(2)]
    assert survey(write_rows(tmp_path / "csv.parquet", of_csv), 0.5).warnings == ()
    both = write_rows(tmp_path / "both.parquet", rows + of_csv)
    with pytest.raises(DatasetError, match="2 detection settings"):
        survey(both, 0.5)


def test_one_spelling_of_none_and_no_slash_in_a_class(tmp_path: Path) -> None:
    rows = [
        row("none", 1),
        *(Row(f"{n:064d}", KEY, row("fist", n).answer, f"{n}.jpg", " NONE ", None) for n in range(3)),
    ]
    found = survey(write_rows(tmp_path / "t.parquet", rows), 0.5)
    assert found.counts() == {"none": 4}
    with pytest.raises(DatasetError, match=r"t.parquet cannot be trained from. The class name .* has a slash"):
        survey(write_rows(tmp_path / "t.parquet", [Row("0" * 64, KEY, NOT_FOUND, "a.jpg", "a/b")]), 0.5)


def test_the_order_of_the_rows_does_not_matter_to_the_fingerprint(tmp_path: Path) -> None:
    rows = [row(label, number, group=f"g{number % 2}") for label in ("none", "fist") for number in range(5)]
    first = survey(write_rows(tmp_path / "a.parquet", rows), 0.5)
    second = survey(write_rows(tmp_path / "b.parquet", rows[::-1]), 0.5)
    changed = survey(write_rows(tmp_path / "c.parquet", [*rows[:-1], row("fist", 9)]), 0.5)
    assert first.fingerprint == second.fingerprint != changed.fingerprint


def test_a_table_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    rows = [row(label, number) for label in ("none", "fist") for number in range(5)]
    path = write_rows(tmp_path / "t.parquet", rows)
    for now in (rows[:-1], [*rows, row("fist", 7)]):
        found = survey(write_rows(path, rows), 0.5)
        write_rows(path, now)
        with pytest.raises(DatasetError, match="was changed while it was read"):
            read(found)


def test_run_names(tmp_path: Path) -> None:
    for name in ("rps/landmarks.parquet", "big.parquet", "x.csv"):
        write(tmp_path / name, "")
    names = [run_name(tmp_path / name) for name in ("rps", "rps/landmarks.parquet", "big.parquet", "x.csv")]
    assert names == ["rps", "rps", "big", "x"]


# What a table does not hold


def bad_table(case: str, folder: Path) -> Path:
    none, fist = [row("none", n) for n in range(4)], [row("fist", n) for n in range(4)]
    match case:
        case "no table":
            return write(folder / "t.parquet", "text")
        case "another table":
            pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), folder / "t.parquet")
            return folder / "t.parquet"
        case "no labels":
            return write_rows(folder / "t.parquet", [row(None, n) for n in range(3)])
        case "empty":
            return write_rows(folder / "t.parquet", [])
        case "only none":
            return write_rows(folder / "t.parquet", none)
        case "no hand":
            return write_rows(folder / "t.parquet", [*none, *fist, *(row("four", n, NOT_FOUND) for n in range(3))])
        case "other classes":
            return write_rows(folder / "t.parquet", [*none, *(row("ok", n) for n in range(4))])
        case "neither hand nor reason":
            table = to_arrow([*none, *fist])
            nothing = pyarrow.nulls(len(table), table.schema.field("landmarks").type)
            table = table.set_column(table.schema.names.index("landmarks"), "landmarks", nothing)
            pyarrow.parquet.write_table(table, folder / "t.parquet")
            return folder / "t.parquet"
    raise AssertionError(case)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no table", "t.parquet is no table of landmarks"),
        ("another table", "t.parquet is no table of landmarks"),
        ("no labels", "t.parquet has no row with a label"),
        ("empty", "t.parquet has no row with a label"),
        ("only none", 'has the class "none" only'),
        ("no hand", 'No hand was found in any of the 3 photos of the class "four"'),
        ("neither hand nor reason", "neither a hand nor a reason"),
    ],
)
def test_bad_tables(case: str, message: str, tmp_path: Path, cli: Cli) -> None:
    bad_table(case, tmp_path)
    before = tree(tmp_path)
    assert message in one_sentence_error(cli("train", "t.parquet", cwd=tmp_path))
    assert tree(tmp_path) == before


def test_a_table_of_other_classes_is_no_test(tmp_path: Path, trained: Trained, cli: Cli) -> None:
    bad_table("other classes", tmp_path)
    message = one_sentence_error(cli("train", trained.dataset, "--test", "t.parquet", cwd=tmp_path))
    assert "has classes that" in message


def test_a_table_without_none_needs_made_up_hands(tmp_path: Path, cli: Cli) -> None:
    write_rows(tmp_path / "t.parquet", [row(label, n) for label in ("fist", "ok") for n in range(4)])
    message = one_sentence_error(cli("train", "t.parquet", "--no-background", cwd=tmp_path))
    assert "needs made-up hands" in message
    done = cli("train", "t.parquet", "--epochs", "1", "--steps-per-epoch", "2", "--no-estimate", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Run.load(tmp_path / "exported_models/t").labels == ("none", "fist", "ok")


def test_other_files_get_the_advice_they_got(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path / "a.zip", b"PK")
    write(tmp_path / "notes.txt", "text")
    assert "a.zip is a zip: collect it first" in one_sentence_error(cli("train", "a.zip", cwd=tmp_path))
    assert "notes.txt is a file: a dataset is a folder" in one_sentence_error(cli("train", "notes.txt", cwd=tmp_path))


# From a CSV of landmarks


def test_a_csv_of_landmarks_trains_and_evaluates(shared: Path, tmp_path: Path, cli: Cli) -> None:
    shutil.copy(shared / "data/hagrid_style_landmarks.csv", tmp_path / "digits.csv")
    done = cli("train", "digits.csv", "--steps-per-epoch", "20", "--epochs", "5", "--no-estimate", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = Run.load(tmp_path / "exported_models/digits")
    assert run.labels == ("none", *"123456789")
    assert sum(run.description["hands"].values()) >= 1192
    assert cli("export", "digits", cwd=tmp_path).returncode == 0
    done = cli("eval", "digits", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "on landmarks, not through GestureRecognizer" in done.stdout
    metrics = json.loads((run.path / "evaluation/test/metrics.json").read_text())
    assert metrics["accuracy"] > 0.8


# Evaluating on landmarks


def answers_of(folder: Path) -> dict[str, tuple[str, str, str]]:
    return {r["file"]: (r["answer"], r["canned"], r["reason"]) for r in rows_of(folder / "predictions.csv")}


def scores_of(folder: Path) -> dict[str, float]:
    return {r["file"]: float(r["score"]) for r in rows_of(folder / "predictions.csv")}


def test_a_table_gets_the_answers_that_its_photos_get(workspace: Path, cli: Cli) -> None:
    photos = shutil.copytree(workspace / "datasets/small", workspace / "photos")
    write(photos / "victory/no_hand.png", photo(3, ".png", (64, 64)))
    table = table_of(photos, workspace / "hands.parquet")
    on_photos, on_rows = cli("eval", "first", photos, cwd=workspace), cli("eval", "first", table, cwd=workspace)
    assert (on_photos.returncode, on_rows.returncode) == (0, 0), on_rows.stderr
    place = workspace / "exported_models/first/evaluation"
    assert answers_of(place / "hands") == answers_of(place / "photos")
    expected = scores_of(place / "photos")
    made_sure = [f for f, (answer, _, _) in answers_of(place / "photos").items() if answer not in ("", "none")]
    assert len(made_sure) > 10
    assert all(abs(scores_of(place / "hands")[file] - expected[file]) < 1e-4 for file in made_sure)
    metrics = {name: json.loads((place / name / "metrics.json").read_text()) for name in ("hands", "photos")}
    assert metrics["hands"]["confusion"] == metrics["photos"]["confusion"]
    assert (metrics["photos"]["asked"], metrics["hands"]["asked"]) == (GESTURE_RECOGNIZER.on_photos, ON_LANDMARKS)
    assert metrics["hands"]["latency_milliseconds"] == {"p50": None, "p95": None}
    assert metrics["hands"]["no_hand"] == 1
    assert "on landmarks, not through GestureRecognizer" in on_rows.stdout
    assert "Latency" not in on_rows.stdout
    assert "GestureRecognizer:" not in on_photos.stdout
    assert "The run was trained on" in on_rows.stdout


def test_canned_gestures_answer_on_landmarks_too(trained: Trained, shared: Path, tmp_path: Path) -> None:
    """With Google's embedder, a head that knows `none` alone leaves all answers to the canned classifier."""
    from hands import answering, make_bundle

    bundle = tmp_path / "g.task"
    bundle.write_bytes(make_bundle(answering([0.9, 0.1]), ["None", "open_palm"], "mediapipe", shared / "assets"))
    table = table_of(trained.dataset, tmp_path / "hands.parquet")
    for canned in (True, False):
        one = gesture_maker.evaluate(bundle, trained.dataset, canned=canned, out=tmp_path / f"photos{canned}")
        other = gesture_maker.evaluate(bundle, table, canned=canned, out=tmp_path / f"rows{canned}")
        assert answers_of(one.folder) == answers_of(other.folder)
        assert any(prediction.canned for prediction in other.predictions) == canned
    assert one.asked != other.asked


def test_a_run_from_a_table_is_tested_on_photos_where_they_are(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    dataset = shutil.copytree(trained.dataset, tmp_path / "small")
    arguments = ("--epochs", "1", "--steps-per-epoch", "5", *SPLIT_FLAGS)
    assert cli("train", dataset / "landmarks.parquet", *arguments, cwd=tmp_path).returncode == 0
    assert cli("export", "small", cwd=tmp_path).returncode == 0
    on_photos = cli("eval", "small", cwd=tmp_path)
    assert "Latency" in on_photos.stdout
    folder = tmp_path / "exported_models/small/evaluation/test"
    first = answers_of(folder)
    hidden = tmp_path / "hidden"
    dataset.rename(hidden)
    on_rows = cli("eval", "small", cwd=tmp_path)
    assert on_rows.returncode == 0, on_rows.stderr
    assert "on landmarks, not through GestureRecognizer" in on_rows.stdout
    assert answers_of(folder) == first
    # Some of them gone is not the same as none of them there.
    hidden.rename(dataset)
    (dataset / next(iter(first))).unlink()
    assert "is gone: put it back" in one_sentence_error(cli("eval", "small", cwd=tmp_path))


def test_a_table_of_unknown_classes_is_refused(workspace: Path, cli: Cli) -> None:
    write_rows(workspace / "t.parquet", [row("ok", n) for n in range(3)])
    message = one_sentence_error(cli("eval", "first", "t.parquet", cwd=workspace))
    assert "knows none of the classes of these photos (ok)" in message
