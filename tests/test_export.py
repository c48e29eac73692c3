"""Export: the same bytes, where they go, the score threshold, and nothing put in place that was not proved."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, QUICK, SPLIT_FLAGS, Cli, Trained
from helpers import one_sentence_error, tree, write

import gesture_maker
from gesture_maker import Recognizer
from gesture_maker.bundle.export import TOLERANCE
from gesture_maker.bundle.task import labels_of, read_task, score_threshold_of
from gesture_maker.dataset.names import NONE
from gesture_maker.errors import BundleError
from gesture_maker.files import sha256_of, sha256_of_file


def custom(path: Path) -> bytes:
    part = read_task(path).custom_gesture_classifier
    assert part is not None
    return part


def test_what_is_exported(trained: Trained) -> None:
    export = trained.export
    assert (export.bundle, export.card) == (
        trained.run / "gesture_recognizer.task",
        trained.run / "gesture_recognizer.md",
    )
    assert export.sha256 == sha256_of_file(export.bundle)
    assert labels_of(custom(export.bundle)) == ["None", *CLASSES[1:]] == list(export.labels)
    assert score_threshold_of(custom(export.bundle)) == 0.5
    assert export.compared == trained.training.run.description["hands"]["test"] > 0
    assert export.largest_difference <= TOLERANCE
    checksums = trained.training.run.description["checksums"]
    parts = read_task(export.bundle).parts
    assert {name: sha256_of(parts[name]) for name in checksums} == checksums  # it holds what the run says was used


def test_out_is_a_file_or_a_folder_and_the_bytes_are_the_same(workspace: Path, trained: Trained, cli: Cli) -> None:
    (workspace / "folder").mkdir()
    expected = trained.export.bundle.read_bytes()
    for out, bundle in (("a/b/rps.task", "a/b/rps.task"), ("folder", "folder/gesture_recognizer.task")):
        done = cli("export", "first", "--out", out, cwd=workspace)
        assert done.returncode == 0, done.stderr
        assert (workspace / bundle).read_bytes() == expected
        card = (workspace / bundle).with_suffix(".md")
        assert f"`{card.stem}.task`" in card.read_text()
        assert f"gesture-maker eval {bundle} PHOTOS" in done.stdout
        assert trained.export.sha256 in done.stdout


QUICKLY = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]


def test_train_exports_what_export_would(drawn: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("train", drawn, "--name", "a", "--export", *QUICKLY, *SPLIT_FLAGS, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    bundle = tmp_path / "exported_models/a/gesture_recognizer.task"
    assert done.stdout.splitlines()[-1] == "Next:  gesture-maker eval a"
    assert f"SHA-256: {sha256_of_file(bundle)}" in done.stdout
    written = {
        name: (bundle.parent / name).read_bytes() for name in ("gesture_recognizer.task", "gesture_recognizer.md")
    }
    done = cli("export", "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {name: (bundle.parent / name).read_bytes() for name in written} == written


def test_ctrl_c_while_train_exports_says_how_to_go_on(
    drawn: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gesture_maker import steps

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "export_trained", stop)
    done = cli("train", drawn, "--name", "a b", "--export", *QUICKLY, *SPLIT_FLAGS, cwd=tmp_path)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == (
        "\"a b\" is trained, but not exported: do that with `gesture-maker export 'a b'`."
    )
    monkeypatch.undo()
    assert cli("export", "a b", cwd=tmp_path).returncode == 0


def test_the_score_threshold_is_in_the_bundle_and_obeyed(workspace: Path, trained: Trained, cli: Cli) -> None:
    """Below the threshold the custom head's answer does not count, and the canned classifier, which is silent, answers."""
    done = cli("export", "first", "--out", "strict.task", "--score-threshold", "1", cwd=workspace)
    assert done.returncode == 0, done.stderr
    assert score_threshold_of(custom(workspace / "strict.task")) == 1.0
    photos = sorted((trained.dataset / "open_palm").glob("*.jpg"))[:4]
    answers = {}
    for bundle in (trained.export.bundle, workspace / "strict.task"):
        with Recognizer(bundle) as recognizer:
            best = [recognizer.recognize(photo).best for photo in photos]
        answers[bundle] = [hand.gesture for hand in best if hand]
        assert len(answers[bundle]) == len(photos)
    assert "open_palm" in answers[trained.export.bundle]
    assert set(answers[workspace / "strict.task"]) == {NONE}


