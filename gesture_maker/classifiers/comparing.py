"""Comparing classifiers on the same hands, fairly: settings are chosen by cross-validation on four fifths, the rest is asked last.

A fifth of the hands, or another dataset, is held out before anything is tried. Each kind's best settings are trained once more
on all of the four fifths and asked about it, and that says how well they do; the winner is chosen before.
"""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.bundle.card import as_code
from gesture_maker.classifiers import bundling, comparison_plots, data_plots, storing
from gesture_maker.classifiers.classifier import Classifier, fit
from gesture_maker.classifiers.comparison import FITS, REFITTED, Comparison, Line
from gesture_maker.classifiers.comparison_beside import Beside
from gesture_maker.classifiers.comparison_folder import folder_for, refuse_taken, working_in
from gesture_maker.classifiers.comparison_parts import Parts, parts_of
from gesture_maker.classifiers.data import (
    Integers,
    LabelledHands,
    load_hands,
)
from gesture_maker.classifiers.kinds import FEATURES, KINDS, Kind, kinds_named
from gesture_maker.classifiers.search import Best, attempts_of, best_of, measured, on_one_core, scores_from, search
from gesture_maker.dataset.folder import find_dataset
from gesture_maker.errors import BundleError, ConfigError, DatasetError
from gesture_maker.evaluation.estimate import estimate_from_test
from gesture_maker.evaluation.metrics import Metrics
from gesture_maker.evaluation.paired import difference
from gesture_maker.files import write_bytes, write_csv
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE
from gesture_maker.landmarks.hands import Floats
from gesture_maker.progress import StageProgress
from gesture_maker.training.crossvalidate import group_numbers
from gesture_maker.training.recipe import check_settings
from gesture_maker.training.run import BUNDLE
from gesture_maker.training.run_folder import check_writable
from gesture_maker.training.session import MAX_SEED, versions
from gesture_maker.training.table_source import run_name

FOLDS = 5

_TIMES = 3  # predictions are timed, and the quickest counts: what disturbs one makes it slower


@dataclass(frozen=True, eq=False)
class _Contestant:
    """The best settings of a kind, trained on four fifths, and its answers to the hands held out."""

    best: Best
    classifier: Classifier
    metrics: Metrics
    right: Any  # bool [N]
    train_seconds: float
    predict_seconds: float


def compare(
    data: str | Path,
    *,
    name: str | None = None,
    test: str | Path | None = None,
    group_by: str | None = None,
    kinds: Sequence[str] | None = None,
    features: Sequence[str] = ("builtin",),
    folds: int = FOLDS,
    seed: int = 0,
    workers: int | None = None,
    refit_on_all: bool = False,
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE,
    runs: Path | None = None,
    progress: StageProgress | None = None,
    beside: Beside | None = None,
) -> Comparison:
    """Find the best settings of several classifiers, compare them on hands held out, and make each a `.task`.

    `data`: a dataset (folder or name), or a table of landmarks (Parquet, or CSV in HaGRID's layout). `name`: of the folder under
    `exported_models/`, by default the dataset's with `-compare`. `test`: another dataset or table to be asked about, in place of a
    fifth of `data`. `group_by`: a regular expression on file names; photos with the same match are never split. `kinds`: names of
    `KINDS`, by default all; `features`: names of `FEATURES`. `workers`: processes of the search, by default one a core.
    `refit_on_all`: train the winner on everything in the end, and let that be the `.task`. `progress`: called with the stage
    ("landmarks", "searching", "training", "exporting"), how much is done, and of how much. `beside`: what is compared with the winner in the
    end, and put into `with_image`; see `pixels.comparing.compare_with_image`.

    The winner is the kind with the best mean accuracy in cross-validation; of equals the one with the smaller model, so that equal
    data and seed give the same result. A comparison that was interrupted goes on when it is called again. Raises a
    GestureMakerError for data or settings that cannot be used.
    """
    chosen = _check(kinds, features, folds, seed, workers, min_detection_confidence)
    place, others = find_dataset(data), find_dataset(test) if test is not None else None
    check_writable(runs)
    if name is not None:
        refuse_taken(name, runs)
    looking = functools.partial(
        load_hands,
        group_by=group_by,
        min_detection_confidence=min_detection_confidence,
        progress=functools.partial(progress, "landmarks") if progress else None,
    )
    hands = looking(place)
    tested = looking(others) if others is not None else None
    parts = parts_of(hands, tested, folds, seed)
    if beside is not None:
        beside.begin(parts, others)
    identity = {
        "data": hands.fingerprint,
        "test": tested.fingerprint if tested else None,
        "folds": parts.folds,
        "seed": seed,
        "versions": versions() | {"scikit-learn": metadata.version("scikit-learn")},
    }
    settings = {
        "seed": seed,
        "folds": parts.folds,
        "features": list(dict.fromkeys(features)),
        "kinds": [kind.name for kind in chosen],
        "group_by": group_by,
        "test": str(others.resolve()) if others else None,
        "refit_on_all": refit_on_all,
        "min_detection_confidence": min_detection_confidence,
    }
    folder = folder_for(name, f"{run_name(place)}-compare", identity, runs)
    try:
        with working_in(folder):
            return _compared(hands, parts, chosen, settings, identity, folder, workers, progress, beside)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(
            f'The comparison "{folder.name}" was interrupted: what was tried is kept, run the same command again to go on.'
        ) from interrupt


