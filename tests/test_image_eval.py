"""`image eval`: a classifier on pixels asked through ImageClassifier, with the files and the report of `eval`."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from hands import drawn_dataset, silent_bundle
from helpers import one_sentence_error, write
from test_report import check_self_contained

from gesture_maker.evaluation.results import Evaluation
from gesture_maker.files import sha256_of_file
from gesture_maker.images import read_image
from gesture_maker.landmarks.hands import Hand
from gesture_maker.pixels.classifier import PixelClassifier
from gesture_maker.pixels.evaluate import any_model, evaluate_pixels
from gesture_maker.pixels.maps import TENSOR, keep_head
from gesture_maker.pixels.model import PixelModel
from gesture_maker.pixels.run import KERAS, PixelRun
from gesture_maker.training.pixels.export import to_tflite, with_metadata
from gesture_maker.training.pixels.network import FEATURES, SCORES
from gesture_maker.training.pixels.settings import PixelSettings
from gesture_maker.training.run_folder import SplitRow
from gesture_maker.training.tensorflow_runtime import load_tensorflow

CLASSES = ("four", "none")
SIDE = 32
SETTINGS = PixelSettings.of({"backbone": "mobilenetv3-small", "image_size": SIDE}, pretrained=False)


def save_network(path: Path, turning: float) -> None:
    """Write a Keras network that calls a picture "none" when it is brighter than `turning`, and "four" otherwise: its features are the pixels."""
    keras = load_tensorflow().keras
    given = keras.layers.Input((SIDE, SIDE, 3))
    scores = keras.layers.Dense(2, activation="softmax", name=SCORES)
    features = keras.layers.Rescaling(1.0, name=FEATURES)(given)
    model = keras.Model(given, scores(keras.layers.GlobalAveragePooling2D()(features)))
    scores.set_weights([np.array([[-0.02, 0.02]] * 3, np.float32), np.array([0.06, -0.06], np.float32) * turning])
    model.save(path)


def made_run(folder: Path, dataset: Path, network: Path, crop: str) -> PixelRun:
    """Return a finished training on pixels whose test part is all photos of `dataset` but the first of each class."""
    files = [f"{label}/{path.name}" for label in CLASSES for path in sorted((dataset / label).iterdir())]
    parts = ["train" if "p0_" in file else "test" for file in files]
    rows = [
        SplitRow(file, file.split("/")[0], f"person {file[6]}", part, sha256_of_file(dataset / file), "")
        for file, part in zip(files, parts, strict=True)
    ]
    stage = {"epochs": 2, "best_epoch": 1, "validation": {"loss": 0.8, "accuracy": 0.6}}
    description = {
        "labels": list(CLASSES),
        "dataset": str(dataset.resolve()),
        "photos": len(rows),
        "created": "2026-01-02T03:04:05Z",
        "settings": SETTINGS.to_json(),
        "seeing": {"crop": crop, "margin": 0.25},
        "versions": {"keras": "9.9"},
        "stages": {"fine-tuned": stage},
    }
    run = PixelRun.create(folder.name, description, lambda run: run.save_split(rows), folder.parent)
    shutil.copy(network, run.path / KERAS)
    content = to_tflite(network)
    write(run.path / run.MODEL, with_metadata(content, CLASSES))
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    run.finish(**{TENSOR: keep_head(run, content, picture)})
    lines = ("fine-tuned,1,0.9,0.5,0.8,0.6", "fine-tuned,2,0.7,0.7,0.9,0.5")
    write(run.path / "history.csv", "\n".join(("stage,epoch,loss,accuracy,val_loss,val_accuracy", *lines, "")))
    return run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos, and two runs whose networks go by the brightness, `whole` and `cropped`."""
    folder = tmp_path_factory.mktemp("pixels")
    dataset = drawn_dataset(folder / "photos", CLASSES, 4)
    turning = float(np.median([read_image(path).mean() for path in dataset.rglob("*.png")]))
    save_network(folder / "network.keras", turning)
    for name, crop in (("whole", "none"), ("cropped", "hand")):
        made_run(folder / "exported_models" / name, dataset, folder / "network.keras", crop)
    write(folder / "silent.task", silent_bundle())
    return folder


@pytest.fixture(scope="module")
def own(place: Path) -> Evaluation:
    return evaluate_pixels(place / "exported_models/whole")


