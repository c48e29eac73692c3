"""`gesture-maker motion …`: gestures that move, from clips to events."""

from __future__ import annotations

import typer

from gesture_maker.cli import motion_collect, motion_demo, motion_eval, motion_live, motion_train

EXAMPLE = "Example:  gesture-maker motion demo"

app = typer.Typer(
    name="motion",
    help="Gestures that move: swipes, circles, waves. Collect clips, train, evaluate, and hear of each live.",
    epilog=EXAMPLE,
    no_args_is_help=True,
)

app.command("demo", epilog=motion_demo.EXAMPLE)(motion_demo.demo)
app.command("collect", epilog=motion_collect.EXAMPLE)(motion_collect.collect)
app.command("train", epilog=motion_train.EXAMPLE)(motion_train.train)
app.command("eval", epilog=motion_eval.EXAMPLE)(motion_eval.evaluate)
app.command("live", epilog=motion_live.EXAMPLE)(motion_live.live)
