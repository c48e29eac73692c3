"""`gesture-maker image train`: photos to a classifier on their pixels."""

from __future__ import annotations

from typing import Any

import typer

from gesture_maker.cli import training_network as shared
from gesture_maker.cli.training_network import NETWORK, VARIANTS, setting

EXAMPLE = "Example:  gesture-maker image train hgr1 --backbone mobilenetv3-small --weights none"


def train(
    dataset: str | None = typer.Argument(
        None, metavar="DATASET", help="A folder of class folders, or a name under datasets/.", show_default=False
    ),
    name: str | None = shared.NAME,
    split: str = shared.split_option("70,15,15"),
    test: str | None = typer.Option(
        None, "--test", metavar="DATASET", help="Test on this folder instead of a part of DATASET."
    ),
    group_by: str | None = shared.group_by_option("photos"),
    crop: str | None = typer.Option(
        None, "--crop", metavar="none|hand", help="See the whole photo (default), or the hand that landmarks tell."
    ),
    margin: float | None = typer.Option(
        None, "--margin", metavar="X", help="Around the hand, as a share of its longer side (default: 0.25)."
    ),
    seed: int | None = shared.seed_option("photos"),
    resume: str | None = shared.RESUME,
    backbone: str | None = setting(
        "--backbone",
        "Or for weak machines efficientnetv2-b0, mobilenetv3-large, mobilenetv3-small (default: resnet50).",
        NETWORK,
        "NAME",
    ),
    weights: str | None = setting(
        "--weights",
        "To begin with: Keras's of ImageNet (default), a file in HDF5, a run's model.keras, or none.",
        NETWORK,
        "imagenet|FILE|none",
    ),
    weights_sha256: str | None = setting(
        "--weights-sha256", "What a FILE has to have that is not Keras's own.", NETWORK, "HASH"
    ),
    image_size: int | None = setting(
        "--image-size", "Side of what the network sees, in pixels (default: 224).", NETWORK, "N"
    ),
    dropout: float | None = setting("--dropout", "Before the scores (default: 0.2).", NETWORK),
    mixed_precision: bool | None = setting(
        "--float16/--no-float16",
        "Calculate in float16 (default: where a graphics card is made for it).",
        NETWORK,
    ),
    top_epochs: int | None = setting("--top-epochs", "Of the new top alone, at most (default: 10; 0 without weights)."),
    top_learning_rate: float | None = setting("--top-learning-rate", "Adam's, meanwhile (default: 0.001)."),
    stages: int | None = setting(
        "--stages", "Last stages that learn afterwards (default: 2; all without weights).", metavar="N"
    ),
    epochs: int | None = setting("--epochs", "Of these, at most (default: 40; 100 without weights)."),
    learning_rate: float | None = setting(
        "--learning-rate", "Adam's, of these (default: 0.0001; 0.001 without weights)."
    ),
    batch_size: int | None = shared.batch_size_option("Pictures", "32; 16 without weights"),
    stop_patience: int | None = shared.stop_patience_option("10; 25 without weights"),
    reduce_patience: int | None = shared.reduce_patience_option("4; 10 without weights"),
    reduce_factor: float | None = shared.REDUCE_FACTOR,
    min_learning_rate: float | None = shared.min_learning_rate_option("0.000001"),
    label_smoothing: float | None = shared.label_smoothing_option("0.05"),
    class_weights: bool | None = setting(
        "--class-weights/--no-class-weights", "Weigh classes with few photos more (default: no)."
    ),
    flip: bool | None = setting(
        "--flip/--no-flip", "Mirror half of the pictures (default: unless classes are called left or right).", VARIANTS
    ),
    rotation: float | None = setting("--rotation", "Degrees at most (default: 15).", VARIANTS),
    scale: float | None = setting("--scale", "Smaller or larger by this share, at most (default: 0.15).", VARIANTS),
    shift: float | None = setting("--shift", "Elsewhere by this share of the side, at most (default: 0.08).", VARIANTS),
    light: float | None = setting(
        "--light", "Brightness and contrast, by this share at most (default: 0.3).", VARIANTS
    ),
    background: float | None = setting(
        "--background", "Share that gets another background, where there are masks (default: 0.5).", VARIANTS
    ),
    ease_in: int | None = setting(
        "--ease-in", "Epochs over which all of these grow to that (default: 0; 20 without weights).", VARIANTS
    ),
) -> None:
    """Train a network on pictures into a fresh folder exported_models/RUN, and make it a .tflite for MediaPipe's ImageClassifier.

    With weights, first the new top learns, then the last stages with it, at a lower rate; both accuracies are told.
    """
    from gesture_maker.cli.progress import stage_progress
    from gesture_maker.dataset.splitting import parse_shares
    from gesture_maker.pixels.train import resume_pixels, train_pixels

    about: dict[str, Any] = {
        "name": name,
        "test": test,
        "group_by": group_by,
        "crop": crop,
        "margin": margin,
        "weights": weights,
        "weights_sha256": weights_sha256,
    }
    settings: dict[str, Any] = {
        "backbone": backbone,
        "image_size": image_size,
        "dropout": dropout,
        "mixed_precision": mixed_precision,
        "top_epochs": top_epochs,
        "top_learning_rate": top_learning_rate,
        "stages": stages,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "stop_patience": stop_patience,
        "reduce_patience": reduce_patience,
        "reduce_factor": reduce_factor,
        "min_learning_rate": min_learning_rate,
        "label_smoothing": label_smoothing,
        "class_weights": class_weights,
        "flip": flip,
        "rotation": rotation,
        "scale": scale,
        "shift": shift,
        "light": light,
        "background": background,
        "ease_in": ease_in,
        "seed": seed,
    }
    given = shared.check_resume(dataset, resume, {**about, **settings})
    titles = {
        "downloading": "Downloading the weights",
        "landmarks": "Looking for hands",
        "reading": "Reading photos",
        "training": "Training",
    }
    with stage_progress(titles) as progress:
        if resume is not None:
            made = resume_pixels(resume, progress)
        else:
            assert dataset is not None
            chosen = {key: given.pop(key) for key in about if key in given}
            made = train_pixels(dataset, settings=given, shares=parse_shares(split), progress=progress, **chosen)
    show(made)


