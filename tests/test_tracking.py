"""Recording in MLflow: what is in the store afterwards, once and whole; and sentences when that cannot be."""

from __future__ import annotations

import json
import math
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Cli, Trained
from helpers import environment, one_sentence_error, tree
from hypothesis import given, settings
from hypothesis import strategies as st
from trackings import CANDIDATES, FOLDS, LABELS, WINNER, empty_database, made_comparison, made_tuning, new_store

from gesture_maker.classifiers.comparison import Comparison
from gesture_maker.cli import with_track
from gesture_maker.errors import RunError, TrackingError
from gesture_maker.tracking import store as store_module
from gesture_maker.tracking.models import data_of
from gesture_maker.tracking.record import data_name, track_comparison, track_folder, track_training, track_tuning
from gesture_maker.tracking.recording import KEY, LONGEST, Entry, Measured, recording, text_of
from gesture_maker.tracking.registry import list_versions
from gesture_maker.tracking.store import Store, check_store, how_to_look, local_uri, opened, shown

FAST = ("--epochs", "3", "--steps-per-epoch", "20", "--no-mirror", "--no-augment", "--no-background", "--no-estimate")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """A finished comparison; not to be changed."""
    return made_comparison(tmp_path_factory.mktemp("compared") / "exported_models/first")


@pytest.fixture(scope="module")
def recorded(made: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Any]]:
    """A store in which that comparison is recorded, and what recording it answered."""
    uri = new_store(tmp_path_factory.mktemp("recorded"))
    tracked = track_comparison(made, uri)
    with opened(uri) as store:
        yield store, tracked


def runs_of(store: Store, name: str = "finger spelling") -> list[Any]:
    found = store.client.get_experiment_by_name(name)
    return list(store.client.search_runs([found.experiment_id], max_results=5000)) if found else []


def candidates_of(store: Store) -> list[Any]:
    return [run for run in runs_of(store) if run.data.tags["gesture_maker.what"] == "candidate"]


def history(store: Store, run: Any, name: str) -> list[tuple[int, float]]:
    found = store.client.get_metric_history(run.info.run_id, name)
    return sorted((one.step, one.value) for one in found)


# A comparison


def test_each_candidate_is_a_run_in_that_of_the_comparison(recorded: tuple[Store, Any]) -> None:
    store, tracked = recorded
    runs = {run.info.run_id: run for run in runs_of(store)}
    assert len(runs) == 1 + len(CANDIDATES)
    assert "mlflow.parentRunId" not in runs.pop(tracked.run_id).data.tags
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {tracked.run_id}
    params = [run.data.params for run in runs.values()]
    expected = [
        {"kind": kind, "features": "builtin", **{key: text_of(value) for key, value in parameters.items()}}
        for kind, parameters in CANDIDATES
    ]
    assert sorted(map(sorted, (one.items() for one in params))) == sorted(map(sorted, (o.items() for o in expected)))
    assert all(run.info.status == "FINISHED" for run in runs.values())
    assert len({run.info.run_name for run in runs.values()}) == len(CANDIDATES)


def test_folds_are_steps_with_their_mean_and_when_they_were_fitted(
    recorded: tuple[Store, Any], made: Comparison
) -> None:
    store, tracked = recorded
    for run in candidates_of(store):
        fits = [one for one in made.fits() if one.kind == run.data.params["kind"]]
        fits = [one for one in fits if all(run.data.params.get(k) == text_of(v) for k, v in one.parameters.items())]
        assert len(fits) == FOLDS
        for key in ("accuracy", "precision", "recall", "f1"):
            values = [(one.fold, getattr(one.scores, key)) for one in fits]
            assert history(store, run, f"fold_{key}") == sorted(values)
            assert run.data.metrics[f"cv_{key}"] == pytest.approx(np.mean([value for _, value in values]))
        assert run.data.metrics["cv_spread"] == pytest.approx(np.std([one.scores.accuracy for one in fits]))
        assert run.info.start_time == round(1000 * min(one.began for one in fits))
        lasts = [one.began + one.train_seconds + one.hands * one.predict_seconds for one in fits]
        assert run.info.end_time == round(1000 * max(lasts))
    outermost = store.client.get_run(tracked.run_id).info
    inner = [run.info for run in candidates_of(store)]
    assert outermost.start_time == min(one.start_time for one in inner)
    assert outermost.end_time == max(one.end_time for one in inner)


