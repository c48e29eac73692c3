"""One training on motions from start to end, in a run folder that can be resumed at any moment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gesture_maker.errors import ConfigError
from gesture_maker.evaluation.measured import save_training_plots
from gesture_maker.files import write_bytes
from gesture_maker.motion.features import RATE, Features
from gesture_maker.motion.following import FOLDER_RATE
from gesture_maker.motion.measure import MotionMeasured, measure_clips
from gesture_maker.motion.prepare import SHARES, PreparedMotions, prepare_motions
from gesture_maker.motion.run import KERAS, MotionRun
from gesture_maker.motion.track import MAX_GAP
from gesture_maker.progress import StageProgress, of_stage
from gesture_maker.recognition.interpreter import TfliteModel
from gesture_maker.training.motion.settings import MotionSettings
from gesture_maker.training.run_folder import versions_of


@dataclass(frozen=True, eq=False)
class MotionTraining:
    """A training that came to its end. `measured`: by part, "validation" and "test", through the TFLite; parts without clips are missing.
    `prepared` is None when it was resumed."""

    run: MotionRun
    measured: dict[str, MotionMeasured]
    warnings: tuple[str, ...]
    prepared: PreparedMotions | None = None


def train_motions(
    dataset: str | Path,
    *,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    rate: float | None = None,
    shares: tuple[int, int, int] = SHARES,
    group_by: str | None = None,
    max_gap: float = MAX_GAP,
    folder_rate: float = FOLDER_RATE,
    runs: Path | None = None,
    progress: StageProgress | None = None,
) -> MotionTraining:
    """Train on a folder of clips, or a table of fingertip paths, into a fresh run folder.

    `name`: of the run, by default the dataset's. `settings`: those of `MotionSettings` that are to differ from their defaults; classes
    are weighed where there is a background, which mostly has more windows than any gesture: four times as many cost 0.05 of the accuracy. `rate`:
    frames per second that the network sees, by default 20. `shares`: percent for train, validation and test. `group_by`: a regular
    expression that finds the person in a clip's name. `max_gap`: seconds without a hand that are filled in. `folder_rate`: frames per
    second of folders of frames. `runs`: where the run is made. `progress` is called with ("landmarks" or "training", done, total).

    Raises DatasetError for what cannot be trained on, ConfigError for settings that cannot be, RunError for a name that is taken. Ctrl-C
    loses the clips that were being looked at, or the epoch: `resume_motions` goes on.
    """
    chosen = MotionSettings(**dict(settings or {}))
    if not 0 < max_gap <= 10:
        raise ConfigError(f"max_gap is {max_gap:g}, but has to be more than 0 and at most 10 seconds.")
    if not 0 < folder_rate <= 1000:
        raise ConfigError(
            f"folder_rate is {folder_rate:g}, but has to be more than 0 and at most 1000 frames per second."
        )
    name = MotionRun.new_name(name, Path(dataset).resolve().stem, runs)
    features = Features(length=chosen.sequence_length, rate=RATE if rate is None else rate)
    prepared = prepare_motions(
        dataset,
        features,
        shares=shares,
        seed=chosen.seed,
        group_by=group_by,
        max_gap=max_gap,
        folder_rate=folder_rate,
        progress=progress,
    )
    weigh = chosen.class_weights if "class_weights" in (settings or {}) else prepared.background is not None
    chosen = replace(chosen, sequence_length=prepared.features.length, class_weights=weigh)
    description = {
        "labels": list(prepared.labels),
        "background": prepared.background,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "dataset": str(prepared.root),
        "fingerprint": prepared.fingerprint,
        "features": vars(prepared.features),
        "settings": chosen.to_json(),
        "shares": list(shares),
        "max_gap": max_gap,
        "folder_rate": folder_rate,
        "clips": {part: sum(row.part == part for row in prepared.rows) for part in prepared.parts},
        "unusable": len(prepared.unusable),
        "windows": {part: len(its) for part, its in prepared.parts.items()},
        "warnings": list(prepared.warnings),
        "versions": versions_of("mediapipe", "tensorflow", "ai-edge-litert", "numpy"),
    }

    def fill(unseen: MotionRun) -> None:
        unseen.save_split(prepared.rows)
        unseen.save_sequences(prepared.parts)

    run = MotionRun.create(name, description, fill, runs)
    return _finish(run, prepared, progress)


def resume_motions(name: str | Path, progress: StageProgress | None = None) -> MotionTraining:
    """Go on with a training that was interrupted, and return it. Raises RunError when there is none, or it was finished."""
    return _finish(MotionRun.load_unfinished(name), None, progress)


def _finish(run: MotionRun, prepared: PreparedMotions | None, progress: StageProgress | None) -> MotionTraining:
    from gesture_maker.training.motion.export import to_tflite
    from gesture_maker.training.motion.fitting import fit

    settings = MotionSettings.from_json(run.description["settings"])
    train, validation = run.sequences("train"), run.sequences("validation")
    started = time.monotonic()
    with run.told_how_to_resume():
        fitted = fit(
            (train.x, train.y),
            (validation.x, validation.y) if len(validation) else None,
            run.labels,
            settings,
            run.path,
            of_stage(progress, "training"),
        )
    write_bytes(run.path / run.MODEL, to_tflite(run.path / KERAS))
    seconds = run.description.get("seconds", 0.0) + time.monotonic() - started
    rows = run.split()
    model = TfliteModel((run.path / run.MODEL).read_bytes())
    measured = {
        part: measure_clips(model, run.labels, run.sequences(part), rows, part)
        for part in ("validation", "test")
        if any(row.part == part for row in rows)
    }
    history = [
        {"epoch": epoch, **{key: values[epoch - 1] for key, values in fitted.history.items()}}
        for epoch in range(1, fitted.epochs + 1)
    ]
    save_training_plots(run, history, measured, "clip")
    run.finish(
        epochs=fitted.epochs,
        best_epoch=fitted.best_epoch,
        parameters=fitted.parameters,
        seconds=round(seconds, 1),
        measured={part: one.as_dict() for part, one in measured.items()},
    )
    return MotionTraining(run, measured, tuple(run.description["warnings"]), prepared)