def show(made: Any) -> None:
    """Print what came of a training."""
    import shlex

    from gesture_maker.training.pixels.backbones import BACKBONES

    run, about = made.run, made.run.description
    for sentence in made.warnings:
        typer.echo(f"Warning: {sentence}")
    if made.prepared is not None:
        unused = [(photo.image.file, photo.reason) for photo in made.prepared.unused]
        total = len(made.prepared.photos)
        shared.print_unused("photos", total - len(unused), total, unused, run.path / "split.csv")
        if about["seeing"]["crop"] == "hand" and made.prepared.without_hand:
            typer.echo(f"Seen whole, since no hand was found: {made.prepared.without_hand} photos")
    typer.echo(
        f"Trained {BACKBONES[about['settings']['backbone']].title} ({about['parameters']:,} parameters, {about['learned']:,} of them learned; "
        f"{about['model_bytes'] / 1e6:.1f} MB) in {about['seconds']:.0f} s"
    )
    for stage, numbers in about["stages"].items():
        parts = ", ".join(f"{part} {its['accuracy']:.2%}" for part, its in numbers.items() if isinstance(its, dict))
        kept = ", kept" if stage == about["kept"] and len(about["stages"]) > 1 else ""
        typer.echo(
            f"{stage:>16}: {parts or 'nothing held back'} (best of {numbers['epochs']} epochs: {numbers['best_epoch']}{kept})"
        )
    typer.echo("As TFLite:")
    shared.print_measured(made.measured, "photos")
    typer.echo(f"Run: {run.path} (model.tflite, model.keras, split.csv, curves.png, confusion_matrix.png)")
    call = shlex.quote(run.call)
    typer.echo(f"Next:  gesture-maker image eval {call}{'' if 'test' in made.measured else ' PHOTOS'}")
    typer.echo(f"       gesture-maker image export {call} --quantize int8")
    typer.echo(f"       gesture-maker image live {call}")
