"""From the hands of a run to a head, with the settings of the run: the one way in which all its heads are trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gesture_maker.landmarks.hands import EmbedderInputs
from gesture_maker.training.enrich import Embed, enriched
from gesture_maker.training.keeper import EpochReport
from gesture_maker.training.model_maker import LabelledEmbeddings, TrainedHead, train_head
from gesture_maker.training.recipe import HParams, ModelOptions, Recipe
from gesture_maker.training.run import Run
from gesture_maker.training.spool import Spool

Result = TypeVar("Result")


@dataclass(frozen=True)
class Plan:
    """What of a run decides how its heads are trained, for heads that are of no run (`classifiers/`).

    `labels`: in the order of the head's outputs, `none` among them; `description`: `settings`, which are `Recipe.as_dict()`, and
    `seed`.
    """

    labels: Sequence[str]
    description: Mapping[str, Any]

    @classmethod
    def of(cls, recipe: Recipe, labels: Sequence[str], seed: int) -> Plan:
        """Return the plan of a recipe."""
        return cls(list(labels), {"settings": recipe.as_dict(), "seed": seed})


def hands_to_train_on(
    run: Run | Plan,
    embed: Embed,
    hands: EmbedderInputs,
    mirrored: EmbedderInputs | None,
    classes: npt.NDArray[np.int64],
) -> LabelledEmbeddings:
    """Return the embeddings of some hands of a run with the variants and the background that its recipe adds to them.

    `mirrored`: the hands in the mirror images of the same photos, where the run has them.
    """
    settings = run.description["settings"]
    if mirrored is not None:
        hands, classes = hands.joined(mirrored), np.concatenate([classes, classes])
    return enriched(
        hands,
        classes,
        run.labels,
        embed,
        variants=settings["variants"],
        background=settings["background"],
        seed=run.description["seed"],
        looks=1 if mirrored is None else 2,
    )


def fit_head(
    run: Run | Plan,
    train: LabelledEmbeddings | Spool,
    validation: LabelledEmbeddings | None,
    folder: Path,
    on_epoch: EpochReport | None = None,
) -> tuple[TrainedHead, list[dict[str, float]]]:
    """Train a head with the settings of a run; see `train_head`."""
    hparams = hparams_of(run)
    if not hparams.repeat and len(train) < hparams.batch_size:  # the hands of a fold may be fewer than a batch
        hparams = replace(hparams, batch_size=len(train))
    return train_head(
        train,
        validation,
        run.labels,
        hparams,
        model_options_of(run),
        run.description["seed"],
        folder,
        reshuffle=run.description["settings"]["reshuffle"],
        best_epoch=run.description["settings"]["best_epoch"],
        on_epoch=on_epoch,
    )


def hparams_of(run: Run | Plan) -> HParams:
    """Return Model Maker's HParams of a run."""
    values: Mapping[str, Any] = run.description["settings"]["hparams"]
    weights = values["class_weights"]  # JSON has string keys only
    return HParams(**{**values, "class_weights": {int(k): v for k, v in weights.items()} if weights else None})


def model_options_of(run: Run | Plan) -> ModelOptions:
    """Return Model Maker's ModelOptions of a run."""
    options = run.description["settings"]["model_options"]
    return ModelOptions(dropout_rate=options["dropout_rate"], layer_widths=tuple(options["layer_widths"]))


@contextmanager
def one_ahead(jobs: Sequence[Callable[[], Result]]) -> Iterator[Iterator[Result]]:
    """Yield the results of `jobs` in order, each worked out by another thread while the one before is being used.

    The first begins at once. Adding variants and background takes 1.5 s, in which TensorFlow is imported or another head is
    trained.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = [pool.submit(job) for job in jobs[:1]]

        def results() -> Iterator[Result]:
            for following in jobs[1:]:
                result = coming.pop().result()
                coming.append(pool.submit(following))
                yield result
            if coming:
                yield coming.pop().result()

        yield results()
