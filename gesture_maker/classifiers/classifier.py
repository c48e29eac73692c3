"""A trained classifier of any kind: what it was made of, and its answers to hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.classifiers.kinds import KINDS, MODEL_MAKER, make_estimator, make_features
from gesture_maker.landmarks.hands import Floats


@dataclass(frozen=True, eq=False)
class Classifier:
    """A fitted classifier.

    `kind`: one of `KINDS`; `features`: one of `FEATURES`; `parameters`: its settings; `labels`: the classes, in the order of the
    scores. `estimator`: scikit-learn's, fitted; its `classes_` are indices into `labels`, of which it may lack some.
    """

    kind: str
    features: str
    parameters: Mapping[str, Any]
    labels: tuple[str, ...]
    estimator: Any

    @property
    def title(self) -> str:
        """The kind's name for people."""
        return KINDS[self.kind].title

    def scores(self, rows: npt.ArrayLike) -> Floats:
        """Return the probability of each label, float32 [N, labels], for hands as rows [N, 127].

        A class that was not trained on has 0.
        """
        rows = np.asarray(rows, np.float32)
        given = rows if self.kind == MODEL_MAKER else make_features(self.features).transform(rows)
        return scores_of(self.estimator, given, len(self.labels))

    def pipeline(self) -> Any:
        """Return the whole way from rows [N, 127] to classes as a fitted scikit-learn Pipeline.

        Not for Model Maker's head, which takes rows itself.
        """
        from sklearn.pipeline import Pipeline

        return Pipeline([("features", make_features(self.features)), ("classifier", self.estimator)])


def fit(
    kind: str,
    features: str,
    parameters: Mapping[str, Any],
    labels: tuple[str, ...],
    rows: Floats,
    classes: npt.NDArray[np.int64],
    seed: int = 0,
) -> Classifier:
    """Train a classifier on hands as rows [N, 127] of classes int64 [N], indices into `labels`."""
    estimator = make_estimator(kind, parameters, labels, seed)
    given = rows if kind == MODEL_MAKER else make_features(features).transform(rows)
    return Classifier(kind, features, dict(parameters), labels, estimator.fit(given, classes))


def scores_of(estimator: Any, given: Floats, labels: int) -> Floats:
    """Return the probability of each of so many labels, float32 [N, labels], by a fitted estimator for what it was fitted on."""
    scores = np.zeros((len(given), labels), np.float32)
    if len(given):
        scores[:, estimator.classes_] = estimator.predict_proba(given)
    return scores
