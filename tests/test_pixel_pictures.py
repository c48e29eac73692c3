"""What the network sees of a photo: the same pixels as in MediaPipe's ImageClassifier, a square around the hand, and its mask with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hand_photos import hand_photos
from hands import some_hand
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from gesture_maker.dataset.masks import read_mask
from gesture_maker.errors import ConfigError, DatasetError
from gesture_maker.files import sha256_of_file
from gesture_maker.images import read_image
from gesture_maker.mediapipe_runtime import load_mediapipe, quiet_stderr
from gesture_maker.pixels.pictures import Seeing, around, cut, stretched
from gesture_maker.pixels.prepare import Prepared, masked_pictures, prepare_photos, read_pictures, write_pictures
from gesture_maker.training.pixels.export import with_metadata
from gesture_maker.training.tensorflow_runtime import load_tensorflow

SIDE = 8


def noise(height: int, width: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# Stretched


@pytest.fixture(scope="module")
def mirror() -> Iterator[Any]:
    """MediaPipe's ImageClassifier with a network whose scores are the pixels that it is given."""
    tensorflow, mediapipe = load_tensorflow(), load_mediapipe()
    keras = tensorflow.keras
    picture = keras.layers.Input((SIDE, SIDE, 3))
    model = keras.Model(picture, keras.layers.Flatten()(picture))
    called = tensorflow.function(model, autograph=False)
    spec = tensorflow.TensorSpec((1, SIDE, SIDE, 3), tensorflow.float32)
    with quiet_stderr():
        converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([called.get_concrete_function(spec)], model)
        content = with_metadata(bytes(converter.convert()), [str(number) for number in range(SIDE * SIDE * 3)])
    tasks = mediapipe.tasks
    options = tasks.vision.ImageClassifierOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=content), max_results=-1
    )
    with quiet_stderr():
        classifier = tasks.vision.ImageClassifier.create_from_options(options)
    yield classifier
    classifier.close()


@budget(max_examples=60)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_a_photo_is_stretched_as_image_classifier_does_it(mirror: Any, height: int, width: int, seed: int) -> None:
    pixels = noise(height, width, seed)
    mediapipe = load_mediapipe()
    answer = mirror.classify(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels))
    seen = np.zeros(SIDE * SIDE * 3, np.float32)
    for one in answer.classifications[0].categories:
        seen[one.index] = one.score
    np.testing.assert_array_equal(seen.reshape(SIDE, SIDE, 3), stretched(pixels, SIDE))


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 64))
def test_masks_are_stretched_like_their_photo(height: int, width: int, side: int) -> None:
    pixels = noise(height, width)
    made = stretched(pixels, side)
    assert made.shape == (side, side, 3)
    np.testing.assert_array_equal(stretched(pixels[:, :, 1], side), made[:, :, 1])
    np.testing.assert_array_equal(stretched(noise(side, side), side), noise(side, side))


# The square around the hand

places = st.floats(-1.5, 2.5)


@given(
    st.integers(0, 999), places, places, st.floats(0, 1.5), st.integers(1, 700), st.integers(1, 700), st.floats(0, 2)
)
def test_a_box_is_inside_the_photo_and_around_the_hand(
    seed: int, x: float, y: float, size: float, width: int, height: int, margin: float
) -> None:
    hand = some_hand(seed)
    landmarks = hand.landmarks * np.float32(size) + np.array([x, y, 0], np.float32)
    left, top, right, bottom = around(replace(hand, landmarks=landmarks), width, height, margin)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    points = landmarks[:, :2] * (width, height)
    if ((points >= 0) & (points <= (width, height))).all():  # a hand that is in the photo is in the box
        assert (points >= (left - 1e-3, top - 1e-3)).all()
        assert (points <= (right + 1e-3, bottom + 1e-3)).all()
    assert cut(noise(height, width), (left, top, right, bottom)).size > 0


def test_the_margin_is_a_share_of_the_longer_side() -> None:
    landmarks = np.full((21, 3), 0.5, np.float32)
    landmarks[0, :2], landmarks[1, :2] = (0.4, 0.3), (0.6, 0.7)
    hand = replace(some_hand(0), landmarks=landmarks)
    one = pytest.approx
    assert around(hand, 1000, 1000, 0.25) == one((200, 200, 800, 800), abs=1)  # 400 high, and 100 more on each side
    assert around(hand, 1000, 1000, 0.0) == one((300, 300, 700, 700), abs=1)
    assert around(hand, 1000, 1000, 2.0) == (0, 0, 1000, 1000)


