"""The numbers of a finished training, from the files in its run."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from gesture_maker.errors import RunError
from gesture_maker.tracking.recording import Measured


def epochs_of(folder: Path, at: float) -> list[Measured]:
    """Return the numbers of each epoch. Raises RunError when the file is damaged."""
    file = folder / "history.csv"
    try:
        with file.open(encoding="utf-8", newline="") as opened_file:
            rows = list(csv.DictReader(opened_file))
        return [
            Measured(name, float(value), at, int(row["epoch"]))
            for row in rows
            for name, value in row.items()
            if name != "epoch" and value
        ]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise RunError(f"{file} is missing or damaged: train again.") from error


def numbers_of(folder: Path) -> dict[str, float]:
    """Return how well a run does on each part, by `metrics.json`. Raises RunError when that is damaged."""
    file = folder / "metrics.json"
    try:
        parts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        estimate = parts.pop("estimate", None) or {}
        numbers = {}
        for part, metrics in parts.items():
            asked = [one for one in metrics["per_class"].values() if one["support"]]
            if not asked:
                continue
            numbers[f"{part}_accuracy"] = float(metrics["accuracy"])
            for key in ("precision", "recall", "f1"):
                numbers[f"{part}_{key}"] = sum(float(one[key]) for one in asked) / len(asked)
            numbers[f"{part}_hands"] = float(metrics["photos"])
        by_estimate = {"accuracy": "estimated_accuracy", "low": "estimated_low", "high": "estimated_high"}
        return numbers | {
            name: float(estimate[key]) for key, name in by_estimate.items() if estimate.get(key) is not None
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{file} is missing or damaged: train again.") from error