def _check(
    kinds: Sequence[str] | None,
    features: Sequence[str],
    folds: int,
    seed: int,
    workers: int | None,
    min_detection_confidence: float,
) -> list[Kind]:
    chosen = kinds_named(None if kinds is None else list(kinds))
    unknown = [name for name in features if name not in FEATURES]
    if unknown or not features:
        what = f'There are no features "{unknown[0]}"' if unknown else "No features are named"
        raise ConfigError(f"{what}: use {', '.join(FEATURES)}, or both.")
    if folds < 2:
        raise ConfigError(f"folds is {folds}, but has to be 2 at least.")
    if workers is not None and workers < 1:
        raise ConfigError(f"jobs is {workers}, but has to be 1 at least.")
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"seed is {seed}, but has to be a whole number from 0 to {MAX_SEED}.")
    check_settings({"min_detection_confidence": min_detection_confidence})
    return chosen


def _compared(
    hands: LabelledHands,
    parts: Parts,
    kinds: Sequence[Kind],
    settings: Mapping[str, Any],
    identity: Mapping[str, Any],
    folder: Path,
    workers: int | None,
    progress: StageProgress | None,
    beside: Beside | None,
) -> Comparison:
    labels, seed = hands.labels, settings["seed"]
    smallest = min(int((parts.fold != number).sum()) for number in range(parts.folds))
    attempts, left_out = attempts_of(kinds, settings["features"], parts.folds, smallest)
    if not attempts:
        raise DatasetError(f"{left_out[0]} There is nothing else to try: add photos, or name another --classifier.")
    fits = search(
        attempts,
        parts.search.rows,
        parts.search.classes,
        parts.fold,
        labels,
        seed=seed,
        file=folder / FITS,
        identity=identity,
        workers=workers,
        progress=functools.partial(progress, "searching") if progress else None,
    )
    names = list(dict.fromkeys(one.kind for one in fits))
    steps = len(names) + int(settings["refit_on_all"])
    training, exporting = (_Steps(progress, stage, steps) for stage in ("training", "exporting"))
    contestants = []
    for name in names:
        contestants.append(_trained(best_of(fits, name), parts, labels, seed))
        training.next()
    for name in (*KINDS, REFITTED):  # of an interrupted call that asked for others
        shutil.rmtree(folder / name, ignore_errors=True)
    about = {
        "data": as_code(hands.place.name),
        "data fingerprint": hands.fingerprint,
        "chosen by": f"cross-validation of {parts.folds} folds, seed {seed}",
    }
    lines, not_bundled = {}, []
    for one in contestants:
        try:
            lines[one.best.kind] = _exported(one, parts, folder, about)
        except BundleError as error:
            shutil.rmtree(folder / one.best.kind, ignore_errors=True)
            not_bundled.append(f"Left out is {one.classifier.title}. {error}")
        exporting.next()
    if not lines:
        raise BundleError(not_bundled[0])
    contestants = [one for one in contestants if one.best.kind in lines]
    # Of equals the smaller model; not the quicker, since times are others in every run.
    contestants.sort(key=lambda one: (-round(one.best.scores.accuracy, 12), lines[one.best.kind].model_bytes))
    winner = contestants[0]
    final = folder / winner.best.kind
    if settings["refit_on_all"]:
        final = folder / REFITTED
        refitted = _fitted(winner.best, *_everything(hands, parts), labels, seed)
        training.next()
        storing.save_classifier(refitted, final)
        what = {
            **about,
            "trained on": f"all {len(parts.search) + len(parts.test)} hands, so that there is none left to test on",
        }
        bundling.bundle_classifier(refitted, final / BUNDLE, parts.test.rows, about=what)
        exporting.next()
    with_image = beside.beside(lines[winner.best.kind], folder) if beside is not None else {}
    comparison = Comparison(
        path=folder,
        data=str(hands.place.resolve()),
        fingerprint=hands.fingerprint,
        labels=labels,
        settings=settings,
        hands={"search": len(parts.search), "test": len(parts.test)},
        lines=tuple(lines[one.best.kind] for one in contestants),
        confusion=tuple(tuple(row) for row in winner.metrics.confusion[:, : len(labels)].tolist()),
        versions=identity["versions"],
        created=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        warnings=(*parts.warnings, *left_out, *not_bundled),
        estimate=_estimate(contestants, parts.test),
        with_image=with_image,
    )
    for file in (final / BUNDLE, (final / BUNDLE).with_suffix(".md")):
        write_bytes(folder / file.name, file.read_bytes())
    save_table(comparison)
    data_plots.save_data_plots(hands, folder)
    comparison_plots.save_comparison_plots(comparison, fits, folder)
    comparison.save()
    return comparison


