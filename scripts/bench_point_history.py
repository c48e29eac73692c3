#!/usr/bin/env python
"""How well networks over time tell fingertip paths apart: five-fold cross-validation, shuffled and in blocks, beside a random forest.

    .venv/bin/python scripts/bench_point_history.py FOLDER [--table CSV] [--models lstm,gru,tcn] [--set NAME=VALUE …]

In blocks a fold is a stretch of each class's lines: neighbouring lines are the same film one frame later, and shuffled folds
have those of every line among what was trained on. The sizes are those of the TFLite files of one fold's network, and the time of a call is measured on it.
Writes FOLDER/point_history.json after each measurement, so that one that was stopped goes on, and prints the table.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))  # the other parts of this script lie beside it
sys.path.insert(1, str(SCRIPTS.parent))

from bench_quality import log  # noqa: E402
from bench_speed_tools import facts  # noqa: E402

from gesture_maker.dataset.formats.point_history import PointPaths, read_point_history  # noqa: E402
from gesture_maker.files import write_json  # noqa: E402
from gesture_maker.recognition.interpreter import TfliteModel  # noqa: E402
from gesture_maker.training.motion.crossvalidate import cross_validate_motions, motion_folds  # noqa: E402
from gesture_maker.training.motion.settings import MODELS, MotionSettings  # noqa: E402

TABLE = SCRIPTS.parent.parent / "shared/data/point_history/point_history.csv"
FOREST, TREES = "forest", 200
FOLDS = 5
WAYS = ("shuffled", "blocks")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the results are kept")
    parser.add_argument("--table", type=Path, default=TABLE, help="the paths")
    parser.add_argument("--models", default=",".join(MODELS), metavar="NAME,…", help="of the networks (default: all)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="another setting of the networks"
    )
    asked = parser.parse_args(arguments)
    if not asked.table.is_file():
        parser.error(f"--table: there is no file {asked.table}")
    given = {name: json.loads(value) for name, _, value in (one.partition("=") for one in asked.set)}
    paths = read_point_history(asked.table)
    results = asked.folder / "point_history.json"
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))["found"] if results.is_file() else {}
    for model in (FOREST, *asked.models.split(",")):
        for way in WAYS:
            key = " ".join([model, way, *asked.set] if model != FOREST else [model, way])
            if key in found:
                continue
            log(key)
            found[key] = forest(paths, way) if model == FOREST else network(paths, way, model, given)
            write_json(results, {"machine": facts(), "found": found})
    show(found)


def forest(paths: PointPaths, way: str) -> dict[str, Any]:
    """Return what a random forest on the numbers as they are reaches."""
    from sklearn.ensemble import RandomForestClassifier

    rows, began = paths.x.reshape(len(paths.y), -1), time.monotonic()
    fold = motion_folds(paths.y, FOLDS, blocks=way == "blocks")
    right = []
    for number in range(FOLDS):
        trees = RandomForestClassifier(TREES, random_state=0, n_jobs=-1).fit(
            rows[fold != number], paths.y[fold != number]
        )
        right.append(float((trees.predict(rows[fold == number]) == paths.y[fold == number]).mean()))
    return {"accuracy": float(np.mean(right)), "folds": right, "seconds": round(time.monotonic() - began, 1)}


def network(paths: PointPaths, way: str, model: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a network reaches, how long it took, and how large and fast it is."""
    settings = MotionSettings.from_json({"model": model, "sequence_length": paths.x.shape[1], **given})
    told = cross_validate_motions(
        paths.x,
        paths.y,
        paths.labels,
        settings,
        folds=FOLDS,
        blocks=way == "blocks",
        progress=lambda done, of: log(f"  {done} of {of}"),
    )
    wrong = told.scores.argmax(axis=1) != told.y
    return {
        "accuracy": told.accuracy,
        "folds": list(told.accuracies),
        "epochs": list(told.epochs),
        "seconds": round(sum(told.seconds), 1),
        "parameters": told.parameters,
        "wrong": np.flatnonzero(wrong).tolist(),
        **as_tflite(paths, settings),
    }


def as_tflite(paths: PointPaths, settings: MotionSettings) -> dict[str, Any]:
    """Return the size of a network's file, and how long one call takes; what it has learned does not matter for either."""
    from gesture_maker.training.motion.export import to_tflite
    from gesture_maker.training.motion.fitting import fit

    some = slice(None, None, 50)
    short = MotionSettings.from_json({**settings.to_json(), "epochs": 1})
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit((paths.x[some], paths.y[some]), None, paths.labels, short, Path(folder))
        began = time.monotonic()
        content = to_tflite(fitted.path)
    converted, model = time.monotonic() - began, TfliteModel(content)
    began = time.monotonic()
    model.scores(paths.x[some])
    call = (time.monotonic() - began) / len(paths.x[some])
    return {"bytes": len(content), "conversion_seconds": round(converted, 1), "call_ms": round(call * 1000, 3)}


def show(found: dict[str, Any]) -> None:
    """Print the results, one line each."""
    print(f"{'':40}accuracy  seconds  epochs  parameters  kB    call")
    for key, one in found.items():
        more = ""
        if "bytes" in one:
            epochs = np.mean(one["epochs"])
            more = f"{epochs:8.0f}{one['parameters']:12,}{one['bytes'] / 1000:6.0f}{one['call_ms']:6.2f} ms"
        print(f"{key:40}{one['accuracy']:8.4f}{one['seconds']:9.0f}{more}")


if __name__ == "__main__":
    main()
