"""`gesture-maker image …`: classifiers on pixels, where landmarks fail."""

from __future__ import annotations

import typer

from gesture_maker.cli import image_collect, image_eval, image_export, image_live, image_train

EXAMPLE = image_train.EXAMPLE

app = typer.Typer(
    name="image",
    help="Classifiers on pixels: a network that looks at the picture itself, where no hand is found (gloves, infra-red).",
    epilog=EXAMPLE,
    no_args_is_help=True,
)

app.command("collect", epilog=image_collect.EXAMPLE)(image_collect.collect)
app.command("train", epilog=image_train.EXAMPLE)(image_train.train)
app.command("export", epilog=image_export.EXAMPLE)(image_export.export)
app.command("eval", epilog=image_eval.EXAMPLE)(image_eval.evaluate)
app.command("live", epilog=image_live.EXAMPLE)(image_live.live)
