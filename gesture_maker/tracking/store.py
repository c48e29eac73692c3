"""An MLflow store: the local one under `exported_models/`, or any other by its address.

Everything goes through clients that are given their address, never through MLflow's global state, so that several stores can be used
at once and a user's own MLflow calls are not disturbed. Nothing is sent anywhere but to the store: MLflow's telemetry is off.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gesture_maker.errors import TrackingError
from gesture_maker.training.run_folder import RUNS, check_writable

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

DATABASE = "mlflow.db"
ARTIFACTS = "mlflow-artifacts"

SQLITE = "sqlite:///"

REACH_SECONDS = 5
"""So long a server may take to say that it is there; one on another continent answers in half a second."""

PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's own 7 go on for four minutes when a server is gone
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # seconds, of a single request; MLflow's own 120
}
SILENCE = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # an address for each of a search's fifty runs
}

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""By this MLflow's page begins with the runs, and not with what it has for language models."""

_CHATTER = ("mlflow", "alembic")


@dataclass(frozen=True)
class Store:
    """An open store. `artifacts`: where a new experiment's files go, by its folder; None: where the store itself puts them."""

    uri: str
    client: MlflowClient
    artifacts: Path | None

    def experiment(self, name: str) -> str:
        """Return the number of the experiment of this name, which is made when there is none."""
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            place = self.artifacts / re.sub(r"[^\w.-]+", "_", name) if self.artifacts else None
            try:
                return str(self.client.create_experiment(name, place.as_uri() if place else None, KIND))
            except MlflowException:
                found = self.client.get_experiment_by_name(name)  # another process may have been quicker
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            self.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)


def local_uri(runs: Path | None = None) -> str:
    """Return the address of the store that `--track` uses when it is given none: `exported_models/mlflow.db`."""
    return SQLITE + str((runs or RUNS).resolve() / DATABASE)


def check_store(uri: str | None = None) -> None:
    """Raise TrackingError when MLflow is not installed, or the store at `uri` (None: the local one) cannot be used.

    To be asked before long work begins. A local store that is not there yet is not made, so that a command that then fails leaves
    nothing behind.
    """
    _check_installed()
    address = uri or local_uri()
    file = file_of(address)
    if file is None or file.exists():
        with opened(address):
            return
    check_writable(file.parent)


@contextlib.contextmanager
def opened(uri: str | None = None, *, make: bool = True) -> Iterator[Store]:
    """Yield the store at `uri` (None: the local one), and turn MLflow's errors within the block into a TrackingError of one sentence.

    `make`: make a local one that is not there yet (3 s), otherwise that is an error.
    """
    address = uri or local_uri()
    _prepare(address)
    file = file_of(address)
    if file is not None and not file.exists():
        if not make:
            raise TrackingError(f"There is no MLflow store {file}: record something with --track first.")
        file.parent.mkdir(parents=True, exist_ok=True)
    _check_there(address)
    with _quiet(), _one_sentence(address):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=address, registry_uri=address)
        client.search_experiments(max_results=1)  # the first moment at which it is asked anything
        yield Store(address, client, file.resolve().parent / ARTIFACTS if file else None)


def file_of(uri: str) -> Path | None:
    """Return the file of a SQLite store, None for any other."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) and uri != SQLITE else None


def shown(uri: str) -> str:
    """Return an address for people: without a password."""
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:…@", uri)


def how_to_look(uri: str) -> str:
    """Return what to type, or which page to open, to see the store's runs; with MLflow's telemetry off, which is its own to switch."""
    import shlex

    if uri.startswith(("http://", "https://")):
        return shown(uri)
    return f"MLFLOW_DISABLE_TELEMETRY=true mlflow ui --backend-store-uri {shlex.quote(shown(uri))}"


def _check_installed() -> None:
    if importlib.util.find_spec("mlflow") is None:
        raise TrackingError("MLflow is not installed: pip install 'gesture-maker[tracking]'")


def _prepare(uri: str) -> None:
    """Import MLflow as it should be here; it reads its environment when it is imported."""
    _check_installed()
    os.environ.update(SILENCE)
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    if "://" not in uri or uri.startswith("file:"):
        os.environ.setdefault(
            "MLFLOW_ALLOW_FILE_STORE", "true"
        )  # refused by MLflow otherwise, since it is not developed further
    with _quiet():
        import mlflow  # noqa: F401


def _check_there(uri: str) -> None:
    """Raise TrackingError when the server of an address does not answer: MLflow itself would ask again and again."""
    if not uri.startswith(("http://", "https://")):
        return
    import requests

    try:
        answer = requests.get(uri.rstrip("/") + "/health", timeout=REACH_SECONDS)
    except requests.exceptions.Timeout:
        raise TrackingError(f"{shown(uri)} has not answered for {REACH_SECONDS} seconds: {_WHAT_TO_DO}") from None
    except (requests.exceptions.RequestException, ValueError):
        raise TrackingError(f"{shown(uri)} cannot be reached: {_WHAT_TO_DO}") from None
    if answer.status_code >= 500:
        raise TrackingError(f"{shown(uri)} answers with the error {answer.status_code}: look at the server's own log.")


_WHAT_TO_DO = "start the MLflow server there, correct the address, or leave it away for a local store."


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what MLflow tells of making tables and versions off the terminal; its errors come as exceptions."""
    loggers = [logging.getLogger(name) for name in _CHATTER]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _one_sentence(uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        raise TrackingError(_sentence(uri, error)) from error


def _sentence(uri: str, error: Exception) -> str:
    told = str(error)
    place = file_of(uri) or shown(uri)
    if "out-of-date database schema" in told:
        return f"{place} was made by another version of MLflow: keep a copy, and run `mlflow db upgrade {shown(uri)}`."
    if "not a database" in told or "malformed" in told:
        return f"{place} is damaged, or no MLflow store: move it away, or name another one."
    if "unsupported URI" in told or "No such revision" in told or "Could not parse" in told:
        return f"{place} is no address of an MLflow store: use http://HOST:PORT, sqlite:///FILE or file:///FOLDER."
    if "API request to" in told or "Max retries" in told:
        return f"{place} cannot be reached: {_WHAT_TO_DO}"
    first = _first_line(told)
    return f"{place}: MLflow says: {first}"


def _first_line(text: str) -> str:
    lines: list[Any] = [line.strip() for line in text.splitlines() if line.strip()]
    return str(lines[0])[:300] if lines else "nothing"
