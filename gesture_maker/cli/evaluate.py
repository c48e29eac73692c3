"""`gesture-maker eval`: the runtime's answers to labelled photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

EXAMPLE = "Example:  gesture-maker eval first photos_of_other_people --fail-under 0.95"

_RUNTIME = "GestureRecognizer's options"  # a panel of their own, or 80 columns would not hold their names


def evaluate(
    bundle: str = typer.Argument(..., metavar="RUN_OR_TASK", help="A run whose bundle was exported, or a .task file."),
    images: str | None = typer.Argument(
        None,
        metavar="IMAGES",
        help="A folder of class folders, a dataset's name, or a table of landmarks; without it, a run's own test part.",
        show_default=False,
    ),
    num_hands: int = typer.Option(
        1, "--num-hands", metavar="N", rich_help_panel=_RUNTIME, help="Hands to look for; the surest gesture counts."
    ),
    min_hand_detection_confidence: float = typer.Option(
        0.5,
        "--min-hand-detection-confidence",
        metavar="X",
        rich_help_panel=_RUNTIME,
        help="How sure the hand detector has to be, 0 to 1.",
    ),
    min_hand_presence_confidence: float = typer.Option(
        0.5,
        "--min-hand-presence-confidence",
        metavar="X",
        rich_help_panel=_RUNTIME,
        help="How sure the landmarker has to be of a hand.",
    ),
    min_tracking_confidence: float = typer.Option(
        0.5,
        "--min-tracking-confidence",
        metavar="X",
        rich_help_panel=_RUNTIME,
        help="Passed on to MediaPipe; photos are not tracked.",
    ),
    border: bool = typer.Option(
        True, "--border/--no-border", help="Put a border around photos, so that hands that fill them are found."
    ),
    no_canned: bool = typer.Option(False, "--no-canned", help="Silence Google's canned gestures."),
    out: Path | None = typer.Option(
        None, "--out", metavar="DIR", help="Where to write; by default evaluation/ in the run, or beside the .task."
    ),
    fail_under: float | None = typer.Option(
        None, "--fail-under", metavar="X", min=0, max=1, help="Exit 1 when the accuracy is below this."
    ),
) -> None:
    """Ask MediaPipe's GestureRecognizer about labelled photos, and measure its answers.

    A photo in which no hand is found counts as wrong. Without IMAGES a run is asked about photos it never saw. A table of
    landmarks in place of photos is asked about without GestureRecognizer.
    """
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.evaluation.evaluate import evaluate as evaluate_bundle

    with progress_bar("Recognizing") as progress:
        result = evaluate_bundle(
            bundle,
            images,
            num_hands=num_hands,
            min_hand_detection_confidence=min_hand_detection_confidence,
            min_hand_presence_confidence=min_hand_presence_confidence,
            min_tracking_confidence=min_tracking_confidence,
            border=border,
            canned=not no_canned,
            out=out,
            progress=progress,
        )
    show(result)
    if fail_under is not None and result.metrics.accuracy < fail_under:
        typer.echo(f"The accuracy {result.metrics.accuracy:.4f} is below {fail_under}.", err=True)
        raise typer.Exit(1)


def show(result: Any) -> None:
    """Print an evaluation."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gesture_maker.landmarks.hands import NOT_FOUND

    metrics = result.metrics
    table = Table("class")
    for column in ("photos", "precision", "recall", "F1"):
        table.add_column(column, justify="right")
    for label, row in metrics.per_class.items():
        numbers = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(escape(label), str(row["support"]), *numbers)
    Console().print(table)
    right = round(metrics.accuracy * metrics.photos)
    no_hand = sum(prediction.reason == NOT_FOUND.reason for prediction in result.predictions)
    typer.echo(f"Accuracy: {metrics.accuracy:.4f} ({right} of {metrics.photos} photos right)")
    typer.echo(f"Where a hand was found: {metrics.accuracy_where_found:.4f} (no hand in {no_hand})")
    if result.latency_p50 is None:
        typer.echo(f"Asked {result.asked}.")
    else:
        typer.echo(f"Latency: {result.latency_p50:.1f} ms (median), {result.latency_p95:.1f} ms (p95)")
    for sentence in result.warnings:
        typer.echo(f"Warning: {sentence}")
    typer.echo(f"Written: {result.folder} (metrics.json, predictions.csv, confusion_matrix.png)")
