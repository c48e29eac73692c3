"""`gesture-maker eval`: the runtime's answers to labelled photos, to films, or to a person before a camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from gesture_maker.cli.given import RUNTIME, camera_of, confidence

EXAMPLE = "Example:  gesture-maker eval first photos_of_other_people --fail-under 0.95"

WATCH, IDLE = 3.0, 5.0  # seconds; those of evaluation/guided_script.py, which is not imported before it is needed

_CAMERA = "With --camera"

GROUP_BY = typer.Option(
    None,
    "--group-by",
    metavar="REGEX",
    help="Photos whose names match alike are of one person or burst: for honest intervals, e.g. '^p[0-9]+'.",
)
FAIL_UNDER = typer.Option(
    None, "--fail-under", metavar="X", min=0, max=1, help="Exit 1 when the accuracy is below this."
)
"""Options that `image eval` has too."""


def evaluate(
    context: typer.Context,
    bundle: str = typer.Argument(
        ..., metavar="RUN_OR_TASK", help="A run whose bundle was exported, a .task file, or hf://OWNER/NAME."
    ),
    images: str | None = typer.Argument(
        None,
        metavar="IMAGES",
        help="A folder of class folders, a dataset's name, or a table of landmarks; without it, a run's own test part.",
        show_default=False,
    ),
    camera: str | None = typer.Option(
        None,
        "--camera",
        metavar="N",
        help="In place of IMAGES, a camera's number (0 is the first) or a stream's address: says what to show, and watches.",
    ),
    videos: Path | None = typer.Option(
        None,
        "--videos",
        metavar="DIR",
        help="In place of IMAGES, a folder of films per class; none: without a gesture.",
    ),
    compare: str | None = typer.Option(
        None,
        "--compare",
        metavar="OTHER",
        help="Another run or .task, or a training on pixels, asked about the same photos: which is better?",
    ),
    group_by: str | None = GROUP_BY,
    num_hands: int = typer.Option(
        1, "--num-hands", metavar="N", rich_help_panel=RUNTIME, help="Hands to look for; the surest gesture counts."
    ),
    min_hand_detection_confidence: float = confidence(
        "--min-hand-detection-confidence", "How sure the hand detector has to be, 0 to 1."
    ),
    min_hand_presence_confidence: float = confidence(
        "--min-hand-presence-confidence", "How sure the landmarker has to be of a hand."
    ),
    min_tracking_confidence: float = confidence(
        "--min-tracking-confidence",
        "How sure tracking has to be, or the hand is looked for anew; photos are not tracked.",
    ),
    border: bool = typer.Option(
        True, "--border/--no-border", help="Put a border around photos, so that hands that fill them are found."
    ),
    no_canned: bool = typer.Option(False, "--no-canned", help="Silence Google's canned gestures."),
    out: Path | None = typer.Option(
        None, "--out", metavar="DIR", help="Where to write; by default evaluation/ in the run, or beside the .task."
    ),
    fail_under: float | None = FAIL_UNDER,
    watch: float = typer.Option(
        WATCH, "--watch", metavar="SECONDS", rich_help_panel=_CAMERA, help="How long each gesture is watched."
    ),
    idle: float = typer.Option(
        IDLE, "--idle", metavar="SECONDS", rich_help_panel=_CAMERA, help="How long hands without a gesture are; 0: not."
    ),
    headless: bool = typer.Option(
        False, "--headless", rich_help_panel=_CAMERA, help="No window: the terminal says what to show."
    ),
    mirror: bool | None = typer.Option(
        None,
        "--mirror/--no-mirror",
        rich_help_panel=_CAMERA,
        help="Show as in a mirror; by default this machine's cameras.",
    ),
    mirrored_source: bool = typer.Option(
        False,
        "--mirrored-source",
        rich_help_panel=_CAMERA,
        help="The camera (or films) give a mirror's view: turn it back, or left hands are called right.",
    ),
) -> None:
    """Ask MediaPipe's GestureRecognizer about labelled photos, measure its answers, and write a report.

    A photo in which no hand is found counts as wrong. Without IMAGES a run is asked about photos it never saw. A table of
    landmarks in place of photos is asked about without GestureRecognizer.

    With --camera it is said which gesture to show, and measured in how many frames and how soon it is recognized, and what is
    answered to hands that make none. --videos does the same with films, such as DIR/rock/first.mp4.
    """
    from gesture_maker.cli.guided import check_usage, finish, watch_camera, watch_films
    from gesture_maker.cli.hub import model_of, results_folder

    check_usage(context, camera, videos)
    source = None if camera is None else camera_of(context, camera, "for films there is --videos")
    out = out or results_folder(bundle, images or videos)
    bundle, compare = model_of(bundle), compare and model_of(compare)
    if camera is not None or videos is not None:
        from gesture_maker.recognition.runtime import RuntimeOptions

        options = RuntimeOptions(
            num_hands,
            min_hand_detection_confidence,
            min_hand_presence_confidence,
            min_tracking_confidence,
            not no_canned,
        )
        if videos is not None:
            finish(watch_films(bundle, videos, options, mirrored_source, out), fail_under)
        elif source is not None:
            watched = watch_camera(bundle, source, options, watch, idle, headless, mirror, mirrored_source, out)
            finish(watched, fail_under)
        return
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.evaluation.evaluate import evaluate as evaluate_bundle
    from gesture_maker.pixels.evaluate import any_model

    with progress_bar("Recognizing") as progress:
        result = evaluate_bundle(
            bundle,
            images,
            compare=compare and any_model(compare),
            group_by=group_by,
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
    fail_below(result, fail_under)


def fail_below(result: Any, least: float | None) -> None:
    """Leave with 1 when an evaluation's accuracy is less than `least`, if that was given."""
    if least is not None and result.metrics.accuracy < least:
        typer.echo(f"The accuracy {result.metrics.accuracy:.4f} is below {least}.", err=True)
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
    sure = f"; 95 % interval {result.interval.low:.3f} to {result.interval.high:.3f}" if result.interval else ""
    typer.echo(f"Accuracy: {metrics.accuracy:.4f} ({right} of {metrics.photos} photos right{sure})")
    if result.runtime.finds_hands:
        no_hand = sum(prediction.reason == NOT_FOUND.reason for prediction in result.predictions)
        typer.echo(f"Where a hand was found: {metrics.accuracy_where_found:.4f} (no hand in {no_hand})")
    if result.runtime.canned:
        canned = sum(prediction.canned for prediction in result.predictions)
        typer.echo(f"Answered by: custom {metrics.found - canned}, canned {canned}")
    if result.latency_p50 is None:
        typer.echo(f"Asked {result.asked}.")
    else:
        typer.echo(f"Latency: {result.latency_p50:.1f} ms (median), {result.latency_p95:.1f} ms (p95)")
    for sentence in result.warnings:
        typer.echo(f"Warning: {sentence}")
    if result.comparison:
        show_comparison(result)
    typer.echo(f"Written: {result.folder} (metrics.json, predictions.csv, confusion_matrix.png)")
    typer.echo(f"Report: {result.report}")


def show_comparison(result: Any) -> None:
    """Print how an evaluation compares with that of another model."""
    other = result.comparison
    found = other.difference
    interval = f"95 % interval {found.low:+.3f} to {found.high:+.3f}"
    surely = "" if found.sure else ", which holds 0: neither is surely better"
    typer.echo(
        f"{other.name}: accuracy {other.metrics.accuracy:.4f}; difference {found.difference:+.4f} ({interval}{surely})"
    )
    typer.echo(f"Against {other.name}: {found.better} photos mended, {found.worse} broken")
    for sentence in other.warnings:
        typer.echo(f"Warning, {other.name}: {sentence}")
