"""One training from start to end, in a run folder that can be resumed at any moment."""

from __future__ import annotations

import contextlib
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.assets import ASSETS
from gesture_maker.dataset.names import NONE
from gesture_maker.dataset.splitting import DEFAULT_SHARES, PARTS
from gesture_maker.embedders import EMBEDDERS, embedder_files
from gesture_maker.embedders.builtin import EMBEDDING_SIZE
from gesture_maker.errors import ConfigError, RunError
from gesture_maker.landmarks.hands import EmbedderInputs, Floats, embedder_inputs
from gesture_maker.training.calibrate import calibrate
from gesture_maker.training.enrich import Embed, enriched
from gesture_maker.training.model_maker import LabelledEmbeddings, TrainedHead, load_head, train_head
from gesture_maker.training.prepare import Prepared, prepare
from gesture_maker.training.recipe import HParams, ModelOptions, check_settings, make_recipe
from gesture_maker.training.run import (
    RUNS,
    WEIGHTS,
    Run,
    check_writable,
    free_run_name,
    how_to_resume,
    load_run,
    new_run,
    refuse_existing,
    valid_run_name,
)

StageProgress = Callable[[str, int, int], None]
"""Called with the stage ("landmarks", "training"), how much of it is done, and of how much."""

CHECKPOINTS = "checkpoints"

_ANY_NUMBER_OF_HANDS = 10**9  # enough for every batch_size

MAX_SEED = 2**32 - 1  # numpy's, which TensorFlow's set_random_seed seeds too


@dataclass(frozen=True, eq=False)
class Scored:
    """The head's answers for one part: scores float32 [N, classes] and the true classes int64 [N]."""

    scores: Floats
    classes: np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Session:
    """A training that came to its end: its run, the head's answers by part, the epochs, and what the user should be told."""

    run: Run
    scored: dict[str, Scored]
    history: list[dict[str, float]]
    warnings: tuple[str, ...]
    prepared: Prepared | None


def start(
    dataset: Path,
    *,
    name: str | None = None,
    embedder: str = "builtin",
    recipe: str = "auto",
    seed: int = 0,
    shares: tuple[int, int, int] = DEFAULT_SHARES,
    test: Path | None = None,
    group_by: str | None = None,
    settings: Mapping[str, Any] | None = None,
    assets: Path | None = None,
    runs: Path | None = None,
    progress: StageProgress | None = None,
) -> Session:
    """Train on a dataset folder into a fresh run folder; see `gesture_maker.train` for the arguments.

    What can be wrong with settings, names and files is found out before any photo is looked at, except what depends on the
    classes and the number of hands.
    """
    settings = {key: value for key, value in (settings or {}).items() if value is not None}
    if embedder not in EMBEDDERS:
        raise ConfigError(f'There is no embedder "{embedder}": use {" or ".join(EMBEDDERS)}.')
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"seed is {seed}, but has to be a whole number from 0 to {MAX_SEED}.")
    check_settings(settings)
    independent = {key: value for key, value in settings.items() if key != "class_weights"}  # it names classes
    confidence = make_recipe(recipe, independent, _ANY_NUMBER_OF_HANDS, []).min_detection_confidence
    wanted = valid_run_name(name if name is not None else free_run_name(dataset.resolve().name, runs))
    refuse_existing((runs or RUNS) / wanted)
    check_writable(runs)
    files = embedder_files(embedder, assets)

    prepared = prepare(
        dataset,
        shares=shares,
        seed=seed,
        min_detection_confidence=confidence,
        group_by=group_by,
        test=test,
        progress=(lambda done, total: progress("landmarks", done, total)) if progress else None,
    )
    plan = make_recipe(recipe, settings, len(prepared.hands("train")), prepared.labels)
    embed = _embedding_function(embedder, files.embedder)
    parts = {part: _embedded(prepared, part, embed) for part in PARTS}
    run = new_run(
        wanted,
        {
            "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "labels": prepared.labels,
            "dataset": str(dataset.resolve()),
            "test_dataset": str(test.resolve()) if test else None,
            "fingerprint": prepared.fingerprint,
            "photos": len(prepared.photos),
            "hands": {part: len(data) for part, data in parts.items()},
            "seed": seed,
            "split": list(shares),
            "group_by": group_by,
            "embedder": embedder,
            "recipe": recipe,
            "settings": plan.as_dict(),
            "checksums": files.checksums | _landmarker_checksums(),
            "versions": versions(),
            "warnings": list(prepared.warnings),
        },
        prepared.split_rows(),
        parts,
        _hands(prepared, "train"),
        runs,
    )
    try:
        return _fit(run, embed, prepared, progress)
    except RunError:  # it cannot be trained with these settings, so there is nothing to resume
        shutil.rmtree(run.path)
        raise


