"""The three runtimes that a bundle is asked in, made ready when they are first needed.

`project`: mediapipe of the environment that runs this; `newest`: the mediapipe of tests/newest/requirements.txt, in an
environment of its own; `web`: @mediapipe/tasks-vision of tests/web/package-lock.json in Chromium, which is what MediaPipe
Studio runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "tests" / "web"
NEWEST_LOCK = ROOT / "tests" / "newest" / "requirements.txt"
NEWEST = ROOT / ".venv" / "newest-mediapipe"
ASK = Path(__file__).resolve().parent / "parity_ask.py"

RUNTIMES = ("project", "newest", "web")

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
OLDEST_NODE = 18  # of which playwright-core 1.61.0 is the last; Debian 12 has it


class NotToBeHad(Exception):
    """A runtime that this machine lacks and that could not be fetched; says what and how to get it."""


def ask(runtime: str, folder: Path, bundles: list[str]) -> dict[str, Any]:
    """Return what a runtime answers to the photos (*.png) of a folder with the bundles that lie there.

    See `parity_ask.py` for its form. Raises NotToBeHad when the runtime is missing, RuntimeError when it fails.
    """
    if runtime == "web":
        done = run_node("recognize.mjs", folder, *bundles)
    else:
        python = Path(sys.executable) if runtime == "project" else newest_python()
        done = _run([str(python), str(ASK), str(folder), *bundles])
    if done.returncode:
        raise RuntimeError(f"{runtime} failed:\n{done.stderr}")
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def newest_python() -> Path:
    """Return the Python of the environment of the newest mediapipe, which is made when there is none for this lock."""
    if not (ROOT / ".venv" / "pyvenv.cfg").is_file():
        raise NotToBeHad(
            "the newest mediapipe gets its environment inside .venv, and there is none: run ./scripts/setup"
        )
    python, stamp = NEWEST / "bin" / "python", NEWEST / "made-from"
    made_from = json.dumps([_checksum(NEWEST_LOCK), str(NEWEST), sys.base_prefix, sys.version])
    with FileLock(f"{NEWEST}.lock"):
        if stamp.is_file() and stamp.read_text() == made_from and python.is_file():
            return python
        shutil.rmtree(NEWEST, ignore_errors=True)
        _fetch([sys.executable, "-m", "venv", "--without-pip", str(NEWEST)], "the newest mediapipe")
        install = [
            "install",
            "--quiet",
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-r",
            str(NEWEST_LOCK),
        ]
        _fetch([sys.executable, "-m", "pip", "--python", str(python), *install], "the newest mediapipe")
        stamp.write_text(made_from)
    return python


def run_node(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script of tests/web with its packages in place. Raises NotToBeHad without Node, them or Chromium."""
    return _run([web_ready(), str(WEB / script), *map(str, arguments)])


def web_ready() -> str:
    """Return the program Node, with Chromium there and the packages of tests/web installed, once for a lock."""
    program = check_web()
    packages, stamp = WEB / "node_modules", WEB / "node_modules" / ".made-from"
    lock = _checksum(WEB / "package-lock.json")
    with FileLock(WEB / ".npm-ci.lock"):
        if not (stamp.is_file() and stamp.read_text() == lock):
            shutil.rmtree(packages, ignore_errors=True)
            npm = shutil.which("npm")
            if npm is None:
                raise NotToBeHad("npm is not installed: on Debian `apt install npm`")
            _fetch([npm, "ci", "--no-progress"], "the packages of tests/web", cwd=WEB)
            stamp.write_text(lock)
    return program


def check_web() -> str:
    """Return the program Node. Raises NotToBeHad without it, or a Chromium that tests/web/browser.mjs would find."""
    named = os.environ.get("CHROMIUM")
    if named and not shutil.which(named):
        raise NotToBeHad(f"there is no program {named}, which the environment variable CHROMIUM names")
    if not named and not any(map(shutil.which, CHROMIUMS)):
        raise NotToBeHad("Chromium is not installed: on Debian `apt install chromium`, or name one by CHROMIUM")
    return node()


def node() -> str:
    """Return the program Node. Raises NotToBeHad when there is none, or an old one."""
    found = shutil.which("node")
    version = _run([found, "--version"]).stdout.strip() if found else ""
    if not found or int(version.removeprefix("v").partition(".")[0] or 0) < OLDEST_NODE:
        but = f"found only {version}" if version else "not installed"
        raise NotToBeHad(f"Node {OLDEST_NODE} or newer is needed ({but}): on Debian `apt install nodejs npm`")
    return found


def _fetch(command: list[str], what: str, cwd: Path | None = None) -> None:
    done = _run(command, cwd)
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise NotToBeHad(f"{what} could not be installed: {' / '.join(said[-3:]) or f'{command[0]} failed'}")


def _run(command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
