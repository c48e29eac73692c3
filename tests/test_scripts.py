"""The shell scripts: that they parse, and that set-up does what is needed, no more, and says what is wrong.

Set-up runs for real, in a folder of its own, with a stand-in for Python: a shell script that answers as Python, `venv` and
pip would, and notes what it was asked. Nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = [
    path
    for path in (*sorted((ROOT / "scripts").iterdir()), ROOT / ".ci" / "run")
    if path.is_file() and "bash" in path.read_text(encoding="utf-8").partition("\n")[0]
]

PYTHON = r"""#!/bin/bash
# A Python that knows only what set-up asks. The files in $STANDIN steer it; it notes its work in $STANDIN/calls.
note() { printf '%s\n' "$*" >> "$STANDIN/calls"; }
case "$*" in
  *ensurepip*) cat "$STANDIN/about" ;;
  *"-m venv "*)
    note "venv"
    for place; do :; done
    mkdir -p "$place/bin" && cp "$0" "$place/bin/python" && printf 'VIRTUAL_ENV="%s"\n' "$place" > "$place/bin/activate" ;;
  *version_info*) cut -d' ' -f1 "$STANDIN/about" ;;
  *"import pip") ;;
  *"-m pip "*)
    all="$*"
    log=${all##*--log } log=${log%%setup-log*}setup-log
    note "pip ${all##*setup-log }"
    [ ! -e "$STANDIN/slow" ] || { echo 'Installing collected packages: rich' >> "$log"; : > "$STANDIN/at-work"; exec sleep 60; }
    [ ! -e "$STANDIN/pip-says" ] || { cat "$STANDIN/pip-says" >&2; exit 1; } ;;
  *"import cv2"*) note "libraries"; [ ! -e "$STANDIN/missing" ] || { cat "$STANDIN/missing"; exit 1; } ;;
  *) note "unexpected: $*"; exit 99 ;;
