"""What a training, a comparison or a search for settings leaves in MLflow: runs, files, and registered models.

    training     one run: settings, each epoch, how well it does, pictures; its bundle is registered
    comparison   one run, and in it one for each settings tried, with its folds and when it was fitted; the best of each kind has its
                 test and its model too; of the winner the classifier is registered first, then the bundle
    search       one run, and in it one for each trial

Names of photos are not recorded: a store may be another machine's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gesture_maker.classifiers.comparison import COMPARISON, REFITTED, Comparison, Fit, Line, Scores, load_comparison
from gesture_maker.classifiers.kinds import MODEL_MAKER
from gesture_maker.classifiers.tuned import TUNING, Trial, Tuning, load_tuning
from gesture_maker.files import sha256_of, sha256_of_file
from gesture_maker.landmarks.table import TABLE_NAME
from gesture_maker.progress import Progress
from gesture_maker.tracking.models import write_model
from gesture_maker.tracking.recording import Entry, Measured, Recording, Tracked, recording
from gesture_maker.tracking.registry import PIPELINE, SINGLE, put_forward, registry_name
from gesture_maker.tracking.run_numbers import epochs_of, numbers_of
from gesture_maker.training.config import chosen_settings
from gesture_maker.training.run import Run
from gesture_maker.training.table_source import SUFFIXES

if TYPE_CHECKING:
    from gesture_maker.bundle.export import Export

__all__ = ["Tracked", "track_comparison", "track_folder", "track_run", "track_training", "track_tuning"]

PICTURES = (
    *("comparison.png", "confusion_matrix.png", "classes.png", "skeletons.png", "normalized.png"),
    *("curves.png", "trials.png"),
)
STATES = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
"""MLflow's word for how a trial ended: a search that stopped one before its last fold killed it."""


class FinishedTraining(Protocol):
    """What of a `steps.Training` is recorded."""

    @property
    def run(self) -> Run:
        """Its run, which has the rest."""

    @property
    def export(self) -> Export | None:
        """Of its bundle, where there is one."""


def track_training(training: FinishedTraining, uri: str | None = None, progress: Progress | None = None) -> Tracked:
    """Record a finished training as a run, and register its bundle if one was exported with it.

    `uri`: of an MLflow store; None for the local one. What was recorded there before is not recorded again. Raises TrackingError
    when the store cannot be used.
    """
    return track_run(training.run, uri, training.export.bundle if training.export else None, progress)


def track_run(
    run: Run, uri: str | None = None, bundle: Path | None = None, progress: Progress | None = None
) -> Tracked:
    """Do what `track_training` does from what a finished training left on disk; `bundle`: its `.task`, if that is to be registered."""
    about = run.description
    name = data_name(about["dataset"])
    with recording(uri, name, _key(run.path / "run.json", bundle), run.path) as record:
        if record.before:
            return record.before
        began, ended = _began(about["created"]), (run.path / "metrics.json").stat().st_mtime
        ended = max(began, ended)
        numbers = numbers_of(run.path)
        entry = Entry(
            run.name,
            "training",
            began,
            ended,
            {**chosen_settings(about), "group_by": about.get("group_by"), "photos": about["photos"]},
            [*epochs_of(run.path, ended), *(Measured(key, value, ended) for key, value in numbers.items())],
            _tags(about["fingerprint"], about["labels"], about["versions"])
            | {"embedder": about["embedder"], "recipe": about["recipe"], "seed": str(about["seed"])},
        )
        identity = record.add(entry)
        record.data(identity, name, about["fingerprint"], about["dataset"], {"hands": about["hands"]})
        files = ("run.json", "metrics.json", "history.csv", "labels.txt", "head_weights.h5", *PICTURES)
        record.attach(identity, *(run.path / file for file in files))
        if bundle is not None:
            record.attach(identity, bundle, bundle.with_suffix(".md"))
            if progress:
                progress(1, 2)
            accuracy = numbers.get("estimated_accuracy", numbers.get("test_accuracy"))
            _register_pipeline(
                record,
                identity,
                name,
                bundle,
                {"kind": MODEL_MAKER, "features": about["embedder"], "fingerprint": about["fingerprint"]},
                accuracy,
                f"The whole pipeline, photo to gesture, of the training {run.name}.",
            )
    return record.tracked


