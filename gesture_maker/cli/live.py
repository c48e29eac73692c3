"""`gesture-maker live`: what the runtime answers to a camera, film or stream, drawn and recorded."""

from __future__ import annotations

from pathlib import Path

import typer

from gesture_maker.cli import live_shown
from gesture_maker.cli.given import live_source, refuse

SERVED = "Asking a server"  # a panel of their own

EXAMPLE = "Example:  gesture-maker live first film.mp4 --headless --record answers.mp4"


def live(
    context: typer.Context,
    task: str | None = typer.Argument(
        None,
        metavar="TASK",
        help="A run whose bundle was exported, a .task file, or hf://OWNER/NAME; left out with --server.",
        show_default=False,
    ),
    source: str | None = live_shown.SOURCE,
    camera: str | None = live_shown.CAMERA,
    record: Path | None = live_shown.RECORD,
    out: Path | None = live_shown.out_option("The answers to every frame"),
    overwrite: bool = live_shown.OVERWRITE,
    headless: bool = live_shown.HEADLESS,
    seconds: float | None = live_shown.SECONDS,
    mirror: bool | None = live_shown.MIRROR,
    mirrored_source: bool = live_shown.mirrored_source_option("left hands are called right"),
    smooth: str = live_shown.SMOOTH,
    max_fps: float | None = live_shown.MAX_FPS,
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
    num_hands: int = live_shown.num_hands_option(2),
    min_hand_detection_confidence: float = live_shown.MIN_HAND_DETECTION_CONFIDENCE,
    min_hand_presence_confidence: float = live_shown.MIN_HAND_PRESENCE_CONFIDENCE,
    min_tracking_confidence: float = live_shown.MIN_TRACKING_CONFIDENCE,
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
    from gesture_maker.cli.hub import model_of
    from gesture_maker.recognition.live import live as run_live
    from gesture_maker.recognition.runtime import RuntimeOptions
    from gesture_maker.recognition.smoothing import parse_smoothing

    options = RuntimeOptions(
        num_hands,
        min_hand_detection_confidence,
        min_hand_presence_confidence,
        min_tracking_confidence,
        not no_canned,
    )
    smoothing = parse_smoothing(smooth)
    task = task and model_of(task)
    with live_shown.answers_shown("gesture-maker live", headless, smoothing, max_fps) as screen:
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
            seconds=seconds,
            **screen,
        )
