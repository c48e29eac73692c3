"""Classifiers on disk: they come back as they were, and files that somebody else made are refused without running anything."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from classified import CLASSICAL, LABELS, first_of, fitted, gesture_rows
from helpers import tree, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from skops.io._audit import NODE_TYPE_MAPPING

from gesture_maker.classifiers import storing
from gesture_maker.classifiers.classifier import Classifier, fit
from gesture_maker.classifiers.kept import to_keep
from gesture_maker.classifiers.kinds import KINDS, MODEL_MAKER
from gesture_maker.classifiers.storing import load_classifier, save_classifier
from gesture_maker.classifiers.tensors import classifier_tflite
from gesture_maker.embedders.transformers import LandmarkNormalizer
from gesture_maker.errors import GestureMakerError, RunError
from gesture_maker.files import TEMPORARY_PREFIX, sha256_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that saves the first classifier of a kind, once; the folder is not to be changed."""
    place = tmp_path_factory.mktemp("saved")

    def folder(kind: str) -> Path:
        if not (place / kind).is_dir():
            save_classifier(first_of(kind), place / kind)
        return place / kind

    return folder


@pytest.fixture
def copied(saved: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: shutil.copytree(saved(kind), tmp_path / kind)


def seal(folder: Path, model: bytes | None = None, **changes: Any) -> Path:
    """Write a model and other values into a classifier's folder, with right checksums, as somebody with bad intent would."""
    values = {**json.loads((folder / "classifier.json").read_text()), **changes}
    file = folder / values["model"]["file"]
    if model is not None:
        file.write_bytes(model)
    values["model"]["sha256"] = sha256_of(file.read_bytes())
    del values["checksum"]
    values["checksum"] = storing._checksum(values)
    (folder / "classifier.json").write_text(json.dumps(values))
    return folder


def dumped(kept: Any) -> bytes:
    return bytes(skops.io.dumps(kept))


def refused(folder: Path, *words: str) -> str:
    """Check that the folder is refused in one sentence that names a file, and return it."""
    with pytest.raises(RunError) as caught:
        load_classifier(folder)
    sentence = str(caught.value)
    assert str(folder) in sentence
    assert "\n" not in sentence
    for word in words:
        assert word in sentence
    return sentence


# What is saved comes back


@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_comes_back_as_it_was(saved: Callable[[str], Path], kind: str) -> None:
    before, after = first_of(kind), load_classifier(saved(kind))
    assert (after.kind, after.features, after.labels) == (before.kind, before.features, before.labels)
    assert after.parameters == before.parameters
    rows = gesture_rows(60, seed=1)[0]
    assert np.array_equal(after.scores(rows), before.scores(rows))
    assert classifier_tflite(after) == classifier_tflite(before)
    names = {"classifier.json", "head_weights.h5" if kind == MODEL_MAKER else "model.skops"}
    assert set(tree(saved(kind))) == names
    about = json.loads((saved(kind) / "classifier.json").read_text())
    assert about["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize("kind", CLASSICAL)
def test_so_does_one_that_lacks_classes_and_is_saved_again(kind: str, tmp_path: Path) -> None:
    rows, classes = gesture_rows(100)
    chosen = np.isin(classes, (1, 3))
    parameters = KINDS[kind].candidates()[-1]
    before = fit(kind, "landmarks", parameters, LABELS, rows[chosen], classes[chosen])
    save_classifier(before, tmp_path / "once")
    save_classifier(load_classifier(tmp_path / "once"), tmp_path / "twice")
    after = load_classifier(tmp_path / "twice")
    assert np.array_equal(after.scores(rows), before.scores(rows))
    assert np.array_equal(after.pipeline().predict(rows), before.pipeline().predict(rows))
    assert after.parameters == before.parameters


def test_other_files_of_the_folder_stay_and_an_older_classifier_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "gesture_recognizer.task", b"bundle")
    save_classifier(first_of("logistic-regression"), tmp_path)
    save_classifier(fitted("logistic-regression", "builtin", {"C": 5.0}, hands=50), tmp_path)
    assert load_classifier(tmp_path).parameters == {"C": 5.0}
    assert set(tree(tmp_path)) == {"gesture_recognizer.task", "classifier.json", "model.skops"}


def test_a_full_disk_leaves_what_was_there(copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied("logistic-regression")
    before = tree(folder)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(skops.io, "dump", full)
    with pytest.raises(OSError, match="No space left") as caught:
        save_classifier(first_of("random-forest"), folder)
    assert TEMPORARY_PREFIX not in str(caught.value)
    assert tree(folder) == before


# Damaged, exchanged, missing


@pytest.mark.parametrize("kind", ["random-forest", MODEL_MAKER])
def test_bad_input_a_file_that_is_cut_short_or_missing(copied: Callable[[str], Path], kind: str) -> None:
    folder = copied(kind)
    file = next(path for path in folder.iterdir() if path.suffix != ".json")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    refused(folder, "damaged, cut short")
    seal(folder)  # and when its checksum is right
    refused(folder, "damaged")
    file.unlink()
    refused(folder, "is missing")


def test_bad_input_no_classifier(tmp_path: Path) -> None:
    refused(tmp_path, "holds no classifier")
    refused(write(tmp_path / "a file", b""), "is a file")


def test_bad_input_a_damaged_description(copied: Callable[[str], Path]) -> None:
    folder = copied("logistic-regression")
    for text in ("", "[]", "{}", "null", "[" * 100_000, '{"kind": []}', "\x00", " " * (2 << 20)):
        (folder / "classifier.json").write_text(text)
        refused(folder, "classifier.json")


@pytest.mark.parametrize("kind", [*CLASSICAL, MODEL_MAKER])
def test_bad_input_other_labels(copied: Callable[[str], Path], kind: str) -> None:
    folder = copied(kind)
    values = json.loads((folder / "classifier.json").read_text())
    for labels in (LABELS[:3], (*LABELS, "more"), LABELS[::-1]):
        (folder / "classifier.json").write_text(json.dumps({**values, "labels": labels}))
        refused(folder, "was changed after it was written")
    seal(folder, labels=LABELS[:3])  # with a checksum that somebody made
    refused(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "svm"},
        {"kind": "mlp"},
        {"features": "pixels"},
        {"features": "landmarks"},
        {"labels": []},
        {"labels": ["a", "a"]},
        {"labels": "none"},
        {"labels": [1, 2, 3, 4, 5]},
        {"parameters": []},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["random-forest", "nearest-neighbours", "logistic-regression"])
def test_bad_input_a_description_of_something_else(
    copied: Callable[[str], Path], kind: str, changes: dict[str, Any]
) -> None:
    refused(seal(copied(kind), **changes))


@pytest.mark.parametrize("changes", [{"hands": "x"}, {"seed": None}, {"parameters": {"labels": []}}], ids=str)
def test_bad_input_a_head_of_other_settings(copied: Callable[[str], Path], changes: dict[str, Any]) -> None:
    folder = seal(copied(MODEL_MAKER), **changes)
    with pytest.raises(GestureMakerError):
        load_classifier(folder)


# With bad intent


class Executes:
    """Pickled, it makes the file that says it was run."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.canary}'",)


def test_bad_input_a_pickle_is_not_read(copied: Callable[[str], Path], tmp_path: Path) -> None:
    canary = tmp_path / "it ran"
    pickled = pickle.dumps(Executes(canary))
    for kind in (*CLASSICAL, MODEL_MAKER):
        refused(seal(copied(kind), pickled), "damaged")
    assert not canary.exists()
    pickle.loads(pickled)  # so it would have
    assert canary.exists()


def pipelines() -> dict[str, tuple[str, Any]]:
    """Return pipelines with what does not belong there, and what the sentence has to name."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    last = first_of("logistic-regression").estimator.steps[-1]

    def with_first(step: Any) -> Any:
        return Pipeline([("standardscaler", step), last])

    wrong = LogisticRegression()
    wrong.callback = np.exp
    return {
        "a function of the system": ("FunctionTransformer", with_first(FunctionTransformer(os.system))),
        "a function that skops trusts": ("FunctionTransformer", with_first(FunctionTransformer(np.exp))),
        "a class of ours": (
            "gesture_maker.embedders.transformers.LandmarkNormalizer",
            with_first(LandmarkNormalizer()),
        ),
        "another estimator": ("SGDClassifier", SGDClassifier()),
        "a function in an attribute": ("numpy", wrong),
    }


@pytest.mark.parametrize("what", list(pipelines()))
def test_bad_input_a_type_that_is_not_allowed_is_named(copied: Callable[[str], Path], what: str) -> None:
    name, pipeline = pipelines()[what]
    refused(seal(copied("logistic-regression"), dumped(pipeline)), name, "model.skops", "was not loaded")


def with_schema(content: bytes, change: Callable[[Any], None]) -> bytes:
    """Return a skops file whose description of its objects is changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    change(schema)
    members["schema.json"] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return buffer.getvalue()


ALLOWED_LOADERS = {"ObjectNode", *(loader for loader, _ in storing._PLAIN)}


@pytest.mark.parametrize("loader", sorted({name for name, _ in NODE_TYPE_MAPPING} - ALLOWED_LOADERS))
@pytest.mark.parametrize("place", ["outermost", "deep"])
def test_bad_input_no_other_way_of_skops_to_make_objects(
    copied: Callable[[str], Path], loader: str, place: str
) -> None:
    """Whatever type it gives itself out for."""

    def change(schema: Any) -> None:
        node = schema if place == "outermost" else schema["content"]["content"]["steps"]["content"][0]
        node["__loader__"] = loader

    folder = copied("logistic-regression")
    refused(seal(folder, with_schema((folder / "model.skops").read_bytes(), change)), loader)


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("subprocess", "Popen"), ("builtins", "eval"), ("classified", "Executed")]
)
def test_bad_input_no_module_is_imported_for_a_type(copied: Callable[[str], Path], module: str, name: str) -> None:
    for loader in ("ObjectNode", "TypeNode", "NdArrayNode", "DictNode"):

        def change(schema: Any, loader: str = loader) -> None:
            schema["content"]["content"]["steps"] |= {"__module__": module, "__class__": name, "__loader__": loader}

        folder = copied("logistic-regression")
        refused(seal(folder, with_schema((folder / "model.skops").read_bytes(), change)), f"{module}.{name}")
        shutil.rmtree(folder)


def test_bad_input_a_small_file_that_would_become_large(copied: Callable[[str], Path]) -> None:
    folder = copied("logistic-regression")
    for name, size in (("schema.json", 50 << 20), ("other.npy", 50 << 20)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, bytes(size))
        assert len(buffer.getvalue()) < 1 << 20
        refused(seal(folder, buffer.getvalue()), "would unpack to")


def test_bad_input_an_array_that_says_it_is_huge(copied: Callable[[str], Path]) -> None:
    folder = copied("nearest-neighbours")
    content = (folder / "model.skops").read_bytes()
    shape = f"({len(first_of('nearest-neighbours').estimator._fit_X)}, 64), }}".encode()
    assert content.count(shape) == 1
    huge = content.replace(shape, b"(9**9,64),}".ljust(len(shape)))
    refused(seal(folder, huge), "damaged")


def test_bad_input_a_description_that_is_nested_without_end(copied: Callable[[str], Path]) -> None:
    folder = copied("logistic-regression")
    for text in ("[" * 200_000, '{"content":' * 200_000):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("schema.json", text)
        refused(seal(folder, buffer.getvalue()), "damaged")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(CLASSICAL), st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_any_changed_bytes_are_refused_or_harmless(
    saved: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory, kind: str, seed: int, changes: int
) -> None:
    """Whatever comes of them with a right checksum: an error of ours, or a classifier that answers."""
    folder = shutil.copytree(saved(kind), tmp_path_factory.mktemp("changed") / kind)
    content = bytearray((folder / "model.skops").read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(content), changes):
        content[place] = rng.integers(0, 256)
    seal(folder, bytes(content))
    try:
        loaded = load_classifier(folder)
    except RunError:
        return
    with np.errstate(all="ignore"):
        assert loaded.scores(gesture_rows(100)[0]).shape == (100, len(LABELS))


# Of a forest: indices that lead out of memory


def forest_with(change: Callable[[dict[str, Any]], None]) -> bytes:
    kept = to_keep("random-forest", first_of("random-forest").estimator)
    for name in ("nodes", "counts", "shares", "classes"):
        kept[name] = kept[name].copy()
    change(kept)
    return dumped(kept)


def set_nodes(kept: dict[str, Any], field: str, place: int, value: int) -> None:
    kept["nodes"][field][place] = value


FORESTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "a child that is no node": lambda kept: set_nodes(kept, "left_child", 0, 10**9),
    "a child before the first": lambda kept: set_nodes(kept, "right_child", 0, -5),
    "a node that is its own child": lambda kept: set_nodes(kept, "left_child", 0, 0),
    "two parents of a node": lambda kept: set_nodes(kept, "right_child", 0, int(kept["nodes"]["left_child"][0])),
    "one child": lambda kept: set_nodes(kept, "right_child", 0, -1),
    "a feature that is none": lambda kept: set_nodes(kept, "feature", 0, 64),
    "a feature before the first": lambda kept: set_nodes(kept, "feature", 0, -2),
    "more trees than nodes": lambda kept: kept.update(counts=np.array([10**12])),
    "counts that run over": lambda kept: kept.update(counts=np.array([2**62, 2**62, 2**62, 2**62, len(kept["nodes"])])),
    "no trees": lambda kept: kept.update(counts=np.array([], np.int64)),
    "shares of other classes": lambda kept: kept.update(shares=kept["shares"][:, :3]),
    "shares of nothing": lambda kept: kept["shares"].fill(0),
    "a class that is none": lambda kept: kept["classes"].__setitem__(-1, 5),
    "classes in disorder": lambda kept: kept.update(classes=kept["classes"][::-1].copy()),
    "nodes of another make": lambda kept: kept.update(nodes=np.zeros(len(kept["nodes"]), [("left_child", int)])),
    "numbers for nodes": lambda kept: kept.update(nodes=np.zeros(len(kept["nodes"]))),
    "nothing": lambda kept: kept.clear(),
}


@pytest.mark.parametrize("what", FORESTS)
def test_bad_input_a_forest_that_is_none(copied: Callable[[str], Path], what: str) -> None:
    refused(seal(copied("random-forest"), forest_with(FORESTS[what])), "model.skops")


def test_a_file_does_not_decide_how_many_threads_there_are(copied: Callable[[str], Path]) -> None:
    folder = seal(copied("random-forest"), forest_with(lambda kept: kept["settings"].update(n_jobs=10_000)))
    forest = load_classifier(folder).estimator
    assert forest.n_jobs is None


def test_bad_input_neighbours_that_are_none(copied: Callable[[str], Path]) -> None:
    kept = to_keep("nearest-neighbours", first_of("nearest-neighbours").estimator)
    for change in (
        {"classes": kept["classes"] + 1},
        {"classes": kept["classes"] - 1},
        {"classes": kept["classes"][:-1]},
        {"classes": kept["classes"] + 0.5},
        {"hands": kept["hands"][:, :63]},
        {"hands": kept["hands"].astype(np.float64)},
        {"hands": kept["hands"] * np.float32(np.nan)},
        {"hands": kept["hands"][:0], "classes": kept["classes"][:0]},
        {"settings": kept["settings"] | {"n_neighbors": 10**9}},
        {"settings": kept["settings"] | {"n_neighbors": "3"}},
        {"settings": kept["settings"] | {"metric": "precomputed"}},
        {"settings": kept["settings"] | {"estimator": 1}},
        {"settings": []},
    ):
        folder = copied("nearest-neighbours")
        refused(seal(folder, dumped({**kept, **change})), "model.skops")
        shutil.rmtree(folder)


def test_bad_input_weights_that_lead_to_another_file(copied: Callable[[str], Path], tmp_path: Path) -> None:
    import h5py

    folder = copied(MODEL_MAKER)
    elsewhere = shutil.copyfile(folder / "head_weights.h5", tmp_path / "elsewhere.h5")
    with h5py.File(folder / "head_weights.h5", "a") as file:
        name = next(iter(file))
        del file[name]
        file[name] = h5py.ExternalLink(str(elsewhere), f"/{name}")
    refused(seal(folder), "leads to other files")


def test_a_head_of_another_shape_is_refused(copied: Callable[[str], Path]) -> None:
    folder = seal(copied(MODEL_MAKER), labels=[*LABELS, "more"])
    with pytest.raises(RunError):
        load_classifier(folder)


def test_nothing_is_loaded_through_pickle(saved: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)
    for kind in CLASSICAL:
        assert isinstance(load_classifier(saved(kind)), Classifier)
