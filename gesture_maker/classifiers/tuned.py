"""A search for the settings of Model Maker's head: its trials, the best of them, and where that is kept.

exported_models/<name>/
    study.db       Optuna's study (SQLite): every trial, so that an interrupted search goes on, and others can look at it
    hands.npz      the hands it is made on, so that photos are looked at once
    tuning.json    this
    config.yaml    the best settings, for `gesture-maker train --config`
    trials.png
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gesture_maker.errors import RunError
from gesture_maker.files import write_json

TUNING = "tuning.json"


@dataclass(frozen=True)
class Trial:
    """One set of settings, tried by cross-validation.

    `settings`: by the names of `train`'s options, empty for the recipe's own; `state`: "complete", "pruned" or "failed".
    `loss`: mean negative log likelihood of all folds after calibration, None when it was not tried on all; `accuracy`: 0..1 of the
    same hands; `fold_losses`: of the folds so far. `began`: seconds since 1970; `seconds`: it took.
    """

    number: int
    settings: Mapping[str, Any]
    state: str
    loss: float | None
    accuracy: float | None
    fold_losses: tuple[float, ...]
    began: float
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """The best trial against the recipe's own settings on folds that the search did not see.

    `best` and `default`: their losses and accuracies (`loss`, `accuracy`); `better`: whether the best really is; `sentence`:
    says so, with the numbers.
    """

    best: Mapping[str, float]
    default: Mapping[str, float]
    better: bool
    sentence: str


@dataclass(frozen=True)
class Tuning:
    """A search that came to its end. `best`: the number of the best trial; trial 0 has the recipe's own settings."""

    path: Path
    data: str
    fingerprint: str
    labels: tuple[str, ...]
    hands: int
    settings: Mapping[str, Any]
    trials: tuple[Trial, ...]
    best: int
    verdict: Verdict
    versions: Mapping[str, str]
    created: str
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def config(self) -> Path:
        """The best settings, for `train --config`."""
        return self.path / "config.yaml"

    def trial(self, number: int) -> Trial:
        """Return the trial of a number."""
        return next(trial for trial in self.trials if trial.number == number)

    def save(self) -> None:
        """Write `tuning.json`."""
        values = {name: value for name, value in asdict(self).items() if name != "path"}
        write_json(self.path / TUNING, values)


def load_tuning(folder: Path) -> Tuning:
    """Return the finished search in a folder. Raises RunError when there is none, or it is damaged."""
    file = folder / TUNING
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        trials = tuple(Trial(**{**one, "fold_losses": tuple(one["fold_losses"])}) for one in values["trials"])
        tuples = {name: tuple(values[name]) for name in ("labels", "warnings")}
        return Tuning(**{**values, **tuples, "path": folder, "trials": trials, "verdict": Verdict(**values["verdict"])})
    except FileNotFoundError:
        raise RunError(f"{folder} is no finished search: make one with `gesture-maker tune DATASET`.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} is damaged: search again.") from error
