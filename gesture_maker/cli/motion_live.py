"""`gesture-maker motion live`: an event for each gesture that is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gesture_maker.cli.given import RUNTIME, confidence, live_source

if TYPE_CHECKING:
    from gesture_maker.motion.events import Event
    from gesture_maker.motion.live import MotionSummary
    from gesture_maker.recognition.frames import FrameSource
    from gesture_maker.recognition.live import LiveFrame

EXAMPLE = "Example:  gesture-maker motion live first film.mp4 --headless --events events.jsonl"

_EVENTS = "When a gesture is told"


def live(
    context: typer.Context,
    run: str = typer.Argument(
        ..., metavar="RUN", help="A training on motions, or hf://OWNER/NAME.", show_default=False
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
    events: str | None = typer.Option(
        None, "--events", metavar="FILE.jsonl", help="Each event as a line of JSON, as it comes; - is standard output."
    ),
    record: Path | None = typer.Option(
        None, "--record", metavar="FILE.mp4", help="Record what is shown; a .csv of every frame goes beside it."
    ),
    out: Path | None = typer.Option(
        None, "--out", metavar="FILE", help="What wins in every frame, as .csv or .jsonl, here."
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Write in place of existing files."),
    headless: bool = typer.Option(False, "--headless", help="No window; a camera runs until Ctrl-C."),
    seconds: float | None = typer.Option(None, "--seconds", metavar="N", help="End after N seconds of the source."),
    mirror: bool | None = typer.Option(
        None, "--mirror/--no-mirror", help="Show as in a mirror; by default only a camera in a window."
    ),
    mirrored_source: bool = typer.Option(
        False, "--mirrored-source", help="The source gives a mirror's view: turn it back, or left is right."
    ),
    max_fps: float | None = typer.Option(
        None, "--max-fps", metavar="N", help="Look at no more frames per second: for weak machines."
    ),
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
    num_hands: int = typer.Option(
        1, "--num-hands", metavar="N", rich_help_panel=RUNTIME, help="Hands to look for at most."
    ),
    min_hand_detection_confidence: float = confidence(
        "--min-hand-detection-confidence", "How sure the hand detector has to be, 0 to 1."
    ),
    min_hand_presence_confidence: float = confidence(
        "--min-hand-presence-confidence", "How sure the landmarker has to be of a hand."
    ),
    min_tracking_confidence: float = confidence(
        "--min-tracking-confidence", "How sure tracking has to be, or the hand is looked for anew."
    ),
) -> None:
    """Tell of each gesture that a hand makes, once: in a film, of a camera or of a stream.

    q, Esc or Ctrl-C end it; what was recorded and told until then is kept.
    """
    frames_of = live_source(context, source, camera)
    from contextlib import ExitStack

    from gesture_maker.cli.hub import model_of
    from gesture_maker.cli.progress import progress_bar, renewed_line
    from gesture_maker.motion.events import Debounce
    from gesture_maker.motion.live import live_motions
    from gesture_maker.recognition.runtime import RuntimeOptions
    from gesture_maker.recognition.window import Window

    options = RuntimeOptions(
        num_hands, min_hand_detection_confidence, min_hand_presence_confidence, min_tracking_confidence
    )
    run = model_of(run)
    debounce = Debounce(threshold, confirm, release, rest)
    with ExitStack() as shown:
        window = None if headless else shown.enter_context(Window("gesture-maker motion live"))
        calls: dict[str, Any] = {}

        def begin(opened: FrameSource) -> None:
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

        def tell(event: Event) -> None:
            if events != "-":
                typer.echo(_told(event))

        def end(summary: MotionSummary) -> None:
            shown.close()
            _show(summary, quiet=events == "-")

        live_motions(
            run,
            frames_of,
            debounce=debounce,
            events=events,
            options=options,
            overwrite=overwrite,
            on_event=tell,
            on_end=end,
            mirror=mirror,
            mirrored_source=mirrored_source,
            max_fps=max_fps,
            record=record,
            out=out,
            window=window,
            seconds=seconds,
            progress=count,
            on_begin=begin,
            on_frame=look,
        )


def _told(event: Event) -> str:
    minutes, seconds = divmod(event.seconds, 60)
    return f"{int(minutes)}:{seconds:05.2f}  {event.gesture}  {event.score:.2f}"


def _line(one: LiveFrame) -> str:
    """Return what wins just now in a line."""
    hands = [f"{hand.gesture} {hand.score:.2f}" for hand in one.shown]
    minutes, seconds = divmod(int(one.frame.seconds), 60)
    return f"{minutes}:{seconds:02}  {one.fps:.0f} frames/s  {', '.join(hands) or 'no hand'}"


def _show(summary: MotionSummary, quiet: bool) -> None:
    from collections import Counter

    live = summary.live
    told = Counter(event.gesture for event in summary.events)
    lines = [
        f"Events: {len(summary.events)}" + "".join(f", {count} {gesture}" for gesture, count in told.most_common())
    ]
    lines.append(f"Answered: {live.answered} frames in {live.seconds:.2f} s, {live.fps:.1f} frames/s")
    if live.skipped or live.lost or live.dropped:
        lines.append(
            f"Not answered: {live.skipped} passed over for --max-fps, {live.lost} came while another was being answered, "
            f"{live.dropped} dropped by MediaPipe"
        )
    if live.files:
        lines.append(f"Written: {', '.join(map(str, live.files))}")
    for line in lines:
        typer.echo(line, err=quiet)  # standard output is for the events then
