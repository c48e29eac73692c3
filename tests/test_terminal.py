"""What a user sees in a terminal: progress bars that come and go cleanly, and help whose options can be read."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import environment, run_cli

CLEARED = "\x1b[2K"  # the line is emptied


def on_a_terminal(program: str, *arguments: str) -> str:
    """Run a Python program on a terminal and return what appears there."""
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=side,
        stdout=side,
        stderr=side,
        env=environment(TERM="xterm"),
    )
    os.close(side)
    written = b""
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        written += piece
    os.close(terminal)
    assert process.wait() == 0, written.decode()
    return written.decode()


WHILE_STDERR_IS_AWAY = """
from gesture_maker.cli import progress
from gesture_maker.mediapipe_runtime import quiet_stderr

progress.SHOW_AFTER = 0.0
with progress.stage_progress({"second": "Second [1]"}) as report:
    report("first", 0, 2)
    report("first", 1, 2)
    with quiet_stderr():  # what another thread does when it makes its landmarker
        report("second", 0, 2)
        report("second", 1, 2)
    report("second", 2, 2)
print("the end")
"""


def test_a_bar_that_ends_while_stderr_is_redirected_leaves_nothing_and_the_next_appears() -> None:
    written = on_a_terminal(WHILE_STDERR_IS_AWAY)
    first, second = written.index("first"), written.index("Second [1]")
    assert CLEARED in written[first:second]
    last_line = written.splitlines()[-1]
    assert last_line.rpartition(CLEARED)[2] == "the end"


def test_without_a_terminal_there_is_no_bar() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHILE_STDERR_IS_AWAY], env=environment(), capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("the end\n", "")


A_LINE = """
from gesture_maker.cli.progress import renewed_line

with renewed_line() as renew:
    renew("left: [b]call[/b] 0.98")
    renew("right: rock " + "x" * 300)
print("the end")
"""


def test_a_line_is_renewed_and_gone_at_the_end() -> None:
    written = on_a_terminal(A_LINE)
    assert "right: rock xxx" in written
    last_line = written.splitlines()[-1]
    assert last_line.rpartition(CLEARED)[2] == "the end"
    longest = max(len(line) for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "\n", written).splitlines())
    assert longest <= 200  # one line only, or it could not be renewed


def test_without_a_terminal_there_is_no_line() -> None:
    done = subprocess.run([sys.executable, "-c", A_LINE], env=environment(), capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("the end\n", "")


def test_a_stderr_that_is_no_file_is_no_error() -> None:
    program = "import io, sys\nsys.stderr = io.StringIO()\n" + WHILE_STDERR_IS_AWAY.replace(
        "with quiet_stderr()", "if 1"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "the end\n"


@pytest.mark.parametrize("command", ["collect", "rename", "check", "train", "export", "eval", "live", "demo"])
def test_options_are_not_cut_off_on_80_columns(command: str, tmp_path: Path) -> None:
    narrow = run_cli(command, "--help", cwd=tmp_path, COLUMNS="80").stdout
    wide = run_cli(command, "--help", cwd=tmp_path, COLUMNS="200").stdout
    options = {word for word in wide.split() if word.startswith("--")}
    assert options
    assert {option for option in options if option not in narrow} == set()
