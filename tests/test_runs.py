"""Runs: the same bytes for the same data and seed, going on after an interruption, and nothing half-written."""

from __future__ import annotations

import contextlib
import json
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import QUICK, SPLIT_FLAGS, Cli, Trained
from helpers import environment, one_sentence_error, tree, write
from test_recipe import LABELS, points

import gesture_maker
from gesture_maker.dataset.manifest import ManifestRow, read_manifest, write_manifest
from gesture_maker.dataset.splitting import DEFAULT_SHARES
from gesture_maker.errors import RunError
from gesture_maker.training.keeper import CHECKPOINT
from gesture_maker.training.model_maker import train_head
from gesture_maker.training.recipe import HParams, ModelOptions
from gesture_maker.training.run import WEIGHTS, Run

# The same bytes

TRAIN_AND_EXPORT = """
import json, sys
import gesture_maker
dataset, name, seed, settings = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
done = gesture_maker.train(dataset, name=name, seed=seed, shares=(80, 10, 10), estimate=False, settings=settings, export=True)
print(done.export.sha256)
"""


def trained_elsewhere(dataset: Path, name: str, seed: int, folder: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    command = [sys.executable, "-c", TRAIN_AND_EXPORT, str(dataset), name, str(seed), json.dumps(QUICK)]
    return subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True)


def test_the_same_data_and_seed_give_the_same_task(trained: Trained, tmp_path: Path) -> None:
    """In another process, with other names of run, dataset and photos, the landmarks looked for again, exported on the way."""
    renamed = shutil.copytree(trained.dataset, tmp_path / "renamed")
    (renamed / "landmarks.parquet").unlink()
    rows = []
    numbers = random.Random(1)
    for row in read_manifest(renamed).values():
        file = f"{row.label}/{numbers.randrange(10**9)} again.jpeg"
        (renamed / row.file).rename(renamed / file)
        rows.append(ManifestRow(file, row.label, row.source, row.group, row.sha256, row.added))
    write_manifest(renamed, rows)
    same = trained_elsewhere(renamed, "another name", 0, tmp_path / "a")
    other = trained_elsewhere(trained.dataset, "first", 1, tmp_path / "b")
    sums = [process.communicate()[0].strip() for process in (same, other)]
    assert (same.returncode, other.returncode) == (0, 0)
    assert sums[0] == trained.export.sha256
    assert sums[1] != trained.export.sha256
    described = [Run.load(tmp_path / "a/exported_models/another name"), trained.training.run]
    assert described[0].description["fingerprint"] == described[1].description["fingerprint"]


def test_a_second_training_in_one_process_gives_the_same_task(trained: Trained, tmp_path: Path) -> None:
    training = gesture_maker.train(
        trained.dataset, name="second", shares=DEFAULT_SHARES, estimate=False, settings=QUICK, runs=tmp_path
    )
    assert gesture_maker.export(training.run.path).sha256 == trained.export.sha256


# Checkpoints

EPOCHS = 5
HPARAMS = HParams(learning_rate=0.01, batch_size=10, epochs=EPOCHS)


def train(folder: Path, seed: int = 0, data: int = 0, until: int | None = None, **changed: Any) -> tuple[Any, Any, Any]:
    """Train a small head; return its weights, its history, and the epochs that were run now."""
    now = []

    def on_epoch(epoch: int, _: object) -> None:
        now.append(epoch)
        if epoch == until:
            raise KeyboardInterrupt

    hparams = HParams(**vars(HPARAMS) | changed)
    head, history = train_head(
        points(40, data), points(20, 1), LABELS, hparams, ModelOptions(), seed, folder, on_epoch=on_epoch
    )
    return head.model.get_weights(), history, now


def same(one: list[Any], other: list[Any]) -> bool:
    return all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


def test_an_interrupted_training_goes_on_after_its_last_epoch(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, until=2)
    assert set(tree(tmp_path)) == {CHECKPOINT, "train.log"}
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, until=4)
    _, history, now = train(tmp_path)
    assert now == [5]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert [row["learning_rate"] for row in history] == pytest.approx([0.01 * 0.99**n for n in range(5)])
    assert set(tree(tmp_path)) == {"train.log"}


def test_the_best_epoch_is_remembered_over_an_interruption(tmp_path: Path) -> None:
    """After the interruption everything gets worse: the best weights are of before."""
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "a", until=3)
    with np.load(tmp_path / "a" / CHECKPOINT) as arrays:
        before = {name: arrays[name] for name in arrays.files}
    state = json.loads(str(before["state"]))
    losses = [row["val_loss"] for row in state["history"]]
    assert state["best_loss"] == min(losses)
    state["best_loss"] = 1e-9  # so that nothing after it is better
    with (tmp_path / "a" / CHECKPOINT).open("wb") as file:
        np.savez(file, **before | {"state": json.dumps(state)})
    weights, history, _ = train(tmp_path / "a")
    assert len(history) == EPOCHS
    assert same(weights, [before[f"best{index}"] for index in range(len(weights))])


