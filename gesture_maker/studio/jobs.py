"""The one job that a studio may have under way: its process is started, listened to and ended here.

What is known of it is told to all pages as the event "job", so that a page that is opened later, or again, shows the same.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import IO, Any

from gesture_maker.errors import GestureMakerError
from gesture_maker.studio.job_process import DONE, FAILED, INTERRUPTED
from gesture_maker.studio.runs import Runs, runs_of
from gesture_maker.studio.state import Studio

RUNNING, CANCELLING, FINISHED, CANCELLED = "running", "cancelling", "finished", "cancelled"

CLOSE_SECONDS = 15.0
"""For a training to write down where it is when the studio ends; one checkpoint takes 0.1."""

SHOWN_ERRORS = 4000  # bytes of what a process that failed wrote to its stderr, told in the studio's terminal

_MAIN = "import sys; sys.path[:] = sys.argv[1:]; from gesture_maker.studio.job_process import main; main()"
"""With the server's own path for imports: `-m` would put the working folder before it, and whatever modules lie there."""


class BusyError(GestureMakerError):
    """There is a job under way already, or none where there should be one."""


@dataclass
class Job:
    """What pages are told of a job.

    `kind`: train, resume, diagnose, export or report; `run`: of which run; `state`: running, cancelling, finished, cancelled or failed.
    `stages`: what it did until now, the last under way, of which `done` of `total` is done (0: nobody knows). `epochs`: values of each epoch so far of the head that is being trained, one of cross-validation's or the final one;
    there will be at least `of_epochs`. `trained`: the run is finished, whatever becomes of the rest.
    `resumable`: it can be continued.
    """

    number: int
    kind: str
    run: str
    state: str = RUNNING
    stages: list[str] = field(default_factory=list)
    done: int = 0
    total: int = 0
    epochs: list[dict[str, Any]] = field(default_factory=list)
    of_epochs: int = 0
    trained: bool = False
    resumable: bool = False
    warnings: list[str] = field(default_factory=list)
    sentence: str = ""
    started: str = ""

    @property
    def over(self) -> bool:
        """Whether its process has ended."""
        return self.state not in (RUNNING, CANCELLING)


