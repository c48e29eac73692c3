"""`gesture-maker collect`: photos from anywhere into a dataset."""

from __future__ import annotations

from pathlib import Path

import typer

EXAMPLE = "Example:  gesture-maker collect photos export.zip --dataset rps"

EVERY = 10  # frames; that of dataset/videos.py, which is not imported before it is needed
SHOWN = 10  # skipped files that are listed before "and n more"


def collect(
    sources: list[Path] = typer.Argument(
        ..., metavar="SOURCE", help="Images, folders, folders of class folders, zips or videos.", show_default=False
    ),
    dataset: str = typer.Option(
        ..., "--dataset", "-d", metavar="DIR", help="Where to: a folder, or a name under datasets/.", show_default=False
    ),
    label: str | None = typer.Option(
        None, "--label", "-l", metavar="NAME", help="The class; without it, the name of the folder or zip."
    ),
    move: bool = typer.Option(False, "--move", help="Remove image files once their copies are safe."),
    every: int = typer.Option(EVERY, "--every", metavar="N", help="Of a video, take every N-th frame."),
    list_skipped: bool = typer.Option(False, "--list-skipped", help=f"List all skipped files, not only {SHOWN}."),
) -> None:
    """Copy photos into a dataset, one folder per class, each only once."""
    import shlex

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.dataset.collecting import collect as collect_images
    from gesture_maker.dataset.folder import place_for

    with progress_bar("Collecting") as progress:
        result = collect_images(sources, place_for(dataset), label, move, every, progress)
    console = Console()
    table = Table("class", title=escape(str(result.dataset)))
    for column in ("added", "there already", "total"):
        table.add_column(column, justify="right")
    for name, total in result.totals.items():
        table.add_row(escape(name), str(result.added.get(name, 0)), str(result.already.get(name, 0)), str(total))
    if result.totals:
        console.print(table)
    if result.skipped:
        typer.echo(f"{len(result.skipped)} skipped:")
        for skipped in result.skipped if list_skipped else result.skipped[:SHOWN]:
            typer.echo(f"  {skipped.name}: {skipped.reason}")
        if not list_skipped and len(result.skipped) > SHOWN:
            typer.echo(f"  and {len(result.skipped) - SHOWN} more, listed with --list-skipped")
    if result.moved:
        typer.echo(f"{result.moved} originals removed, their copies are in the dataset.")
    if not result.added and not result.already:
        typer.echo("Error: Nothing was collected: none of the files can be used.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Next:  gesture-maker check {shlex.quote(dataset)}")
