"""Metrics against counting by hand, and the pictures of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gesture_maker.evaluation.metrics import NO_HAND, Metrics, measure
from gesture_maker.evaluation.plots import save_confusion_matrix, save_curves
from gesture_maker.landmarks.fonts import font_file, readable

KNOWN = ["none", "rock", "ok", NO_HAND]  # nothing forbids a class of that name
FURTHER = ["Thumb_Up (canned)", "unknown"]
cases = st.lists(
    st.tuples(st.sampled_from([*KNOWN, "not in the bundle"]), st.none() | st.sampled_from(KNOWN + FURTHER)), max_size=40
)


@given(cases)
def test_metrics_are_what_counting_says(pairs: list[tuple[str, str | None]]) -> None:
    truth, answers = [t for t, _ in pairs], [a for _, a in pairs]
    found = measure(truth, answers, KNOWN)
    assert found.photos == len(pairs)
    assert found.found == sum(a is not None for a in answers)
    right = sum(a == t for t, a in pairs)
    assert found.accuracy == pytest.approx(right / len(pairs) if pairs else 0)
    assert found.accuracy_where_found == pytest.approx(right / found.found if found.found else 0)

    assert found.labels[: len(KNOWN)] == tuple(KNOWN)
    assert set(found.labels) == {*KNOWN, *truth}
    assert found.answers[: len(found.labels)] == found.labels
    assert found.answers[-1] == NO_HAND
    assert found.confusion.shape == (len(found.labels), len(found.answers))
    assert found.confusion.dtype == np.int64
    for row, label in enumerate(found.labels):
        for column, answer in enumerate(found.answers):
            given_answer = None if column == len(found.answers) - 1 else answer
            assert found.confusion[row, column] == pairs.count((label, given_answer))

    assert set(found.per_class) == set(found.labels)
    for label, numbers in found.per_class.items():
        hits = pairs.count((label, label))
        support, claimed = truth.count(label), answers.count(label)
        precision, recall = hits / claimed if claimed else 0, hits / support if support else 0
        assert numbers["support"] == support
        assert numbers["precision"] == pytest.approx(precision)
        assert numbers["recall"] == pytest.approx(recall)
        both = precision + recall
        assert numbers["f1"] == pytest.approx(2 * precision * recall / both if both else 0)
    assert found.as_dict()["no_hand"] == answers.count(None)
    assert found.as_dict()["confusion"]["counts"] == found.confusion.tolist()


def test_photos_without_a_hand_are_wrong_and_in_a_column_of_their_own() -> None:
    found = measure(["rock", "rock", "ok"], ["rock", None, None], ["none", "rock", "ok"])
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.accuracy_where_found == 1
    assert found.confusion.tolist() == [[0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]]
    assert found.per_class["rock"] == {"precision": 1, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2}
    assert found.per_class["none"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}


def test_a_class_that_is_called_no_hand_is_not_a_missing_hand() -> None:
    found = measure([NO_HAND, NO_HAND], [None, NO_HAND], ["none", NO_HAND])
    assert found.accuracy == 0.5
    assert found.confusion.tolist() == [[0, 0, 0], [0, 1, 1]]


def test_labels_that_a_bundle_has_twice_are_counted_once() -> None:
    assert measure(["none"], ["none"], ["none", "none", "ok"]).labels == ("none", "ok")


def test_every_photo_needs_an_answer() -> None:
    with pytest.raises(ValueError, match="1 answers to 2 photos"):
        measure(["a", "b"], ["a"], ["a", "b"])


# Pictures

AWKWARD = [
    "none",
    "$x$",
    "$",
    "a_b^{c}",
    "手势",
    "👍🏽 gut",
    "مرحبا",
    "W" * 150,
    "<b>&amp;",
    "ok\u200dok",
    "\\frac",
    "$\\frac$",  # no formula that could be drawn
    "%s {0}",
]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        image.load()
        return image.size


def some_metrics(labels: list[str]) -> Metrics:
    answers = [labels[(i * i) % len(labels)] for i in range(len(labels))]
    return measure(labels, [None, *answers[1:]], labels)


@pytest.mark.parametrize(
    "labels", [["one"], AWKWARD, [f"class {i}" for i in range(70)]], ids=["one", "awkward", "many"]
)
def test_a_confusion_matrix_can_be_drawn_of_any_labels(tmp_path: Path, labels: list[str]) -> None:
    target = tmp_path / "deep" / "matrix.png"
    save_confusion_matrix(some_metrics(labels), target, f"{labels[-1]} run $x$: 97.0% right")
    width, height = size_of(target)
    assert 200 < width < 12000
    assert 200 < height < 12000
    assert [path.name for path in target.parent.iterdir()] == ["matrix.png"]


def test_a_confusion_matrix_without_photos_can_be_drawn(tmp_path: Path) -> None:
    save_confusion_matrix(measure([], [], ["none", "ok"]), tmp_path / "matrix.png", "nothing")
    assert size_of(tmp_path / "matrix.png")[0] > 200


@pytest.mark.parametrize("loss", [[1.0], [1.0, 0.5], [0.0, 0.0], [float("nan"), float("nan")]])
def test_curves_can_be_drawn_of_any_history(tmp_path: Path, loss: list[float]) -> None:
    names = ("loss", "val_loss", "accuracy", "val_accuracy")
    history = [{"epoch": float(i + 1), **dict.fromkeys(names, value)} for i, value in enumerate(loss)]
    save_curves(history, tmp_path / "curves.png")
    assert size_of(tmp_path / "curves.png")[0] > 500


@settings(max_examples=50)
@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=30), st.integers(2, 40))
def test_any_name_becomes_readable(text: str, longest: int) -> None:
    shown = readable(text, longest)
    assert len(shown) <= longest
    assert font_file(shown)
    assert shown == readable(text, longest)


def test_names_in_the_usual_alphabets_stay_as_they_are() -> None:
    for name in ("thumbs up", "Łódź", "Ωμέγα", "палец", "مرحبا", "a–b"):
        assert readable(name, 60) == name


def test_a_font_of_boxes_is_no_font() -> None:
    from gesture_maker.landmarks import fonts

    assert fonts._installed()
    assert not [file for file in fonts._installed() if "lastresort" in Path(file).name.lower()]


def test_letters_that_no_font_has_are_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from gesture_maker.landmarks import fonts

    monkeypatch.setattr(fonts, "_installed", lambda: ())  # a machine with no other font than matplotlib's
    assert readable("👍 gut", 60) == "[thumbs up sign] gut"
    assert readable("手势", 60) == "[U+624B][U+52BF]"
    assert readable("👍 gut", 10) == "[thumbs u…"
