"""`compare --with image`: the winner on landmarks and a classifier on pixels, on the same photos of people neither has seen."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Cli
from hands import drawn_dataset, save_photo
from helpers import one_sentence_error, write
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compare import table_of
from test_image_eval import made_run, save_network
from test_report import check_self_contained

from gesture_maker.classifiers.comparison import Comparison, load_comparison
from gesture_maker.classifiers.comparison_parts import Parts
from gesture_maker.classifiers.data import LabelledHands
from gesture_maker.files import sha256_of, sha256_of_file
from gesture_maker.images import read_image
from gesture_maker.pixels.classifier import PixelClassifier
from gesture_maker.pixels.comparing import ANSWERS, TABLE, ImageChoice, compare_with_image
from gesture_maker.pixels.held_out import sides_of
from gesture_maker.pixels.run import PixelRun

BACKBONE = "mobilenetv3-small"
CHOICE = ImageChoice(BACKBONE, "none", 32, epochs=1)
PEOPLE = 10
GROUP = r"p\d+"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos`: two gestures of ten people, no class `none`; one photo of each shows noise and no hand, and one of nobody knows whom."""
    folder = tmp_path_factory.mktemp("with image")
    photos = drawn_dataset(folder / "photos", ("fist", "four"), PEOPLE)
    noise = np.random.default_rng(0)
    for name in (*(f"four/p{person}_noise.png" for person in range(PEOPLE)), "fist/unknown.png"):
        save_photo(photos / name, noise.integers(0, 256, (80, 80, 3), np.uint8))
    return folder


@pytest.fixture(scope="module", autouse=True)
def _no_pictures() -> Iterator[None]:
    """Leave the pictures of the hands out, which `test_compare.py` looks at."""
    from gesture_maker.classifiers import comparison_plots, data_plots

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_plots, "save_data_plots", lambda *_: ())
        patch.setattr(comparison_plots, "save_comparison_plots", lambda *_: ())
        yield


class Interrupted:
    """A comparison that Ctrl-C ended when the training on pixels began, and what was there then; and the same called again."""

    def __init__(self, place: Path) -> None:
        self.stages: list[tuple[str, int, int]] = []
        with pytest.raises(KeyboardInterrupt) as stopped:
            self._compare(place, self._stop)
        self.sentence = str(stopped.value)
        self.folder = place / "exported_models/photos-compare"
        self.left = {path.name for path in self.folder.iterdir()}
        self.created = PixelRun.load(self.folder / BACKBONE).description["created"]
        self.first, self.stages = self.stages, []
        self.comparison = self._compare(place, lambda *told: self.stages.append(told))

    def _compare(self, place: Path, progress: Any) -> Comparison:
        options = {"kinds": ["logistic-regression"], "folds": 2, "workers": 1, "runs": place / "exported_models"}
        return compare_with_image(place / "photos", CHOICE, group_by=GROUP, progress=progress, **options)

    def _stop(self, stage: str, done: int, total: int) -> None:
        self.stages.append((stage, done, total))
        if stage == "image training":
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def interrupted(place: Path) -> Interrupted:
    return Interrupted(place)


@pytest.fixture(scope="module")
def compared(interrupted: Interrupted) -> Comparison:
    return interrupted.comparison


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# What comes of it


def test_an_interrupted_training_on_pixels_goes_on(interrupted: Interrupted) -> None:
    assert '"photos-compare" was interrupted' in interrupted.sentence
    assert "run the same command again" in interrupted.sentence
    assert "comparison.json" not in interrupted.left
    assert "image reading" in {stage for stage, *_ in interrupted.first}
    assert "image reading" not in {stage for stage, *_ in interrupted.stages}
    run = PixelRun.load_finished(interrupted.comparison.path / interrupted.comparison.with_image["run"])
    assert run.description["created"] == interrupted.created
    assert not list(run.path.parent.glob(".training_on_pixels*"))


def test_nobody_is_on_both_sides_and_no_photo_is_left_out(compared: Comparison, place: Path) -> None:
    asked = rows_of(compared.path / ANSWERS / "both.csv")
    split = PixelRun.load(compared.path / BACKBONE).split()
    assert {row["file"] for row in asked} == {row.file for row in split if row.part == "test"}
    assert {row.file for row in split} == {
        f"{path.parent.name}/{path.name}" for path in (place / "photos").glob("*/*.png")
    }
    people = [
        {row.group for row in split if row.part == part} - {"fist/unknown.png"}
        for part in ("train", "validation", "test")
    ]
    assert not people[2] & (people[0] | people[1])
    assert len(people[2]) == compared.hands["test"] // 2  # two hands of each
    assert "fist/unknown.png" in {row["file"] for row in asked}  # the only one of which nobody knows whom


