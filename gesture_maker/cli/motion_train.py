"""`gesture-maker motion train`: clips to a run."""

from __future__ import annotations

from typing import Any

import typer

EXAMPLE = "Example:  gesture-maker motion train swipes --name first --epochs 60"

SHOWN = 10  # clips that are not used and are named before "and n more"

_NETWORK, _TRAINING, _VARIANTS = "The network", "Training", "Augmentation, of the training part only"


def train(
    dataset: str | None = typer.Argument(
        None,
        metavar="DATASET",
        help="A folder of class folders of clips, a name under datasets/, or a CSV of fingertip paths.",
        show_default=False,
    ),
    name: str | None = typer.Option(None, "--name", metavar="RUN", help="Of the run; by default the dataset's."),
    split: str = typer.Option("64,16,20", "--split", metavar="T,V,T", help="Percent for train, validation and test."),
    group_by: str | None = typer.Option(
        None, "--group-by", metavar="REGEX", help=r"Never split clips whose file names match alike, such as p\d+."
    ),
    rate: float | None = typer.Option(
        None, "--rate", metavar="N", help="Frames per second that the network sees (default: 20)."
    ),
    max_gap: float | None = typer.Option(
        None, "--max-gap", metavar="S", help="Seconds without a hand that are filled in (default: 0.35)."
    ),
    folder_rate: float | None = typer.Option(
        None, "--folder-rate", metavar="N", help="Frames per second of folders of frames (default: 25)."
    ),
    seed: int | None = typer.Option(
        None, "--seed", help="Equal clips, settings and seed give equal weights (default: 0)."
    ),
    resume: str | None = typer.Option(None, "--resume", metavar="RUN", help="Continue an interrupted training."),
    model: str | None = typer.Option(
        None,
        "--model",
        metavar="lstm|gru|tcn",
        rich_help_panel=_NETWORK,
        help="Three LSTM layers (default), or the smaller GRU or convolutions.",
    ),
    sequence_length: int | None = typer.Option(
        None, "--sequence-length", metavar="N", rich_help_panel=_NETWORK, help="Frames of a window (default: 30)."
    ),
    units: str | None = typer.Option(
        None,
        "--units",
        metavar="N,…",
        rich_help_panel=_NETWORK,
        help="Of the layers over time (default of lstm: 128,128,64).",
    ),
    dense: str | None = typer.Option(
        None,
        "--dense",
        metavar="N,…",
        rich_help_panel=_NETWORK,
        help="Of the dense layers after them (default of lstm: 256,128).",
    ),
    kernel: int | None = typer.Option(
        None, "--kernel", metavar="N", rich_help_panel=_NETWORK, help="Frames that a layer of tcn sees (default: 3)."
    ),
    dropout: float | None = typer.Option(
        None, "--dropout", rich_help_panel=_NETWORK, help="After each layer (default: 0.3)."
    ),
    learning_rate: float | None = typer.Option(
        None, "--learning-rate", rich_help_panel=_TRAINING, help="Adam's, of the first epoch (default: 0.001)."
    ),
    batch_size: int | None = typer.Option(
        None, "--batch-size", rich_help_panel=_TRAINING, help="Windows in one step (default: 32)."
    ),
    epochs: int | None = typer.Option(None, "--epochs", rich_help_panel=_TRAINING, help="At most (default: 100)."),
    stop_patience: int | None = typer.Option(
        None,
        "--stop-patience",
        rich_help_panel=_TRAINING,
        help="Epochs without a better validation loss, after which it ends with the best (default: 15).",
    ),
    reduce_patience: int | None = typer.Option(
        None,
        "--reduce-patience",
        rich_help_panel=_TRAINING,
        help="The same, after which the learning rate is reduced (default: 6).",
    ),
    reduce_factor: float | None = typer.Option(
        None, "--reduce-factor", rich_help_panel=_TRAINING, help="By which it is reduced (default: 0.5)."
    ),
    min_learning_rate: float | None = typer.Option(
        None, "--min-learning-rate", rich_help_panel=_TRAINING, help="Down to this (default: 0.00001)."
    ),
    label_smoothing: float | None = typer.Option(
        None, "--label-smoothing", rich_help_panel=_TRAINING, help="Share of certainty given to all (default: 0)."
    ),
    class_weights: bool | None = typer.Option(
        None,
        "--class-weights/--no-class-weights",
        rich_help_panel=_TRAINING,
        help="Weigh classes with few windows more (default: where there is a background).",
    ),
    augment: int | None = typer.Option(
        None,
        "--augment",
        metavar="N",
        rich_help_panel=_VARIANTS,
        help="Times the data, itself and variants; 1 is none (default: 3).",
    ),
    noise: float | None = typer.Option(
        None, "--noise", rich_help_panel=_VARIANTS, help="Of landmarks, in hand sizes (default: 0.02)."
    ),
    occlude_points: float | None = typer.Option(
        None, "--occlude-points", rich_help_panel=_VARIANTS, help="Share of points hidden, at most (default: 0.1)."
    ),
    occlude_frames: float | None = typer.Option(
        None, "--occlude-frames", rich_help_panel=_VARIANTS, help="Share of frames hidden, at most (default: 0.1)."
    ),
    scale: float | None = typer.Option(
        None, "--scale", rich_help_panel=_VARIANTS, help="Smaller or larger by this share, at most (default: 0.1)."
    ),
    translate: float | None = typer.Option(
        None, "--translate", rich_help_panel=_VARIANTS, help="Elsewhere, in hand sizes, at most (default: 0.2)."
    ),
    stretch: float | None = typer.Option(
        None, "--stretch", rich_help_panel=_VARIANTS, help="Times faster or slower, at most (default: 1.25)."
    ),
    mirror: float | None = typer.Option(
        None, "--mirror", rich_help_panel=_VARIANTS, help="Share of variants that show the other hand (default: 0.5)."
    ),
) -> None:
    """Train a network on gestures that move, into a fresh folder exported_models/RUN.

    Clips are <class>/<clip>, a video or a folder of frames. A class "still", which may be empty, is what hands do between gestures.
    """
    from gesture_maker.cli.given import numbers_of
    from gesture_maker.cli.progress import stage_progress
    from gesture_maker.dataset.splitting import parse_shares
    from gesture_maker.motion.train import resume_motions, train_motions

    settings: dict[str, Any] = {
        "model": model,
        "sequence_length": sequence_length,
        "units": numbers_of(units, "--units"),
        "dense": numbers_of(dense, "--dense"),
        "kernel": kernel,
        "dropout": dropout,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "epochs": epochs,
        "stop_patience": stop_patience,
        "reduce_patience": reduce_patience,
        "reduce_factor": reduce_factor,
        "min_learning_rate": min_learning_rate,
        "label_smoothing": label_smoothing,
        "class_weights": class_weights,
        "augment": augment,
        "noise": noise,
        "occlude_points": occlude_points,
        "occlude_frames": occlude_frames,
        "scale": scale,
        "translate": translate,
        "stretch": stretch,
        "mirror": mirror,
        "seed": seed,
    }
    given = {key: value for key, value in settings.items() if value is not None}
    looking: dict[str, Any] = {"rate": rate, "max_gap": max_gap, "folder_rate": folder_rate, "group_by": group_by}
    looks = {key: value for key, value in looking.items() if value is not None}
    if (dataset is None) == (resume is None):
        raise typer.BadParameter("name a DATASET to train on, or a run with --resume RUN (and not both).")
    if resume is not None and (given or looks or name):
        raise typer.BadParameter(
            "it goes on with the settings the run began with: no other option.", param_hint="--resume"
        )
    with stage_progress({"landmarks": "Following hands", "training": "Training"}) as progress:
        if resume is not None:
            made = resume_motions(resume, progress)
        else:
            assert dataset is not None
            made = train_motions(
                dataset, name=name, settings=given, shares=parse_shares(split), progress=progress, **looks
            )
    show(made)


