"""What is refused of what lies on a Hub: tampered files, pickles, names that are paths, models that are not what they say."""

from __future__ import annotations

import io
import json
import os
import pickle
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hands import silent_bundle
from helpers import one_sentence_error, run_cli, tree, zip_bytes
from hub_runs import Shared, image_run, tiny_model, tiny_picture
from hub_server import hub_server
from hypothesis import example, given
from hypothesis import strategies as st

from gesture_maker.bundle.task import read_task, write_task
from gesture_maker.errors import HubError
from gesture_maker.files import sha256_of
from gesture_maker.hub.formats import check_content, check_name, is_pickle
from gesture_maker.hub.kinds import CARD, KINDS
from gesture_maker.hub.manifest import MANIFEST, manifest_of, read_manifest


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    """A Hub with a tiny model, pushed."""
    with hub_server() as server:
        found = Shared.at_home(server, tmp_path, monkeypatch)
        image_run(tmp_path / "exported_models")
        found.push("pixels")
        yield found


def refused(shared: Shared, message: str, **options: Any) -> None:
    """Check that a pull is refused, and that nothing of it is kept anywhere."""
    with pytest.raises(HubError, match=message) as told:
        shared.pull(**options)
    assert "\n" not in str(told.value)
    assert {path.name for path in (shared.place / "exported_models").iterdir()} == {"pixels"}
    assert tree(shared.place / "cache") == {}


