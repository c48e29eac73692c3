#!/usr/bin/env python
"""Compare the networks for motions on people they were not trained on: accuracy, size, time to train, time a window, and Keras beside TFLite.

    .venv/bin/python scripts/bench_motion.py FOLDER [--models lstm gru tcn] [--people 10] [--test-people 20] [--takes 3] [--epochs 100]

The clips are drawn motions as numbers, what MediaPipe would report of them with a little noise (`synthetic/motions.py`): 11 classes, so many
people to train on, three more to stop by, and others to be asked about. All networks get the same windows and the same augmentation.
FOLDER gets a folder for each network, and results.json. The film's part of `motion live` is measured by `motion demo`.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.cli.progress import stage_progress
from gesture_maker.files import write_json
from gesture_maker.motion.features import Features
from gesture_maker.motion.measure import measure_clips
from gesture_maker.motion.run import Sequences
from gesture_maker.motion.track import HandTrack
from gesture_maker.motion.windows import windows_of
from gesture_maker.recognition.interpreter import TfliteModel
from gesture_maker.synthetic.motions import MOTIONS, STILL, clip_hands
from gesture_maker.training.motion.export import to_tflite
from gesture_maker.training.motion.fitting import fit, predict
from gesture_maker.training.motion.settings import MODELS, MotionSettings
from gesture_maker.training.run_folder import SplitRow

LABELS = (STILL, *MOTIONS)
FEATURES = Features()
FIRST_TEST_PERSON = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--test-people", type=int, default=20)
    parser.add_argument("--takes", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    train, _ = windows_by(range(asked.people), asked.takes, asked.seed, to_learn=True)
    validation, _ = windows_by(range(asked.people, asked.people + 3), asked.takes, asked.seed)
    others = range(FIRST_TEST_PERSON, FIRST_TEST_PERSON + asked.test_people)
    test, rows = windows_by(others, asked.takes, asked.seed)
    print(
        f"{len(train)} windows to learn from, {len(validation)} to stop by, {len(rows)} clips of {len(others)} others"
    )
    results: list[dict[str, Any]] = []
    for model in asked.models:
        folder = asked.folder / model
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        settings = MotionSettings(model=model, epochs=asked.epochs, seed=asked.seed)
        with stage_progress({model: f"Training {model}"}) as progress:
            fitted = fit(
                (train.x, train.y), (validation.x, validation.y), LABELS, settings, folder,
                lambda done, total, name=model: progress(name, done, total),
            )  # fmt: skip
        results.append(asked_about(folder, fitted, test, rows))
        print(line_of(model, results[-1]))
    write_json(
        asked.folder / "results.json", {"asked": {**vars(asked), "folder": str(asked.folder)}, "results": results}
    )


def windows_by(people: range, takes: int, seed: int, to_learn: bool = False) -> tuple[Sequences, list[SplitRow]]:
    """Return the windows of clips by these people, as `motion train` has them, and a row for each clip."""
    x, y, clip, rows = [], [], [], []
    for person in people:
        for number, label in enumerate(LABELS):
            for take in range(takes):
                its = windows_of(HandTrack.of(clip_hands(label, person, take, seed)), FEATURES)
                chosen = [(one, number) for one in (its.most if to_learn else its.whole)]
                chosen += [(one, 0) for one in its.still] if to_learn and number else []
                x += [one for one, _ in chosen]
                y += [its_class for _, its_class in chosen]
                clip += [len(rows)] * len(chosen)
                rows.append(SplitRow(f"{label}/{person}_{take}", label, f"p{person}", "test", "", ""))
    return Sequences(np.array(x, np.float32), np.array(y, np.int64), np.array(clip, np.int64)), rows


def asked_about(folder: Path, fitted: Any, test: Sequences, rows: list[SplitRow]) -> dict[str, Any]:
    """Return what is measured of a network."""
    begin = time.perf_counter()
    content = to_tflite(folder / "model.keras")
    converting = time.perf_counter() - begin
    model = TfliteModel(content)
    scores = model.scores(test.x)
    begin = time.perf_counter()
    model.scores(test.x[:200])
    milliseconds = 1000 * (time.perf_counter() - begin) / len(test.x[:200])
    measured = measure_clips(model, LABELS, test, rows, None)
    wrong = sorted({f"{one.row.label} as {one.answer}" for one in measured.answers if not one.right})
    return {
        "model": folder.name,
        "accuracy": measured.metrics.accuracy,
        "interval": vars(measured.interval) if measured.interval else None,
        "parameters": fitted.parameters,
        "tflite_bytes": len(content),
        "epochs": fitted.epochs,
        "seconds": fitted.seconds,
        "converting_seconds": converting,
        "milliseconds_a_window": milliseconds,
        "largest_difference_from_keras": float(abs(scores - predict(folder / "model.keras", test.x)).max()),
        "wrong": wrong,
    }


def line_of(model: str, one: dict[str, Any]) -> str:
    return (
        f"{model:5}  accuracy {one['accuracy']:.4f}  {one['parameters']:>8,} parameters  {one['tflite_bytes'] / 1000:>5.0f} kB  "
        f"{one['epochs']:>3} epochs in {one['seconds']:>4.0f} s  {one['milliseconds_a_window']:.2f} ms a window  "
        f"Keras and TFLite differ by {one['largest_difference_from_keras']:.1e}"
    )


if __name__ == "__main__":
    main()
