"""One training from start to end, in a run folder that can be resumed at any moment."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.assets import ASSETS
from gesture_maker.dataset.names import NONE
from gesture_maker.dataset.splitting import ALL, DEFAULT_SHARES, PARTS, parse_shares
from gesture_maker.embedders import EMBEDDERS, embedder_files
from gesture_maker.embedders.builtin import EMBEDDING_SIZE
from gesture_maker.errors import ConfigError, RunError
from gesture_maker.landmarks.hands import EmbedderInputs, Floats, embedder_inputs
from gesture_maker.progress import StageProgress, of_stage
from gesture_maker.training.augment import mirrored
from gesture_maker.training.calibrate import calibrate
from gesture_maker.training.crossvalidate import CrossValidation, cross_validate, load_cross_validation
from gesture_maker.training.enrich import Embed
from gesture_maker.training.fitting import fit_head, hands_to_train_on, hparams_of, model_options_of, one_ahead
from gesture_maker.training.model_maker import (
    LabelledEmbeddings,
    TrainedHead,
    load_head,
    load_model_maker,
    loading_ahead,
)
from gesture_maker.training.prepare import Prepared, prepare
from gesture_maker.training.recipe import Recipe, check_settings, make_recipe
from gesture_maker.training.run import WEIGHTS, Run, mirror_of
from gesture_maker.training.run_folder import versions_of
from gesture_maker.training.stream_hands import recipe_for_stream, spooled_hands
from gesture_maker.training.table_source import run_name

"""Called with the stage ("landmarks", "cross-validation", "training"), how much of it is done, and of how much."""

EpochProgress = Callable[[str, int, Mapping[str, float]], None]
"""Called after each epoch with the stage ("cross-validation", "training"), its number, which begins at 1 for each head that is trained,
and its values: see `EpochReport`."""

PACKAGES = ("mediapipe", "mediapipe-model-maker", "tensorflow", "keras", "numpy", "opencv-contrib-python", "pillow")

CHECKPOINTS = "checkpoints"

ENOUGH_TO_TEST = 50
"""Hands in the test part below which the accuracy is estimated by cross-validation too: of 50, all of them right, the 95 %
interval still reaches down to 0.93."""

_ANY_NUMBER_OF_HANDS = 10**9  # enough for every batch_size

MAX_SEED = 2**32 - 1  # numpy's, which TensorFlow's set_random_seed seeds too


@dataclass(frozen=True, eq=False)
class Scored:
    """The head's answers for one part: scores float32 [N, classes] and the true classes int64 [N]."""

    scores: Floats
    classes: np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Session:
    """A training that came to its end: its run and head, its answers by part, the epochs, and what the user should be told.

    `cross_validation` is None when it was not asked for, or when there was nothing to hold back.
    """

    run: Run
    head: TrainedHead
    scored: dict[str, Scored]
    cross_validation: CrossValidation | None
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
    shares: tuple[int, int, int] | None = None,
    test: Path | None = None,
    group_by: str | None = None,
    estimate: bool | None = None,
    settings: Mapping[str, Any] | None = None,
    assets: Path | None = None,
    runs: Path | None = None,
    looked_at: Callable[[float], Path] | None = None,
    progress: StageProgress | None = None,
    on_epoch: EpochProgress | None = None,
) -> Session:
    """Train on a dataset into a fresh run folder; see `gesture_maker.train` for the arguments.

    `looked_at`: for a dataset of so many photos that their landmarks are rather read from a table: looks at all of them with this
    detection confidence and returns the table, with their names and groups. `Session.prepared` is None when a table is trained on as a stream.

    What can be wrong with settings, names and files is found out before any photo is looked at, except what depends on the
    classes and the number of hands.
    """
    settings = {key: value for key, value in (settings or {}).items() if value is not None}
    given = parse_shares(",".join(map(str, shares))) if shares is not None else None
    looking = check_arguments(embedder, recipe, seed, given, settings)
    wanted = Run.new_name(name, run_name(dataset), runs)
    files = embedder_files(embedder, assets)

    with loading_ahead():
        table = looked_at(looking.min_detection_confidence) if looked_at else None
        prepared = prepare(
            table or dataset,
            shares=given or (None if recipe == "auto" else DEFAULT_SHARES),
            seed=seed,
            min_detection_confidence=looking.min_detection_confidence,
            mirror=looking.mirror,
            background=looking.background > 0,
            group_by=None if table else group_by,
            test=test,
            progress=of_stage(progress, "landmarks"),
        )
    plan = make_recipe(recipe, settings, prepared.trained_on, prepared.labels)
    if prepared.streamed:
        plan = recipe_for_stream(plan, settings, prepared.trained_on)
    embed = _embedding_function(embedder, files.embedder)
    parts = {part: _embedded(prepared, part, embed) for part in PARTS}
    hands = {part: _hands(prepared, part) for part in PARTS}
    if plan.mirror:
        hands |= {mirror_of(part): _mirrored_hands(prepared, part) for part in PARTS}

    def fill(unseen: Run) -> None:
        unseen.save_split(prepared.split_rows())
        unseen.save_embeddings(parts, hands)

    run = Run.create(
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
            "split": list(prepared.shares),
            "split_reason": "given" if given else "few hands" if prepared.shares == ALL else "default",
            "group_by": group_by,
            "estimate": recipe == "auto" and len(parts["test"]) < ENOUGH_TO_TEST if estimate is None else estimate,
            "embedder": embedder,
            "recipe": recipe,
            "settings": plan.as_dict(),
            "checksums": files.checksums | _landmarker_checksums(),
            "versions": versions(),
            "warnings": list(prepared.warnings),
        }
        | ({"streamed": prepared.streamed.as_dict()} if prepared.streamed else {}),
        fill,
        runs,
    )
    try:
        return _fit(run, embed, prepared, progress, on_epoch)
    except RunError:  # it cannot be trained with these settings, so there is nothing to resume
        shutil.rmtree(run.path)
        raise


