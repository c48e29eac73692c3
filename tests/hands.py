"""Hands for tests: random ones for hypothesis, drawn photos, and bundles whose head is known."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from helpers import write
from hypothesis import strategies as st
from PIL import Image

from gesture_maker.images import Pixels
from gesture_maker.landmarks.hands import POINTS, Hand, NoHand


@cache
def drawn(label: str, person: int = 0, index: int = 0, size: int = 320) -> tuple[Pixels, Hand]:
    """Return a drawn photo, kept for the next test that wants the same one; not to be written to."""
    from gesture_maker.synthetic.draw import draw_image

    pixels, hand = draw_image(label, person, index, 7, size)
    pixels.setflags(write=False)
    return pixels, hand


def save_photo(path: Path, pixels: Pixels) -> Path:
    """Write pixels as PNG, without loss, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def drawn_dataset(root: Path, classes: tuple[str, ...] = ("none", "four"), per_class: int = 3) -> Path:
    """Write a small dataset of drawn hands, a person each, and return its folder."""
    for label in classes:
        for person in range(per_class):
            save_photo(root / label / f"p{person}_{label}.png", drawn(label, person)[0])
    return root


def huge_image(path: Path) -> Path:
    """Write a PNG of 120 megapixels in a few kilobytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("1", (20000, 6000)).save(path)
    return path


def bad_photos(folder: Path) -> dict[str, Path]:
    """Write one file of each kind that is no usable photo, by what is wrong with it."""
    whole = save_photo(folder / "whole.png", drawn("four")[0]).read_bytes()
    return {
        "cut short": write(folder / "cut.png", whole[: len(whole) // 2]),
        "empty": write(folder / "empty.jpg", b""),
        "not an image": write(folder / "text.jpg", "these are words"),
        "no pixels": write(folder / "sizeless.bmp", _without_size()),
        "huge": huge_image(folder / "huge.png"),
        "gone": folder / "gone.jpg",
    }


def _without_size() -> bytes:
    header = bytearray(54)
    header[:2], header[10], header[14], header[26], header[28] = b"BM", 54, 40, 1, 24
    return bytes(header)


def points(low: float, high: float) -> st.SearchStrategy[Any]:
    """Return a strategy of 21 points, float32 [21, 3]."""
    number = st.floats(float(np.float32(low)), float(np.float32(high)), width=32)
    return st.lists(number, min_size=63, max_size=63).map(lambda v: np.array(v, np.float32).reshape(21, 3))


def hand_like() -> st.SearchStrategy[Any]:
    """Return a strategy of world landmarks of real size and shape: a drawn hand, turned, scaled and jittered."""
    return st.builds(_deformed, st.sampled_from(["four", "fist", "ok", "call"]), st.integers(0, 2**32 - 1))


def _deformed(label: str, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    if np.linalg.det(turn) < 0:
        turn[0] *= -1
    world = drawn(label, 0, 0, 64)[1].world
    return (rng.uniform(0.5, 2) * (world + rng.normal(0, 0.004, (21, 3))) @ turn).astype(np.float32)


sizes = st.integers(32, 5000)

hands = st.builds(
    Hand,
    landmarks=points(-0.5, 1.5),
    world=points(-0.2, 0.2),
    handedness=st.floats(0, 1),
    width=sizes,
    height=sizes,
    margin=st.integers(0, 2500),
)


def some_hand(seed: int) -> Hand:
    """Return a hand of random numbers, another for each seed."""
    rng = np.random.default_rng(seed)
    landmarks, world = rng.random((2, POINTS, 3), np.float32)
    return Hand(landmarks, world, float(rng.random()), 640, 480, int(rng.integers(0, 320)))


answers = st.one_of(hands, st.builds(NoHand, st.text(st.characters(blacklist_categories=["Cs"]), max_size=60)))


def same_answer(one: Any, other: Any) -> bool:
    """Tell whether two answers are equal in every bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, NoHand):
        return bool(one == other)
    numbers = [(h.handedness, h.width, h.height, h.margin) for h in (one, other)]
    return (
        numbers[0] == numbers[1]
        and np.array_equal(one.landmarks, other.landmarks)
        and np.array_equal(one.world, other.world)
    )


def make_head(weights: Any, bias: Any, only: int | None = None) -> bytes:
    """Return a gesture classifier softmax(embedding @ weights + bias), or of it the class `only` alone."""
    from gesture_maker.mediapipe_runtime import quiet_stderr
    from gesture_maker.training.tensorflow_runtime import load_tensorflow

    tf = load_tensorflow()
    matrix, offset = np.asarray(weights, np.float32), np.asarray(bias, np.float32)

    @tf.function(input_signature=[tf.TensorSpec([1, 128], tf.float32, name="hand_embedding")])
    def classify(embedding: Any) -> Any:
        scores = tf.nn.softmax(tf.matmul(embedding, matrix) + offset)
        return scores if only is None else scores[:, only : only + 1]

    converter = tf.lite.TFLiteConverter.from_concrete_functions([classify.get_concrete_function()], classify)
    with quiet_stderr():
        return bytes(converter.convert())


def answering(probabilities: list[float]) -> bytes:
    """Return a gesture classifier that gives the classes these probabilities whatever it sees."""
    return make_head(np.zeros((128, len(probabilities))), np.log(np.array(probabilities)))


def make_bundle(
    head: bytes, labels: list[str], embedder: str = "builtin", assets: Path | None = None, threshold: float = 0.5
) -> bytes:
    """Return a `.task` with this head, written as `export` writes it."""
    from gesture_maker.assets import asset_bytes
    from gesture_maker.bundle.task import write_task
    from gesture_maker.embedders import embedder_files
    from gesture_maker.training.model_maker import write_bundle

    files = embedder_files(embedder, assets)
    return write_task(
        write_bundle(
            head,
            labels,
            threshold,
            hand_detector=asset_bytes("hand_detector"),
            hand_landmarks_detector=asset_bytes("hand_landmarks_detector"),
            gesture_embedder=files.embedder,
            canned_gesture_classifier=files.canned_gesture_classifier,
        )
    )


def silent_bundle(embedder: str = "builtin", assets: Path | None = None) -> bytes:
    """Return a `.task` whose custom head always answers `None`; made without TensorFlow."""
    from gesture_maker.assets import asset_bytes
    from gesture_maker.bundle.task import TaskBundle, write_task
    from gesture_maker.embedders import embedder_files
    from gesture_maker.embedders.builtin import silent_canned_classifier_bytes

    files = embedder_files(embedder, assets)
    detectors = asset_bytes("hand_detector"), asset_bytes("hand_landmarks_detector")
    head = silent_canned_classifier_bytes()
    return write_task(TaskBundle(*detectors, files.embedder, files.canned_gesture_classifier, head))
