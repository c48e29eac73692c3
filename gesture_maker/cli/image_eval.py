"""`gesture-maker image eval`: how well a classifier on pixels does on labelled photos, with the report of `eval`."""

from __future__ import annotations

from pathlib import Path

import typer

from gesture_maker.cli.evaluate import FAIL_UNDER, GROUP_BY, fail_below, show

EXAMPLE = "Example:  gesture-maker image eval first photos_of_other_people --compare hands.task"


def evaluate(
    run: str = typer.Argument(..., metavar="RUN", help="A training on pixels, or hf://OWNER/NAME.", show_default=False),
    images: str | None = typer.Argument(
        None,
        metavar="IMAGES",
        help="A folder of class folders, or a dataset's name; without it the run's own test part.",
        show_default=False,
    ),
    model: Path | None = typer.Option(
        None, "--model", metavar="FILE", help="A .tflite of the run, such as a quantized one, in place of its own."
    ),
    compare: str | None = typer.Option(
        None,
        "--compare",
        metavar="OTHER",
        help="Another training on pixels, or a run or .task that looks at hands, asked about the same photos.",
    ),
    group_by: str | None = GROUP_BY,
    out: Path | None = typer.Option(
        None, "--out", metavar="DIR", help="Where to write; by default evaluation/ in the run."
    ),
    fail_under: float | None = FAIL_UNDER,
) -> None:
    """Ask MediaPipe's ImageClassifier about labelled photos, measure its answers, and write a report.

    Photos without a hand are answered like all others. --compare shows whether landmarks or pixels do better on the same photos.
    """
    from gesture_maker.cli.hub import model_of, results_folder
    from gesture_maker.cli.progress import progress_bar
    from gesture_maker.pixels.evaluate import evaluate_pixels

    out = out or results_folder(run, images)
    run, compare = model_of(run), compare and model_of(compare)
    with progress_bar("Recognizing") as progress:
        result = evaluate_pixels(
            run, images, model=model, compare=compare, group_by=group_by, out=out, progress=progress
        )
    show(result)
    fail_below(result, fail_under)