esac
"""

# All that set-up may call, so that no Python of this machine is on its path.
TOOLS = ["bash", "cat", "chmod", "cksum", "comm", "cp", "cut", "dirname", "find", "grep", "head", "mkdir", "mv", "ps"]
TOOLS += ["rm", "rmdir", "sed", "sleep", "sort", "tail", "touch", "tr", "uname"]


class Checkout:
    """A folder with set-up, a lock and a stand-in for Python, and nothing else of the project."""

    def __init__(self, folder: Path) -> None:
        self.root, self.standin = folder / "a checkout", folder / "standin"
        (self.root / "scripts").mkdir(parents=True)
        (self.standin / "bin").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "setup", self.root / "scripts" / "setup")
        (self.root / "requirements.lock").write_text("numpy==1.26.4 \\\n    --hash=sha256:0\nrich==14.0 \\\n")
        (self.root / "pyproject.toml").write_text("[project]\n")
        self.python = self.standin / "bin" / "python3"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)
        self.be("3.11 cpython venv")
        self.environment = {
            "PATH": f"{self.standin / 'bin'}:{folder / 'tools'}",
            "HOME": str(folder),
            "STANDIN": str(self.standin),
        }
        (folder / "tools").mkdir()
        for tool in TOOLS:
            if found := shutil.which(tool):
                (folder / "tools" / tool).symlink_to(found)

    def be(self, about: str) -> None:
        """Let the stand-in call itself `about`: version, implementation, and "venv" or "bare"."""
        (self.standin / "about").write_text(about + "\n")

    def start(self, **extra: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", str(self.root / "scripts" / "setup")],
            env=self.environment | extra,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until_at_work(self, process: subprocess.Popen[str]) -> None:
        """Return when the stand-in for pip is in the middle of an installation."""
        while not (self.standin / "at-work").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)

    def setup(self, **extra: str) -> tuple[int, str, list[str]]:
        """Run set-up; return its exit status, what it said, and what it asked of Python."""
        (self.standin / "calls").write_text("")
        process = self.start(**extra)
        out, said = process.communicate(timeout=60)
        assert out == "", "set-up speaks on standard error only"
        return process.returncode, said, (self.standin / "calls").read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def what(calls: list[str]) -> list[str]:
    """Shorten the noted calls to the step each belongs to."""
    steps = {"-r requirements.lock": "packages", "--editable": "project", "uninstall": "remove"}
    return [next((step for sign, step in steps.items() if sign in call), call) for call in calls]


ALL = ["venv", "packages", "project", "libraries"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_parses(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert os.access(script, os.X_OK) or script.parent.name == ".ci"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_is_clean_by_shellcheck(script: Path) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    subprocess.run(["shellcheck", str(script)], check=True)


def test_scripts_name_no_registry() -> None:
    for name in ("requirements.lock", *(str(script.relative_to(ROOT)) for script in SCRIPTS)):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "pypi" not in text.lower(), name
        assert "--index-url" not in text.replace("--no-emit-index-url", ""), name


def test_installs_once_and_is_silent_afterwards(checkout: Checkout) -> None:
    status, _, calls = checkout.setup()
    assert (status, what(calls)) == (0, ALL)
    assert "--require-hashes --no-deps --only-binary :all:" in calls[1]
    assert checkout.setup() == (0, "", [])


def test_redoes_only_what_changed(checkout: Checkout) -> None:
    checkout.setup()
    (checkout.root / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert what(checkout.setup()[2]) == ["project"]
    (checkout.root / "requirements.lock").write_text("numpy==1.26.4 \\\n    --hash=sha256:0\n")
    status, _, calls = checkout.setup()
    assert (status, what(calls)) == (0, ["packages", "remove", "project", "libraries"])
    assert calls[1].endswith("uninstall --yes rich")
    assert checkout.setup() == (0, "", [])


def test_no_python_that_fits_is_one_clear_message(checkout: Checkout) -> None:
    elsewhere = ("/opt/homebrew/opt", "/usr/local/opt", "/Library/Frameworks/Python.framework/Versions")
    for place in elsewhere:
        if any(Path(place).glob("python@3.1[01]")) or any(Path(place).glob("3.1[01]")):
            pytest.skip(f"set-up would rightly find the Python under {place}")
    checkout.be("3.13 cpython venv")
    status, said, calls = checkout.setup()
    assert (status, calls) == (1, [])
    assert said.startswith("setup: Python 3.10 or 3.11 is needed")
    assert "found only 3.13" in said
    assert "apt install python3.11-venv" in said
    assert "brew install python@3.11" in said
    assert said.count("setup:") == 1
    assert not (checkout.root / ".venv").exists()


def test_takes_the_first_python_that_runs_and_fits(checkout: Checkout) -> None:
    shim = checkout.standin / "bin" / "python3.11"
    shim.write_text("#!/bin/bash\necho 'pyenv: python3.11: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    (checkout.standin / "bin" / "python3").rename(checkout.standin / "bin" / "python3.10")
    checkout.be("3.10 cpython venv")
    status, said, calls = checkout.setup()
    assert (status, what(calls)) == (0, ALL)
    assert str(checkout.standin / "bin" / "python3.10") in said


def test_a_python_without_venv_names_the_package(checkout: Checkout) -> None:
    checkout.be("3.11 cpython bare")
    for extra in ({}, {"GESTURE_MAKER_PYTHON": str(checkout.python)}):
        status, said, calls = checkout.setup(**extra)
        assert (status, calls) == (1, [])
        assert "apt install python3.11-venv" in said
        assert said.count("\n") == 1


def test_the_override_is_taken_or_refused_but_never_ignored(checkout: Checkout) -> None:
    status, said, _ = checkout.setup(GESTURE_MAKER_PYTHON="/no/such/python")
    assert (status, "there is no such program" in said) == (1, True)
    checkout.setup()
    other = checkout.standin / "bin" / "other-python"
    shutil.copy(checkout.python, other)
    status, said, calls = checkout.setup(GESTURE_MAKER_PYTHON=str(other))
    assert (status, what(calls)) == (0, ALL)
    assert str(other) in said
    assert checkout.setup(GESTURE_MAKER_PYTHON=str(other)) == (0, "", [])


def test_a_moved_folder_is_recognised(checkout: Checkout) -> None:
    checkout.setup()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    status, said, calls = checkout.setup()
    assert (status, what(calls)) == (0, ALL)
    assert "moved or copied" in said


def test_a_python_that_is_gone_is_recognised(checkout: Checkout) -> None:
    checkout.setup()
    (checkout.root / ".venv" / "bin" / "python").unlink()
    status, said, calls = checkout.setup()
    assert (status, what(calls), "Its Python is gone" in said) == (0, ALL, True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_installation_starts_over(checkout: Checkout, how: signal.Signals) -> None:
    (checkout.standin / "slow").touch()
    process = checkout.start()
    checkout.wait_until_at_work(process)
    os.killpg(process.pid, how)
    process.communicate(timeout=30)
    assert process.returncode != 0
    (checkout.standin / "slow").unlink()
    status, said, calls = checkout.setup()
    assert (status, what(calls)) == (0, ALL)
    assert "interrupted" in said
    assert checkout.setup() == (0, "", [])


def test_a_second_setup_waits_for_the_first(checkout: Checkout) -> None:
    (checkout.standin / "slow").touch()
    first = checkout.start()
    checkout.wait_until_at_work(first)
    second = checkout.start()
    assert second.stderr is not None
    assert f"process {first.pid}" in second.stderr.readline()
    (checkout.standin / "slow").unlink()
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=30)
    said = second.communicate(timeout=60)[1]
    assert second.returncode == 0, said
    assert "interrupted" in said  # by then the first was gone, with half its work


@pytest.mark.parametrize(
    ("pip_says", "sentence"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full"),
        ("WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'", "cannot be reached"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            "not the one that requirements.lock",
        ),
        ("ERROR: No matching distribution found for tensorflow==2.15.1", "no build for this system"),
        ("ERROR: Something new", "pip failed"),
    ],
)
def test_a_failed_download_is_explained_and_the_next_run_goes_on(
    checkout: Checkout, pip_says: str, sentence: str
) -> None:
    (checkout.standin / "pip-says").write_text(pip_says + "\n")
    status, said, calls = checkout.setup()
    assert (status, what(calls)) == (1, ["venv", "packages"])
    assert pip_says in said
    assert sentence in said.splitlines()[-1]
    (checkout.standin / "pip-says").unlink()
    assert what(checkout.setup()[2]) == ["packages", "project", "libraries"]


def test_missing_system_libraries_name_the_packages(checkout: Checkout) -> None:
    missing = checkout.standin / "missing"
    missing.write_text(
        "OpenCV: libGL.so.1: cannot open shared object file: No such file or directory\n"
        "libGL.so.1: cannot open shared object file: No such file or directory\n"
        "libEGL.so.1: cannot open shared object file: No such file or directory\n"
        "libglib-2.0.so.0: cannot open shared object file: No such file or directory\n"
        "libgthread-2.0.so.0: cannot open shared object file: No such file or directory\n"
    )
    status, said, _ = checkout.setup()
    assert status == 1
    assert said.splitlines()[-1].endswith("sudo apt install libgl1 libegl1 libglib2.0-0")
    assert what(checkout.setup()[2]) == ["libraries"], "what is installed stays"
    missing.unlink()
    assert checkout.setup()[0] == 0
    assert checkout.setup() == (0, "", [])


def test_linux_on_arm_is_refused_before_anything_is_made(checkout: Checkout) -> None:
    uname = checkout.standin / "bin" / "uname"
    uname.write_text('#!/bin/bash\n[ "$1" = -s ] && echo Linux || echo aarch64\n')
    uname.chmod(0o755)
    status, said, calls = checkout.setup()
    assert (status, calls, said.count("\n")) == (1, [], 1)
    assert "no build for Linux on ARM" in said
    assert not (checkout.root / ".venv").exists()


def test_somebody_elses_venv_is_used_or_left_alone(checkout: Checkout) -> None:
    own = checkout.root / ".venv"
    (own / "bin").mkdir(parents=True)
    shutil.copy(checkout.python, own / "bin" / "python")
    (own / "bin" / "activate").write_text(f"    export VIRTUAL_ENV='{own}'\n")
    (own / "precious").touch()
    checkout.be("3.12 cpython venv")
    status, said, calls = checkout.setup()
    assert (status, calls, "not made by this script" in said) == (1, [], True)
    checkout.be("3.11 cpython venv")
    assert what(checkout.setup()[2]) == ALL[1:]
    assert (own / "precious").exists()


APT = r"""#!/bin/bash
# Notes what it is asked, and cannot get what $STANDIN/unavailable names.
printf '%s\n' "$*" >> "$STANDIN/calls"
for package; do :; done
! grep -qx -- "$package" "$STANDIN/unavailable"
"""

COMMANDS = ("node", "npm", "chromium", "Xvfb", "xauth", "xdotool")
LIBRARIES = ("libGL.so.1", "libgthread-2.0.so.0", "libEGL.so.1", "libGLESv2.so.2")


class BareMachine:
    """A machine for `.ci/run`: its libraries, commands, user and apt-get are stand-ins; so is scripts/test."""

    def __init__(self, checkout: Checkout) -> None:
        self.root, self.standin = checkout.root, checkout.standin
        self.environment = checkout.environment | {"CHROMIUM": ""}
        shutil.copytree(ROOT / ".ci", self.root / ".ci")
        (self.standin / "unavailable").write_text("")
        self.has("id", "echo 0")
        self.has("apt-get", APT.partition("\n")[2])
        self.has("ldconfig", "")
        (self.root / "scripts" / "test").write_text("echo the tests ran; exit 3\n")

    def has(self, command: str, does: str = "true") -> None:
        path = self.standin / "bin" / command
        path.write_text(f"#!/bin/bash\n{does}\n")
        path.chmod(0o755)

    def run(self) -> tuple[list[str], list[str]]:
        """Run the checks; return the packages that apt-get was asked for, and what was said."""
        (self.standin / "calls").write_text("")
        command = ["bash", str(self.root / ".ci" / "run")]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        said = done.stdout.splitlines()
        assert (done.returncode, said[-1]) == (3, "the tests ran"), done.stderr
        calls = [call.split() for call in (self.standin / "calls").read_text().splitlines()]
        assert sum(call[0] == "update" for call in calls) == bool(calls), "the lists are fetched once"
        wanted = [word for call in calls if "install" in call for word in call if word[0] != "-" and word != "install"]
        return wanted, said[:-1]


@pytest.fixture
def machine(checkout: Checkout) -> BareMachine:
    return BareMachine(checkout)


def test_the_checks_first_install_what_the_machine_lacks(machine: BareMachine) -> None:
    wanted, _ = machine.run()
    tools = ["nodejs", "npm", "chromium", "xvfb", "xauth", "xdotool"]
    assert wanted == ["libgl1", "libglib2.0-0", "libegl1", "libgles2", *tools]
    machine.has("node")
    machine.has("google-chrome")
    machine.has("ldconfig", "\n".join(f"echo '	{name} (libc6,x86-64) => /lib/{name}'" for name in LIBRARIES[1:]))
    assert machine.run()[0] == ["libgl1", "npm", "xvfb", "xauth", "xdotool"]


def test_the_checks_install_nothing_where_nothing_is_missing(machine: BareMachine) -> None:
    for command in COMMANDS:
        machine.has(command)
    machine.has("ldconfig", "\n".join(f"echo '	{name} (libc6,x86-64) => /lib/{name}'" for name in LIBRARIES))
    assert machine.run() == ([], [])


def test_the_checks_go_on_without_what_cannot_be_had_and_say_so(machine: BareMachine) -> None:
    (machine.standin / "unavailable").write_text("chromium\n")
    wanted, said = machine.run()
    assert "xdotool" in wanted, "one that cannot be had does not keep the next from being installed"
    assert [line for line in said if "could not" in line] == ["ci: apt-get could not install chromium."]
    machine.has("id", "echo 1000")
    wanted, said = machine.run()
    assert wanted == []
    assert "ci: going on without chromium: installing needs root and apt-get." in said


def test_the_checks_all_run_and_any_failure_counts(checkout: Checkout) -> None:
    shutil.copy(ROOT / "scripts" / "test", checkout.root / "scripts" / "test")
    (checkout.root / "scripts" / "setup").write_text("#!/bin/bash\n")
    (checkout.root / "scripts" / "setup").chmod(0o755)
    tools = checkout.root / ".venv" / "bin"
    tools.mkdir(parents=True)

    def statuses(**of: int) -> tuple[int, list[str]]:
        for name in ("ruff", "mypy", "python"):
            tool = tools / name
            tool.write_text(f'#!/bin/bash\necho "ran {name} $*"\nexit {of.get(name, 0)}\n')
            tool.chmod(0o755)
        command = ["bash", str(checkout.root / "scripts" / "test"), "-k", "a b"]
        done = subprocess.run(command, env=checkout.environment, capture_output=True, text=True, check=False)
        return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("ran ")]

    everything = ["ran ruff format --check .", "ran ruff check .", "ran mypy "]
    everything.append("ran python -m pytest -n auto --maxprocesses 4 --dist loadfile -k a b")
    assert statuses() == (0, everything)
    for name in ("ruff", "mypy", "python"):
        status, ran = statuses(**{name: 1})
        assert status != 0
        assert ran == everything
