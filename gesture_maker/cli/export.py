"""`gesture-maker export`: a run to a `.task`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

EXAMPLE = "Example:  gesture-maker export first --out rps.task"


def export(
    run: str = typer.Argument(..., metavar="RUN", help="A run's folder, or its name under exported_models/."),
    out: Path | None = typer.Option(
        None, "--out", metavar="FILE", help="The .task file; by default gesture_recognizer.task in the run."
    ),
    score_threshold: float | None = typer.Option(
        None,
        "--score-threshold",
        metavar="X",
        help="Answers with a lower score do not count (default: 0.5).",
        min=0,
        max=1,
    ),
    false_alarm_rate: float | None = typer.Option(
        None,
        "--false-alarm-rate",
        metavar="X",
        help="Choose the score threshold so that at most this share of hands that make no gesture is answered with one.",
        min=0,
        max=1,
    ),
    without_canned: bool = typer.Option(
        False, "--without-canned", help="Leave MediaPipe's canned gestures out of a bundle with Google's embedder."
    ),
    assets: Path | None = typer.Option(None, "--assets", metavar="DIR", help="Folder of Google's TFLite files."),
) -> None:
    """Make the .task bundle of a run, verify it in MediaPipe, and write a model card beside it."""
    import shlex

    from gesture_maker.bundle.export import export as export_run
    from gesture_maker.training.run import Run

    if score_threshold is not None and false_alarm_rate is not None:
        raise typer.BadParameter("it chooses the score threshold: give one of them.", param_hint="--false-alarm-rate")
    result = export_run(
        run,
        out=out,
        score_threshold=score_threshold,
        false_alarm_rate=false_alarm_rate,
        canned=not without_canned,
        assets=assets,
    )
    print_export(result)
    next_on = shlex.quote(run if out is None else str(result.bundle))
    if out is not None or not Run.load(run).description["hands"]["test"]:
        next_on += " PHOTOS"
    typer.echo(f"Next:  gesture-maker eval {next_on}")


def print_export(result: Any) -> None:
    """Say what was exported, a `bundle.export.Export`."""
    typer.echo(f"Bundle: {result.bundle} ({result.bundle.stat().st_size / 1e6:.1f} MB)")
    typer.echo(f"SHA-256: {result.sha256}")
    typer.echo(f"Labels: {', '.join(result.labels)}")
    typer.echo(
        f"Verified: loads in GestureRecognizer; scores of {result.compared} hands differ from the trained head's by at "
        f"most {result.largest_difference:.0e}."
    )
    if result.false_alarms:
        typer.echo(f"False alarms: {result.false_alarms}")
    typer.echo(f"Model card: {result.card}")
