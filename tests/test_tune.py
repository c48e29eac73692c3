"""The search for settings: what is tried, how it is judged, what it leaves, and that `train` takes it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import Cli
from helpers import one_sentence_error, tree
from hypothesis import given, settings
from hypothesis import strategies as st
from tunings import LABELS, QUICK, table_of_hands

from gesture_maker.classifiers import tune_space, tune_verdict, tuning
from gesture_maker.classifiers.tune_config import write_config
from gesture_maker.classifiers.tune_hands import load_tuning_hands, look_for_hands
from gesture_maker.classifiers.tune_space import (
    SPACE,
    Choice,
    Range,
    check_space,
    distributions,
    own_parameters,
    recipe_for,
    settings_of,
)
from gesture_maker.classifiers.tune_study import Study
from gesture_maker.classifiers.tune_trial import CrossValidator
from gesture_maker.classifiers.tune_verdict import Outcome, best_few, judge
from gesture_maker.classifiers.tune_workers import Workers
from gesture_maker.classifiers.tuned import Tuning, Verdict, load_tuning
from gesture_maker.errors import ConfigError, DatasetError, RunError
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE
from gesture_maker.steps import Training
from gesture_maker.training.calibrate import best_temperature
from gesture_maker.training.config import TrainConfig
from gesture_maker.training.crossvalidate import load_cross_validation
from gesture_maker.training.recipe import make_recipe

WIDE = {"learning_rate": Choice((1e-6, 0.001, 0.05, 1e12))}
"""From where nothing is learned to where no loss is finite."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table_of_hands(tmp_path_factory.mktemp("table") / "hands.parquet", people=4, each=1)


@pytest.fixture(scope="module")
def wide(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuning:
    """A finished search with two workers over settings of which many are bad; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune_space, "FIXED", QUICK)
        patch.setattr(tune_space, "SPACE", WIDE)
        patch.setattr(tune_verdict, "BEST_FEW", 2)
        patch.setattr(tune_verdict, "COMPARING", (2,))
        return tuning.tune(table, name="wide", trials=8, workers=2, runs=tmp_path_factory.mktemp("wide"))


# What is tried


def parameters() -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy of Optuna's parameters within the space."""
    one = {
        name: st.sampled_from(values.values)
        if isinstance(values, Choice)
        else st.integers(int(values.low), int(values.high))
        if values.whole
        else st.floats(values.low, values.high)
        for name, values in SPACE.items()
    }
    return st.fixed_dictionaries(one)


@given(parameters(), st.integers(2, 20_000))
def test_every_setting_of_the_space_can_be_written_read_and_trained_with(chosen: Any, hands: int) -> None:
    settings = settings_of(chosen, SPACE)
    read = TrainConfig.from_file_and_flags(None, yaml.safe_load(yaml.safe_dump(settings)))
    assert read.settings == settings
    recipe = recipe_for(settings, hands, list(LABELS))
    usual = recipe_for({}, hands, list(LABELS))
    assert (recipe.mirror, recipe.background) == (usual.mirror, usual.background)
    # As many hands are shown in all as by the recipe itself, or each in every epoch, but for the rounding to whole steps.
    epochs, batch = recipe.hparams.epochs, recipe.hparams.batch_size
    assert recipe.hparams.steps_per_epoch is not None
    shown = recipe.hparams.steps_per_epoch * epochs * batch
    assert 0 <= shown - max(500 * 256, hands * epochs) < (epochs + 1) * batch


def test_the_space_holds_the_recipes_own_settings() -> None:
    recipe = make_recipe("auto", {}, 100, list(LABELS))
    own = own_parameters(recipe, SPACE)
    for name, distribution in distributions(SPACE).items():
        assert distribution._contains(distribution.to_internal_repr(own[name])), name
    assert make_recipe("auto", settings_of(own, SPACE), 100, list(LABELS)) == recipe


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": Range(-1, 1)}, {"widths": Choice((1,))}, {"mirror": Choice(("x",))}]
)
def test_a_space_that_train_would_not_take_is_refused(wrong: Any) -> None:
    check_space(SPACE)
    with pytest.raises(ConfigError):
        check_space(wrong)


# How it is tried


