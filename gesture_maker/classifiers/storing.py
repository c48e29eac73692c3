"""Classifiers on disk, without pickle: whoever loads one runs no code of its file.

    <folder>/classifier.json    kind, features, parameters, labels, versions, and the checksum of the other file
    <folder>/model.skops        scikit-learn's estimator: arrays and plain values, by skops
    <folder>/head_weights.h5    in its place, the weights of Model Maker's head

skops refuses types that it does not trust, but trusts all of scikit-learn's, also those that call functions which the file names. So the
file is looked through before skops gets it, and may name only the types that our own estimators are made of (`_ESTIMATORS`). And
types are not all: see `kept.py`.
"""

from __future__ import annotations

import io
import json
import platform
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.classifiers.classifier import Classifier
from gesture_maker.classifiers.kept import UnsoundError, from_kept, to_keep
from gesture_maker.classifiers.kinds import FEATURES, KINDS, MODEL_MAKER
from gesture_maker.errors import RunError
from gesture_maker.files import atomic_write, sha256_of, sha256_of_file

DESCRIPTION, MODEL, WEIGHTS = "classifier.json", "model.skops", "head_weights.h5"

MAX_BYTES = 1 << 30
"""Of a model. A forest takes 200 bytes a node with 18 classes: of 200 trees on 100,000 hands, reckoned from 25,000, 0.3 GB."""

_MAX_DESCRIPTION = 1 << 20
_MAX_ENTRIES = 1000  # of the zip that a skops file is; a pipeline has 30
_SCHEMA = "schema.json"

_PLAIN = {
    ("DictNode", "builtins.dict"),
    ("ListNode", "builtins.list"),
    ("TupleNode", "builtins.tuple"),
    ("JsonNode", "builtins.str"),
    ("TypeNode", "builtins.str"),
    ("NdArrayNode", "numpy.ndarray"),
    *(("NdArrayNode", f"numpy.{name}") for name in ("int32", "int64", "float32", "float64", "bool")),
}
"""What all are made of: how skops reads it, and the type."""

_PIPELINE = {
    ("ObjectNode", "sklearn.pipeline.Pipeline"),
    ("ObjectNode", "sklearn.preprocessing._data.StandardScaler"),
}

_ESTIMATORS: dict[str, set[tuple[str, str]]] = {
    "nearest-neighbours": set(),
    "random-forest": set(),
    "logistic-regression": _PIPELINE | {("ObjectNode", "sklearn.linear_model._logistic.LogisticRegression")},
    "mlp": _PIPELINE
    | {
        ("ObjectNode", "sklearn.neural_network._multilayer_perceptron.MLPClassifier"),
        ("ObjectNode", "sklearn.preprocessing._label.LabelBinarizer"),
    },
}
"""What each kind may be made of beside `_PLAIN`."""


def save_classifier(classifier: Classifier, folder: Path) -> None:
    """Write the classifier's two files into a folder, which is made where it is not there; both files or none.

    What else is in the folder stays. What only a further training would need is not kept.
    """
    with_head = classifier.kind == MODEL_MAKER
    model = folder / (WEIGHTS if with_head else MODEL)
    with atomic_write(folder / DESCRIPTION) as description, atomic_write(model) as temporary:
        if with_head:
            classifier.estimator.head_.save(temporary)
        else:
            import skops.io  # type: ignore[import-untyped]

            skops.io.dump(to_keep(classifier.kind, classifier.estimator), temporary)
        values: dict[str, Any] = {
            "kind": classifier.kind,
            "features": classifier.features,
            "parameters": dict(classifier.parameters),
            "labels": list(classifier.labels),
            "model": {"file": model.name, "sha256": sha256_of_file(temporary)},
            "versions": _versions(with_head),
        }
        if with_head:  # which settings the head has follows from these
            values |= {"hands": int(classifier.estimator.hands_), "seed": int(classifier.estimator.seed)}
        text = json.dumps(values | {"checksum": _checksum(values)}, indent=2, ensure_ascii=False)
        description.write_text(text + "\n", encoding="utf-8")


def load_classifier(folder: Path) -> Classifier:
    """Return the classifier in a folder that `save_classifier` wrote.

    Raises RunError when there is none, or its files are damaged, do not fit together, or hold anything else than such an
    estimator; nothing that is named in them is run.
    """
    values = _described(folder)
    labels, parameters = tuple(values["labels"]), {k: _as_it_was(v) for k, v in values["parameters"].items()}
    about = values["kind"], values["features"], parameters, labels
    if values["kind"] == MODEL_MAKER:
        content = _read(folder / WEIGHTS, values)
        return Classifier(*about, _head(folder / WEIGHTS, content, values, labels, parameters))
    file = folder / MODEL
    kept = _loaded(_read(file, values), file, values["kind"])
    try:
        return Classifier(*about, from_kept(values["kind"], kept, values["features"], len(labels)))
    except Exception as error:  # whatever lacks, or has another shape or type, raises any
        what = f" (its {error})" if isinstance(error, UnsoundError) else ""
        raise RunError(f"{file} is damaged, or does not fit its labels and settings{what}: compare again.") from error


