"""Where a model is from: how its run was trained, with which versions, and which file was asked."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from gesture_maker.evaluation.report.charts import charts_of_training
from gesture_maker.evaluation.report.html import Html, code, facts, figure, figures, join, paragraph, table
from gesture_maker.evaluation.report.numbers import when
from gesture_maker.files import sha256_of_file
from gesture_maker.training.crossvalidate import known_group
from gesture_maker.training.run_folder import RunFolder
from gesture_maker.training.session import versions

PARTS = ("train", "validation", "test")

_DRAWN = ("loss", "accuracy", "val_loss", "val_accuracy")


def about_training(
    run: RunFolder, told: Mapping[str, Any], best_epoch: bool = True, loss: str = "cross-entropy"
) -> Html:
    """Return how a run was trained: what it is described by, what was estimated, and the curves of the training where they are.

    `best_epoch`: whether the epoch with the least validation loss was kept. `loss`: its name.
    """
    history = _history(run)
    drawn = charts_of_training(history, best_epoch, loss) if history else []
    return join(
        [
            facts((key, _readable(value)) for key, value in told.items()),
            *(paragraph(sentence) for sentence in _estimate(run)),
            figures(figure(one) for one in drawn) if drawn else "",
        ]
    )


def training_facts(run: RunFolder) -> dict[str, Any]:
    """Return what a training is described by, as names and values for a reader; what this sort of run, or an older one, has not is left out."""
    about = run.description
    settings = written_in(run, "settings")
    streamed = about.get("streamed")  # such a run keeps a sample only
    photos, hands = (
        (streamed["rows"], streamed["parts"]) if streamed else (about.get("photos"), written_in(run, "hands"))
    )
    several = _groups(run)
    found: dict[str, Any] = {
        "run": run.name,
        "trained": when(about.get("created")),
        "dataset": Path(about["dataset"]).name if about.get("dataset") else None,
        "test dataset": Path(about["test_dataset"]).name if about.get("test_dataset") else None,
        "photos": photos,
        "hands": ", ".join(f"{part} {hands[part]}" for part in PARTS if part in hands),
        "split": _split(about),
        "groups": f"{several} people or bursts, never split" if several else "none known",
        "seed": about.get("seed"),
        "embedder": about.get("embedder"),
        "recipe": about.get("recipe"),
        "Model Maker's HParams": _settings(settings.get("hparams")),
        "Model Maker's ModelOptions": _settings(settings.get("model_options")),
        "further settings": _settings({k: v for k, v in settings.items() if not isinstance(v, dict)}),
        "calibration": _settings(about.get("calibration")),
        "data fingerprint": code(about["fingerprint"]) if about.get("fingerprint") else None,
    }
    return {key: value for key, value in found.items() if value not in (None, "")}


def about_file(file: Path) -> dict[str, Any]:
    """Return what identifies a file: its name, size and checksum."""
    return {
        "file": code(file.name),
        "size": f"{file.stat().st_size / 1e6:.1f} MB",
        "SHA-256": code(sha256_of_file(file)),
    }


def table_of_versions(run: RunFolder | None) -> Html:
    """Return the versions that the training and this evaluation were made with."""
    trained = written_in(run, "versions") if run else {}
    try:
        present = versions()
    except metadata.PackageNotFoundError:  # installed otherwise: no reason not to report
        present = {}
    names = dict.fromkeys([*present, *trained])
    columns = ["", "training", "this evaluation"] if run else ["", "this evaluation"]
    rows = [[one, *([trained.get(one)] if run else []), present.get(one)] for one in names]
    return table("Versions", columns, rows, words=3)


def written_in(run: RunFolder, key: str) -> dict[str, Any]:
    """Return what a run's description has under a name; nothing where that is missing or no mapping."""
    value = run.description.get(key)
    return value if isinstance(value, dict) else {}


def _estimate(run: RunFolder) -> list[str]:
    try:
        measured: dict[str, Any] = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
        return [f"At its training: {sentence}" if not i else sentence
                for i, sentence in enumerate(measured["estimate"]["sentences"])]  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _history(run: RunFolder) -> list[dict[str, float]]:
    """Return the epochs of a training, of all its stages in turn; nothing when they are not there, or damaged.

    They are kept with a line for each (`history.csv`) or, of motions, with a list for each number (`history.json`).
    """
    try:
        if (run.path / "history.json").is_file():
            columns = json.loads((run.path / "history.json").read_text(encoding="utf-8"))
            told = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        else:
            with (run.path / "history.csv").open(encoding="utf-8", newline="") as file:
                told = list(csv.DictReader(file))
        rows = [
            {"epoch": float(number), **{key: float(row[key]) for key in _DRAWN if row.get(key) not in (None, "")}}
            for number, row in enumerate(told, 1)
        ]
    except (OSError, ValueError, TypeError, AttributeError, csv.Error):
        return []
    return rows if all({"loss", "accuracy"} <= set(row) for row in rows) else []


def _groups(run: RunFolder) -> int:
    try:
        return len({known_group(row) for row in run.split()} - {""})
    except Exception:  # a damaged list is no reason not to report
        return 0


def _split(about: Mapping[str, Any]) -> str | None:
    shares = about.get("split")
    if not shares:
        return None
    reason = f" ({about['split_reason']})" if about.get("split_reason") else ""
    return " / ".join(f"{share} %" for share in shares) + reason


def _settings(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{key} {_number(value)}" for key, value in (values or {}).items() if value is not None)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _readable(value: Any) -> Any:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
