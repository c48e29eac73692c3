"""What the steps of `bench_speed.py` measure with: processes timed from outside, each result kept, and facts of the machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_quality import _copied, _fingerprint, _sentence, _write, log

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = Path(__file__).resolve().parent
PATIENCE = 10.0  # seconds that a command which is not needed any more gets to tidy up
SAMPLE_EVERY = 0.05  # seconds between two looks at a process's memory, which cost 0.1 ms each
PACKAGES = (
    "mediapipe",
    "mediapipe-model-maker",
    "tensorflow",
    "numpy",
    "opencv-contrib-python",
    "pillow",
    "pyarrow",
    "ray",
)

Numbers = dict[str, Any]


class FailedError(Exception):
    """A command failed; the message is its own last sentence."""


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of several measurements."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def told(self, digits: int = 1) -> str:
        """Return `median (least to greatest)`."""
        return f"{self.median:,.{digits}f} ({self.least:,.{digits}f} to {self.greatest:,.{digits}f})"


class Process:
    """A command in a process group of its own, what it says in files of `folder`, its memory watched.

    Left early, by Ctrl-C too, the whole group is ended.
    """

    def __init__(self, command: Sequence[str], folder: Path, **environment: str) -> None:
        self._folder = folder
        self._most = {"peak_mb": 0.0, "anonymous_mb": 0.0}
        self._done = threading.Event()
        with (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
            self._start = time.perf_counter()
            self._process = subprocess.Popen(
                [*command],
                cwd=folder,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self.kill(signal.SIGTERM)
            self.is_over(within=PATIENCE)
            self.kill()  # also what is left of the others in its group
            self.wait(check=False)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it as `kill -9` does, with all it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, how)

    def wait(self, check: bool = True) -> Numbers:
        """Return seconds from start to end, CPU seconds, and peak memory in MB (10^6 bytes): in all, and without mapped files.

        Raises FailedError when the command failed and `check` is set.
        """
        _, status, usage = os.wait4(self._process.pid, 0)
        seconds = time.perf_counter() - self._start
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._done.set()
        self._watching.join()
        if check and self._process.returncode:
            said = (self._folder / "stderr").read_text(errors="replace")
            raise FailedError(_sentence(said or (self._folder / "stdout").read_text(errors="replace")))
        return {
            "seconds": round(seconds, 3),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            **{name: round(value, 1) for name, value in self._most.items()},
            "status": self._process.returncode,
        }

    def is_over(self, within: float = 0) -> bool:
        """Tell whether it has ended, or does within so many seconds; `wait` still has to be called."""
        until = time.perf_counter() + within
        while os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.perf_counter() >= until:
                return False
            time.sleep(0.01)
        return True

    def _watch(self) -> None:
        # VmHWM never falls, so that only what is taken in the last moments can be missed; and unlike getrusage's ru_maxrss
        # it does not begin with the memory of the process that started this one.
        status = Path(f"/proc/{self._process.pid}/status")
        while not self._done.is_set():
            with contextlib.suppress(OSError, ValueError):
                told = dict(line.split(":", 1) for line in status.read_text().splitlines())
                for name, key in (("peak_mb", "VmHWM"), ("anonymous_mb", "RssAnon")):
                    if key in told:  # not in a process that has ended
                        self._most[name] = max(self._most[name], int(told[key].split()[0]) * 1024 / 1e6)
            self._done.wait(SAMPLE_EVERY)


class Bench:
    """Where everything is kept, and what is run.

    `folder`: of this bench; `shared`: the folder with data/, assets/ and baseline/. Measurements are kept by the code that
    was measured (comments do not count), which runs from a copy, so that the code may be edited meanwhile. `any_code`: take
    those of other code too.
    """

    def __init__(self, folder: Path, shared: Path, quick: bool = False, times: int = 5, any_code: bool = False) -> None:
        self.folder, self.shared = (folder / "quick" if quick else folder).resolve(), shared.resolve()
        self.quick, self.times, self.any_code = quick, 1 if quick else times, any_code
        self.image_sizes = (24, 48, 96) if quick else (1_000, 10_000, 100_000)
        self.row_sizes = (300, 900) if quick else (10_000, 100_000, 1_000_000)
        self.train_flags = ("--no-estimate",) if quick else ()  # so few would be trained on six times
        self.stock_files = folder.resolve() / "stock-files"
        self.code = _fingerprint(ROOT / "gesture_maker")
        self.home = self.folder / f"ours-{self.code}"
        if not (self.home / "code").is_dir():
            _copied(ROOT / "gesture_maker", self.home / "code", "gesture_maker")
        self.photos = self.shared / "data/sign_language_digits/train"

    @property
    def environment(self) -> dict[str, str]:
        """What our commands need to run the copy of the code."""
        return {"PYTHONPATH": str(self.home / "code"), "COLUMNS": "1000"}

    def scratch(self, name: str) -> Path:
        """Return an empty folder of this name, to be filled and forgotten."""
        import shutil

        folder = self.home / "scratch" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def kept(self, name: str, measure: Callable[[], Numbers]) -> Numbers:
        """Return a measurement; it is made once for this code."""
        if before := self.newest(f"measured/{name}.json"):
            return before
        load = os.getloadavg()[0]
        measured = measure()
        about = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "load_before": round(load, 2)}
        _write(self.home / f"measured/{name}.json", json.dumps({**measured, **about, "code": self.code}, indent=1))
        log(
            f"{name}: {', '.join(f'{key} {value}' for key, value in measured.items() if isinstance(value, int | float))}"
        )
        return {**measured, **about, "code": self.code}

    def newest(self, place: str) -> Numbers:
        """Return what was kept at `place` of this code, or with `any_code` the newest of any; empty when nothing was."""
        own = self.home / place
        others = self.folder.glob(f"ours-*/{place}") if self.any_code else ()
        if own.is_file() or (own := max(others, key=lambda path: path.stat().st_mtime, default=own)).is_file():
            return dict(json.loads(own.read_text()))
        return {}

    def ours(self, *arguments: str | Path, folder: Path, script: str | None = None) -> Process:
        """Start `gesture-maker ARGUMENTS` in `folder`; or `script` of this folder, with the same code."""
        start = [str(SCRIPTS / script)] if script else ["-m", "gesture_maker"]
        return Process([sys.executable, *start, *map(str, arguments)], folder, **self.environment)

    def run(self, *arguments: str | Path, folder: Path, script: str | None = None) -> Numbers:
        """Run the same to its end; see `Process.wait`."""
        with self.ours(*arguments, folder=folder, script=script) as process:
            return process.wait()


def line_of_json(folder: Path) -> Numbers:
    """Return the last line of JSON that a command wrote to standard output. Raises FailedError when there is none."""
    lines = [line for line in (folder / "stdout").read_text().splitlines() if line.startswith("{")]
    if not lines:
        raise FailedError("it printed no result")
    return dict(json.loads(lines[-1]))


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return `folder`, filled by `make` if it is not there yet; half of it is never left under this name."""
    import shutil

    if not folder.is_dir():
        making = folder.with_name(f".making-{folder.name}")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        make(making)
        making.replace(folder)
    return folder


def facts() -> Numbers:
    """Return what the numbers depend on: the machine and the versions."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": usable,
        "processor": _told_by("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "memory": _told_by("/proc/meminfo", "MemTotal"),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        **versions,
    }


def _told_by(file: str, key: str) -> str:
    with contextlib.suppress(OSError):
        for line in Path(file).read_text().splitlines():
            if line.startswith(key):
                return line.partition(":")[2].strip()
    return ""