def test_a_checkpoint_of_another_training_is_never_used(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stale", until=2)
    for changed in ({"seed": 1}, {"epochs": 4}, {"gamma": 1.0}, {"learning_rate": 0.02}):
        folder = shutil.copytree(tmp_path / "stale", tmp_path / str(changed))
        with pytest.raises(KeyboardInterrupt):
            train(folder, until=1, **changed)  # never comes to epoch 1 when it goes on after 2
    other = train(tmp_path / "stale", data=7)
    fresh = train(tmp_path / "fresh", data=7)
    assert other[2] == [1, 2, 3, 4, 5]
    assert other[1] == fresh[1]
    assert same(other[0], fresh[0])


def test_a_damaged_checkpoint_is_none(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, until=2)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    for content in (b"", b"PK\x03\x04 cut", whole[:-500]):
        (tmp_path / CHECKPOINT).write_bytes(content)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, until=1)  # which never comes when it goes on after 2


# Unfinished and damaged runs


@pytest.fixture
def unfinished(drawn: Path, tmp_path: Path) -> Path:
    """A working folder with the run `stopped`, interrupted in its second epoch, and its photos."""
    dataset = shutil.copytree(drawn, tmp_path / "datasets/small")

    def progress(stage: str, done: int, _: int) -> None:
        if (stage, done) == ("training", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"gesture-maker train --resume \S*stopped`"):
        gesture_maker.train(
            dataset,
            name="stopped",
            shares=DEFAULT_SHARES,
            estimate=False,
            settings=QUICK,
            runs=tmp_path / "exported_models",
            progress=progress,
        )
    return tmp_path


def test_bad_input_a_run_that_was_never_finished(unfinished: Path, cli: Cli) -> None:
    run = unfinished / "exported_models/stopped"
    assert json.loads((run / "run.json").read_text())["status"] == "unfinished"
    before = tree(unfinished)
    for command in ("export", "eval"):
        message = one_sentence_error(cli(command, "stopped", cwd=unfinished))
        assert message == (
            'The run "stopped" was never finished: continue it with `gesture-maker train --resume stopped`.'
        )
    assert "train --resume stopped" in one_sentence_error(cli("train", "small", "--name", "stopped", cwd=unfinished))
    assert tree(unfinished) == before


def test_resume_needs_the_run_folder_only(unfinished: Path, trained: Trained, cli: Cli) -> None:
    shutil.rmtree(unfinished / "datasets")
    done = cli("train", "--resume", "stopped", cwd=unfinished)
    assert done.returncode == 0, done.stderr
    run = Run.load(unfinished / "exported_models/stopped")
    assert run.finished
    epochs = [line.split(",")[0] for line in (run.path / "history.csv").read_text().splitlines()]
    assert epochs == ["epoch", "1", "2", "3"]
    assert set(tree(run.path)) == set(tree(trained.run)) - {"gesture_recognizer.task", "gesture_recognizer.md"}
    done = cli("export", "stopped", cwd=unfinished)
    assert done.returncode == 0, done.stderr
    message = one_sentence_error(cli("eval", "stopped", cwd=unfinished))
    assert "of the run's test part is gone" in message
    assert "already" in one_sentence_error(
        cli("train", "x", "--name", "stopped", cwd=with_dataset(unfinished, trained))
    )


def with_dataset(folder: Path, trained: Trained) -> Path:
    shutil.copytree(trained.dataset, folder / "datasets/x")
    return folder


DAMAGED = {
    "run.json": "run.json is damaged",
    "embeddings.npz": "embeddings.npz is missing or damaged",
    "split.csv": "split.csv is missing or damaged",
    WEIGHTS: f"{WEIGHTS} is not what the training wrote",
}