def test_a_trial_trains_as_train_does(estimated: Training, drawn: Path, tmp_path: Path) -> None:
    """The recipe's own settings, on the same hands: the answers are those of the run's own cross-validation."""
    found = load_cross_validation(estimated.run)
    assert found is not None
    hands = look_for_hands(drawn, group_by=None, min_detection_confidence=MIN_DETECTION_CONFIDENCE, progress=None)
    *_, last = CrossValidator(hands, tmp_path).answers({"epochs": 3, "steps_per_epoch": 20}, 0)
    assert [row.sha256 for row in found.rows] == list(hands.hands.shas)
    assert (hands.fold(0) == found.fold).all()
    assert (last.right == (found.scores.argmax(axis=1) == found.classes)).all()
    logits = np.log(np.maximum(found.scores, 1e-12))
    logits = logits / best_temperature(logits, found.classes)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(logits)), found.classes]
    assert last.losses == pytest.approx(losses, abs=1e-4)
    assert last.loss == pytest.approx(losses.mean(), abs=1e-4)
    assert len(last.fold_losses) == hands.folds()


def test_hands_come_back_from_the_file_of_a_search(table: Path, tmp_path: Path) -> None:
    hands = look_for_hands(table, group_by=r"p\d+_f", min_detection_confidence=MIN_DETECTION_CONFIDENCE, progress=None)
    hands.save(tmp_path / "hands.npz", {"more": 1})
    back, about = load_tuning_hands(tmp_path)
    assert about == {"more": 1}
    assert (back.hands.labels, back.hands.groups, back.hands.files) == (
        hands.hands.labels,
        hands.hands.groups,
        hands.hands.files,
    )
    assert (back.fingerprint, back.hands.fingerprint) == (hands.fingerprint, hands.hands.fingerprint)
    assert np.array_equal(back.mirrored, hands.mirrored)
    content = (tmp_path / "hands.npz").read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"no archive"):
        (tmp_path / "hands.npz").write_bytes(damaged)
        with pytest.raises(RunError, match=r"hands\.npz is missing or damaged"):
            load_tuning_hands(tmp_path)


