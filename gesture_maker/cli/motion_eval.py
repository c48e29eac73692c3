"""`gesture-maker motion eval`: how well a run does, on clips or on a film with marks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gesture_maker.cli.given import refuse

if TYPE_CHECKING:
    from gesture_maker.motion.evaluate import FilmEvaluation, MotionEvaluation

EXAMPLE = "Example:  gesture-maker motion eval first long_film.mp4 --marks long_film.csv"


def evaluate(
    context: typer.Context,
    run: str = typer.Argument(
        ..., metavar="RUN", help="A training on motions, or hf://OWNER/NAME.", show_default=False
    ),
    clips: str | None = typer.Argument(
        None,
        metavar="CLIPS",
        help="A folder of class folders of clips; without it the run's own test part. With --marks a film.",
        show_default=False,
    ),
    marks: Path | None = typer.Option(
        None, "--marks", metavar="FILE.csv", help="When which gesture is made in the film: columns begin, end, label."
    ),
    group_by: str | None = typer.Option(
        None, "--group-by", metavar="REGEX", help=r"Clips whose names match alike are of one person, such as p\d+."
    ),
    out: Path | None = typer.Option(None, "--out", metavar="DIR", help="Where the report goes (default: in the run)."),
    threshold: float | None = typer.Option(
        None, "--threshold", metavar="X", help="With --marks: score from which a gesture is told (default: 0.8)."
    ),
) -> None:
    """Ask a run's TFLite about clips, with a report; or play it a long film, and see which marked gestures it tells.

    Of a film: what was found, missed, told without being made, and how many frames after its end each was told.
    """
    from gesture_maker.cli.hub import model_of, results_folder
    from gesture_maker.cli.progress import progress_bar, stage_progress

    out = out or results_folder(run, clips or "test")
    run = model_of(run)
    if marks is not None:
        if clips is None:
            raise typer.BadParameter("name the film that the marks are of", context, param_hint="CLIPS")
        refuse(context, {"group_by": "--group-by", "out": "--out"}, "it goes with clips, not with --marks")
        from gesture_maker.motion.collect_marks import read_marks
        from gesture_maker.motion.evaluate import evaluate_film
        from gesture_maker.motion.events import Debounce

        debounce = Debounce(threshold=threshold, release=min(threshold, 0.5)) if threshold is not None else None
        with progress_bar("Recognizing") as show:
            film = evaluate_film(run, clips, read_marks(marks), debounce=debounce, progress=show)
        show_film(film)
        return
    refuse(context, {"threshold": "--threshold"}, "it goes with --marks")
    from gesture_maker.motion.evaluate import evaluate_motions

    with stage_progress({"landmarks": "Following hands"}) as progress:
        done = evaluate_motions(run, clips, group_by=group_by, out=out, progress=progress)
    show_clips(done)


def show_clips(done: MotionEvaluation) -> None:
    """Print what clips came to."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    for sentence in done.warnings:
        typer.echo(f"Warning: {sentence}")
    table = Table("gesture")
    for column in ("clips", "recall", "precision", "F1"):
        table.add_column(column, justify="right")
    for label, numbers in done.measured.metrics.per_class.items():
        shares = [f"{numbers[key]:.1%}" for key in ("recall", "precision")]
        table.add_row(escape(label), f"{numbers['support']:.0f}", *shares, f"{numbers['f1']:.3f}")
    Console().print(table)
    metrics, interval = done.measured.metrics, done.measured.interval
    sure = f", 95 % interval {interval.low:.1%} to {interval.high:.1%}" if interval else ""
    typer.echo(f"Accuracy: {metrics.accuracy:.2%} of {metrics.photos} clips{sure}")
    if metrics.photos > metrics.found:
        typer.echo(f"No hand to follow: {metrics.photos - metrics.found} clips, which count as wrong")
    if done.milliseconds is not None:
        typer.echo(f"A window takes {done.milliseconds:.2f} ms")
    typer.echo(f"Report: {done.report}")


def show_film(film: FilmEvaluation) -> None:
    """Print which marked gestures were told, and what was told beside."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("made", "from", "to", "told at", "score", "frames after its end")
    for one in film.marked:
        told: list[Any] = ["", "", "[red]missed[/red]"]
        if one.event is not None and one.delay_frames is not None:
            told = [f"{one.event.seconds:.2f} s", f"{one.event.score:.2f}", f"{one.delay_frames:+.0f}"]
        table.add_row(escape(one.mark.label), f"{one.mark.begin:.2f} s", f"{one.mark.end:.2f} s", *told)
    for event in film.false:
        table.add_row(
            "[dim](nothing)[/dim]",
            "",
            "",
            f"{event.seconds:.2f} s",
            f"{event.score:.2f}",
            f"[red]{escape(event.gesture)}[/red]",
        )
    Console().print(table)
    delays = sorted(one.delay_frames for one in film.found if one.delay_frames is not None)
    typer.echo(
        f"Events: {len(film.found)} of {len(film.marked)} found, {len(film.missed)} missed, {len(film.false)} false"
    )
    if delays:
        typer.echo(
            f"Told {delays[len(delays) // 2]:+.0f} frames after a gesture's end (median; {delays[0]:+.0f} to {delays[-1]:+.0f})"
        )
    live = film.summary.live
    typer.echo(f"Answered: {live.answered} frames, {live.fps:.1f} frames/s")
