"""From the rows of a table to a head, batch by batch: what `enrich.py` and `fitting.py` are for hands in memory."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.names import NONE
from gesture_maker.landmarks.hands import EmbedderInputs
from gesture_maker.progress import Progress
from gesture_maker.training.augment import augmented, mirrored
from gesture_maker.training.background import background_for
from gesture_maker.training.enrich import Embed
from gesture_maker.training.model_maker import LabelledEmbeddings
from gesture_maker.training.recipe import Recipe
from gesture_maker.training.run import Run
from gesture_maker.training.spool import Spool, spooled
from gesture_maker.training.stream import Streamed, planned_again
from gesture_maker.training.table_source import hands_of

# What follows was chosen on 10,000 and 60,000 hands, the real ones of 60 people (Sign Language Digits) repeated with noise, and scored
# on 30 others (three folds): accuracy on none and 1-5, of their photos / of these in a mirror, and how many of 6-9 are called 1-5.
#     in memory                                                          1.000 / 0.994   0.08
#     1500 steps of 1024, learning rate 0.003                            0.998 / 0.994   0.08
#     600 steps, 0.003 / 0.01                                            0.998 / 0.994   0.11    0.998 / 0.993   0.07
#     600 steps, learning rate, decay and epochs of the recipe (taken)   0.998 / 0.993   0.06
#     1000 steps of 512, 0.003                                           0.998 / 0.994   0.10
# No variants, 1 for each hand, background of a tenth or a half, 20,000 different ones: all within a hand or two of what was taken.
BATCH = 1024
STEPS = 600  # at least, in all; 4 s of processor time
PASSES = 3  # at least, over all hands

VARIANTS = 0.25
"""Variants, for each hand on average, and equally many of every class. Many people vary more than variants do, so that these are
for classes with few hands, which get up to `MOST_VARIANTS` of each."""
MOST_VARIANTS = 50

BACKGROUND = 0.25
"""Background, for each hand on average: `BACKGROUND_HANDS` at most, several times the same ones."""
BACKGROUND_HANDS = 8000


def recipe_for_stream(recipe: Recipe, settings: Mapping[str, Any], hands: int) -> Recipe:
    """Return a recipe as it is for so many hands from a table; what `settings` name stays as it is, and all of `stock`."""
    if not recipe.reshuffle:
        return recipe
    hparams = recipe.hparams
    batch = hparams.batch_size if settings.get("batch_size") else BATCH
    if not settings.get("steps_per_epoch"):
        steps = math.ceil(max(STEPS, PASSES * hands / batch) / hparams.epochs)
        hparams = replace(hparams, steps_per_epoch=steps)
    return replace(recipe, hparams=replace(hparams, batch_size=batch))


@contextlib.contextmanager
def spooled_hands(
    run: Run, streamed: Streamed | None, embed: Embed, progress: Progress | None = None
) -> Iterator[Spool]:
    """Yield what a run that streams its table is trained on, on disk in the run's folder until the block ends.

    `streamed`: the table as it was planned; None after a resume. `progress` is called with hands done, of all. Raises
    RunError when the table is gone or has changed, OSError when the disk is full.
    """
    about, settings = run.description, run.description["settings"]
    streamed = streamed or planned_again(about["streamed"], about["seed"])
    blocks = _blocks(run, streamed, embed, progress)
    hands = int(streamed.trained_on.sum())
    rows = hands * (1 + VARIANTS * bool(settings["variants"]) + BACKGROUND * bool(settings["background"]))
    with spooled(run.path, blocks, math.ceil(rows), about["seed"]) as spool:
        yield spool


def _blocks(run: Run, streamed: Streamed, embed: Embed, progress: Progress | None) -> Iterator[LabelledEmbeddings]:
    settings = run.description["settings"]
    seed = run.description["seed"]
    of, where = streamed.survey, streamed.trained_on
    total, done = int(where.sum()), 0
    copies = _variants_of_each(of.classes[where], len(of.labels)) * bool(settings["variants"])
    for numbers, read in hands_of(of, where):
        rng = np.random.default_rng((seed, 0x57E, int(numbers[0])))
        classes = of.classes[numbers].astype(np.int64)
        hands = _half_mirrored(read, rng) if settings["mirror"] else read
        yield LabelledEmbeddings(embed(hands), classes)
        each = np.floor(copies[classes] + rng.random(len(classes))).astype(np.int64)
        chosen = np.repeat(np.arange(len(classes)), each)
        if len(chosen):
            yield LabelledEmbeddings(embed(augmented(hands.take(chosen), 1, rng)), classes[chosen])
        done += len(numbers)
        if progress:
            progress(done, total)
    if settings["background"]:
        yield from _background(run, total, embed)


def _background(run: Run, total: int, embed: Embed) -> Iterator[LabelledEmbeddings]:
    """Yield background for a training on `total` hands: made of the hands that the run keeps, several times the same."""
    none = run.labels.index(NONE)
    gestures = np.flatnonzero(run.embeddings("train").classes != none)
    if not len(gestures):
        return
    hands = run.hands("train").take(gestures)
    others = embed(
        background_for(hands, total / max(1, len(run.labels) - 1), BACKGROUND_HANDS, run.description["seed"])
    )
    for _ in range(round(BACKGROUND * total / max(1, len(others)))):
        yield LabelledEmbeddings(others, np.full(len(others), none, np.int64))


def _variants_of_each(classes: npt.NDArray[np.int16], labels: int) -> npt.NDArray[np.float64]:
    """Return how many variants each hand of each class gets on average: every class as many as the next."""
    counts = np.bincount(classes, minlength=labels)
    wanted = VARIANTS * len(classes) / np.count_nonzero(counts)
    return np.minimum(wanted / np.maximum(counts, 1), MOST_VARIANTS)


def _half_mirrored(hands: EmbedderInputs, rng: np.random.Generator) -> EmbedderInputs:
    half = np.flatnonzero(rng.random(len(hands)) < 0.5)
    return hands.replaced(half.tolist(), mirrored(hands.take(half)))
