"""`.task` files: what is written is read back, and what is broken is refused with one sentence."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.bundle import task
from gesture_maker.bundle.task import (
    TaskBundle,
    hand_landmarker_task,
    labels_of,
    mediapipe_folder,
    read_task,
    score_threshold_of,
    write_task,
    zip_members,
)
from gesture_maker.errors import BundleError
from gesture_maker.files import sha256_of

tflite_files = st.binary(max_size=300).map(lambda rest: b"\x1c\0\0\0TFL3" + rest)
bundles = st.builds(
    TaskBundle, tflite_files, tflite_files, tflite_files, tflite_files, st.one_of(st.none(), tflite_files)
)
SMALL = TaskBundle(*(b"\x1c\0\0\0TFL3" + bytes([number]) * (50 + number) for number in range(5)))


@pytest.fixture(scope="module")
def google(shared: Path) -> TaskBundle:
    """The parts of Google's published bundle, which has no custom classifier."""
    package = mediapipe_folder()
    assert package is not None
    return TaskBundle(
        hand_detector=(package / "modules/palm_detection/palm_detection_full.tflite").read_bytes(),
        hand_landmarks_detector=(package / "modules/hand_landmark/hand_landmark_full.tflite").read_bytes(),
        gesture_embedder=(shared / "assets/gesture_embedder.tflite").read_bytes(),
        canned_gesture_classifier=(shared / "assets/canned_gesture_classifier.tflite").read_bytes(),
    )


@given(bundles)
def test_what_is_written_is_read_back_and_written_the_same(bundle: TaskBundle) -> None:
    written = write_task(bundle)
    assert read_task(written) == bundle
    assert write_task(read_task(written)) == written


def test_the_bytes_do_not_change_between_versions_of_this_project() -> None:
    # Two trainings with one seed promise the same SHA-256; so do two machines.
    assert sha256_of(write_task(SMALL)) == "a342df7b2a2422363209d9f8be1d8b8dcb937ca493ec3baefb63082be60dda41"


@given(bundles)
def test_every_entry_is_stored_aligned_and_without_a_trace_of_the_machine(bundle: TaskBundle) -> None:
    def check(content: bytes, start: int) -> list[str]:
        names = []
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                name_length, extra_length = struct.unpack_from("<HH", content, entry.header_offset + 26)
                data_at = entry.header_offset + 30 + name_length + extra_length
                assert entry.compress_type == zipfile.ZIP_STORED
                assert (start + data_at) % 4 == 0
                assert content[data_at : data_at + entry.file_size] == archive.read(entry)
                assert (entry.date_time, entry.create_system) == ((1980, 1, 1, 0, 0, 0), 3)
                names.append(entry.filename)
                if entry.filename.endswith(".task"):
                    names += check(archive.read(entry), start + data_at)
        return names

    parts = [f"{name}.tflite" for name in bundle.parts]
    assert check(write_task(bundle), 0) == [
        "hand_landmarker.task",
        *parts[:2],
        "hand_gesture_recognizer.task",
        *parts[2:],
    ]


def test_a_bundle_is_read_from_a_path_as_from_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.task").write_bytes(write_task(SMALL))
    assert read_task(tmp_path / "a.task") == SMALL


def test_the_hand_landmarker_alone_holds_its_two_files() -> None:
    written = hand_landmarker_task(SMALL.hand_detector, SMALL.hand_landmarks_detector)
    assert zip_members(written, "it") == {
        "hand_detector.tflite": SMALL.hand_detector,
        "hand_landmarks_detector.tflite": SMALL.hand_landmarks_detector,
    }
    assert write_task(SMALL).find(written) > 0  # the very bytes that are in the bundle
    with pytest.raises(BundleError, match="hand_landmarks_detector is not a TFLite model"):
        hand_landmarker_task(SMALL.hand_detector, b"<html>")


