"""`gesture-maker tune`: settings that may do better than the recipe's own, and whether they do."""

from __future__ import annotations

from typing import Any

import typer

from gesture_maker.cli.given import TRACK

EXAMPLE = "Example:  gesture-maker tune rps --trials 50 --timeout 600"

SHOWN = 5  # trials beside the recipe's own


def tune(
    dataset: str | None = typer.Argument(
        None,
        metavar="DATASET",
        help="A folder of class folders, a name under datasets/, or a table of landmarks (.parquet, .csv).",
        show_default=False,
    ),
    name: str | None = typer.Option(
        None, "--name", metavar="NAME", help="Of the folder under exported_models/ (default: DATASET-tune)."
    ),
    group_by: str | None = typer.Option(
        None, "--group-by", metavar="REGEX", help=r"Never split photos whose file names match alike, such as p\d+."
    ),
    trials: int | None = typer.Option(
        None, "--trials", metavar="N", help="Settings to try, in all (default: 30).", show_default=False
    ),
    timeout: float | None = typer.Option(
        None, "--timeout", metavar="SECONDS", help="Begin no trial after so long; the comparison at the end comes then."
    ),
    workers: int | None = typer.Option(
        None, "--workers", metavar="N", help="Trials at the same time (default: one a core).", show_default=False
    ),
    seed: int | None = typer.Option(
        None, "--seed", metavar="N", help="Equal data, seed and one worker give equal trials (default: 0)."
    ),
    min_detection_confidence: float | None = typer.Option(
        None, "--min-detection-confidence", metavar="X", help="How sure the hand detector has to be (default: 0.5)."
    ),
    resume: str | None = typer.Option(None, "--resume", metavar="NAME", help="Go on with an interrupted search."),
    track: str | None = TRACK,
) -> None:
    """Search for better settings of train by cross-validation, and write them as a file for train --config.

    The best is compared with the recipe's own settings on other folds. Where it is no better, the file sets nothing.

    --mirror and --background stay as they are: they are for the other hand and unknown gestures, of which it sees nothing.

    An interrupted search goes on when the same command is run again.
    """
    if (dataset is None) == (resume is None):
        raise typer.BadParameter("name a DATASET to tune on, or a search with --resume NAME (and not both).")
    given = {"name": name, "group_by": group_by, "seed": seed, "min_detection_confidence": min_detection_confidence}
    begun: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if resume is not None and begun:
        raise typer.BadParameter(
            "it goes on with what the search began with: only --trials, --timeout, --workers and --track beside it.",
            param_hint="--resume",
        )
    from gesture_maker.classifiers import tuning
    from gesture_maker.cli.given import record_in_mlflow, tracker
    from gesture_maker.cli.progress import stage_progress

    tracked, uri = tracker(track)
    titles = {"landmarks": "Looking for hands", "tuning": "Trials", "verdict": "Comparing on other folds"}

    def on_trial(_: Any, best: Any) -> None:
        if best is not None:
            titles["tuning"] = f"Trials (best: {best.number}, loss {best.loss:.4f})"

    how: dict[str, Any] = {"timeout": timeout, "workers": workers, "on_trial": on_trial}
    with stage_progress(titles) as progress:
        if dataset is None:
            assert resume is not None
            result = tuning.resume_tuning(resume, trials=trials, progress=progress, **how)
        else:
            many = tuning.TRIALS if trials is None else trials
            result = tuning.tune(dataset, trials=many, progress=progress, **begun, **how)
    _print(result, dataset)
    if tracked:
        from gesture_maker.tracking.record import track_tuning

        record_in_mlflow(track_tuning, result, uri)


def _print(result: Any, dataset: str | None) -> None:
    import shlex

    for sentence in result.warnings:
        typer.echo(f"Warning: {sentence}")
    _print_table(result)
    typer.echo(result.verdict.sentence)
    typer.echo(f"Settings: {result.config}")
    typer.echo(f"Every trial: {result.path / 'trials.png'}, {result.path / 'study.db'}")
    data = shlex.quote(dataset or result.data)
    if result.verdict.better:
        typer.echo(f"Next:  gesture-maker train {data} --config {shlex.quote(str(result.config))}")
    else:
        typer.echo(f"Next:  gesture-maker train {data}")


def _print_table(result: Any) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    complete = sorted((one for one in result.trials if one.loss is not None), key=lambda one: (one.loss, one.number))
    states = {state: sum(one.state == state for one in result.trials) for state in ("pruned", "failed")}
    ended = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    title = f"{len(result.trials)} trials on {result.hands} hands" + (f" ({ended})" if ended else "")
    table = Table("trial", title=escape(title))
    for column in ("loss", "accuracy"):
        table.add_column(column, justify="right")
    table.add_column("settings")
    for trial in [one for one in complete if one.number][:SHOWN] + [one for one in complete if not one.number]:
        table.add_row(str(trial.number), f"{trial.loss:.4f}", f"{trial.accuracy:.2%}", escape(_settings(trial)))
    Console().print(table)


def _settings(trial: Any) -> str:
    from gesture_maker.training.options import text_of

    if not trial.settings:
        return "the recipe's own"
    return ", ".join(f"{name.replace('_', '-')} {text_of(value) or 'none'}" for name, value in trial.settings.items())
