"""`gesture-maker check`: what in a dataset or table of landmarks is usable, what is not and why."""

from __future__ import annotations

from pathlib import Path

import typer

EXAMPLE = "Example:  gesture-maker check rps"

SHOWN = 5  # files named under a finding before "and n more"


def check(
    dataset: str = typer.Argument(
        ...,
        metavar="DATASET",
        help="A folder of class folders, a name under datasets/, or a table of landmarks (.parquet, or .csv in HaGRID's layout).",
    ),
    out: Path | None = typer.Option(
        None,
        "--out",
        metavar="PATH",
        help="Where to put the contact sheet (PNG); of a table, the folder for its pictures.",
    ),
    plots: bool = typer.Option(
        False,
        "--plots",
        help="Also draw the balance of the classes, their hands, and raw beside normalized landmarks; of a table always.",
    ),
    group_by: str | None = typer.Option(
        None, "--group-by", metavar="REGEX", help="Photos whose file names match alike are of one person or burst."
    ),
    min_detection_confidence: float = typer.Option(
        0.5, "--min-detection-confidence", metavar="X", min=0, max=1, help="How sure the hand detector has to be."
    ),
    workers: int | None = typer.Option(
        None, "--workers", metavar="N", min=1, help="How many look at once (default: one a core)."
    ),
    list_all: bool = typer.Option(False, "--list-all", help=f"Name all files of each finding, not only {SHOWN}."),
) -> None:
    """Show what will be used, what not and why. Exits 1 when training would fail, 0 with warnings."""
    import shlex

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gesture_maker import steps
    from gesture_maker.cli.progress import progress_bar

    with progress_bar("Looking for hands") as progress:
        result = steps.check(
            dataset,
            out=out,
            plots=plots,
            group_by=group_by,
            min_detection_confidence=min_detection_confidence,
            workers=workers,
            progress=progress,
        )
    grouped = any(line.groups for line in result.classes)
    table = Table("class", title=escape(str(result.root)))
    for column in ("photos" if result.root.is_dir() else "rows", "usable", *(["groups"] if grouped else [])):
        table.add_column(column, justify="right")
    for line in result.classes:
        numbers = [line.photos, line.usable, *([line.groups] if grouped else [])]
        table.add_row(escape(line.label), *map(str, numbers))
    Console().print(table)
    reasons = dict(result.unused)
    for finding in result.findings:
        typer.echo(f"{finding.level.capitalize()}: {finding.sentence}")
        for path in finding.files if list_all else finding.files[:SHOWN]:
            # The photo's own reason is in the finding's sentence; those of passed-over files differ.
            own = reasons.get(path, "")
            typer.echo(f"  {path}" + (f": {own}" if own and own not in finding.sentence else ""))
        if not list_all and len(finding.files) > SHOWN:
            typer.echo(f"  and {len(finding.files) - SHOWN} more, listed with --list-all")
    if result.contact_sheet:
        typer.echo(f"Contact sheet: {result.contact_sheet}")
    for path in result.pictures:
        typer.echo(f"Picture: {path}")
    if result.errors:
        typer.echo("Training would fail: mend the errors first.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Next:  gesture-maker train {shlex.quote(dataset)}")
