"""`.task` files: zips of zips of TFLite files, read and written without TensorFlow and without MediaPipe.

    gesture_recognizer.task
    ├── hand_landmarker.task          hand_detector.tflite, hand_landmarks_detector.tflite
    └── hand_gesture_recognizer.task  gesture_embedder.tflite, canned_gesture_classifier.tflite,
                                      custom_gesture_classifier.tflite (Google's own bundle has none)

All entries are stored uncompressed, because the runtime maps them into memory where they lie.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gesture_maker.errors import BundleError

HAND_LANDMARKER = "hand_landmarker.task"
HAND_GESTURE_RECOGNIZER = "hand_gesture_recognizer.task"

LAYOUT: dict[str, tuple[str, ...]] = {
    HAND_LANDMARKER: ("hand_detector", "hand_landmarks_detector"),
    HAND_GESTURE_RECOGNIZER: ("gesture_embedder", "canned_gesture_classifier", "custom_gesture_classifier"),
}
"""The inner bundles and their parts, in the order in which the runtime asks for them."""

OPTIONAL_PARTS = frozenset({"custom_gesture_classifier"})
MAX_BYTES = 256 << 20  # of a bundle, and of all that is in it; Google's gesture recognizer has 8 MB
MAX_ENTRIES = 1000  # of one zip; a bundle has two or three

_ALIGNMENT = 4  # bytes, as MediaPipe's own bundle writer has it, so that a model can be used where it lies
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_LOCAL_HEADER = 30  # bytes before the name, in the zip format
_UNIX = 3  # "made on": otherwise it differs between operating systems, and with it the bytes
_MODE = 0o100644 << 16
_PADDING_FIELD = 0xD935  # the extra field that Android's zipalign pads with; readers skip it
_ZIP_MAGIC = b"PK\x03\x04"
_MAX_LABELS_BYTES = 10 << 20
_MAX_LEAD = 64  # MediaPipe's writer puts up to four zero bytes before the first entry
_NO_LABELS = "The classifier carries no labels in its metadata: train and export it again."

# What zipfile raises for broken files: RuntimeError is a password, and NotImplementedError (one of its kind) an unknown
# compression; UnicodeDecodeError is a ValueError.
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OverflowError, struct.error, OSError, RuntimeError)


@dataclass(frozen=True)
class TaskBundle:
    """The TFLite files of one gesture recognizer, each as the bytes of the file.

    Raises BundleError when a part is not a TFLite file.
    """

    hand_detector: bytes = field(repr=False)
    hand_landmarks_detector: bytes = field(repr=False)
    gesture_embedder: bytes = field(repr=False)
    canned_gesture_classifier: bytes = field(repr=False)
    custom_gesture_classifier: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, content in self.parts.items():
            check_tflite(content, f"The bundle's {name}")

    @property
    def parts(self) -> dict[str, bytes]:
        """The parts that are there, by name, in the runtime's order."""
        named = {name: getattr(self, name) for names in LAYOUT.values() for name in names}
        return {name: content for name, content in named.items() if content is not None}


def read_task(source: Path | bytes) -> TaskBundle:
    """Return the parts of the `.task` file `source` (a path, or the file's bytes).

    Raises BundleError for a file that is missing, not a bundle, cut short, damaged, compressed (the runtime does not
    load it), over `MAX_BYTES`, or that lacks a part.
    """
    name, content = (str(source), read_limited(source)) if isinstance(source, Path) else ("The bundle", source)
    if is_tflite(content):
        raise BundleError(
            f"{name} is a single TFLite model, not a .task bundle: give the .task file that it belongs to."
        )
    outer = _stored_members(content, name)
    found: dict[str, bytes] = {}
    for inner_name, part_names in LAYOUT.items():
        inner = _stored_members(_member(outer, inner_name, name), f"{inner_name} in {name}")
        for part in part_names:
            file_name = f"{part}.tflite"
            if part in OPTIONAL_PARTS and file_name not in inner:
                continue
            found[part] = _member(inner, file_name, name)
            check_tflite(found[part], f"{file_name} in {name}")
    return TaskBundle(**found)


def write_task(bundle: TaskBundle) -> bytes:
    """Return the `.task` file of `bundle`: the same bytes for the same parts, on every machine."""
    parts = bundle.parts
    return _write_zip(
        {
            inner_name: _write_zip({f"{part}.tflite": parts[part] for part in part_names if part in parts})
            for inner_name, part_names in LAYOUT.items()
        }
    )