def test_what_is_seen() -> None:
    pixels, hand = noise(60, 90), replace(some_hand(1), landmarks=some_hand(1).landmarks * np.float32(0.3))
    assert Seeing(32).box(pixels, hand) == (0, 0, 90, 60)
    assert Seeing(32, "hand").box(pixels, None) == (0, 0, 90, 60)
    box = Seeing(32, "hand").box(pixels, hand)
    assert box == around(hand, 90, 60, 0.25) != (0, 0, 90, 60)
    part = pixels[box[1] : box[3], box[0] : box[2]]
    np.testing.assert_array_equal(Seeing(32, "hand").picture(pixels, box), stretched(part, 32))
    for wrong in (("face", 0.25), ("hand", -0.1), ("hand", 2.1), ("hand", float("nan"))):
        with pytest.raises(ConfigError):
            Seeing(32, *wrong)


# From a dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two gestures by four people; not to be changed."""
    return hand_photos(tmp_path_factory.mktemp("few") / "hands", range(1, 5), 2, ("5_A", "S_A"))


def written(dataset: Path, seeing: Seeing, folder: Path) -> tuple[Prepared, dict[str, Any]]:
    prepared = prepare_photos(dataset, seeing, shares=(50, 25, 25))
    write_pictures(prepared, seeing, folder)
    return prepared, read_pictures(folder)


def test_pictures_and_masks_are_written_in_the_order_of_their_photos(dataset: Path, tmp_path: Path) -> None:
    prepared, parts = written(dataset, Seeing(24), tmp_path / "pictures")
    assert {part: len(its) for part, its in parts.items()} == {"train": 8, "validation": 4, "test": 4}
    assert masked_pictures(parts) == 8
    for part, its in parts.items():
        assert its.masked is not None
        assert its.masked.all()
        for number, photo in enumerate(prepared.of_part(part)):
            pixels = read_image(dataset / photo.image.file)
            np.testing.assert_array_equal(its.x[number], stretched(pixels, 24))
            mask = read_mask(dataset, photo.sha256)
            assert mask is not None
            np.testing.assert_array_equal(its.masks[number], stretched(mask, 24))
            assert prepared.labels[its.y[number]] == photo.image.label


def test_masks_travel_with_crops(dataset: Path, tmp_path: Path) -> None:
    """And what has no hand, or no mask, comes whole, or without."""
    import shutil

    own = Path(shutil.copytree(dataset, tmp_path / "own"))
    first = min((own / "5_A").iterdir())
    (own / ".masks" / f"{sha256_of_file(first)}.png").unlink()
    seeing = Seeing(24, "hand")
    prepared, parts = written(own, seeing, tmp_path / "pictures")
    cropped = 0
    for part, its in parts.items():
        for number, photo in enumerate(prepared.of_part(part)):
            pixels = read_image(own / photo.image.file)
            box = seeing.box(pixels, photo.hand)
            cropped += box != (0, 0, pixels.shape[1], pixels.shape[0])
            np.testing.assert_array_equal(its.x[number], seeing.picture(pixels, box))
            mask = read_mask(own, photo.sha256)
            assert its.masked[number] == (mask is not None) == (own / photo.image.file != first)
            if mask is not None:
                np.testing.assert_array_equal(its.masks[number], stretched(cut(mask, box), 24))
    assert cropped == len(prepared.photos) - prepared.without_hand
    assert cropped > 0


def test_a_mask_of_a_photo_that_its_exif_turns_is_left_out(dataset: Path, tmp_path: Path) -> None:
    import shutil

    from PIL import Image

    from gesture_maker.dataset.masks import write_mask

    own = Path(shutil.copytree(dataset, tmp_path / "own"))
    photo = own / "5_A/turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(40, 60)).save(photo, exif=exif)
    write_mask(own, sha256_of_file(photo), np.full((40, 60), 255, np.uint8))
    prepared, parts = written(own, Seeing(24), tmp_path / "pictures")
    for part, its in parts.items():
        for number, one in enumerate(prepared.of_part(part)):
            assert its.masked[number] == (one.image.path.name != photo.name)


def test_a_photo_that_changed_meanwhile_is_not_trained_on(dataset: Path, tmp_path: Path) -> None:
    import shutil

    own = Path(shutil.copytree(dataset, tmp_path / "own"))
    prepared = prepare_photos(own, Seeing(24), shares=(50, 25, 25))
    changed = max((own / "S_A").iterdir())
    cv2.imwrite(str(changed), noise(30, 30))
    with pytest.raises(
        DatasetError, match=rf"{changed.name} changed while it was being read: run the same command again"
    ):
        write_pictures(prepared, Seeing(24), tmp_path / "pictures")