def check_arguments(
    embedder: str, recipe: str, seed: int, shares: tuple[int, int, int] | None, settings: Mapping[str, Any]
) -> Recipe:
    """Return the recipe for any number of hands of any classes. Raises ConfigError for arguments of `start` that cannot be."""
    if embedder not in EMBEDDERS:
        raise ConfigError(f'There is no embedder "{embedder}": use {" or ".join(EMBEDDERS)}.')
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"seed is {seed}, but has to be a whole number from 0 to {MAX_SEED}.")
    check_settings(settings)
    independent = {key: value for key, value in settings.items() if key != "class_weights"}  # it names classes
    if shares == ALL and recipe != "auto":
        raise ConfigError(f'The recipe "{recipe}" needs a validation part: use another --split, such as 80,20,0.')
    return make_recipe(recipe, independent, _ANY_NUMBER_OF_HANDS, [])


def resume(
    name: str | Path,
    runs: Path | None = None,
    assets: Path | None = None,
    progress: StageProgress | None = None,
    on_epoch: EpochProgress | None = None,
) -> Session:
    """Continue a training that was interrupted, with the hands and settings it began with.

    Raises RunError when the run is finished already.
    """
    run = Run.load_unfinished(name, runs)
    files = embedder_files(run.description["embedder"], assets)
    return _fit(run, _embedding_function(files.name, files.embedder), None, progress, on_epoch)


def load_trained(run: Run) -> TrainedHead:
    """Return the head of a finished run."""
    return load_head(run.path / WEIGHTS, run.labels, model_options_of(run))


def cross_validation_of(
    run: Run, assets: Path | None = None, progress: StageProgress | None = None
) -> CrossValidation | None:
    """Return the cross-validation of a finished run, which is made now, and kept, where the run has none.

    None when no class can be held back, see `cross_validate`. Raises RunError for a run of an older version.
    """
    found = load_cross_validation(run)
    if found is not None:
        return found
    files = embedder_files(run.description["embedder"], assets)
    report = of_stage(progress, "cross-validation")
    return cross_validate(run, _embedding_function(files.name, files.embedder), report)


def versions() -> dict[str, str]:
    """Return the versions that a run's result depends on."""
    return versions_of(*PACKAGES)


def _fit(
    run: Run,
    embed: Embed,
    prepared: Prepared | None,
    progress: StageProgress | None,
    on_epoch: EpochProgress | None,
) -> Session:
    epochs = hparams_of(run).epochs
    parts = {part: run.embeddings(part) for part in PARTS}

    def report(stage: str, done: int, total: int) -> None:
        if progress:
            progress(stage, done, total)

    def report_epoch(stage: str, epoch: int, values: Mapping[str, float]) -> None:
        if on_epoch:
            on_epoch(stage, epoch, values)
        if stage == "training":
            report(stage, epoch, epochs)

    with run.told_how_to_resume():
        found = None
        if run.description.get("estimate"):
            stage = "cross-validation"
            found = cross_validate(run, embed, functools.partial(report, stage), functools.partial(report_epoch, stage))
        report("training", 0, epochs)
        fit = functools.partial(
            fit_head,
            run,
            validation=parts["validation"],
            folder=run.path / CHECKPOINTS,
            on_epoch=functools.partial(report_epoch, "training"),
        )
        if run.description.get("streamed"):
            streamed = prepared.streamed if prepared else None
            with spooled_hands(run, streamed, embed, functools.partial(report, "rows")) as spool:
                head, history = fit(spool)
        else:
            job = functools.partial(
                hands_to_train_on, run, embed, run.hands("train"), run.mirrored_hands("train"), parts["train"].classes
            )
            with one_ahead([job]) as enriching:
                load_model_maker()  # takes about as long
                head, history = fit(next(enriching))
        if run.description["settings"]["calibrate"]:
            held_out = _held_out(head, parts["validation"], found)
            none, cautious = run.labels.index(NONE), len(parts["validation"]) > 0
            calibration = calibrate(head, held_out.scores, held_out.classes, none, cautious=cautious)
            run.update(calibration=vars(calibration))
        head.save(run.path / WEIGHTS)
        run.save_history(history)
        scored = {part: Scored(head.scores(data.embeddings), data.classes) for part, data in parts.items()}
    everything = prepared if prepared is not None and prepared.streamed is None else None
    return Session(run, head, scored, found, history, tuple(run.description["warnings"]), everything)


def _held_out(head: TrainedHead, validation: LabelledEmbeddings, found: CrossValidation | None) -> Scored:
    """Return the answers to hands that were not trained on: of the validation part, else of cross-validation, else none."""
    if found is None or len(validation):
        return Scored(head.scores(validation.embeddings), validation.classes)
    return Scored(found.scores[found.tested], found.classes[found.tested])


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


def _mirrored_hands(prepared: Prepared, part: str) -> EmbedderInputs:
    """Return the hands in the mirror images of a part's photos; where none was found there, the mirror image of the hand."""
    plain = mirrored(_hands(prepared, part))
    seen = [photo.mirrored for photo in prepared.hands(part)]
    found = [index for index, hand in enumerate(seen) if hand is not None]
    return plain.replaced(found, embedder_inputs([hand for hand in seen if hand is not None]))


def _landmarker_checksums() -> dict[str, str]:
    return {asset.name: asset.sha256 for asset in ASSETS.values() if asset.in_wheel}
