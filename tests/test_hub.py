"""Sharing models: what is pushed, what is not, and that what is pulled is the same and works."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Cli, Trained
from hands import drawn, drawn_dataset, silent_bundle
from helpers import one_sentence_error, tree, write
from hub_runs import LABELS, PEOPLE, Shared, image_run, tiny_model, tiny_picture
from hub_server import hub_server
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.errors import GestureMakerError, HubError, RunError
from gesture_maker.files import sha256_of
from gesture_maker.hub.reading import published_values
from gesture_maker.motion.features import Features
from gesture_maker.motion.run import MotionRun
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.training.motion.settings import MotionSettings


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    with hub_server() as server:
        yield Shared.at_home(server, tmp_path, monkeypatch)


@pytest.fixture
def static(trained: Trained, shared: Shared) -> Path:
    """A run that was trained and exported, in the working folder."""
    return shutil.copytree(trained.run, shared.place / "exported_models/first")


# Round trip


def test_a_static_run_comes_back_byte_for_byte(static: Path, shared: Shared) -> None:
    told: list[tuple[int, int]] = []
    pushed = shared.push("first", progress=lambda *one: told.append(one))
    assert pushed.repo == "anna/rps"
    assert pushed.address == f"{shared.server.address}/anna/rps"
    assert (pushed.private, pushed.again) == (True, False)
    assert told[-1][0] == told[-1][1] > static.joinpath("gesture_recognizer.task").stat().st_size
    expected = {"README.md", "confusion_matrix.png", "gesture_maker.json", "gesture_recognizer.task", "labels.txt"}
    assert set(pushed.files) == expected
    assert set(shared.repository.files()) == {*expected, ".gitattributes"}

    told.clear()
    pulled = shared.pull(name="theirs", progress=lambda *one: told.append(one))
    assert (pulled.path, pulled.kind) == (Path("exported_models/theirs"), "static")
    assert (pulled.revision, pulled.fingerprint, pulled.again) == (pushed.commit, pushed.fingerprint, False)
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    got = tree(pulled.path)
    assert got.keys() == {*expected, "pulled.json"}
    for name in ("gesture_recognizer.task", "labels.txt", "confusion_matrix.png"):
        assert got[name] == (static / name).read_bytes()
    for name in expected:
        assert got[name] == shared.repository.files()[name]


@pytest.mark.usefixtures("static")
def test_a_pulled_run_is_used_like_ones_own(shared: Shared, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    shared.push("first")
    shared.pull(name="theirs")
    photos = drawn_dataset(shared.place / "photos", ("none", "victory"), 2)
    evaluated = cli("eval", "theirs", photos, "--out", "results", cwd=shared.place)
    assert evaluated.returncode == 0, evaluated.stderr
    own = cli("eval", "first", photos, "--out", "own_results", cwd=shared.place)
    assert own.returncode == 0
    same = answers_in(shared.place / "results")
    assert same == answers_in(shared.place / "own_results")
    assert len(same) == 4

    monkeypatch.setenv("HF_TOKEN", shared.token)
    monkeypatch.setenv("HF_ENDPOINT", shared.server.address)
    named = cli("eval", "hf://anna/rps", photos, cwd=shared.place)
    assert named.returncode == 0, named.stderr
    assert answers_in(shared.place / "rps_evaluation/photos") == same

    with Recorder(shared.place / "film.mp4") as film:
        for number in range(3):
            film.add(drawn("victory")[0], number / 25)
    watched = cli("live", "hf://anna/rps", "film.mp4", "--headless", "--out", "frames.csv", cwd=shared.place)
    assert watched.returncode == 0, watched.stderr
    assert (shared.place / "frames.csv").read_text().count("\n") >= 3


def answers_in(folder: Path) -> list[tuple[str, str, str]]:
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        return [(row["file"], row["answer"], row["score"]) for row in csv.DictReader(file)]


def test_a_comparison_is_shared(shared: Shared) -> None:
    folder, task = comparison(shared.place / "exported_models/compared")
    pushed = shared.push("compared")
    about = shared.manifest()["about"]
    assert about["lines"][0]["test"]["accuracy"] == 0.9
    assert "data" not in about
    assert not about["settings"].get("group_by")
    pulled = shared.pull()
    assert pulled.kind == "comparison"
    assert (pulled.path / "gesture_recognizer.task").read_bytes() == task
    assert (pulled.path / "labels.txt").read_text() == "none\n"
    assert "comparison.json" not in pushed.files
    values = metadata(shared)["model-index"][0]["results"][0]["metrics"]
    assert [one["value"] for one in values] == [0.9, 0.8]
    assert folder.is_dir()


def comparison(folder: Path) -> tuple[Path, bytes]:
    """Write a comparison's folder and return it with its bundle, whose only answer is `None`."""
    from gesture_maker.classifiers.comparison import Comparison, Line, Scores

    task = silent_bundle()
    write(folder / "gesture_recognizer.task", task)
    write(
        folder / "gesture_recognizer.md",
        f"# Forest\n\nSHA-256 `{sha256_of(task)}`.\n\n## Gestures\n\n`None`\n\n## Use\n\nSo.\n",
    )
    test, cross = Scores(0.9, 0.9, 0.9, 0.9), Scores(0.8, 0.8, 0.8, 0.8)
    line = Line(
        "random-forest", "forest", "builtin", {"trees": 5}, 3, cross, 0.01, test, 1.0, 1e-5, 900, 1e-6, "random-forest"
    )
    about = ("f" * 64, ("none",), {"seed": 0, "group_by": "^Annabell"}, {"search": 40, "test": 10})
    Comparison(folder, str(folder / "data"), *about, (line,), ((10,),), {"python": "3"}, "2026").save()
    write(folder / "random-forest/model.skops", b"an estimator")
    return folder, task