def test_the_own_test_part_is_asked_through_image_classifier(place: Path, own: Evaluation) -> None:
    assert own.folder == place / "exported_models/whole/evaluation/test"
    assert sorted(p.file for p in own.predictions) == sorted(
        f"{label}/p{person}_{label}.png" for label in CLASSES for person in (1, 2, 3)
    )
    with PixelClassifier(PixelRun.load(place / "exported_models/whole")) as classifier:
        for p in own.predictions:
            answer = classifier.classify(read_image(p.path))
            assert (p.answer, p.score, p.handedness) == (answer.label, answer.score, None)
    with (own.folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "label", "answer", "score", "right", "milliseconds", "reason"]
    assert [row["answer"] for row in rows] == [p.answer for p in own.predictions]
    assert 0 < own.metrics.accuracy == np.mean([p.right for p in own.predictions]) < 1
    metrics = json.loads((own.folder / "metrics.json").read_text())
    assert metrics["asked"] == "on photos, through MediaPipe's ImageClassifier"
    assert metrics["interval"]["groups"] == 3
    page = check_self_contained(own.report.read_text())
    assert "whole on its own test part" in page.heads
    assert "GestureRecognizer" not in page.text
    for told in (
        "MobileNetV3",
        "the whole photo, as 32 × 32 pixels",
        sha256_of_file(place / "exported_models/whole/model.tflite"),
    ):
        assert told in page.text
    assert "Loss (cross-entropy)" in page.text
    assert "fine-tuned: 2 epochs, validation 60.0 %" in page.text
    sorts = {(p.label, p.right) for p in own.predictions}
    assert len(page.pictures()) == sum(not p.right for p in own.predictions) + len(sorts)  # a map of each sort
    assert "There are no maps" not in page.text


def test_a_run_that_crops_is_told_with_and_without_hand(place: Path) -> None:
    done = evaluate_pixels(place / "exported_models/cropped")
    found = {p.file: p.handedness is not None for p in done.predictions}
    with PixelClassifier(PixelRun.load(place / "exported_models/cropped")) as classifier:
        assert found == {
            p.file: isinstance(classifier.classify(read_image(p.path)).hand, Hand) for p in done.predictions
        }
    assert any(found.values())
    page = check_self_contained(done.report.read_text())
    rows = page.table("Accuracy by what was found in the photo")
    assert [row["photos"] for row in rows] == [str(sum(found.values())), str(len(found) - sum(found.values()))]
    assert "cropped to the hand where there is one" in done.asked
    assert "Finding the hand and one call of ImageClassifier" in page.text


def test_compared_with_a_bundle_and_the_other_way_round(place: Path, cli: Cli) -> None:
    pixels = cli("image", "eval", "whole", "photos", "--compare", "silent.task", "--out", "pixels", cwd=place)
    hands = cli("eval", "silent.task", "photos", "--compare", "whole", "--out", "hands", cwd=place)
    assert (pixels.returncode, hands.returncode) == (0, 0), pixels.stderr + hands.stderr
    told = [json.loads((place / name / "metrics.json").read_text()) for name in ("pixels", "hands")]
    assert told[0]["compared_with"]["difference"] == pytest.approx(-told[1]["compared_with"]["difference"])
    assert told[0]["accuracy"] == told[1]["compared_with"]["accuracy"]
    assert told[1]["compared_with"]["model"].endswith("whole/model.tflite")
    assert "The run was trained on 2 of these 8 photos" in pixels.stdout
    assert "Warning, whole: The run was trained on 2 of these 8 photos" in hands.stdout
    assert "Where a hand was found" not in pixels.stdout
    assert "Where a hand was found" in hands.stdout


def test_a_quantized_file_has_results_of_its_own(place: Path, own: Evaluation) -> None:
    run = PixelRun.load_finished(place / "exported_models/whole")
    again = evaluate_pixels(run.path, model=Path(shutil.copy(run.path / run.MODEL, run.quantized("float16"))))
    assert again.folder == run.path / "evaluation/test_float16"
    assert [p.score for p in again.predictions] == [p.score for p in own.predictions]
    assert "whole float16 on its own test part" in again.report.read_text()
    assert PixelModel(run, run.path / run.MODEL).name == "whole"


def test_bad_input_of_image_eval(place: Path, cli: Cli, tmp_path: Path) -> None:
    assert 'There is no run "nothing"' in one_sentence_error(cli("image", "eval", "nothing", cwd=place))
    bad = write(tmp_path / "bad.tflite", "text")
    assert "cannot load" in one_sentence_error(cli("image", "eval", "whole", "--model", str(bad), cwd=place))
    assert "is a file" in one_sentence_error(cli("image", "eval", "whole", str(bad), cwd=place))
    assert any_model("silent.task") == "silent.task"
    done = cli("image", "eval", "whole", "--fail-under", "1", "--out", str(tmp_path / "out"), cwd=place)
    assert done.returncode == 1
    assert "is below 1.0" in done.stderr
