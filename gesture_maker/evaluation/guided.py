"""Guided validation, written down: from what was watched to `metrics.json`, `frames.csv` and a page.

`guided_films.py` watches films, `guided_camera.py` a camera; `guided_results.py` says what counts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gesture_maker.dataset.names import NONE
from gesture_maker.evaluation.bundle import Bundle
from gesture_maker.evaluation.guided_results import (
    GuidedEvaluation,
    Try,
    gesture_results,
    idle_result,
    shares_of,
)
from gesture_maker.evaluation.report.guided_page import Watching, guided_page
from gesture_maker.files import write_csv, write_json, write_text
from gesture_maker.recognition.runtime import RuntimeOptions

COLUMNS = (
    "asked", "name", "frame", "seconds", "answer", "score", "right", "classifier", "handedness", "milliseconds"
)  # fmt: skip


def finished(
    bundle: Bundle,
    tries: Sequence[Try],
    *,
    source: str,
    live: bool,
    options: RuntimeOptions,
    folder: Path,
    dropped: int = 0,
    warnings: Sequence[str] = (),
    partial: str = "",
    stopped: BaseException | None = None,
) -> GuidedEvaluation:
    """Measure what was watched, write it into `folder`, and return it."""
    gestures = gesture_results(tries, bundle.labels)
    times = [frame.milliseconds for one in tries for frame in one.frames] or [0.0]
    evaluation = GuidedEvaluation(
        source=source,
        live=live,
        tries=tuple(tries),
        gestures=gestures,
        idle=idle_result(tries),
        interval=shares_of([one for one in tries if one.asked != NONE]),
        latency_p50=float(np.percentile(times, 50)),
        latency_p95=float(np.percentile(times, 95)),
        dropped=dropped,
        folder=folder,
        warnings=(*warnings, *_about_canned(tries)),
        partial=partial,
        stopped=stopped,
    )
    watching = Watching(bundle, options, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    _write(evaluation, watching)
    return evaluation


def _write(evaluation: GuidedEvaluation, watching: Watching) -> None:
    folder = evaluation.folder
    rows = [
        {
            "asked": one.asked,
            "name": one.name,
            "frame": frame.number,
            "seconds": f"{frame.seconds:.3f}",
            "answer": frame.said.gesture or "",
            "score": f"{frame.score:.6f}",
            "right": int(one.is_right(frame)),
            "classifier": frame.said.classifier,
            "handedness": "" if frame.handedness is None else f"{frame.handedness:.4f}",
            "milliseconds": f"{frame.milliseconds:.2f}",
        }
        for one in evaluation.tries
        for frame in one.frames
    ]
    write_csv(folder / "frames.csv", rows, COLUMNS)
    about = {"bundle": str(watching.bundle.file), "watched": evaluation.source, "evaluated": watching.when}
    write_json(folder / "metrics.json", {**about, **evaluation.as_dict()})
    write_text(evaluation.report, guided_page(evaluation, watching))


def _about_canned(tries: Sequence[Try]) -> list[str]:
    count = sum(frame.said.canned for one in tries if one.asked != NONE for frame in one.frames)
    if not count:
        return []
    frames = "frame was" if count == 1 else "frames were"
    return [
        f"{count} {frames} answered with one of Google's canned gestures, which does not count as recognized: --no-canned "
        "shows the answers without them."
    ]