def test_a_run_that_is_described_keeps_what_running_it_needs(shared: Shared) -> None:
    folder = image_run(shared.place / "exported_models")
    shared.push("pixels")
    pulled = shared.pull()
    description = json.loads((pulled.path / "image.json").read_text())
    assert description["labels"] == list(LABELS)
    assert description["background"] == "none"
    assert description["model_sha256"] == sha256_of((pulled.path / "model.tflite").read_bytes())
    assert description["settings"] == {"epochs": 3, "learning_rate": 0.001, "weights_from": None}
    assert description["clips"] == {"train": 20, "test": 8}
    assert (folder / "model.tflite").read_bytes() == (pulled.path / "model.tflite").read_bytes()


def test_a_motion_run_that_was_pulled_is_a_finished_run(shared: Shared) -> None:
    folder = shared.place / "exported_models/moves"
    labels = ["still", "swipe_left", "swipe_right"]
    features = vars(Features(length=30))
    scores = {"precision": 1.0, "recall": 0.9, "f1": 0.947, "support": 9}
    measured = {"accuracy": 0.98, "clips": 40, "per_class": {"still": scores, "swipe_left": scores}, "interval": None}
    description = {
        "kind": MotionRun.KIND,
        "status": "finished",
        "labels": labels,
        "background": "still",
        "dataset": str(shared.place / "films_of_Annabell"),
        "features": features,
        "settings": MotionSettings().to_json(),
        "shares": [64, 16, 20],
        "clips": {"train": 128, "test": 40},
        "measured": {"validation": {**measured, "accuracy": 0.99}, "test": measured},
        "model_sha256": sha256_of(tiny_model()),
    }
    write(folder / "motion.json", json.dumps(description))
    write(folder / "model.tflite", tiny_model())
    write(folder / "model.keras", b"code")
    write(folder / "split.csv", "Annabell/1.mp4,still,Annabell,train\n")
    shared.push("moves")
    run = MotionRun.load_finished(shared.pull().path)
    assert (list(run.labels), run.background) == (labels, "still")
    assert run.features == Features(length=30)
    assert MotionSettings.from_json(run.description["settings"]) == MotionSettings()
    assert run.model() == tiny_model()
    metrics = metadata(shared)["model-index"][0]["results"][0]["metrics"]
    assert [one["value"] for one in metrics] == [0.98, 0.99]
    assert metadata(shared)["pipeline_tag"] == "video-classification"
    text = shared.repository.files()["README.md"].decode()
    assert "gesture-maker motion live hf://anna/rps" in text
    assert "| `swipe_left` | 1.000 | 0.900 | 0.947 | 9 |" in text


# What leaves the machine


def test_nothing_private_leaves_the_machine(static: Path, shared: Shared) -> None:
    image_run(shared.place / "exported_models")
    description = json.loads((static / "run.json").read_text())
    description["warnings"] = ["Annabell_000007.jpg shows no hand."]
    description["dataset"] = str(shared.place / "photos_of_Bartholomew")
    (static / "run.json").write_text(json.dumps(description))
    shared.push("first", "anna/first")
    shared.push("pixels", "anna/pixels")
    sent = [
        content
        for name in ("first", "pixels")
        for content in shared.server.repositories[f"anna/{name}"].files().values()
    ]
    sent += shared.server.stored.values()
    for content in sent:
        for person in PEOPLE:
            assert person.encode() not in content
        assert str(shared.place).encode() not in content
    names = {*shared.server.repositories["anna/pixels"].files()} - {".gitattributes"}
    assert names == {
        "README.md",
        "confusion_matrix.png",
        "gesture_maker.json",
        "image.json",
        "labels.txt",
        "model.tflite",
    }


