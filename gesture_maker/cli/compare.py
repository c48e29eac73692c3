"""`gesture-maker compare`: several classifiers on the same hands, and the best as a bundle."""

from __future__ import annotations

from typing import Any

import typer

from gesture_maker.cli.given import TRACK, refuse

EXAMPLE = "Example:  gesture-maker compare landmarks.csv --classifier random-forest,logistic-regression"

SHOWN = 8  # confusions of the winner
WIDE = 100  # columns from which there is room between those of the table

_IMAGE = "With --with image"
_TRAINED = {
    "image_backbone": "--image-backbone",
    "image_weights": "--image-weights",
    "image_size": "--image-size",
    "image_crop": "--image-crop",
    "image_epochs": "--image-epochs",
}
"""The options of a training on pixels, which a finished one has no use for."""

_CHOICES = {"builtin": ("builtin",), "landmarks": ("landmarks",), "both": ("builtin", "landmarks")}


def compare(
    context: typer.Context,
    data: str = typer.Argument(
        ...,
        metavar="DATA",
        help="A folder of class folders, a name under datasets/, or a table of landmarks (.parquet, .csv).",
        show_default=False,
    ),
    name: str | None = typer.Option(
        None, "--name", metavar="NAME", help="Of the folder under exported_models/ (default: DATA-compare)."
    ),
    test: str | None = typer.Option(
        None, "--test", metavar="DATA", help="Test on this folder or table instead of a fifth of DATA."
    ),
    group_by: str | None = typer.Option(
        None, "--group-by", metavar="REGEX", help=r"Never split photos whose file names match alike, such as p\d+."
    ),
    classifier: list[str] | None = typer.Option(
        None,
        "--classifier",
        metavar="NAME,…",
        help="nearest-neighbours, logistic-regression, random-forest, mlp, model-maker (default: all).",
        show_default=False,
    ),
    features: str = typer.Option(
        "builtin",
        "--features",
        metavar="NAME",
        help="What classifiers are given: builtin (our embedding), landmarks (normalized), or both.",
    ),
    folds: int = typer.Option(5, "--folds", metavar="N", help="Of the cross-validation that chooses the settings."),
    seed: int = typer.Option(0, "--seed", metavar="N", help="Equal data and seed give the same winner."),
    jobs: int | None = typer.Option(
        None, "--jobs", metavar="N", help="Processes of the search (default: one a core).", show_default=False
    ),
    refit_on_all: bool = typer.Option(
        False, "--refit-on-all", help="Train the winner on everything in the end, for the .task."
    ),
    min_detection_confidence: float = typer.Option(
        0.5,
        "--min-detection-confidence",
        metavar="X",
        rich_help_panel="Looking for hands",
        help="How sure the hand detector has to be.",
    ),
    track: str | None = TRACK,
    beside: str | None = typer.Option(
        None,
        "--with",
        metavar="image",
        help="Compare the winner with a classifier on pixels too, on all photos held out, also those without a hand.",
    ),
    image_backbone: str = typer.Option(
        "resnet50",
        "--image-backbone",
        metavar="NAME",
        rich_help_panel=_IMAGE,
        help="Or efficientnetv2-b0, mobilenetv3-large, mobilenetv3-small.",
    ),
    image_weights: str = typer.Option(
        "imagenet",
        "--image-weights",
        metavar="imagenet|FILE|none",
        rich_help_panel=_IMAGE,
        help="What its training begins with, as image train has it.",
    ),
    image_size: int = typer.Option(
        224, "--image-size", metavar="N", rich_help_panel=_IMAGE, help="Side of what it sees, in pixels."
    ),
    image_crop: str = typer.Option(
        "none", "--image-crop", metavar="none|hand", rich_help_panel=_IMAGE, help="See the whole photo, or the hand."
    ),
    image_epochs: int | None = typer.Option(
        None,
        "--image-epochs",
        metavar="N",
        rich_help_panel=_IMAGE,
        help="Of its training, at most (default: 40; 100 without weights).",
    ),
    image_quantize: str = typer.Option(
        "none", "--image-quantize", metavar="none|float16|int8", rich_help_panel=_IMAGE, help="Ask it in these numbers."
    ),
    image_run: str | None = typer.Option(
        None,
        "--image-run",
        metavar="RUN",
        rich_help_panel=_IMAGE,
        help="Train none: take this one, which has seen nobody who is held out.",
        show_default=False,
    ),
) -> None:
    """Compare classifiers by cross-validation and on hands held out, and make each of them a .task bundle.

    Settings are searched on all cores; what was interrupted goes on when the same command is run again. --with image trains a
    network on the pixels of the same people's photos, and shows how both do where hands are found and where none is.
    """
    if features not in _CHOICES:
        raise typer.BadParameter(f"use {', '.join(_CHOICES)}.", param_hint="--features")
    if beside not in (None, "image"):
        raise typer.BadParameter("use image, or leave it out.", param_hint="--with")
    if beside is None:
        named = {**_TRAINED, "image_quantize": "--image-quantize", "image_run": "--image-run"}
        refuse(context, named, "goes with --with image only.")
    elif image_run is not None:
        refuse(context, _TRAINED, "is for a training on pixels, and --image-run names one that is finished.")
    from gesture_maker.cli.given import record_in_mlflow, tracker
    from gesture_maker.cli.progress import stage_progress

    tracked, uri = tracker(track)
    titles = {
        "landmarks": "Looking for hands",
        "searching": "Searching",
        "training": "Training the best",
        "exporting": "Exporting",
        "image downloading": "Downloading the weights",
        "image landmarks": "Looking for hands",
        "image reading": "Reading photos",
        "image training": "Training on pixels",
        "asking": "Asking about photos",
    }
    names = [one.strip() for given in classifier for one in given.split(",") if one.strip()] if classifier else None
    import functools

    if beside is None:
        from gesture_maker.classifiers.comparing import compare as run_comparison
    else:
        from gesture_maker.pixels.comparing import ImageChoice, compare_with_image

        choice = ImageChoice(
            image_backbone, image_weights, image_size, image_crop, image_epochs, image_quantize, image_run
        )
        run_comparison = functools.partial(compare_with_image, image=choice)
    with stage_progress(titles) as progress:
        result = run_comparison(
            data,
            name=name,
            test=test,
            group_by=group_by,
            kinds=names,
            features=_CHOICES[features],
            folds=folds,
            seed=seed,
            workers=jobs,
            refit_on_all=refit_on_all,
            min_detection_confidence=min_detection_confidence,
            progress=progress,
        )
    _print(result)
    if tracked:
        from gesture_maker.tracking.record import track_comparison

        record_in_mlflow(track_comparison, result, uri)


