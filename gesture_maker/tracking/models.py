"""Bundles and classifiers as MLflow model folders, which hold no pickle.

A model folder is an `MLmodel` file that names the module to load it by (`tracking/pyfunc.py`), and the `.task` or the classifier's
folder beneath `data/`. There is no signature, since MLflow would refuse all but one of the forms in which hands and photos can be
sent, and so no input example, which MLflow would make a signature of; `metadata` tells the classes.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from gesture_maker import __version__
from gesture_maker.bundle.task import labels_of, read_task
from gesture_maker.dataset.names import class_of_bundle_label
from gesture_maker.errors import BundleError, GestureMakerError, TrackingError
from gesture_maker.files import TEMPORARY_PREFIX, sha256_of_file
from gesture_maker.tracking.store import SILENCE

LOADER = "gesture_maker.tracking.pyfunc"

CLASSIFIER = "classifier.json"
"""What tells the folder of a classifier."""

_NEEDED = ("mediapipe", "numpy", "pillow", "opencv-contrib-python", "scikit-learn", "skops", "mlflow")
"""What answering needs of all that the project does; Model Maker's head needs TensorFlow too."""


def write_model(folder: Path, *, task: Path | None = None, classifier: Path | None = None, name: str = "") -> None:
    """Write the MLflow model `folder` of a `.task`, or of a folder that `save_classifier` wrote; it must not exist.

    `name`: for people, kept in its metadata. Raises BundleError for a file that is no bundle with a classifier, TrackingError when
    the folder exists or holds no classifier.
    """
    if (task is None) == (classifier is None):
        raise ValueError("give a task or a classifier")
    about = _about_task(task) if task is not None else _about_classifier(Path(classifier or ""))
    if folder.exists():
        raise TrackingError(f"{folder} exists already: give another name.")
    os.environ.update(SILENCE)
    import mlflow.pyfunc
    from mlflow.environment_variables import MLFLOW_UV_AUTO_DETECT

    folder.parent.mkdir(parents=True, exist_ok=True)
    before = os.environ.get(MLFLOW_UV_AUTO_DETECT.name)
    os.environ[MLFLOW_UV_AUTO_DETECT.name] = "false"  # or a project in the current folder would be copied in
    made = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=folder.parent))
    try:
        mlflow.pyfunc.save_model(
            str(made / "model"),
            loader_module=LOADER,
            data_path=str(task or classifier),
            pip_requirements=_requirements(str(about.get("kind", ""))),
            metadata={"name": name, **about},
        )
        (made / "model").rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if before is None:
            del os.environ[MLFLOW_UV_AUTO_DETECT.name]
        else:
            os.environ[MLFLOW_UV_AUTO_DETECT.name] = before


def data_of(folder: Path) -> Path:
    """Return the `.task`, or the classifier's folder, in an MLflow model folder.

    Raises TrackingError for a model that is damaged or not one of `write_model`: others bring code that would be run.
    """
    import yaml

    file = folder / "MLmodel"
    try:
        flavors = yaml.safe_load(file.read_text(encoding="utf-8"))["flavors"]
        flavor = flavors["python_function"]
        loader, code, data = flavor["loader_module"], flavor.get("code"), str(flavor.get("data", ""))
    except FileNotFoundError:
        raise TrackingError(f"{folder} is no MLflow model: it has no file MLmodel.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise TrackingError(f"{file} is damaged: record the model again with --track.") from error
    if loader != LOADER or code:
        raise TrackingError(
            f"The model in {folder} is loaded by {loader if loader != LOADER else 'code of its own'}, which was not run: only "
            "models that gesture-maker recorded are served."
        )
    place = folder / data
    if not place.exists() or not place.resolve().is_relative_to((folder / "data").resolve()):
        raise TrackingError(f"The model in {folder} is damaged, its data is gone: record it again with --track.")
    return place


def _about_task(task: Path) -> dict[str, Any]:
    classifier = read_task(task).custom_gesture_classifier
    if classifier is None:
        raise BundleError(f"{task} has no custom gesture classifier: give a bundle of `gesture-maker export`.")
    labels = [class_of_bundle_label(label) for label in labels_of(classifier)]
    return {"labels": labels, "format": "task", "sha256": sha256_of_file(task)}


def _about_classifier(folder: Path) -> dict[str, Any]:
    try:
        described = json.loads((folder / CLASSIFIER).read_text(encoding="utf-8"))
        return {"labels": list(described["labels"]), "format": "classifier", "kind": str(described["kind"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrackingError(
            f"{folder} holds no classifier: give a folder that `gesture-maker compare` made."
        ) from error


def _requirements(kind: str) -> list[str]:
    """Return what loading a model needs, with the versions that are installed."""
    names = [*_NEEDED, *(["tensorflow"] if kind == "model-maker" else [])]
    found = [f"gesture-maker=={__version__}"]
    for name in names:
        try:
            found.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def load_model(folder: Path) -> Any:
    """Return MLflow's PyFuncModel of a model folder, with `GestureModel` in it, after a look at what would be loaded.

    Raises TrackingError as `data_of`, and what is wrong with the bundle or classifier.
    """
    data_of(folder)
    os.environ.update(SILENCE)
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException

    try:
        return mlflow.pyfunc.load_model(str(folder), suppress_warnings=True)
    except GestureMakerError:
        raise
    except MlflowException as error:
        raise TrackingError(f"MLflow cannot load {folder} ({error.message}): record the model again.") from error
