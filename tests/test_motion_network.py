"""The networks over sequences: what they are trained with, that a training can be stopped, and that TFLite answers as Keras does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.bundle.task import operators_of
from gesture_maker.errors import ConfigError, DatasetError, RunError
from gesture_maker.recognition.interpreter import TfliteModel
from gesture_maker.training.epochs import Patience, Trainer
from gesture_maker.training.keeper import CHECKPOINT
from gesture_maker.training.keras_files import load_network
from gesture_maker.training.motion.augment import augmented, mirrored, moved, stretched, varied
from gesture_maker.training.motion.crossvalidate import cross_validate_motions, motion_folds
from gesture_maker.training.motion.export import to_tflite, unrolled
from gesture_maker.training.motion.fitting import Fitted, fit, predict
from gesture_maker.training.motion.network import Shape, copied, plain, trainable
from gesture_maker.training.motion.settings import DENSE, MODELS, UNITS, MotionSettings
from gesture_maker.training.tensorflow_runtime import load_tensorflow, seed_everything

LABELS = ("left", "still", "right")
SMALL: dict[str, Any] = {"sequence_length": 8, "units": (8, 6), "dense": (8,), "epochs": 3, "learning_rate": 0.01}


def toy(count: int, frames: int = 8, numbers: int = 63, seed: int = 0) -> tuple[Any, Any]:
    """Return sequences of a hand that goes left, nowhere or right, and their classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 3
    x = rng.normal(0, 0.1, (count, frames, numbers)).astype(np.float32)
    x[..., 0] += np.linspace(-1, 1, frames, dtype=np.float32) * (y[:, None] - 1)
    return x, y.astype(np.int64)


def small(model: str, **more: Any) -> MotionSettings:
    return MotionSettings(**{**SMALL, "model": model, **more})


# Settings


def test_the_defaults_are_the_known_recipe() -> None:
    settings = MotionSettings()
    assert (settings.model, settings.sequence_length, settings.dropout) == ("lstm", 30, 0.3)
    assert (settings.units, settings.dense) == ((128, 128, 64), (256, 128))
    assert (settings.learning_rate, settings.batch_size, settings.epochs, settings.augment) == (0.001, 32, 100, 3)


