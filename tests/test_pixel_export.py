"""Networks over pictures as TFLite: in any numbers the same answers in MediaPipe's ImageClassifier, and maps of where they come from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_photos import QUICK
from helpers import write

from gesture_maker.errors import ConfigError, RunError
from gesture_maker.images import read_image
from gesture_maker.pixels.classifier import PixelClassifier
from gesture_maker.pixels.exporting import PixelExport, export_pixels
from gesture_maker.pixels.maps import TENSOR, Mapper, overlaid
from gesture_maker.pixels.run import KERAS, PixelRun
from gesture_maker.recognition.interpreter import TfliteModel
from gesture_maker.training.pixels.export import QUANTIZED, to_tflite, with_metadata
from gesture_maker.training.pixels.fitting import load_network, predict
from gesture_maker.training.pixels.network import SCORES
from gesture_maker.training.tensorflow_runtime import load_tensorflow

CLOSE = {"none": 1e-3, "float16": 5e-3, "int8": 0.25}
"""By how much scores may differ from Keras's. Weights in float16 move those of a network that began with nothing by 0.001."""


@pytest.fixture(scope="module")
def own(pixels_place: Path, tmp_path_factory: pytest.TempPathFactory) -> PixelRun:
    """The run, in a folder that may be written to."""
    folder = tmp_path_factory.mktemp("export") / "exported_models/first"
    return PixelRun.load_finished(shutil.copytree(pixels_place / "exported_models/first", folder))


@pytest.fixture(scope="module")
def pictures(own: PixelRun) -> Any:
    """What the network sees of photos of people that it was not trained on, uint8 [48, side, side, 3]."""
    photos = [read_image(path) for part in ("validation", "test") for path, _ in own.photos_of(part)]
    return np.stack([own.seeing.picture(one, own.seeing.box(one, None)) for one in photos])


@pytest.fixture(scope="module")
def by_keras(own: PixelRun, pictures: Any) -> Any:
    """The scores that Keras gives these."""
    return predict(own.path / KERAS, pictures)


@pytest.fixture(scope="module", params=QUANTIZED)
def exported(request: pytest.FixtureRequest, own: PixelRun) -> PixelExport:
    """An export in each sort of numbers, the first to a place of its own."""
    out = own.path.parent / "for my app/Modell é.tflite" if request.param == "none" else None
    return export_pixels(own.path, request.param, out)


def test_in_image_classifier_the_answers_are_keras_s(
    exported: PixelExport, own: PixelRun, pictures: Any, by_keras: Any
) -> None:
    with PixelClassifier(own, exported.path) as classifier:
        scores = np.stack([classifier.scores(one) for one in pictures])
    assert np.abs(scores - by_keras).max() <= CLOSE[exported.quantize]
    assert scores.sum(axis=1) == pytest.approx(np.ones(len(scores)), abs=0.02)
    same = scores.argmax(axis=1) == by_keras.argmax(axis=1)
    surest = np.sort(by_keras, axis=1)
    clear = surest[:, -1] - surest[:, -2] > 2 * CLOSE[exported.quantize]
    assert same[clear].all(), "only what is close can be answered otherwise"
    assert same.mean() >= (0.9 if exported.quantize == "int8" else 0.95)  # of 48: too few for a share within 0.01
    assert exported.same >= 0.9
    assert exported.largest_difference <= CLOSE[exported.quantize]


def test_its_size_place_and_metadata(exported: PixelExport, own: PixelRun) -> None:
    content = exported.path.read_bytes()
    assert exported.size == len(content)
    share = {"none": 1.0, "float16": 0.55, "int8": 0.4}[exported.quantize]
    assert 0.2 * share < len(content) / own.description["model_bytes"] <= share
    if exported.quantize == "none":
        assert content == own.model(), "the run's own file is what is exported, and the same each time"
        assert (exported.same, exported.largest_difference) == (1.0, 0.0)
        assert exported.path.name == "Modell é.tflite"
    else:
        assert exported.path == own.quantized(exported.quantize)
    model = TfliteModel(content)
    assert model.input_shape == (1, QUICK["image_size"], QUICK["image_size"], 3)
    from mediapipe.tasks.python.metadata import metadata

    displayer = metadata.MetadataDisplayer.with_model_buffer(content)
    [labels] = displayer.get_packed_associated_file_list()
    assert displayer.get_associated_file_buffer(labels).decode().split() == list(own.labels)
    about = model._input
    if exported.quantize == "int8":
        assert about["dtype"] == np.uint8
        assert about["quantization"] == (1.0, 0), "pixels are taken as they are"
    else:
        assert about["dtype"] == np.float32


