"""Hands to features in scikit-learn's pipelines: the formula, that it is the bundle's, and what scikit-learn asks of a transformer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from classified import gesture_rows
from hands import hand_like, points
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from gesture_maker.embedders import builtin, embedder_files, normalized
from gesture_maker.embedders.transformers import BuiltinEmbedding, LandmarkNormalizer
from gesture_maker.landmarks.hands import EmbedderInputs, Floats, normalize

TRANSFORMERS = [LandmarkNormalizer, BuiltinEmbedding]
MIRROR = np.array([-1, 1, 1], np.float32)


def row_of(hand: Any, right: float = 1.0) -> Floats:
    """Return the row of one hand with these image landmarks, and the same in space."""
    scaled = normalize(np.asarray(hand, np.float32)[None])
    return EmbedderInputs(scaled, np.array([[right]], np.float32), scaled).rows()


def features_of(hand: Any, right: float = 1.0) -> Floats:
    """Return the normalized landmarks [21, 3] of one hand."""
    return LandmarkNormalizer().transform(row_of(hand, right)).reshape(21, 3)


# The formula


@given(hand_like())
def test_the_wrist_is_the_origin_and_the_middle_fingertip_at_distance_one(hand: Any) -> None:
    found = features_of(hand)
    assert (found[0] == 0).all()
    assert np.linalg.norm(found[12]) == pytest.approx(1, abs=1e-4)
    longest = np.linalg.norm(hand - hand[0], axis=1) / np.linalg.norm(hand[12] - hand[0])
    assert np.linalg.norm(found, axis=1) == pytest.approx(longest, abs=1e-3)


@given(hand_like(), st.floats(0.2, 5), st.tuples(*[st.floats(-2, 2)] * 3))
def test_neither_size_nor_place_matters(hand: Any, factor: float, place: tuple[float, float, float]) -> None:
    moved = (hand * factor + np.array(place)).astype(np.float32)
    assert features_of(moved) == pytest.approx(features_of(hand), abs=1e-3)
    alone = LandmarkNormalizer().transform(moved[None])  # as a table of landmarks has them, in whatever unit
    assert alone.reshape(21, 3) == pytest.approx(features_of(hand), abs=1e-3)


@settings(max_examples=50)
@given(hand_like() | points(-0.2, 0.2), st.floats(0, 1))
def test_a_mirrored_left_hand_is_a_right_one(hand: Any, right: float) -> None:
    left = 1.0 if right <= 0.5 else 0.0  # 0.5 itself counts as a left hand
    for transformer in TRANSFORMERS:
        one, other = (transformer().transform(row_of(*hand_)) for hand_ in ((hand, right), (hand * MIRROR, left)))
        assert np.array_equal(one, other)


@given(hand_like())
def test_without_mirroring_the_hand_stays_as_it_is(hand: Any) -> None:
    left, right = (LandmarkNormalizer(mirror=False).transform(row_of(hand, side)) for side in (0.0, 1.0))
    assert np.array_equal(left, right)
    assert np.array_equal(right, LandmarkNormalizer().transform(row_of(hand, 1.0)))
    assert np.array_equal(left, LandmarkNormalizer().transform(row_of(hand, 0.0)) * np.tile(MIRROR, 21))


@given(hand_like())
def test_it_takes_image_landmarks_alone(hand: Any) -> None:
    whole = row_of(hand)
    expected = LandmarkNormalizer().transform(whole)
    assert LandmarkNormalizer().transform(whole[:, :63]) == pytest.approx(expected, abs=1e-6)
    assert LandmarkNormalizer().transform(whole[:, :63].reshape(1, 21, 3)) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=30)
@given(points(-0.2, 0.2), st.floats(0, 1))
def test_whatever_the_points_the_numbers_are_finite(hand: Any, right: float) -> None:
    for transformer in TRANSFORMERS:
        assert np.isfinite(transformer().transform(row_of(hand, right))).all()
    assert np.isfinite(LandmarkNormalizer().transform(np.zeros((2, 21, 3)))).all()


def test_hands_do_not_influence_each_other() -> None:
    rows = gesture_rows(20)[0]
    for transformer in TRANSFORMERS:
        together = transformer().transform(rows)
        assert together.dtype == np.float32
        assert together == pytest.approx(np.concatenate([transformer().transform(row[None]) for row in rows]), abs=1e-5)
        assert transformer().transform(rows[:0]).shape == (0, together.shape[1])


# The bundle's


@pytest.mark.parametrize(("name", "formula"), [("normalized", normalized), ("builtin", builtin)])
def test_tflite_is_numpy(name: str, formula: Any) -> None:
    from gesture_maker.training.tflite import TfliteEmbedder

    embedder = TfliteEmbedder(embedder_files(name).embedder)
    inputs = EmbedderInputs.from_rows(gesture_rows(100)[0])
    assert np.abs(embedder(inputs) - formula.embed(inputs)).max() <= 1e-5


@settings(max_examples=50)
@given(hand_like(), st.floats(0, 1))
def test_the_features_are_the_first_of_the_embeddings_numbers(hand: Any, right: float) -> None:
    inputs = EmbedderInputs.from_rows(row_of(hand, right))
    embedding = normalized.embed(inputs)
    assert embedding.shape == (1, 128)
    assert np.array_equal(embedding[:, :63], LandmarkNormalizer().transform(inputs.rows()))
    assert np.array_equal(embedding[:, 63:126], -embedding[:, :63])
    assert (embedding[:, 126:] == 0).all()
    assert np.array_equal(builtin.embed(inputs)[:, :64], BuiltinEmbedding().transform(inputs.rows()))


@given(st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_rows_hold_the_inputs_of_an_embedder(count: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(count, 127)).astype(np.float32)
    assert np.array_equal(EmbedderInputs.from_rows(rows).rows(), rows)


# scikit-learn's


@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_it_works_in_a_pipeline_and_a_cross_validation(transformer: Any) -> None:
    rows, classes = gesture_rows(100)
    pipeline = make_pipeline(transformer(), LogisticRegression(max_iter=1000))
    assert cross_val_score(clone(pipeline), rows, classes, cv=3).mean() > 0.8
    fitted = pipeline.fit(rows, classes)
    assert np.array_equal(fitted.predict(rows), fitted[-1].predict(transformer().transform(rows)))
    names = fitted[:-1].get_feature_names_out()
    assert len(names) == fitted[0].transform(rows).shape[1] == len(set(names))
    assert fitted[0].n_features_in_ == 127
    assert np.array_equal(transformer().fit_transform(rows), fitted[0].transform(rows))


def test_settings_and_names() -> None:
    assert clone(LandmarkNormalizer(mirror=False)).mirror is False
    assert LandmarkNormalizer().set_params(mirror=False).get_params() == {"mirror": False}
    names = LandmarkNormalizer().get_feature_names_out()
    assert [*names[:4], names[-1]] == ["x1", "y1", "z1", "x2", "z21"]
    assert list(BuiltinEmbedding().get_feature_names_out()[[0, -1]]) == ["builtin1", "builtin64"]


@given(st.lists(st.integers(0, 130), min_size=1, max_size=3))
def test_bad_input_another_shape(shape: list[int]) -> None:
    assume(shape[1:] not in ([127], [63], [21, 3]))
    rows = np.zeros(shape, np.float32)
    for transformer in TRANSFORMERS:
        with pytest.raises(ValueError, match="hands"):
            transformer().transform(rows)
        with pytest.raises(ValueError, match="hands"):
            transformer().fit(rows)
    with pytest.raises(ValueError, match=r"\(N, 127\)"):
        BuiltinEmbedding().transform(np.zeros((2, 63)))
