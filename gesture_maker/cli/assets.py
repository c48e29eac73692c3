"""`assets`: list, fetch, import and verify the TFLite files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gesture_maker.assets import AssetStatus

EXAMPLE = "Example:  gesture-maker assets list"
EXAMPLE_FETCH = "Example:  gesture-maker assets fetch"
EXAMPLE_IMPORT = "Example:  gesture-maker assets import gesture_recognizer.task"
EXAMPLE_VERIFY = "Example:  gesture-maker assets verify"

app = typer.Typer(
    name="assets",
    help="List, fetch, import and verify the TFLite files that a bundle is made of.",
    epilog=EXAMPLE,
    no_args_is_help=True,
)

FolderOption = typer.Option(
    None,
    "--assets",
    metavar="DIR",
    help="Folder of Google's TFLite files, before the environment's GESTURE_MAKER_ASSETS and the user's cache.",
)


@app.command("list", epilog=EXAMPLE)
def list_(assets: Path | None = FolderOption) -> None:
    """Show each file, where it was found and whether it is the right one."""
    from gesture_maker.assets import list_assets

    _print(list_assets(assets))


@app.command("fetch", epilog=EXAMPLE_FETCH)
def fetch(assets: Path | None = FolderOption) -> None:
    """Download Google's gesture embedder and canned classifier; needed only for --embedder mediapipe."""
    from gesture_maker.assets import fetch_assets
    from gesture_maker.cli.progress import progress_bar

    with progress_bar("Downloading (kB)") as show:
        statuses = fetch_assets(assets, progress=lambda done, total: show(done // 1000, (total or done) // 1000))
    _print(statuses)


@app.command("import", epilog=EXAMPLE_IMPORT)
def import_(
    source: Path = typer.Argument(..., metavar="FILE", help="A .task bundle, a .tflite file, or a folder of them."),
    assets: Path | None = FolderOption,
) -> None:
    """Take Google's gesture embedder and canned classifier out of a .task file or a folder, without a network."""
    from gesture_maker.assets import import_assets

    _print(import_assets(source, assets))


@app.command("verify", epilog=EXAMPLE_VERIFY)
def verify(assets: Path | None = FolderOption) -> None:
    """Compare each file's SHA-256 with the one it should have; exit 1 when one is wrong."""
    from gesture_maker.assets import list_assets

    statuses = list_assets(assets)
    _print(statuses)
    problems = [status.problem for status in statuses if status.problem]
    for problem in problems:
        typer.echo(f"Error: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


def _print(statuses: list[AssetStatus]) -> None:
    """Plain lines, no table: a SHA-256 and a path do not fit beside each other, and both are there to be copied."""
    for status in statuses:
        state = "not there: needed only for --embedder mediapipe" if _is_only_absent(status) else status.state
        typer.echo(f"{status.name}: {state}")
        if status.path is not None:
            typer.echo(f"  file    {status.path}  ({status.size:,} bytes)")
            typer.echo(f"  sha256  {status.sha256}")


def _is_only_absent(status: AssetStatus) -> bool:
    return status.state == "missing" and status.optional
