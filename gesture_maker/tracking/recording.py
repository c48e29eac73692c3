"""Writing to an MLflow store so that something is recorded as a whole, and once.

All runs and models of one recording carry the same tag, `gesture_maker.key`: the SHA-256 of what describes it on disk. By that tag a
second recording of the same is noticed, and what a killed one left is found and removed before it is made anew.
"""

from __future__ import annotations

import contextlib
import json
import math
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gesture_maker.errors import TrackingError
from gesture_maker.tracking.store import Store, opened

KEY = "gesture_maker.key"
COMPLETE = "gesture_maker.complete"
"""On the outermost run, at the very end: the versions that were registered, as JSON."""

WHAT = "gesture_maker.what"
"""On runs: `training`, `comparison`, `tuning`, `candidate` or `trial`."""

_PARENT, _NOTE, _SOURCE, _SOURCE_TYPE = (
    "mlflow.parentRunId",
    "mlflow.note.content",
    "mlflow.source.name",
    "mlflow.source.type",
)
_MODEL_VERSIONS = "mlflow.modelVersions"

MOST_METRICS, MOST_PARAMS = 1000, 100
"""So many MLflow takes in one call."""

LONGEST = 5000
"""Characters of a tag or parameter; of tags MLflow takes 8000, of parameters 6000."""


@dataclass(frozen=True)
class Measured:
    """A number. `at`: seconds since 1970; `step`: an epoch's or fold's number."""

    name: str
    value: float
    at: float
    step: int = 0


@dataclass(frozen=True)
class Entry:
    """A run to be. `began`, `ended`: seconds since 1970; `status`: MLflow's; `note`: Markdown that the run's page shows."""

    name: str
    what: str
    began: float
    ended: float
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Measured] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    status: str = "FINISHED"
    note: str = ""


@dataclass(frozen=True)
class Tracked:
    """Where something was recorded: the store's address, the experiment, its run, and the versions that were registered.

    `versions`: such as `("digits", "1")`; `again`: it had been recorded before, and nothing was added.
    """

    uri: str
    experiment: str
    run_id: str
    versions: tuple[tuple[str, str], ...] = ()
    again: bool = False


@dataclass
class Recording:
    """What is being recorded. `before`: where it was recorded before, in which case nothing may be added."""

    store: Store
    name: str
    experiment: str
    key: str
    before: Tracked | None = None
    run_id: str = ""
    versions: list[tuple[str, str]] = field(default_factory=list)
    _ended: float = 0.0

    @property
    def tracked(self) -> Tracked:
        """Where it is."""
        return self.before or Tracked(self.store.uri, self.name, self.run_id, tuple(self.versions))

    def add(self, entry: Entry) -> str:
        """Add a run and return its id: the first is the outermost and stays open until all is recorded, others lie in it."""
        from mlflow.entities import Metric, Param

        outermost = not self.run_id
        tags = {
            KEY: self.key,
            WHAT: entry.what,
            _SOURCE: "gesture-maker",
            _SOURCE_TYPE: "LOCAL",
            **({} if outermost else {_PARENT: self.run_id}),
            **({_NOTE: entry.note} if entry.note else {}),
            **entry.tags,
        }
        client = self.store.client
        run = client.create_run(
            self.experiment,
            start_time=_milliseconds(entry.began),
            tags={name: value[:LONGEST] for name, value in tags.items()},
            run_name=entry.name,
        )
        identity = str(run.info.run_id)
        if outermost:
            self.run_id, self._ended = identity, entry.ended
        metrics = [
            Metric(one.name, one.value, _milliseconds(one.at), one.step)
            for one in entry.metrics
            if math.isfinite(one.value)
        ]
        params = [Param(name, text_of(value)) for name, value in entry.params.items()]
        for start in range(0, max(len(metrics), len(params)), MOST_PARAMS):
            end = start + MOST_PARAMS
            client.log_batch(identity, metrics=metrics[start:end], params=params[start:end], synchronous=True)
        if not outermost:
            client.set_terminated(identity, entry.status, _milliseconds(entry.ended))
        return identity

    def measured(self, run_id: str, numbers: Mapping[str, float], at: float) -> None:
        """Add numbers to a run."""
        from mlflow.entities import Metric

        metrics = [Metric(name, value, _milliseconds(at), 0) for name, value in numbers.items() if math.isfinite(value)]
        self.store.client.log_batch(run_id, metrics=metrics, synchronous=True)

    def attach(self, run_id: str, *files: Path, folder: str | None = None) -> None:
        """Add those of these files that there are to a run."""
        for file in files:
            if file.is_file():
                self.store.client.log_artifact(run_id, str(file), folder)

    def data(self, run_id: str, name: str, fingerprint: str, place: str, about: Mapping[str, Any]) -> None:
        """Say what data a run was made of; `about`: plain values that the run's page shows."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source, profile = json.dumps({"uri": place}), json.dumps(about, ensure_ascii=False)
        # A digest has 36 characters at most; all of them are in the run's tag `fingerprint`.
        found = Dataset(name[:LONGEST], fingerprint[:36], "local", source, profile=profile)
        used = DatasetInput(found, [InputTag("mlflow.data.context", "training")])
        self.store.client.log_inputs(run_id, [used])

    def model(
        self, run_id: str, name: str, write: Callable[[Path], None], numbers: Mapping[str, float], **about: Any
    ) -> str:
        """Add a model to a run and return its id. `write`: writes an MLflow model folder; `numbers`: how well it does."""
        from mlflow.entities import LoggedModelOutput, Metric

        client, params = self.store.client, {key: text_of(value) for key, value in about.items()}
        model = client.create_logged_model(self.experiment, name, run_id, tags={KEY: self.key}, params=params)
        identity = str(model.model_id)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            write(folder)
            client.log_model_artifacts(identity, str(folder))
        client.log_outputs(run_id, [LoggedModelOutput(identity, 0)])
        at = _milliseconds(self._ended)
        metrics = [Metric(key, value, at, 0, model_id=identity, run_id=run_id) for key, value in numbers.items()]
        if metrics:
            client.log_batch(run_id, metrics=metrics, synchronous=True)
        client.finalize_logged_model(identity, "READY")
        return identity

    def register(self, name: str, model: str, run_id: str, description: str, tags: Mapping[str, str]) -> str:
        """Register a model that was added to a run, and return the version's number."""
        client = self.store.client
        ensure_registered(client, name)
        # Not `models:/<id>`: MLflow would look that up in whatever store its global state names.
        source = str(client.get_logged_model(model).artifact_location)
        version = client.create_model_version(
            name,
            source,
            run_id,
            tags=dict(tags),
            description=description,
            model_id=model,
        )
        number = str(version.version)
        self.versions.append((name, number))
        client.set_logged_model_tags(model, {_MODEL_VERSIONS: json.dumps([{"name": name, "version": int(number)}])})
        return number

    def finish(self) -> None:
        """Mark all as recorded."""
        self.store.client.set_tag(self.run_id, COMPLETE, json.dumps(self.versions))
        self.store.client.set_terminated(self.run_id, "FINISHED", _milliseconds(self._ended))