def test_what_mediapipes_own_writer_makes_is_read(google: TaskBundle, tmp_path: Path) -> None:
    writer = _mediapipe_module("mediapipe.tasks.python.metadata.metadata_writers.model_asset_bundle_utils")
    for inner, parts in task.LAYOUT.items():
        files = {f"{part}.tflite": google.parts[part] for part in parts if part in google.parts}
        writer.create_model_asset_bundle(files, str(tmp_path / inner))
    files = {inner: (tmp_path / inner).read_bytes() for inner in task.LAYOUT}
    writer.create_model_asset_bundle(files, str(tmp_path / "whole.task"))
    assert read_task(tmp_path / "whole.task") == google


def test_the_runtime_loads_what_is_written(google: TaskBundle, shared: Path) -> None:
    from gesture_maker.images import bordered, read_image
    from gesture_maker.mediapipe_runtime import load_mediapipe

    mp = load_mediapipe()
    vision = mp.tasks.vision
    photo = sorted((shared / "data/sign_language_digits/train/5").iterdir())[0]  # an open hand
    image = mp.Image(image_format=mp.ImageFormat.SRGB, data=bordered(read_image(photo), 0.5)[0])

    base = mp.tasks.BaseOptions(model_asset_buffer=write_task(google))
    with vision.GestureRecognizer.create_from_options(vision.GestureRecognizerOptions(base_options=base)) as recognizer:
        assert recognizer.recognize(image).gestures[0][0].category_name == "Open_Palm"
    hands = hand_landmarker_task(google.hand_detector, google.hand_landmarks_detector)
    base = mp.tasks.BaseOptions(model_asset_buffer=hands)
    with vision.HandLandmarker.create_from_options(vision.HandLandmarkerOptions(base_options=base)) as landmarker:
        assert len(landmarker.detect(image).hand_landmarks[0]) == 21


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"PK", "is no zip"),
        (b"<!DOCTYPE html><html>Not found</html>", "is no zip"),
        (SMALL.gesture_embedder, "is a single TFLite model"),
    ],
)
def test_bad_input_task_that_is_not_one(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "a.task"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=sentence) as raised:
        read_task(path)
    assert str(path) in str(raised.value)


def test_bad_input_task_that_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"There is no file .*nothing\.task"):
        read_task(tmp_path / "nothing.task")
    with pytest.raises(BundleError, match="is a folder"):
        read_task(tmp_path)


def test_bad_input_task_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.task"
    with path.open("wb") as file:
        file.truncate(task.MAX_BYTES + 1)  # sparse: takes no room
    with pytest.raises(BundleError, match="over 256 MB"):
        read_task(path)


def test_bad_input_task_cut_short() -> None:
    whole = write_task(SMALL)
    for length in range(4, len(whole)):  # with less than four bytes it does not yet begin as a zip
        with pytest.raises(BundleError, match="cut short"):
            read_task(whole[:length])


def test_bad_input_real_task_cut_short(google: TaskBundle) -> None:
    whole = write_task(google)
    canned_ends = whole.index(google.canned_gesture_classifier) + len(google.canned_gesture_classifier)
    # At the end of the canned classifier lies a zip of its own (its labels), which must not be taken for the bundle.
    for length in (100, len(whole) // 2, canned_ends, len(whole) - 1):
        with pytest.raises(BundleError, match="cut short"):
            read_task(whole[:length])


@pytest.mark.parametrize("part", [name for name in SMALL.parts if name not in task.OPTIONAL_PARTS])
def test_bad_input_task_lacks_a_part(part: str) -> None:
    with pytest.raises(BundleError, match=f"lacks {part}.tflite"):
        read_task(_write_loose({name: content for name, content in SMALL.parts.items() if name != part}))


def test_bad_input_task_lacks_an_inner_bundle() -> None:
    with pytest.raises(BundleError, match=r"lacks hand_gesture_recognizer\.task"):
        read_task(write_task(SMALL).replace(b"hand_gesture_recognizer.task", b"hand_gesture_recognizer.xxxx"))
    with pytest.raises(BundleError, match=r"lacks hand_landmarker\.task"):
        read_task(hand_landmarker_task(SMALL.hand_detector, SMALL.hand_landmarks_detector))


@pytest.mark.parametrize("part", SMALL.parts)
def test_bad_input_task_with_a_part_that_is_no_model(part: str) -> None:
    with pytest.raises(BundleError, match=f"{part}.tflite in .* is not a TFLite model"):
        read_task(_write_loose({**SMALL.parts, part: b"<html>not found</html>"}))
    with pytest.raises(BundleError, match=f"{part} is not a TFLite model"):
        TaskBundle(**{**SMALL.parts, part: b"<html>not found</html>"})


def test_bad_input_task_that_is_compressed() -> None:
    with pytest.raises(BundleError, match="is compressed"):
        read_task(_write_loose(SMALL.parts, zipfile.ZIP_DEFLATED))


def test_bad_input_zip_that_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "MAX_BYTES", 1 << 20)
    with pytest.raises(BundleError, match="would unpack to over"):
        zip_members(_zip({"zeros": bytes(2 << 20)}, zipfile.ZIP_DEFLATED), "bomb.task")
    with pytest.raises(BundleError, match="would unpack to over"):
        zip_members(_zip({str(number): b"" for number in range(1001)}), "many.task")


