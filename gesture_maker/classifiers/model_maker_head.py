"""Model Maker's head with the recipe `auto`, as a scikit-learn estimator beside the others."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from gesture_maker.embedders.builtin import embed
from gesture_maker.landmarks.hands import EmbedderInputs, Floats
from gesture_maker.training.fitting import Plan, fit_head, hands_to_train_on
from gesture_maker.training.model_maker import TrainedHead
from gesture_maker.training.recipe import Recipe, make_recipe


class ModelMakerHead(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Takes hands as rows [N, 127], because the recipe varies them; embeds them with the built-in embedder.

    `labels`: all classes, `none` among them, which is trained on made-up hands where it has none. `augment`: whether variants are
    made. As `train` does it, but without looks in a mirror and without calibration, which change no winner.
    """

    def __init__(self, labels: tuple[str, ...] = (), augment: bool = True, seed: int = 0) -> None:
        self.labels = labels
        self.augment = augment
        self.seed = seed

    @property
    def recipe(self) -> Recipe:
        """The recipe for `hands_` training hands."""
        settings = {"augment": self.augment, "mirror": False}
        return make_recipe("auto", settings, self.hands_, list(self.labels))

    def fit(self, rows: npt.ArrayLike, classes: npt.ArrayLike) -> ModelMakerHead:
        """Train on hands as rows [N, 127] and their classes [N]."""
        hands, belongs = EmbedderInputs.from_rows(rows), np.asarray(classes, np.int64)
        self.hands_, self.classes_ = len(hands), np.arange(len(self.labels))
        plan = Plan.of(self.recipe, self.labels, self.seed)
        train = hands_to_train_on(plan, embed, hands, None, belongs)
        with tempfile.TemporaryDirectory() as folder:
            self.head_, self.history_ = fit_head(plan, train, None, Path(folder))
        return self

    def predict_proba(self, rows: npt.ArrayLike) -> Floats:
        """Return the probability of each class, float32 [N, classes]."""
        head: TrainedHead = self.head_
        return head.scores(embed(EmbedderInputs.from_rows(rows)))

    def predict(self, rows: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the likeliest class of each hand, int64 [N]."""
        return np.asarray(self.predict_proba(rows).argmax(axis=1))