class Evil:
    """Unpickling it would leave a file behind."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("it_ran",)


PICKLES = [pickle.dumps(Evil(), protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]


# Tampered files


def test_a_tampered_model_is_refused(shared: Shared) -> None:
    content = bytearray(tiny_model())
    content[-1] ^= 1
    shared.replace("model.tflite", bytes(content), listed=False)
    refused(shared, r"model\.tflite in anna/rps is not the file that was pushed")


@pytest.mark.parametrize("name", ["labels.txt", "image.json", "confusion_matrix.png"])
def test_other_tampered_files_are_refused(name: str, shared: Shared) -> None:
    content = shared.repository.files()[name]
    shared.replace(name, content.replace(content[-2:-1], b"x"), listed=False)
    refused(shared, f"{name} in anna/rps is not the file that was pushed")


@pytest.mark.parametrize(
    ("change", "message"), [(1, "is larger than"), (-1, "is smaller than|broke off|is not the file")]
)
def test_a_file_of_another_size_is_refused(change: int, message: str, shared: Shared) -> None:
    content = shared.repository.files()["model.tflite"]
    shared.replace("model.tflite", content + b"\0" if change > 0 else content[:change], listed=False)
    refused(shared, message)


def test_an_altered_manifest_is_refused(shared: Shared) -> None:
    files = shared.manifest()["files"]
    files[-1]["sha256"] = sha256_of(b"another")
    shared.rewrite(files=files)
    refused(shared, "is not the file that was pushed")


def test_a_model_with_a_manifest_of_its_own_is_refused_by_the_fingerprint(shared: Shared) -> None:
    """Who may write to the repository can make everything fit: only what `push` told, out of their reach, shows it."""
    pushed = shared.push("pixels")
    shared.replace("confusion_matrix.png", tiny_picture(7), listed=True)
    refused(shared, "it is another model", fingerprint=pushed.fingerprint)
    assert shared.pull(name="theirs").kind == "image"
    assert shared.pull(name="mine", fingerprint=pushed.fingerprint, revision=pushed.commit).revision == pushed.commit


def test_labels_of_another_model_are_refused(shared: Shared) -> None:
    shared.replace("labels.txt", b"none\nvictory\nopen_palm\n", listed=True)
    refused(shared, "do not belong to its model")


def test_a_description_of_another_model_is_refused(shared: Shared) -> None:
    description = json.loads(shared.repository.files()["image.json"])
    shared.replace("image.json", json.dumps(description | {"model_sha256": "0" * 64}).encode(), listed=True)
    refused(shared, "do not belong to its model")


def test_a_card_that_was_corrected_on_the_page_is_left_out_and_the_rest_pulled(shared: Shared) -> None:
    shared.repository.change(README__md=b"# Better words\n")
    pulled = shared.pull()
    assert pulled.left_out == ("README.md",)
    assert not (pulled.path / "README.md").exists()
    assert shared.pull().again
    (pulled.path / "labels.txt").write_text("other\n")
    with pytest.raises(HubError, match="was changed since it was pulled"):
        shared.pull()


# Pickles


@pytest.mark.parametrize("content", PICKLES, ids=range(len(PICKLES)))
@pytest.mark.parametrize("name", ["model.tflite", "labels.txt", "image.json", "README.md", "confusion_matrix.png"])
def test_a_pickle_under_another_name_is_refused(name: str, content: bytes, shared: Shared) -> None:
    shared.replace(name, content, listed=True)
    refused(shared, f"holds a pickle under the name {name}")
    assert not Path("it_ran").exists()


@pytest.mark.parametrize(
    "name",
    [
        "model.pkl",
        "model.pt",
        "model.bin",
        "model.joblib",
        "model.npy",
        "model.keras",
        "model.h5",
        "model.py",
        "a.TFLITE",
    ],
)
def test_files_that_can_hold_code_are_refused_by_their_name(name: str, shared: Shared) -> None:
    shared.replace("model.tflite", PICKLES[2], listed=True, new_name=name)
    shared.server.requests.clear()
    refused(shared, f"anna/rps holds {name}, ")
    assert shared.server.fetched(name) == 0


def test_what_the_manifest_does_not_list_is_not_fetched(shared: Shared) -> None:
    shared.repository.change(model__pkl=PICKLES[2], pytorch_model__bin=PICKLES[2])
    pulled = shared.pull()
    assert not {"model.pkl", "pytorch_model.bin"} & set(tree(pulled.path))
    assert shared.server.fetched("model.pkl") == 0


def test_a_bundle_with_a_pickle_in_it_is_refused() -> None:
    whole = silent_bundle()
    check_content("gesture_recognizer.task", whole, "a/b")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    disguised = {
        "a pickle": PICKLES[2],
        "one in a zip, as of torch.save": zip_bytes({"archive/data.pkl": PICKLES[2], "archive/version": b"3"}),
        "beside the parts": _stored({**members, "data.pkl": PICKLES[2]}),
        "in an inner bundle": _stored({**members, "hand_landmarker.task": zip_bytes({"data.pkl": PICKLES[2]})}),
        "cut short": whole[: len(whole) // 2],
        "a model alone": tiny_model(),
    }
    for content in disguised.values():
        with pytest.raises(HubError, match=r"holds a pickle|is not what its name says"):
            check_content("gesture_recognizer.task", content, "a/b")


def _stored(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_model_with_an_operation_that_is_not_built_in_is_refused() -> None:
    """Such as TensorFlow's own, among which are some that read and write files."""
    model = _with_custom_operation(tiny_model())
    with pytest.raises(HubError, match="an operation that is not built in"):
        check_content("model.tflite", model, "a/b")
    parts = read_task(silent_bundle()).parts
    from gesture_maker.bundle.task import TaskBundle

    with pytest.raises(HubError, match="an operation that is not built in"):
        check_content("a.task", write_task(TaskBundle(**{**parts, "custom_gesture_classifier": model})), "a/b")


def _with_custom_operation(model: bytes) -> bytes:
    import flatbuffers

    from gesture_maker.bundle.task import _schema

    schema = _schema("schema_py_generated")
    changed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    changed.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUSTOM
    changed.operatorCodes[0].customCode = "FlexWriteFile"
    builder = flatbuffers.Builder(1024)
    builder.Finish(changed.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@given(
    st.recursive(st.none() | st.text() | st.binary(max_size=9), lambda inner: st.lists(inner, max_size=3), max_leaves=5)
)
def test_every_pickle_that_calls_something_is_found_without_being_run(value: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        content = pickle.dumps([value, Evil()], protocol)
        assert is_pickle(content)
        assert is_pickle(pickletools.optimize(content))
    assert not Path("it_ran").exists()


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=30), min_size=1
    )
)
@example(["(lp0", "cos", "system"])
@example(["N."])
def test_labels_are_no_pickles(labels: list[str]) -> None:
    assert not is_pickle("".join(f"{label}\n" for label in labels).encode())