def test_a_path_in_the_card_is_not_pushed(static: Path, shared: Shared) -> None:
    card = static / "gesture_recognizer.md"
    card.write_text(card.read_text() + f"\nPhotos: {shared.place}/photos\n")
    with pytest.raises(HubError, match=r"README\.md would tell where it was made"):
        shared.push("first")
    assert shared.server.repositories == {}


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


@given(
    st.recursive(
        st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["dataset", "per_person", "test_photos"]), plain, max_size=4
        ),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(["dataset", "groups", "per_person", "files", "warnings", "by_group"]),
)
def test_published_values_hold_nothing_private_at_any_depth(values: Any, key: str) -> None:
    secret = {key: ["Annabell"], "place": "/home/Annabell/photos", "kept": 1}
    told = json.dumps(published_values({"a": [values, {"b": secret}]}))
    assert "Annabell" not in told
    assert '"kept": 1' in told
    assert published_values(published_values(values)) == published_values(values)


def test_it_is_private_unless_all_may_see_it(shared: Shared) -> None:
    image_run(shared.place / "exported_models")
    assert shared.push("pixels").private
    assert shared.repository.private
    stranger = shared.server.token("ben")
    with pytest.raises(HubError, match="There is no repository anna/rps"):
        shared.pull(token=stranger, name="b")
    assert shared.push("pixels", "anna/open", public=True).private is False
    with pytest.raises(HubError, match=r"anna/open on .* is public: push with --public"):
        shared.push("pixels", "anna/open")
    assert shared.pull("anna/open", token="", name="c").kind == "image"


def test_what_the_hub_has_is_not_sent_again(shared: Shared) -> None:
    folder = image_run(shared.place / "exported_models")
    first = shared.push("pixels")
    again = shared.push("pixels")
    assert (again.again, again.commit) == (True, first.commit)
    (folder / "confusion_matrix.png").write_bytes(tiny_picture(3))
    shared.server.requests.clear()
    assert not shared.push("pixels").again
    assert sum(method == "PUT" for method, _ in shared.server.requests) == 1


@pytest.mark.usefixtures("static")
def test_a_model_of_another_kind_takes_the_files_of_the_one_before_away(shared: Shared) -> None:
    image_run(shared.place / "exported_models")
    shared.push("pixels")
    shared.repository.change(**{"photo_of_me__jpg": b"\xff\xd8"})
    shared.push("first")
    files = set(shared.repository.files())
    assert {"photo_of_me.jpg", "gesture_recognizer.task"} <= files
    assert not files & {"model.tflite", "image.json"}


def test_a_branch_is_made_and_pulled(shared: Shared) -> None:
    image_run(shared.place / "exported_models")
    shared.push("pixels")
    image_run(shared.place / "exported_models", settings={"epochs": 9})
    pushed = shared.push("pixels", revision="trial/nine", message="Longer")
    assert shared.repository.messages[pushed.commit] == "Longer"
    epochs = {}
    for revision in ("main", "trial/nine"):
        path = shared.pull(revision=revision, name=revision[:4]).path
        epochs[revision] = json.loads((path / "image.json").read_text())["settings"]["epochs"]
    assert epochs == {"main": 3, "trial/nine": 9}


def test_a_name_alone_is_ones_own(shared: Shared) -> None:
    image_run(shared.place / "exported_models")
    assert shared.push("pixels", "rps").repo == "anna/rps"


# Runs that cannot be pushed


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("nowhere", 'There is no run "nowhere"'),
        ("unexported", "make it with `gesture-maker export first`"),
        ("unfinished", "was never finished: continue it with"),
        ("other card", "export or compare again"),
        ("empty", "is no run: it has none of run.json"),
        ("file", "is a file: name the run"),
        ("pulled", "was pulled from a Hub"),
        ("other model", "is not what the training wrote"),
    ],
)
def test_what_is_no_exported_run_is_told_in_a_sentence(spoil: str, message: str, static: Path, shared: Shared) -> None:
    run: str | Path = "first"
    if spoil == "nowhere":
        run = "nowhere"
    elif spoil == "unexported":
        (static / "gesture_recognizer.task").unlink()
    elif spoil == "unfinished":
        description = json.loads((static / "run.json").read_text()) | {"status": "unfinished"}
        (static / "run.json").write_text(json.dumps(description))
    elif spoil == "other card":
        (static / "gesture_recognizer.task").write_bytes(silent_bundle())
    elif spoil == "empty":
        run = "exported_models"
    elif spoil == "file":
        run = static / "gesture_recognizer.task"
    elif spoil == "pulled":
        image_run(shared.place / "exported_models")
        shared.push("pixels")
        run = shared.pull().path
        shared.server.repositories.clear()
    else:
        run = image_run(shared.place / "exported_models", model_sha256="0" * 64)
    with pytest.raises((RunError, HubError), match=message):
        shared.push(run)
    assert shared.server.repositories == {}