@pytest.mark.parametrize("model", MODELS)
def test_settings_are_the_same_after_json(model: str) -> None:
    import json

    settings = MotionSettings(model=model, noise=0.1, class_weights=True)
    assert (settings.units, settings.dense) == (UNITS[model], DENSE[model])
    assert MotionSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert set(settings.to_json()) == {f.name for f in fields(MotionSettings)}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"model": "rnn"}, 'no model "rnn": use lstm, gru or tcn'),
        ({"units": ()}, "units is empty"),
        ({"units": (0,)}, "units is 0"),
        ({"units": 128}, "units is 128"),
        ({"dense": (1,) * 17}, "dense is"),
        ({"sequence_length": 1}, "sequence_length is 1, but has to be a whole number from 2"),
        ({"batch_size": 1}, "batch_size is 1"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"seed": True}, "seed is True"),
        ({"dropout": 1.0}, "dropout is 1.0, but has to be a number from 0 to 0.95"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"stretch": 0.5}, "stretch is 0.5"),
        ({"mirror": "yes"}, "mirror is 'yes'"),
        ({"class_weights": 1}, "class_weights is 1"),
        ({"rate": 1}, "no setting 'rate'"),
    ],
)
def test_what_cannot_be_set_is_said(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        MotionSettings.from_json(values)
    assert str(caught.value).endswith(".")


# Variants


def drawn_numbers(count: int, frames: int, seed: int) -> Any:
    """Return sequences [count, frames, 63] of any numbers."""
    return np.random.default_rng(seed).normal(0, 2, (count, frames, 63)).astype(np.float32)


hands = st.builds(drawn_numbers, st.integers(1, 4), st.integers(2, 12), st.integers(0, 10**6))


@given(hands)
def test_two_mirrors_show_the_hand_itself_and_one_keeps_its_way(x: Any) -> None:
    assert np.array_equal(mirrored(mirrored(x)), x)
    assert np.array_equal(mirrored(x)[..., :3], x[..., :3])
    assert np.array_equal(mirrored(x)[..., 3::3], -x[..., 3::3])
    assert np.array_equal(mirrored(x)[..., 4::3], x[..., 4::3])


@given(hands, st.floats(0.8, 1.25))
def test_time_is_stretched_about_its_middle(x: Any, factor: float) -> None:
    assert np.array_equal(stretched(x, np.ones(len(x))), x)
    found = stretched(x, np.full(len(x), factor))
    assert found.shape == x.shape
    assert (found <= x.max(axis=1, keepdims=True) + 1e-5).all()
    assert (found >= x.min(axis=1, keepdims=True) - 1e-5).all()
    back = stretched(x[:, ::-1], np.full(len(x), factor))[:, ::-1]
    assert np.allclose(back, found, atol=1e-3)


@given(hands, st.floats(-3, 3))
def test_a_hand_elsewhere_has_the_same_shape(x: Any, by: float) -> None:
    found = moved(x, np.full((len(x), 2), by))
    assert np.array_equal(found[..., 2:], x[..., 2:])
    assert np.allclose(found[..., :2], x[..., :2] + by, atol=1e-5)


@given(hands, st.integers(1, 4), st.integers(0, 5))
def test_variants_follow_their_sequences(x: Any, times: int, seed: int) -> None:
    settings = MotionSettings(augment=times)
    before, y = x.copy(), np.arange(len(x))
    more, classes = augmented(x, y, settings, np.random.default_rng(seed))
    assert (more.shape, more.dtype) == ((times * len(x), *x.shape[1:]), np.float32)
    assert np.array_equal(more[: len(x)], before)
    assert np.array_equal(x, before)
    assert np.bincount(classes).tolist() == [times] * len(x)
    again, _ = augmented(x, y, settings, np.random.default_rng(seed))
    assert np.array_equal(more, again)


def test_a_variant_has_the_class_of_what_it_is_made_of() -> None:
    x, y = toy(30)
    more, classes = augmented(x, y, MotionSettings(augment=4), np.random.default_rng(0))
    assert np.array_equal(
        np.round((more[:, -1, 0] - more[:, 0, 0]) / 2), classes - 1
    )  # where it went, in the mirror too


def test_nothing_changes_when_nothing_may() -> None:
    nothing = dict.fromkeys(("noise", "occlude_points", "occlude_frames", "scale", "translate", "mirror"), 0.0)
    x, _ = toy(9)
    settings = MotionSettings(stretch=1.0, **nothing)
    assert np.array_equal(varied(x, settings, np.random.default_rng(0)), x)
    hidden = varied(x, replace(settings, occlude_frames=0.9), np.random.default_rng(0))
    same = (hidden == x).all(axis=2)
    assert same[:, 0].all()
    assert not same.all()
    assert all((frame == x[one]).all(axis=1).any() for one in range(9) for frame in hidden[one])
    points = varied(x, replace(settings, occlude_points=0.9), np.random.default_rng(0))
    changed = (points != x).reshape(9, 8, 21, 3)
    assert changed.any()
    assert not changed[:, :, 0].any()
    assert not changed[:, 0].any()


def test_a_path_begins_where_it_begins_and_is_not_mirrored() -> None:
    path = np.linspace(0, 0.2, 16, dtype=np.float32)
    x = np.tile(np.stack([path, -path], axis=1), (50, 1, 1))
    found = varied(x, MotionSettings(mirror=1.0), np.random.default_rng(0))
    assert not found[:, 0].any()
    assert (found[:, -1, 0] > 0.1).all()
    assert (found[:, -1, 1] < -0.1).all()


# Networks


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("numbers", [63, 2])
def test_what_is_trained_computes_what_is_kept(model: str, numbers: int) -> None:
    seed_everything(0)
    settings, shape = small(model), Shape(8, numbers, 3, None if numbers == 63 else 0.1)
    learning = trainable(settings, shape, load_tensorflow().Variable(0))
    x = toy(10, numbers=numbers)[0]
    kept = copied(settings, shape, learning.get_weights())
    assert np.abs(learning(x, training=False) - kept(x, training=False)).max() < 1e-6
    assert learning.input_shape == (None, 8, numbers)
    assert learning.output_shape == (None, 3)
    assert np.array_equal(learning(x, training=True), learning(x, training=True))  # in the same step
    assert not np.array_equal(learning(x, training=True), learning(x, training=False))


def test_the_default_network_has_the_known_layers() -> None:
    layers = plain(MotionSettings(), Shape(30, 63, 11)).layers
    kinds = [type(layer).__name__ for layer in layers]
    settled = ["BatchNormalization", "Dropout"]
    assert kinds == ["InputLayer", *["LSTM", *settled] * 3, *["Dense", *settled] * 2, "Dense"]
    assert [layer.units for layer in layers if hasattr(layer, "units")] == [128, 128, 64, 256, 128, 11]
    assert {layer.rate for layer in layers if hasattr(layer, "rate")} == {0.3}


def test_patience() -> None:
    settings = MotionSettings(reduce_patience=2, reduce_factor=0.5, min_learning_rate=0.2)
    patience, rate, rates = Patience(), 1.0, []
    for epoch, loss in enumerate((3.0, 2.0, 2.0, 2.5, 2.5, 2.5, 2.5, 2.5, 1.0), 1):
        patience.told(loss, epoch)
        rate = patience.reduced(rate, settings)
        rates.append(rate)
    assert rates == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2]
    assert (patience.best, patience.best_epoch, patience.since_best) == (1.0, 9, 0)