def track_comparison(
    comparison: Comparison, uri: str | None = None, register: bool = True, progress: Progress | None = None
) -> Tracked:
    """Record a finished comparison as a run, in which there is a run for each settings tried.

    `register`: register the winner under the data's name, first the best single classifier (trained on four fifths), then the whole
    pipeline (its `.task`). `uri`: of an MLflow store; None for the local one. What was recorded there before is not recorded
    again. Raises TrackingError when the store cannot be used, RunError when the comparison's files are damaged.
    """
    name = data_name(comparison.data)
    candidates = _candidates(comparison)
    fits = [fit for its in candidates.values() for fit in its]
    began = min((fit.began for fit in fits), default=_began(comparison.created))
    ended = max((_end_of(fit) for fit in fits), default=began)
    with recording(uri, name, _key(comparison.path / COMPARISON), comparison.path) as record:
        if record.before:
            return record.before
        winner, tags = comparison.winner, _tags(comparison.fingerprint, comparison.labels, comparison.versions)
        numbers = {**_best_numbers(winner), "candidates": float(len(candidates)), "fits": float(len(fits))}
        entry = Entry(
            comparison.name,
            "comparison",
            began,
            ended,
            comparison.settings,
            [Measured(key, value, ended) for key, value in numbers.items()],
            tags | {"winner": winner.kind, "winner_features": winner.features, "seed": _seed(comparison.settings)},
            note=_table(comparison.lines),
        )
        parent = record.add(entry)
        record.data(parent, name, comparison.fingerprint, comparison.data, {"hands": dict(comparison.hands)})
        files = (COMPARISON, "comparison.csv", comparison.bundle.name, f"{comparison.bundle.stem}.md", *PICTURES)
        record.attach(parent, *(comparison.path / file for file in files))
        best = {_of_line(line): line for line in comparison.lines}
        models: dict[str, tuple[str, str]] = {}
        for number, (candidate, its) in enumerate(candidates.items(), 1):
            line = best.get(candidate)
            run_id = record.add(_candidate(candidate, its, line, tags, ended))
            record.data(run_id, name, comparison.fingerprint, comparison.data, {"hands": dict(comparison.hands)})
            if line is not None:
                models[line.kind] = run_id, _best_of_kind(record, run_id, comparison, line)
            if progress:
                progress(number, len(candidates))
        if register:
            _register_winner(record, parent, name, comparison, *models[winner.kind])
    return record.tracked


def track_tuning(tuning: Tuning, uri: str | None = None, progress: Progress | None = None) -> Tracked:
    """Record a finished search as a run, in which there is a run for each trial.

    `uri`: of an MLflow store; None for the local one. What was recorded there before is not recorded again. Raises TrackingError
    when the store cannot be used.
    """
    name = data_name(tuning.data)
    began = min((trial.began for trial in tuning.trials), default=_began(tuning.created))
    ended = max((trial.began + trial.seconds for trial in tuning.trials), default=began)
    with recording(uri, name, _key(tuning.path / TUNING), tuning.path) as record:
        if record.before:
            return record.before
        tags = _tags(tuning.fingerprint, tuning.labels, tuning.versions)
        numbers = {f"best_{key}": value for key, value in tuning.verdict.best.items()}
        numbers |= {f"default_{key}": value for key, value in tuning.verdict.default.items()}
        entry = Entry(
            tuning.name,
            "tuning",
            began,
            ended,
            {**tuning.settings, **{f"best_{key}": value for key, value in tuning.trial(tuning.best).settings.items()}},
            [Measured(key, value, ended) for key, value in numbers.items()],
            tags | {"better_than_default": str(tuning.verdict.better).lower(), "seed": _seed(tuning.settings)},
            note=tuning.verdict.sentence,
        )
        parent = record.add(entry)
        record.data(parent, name, tuning.fingerprint, tuning.data, {"hands": tuning.hands})
        record.attach(parent, tuning.config, *(tuning.path / file for file in (TUNING, *PICTURES)))
        for done, trial in enumerate(tuning.trials, 1):
            record.add(_trial(trial, trial.number == tuning.best, tags))
            if progress:
                progress(done, len(tuning.trials))
    return record.tracked


