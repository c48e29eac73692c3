"""A search that is interrupted, or killed, goes on where it was, and leaves nothing running and nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Cli
from helpers import one_sentence_error
from test_interrupt import PATIENCE, last_sentence, plain
from tunings import LABELS, QUICK, command, own_scratch, table_of_hands

from gesture_maker.classifiers import tune_space, tune_verdict, tuning
from gesture_maker.classifiers.tune_space import SPACE
from gesture_maker.classifiers.tune_study import Study
from gesture_maker.classifiers.tuned import Trial

TRIALS = 4

RANGES = {name: values for name, values in SPACE.items() if name not in QUICK}


def begun(folder: Path, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """Begin a command in a folder, with its progress on stderr as on a terminal and its temporary files in `folder`/scratch."""
    process = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=own_scratch(folder / "scratch"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    return process


def ended(process: subprocess.Popen[bytes], written: bytes) -> subprocess.CompletedProcess[str]:
    assert process.stderr is not None
    process.wait(PATIENCE)
    os.set_blocking(process.stderr.fileno(), True)
    out, rest = process.communicate()
    return subprocess.CompletedProcess([], process.returncode, out.decode(), plain(written + rest))


def until(process: subprocess.Popen[bytes], holds: Callable[[str], object]) -> bytes:
    """Wait until what a process wrote to stderr is as wished, and return it."""
    assert process.stderr is not None
    written, begin = b"", time.monotonic()
    while not holds(plain(written)):
        assert process.poll() is None, f"it ended before: {plain(written)}"
        assert time.monotonic() - begin < PATIENCE, plain(written)
        time.sleep(0.01)
        written += process.stderr.read() or b""
    return written


def trials_done(number: int) -> Callable[[str], object]:
    return lambda stderr: re.search(rf"Trials[^L]*?\b[{number}-9]/{TRIALS}", stderr)


def is_empty_soon(folder: Path) -> None:
    """Wait until the processes of a search, which remove their temporary files at their end, have ended."""
    begin = time.monotonic()
    while list(folder.iterdir()):
        assert time.monotonic() - begin < PATIENCE, [*folder.rglob("*")]
        time.sleep(0.01)
    folder.rmdir()


def trials_in(folder: Path) -> list[Trial]:
    with closing(Study(folder, RANGES, 0)) as study:
        return study.trials()


def test_ctrl_c_and_a_kill_lose_no_trial_that_was_finished(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of_hands(tmp_path / "hands.parquet", people=2)
    folder = tmp_path / "exported_models/hands-tune"

    first = begun(tmp_path, "tune", table, "--trials", str(TRIALS), "--workers", "2")
    try:
        written = until(first, trials_done(1))
        first.send_signal(signal.SIGINT)
        done = ended(first, written)
    finally:
        first.kill()
        first.wait()
    sentence = last_sentence(done)
    assert re.fullmatch(
        rf'The search "hands-tune" was interrupted after \d of {TRIALS} trials: '
        "go on with `gesture-maker tune --resume hands-tune`.",
        sentence,
    )
    is_empty_soon(tmp_path / "scratch")
    kept = trials_in(folder)
    assert 1 <= len(kept) < TRIALS
    assert not (folder / "tuning.json").exists()
    assert not (folder / "config.yaml").exists()

    second = begun(tmp_path, "tune", "--resume", "hands-tune", "--workers", "1")
    try:
        until(second, trials_done(len(kept) + 1))
        assert "is being searched by another process" in one_sentence_error(
            cli("tune", "--resume", "hands-tune", cwd=tmp_path)
        )
        second.kill()
        second.wait()
    finally:
        second.kill()
        second.wait()
        second.communicate()
    is_empty_soon(tmp_path / "scratch")  # its worker saw that nobody is there any more
    more = trials_in(folder)
    assert set(map(repr, kept)) <= set(map(repr, more))
    assert len(kept) < len(more) <= TRIALS

    monkeypatch.setattr(tune_space, "FIXED", QUICK)
    monkeypatch.setattr(tune_verdict, "COMPARING", (2,))
    monkeypatch.setattr(tune_verdict, "BEST_FEW", 1)
    tuned = tuning.tune(table, trials=TRIALS, workers=1, runs=tmp_path / "exported_models")  # the same call again
    assert tuned.path == folder
    assert len({trial.number for trial in tuned.trials}) == TRIALS
    assert set(map(repr, more)) <= set(map(repr, tuned.trials))  # nothing was made twice
    assert tuned.trials[0].settings == {}
    assert len({repr(trial.settings) for trial in tuned.trials}) == TRIALS
    assert set(tuned.labels) == set(LABELS)
    assert {path.name for path in folder.iterdir()} - {".lock", "trials.png"} == {
        *("study.db", "hands.npz", "tuning.json", "config.yaml"),
    }
