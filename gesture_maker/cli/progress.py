"""The progress bar of all commands: on stderr, and only when something takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

SHOW_AFTER = 1.0  # seconds; what is done by then needs no bar


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback (done, total) for the library, which draws a bar named `what` once `SHOW_AFTER` has passed."""
    import time

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
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

    def show(done: int, total: int) -> None:
        nonlocal shown
        if not shown and console.is_terminal and time.monotonic() - begin > SHOW_AFTER:
            shown = True  # first: Ctrl-C may come while the bar is being drawn
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if shown:
            bar.stop()


@contextmanager
def stage_progress(titles: Mapping[str, str]) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a callback (stage, done, total) which draws a bar for each stage in turn, with its title."""
    with ExitStack() as open_bars:
        current, show = "", None

        def report(stage: str, done: int, total: int) -> None:
            nonlocal current, show
            if stage != current or show is None:
                open_bars.close()
                current, show = stage, open_bars.enter_context(progress_bar(titles.get(stage, stage)))
            show(done, total)

        yield report
