"""`gesture-maker landmarks`: images from anywhere to one table of landmarks, on this machine or on many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

EXAMPLE = "Example:  gesture-maker landmarks rps --out rps.parquet"

SHOWN = 5  # files that cannot be used, and reasons, that are named before "and n more"


def landmarks(
    source: str = typer.Argument(
        ...,
        metavar="SOURCE",
        help="A dataset (folder or name), a zip or a folder of zips, HaGRID's photos with their annotations, a landmark CSV, "
        "or an address such as s3://bucket/photos.",
    ),
    out: Path | None = typer.Option(
        None,
        "--out",
        metavar="FILE",
        help="The table (.parquet). By default the dataset's own landmarks.parquet, else SOURCE's name in this folder.",
    ),
    engine: str = typer.Option("local", "--engine", metavar="local|ray", help="This machine's threads, or Ray."),
    workers: int | None = typer.Option(
        None, "--workers", metavar="N", min=1, help="How many look at once (default: one a core)."
    ),
    address: str | None = typer.Option(
        None, "--address", metavar="ADDR", help="Of a Ray cluster, such as auto; by default one is started here."
    ),
    mirror: bool = typer.Option(
        True, "--mirror/--no-mirror", help="Look at some images in a mirror too, as train does: the other hand."
    ),
    group_by: str | None = typer.Option(
        None, "--group-by", metavar="REGEX", help=r"Photos whose file names match alike are of one person or burst."
    ),
    min_detection_confidence: float = typer.Option(
        0.5, "--min-detection-confidence", metavar="X", min=0, max=1, help="How sure the hand detector has to be."
    ),
) -> None:
    """Find the hands of all images of a source, each once, and keep them in a table that train and eval read.

    Interrupt it at will: run again, it goes on where it was.
    """
    import shlex

    from gesture_maker import steps
    from gesture_maker.cli.progress import stage_progress

    titles = {"landmarks": "Looking for hands", "mirror": "Looking in a mirror", "rows": "Reading rows"}
    with stage_progress(titles) as progress:
        made = steps.find_landmarks(
            source,
            out=out,
            engine=engine,
            workers=workers,
            address=address,
            mirror=mirror,
            group_by=group_by,
            min_detection_confidence=min_detection_confidence,
            progress=progress,
        )
    _print(made)
    typer.echo(f"Next:  gesture-maker train {shlex.quote(str(made.path))}")


def _print(made: Any) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("class", title=escape(str(made.path)))
    for column in ("images", "hands"):
        table.add_column(column, justify="right")
    for label, images in made.images.items():
        table.add_row(escape(label), str(images), str(made.hands[label]))
    Console().print(table)
    for name, reason in (*made.unreadable[:SHOWN], *made.ignored[:SHOWN]):
        typer.echo(f"  {name}: {reason}")
    for sequence in (made.unreadable, made.ignored):
        if len(sequence) > SHOWN:
            typer.echo(f"  and {len(sequence) - SHOWN} more")
    for reason, count in made.reasons.most_common(SHOWN):
        typer.echo(f"  without a usable hand: {count} ({reason})")
    if made.looks is not None:
        typer.echo(f"Looks at images: {made.looks}. What was known already was not looked at again.")