# Training


@pytest.mark.parametrize("model", MODELS)
def test_a_toy_problem_is_learned_and_tflite_answers_alike(model: str, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    settings = small(model, units=(16, 12), dense=(16,), epochs=12, batch_size=16, dropout=0.1)
    fitted = fit(toy(150), toy(30, seed=1), LABELS, settings, tmp_path, lambda *done: told.append(done))
    x, y = toy(60, seed=2)
    scores = predict(fitted.path, x)
    assert (scores.argmax(axis=1) == y).mean() > 0.9
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert told == [(epoch, 12) for epoch in range(1, fitted.epochs + 1)]
    assert {len(values) for values in fitted.history.values()} == {fitted.epochs}
    assert fitted.history["val_loss"][fitted.best_epoch - 1] == min(fitted.history["val_loss"])
    assert not (tmp_path / CHECKPOINT).exists()
    content = to_tflite(fitted.path)
    assert model != "tcn" or to_tflite(fitted.path) == content
    answers_alike(fitted.path, content, x)


def answers_alike(path: Path, content: bytes, x: Any) -> None:
    """Check that TFLite answers as Keras does, whatever was asked before and in whichever order."""
    stateful = {"UNIDIRECTIONAL_SEQUENCE_LSTM", "VAR_HANDLE", "WHILE", "CALL_ONCE"}
    assert not [name for name in operators_of(content) if name in stateful or name.startswith("CUSTOM:")]
    model, order = TfliteModel(content), np.random.default_rng(3).permutation(np.repeat(np.arange(len(x)), 2))
    wild = np.random.default_rng(4).normal(0, 3, x.shape).astype(np.float32)
    asked = np.concatenate([x, x[order], wild, x[::-1]])
    scores = model.scores(asked)
    assert np.abs(scores - predict(path, asked)).max() <= 1e-4
    assert np.array_equal(scores[len(x) : 3 * len(x)], scores[: len(x)][order])


def test_the_default_network_is_the_same_in_tflite(tmp_path: Path) -> None:
    seed_everything(0)
    model, rng = plain(MotionSettings(), Shape(30, 63, 11)), np.random.default_rng(0)
    model.set_weights([weight + rng.uniform(0, 0.1, weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "model.keras")
    answers_alike(tmp_path / "model.keras", to_tflite(tmp_path / "model.keras"), toy(12, frames=30)[0])


def test_unrolled_is_the_same() -> None:
    model = plain(small("gru"), Shape(8, 63, 3))
    x = toy(5)[0]
    assert np.abs(unrolled(model)(x) - model(x)).max() < 1e-6


class Stopped(BaseException):
    """As Ctrl-C is: no ordinary exception."""


def stop_at(last: int) -> Callable[[int, int], None]:
    def progress(done: int, _: int) -> None:
        if done == last:
            raise Stopped

    return progress


def same(one: Fitted, other: Fitted) -> bool:
    weights = [load_network(fitted.path).get_weights() for fitted in (one, other)]
    return one.history == other.history and all(map(np.array_equal, *weights))


@pytest.mark.parametrize("model", MODELS)
def test_a_training_goes_on_to_the_same_end(model: str, tmp_path: Path) -> None:
    settings = small(model, epochs=4, reduce_patience=1, label_smoothing=0.1, class_weights=True)
    data: tuple[Any, ...] = (toy(50), toy(20, seed=1), LABELS, settings)
    whole = fit(*data, tmp_path / "whole")
    for last in (1, 3) if model == "tcn" else (2,):
        with pytest.raises(Stopped):
            fit(*data, tmp_path / "parts", stop_at(last))
        assert (tmp_path / "parts" / CHECKPOINT).is_file()
        assert not (tmp_path / "parts/model.keras").exists()
    told: list[int] = []
    parts = fit(*data, tmp_path / "parts", lambda done, _: told.append(done))
    assert told[-1] == 4
    assert len(told) < 3
    assert same(whole, parts)


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    one, again, other = (
        fit(toy(30), None, LABELS, small("tcn", epochs=1, seed=seed), tmp_path / name)
        for name, seed in (("one", 1), ("again", 1), ("other", 2))
    )
    assert same(one, again)
    assert not same(one, other)


def test_another_training_s_checkpoint_is_not_gone_on_from(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        fit(toy(40), None, LABELS, small("tcn"), tmp_path, stop_at(2))
    told: list[int] = []
    fit(toy(40, seed=1), None, LABELS, small("tcn"), tmp_path, lambda done, _: told.append(done))
    assert told == [1, 2, 3]
    (tmp_path / CHECKPOINT).write_bytes(b"PK\x03\x04 damaged")
    assert fit(toy(40), None, LABELS, small("tcn"), tmp_path).epochs == 3


def test_the_validation_part_is_asked_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    original = Trainer.measured

    def measured(self: Any, batches: Any) -> Any:
        batches = list(batches)
        asked.extend(batches)
        return original(self, batches)

    monkeypatch.setattr(Trainer, "measured", measured)
    x, y = toy(20, seed=1)
    fit(toy(30), (x, y), LABELS, small("tcn"), tmp_path)
    assert len(asked) == 3
    assert all(np.array_equal(one, x) and np.array_equal(classes, y) for one, classes in asked)


def test_waiting_has_an_end_and_the_best_is_kept(tmp_path: Path) -> None:
    x, y = toy(60)
    rng = np.random.default_rng(0)
    fitted = fit((x, rng.permutation(y)), toy(30), LABELS, small("tcn", epochs=60, stop_patience=2), tmp_path)
    assert fitted.epochs == fitted.best_epoch + 2 < 60


def test_without_a_validation_part_the_last_epoch_is_kept(tmp_path: Path) -> None:
    fitted = fit(toy(30), None, LABELS, small("tcn", epochs=4, stop_patience=1), tmp_path)
    assert (fitted.epochs, fitted.best_epoch) == (4, 4)
    assert set(fitted.history) == {"loss", "accuracy", "learning_rate"}


def test_a_loss_that_is_no_number_is_said(tmp_path: Path) -> None:
    x, y = toy(30)
    with pytest.raises(RunError, match="lower --learning-rate"):
        fit((x * np.float32(1e38), y), None, LABELS, small("tcn"), tmp_path)


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    x, y = toy(30)
    for train in ((x[:5], y), (x, y + 1), (x[0], y[:8]), (x * np.nan, y)):
        with pytest.raises(ValueError, match=r"fit together|labels|no number"):
            fit(train, None, LABELS, small("tcn"), tmp_path)


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"nothing")
    for call in (lambda path: predict(path, toy(3)[0]), to_tflite):
        with pytest.raises(RunError, match="no Keras model"):
            call(tmp_path / "model.keras")


# Cross-validation


def test_blocks_are_stretches_and_groups_stay_together() -> None:
    y = np.repeat([0, 1, 2], [20, 35, 15])
    blocks = motion_folds(y, 5, blocks=True)
    for one in range(3):
        assert (np.diff(blocks[y == one]) >= 0).all()
    assert np.array_equal(blocks, motion_folds(y, 5, blocks=True, seed=9))
    drawn = motion_folds(y, 5, seed=1)
    assert np.bincount(drawn).tolist() == [14] * 5
    assert (np.diff(drawn[y == 1]) < 0).any()
    groups = [str(number % 10) for number in range(len(y))]
    kept = motion_folds(y, 5, groups=groups)
    assert all(len({int(fold) for fold, name in zip(kept, groups, strict=True) if name == one}) == 1 for one in groups)
    with pytest.raises(DatasetError, match="too few"):
        motion_folds(y, 16)
    with pytest.raises(DatasetError, match="too few"):
        motion_folds(y, 5, groups=["a", "b"] * 35)


def test_every_sequence_is_tested_once() -> None:
    told: list[tuple[int, int]] = []
    x, y = toy(150)
    settings = small("tcn", epochs=12, batch_size=8, dropout=0.1)
    found = cross_validate_motions(x, y, LABELS, settings, folds=2, progress=lambda *done: told.append(done))
    assert told == [(1, 2), (2, 2)]
    assert found.scores.shape == (150, 3)
    assert found.accuracy > 0.8
    assert found.accuracy == pytest.approx(np.mean(found.accuracies))
