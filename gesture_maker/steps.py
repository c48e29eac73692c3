"""The steps of the way from photos to a proved bundle, as functions: what `gesture_maker.train` and the command line call.

Each room does its own part; only this module knows several of them.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.bundle.export import Export, export_trained
from gesture_maker.dataset.checking import Check, PhotoFacts, find_problems
from gesture_maker.dataset.finding import list_images
from gesture_maker.dataset.folder import find_dataset, load_dataset
from gesture_maker.dataset.formats.landmark_csv import is_landmark_csv
from gesture_maker.dataset.splitting import PARTS
from gesture_maker.evaluation.advice import advice
from gesture_maker.evaluation.diagnose import Diagnosis, calibrated, class_lines, find_confusions, find_suspects
from gesture_maker.evaluation.diagnosis_picture import save_picture
from gesture_maker.evaluation.estimate import (
    Estimate,
    estimate_from_cross_validation,
    estimate_from_test,
    no_estimate,
)
from gesture_maker.evaluation.metrics import Metrics, measure
from gesture_maker.evaluation.plots import save_confusion_matrix, save_curves
from gesture_maker.files import write_json
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE
from gesture_maker.landmarks.drawing import PER_CLASS, Example, save_contact_sheet
from gesture_maker.landmarks.engine import Engine, find_hands
from gesture_maker.landmarks.hands import Floats, Hand
from gesture_maker.landmarks.making import (
    MadeTable,
    holds_many,
    import_csv,
    make_table,
    name_rows,
    place_of_table,
    seed_table,
)
from gesture_maker.landmarks.mirror import MIRROR_LOOKS
from gesture_maker.landmarks.table import LandmarkTable, table_path
from gesture_maker.progress import Progress, StageProgress, of_stage
from gesture_maker.training import session
from gesture_maker.training.crossvalidate import known_group, own_hands
from gesture_maker.training.run import Run
from gesture_maker.training.session import EpochProgress
from gesture_maker.training.sources import open_source
from gesture_maker.training.stream import STREAM_FROM
from gesture_maker.training.table_source import is_table

SHEET = "contact_sheet.png"


@dataclass(frozen=True, eq=False)
class Training:
    """A finished training.

    `metrics` has the head's numbers for the parts train, validation and test, and for "cross_validation" where there was one
    (without photos in which no hand was found; `evaluate` counts those). `estimate`: how well it will do for other people, by
    cross-validation or else by the test part; None without either. `unused`: photos that show no usable hand, as (file, reason); None after a resume. `export`: of the bundle, where that was
    asked for.
    """

    run: Run
    metrics: dict[str, Metrics]
    estimate: Estimate | None
    unused: tuple[tuple[Path, str], ...] | None
    warnings: tuple[str, ...]
    export: Export | None = None


def check(
    dataset: str | Path,
    *,
    out: Path | None = None,
    plots: bool = False,
    group_by: str | None = None,
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Check:
    """Look at every photo of a dataset and return what is usable, what is not and why, with a contact sheet (PNG).

    `out`: the contact sheet's file, or a folder for it; by default `contact_sheet.png` beside the dataset's landmarks. `plots`:
    draw the balance of the classes, their hands, and what normalizing does to them as well, beside the contact sheet. `workers`:
    how many look at once, by default one a core. A table of landmarks (`.parquet`, or `.csv` in HaGRID's layout) has no photos:
    there are these pictures only, and `out` is their folder. Raises DatasetError only when there is no dataset to look at;
    whatever is wrong inside is among the findings.
    """
    root = find_dataset(dataset)
    if is_table(root):
        from gesture_maker.classifiers.table_check import check_table

        return check_table(root, out, group_by, min_detection_confidence, progress)
    data = load_dataset(root, group_by)
    table = LandmarkTable.open(table_path(root))
    photos = [image.path for image in data.images]
    seen = find_hands(photos, table, min_detection_confidence, workers, progress)
    name_rows(table, data.images, seen, min_detection_confidence)
    hands = [one.answer if isinstance(one.answer, Hand) else None for one in seen]
    facts = [
        PhotoFacts(one.sha256, isinstance(one.answer, Hand), "" if isinstance(one.answer, Hand) else one.answer.reason)
        for one in seen
    ]
    classes, findings = find_problems(data, facts)
    unused = [(image.path, fact.reason) for image, fact in zip(data.images, facts, strict=True) if not fact.usable]
    if out is not None and out.is_dir():
        out = out / SHEET
    sheet = (out or _sheet_path(root, table.path)) if data.images else None
    if sheet is not None:
        examples: dict[str, list[Example]] = {label: [] for label in data.labels}
        for image, hand in zip(data.images, hands, strict=True):
            examples[image.label].append(Example(image.path, hand))
        notes = {line.label: f"{line.usable} of {line.photos} photos show a usable hand" for line in classes}
        save_contact_sheet({label: _spread(photos) for label, photos in examples.items()}, notes, sheet)
    pictures = _data_plots(root, sheet, group_by, min_detection_confidence) if plots and sheet else ()
    return Check(root, classes, findings, (*unused, *data.ignored), sheet, pictures)


def _data_plots(root: Path, sheet: Path, group_by: str | None, min_detection_confidence: float) -> tuple[Path, ...]:
    from gesture_maker.classifiers.data import hands_in
    from gesture_maker.classifiers.data_plots import CHECK_PREFIX, save_data_plots

    hands = hands_in(open_source(root, group_by, min_detection_confidence), root)
    before, named_so, _ = sheet.name.rpartition(SHEET)  # in the user's cache, something that tells the dataset
    return save_data_plots(hands, sheet.parent, f"{before if named_so else ''}{CHECK_PREFIX}")


def find_landmarks(
    source: str | Path,
    *,
    out: Path | None = None,
    engine: str = "local",
    workers: int | None = None,
    address: str | None = None,
    mirror: bool = True,
    group_by: str | None = None,
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE,
    progress: StageProgress | None = None,
) -> MadeTable:
    """Find the hands of all images of a source, each once, and return their table, which `train` and `evaluate` read.

    `source`: a dataset (folder or name), a zip or a folder of zips, HaGRID's photos and annotations, a landmark CSV, or an
    address (`s3://bucket/photos`). `out`: the table, by default the dataset's own `landmarks.parquet`, or for other sources one
    of their name in the current folder. `engine`: "local" or "ray"; `workers`: how many look at once, by default one a core; `address`: of a Ray cluster. `mirror`: look at
    some images in a mirror too, as `train` does. What a table knows is not looked at again, so that an interrupted call goes on
    where it was. Raises a GestureMakerError for a source, table or cluster that cannot be used.
    """
    looking = Engine(engine, workers, address)
    place = place_of_table(source, out)
    if is_landmark_csv(source):
        return import_csv(Path(source), place, progress)
    listing = list_images(source, group_by)
    if Path(listing.root).is_dir():
        seed_table(place, table_path(Path(listing.root)))
    return make_table(
        listing,
        place,
        min_detection_confidence=min_detection_confidence,
        mirror=MIRROR_LOOKS if mirror else 0,
        engine=looking,
        progress=progress,
    )


def train(
    dataset: str | Path,
    *,
    name: str | None = None,
    embedder: str = "builtin",
    recipe: str = "auto",
    seed: int = 0,
    shares: tuple[int, int, int] | None = None,
    test: str | Path | None = None,
    group_by: str | None = None,
    estimate: bool | None = None,
    settings: Mapping[str, Any] | None = None,
    assets: Path | None = None,
    runs: Path | None = None,
    export: bool = False,
    progress: StageProgress | None = None,
    on_epoch: EpochProgress | None = None,
) -> Training:
    """Train a gesture classifier on a folder of class folders, into a fresh folder `exported_models/<name>/`.

    `dataset`: a folder, or a name under `datasets/`; it needs a class `none`. `name`: of the run, by default the dataset's.
    `embedder`: "builtin" or "mediapipe" (Google's). `recipe`: "auto" or "stock" (Model Maker's defaults). `shares`: percent
    for train, validation and test; by default (80, 10, 10), and with fewer than 400 usable hands and the recipe "auto" all are
    trained on. `test`: a folder that is the whole test part. `group_by`: a regular expression on file names; photos with
    the same match are never split. `estimate`: whether to estimate the accuracy by cross-validation, which costs five more
    trainings; by default where the test part has fewer than 50 hands, with the recipe "auto". `settings`: Model Maker's HParams and ModelOptions by name, and
    `min_detection_confidence`. `assets`: where Google's files are looked for first. `runs`: in place of `exported_models`. `export`: make the bundle
    too, with the bytes that `gesture_maker.export` would give it, in less time. `on_epoch`: called after each epoch with the
    stage, the epoch's number and its values (`loss`, `accuracy`, `val_loss` …), see `EpochProgress`.
    Raises a GestureMakerError for anything that cannot be trained; an interrupted training can be taken up by `resume`.
    """
    root = find_dataset(dataset)
    done = session.start(
        root,
        name=name,
        embedder=embedder,
        recipe=recipe,
        seed=seed,
        shares=shares,
        test=find_dataset(test) if test else None,
        group_by=group_by,
        estimate=estimate,
        settings=settings,
        assets=assets,
        runs=runs,
        looked_at=functools.partial(_table_of_many, root, group_by, progress)
        if holds_many(root, STREAM_FROM)
        else None,
        progress=progress,
        on_epoch=on_epoch,
    )
    return _documented(done, export, assets)


def _table_of_many(root: Path, group_by: str | None, progress: StageProgress | None, confidence: float) -> Path:
    """Return the table of a dataset of more photos than are kept in memory, with all of them looked at."""
    path = table_path(root)
    listing = list_images(root, group_by)
    make_table(listing, path, min_detection_confidence=confidence, mirror=MIRROR_LOOKS, progress=progress)
    return path


def resume(
    run: str | Path,
    *,
    runs: Path | None = None,
    assets: Path | None = None,
    export: bool = False,
    progress: StageProgress | None = None,
    on_epoch: EpochProgress | None = None,
) -> Training:
    """Continue a training that was interrupted, with the hands and settings it began with; `export` and `on_epoch` as for `train`."""
    return _documented(session.resume(run, runs, assets, progress, on_epoch), export, assets)


DIAGNOSIS = "diagnose.png"


def diagnose(
    run: str | Path,
    *,
    out: Path | None = None,
    runs: Path | None = None,
    assets: Path | None = None,
    progress: StageProgress | None = None,
) -> Diagnosis:
    """Say which classes of a run's photos are confused and by whom, which look mislabelled, and what to photograph next.

    By cross-validation, which is made now where the run has none (five trainings), and kept. `out`: the file of the picture,
    by default `diagnose.png` in the run. Raises RunError for a run that is not finished, damaged, or of an older version.
    """
    finished = Run.load_finished(run, runs)
    found = session.cross_validation_of(finished, assets, progress)
    own, rows = own_hands(finished), finished.split()
    labels, classes = finished.labels, own.embedded.classes
    groups = [known_group(row) for row in own.rows]
    lines = class_lines(labels, classes, groups, found)
    if finished.description.get("test_dataset"):
        rows = [row for row in rows if row.part != "test"]
    if found is None:
        tips = advice(lines, (), (), own.hands, classes, rows)
        return Diagnosis(finished.path, lines, (), (), tips, no_estimate(groups).sentences)
    temperature = finished.description.get("calibration", {}).get("temperature", 1.0)
    scores = calibrated(found.scores, temperature)
    confusions, suspects = find_confusions(found, scores, labels), find_suspects(found, scores, labels)
    picture = out or finished.path / DIAGNOSIS
    looking = of_stage(progress, "landmarks")
    missing = save_picture(finished, found, scores, confusions, suspects, picture, looking)
    return Diagnosis(
        finished.path,
        lines,
        confusions,
        suspects,
        advice(lines, confusions, suspects, own.hands, classes, rows),
        estimate_from_cross_validation(found, labels).sentences,
        picture,
        missing,
    )


def _documented(done: session.Session, export: bool, assets: Path | None) -> Training:
    with done.run.told_how_to_resume():
        training = _written(done)
    if not export:
        return training
    try:
        return replace(training, export=export_trained(done.run, done.head, assets=assets))
    except KeyboardInterrupt as interrupt:
        call = shlex.quote(done.run.call)
        raise KeyboardInterrupt(
            f'"{done.run.name}" is trained, but not exported: do that with `gesture-maker export {call}`.'
        ) from interrupt


def _written(done: session.Session) -> Training:
    run = done.run
    metrics = {part: _measured(done.scored[part].scores, done.scored[part].classes, run.labels) for part in PARTS}
    found = done.cross_validation
    if found is not None:
        metrics["cross_validation"] = _measured(found.scores[found.tested], found.classes[found.tested], run.labels)
    estimate = _estimated(done)
    written = {part: values.as_dict() for part, values in metrics.items()}
    write_json(run.path / "metrics.json", written | ({"estimate": estimate.as_dict()} if estimate else {}))
    save_curves(done.history, run.path / "curves.png", run.description["settings"]["best_epoch"])
    shown = max(("test", "cross_validation", "validation", "train"), key=lambda name: _worth_showing(name, metrics))
    share = f"{metrics[shown].accuracy:.1%} of {metrics[shown].photos} hands right"
    what = "cross-validation" if shown == "cross_validation" else f"{shown} part"
    save_confusion_matrix(metrics[shown], run.path / "confusion_matrix.png", f"{run.name}, {what}: {share}")
    unused = None
    if done.prepared is not None:
        photos = [(photo.image.path, photo.reason) for photo in done.prepared.unused]
        unused = (*photos, *done.prepared.ignored)
    run.finish()
    return Training(run, metrics, estimate, unused, done.warnings)


def _measured(scores: Floats, classes: npt.NDArray[np.int64], labels: Sequence[str]) -> Metrics:
    truth = [labels[index] for index in classes]
    return measure(truth, [labels[index] for index in np.argmax(scores, axis=1)] if truth else [], labels)


def _worth_showing(name: str, metrics: Mapping[str, Metrics]) -> tuple[int, int]:
    """Return a number for each part that is larger the more its confusion matrix says about other people's hands."""
    hands = metrics[name].photos if name in metrics else 0
    if name in ("test", "cross_validation"):
        return (3, hands) if hands else (0, 0)
    return (2 if name == "validation" else 1, hands) if hands else (0, 0)


def _estimated(done: session.Session) -> Estimate | None:
    run, found, tested = done.run, done.cross_validation, done.scored["test"]
    if found is not None:
        return estimate_from_cross_validation(found, run.labels)
    if len(tested.classes):
        right = np.argmax(tested.scores, axis=1) == tested.classes
        return estimate_from_test(right, [known_group(row) for row in run.rows_of_hands("test")])
    if run.description.get("estimate"):
        return no_estimate([known_group(row) for row in run.split() if not row.reason])
    return None


def _sheet_path(root: Path, table: Path) -> Path:
    # In the user's cache the tables of many datasets lie side by side.
    beside_photos = table.parent == root.resolve()
    return root / SHEET if beside_photos else table.with_name(f"{table.stem}_{SHEET}")


def _spread(photos: list[Example]) -> list[Example]:
    """Return the photos for a contact sheet: two without a hand at most, the others from all over the class."""
    missed = [photo for photo in photos if photo.hand is None][:2]
    found = [photo for photo in photos if photo.hand is not None]
    wanted = min(len(found), PER_CLASS - len(missed))
    picked = [found[round(i * (len(found) - 1) / max(1, wanted - 1))] for i in range(wanted)]
    return [*picked, *missed]
