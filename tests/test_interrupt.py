"""Ctrl-C and kill, as they come: a real signal to a real process in the middle of its work."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CLASSES, Cli, Trained
from helpers import check_manifest, contents, environment, one_sentence_error, photo, tree, write

from gesture_maker.dataset.manifest import read_manifest
from gesture_maker.files import sha256_of
from gesture_maker.images import read_image
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE, detection_key
from gesture_maker.landmarks.hands import NoHand
from gesture_maker.landmarks.table import LandmarkTable
from gesture_maker.training.run import Run

PATIENCE = 120  # seconds; only for a broken program, nothing waits this long

Condition = Callable[[str], object]


def signalled(
    *arguments: str | Path, cwd: Path, when: Condition, by: int = signal.SIGINT
) -> subprocess.CompletedProcess[str]:
    """Run `gesture-maker ARGUMENTS`, send it the signal once `when(what it wrote to stderr)` holds, and wait for its end.

    Progress bars are drawn as on a terminal, so that they tell how far it is.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "gesture_maker", *map(str, arguments)],
        cwd=cwd,
        env=environment(FORCE_COLOR="1", TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    written, begin = b"", time.monotonic()
    try:
        while not when(plain(written)):
            assert process.poll() is None, f"it ended before: {plain(written)}"
            assert time.monotonic() - begin < PATIENCE, plain(written)
            time.sleep(0.005)
            written += process.stderr.read() or b""
        process.send_signal(by)
        process.wait(PATIENCE)
        os.set_blocking(process.stderr.fileno(), True)
        out, rest = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, out.decode(), plain(written + rest))
    finally:
        process.kill()
        process.wait()


def plain(text: bytes) -> str:
    """Return what a terminal was sent, with line breaks in place of control sequences that move or erase."""
    text = re.sub(rb"\x1b\[[0-9;]*m", b"", text)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "\n", text.decode(errors="replace"))


def last_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """Return the message of an interrupted command: status 130, no traceback, one line besides the progress bar."""
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    sentences = [line for line in lines if "━" not in line and "╸" not in line and "╺" not in line]
    assert len(sentences) == 1, done.stderr
    return sentences[0]


def no_leftovers(folder: Path) -> None:
    hidden = {path.name for path in folder.rglob("*") if path.name.startswith(".")}
    assert hidden <= {".landmarks.parquet.lock", ".landmarks.parquet.parts"}  # what was found is not left over


def in_training(stderr: str) -> object:
    return re.search(r"Training[^L]*?\b([1-9]\d*)/", stderr)


LONG = ("--epochs", "15", "--steps-per-epoch", "60", "--no-estimate")


