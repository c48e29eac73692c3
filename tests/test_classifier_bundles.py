"""Every classifier as TFLite and as a `.task`: what scikit-learn answers, in builtin operations, in the runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from classified import CLASSICAL, LABELS, first_of, fitted, gesture_rows
from hands import drawn
from helpers import tree
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.bundle.task import MAX_BYTES, labels_of, operators_of, read_task, score_threshold_of
from gesture_maker.classifiers import bundling, forest_tensors
from gesture_maker.classifiers.bundling import TOLERANCE, bundle_classifier
from gesture_maker.classifiers.classifier import Classifier, fit
from gesture_maker.classifiers.forest_tensors import Forest, Paths, by_paths, by_traversal, rounded_down
from gesture_maker.classifiers.kinds import FEATURES, KINDS, MODEL_MAKER, make_features
from gesture_maker.classifiers.tensors import EMBEDDER_OF, FEATURES_OF, classifier_tflite
from gesture_maker.embedders import builtin, normalized
from gesture_maker.errors import BundleError, ConfigError
from gesture_maker.landmarks.hands import EmbedderInputs, Floats, embedder_inputs
from gesture_maker.recognition.recognizer import Recognizer
from gesture_maker.training.tensorflow_runtime import load_tensorflow
from gesture_maker.training.tflite import classify

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CANDIDATES = [
    pytest.param(kind, parameters, FEATURES[number % 2], id=f"{kind} {' '.join(map(str, parameters.values()))}")
    for kind in CLASSICAL
    for number, parameters in enumerate(KINDS[kind].candidates())
]


def embedded(rows: Floats, features: str) -> Floats:
    """Return the embeddings [N, 128] that the bundle's embedder computes, by the same formula in numpy."""
    return {"builtin": builtin, "landmarks": normalized}[features].embed(EmbedderInputs.from_rows(rows))


def difference(classifier: Classifier, rows: Floats, model: bytes | None = None) -> float:
    """Return the largest difference between TFLite's scores and scikit-learn's on hands."""
    found = classify(model or classifier_tflite(classifier), embedded(rows, classifier.features))
    expected = classifier.scores(rows)
    assert found.shape == expected.shape == (len(rows), len(classifier.labels))
    return float(np.abs(found - expected).max())


# TFLite


@pytest.mark.parametrize(("kind", "parameters", "features"), CANDIDATES)
def test_every_setting_of_the_grid_equals_scikit_learn(kind: str, parameters: dict[str, Any], features: str) -> None:
    classifier = fitted(kind, features, parameters)
    model = classifier_tflite(classifier)
    others, _ = gesture_rows(60, seed=1, spread=14.0)
    assert difference(classifier, np.concatenate([others, gesture_rows(150)[0][:20]]), model) <= TOLERANCE
    assert not any(name.startswith("CUSTOM") for name in operators_of(model))


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_the_same_for_the_same_classifier(kind: str) -> None:
    assert classifier_tflite(first_of(kind)) == classifier_tflite(first_of(kind))


def test_model_makers_head_is_its_own_tflite() -> None:
    classifier = first_of(MODEL_MAKER)
    model = classifier_tflite(classifier)
    assert difference(classifier, gesture_rows(60, seed=1)[0], model) <= TOLERANCE
    assert not any(name.startswith("CUSTOM") for name in operators_of(model))


