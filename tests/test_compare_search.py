"""The grid search behind `compare`: what it finds, that it goes on where it was, and what it says when something fails."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from classified import LABELS, gesture_rows
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.neighbors import KNeighborsClassifier

from gesture_maker.classifiers.comparison import Fit, Scores
from gesture_maker.classifiers.kinds import KINDS, MODEL_MAKER
from gesture_maker.classifiers.search import (
    Attempt,
    attempts_of,
    best_of,
    identity_in,
    measured,
    scores_from,
    search,
    seconds_of,
)
from gesture_maker.embedders.transformers import LandmarkNormalizer
from gesture_maker.errors import RunError

FOLDS = 3
IDENTITY = {"data": "these hands", "seed": 0}
QUICK = ("nearest-neighbours", "logistic-regression")


@pytest.fixture(scope="module")
def hands() -> tuple[Any, Any, Any]:
    """Rows, classes, and folds."""
    rows, classes = gesture_rows(90, 3, 25.0)
    return rows, classes, np.arange(90) // len(LABELS) % FOLDS


def attempts(*kinds: str, features: tuple[str, ...] = ("builtin",), every: int = 1) -> list[Attempt]:
    return attempts_of([KINDS[kind] for kind in kinds], features, FOLDS, 60)[0][::every]


def searched(hands: tuple[Any, Any, Any], tried: list[Attempt], file: Path, **changes: Any) -> list[Fit]:
    rows, classes, fold = hands
    about: dict[str, Any] = {"seed": 0, "file": file, "identity": IDENTITY, "workers": 1, **changes}
    return search(tried, rows, classes, fold, LABELS, **about)


def without_times(fits: list[Fit]) -> list[Any]:
    return [(fit.kind, fit.features, fit.parameters, fit.fold, fit.scores, fit.hands) for fit in fits]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_scores_are_scikit_learns_over_the_classes_that_are_there(pairs: list[tuple[int, int]]) -> None:
    truth, answers = (np.array(one) for one in zip(*pairs, strict=True))
    found = scores_from(measured(truth, answers, LABELS))
    there = np.unique(truth)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, answers, labels=there, average="macro", zero_division=0
    )
    assert (found.accuracy, found.precision, found.recall, found.f1) == pytest.approx(
        (accuracy_score(truth, answers), precision, recall, f1)
    )


def test_a_fit_is_what_scikit_learn_says_of_the_fold(hands: tuple[Any, Any, Any], tmp_path: Path) -> None:
    rows, classes, fold = hands
    fits = searched(hands, attempts("nearest-neighbours", features=("landmarks",)), tmp_path / "fits.jsonl")
    given = LandmarkNormalizer().transform(rows)
    for fit in fits:
        train, test = fold != fit.fold, fold == fit.fold
        model = KNeighborsClassifier(**fit.parameters).fit(given[train], classes[train])
        assert fit.scores.accuracy == pytest.approx(model.score(given[test], classes[test]))
        assert fit.hands == test.sum()
        assert fit.predict_seconds >= 0
        assert fit.began > 1.6e9
    assert len({fit.scores.accuracy for fit in fits}) > 1  # else nothing was compared


def test_processes_find_what_one_process_finds_and_it_comes_in_order(
    hands: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    tried = attempts(*QUICK, "random-forest", "mlp", features=("builtin", "landmarks"), every=19)
    alone = searched(hands, tried, tmp_path / "alone.jsonl")
    counted: list[tuple[int, int]] = []
    several = searched(hands, tried, tmp_path / "several.jsonl", workers=2, progress=lambda *at: counted.append(at))
    assert without_times(several) == without_times(alone)
    assert [(fit.kind, fit.features, dict(fit.parameters), fit.fold) for fit in several] == [
        (one.kind, one.features, dict(one.parameters), one.fold) for one in tried
    ]
    assert counted == [(number, len(tried)) for number in range(len(tried) + 1)]
    lines = (tmp_path / "several.jsonl").read_text().splitlines()
    assert len(lines) == 1 + len(tried)
    assert identity_in(tmp_path / "several.jsonl") == IDENTITY


def test_what_is_kept_is_not_done_again_and_a_cut_line_is(hands: tuple[Any, Any, Any], tmp_path: Path) -> None:
    file = tmp_path / "fits.jsonl"
    tried = attempts(*QUICK)
    whole = searched(hands, tried, file)
    lines = file.read_text().splitlines()
    # One line says that it was wholly wrong, so that it is seen whether it is believed; the last is cut, one is damaged.
    believed = json.loads(lines[5])
    believed["scores"]["accuracy"] = 0.125
    file.write_text("\n".join([*lines[:5], json.dumps(believed), "\x00garbage", *lines[6:20], lines[20][:40]]))
    counted: list[tuple[int, int]] = []
    again = searched(hands, tried, file, progress=lambda *at: counted.append(at))
    assert counted[0] == (19, len(tried))
    assert counted[-1] == (len(tried), len(tried))
    other = [one for one, before in zip(again, whole, strict=True) if one.scores != before.scores]
    assert [one.scores.accuracy for one in other] == [0.125]
    assert len(file.read_text().splitlines()) == 1 + len(tried)
    assert [fit.parameters for fit in again] == [one.parameters for one in tried]


def test_fits_of_other_hands_are_refused_and_stay(hands: tuple[Any, Any, Any], tmp_path: Path) -> None:
    file = tmp_path / "fits.jsonl"
    tried = attempts("nearest-neighbours", every=9)
    searched(hands, tried, file)
    before = file.read_bytes()
    with pytest.raises(RunError, match="other hands or settings"):
        searched(hands, tried, file, identity={"data": "others"})
    assert file.read_bytes() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_an_attempt_that_fails_is_one_sentence_and_the_others_are_kept(
    hands: tuple[Any, Any, Any], tmp_path: Path, workers: int
) -> None:
    rows, classes, _ = hands
    file = tmp_path / "fits.jsonl"
    fold = np.where(classes == 1, 0, 1)  # without fold 0 there is more than one class, without fold 1 there is not
    good = [Attempt("logistic-regression", "builtin", {"C": 1.0, "max_iter": 50}, 0)]
    bad = [Attempt("logistic-regression", "builtin", {"C": 2.0, "max_iter": 50}, 1)]
    with pytest.raises(RunError, match=r"Training logistic regression \(C 2.0, max_iter 50\) failed.*one class") as e:
        searched((rows, classes, fold), [*good, *bad], file, workers=workers)
    assert "\n" not in str(e.value)
    assert "Traceback" not in str(e.value)
    if workers == 1:
        assert len(file.read_text().splitlines()) == 2


def test_processes_that_are_killed_are_told_of_and_what_they_found_is_kept(
    hands: tuple[Any, Any, Any], tmp_path: Path
) -> None:
    from joblib.externals.loky import get_reusable_executor  # type: ignore[import-untyped]

    killed = []

    def kill(done: int, _: int) -> None:
        if done == 1:
            killed.extend(get_reusable_executor(reuse=True)._processes)
            for process in killed:
                os.kill(process, signal.SIGKILL)

    tried = attempts("random-forest")
    with pytest.raises(RunError, match=r"memory ran out.*fewer --jobs"):
        searched(hands, tried, tmp_path / "fits.jsonl", workers=2, progress=kill)
    assert len(killed) == 2
    kept = len((tmp_path / "fits.jsonl").read_text().splitlines()) - 1
    assert 1 <= kept < len(tried)
    assert len(searched(hands, tried[:3], tmp_path / "fits.jsonl", workers=2)) == 3


def fit_of(kind: str, features: str, parameters: dict[str, Any], fold: int, accuracy: float) -> Fit:
    return Fit(kind, features, parameters, fold, Scores(accuracy, 0.5, 0.5, 0.5), 10, 0.0, 1.0, 1.0)


def test_the_best_is_by_the_mean_and_of_equals_the_first() -> None:
    def fits(parameters: dict[str, Any], accuracies: tuple[float, ...], features: str = "builtin") -> list[Fit]:
        return [fit_of("mlp", features, parameters, fold, one) for fold, one in enumerate(accuracies)]

    first = fits({"alpha": 1}, (0.6, 0.8, 0.7))
    same = fits({"alpha": 2}, (0.7, 0.6, 0.8))  # the sum has another last digit
    worse = fits({"alpha": 3}, (1.0, 0.5, 0.5))
    other = [fit_of("random-forest", "builtin", {}, 0, 1.0)]
    best = best_of([*worse, *first, *same, *other], "mlp")
    assert best.parameters == {"alpha": 1}
    assert best.tried == 3
    assert best.scores.accuracy == pytest.approx(0.7)
    assert best.spread == pytest.approx(np.std([0.6, 0.8, 0.7]))
    better = fits({"alpha": 1}, (0.7, 0.8, 0.7), "landmarks")
    assert best_of([*first, *better], "mlp").features == "landmarks"


def test_what_is_tried() -> None:
    every, left_out = attempts_of(list(KINDS.values()), ("builtin", "landmarks"), 5, 1000)
    assert left_out == ()
    numbers = {kind: len([one for one in every if one.kind == kind]) for kind in KINDS}
    assert numbers == {
        "nearest-neighbours": 12 * 2 * 5,
        "logistic-regression": 8 * 2 * 5,
        "random-forest": 18 * 2 * 5,
        "mlp": 6 * 2 * 5,
        MODEL_MAKER: 2 * 5,  # it has features of its own
    }
    assert len({one.key for one in every}) == len(every)
    few, left_out = attempts_of([KINDS["nearest-neighbours"]], ("builtin",), 2, 4)
    assert {one.parameters["n_neighbors"] for one in few} == {3}
    assert len(left_out) == 1
    assert "4 hands" in left_out[0]


@pytest.mark.parametrize("small_and_large", [1000, 20_000])
def test_more_trees_and_more_hands_are_expected_to_take_longer(small_and_large: int) -> None:
    def forest(trees: int) -> Attempt:
        return Attempt("random-forest", "builtin", {"n_estimators": trees}, 0)

    assert seconds_of(forest(200), small_and_large) > seconds_of(forest(50), small_and_large)
    for one in attempts(*KINDS):
        assert 0 < seconds_of(one, small_and_large) < seconds_of(one, 2 * small_and_large)
