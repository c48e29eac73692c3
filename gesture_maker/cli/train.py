"""`gesture-maker train`: a dataset to a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from gesture_maker.cli import training_network as shared
from gesture_maker.cli.given import TRACK

EXAMPLE = "Example:  gesture-maker train rps --name first --epochs 40"

_HPARAMS, _OPTIONS = "Model Maker's HParams", "Model Maker's ModelOptions"


def train(
    dataset: str | None = typer.Argument(
        None,
        metavar="DATASET",
        help="A folder of class folders, a name under datasets/, or a table of landmarks (.parquet, .csv).",
        show_default=False,
    ),
    name: str | None = shared.NAME,
    embedder: str | None = typer.Option(
        None,
        "--embedder",
        metavar="builtin|mediapipe",
        help="What turns hands into numbers: ours (default) or Google's.",
    ),
    recipe: str | None = typer.Option(
        None, "--recipe", metavar="auto|stock", help="Settings that fit the data (default), or Model Maker's own."
    ),
    seed: int | None = typer.Option(
        None, "--seed", help="Equal data, settings and seed give equal bytes, unless resumed (default: 0)."
    ),
    split: str | None = typer.Option(
        None,
        "--split",
        metavar="T,V,T",
        help="Percent for train, validation and test (default: 80,10,10; 100,0,0 with fewer than 400 hands).",
    ),
    test: Path | None = typer.Option(
        None, "--test", metavar="DATASET", help="Test on this folder or table instead of a split."
    ),
    group_by: str | None = shared.group_by_option("photos"),
    estimate: bool | None = typer.Option(
        None,
        "--estimate/--no-estimate",
        help="Cross-validate, five more trainings (default: when the test part has fewer than 50 hands).",
    ),
    config: Path | None = typer.Option(None, "--config", metavar="FILE", help="YAML of these options; flags win."),
    resume: str | None = shared.RESUME,
    export: bool = typer.Option(
        False,
        "--export",
        help="Make the .task bundle too, gesture_recognizer.task in the run, sooner than export would.",
    ),
    track: str | None = TRACK,
    assets: Path | None = typer.Option(None, "--assets", metavar="DIR", help="Folder of Google's TFLite files."),
    mirror: bool | None = typer.Option(
        None,
        "--mirror/--no-mirror",
        help="Look at each photo in a mirror too: the other hand (default with --recipe auto).",
    ),
    augment: bool | None = typer.Option(
        None,
        "--augment/--no-augment",
        help="Train on variants of each hand: other people, other sides (default with --recipe auto).",
    ),
    background: bool | None = typer.Option(
        None,
        "--background/--no-background",
        help="Add made-up hands to none, so that unknown gestures are None (default with --recipe auto).",
    ),
    learning_rate: float | None = typer.Option(
        None, "--learning-rate", rich_help_panel=_HPARAMS, help="Of the first epoch (stock: 0.001)."
    ),
    batch_size: int | None = typer.Option(
        None, "--batch-size", rich_help_panel=_HPARAMS, help="Hands in one step (stock: 2)."
    ),
    epochs: int | None = typer.Option(
        None, "--epochs", rich_help_panel=_HPARAMS, help="After each the validation part is asked (stock: 10)."
    ),
    steps_per_epoch: int | None = typer.Option(
        None, "--steps-per-epoch", rich_help_panel=_HPARAMS, help="With --repeat; otherwise all photos once."
    ),
    shuffle: bool | None = typer.Option(
        None, "--shuffle/--no-shuffle", rich_help_panel=_HPARAMS, help="Mix the hands of three batches (stock: no)."
    ),
    lr_decay: float | None = typer.Option(
        None,
        "--lr-decay",
        rich_help_panel=_HPARAMS,
        help="The learning rate's factor from epoch to epoch (stock: 0.99).",
    ),
    gamma: float | None = typer.Option(
        None, "--gamma", rich_help_panel=_HPARAMS, help="Of the focal loss; 0 is cross-entropy (stock: 2)."
    ),
    class_weights: str | None = typer.Option(
        None, "--class-weights", metavar="CLASS=W,…", rich_help_panel=_HPARAMS, help="Such as none=2,rock=0.5."
    ),
    repeat: bool | None = typer.Option(
        None,
        "--repeat/--no-repeat",
        rich_help_panel=_HPARAMS,
        help="Begin the hands again within an epoch (stock: no).",
    ),
    dropout_rate: float | None = typer.Option(
        None,
        "--dropout-rate",
        rich_help_panel=_OPTIONS,
        help="Share of a layer's inputs left out of a step (stock: 0.05).",
    ),
    layer_widths: str | None = typer.Option(
        None,
        "--layer-widths",
        metavar="N,…",
        rich_help_panel=_OPTIONS,
        help="Hidden layers, such as 64,32 (stock: none).",
    ),
    min_detection_confidence: float | None = typer.Option(
        None,
        "--min-detection-confidence",
        rich_help_panel="Model Maker's HandDataPreprocessingParams",
        help="How sure the hand detector has to be (default: 0.5, stock: 0.7).",
    ),
) -> None:
    """Train a gesture classifier into a fresh folder exported_models/RUN.

    Model Maker's settings that are not given follow from the data (--recipe auto) or are its own (--recipe stock).
    """
    from gesture_maker import steps
    from gesture_maker.cli.given import record_in_mlflow, tracker
    from gesture_maker.cli.progress import stage_progress
    from gesture_maker.training.config import TrainConfig

    flags: dict[str, Any] = {
        "name": name,
        "embedder": embedder,
        "recipe": recipe,
        "seed": seed,
        "split": split,
        "test": str(test) if test else None,
        "group_by": group_by,
        "estimate": estimate,
        "mirror": mirror,
        "augment": augment,
        "background": background,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "epochs": epochs,
        "steps_per_epoch": steps_per_epoch,
        "shuffle": shuffle,
        "lr_decay": lr_decay,
        "gamma": gamma,
        "class_weights": _weights(class_weights) if class_weights is not None else None,
        "repeat": repeat,
        "dropout_rate": dropout_rate,
        "layer_widths": _widths(layer_widths) if layer_widths is not None else None,
        "min_detection_confidence": min_detection_confidence,
    }
    shared.check_resume(dataset, resume, {"config": config, **flags})
    tracked, uri = tracker(track)
    titles = {
        "landmarks": "Looking for hands",
        "cross-validation": "Cross-validating",
        "rows": "Reading rows",
        "training": "Training",
    }
    with stage_progress(titles) as progress:
        if dataset is None:
            assert resume is not None
            result = steps.resume(resume, assets=assets, export=export, progress=progress)
        else:
            chosen = TrainConfig.from_file_and_flags(config, flags)
            result = steps.train(dataset, **chosen.arguments(), assets=assets, export=export, progress=progress)
    _print(result)
    if tracked:
        from gesture_maker.tracking.record import track_training

        record_in_mlflow(track_training, result, uri)


def _print(result: Any) -> None:
    import shlex

    run = result.run
    for sentence in result.warnings:
        typer.echo(f"Warning: {sentence}")
    if streamed := run.description.get("streamed"):
        parts = {part: f"{count:,}" for part, count in streamed["parts"].items()}
        typer.echo(
            f"{streamed['hands']:,} of {streamed['rows']:,} rows show a hand: {parts['train']} trained on, {parts['validation']} "
            f"for validation, {parts['test']} for the test, of each of which {streamed['sample']:,} at most are measured."
        )
    if result.unused is not None:
        used = sum(run.description["hands"].values())
        shared.print_unused("photos", used, run.description["photos"], result.unused, run.path / "split.csv")
    for part, metrics in result.metrics.items():
        if metrics.photos:
            typer.echo(f"{part.replace('_', '-'):>16}: {metrics.accuracy:7.2%} of {metrics.photos} hands right")
    for sentence in result.estimate.sentences if result.estimate else ():
        typer.echo(sentence)
    typer.echo(f"Run: {run.path} (settings, split, curves.png, confusion_matrix.png)")
    if result.export is None:
        typer.echo(f"Next:  gesture-maker export {shlex.quote(run.call)}")
        return
    from gesture_maker.cli.export import print_export

    print_export(result.export)
    photos = "" if run.description["hands"]["test"] else " PHOTOS"
    typer.echo(f"Next:  gesture-maker eval {shlex.quote(run.call)}{photos}")


def _weights(text: str) -> dict[str, float]:
    from gesture_maker.training.options import parse_weights

    try:
        return parse_weights(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--class-weights") from None


def _widths(text: str) -> list[int]:
    from gesture_maker.training.options import parse_widths

    try:
        return parse_widths(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--layer-widths") from None