def test_bad_input_of_an_export(own: PixelRun, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no quantization 'int4': use none, float16, int8"):
        export_pixels(own.path, "int4")
    copy = Path(shutil.copytree(own.path, tmp_path / "exported_models/copy"))
    write(copy / KERAS, b"no network")
    with pytest.raises(RunError, match=r"model\.keras is no Keras model that can be read: train again"):
        export_pixels(copy, "float16")
    run = PixelRun.load(copy)
    run.update(dataset=str(tmp_path / "gone"))
    with pytest.raises(RunError, match=r"\.jpg of the run's train part is gone: put it back, or train again"):
        export_pixels(copy, "int8")


def test_files_that_are_not_the_run_s(own: PixelRun, tmp_path: Path) -> None:
    content = own.model()
    half = write(tmp_path / "half.tflite", content[: len(content) // 2])
    text = write(tmp_path / "text.tflite", b"text")
    keras = load_tensorflow().keras
    side = QUICK["image_size"]
    layers = (keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, activation="softmax"))
    keras.Sequential([keras.layers.Input((side, side, 3)), *layers]).save(tmp_path / "small.keras")
    small = to_tflite(tmp_path / "small.keras")
    bare = write(tmp_path / "bare.tflite", small)
    others = {
        "order": with_metadata(small, ["S_A", "5_A", "1_A"]),
        "names": with_metadata(small, ["a", "b", "c"]),
    }
    for path, message in (
        (half, "cannot load"),
        (text, "cannot load"),
        (tmp_path / "gone.tflite", "cannot be read"),
        (write(tmp_path / "order.tflite", others["order"]), "The model has other classes than the run"),
        (write(tmp_path / "names.tflite", others["names"]), "The model has other classes than the run"),
    ):
        with pytest.raises(RunError) as caught:
            PixelClassifier(own, path)
        assert message in str(caught.value), path
        assert "\n" not in str(caught.value)
    with pytest.raises(RunError):
        PixelClassifier(own, bare)  # without metadata nobody knows its classes
    with pytest.raises(ConfigError, match="threshold"):
        PixelClassifier(own, threshold=1.5)


# Maps


def test_what_the_places_add_up_to_is_the_answer(own: PixelRun, pictures: Any, by_keras: Any) -> None:
    mapper = Mapper(own)
    kernel, bias = load_network(own.path / KERAS).get_layer(SCORES).get_weights()
    for picture, scores in zip(pictures[::6], by_keras[::6], strict=True):
        maps = np.stack([mapper.look(picture, label).map for label in own.labels])
        assert maps.shape == (3, 2, 2)
        logits = maps.mean(axis=(1, 2)) + bias
        powers = np.exp(logits - logits.max())
        np.testing.assert_allclose(powers / powers.sum(), scores, atol=1e-3)
        seen = mapper.look(picture)
        assert seen.label == own.labels[int(scores.argmax())]
        assert seen.score == pytest.approx(scores.max(), abs=1e-3)
        np.testing.assert_array_equal(seen.map, maps[int(scores.argmax())])
    assert kernel.shape == (576, 3)
    with PixelClassifier(own) as classifier:
        photo = read_image(own.photos_of("test")[0][0])
        assert mapper.look(photo).score == pytest.approx(classifier.classify(photo).score, abs=1e-3)


def test_colour_lies_where_the_map_is_high() -> None:
    pixels = np.full((40, 60, 3), 90, np.uint8)
    found = np.zeros((2, 3), np.float32)
    found[0, 2], found[1, 0] = 4.0, -3.0
    changed = np.abs(overlaid(pixels, found).astype(int) - pixels).sum(axis=2)
    assert changed[:12, 48:].min() > 60
    assert changed[24:, :30].max() < 10
    np.testing.assert_array_equal(overlaid(pixels, np.full((2, 3), -1, np.float32)), pixels)


def test_maps_of_damaged_runs(own: PixelRun, tmp_path: Path) -> None:
    copy = PixelRun.load(shutil.copytree(own.path, tmp_path / "copy"))
    write(copy.path / "head.npz", b"no arrays")
    with pytest.raises(RunError, match=r"head\.npz is missing or damaged"):
        Mapper(copy)
    shutil.copy(own.path / "head.npz", copy.path)
    copy.update(**{TENSOR: None})
    with pytest.raises(RunError, match="do not belong together"):
        Mapper(copy)
