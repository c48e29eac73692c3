"""`gesture-maker rename`: an existing folder gets the names that collect gives."""

from __future__ import annotations

import typer

EXAMPLE = "Example:  gesture-maker rename rps"


def rename(
    dataset: str = typer.Argument(
        ..., metavar="DATASET", help="A folder, or a name under datasets/.", show_default=False
    ),
    classes: list[str] | None = typer.Option(
        None,
        "--class",
        metavar="OLD=NEW",
        help="Give a class another name; its photos keep their groups.",
        show_default=False,
    ),
) -> None:
    """Name the images of a dataset <class>/<class>_000001.jpg and on; interrupted, it goes on where it stopped."""
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.dataset.folder import find_dataset
    from gesture_maker.dataset.renaming import rename as rename_images

    pairs = [one.partition("=") for one in classes or []]
    if any(not between for _, between, _ in pairs):
        raise typer.BadParameter("write it as OLD=NEW.", param_hint="--class")
    with progress_bar("Renaming") as progress:
        result = rename_images(find_dataset(dataset), progress, {old: new for old, _, new in pairs})
    if result.resumed:
        typer.echo("An interrupted renaming was finished.")
    typer.echo(f"{result.dataset}: {len(result.renamed)} renamed, {result.unchanged} had the right name already.")
