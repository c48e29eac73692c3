"""The built-in embedder: the file is the formula, and the formula does not care which hand or how it is turned."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hands import drawn, hand_like, points
from helpers import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.bundle.task import labels_of
from gesture_maker.embedders import EMBEDDERS, builtin, embedder_files, normalized
from gesture_maker.errors import ConfigError
from gesture_maker.files import sha256_of
from gesture_maker.landmarks.hands import EmbedderInputs, normalize

ORIENTATION = slice(58, 64)  # the last six features: where along and out of the palm point


def inputs_of(world: Any, right: float = 1.0) -> EmbedderInputs:
    """Return the inputs for one hand with these world landmarks."""
    scaled = normalize(np.asarray(world, np.float32)[None])
    return EmbedderInputs(scaled, np.array([[right]], np.float32), scaled)


def random_hands(count: int = 60) -> EmbedderInputs:
    rng = np.random.default_rng(3)
    world = normalize(rng.normal(size=(count, 21, 3)))
    return EmbedderInputs(world, rng.uniform(0, 1, (count, 1)).astype(np.float32), world)


def degenerate_hands() -> EmbedderInputs:
    """Hands that no camera sees: a single point, a palm that is a line, fingers of no length."""
    rng = np.random.default_rng(4)
    line = np.zeros((21, 3), np.float32)
    line[:, 1] = np.arange(21) / 20
    folded = rng.normal(size=(21, 3))
    folded[[5, 9, 13, 17]] = 0
    flat = rng.normal(size=(21, 3))
    flat[:, 2] = 0
    world = normalize(np.array([np.zeros((21, 3)), line, folded, flat, np.full((21, 3), 1e-8)]))
    return EmbedderInputs(world, np.array([[1], [0], [0.5], [0.49], [0.51]], np.float32), world)


def drawn_hands() -> EmbedderInputs:
    labels = ("four", "fist", "ok", "call", "thumbs_up", "victory", "open_palm", "none", "point", "l_sign")
    hands = [drawn(label, person, 0, 32)[1] for label in labels for person in range(10)]
    world = normalize(np.array([hand.world for hand in hands]))
    return EmbedderInputs(world, np.array([[hand.handedness] for hand in hands], np.float32), world)


# The file


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """The functions of scripts/build_embedder."""
    return runpy.run_path(str(ROOT / "scripts" / "build_embedder"), run_name="build_embedder")


@pytest.fixture(scope="module")
def shipped() -> Any:
    from gesture_maker.training.tflite import TfliteEmbedder

    return TfliteEmbedder(builtin.tflite_bytes())


def test_the_shipped_embedder_is_what_the_script_makes(script: dict[str, Any]) -> None:
    assert sha256_of(script["build_embedder"]()) == sha256_of(builtin.tflite_bytes())


def test_the_shipped_normalized_landmarks_are_what_the_script_makes(script: dict[str, Any]) -> None:
    assert sha256_of(script["build_normalized"]()) == sha256_of(normalized.tflite_bytes())


def test_the_shipped_silent_classifier_is_what_the_script_makes(script: dict[str, Any]) -> None:
    assert sha256_of(script["build_silent_classifier"]()) == sha256_of(builtin.silent_canned_classifier_bytes())


@pytest.mark.parametrize(
    "hands", [random_hands(), degenerate_hands(), drawn_hands()], ids=["random", "degenerate", "drawn"]
)
def test_numpy_and_tflite_agree(shipped: Any, hands: EmbedderInputs) -> None:
    expected, found = builtin.embed(hands), shipped(hands)
    assert expected.shape == found.shape == (len(hands), 128)
    assert expected.dtype == found.dtype == np.float32
    assert np.isfinite(expected).all()
    assert np.abs(expected - found).max() <= 1e-5


def test_the_file_is_small_and_has_the_runtimes_inputs() -> None:
    from gesture_maker.training.tflite import _interpreter

    assert len(builtin.tflite_bytes()) < 100_000
    interpreter = _interpreter(builtin.tflite_bytes())
    details = interpreter.get_input_details()
    names = [detail["name"].removeprefix("serving_default_").split(":")[0] for detail in details]
    assert names == ["hand", "handedness", "world_hand"]
    assert [detail["shape"].tolist() for detail in details] == [[1, 21, 3], [1, 1], [1, 21, 3]]
    (output,) = interpreter.get_output_details()
    assert output["shape"].tolist() == [1, 128]
    assert {detail["dtype"] for detail in (*details, output)} == {np.float32}


def test_the_silent_classifier_says_none_and_nothing_else() -> None:
    from gesture_maker.training.tflite import classify

    model = builtin.silent_canned_classifier_bytes()
    assert labels_of(model) == ["None"]
    embeddings = (
        np.random.default_rng(0).normal(size=(20, 128)).astype(np.float32) * np.geomspace(1e-9, 1e9, 20)[:, None]
    )
    embeddings = np.concatenate([embeddings, np.zeros((1, 128)), builtin.embed(degenerate_hands())]).astype(np.float32)
    assert (classify(model, embeddings) == 1).all()


# The formula


@given(hand_like() | points(-0.2, 0.2), st.floats(0, 1))
def test_a_mirrored_hand_of_the_other_side_is_the_same(world: np.ndarray, right: float) -> None:
    left = 1.0 if right <= 0.5 else 0.0  # 0.5 itself counts as a left hand
    mirrored = world * np.array([-1, 1, 1], np.float32)
    assert np.array_equal(builtin.embed(inputs_of(world, right)), builtin.embed(inputs_of(mirrored, left)))


@given(points(-0.2, 0.2), st.floats(0, 1))
def test_both_signs_are_there(world: np.ndarray, right: float) -> None:
    embedding = builtin.embed(inputs_of(world, right))
    assert embedding.shape == (1, 128)
    assert np.isfinite(embedding).all()
    assert np.array_equal(embedding[:, 64:], -embedding[:, :64])


@given(hand_like(), st.floats(-np.pi, np.pi))
def test_turning_the_camera_changes_the_orientation_alone(world: np.ndarray, angle: float) -> None:
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    before, after = (builtin.embed(inputs_of(points))[0, :64] for points in (world, world @ turn))
    others = np.arange(64) < ORIENTATION.start
    assert np.abs(before - after)[others].max() < 2e-3
    along, out = (before[ORIENTATION].reshape(2, 3), after[ORIENTATION].reshape(2, 3))
    assert along @ turn == pytest.approx(out, abs=1e-3)


@given(hand_like())
def test_any_turn_in_space_changes_the_orientation_alone(world: np.ndarray) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    before, after = (builtin.embed(inputs_of(points))[0, :64] for points in (world, world @ turn))
    assert np.abs(before - after)[: ORIENTATION.start].max() < 2e-3


@given(hand_like(), st.floats(0.3, 3))
def test_the_size_of_the_hand_does_not_matter(world: np.ndarray, factor: float) -> None:
    before, after = (builtin.embed(inputs_of(points)) for points in (world, world * factor))
    assert np.abs(before - after).max() < 2e-3


@settings(max_examples=20)
@given(points(-0.2, 0.2), points(-1, 1))
def test_only_the_world_landmarks_count(world: np.ndarray, image: np.ndarray) -> None:
    one = inputs_of(world)
    other = EmbedderInputs(normalize(image[None]), one.handedness, one.world_hand)
    assert np.array_equal(builtin.embed(one), builtin.embed(other))


def test_hands_do_not_influence_each_other() -> None:
    hands = random_hands(10)
    alone = [builtin.embed(hands.take([index]))[0] for index in range(10)]
    assert builtin.embed(hands) == pytest.approx(np.array(alone), abs=1e-5)
    assert builtin.embed(hands.take([])).shape == (0, 128)


def test_each_number_has_about_unit_spread() -> None:
    spread = builtin.embed(drawn_hands())[:, :64].std(axis=0)
    assert spread.min() > 0.05
    assert spread.max() < 4
    assert 0.5 < spread.mean() < 1.5


def test_gestures_are_apart() -> None:
    """A nearest neighbour among the others' hands, by the features alone, knows most gestures."""
    labels = np.repeat(np.arange(6), 8)
    names = ("four", "fist", "ok", "call", "thumbs_up", "victory")
    hands = [drawn(label, person, 0, 32)[1] for label in names for person in range(8)]
    world = normalize(np.array([hand.world for hand in hands]))
    right = np.array([[hand.handedness] for hand in hands], np.float32)
    embedded = builtin.embed(EmbedderInputs(world, right, world))
    apart = np.linalg.norm(embedded[:, None] - embedded[None], axis=-1)
    apart[np.equal.outer(np.tile(np.arange(8), 6), np.tile(np.arange(8), 6))] = np.inf  # not of the same person
    assert (labels[apart.argmin(axis=1)] == labels).mean() > 0.95


# Which files go with which


def test_each_embedder_brings_a_canned_classifier_that_understands_it(shared: Path) -> None:
    ours, googles = (embedder_files(name, shared / "assets") for name in EMBEDDERS)
    assert labels_of(ours.canned_gesture_classifier) == ["None"]
    assert "Thumb_Up" in labels_of(googles.canned_gesture_classifier)
    assert ours.embedder == builtin.tflite_bytes()
    assert googles.embedder == (shared / "assets" / "gesture_embedder.tflite").read_bytes()
    assert googles.checksums["gesture_embedder"] == sha256_of(googles.embedder)


def test_bad_input_an_unknown_embedder() -> None:
    with pytest.raises(ConfigError, match='no embedder "resnet": use builtin or mediapipe'):
        embedder_files("resnet")
