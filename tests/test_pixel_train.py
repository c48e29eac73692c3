"""Training on pixels: the two stages, weights to begin with, the run folder and its parts, and photos and names that cannot be used."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
from conftest import Cli
from file_server import serving_files
from hand_photos import QUICK, hand_photos
from helpers import one_sentence_error, photo, tree, write

from gesture_maker.errors import ConfigError, DatasetError, GestureMakerError, RunError
from gesture_maker.files import sha256_of, sha256_of_file
from gesture_maker.images import read_image
from gesture_maker.pixels.pictures import Seeing
from gesture_maker.pixels.prepare import Prepared, prepare_photos, read_pictures, write_pictures
from gesture_maker.pixels.run import PixelRun
from gesture_maker.pixels.train import resume_pixels, train_pixels
from gesture_maker.pixels.weights import find_weights
from gesture_maker.training.pixels import fitting
from gesture_maker.training.pixels.augment import Pictures
from gesture_maker.training.pixels.backbones import BACKBONES
from gesture_maker.training.pixels.fitting import TOP, TUNED, Fitted, fit, predict
from gesture_maker.training.pixels.settings import PixelSettings

SMALL = "mobilenetv3-small"
CLOSED = "http://127.0.0.1:{port}/weights.h5"


class TrainingNotWantedError(GestureMakerError):
    """Raised in place of the training."""


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop when the run folder is made and the network would be trained, for tests of what comes before it."""

    def stop(*_: object, **__: object) -> Fitted:
        raise TrainingNotWantedError("This test is about what comes before the training.")

    monkeypatch.setattr(fitting, "fit", stop)


def begun(dataset: Path, **more: Any) -> PixelRun:
    """Return the run of a training that came as far as its first epoch."""
    given = {"weights": "none", "settings": {"backbone": SMALL, "image_size": 32}, **more}
    with pytest.raises(TrainingNotWantedError):
        train_pixels(dataset, name="begun", **given)
    return PixelRun.load("begun")


def noise_dataset(root: Path, labels: Sequence[str] = ("a", "b"), people: int = 4) -> Path:
    """Make a dataset of small photos of nothing, two of each person."""
    for place, label in enumerate(labels):
        for number in range(2 * people):
            content = photo(100 * place + number, ".png")
            write(root / label / f"p{number // 2}_{number}.png", content)
    return root


BY_PERSON = r"^(p\d)"


# The run folder


def test_people_are_in_one_part_each_and_all_photos_are_accounted_for(pixels_made: PixelRun) -> None:
    rows = pixels_made.split()
    assert len(rows) == 120
    parts = defaultdict(set)
    for row in rows:
        assert row.group
        parts[row.group].add(row.part)
        assert not row.reason
    assert len(parts) == 10
    assert all(len(its) == 1 for its in parts.values())
    counts = {part: sum(row.part == part for row in rows) for part in ("train", "validation", "test")}
    assert counts == {"train": 72, "validation": 24, "test": 24}


def test_it_tells_people_it_has_not_seen_what_they_show(pixels_made: PixelRun) -> None:
    about = pixels_made.description
    assert about["measured"]["test"]["accuracy"] >= 0.6  # 0.83 here; by chance 0.33
    assert about["measured"]["test"]["photos"] == 24
    assert pixels_made.labels == ("1_A", "5_A", "S_A")
    assert about["stages"].keys() == {TUNED}
    assert about["kept"] == TUNED
    assert about["masks"] == 72
    assert (
        about["parameters"] > about["learned"] > 0.9 * about["parameters"]
    )  # the rest are running means and variances
    assert about["stages"][TUNED]["test"]["accuracy"] == pytest.approx(
        about["measured"]["test"]["accuracy"], abs=1 / 24 + 1e-6
    )
    files = {path.name for path in pixels_made.path.iterdir()}
    assert files == {
        *("image.json", "split.csv", "labels.txt", "model.keras", "model.tflite", "head.npz", "history.csv"),
        *("curves.png", "confusion_matrix.png"),
    }
    assert about["keras_sha256"] == sha256_of_file(pixels_made.path / "model.keras")


def test_a_finished_run_is_left_alone(pixels_place: Path, pixels_made: PixelRun, tmp_path: Path) -> None:
    runs = pixels_place / "exported_models"
    before = tree(pixels_made.path)
    with pytest.raises(RunError, match='There is already a run "first"'):
        train_pixels(pixels_place / "datasets/hands", name="first", weights="none", settings=QUICK, runs=runs)
    with pytest.raises(RunError, match='The run "first" is finished: there is nothing to resume'):
        resume_pixels(pixels_made.path)
    assert tree(pixels_made.path) == before
    copy = PixelRun.load_finished(shutil.copytree(pixels_made.path, tmp_path / "copy"))
    write(copy.path / "model.tflite", copy.model() + b"more")
    with pytest.raises(RunError, match="is not what the training wrote"):
        PixelRun.load_finished(copy.path)
    for damaged in ({"seeing": {"crop": "face", "margin": 0.2}}, {"settings": {"backbone": "vgg"}}, {"seeing": 3}):
        run = PixelRun(copy.path, {**pixels_made.description, **damaged})
        with pytest.raises(RunError, match=r"image\.json is damaged: train again"):
            assert run.seeing


