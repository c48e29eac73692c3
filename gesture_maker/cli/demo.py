"""`gesture-maker demo`: the whole way on drawn hands."""

from __future__ import annotations

import typer

EXAMPLE = "Example:  gesture-maker demo"


def demo(
    name: str | None = typer.Option(None, "--name", metavar="RUN", help="Of the run; by default demo, demo-2, …"),
    seed: int = typer.Option(0, "--seed", min=0, help="Other people, poses and backgrounds."),
) -> None:
    """Draw hands, train, export and evaluate: the whole way in under two minutes, nothing to download."""
    from gesture_maker.cli.evaluate import show
    from gesture_maker.cli.progress import stage_progress
    from gesture_maker.demo import run_demo

    titles = {
        "landmarks": "Looking for hands",
        "training": "Training",
        "recognizing": "Recognizing",
    }
    with stage_progress(titles) as progress:
        made = run_demo(seed, name, progress)
    used = sum(made.training.run.description["hands"].values())
    typer.echo(f"Drew {made.dataset} and, of other people, {made.test_dataset}.")
    typer.echo(f"Trained on {used} of {made.training.run.description['photos']} drawings: {made.training.run.path}")
    typer.echo("Asked MediaPipe's GestureRecognizer about the other people:")
    show(made.evaluation)
    typer.echo(f"Bundle: {made.export.bundle} (drop it into MediaPipe Studio, or load it as {made.export.card} says)")
