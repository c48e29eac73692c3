"""MLflow stores, servers, and small finished comparisons and searches to record in them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import requests
from hands import silent_bundle
from helpers import environment
from sklearn.metrics import precision_recall_fscore_support

from gesture_maker.classifiers.classifier import Classifier, fit
from gesture_maker.classifiers.comparison import FITS, Comparison, Fit, Line, Scores
from gesture_maker.classifiers.kinds import KINDS
from gesture_maker.classifiers.storing import save_classifier
from gesture_maker.classifiers.tuned import Trial, Tuning, Verdict
from gesture_maker.landmarks.hands import ROW_SIZE, Floats
from gesture_maker.tracking.store import DATABASE, SQLITE, opened

PATIENCE = 120  # seconds; only for a broken program, nothing waits this long

LABELS = ("none", "fist", "open palm")
BEGAN = 1_700_000_000.0
"""When the first fit or trial began, in seconds since 1970."""

CANDIDATES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("nearest-neighbours", {"n_neighbors": 3, "weights": "uniform", "metric": "euclidean"}),
    ("nearest-neighbours", {"n_neighbors": 5, "weights": "distance", "metric": "euclidean"}),
    ("logistic-regression", {"C": 1.0, "penalty": "l2", "max_iter": 500}),
    ("logistic-regression", {"penalty": None, "max_iter": 500}),
    ("random-forest", {"n_estimators": 5, "max_depth": None, "min_samples_split": 2}),
)
WINNER = "logistic-regression"
FOLDS = 3


@cache
def empty_database() -> bytes:
    """Return a SQLite store in which nothing is; MLflow takes 3 s to make one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / DATABASE
        with opened(SQLITE + str(file)):
            pass
        return file.read_bytes()


def new_store(folder: Path) -> str:
    """Return the address of a new store, where the local one of a working folder is."""
    file = folder / "exported_models" / DATABASE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(empty_database())
    return SQLITE + str(file)


def made_comparison(path: Path, data: str = "/data/finger spelling.csv", began: float = BEGAN) -> Comparison:
    """Return a finished comparison of real classifiers, small ones, as `compare` leaves it in a folder."""
    rng = np.random.default_rng(0)
    classes = np.arange(90) % len(LABELS)
    centres = rng.normal(size=(len(LABELS), ROW_SIZE))
    rows = (centres[classes] + rng.normal(0, 2.0, (len(classes), ROW_SIZE))).astype(np.float32)
    fits, lines, when = [], [], began
    for kind, parameters in CANDIDATES:
        for fold in range(FOLDS):
            held = np.arange(60) // len(LABELS) % FOLDS == fold
            made = fit(kind, "builtin", parameters, LABELS, rows[:60][~held], classes[:60][~held])
            scores = _scores(made, rows[:60][held], classes[:60][held])
            fits.append(Fit(kind, "builtin", parameters, fold, scores, int(held.sum()), when, 0.5, 0.001))
            when += 1.0
    for kind in (WINNER, *{kind: None for kind, _ in CANDIDATES if kind != WINNER}):
        parameters = next(its for name, its in CANDIDATES if name == kind)
        made = fit(kind, "builtin", parameters, LABELS, rows[:60], classes[:60])
        save_classifier(made, path / kind)
        its = [one for one in fits if one.kind == kind and one.parameters == parameters]
        means = {key: float(np.mean([getattr(one.scores, key) for one in its])) for key in asdict(its[0].scores)}
        spread = float(np.std([one.scores.accuracy for one in its]))
        test = _scores(made, rows[60:], classes[60:])
        tried = sum(name == kind for name, _ in CANDIDATES)
        title = KINDS[kind].title
        about = (kind, title, "builtin", parameters, tried, Scores(**means), spread, test, 0.5, 0.001, 1234, 1e-7, kind)
        lines.append(Line(*about))
    (path / FITS).write_text("".join(json.dumps(asdict(one)) + "\n" for one in fits))
    (path / "comparison.csv").write_text("classifier\n")
    confusion = ((10, 0, 0), (0, 10, 0), (0, 0, 10))
    settings = {"seed": 0, "folds": FOLDS, "features": ["builtin"], "refit_on_all": False, "group_by": None}
    created = "2023-11-14T22:13:20Z"
    comparison = Comparison(
        path,
        data,
        "ab" * 32,
        LABELS,
        settings,
        {"search": 60, "test": 30},
        tuple(lines),
        confusion,
        {"scikit-learn": "1"},
        created,
    )
    comparison.save()
    comparison.bundle.write_bytes(silent_bundle())
    comparison.bundle.with_suffix(".md").write_text("# A model card\n")
    return comparison


def _scores(classifier: Classifier, rows: Floats, classes: Any) -> Scores:
    answers = classifier.scores(rows).argmax(axis=1)
    precision, recall, f1, _ = precision_recall_fscore_support(classes, answers, average="macro", zero_division=0)
    return Scores(float((answers == classes).mean()), float(precision), float(recall), float(f1))


def made_tuning(path: Path, data: str = "/data/finger spelling.csv") -> Tuning:
    """Return a finished search as `tune` leaves it in a folder: its own settings, a better one, a pruned one, a failed one."""
    path.mkdir(parents=True)
    trials = (
        Trial(0, {}, "complete", 0.5, 0.8, (0.4, 0.6), BEGAN, 2.0),
        Trial(1, {"epochs": 20, "layer_widths": [32]}, "complete", 0.3, 0.9, (0.2, 0.4), BEGAN + 3, 2.0),
        Trial(2, {"epochs": 1}, "pruned", None, None, (1.5,), BEGAN + 6, 1.0),
        Trial(3, {"learning_rate": 1e9}, "failed", None, None, (), BEGAN + 8, 0.5),
    )
    best, default = {"loss": 0.31, "accuracy": 0.89}, {"loss": 0.52, "accuracy": 0.79}
    verdict = Verdict(best, default, True, "The best trial is better: 89% of 60 hands instead of 79%.")
    settings = {"seed": 0, "trials": 4, "folds": 2}
    about = (path, data, "cd" * 32, LABELS, 60, settings, trials, 1, verdict, {"optuna": "5"}, "2023-11-14T22:13:20Z")
    tuning = Tuning(*about)
    tuning.save()
    tuning.config.write_text("epochs: 20\nlayer_widths: [32]\n")
    return tuning


@contextmanager
def mlflow_server(store: str, folder: Path, command: str = "ui") -> Iterator[str]:
    """Run MLflow's own server of a store on a free port of this machine, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    artifacts = ("--artifacts-destination", str(folder / "artifacts"))
    where = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", command, "--backend-store-uri", store, *artifacts, *where],
            cwd=folder,
            env=environment(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true"),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it has children, which a signal to it alone would leave behind
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process, folder / "server.log")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            requests.get(f"{address}/health", timeout=PATIENCE).raise_for_status()
            return
        except requests.exceptions.RequestException:
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"MLflow's server did not come up:\n{log.read_text()}") from None
        time.sleep(0.1)