def test_the_best_of_each_kind_has_its_test_and_its_model(recorded: tuple[Store, Any], made: Comparison) -> None:
    store, _ = recorded
    best = {run.data.params["kind"]: run for run in candidates_of(store) if run.data.tags["best_of_kind"] == "true"}
    assert set(best) == {line.kind for line in made.lines}
    for line in made.lines:
        run = best[line.kind]
        assert {key: run.data.metrics[f"test_{key}"] for key in asdict(line.test)} == asdict(line.test)
        assert run.data.metrics["model_bytes"] == line.model_bytes
        (output,) = run.outputs.model_outputs
        model = store.client.get_logged_model(output.model_id)
        assert str(model.status) == "READY"
        assert {metric.key: metric.value for metric in model.metrics}["test_accuracy"] == line.test.accuracy
        names = [one.path for one in store.client.list_artifacts(run.info.run_id, "classifier")]
        assert sorted(names) == sorted(f"classifier/{file.name}" for file in (made.path / line.kind).iterdir())
    others = [run for run in candidates_of(store) if run.data.tags["best_of_kind"] == "false"]
    assert len(others) == len(CANDIDATES) - len(best)
    assert not any("test_accuracy" in run.data.metrics or run.outputs.model_outputs for run in others)


def test_the_comparison_has_the_table_the_data_and_the_files(recorded: tuple[Store, Any], made: Comparison) -> None:
    store, tracked = recorded
    run = store.client.get_run(tracked.run_id)
    assert run.data.tags["fingerprint"] == made.fingerprint
    assert run.data.tags["labels"] == ", ".join(LABELS)
    assert run.data.tags["winner"] == WINNER
    assert run.data.params["folds"] == str(FOLDS)
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("finger spelling", made.fingerprint[:36])
    assert all(line.title in run.data.tags["mlflow.note.content"] for line in made.lines)
    names = {one.path for one in store.client.list_artifacts(tracked.run_id)}
    assert names == {"comparison.json", "comparison.csv", "gesture_recognizer.task", "gesture_recognizer.md"}


def test_the_winner_is_registered_first_alone_and_then_as_a_pipeline(
    recorded: tuple[Store, Any], made: Comparison, tmp_path: Path
) -> None:
    store, tracked = recorded
    name = "finger spelling"
    assert tracked.versions == ((name, "1"), (name, "2"))
    pipeline, single = list_versions(name, store.uri)
    assert (single.number, single.what, single.aliases) == (1, "classifier", ())
    assert (pipeline.number, pipeline.what, pipeline.aliases) == (2, "pipeline", ("staging",))
    for version in (single, pipeline):
        assert version.kind == WINNER
        assert version.accuracy == pytest.approx(made.winner.test.accuracy, abs=5e-5)
        assert version.fingerprint == made.fingerprint
        assert len(version.description.splitlines()) == 1
    (best,) = [
        run
        for run in candidates_of(store)
        if run.data.params["kind"] == WINNER and run.data.tags["best_of_kind"] == "true"
    ]
    assert (single.run_id, pipeline.run_id) == (best.info.run_id, tracked.run_id)
    from mlflow.artifacts import download_artifacts

    folders = [
        Path(
            download_artifacts(
                store.client.get_model_version_download_uri(name, number), dst_path=str(tmp_path / number)
            )
        )
        for number in ("1", "2")
    ]
    assert tree(data_of(folders[0])) == tree(made.path / WINNER)
    assert data_of(folders[1]).read_bytes() == made.bundle.read_bytes()
    files = [file.name for folder in folders for file in folder.rglob("*")]
    assert not [file for file in files if file.endswith((".pkl", ".pickle", ".joblib"))]


