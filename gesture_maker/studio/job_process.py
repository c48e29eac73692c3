"""The studio's work that takes long, in a process of its own: a training, its diagnosis, a bundle, a report.

The server stays quick and never imports TensorFlow, and what goes wrong here, were it a kill, does not end it. The job comes as a line of JSON on
stdin, what happens goes as lines of JSON to stdout:

{"kind": "stage", "stage": …, "done": n, "total": n}   total 0: nobody knows how long it takes
{"kind": "epoch", "stage": …, "epoch": n, "values": {"loss": …}}   from 1 for each head that is trained
{"kind": "warnings", "sentences": […]}
{"kind": "trained"}                                    the run is finished; what follows is about it
{"kind": "done"}, {"kind": "interrupted"}, {"kind": "failed", "sentence": …, "unexpected": true?}   the last line

SIGINT interrupts it as Ctrl-C does a command: what is done is kept. So does the end of stdin, which comes when the server ends, however
it does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from gesture_maker.errors import GestureMakerError, sentence_of

NICENESS = 10
"""Added to the process's own: a training on all cores leaves cameras and pages theirs."""

TELL_SECONDS = 0.1  # between two lines about the same stage

LAST_SECONDS = 20.0
"""For an interrupted training to write down where it is, when nobody is there any more who would end it."""

DONE, INTERRUPTED, FAILED = "done", "interrupted", "failed"


class Teller:
    """Writes what happens as lines of JSON."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._stage, self._told = "", 0.0

    def tell(self, kind: str, **values: Any) -> None:
        """Write a line."""
        from gesture_maker.studio.runs import plain

        line = json.dumps(plain({"kind": kind, **values})).encode() + b"\n"
        with self._lock, contextlib.suppress(BrokenPipeError):  # the server has gone, and the end of stdin will tell
            self._out.write(line)
            self._out.flush()

    def stage(self, stage: str, done: int, total: int) -> None:
        """Write how far a stage is, now and then, and always when it begins and ends."""
        now = time.monotonic()
        if stage == self._stage and done < total and now - self._told < TELL_SECONDS:
            return
        self._stage, self._told = stage, now
        self.tell("stage", stage=stage, done=done, total=total)

    def epoch(self, stage: str, epoch: int, values: Mapping[str, float]) -> None:
        """Write an epoch's loss and accuracy."""
        self.tell("epoch", stage=stage, epoch=epoch, values={**values})


def main() -> None:
    """Do the job that stdin names, and leave with 0, 1 for an error that was told, or 130 when interrupted."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the server was started by a shell's `&`
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed is for whoever reads the errors
    teller = Teller(out)
    try:
        with contextlib.suppress(OSError, AttributeError):
            os.nice(NICENESS)
        job = json.loads(sys.stdin.buffer.readline())
        threading.Thread(target=_end_with_server, name="waiting for the server's end", daemon=True).start()
        _JOBS[job["kind"]](job, teller)
        teller.tell(DONE)
        status = 0
    except KeyboardInterrupt:
        teller.tell(INTERRUPTED)
        status = 130
    except (GestureMakerError, OSError) as error:
        teller.tell(FAILED, sentence=sentence_of(error))
        status = 1
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        sentence = f"This should not have happened ({what}): the studio's terminal has the details."
        teller.tell(FAILED, sentence=sentence, unexpected=True)
        status = 1
    sys.stderr.flush()
    os._exit(status)  # everything is written; TensorFlow's threads would only be waited for


def _end_with_server() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(LAST_SECONDS)
    os._exit(130)


def _train(job: Mapping[str, Any], teller: Teller) -> None:
    from gesture_maker import steps

    arguments = {**job["arguments"]}
    if arguments.get("shares"):
        arguments["shares"] = tuple(arguments["shares"])
    done = steps.train(
        job["dataset"],
        **arguments,
        name=job["run"],
        runs=Path(job["runs"]),
        assets=_assets(job),
        export=True,
        progress=_progress(teller),
        on_epoch=teller.epoch,
    )
    _after_training(job, done, teller)


def _resume(job: Mapping[str, Any], teller: Teller) -> None:
    from gesture_maker import steps

    folder = Path(job["runs"]) / job["run"]
    done = steps.resume(folder, assets=_assets(job), export=True, progress=_progress(teller), on_epoch=teller.epoch)
    _after_training(job, done, teller)


def _after_training(job: Mapping[str, Any], done: Any, teller: Teller) -> None:
    if done.warnings:
        teller.tell("warnings", sentences=list(done.warnings))
    teller.tell("trained")
    if done.run.description.get("estimate"):  # else it would be five more trainings, which nobody asked for
        _diagnose(job, teller)


def _diagnose(job: Mapping[str, Any], teller: Teller) -> None:
    from gesture_maker import steps
    from gesture_maker.files import write_json
    from gesture_maker.studio.runs import DIAGNOSIS

    def progress(stage: str, done: int, total: int) -> None:
        teller.stage("diagnosis" if stage == "landmarks" else stage, done, total)

    folder = Path(job["runs"]) / job["run"]
    found = steps.diagnose(folder, assets=_assets(job), progress=progress)
    values = {
        "classes": [vars(line) for line in found.classes],
        "confusions": [
            {
                "label": one.label,
                "answer": one.answer,
                "count": one.count,
                "tested": one.tested,
                "groups": [{"group": group, "count": count} for group, count in one.groups],
            }
            for one in found.confusions
        ],
        "suspects": [vars(suspect) for suspect in found.suspects],
        "advice": list(found.advice),
        "estimate": list(found.estimate),
    }
    write_json(folder / DIAGNOSIS, values)


def _export(job: Mapping[str, Any], teller: Teller) -> None:
    from gesture_maker.bundle.export import export

    teller.stage("export", 0, 0)
    export(Path(job["runs"]) / job["run"], assets=_assets(job))


def _report(job: Mapping[str, Any], teller: Teller) -> None:
    from gesture_maker.evaluation.evaluate import evaluate
    from gesture_maker.studio.runs import REPORT
    from gesture_maker.training.run import Run

    run = Run.load_finished(Path(job["runs"]) / job["run"])
    own_test = run.description["hands"]["test"]
    images = None if own_test else run.description["dataset"]  # the report then says that it was trained on these
    teller.stage("report", 0, 0)
    evaluate(
        run.path,
        images,
        out=run.path / REPORT,
        progress=lambda done, total: teller.stage("report", done, total),
    )


def _progress(teller: Teller) -> Callable[[str, int, int], None]:
    def progress(stage: str, done: int, total: int) -> None:
        teller.stage(stage, done, total)
        if stage == "training" and done >= total:
            teller.stage("export", 0, 0)

    return progress


def _assets(job: Mapping[str, Any]) -> Path | None:
    return Path(job["assets"]) if job.get("assets") else None


_JOBS: dict[str, Callable[[Mapping[str, Any], Teller], None]] = {
    "train": _train,
    "resume": _resume,
    "diagnose": _diagnose,
    "export": _export,
    "report": _report,
}