def test_ctrl_c_while_training_and_going_on(drawn: Path, tmp_path: Path, cli: Cli) -> None:
    done = signalled("train", drawn, "--name", "a run", *LONG, cwd=tmp_path, when=in_training)
    assert last_sentence(done) == (
        "The training of \"a run\" was interrupted: continue it with `gesture-maker train --resume 'a run'`."
    )
    path = tmp_path / "exported_models/a run"
    no_leftovers(tmp_path)
    assert Run.load(path).description["status"] == "unfinished"
    assert (path / "checkpoints/checkpoint.npz").is_file()
    for command in ("export", "eval"):
        assert "never finished" in one_sentence_error(cli(command, "a run", cwd=tmp_path))

    done = cli("train", "--resume", "a run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Run.load(path).finished
    epochs = [line.split(",")[0] for line in (path / "history.csv").read_text().splitlines()[1:]]
    assert epochs == [str(number) for number in range(1, 16)]
    assert not (path / "checkpoints/checkpoint.npz").exists()
    assert cli("export", "a run", cwd=tmp_path).returncode == 0


def test_kill_while_training_leaves_nothing_half_written(drawn: Path, tmp_path: Path) -> None:
    done = signalled("train", drawn, "--name", "killed", *LONG, cwd=tmp_path, when=in_training, by=signal.SIGTERM)
    assert done.returncode == 143
    assert "Traceback" not in done.stderr
    no_leftovers(tmp_path)
    run = Run.load(tmp_path / "exported_models/killed")
    assert not run.finished
    assert len(run.embeddings("train")) > 0
    assert run.split()


@pytest.fixture
def many(drawn: Path, tmp_path: Path) -> Path:
    """A working folder with ten times the drawn photos: a byte after its end makes a JPEG another file, not another photo."""
    folder = tmp_path / "datasets/many"
    for label in CLASSES:
        for path in sorted((drawn / label).glob("*.jpg")):
            content = path.read_bytes()
            for number in range(10):
                write(folder / label / f"{path.stem}_{number}.jpg", content + bytes([number]))
    return tmp_path


def test_ctrl_c_while_looking_for_hands_keeps_what_was_found(many: Path, cli: Cli) -> None:
    def begun(stderr: str) -> object:
        return re.search(r"Looking for hands.*?\b([1-9]\d*)/580", stderr)  # 480 photos, 100 of them in a mirror too

    done = signalled("train", "many", cwd=many, when=begun)
    assert last_sentence(done).startswith("Interrupted: what was finished is kept, run the same command again")
    no_leftovers(many)
    assert not (many / "exported_models").exists()
    place = many / "datasets/many/landmarks.parquet"
    table = LandmarkTable.open(place)
    assert 0 < len(table) < 480

    # The same command again, on some of the photos, believes the table: one photo in it is now said to show nothing.
    key = detection_key(MIN_DETECTION_CONFIDENCE)
    for path in (many / "datasets/many").glob("*/*_[2-9].jpg"):
        path.unlink()
    photos = sorted((many / "datasets/many").glob("*/*.jpg"))
    known = next(path for path in photos if table.get(sha256_of(path.read_bytes()), key) is not None)
    table.put(sha256_of(known.read_bytes()), key, NoHand("as the table has it"))
    table.save()
    done = cli("train", "many", "--epochs", "1", "--steps-per-epoch", "5", "--no-estimate", cwd=many)
    assert done.returncode == 0, done.stderr
    assert f"{known.relative_to(many)}: as the table has it" in done.stdout
    assert "95 of 96 photos used" in done.stdout


def test_ctrl_c_while_evaluating_writes_nothing(many: Path, trained: Trained) -> None:
    before = tree(many)
    done = signalled(
        "eval", trained.export.bundle, "many", "--out", "report", cwd=many,
        when=lambda stderr: re.search(r"Recognizing.*?\b([1-9]\d*)/480", stderr),
    )  # fmt: skip
    assert last_sentence(done).startswith("Interrupted: ")
    assert tree(many) == before


def test_ctrl_c_while_collecting_keeps_whole_images(tmp_path: Path, cli: Cli) -> None:
    for number in range(3000):
        write(tmp_path / f"photos/rock/{number}.jpg", photo() + number.to_bytes(2, "big"))
    place = tmp_path / "datasets/rps/rock"
    done = signalled(
        "collect",
        "photos",
        "--dataset",
        "rps",
        cwd=tmp_path,
        when=lambda _: place.is_dir() and any(place.glob("rock_*")),
    )
    assert last_sentence(done).startswith("Interrupted: ")
    no_leftovers(tmp_path)
    kept = contents(tmp_path / "datasets/rps")
    assert 0 < kept.total() < 3000
    assert kept <= contents(tmp_path / "photos")
    done = cli("collect", "photos", "--dataset", "rps", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "datasets/rps") == contents(tmp_path / "photos")
    check_manifest(tmp_path / "datasets/rps")


def test_ctrl_c_while_drawing_the_demo(tmp_path: Path) -> None:
    place = tmp_path / "datasets/demo"
    done = signalled("demo", cwd=tmp_path, when=lambda _: len(list(place.glob("*/*.jpg"))) > 3)
    assert last_sentence(done).startswith("Interrupted: ")
    no_leftovers(tmp_path)
    images = list(place.glob("*/*.jpg"))
    assert all(read_image(path).shape == (320, 320, 3) for path in images)
    assert set(read_manifest(place)) <= {f"{path.parent.name}/{path.name}" for path in images}
