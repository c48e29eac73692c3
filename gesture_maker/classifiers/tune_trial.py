"""One set of settings, tried: heads trained on all folds but one, each exactly as `train` trains, and asked about that one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.classifiers.tune_hands import TuningHands
from gesture_maker.classifiers.tune_space import recipe_for
from gesture_maker.dataset.names import NONE
from gesture_maker.embedders.builtin import embed
from gesture_maker.errors import ConfigError
from gesture_maker.landmarks.hands import EmbedderInputs, Floats
from gesture_maker.training.calibrate import best_temperature
from gesture_maker.training.crossvalidate import FOLDS
from gesture_maker.training.false_alarms import held_out_background
from gesture_maker.training.fitting import Plan, fit_head, hands_to_train_on
from gesture_maker.training.model_maker import LabelledEmbeddings
from gesture_maker.training.recipe import Recipe

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """What heads that did not see a hand, nor others of its group, say of it, of the folds asked so far.

    `losses`: float [N], the negative log likelihood of each hand's class, after the temperature that fits the hands asked so
    far best; NaN where a hand was not asked, or its class was not among those trained on. `right`: bool [N]. `fold_losses`: means over
    each fold so far. `false_alarms`: the share of made-up hands that make no gesture and are answered with one, by the head of each
    fold so far; empty where that was not asked. Folds in which no hand could be asked are left out.
    """

    losses: Doubles
    right: npt.NDArray[np.bool_]
    fold_losses: tuple[float, ...]
    false_alarms: tuple[float, ...] = ()

    @property
    def loss(self) -> float:
        """The mean of all hands asked so far."""
        return float(np.nanmean(self.losses))

    @property
    def accuracy(self) -> float:
        """The share that is right of all hands asked so far."""
        return float(self.right[~np.isnan(self.losses)].mean())


class CrossValidator:
    """Tries settings on the hands of a search; `scratch` takes logs and checkpoints.

    Variants and background of each fold are kept for the next trial: to make them takes 1.5 s, as long as to train on them.
    """

    def __init__(self, hands: TuningHands, scratch: Path) -> None:
        self._hands = hands
        self._scratch = scratch
        self._inputs = EmbedderInputs.from_rows(hands.hands.rows)
        self._mirrored = EmbedderInputs.from_rows(hands.mirrored)
        self._embeddings = embed(self._inputs)
        self._fold = lru_cache(maxsize=4)(hands.fold)
        # Of 10,000 hands with their mirror images a fold takes 43 MB.
        self._train = lru_cache(maxsize=FOLDS)(self._make_train)
        self._background = lru_cache(maxsize=1)(self._make_background)

    def answers(self, settings: Mapping[str, Any], seed: int, *, false_alarms: bool = False) -> Iterator[Answers]:
        """Yield the answers after each fold; `seed`: of the folds, the variants and the training.

        Raises RunError when a training does not get anywhere, or when there is nothing to train `none` on.
        """
        labels, classes = list(self._hands.hands.labels), self._hands.hands.classes
        recipe = recipe_for(settings, len(classes), labels)
        plan, fold = Plan.of(recipe, labels, seed), self._fold(seed)
        logits = np.full((len(classes), len(labels)), np.nan)
        alarms: list[float] = []
        for number in range(int(fold.max()) + 1):
            train = self._train(number, seed, recipe.mirror, recipe.variants, recipe.background)
            asked = (fold == number) & np.isin(classes, np.unique(train.classes))
            with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
                head, _ = fit_head(plan, train, None, Path(folder))
            logits[asked] = _logits(head.scores(self._embeddings[asked]))
            tested = ~np.isnan(logits).any(axis=1)
            if not tested.any():
                continue
            temperature = best_temperature(logits[tested], classes[tested])
            losses = np.full(len(classes), np.nan)
            losses[tested] = _losses(logits[tested] / temperature, classes[tested])
            right = np.zeros(len(classes), bool)
            right[tested] = logits[tested].argmax(axis=1) == classes[tested]
            if false_alarms and recipe.background and len(background := self._background()):
                none = labels.index(NONE)
                alarms.append(float((_logits(head.scores(background)).argmax(axis=1) != none).mean()))
            means = tuple(float(losses[tested & (fold == one)].mean()) for one in np.unique(fold[tested]))
            yield Answers(losses, right, means, tuple(alarms))

    def _make_train(self, number: int, seed: int, mirror: bool, variants: int, background: int) -> LabelledEmbeddings:
        kept = self._fold(seed) != number
        recipe = Recipe(mirror=mirror, variants=variants, background=background)
        plan = Plan.of(recipe, self._hands.hands.labels, seed)
        others = self._mirrored.take(kept) if mirror else None
        return hands_to_train_on(plan, embed, self._inputs.take(kept), others, self._hands.hands.classes[kept])

    def _make_background(self) -> Floats:
        """Return embeddings of hands that make no gesture, of another make than is trained on; none where none can be made."""
        hands = self._hands.hands
        gestures = self._inputs.take(hands.classes != hands.labels.index(NONE))
        try:
            return embed(held_out_background(gestures, len(gestures) / max(1, len(hands.labels) - 1), 0))
        except ConfigError:
            return np.zeros((0, self._embeddings.shape[1]), np.float32)


def _logits(scores: Floats) -> Doubles:
    return np.asarray(np.log(np.maximum(scores.astype(np.float64), 1e-12)))


def _losses(logits: Doubles, classes: npt.NDArray[np.int64]) -> Doubles:
    highest = logits.max(axis=1)
    total = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    return np.asarray(total - logits[np.arange(len(classes)), classes])