def _print(result: Any) -> None:
    import shlex

    for sentence in result.warnings:
        typer.echo(f"Warning: {sentence}")
    _print_table(result)
    winner = result.winner
    refitted = ", trained on everything" if result.settings["refit_on_all"] else ""
    typer.echo(f"Winner by cross-validation: {winner.title} ({_settings(winner, result)})")
    for sentence in result.estimate.get("sentences", ()):
        typer.echo(sentence)
    _print_confusions(result)
    if result.with_image:
        _print_with_image(result)
    typer.echo(f"Bundle of the winner{refitted}: {result.bundle}")
    typer.echo(f"The others, pictures and every fit: {result.path}")
    bundle = shlex.quote(str(result.bundle))
    typer.echo(f"Next:  gesture-maker eval {bundle} PHOTOS")
    typer.echo(f"       gesture-maker live {bundle}")


def _print_table(result: Any) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    hands = f"{result.hands['search']} hands searched on, {result.hands['test']} held out"
    console = Console()
    table = Table(
        title=escape(f"{result.name}: {hands}"), box=box.SIMPLE_HEAD, padding=(0, 0 if console.width < WIDE else 1)
    )
    table.add_column("classifier, settings", min_width=20)
    # Headings of two lines, so that 80 columns are enough.
    for column in ("cross-\nvalid.", "held\nout", "prec.", "recall", "F1", "train", "per\nhand", "size"):
        table.add_column(column, justify="right", no_wrap=True)
    for line in result.lines:
        test = (line.test.accuracy, line.test.precision, line.test.recall, line.test.f1)
        table.add_row(
            f"[bold]{escape(line.title)}[/bold]\n[dim]{escape(_settings(line, result))}[/dim]",
            f"{_percent(line.cross_validation.accuracy)}±{100 * line.spread:.1f}",
            *map(_percent, test),
            _duration(line.train_seconds),
            _duration(line.predict_seconds),
            _size(line.model_bytes),
        )
    console.print(table)
    typer.echo(
        "Percent: right in cross-validation ± spread over the folds; of the hands held out: right, and precision, recall "
        "and F1 as means over the classes. Times of one core, size in the bundle."
    )


