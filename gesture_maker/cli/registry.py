"""`registry`: what is registered in MLflow, and which version is in use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gesture_maker.tracking.registry import Version

EXAMPLE = "Example:  gesture-maker registry list"
EXAMPLE_PROMOTE = "Example:  gesture-maker registry promote rps"
EXAMPLE_ARCHIVE = "Example:  gesture-maker registry archive rps 1"
EXAMPLE_RECORD = "Example:  gesture-maker registry record exported_models/first"

app = typer.Typer(
    name="registry",
    help="List, promote and archive the models that --track registered in MLflow.",
    epilog=EXAMPLE,
    no_args_is_help=True,
)

Store = typer.Option(
    None,
    "--store",
    metavar="URI",
    help="MLflow's address, such as http://HOST:PORT (default: exported_models/mlflow.db).",
    show_default=False,
)
Name = typer.Argument(..., metavar="NAME", help="Of the registered model: its data's.", show_default=False)


@app.command("list", epilog=EXAMPLE)
def list_(
    name: str | None = typer.Argument(
        None, metavar="NAME", help="Only the versions of this model.", show_default=False
    ),
    store: str | None = Store,
) -> None:
    """Show every version: what it is, how well it does, its aliases, and the run that it came from."""
    from gesture_maker.tracking.registry import list_versions

    versions = list_versions(name, store)
    if not versions:
        typer.echo("Nothing is registered: record a comparison, or a training with --export, with --track.")
        return
    _print(versions)


@app.command("promote", epilog=EXAMPLE_PROMOTE)
def promote(
    name: str = Name,
    version: int | None = typer.Argument(
        None,
        metavar="VERSION",
        help="By default the one in staging; with --to staging the newest pipeline.",
        show_default=False,
    ),
    to: str = typer.Option("production", "--to", metavar="production|staging", help="The alias that it gets."),
    store: str | None = Store,
) -> None:
    """Put a version into production, or into staging.

    An alias names one version. The one that was in production before is archived: it gets the tag archived, and the alias
    archived, which names the last one that was retired.
    """
    from gesture_maker.tracking.registry import promote as run_promotion

    done = run_promotion(name, version, to, store)
    what = "is in" if done.already else "is now in"
    typer.echo(f"{name} version {done.version.number} {what} {done.alias} ({done.version.description})")
    if done.retired is not None:
        typer.echo(f"Archived: version {done.retired}, which was in {done.alias} before")


@app.command("archive", epilog=EXAMPLE_ARCHIVE)
def archive(
    name: str = Name,
    version: int = typer.Argument(..., metavar="VERSION", help="Its number.", show_default=False),
    force: bool = typer.Option(False, "--force", help="Also when it is in production."),
    store: str | None = Store,
) -> None:
    """Retire a version: its aliases are taken away, and it is marked as archived. Nothing is deleted."""
    from gesture_maker.tracking.registry import archive as run_archiving

    run_archiving(name, version, store, force)
    typer.echo(f"Archived: {name} version {version}")


@app.command("record", epilog=EXAMPLE_RECORD)
def record(
    folder: Path = typer.Argument(
        ..., metavar="FOLDER", help="Of a finished training, comparison or search.", show_default=False
    ),
    store: str | None = Store,
) -> None:
    """Record in MLflow what was made without --track, or while its server was gone."""
    from gesture_maker.cli.given import record_in_mlflow
    from gesture_maker.tracking.record import track_folder
    from gesture_maker.tracking.store import check_store

    check_store(store)
    record_in_mlflow(track_folder, folder, store)


def _print(versions: list[Version]) -> None:
    from datetime import datetime

    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    table.add_column("version", justify="right")
    for column in ("what", "classifier"):
        table.add_column(column)
    table.add_column("held out", justify="right", no_wrap=True)
    for column in ("aliases", "registered", "run"):
        table.add_column(column)
    for one in versions:
        aliases = [*one.aliases, *(["archived"] if one.archived and "archived" not in one.aliases else [])]
        cells = (
            one.name,
            str(one.number),
            one.what,
            one.kind,
            "" if one.accuracy is None else f"{one.accuracy:.1%}",
            ", ".join(aliases),
            datetime.fromtimestamp(one.created).strftime("%Y-%m-%d %H:%M"),
            one.run_id[:8],
        )
        table.add_row(*map(escape, cells))
    Console().print(table)
