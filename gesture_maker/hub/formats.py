"""Which files are shared at all, and whether a file is what its name says.

Six kinds of files leave a machine or come onto one: the two that are run, `.task` and `.tflite`, are data to an interpreter that knows
a fixed list of operations; `.json`, `.txt` and `.md` are text; `.png` a picture for the model card. What can hold code of its own
is none of them: pickles in all their wrappings (`.pkl`, `.pt`, `.joblib`, `.npy`), Keras files, whose Lambda layers are code, and
scripts. Names can lie, so each file's content is looked at too, without running or unpacking anything in it.
"""

from __future__ import annotations

import json
import pickletools
import re
import warnings
from pathlib import PurePosixPath
from typing import Any

from gesture_maker.bundle.task import (
    LAYOUT,
    MAX_BYTES,
    check_tflite,
    is_tflite,
    is_zip,
    operators_of,
    read_task,
    zip_members,
)
from gesture_maker.errors import BundleError, HubError

SUFFIXES: dict[str, int] = {
    ".task": MAX_BYTES,
    ".tflite": MAX_BYTES,
    ".json": 4 << 20,
    ".txt": 1 << 20,  # labels: 10,000 of 100 bytes
    ".md": 1 << 20,
    ".png": 16 << 20,  # a confusion matrix of 100 classes has 0.3 MB
}
"""Every suffix that is shared, and the bytes that such a file may have at most."""

_CODE = {
    **dict.fromkeys(
        (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".npy", ".npz", ".skops"), "a pickle"
    ),
    **dict.fromkeys((".keras", ".h5", ".hdf5", ".pb"), "a Keras or TensorFlow file"),
    **dict.fromkeys((".py", ".pyc", ".sh", ".so", ".exe", ".js", ".html"), "a program"),
}
"""What is named in its refusal, because it can run code of its own when it is opened."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_BINARY_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_CALLS = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD"}
_MOST_OF_A_TEXT_PICKLE = 4 << 20  # bytes looked at; larger ones are no text file here, and fail the check of their form
_PNG_BEGIN, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_SAFE_ENOUGH = "nothing of it was kept"


def check_name(name: Any, repo: str) -> str:
    """Return the name of a file in a repository. Raises HubError for one that is not plain, or is of a kind that is not shared."""
    shown = ascii(name)[:100]
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        raise HubError(f"{repo} names a file {shown}, which is no plain file name: {_SAFE_ENOUGH}.")
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in _CODE:
        raise HubError(f"{repo} holds {name}, {_CODE[suffix]}, which can run code when it is opened: {_SAFE_ENOUGH}.")
    if suffix not in SUFFIXES or suffix != PurePosixPath(name).suffix:
        kinds = ", ".join(SUFFIXES)
        raise HubError(f"{repo} holds {name}, but only {kinds} files are shared: {_SAFE_ENOUGH}.")
    return name


def limit_of(name: str) -> int:
    """Return how many bytes a file of a name that was checked may have."""
    return SUFFIXES[PurePosixPath(name).suffix]


def check_content(name: str, content: bytes, repo: str) -> None:
    """Raise HubError when a file is not what its name says; `repo` begins the sentence."""
    if is_pickle(content):
        raise HubError(
            f"{repo} holds a pickle under the name {name}, which can run code when it is opened: {_SAFE_ENOUGH}."
        )
    suffix = PurePosixPath(name).suffix
    try:
        if suffix == ".task":
            _check_task(content, name)
        elif suffix == ".tflite":
            _check_model(content, name)
        elif suffix == ".json":
            parsed_json(content)
        elif suffix == ".png":
            if not (content.startswith(_PNG_BEGIN) and content.endswith(_PNG_END)):
                raise ValueError("it is no PNG picture")
        elif "\0" in content.decode("utf-8"):
            raise ValueError("it is no text")
    except (BundleError, ValueError, RecursionError) as error:
        why = "it is no text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error) or "too deep"
        raise HubError(f"{name} in {repo} is not what its name says ({why.rstrip('.')}): {_SAFE_ENOUGH}.") from None


def parsed_json(content: bytes) -> dict[str, Any]:
    """Return the object of a JSON file. Raises ValueError for any other content."""
    try:
        value = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    return value


def is_pickle(content: bytes) -> bool:
    """Tell whether a content is a pickle that calls something, without unpickling it.

    A binary one begins with its protocol's number. One in text can begin with anything, so it is taken apart into its operations,
    which is not to carry them out.
    """
    if _BINARY_PICKLE.match(content):
        return True
    if is_zip(content) or is_tflite(content) or content.startswith(_PNG_BEGIN):
        return False
    calls = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what it takes for the escapes of a string
        try:
            for operation, _, _ in pickletools.genops(content[:_MOST_OF_A_TEXT_PICKLE]):
                calls = calls or operation.name in _CALLS
        except Exception:  # it takes the operations' arguments apart, and raises what comes
            return False
    return calls


def _check_task(content: bytes, name: str) -> None:
    outer = zip_members(content, name)
    names = [*outer, *(part for inner in LAYOUT if inner in outer for part in zip_members(outer[inner], inner))]
    allowed = {*LAYOUT, *(f"{part}.tflite" for parts in LAYOUT.values() for part in parts)}
    if others := [ascii(one) for one in names if one not in allowed]:
        raise ValueError(f"it holds {others[0][:100]}, which is no part of a gesture recognizer")
    for part, model in read_task(content).parts.items():
        _check_model(model, part)


def _check_model(content: bytes, name: str) -> None:
    check_tflite(content, name)
    if others := [one for one in operators_of(content) if one.startswith("CUSTOM:")]:
        raise ValueError(f"it uses {ascii(others[0])[:100]}, an operation that is not built in")