def test_hands_of_one_person_cannot_be_tuned_on(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="none can be held back"):
        tuning.tune(table_of_hands(tmp_path / "one.parquet", people=1), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


# What a search leaves


def test_two_workers_make_one_study(wide: Tuning) -> None:
    assert [trial.number for trial in wide.trials] == list(range(8))
    assert wide.trials[0].settings == {}
    assert wide.trials[0].state == "complete"
    overlaps = [
        (one.number, other.number)
        for one in wide.trials
        for other in wide.trials
        if one.began < other.began < one.began + one.seconds
    ]
    assert overlaps  # both worked at the same time
    assert wide.warnings == ()


def test_bad_trials_are_pruned_and_hopeless_ones_fail_without_ending_the_search(wide: Tuning) -> None:
    states = {state: [one for one in wide.trials if one.state == state] for state in ("complete", "pruned", "failed")}
    assert all(states.values()), [(one.settings, one.state) for one in wide.trials]
    for trial in wide.trials:
        assert (trial.loss is not None) == (trial.accuracy is not None) == (trial.state == "complete")
    assert {len(one.fold_losses) for one in states["pruned"]} == {3}
    assert all(one.fold_losses == () for one in states["failed"])
    for trial in states["complete"]:
        assert len(trial.fold_losses) == 4
        assert trial.loss is not None
        assert trial.loss == pytest.approx(np.mean(trial.fold_losses))  # the folds are of as many hands each
    assert max(one.settings["learning_rate"] for one in states["pruned"]) < min(
        one.settings["learning_rate"] for one in states["failed"]
    )


def test_a_search_is_read_as_it_was_written(wide: Tuning) -> None:
    assert load_tuning(wide.path) == wide
    assert {"study.db", "hands.npz", "tuning.json", "config.yaml"} <= {path.name for path in wide.path.iterdir()}
    assert wide.best in [0, *best_few(wide.trials)]


def test_the_same_call_again_makes_nothing_twice(wide: Tuning, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune_space, "FIXED", QUICK)
    monkeypatch.setattr(tune_space, "SPACE", WIDE)
    before = tree(wide.path)
    again = tuning.tune(table, name="wide", trials=8, runs=wide.path.parent)
    assert again == wide
    assert {name: content for name, content in tree(wide.path).items() if name != "study.db"} == {
        name: content for name, content in before.items() if name != "study.db"
    }
    for other in ({"seed": 1}, {"min_detection_confidence": 0.6}):
        with pytest.raises(RunError, match="is of other hands or has other settings: choose another --name"):
            tuning.tune(table, name="wide", runs=wide.path.parent, **other)


def test_a_worker_is_killed_and_where_nothing_can_be_better_nothing_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    """Classes drawn by lot, and settings that are the recipe's own but for a rounding."""
    monkeypatch.setattr(tune_space, "FIXED", QUICK)
    monkeypatch.setattr(tune_space, "SPACE", {"lr_decay": Range(0.8799, 0.8801)})
    monkeypatch.setattr(tune_verdict, "COMPARING", (2,))
    started: list[Workers] = []

    class Seen(Workers):
        def __enter__(self) -> Workers:
            started.append(self)
            return super().__enter__()

    monkeypatch.setattr(tuning, "Workers", Seen)
    killed: list[int] = []

    def kill_one(stage: str, done: int, _: int) -> None:
        if stage == "tuning" and done == 1 and not killed:
            killed.extend(started[0].pids)
            os.kill(killed[0], signal.SIGKILL)

    data = table_of_hands(tmp_path / "noise.parquet", people=2, noise=True)
    done = tuning.tune(data, trials=2, workers=1, runs=tmp_path / "exported_models", progress=kill_one)
    assert killed
    assert [trial.number for trial in done.trials] == [0, 1]
    assert all(trial.state == "complete" for trial in done.trials)
    assert done.warnings == ("The process of trial 1 was ended by SIGKILL: its settings were tried again.",)

    assert done.name == "noise-tune"
    assert not done.verdict.better
    assert set(done.verdict.best) == set(done.verdict.default) == {"loss", "accuracy"}
    assert yaml.safe_load(done.config.read_text()) is None
    assert TrainConfig.from_file_and_flags(done.config, {}) == TrainConfig()

    told = cli("tune", "--resume", "noise-tune", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    for sentence in (done.verdict.sentence, "Warning: The process of trial 1", "the recipe's own"):
        assert sentence in told.stdout
    assert f"gesture-maker train {data}\n" in told.stdout


def test_a_study_lies_in_any_folder_and_says_when_it_is_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "50% {off}? #é x"
    folder.mkdir()
    Study.create(folder, SPACE, 0, own_parameters(make_recipe("auto", {}, 100, list(LABELS)), SPACE))
    assert (folder / "study.db").is_file()
    study = Study(folder, SPACE, 0)
    assert study.ask() == (0, {})
    assert study.left(3) == 2
    study.close()
    (folder / "study.db").write_bytes(b"no database" * 1000)
    with pytest.raises(RunError, match=r"study\.db cannot be read or written"):
        Study(folder, SPACE, 0)


def fourteen_trials(interrupted: frozenset[int]) -> list[Any]:
    """Return what a study tries whose loss is known beforehand, when it is killed in the middle of some of its trials."""
    space = {"gamma": SPACE["gamma"], "augment": SPACE["augment"]}
    own = own_parameters(make_recipe("auto", {}, 100, list(LABELS)), space)
    with tempfile.TemporaryDirectory() as name:
        Study.create(Path(name), space, 3, own)
        study = Study(Path(name), space, 3)
        for done in range(14):
            number, chosen = study.ask()
            if done in interrupted:
                study.report(number, [1.0])
                study.close()
                study = Study(Path(name), space, 3)
                study.take_up()
                assert study.left(14) == 14 - done
                number, again = study.ask()
                assert again == chosen
            loss = abs(chosen.get("gamma", 2.0) - 1.0)
            study.report(number, [loss])
            study.end(number, {"kind": "done", "loss": loss, "accuracy": 0.5})
        trials = study.trials()
        study.close()
    assert len({one.number for one in trials}) == 14
    return [one.settings for one in trials]


uninterrupted = cache(partial(fourteen_trials, frozenset()))


@settings(max_examples=2)
@given(st.frozensets(st.integers(0, 13), min_size=1, max_size=3))
def test_a_search_that_goes_on_tries_what_it_would_have_tried(interrupted: frozenset[int]) -> None:
    """Also past the trials that are drawn at random, and wherever it was interrupted."""
    assert uninterrupted()[0] == {}
    assert fourteen_trials(interrupted) == uninterrupted()


# Whether it is better


def outcome(losses: Any, right: Any, alarms: float = 0.1) -> Outcome:
    return Outcome(np.asarray(losses, float), np.asarray(right, bool), alarms)


def drawn_outcomes(rng: np.random.Generator, hands: int, accuracy: float, scale: float) -> list[Outcome]:
    return [outcome(rng.exponential(scale, hands), rng.random(hands) < accuracy) for _ in range(2)]


def test_what_is_no_better_is_seldom_called_better() -> None:
    rng, hands = np.random.default_rng(0), 120
    units = np.repeat(np.arange(20), 6)
    better = 0
    for _ in range(300):
        one, other = (drawn_outcomes(rng, hands, 0.95, 0.1) for _ in range(2))
        better += judge(1, one, other, units).better
    assert better / 300 < 0.05  # 0.025 by the interval of the loss alone


def test_a_verdict_needs_a_lower_loss_no_lower_accuracy_and_no_more_false_alarms() -> None:
    rng, hands = np.random.default_rng(0), 400
    units = np.repeat(np.arange(40), 10)
    default = [outcome(rng.exponential(0.2, hands), rng.random(hands) < 0.9) for _ in range(2)]
    halved = [outcome(one.losses / 2, one.right) for one in default]
    assert judge(7, default, default, units).better is False
    found = judge(7, halved, default, units)
    assert found.better
    assert found.sentence.startswith(
        "Trial 7 beats the recipe's own settings on folds that the search did not see: loss 0."
    )
    assert found.best["loss"] == pytest.approx(found.default["loss"] / 2)
    worse = [outcome(one.losses, one.right & (np.arange(hands) != np.flatnonzero(one.right)[0])) for one in halved]
    assert "recognizes fewer hands" in judge(7, worse, default, units).sentence
    louder = [outcome(one.losses, one.right, 0.2) for one in halved]
    assert "answers 10.0 % more of the made-up hands" in judge(7, louder, default, units).sentence
    assert judge(7, halved, halved, units).sentence.startswith(
        "The recipe's own settings stay: trial 7, the best found"
    )
    failed = [Outcome.of({"kind": "failed", "sentence": "x"}), halved[1]]
    assert judge(7, failed, default, units).better is False


def test_train_takes_the_file_of_a_search(wide: Tuning, table: Path, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "found"
    folder.mkdir()
    settings = {"learning_rate": 0.0131, "gamma": 0.5, "layer_widths": [64, 32], "dropout_rate": 0.1}
    trials = (wide.trials[0], replace(wide.trials[1], settings=settings))
    sentence = "Trial 1 beats it:\n loss 0.1 # instead of 0.2."
    verdict = Verdict({}, {}, True, sentence)
    write_config(replace(wide, path=folder, trials=trials, best=1, verdict=verdict))
    text = (folder / "config.yaml").read_text()
    assert "# Trial 1 beats it:" in text
    done = cli("train", table, "--config", folder / "config.yaml", "--no-estimate", "--name", "tuned", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "exported_models/tuned/run.json").read_text())["settings"]
    assert about["hparams"]["learning_rate"] == 0.0131
    assert about["hparams"]["gamma"] == 0.5
    assert about["model_options"] == {"dropout_rate": 0.1, "layer_widths": [64, 32]}
    assert about["hparams"]["epochs"] == 1


# The command


def test_what_cannot_be_is_said_before_anything_is_looked_at(table: Path, tmp_path: Path, cli: Cli) -> None:
    for wrong in (["--trials", "0"], ["--timeout", "0"], ["--timeout", "nan"], ["--workers", "0"], ["--seed", "-1"]):
        assert "has to be" in one_sentence_error(cli("tune", table, *wrong, cwd=tmp_path))
    assert "There is no search" in one_sentence_error(cli("tune", "--resume", "nothing", cwd=tmp_path))
    for usage in ([], [table, "--resume", "x"], ["--resume", "x", "--seed", "1"]):
        assert cli("tune", *usage, cwd=tmp_path).returncode == 2
    (tmp_path / "exported_models/taken").mkdir(parents=True)
    assert "exists and is no search" in one_sentence_error(cli("tune", table, "--name", "taken", cwd=tmp_path))
    assert [path.name for path in (tmp_path / "exported_models").iterdir()] == ["taken"]
    shutil.rmtree(tmp_path / "exported_models")
