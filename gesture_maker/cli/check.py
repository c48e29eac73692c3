"""`gesture-maker check`: what in a dataset is usable, what is not and why."""

from __future__ import annotations

from pathlib import Path

import typer

EXAMPLE = "Example:  gesture-maker check rps"

SHOWN = 5  # files named under a finding before "and n more"


def check(
    dataset: str = typer.Argument(..., metavar="DATASET", help="A folder of class folders, or a name under datasets/."),
    out: Path | None = typer.Option(None, "--out", metavar="FILE", help="Where to put the contact sheet (PNG)."),
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

    if out is not None and out.is_dir():
        out = out / "contact_sheet.png"
    with progress_bar("Looking for hands") as progress:
        result = steps.check(
            dataset,
            out=out,
            group_by=group_by,
            min_detection_confidence=min_detection_confidence,
            workers=workers,
            progress=progress,
        )
    table = Table("class", title=escape(str(result.root)))
    for column in ("photos", "usable"):
        table.add_column(column, justify="right")
    for line in result.classes:
        table.add_row(escape(line.label), str(line.photos), str(line.usable))
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
    if result.errors:
        typer.echo("Training would fail: mend the errors first.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Next:  gesture-maker train {shlex.quote(dataset)}")
