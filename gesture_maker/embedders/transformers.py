"""Hands to features as scikit-learn transformers, for pipelines of any classifier.

Both take rows of 127 numbers (`EmbedderInputs.rows`). They learn nothing, so that a search may transform once for all folds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from gesture_maker.embedders import builtin, normalized
from gesture_maker.landmarks.hands import POINTS, ROW_SIZE, EmbedderInputs, Floats


class LandmarkNormalizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Landmarks with the wrist at the origin, divided by the distance from the wrist to the middle fingertip (landmark 12).

    `mirror`: give left hands as right ones; for that the input has to tell which they are, so it needs all 127 numbers.
    """

    def __init__(self, mirror: bool = True) -> None:
        self.mirror = mirror

    def fit(self, rows: npt.ArrayLike, y: Any = None) -> LandmarkNormalizer:  # noqa: ARG002  # as scikit-learn calls it
        """Check the shape; there is nothing to learn."""
        self.transform(np.asarray(rows, np.float32)[:1])
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def transform(self, rows: npt.ArrayLike) -> Floats:
        """Return the features, float32 [N, 63], of hands as rows [N, 127], or of image landmarks alone: [N, 63] or [N, 21, 3].

        Landmarks alone are not mirrored, whatever `mirror` says. Raises ValueError for another shape.
        """
        rows = np.asarray(rows, np.float32)
        if rows.ndim == 2 and rows.shape[1] == ROW_SIZE and self.mirror:
            return normalized.embed(EmbedderInputs.from_rows(rows))[:, : normalized.FEATURES]
        points = rows[:, : normalized.FEATURES] if rows.ndim == 2 and rows.shape[1] == ROW_SIZE else rows
        if points.shape[1:] not in ((normalized.FEATURES,), (POINTS, 3)):
            raise ValueError(
                f"hands have the shape (N, {ROW_SIZE}), (N, {normalized.FEATURES}) or (N, {POINTS}, 3), not {rows.shape}"
            )
        moved = normalized.normalized(builtin.NUMPY, points.reshape(-1, POINTS, 3))
        return np.asarray(moved.reshape(-1, normalized.FEATURES), np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[Any]:  # noqa: ARG002
        """Return `x1`, `y1`, `z1` … `z21`."""
        return np.array([f"{axis}{point + 1}" for point in range(POINTS) for axis in "xyz"], object)


class BuiltinEmbedding(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The built-in embedding without the negatives, which only a head that begins with a ReLU needs."""

    def fit(self, rows: npt.ArrayLike, y: Any = None) -> BuiltinEmbedding:  # noqa: ARG002  # as scikit-learn calls it
        """Check the shape; there is nothing to learn."""
        EmbedderInputs.from_rows(np.asarray(rows, np.float32)[:1])
        self.n_features_in_ = ROW_SIZE
        return self

    def transform(self, rows: npt.ArrayLike) -> Floats:
        """Return the features, float32 [N, 64], of hands as rows [N, 127]. Raises ValueError for another shape."""
        return builtin.embed(EmbedderInputs.from_rows(rows))[:, : builtin.FEATURES]

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[Any]:  # noqa: ARG002
        """Return `builtin1` … `builtin64`."""
        return np.array([f"builtin{number + 1}" for number in range(builtin.FEATURES)], object)