def hand_landmarker_task(detector: bytes, landmarks: bytes) -> bytes:
    """Return the `hand_landmarker.task` (for MediaPipe's HandLandmarker) of these two TFLite files.

    Raises BundleError when one of them is not a TFLite file.
    """
    contents = dict(zip(LAYOUT[HAND_LANDMARKER], (detector, landmarks), strict=True))
    for name, content in contents.items():
        check_tflite(content, f"The {name}")
    return _write_zip({f"{name}.tflite": content for name, content in contents.items()})


def is_tflite(content: bytes) -> bool:
    """Tell whether `content` begins as a TFLite file does: its flatbuffer identifier is in bytes 4 to 8."""
    return content[4:8] == b"TFL3"


def is_zip(content: bytes) -> bool:
    """Tell whether `content` begins as a zip does, be it whole or not."""
    return content[:_MAX_LEAD].lstrip(b"\0").startswith(_ZIP_MAGIC)


def check_tflite(content: bytes, name: str) -> None:
    """Raise BundleError, with `name` as its subject, when `content` is not a TFLite file."""
    if not is_tflite(content):
        what = "is empty" if not content else "is not a TFLite model"
        raise BundleError(f"{name} {what}: export or download the bundle again.")


def read_limited(path: Path) -> bytes:
    """Return the bytes of a file of at most `MAX_BYTES`; raises BundleError when there is none that can be read."""
    if path.is_dir():
        raise BundleError(f"{path} is a folder: give the .task file itself.")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise BundleError(f"There is no file {path}: check the name, or make it with `gesture-maker export`.") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}).") from error
    if len(content) > MAX_BYTES:
        raise BundleError(
            f"{path} is over {MAX_BYTES >> 20} MB, which no gesture recognizer is: check which file it is."
        )
    return content


def zip_members(content: bytes, name: str) -> dict[str, bytes]:
    """Return the files in the zip `content` by their name in it; `name` begins the sentence of an error.

    Compressed entries are unpacked, up to `MAX_BYTES` together and `MAX_ENTRIES`. Raises BundleError for anything else
    than a whole zip, however it is broken.
    """
    with _open_zip(content, name) as archive:
        return _read_members(archive, content, name)


def _stored_members(content: bytes, name: str) -> dict[str, bytes]:
    with _open_zip(content, name) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise BundleError(
                    f"{name} is compressed, and MediaPipe only loads a bundle whose files are stored as they are: "
                    "export or download it again."
                )
        return _read_members(archive, content, name)


def _open_zip(content: bytes, name: str) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _BROKEN_ZIP as error:
        raise BundleError(_why_no_zip(content, name)) from error
    # In a file that was cut short, the end of an inner zip may be found instead: then something precedes its entries.
    first = min((entry.header_offset for entry in archive.infolist()), default=0)
    if content[:first].strip(b"\0"):
        raise BundleError(_why_no_zip(content, name))
    return archive


def _why_no_zip(content: bytes, name: str) -> str:
    if not content:
        return f"{name} is empty: export or download it again."
    if is_zip(content):
        return f"{name} is cut short or damaged: export, copy or download it again."
    return f"{name} is not a .task bundle (it is no zip): give a file that `gesture-maker export` or MediaPipe made."


def _read_members(archive: zipfile.ZipFile, content: bytes, name: str) -> dict[str, bytes]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise BundleError(f"{name} would unpack to over {MAX_BYTES >> 20} MB or {MAX_ENTRIES} files: it is no bundle.")
    members: dict[str, bytes] = {}
    for entry in entries:
        # What is stored cannot be larger than the zip: found here, before memory is taken for it.
        if entry.compress_type == zipfile.ZIP_STORED and entry.file_size > len(content):
            raise BundleError(_why_no_zip(content, name))
        try:
            members[entry.filename] = archive.read(entry)
        except _BROKEN_ZIP as error:
            raise BundleError(_why_no_zip(content, name)) from error
    return members


def _member(members: Mapping[str, bytes], file_name: str, bundle_name: str) -> bytes:
    if file_name not in members:
        raise BundleError(
            f"{bundle_name} lacks {file_name}, so it is not a gesture recognizer: "
            "give a bundle that `gesture-maker export` or MediaPipe made."
        )
    return members[file_name]


def _write_zip(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=_FIXED_TIME)
            entry.create_system = _UNIX
            entry.external_attr = _MODE
            # MediaPipe's writer leaves bare zero bytes between entries; an extra field of the entry aligns as well, and
            # also suits readers that go through the file from its beginning.
            data_at = buffer.tell() + _LOCAL_HEADER + len(name.encode()) + struct.calcsize("<HHH")
            padding = -data_at % _ALIGNMENT
            entry.extra = struct.pack("<HHH", _PADDING_FIELD, 2 + padding, _ALIGNMENT) + bytes(padding)
            archive.writestr(entry, content)
    return buffer.getvalue()