# Names


@pytest.mark.parametrize(
    "name",
    [
        "../labels.txt",
        "/etc/labels.txt",
        "a/labels.txt",
        "..\\labels.txt",
        "C:labels.txt",
        ".labels.txt",
        "",
        "labels.txt\n",
        "a..txt",
    ],
)
def test_names_that_are_paths_are_refused(name: str, shared: Shared) -> None:
    files = shared.manifest()["files"]
    files.append({"name": name, "size": 5, "sha256": sha256_of(b"none\n")})
    shared.rewrite(files=files)
    refused(shared, "which is no plain file name")


@given(st.text(max_size=30) | st.integers() | st.none())
def test_a_name_is_one_file_in_its_folder_or_refused(name: Any) -> None:
    try:
        check_name(name, "a/b")
    except HubError:
        return
    folder = Path("/somewhere/folder")
    assert Path(os.path.normpath(folder / name)).parent == folder
    assert not name.startswith(".")


def test_a_plain_name_that_no_such_model_has_is_refused(shared: Shared) -> None:
    files = shared.manifest()["files"]
    files.append({"name": "pulled.json", "size": 5, "sha256": sha256_of(b"none\n")})
    shared.rewrite(files=files)
    refused(shared, r"pulled\.json, which no image model has")


# Manifests


def test_a_manifest_is_read_as_it_was_written() -> None:
    contents = {CARD: b"# a\n", "labels.txt": b"a\n", "model.tflite": tiny_model(), "image.json": b"{}"}
    manifest = manifest_of(KINDS["image"], ("a",), contents, {"seed": 1}, "0.1.0")
    assert read_manifest(manifest.to_bytes(), "a/b") == manifest
    assert manifest.size == sum(map(len, contents.values()))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 2}, "update gesture-maker"),
        ({"format": True}, "damaged"),
        ({"kind": "sounds"}, "update gesture-maker"),
        ({"kind": "static"}, "which no static model has"),
        ({"labels": []}, "damaged"),
        ({"labels": ["a\x1b[2J"]}, "damaged"),
        ({"files": []}, "damaged"),
        ({"files": "all"}, "damaged"),
        ({"files": [{"name": "labels.txt"}]}, "damaged"),
        ({"files": [{"name": "labels.txt", "size": 5, "sha256": "0" * 64}]}, "damaged"),  # the model is not among them
        ({"files": [{"name": "labels.txt", "size": 1 << 40, "sha256": "0" * 64}]}, "may have 1048576 at most"),
        ({"files": [{"name": "labels.txt", "size": True, "sha256": "0" * 64}]}, "damaged"),
        ({"files": [{"name": "labels.txt", "size": 5, "sha256": "../" * 22}]}, "damaged"),
        ({"files": [{"name": "labels.txt", "size": 5, "sha256": "0" * 64}] * 30}, "damaged"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(values: dict[str, Any], message: str, shared: Shared) -> None:
    shared.rewrite(**values)
    refused(shared, message)


@given(st.binary(max_size=60) | st.from_regex(rb"\[*\{?\"format\": ?[0-9]*", fullmatch=True))
@example(b"[" * 100_000)
@example(PICKLES[0])
def test_any_bytes_are_a_manifest_or_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(HubError, match="is damaged or no manifest"):
        read_manifest(content, "a/b")


def test_a_repository_of_others_has_no_manifest(shared: Shared) -> None:
    shared.repository.change(gesture_maker__json=None)
    refused(shared, "was not pushed by gesture-maker")


def test_a_manifest_without_end_is_refused(shared: Shared) -> None:
    shared.repository.change(**{MANIFEST.replace(".", "__"): b" " * (5 << 20)})
    refused(shared, "is over 4 MB")


def test_a_refusal_on_the_command_line_is_one_sentence(shared: Shared) -> None:
    shared.replace("model.tflite", PICKLES[0], listed=True)
    done = run_cli(
        "hub", "pull", "anna/rps", cwd=shared.place, HF_TOKEN=shared.token, HF_ENDPOINT=shared.server.address
    )
    assert "anna/rps holds a pickle under the name model.tflite" in one_sentence_error(done)
    assert not (shared.place / "exported_models/rps").exists()