def test_what_was_recorded_is_not_recorded_again(made: Comparison, tmp_path: Path) -> None:
    uri = new_store(tmp_path)
    first = track_comparison(made, uri)
    again = track_comparison(made, uri)
    assert (first.again, again.again) == (False, True)
    assert (again.run_id, again.versions) == (first.run_id, first.versions)
    with opened(uri) as store:
        assert len(runs_of(store)) == 1 + len(CANDIDATES)
        assert len(list_versions(uri=uri)) == 2
    other = new_store(tmp_path / "other")
    assert track_comparison(made, other, register=False).again is False
    assert list_versions(uri=other) == []


def test_interrupted_recording_leaves_nothing_and_says_how_to_go_on(made: Comparison, tmp_path: Path) -> None:
    uri = new_store(tmp_path)

    def interrupt(done: int, _: int) -> None:
        if done == 3:  # the first of the best is there, with its model
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="registry record") as interrupted:
        track_comparison(made, uri, progress=interrupt)
    assert str(made.path) in str(interrupted.value)
    with opened(uri) as store:
        assert runs_of(store) == []
        assert store.client.search_logged_models([store.experiment("finger spelling")]) == []
    assert track_folder(made.path, uri).again is False
    assert [version.number for version in list_versions(uri=uri)] == [2, 1]


KILLED = """
import os, sys
from pathlib import Path
from gesture_maker.tracking import recording, registry
from gesture_maker.tracking.record import track_folder
recording.Recording.finish = lambda self: os._exit(9)
track_folder(Path(sys.argv[1]), sys.argv[2])
"""


def test_what_a_killed_recording_left_is_cleared_away(made: Comparison, tmp_path: Path) -> None:
    uri = new_store(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(made.path), uri], env=environment(), check=False, capture_output=True
    )
    assert done.returncode == 9, done.stderr
    with opened(uri) as store:
        assert len(runs_of(store)) == 1 + len(CANDIDATES)
        assert len(list_versions(uri=uri)) == 2
        tracked = track_comparison(made, uri)
        assert tracked.again is False
        assert {run.info.run_id for run in runs_of(store) if "mlflow.parentRunId" not in run.data.tags} == {
            tracked.run_id
        }
        assert len(runs_of(store)) == 1 + len(CANDIDATES)
        assert len(list_versions(uri=uri)) == 2
        assert len(store.client.search_logged_models([store.experiment("finger spelling")])) == 4


# A training and a search


@pytest.fixture(scope="module")
def tracked_training(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Any]]:
    from dataclasses import replace

    uri = new_store(tmp_path_factory.mktemp("tracked"))
    tracked = track_training(replace(trained.training, export=trained.export), uri)
    with opened(uri) as store:
        yield store, tracked


def test_a_training_is_a_run_with_its_epochs(tracked_training: tuple[Store, Any], trained: Trained) -> None:
    store, tracked = tracked_training
    assert tracked.experiment == "small"
    run = store.client.get_run(tracked.run_id)
    about = trained.training.run.description
    assert run.info.run_name == "first"
    assert run.data.params["epochs"] == "3"
    assert run.data.params["learning_rate"] == text_of(about["settings"]["hparams"]["learning_rate"])
    assert run.data.tags["fingerprint"] == about["fingerprint"]
    assert run.data.tags["version.tensorflow"] == about["versions"]["tensorflow"]
    assert [step for step, _ in history(store, run, "loss")] == [1, 2, 3]
    lines = (trained.run / "history.csv").read_text().splitlines()
    column = lines[0].split(",").index("loss")
    assert [value for _, value in history(store, run, "loss")] == [float(line.split(",")[column]) for line in lines[1:]]
    metrics = trained.training.metrics["test"]
    assert run.data.metrics["test_accuracy"] == metrics.accuracy
    assert run.data.metrics["test_hands"] == metrics.photos


def test_a_training_with_a_bundle_is_registered(tracked_training: tuple[Store, Any]) -> None:
    store, tracked = tracked_training
    assert tracked.versions == (("small", "1"),)
    (version,) = list_versions("small", store.uri)
    assert (version.what, version.kind, version.aliases) == ("pipeline", "model-maker", ("staging",))
    names = {one.path for one in store.client.list_artifacts(tracked.run_id)}
    assert {"run.json", "curves.png", "confusion_matrix.png", "gesture_recognizer.task", "head_weights.h5"} <= names
    assert not {"split.csv", "embeddings.npz"} & names  # names of photos and hands of people stay here


