"""Settings: Model Maker's names and defaults, flags and YAML, and that each of them reaches Model Maker."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CLASSES, SPLIT_FLAGS, Cli
from helpers import one_sentence_error, tree, write
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.errors import ConfigError, RunError
from gesture_maker.training import model_maker
from gesture_maker.training.config import TrainConfig
from gesture_maker.training.keeper import CHECKPOINT
from gesture_maker.training.model_maker import LabelledEmbeddings, load_model_maker, train_head
from gesture_maker.training.recipe import SETTINGS, HParams, ModelOptions, make_recipe, read_config

LABELS = ["none", "a", "b"]

NOT_OURS = {"export_dir", "distribution_strategy", "num_gpus", "tpu", "_strategy"}
"""Fields of Model Maker's HParams that are the machine's or ours to choose: one machine, our run folder."""


# Model Maker's defaults


def defaults(kind: Any) -> dict[str, Any]:
    return {
        f.name: f.default_factory() if f.default is dataclasses.MISSING else f.default  # type: ignore[misc]
        for f in dataclasses.fields(kind)
        if f.name not in NOT_OURS
    }


def test_stock_is_what_model_maker_does_when_nothing_is_said() -> None:
    model_maker = load_model_maker()
    assert defaults(HParams) == defaults(model_maker.HParams)
    ours, theirs = defaults(ModelOptions), defaults(model_maker.ModelOptions)
    assert ours | {"layer_widths": list(ours["layer_widths"])} == theirs
    recipe = make_recipe("stock", {}, 100, LABELS)
    assert (recipe.hparams, recipe.model_options, recipe.reshuffle) == (HParams(), ModelOptions(), False)
    assert recipe.min_detection_confidence == model_maker.HandDataPreprocessingParams().min_detection_confidence


def test_every_setting_of_model_maker_is_a_setting_and_a_flag(cli: Cli, tmp_path: Path) -> None:
    model_maker = load_model_maker()
    theirs = {*defaults(model_maker.HParams), *defaults(model_maker.ModelOptions), "min_detection_confidence"}
    assert set(SETTINGS) == theirs | {"augment", "background", "mirror"}
    text = cli("train", "--help", cwd=tmp_path).stdout
    for name in SETTINGS:
        assert f"--{name.replace('_', '-')}" in text


# Flags and YAML, into the run

EVERY = {
    "learning_rate": 0.01, "batch_size": 7, "epochs": 2, "steps_per_epoch": 3, "class_weights": {"none": 2, "victory": 0.5},
    "shuffle": False, "repeat": True, "lr_decay": 0.5, "gamma": 1.5, "dropout_rate": 0.2, "layer_widths": [6, 5],
    "min_detection_confidence": 0.4, "augment": False, "background": True, "mirror": False,
}  # fmt: skip
FLAGS = [
    "--learning-rate", "0.01", "--batch-size", "7", "--epochs", "2", "--steps-per-epoch", "3", "--class-weights",
    "none=2,victory=0.5", "--no-shuffle", "--repeat", "--lr-decay", "0.5", "--gamma", "1.5", "--dropout-rate", "0.2",
    "--layer-widths", "6,5", "--min-detection-confidence", "0.4", "--no-augment", "--background",
    "--no-mirror",
]  # fmt: skip


def recorded(run: Path) -> dict[str, Any]:
    settings = json.loads((run / "run.json").read_text())["settings"]
    ours = {
        "augment": settings["variants"] > 0,
        "background": settings["background"] > 0,
        "mirror": settings["mirror"],
    }
    confidence = {"min_detection_confidence": settings["min_detection_confidence"]}
    return settings["hparams"] | settings["model_options"] | confidence | ours


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("way", ["flags", "config", "flags win"])
def test_every_setting_reaches_the_run(way: str, drawn: Path, tmp_path: Path, cli: Cli) -> None:
    import yaml

    assert set(EVERY) == set(SETTINGS)
    arguments = FLAGS
    if way != "flags":
        values = (
            EVERY
            if way == "config"
            else EVERY | {"epochs": 9, "gamma": 0, "layer_widths": [], "shuffle": True, "augment": True}
        )
        dashed = {name.replace("_", "-"): value for name, value in values.items()}  # both spellings are read
        write(tmp_path / "train.yaml", yaml.safe_dump(dashed | {"seed": 5, "name": "of_config", "split": [80, 10, 10]}))
        arguments = ["--config", "train.yaml", "--name", "run", *(FLAGS if way == "flags win" else [])]
    assert "before the training" in cli("train", drawn, "--name", "run", *arguments, cwd=tmp_path).stderr
    run = tmp_path / "exported_models/run"
    assert recorded(run) == EVERY | {"class_weights": {"0": 2.0, "1": 1.0, "2": 1.0, "3": 0.5}}
    about = json.loads((run / "run.json").read_text())
    assert about["seed"] == (0 if way == "flags" else 5)
    assert about["labels"] == list(CLASSES)


BAD_CONFIGS = {
    "unknown key": ("epoch: 5", "unknown key 'epoch'"),
    "another unknown key": ("epochs: 5\nexport_dir: here", "unknown key 'export_dir'"),
    "wrong kind": ("epochs: many", "epochs is 'many', but has to be a whole number"),
    "a truth for a number": ("epochs: true", "epochs is True"),
    "a number for a truth": ("shuffle: 1", "shuffle is 1, but has to be true or false"),
    "a number for text": ("name: 5", "name is 5, but has to be text"),
    "text for a number": ("seed: zero", "seed is 'zero'"),
    "text for a list": ("layer_widths: 64", "layer_widths is 64"),
    "text for a mapping": ("class_weights: 2", "class_weights is 2"),
    "not YAML": ("epochs: [", "cannot be read as YAML"),
    "binary": (b"\xff\xfe\x00\x01", "cannot be read as YAML"),
    "a list": ("- epochs", "has to hold lines such as"),
    "text": ("epochs", "has to hold lines such as"),
    "bad split": ("split: [80, 20]", 'The split "80,20"'),
    "text for a truth": ("estimate: maybe", "estimate is 'maybe', but has to be true or false"),
    "an object": ("!!python/object/apply:os.system ['true']", "cannot be read as YAML"),
}


@pytest.mark.parametrize("case", BAD_CONFIGS)
def test_bad_input_config(case: str, drawn: Path, tmp_path: Path, cli: Cli) -> None:
    content, message = BAD_CONFIGS[case]
    write(tmp_path / "train.yaml", content)
    assert message in one_sentence_error(cli("train", drawn, "--config", "train.yaml", cwd=tmp_path))
    assert set(tree(tmp_path)) == {"train.yaml"}


def test_an_empty_config_says_nothing(tmp_path: Path) -> None:
    assert TrainConfig.from_file_and_flags(write(tmp_path / "a.yaml", "# nothing yet\n"), {}) == TrainConfig()
    assert TrainConfig.from_file_and_flags(write(tmp_path / "a.yaml", "epochs:\nname:\n"), {}).name is None


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "epochs": st.integers(1, 500),
            "batch_size": st.integers(1, 64),
            "gamma": st.floats(0, 5),
            "lr_decay": st.floats(0.1, 1),
            "layer_widths": st.lists(st.integers(1, 99), max_size=3),
            "shuffle": st.booleans(),
            "class_weights": st.dictionaries(st.sampled_from(LABELS), st.floats(0, 9), min_size=1),
            "min_detection_confidence": st.floats(0, 1),
        },
    ),
    st.sampled_from(["auto", "stock"]),
    st.integers(64, 5000),
)
def test_what_is_asked_for_is_what_is_done(settings: dict[str, Any], recipe: str, hands: int) -> None:
    made = make_recipe(recipe, settings, hands, LABELS)
    done = {
        **vars(made.hparams),
        **vars(made.model_options),
        **{"min_detection_confidence": made.min_detection_confidence},
    }
    for name, value in settings.items():
        if name == "class_weights":
            assert done[name] == {index: value.get(label, 1.0) for index, label in enumerate(LABELS)}
        elif name == "layer_widths":
            assert done[name] == tuple(value)
        else:
            assert done[name] == value
    if recipe == "auto":  # every hand is seen in every epoch
        assert made.hparams.steps_per_epoch is not None
        assert made.hparams.steps_per_epoch * made.hparams.batch_size >= hands


@pytest.mark.parametrize(
    ("settings", "hands", "batch", "steps"),
    [
        ({}, 10, 256, 20),
        ({}, 20_000, 256, 79),  # all of them in every epoch
        ({"batch_size": 32}, 700, 32, 120),  # 3000 in all
        ({"augment": False, "background": False}, 40, 20, 120),
        ({"epochs": 100}, 700, 256, 5),
    ],
)
def test_small_batches_get_more_and_smaller_steps(settings: dict[str, Any], hands: int, batch: int, steps: int) -> None:
    made = make_recipe("auto", settings, hands, LABELS).hparams
    assert (made.batch_size, made.steps_per_epoch) == (batch, steps)
    assert made.learning_rate == pytest.approx(0.02 * math.sqrt(batch / 256))
    assert made.epochs >= 20  # points enough for the curves


@given(st.sampled_from(SETTINGS), st.one_of(st.text(), st.binary(), st.just(-1), st.just(math.nan), st.just([None])))
def test_impossible_values_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        make_recipe("auto", {name: value}, 100, LABELS)


@given(st.binary(max_size=40) | st.text(max_size=40))
def test_any_file_is_a_mapping_or_an_explained_error(content: bytes | str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write(
            Path(folder) / "a.yaml", content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        )
        with contextlib.suppress(ConfigError):
            assert isinstance(read_config(path), dict)


# And into Model Maker


@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 7, "epochs": 3},  # 40 hands: five batches
        {"batch_size": 7, "epochs": 3, "steps_per_epoch": 2},
        {"batch_size": 7, "epochs": 2, "steps_per_epoch": 20, "repeat": True, "shuffle": True},
        {
            "batch_size": 7,
            "epochs": 2,
            "steps_per_epoch": 20,
            "repeat": True,
            "class_weights": {0: 1.0, 1: 2.0, 2: 0.5},
        },
    ],
)
def test_many_steps_at_once_are_the_same_steps(
    settings: dict[str, Any], validated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for at_once in (1, 3, 100):
        monkeypatch.setattr(model_maker, "STEPS_AT_ONCE", at_once)
        validation = points(20, 1) if validated else None
        head, history = train_head(
            points(40, 0), validation, LABELS, HParams(**settings), ModelOptions(), 0, tmp_path / str(at_once)
        )
        found.append((int(head.model.optimizer.iterations), history, head.model.get_weights()))
    for steps, history, weights in found[1:]:
        assert (steps, history) == found[0][:2]
        assert all(np.array_equal(*pair) for pair in zip(weights, found[0][2], strict=True))


def test_without_a_validation_part_the_last_epoch_is_kept(tmp_path: Path) -> None:
    """Which is, with one, what the checkpoint of its last epoch holds."""
    hparams = HParams(learning_rate=0.1, batch_size=8, epochs=6, lr_decay=1.0)

    def stop(epoch: int, _: object) -> None:
        if epoch == hparams.epochs:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_head(points(40, 0), points(20, 1), LABELS, hparams, ModelOptions(), 0, tmp_path, on_epoch=stop)
    with np.load(tmp_path / CHECKPOINT) as arrays:
        last = [arrays[f"now{index}"] for index in range(6)]
        assert any((arrays[f"best{index}"] != last[index]).any() for index in range(6))
    for validation in (None, points(0, 1)):
        head, history = train_head(points(40, 0), validation, LABELS, hparams, ModelOptions(), 0, tmp_path / "b")
        assert [set(row) for row in history] == [{"epoch", "loss", "accuracy", "learning_rate"}] * hparams.epochs
        assert all(np.array_equal(*pair) for pair in zip(head.model.get_weights(), last, strict=True))
    with pytest.raises(RunError, match=r"\(loss nan after epoch 1\): lower --learning-rate"):
        train_head(points(40, 0), None, LABELS, HParams(learning_rate=1e38), ModelOptions(), 0, tmp_path / "c")


def points(count: int, seed: int) -> LabelledEmbeddings:
    """Return embeddings of three classes that lie in different directions."""
    rng = np.random.default_rng(seed)
    classes = np.arange(count) % len(LABELS)
    centres = np.random.default_rng(99).normal(0, 0.4, (len(LABELS), 128))
    return LabelledEmbeddings((centres[classes] + rng.normal(0, 1, (count, 128))).astype(np.float32), classes)


def trained(folder: Path, hparams: HParams, options: ModelOptions | None = None) -> tuple[Any, list[dict[str, float]]]:
    return train_head(points(40, 0), points(20, 1), LABELS, hparams, options or ModelOptions(), 0, folder)


def test_hparams_do_in_model_maker_what_they_say(tmp_path: Path) -> None:
    hparams = HParams(
        learning_rate=0.02, batch_size=8, epochs=4, steps_per_epoch=12, class_weights={0: 1.0, 1: 1.0, 2: 0.0},
        shuffle=True, repeat=True, lr_decay=0.5, gamma=0.5,
    )  # fmt: skip
    head, history = trained(tmp_path, hparams, ModelOptions(dropout_rate=0.25, layer_widths=(9, 4)))
    recognizer = head._recognizer
    assert type(recognizer).__mro__[1] is load_model_maker().GestureRecognizer
    reached = {f.name: getattr(recognizer._hparams, f.name) for f in dataclasses.fields(HParams)}
    assert reached == vars(hparams)
    assert recognizer._shuffle is True
    assert [row["learning_rate"] for row in history] == pytest.approx([0.02, 0.01, 0.005, 0.0025])
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert int(head.model.optimizer.iterations) == 4 * 12
    layers = head.model.layers
    assert [layer.units for layer in layers if type(layer).__name__ == "Dense"] == [9, 4, 3]
    assert [layer.rate for layer in layers if type(layer).__name__ == "Dropout"] == [0.25] * 3
    # A class of weight 0 is not learned.
    assert 2 not in np.argmax(head.scores(points(90, 2).embeddings), axis=1)


def test_gamma_0_is_cross_entropy(tmp_path: Path) -> None:
    head, history = trained(tmp_path, HParams(epochs=2, batch_size=20, gamma=0.0))
    data = points(20, 1)
    scores = head.scores(data.embeddings)[np.arange(20), data.classes]
    assert -np.log(scores).mean() == pytest.approx(min(row["val_loss"] for row in history), rel=1e-4)


@pytest.mark.parametrize(("batch", "steps", "expected"), [(16, None, 2), (16, 1, 1), (40, None, 1)])
def test_without_repeat_an_epoch_is_all_hands_once(
    batch: int, steps: int | None, expected: int, tmp_path: Path
) -> None:
    head, history = trained(tmp_path, HParams(epochs=2, batch_size=batch, steps_per_epoch=steps))
    assert (int(head.model.optimizer.iterations), len(history)) == (2 * expected, 2)


def test_auto_without_repeat_trains_all_epochs(drawn: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("train", drawn, "--no-repeat", "--epochs", "2", "--name", "a", *SPLIT_FLAGS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "exported_models/a/history.csv").read_text().splitlines()) == 3


def test_stock_recipe_trains(drawn: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("train", drawn, "--recipe", "stock", "--name", "a", "--epochs", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stock = (
        defaults(HParams)
        | defaults(ModelOptions)
        | {"min_detection_confidence": 0.7, "augment": False, "background": False, "mirror": False}
    )
    assert recorded(tmp_path / "exported_models/a") == stock | {"epochs": 2, "layer_widths": []}


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 9), st.integers(1, 9), st.integers(1, 500))
def test_hands_are_dealt_in_whole_passes(hands: int, batch: int, steps: int, epochs: int, most: int) -> None:
    hparams = HParams(batch_size=batch, epochs=epochs, steps_per_epoch=steps, repeat=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(model_maker, "MOST_DEALT", most)
        dealt = model_maker._dealt(hands, hparams, 0)
    assert dealt.shape[1] == batch
    flat = dealt.ravel()
    assert len(flat) + batch > min(batch * epochs * steps, most)
    for start in range(0, len(flat), hands):
        one_pass = flat[start : start + hands]
        assert len(set(one_pass)) == len(one_pass)
        assert set(one_pass) <= set(range(hands))