def show(made: Any) -> None:
    """Print what came of a training."""
    import shlex

    run, about = made.run, made.run.description
    for sentence in made.warnings:
        typer.echo(f"Warning: {sentence}")
    if made.prepared is not None:
        for path, reason in made.prepared.problems[:SHOWN]:
            typer.echo(f"Passed over: {path}: {reason}")
        _about_unusable(made)
    clips = about["clips"]
    typer.echo(
        f"Clips: {clips['train']} trained on ({about['windows']['train']} windows), {clips['validation']} for validation, "
        f"{clips['test']} for the test"
    )
    typer.echo(
        f"Trained {about['settings']['model']} ({about['parameters']:,} parameters): {about['epochs']} epochs in "
        f"{about['seconds']:.0f} s, the best was epoch {about['best_epoch']}"
    )
    for part, measured in made.measured.items():
        interval = measured.interval
        sure = f" (95 % interval {interval.low:.1%} to {interval.high:.1%})" if interval else ""
        typer.echo(f"{part:>16}: {measured.metrics.accuracy:7.2%} of {measured.metrics.photos} clips right{sure}")
    typer.echo(f"Run: {run.path} (model.tflite, model.keras, split.csv, curves.png, confusion_matrix.png)")
    typer.echo(f"Next:  gesture-maker motion eval {shlex.quote(run.call)}")
    typer.echo(f"       gesture-maker motion live {shlex.quote(run.call)}")


def _about_unusable(made: Any) -> None:
    unusable, total = made.prepared.unusable, len(made.prepared.rows)
    if not unusable:
        typer.echo(f"All {total} clips used.")
        return
    typer.echo(f"{total - len(unusable)} of {total} clips used; not used:")
    for row in unusable[:SHOWN]:
        typer.echo(f"  {row.file}: {row.reason}")
    if len(unusable) > SHOWN:
        typer.echo(f"  and {len(unusable) - SHOWN} more, all of them in {made.run.path / 'split.csv'}")