@pytest.mark.parametrize("kind", CLASSICAL)
@pytest.mark.parametrize("trained", [(1, 3), (0, 2, 4)], ids=["two classes", "three classes"])
def test_a_label_that_was_not_trained_on_has_no_score(kind: str, trained: tuple[int, ...]) -> None:
    rows, classes = gesture_rows(100)
    chosen = np.isin(classes, trained)
    classifier = fit(kind, "landmarks", KINDS[kind].candidates()[0], LABELS, rows[chosen], classes[chosen])
    model = classifier_tflite(classifier)
    assert difference(classifier, rows[:30], model) <= TOLERANCE
    scores = classify(model, embedded(rows[:30], "landmarks"))
    assert (scores[:, [label for label in range(5) if label not in trained]] == 0).all()
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("activation", ["identity", "tanh", "logistic"])
def test_the_other_activations_of_an_mlp(activation: str) -> None:
    classifier = fitted("mlp", "builtin", {"hidden_layer_sizes": (8, 8), "activation": activation}, hands=60)
    assert difference(classifier, gesture_rows(40, seed=1)[0]) <= TOLERANCE


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2]])
def test_weights_without_a_penalty_on_separable_hands(classes: list[int]) -> None:
    """They grow until the scores are all 0 and 1: on the border what they cancel out is large."""
    rows, belongs = gesture_rows(200, spread=25.0)
    chosen = np.isin(belongs, classes)
    parameters = {"penalty": None, "max_iter": 5000, "tol": 1e-8}
    classifier = fit("logistic-regression", "builtin", parameters, LABELS, rows[chosen], belongs[chosen])
    one, other = rows[belongs == classes[0]][:20], rows[belongs == classes[1]][:20]
    between = np.concatenate([one + share * (other - one) for share in np.linspace(0, 1, 21, dtype=np.float32)])
    scores = classifier.scores(between)
    assert ((scores > 0.05) & (scores < 0.95)).sum() > 5
    assert difference(classifier, between) <= TOLERANCE


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_hands_at_no_distance_alone_count(metric: str) -> None:
    rows, classes = gesture_rows(50)
    twice, belongs = np.concatenate([rows, rows[:2]]), np.concatenate([classes, [4, classes[1]]])
    parameters = {"n_neighbors": 5, "weights": "distance", "metric": metric}
    classifier = fit("nearest-neighbours", "builtin", parameters, LABELS, twice, belongs)
    scores = classify(classifier_tflite(classifier), embedded(rows[:3], "builtin"))
    assert scores[0] == pytest.approx([0.5, 0, 0, 0, 0.5], abs=1e-6)  # stored as two gestures
    assert scores[1] == pytest.approx([0, 1, 0, 0, 0], abs=1e-6)  # stored twice as one
    assert scores[2] == pytest.approx([0, 0, 1, 0, 0], abs=1e-6)
    assert difference(classifier, rows[1:]) <= TOLERANCE


def test_a_hand_very_near_a_stored_one_is_told_from_the_next() -> None:
    rows, classes = gesture_rows(50)
    rng = np.random.default_rng(0)
    parameters = {"n_neighbors": 3, "weights": "distance", "metric": "euclidean"}
    classifier = fit("nearest-neighbours", "landmarks", parameters, LABELS, rows, classes)
    for apart in (1e-2, 1e-3, 1e-4):
        assert difference(classifier, rows + rng.normal(0, apart, rows.shape).astype(np.float32)) <= TOLERANCE


def test_bad_input_settings_that_have_no_tflite() -> None:
    rows, classes = gesture_rows(50)
    cosine = fit("nearest-neighbours", "builtin", {"metric": "cosine"}, LABELS, rows, classes)
    with pytest.raises(ConfigError, match=r"by cosine distance .* use euclidean or manhattan"):
        classifier_tflite(cosine)
    few = fit("nearest-neighbours", "builtin", {"n_neighbors": 7}, LABELS, rows[:5], classes[:5])
    with pytest.raises(ConfigError, match="7 neighbours are asked for, but there are 5 hands"):
        classifier_tflite(few)


# The forest


@given(st.floats(allow_nan=False), st.floats(allow_nan=False, width=32), st.integers(-2, 2))
def test_a_rounded_threshold_decides_as_the_threshold_does(threshold: float, value: float, steps: int) -> None:
    rounded = rounded_down(np.array([threshold]))[0]
    near = np.float32(threshold) if abs(threshold) < 3e38 else np.float32(value)
    for _ in range(abs(steps)):
        near = np.nextafter(near, np.float32(np.copysign(np.inf, steps)))
    for one in (np.float32(value), near):
        assert bool(np.float64(one) <= threshold) == bool(one <= rounded)


@settings(max_examples=30)
@given(
    st.integers(1, 120),
    st.integers(1, 6),
    st.integers(1, 12),
    st.integers(1, 8),
    st.sampled_from([None, 1, 3]),
    st.booleans(),
)
def test_both_ways_of_a_forest_equal_scikit_learn(
    count: int, features: int, trees: int, classes: int, depth: int | None, coarse: bool
) -> None:
    """On any data, also where features are on the thresholds themselves, and trees are a leaf each."""
    from sklearn.ensemble import RandomForestClassifier

    tf = load_tensorflow()
    rng = np.random.default_rng(count * 1000 + trees)
    values = rng.normal(size=(count, features)).astype(np.float32)
    if coarse:
        values = np.round(values)
    belongs = rng.choice(10, classes, replace=False)[rng.integers(0, classes, count)]
    forest = RandomForestClassifier(trees, max_depth=depth, random_state=0).fit(values, belongs)
    thresholds = np.concatenate([one.tree_.threshold for one in forest.estimators_]).astype(np.float32)
    asked = np.concatenate([values[:5], rng.choice(thresholds, (5, features))])
    expected = np.zeros((len(asked), 10))
    expected[:, forest.classes_] = forest.predict_proba(asked)
    arrays = Forest.of(forest, 10)
    paths = Paths.of(arrays)
    assert paths is not None
    for one, wanted in zip(asked, expected, strict=True):
        assert np.abs(by_traversal(tf, arrays, tf.constant(one)) - wanted).max() < 1e-6
        assert np.abs(by_paths(tf, paths, tf.constant(one)) - wanted).max() < 1e-6


