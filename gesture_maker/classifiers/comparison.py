"""A comparison of classifiers: what was tried, how each did, and where that is kept.

exported_models/<name>/
    comparison.json            this, and what it was made of
    comparison.csv             the table, a line for each kind of classifier
    fits.jsonl                 every fit of the search, written as it ends, so that an interrupted search goes on
    comparison.png, confusion_matrix.png, classes.png, skeletons.png, normalized.png
    gesture_recognizer.task    the winner; with `refit_on_all` trained on everything
    <kind>/                    the best of each kind, trained on four fifths: classifier.json, model.skops or
                               head_weights.h5, gesture_recognizer.task
    refitted/                  the winner trained on everything, the same files

With `--with image` also comparison_with_image.csv, a folder of the training on pixels, called as its backbone, and with_image/, what both
answer to each photo held out, with a report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gesture_maker.errors import RunError
from gesture_maker.files import write_json

COMPARISON = "comparison.json"
FITS = "fits.jsonl"
REFITTED = "refitted"


@dataclass(frozen=True)
class Scores:
    """How well answers match: `accuracy`, and `precision`, `recall` and `f1` as means over the classes, each 0..1."""

    accuracy: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Fit:
    """One classifier trained on all folds but one, and asked about that.

    `began`: seconds since 1970; `train_seconds`: of one core; `predict_seconds`: for one hand, asked together with the others.
    """

    kind: str
    features: str
    parameters: Mapping[str, Any]
    fold: int
    scores: Scores
    hands: int
    began: float
    train_seconds: float
    predict_seconds: float


@dataclass(frozen=True)
class Line:
    """The best settings of one kind of classifier.

    `cross_validation`: means over the folds; `spread`: standard deviation of the folds' accuracies; `test`: on the hands held
    out; `train_seconds`: of one core on four fifths; `predict_seconds`: for one hand, asked together with the others;
    `model_bytes`: of the classifier in the bundle (TFLite); `largest_difference`: of the bundle's scores from scikit-learn's.
    `folder`: beneath the comparison's. `tried`: how many settings.
    """

    kind: str
    title: str
    features: str
    parameters: Mapping[str, Any]
    tried: int
    cross_validation: Scores
    spread: float
    test: Scores
    train_seconds: float
    predict_seconds: float
    model_bytes: int
    largest_difference: float
    folder: str


@dataclass(frozen=True)
class Comparison:
    """A finished comparison.

    `lines`: the best of each kind, the winner first; the winner is chosen by cross-validation, never by the test. `confusion`: of the
    winner on the hands held out: rows the true classes, columns the answers, both in the order of `labels`. `settings`: what it
    was asked for (`seed`, `folds`, `features`, `kinds`, `group_by`, `test`, `refit_on_all` …). `hands`: by part (`search`, `test`).
    `estimate`: the winner's accuracy on the hands held out with its interval, and what to tell the user of it, see
    `evaluation.estimate.Estimate.as_dict`. `with_image`: the winner beside a classifier on pixels, see `pixels.comparing`; empty without one.
    """

    path: Path
    data: str
    fingerprint: str
    labels: tuple[str, ...]
    settings: Mapping[str, Any]
    hands: Mapping[str, int]
    lines: tuple[Line, ...]
    confusion: tuple[tuple[int, ...], ...]
    versions: Mapping[str, str]
    created: str
    warnings: tuple[str, ...] = ()
    estimate: Mapping[str, Any] = field(default_factory=dict)
    with_image: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def winner(self) -> Line:
        """The best by cross-validation."""
        return self.lines[0]

    @property
    def bundle(self) -> Path:
        """The winner's `.task`."""
        return self.path / "gesture_recognizer.task"

    def fits(self) -> list[Fit]:
        """Return every fit of the search. Raises RunError when the file is damaged."""
        try:
            lines = (self.path / FITS).read_text(encoding="utf-8").splitlines()
            return [fit_from(json.loads(line)) for line in lines if '"kind"' in line]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{self.path / FITS} is missing or damaged: compare again.") from error

    def save(self) -> None:
        """Write `comparison.json`."""
        values = {name: value for name, value in asdict(self).items() if name != "path"}
        write_json(self.path / COMPARISON, values)


def fit_from(values: Mapping[str, Any]) -> Fit:
    """Return a fit from plain values. Raises TypeError or KeyError for others."""
    return Fit(**{**values, "scores": Scores(**values["scores"])})


def load_comparison(folder: Path) -> Comparison:
    """Return the comparison in a folder. Raises RunError when there is none, or it is damaged."""
    file = folder / COMPARISON
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        lines = tuple(
            Line(**{**line, **{name: Scores(**line[name]) for name in ("cross_validation", "test")}})
            for line in values["lines"]
        )
        confusion = tuple(tuple(row) for row in values["confusion"])
        tuples = {name: tuple(values[name]) for name in ("labels", "warnings")}
        return Comparison(**{**values, **tuples, "path": folder, "lines": lines, "confusion": confusion})
    except FileNotFoundError:
        raise RunError(f"{folder} is no comparison: make one with `gesture-maker compare DATA`.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} is damaged: compare again.") from error
