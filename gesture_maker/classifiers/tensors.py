"""Any classifier as a TFLite function of the embedding, in builtin operations only, as the runtime takes it.

Each is written as the operations that scikit-learn carries out, traced by TensorFlow. The bundle holds the embedder that belongs to
the features; they are the first of its 128 numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gesture_maker.bundle.task import operators_of
from gesture_maker.classifiers.classifier import Classifier
from gesture_maker.classifiers.forest_tensors import Forest, Paths, by_paths, by_traversal
from gesture_maker.classifiers.kinds import MODEL_MAKER
from gesture_maker.embedders import builtin, normalized
from gesture_maker.errors import BundleError, ConfigError
from gesture_maker.landmarks.hands import Floats
from gesture_maker.mediapipe_runtime import quiet_stderr
from gesture_maker.training.tensorflow_runtime import load_tensorflow

EMBEDDER_OF = {"builtin": "builtin", "landmarks": "normalized"}
"""The embedder that goes into the bundle with a classifier of these features."""

FEATURES_OF = {"builtin": builtin.FEATURES, "landmarks": normalized.FEATURES}
"""How many of the embedder's numbers are the features."""

Answer = Callable[[Any], Any]
"""From features [1, F] to scores [1, labels], as tensors."""

_TINY = np.float32(1e-30)  # in place of a distance of zero, where the quotient is not used


def classifier_tflite(classifier: Classifier) -> bytes:
    """Return the classifier as TFLite, from hand_embedding float32 [1, 128] to scores float32 [1, labels].

    A label that it was not trained on has the score 0. There are no labels and no metadata in it; equal classifiers have equal
    bytes. Raises ConfigError for settings that have no such form (nearest neighbours by another metric than euclidean and
    manhattan).
    """
    if classifier.kind == MODEL_MAKER:
        return bytes(classifier.estimator.head_.tflite())
    tf = load_tensorflow()
    answer = _ANSWERS[classifier.kind](tf, classifier.estimator, len(classifier.labels))
    features = FEATURES_OF[classifier.features]

    signature = [tf.TensorSpec([1, builtin.EMBEDDING_SIZE], tf.float32, name="hand_embedding")]
    classify = tf.function(lambda embedding: answer(embedding[:, :features]), signature, autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([classify.get_concrete_function()], classify)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    with quiet_stderr():
        model = bytes(converter.convert())
    custom = [name for name in operators_of(model) if name.startswith("CUSTOM")]
    if custom:
        raise BundleError(
            f"The {classifier.title} needs {', '.join(custom)}, which the runtime lacks: use another kind."
        )
    return model


def _logistic_regression(tf: Any, estimator: Any, labels: int) -> Answer:
    scaler, model = (step for _, step in estimator.steps)
    weights, offsets = model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32)
    return lambda features: _probabilities(
        tf, tf.matmul(_scaled(scaler, features), weights) + offsets, model.classes_, labels
    )


def _mlp(tf: Any, estimator: Any, labels: int) -> Answer:
    scaler, model = (step for _, step in estimator.steps)
    activate = {"relu": tf.nn.relu, "identity": tf.identity, "tanh": tf.tanh, "logistic": tf.sigmoid}[model.activation]
    layers = [
        (weights.astype(np.float32), offsets.astype(np.float32))
        for weights, offsets in zip(model.coefs_, model.intercepts_, strict=True)
    ]

    def answer(features: Any) -> Any:
        values = _scaled(scaler, features)
        for weights, offsets in layers[:-1]:
            values = activate(tf.matmul(values, weights) + offsets)
        weights, offsets = layers[-1]
        return _probabilities(tf, tf.matmul(values, weights) + offsets, model.classes_, labels)

    return answer


def _nearest_neighbours(tf: Any, estimator: Any, labels: int) -> Answer:
    """Return the answer by distances from all stored hands.

    By differences: the square of a sum written out, which takes fewer operations, has no correct digit in float32 where a hand is very
    near a stored one, and those count most. The sum is a product with ones: with 20,000 stored hands 0.9 ms instead of 3.3.
    """
    metric, neighbours = estimator.effective_metric_, estimator.n_neighbors
    if metric not in ("euclidean", "manhattan") or estimator.weights not in ("uniform", "distance"):
        raise ConfigError(
            f"Nearest neighbours by {metric} distance with {estimator.weights} weights cannot become a .task: "
            "use euclidean or manhattan, uniform or distance."
        )
    stored = np.asarray(estimator._fit_X, np.float32)
    if neighbours > len(stored):
        raise ConfigError(
            f"{neighbours} neighbours are asked for, but there are {len(stored)} hands: use a lower n_neighbors."
        )
    classes = estimator._y.astype(np.int32)
    one_hot = _one_hot(estimator.classes_, labels)
    ones = np.ones((stored.shape[1], 1), np.float32)

    def answer(features: Any) -> Any:
        apart = features - tf.constant(stored)
        # Of the euclidean distance the square, which has the same order.
        terms = tf.abs(apart) if metric == "manhattan" else apart * apart
        measured = tf.reshape(tf.matmul(terms, ones), [1, -1])[0]
        nearest, which = tf.math.top_k(-measured, k=neighbours)
        members = tf.gather(tf.constant(one_hot), tf.gather(tf.constant(classes), which))
        if estimator.weights == "uniform":
            return tf.reduce_mean(members, axis=0, keepdims=True)
        distances = -nearest if metric == "manhattan" else tf.sqrt(-nearest)
        # As in scikit-learn: where some are at no distance, they alone count.
        none = tf.cast(tf.equal(distances, 0), tf.float32)
        some = tf.reduce_max(none)
        weights = some * none + (1 - some) / tf.maximum(distances, _TINY)
        return tf.matmul(tf.reshape(weights / tf.reduce_sum(weights), [1, neighbours]), members)

    return answer


def _random_forest(tf: Any, estimator: Any, labels: int) -> Answer:
    forest = Forest.of(estimator, labels)
    paths = Paths.of(forest)
    if paths is None:
        return lambda features: by_traversal(tf, forest, features[0])
    return lambda features: by_paths(tf, paths, features[0])


_ANSWERS: dict[str, Callable[[Any, Any, int], Answer]] = {
    "logistic-regression": _logistic_regression,
    "mlp": _mlp,
    "nearest-neighbours": _nearest_neighbours,
    "random-forest": _random_forest,
}


def _scaled(scaler: Any, features: Any) -> Any:
    """Return standardized features.

    The converter folds the division into the next layer's weights. The mean it could not: as part of the offsets it would be taken from
    sums that are larger than what remains.
    """
    return (features - scaler.mean_.astype(np.float32)) / scaler.scale_.astype(np.float32)


def _probabilities(tf: Any, decision: Any, classes: Any, labels: int) -> Any:
    """Return scores [1, labels] of the last layer's numbers, [1, classes] or of two classes [1, 1]."""
    if decision.shape[1] == 1:
        scores = tf.concat([tf.sigmoid(-decision), tf.sigmoid(decision)], axis=1)
    else:
        scores = tf.nn.softmax(decision)
    return scores if len(classes) == labels else tf.matmul(scores, _one_hot(classes, labels))


def _one_hot(classes: Any, labels: int) -> Floats:
    """Return a row for each class, with 1 in its place among the labels."""
    return np.asarray(np.eye(labels, dtype=np.float32)[classes])