def test_a_search_is_a_run_with_one_for_each_trial(tmp_path: Path) -> None:
    uri, tuning = new_store(tmp_path), made_tuning(tmp_path / "exported_models/search")
    tracked = track_tuning(tuning, uri)
    assert track_folder(tuning.path, uri).again is True
    with opened(uri) as store:
        runs = {run.info.run_name: run for run in runs_of(store)}
        parent = runs.pop("search")
        assert parent.info.run_id == tracked.run_id
        assert set(runs) == {f"trial {number}" for number in range(4)}
        states = [runs[f"trial {number}"].info.status for number in range(4)]
        assert states == ["FINISHED", "FINISHED", "KILLED", "FAILED"]
        best = runs["trial 1"]
        assert best.data.tags["best"] == "true"
        assert best.data.params == {"epochs": "20", "layer_widths": "[32]"}
        assert (best.data.metrics["loss"], best.data.metrics["accuracy"]) == (0.3, 0.9)
        assert history(store, best, "fold_loss") == [(0, 0.2), (1, 0.4)]
        assert "loss" not in runs["trial 2"].data.metrics
        assert parent.data.metrics["best_loss"] == 0.31
        assert parent.data.params["best_epochs"] == "20"
        names = {one.path for one in store.client.list_artifacts(tracked.run_id)}
        assert names == {"tuning.json", "config.yaml"}


def test_a_folder_that_is_none_of_them_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run"):
        track_folder(tmp_path, new_store(tmp_path / "store"))


def test_data_is_called_as_its_folder_or_table(tmp_path: Path) -> None:
    assert data_name(str(tmp_path)) == tmp_path.name
    assert data_name("/gone/digits") == "digits"
    assert data_name("/gone/hagrid.csv") == "hagrid"
    assert data_name("/gone/digits/landmarks.parquet") == "digits"


# Whatever the settings are


@pytest.fixture(scope="module")
def any_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return new_store(tmp_path_factory.mktemp("any"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9000), st.lists, max_leaves=4
)


@settings(max_examples=20)
@given(
    st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), VALUES, max_size=150),
    st.lists(st.floats(), max_size=2500 // 10),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=40),
)
def test_any_settings_and_numbers_are_recorded(any_store: str, params: Any, numbers: list[float], label: str) -> None:
    key = os.urandom(8).hex()
    with recording(any_store, "any", key, Path("folder")) as record:
        metrics = [Measured("loss", value, 0.0, step) for step, value in enumerate(numbers)]
        record.add(Entry("one", "training", 0.0, 1.0, params, metrics, {"labels": label}))
    run = record.store.client.get_run(record.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {name: text_of(value) for name, value in params.items()}
    assert all(len(value) <= LONGEST for value in run.data.params.values())
    kept = [(step, value) for step, value in enumerate(numbers) if math.isfinite(value)]
    assert history(record.store, run, "loss") == kept
    assert run.data.tags["labels"] == label
    assert run.data.tags[KEY] == key


def test_stores_do_not_meet(made: Comparison, tmp_path: Path) -> None:
    """Two threads record in two stores, and MLflow's global state is what it was."""
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    uris = [new_store(tmp_path / str(number)) for number in range(2)]
    found: list[Any] = []
    threads = [threading.Thread(target=lambda uri=uri: found.append(track_comparison(made, uri))) for uri in uris]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.uri for one in found) == sorted(uris)
    for uri in uris:
        with opened(uri) as store:
            assert len(runs_of(store)) == 1 + len(CANDIDATES)
            assert len(list_versions(uri=uri)) == 2
    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri()) == before
    assert mlflow.active_run() is None


# What cannot be


