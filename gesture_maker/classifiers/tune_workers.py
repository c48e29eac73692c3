"""Several processes that try settings at the same time, and what to do when one of them is killed.

Only the process that asked for the search knows the study: the others are given settings and tell losses. So nobody else writes to its
SQLite file, which several cannot do at once without waiting for each other, and a process that is killed takes nothing with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from gesture_maker.errors import RunError

_MAIN = (
    "import sys; folder, scratch, *sys.path[:] = sys.argv[1:]; "
    "from gesture_maker.classifiers.tune_worker import main; main(folder, scratch)"
)
"""With this process's own path for imports: `-m` would put the working folder before it, and whatever modules lie there."""

MOST_LOST = 3
"""Processes that may be lost one after another, without a fold that any finishes in between."""

TASKS_EACH = 40
"""Of one process, after which another takes its place: TensorFlow keeps 3 MB of every head that is trained, of 200 of them 0.6 GB."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Task(Protocol):
    """Settings to try. `job`: as `tune_worker` wants it."""

    job: Mapping[str, Any]

    def after_fold(self, told: Mapping[str, Any]) -> bool:
        """Take what is known after a fold, and tell whether to go on."""

    def end(self, told: Mapping[str, Any]) -> None:
        """Take how it ended: `kind` is "done", "stopped" or "failed"."""

    def lost(self, how: str) -> None:
        """Take that the process was killed; `how` is the end of a sentence about it."""


class Workers:
    """Processes for a search in `folder`, `count` at most, started as they are needed; all end with the block."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._count = folder.absolute(), count
        self._all: list[_Worker] = []
        self._lost = 0

    def __enter__(self) -> Workers:
        self._scratch = Path(tempfile.mkdtemp(prefix="gesture-maker-tune-"))
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.kill()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def run(self, next_task: Callable[[], Task | None]) -> None:
        """Do tasks until there is none and all have ended; `next_task` is asked whenever a process is free.

        Raises RunError when processes are lost again and again.
        """
        busy: dict[_Worker, Task] = {}
        with selectors.DefaultSelector() as waiting:
            while True:
                while len(busy) < self._count and (task := next_task()) is not None:
                    worker = self._free(busy)
                    busy[worker] = task
                    waiting.register(worker.answers, selectors.EVENT_READ, worker)
                    worker.tell(task.job)
                if not busy:
                    return
                for key, _ in waiting.select():
                    worker = key.data
                    if self._over(worker, busy[worker]):
                        waiting.unregister(key.fileobj)
                        del busy[worker]

    @property
    def pids(self) -> list[int]:
        """The processes that there are now."""
        return [worker.pid for worker in self._all]

    def _free(self, busy: Mapping[_Worker, Task]) -> _Worker:
        found = next((worker for worker in self._all if worker not in busy), None)
        if found is None:
            found = _Worker(self._folder, Path(tempfile.mkdtemp(dir=self._scratch)))
            self._all.append(found)
        return found

    def _over(self, worker: _Worker, task: Task) -> bool:
        """Take a worker's next line, and tell whether it has ended its task."""
        told = worker.hear()
        if told is None:
            how = worker.kill()
            self._all.remove(worker)
            self._lost += 1
            task.lost(how)
            if self._lost > MOST_LOST:
                raise RunError(
                    f"{self._lost} processes of the search were ended one after another, the last {how}; where memory is "
                    "short, use fewer --workers. What is finished is kept: the same command goes on."
                )
            return True
        if told["kind"] == "broken":
            raise RuntimeError(f"a process of the search failed:\n{told['error']}")
        self._lost = 0
        if told["kind"] == "fold":
            worker.tell({"go": task.after_fold(told)})
            return False
        task.end(told)
        worker.tasks += 1
        if worker.tasks == TASKS_EACH:
            worker.kill()
            self._all.remove(worker)
        return True


class _Worker:
    """One process. Each line it writes is waited for before it is told anything, so that no more than one is under way."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, str(folder), str(scratch), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # TensorFlow's words; what goes wrong is told on stdout
            # TensorFlow leaves files when it is killed: with the scratch folder they are removed.
            env={**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "TMPDIR": str(scratch)},
            start_new_session=True,  # Ctrl-C in the terminal is for the search, which then ends these
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._jobs, self.answers = self._process.stdin, self._process.stdout
        self.tasks = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it was killed, which `hear` finds out
            self._jobs.write(json.dumps(message).encode() + b"\n")
            self._jobs.flush()

    def hear(self) -> dict[str, Any] | None:
        """Return its next line; None when it was killed, be it in the middle of one."""
        line = self.answers.readline()
        return dict(json.loads(line)) if line.endswith(b"\n") else None

    def kill(self) -> str:
        """End it, if it has not ended, and return how it ended."""
        self._process.kill()
        status = self._process.wait()
        for pipe in (self._jobs, self.answers):
            with contextlib.suppress(OSError):
                pipe.close()
        if status < 0:
            with contextlib.suppress(ValueError):
                return f"by {signal.Signals(-status).name}"
        return f"with status {status}"


def one_by_one(tasks: list[Any]) -> Callable[[], Any]:
    """Return a `next_task` for tasks that are all known."""
    left: Iterator[Any] = iter(tasks)
    return lambda: next(left, None)