# Two stages


@pytest.fixture(scope="module")
def parts(pixels_place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, dict[str, Pictures]]:
    """The pictures that the run in `pixels_place` was trained on."""
    seeing = Seeing(QUICK["image_size"])
    prepared = prepare_photos(pixels_place / "datasets/hands", seeing)
    folder = tmp_path_factory.mktemp("parts") / "pictures"
    write_pictures(prepared, seeing, folder)
    return prepared, read_pictures(folder)


@pytest.fixture(scope="module")
def staged(
    pixels_place: Path, parts: tuple[Prepared, dict[str, Pictures]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[PixelSettings, Fitted, list[tuple[int, int]]]:
    """The top trained on the weights of that run, then its last stage, which a rate that is too high spoils."""
    weights = find_weights(pixels_place / "exported_models/first/model.keras", SMALL)
    assert weights is not None
    given = {**QUICK, "ease_in": 0, "top_epochs": 3, "top_learning_rate": 0.01, "stages": 1, "epochs": 8}
    settings = PixelSettings.of({**given, "learning_rate": 0.05, "stop_patience": 2}, pretrained=True)
    told: list[tuple[int, int]] = []
    fitted = fit(
        parts[1],
        parts[0].labels,
        settings,
        tmp_path_factory.mktemp("staged"),
        weights=weights.path,
        progress=lambda *at: told.append(at),
    )
    return settings, fitted, told


def test_both_accuracies_are_kept_and_the_better_stage(
    staged: tuple[PixelSettings, Fitted, list[tuple[int, int]]], parts: tuple[Prepared, dict[str, Pictures]]
) -> None:
    _, fitted, _ = staged
    assert list(fitted.stages) == [TOP, TUNED]
    for stage in fitted.stages.values():
        for part in ("validation", "test"):
            assert 0 <= stage[part]["accuracy"] <= 1
            assert stage[part]["loss"] > 0
    top, tuned = (fitted.stages[name]["validation"] for name in (TOP, TUNED))
    assert top["accuracy"] > 0.5, "what the backbone knows is enough for the top"
    assert fitted.kept == (TUNED if tuned["loss"] <= top["loss"] else TOP) == TOP
    its = parts[1]["validation"]
    scores = predict(fitted.path, its.x)
    assert (scores.argmax(axis=1) == its.y).mean() == pytest.approx(top["accuracy"])
    assert not list(fitted.path.parent.glob("*.npz")), "checkpoints are gone"


def test_it_stops_early_and_says_all_epochs(staged: tuple[PixelSettings, Fitted, list[tuple[int, int]]]) -> None:
    settings, fitted, told = staged
    stage = fitted.stages[TUNED]
    assert stage["epochs"] == min(settings.epochs, stage["best_epoch"] + settings.stop_patience) < settings.epochs
    rows = [(row["stage"], row["epoch"]) for row in fitted.history]
    assert rows == [(TOP, n) for n in (1, 2, 3)] + [(TUNED, n) for n in range(1, stage["epochs"] + 1)]
    assert {row["learning_rate"] for row in fitted.history if row["stage"] == TOP} == {0.01}
    best = min((row for row in fitted.history if row["stage"] == TUNED), key=lambda row: row["val_loss"])
    assert best["epoch"] == stage["best_epoch"]
    done = [at[0] for at in told]
    assert done == sorted(done)
    assert {at[1] for at in told} == {9 * (settings.top_epochs + settings.epochs)}
    assert fitted.learned < 0.8 * fitted.parameters


# Weights


def test_weights_of_a_file_are_checked(pixels_made: PixelRun, tmp_path: Path) -> None:
    keras = pixels_made.path / "model.keras"
    found = find_weights(keras, SMALL)
    assert found is not None
    assert (found.name, found.sha256) == ("model.keras", sha256_of_file(keras))
    assert find_weights("none", SMALL) is None
    lone = Path(shutil.copy(keras, tmp_path / "lone.keras"))
    assert find_weights(lone, SMALL, found.sha256.upper()) == replace(found, path=lone, name="lone.keras")
    other = write(tmp_path / "other.h5", b"weights")
    sha256 = sha256_of(b"weights")
    for given, wanted, message in (
        (lone, None, f"lone.keras is of no run: if you trust it, add --weights-sha256 {found.sha256}"),
        (lone, "0" * 64, f"lone.keras has the SHA-256 {found.sha256}, not {'0' * 64}: download it again"),
        (other, None, "other.h5 is not the file that Keras publishes for MobileNetV3-Small (weights_mobilenet"),
        (other, None, f"add --weights-sha256 {sha256}"),
        (tmp_path / "gone.h5", None, "gone.h5 of weights: give one, or imagenet or none"),
    ):
        with pytest.raises(ConfigError) as caught:
            find_weights(given, SMALL, wanted)
        assert message in str(caught.value)
    own = shutil.copytree(pixels_made.path, tmp_path / "own")
    write(own / "model.keras", keras.read_bytes() + b"more")
    with pytest.raises(ConfigError, match="is not what its training wrote"):
        find_weights(own / "model.keras", SMALL)


def test_weights_that_do_not_fit_are_one_sentence(parts: tuple[Prepared, dict[str, Pictures]], tmp_path: Path) -> None:
    lone = write(tmp_path / "other.h5", b"weights")
    with pytest.raises(
        ConfigError, match="no weights that fit MobileNetV3-Small without its top: give the file that Keras"
    ):
        fit(parts[1], parts[0].labels, PixelSettings.of(QUICK, pretrained=True), tmp_path, weights=lone)
    assert not (tmp_path / "model.keras").exists()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where downloaded weights go."""
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    return tmp_path / "cache/weights"


def test_imagenet_without_a_network_is_one_sentence(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = CLOSED.format(port=closed.getsockname()[1])
        monkeypatch.setitem(BACKBONES, SMALL, replace(BACKBONES[SMALL], url=url))
        noise_dataset(tmp_path / "photos")
        done = cli("image", "train", "photos", "--backbone", SMALL, cwd=tmp_path)
    sentence = one_sentence_error(done)
    assert sentence.startswith("The weights of MobileNetV3-Small cannot be downloaded (")
    assert sentence.endswith("or train without them with --weights none.")
    assert url in sentence
    assert not (tmp_path / "exported_models").exists()
    assert not list(cache.glob("*.h5"))


def test_published_weights_come_once_and_only_as_they_were_published(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"weights"
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    with serving_files() as server:
        monkeypatch.setitem(BACKBONES, SMALL, replace(BACKBONES[SMALL], url=f"{server.address}/w.h5", md5=md5))
        server.files["w.h5"] = b"others"
        with pytest.raises(ConfigError, match="cannot be downloaded"):
            find_weights("imagenet", SMALL)
        server.files["w.h5"] = content
        found = find_weights("imagenet", SMALL)
        assert found is not None
        assert (found.name, found.path, found.sha256) == ("imagenet", cache / "w.h5", sha256_of(content))
        asked = len(server.asked)
        assert find_weights("imagenet", SMALL) == found
        assert len(server.asked) == asked
        given = find_weights(found.path, SMALL)
        assert given is not None
        assert given.sha256 == found.sha256


# Photos


@pytest.mark.usefixtures("no_training")
def test_photos_that_cannot_be_used_are_told_and_empty_classes_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = noise_dataset(tmp_path / "mein Café 👋/Hände & mehr", ("pouce levé", "手势"))
    (dataset / "empty").mkdir()
    write(dataset / "pouce levé/p0_damaged.jpg", b"not a photo")
    write(dataset / "手势/notes.txt", "text")
    run = begun(dataset, group_by=BY_PERSON)
    assert run.labels == ("pouce levé", "手势")
    rows = {row.file: row for row in run.split()}
    assert len(rows) == 17
    bad = rows["pouce levé/p0_damaged.jpg"]
    assert (bad.part, bool(bad.reason)) == ("", True)
    assert all(row.part and not row.reason and row.group for row in rows.values() if row is not bad)
    assert run.description["unusable"] == 1
    warnings = "\n".join(run.description["warnings"])
    assert 'The class "empty" is left out: it is empty.' in warnings
    assert "1 file is no image and was passed over" in warnings
    assert "No groups" not in warnings
    assert (run.path / "labels.txt").read_text(encoding="utf-8") == "pouce levé\n手势\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("one class", 'only the class "a" has photos: to tell classes apart there have to be two at least'),
        ("no class", "no class has photos"),
        ("none readable", 'No photo of the class "b" can be read ('),
        ("nowhere", "There is no folder"),
        ("other classes", "has classes that"),
    ],
)
@pytest.mark.usefixtures("no_training")
def test_bad_input_datasets(change: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = tmp_path / "photos"
    more: dict[str, Any] = {}
    if change != "nowhere":
        noise_dataset(dataset)
    for label in {"one class": ("b",), "no class": ("a", "b"), "none readable": ("b",)}.get(change, ()):
        for path in (dataset / label).iterdir():
            path.write_bytes(b"no photo") if change == "none readable" else path.unlink()
    if change == "other classes":
        more["test"] = noise_dataset(tmp_path / "others", ("a", "c"))
    with pytest.raises(DatasetError) as caught:
        train_pixels(dataset, weights="none", settings={"backbone": SMALL}, **more)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "exported_models").exists()


@pytest.mark.usefixtures("no_training")
def test_another_dataset_is_the_test_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    test = noise_dataset(tmp_path / "others", people=2)
    run = begun(noise_dataset(tmp_path / "photos"), test=test, group_by=BY_PERSON)
    assert {path for path, _ in run.photos_of("test")} == set(test.rglob("*.png"))
    assert len(run.photos_of("train")) + len(run.photos_of("validation")) == 16
    run.check_photos(run.photos_of("test"))


@pytest.mark.usefixtures("no_training")
def test_where_nothing_can_be_written_it_says_so_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    noise_dataset(tmp_path / "photos")
    write(tmp_path / "exported_models", "a file")
    with pytest.raises(RunError, match="exported_models is a file, where the folder for runs has to be: rename it"):
        train_pixels("photos", weights="none")
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda *_: False)  # a superuser may write anywhere
        (tmp_path / "exported_models").unlink()
        with pytest.raises(RunError, match="cannot be written to: change its permissions"):
            train_pixels("photos", weights="none")


@pytest.mark.parametrize(("given", "flip"), [({}, False), ({"flip": True}, True), ({"flip": False}, False)])
@pytest.mark.usefixtures("no_training")
def test_classes_that_are_called_by_sides_are_not_mirrored(
    given: dict[str, Any], flip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = noise_dataset(tmp_path / "photos", ("thumb_left", "thumb_Right", "cleft", "leftover"))
    run = begun(dataset, settings={"backbone": SMALL, "image_size": 32, **given})
    assert run.settings.flip is flip
    told = [one for one in run.description["warnings"] if "mirrored" in one]
    assert bool(told) == (given == {})
    assert all("left or right (thumb_Right, thumb_left): --flip does it" in one for one in told)


@pytest.mark.usefixtures("no_training")
def test_cropped_to_the_hand_or_whole_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = hand_photos(tmp_path / "hands", range(1, 4), 1, ("5_A", "S_A"))
    write(dataset / "S_A/nothing.png", photo(1, ".png", (60, 40)))
    run = begun(dataset, crop="hand", margin=0.5)
    assert run.seeing == Seeing(32, "hand", 0.5)
    prepared = prepare_photos(dataset, run.seeing)  # from the table by now
    found = {one.image.path.name: one.hand for one in prepared.photos}
    assert found["nothing.png"] is None
    assert sum(hand is not None for hand in found.values()) >= 4
    assert prepared.fingerprint == run.description["fingerprint"]
    assert not prepared.unused
    for part, its in read_pictures(run.path / "pictures").items():
        for number, one in enumerate(prepared.of_part(part)):
            pixels = read_image(one.image.path)
            seen = run.seeing.picture(pixels, run.seeing.box(pixels, one.hand))
            np.testing.assert_array_equal(its.x[number], seen)


# Interrupted


def test_what_a_resumed_training_needs_has_to_be_there(
    pixels_made: PixelRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = noise_dataset(tmp_path / "photos")
    weights = Path(shutil.copy(pixels_made.path / "model.keras", tmp_path / "own.keras"))

    def interrupted(*_: object, **__: object) -> Fitted:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "fit", interrupted)
        settings = {"backbone": SMALL, "image_size": 32}
        with pytest.raises(KeyboardInterrupt, match="continue it with `gesture-maker image train --resume kept`"):
            train_pixels(
                dataset, name="kept", settings=settings, weights=weights, weights_sha256=sha256_of_file(weights)
            )
    run = PixelRun.load("kept")
    assert json.loads((run.path / "image.json").read_text())["status"] == "unfinished"
    with pytest.raises(RunError, match="was never finished: continue it with"):
        PixelRun.load_finished("kept")
    write(weights, b"others")
    with pytest.raises(ConfigError, match="is not the file of weights any more that the training began with"):
        resume_pixels("kept")
    for damaged in ("train_x.npy", "train.npz"):
        for content in (b"", b"no picture"):
            write(run.path / "pictures" / damaged, content)
            with pytest.raises(RunError, match="pictures is missing or damaged: train again"):
                resume_pixels("kept")
    shutil.rmtree(run.path / "pictures")
    with pytest.raises(RunError, match="pictures is missing or damaged: train again"):
        resume_pixels("kept")