def test_the_numbers_are_those_of_the_answers(compared: Comparison, place: Path) -> None:
    told = compared.with_image
    assert load_comparison(compared.path) == compared
    written = rows_of(compared.path / TABLE)
    assert [{key: str(value) for key, value in row.items()} for row in told["rows"]] == written
    both = rows_of(compared.path / ANSWERS / "both.csv")
    predictions = rows_of(compared.path / ANSWERS / "predictions.csv")
    assert [(row["file"], row["pixels"], row["pixels_right"]) for row in both] == [
        (row["file"], row["answer"], row["right"]) for row in predictions
    ]
    run = PixelRun.load(compared.path / BACKBONE)
    with PixelClassifier(run) as classifier:
        assert [row["pixels"] for row in both] == [
            classifier.classify(read_image(place / "photos" / row["file"])).label for row in both
        ]
    without = [row for row in both if row["reason"]]
    assert {row["file"] for row in without} == {
        row["file"] for row in both if "noise" in row["file"] or "unknown" in row["file"]
    }
    assert len(without) == compared.hands["test"] // 2 + 1
    assert not any(row["landmarks"] for row in without)
    for row, name in zip(told["rows"], ("landmarks", "pixels"), strict=True):
        right = [answer[f"{name}_right"] == "1" for answer in both]
        assert right == [answer[name] == answer["label"] for answer in both]
        assert (row["sort"], row["right"], row["photos"]) == (name, sum(right), len(both))
        assert row["low"] < row["accuracy"] == sum(right) / len(both) < row["high"]
        missed = [flag for flag, answer in zip(right, both, strict=True) if answer["reason"]]
        assert (row["right_without_hand"], row["without_hand"]) == (sum(missed), len(without))
        assert (row["right_with_hand"], row["with_hand"]) == (sum(right) - sum(missed), len(both) - len(without))
        assert row["latency_p50"] > 0
    hands, pixels = told["rows"]
    assert hands["right_with_hand"] > hands["with_hand"] / 2
    assert hands["bytes"] == (compared.path / "logistic-regression/gesture_recognizer.task").stat().st_size
    assert pixels["bytes"] == run.path.joinpath(run.MODEL).stat().st_size
    apart = told["difference"]
    assert apart["difference"] == pytest.approx(pixels["accuracy"] - hands["accuracy"])
    assert apart["low"] <= apart["difference"] <= apart["high"]
    assert apart["groups"] == compared.hands["test"] // 2 + 1
    metrics = json.loads((compared.path / ANSWERS / "metrics.json").read_text())
    assert metrics["compared_with"]["accuracy"] == hands["accuracy"]
    assert f"In {len(without)} photos no hand is found" in told["sentences"][1]


def test_the_report_shows_both(compared: Comparison) -> None:
    page = check_self_contained((compared.path / compared.with_image["report"]).read_text())
    assert f"{BACKBONE} on photos held out of photos" in page.heads
    assert "logistic regression" in page.text


# A training that is there already


@pytest.fixture(scope="module")
def trained(place: Path) -> PixelRun:
    """A training on pixels that goes by the brightness, on one person's photos of `four` and `none` in another folder."""
    other = drawn_dataset(place / "others", ("four", "none"), 2)
    save_network(place / "network.keras", 128.0)
    return made_run(place / "exported_models/bright", other, place / "network.keras", "none")


def test_a_run_is_asked_and_its_table_printed(place: Path, trained: PixelRun, cli: Cli) -> None:
    command = (
        "compare",
        "photos",
        "--group-by",
        GROUP,
        "--classifier",
        "logistic-regression",
        "--folds",
        "2",
        "--jobs",
        "1",
    )
    done = cli(*command, "--name", "asked", "--with", "image", "--image-run", trained.name, cwd=place)
    assert done.returncode == 0, done.stderr
    told = load_comparison(place / "exported_models/asked").with_image
    assert told["run"] == str(trained.path.resolve())
    assert not (place / "exported_models/asked" / BACKBONE).exists()
    hands, pixels = told["rows"]
    for text in (
        hands["classifier"],
        "MobileNetV3-Small on pixels",
        *told["sentences"],
        "none found",
        str(trained.path.name),
    ):
        assert text in done.stdout
    assert 'does not know the class "fist"' in done.stdout
    assert f"({pixels['without_hand']})" in done.stdout


