"""How well a classifier on pixels does on labelled photos: the evaluation of `eval`, asked through ImageClassifier."""

from __future__ import annotations

from pathlib import Path

from gesture_maker.evaluation.evaluate import evaluate
from gesture_maker.evaluation.model import Model
from gesture_maker.evaluation.results import Evaluation
from gesture_maker.pixels.model import PixelModel
from gesture_maker.pixels.run import PixelRun
from gesture_maker.progress import Progress
from gesture_maker.training.run_folder import RUNS


def evaluate_pixels(
    run: str | Path,
    images: str | Path | None = None,
    *,
    model: Path | None = None,
    compare: str | Path | None = None,
    group_by: str | None = None,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Return how well a training on pixels does on photos, or on its own test part, with a report of it.

    `model`: a .tflite of it in place of its own, such as a quantized one. `compare`: another training on pixels, or a gesture bundle
    or its run, which is asked about the same photos. The others are those of `evaluation.evaluate.evaluate`.
    """
    asked = PixelModel(PixelRun.load_finished(run), model)
    other = None if compare is None else any_model(compare)
    return evaluate(asked, images, compare=other, group_by=group_by, out=out, progress=progress)


def any_model(what: str | Path) -> str | Path | Model:
    """Return what `evaluate` takes for the model that a user means: a training on pixels as `PixelModel`, anything else as it is."""
    if any((folder / PixelRun.MARK).is_file() for folder in (Path(what), RUNS / what)):
        return PixelModel(PixelRun.load_finished(what))
    return what