def track_folder(folder: Path, uri: str | None = None, progress: Progress | None = None) -> Tracked:
    """Record what is in a folder: a finished training (with its bundle, if there is one), comparison or search.

    Raises RunError when it is none of them.
    """
    if (folder / COMPARISON).is_file():
        return track_comparison(load_comparison(folder), uri, progress=progress)
    if (folder / TUNING).is_file():
        return track_tuning(load_tuning(folder), uri, progress)
    run = Run.load_finished(folder)
    return track_run(run, uri, run.bundle if run.bundle.is_file() else None, progress)


def data_name(data: str) -> str:
    """Return how data is called by its path, which need not be there any more: its folder, or its table without the suffix."""
    place = Path(data)
    if place.suffix.lower() not in SUFFIXES or place.is_dir():
        return place.resolve().name
    return place.resolve().parent.name if place.name == TABLE_NAME else place.stem


Candidate = tuple[str, str, str]
"""Kind, features, and parameters as JSON: a comparison that was read from its file has lists for tuples."""


def _candidates(comparison: Comparison) -> dict[Candidate, list[Fit]]:
    """Return the fits of each settings tried, in the order in which they were first fitted."""
    found: dict[Candidate, list[Fit]] = {}
    for fit in comparison.fits():
        found.setdefault((fit.kind, fit.features, _as_json(fit.parameters)), []).append(fit)
    for line in comparison.lines:
        found.setdefault(_of_line(line), [])
    return found


def _of_line(line: Line) -> Candidate:
    return line.kind, line.features, _as_json(line.parameters)


def _candidate(
    candidate: Candidate, fits: Sequence[Fit], line: Line | None, tags: dict[str, str], last: float
) -> Entry:
    """Return the run of one settings tried; `last`: when the comparison ended, for what is not of any fit."""
    kind, features, parameters = candidate
    settings: dict[str, Any] = json.loads(parameters)
    began = min((fit.began for fit in fits), default=last)
    ended = max((_end_of(fit) for fit in fits), default=last)
    folds = [
        Measured(f"fold_{key}", value, _end_of(fit), fit.fold)
        for fit in sorted(fits, key=lambda fit: fit.fold)
        for key, value in asdict(fit.scores).items()
    ]
    numbers = _means(fits) | (_best_numbers(line) if line else {})
    chosen = ", ".join(f"{key}={value}" for key, value in settings.items())
    return Entry(
        f"{kind}, {features}: {chosen}"[:250],
        "candidate",
        began,
        ended,
        {"kind": kind, "features": features, **settings},
        [*folds, *(Measured(key, value, ended) for key, value in numbers.items())],
        tags | {"kind": kind, "best_of_kind": str(line is not None).lower()},
    )


def _means(fits: Sequence[Fit]) -> dict[str, float]:
    import numpy as np

    if not fits:
        return {}
    table = {key: [getattr(fit.scores, key) for fit in fits] for key in Scores.__dataclass_fields__}
    return {
        **{f"cv_{key}": float(np.mean(values)) for key, values in table.items()},
        "cv_spread": float(np.std(table["accuracy"])),
        "train_seconds": float(np.mean([fit.train_seconds for fit in fits])),
        "predict_seconds": float(np.mean([fit.predict_seconds for fit in fits])),
    }


def _best_numbers(line: Line) -> dict[str, float]:
    return {
        **{f"cv_{key}": value for key, value in asdict(line.cross_validation).items()},
        "cv_spread": line.spread,
        **_test_numbers(line),
        "train_seconds": line.train_seconds,
        "predict_seconds": line.predict_seconds,
        "model_bytes": float(line.model_bytes),
    }


def _test_numbers(line: Line) -> dict[str, float]:
    return {f"test_{key}": value for key, value in asdict(line.test).items()}


def _best_of_kind(record: Recording, run_id: str, comparison: Comparison, line: Line) -> str:
    """Add the model of the best of a kind to its run, and return the model's id."""
    folder = comparison.path / line.folder
    record.attach(run_id, *sorted(folder.iterdir()), folder="classifier")
    return record.model(
        run_id,
        line.kind,
        lambda target: write_model(target, classifier=folder, name=comparison.name),
        _test_numbers(line) | {"cv_accuracy": line.cross_validation.accuracy},
        kind=line.kind,
        features=line.features,
        **line.parameters,
    )