@given(st.data())
@settings(max_examples=300)
def test_a_damaged_bundle_is_refused_or_the_same(data: st.DataObject) -> None:
    content = bytearray(write_task(SMALL))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(BundleError):
        bundle = read_task(bytes(content))
        # The custom classifier may be missing: that its entry has another name cannot be told from a bundle without it.
        assert bundle.parts.items() <= SMALL.parts.items()


def test_labels_of_googles_classifiers(google: TaskBundle) -> None:
    assert labels_of(google.canned_gesture_classifier) == [
        "None",
        "Closed_Fist",
        "Open_Palm",
        "Pointing_Up",
        "Thumb_Down",
        "Thumb_Up",
        "Victory",
        "ILoveYou",
    ]
    assert score_threshold_of(google.canned_gesture_classifier) is None


@given(
    labels=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1), min_size=1
    ),
    threshold=st.floats(0, 1, width=32),
)
@settings(max_examples=25, deadline=None)
def test_labels_and_threshold_are_those_that_model_makers_writer_put_in(
    google: TaskBundle, labels: list[str], threshold: float
) -> None:
    writer = _mediapipe_module("mediapipe.tasks.python.metadata.metadata_writers.metadata_writer")
    made = writer.MetadataWriter.create(bytearray(google.gesture_embedder))  # it has no metadata yet
    made.add_general_info("test")
    for index in range(3):
        made.add_feature_input(f"input {index}")
    made.add_classification_output(writer.Labels().add(labels), score_thresholding=writer.ScoreThresholding(threshold))
    content, _ = made.populate()
    assert labels_of(bytes(content)) == labels
    assert score_threshold_of(bytes(content)) == threshold


def test_bad_input_classifier_without_labels(google: TaskBundle) -> None:
    with pytest.raises(BundleError, match="carries no labels"):
        labels_of(google.gesture_embedder)
    assert score_threshold_of(google.gesture_embedder) is None
    for wrong in (labels_of, score_threshold_of):
        with pytest.raises(BundleError, match="is not a TFLite model"):
            wrong(b"<html>")
        with pytest.raises(BundleError):
            wrong(b"\x1c\0\0\0TFL3")


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_classifier_is_refused_or_read(google: TaskBundle, data: st.DataObject) -> None:
    content = bytearray(google.canned_gesture_classifier)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    for read in (labels_of, score_threshold_of):
        with contextlib.suppress(BundleError):
            read(bytes(content))


def _write_loose(parts: dict[str, bytes], inner_compression: int = zipfile.ZIP_STORED) -> bytes:
    """Write a bundle without looking at its parts."""
    inner = {
        name: _zip({f"{part}.tflite": parts[part] for part in names if part in parts}, inner_compression)
        for name, names in task.LAYOUT.items()
    }
    return _zip(inner)


def _zip(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _mediapipe_module(name: str) -> object:
    """Import a module of mediapipe's without TensorFlow, which it can do without."""
    import importlib

    from gesture_maker.mediapipe_runtime import load_mediapipe

    load_mediapipe()
    kept = sys.modules.get("tensorflow")
    if kept is None:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    finally:
        if kept is None:
            del sys.modules["tensorflow"]