def _described(folder: Path) -> dict[str, Any]:
    file = folder / DESCRIPTION
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_DESCRIPTION + 1)
        if len(content) > _MAX_DESCRIPTION:
            raise RunError(
                f"{file} is over {_MAX_DESCRIPTION >> 20} MB, which no classifier's is: check which file it is."
            )
        values = json.loads(content)
        sound = (
            values["kind"] in KINDS
            and values["features"] in FEATURES
            and isinstance(values["parameters"], dict)
            and isinstance(values["labels"], list)
            and all(isinstance(label, str) for label in values["labels"])
            and 0 < len(values["labels"]) == len(set(values["labels"]))
            and isinstance(values["model"]["sha256"], str)
        )
        checksum = values.pop("checksum")
    except FileNotFoundError:
        raise RunError(f"{folder} holds no classifier: give a folder that `gesture-maker compare` made.") from None
    except NotADirectoryError:
        raise RunError(
            f"{folder} is a file: give the folder of a classifier that `gesture-maker compare` made."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunError(f"{file} is damaged: compare again.") from error
    if not sound or checksum != _checksum(values):
        raise RunError(f"{file} is damaged, or was changed after it was written: compare again.")
    return dict(values)


def _checksum(values: Mapping[str, Any]) -> str:
    """Return what shows that labels were exchanged, or settings changed: by hand or disk, not by somebody who can count."""
    return sha256_of(json.dumps(values, sort_keys=True).encode())


def _read(file: Path, values: Mapping[str, Any]) -> bytes:
    """Return a file's bytes, when they are those that were written."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise RunError(f"{file} is over {MAX_BYTES >> 30} GB, which no classifier is: check which file it is.")
        content = file.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{file} is missing: compare again, or copy the whole folder.") from None
    if sha256_of(content) != values["model"]["sha256"]:
        raise RunError(
            f"{file} is damaged, cut short, or of another classifier: compare again, or copy the folder again."
        )
    return content


def _loaded(content: bytes, file: Path, kind: str) -> Any:
    """Return the estimator of a skops file. Raises RunError when it is none, or names a type that is not allowed."""
    import skops.io

    allowed = _PLAIN | _ESTIMATORS[kind]
    try:
        schema = json.loads(_schema(content, file))
        for loader, type_name in _named(schema):
            if (loader, type_name) not in allowed:
                raise RunError(
                    f"{file} holds {type_name} (read by {loader}), which no {KINDS[kind].title} has: it was not loaded. "
                    "Use only models that you or people you trust have made."
                )
        return skops.io.loads(content, trusted=sorted({name for _, name in allowed}))
    except RunError:
        raise
    except Exception as error:  # skops, NumPy and scikit-learn raise any, of a file that is not theirs
        raise RunError(f"{file} is damaged, or no model that skops wrote: compare again.") from error


def _schema(content: bytes, file: Path) -> bytes:
    """Return the description of all objects in a skops file, of which no entry is larger than the file.

    They are stored as they are: so a small file cannot become a large one in memory.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        names = {entry.filename for entry in entries}
        size = sum(entry.file_size for entry in entries)
        compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if compressed or size > len(content) or len(entries) > _MAX_ENTRIES or len(names) != len(entries):
            raise RunError(
                f"{file} would unpack to {size:,} bytes in {len(entries):,} parts: no classifier that was written here."
            )
        return archive.read(_SCHEMA)


def _named(schema: Any) -> Iterator[tuple[str, str]]:
    """Yield, of every object in a schema, by which of its classes skops reads it, and the type that it makes."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
            if {"__loader__", "__module__", "__class__"} & set(part):
                yield str(part.get("__loader__")), f"{part.get('__module__')}.{part.get('__class__')}"


def _check_weights(content: bytes, file: Path) -> None:
    """Raise RunError when an HDF5 file is damaged, or leads to other files, which HDF5 would open."""
    import h5py  # type: ignore[import-untyped]

    def look(group: Any) -> None:
        for name in group:
            found = group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
            if isinstance(found, h5py.Group):
                look(found)
            elif found is None or found.external or found.is_virtual:
                raise RunError(f"{file} leads to other files: it was not loaded. Use only models of people you trust.")

    try:
        with h5py.File(io.BytesIO(content), "r") as opened:
            look(opened)
    except (OSError, ValueError, KeyError, RuntimeError, RecursionError) as error:
        raise RunError(f"{file} is damaged: compare again.") from error


def _head(
    file: Path, content: bytes, values: Mapping[str, Any], labels: tuple[str, ...], parameters: Mapping[str, Any]
) -> Any:
    from gesture_maker.classifiers.model_maker_head import ModelMakerHead
    from gesture_maker.training.fitting import Plan, model_options_of
    from gesture_maker.training.model_maker import load_head

    _check_weights(content, file)
    try:
        estimator = ModelMakerHead(labels=labels, **parameters, seed=int(values["seed"]))
        estimator.hands_, estimator.classes_, estimator.history_ = int(values["hands"]), np.arange(len(labels)), []
        plan = Plan.of(estimator.recipe, labels, estimator.seed)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{file.parent / DESCRIPTION} is damaged: compare again.") from error
    estimator.head_ = load_head(file, list(labels), model_options_of(plan))
    return estimator


def _as_it_was(value: Any) -> Any:
    """Return a setting as it was before JSON, which has no tuples."""
    return tuple(value) if isinstance(value, list) else value


def _versions(with_head: bool) -> dict[str, str]:
    from gesture_maker import __version__

    packages = ("mediapipe-model-maker", "tensorflow") if with_head else ("scikit-learn", "skops")
    found = {"gesture-maker": __version__, "python": platform.python_version()}
    return found | {package: metadata.version(package) for package in ("numpy", *packages)}
