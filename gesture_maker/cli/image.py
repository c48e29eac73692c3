"""`gesture-maker image …`: classifiers on pixels, where landmarks fail."""

from __future__ import annotations

import typer

from gesture_maker.cli import image_collect, image_live

EXAMPLE = image_live.EXAMPLE

app = typer.Typer(
    name="image",
    help="Classifiers on pixels: a network that looks at the picture itself, where no hand is found (gloves, infra-red).",
    epilog=EXAMPLE,
    no_args_is_help=True,
)

app.command("collect", epilog=image_collect.EXAMPLE)(image_collect.collect)
app.command("live", epilog=image_live.EXAMPLE)(image_live.live)
