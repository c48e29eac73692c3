"""The progress bar of all commands: on stderr, and only when something takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

SHOW_AFTER = 1.0  # seconds; what is done by then needs no bar


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback (done, total) for the library, which draws a bar named `what` once `SHOW_AFTER` has passed."""
    with _console() as console, _bar(console, what) as show:
        yield show


@contextmanager
def stage_progress(titles: Mapping[str, str]) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a callback (stage, done, total) which draws a bar for each stage in turn, with its title.

    What `titles` says of a stage may change meanwhile.
    """
    with _console() as console, ExitStack() as open_bars:
        current, show = "", None

        def report(stage: str, done: int, total: int) -> None:
            nonlocal current, show
            if stage != current or show is None:
                open_bars.close()
                current, show = stage, open_bars.enter_context(_bar(console, titles.get(stage, stage)))
            show(done, total, titles.get(stage, stage))

        yield report


@contextmanager
def renewed_line() -> Iterator[Callable[[str], None]]:
    """Yield a callback for a line on a terminal's stderr that is always the newest and gone at the end."""
    from rich.live import Live
    from rich.text import Text

    with _console() as console:
        if not console.is_terminal:
            yield lambda _: None
            return
        line = Live(console=console, transient=True, refresh_per_second=8, redirect_stdout=False, redirect_stderr=False)
        with line:
            yield lambda text: line.update(Text(text, no_wrap=True, overflow="ellipsis"))


@contextmanager
def _bar(console: Console, what: str) -> Iterator[Callable[..., None]]:
    import time

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,  # it would put back what stdout was when the bar appeared: Model Maker's log, closed by then
        redirect_stderr=False,
    )
    task = bar.add_task(what, total=None)
    begin, shown = time.monotonic(), False

    def show(done: int, total: int, what: str = what) -> None:
        nonlocal shown
        if not shown and console.is_terminal and time.monotonic() - begin > SHOW_AFTER:
            shown = True  # first: Ctrl-C may come while the bar is being drawn
            bar.start()
        bar.update(task, completed=done, total=total, description=what)

    try:
        yield show
    finally:
        if shown:
            bar.stop()


@contextmanager
def _console() -> Iterator[Console]:
    from rich.console import Console

    with _own_stderr() as stderr:
        yield Console(file=stderr)


@contextmanager
def _own_stderr() -> Iterator[TextIO]:
    """Yield a stderr that stays the user's while `quiet_stderr`, in another thread, points the process's elsewhere.

    A bar that ends or begins while a landmarker is being made would otherwise stay on the screen or never appear.
    """
    import os
    import sys

    try:
        copy = os.dup(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):  # closed, or replaced by something that is no file
        yield sys.stderr
        return
    with os.fdopen(copy, "w", encoding=sys.stderr.encoding, errors="replace") as own:
        yield own