@pytest.mark.parametrize("file", DAMAGED)
@pytest.mark.parametrize("way", ["cut", "other", "gone"])
def test_bad_input_a_damaged_run(file: str, way: str, workspace: Path, cli: Cli) -> None:
    run = workspace / "exported_models/first"
    (run / "gesture_recognizer.task").unlink()
    (run / "gesture_recognizer.md").unlink()
    whole = (run / file).read_bytes()
    if way == "gone":
        (run / file).unlink()
    else:
        write(run / file, whole[: len(whole) // 2] if way == "cut" else b"{}")
    before = tree(workspace)
    message = one_sentence_error(cli("export", "first", cwd=workspace))
    gone = {"run.json": "has no run.json", WEIGHTS: "cannot be read"}
    assert (gone.get(file, DAMAGED[file]) if way == "gone" else DAMAGED[file]) in message
    assert tree(workspace) == before


def test_weights_of_the_right_shape_that_were_not_trained_here_are_refused(workspace: Path) -> None:
    import h5py

    run = workspace / "exported_models/first"
    with h5py.File(run / WEIGHTS, "r+") as file:
        found: list[Any] = []
        file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
        found[0][...] = found[0][...] + 0.01
    with pytest.raises(RunError, match="is not what the training wrote"):
        gesture_maker.export(run)


# A full disk


@contextlib.contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Let writing beyond `size` bytes of a file fail, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def size_of(run: Run, file: str) -> int:
    return (run.path / file).stat().st_size


@pytest.mark.parametrize("file", ["landmarks.parquet", "split.csv", "embeddings.npz"])
def test_bad_input_full_disk_before_training_leaves_nothing(
    file: str, trained: Trained, tmp_path: Path, cli: Cli
) -> None:
    dataset = shutil.copytree(trained.dataset, tmp_path / "small")  # its table has all that a training wants
    if file == "landmarks.parquet":
        (dataset / file).unlink()
        limit = 3000
    else:
        limit = size_of(trained.training.run, file) - 1
    before = tree(tmp_path)
    with disk_of(limit):
        done = cli("train", "small", *SPLIT_FLAGS, cwd=tmp_path)
    message = one_sentence_error(done)
    assert "File too large" in message  # "No space left on device" when it is the disk
    assert str(dataset / file if file == "landmarks.parquet" else "(exported_models/small)") in message
    assert ".writing-" not in message
    assert "nothing half-written was kept" in message
    assert tree(tmp_path) == before


@pytest.mark.parametrize("file", [WEIGHTS, "curves.png"])
def test_bad_input_full_disk_while_training_loses_nothing(
    file: str, drawn: Path, trained: Trained, tmp_path: Path, cli: Cli
) -> None:
    """From when the run folder is there: what is written before it is larger than either file."""

    def stop(stage: str, *_: int) -> None:
        if stage == "training":
            raise KeyboardInterrupt

    few = {"shares": DEFAULT_SHARES, "estimate": False, "settings": QUICK, "progress": stop}
    with pytest.raises(KeyboardInterrupt):
        gesture_maker.train(drawn, name="small", runs=tmp_path / "exported_models", **few)
    run = tmp_path / "exported_models/small"
    with disk_of(size_of(trained.training.run, file) - 1):
        done = cli("train", "--resume", "small", cwd=tmp_path)
    message = one_sentence_error(done)
    assert "nothing half-written was kept" in message
    assert any(name in message for name in (WEIGHTS, file))
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    assert not (run / file).exists()
    done = cli("train", "--resume", "small", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (run / WEIGHTS).read_bytes() == (trained.run / WEIGHTS).read_bytes()


def test_bad_input_full_disk_while_exporting_keeps_the_old_bundle(workspace: Path, cli: Cli) -> None:
    before = tree(workspace)
    with disk_of(1_000_000):
        for out in ("exported_models/first", "new.task"):
            message = one_sentence_error(
                cli("export", "first", "--out", out, "--score-threshold", "0.3", cwd=workspace)
            )
            assert "nothing half-written was kept" in message
    assert tree(workspace) == before


def test_bad_input_full_disk_while_evaluating_leaves_nothing(workspace: Path, cli: Cli) -> None:
    before = tree(workspace)
    with disk_of(400):
        message = one_sentence_error(cli("eval", "first", cwd=workspace))
    assert "nothing half-written was kept" in message
    assert tree(workspace) == before


# A disk that cannot be written to

READ_ONLY = """
import ctypes, os, sys
if os.geteuid() == 0:  # without this capability the superuser, too, has to keep to the permissions
    libc = ctypes.CDLL(None, use_errno=True)
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    assert libc.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-m", "gesture_maker", *sys.argv[1:]])
"""


@pytest.mark.parametrize("place", ["exported_models", "."])
def test_bad_input_read_only_disk(place: str, trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    (folder / "exported_models").mkdir(parents=True)
    if place == ".":
        (folder / "exported_models").rmdir()
    (folder / place).chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, "train", str(trained.dataset)],
            cwd=folder, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        (folder / place).chmod(0o755)
    message = one_sentence_error(done)
    assert str(folder / place) in message
    assert "cannot be written to" in message
    assert tree(folder) == {}


def test_bad_input_exported_models_is_a_file(drawn: Path, tmp_path: Path, cli: Cli) -> None:
    write(tmp_path / "exported_models", "mine")
    assert "exported_models is a file" in one_sentence_error(cli("train", drawn, cwd=tmp_path))
    assert tree(tmp_path) == {"exported_models": b"mine"}
