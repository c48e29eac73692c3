"""Evaluation of models of another sort than bundles: the same numbers, files and page, and nothing is said of hands where none are needed."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hands import drawn_dataset, silent_bundle
from helpers import write
from test_report import check_self_contained

import gesture_maker
from gesture_maker.errors import ConfigError, DatasetError
from gesture_maker.evaluation.asking import Answer, ask_about_photos
from gesture_maker.evaluation.bundle import find_bundle
from gesture_maker.evaluation.metrics import NO_ANSWER
from gesture_maker.evaluation.model import Model, Progress, results_folder
from gesture_maker.evaluation.questions import Questions
from gesture_maker.evaluation.report.html import Html, Section, paragraph
from gesture_maker.evaluation.report.pictures import Pictures
from gesture_maker.evaluation.results import IMAGE_CLASSIFIER, Prediction
from gesture_maker.images import Pixels, read_image

CLASSES = ("none", "four")
CROP = 40  # pixels


class Brightest(Model):
    """Calls a photo by the class of the brighter one of two: a classifier on pixels that needs no training.

    `turning`: brightness from which a photo is "four".
    """

    runtime = IMAGE_CLASSIFIER

    def __init__(self, file: Path, turning: float, variant: str = "") -> None:
        self.file, self.run, self.turning, self.variant = file, None, turning, variant

    @property
    def labels(self) -> list[str]:
        return list(CLASSES)

    def ask(self, questions: Questions, pictures: Pictures, progress: Progress | None = None) -> list[Prediction]:
        return ask_about_photos(self._answer, questions.photos, pictures, progress)

    def _answer(self, pixels: Pixels) -> Answer:
        gesture = CLASSES[int(pixels.mean() >= self.turning)]
        return Answer(gesture, 0.75, False, None, 2.0, shown=pixels[:CROP, :CROP])

    def about(self) -> dict[str, Any]:
        return {"turning": f"{self.turning:g}"}

    def training_facts(self) -> dict[str, Any]:
        return {}

    def training(self) -> Html:
        return paragraph("It was not.")

    def sections(self, predictions: Sequence[Prediction]) -> Sequence[Section]:
        return [Section("light", "Where it is light", paragraph(f"In {len(predictions)} photos."))]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = drawn_dataset(tmp_path_factory.mktemp("models") / "photos", CLASSES, 4)
    write(folder / "four/p9_four.png", b"no photo")
    return folder


@pytest.fixture
def model(photos: Path) -> Brightest:
    values = [read_image(path).mean() for path in sorted(photos.rglob("p[0-3]_*.png"))]
    return Brightest(write(photos.parent / "light.json", "{}"), float(np.median(values)))


def test_a_model_without_hands_gets_the_same_report(photos: Path, model: Brightest) -> None:
    done: list[tuple[int, int]] = []
    result = gesture_maker.evaluate(model, photos, group_by=r"^p\d", progress=lambda *at: done.append(at))
    assert done == [(number, 9) for number in range(1, 10)]
    assert result.folder == results_folder(model, "photos") == photos.parent / "light_evaluation/photos"
    expected = {
        p.file: CLASSES[int(read_image(p.path).mean() >= model.turning)] for p in result.predictions if not p.reason
    }
    with (result.folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "label", "answer", "score", "right", "milliseconds", "reason"]
    assert {row["file"]: row["answer"] for row in rows if row["answer"]} == expected
    right = [expected.get(p.file) == p.label for p in result.predictions]
    metrics = json.loads((result.folder / "metrics.json").read_text())
    assert (metrics["accuracy"], metrics["no_answer"], metrics["photos"]) == (np.mean(right), 1, 9)
    assert metrics["accuracy_where_answered"] == sum(right) / 8
    assert metrics["model"] == str(model.file)
    assert metrics["confusion"]["answers"][-1] == NO_ANSWER
    assert metrics["interval"]["groups"] == 5
    assert metrics["asked"] == "on photos, through MediaPipe's ImageClassifier"
    page = check_self_contained(result.report.read_text())
    for said in ("GestureRecognizer", "Where a hand was found", "Answered by", "canned", "no hand", "custom"):
        assert said not in page.text
    assert {"Where it is light", "The model"} <= set(page.heads)
    assert "ImageClassifier answers its winning class alone" in page.text
    pictures = page.pictures()
    assert len(pictures) == right.count(False) - 1  # the unreadable one has none
    assert "In 9 photos." in page.text


def test_compared_with_a_bundle_each_is_asked_its_own_way(photos: Path, model: Brightest, tmp_path: Path) -> None:
    silent = write(tmp_path / "silent.task", silent_bundle())
    result = gesture_maker.evaluate(model, photos, compare=silent, out=tmp_path / "pixels")
    other = gesture_maker.evaluate(silent, photos, compare=model, out=tmp_path / "hands")
    assert result.comparison is not None
    assert other.comparison is not None
    assert result.comparison.difference.difference == pytest.approx(-other.comparison.difference.difference)
    assert result.metrics.accuracy == other.comparison.metrics.accuracy
    told = json.loads((tmp_path / "pixels/metrics.json").read_text())["compared_with"]
    assert told["bundle"] == str(silent)
    assert json.loads((tmp_path / "hands/metrics.json").read_text())["compared_with"]["model"] == str(model.file)
    pages = [check_self_contained((tmp_path / name / "report/index.html").read_text()) for name in ("pixels", "hands")]
    assert "on photos, through MediaPipe's GestureRecognizer" in pages[0].text
    assert "on photos, through MediaPipe's ImageClassifier" in pages[1].text
    missed = [p.reason == "no hand found" for p in other.predictions]
    if any(missed):
        right = sum(p.right for p, gone in zip(result.predictions, missed, strict=True) if gone)
        assert f"this model answers {right} of them rightly" in pages[0].text
        assert f"the other answers {right} of them rightly" in pages[1].text
    else:
        assert all("In every photo a hand is found" in page.text for page in pages)


def test_variants_of_a_model_have_results_of_their_own(photos: Path, model: Brightest) -> None:
    other = Brightest(model.file, 0.0, "int8")
    assert results_folder(other, "photos") == photos.parent / "light_evaluation/photos_int8"


def test_bad_input_questions_that_a_model_cannot_answer(photos: Path, model: Brightest, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Name the photos to evaluate"):
        model.questions(None, None)
    with pytest.raises(DatasetError, match="knows none of the classes"):
        gesture_maker.evaluate(model, drawn_dataset(tmp_path / "others", ("open_palm",), 1))
    folder = drawn_dataset(tmp_path / "few", CLASSES, 2)
    gesture_maker.find_landmarks(folder)
    table = folder / "landmarks.parquet"
    bundle = find_bundle(write(tmp_path / "silent.task", silent_bundle()))
    assert bundle.questions(table, None).rows is not None
    with pytest.raises(DatasetError, match="answers to photos"):
        gesture_maker.evaluate(bundle, table, compare=model)
    with pytest.raises(DatasetError, match="is a file"):
        model.questions(table, None)
    with pytest.raises(ConfigError):
        model.questions(photos, "(")
