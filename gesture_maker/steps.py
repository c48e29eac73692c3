"""The steps of the way from photos to a proved bundle, as functions: what `gesture_maker.train` and the command line call.

Each room does its own part; only this module knows several of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.dataset.checking import Check, PhotoFacts, find_problems
from gesture_maker.dataset.folder import find_dataset, load_dataset
from gesture_maker.dataset.splitting import DEFAULT_SHARES, PARTS
from gesture_maker.evaluation.metrics import Metrics, measure
from gesture_maker.evaluation.plots import save_confusion_matrix, save_curves
from gesture_maker.files import write_json
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE
from gesture_maker.landmarks.drawing import PER_CLASS, Example, save_contact_sheet
from gesture_maker.landmarks.engine import Progress, find_hands
from gesture_maker.landmarks.hands import Hand
from gesture_maker.landmarks.table import LandmarkTable, table_path
from gesture_maker.training import session
from gesture_maker.training.run import Run
from gesture_maker.training.session import StageProgress


@dataclass(frozen=True, eq=False)
class Training:
    """A finished training.

    `metrics` has the head's numbers for the parts train, validation and test (without photos in which no hand was found;
    `evaluate` counts those). `unused`: photos that show no usable hand, as (file, reason); None after a resume.
    """

    run: Run
    metrics: dict[str, Metrics]
    unused: tuple[tuple[Path, str], ...] | None
    warnings: tuple[str, ...]


def check(
    dataset: str | Path,
    *,
    out: Path | None = None,
    group_by: str | None = None,
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE,
    progress: Progress | None = None,
) -> Check:
    """Look at every photo of a dataset and return what is usable, what is not and why, with a contact sheet (PNG).

    `out`: the contact sheet's file; by default `contact_sheet.png` beside the dataset's landmarks. Raises DatasetError only
    when there is no dataset to look at; whatever is wrong inside is among the findings.
    """
    root = find_dataset(dataset)
    data = load_dataset(root, group_by)
    table = LandmarkTable.open(table_path(root))
    seen = find_hands([image.path for image in data.images], table, min_detection_confidence, progress=progress)
    hands = [one.answer if isinstance(one.answer, Hand) else None for one in seen]
    facts = [
        PhotoFacts(one.sha256, isinstance(one.answer, Hand), "" if isinstance(one.answer, Hand) else one.answer.reason)
        for one in seen
    ]
    classes, findings = find_problems(data, facts)
    unused = [(image.path, fact.reason) for image, fact in zip(data.images, facts, strict=True) if not fact.usable]
    sheet = (out or _sheet_path(root, table.path)) if data.images else None
    if sheet is not None:
        examples: dict[str, list[Example]] = {label: [] for label in data.labels}
        for image, hand in zip(data.images, hands, strict=True):
            examples[image.label].append(Example(image.path, hand))
        notes = {line.label: f"{line.usable} of {line.photos} photos show a usable hand" for line in classes}
        save_contact_sheet({label: _spread(photos) for label, photos in examples.items()}, notes, sheet)
    return Check(root, classes, findings, (*unused, *data.ignored), sheet)


def train(
    dataset: str | Path,
    *,
    name: str | None = None,
    embedder: str = "builtin",
    recipe: str = "auto",
    seed: int = 0,
    shares: tuple[int, int, int] = DEFAULT_SHARES,
    test: str | Path | None = None,
    group_by: str | None = None,
    settings: Mapping[str, Any] | None = None,
    assets: Path | None = None,
    runs: Path | None = None,
    progress: StageProgress | None = None,
) -> Training:
    """Train a gesture classifier on a folder of class folders, into a fresh folder `exported_models/<name>/`.

    `dataset`: a folder, or a name under `datasets/`; it needs a class `none`. `name`: of the run, by default the dataset's.
    `embedder`: "builtin" or "mediapipe" (Google's). `recipe`: "auto" or "stock" (Model Maker's defaults). `shares`: percent
    for train, validation and test. `test`: a folder that is the whole test part. `group_by`: a regular expression on file
    names; photos with the same match are never split. `settings`: Model Maker's HParams and ModelOptions by name, and
    `min_detection_confidence`. `assets`: where Google's files are looked for first. `runs`: in place of `exported_models`.
    Raises a GestureMakerError for anything that cannot be trained; an interrupted training can be taken up by `resume`.
    """
    done = session.start(
        find_dataset(dataset),
        name=name,
        embedder=embedder,
        recipe=recipe,
        seed=seed,
        shares=shares,
        test=find_dataset(test) if test else None,
        group_by=group_by,
        settings=settings,
        assets=assets,
        runs=runs,
        progress=progress,
    )
    return _documented(done)


def resume(
    run: str | Path,
    *,
    runs: Path | None = None,
    assets: Path | None = None,
    progress: StageProgress | None = None,
) -> Training:
    """Continue a training that was interrupted, with the hands and settings it began with."""
    return _documented(session.resume(run, runs, assets, progress))


def _documented(done: session.Session) -> Training:
    with session.told_how_to_resume(done.run):
        return _written(done)


def _written(done: session.Session) -> Training:
    run, labels = done.run, done.run.labels
    metrics: dict[str, Metrics] = {}
    for part in PARTS:
        scored = done.scored[part]
        truth = [labels[index] for index in scored.classes]
        answers = [labels[index] for index in np.argmax(scored.scores, axis=1)] if len(truth) else []
        metrics[part] = measure(truth, answers, labels)
    write_json(run.path / "metrics.json", {part: values.as_dict() for part, values in metrics.items()})
    save_curves(done.history, run.path / "curves.png")
    shown = "test" if metrics["test"].photos else "validation"
    share = f"{metrics[shown].accuracy:.1%} of {metrics[shown].photos} hands right"
    save_confusion_matrix(metrics[shown], run.path / "confusion_matrix.png", f"{run.name}, {shown} part: {share}")
    unused = None
    if done.prepared is not None:
        photos = [(photo.image.path, photo.reason) for photo in done.prepared.unused]
        unused = (*photos, *done.prepared.ignored)
    run.finish()
    return Training(run, metrics, unused, done.warnings)


def _sheet_path(root: Path, table: Path) -> Path:
    # In the user's cache the tables of many datasets lie side by side.
    beside_photos = table.parent == root.resolve()
    return root / "contact_sheet.png" if beside_photos else table.with_name(f"{table.stem}_contact_sheet.png")


def _spread(photos: list[Example]) -> list[Example]:
    """Return the photos for a contact sheet: two without a hand at most, the others from all over the class."""
    missed = [photo for photo in photos if photo.hand is None][:2]
    found = [photo for photo in photos if photo.hand is not None]
    wanted = min(len(found), PER_CLASS - len(missed))
    picked = [found[round(i * (len(found) - 1) / max(1, wanted - 1))] for i in range(wanted)]
    return [*picked, *missed]