def labels_of(tflite: bytes) -> list[str]:
    """Return the class names of a classifier, in the order of its outputs, as the runtime reads them.

    Raises BundleError when it is no TFLite file or carries no labels.
    """
    check_tflite(tflite, "The classifier")
    try:
        # The metadata's files are a zip behind the flatbuffer; zipfile finds it from the end.
        with zipfile.ZipFile(io.BytesIO(tflite)) as archive:
            members = {entry.filename: entry for entry in archive.infolist()}
            texts = [name for name in members if name.endswith(".txt")]
            named = [name for name in _label_files(tflite) if name in members] or texts
            if len(named) != 1 or members[named[0]].file_size > _MAX_LABELS_BYTES:
                raise BundleError(_NO_LABELS)
            text = archive.read(named[0]).decode()
    except _BROKEN_ZIP as error:
        raise BundleError(_NO_LABELS) from error
    labels = text.split("\n")  # and at nothing else: a name may hold other kinds of line breaks
    return labels[:-1] if labels[-1] == "" else labels  # the runtime, too, leaves out an empty last line


def score_threshold_of(tflite: bytes) -> float | None:
    """Return the score below which the classifier's answer does not count, or None when it sets none.

    Raises BundleError when it is no TFLite file or its metadata is damaged.
    """
    check_tflite(tflite, "The classifier")
    scored = _schema("metadata_schema_py_generated").ProcessUnitOptions.ScoreThresholdingOptions
    for tensor in _output_metadata(tflite):
        for unit in tensor.processUnits or []:
            if unit.optionsType == scored:
                return float(unit.options.globalScoreThreshold)
    return None


def operators_of(tflite: bytes) -> list[str]:
    """Return the names of the operations that a TFLite file uses, sorted; "CUSTOM:…" of those that are not built in.

    Raises BundleError when it is no TFLite file or is damaged.
    """
    check_tflite(tflite, "The model")
    schema = _schema("schema_py_generated")
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    try:
        model = schema.Model.GetRootAs(tflite, 0)
        codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
        found = {
            f"CUSTOM:{code.CustomCode().decode()}" if code.CustomCode() else names[code.BuiltinCode()] for code in codes
        }
    except (struct.error, KeyError, ValueError, TypeError, OverflowError) as error:
        raise BundleError("The model is damaged: export it again.") from error
    return sorted(found)


def mediapipe_folder() -> Path | None:
    """Return the folder of the installed mediapipe package, without importing it; None when it is not installed."""
    spec = importlib.util.find_spec("mediapipe")
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) if places else None


def _label_files(tflite: bytes) -> list[str]:
    """Return the names of the label files of the first output that has some, without their translations."""
    kinds = _schema("metadata_schema_py_generated").AssociatedFileType
    for tensor in _output_metadata(tflite):
        files = [
            file.name.decode()
            for file in tensor.associatedFiles or []
            if file.type in (kinds.TENSOR_AXIS_LABELS, kinds.TENSOR_VALUE_LABELS) and not file.locale
        ]
        if files:
            return files
    return []


def _output_metadata(tflite: bytes) -> list[Any]:
    """Return the metadata (`TensorMetadataT`) of each output of the model; empty when it carries no metadata."""
    try:
        model = _schema("schema_py_generated").Model.GetRootAs(tflite, 0)
        entries = (model.Metadata(index) for index in range(model.MetadataLength()))
        buffer = next((entry.Buffer() for entry in entries if entry.Name() == b"TFLITE_METADATA"), None)
        if buffer is None:
            return []
        schema = _schema("metadata_schema_py_generated")
        root = schema.ModelMetadata.GetRootAs(model.Buffers(buffer).DataAsNumpy().tobytes(), 0)
        graphs = schema.ModelMetadataT.InitFromObj(root).subgraphMetadata
        return list(graphs[0].outputTensorMetadata or []) if graphs else []
    except (struct.error, AttributeError, IndexError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BundleError("The classifier's metadata is damaged: train and export it again.") from error


@functools.cache
def _schema(name: str) -> Any:
    """Return one of mediapipe's flatbuffer schema modules.

    Loaded by its path (0.1 s), because importing it by name runs all of mediapipe first (1.2 s).
    """
    folder = mediapipe_folder()
    path = folder / "tasks" / "metadata" / f"{name}.py" if folder else None
    if path is None or not path.is_file():
        raise BundleError("The metadata of a .task file cannot be read: install mediapipe 0.10.21 again.")
    spec = importlib.util.spec_from_file_location(f"gesture_maker._{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