def resume(
    name: str | Path,
    runs: Path | None = None,
    assets: Path | None = None,
    progress: StageProgress | None = None,
) -> Session:
    """Continue a training that was interrupted, with the hands and settings it began with.

    Raises RunError when the run is finished already.
    """
    run = load_run(name, runs)
    if run.finished:
        raise RunError(f'The run "{run.name}" is finished: there is nothing to resume.')
    files = embedder_files(run.description["embedder"], assets)
    return _fit(run, _embedding_function(files.name, files.embedder), None, progress)


def load_trained(run: Run) -> TrainedHead:
    """Return the head of a finished run."""
    return load_head(run.path / WEIGHTS, run.labels, _model_options(run))


def versions() -> dict[str, str]:
    """Return the versions that a run's result depends on."""
    from gesture_maker import __version__

    packages = ("mediapipe", "mediapipe-model-maker", "tensorflow", "keras", "numpy", "opencv-contrib-python", "pillow")
    found = {"gesture-maker": __version__, "python": platform.python_version(), "platform": sys.platform}
    return found | {package: metadata.version(package) for package in packages}


@contextlib.contextmanager
def told_how_to_resume(run: Run) -> Iterator[None]:
    """Let Ctrl-C in the block say how the training can go on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(f'The training of "{run.name}" was interrupted: {how_to_resume(run)}.') from interrupt


def _fit(run: Run, embed: Embed, prepared: Prepared | None, progress: StageProgress | None) -> Session:
    settings = run.description["settings"]
    hparams = HParams(**settings["hparams"] | {"class_weights": _int_keys(settings["hparams"]["class_weights"])})
    parts = {part: run.embeddings(part) for part in PARTS}

    def report(epoch: int, _: Mapping[str, float]) -> None:
        if progress:
            progress("training", epoch, hparams.epochs)

    if progress:
        progress("training", 0, hparams.epochs)
    train = parts["train"]
    if settings["variants"] or settings["background"]:
        train = enriched(
            run.training_hands(),
            train.classes,
            run.labels,
            embed,
            variants=settings["variants"],
            background=settings["background"],
            seed=run.description["seed"],
        )
    with told_how_to_resume(run):
        head, history = train_head(
            train,
            parts["validation"],
            run.labels,
            hparams,
            _model_options(run),
            run.description["seed"],
            run.path / CHECKPOINTS,
            reshuffle=settings["reshuffle"],
            on_epoch=report,
        )
        if settings["calibrate"]:
            validation = parts["validation"]
            found = calibrate(head, validation.embeddings, validation.classes, run.labels.index(NONE))
            run.update(calibration=vars(found))
        head.save(run.path / WEIGHTS)
        run.save_history(history)
        scored = {part: Scored(head.scores(data.embeddings), data.classes) for part, data in parts.items()}
    return Session(run, scored, history, tuple(run.description["warnings"]), prepared)


def _model_options(run: Run) -> ModelOptions:
    options = run.description["settings"]["model_options"]
    return ModelOptions(dropout_rate=options["dropout_rate"], layer_widths=tuple(options["layer_widths"]))


def _int_keys(weights: Mapping[str, float] | None) -> dict[int, float] | None:
    return {int(key): value for key, value in weights.items()} if weights else None  # JSON has string keys only


def _embedding_function(embedder: str, model: bytes) -> Embed:
    if embedder == "builtin":
        from gesture_maker.embedders.builtin import embed

        return embed
    from gesture_maker.training.tflite import TfliteEmbedder

    return TfliteEmbedder(model)


def _embedded(prepared: Prepared, part: str, embed: Embed) -> LabelledEmbeddings:
    classes = np.array([prepared.labels.index(photo.image.label) for photo in prepared.hands(part)], np.int64)
    embeddings = embed(_hands(prepared, part)) if len(classes) else np.zeros((0, EMBEDDING_SIZE), np.float32)
    return LabelledEmbeddings(embeddings, classes)


def _hands(prepared: Prepared, part: str) -> EmbedderInputs:
    return embedder_inputs([photo.hand for photo in prepared.hands(part) if photo.hand is not None])


def _landmarker_checksums() -> dict[str, str]:
    return {asset.name: asset.sha256 for asset in ASSETS.values() if asset.in_wheel}
