"""What is kept of a fitted estimator, and how it is made of that again.

Pipelines of NumPy code are kept as they are. Not so nearest neighbours and forests: scikit-learn's Cython follows indices wherever they
lead, and a file that somebody made up could end the process, or worse. Of those the arrays are kept, and the estimator is made anew
when they are sound. That is smaller, too: as objects, 200 small trees took 6 MB and 1.4 s to read, as arrays 3 MB and 0.2 s.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.classifiers.kinds import make_features

Ints = npt.NDArray[np.int64]


_ONE_THREAD = {"n_jobs": None}  # whatever a file asks for


class UnsoundError(Exception):
    """What was kept is no estimator of this kind; says in a word or two what of it."""


def to_keep(kind: str, estimator: Any) -> Any:
    """Return what is kept of a fitted estimator: arrays and plain values, or a pipeline."""
    if kind == "nearest-neighbours":
        classes = estimator.classes_[estimator._y]
        return {"settings": _plain(estimator), "hands": estimator._fit_X, "classes": np.asarray(classes, np.int64)}
    if kind == "random-forest":
        trees = [one.tree_ for one in estimator.estimators_]
        return {
            "settings": _plain(estimator),
            "classes": np.asarray(estimator.classes_, np.int64),
            "counts": np.array([tree.node_count for tree in trees], np.int64),
            "nodes": np.concatenate([tree.__getstate__()["nodes"] for tree in trees]),
            "shares": np.concatenate([tree.value[:, 0] for tree in trees]),
        }
    from sklearn.pipeline import Pipeline

    name, last = estimator.steps[-1]
    slim = copy.copy(last)  # without what training alone needs: of an MLP that is most of it
    for needless in ("_optimizer", "_random_state", "_best_coefs", "_best_intercepts", "loss_curve_"):
        vars(slim).pop(needless, None)
    return Pipeline([*estimator.steps[:-1], (name, slim)])


def from_kept(kind: str, kept: Any, features: str, labels: int) -> Any:
    """Return the fitted estimator of such features, whose classes are indices into so many labels.

    Raises UnsoundError, or whatever NumPy and scikit-learn raise, of something that is none.
    """
    count = len(make_features(features).get_feature_names_out())
    make = {"nearest-neighbours": _neighbours, "random-forest": _forest}.get(kind)
    if make is not None:
        _need(type(kept) is dict and all(isinstance(key, str) for key in kept["settings"]), "settings")
        estimator = make(kept, count, labels)
    else:
        estimator = _pipeline(kind, kept)
    _check_classes(estimator.classes_, labels)
    asked = estimator.predict_proba(np.zeros((2, count), np.float32))
    _need(asked.shape == (2, len(estimator.classes_)) and bool(np.isfinite(asked).all()), "answers")
    return estimator


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise UnsoundError(what)


def _check_classes(classes: Any, labels: int) -> None:
    _need(isinstance(classes, np.ndarray) and classes.ndim == 1 and np.issubdtype(classes.dtype, np.integer), "classes")
    _need(
        len(classes) > 0 and bool(classes[0] >= 0 and classes[-1] < labels and (np.diff(classes) > 0).all()), "classes"
    )


def _plain(estimator: Any) -> dict[str, Any]:
    return {name: value for name, value in estimator.get_params().items() if name not in (*_ONE_THREAD, "verbose")}


def _neighbours(kept: Mapping[str, Any], features: int, labels: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    hands, classes, settings = kept["hands"], kept["classes"], kept["settings"]
    _need(isinstance(hands, np.ndarray) and hands.dtype == np.float32 and hands.shape[1:] == (features,), "hands")
    _need(isinstance(classes, np.ndarray) and classes.shape == (len(hands),), "classes")
    _check_classes(np.unique(classes), labels)
    estimator = KNeighborsClassifier(**settings | _ONE_THREAD)
    _need(estimator.weights in ("uniform", "distance") and isinstance(estimator.metric, str), "settings")
    _need(0 < estimator.n_neighbors <= len(hands), "number of neighbours")
    return estimator.fit(hands, classes)


def _forest(kept: Mapping[str, Any], features: int, labels: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier
    from sklearn.tree._tree import Tree

    classes, counts, nodes, shares = (kept[name] for name in ("classes", "counts", "nodes", "shares"))
    _check_classes(classes, labels)
    _need(isinstance(counts, np.ndarray) and counts.dtype == np.int64 and counts.ndim == 1 and len(counts) > 0, "trees")
    _need(bool((counts > 0).all() and (counts <= len(nodes)).all()) and sum(counts.tolist()) == len(nodes), "trees")
    _need(isinstance(nodes, np.ndarray) and nodes.ndim == 1, "nodes")
    _need(isinstance(shares, np.ndarray) and shares.dtype == np.float64, "shares")
    _need(
        shares.shape == (len(nodes), len(classes)) and bool((shares >= 0).all() and (shares.sum(axis=1) > 0).all()),
        "shares",
    )
    forest = RandomForestClassifier(**kept["settings"] | _ONE_THREAD, verbose=0)
    forest.classes_, forest.n_classes_, forest.n_outputs_, forest.n_features_in_ = classes, len(classes), 1, features
    forest.estimators_ = []
    for end, count in zip(np.cumsum(counts).tolist(), counts.tolist(), strict=True):
        its = np.ascontiguousarray(nodes[end - count : end])
        depth = _depth(its["left_child"], its["right_child"], its["feature"], features)
        tree = Tree(features, np.array([len(classes)], np.intp), 1)
        values = np.ascontiguousarray(shares[end - count : end, None])
        tree.__setstate__({"max_depth": depth, "node_count": count, "nodes": its, "values": values})
        one = DecisionTreeClassifier(**{name: getattr(forest, name) for name in forest.estimator_params})
        one.classes_, one.n_classes_, one.n_outputs_, one.n_features_in_ = (
            np.arange(len(classes)),
            len(classes),
            1,
            features,
        )
        one.tree_ = tree
        forest.estimators_.append(one)
    forest.estimator_ = forest.estimators_[0]
    return forest


def _depth(left: Ints, right: Ints, feature: Ints, features: int) -> int:
    """Return how deep a tree is. Raises when it is none: each node but the first is the child of one other, and comes after it."""
    inner = np.flatnonzero(left != -1)
    _need(bool(((left == -1) == (right == -1)).all()), "nodes")
    children = np.stack([left[inner], right[inner]], axis=1)
    _need(bool((children > inner[:, None]).all() and (children < len(left)).all()), "nodes")
    _need(bool((np.bincount(children.reshape(-1), minlength=len(left))[1:] == 1).all()), "nodes")
    _need(bool((feature[inner] >= 0).all() and (feature[inner] < features).all()), "nodes")
    level, depth = np.zeros(1, np.int64), 0
    while (level := level[left[level] != -1]).size:
        level, depth = np.concatenate([left[level], right[level]]), depth + 1
    return depth


def _pipeline(kind: str, kept: Any) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    last = LogisticRegression if kind == "logistic-regression" else MLPClassifier
    _need(type(kept) is Pipeline and kept.memory is None, "type")
    _need([type(step) for _, step in kept.steps] == [StandardScaler, last], "steps")
    scaler = kept.steps[0][1]
    _need(scaler.mean_.shape == scaler.scale_.shape == (scaler.n_features_in_,), "scaler")
    return kept