def test_a_run_that_was_trained_on_what_is_held_out_is_refused(
    place: Path, trained: PixelRun, compared: Comparison, cli: Cli
) -> None:
    held = next(row for row in rows_of(compared.path / ANSWERS / "both.csv") if row["group"])
    seen = place / "exported_models/seen"
    command = (
        "compare",
        "photos",
        "--group-by",
        GROUP,
        "--with",
        "image",
        "--image-run",
        seen.name,
        "--name",
        "refused",
    )
    for case, changes in {
        "photo": {"sha256": sha256_of_file(place / "photos" / held["file"])},
        "person": {"group": held["group"]},
    }.items():
        shutil.copytree(trained.path, seen)
        run = PixelRun.load(seen)
        if case == "person":
            run.update(dataset=str((place / "photos").resolve()))
        run.save_split([replace(row, **changes) if row.part == "train" else row for row in run.split()])
        sentence = one_sentence_error(cli(*command, cwd=place))
        assert '"seen" was trained on' in sentence
        assert "photos held out" in sentence
        shutil.rmtree(seen)
    assert not (place / "exported_models/refused").exists()


# What cannot be


def test_a_table_of_landmarks_has_no_pixels(tmp_path: Path, cli: Cli) -> None:
    table = table_of(tmp_path / "hands.parquet", 30)
    done = cli("compare", table, "--with", "image", "--image-weights", "none", cwd=tmp_path)
    assert "hands.parquet is a table of landmarks, in which there are no pixels" in one_sentence_error(done)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--with", "pixels"), "--with"),
        (("--image-size", "64"), "--with image"),
        (("--image-run", "first"), "--with image"),
        (("--with", "image", "--image-run", "first", "--image-epochs", "3"), "--image-epochs"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(
    options: tuple[str, ...], hint: str, tmp_path: Path, cli: Cli
) -> None:
    done = cli("compare", "photos", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert hint in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--image-backbone", "vgg"), 'no backbone "vgg"'),
        (("--image-size", "8"), "image_size is 8"),
        (("--image-crop", "face"), "no crop 'face'"),
        (("--image-quantize", "int4"), "no quantization 'int4'"),
        (("--image-weights", "gone.h5"), "no file gone.h5"),
        (("--image-run", "gone"), 'no run "gone"'),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_looked_at(
    options: tuple[str, ...], told: str, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "photos").mkdir()
    weights = () if {"--image-weights", "--image-run"} & set(options) else ("--image-weights", "none")
    done = cli("compare", "photos", "--with", "image", *weights, *options, cwd=tmp_path)
    assert told in one_sentence_error(done)
    assert not (tmp_path / "exported_models").exists()


# Who is on which side


PHOTOS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["", "p1", "p2", "p3", "p4"]), st.booleans()),
    min_size=4,
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(PHOTOS, st.sets(st.sampled_from(["p1", "p2", "p3", "p4"])), st.integers(0, 3))
def test_photos_without_a_hand_go_with_their_person(
    tmp_path_factory: pytest.TempPathFactory, photos: list[tuple[str, str, bool]], tested: set[str], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("sides")
    names = [f"{label}/{group or 'x'}_{number}.jpg" for number, (label, group, _) in enumerate(photos)]
    for name in names:
        write(folder / name, name)
    seen = [(name, label, group) for name, (label, group, hand) in zip(names, photos, strict=True) if hand]
    search, held = (_hands(folder, [one for one in seen if (one[2] in tested) == wanted]) for wanted in (False, True))
    group_by = r"p\d" if any(group for _, group, _ in photos) else None
    sides = sides_of(Parts(search, np.zeros(len(search), np.int64), 2, held, ()), None, group_by, seed)
    parts = {one.photo.file: name for name, its in (("trained", sides.trained), ("held", sides.held)) for one in its}
    assert sorted(parts) == sorted(names)
    assert len(sides.trained) + len(sides.held) == len(names)
    side = {name: "held" if group in tested else "trained" for name, _, group in seen}
    assert {name: parts[name] for name in side} == side
    by_person: dict[str, set[str]] = {}
    for name, (_, group, _) in zip(names, photos, strict=True):
        by_person.setdefault(group or name, set()).add(parts[name])
    assert set(map(len, by_person.values())) == {1}
    known = {group for _, _, group in seen if group} | {name for name, _, group in seen if not group}
    dealt = [its for person, its in by_person.items() if person not in known]
    assert Counter(next(iter(its)) for its in dealt)["held"] == -(-len(dealt) // 5)


def _hands(place: Path, seen: list[tuple[str, str, str]]) -> LabelledHands:
    files = tuple(name for name, _, _ in seen)
    return LabelledHands(
        place,
        ("none", "a", "b"),
        np.zeros((len(seen), 127), np.float32),
        np.array(["nab".index(label) for _, label, _ in seen], np.int64),
        tuple(group for _, _, group in seen),
        tuple(sha256_of(name.encode()) for name in files),
        files,
        {},
    )