@contextlib.contextmanager
def recording(uri: str | None, experiment: str, key: str, folder: Path) -> Iterator[Recording]:
    """Yield a recording in a store; when the block fails nothing of it stays.

    `folder`: what is recorded, which sentences about a failure name. Raises TrackingError when the store cannot be used, and when
    it fails later.
    """
    again = f"record it later with `gesture-maker registry record {shlex.quote(str(folder))}`"
    try:
        with opened(uri) as store:
            number = store.experiment(experiment)
            before = _recorded_before(store, number, experiment, key)
            found = Recording(store, experiment, number, key, before)
            if before is not None:
                yield found
                return
            try:
                yield found
                found.finish()
            except BaseException:
                _discard_if_possible(store, number, key)
                raise
    except TrackingError as error:
        raise TrackingError(f"{error} {folder} itself is finished: {again}.") from error
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(f"{folder} is finished, but not recorded: {again}.") from interrupt


def ensure_registered(client: Any, name: str) -> None:
    """Make a registered model of this name, if there is none."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def text_of(value: Any) -> str:
    """Return a setting as MLflow shows it: numbers and lists as JSON, nothing as "none"."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return value[:LONGEST]
    return json.dumps(value, ensure_ascii=False, default=str)[:LONGEST]


def _recorded_before(store: Store, experiment: str, name: str, key: str) -> Tracked | None:
    """Return where something was recorded before; what a killed recording of it left is removed."""
    runs = store.client.search_runs([experiment], f"tags.`{KEY}` = '{key}'")
    for run in runs:
        if (complete := run.data.tags.get(COMPLETE)) is not None:
            versions = tuple((str(model), str(number)) for model, number in json.loads(complete))
            return Tracked(store.uri, name, run.info.run_id, versions, again=True)
    if runs:
        _discard(store, experiment, key)
    return None


def _discard(store: Store, experiment: str, key: str) -> None:
    """Remove the runs, models and versions of a recording that did not come to its end."""
    client = store.client
    mine = f"tags.`{KEY}` = '{key}'"
    for model in client.search_logged_models([experiment], mine):
        for version in client.search_model_versions(f"run_id = '{model.source_run_id}'"):
            client.delete_model_version(version.name, str(version.version))
        client.delete_logged_model(model.model_id)
    for run in client.search_runs([experiment], mine, max_results=50000):
        client.delete_run(run.info.run_id)


def _discard_if_possible(store: Store, experiment: str, key: str) -> None:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # A store that is gone keeps what it has; the next recording of the same removes it.
    with contextlib.suppress(MlflowException, SQLAlchemyError):
        _discard(store, experiment, key)


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
