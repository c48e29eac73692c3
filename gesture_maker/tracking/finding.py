"""What a user means who names a model to be served: a registered one, a run, a comparison, a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gesture_maker.bundle.finding import find_bundle
from gesture_maker.errors import RunError, TrackingError
from gesture_maker.tracking.models import CLASSIFIER, write_model
from gesture_maker.tracking.registry import PRODUCTION, STAGING, Version, list_versions
from gesture_maker.tracking.store import file_of, local_uri, opened, shown
from gesture_maker.training.run import BUNDLE
from gesture_maker.training.run_folder import RUNS

_SCHEME = "models:/"
_REGISTERED = re.compile(r"(?P<name>[^/@:]+)(?:/(?P<number>[0-9]+)|@(?P<alias>[^/@]+))?")


def model_folder(model: str | Path, into: Path, store: str | None = None, runs: Path | None = None) -> tuple[str, Path]:
    """Return what is served, for people, and its MLflow model folder: beneath `into`, where it was not one before.

    `model`: a file, a folder, a registered model (NAME, NAME/3, NAME@staging, with or without models:/), or the name of a run or
    comparison, which are looked for in this order. Raises TrackingError or RunError when there is no such model, BundleError for a
    damaged one.
    """
    text, path = str(model), Path(model)
    if not text.startswith(_SCHEME):
        if path.is_file() or path.suffix == ".task":
            return text, _written(path, into)
        if path.is_dir():
            return text, _of_folder(path, into)
    address = store or local_uri(runs)
    file = file_of(address)
    if store is not None or text.startswith(_SCHEME) or file is None or file.exists():
        folder = (runs or RUNS) / text
        version = _version(text.removeprefix(_SCHEME), address, must=text.startswith(_SCHEME) or not folder.is_dir())
        if version is not None:
            return _registered(version, address, into)
    folder = (runs or RUNS) / text
    if folder.is_dir():
        return str(folder), _of_folder(folder, into)
    raise RunError(
        f"There is no run or comparison {text}, and no MLflow store with registered models: give a .task file, or record something "
        "with --track first."
    )


def _of_folder(folder: Path, into: Path) -> Path:
    if (folder / "MLmodel").is_file():
        return folder
    if not (folder / BUNDLE).is_file() and (folder / CLASSIFIER).is_file():
        write_model(into / "model", classifier=folder, name=folder.name)
        return into / "model"
    task = folder / BUNDLE
    return _written(task if task.is_file() else find_bundle(folder)[0], into)  # the latter says what is missing


def _written(task: Path, into: Path) -> Path:
    write_model(into / "model", task=task, name=task.stem)
    return into / "model"


def _version(text: str, store: str, *, must: bool) -> Version | None:
    """Return the version that a name stands for: of a bare one that in production, or else in staging, or else the newest that is
    not archived. None when there is no such model; raises TrackingError then if there `must` be one."""
    match = _REGISTERED.fullmatch(text)
    if match is None:
        if not must:
            return None
        raise TrackingError(f"{text} names no registered model, run or file: write NAME, NAME/VERSION or NAME@ALIAS.")
    name, number, alias = match["name"], match["number"], match["alias"]
    if not must and not any(one.name == name for one in list_versions(None, store)):
        return None
    versions = list_versions(name, store)
    if number:
        found = [one for one in versions if one.number == int(number)]
    elif alias:
        found = [one for one in versions if alias in one.aliases]
    else:
        wanted = (PRODUCTION, STAGING)
        found = [one for name_of in wanted for one in versions if name_of in one.aliases]
        found += [one for one in versions if not one.archived]
    if not found:
        what = f"version {number}" if number else f"version with the alias {alias}" if alias else "version in use"
        raise TrackingError(f"{name} has no {what}: `gesture-maker registry list {name}` shows them.")
    return found[0]


def _registered(version: Version, store: str, into: Path) -> tuple[str, Path]:
    """Return the title and the downloaded folder of a registered model."""
    title = f"{version.name}, version {version.number}"
    with opened(store, make=False) as found:
        os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"  # read at each download
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        source = str(found.client.get_model_version_download_uri(version.name, str(version.number)))
        if source.startswith(
            _SCHEME
        ):  # of a logged model, which MLflow would look for in whatever store its global state names
            source = str(found.client.get_logged_model(source.removeprefix(_SCHEME)).artifact_location)
        try:
            folder = download_artifacts(
                artifact_uri=source, dst_path=str(into), tracking_uri=found.uri, registry_uri=found.uri
            )
        except (OSError, MlflowException) as error:
            raise TrackingError(
                f"The files of {title} cannot be fetched, {shown(source)} is gone or out of reach: register it again."
            ) from error
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    return f"{title}{aliases}", Path(folder)
