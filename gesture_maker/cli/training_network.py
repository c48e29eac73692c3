"""Options and lines that the commands share which train: most of them those on motions and on pixels, some `train` too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

SHOWN = 10  # things that are not used and are named before "and n more"

NETWORK, TRAINING, VARIANTS = "The network", "Training", "Augmentation, of the training part only"
"""The panels of the options."""

RESUME = typer.Option(None, "--resume", metavar="RUN", help="Continue an interrupted training.")
NAME = typer.Option(None, "--name", metavar="RUN", help="Of the run; by default the dataset's.")
REDUCE_FACTOR = typer.Option(
    None, "--reduce-factor", rich_help_panel=TRAINING, help="By which it is reduced (default: 0.5)."
)


def split_option(default: str) -> Any:
    """Return the option for the shares of the parts."""
    return typer.Option(default, "--split", metavar="T,V,T", help="Percent for train, validation and test.")


def group_by_option(things: str) -> Any:
    """Return the option that tells who is on which `things`."""
    return typer.Option(
        None, "--group-by", metavar="REGEX", help=rf"Never split {things} whose file names match alike, such as p\d+."
    )


def seed_option(things: str) -> Any:
    """Return the option for the seed."""
    return typer.Option(None, "--seed", help=f"Equal {things}, settings and seed give equal weights (default: 0).")


def setting(name: str, help_text: str, panel: str = TRAINING, metavar: str | None = None) -> Any:
    """Return the option for a setting of the network, None where it is not given."""
    return typer.Option(None, name, metavar=metavar, rich_help_panel=panel, help=help_text)


def batch_size_option(things: str, default: str = "32") -> Any:
    """Return the option for how many `things` a step learns from."""
    return setting("--batch-size", f"{things} in one step (default: {default}).")


def stop_patience_option(default: str) -> Any:
    """Return the option for how long is waited for something better."""
    return setting(
        "--stop-patience",
        f"Epochs without a better validation loss, after which it ends with the best (default: {default}).",
    )


def reduce_patience_option(default: str) -> Any:
    """Return the option for when the learning rate goes down."""
    return setting("--reduce-patience", f"The same, after which the learning rate is reduced (default: {default}).")


def min_learning_rate_option(default: str) -> Any:
    """Return the option for how far the learning rate goes down."""
    return setting("--min-learning-rate", f"Down to this (default: {default}).")


def label_smoothing_option(default: str) -> Any:
    """Return the option for the smoothing of labels."""
    return setting("--label-smoothing", f"Share of certainty given to all (default: {default}).")


def check_resume(dataset: str | None, resume: str | None, others: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `others` that were given. Raises BadParameter for both or none of DATASET and --resume, or an option beside --resume."""
    given = {key: value for key, value in others.items() if value is not None}
    if (dataset is None) == (resume is None):
        raise typer.BadParameter("name a DATASET to train on, or a run with --resume RUN (and not both).")
    if resume is not None and given:
        raise typer.BadParameter(
            "it goes on with the settings the run began with: no other option.", param_hint="--resume"
        )
    return given


def print_unused(things: str, used: int, total: int, unused: Sequence[tuple[Any, str]], split: Path) -> None:
    """Say how many of a dataset's `things` are used, and of the others, or of files that are none, which they are and why."""
    if not unused:
        typer.echo(f"All {total} {things} used.")
        return
    typer.echo(f"{used} of {total} {things} used; not used:")
    for file, reason in unused[:SHOWN]:
        typer.echo(f"  {file}: {reason}")
    if len(unused) > SHOWN:
        typer.echo(f"  and {len(unused) - SHOWN} more, all of them in {split}")


def print_measured(measured: Mapping[str, Any], things: str) -> None:
    """Say how well the model does on each part."""
    for part, one in measured.items():
        interval = one.interval
        sure = f" (95 % interval {interval.low:.1%} to {interval.high:.1%})" if interval else ""
        typer.echo(f"{part:>16}: {one.metrics.accuracy:7.2%} of {one.metrics.photos} {things} right{sure}")