def test_a_large_forest_is_traversed() -> None:
    rows, classes = gesture_rows(3000, spread=30.0)
    parameters = {"n_estimators": 50, "max_depth": None}
    classifier = fit("random-forest", "builtin", parameters, LABELS, rows, classes)
    forest = Forest.of(classifier.estimator, len(LABELS))
    assert forest.depth > 10
    assert Paths.of(forest) is None
    model = classifier_tflite(classifier)
    assert len(model) < sum(one.tree_.node_count for one in classifier.estimator.estimators_) * 32
    assert difference(classifier, gesture_rows(300, seed=1, spread=30.0)[0], model) <= TOLERANCE


def test_a_small_forest_is_products(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = fitted("random-forest", "builtin", {"n_estimators": 10, "max_depth": 4})
    products = classifier_tflite(classifier)
    assert "BATCH_MATMUL" in operators_of(products)
    monkeypatch.setattr(forest_tensors, "MOST_OF_PATHS", 0)
    traversed = classifier_tflite(classifier)
    assert "BATCH_MATMUL" not in operators_of(traversed)
    rows = gesture_rows(60, seed=1)[0]
    assert difference(classifier, rows, products) <= TOLERANCE
    assert difference(classifier, rows, traversed) <= TOLERANCE


# The .task


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that bundles the first settings of a kind, once, and returns it with the classifier."""
    made: dict[tuple[str, str], Any] = {}
    folder = tmp_path_factory.mktemp("bundled")

    def make(kind: str, features: str = "builtin") -> tuple[Classifier, bundling.Bundled]:
        if (kind, features) not in made:
            classifier = first_of(kind, features)
            target = folder / kind / features / "gesture_recognizer.task"
            rows = gesture_rows(60, seed=1)[0]
            made[kind, features] = (
                classifier,
                bundle_classifier(classifier, target, rows, about={"accuracy": 0.98765, "hands": 100}),
            )
        return made[kind, features]  # type: ignore[no-any-return]

    return make


@pytest.mark.parametrize(("kind", "features"), [*((kind, "builtin") for kind in KINDS), ("random-forest", "landmarks")])
def test_a_task_answers_in_the_runtime_what_scikit_learn_does(bundled: Any, kind: str, features: str) -> None:
    classifier, made = bundled(kind, features)
    assert made.labels == ("None", *LABELS[1:])
    assert made.compared == 60
    assert made.largest_difference <= TOLERANCE
    assert made.from_landmarks <= TOLERANCE
    assert made.other_answers == 0
    parts = read_task(made.bundle)
    assert parts.gesture_embedder == {"builtin": builtin, "landmarks": normalized}[features].tflite_bytes()
    assert parts.custom_gesture_classifier is not None
    assert labels_of(parts.custom_gesture_classifier) == list(made.labels)
    assert score_threshold_of(parts.custom_gesture_classifier) == made.score_threshold == 0
    with Recognizer(made.bundle) as recognizer:
        for label in ("open_palm", "victory"):
            hand = recognizer.recognize(drawn(label)[0]).best
            assert hand is not None
            scores = classifier.scores(embedder_inputs([hand.hand]).rows())[0]
            assert hand.gesture == LABELS[int(scores.argmax())]
            assert hand.score == pytest.approx(scores.max(), abs=TOLERANCE)


def test_the_card_says_what_it_is(bundled: Any) -> None:
    _, made = bundled("random-forest", "landmarks")
    card = made.card.read_text()
    assert card.startswith("# Random forest: a MediaPipe gesture recognizer\n")
    for words in (
        f"`gesture_recognizer.task`, SHA-256 `{made.sha256}`",
        "`open_palm`, `victory`, `thumbs_up`, `call`. `None` is the answer",
        "the score threshold is 0",
        "max_depth 10, min_samples_split 2, n_estimators 50",
        "(`normalized`)",
        "On 60 hands",
        "- Accuracy: 0.9877.",
        "- Hands: 100.",
        'model_asset_path="gesture_recognizer.task"',
    ):
        assert words in card


def test_a_score_threshold_is_written_and_said(tmp_path: Path) -> None:
    made = bundle_classifier(
        first_of("logistic-regression"), tmp_path / "a.task", gesture_rows(5)[0], score_threshold=0.25
    )
    classifier = read_task(made.bundle).custom_gesture_classifier
    assert classifier is not None
    assert score_threshold_of(classifier) == 0.25
    assert "score below 0.25 do not count" in made.card.read_text()
    without = bundle_classifier(first_of("logistic-regression"), tmp_path / "a.task", gesture_rows(5)[0][:0])
    assert without.compared == 0
    assert "on no hand" in without.card.read_text()


def test_the_same_classifier_gives_the_same_bytes(bundled: Any, tmp_path: Path) -> None:
    classifier, made = bundled("nearest-neighbours")
    again = bundle_classifier(classifier, tmp_path / "gesture_recognizer.task", gesture_rows(60, seed=1)[0])
    assert again.sha256 == made.sha256


def test_many_hands_are_compared_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundling, "MOST_COMPARED", 7)
    made = bundle_classifier(first_of("logistic-regression"), tmp_path / "a.task", gesture_rows(60, seed=1)[0])
    assert made.compared == 7


@pytest.mark.parametrize(
    ("target", "settings_", "message"),
    [
        ("a.zip", {}, "does not end in .task"),
        ("a.task", {"score_threshold": 1.5}, "score_threshold is 1.5"),
        ("a.task", {"score_threshold": float("nan")}, "score_threshold is nan"),
    ],
)
def test_bad_input_settings(tmp_path: Path, target: str, settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        bundle_classifier(first_of("logistic-regression"), tmp_path / target, gesture_rows(5)[0], **settings_)
    assert tree(tmp_path) == {}


def test_a_model_that_answers_otherwise_is_not_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.task"
    bundle_classifier(first_of("logistic-regression"), target, gesture_rows(20)[0])
    before = tree(tmp_path)
    other = classifier_tflite(fitted("logistic-regression", "builtin", {"C": 0.001}))
    monkeypatch.setattr(bundling, "classifier_tflite", lambda _: other)
    with pytest.raises(BundleError, match=r"differ from scikit-learn's by .* not put in place"):
        bundle_classifier(first_of("logistic-regression"), target, gesture_rows(20)[0])
    assert tree(tmp_path) == before


def test_a_bundle_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundling.MAX_BYTES == MAX_BYTES
    monkeypatch.setattr(bundling, "MAX_BYTES", 1 << 20)
    with pytest.raises(BundleError, match=r"would have \d+ MB, more than the 1 that a bundle may have: train on fewer"):
        bundle_classifier(first_of("nearest-neighbours"), tmp_path / "a.task", gesture_rows(5)[0])
    assert tree(tmp_path) == {}


def test_neighbours_that_are_equally_near_are_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hands that are stored as two gestures: which of them is among the nearest is anybody's guess, and so is not compared."""
    rows, classes = gesture_rows(50)
    twice, belongs = np.concatenate([rows, rows]), np.concatenate([classes, (classes + 1) % 5])
    uniform = {"n_neighbors": 3, "weights": "uniform", "metric": "euclidean"}
    classifier = fit("nearest-neighbours", "builtin", uniform, LABELS, twice, belongs)
    made = bundle_classifier(classifier, tmp_path / "a.task", rows)
    assert made.largest_difference <= TOLERANCE
    weighted = fit("nearest-neighbours", "builtin", uniform | {"weights": "distance"}, LABELS, twice, belongs)
    assert bundle_classifier(weighted, tmp_path / "b.task", rows).largest_difference <= TOLERANCE
    given_ = make_features("builtin").transform(gesture_rows(60, seed=1)[0])
    assert not bundling._undecided(first_of("nearest-neighbours").estimator, given_).any()
    # And of hands that are not, each counts.
    other = fit("nearest-neighbours", "builtin", uniform, LABELS, rows, (classes + 1) % 5)
    wrong = classifier_tflite(other)
    monkeypatch.setattr(bundling, "classifier_tflite", lambda _: wrong)
    with pytest.raises(BundleError, match="differ from scikit-learn's by"):
        bundle_classifier(first_of("nearest-neighbours"), tmp_path / "c.task", rows)


def test_every_kind_and_feature_has_a_way_into_a_bundle() -> None:
    assert set(EMBEDDER_OF) == set(FEATURES_OF) == set(FEATURES)
    for name in FEATURES:
        assert len(make_features(name).get_feature_names_out()) == FEATURES_OF[name]
        rows = gesture_rows(20)[0]
        assert np.array_equal(make_features(name).transform(rows), embedded(rows, name)[:, : FEATURES_OF[name]])
