"""What `live`, `motion live` and `image live` have in common: their options, and how what they do is shown.

An option whose words or default depend on the command is a function here; the others are constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import typer

from gesture_maker.cli.given import RUNTIME, confidence

if TYPE_CHECKING:
    from gesture_maker.recognition.frames import FrameSource
    from gesture_maker.recognition.seen import LiveSummary
    from gesture_maker.recognition.showing import LiveFrame
    from gesture_maker.recognition.smoothing import Smoothing

_USUAL_RATE = 30.0  # frames per second of a camera that does not tell its own

SOURCE = typer.Argument(
    None,
    metavar="SOURCE",
    help="A video file, or a stream's address such as rtsp://…; without it, a camera.",
    show_default=False,
)
CAMERA = typer.Option(
    None,
    "--camera",
    metavar="N",
    help="A camera's number (0 is the first), or a stream's address.",
    show_default=False,
)
RECORD = typer.Option(
    None, "--record", metavar="FILE.mp4", help="Record what is shown; a .csv of every frame goes beside it."
)
OVERWRITE = typer.Option(False, "--overwrite", help="Write in place of existing files.")
HEADLESS = typer.Option(False, "--headless", help="No window; a camera runs until Ctrl-C.")
SECONDS = typer.Option(None, "--seconds", metavar="N", help="End after N seconds of the source.")
MIRROR = typer.Option(None, "--mirror/--no-mirror", help="Show as in a mirror; by default only a camera in a window.")
SMOOTH = typer.Option(
    "off", "--smooth", metavar="HOW", help="Against flicker: vote:5 over frames, or average:0.3; both delay."
)
MAX_FPS = typer.Option(None, "--max-fps", metavar="N", help="Look at no more frames per second: for weak machines.")

MIN_HAND_DETECTION_CONFIDENCE = confidence(
    "--min-hand-detection-confidence", "How sure the hand detector has to be, 0 to 1."
)
MIN_HAND_PRESENCE_CONFIDENCE = confidence(
    "--min-hand-presence-confidence", "How sure the landmarker has to be of a hand."
)
MIN_TRACKING_CONFIDENCE = confidence(
    "--min-tracking-confidence", "How sure tracking has to be, or the hand is looked for anew."
)


def out_option(what: str) -> Any:
    """Return the option for the log of frames; `what` is in it."""
    return typer.Option(None, "--out", metavar="FILE", help=f"{what}, as .csv or .jsonl, here.")


def mirrored_source_option(otherwise: str) -> Any:
    """Return the option for a source that gives a mirror's view; `otherwise` says what goes wrong without it."""
    return typer.Option(
        False, "--mirrored-source", help=f"The source gives a mirror's view: turn it back, or {otherwise}."
    )


def num_hands_option(default: int) -> Any:
    """Return the option for how many hands are looked for."""
    return typer.Option(default, "--num-hands", metavar="N", rich_help_panel=RUNTIME, help="Hands to look for at most.")


@contextmanager
def shown(
    title: str,
    headless: bool,
    *,
    line: Callable[[LiveFrame], str],
    end: Callable[[Any], None],
    begin: Callable[[FrameSource], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield what `live` takes to be seen: `window` and its callbacks.

    That is a window named `title`, or `headless` a film's progress bar or a camera's line, which is `line` of the newest frame. `begin`
    is called with the source, `end` with the summary when nothing of it is on the screen any more.
    """
    from gesture_maker.cli.progress import progress_bar, renewed_line

    with ExitStack() as screen:
        window = None
        if not headless:
            from gesture_maker.recognition.window import Window

            window = screen.enter_context(Window(title))
        show: dict[str, Callable[..., None]] = {}

        def on_begin(opened: FrameSource) -> None:
            if begin:
                begin(opened)
            if headless and opened.count:
                show["progress"] = screen.enter_context(progress_bar("Recognizing"))
            elif headless:
                show["line"] = screen.enter_context(renewed_line())

        def progress(done: int, total: int) -> None:
            if "progress" in show:
                show["progress"](done, total)

        def on_frame(one: LiveFrame) -> None:
            if "line" in show:
                show["line"](line(one))

        def on_end(summary: Any) -> None:
            screen.close()
            end(summary)

        yield {
            "window": window,
            "progress": progress,
            "on_begin": on_begin,
            "on_frame": on_frame,
            "on_end": on_end,
        }


def answers_shown(title: str, headless: bool, smoothing: Smoothing, max_fps: float | None) -> Any:
    """Return `shown` for what answers every frame: the answers in its line, at its end the summary, before it what smoothing costs."""
    begin = telling_delay(smoothing, max_fps)
    return shown(title, headless, line=answers_line, end=print_summary, begin=begin)


def telling_delay(smoothing: Smoothing, max_fps: float | None) -> Callable[[FrameSource], None]:
    """Return what says, when a source begins, how much later smoothing shows a change."""

    def tell(opened: FrameSource) -> None:
        if not smoothing.delay_frames:
            return
        rate = min(opened.rate or _USUAL_RATE, max_fps or float("inf"))
        frames = "1 frame" if smoothing.delay_frames == 1 else f"{smoothing.delay_frames} frames"
        seconds = smoothing.delay_frames / rate
        typer.echo(
            f"Smoothing {smoothing.name}: a change shows {frames} later, {seconds:.2f} s at {rate:.3g} frames/s."
        )

    return tell


def moment(one: LiveFrame) -> str:
    """Return a frame's time and the speed just now."""
    minutes, seconds = divmod(int(one.frame.seconds), 60)
    return f"{minutes}:{seconds:02}  {one.fps:.0f} frames/s"


def answers_line(one: LiveFrame) -> str:
    """Return the newest answers in a line."""
    answers = []
    for hand in one.shown:
        side = "" if hand.raw.right is None else "right: " if hand.raw.right >= 0.5 else "left: "
        answer = f"{hand.gesture} {hand.score:.2f}" if hand.gesture else "?"
        answers.append(f"{side}{answer}{' (canned)' if hand.canned else ''}")
    speed = f"{moment(one)}  {1000 * one.latency:.0f} ms"
    return "  ".join(filter(None, (speed, one.notice, ", ".join(answers) or "no hand")))


def print_summary(summary: LiveSummary) -> None:
    """Print what was seen for how long, and how it went."""
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
    print_speed(summary)
    if summary.unanswered:
        times = "once" if summary.outages == 1 else f"{summary.outages} times"
        typer.echo(f"Not answered by the server: the hands of {summary.unanswered} frames; it was gone {times}")
    typer.echo(f"Latency: {summary.latency_p50:.1f} ms (median), {summary.latency_p95:.1f} ms (p95)")
    print_files(summary)


def print_speed(summary: LiveSummary, err: bool = False) -> None:
    """Print how many frames were answered, and why others were not; `err`: to standard error."""
    frames = "1 frame" if summary.answered == 1 else f"{summary.answered} frames"
    typer.echo(f"Answered: {frames} in {summary.seconds:.2f} s, {summary.fps:.1f} frames/s", err=err)
    passed = {
        "passed over for --max-fps": summary.skipped,
        "came while another was being answered": summary.lost,
        "dropped by MediaPipe": summary.dropped,
    }
    if any(passed.values()):
        whys = ", ".join(f"{number} {why}" for why, number in passed.items() if number)
        typer.echo(f"Not answered: {whys}", err=err)


def print_files(summary: LiveSummary, err: bool = False) -> None:
    """Print what was written, if anything was."""
    if summary.files:
        typer.echo(f"Written: {', '.join(map(str, summary.files))}", err=err)
