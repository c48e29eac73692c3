"""The classifiers that `compare` knows, and the settings that it tries of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gesture_maker.errors import ConfigError

MODEL_MAKER = "model-maker"

FEATURES = ("builtin", "landmarks")
"""What a classifier can be given of a hand: the built-in embedding, or normalized landmarks."""


@dataclass(frozen=True)
class Kind:
    """One sort of classifier. `title`: for people; `grids`: settings to try, each a mapping of names to values, every combination."""

    name: str
    title: str
    grids: tuple[Mapping[str, Sequence[Any]], ...]

    def candidates(self) -> list[dict[str, Any]]:
        """Return the settings to try, in a fixed order."""
        from sklearn.model_selection import ParameterGrid

        return [dict(one) for grid in self.grids for one in ParameterGrid(grid)]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "nearest-neighbours",
            "k-nearest neighbours",
            (
                {
                    "n_neighbors": (3, 5, 7),
                    "weights": ("uniform", "distance"),
                    "metric": ("euclidean", "manhattan"),
                },
            ),
        ),
        Kind(
            "logistic-regression",
            "logistic regression",
            (
                {"penalty": ("l2",), "C": (0.1, 1.0, 10.0), "max_iter": (500, 1000)},
                {"penalty": (None,), "max_iter": (500, 1000)},  # without a penalty there is no C
            ),
        ),
        Kind(
            "random-forest",
            "random forest",
            ({"n_estimators": (50, 100, 200), "max_depth": (10, 20, None), "min_samples_split": (2, 5)},),
        ),
        Kind(
            "mlp",
            "small MLP",
            ({"hidden_layer_sizes": ((64,), (128,), (64, 32)), "alpha": (0.0001, 0.01)},),
        ),
        Kind(MODEL_MAKER, "Model Maker's head", ({"augment": (True, False)},)),
    )
}


def kinds_named(names: Sequence[str] | None) -> list[Kind]:
    """Return the kinds of these names, all of them for None. Raises ConfigError for an unknown name, or for none at all."""
    unknown = [name for name in names or () if name not in KINDS]
    if unknown or names == []:
        what = f'There is no classifier "{unknown[0]}"' if unknown else "No classifier is named"
        raise ConfigError(f"{what}: use {', '.join(KINDS)}.")
    return [KINDS[name] for name in dict.fromkeys(names or KINDS)]


def make_estimator(kind: str, parameters: Mapping[str, Any], labels: Sequence[str], seed: int) -> Any:
    """Return an unfitted scikit-learn estimator of features [N, F] and classes [N] (indices into `labels`).

    That of Model Maker's head takes hands as rows [N, 127] in place of features, since it makes variants of them. Each uses one
    thread: a search runs as many at once as there are cores.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "nearest-neighbours":
        return KNeighborsClassifier(**parameters)
    if kind == "logistic-regression":
        return make_pipeline(StandardScaler(), LogisticRegression(**parameters, random_state=seed))
    if kind == "random-forest":
        return RandomForestClassifier(**parameters, random_state=seed)
    if kind == "mlp":
        return make_pipeline(StandardScaler(), MLPClassifier(**parameters, max_iter=300, random_state=seed))
    from gesture_maker.classifiers.model_maker_head import ModelMakerHead

    return ModelMakerHead(labels=tuple(labels), seed=seed, **parameters)


def make_features(name: str) -> Any:
    """Return the transformer, one of `FEATURES`, of hands as rows [N, 127] to features."""
    from gesture_maker.embedders.transformers import BuiltinEmbedding, LandmarkNormalizer

    return BuiltinEmbedding() if name == "builtin" else LandmarkNormalizer()