def test_without_mlflow_one_sentence_says_what_to_install(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    said = one_sentence_error(cli("train", "small", "--name", "second", "--track", cwd=workspace))
    assert "pip install 'gesture-maker[tracking]'" in said
    assert not (workspace / "exported_models/second").exists()


def test_a_server_that_is_gone_is_said_before_any_work(workspace: Path, cli: Cli) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        uri = f"http://user:secret@127.0.0.1:{unheard.getsockname()[1]}"
        said = one_sentence_error(cli("train", "small", "--name", "second", "--track", uri, cwd=workspace))
    assert "cannot be reached" in said
    assert "secret" not in said
    assert not (workspace / "exported_models/second").exists()


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "REACH_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(TrackingError, match="has not answered"):
        check_store(f"http://127.0.0.1:{deaf.getsockname()[1]}")


def test_an_address_of_nothing_is_refused() -> None:
    with pytest.raises(TrackingError, match="no address of an MLflow store"):
        check_store("gopher://somewhere")


def test_checking_the_local_store_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_store(None)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "exported_models").write_text("")
    with pytest.raises(RunError, match="is a file"):
        check_store(None)


@pytest.mark.parametrize("content", [b"not a database" * 100, empty_database()[:30000]], ids=["text", "cut short"])
def test_a_damaged_store_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mlflow.db"
    file.write_bytes(content)
    with pytest.raises(TrackingError, match=r"mlflow\.db") as refused:
        check_store(f"sqlite:///{file}")
    assert len(str(refused.value).splitlines()) == 1
    assert file.read_bytes() == content


def test_a_store_of_another_version_is_not_touched(tmp_path: Path) -> None:
    uri = new_store(tmp_path)
    file = tmp_path / "exported_models/mlflow.db"
    with sqlite3.connect(file) as database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    database.close()
    with pytest.raises(TrackingError, match=r"another version of MLflow.*mlflow db upgrade"):
        check_store(uri)


def test_a_server_that_goes_away_while_recording_keeps_what_was_made(made: Comparison, tmp_path: Path) -> None:
    """The store's tables vanish after the second candidate."""
    uri = new_store(tmp_path)

    def vanish(done: int, _: int) -> None:
        if done == 2:
            with sqlite3.connect(tmp_path / "exported_models/mlflow.db") as database:
                database.execute("DROP TABLE runs")

    before = tree(made.path)
    with pytest.raises(TrackingError, match="is finished: record it later with `gesture-maker registry record"):
        track_comparison(made, uri, progress=vanish)
    assert tree(made.path) == before


def test_passwords_are_not_shown() -> None:
    assert shown("postgresql://me:secret@host/db") == "postgresql://me:…@host/db"
    assert "secret" not in how_to_look("postgresql://me:secret@host/db")
    assert how_to_look("http://host:5000") == "http://host:5000"


# The command line

WORDS = st.lists(
    st.from_regex(r"--?[a-z]{1,4}|[a-z]{1,5}|[a-z]{2,4}://[a-z]{1,4}|--track=x", fullmatch=True), max_size=6
)


@given(WORDS, WORDS)
def test_a_bare_track_stands_for_the_local_store(before: list[str], after: list[str]) -> None:
    assert with_track(before) == before
    given_address = bool(after) and "://" in after[0]
    expected = "--track" if given_address else "--track=default"
    if "--" not in before:
        assert with_track([*before, "--track", *after]) == [*before, expected, *after]
    assert with_track([*before, "--", "--track", *after]) == [*before, "--", "--track", *after]


def test_train_records_itself_and_says_where(workspace: Path, cli: Cli) -> None:
    new_store(workspace)
    split = ("--split", "60,20,20")
    done = cli("train", "--track", "small", "--name", "second", "--export", *split, *FAST, cwd=workspace)
    assert done.returncode == 0, done.stderr
    assert 'experiment "small"' in done.stdout
    assert "Registered: small, version 1" in done.stdout
    assert "mlflow ui --backend-store-uri sqlite:///" in done.stdout
    assert done.stderr == ""
    (version,) = list_versions("small", local_uri())
    with opened() as store:
        run = store.client.get_run(version.run_id)
        assert run.data.params["split"] == "60,20,20"
        assert run.info.artifact_uri.startswith((workspace / "exported_models/mlflow-artifacts").as_uri())
    recorded = cli("registry", "record", "exported_models/second", cwd=workspace)
    assert "before: nothing was added" in recorded.stdout
    recorded = cli("registry", "record", "exported_models/first", cwd=workspace)
    assert "Registered: small, version 2" in recorded.stdout
    listed = json.dumps(cli("registry", "list", cwd=workspace).stdout)
    assert "staging" in listed
