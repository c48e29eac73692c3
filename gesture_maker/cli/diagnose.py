"""`gesture-maker diagnose`: what goes wrong in a run's photos, and what to photograph next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

EXAMPLE = "Example:  gesture-maker diagnose first"

SHOWN = 10  # confused pairs and suspicious photos before "and n more"


def diagnose(
    run: str = typer.Argument(..., metavar="RUN", help="A run's folder, or its name under exported_models/."),
    out: Path | None = typer.Option(
        None, "--out", metavar="FILE", help="Where to put the picture (PNG); by default diagnose.png in the run."
    ),
    list_all: bool = typer.Option(False, "--list-all", help=f"Name all pairs and photos, not only {SHOWN}."),
    assets: Path | None = typer.Option(None, "--assets", metavar="DIR", help="Folder of Google's TFLite files."),
) -> None:
    """Show which classes are confused and by whom, which photos look mislabelled, and what to photograph next."""
    from gesture_maker import steps
    from gesture_maker.cli.progress import stage_progress

    if out is not None and out.is_dir():
        out = out / steps.DIAGNOSIS
    titles = {"cross-validation": "Cross-validating", "landmarks": "Looking for hands"}
    with stage_progress(titles) as progress:
        result = steps.diagnose(run, out=out, assets=assets, progress=progress)
    _print(result, None if list_all else SHOWN)


def _print(result: Any, most: int | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from gesture_maker.evaluation.diagnosis_picture import by_whom

    table = Table("class", title=escape(str(result.run)))
    for column in ("hands", "people or bursts", "recognized"):
        table.add_column(column, justify="right")
    table.add_column("taken for")
    for line in result.classes:
        taken = [f"{one.answer} ({one.count})" for one in result.confusions if one.label == line.label]
        recall = "not tested" if line.recall is None else f"{line.recall:.1%}"
        groups = str(line.groups) if line.groups else "not known"
        table.add_row(*map(escape, (line.label, str(line.hands), groups, recall, ", ".join(taken))))
    Console().print(table)
    for sentence in result.estimate:
        typer.echo(sentence)
    if result.confusions:
        typer.echo("Confused:")
        for one in result.confusions[:most]:
            typer.echo(f"  {one.label} taken for {one.answer}: {one.count} of {one.tested}{by_whom(one)}")
        _more(len(result.confusions), most)
    if result.suspects:
        typer.echo("Photos that look mislabelled (label → answer of the others, with its score):")
        for suspect in result.suspects[:most]:
            typer.echo(f"  {suspect.file}: {suspect.label} → {suspect.answer} {suspect.score:.2f}")
        _more(len(result.suspects), most)
    if result.advice:
        typer.echo("What to do next:")
        for sentence in result.advice:
            typer.echo(f"  {sentence}")
    for path in result.missing[:SHOWN]:
        typer.echo(f"Warning: {path} is gone or has changed, the picture shows it without its hand.")
    if result.picture:
        typer.echo(f"Picture: {result.picture}")


def _more(count: int, most: int | None) -> None:
    if most is not None and count > most:
        typer.echo(f"  and {count - most} more, listed with --list-all")
