"""`gesture-maker motion train`: clips to a run."""

from __future__ import annotations

from typing import Any

import typer

from gesture_maker.cli import training_network as shared
from gesture_maker.cli.training_network import NETWORK, VARIANTS, setting

EXAMPLE = "Example:  gesture-maker motion train swipes --name first --epochs 60"


def train(
    dataset: str | None = typer.Argument(
        None,
        metavar="DATASET",
        help="A folder of class folders of clips, a name under datasets/, or a CSV of fingertip paths.",
        show_default=False,
    ),
    name: str | None = shared.NAME,
    split: str = shared.split_option("64,16,20"),
    group_by: str | None = shared.group_by_option("clips"),
    rate: float | None = typer.Option(
        None, "--rate", metavar="N", help="Frames per second that the network sees (default: 20)."
    ),
    max_gap: float | None = typer.Option(
        None, "--max-gap", metavar="S", help="Seconds without a hand that are filled in (default: 0.35)."
    ),
    folder_rate: float | None = typer.Option(
        None, "--folder-rate", metavar="N", help="Frames per second of folders of frames (default: 25)."
    ),
    seed: int | None = shared.seed_option("clips"),
    resume: str | None = shared.RESUME,
    model: str | None = setting(
        "--model", "Three LSTM layers (default), or the smaller GRU or convolutions.", NETWORK, "lstm|gru|tcn"
    ),
    sequence_length: int | None = setting("--sequence-length", "Frames of a window (default: 30).", NETWORK, "N"),
    units: str | None = setting("--units", "Of the layers over time (default of lstm: 128,128,64).", NETWORK, "N,…"),
    dense: str | None = setting(
        "--dense", "Of the dense layers after them (default of lstm: 256,128).", NETWORK, "N,…"
    ),
    kernel: int | None = setting("--kernel", "Frames that a layer of tcn sees (default: 5).", NETWORK, "N"),
    dropout: float | None = setting("--dropout", "After each layer (default: 0.3).", NETWORK),
    learning_rate: float | None = setting("--learning-rate", "Adam's, of the first epoch (default: 0.001)."),
    batch_size: int | None = shared.batch_size_option("Windows"),
    epochs: int | None = setting("--epochs", "At most (default: 100)."),
    stop_patience: int | None = shared.stop_patience_option("15"),
    reduce_patience: int | None = shared.reduce_patience_option("6"),
    reduce_factor: float | None = shared.REDUCE_FACTOR,
    min_learning_rate: float | None = shared.min_learning_rate_option("0.00001"),
    label_smoothing: float | None = shared.label_smoothing_option("0"),
    class_weights: bool | None = setting(
        "--class-weights/--no-class-weights",
        "Weigh classes with few windows more (default: where there is a background).",
    ),
    augment: int | None = setting(
        "--augment", "Times the data, itself and variants; 1 is none (default: 3).", VARIANTS, "N"
    ),
    noise: float | None = setting("--noise", "Of landmarks, in hand sizes (default: 0.02).", VARIANTS),
    occlude_points: float | None = setting(
        "--occlude-points", "Share of points hidden, at most (default: 0.1).", VARIANTS
    ),
    occlude_frames: float | None = setting(
        "--occlude-frames", "Share of frames hidden, at most (default: 0.1).", VARIANTS
    ),
    scale: float | None = setting("--scale", "Smaller or larger by this share, at most (default: 0.1).", VARIANTS),
    translate: float | None = setting("--translate", "Elsewhere, in hand sizes, at most (default: 0.2).", VARIANTS),
    stretch: float | None = setting("--stretch", "Times faster or slower, at most (default: 1.25).", VARIANTS),
    mirror: float | None = setting("--mirror", "Share of variants that show the other hand (default: 0.5).", VARIANTS),
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
    looking: dict[str, Any] = {"rate": rate, "max_gap": max_gap, "folder_rate": folder_rate, "group_by": group_by}
    given = shared.check_resume(dataset, resume, {"name": name, **looking, **settings})
    with stage_progress({"landmarks": "Following hands", "training": "Training"}) as progress:
        if resume is not None:
            made = resume_motions(resume, progress)
        else:
            assert dataset is not None
            chosen = {key: given.pop(key) for key in ("name", *looking) if key in given}
            made = train_motions(dataset, settings=given, shares=parse_shares(split), progress=progress, **chosen)
    show(made)


def show(made: Any) -> None:
    """Print what came of a training."""
    import shlex

    run, about = made.run, made.run.description
    for sentence in made.warnings:
        typer.echo(f"Warning: {sentence}")
    if made.prepared is not None:
        for path, reason in made.prepared.problems[: shared.SHOWN]:
            typer.echo(f"Passed over: {path}: {reason}")
        unusable = [(row.file, row.reason) for row in made.prepared.unusable]
        total = len(made.prepared.rows)
        shared.print_unused("clips", total - len(unusable), total, unusable, run.path / "split.csv")
    clips = about["clips"]
    typer.echo(
        f"Clips: {clips['train']} trained on ({about['windows']['train']} windows), {clips['validation']} for validation, "
        f"{clips['test']} for the test"
    )
    typer.echo(
        f"Trained {about['settings']['model']} ({about['parameters']:,} parameters): {about['epochs']} epochs in "
        f"{about['seconds']:.0f} s, the best was epoch {about['best_epoch']}"
    )
    shared.print_measured(made.measured, "clips")
    typer.echo(f"Run: {run.path} (model.tflite, model.keras, split.csv, curves.png, confusion_matrix.png)")
    typer.echo(f"Next:  gesture-maker motion eval {shlex.quote(run.call)}")
    typer.echo(f"       gesture-maker motion live {shlex.quote(run.call)}")
