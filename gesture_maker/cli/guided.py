"""`gesture-maker eval --camera` and `--videos`: guided validation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gesture_maker.errors import GestureMakerError

if TYPE_CHECKING:
    from gesture_maker.evaluation.guided_results import GuidedEvaluation, Try
    from gesture_maker.evaluation.guided_script import Moment
    from gesture_maker.recognition.runtime import RuntimeOptions

MOST_ANSWERS = 3  # shown of what a gesture was taken for; the report has all

OF_PHOTOS = {"images": "IMAGES", "compare": "--compare", "group_by": "--group-by", "border": "--no-border"}
OF_CAMERAS = {"watch": "--watch", "idle": "--idle", "headless": "--headless", "mirror": "--mirror"}
OF_FRAMES = {"mirrored_source": "--mirrored-source"}


def check_usage(context: typer.Context, camera: str | None, videos: Path | None) -> None:
    """Raise BadParameter for options that do not belong together."""
    from gesture_maker.cli.given import refuse

    if camera is not None and videos is not None:
        raise typer.BadParameter("a camera or videos, not both", context, param_hint="--camera, --videos")
    if camera is None:
        refuse(context, OF_CAMERAS, "only with --camera")
    if camera is None and videos is None:
        refuse(context, OF_FRAMES, "only with --camera or --videos")
        return
    refuse(context, OF_PHOTOS, "only for photos, not with --camera or --videos")


def watch_films(
    bundle: str, videos: Path, options: RuntimeOptions, mirrored: bool, out: Path | None
) -> GuidedEvaluation:
    """Run the guided validation on films."""
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.evaluation.guided_films import evaluate_films

    with progress_bar("Watching") as progress:
        return evaluate_films(bundle, videos, options=options, mirrored=mirrored, out=out, progress=progress)


def watch_camera(
    bundle: str,
    source: int | str,
    options: RuntimeOptions,
    watch: float,
    idle: float,
    headless: bool,
    mirror: bool | None,
    mirrored: bool,
    out: Path | None,
) -> GuidedEvaluation:
    """Run the guided validation before a camera."""
    from gesture_maker.evaluation.guided_camera import evaluate_camera

    settings: dict[str, Any] = {
        "options": options,
        "watch": watch,
        "idle": idle,
        "mirror": mirror,
        "mirrored_source": mirrored,
        "out": out,
    }
    if headless:
        teller = _Teller()
        try:
            return evaluate_camera(bundle, source, on_moment=teller.tell, on_try=_show_try, **settings)
        finally:
            teller.end_line()
    from gesture_maker.recognition.window import Window

    with Window("gesture-maker eval") as window:
        return evaluate_camera(bundle, source, window=window, on_try=_show_try, **settings)


def finish(result: GuidedEvaluation, fail_under: float | None) -> None:
    """Print what was found, and end as it ended."""
    _show(result)
    stopped = result.stopped
    if isinstance(stopped, KeyboardInterrupt):
        raise KeyboardInterrupt("Interrupted: the report holds what was watched until then.")
    if isinstance(stopped, GestureMakerError):
        raise type(stopped)(f"{stopped} The report holds what was watched until then.") from stopped
    share = result.interval.accuracy if result.interval else 0.0
    if fail_under is not None and share < fail_under:
        typer.echo(f"The share of frames recognized, {share:.4f}, is below {fail_under}.", err=True)
        raise typer.Exit(1)


class _Teller:
    """Says on the terminal what the person before the camera is to do."""

    def __init__(self) -> None:
        self._said: tuple[int, str] = (0, "")
        self._within = False  # a line

    def tell(self, moment: Moment) -> None:
        """Say what has changed since the last moment."""
        from math import ceil

        from gesture_maker.evaluation.guided_screen import title_of

        word = "now" if moment.phase == "watch" else str(max(1, ceil(moment.left)))
        if (moment.number, word) == self._said:
            return
        if moment.number != self._said[0] or self._said[1] == "now":
            self.end_line()
            typer.echo(f"{moment.number}/{moment.count}  {title_of(moment)}:", nl=False)
            self._within = True
        typer.echo(f" {word}", nl=False)
        self._said = (moment.number, word)
        if word == "now":
            self.end_line()

    def end_line(self) -> None:
        """Begin another line, if this one has anything in it."""
        if self._within:
            typer.echo()
        self._within = False


def _show_try(one: Try) -> None:
    from gesture_maker.dataset.names import NONE

    frames = len(one.frames)
    if one.asked == NONE:
        typer.echo(f"     {frames - one.recognized} of {frames} frames with a false alarm")
    else:
        first = "" if one.first is None else f", the first after {one.first:.2f} s"
        typer.echo(f"     {one.recognized} of {frames} frames recognized{first}")


def _show(result: GuidedEvaluation) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("gesture")
    for column in ("watches" if result.live else "films", "frames", "recognized", "until recognized", "at worst"):
        table.add_column(column, justify="right")
    table.add_column("taken for")
    for one in result.gestures:
        share = "–" if one.share is None else f"{one.share:.1%}"
        most = list(one.taken_for.items())[:MOST_ANSWERS]
        more = len(one.taken_for) - len(most)
        taken = ", ".join([*(f"{said} {count}" for said, count in most), *([f"{more} more"] if more else [])])
        times = (_seconds(one.median_seconds), _seconds(one.worst_seconds))
        table.add_row(escape(one.gesture), str(one.tries), str(one.frames), share, *times, escape(taken))
    if result.gestures:
        Console().print(table)
    found, idle = result.interval, result.idle
    if found is not None:
        right = sum(one.recognized for one in result.gestures)
        sure = f"95 % interval {found.low:.3f} to {found.high:.3f}"
        typer.echo(f"Frames recognized: {found.accuracy:.4f} ({right} of {found.hands}; {sure})")
    if idle is not None:
        by = "".join(f", {said} {times}" for said, (_, times) in idle.alarms.items())
        share = "" if idle.share is None else f"; {idle.false} of {idle.frames} frames, {idle.share:.1%}"
        typer.echo(f"False alarms: {idle.count} in {idle.seconds:.1f} s without a gesture{by}{share}")
    typer.echo(f"Latency: {result.latency_p50:.1f} ms (median), {result.latency_p95:.1f} ms (p95)")
    for sentence in result.warnings:
        typer.echo(f"Warning: {sentence}")
    if result.partial:
        typer.echo(f"This is not all of it. {result.partial}")
    typer.echo(f"Written: {result.folder} (metrics.json, frames.csv)")
    typer.echo(f"Report: {result.report}")


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f} s"
