"""`gesture-maker image collect`: HGR1's photos and skin masks into a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gesture_maker.pixels.collecting import Hgr1Collected

EXAMPLE = "Example:  gesture-maker image collect hgr1_images.zip hgr1_skin.zip --dataset hgr1"

BACKGROUND = "keep"


def collect(
    context: typer.Context,
    sources: list[Path] | None = typer.Argument(
        None, metavar="SOURCE", help="HGR1's folders or zips: photos, skin masks or both.", show_default=False
    ),
    dataset: str = typer.Option(
        ..., "--dataset", "-d", metavar="DIR", help="Where to: a folder, or a name under datasets/.", show_default=False
    ),
    background: str = typer.Option(
        BACKGROUND, "--background", metavar="keep|remove|blur", help="What becomes of what is behind the hand."
    ),
    download: bool = typer.Option(
        False, "--download", help="In place of SOURCE: fetch the two published zips, once, into the cache."
    ),
    list_skipped: bool = typer.Option(False, "--list-skipped", help="List all skipped files, not only 10."),
) -> None:
    """Copy HGR1's photos into a dataset, one folder per gesture, with a mask of the hand beside each.

    Photos of your own, in class folders, zips or videos, are for `gesture-maker collect`.
    """
    import shlex

    from gesture_maker.cli.collect import print_collected
    from gesture_maker.dataset.folder import place_for
    from gesture_maker.dataset.masks import BACKGROUNDS

    if bool(sources) == download:
        raise typer.BadParameter("give what to collect, or --download.", context, param_hint="SOURCE")
    if background not in BACKGROUNDS:
        raise typer.BadParameter(f"choose from {', '.join(BACKGROUNDS)}.", context, param_hint="--background")
    collected = _collected(sources or [], place_for(dataset), background, download)
    print_collected(collected.result, list_skipped)
    colour, other = ("black", "white") if collected.skin.is_black else ("white", "black")
    typer.echo(f"Skin is {colour} in the masks: {collected.skin.share:.0%} of all their border pixels are {other}.")
    if not (collected.result.added or collected.result.already):
        typer.echo("Error: Nothing was collected: none of the photos can be used.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Next:  gesture-maker image train {shlex.quote(dataset)}")


def _collected(sources: list[Path], place: Path, background: str, download: bool) -> Hgr1Collected:
    from typing import cast

    from gesture_maker.cli.progress import stage_progress
    from gesture_maker.dataset.masks import Background
    from gesture_maker.pixels.collecting import collect_hgr1

    how = cast(Background, background)
    titles = {"masks": "Looking at the masks", "photos": "Collecting"}
    if not download:
        with stage_progress(titles) as progress:
            return collect_hgr1(sources, place, how, progress=progress)
    from gesture_maker.pixels.fetching import FILES, cache_folder, fetch_hgr1

    with stage_progress(titles | {name: f"Downloading {name}" for name in FILES}) as progress:
        fetched = fetch_hgr1(progress)
        collected = collect_hgr1([one.path for one in fetched], place, how, progress=progress, below=cache_folder())
    for one in fetched:
        told = "written down" if one.first else "as at the first download"
        typer.echo(f"{one.path.name}: SHA-256 {one.sha256[:12]}…, {told}")
    return collected
