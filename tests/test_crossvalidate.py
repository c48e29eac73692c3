"""Cross-validation: no person on both sides, the same training as the final one, and going on where it was interrupted."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, PEOPLE, QUICK, Cli, TrainingNotWantedError
from helpers import tree
from hypothesis import given
from hypothesis import strategies as st

import gesture_maker
from gesture_maker.dataset.manifest import read_manifest, write_manifest
from gesture_maker.embedders.builtin import embed
from gesture_maker.steps import Training
from gesture_maker.training.calibrate import best_temperature
from gesture_maker.training.crossvalidate import (
    CROSS_VALIDATION,
    FOLDS,
    CrossValidation,
    cross_validate,
    load_cross_validation,
    make_folds,
    own_hands,
)
from gesture_maker.training.fitting import fit_head, hands_to_train_on, one_ahead
from gesture_maker.training.run import Run
from gesture_maker.training.session import ENOUGH_TO_TEST

# The folds

hands = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["", *(f"p{n}" for n in range(9))])), min_size=1, max_size=60
)


@given(hands, st.integers(0, 2**32 - 1))
def test_folds_keep_their_promises(some: list[tuple[int, str]], seed: int) -> None:
    classes, groups = np.array([one for one, _ in some], np.int64), [group for _, group in some]
    fold = make_folds(classes, groups, seed)
    units = [group or str(index) for index, group in enumerate(groups)]
    of_class = defaultdict(set)
    for one, unit in zip(classes, units, strict=True):
        of_class[one].add(unit)
    if max(map(len, of_class.values())) < 2:
        assert fold is None
        return
    assert fold is not None
    assert 2 <= len(set(fold)) <= FOLDS
    assert set(fold) <= set(range(FOLDS))
    of_unit = defaultdict(set)
    for number, unit in zip(fold, units, strict=True):
        of_unit[unit].add(number)
    assert all(len(of) == 1 for of in of_unit.values())
    assert np.array_equal(fold, make_folds(classes, groups, seed))


def test_people_and_classes_are_spread_over_the_folds() -> None:
    people = 20
    classes = np.tile(np.arange(5), people * 2)
    groups = [f"p{index}" for index in np.repeat(np.arange(people), 10)]
    fold = make_folds(classes, groups, 0)
    assert fold is not None
    assert Counter(fold.tolist()) == dict.fromkeys(range(FOLDS), people * 10 // FOLDS)
    for one in range(5):
        assert set(np.bincount(fold[classes == one])) == {people * 2 // FOLDS}


def test_jobs_are_done_one_ahead_and_in_order() -> None:
    begun: list[int] = []

    def job(number: int) -> int:
        begun.append(number)
        return number

    with one_ahead([lambda n=n: job(n) for n in range(4)]) as results:  # type: ignore[misc]
        for number, result in enumerate(results):
            assert result == number
            assert len(begun) <= number + 2
    assert begun == [0, 1, 2, 3]
    with one_ahead([]) as results:
        assert list(results) == []
    with pytest.raises(ZeroDivisionError), one_ahead([lambda: 1 / 0]) as failing:
        next(failing)


# A run of few photos


def found(training: Training) -> CrossValidation:
    result = load_cross_validation(training.run)
    assert result is not None
    return result


def test_every_hand_is_asked_about_once_by_a_head_that_saw_none_of_its_person(estimated: Training) -> None:
    result = found(estimated)
    assert result.scores.shape == (len(CLASSES) * PEOPLE * 2, len(CLASSES))
    assert result.tested.all()
    np.testing.assert_allclose(result.scores.sum(axis=1), 1, atol=1e-5)
    run = estimated.run
    own = own_hands(run)
    number = int(result.fold[0])
    train = result.fold != number
    others = {group for group, is_trained in zip(result.groups, train, strict=True) if is_trained}
    assert others.isdisjoint(group for group, is_trained in zip(result.groups, train, strict=True) if not is_trained)
    mirrored = own.mirrored.take(train) if own.mirrored is not None else None
    data = hands_to_train_on(run, embed, own.hands.take(train), mirrored, own.embedded.classes[train])
    head, history = fit_head(run, data, None, run.path.parent / "by_hand")
    assert len(history) == QUICK["epochs"]
    np.testing.assert_array_equal(head.scores(own.embedded.embeddings[~train]), result.scores[~train])


def test_rows_are_the_photos_that_the_scores_are_of(estimated: Training, drawn: Path) -> None:
    rows = read_manifest(drawn)
    for row, index in zip(found(estimated).rows, found(estimated).classes, strict=True):
        assert rows[row.file].sha256 == row.sha256
        assert rows[row.file].label == row.label == CLASSES[index]
        assert rows[row.file].group == row.group


def test_the_estimate_is_in_metrics_json(estimated: Training) -> None:
    metrics = json.loads((estimated.run.path / "metrics.json").read_text())
    result = found(estimated)
    right = np.argmax(result.scores, axis=1) == result.classes
    assert metrics["cross_validation"]["accuracy"] == metrics["estimate"]["accuracy"] == pytest.approx(right.mean())
    assert metrics["cross_validation"]["photos"] == metrics["estimate"]["hands"] == len(right)
    assert metrics["estimate"]["groups"] == PEOPLE
    assert metrics["estimate"]["low"] < right.mean() <= metrics["estimate"]["high"]
    assert metrics["estimate"]["effective"] <= len(right)
    assert estimated.estimate is not None
    assert list(estimated.estimate.sentences) == metrics["estimate"]["sentences"]


def test_calibration_learns_from_hands_that_were_not_trained_on(estimated: Training) -> None:
    result = found(estimated)
    logits = np.log(np.maximum(result.scores, 1e-12))
    expected = best_temperature(logits, result.classes)
    assert estimated.run.description["calibration"]["temperature"] == pytest.approx(expected)


def test_the_same_data_and_seed_give_the_same_weights(estimated: Training, drawn: Path, tmp_path: Path) -> None:
    """With other names of photos, which decide nothing."""
    renamed = shutil.copytree(drawn, tmp_path / "renamed")
    rows = []
    for index, row in enumerate(sorted(read_manifest(renamed).values(), key=lambda row: row.sha256)):
        file = f"{row.label}/{index}.jpg"
        (renamed / row.file).rename(renamed / file)
        rows.append(type(row)(file, row.label, row.source, row.group, row.sha256, row.added))
    write_manifest(renamed, rows)
    again = gesture_maker.train(renamed, name="again", settings=QUICK, runs=tmp_path).run
    assert again.description["weights_sha256"] == estimated.run.description["weights_sha256"]


# Interrupted


def interrupted(drawn: Path, runs: Path, at: int) -> Run:
    """Return a run whose cross-validation was interrupted after so many epochs of all folds."""

    def progress(stage: str, done: int, _: int) -> None:
        if (stage, done) == ("cross-validation", at):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="--resume"):
        gesture_maker.train(drawn, name="first", settings=QUICK, runs=runs, progress=progress)
    return Run.load(runs / "first")


def test_an_interrupted_cross_validation_goes_on_with_the_next_fold(
    estimated: Training, drawn: Path, tmp_path: Path
) -> None:
    epochs = QUICK["epochs"]
    run = interrupted(drawn, tmp_path, 2 * epochs + 1)
    assert not list(run.path.glob("checkpoints/*"))
    with np.load(run.path / CROSS_VALIDATION) as arrays:
        assert arrays["done"].tolist() == [True, True, False, False, False]
    assert load_cross_validation(run) is None
    seen = []
    training = gesture_maker.resume(
        run.path, progress=lambda stage, done, _: seen.append(done) if stage == "cross-validation" else None
    )
    assert seen == list(range(2 * epochs, FOLDS * epochs + 1))
    np.testing.assert_array_equal(found(training).scores, found(estimated).scores)
    assert training.run.description["weights_sha256"] == estimated.run.description["weights_sha256"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_none(content: bytes, estimated: Training, drawn: Path, tmp_path: Path) -> None:
    run = interrupted(drawn, tmp_path, QUICK["epochs"] + 1)
    (run.path / CROSS_VALIDATION).write_bytes(content)
    first: list[int] = []

    def progress(done: int, _: int) -> None:
        first.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(run, embed, progress)
    assert first == [0]
    assert found(estimated).tested.all()


# What cannot be known


def regrouped(drawn: Path, folder: Path, group_of: dict[str, str]) -> Path:
    """Return a copy of the dataset in which the photos of some classes all have one group."""
    shutil.copytree(drawn, folder)
    rows = [
        type(row)(row.file, row.label, row.source, group_of.get(row.label, row.group), row.sha256, row.added)
        for row in read_manifest(folder).values()
    ]
    write_manifest(folder, rows)
    return folder


def test_a_class_of_one_person_is_not_tested_and_that_is_said(drawn: Path, tmp_path: Path, cli: Cli) -> None:
    regrouped(drawn, tmp_path / "datasets/small", {"victory": "person1"})
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
    done = cli("train", "small", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '12 hands of the class "victory" could not be tested' in done.stdout
    run = Run.load(tmp_path / "exported_models/small")
    result = load_cross_validation(run)
    assert result is not None
    assert {row.label for row, known in zip(result.rows, result.tested, strict=True) if not known} == {"victory"}
    assert json.loads((run.path / "metrics.json").read_text())["cross_validation"]["photos"] == 36
    assert f"by cross-validation over {PEOPLE} groups (people or bursts)." in done.stdout
    assert "cross-validation: " in done.stdout


@pytest.mark.parametrize(
    ("group_of", "sentence"),
    [
        (
            dict.fromkeys(CLASSES, "me"),
            "All photos are of one person or burst: how well it does for others cannot be known",
        ),
        ({label: label for label in CLASSES}, "All photos of each class are of one person or burst"),
    ],
)
def test_with_one_group_nothing_can_be_known(
    group_of: dict[str, str], sentence: str, drawn: Path, tmp_path: Path
) -> None:
    dataset = regrouped(drawn, tmp_path / "small", group_of)
    training = gesture_maker.train(dataset, settings=QUICK, runs=tmp_path / "runs")
    assert training.estimate is not None
    assert training.estimate.interval is None
    assert training.estimate.sentences[0].startswith(sentence)
    assert "Photograph 3 more people" in training.estimate.sentences[0]
    assert not (training.run.path / CROSS_VALIDATION).exists()
    assert training.run.description["calibration"]["margin"] == 0


@pytest.mark.usefixtures("no_training")
def test_it_is_done_where_the_test_part_is_small_and_never_on_that_of_another_folder(
    drawn: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingNotWantedError) as stopped:
        gesture_maker.train(drawn, shares=(80, 10, 10), runs=tmp_path)
    about = stopped.value.run.description
    assert about["hands"]["test"] < ENOUGH_TO_TEST
    assert about["estimate"] is True
    assert len(own_hands(stopped.value.run).rows) == 48
    other = shutil.copytree(drawn, tmp_path / "other")
    for label in CLASSES:
        for path in sorted((drawn / label).glob("*.jpg"))[:1]:
            (other / label / f"again_{path.name}").write_bytes(path.read_bytes() + b"x")
    with pytest.raises(TrainingNotWantedError) as stopped:
        gesture_maker.train(drawn, test=other, runs=tmp_path)
    about = stopped.value.run.description
    assert about["hands"]["test"] == 52
    assert about["estimate"] is False
    assert len(own_hands(stopped.value.run).rows) == 48


def test_the_file_names_the_photos(estimated: Training) -> None:
    with np.load(estimated.run.path / CROSS_VALIDATION) as arrays:
        assert set(arrays.files) == {"scores", "done", "identity", "fold", "classes", "files", "groups"}
        assert arrays["files"].tolist() == [row.file for row in found(estimated).rows]
    assert CROSS_VALIDATION in tree(estimated.run.path)
