"""`gesture-maker image export`: a classifier on pixels in half or a quarter of its size."""

from __future__ import annotations

from pathlib import Path

import typer

EXAMPLE = "Example:  gesture-maker image export first --quantize int8"


def export(
    run: str = typer.Argument(..., metavar="RUN", help="A training on pixels.", show_default=False),
    quantize: str = typer.Option(
        "float16", "--quantize", metavar="none|float16|int8", help="Numbers: half the size, or a quarter and quicker."
    ),
    out: Path | None = typer.Option(
        None, "--out", metavar="FILE.tflite", help="Where to (default: model_float16.tflite in the run, say)."
    ),
) -> None:
    """Make another .tflite of a run for MediaPipe's ImageClassifier and MediaPipe Studio, and compare its answers.

    int8 is calibrated on training photos, which have to be where they were.
    """
    import shlex

    from gesture_maker.pixels.exporting import export_pixels

    made = export_pixels(run, quantize, out)
    typer.echo(f"Exported: {made.path} ({made.size / 1e6:.1f} MB)")
    typer.echo(
        f"In ImageClassifier, against float32, on {made.pictures} training pictures: {made.same:.0%} same answers, "
        f"scores differ by {made.largest_difference:.2g} at most"
    )
    typer.echo(f"Next:  gesture-maker image eval {shlex.quote(run)} --model {shlex.quote(str(made.path))}")
