"""`gesture-maker image live`: what a classifier on pixels says of every frame, drawn and recorded."""

from __future__ import annotations

from pathlib import Path

import typer

from gesture_maker.cli import live_shown
from gesture_maker.cli.given import live_source

EXAMPLE = "Example:  gesture-maker image live first film.mp4 --headless --record answers.mp4 --max-fps 10"


def live(
    context: typer.Context,
    run: str = typer.Argument(..., metavar="RUN", help="A training on pixels, or hf://OWNER/NAME.", show_default=False),
    source: str | None = live_shown.SOURCE,
    camera: str | None = live_shown.CAMERA,
    model: Path | None = typer.Option(
        None, "--model", metavar="FILE", help="A .tflite of the run, such as a quantized one, in place of its own."
    ),
    threshold: float = typer.Option(
        0.5, "--threshold", metavar="X", help="Score below which a picture shows no gesture."
    ),
    record: Path | None = live_shown.RECORD,
    out: Path | None = live_shown.out_option("The answers to every frame"),
    overwrite: bool = live_shown.OVERWRITE,
    headless: bool = live_shown.HEADLESS,
    seconds: float | None = live_shown.SECONDS,
    mirror: bool | None = live_shown.MIRROR,
    mirrored_source: bool = live_shown.mirrored_source_option("it shows another hand than was trained on"),
    smooth: str = live_shown.SMOOTH,
    max_fps: float | None = live_shown.MAX_FPS,
) -> None:
    """Say which gesture the whole picture shows: of a camera the newest frame, of a film every one.

    No landmarks are needed, so that what hides them does no harm. q, Esc or Ctrl-C end it; what was recorded until then plays.
    """
    frames_of = live_source(context, source, camera)
    from gesture_maker.cli.hub import model_of
    from gesture_maker.pixels.live import live_pictures
    from gesture_maker.recognition.smoothing import parse_smoothing

    run, smoothing = model_of(run), parse_smoothing(smooth)
    with live_shown.answers_shown("gesture-maker image live", headless, smoothing, max_fps) as screen:
        live_pictures(
            run,
            frames_of,
            model=model,
            threshold=threshold,
            mirror=mirror,
            mirrored_source=mirrored_source,
            smoothing=smoothing,
            max_fps=max_fps,
            record=record,
            out=out,
            overwrite=overwrite,
            seconds=seconds,
            **screen,
        )
