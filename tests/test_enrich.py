"""Hands that were never photographed: variants, background, and what is folded into the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.embedders.builtin import FEATURES, embed
from gesture_maker.landmarks.hands import EmbedderInputs
from gesture_maker.training import background, calibrate
from gesture_maker.training.augment import Augmentation, augmented, mirrored
from gesture_maker.training.enrich import MIN_VARIANTS, enriched
from gesture_maker.training.model_maker import LabelledEmbeddings, TrainedHead, train_head
from gesture_maker.training.recipe import HParams, ModelOptions

LABELS = ["none", "one", "two", "three"]
STILL = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0)


def some_hands(count: int, seed: int = 0) -> EmbedderInputs:
    hands = background.background_hands(count, seed)
    left = np.arange(count) % 3 == 0
    flipped = mirrored(hands)
    choose = lambda a, b: np.where(left.reshape(-1, *[1] * (a.ndim - 1)), b, a)  # noqa: E731
    return EmbedderInputs(
        *(choose(getattr(hands, n), getattr(flipped, n)) for n in ("hand", "handedness", "world_hand"))
    )


def features(hands: EmbedderInputs) -> np.ndarray:
    return embed(hands)[:, :FEATURES]


# Variants


def test_no_variation_gives_the_hand_itself() -> None:
    hands = some_hands(7)
    same = augmented(hands, 3, np.random.default_rng(0), STILL)
    for name in ("hand", "handedness", "world_hand"):
        np.testing.assert_allclose(getattr(same, name), np.repeat(getattr(hands, name), 3, axis=0), rtol=2e-4)


@settings(max_examples=15)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
def test_variants_are_hands_as_the_runtime_presents_them(count: int, copies: int, seed: int) -> None:
    hands = augmented(some_hands(count, seed), copies, np.random.default_rng(seed))
    assert len(hands) == count * copies
    for points in (hands.hand, hands.world_hand):
        assert np.isfinite(points).all()
        np.testing.assert_array_equal(points[:, 0], 0)
        np.testing.assert_allclose(np.ptp(points[..., :2], axis=1).max(axis=1), 1, atol=1e-3)


def test_variants_stay_nearer_to_their_hand_than_to_others() -> None:
    hands = some_hands(40)
    variants = features(augmented(hands, 5, np.random.default_rng(1), Augmentation(wrong_hand=0)))
    apart = np.linalg.norm(variants[:, None] - features(hands)[None], axis=-1)
    assert (apart.argmin(axis=1) == np.repeat(np.arange(40), 5)).mean() > 0.85


def test_the_share_of_wrong_hands_is_the_one_asked_for() -> None:
    hands = some_hands(50)
    turned = augmented(hands, 100, np.random.default_rng(2), Augmentation(wrong_hand=0.1))
    assert (turned.handedness != np.repeat(hands.handedness, 100, axis=0)).mean() == pytest.approx(0.1, abs=0.02)


def test_the_mirrored_hand_is_the_same_gesture_to_the_builtin_embedder() -> None:
    hands = some_hands(20)
    np.testing.assert_allclose(embed(mirrored(hands)), embed(hands), atol=1e-5)
    np.testing.assert_array_equal(mirrored(mirrored(hands)).world_hand, hands.world_hand)


# Background


@pytest.mark.parametrize("per_class", [1.0, 4.0, 100.0])
def test_background_keeps_its_distance_from_the_gestures(per_class: float) -> None:
    gestures = some_hands(30, seed=5)
    found = background.background_for(gestures, per_class, 400, seed=1)
    assert 0 < len(found) < 400
    nearest = np.linalg.norm(features(found)[:, None] - features(gestures)[None], axis=-1).min(axis=1)
    assert nearest.min() > background.reach(per_class)


@settings(max_examples=20)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 9), st.floats(0.5, 15), st.integers(0, 99))
def test_what_is_farther_is_what_is_nowhere_nearer(
    asked: int, known: int, at_once: int, distance: float, seed: int
) -> None:
    hands, gestures = some_hands(asked, seed), some_hands(known, seed + 1)
    apart = np.linalg.norm(features(hands)[:, None].astype(float) - features(gestures)[None], axis=-1).min(axis=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(background, "_AT_ONCE", at_once)
        found = background.farther_than(distance, hands, gestures)
    np.testing.assert_array_equal(found.hand, hands.take(apart > distance).hand)


def test_the_fewer_hands_of_a_gesture_the_more_room_they_get() -> None:
    reaches = [background.reach(n) for n in (1, 3, 10, 100, 1000)]
    assert reaches == sorted(reaches, reverse=True)
    assert reaches[-1] >= background.NEAR


def test_exchanging_the_fingers_of_one_hand_gives_that_hand() -> None:
    for number in range(6):  # left and right
        hand = some_hands(6).take([number])
        again = background.recombined_hands(hand, 3, seed=0)
        np.testing.assert_allclose(embed(again), np.repeat(embed(hand), 3, axis=0), atol=2e-3)


def test_exchanged_fingers_keep_their_bones() -> None:
    hands = some_hands(10)
    mixed = background.recombined_hands(hands, 50, seed=3)

    def ratios(points: np.ndarray) -> np.ndarray:  # of the second bone of a finger to its first: no scale, no view
        return np.stack(
            [
                np.linalg.norm(points[:, b + 2] - points[:, b + 1], axis=-1)
                / np.linalg.norm(points[:, b + 1] - points[:, b], axis=-1)
                for b in (1, 5, 9, 13, 17)
            ],
            axis=1,
        )

    apart = np.abs(ratios(mixed.world_hand)[:, None] - ratios(hands.world_hand)[None]).min(axis=1)
    assert apart.max() < 1e-3


def test_enriched_hands_have_the_right_classes_and_are_the_same_again() -> None:
    hands, classes = some_hands(12), np.arange(12, dtype=np.int64) % 4
    first, second = (enriched(hands, classes, LABELS, embed, variants=60, background=60, seed=9) for _ in range(2))
    np.testing.assert_array_equal(first.embeddings, second.embeddings)
    np.testing.assert_array_equal(first.classes[:12], classes)
    np.testing.assert_array_equal(first.classes[12:72], np.repeat(classes, 5))
    assert set(first.classes[72:]) <= {0}
    np.testing.assert_array_equal(first.embeddings[:12], embed(hands))
    plain = enriched(hands, classes, LABELS, embed, variants=0, background=0, seed=9)
    np.testing.assert_array_equal(plain.embeddings, embed(hands))


@settings(max_examples=15)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=4), st.integers(1, 400), st.integers(1, 2))
def test_every_class_gets_as_many_variants(counts: list[int], variants: int, looks: int) -> None:
    classes = np.repeat(np.arange(len(counts)), counts)
    hands = some_hands(len(classes))
    found = enriched(hands, classes, LABELS, embed, variants=variants, background=0, seed=1, looks=looks)
    added = np.bincount(found.classes[len(classes) :])
    wanted = variants / len(counts)
    for count, one in zip(counts, added, strict=True):
        assert max(wanted, MIN_VARIANTS * count) <= one < max(wanted + count, MIN_VARIANTS * count + 1)


# Folded into the head


@pytest.fixture(scope="module")
def data() -> LabelledEmbeddings:
    rng = np.random.default_rng(0)
    classes = np.arange(200) % 4
    centres = rng.normal(0, 2, (4, 128))
    return LabelledEmbeddings(
        (centres[classes] + rng.normal(0, 2, (200, 128))).astype(np.float32), classes.astype(np.int64)
    )


@pytest.fixture
def head(data: LabelledEmbeddings, tmp_path: Path) -> TrainedHead:
    hparams = HParams(batch_size=32, epochs=3)
    return train_head(data, data, LABELS, hparams, ModelOptions(layer_widths=(8,)), 0, tmp_path)[0]


def test_the_folded_head_gives_what_temperature_and_margin_say(head: TrainedHead, data: LabelledEmbeddings) -> None:
    before = head.scores(data.embeddings)
    found = calibrate.calibrate(head, before, data.classes, none=0, cautious=True)
    logits = np.log(before) / found.temperature
    logits[:, 0] += found.margin
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(head.scores(data.embeddings), expected, atol=1e-5)
    assert head.scores(data.embeddings)[:, 1:].argmax(axis=1).tolist() == before[:, 1:].argmax(axis=1).tolist()


def test_few_validation_hands_set_no_margin(head: TrainedHead, data: LabelledEmbeddings) -> None:
    few = calibrate.ENOUGH - 1
    scores = head.scores(data.embeddings)
    found = calibrate.calibrate(head, scores[:few], data.classes[:few], none=0, cautious=True)
    assert found.margin == 0
    none_at_all = calibrate.calibrate(head, scores[:0], data.classes[:0], none=0, cautious=True)
    assert none_at_all.temperature == pytest.approx(calibrate.PRIOR_TEMPERATURE, rel=0.05)


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.0])
def test_the_temperature_of_many_hands_is_found(true_temperature: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (20_000, 5))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = (rng.random((len(logits), 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(0, 4)
    shown = (logits * true_temperature).astype(np.float32)
    assert calibrate.best_temperature(shown, classes) == pytest.approx(true_temperature, rel=0.08)


@settings(max_examples=10)
@given(st.integers(0, 99), st.floats(0.3, 2.0), st.floats(0.0, 3.0))
def test_scores_are_calibrated_as_the_folded_head_would(seed: int, temperature: float, margin: float) -> None:
    logits = np.random.default_rng(seed).normal(0, 3, (20, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = calibrate.calibrated(shares.astype(np.float32), calibrate.Calibration(temperature, margin), none=1)
    expected = np.exp(logits / temperature + margin * np.eye(4)[1])
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), atol=1e-4)
