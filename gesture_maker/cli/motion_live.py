"""`gesture-maker motion live`: an event for each gesture that is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gesture_maker.cli import live_shown
from gesture_maker.cli.given import live_source

if TYPE_CHECKING:
    from gesture_maker.motion.events import Event
    from gesture_maker.motion.live import MotionSummary
    from gesture_maker.recognition.showing import LiveFrame

EXAMPLE = "Example:  gesture-maker motion live first film.mp4 --headless --events events.jsonl"

_EVENTS = "When a gesture is told"


def live(
    context: typer.Context,
    run: str = typer.Argument(
        ..., metavar="RUN", help="A training on motions, or hf://OWNER/NAME.", show_default=False
    ),
    source: str | None = live_shown.SOURCE,
    camera: str | None = live_shown.CAMERA,
    events: str | None = typer.Option(
        None, "--events", metavar="FILE.jsonl", help="Each event as a line of JSON, as it comes; - is standard output."
    ),
    record: Path | None = live_shown.RECORD,
    out: Path | None = live_shown.out_option("What wins in every frame"),
    overwrite: bool = live_shown.OVERWRITE,
    headless: bool = live_shown.HEADLESS,
    seconds: float | None = live_shown.SECONDS,
    mirror: bool | None = live_shown.MIRROR,
    mirrored_source: bool = live_shown.mirrored_source_option("left is right"),
    max_fps: float | None = live_shown.MAX_FPS,
    threshold: float = typer.Option(
        0.8, "--threshold", metavar="X", rich_help_panel=_EVENTS, help="Score it has to reach."
    ),
    confirm: float = typer.Option(
        0.2, "--confirm", metavar="S", rich_help_panel=_EVENTS, help="Seconds for which it has to win."
    ),
    release: float = typer.Option(
        0.5, "--release", metavar="X", rich_help_panel=_EVENTS, help="Score below which it is over."
    ),
    rest: float = typer.Option(
        0.6, "--rest", metavar="S", rich_help_panel=_EVENTS, help="Seconds before the next gesture is told."
    ),
    num_hands: int = live_shown.num_hands_option(1),
    min_hand_detection_confidence: float = live_shown.MIN_HAND_DETECTION_CONFIDENCE,
    min_hand_presence_confidence: float = live_shown.MIN_HAND_PRESENCE_CONFIDENCE,
    min_tracking_confidence: float = live_shown.MIN_TRACKING_CONFIDENCE,
) -> None:
    """Tell of each gesture that a hand makes, once: in a film, of a camera or of a stream.

    q, Esc or Ctrl-C end it; what was recorded and told until then is kept.
    """
    frames_of = live_source(context, source, camera)
    from gesture_maker.cli.hub import model_of
    from gesture_maker.motion.events import Debounce
    from gesture_maker.motion.live import live_motions
    from gesture_maker.recognition.runtime import RuntimeOptions

    options = RuntimeOptions(
        num_hands, min_hand_detection_confidence, min_hand_presence_confidence, min_tracking_confidence
    )
    run = model_of(run)
    debounce = Debounce(threshold, confirm, release, rest)
    to_stdout = events == "-"  # standard output is for the events then

    def tell(event: Event) -> None:
        if not to_stdout:
            typer.echo(_told(event))

    def end(summary: MotionSummary) -> None:
        _show(summary, err=to_stdout)

    with live_shown.shown("gesture-maker motion live", headless, line=_line, end=end) as screen:
        live_motions(
            run,
            frames_of,
            debounce=debounce,
            events=events,
            options=options,
            overwrite=overwrite,
            on_event=tell,
            mirror=mirror,
            mirrored_source=mirrored_source,
            max_fps=max_fps,
            record=record,
            out=out,
            seconds=seconds,
            **screen,
        )


def _told(event: Event) -> str:
    minutes, seconds = divmod(event.seconds, 60)
    return f"{int(minutes)}:{seconds:05.2f}  {event.gesture}  {event.score:.2f}"


def _line(one: LiveFrame) -> str:
    """Return what wins just now in a line."""
    hands = [f"{hand.gesture} {hand.score:.2f}" for hand in one.shown]
    return f"{live_shown.moment(one)}  {', '.join(hands) or 'no hand'}"


def _show(summary: MotionSummary, err: bool) -> None:
    from collections import Counter

    told = Counter(event.gesture for event in summary.events)
    counts = "".join(f", {count} {gesture}" for gesture, count in told.most_common())
    typer.echo(f"Events: {len(summary.events)}{counts}", err=err)
    live_shown.print_speed(summary.live, err)
    live_shown.print_files(summary.live, err)
