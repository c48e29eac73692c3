"""`gesture-maker motion demo`: the whole way on drawn motions."""

from __future__ import annotations

import typer

EXAMPLE = "Example:  gesture-maker motion demo --model lstm"


def demo(
    name: str | None = typer.Option(
        None, "--name", metavar="RUN", help="Of the run; by default motion-demo, motion-demo-2, …"
    ),
    model: str = typer.Option(
        "tcn", "--model", metavar="lstm|gru|tcn", help="Which network; tcn is the quickest, with few false events."
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Other people, paths and backgrounds."),
) -> None:
    """Draw people who swipe, circle, wave, pinch, grab and push; train; evaluate on others and on a long film. Nothing to download."""
    from gesture_maker.cli.motion_eval import show_clips, show_film
    from gesture_maker.cli.motion_train import show
    from gesture_maker.cli.progress import stage_progress
    from gesture_maker.motion.demo import run_motion_demo

    titles = {"landmarks": "Following hands", "training": "Training", "recognizing": "Recognizing the film"}
    with stage_progress(titles) as progress:
        made = run_motion_demo(seed, name, progress, settings={"model": model})
    typer.echo(f"Drew {made.dataset}, of other people {made.test_dataset}, and of one more {made.film}.")
    show(made.training)
    typer.echo("Asked about the other people:")
    show_clips(made.evaluation)
    typer.echo("Played the film:")
    show_film(made.film_evaluation)
