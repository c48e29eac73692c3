"""`gesture-maker live`: what the runtime answers to a camera, film or stream, drawn and recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gesture_maker.cli.given import RUNTIME, confidence, live_source, refuse

if TYPE_CHECKING:
    from gesture_maker.recognition.frames import FrameSource
    from gesture_maker.recognition.live import LiveFrame
    from gesture_maker.recognition.seen import LiveSummary
    from gesture_maker.recognition.smoothing import Smoothing

SERVED = "Asking a server"  # a panel of their own

EXAMPLE = "Example:  gesture-maker live first film.mp4 --headless --record answers.mp4"

_USUAL_RATE = 30.0  # frames per second of a camera that does not tell its own


def live(
    context: typer.Context,
    task: str | None = typer.Argument(
        None,
        metavar="TASK",
        help="A run whose bundle was exported, a .task file, or hf://OWNER/NAME; left out with --server.",
        show_default=False,
    ),
    source: str | None = typer.Argument(
        None,
        metavar="SOURCE",
        help="A video file, or a stream's address such as rtsp://…; without it, a camera.",
        show_default=False,
    ),
    camera: str | None = typer.Option(
        None,
        "--camera",
        metavar="N",
        help="A camera's number (0 is the first), or a stream's address.",
        show_default=False,
    ),
    record: Path | None = typer.Option(
        None, "--record", metavar="FILE.mp4", help="Record what is shown; a .csv of every frame goes beside it."
    ),
    out: Path | None = typer.Option(
        None, "--out", metavar="FILE", help="The answers to every frame, as .csv or .jsonl, here."
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Write in place of existing files."),
    headless: bool = typer.Option(False, "--headless", help="No window; a camera runs until Ctrl-C."),
    seconds: float | None = typer.Option(None, "--seconds", metavar="N", help="End after N seconds of the source."),
    mirror: bool | None = typer.Option(
        None, "--mirror/--no-mirror", help="Show as in a mirror; by default only a camera in a window."
    ),
    mirrored_source: bool = typer.Option(
        False,
        "--mirrored-source",
        help="The source gives a mirror's view: turn it back, or left hands are called right.",
    ),
    smooth: str = typer.Option(
        "off", "--smooth", metavar="HOW", help="Against flicker: vote:5 over frames, or average:0.3; both delay."
    ),
    max_fps: float | None = typer.Option(
        None, "--max-fps", metavar="N", help="Look at no more frames per second: for weak machines."
    ),
    no_canned: bool = typer.Option(False, "--no-canned", help="Silence Google's canned gestures."),
    server: str | None = typer.Option(
        None,
        "--server",
        metavar="URL",
        rich_help_panel=SERVED,
        help="Find hands here, ask this server (see serve) what they make.",
    ),
    server_timeout: float = typer.Option(
        1.0, "--server-timeout", metavar="N", rich_help_panel=SERVED, help="Seconds it has for an answer."
    ),
    num_hands: int = typer.Option(
        2, "--num-hands", metavar="N", rich_help_panel=RUNTIME, help="Hands to look for at most."
    ),
    min_hand_detection_confidence: float = confidence(
        "--min-hand-detection-confidence", "How sure the hand detector has to be, 0 to 1."
    ),
    min_hand_presence_confidence: float = confidence(
        "--min-hand-presence-confidence", "How sure the landmarker has to be of a hand."
    ),
    min_tracking_confidence: float = confidence(
        "--min-tracking-confidence",
        "How sure tracking has to be, or the hand is looked for anew.",
    ),
) -> None:
    """Recognize gestures live: of a camera the newest frame, of a film every one.

    q, Esc or Ctrl-C end it; what was recorded until then plays. A hand is called left or right as the person's own.
    """
    if server is not None:
        refuse(context, {"no_canned": "--no-canned"}, "a server's canned gestures are its own")
        if source is not None:
            raise typer.BadParameter("give a TASK or --server, not both; the one argument is then the SOURCE")
        task, source = None, task
    else:
        refuse(context, {"server_timeout": "--server-timeout"}, "it goes with --server")
        if task is None:
            raise typer.BadParameter("give a TASK, or the --server to ask in its place", context, param_hint="TASK")
    frames_of = live_source(context, source, camera)
    from contextlib import ExitStack

    from gesture_maker.cli.hub import model_of
    from gesture_maker.cli.progress import progress_bar, renewed_line
    from gesture_maker.recognition.live import live as run_live
    from gesture_maker.recognition.runtime import RuntimeOptions
    from gesture_maker.recognition.smoothing import parse_smoothing
    from gesture_maker.recognition.window import Window

    options = RuntimeOptions(
        num_hands,
        min_hand_detection_confidence,
        min_hand_presence_confidence,
        min_tracking_confidence,
        not no_canned,
    )
    smoothing = parse_smoothing(smooth)
    task = task and model_of(task)
    with ExitStack() as shown:
        window = None if headless else shown.enter_context(Window("gesture-maker live"))
        calls: dict[str, Any] = {}

        def begin(opened: FrameSource) -> None:
            if smoothing.delay_frames:
                typer.echo(_about_delay(smoothing, opened.rate, max_fps))
            if headless and opened.count:
                calls["progress"] = shown.enter_context(progress_bar("Recognizing"))
            elif headless:
                calls["line"] = shown.enter_context(renewed_line())

        def count(done: int, total: int) -> None:
            if "progress" in calls:
                calls["progress"](done, total)

        def look(one: LiveFrame) -> None:
            if "line" in calls:
                calls["line"](_line(one))

        def end(summary: LiveSummary) -> None:
            shown.close()
            _show(summary)

        run_live(
            task,
            frames_of,
            server=server,
            server_timeout=server_timeout,
            options=options,
            mirror=mirror,
            mirrored_source=mirrored_source,
            smoothing=smoothing,
            max_fps=max_fps,
            record=record,
            out=out,
            overwrite=overwrite,
            window=window,
            seconds=seconds,
            progress=count,
            on_begin=begin,
            on_frame=look,
            on_end=end,
        )


def _about_delay(smoothing: Smoothing, rate: float | None, max_fps: float | None) -> str:
    rate = min(rate or _USUAL_RATE, max_fps or float("inf"))
    frames = "1 frame" if smoothing.delay_frames == 1 else f"{smoothing.delay_frames} frames"
    seconds = smoothing.delay_frames / rate
    return f"Smoothing {smoothing.name}: a change shows {frames} later, {seconds:.2f} s at {rate:.3g} frames/s."


def _line(one: LiveFrame) -> str:
    """Return the newest answers in a line."""
    hands = [
        f"{'right' if hand.raw.hand.handedness >= 0.5 else 'left'}: "
        + (f"{hand.gesture} {hand.score:.2f}" if hand.gesture else "?")
        + (" (canned)" if hand.canned else "")
        for hand in one.shown
    ]
    minutes, seconds = divmod(int(one.frame.seconds), 60)
    speed = f"{minutes}:{seconds:02}  {one.fps:.0f} frames/s  {1000 * one.latency:.0f} ms"
    return "  ".join(filter(None, (speed, one.notice, ", ".join(hands) or "no hand")))


def _show(summary: LiveSummary) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("gesture", "classifier")
    for column in ("first at", "seconds", "frames", "score"):
        table.add_column(column, justify="right")
    for one in summary.seen:
        about = (f"{one.first:.2f} s", f"{one.seconds:.2f}", str(one.frames))
        if one.gesture is None:
            table.add_row("[dim](no hand)[/dim]", "", *about, "")
        elif not one.gesture:
            table.add_row("[dim](no answer)[/dim]", "", *about, "")
        else:
            table.add_row(escape(one.gesture), "canned" if one.canned else "custom", *about, f"{one.score:.2f}")
    Console().print(table)
    frames = "1 frame" if summary.answered == 1 else f"{summary.answered} frames"
    typer.echo(f"Answered: {frames} in {summary.seconds:.2f} s, {summary.fps:.1f} frames/s")
    passed = {
        "passed over for --max-fps": summary.skipped,
        "came while another was being answered": summary.lost,
        "dropped by MediaPipe": summary.dropped,
    }
    if any(passed.values()):
        typer.echo(f"Not answered: {', '.join(f'{number} {why}' for why, number in passed.items() if number)}")
    if summary.unanswered:
        times = "once" if summary.outages == 1 else f"{summary.outages} times"
        typer.echo(f"Not answered by the server: the hands of {summary.unanswered} frames; it was gone {times}")
    typer.echo(f"Latency: {summary.latency_p50:.1f} ms (median), {summary.latency_p95:.1f} ms (p95)")
    if summary.files:
        typer.echo(f"Written: {', '.join(map(str, summary.files))}")