@dataclass
class _Steps:
    """The progress of a stage of so many steps."""

    progress: StageProgress | None
    stage: str
    total: int
    done: int = 0

    def next(self) -> None:
        """Say that one more is done."""
        self.done += 1
        if self.progress:
            self.progress(self.stage, self.done, self.total)


def _fitted(best: Best, rows: Floats, classes: Integers, labels: tuple[str, ...], seed: int) -> Classifier:
    with on_one_core(best.kind):
        return fit(best.kind, best.features, best.parameters, labels, rows, classes, seed)


def _trained(best: Best, parts: Parts, labels: tuple[str, ...], seed: int) -> _Contestant:
    """Train on all that was searched on, ask about what was held out, and time both."""
    test = parts.test
    with on_one_core(best.kind):
        begin = time.process_time()
        classifier = fit(
            best.kind, best.features, best.parameters, labels, parts.search.rows, parts.search.classes, seed
        )
        trained = time.process_time() - begin
        scores, predicted = _timed(functools.partial(classifier.scores, test.rows))
    answers = scores.argmax(axis=1)
    metrics = measured(test.classes, answers, labels)
    return _Contestant(best, classifier, metrics, answers == test.classes, trained, predicted / len(test))


def _timed(call: Callable[[], Floats]) -> tuple[Floats, float]:
    """Return what a call returns, and the seconds of one core that it takes."""
    seconds = []
    for _ in range(_TIMES):
        begin = time.process_time()
        result = call()
        seconds.append(time.process_time() - begin)
    return result, min(seconds)


def _exported(one: _Contestant, parts: Parts, folder: Path, about: Mapping[str, Any]) -> Line:
    best = one.best
    place = folder / best.kind
    storing.save_classifier(one.classifier, place)
    test = scores_from(one.metrics)
    measurements = {
        "cross-validation": f"{best.scores.accuracy:.1%} right (standard deviation of the folds {best.spread:.1%})",
        "hands held out": f"{test.accuracy:.1%} of {len(parts.test)} right, F1 {test.f1:.1%}",
        "trained on": f"{len(parts.search)} hands",
    }
    made = bundling.bundle_classifier(one.classifier, place / BUNDLE, parts.test.rows, about={**about, **measurements})
    return Line(
        kind=best.kind,
        title=one.classifier.title,
        features=best.features,
        parameters={
            name: list(one) if isinstance(one, tuple) else one for name, one in best.parameters.items()
        },  # JSON's
        tried=best.tried,
        cross_validation=best.scores,
        spread=best.spread,
        test=test,
        train_seconds=one.train_seconds,
        predict_seconds=one.predict_seconds,
        model_bytes=made.model_bytes,
        largest_difference=made.largest_difference,
        folder=best.kind,
    )


def _everything(hands: LabelledHands, parts: Parts) -> tuple[Floats, Integers]:
    """Return all hands, those of another test dataset too."""
    if len(parts.search) + len(parts.test) == len(hands):
        return hands.rows, hands.classes
    return (
        np.concatenate([parts.search.rows, parts.test.rows]),
        np.concatenate([parts.search.classes, parts.test.classes]),
    )


def _estimate(contestants: Sequence[_Contestant], test: LabelledHands) -> dict[str, Any]:
    """Return the winner's accuracy with its interval, and whether it is surely better than the next, as plain values."""
    winner = contestants[0]
    found = estimate_from_test(winner.right, test.groups).as_dict()
    if len(contestants) < 2:
        return found
    second = contestants[1]
    title = second.classifier.title
    apart = difference(winner.right, second.right, group_numbers(test.kept_together))
    points = f"{100 * apart.difference:+.1f} points (95 % interval {100 * apart.low:+.1f} to {100 * apart.high:+.1f})"
    sentence = (
        f"Against the second, {title}, it has {points} on the hands held out"
        f"{'' if apart.sure else ': that may be chance'}."
    )
    return {
        **found,
        "sentences": [*found["sentences"], sentence],
        "second": {"kind": second.best.kind, **asdict(apart)},
    }


def save_table(comparison: Comparison) -> None:
    """Write `comparison.csv`: a line for each kind, the winner first."""
    rows = []
    for line in comparison.lines:
        scores = {
            f"{part}_{name}": value
            for part, values in (("cv", line.cross_validation), ("test", line.test))
            for name, value in asdict(values).items()
        }
        settings = "; ".join(f"{name}={value}" for name, value in line.parameters.items())
        rows.append(
            {
                "classifier": line.kind,
                "features": line.features,
                "settings": settings,
                "tried": line.tried,
                **scores,
                "cv_spread": line.spread,
                "train_seconds": line.train_seconds,
                "predict_seconds": line.predict_seconds,
                "model_bytes": line.model_bytes,
                "largest_difference": line.largest_difference,
            }
        )
    write_csv(comparison.path / "comparison.csv", rows, list(rows[0]))