def test_with_googles_embedder_the_canned_gestures_are_inside_unless_left_out(
    trained: Trained, shared: Path, tmp_path: Path, cli: Cli
) -> None:
    assets = ["--assets", shared / "assets"]
    done = cli(
        "train", trained.dataset, "--name", "google", "--embedder", "mediapipe", *assets, *QUICKLY, *SPLIT_FLAGS, cwd=tmp_path
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = cli("export", "google", *assets, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "exported_models/google"
    bundle, card = read_task(run / "gesture_recognizer.task"), (run / "gesture_recognizer.md").read_text()
    assert bundle.gesture_embedder == (shared / "assets/gesture_embedder.tflite").read_bytes()
    assert "Victory" in labels_of(bundle.canned_gesture_classifier)
    assert json.loads((run / "run.json").read_text())["embedder"] == "mediapipe"
    assert "Google's (`mediapipe`)" in card
    assert "MediaPipe's canned gestures" in card

    done = cli("export", "google", *assets, "--without-canned", "--out", "own.task", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    own, card = read_task(tmp_path / "own.task"), (tmp_path / "own.md").read_text()
    assert labels_of(own.canned_gesture_classifier) == ["None"]
    assert own == replace(bundle, canned_gesture_classifier=own.canned_gesture_classifier)
    assert "Google's (`mediapipe`)" in card
    assert "canned" not in card
    # A hand that is none of the run's gestures, and one of the canned ones: of these drawn fists some are answered so.
    photos = drawn_fists(tmp_path / "fists")
    assert any(canned for _, canned in answers(run / "gesture_recognizer.task", photos))
    silenced = answers(tmp_path / "own.task", photos)
    assert not any(canned for _, canned in silenced)
    assert silenced == answers(run / "gesture_recognizer.task", photos, canned=False)


def drawn_fists(folder: Path) -> list[Path]:
    """Draw fists of eight people and return the photos."""
    from gesture_maker.synthetic.draw import draw_dataset

    draw_dataset(folder, ("fist",), range(8), 1, 0)
    return sorted(folder.glob("fist/*"))


def answers(bundle: Path, photos: list[Path], canned: bool = True) -> list[tuple[str, bool]]:
    """Return the gesture of each photo, and whether the canned classifier said it."""
    with Recognizer(bundle, canned=canned) as recognizer:
        found = [recognizer.recognize(photo).best for photo in photos]
    return [(hand.gesture, hand.canned) for hand in found if hand]


def test_the_built_in_embedders_bundle_is_the_same_without_canned_gestures(workspace: Path, trained: Trained) -> None:
    bundle = gesture_maker.export(workspace / "exported_models/first", out=workspace / "own.task", canned=False).bundle
    assert bundle.read_bytes() == trained.export.bundle.read_bytes()


@pytest.fixture
def without_googles_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing of Google's be found, nor downloaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("GESTURE_MAKER_ASSETS", raising=False)


@pytest.mark.usefixtures("without_googles_files")
def test_bad_input_an_asset_with_a_wrong_hash(
    trained: Trained, shared: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(shared / "assets", tmp_path / "assets")
    content = bytearray((folder / "gesture_embedder.tflite").read_bytes())
    content[-1] ^= 1
    (folder / "gesture_embedder.tflite").chmod(0o644)
    write(folder / "gesture_embedder.tflite", bytes(content))
    monkeypatch.setenv("GESTURE_MAKER_ASSETS", str(folder))
    before = tree(tmp_path)
    done = cli("train", trained.dataset, "--embedder", "mediapipe", cwd=tmp_path)
    assert "gesture_embedder.tflite" in one_sentence_error(done)
    assert tree(tmp_path) == before


# Refused, and nothing left behind


@pytest.mark.parametrize("out", ["rps.tflite", "rps", "folder.zip"])
def test_bad_input_out_that_is_no_task(out: str, workspace: Path, cli: Cli) -> None:
    before = tree(workspace)
    message = one_sentence_error(cli("export", "first", "--out", out, cwd=workspace))
    assert f"{out} does not end in .task" in message
    assert f"{out}.task" in message
    assert tree(workspace) == before


@pytest.mark.parametrize("threshold", ["-0.1", "1.1", "half"])
def test_bad_input_score_threshold(threshold: str, workspace: Path, cli: Cli) -> None:
    assert cli("export", "first", "--score-threshold", threshold, cwd=workspace).returncode == 2
    with pytest.raises(gesture_maker.GestureMakerError, match="score_threshold"):
        gesture_maker.export(workspace / "exported_models/first", score_threshold=1.5)


def test_bad_input_no_such_run(workspace: Path, cli: Cli) -> None:
    before = tree(workspace)
    assert 'There is no run "second"' in one_sentence_error(cli("export", "second", cwd=workspace))
    assert "small is no run" in one_sentence_error(cli("export", "datasets/small", cwd=workspace))
    assert tree(workspace) == before


def test_bad_input_another_version_of_the_embedder(workspace: Path, cli: Cli) -> None:
    described = workspace / "exported_models/first/run.json"
    about = json.loads(described.read_text())
    about["checksums"]["gesture_embedder"] = "0" * 64
    described.write_text(json.dumps(about))
    before = tree(workspace)
    message = one_sentence_error(cli("export", "first", cwd=workspace))
    assert "another version of the builtin embedder" in message
    assert tree(workspace) == before


def test_a_bundle_that_does_not_do_what_the_head_does_is_not_put_in_place(workspace: Path, cli: Cli) -> None:
    """Scores that are not a number are never near enough: the embeddings to compare with are damaged here."""
    run = workspace / "exported_models/first"
    with np.load(run / "embeddings.npz") as arrays:
        parts = {name: arrays[name] for name in arrays.files}
    parts["test_embeddings"] = np.full_like(parts["test_embeddings"], np.nan)
    np.savez(run / "embeddings.npz", **parts)
    before = tree(workspace)
    message = one_sentence_error(cli("export", "first", "--out", "new.task", cwd=workspace))
    assert "scores differ from the trained head's" in message
    assert tree(workspace) == before


def test_verify_finds_another_head_and_other_labels(trained: Trained) -> None:
    from gesture_maker.bundle.export import verify
    from gesture_maker.training.session import load_trained

    content = trained.export.bundle.read_bytes()
    head, labels = load_trained(trained.training.run), list(trained.export.labels)
    assert verify(content, labels, head, trained.training.run)[1] <= TOLERANCE
    with pytest.raises(BundleError, match="has the labels"):
        verify(content, labels[::-1], head, trained.training.run)
    head.model.set_weights([weights + 0.1 for weights in head.model.get_weights()])
    with pytest.raises(BundleError, match="scores differ"):
        verify(content, labels, head, trained.training.run)