# The model card


def metadata(shared: Shared) -> dict[str, Any]:
    text = shared.repository.files()["README.md"].decode()
    block = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(block, dict)
    return block


def test_the_card_is_what_the_hub_reads(static: Path, shared: Shared) -> None:
    from huggingface_hub import ModelCard

    shared.push("first", license_name="apache-2.0")
    text = shared.repository.files()["README.md"].decode()
    card = ModelCard(text)
    assert card.data.license == "apache-2.0"
    assert card.data.pipeline_tag == "image-classification"
    assert {"mediapipe", "gesture-recognition", "hand-landmarks", "tflite", "gesture-maker"} == set(card.data.tags)
    [result] = card.data.eval_results
    metrics = json.loads((static / "metrics.json").read_text())
    assert result.metric_type == "accuracy"
    assert result.metric_value == round(metrics["test"]["accuracy"], 4)
    assert "held back from training" in result.metric_name
    assert text.count("\n# ") == 1
    assert "\n# rps: a MediaPipe gesture recognizer\n" in text
    for part in ("hf://anna/rps", "## Measured", "![Confusion matrix](confusion_matrix.png)", "import mediapipe as mp"):
        assert part in text
    assert text.index("gesture-maker live hf://") < text.index("import mediapipe as mp")
    assert "first" not in text.replace("at first", "")


def test_the_card_of_a_described_model(shared: Shared) -> None:
    image_run(shared.place / "exported_models")
    shared.push("pixels")
    block, text = metadata(shared), shared.repository.files()["README.md"].decode()
    assert "license" not in block
    [metric] = block["model-index"][0]["results"][0]["metrics"]
    assert metric["value"] == 0.9725
    assert "- Accuracy on the test part, held back from training: 0.973 (120 photos)." in text
    assert "`open_palm`, `victory`. `none` is the answer" in text


def test_a_model_that_was_not_measured_says_so(shared: Shared) -> None:
    image_run(shared.place / "exported_models", measured={})
    shared.push("pixels")
    assert "model-index" not in metadata(shared)
    assert "\nNot measured.\n" in shared.repository.files()["README.md"].decode()


# The commands


def test_the_commands(shared: Shared, cli: Cli) -> None:
    image_run(shared.place / "exported_models")
    (shared.place / "token").write_text(f"{shared.token}\n")
    where = ("--token-file", "token", "--endpoint", shared.server.address)
    done = cli("hub", "push", "pixels", "rps", *where, cwd=shared.place)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Pushed to {shared.server.address}/anna/rps (private), commit " in done.stdout
    fingerprint = done.stdout.split("Fingerprint: ")[1].strip()
    done = cli("hub", "pull", "anna/rps", "--fingerprint", fingerprint, *where, cwd=shared.place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Written: exported_models/rps (" in done.stdout
    assert "Try it:  gesture-maker image live rps" in done.stdout
    done = cli("hub", "pull", "anna/rps", *where, cwd=shared.place)
    assert done.stdout.startswith("Already there: exported_models/rps is anna/rps at ")
    assert (shared.place / "exported_models/rps/model.tflite").read_bytes() == tiny_model()
    done = cli("hub", "push", "pixels", "rps", "--public", *where, cwd=shared.place)
    assert "Nothing is new in" in done.stdout
    assert "It was made private before and stays so" in done.stdout
    wrong = cli("hub", "pull", "anna/rps", "--name", "b", "--fingerprint", "0" * 64, *where, cwd=shared.place)
    assert "it is another model" in one_sentence_error(wrong)
    assert not (shared.place / "exported_models/b").exists()


@pytest.mark.parametrize(
    "name", ["rps", "a b/c", "a/b/c", "../b", "a/..b", "a/b--c", "hf://", "a/b@", "a/b@../c", "a/" + "b" * 99]
)
def test_what_names_no_repository(name: str, shared: Shared) -> None:
    with pytest.raises(GestureMakerError):
        shared.pull(name)
    assert shared.server.requests == []
