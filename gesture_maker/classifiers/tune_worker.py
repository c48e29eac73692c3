"""A process that tries settings, one after another, for `tune_workers.py`: TensorFlow takes one core, and each of these has its own.

A job comes as a line of JSON on stdin, and what becomes of it goes as lines of JSON to stdout:

{"settings": {…}, "seed": n, "hands": false}            a job; `hands`: tell the loss of each hand, and false alarms, at the end
{"kind": "fold", "loss": …, "accuracy": …, "fold_losses": […]}   is answered with {"go": true} or {"go": false}
{"kind": "done", …}                                     the same of all folds; with `hands` also `losses` (null: not asked), `right`
                                                        and `false_alarms`
{"kind": "stopped"}                                     was answered with false
{"kind": "failed", "sentence": …}                       it cannot be trained with these settings
{"kind": "broken", "error": …}                          a defect, with its traceback

The end of stdin, which comes when the search ends, however it does, ends the process at once.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gesture_maker.errors import GestureMakerError


def main(folder: str, scratch: str) -> None:
    """Try settings on the hands in a search's folder until stdin ends; `scratch`: a folder of its own, removed at the end."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Model Maker prints, and nobody is to take that for an answer
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines, scratch), name="reading", daemon=True).start()

    def tell(kind: str, **values: Any) -> None:
        out.write(json.dumps({"kind": kind, **values}, allow_nan=False).encode() + b"\n")
        out.flush()

    try:
        from gesture_maker.classifiers.tune_hands import load_tuning_hands
        from gesture_maker.classifiers.tune_trial import CrossValidator
        from gesture_maker.training.model_maker import load_model_maker

        load_model_maker()
        validator = CrossValidator(load_tuning_hands(Path(folder))[0], Path(scratch))
        while True:
            _try(validator, json.loads(lines.get()), lines, tell)
    except BaseException:
        tell("broken", error=traceback.format_exc())
        raise


def _try(validator: Any, job: Mapping[str, Any], lines: queue.SimpleQueue[bytes], tell: Callable[..., None]) -> None:
    answers = None
    try:
        for answers in validator.answers(job["settings"], job["seed"], false_alarms=job["hands"]):
            tell("fold", **_about(answers))
            if not json.loads(lines.get())["go"]:
                return tell("stopped")
    except GestureMakerError as error:
        return tell("failed", sentence=str(error))
    if answers is None or not math.isfinite(answers.loss):
        return tell("failed", sentence="No hand could be held back while its class is trained on.")
    about = _about(answers)
    if job["hands"]:
        about["losses"] = [None if math.isnan(loss) else loss for loss in answers.losses.tolist()]
        about["right"] = answers.right.tolist()
        about["false_alarms"] = list(answers.false_alarms)
    return tell("done", **about)


def _about(answers: Any) -> dict[str, Any]:
    return {"loss": answers.loss, "accuracy": answers.accuracy, "fold_losses": list(answers.fold_losses)}


def _read(lines: queue.SimpleQueue[bytes], scratch: str) -> None:
    for line in sys.stdin.buffer:
        lines.put(line)
    # The main thread may be in the middle of a training, and nobody is there to wait for its end.
    shutil.rmtree(scratch, ignore_errors=True)
    with contextlib.suppress(OSError):  # the last one out
        Path(scratch).parent.rmdir()
    os._exit(0)