def _print_with_image(result: Any) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    told = result.with_image
    first = told["rows"][0]
    console = Console()
    table = Table(
        title=escape(f"{result.name}: landmarks and pixels on {first['photos']} photos held out"),
        box=box.SIMPLE_HEAD,
        padding=(0, 0 if console.width < WIDE else 1),
    )
    table.add_column("classifier", min_width=20)
    headings = (
        *("right\n", "95 %\ninterval", f"hand found\n({first['with_hand']})", f"none found\n({first['without_hand']})"),
        *("size\n", "per photo\n(p50)"),
    )
    for column in headings:
        table.add_column(column, justify="right", no_wrap=True)
    for row in told["rows"]:
        table.add_row(
            f"[bold]{escape(row['classifier'])}[/bold]",
            _percent(row["accuracy"]),
            f"{_percent(row['low'])} to {_percent(row['high'])}",
            str(row["right_with_hand"]),
            str(row["right_without_hand"]),
            _size(row["bytes"]),
            "-" if row["latency_p50"] is None else f"{row['latency_p50']:.1f} ms",
        )
    console.print(table)
    looked = ", of pixels with looking for the hand" if told["cropped"] else ""
    typer.echo(
        "Of all photos held out, percent right with its interval; how many are right where GestureRecognizer finds a hand, and "
        f"where it finds none, which for landmarks is wrong. Size of the file; time of one call of MediaPipe{looked}."
    )
    for sentence in told["sentences"]:
        typer.echo(sentence)
    for sentence in told["warnings"]:
        typer.echo(f"Warning, pixels: {sentence}")
    typer.echo(f"Trained on pixels: {result.path / told['run']}")
    typer.echo(f"Report on both: {result.path / told['report']}")


def _settings(line: Any, result: Any) -> str:
    """Return settings as words, in the order in which they were listed; the features only where there was a choice."""
    from gesture_maker.classifiers.kinds import KINDS

    order = [name for grid in KINDS[line.kind].grids for name in grid]
    values = [f"{name} {_value(line.parameters[name])}" for name in sorted(line.parameters, key=order.index)]
    if len(result.settings["features"]) > 1:
        values.append(f"on {line.features}")
    return ", ".join(values)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "-".join(map(str, value))
    return "none" if value is None else str(value)


def _print_confusions(result: Any) -> None:
    """Name what the winner confuses most often, of the hands held out."""
    pairs = [
        (count, sum(row), label, answer)
        for label, row in zip(result.labels, result.confusion, strict=True)
        for answer, count in zip(result.labels, row, strict=True)
        if count and answer != label
    ]
    if not pairs:
        typer.echo("It confuses none of the hands held out.")
        return
    pairs.sort(key=lambda one: (-one[0], -one[0] / one[1]))
    typer.echo("Confused, of the hands held out:")
    for count, total, label, answer in pairs[:SHOWN]:
        typer.echo(f"  {label} taken for {answer}: {count} of {total}")
    if len(pairs) > SHOWN:
        typer.echo(f"  and {len(pairs) - SHOWN} more pairs, see confusion_matrix.png")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _duration(seconds: float) -> str:
    """Return seconds with about two digits: µs, ms or s."""
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.0f} {unit}" if seconds * factor >= 10 else f"{seconds * factor:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"
