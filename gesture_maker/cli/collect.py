"""`gesture-maker collect`: photos from anywhere, also from a camera, into a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gesture_maker.dataset.collecting import CollectResult
    from gesture_maker.recognition.capturing import CaptureResult

EXAMPLE = "Example:  gesture-maker collect photos export.zip --dataset rps"

EVERY = 10  # frames; that of dataset/videos.py, which is not imported before it is needed
RATE = 5.0  # photos per second; that of recognition/capturing.py
SHOWN = 10  # skipped files that are listed before "and n more"

OF_FILES = {"move": "--move", "every": "--every", "list_skipped": "--list-skipped"}
OF_CAMERAS = {
    "rate": "--rate",
    "headless": "--headless",
    "count": "--count",
    "only_usable": "--only-usable",
    "no_mirror": "--no-mirror",
    "mirrored_source": "--mirrored-source",
}
FILES_PANEL, CAMERA_PANEL = "With SOURCE", "With --camera"


def collect(
    context: typer.Context,
    sources: list[Path] | None = typer.Argument(
        None, metavar="SOURCE", help="Images, folders, folders of class folders, zips or videos.", show_default=False
    ),
    dataset: str = typer.Option(
        ..., "--dataset", "-d", metavar="DIR", help="Where to: a folder, or a name under datasets/.", show_default=False
    ),
    label: str | None = typer.Option(
        None, "--label", "-l", metavar="NAME", help="The class; without it, the name of the folder or zip."
    ),
    camera: str | None = typer.Option(
        None,
        "--camera",
        metavar="N",
        help="In place of SOURCE: a camera's number (0 is the first) or a stream's address. Hold the space bar to take photos.",
    ),
    move: bool = typer.Option(
        False, "--move", help="Remove image files once their copies are safe.", rich_help_panel=FILES_PANEL
    ),
    every: int = typer.Option(
        EVERY, "--every", metavar="N", help="Of a video, take every N-th frame.", rich_help_panel=FILES_PANEL
    ),
    list_skipped: bool = typer.Option(
        False, "--list-skipped", help=f"List all skipped files, not only {SHOWN}.", rich_help_panel=FILES_PANEL
    ),
    rate: float = typer.Option(RATE, "--rate", metavar="N", help="Photos per second.", rich_help_panel=CAMERA_PANEL),
    headless: bool = typer.Option(
        False, "--headless", help="Open no window: count down, then take --count photos.", rich_help_panel=CAMERA_PANEL
    ),
    count: int | None = typer.Option(
        None, "--count", metavar="N", help="How many, with --headless.", rich_help_panel=CAMERA_PANEL
    ),
    only_usable: bool = typer.Option(
        False, "--only-usable", help="Save no photo in which no hand is found.", rich_help_panel=CAMERA_PANEL
    ),
    no_mirror: bool = typer.Option(
        False, "--no-mirror", help="Show the picture as it is saved, not as in a mirror.", rich_help_panel=CAMERA_PANEL
    ),
    mirrored_source: bool = typer.Option(
        False, "--mirrored-source", help="The camera gives a mirror's view: turn it back.", rich_help_panel=CAMERA_PANEL
    ),
) -> None:
    """Copy photos into a dataset, one folder per class, each only once; or take them with --camera.

    From a camera:  gesture-maker collect --camera 0 --label thumbs_up --dataset rps
    """
    import shlex

    from gesture_maker.cli.given import camera_of
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.dataset.folder import place_for

    _check_usage(context, bool(sources), camera, label, headless, count)
    place = place_for(dataset)
    if camera is not None:
        which = camera_of(context, camera, "a video file is a SOURCE.")
        taken = _taken(which, label or "", place, rate, count, only_usable, no_mirror, mirrored_source)
        _print_taken(taken)
        worked = bool(taken.added)
    else:
        from gesture_maker.dataset.collecting import collect as collect_images

        with progress_bar("Collecting") as progress:
            result = collect_images(sources or [], place, label, move, every, progress)
        print_collected(result, list_skipped)
        worked = bool(result.added or result.already)
        if not worked:
            typer.echo("Error: Nothing was collected: none of the files can be used.", err=True)
            raise typer.Exit(1)
    if worked:
        typer.echo(f"Next:  gesture-maker check {shlex.quote(dataset)}")


def _check_usage(
    context: typer.Context, files: bool, camera: str | None, label: str | None, headless: bool, count: int | None
) -> None:
    """Raise BadParameter for options that do not belong together."""
    from gesture_maker.cli.given import files_or_camera, is_given

    files_or_camera(context, bool(files), camera, OF_CAMERAS, OF_FILES)
    if camera is None:
        return
    if label is None:
        raise typer.BadParameter("a camera's photos need the name of their class.", context, param_hint="--label")
    if headless != (count is not None):
        raise typer.BadParameter("--headless and --count go together.", context, param_hint="--count")
    if headless and is_given(context, "no_mirror"):
        raise typer.BadParameter("there is no window to show it in with --headless.", context, param_hint="--no-mirror")


def _taken(
    camera: int | str,
    label: str,
    place: Path,
    rate: float,
    count: int | None,
    only_usable: bool,
    no_mirror: bool,
    mirrored_source: bool,
) -> CaptureResult:
    import sys

    from gesture_maker.cli.progress import stage_progress

    def countdown(left: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{f'Starting in {left} …' if left else '':<20}\r", nl=False, err=True)

    with stage_progress({"dataset": "Looking through the dataset", "photos": "Taking photos"}) as progress:
        if count is None:
            from gesture_maker.recognition.capture_window import collect_in_window

            return collect_in_window(
                camera,
                label,
                place,
                rate=rate,
                only_usable=only_usable,
                mirrored_source=mirrored_source,
                mirror=not no_mirror,
                progress=progress,
            )
        from gesture_maker.recognition.capturing import collect_headless

        return collect_headless(
            camera,
            label,
            place,
            count,
            rate=rate,
            only_usable=only_usable,
            mirrored_source=mirrored_source,
            countdown=countdown,
            progress=progress,
        )


def _print_taken(result: CaptureResult) -> None:
    rows = {
        label: (str(result.added.get(label, 0)), str(result.usable.get(label, 0)), str(total))
        for label, total in result.totals.items()
    }
    _print_table(result.dataset, ("added", "with a hand", "total"), rows)
    if result.without_hand:
        typer.echo(f"Not saved, because no hand was found: {result.without_hand} (--only-usable).")
    if result.repeated:
        typer.echo(f"Not saved, because the dataset has the same: {result.repeated}.")
    if result.undone:
        from gesture_maker.recognition.capturing import UNDONE

        where = result.dataset / UNDONE
        typer.echo(f"Undone: {result.undone}, kept in {where}; delete that folder, or move them back to their class.")
    if not result.added:
        typer.echo("No photo was taken.")


def print_collected(result: CollectResult, list_skipped: bool) -> None:
    """Print what was collected by class, and the files that were skipped, all or the first `SHOWN`."""
    rows = {
        name: (str(result.added.get(name, 0)), str(result.already.get(name, 0)), str(total))
        for name, total in result.totals.items()
    }
    _print_table(result.dataset, ("added", "there already", "total"), rows)
    if result.skipped:
        typer.echo(f"{len(result.skipped)} skipped:")
        for skipped in result.skipped if list_skipped else result.skipped[:SHOWN]:
            typer.echo(f"  {skipped.name}: {skipped.reason}")
        if not list_skipped and len(result.skipped) > SHOWN:
            typer.echo(f"  and {len(result.skipped) - SHOWN} more, listed with --list-skipped")
    if result.moved:
        typer.echo(f"{result.moved} originals removed, their copies are in the dataset.")


def _print_table(dataset: Path, columns: tuple[str, ...], rows: Mapping[str, tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        return
    table = Table("class", title=escape(str(dataset)))
    for column in columns:
        table.add_column(column, justify="right")
    for name, cells in rows.items():
        table.add_row(escape(name), *cells)
    Console().print(table)