class Jobs:
    """Starts, follows and ends jobs, one at a time. Threads may share it."""

    def __init__(self, studio: Studio, runs: Runs) -> None:
        self._studio, self._runs = studio, runs
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._job: Job | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._following: threading.Thread | None = None
        self._closed = False

    def now(self) -> dict[str, Any] | None:
        """Return what is known of the job under way, or of the last one; None before the first."""
        with self._lock:
            return asdict(self._job) if self._job else None

    def works_on(self, run: str) -> bool:
        """Tell whether the job under way is about a run."""
        with self._lock:
            return self._job is not None and not self._job.over and self._job.run == run

    def start(self, kind: str, run: str, **about: Any) -> dict[str, Any]:
        """Start a job and return what is known of it; `about`: what it needs beside the run and the studio's folders.

        Raises BusyError while another is under way, OSError when no process can be started.
        """
        with self._lock:
            if self._closed:
                raise BusyError("The studio is ending: start it again.")
            if self._job is not None and not self._job.over:
                raise BusyError(f"{_doing(self._job)}: wait for its end, or cancel it.")
            studio = self._studio
            given = {
                "kind": kind,
                "run": run,
                "dataset": str(studio.dataset.absolute()),
                "runs": str(studio.runs.absolute()),
                "assets": str(studio.assets.absolute()) if studio.assets else None,
                **about,
            }
            errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the thread that follows
            try:
                process = subprocess.Popen(
                    [sys.executable, "-c", _MAIN, *sys.path],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,  # Ctrl-C in the terminal is for the server, which then ends its job
                )
                assert process.stdin is not None
                with contextlib.suppress(BrokenPipeError):  # it has ended already, which `_follow` sees
                    process.stdin.write(json.dumps(given).encode() + b"\n")
                    process.stdin.flush()
            except BaseException:
                errors.close()
                raise
            now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            job = self._job = Job(next(self._numbers), kind, run, started=now)
            self._process = process
            self._following = threading.Thread(
                target=self._follow, args=(job, process, errors), name=f"following a job: {kind}", daemon=True
            )
            self._following.start()
            told = asdict(job)
        self._studio.hub.publish("job", told)
        return told

    def cancel(self) -> None:
        """Interrupt the job under way; what is done is kept. Raises BusyError when there is none."""
        with self._lock:
            if self._job is None or self._job.over or self._process is None:
                raise BusyError("There is nothing to cancel: it has ended already.")
            if self._job.state == CANCELLING:
                return  # a second signal could come while the first writes down where the training is
            self._job.state = CANCELLING
            self._process.send_signal(signal.SIGINT)
            told = asdict(self._job)
        self._studio.hub.publish("job", told)

    def close(self) -> None:
        """Interrupt the job under way and wait for its end: the studio ends."""
        with self._lock:
            self._closed = True
            job, process, following = self._job, self._process, self._following
        if job is None or process is None or following is None:
            return
        if process.poll() is None:
            if job.state == RUNNING:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(CLOSE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        following.join(CLOSE_SECONDS)

    def _follow(self, job: Job, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        last, loud = "", False
        assert process.stdout is not None
        assert process.stdin is not None
        with process.stdout, errors:
            for line in process.stdout:
                with contextlib.suppress(ValueError):
                    message = json.loads(line)
                    last, loud = message["kind"], message.get("unexpected", False)
                    self._take(job, message)
            status = process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()
            with self._lock:
                asked = job.state == CANCELLING
                if last == DONE:
                    job.state = FINISHED
                elif last == FAILED:
                    job.state = FAILED
                elif last == INTERRUPTED or asked:
                    job.state = CANCELLED
                else:
                    job.state, job.sentence, loud = FAILED, _about_crash(status), True
                job.resumable = self._is_resumable(job)
                self._process = None
                told = asdict(job)
            if loud:
                _show_errors(errors)
        self._runs.tell()  # first, so that the page that is told of the end finds the run
        self._studio.hub.publish("job", told)

    def _take(self, job: Job, message: Mapping[str, Any]) -> None:
        kind = message["kind"]
        with self._lock:
            if kind == "stage":
                stage, job.done, job.total = message["stage"], message["done"], message["total"]
                if stage not in job.stages[-1:]:
                    job.stages.append(stage)
                if stage == "training":
                    job.of_epochs = job.total
            elif kind == "epoch":
                stage = message["stage"]
                if job.epochs and (stage != job.epochs[-1]["stage"] or message["epoch"] <= job.epochs[-1]["epoch"]):
                    job.epochs = []  # another head
                job.of_epochs = max(
                    job.of_epochs, message["epoch"]
                )  # all have as many, so from the second on it is known
                job.epochs.append({**message["values"], "epoch": message["epoch"], "stage": stage})
            elif kind == "warnings":
                job.warnings = message["sentences"]
            elif kind == "trained":
                job.trained = True
            elif kind == FAILED:
                job.sentence = message["sentence"]
            else:
                return  # the end, which the end of the process tells
            told = asdict(job)
        if kind == "trained":
            self._runs.tell()
        self._studio.hub.publish("job", told)

    def _is_resumable(self, job: Job) -> bool:
        if job.kind not in ("train", "resume"):
            return False
        try:
            return not self._runs.load(job.run).finished
        except (GestureMakerError, OSError):
            return False


def jobs_of(studio: Studio) -> Jobs:
    """Return a studio's jobs, which end with it; use it by `studio.part(jobs_of)`."""
    jobs = Jobs(studio, studio.part(runs_of))
    studio.at_end(jobs.close)
    return jobs


_DOING = {
    "train": 'The training of "{run}" is under way',
    "resume": 'The training of "{run}" is under way',
    "diagnose": 'The doubtful photos of "{run}" are being looked for',
    "export": 'The bundle of "{run}" is being made',
    "report": 'The report on "{run}" is being made',
}


def _doing(job: Job) -> str:
    return _DOING[job.kind].format(run=job.run)


def _about_crash(status: int) -> str:
    if status >= 0:
        return f"The work ended without a word (exit status {status}): the studio's terminal has the details."
    with contextlib.suppress(ValueError):
        name = signal.Signals(-status).name
        reason = ", perhaps because memory ran short" if name == "SIGKILL" else ""
        return f"The work was ended from outside ({name}{reason}): what was done until then is kept."
    return f"The work was ended from outside (signal {-status}): what was done until then is kept."


def _show_errors(errors: IO[bytes]) -> None:
    """Print the end of what a process wrote to its stderr: whoever looks for a mistake finds it in the terminal."""
    size = errors.seek(0, 2)
    errors.seek(max(0, size - SHOWN_ERRORS))
    text = errors.read().decode(errors="replace").strip()
    if text:
        print(text, file=sys.stderr, flush=True)