def _register_winner(
    record: Recording, parent: str, name: str, comparison: Comparison, run_id: str, model: str
) -> None:
    winner, registered = comparison.winner, registry_name(name)
    tags = {"kind": winner.kind, "features": winner.features, "fingerprint": comparison.fingerprint}
    by_test = f"{winner.test.accuracy:.1%} of {comparison.hands.get('test', 0)} hands held out right"
    record.register(
        registered,
        model,
        run_id,
        f"The best single classifier of the comparison {comparison.name}: {winner.title}, {by_test}.",
        {"what": SINGLE, "accuracy": f"{winner.test.accuracy:.4f}", **tags},
    )
    refitted = (comparison.path / REFITTED).is_dir()
    of_which = "trained on everything; trained on four fifths it had" if refitted else "trained on four fifths:"
    _register_pipeline(
        record,
        parent,
        name,
        comparison.bundle,
        tags,
        winner.test.accuracy,
        f"The whole pipeline, photo to gesture, with {winner.title} {of_which} {by_test}.",
    )


def _register_pipeline(
    record: Recording,
    run_id: str,
    name: str,
    task: Path,
    tags: Mapping[str, str],
    accuracy: float | None,
    description: str,
) -> None:
    """Add a bundle as a model to a run, register it, and give it the alias `staging`."""
    numbers = {"test_accuracy": accuracy} if accuracy is not None else {}
    model = record.model(
        run_id, PIPELINE, lambda target: write_model(target, task=task, name=name), numbers, kind=tags["kind"]
    )
    told = {"accuracy": f"{accuracy:.4f}"} if accuracy is not None else {}
    registered = registry_name(name)
    all_tags = {"what": PIPELINE, "task_sha256": sha256_of_file(task), **told, **tags}
    number = record.register(registered, model, run_id, description, all_tags)
    put_forward(record.store.client, registered, number)


def _trial(trial: Trial, best: bool, tags: dict[str, str]) -> Entry:
    ended = trial.began + trial.seconds
    numbers = {"loss": trial.loss, "accuracy": trial.accuracy, "seconds": trial.seconds}
    return Entry(
        f"trial {trial.number}",
        "trial",
        trial.began,
        ended,
        trial.settings,
        [
            *(Measured("fold_loss", loss, ended, fold) for fold, loss in enumerate(trial.fold_losses)),
            *(Measured(key, value, ended) for key, value in numbers.items() if value is not None),
        ],
        tags | {"best": str(best).lower(), "state": trial.state, "recipes_own": str(not trial.settings).lower()},
        STATES.get(trial.state, "FAILED"),
    )


def _table(lines: Sequence[Line]) -> str:
    """Return the comparison's table as Markdown, which MLflow shows on the run's page."""
    rows = [
        f"| {line.title} | {line.features} | {line.cross_validation.accuracy:.4f} ± {line.spread:.4f} | {line.test.accuracy:.4f} "
        f"| {line.test.f1:.4f} | {line.train_seconds:.2f} s | {1e6 * line.predict_seconds:.0f} µs | {line.model_bytes:,} |"
        for line in lines
    ]
    head = (
        "classifier",
        "features",
        "cross-validation",
        "held out",
        "F1",
        "training, a core",
        "one hand",
        "bytes of TFLite",
    )
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows])


def _tags(fingerprint: str, labels: Sequence[str], versions: Mapping[str, str]) -> dict[str, str]:
    about = {"fingerprint": fingerprint, "labels": ", ".join(labels)}
    return about | {f"version.{name}": version for name, version in versions.items()}


def _seed(settings: Mapping[str, Any]) -> str:
    return str(settings.get("seed", ""))


def _key(file: Path, *others: Path | None) -> str:
    """Return what stands for a finished folder: its name, and the content of the file that describes it and of others."""
    contents = [sha256_of_file(one) for one in (file, *others) if one is not None]
    return sha256_of("\n".join([file.resolve().parent.name, *contents]).encode())


def _began(created: str) -> float:
    """Return seconds since 1970 of a time as `run.json` has it."""
    moment = datetime.fromisoformat(created.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _end_of(fit: Fit) -> float:
    return fit.began + fit.train_seconds + fit.predict_seconds * fit.hands


def _as_json(parameters: Mapping[str, Any]) -> str:
    return json.dumps(parameters, sort_keys=True)
