"""How well networks do on sequences that they were not trained on: each sequence is tested once, by a network of the other folds.

Folds are drawn, or stretches of neighbours (`blocks`), or keep groups together. Neighbours in a table that was recorded from a film overlap,
and drawn folds flatter there. The part that says when to stop is taken from the training folds in the same way; the fold that is
tested is asked once, at the end.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gesture_maker.errors import DatasetError
from gesture_maker.progress import Progress
from gesture_maker.training.crossvalidate import FOLDS, group_numbers
from gesture_maker.training.motion.augment import Floats, Integers
from gesture_maker.training.motion.fitting import fit, predict
from gesture_maker.training.motion.settings import MotionSettings

VALIDATION_FOLDS = 8
"""Of the sequences to be trained on, one part in so many says when to stop."""


@dataclass(frozen=True, eq=False)
class MotionFolds:
    """What networks that did not see a sequence answer to it. `scores`: float32 [N, classes]; `y`: int64 [N]; `fold`: int64 [N]; `epochs`:
    that were trained, and `seconds` that this took, for each fold; `parameters`: of one network."""

    scores: Floats
    y: Integers
    fold: Integers
    epochs: tuple[int, ...]
    seconds: tuple[float, ...]
    parameters: int

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The share of each fold that is right."""
        right = self.scores.argmax(axis=1) == self.y
        return tuple(float(right[self.fold == number].mean()) for number in range(len(self.epochs)))

    @property
    def accuracy(self) -> float:
        """The share of all that is right."""
        return float((self.scores.argmax(axis=1) == self.y).mean())


def cross_validate_motions(
    x: Floats,
    y: Integers,
    labels: Sequence[str],
    settings: MotionSettings,
    *,
    folds: int = FOLDS,
    blocks: bool = False,
    groups: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> MotionFolds:
    """Return the answers of `folds` networks, each trained on the others' sequences [N, T, F], to its own.

    `blocks`: a fold is a stretch of each class's sequences in their order; `groups`: of each sequence, none is in two folds, and an
    empty name is one of its own. `progress` is called with the folds done, and of how many. Raises DatasetError for too few sequences
    or groups.
    """
    fold = motion_folds(y, folds, blocks=blocks, groups=groups, seed=settings.seed)
    scores = np.zeros((len(y), len(labels)), np.float32)
    epochs, seconds, parameters = [], [], 0
    for number in range(folds):
        rest = np.flatnonzero(fold != number)
        inner = motion_folds(
            y[rest],
            VALIDATION_FOLDS,
            blocks=blocks,
            groups=None if groups is None else [groups[index] for index in rest],
            seed=settings.seed,
        )
        part = number % VALIDATION_FOLDS  # another stretch each time
        learned, watched = rest[inner != part], rest[inner == part]
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            fitted = fit((x[learned], y[learned]), (x[watched], y[watched]), labels, settings, Path(folder))
            scores[fold == number] = predict(fitted.path, x[fold == number])
        epochs.append(fitted.epochs)
        seconds.append(time.monotonic() - began)
        parameters = fitted.parameters
        if progress:
            progress(number + 1, folds)
    return MotionFolds(scores, y, fold, tuple(epochs), tuple(seconds), parameters)


def motion_folds(
    y: Integers, folds: int, *, blocks: bool = False, groups: Sequence[str] | None = None, seed: int = 0
) -> Integers:
    """Return the fold of each sequence, int64 [N], every class spread as evenly as can be. Raises DatasetError for too few of them."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    fewest = int(np.bincount(y)[np.unique(y)].min())
    numbers = None if groups is None else group_numbers(groups)
    if fewest < folds or (numbers is not None and len(set(numbers)) < folds):
        raise DatasetError(
            f"There are too few sequences for {folds} folds: each class needs {folds} of them, and as many groups in all."
        )
    if numbers is not None:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    else:
        splitter = StratifiedKFold(folds, shuffle=not blocks, random_state=None if blocks else seed)
    fold = np.zeros(len(y), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about classes with fewer groups than folds
        for number, (_, tested) in enumerate(splitter.split(y, y, numbers)):
            fold[tested] = number
    return fold
