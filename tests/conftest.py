"""Fixtures that many tests share: real photos, a small drawn dataset, one run trained on it, and the command line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from gesture_maker.dataset.splitting import DEFAULT_SHARES
from gesture_maker.errors import GestureMakerError

if TYPE_CHECKING:
    from gesture_maker.bundle.export import Export
    from gesture_maker.motion.train import MotionTraining
    from gesture_maker.pixels.run import PixelRun
    from gesture_maker.steps import Training
    from gesture_maker.training.run import Run

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("any machine", deadline=None)  # how long something takes is not what a test asserts
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in `./scripts/test &`; those who press Ctrl-C would wait
    signal.signal(signal.SIGINT, signal.default_int_handler)

CLASSES = ("none", "open_palm", "thumbs_up", "victory")
PEOPLE, PER_PERSON = 6, 2
QUICK = {"epochs": 3, "steps_per_epoch": 20}
"""Settings with which a training takes a second and still gets somewhere."""

SPLIT_FLAGS = ("--split", ",".join(map(str, DEFAULT_SHARES)), "--no-estimate")
"""So few photos are all trained on, and the accuracy is estimated by five more trainings; not so with these."""

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos, videos and Google's model files beside the repository; read only."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        reason = "needs the folder of real photos and model files at ../shared"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 48 drawn photos, four classes by six people (groups), with its landmarks; not to be changed."""
    from gesture_maker import check
    from gesture_maker.synthetic.draw import draw_dataset

    folder = tmp_path_factory.mktemp("drawn") / "small"
    draw_dataset(folder, CLASSES, range(PEOPLE), PER_PERSON, 0)
    check(folder)
    return folder


@dataclass(frozen=True)
class Trained:
    """`folder`: a working folder with `datasets/small` and `exported_models/first`, the run that was exported."""

    folder: Path
    training: Training
    export: Export

    @property
    def run(self) -> Path:
        return self.training.run.path

    @property
    def dataset(self) -> Path:
        return self.folder / "datasets/small"


@pytest.fixture(scope="session")
def trained(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A finished and exported run on the drawn dataset; not to be changed (see `workspace`)."""
    from gesture_maker import export, train

    folder = tmp_path_factory.mktemp("trained")
    dataset = shutil.copytree(drawn, folder / "datasets/small")
    runs = folder / "exported_models"
    training = train(dataset, name="first", shares=DEFAULT_SHARES, estimate=False, settings=QUICK, runs=runs)
    return Trained(folder, training, export(training.run.path))


@pytest.fixture(scope="session")
def motions_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with datasets/moves, motions of ten people, and datasets/others, of three more; not to be changed."""
    from motions import known_clips

    folder = tmp_path_factory.mktemp("moves")
    known_clips(folder / "datasets/moves", range(10))
    known_clips(folder / "datasets/others", range(100, 103))
    return folder


@pytest.fixture(scope="session")
def motions_made(motions_place: Path) -> MotionTraining:
    """A training on datasets/moves, exported_models/first beside it; not to be changed."""
    from motions import QUICK

    from gesture_maker.motion.train import train_motions

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(motions_place)
        return train_motions("moves", name="first", settings=QUICK, runs=motions_place / "exported_models")


@pytest.fixture(scope="session")
def pixels_place(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with datasets/hands, photos and masks of ten people, and exported_models/first, a training on them; not to be changed.

    It takes half a minute, so that of several workers the first makes it for all; in a process of its own, because what a network over
    hands was trained in calculates with other operations.
    """
    from filelock import FileLock
    from hand_photos import FLAGS, hand_photos
    from helpers import run_cli

    base = tmp_path_factory.getbasetemp()
    place = (base if worker_id == "master" else base.parent) / "pixels"
    with FileLock(f"{place}.lock"):
        if not (place / "made").exists():
            hand_photos(place / "datasets/hands", range(1, 11))
            done = run_cli("image", "train", "hands", "--name", "first", *FLAGS, cwd=place)
            assert done.returncode == 0, done.stderr
            (place / "made").touch()
    return place


@pytest.fixture
def pixels_made(pixels_place: Path) -> PixelRun:
    """The finished training in `pixels_place`."""
    from gesture_maker.pixels.run import PixelRun

    return PixelRun.load_finished(pixels_place / "exported_models/first")


@pytest.fixture(scope="session")
def estimated(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A finished run on the drawn dataset as it is by default: all trained on, the accuracy cross-validated; not to be changed."""
    from gesture_maker import train

    return train(drawn, name="first", settings=QUICK, runs=tmp_path_factory.mktemp("estimated"))


@pytest.fixture
def workspace(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the working folder of `trained`, to be changed at will; its run tests on the copied photos."""
    import json

    folder = shutil.copytree(trained.folder, tmp_path / "workspace")
    described = folder / "exported_models/first/run.json"
    about = json.loads(described.read_text()) | {"dataset": str(folder / "datasets/small")}
    described.write_text(json.dumps(about))
    return folder


class TrainingNotWantedError(GestureMakerError):
    """Raised in place of the training of `run`."""

    def __init__(self, run: Run) -> None:
        super().__init__("This test is about what comes before the training.")
        self.run = run


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop when the run folder is made and the head would be trained, for tests of what comes before it."""
    from gesture_maker.training import session

    def stop(run: Run, *_: object) -> None:
        raise TrainingNotWantedError(run)

    monkeypatch.setattr(session, "_fit", stop)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Run `gesture-maker ARGS` in this process (TensorFlow takes 4 s to import) and return what it wrote and its status."""
    from gesture_maker.cli import main

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = ["gesture-maker", *map(str, args)]
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", command)
        capfd.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capfd.readouterr()
        assert isinstance(leaving.value.code, int)
        return subprocess.CompletedProcess(command, leaving.value.code, out, err)

    yield run
    signal.signal(signal.SIGTERM, before)
