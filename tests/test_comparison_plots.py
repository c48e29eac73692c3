"""The pictures of a comparison of classifiers and of a search for settings."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import AWKWARD, check_picture, coloured, pixels_of, runs

from gesture_maker.classifiers.comparison import Comparison, Fit, Line, Scores, fit_from
from gesture_maker.classifiers.comparison_plots import _bytes, _seconds, save_comparison_plots
from gesture_maker.classifiers.kinds import KINDS
from gesture_maker.classifiers.tuned import Trial, Tuning, Verdict
from gesture_maker.classifiers.tuning_plots import _that_mattered, save_tuning_plot
from gesture_maker.evaluation.plots import BLUE, ORANGE

WINNERS_BAND = "#e8f0f8"


def equal(value: float) -> Scores:
    return Scores(value, value, value, value)


def compared(
    folder: Path,
    kinds: Sequence[str] = tuple(KINDS),
    labels: Sequence[str] = ("none", "1", "2", "3"),
    hands: int = 240,
    accuracy: float = 0.97,
    features: Sequence[str] = ("builtin", "landmarks"),
) -> tuple[Comparison, list[Fit]]:
    """Return a made-up comparison, each kind a little worse than the one before, and its fits."""
    fits, lines = [], []
    for place, kind in enumerate(kinds):
        settings = KINDS[kind].candidates()
        for number, (feature, one) in enumerate((feature, one) for feature in features for one in settings):
            mean = accuracy * (1 - 0.01 * place - 0.002 * number)
            fits += [
                Fit(kind, feature, one, fold, equal(mean + 0.001 * (fold - 2)), hands, 0.0, 0.1, 1e-5)
                for fold in range(5)
            ]
        best, test = accuracy * (1 - 0.01 * place), round(accuracy * (1 - 0.02 * place) * hands) / hands
        cost = 10.0 ** (place % 3)
        lines.append(
            Line(
                kind, KINDS[kind].title, features[0], settings[0], len(settings), equal(best), 0.005, equal(test),
                0.2 * cost, 3e-6 * cost, int(2e4 * cost), 1e-6, kind,
            )
        )  # fmt: skip
    confusion = np.zeros((len(labels), len(labels)), int)
    for number in range(hands):
        true = number % len(labels)
        confusion[true, true if number % 20 else (number // 20) % len(labels)] += 1
    comparison = Comparison(
        folder, "digits", "0" * 64, tuple(labels), {"seed": 0}, {"search": 4 * hands, "test": hands}, tuple(lines),
        tuple(map(tuple, confusion.tolist())), {}, "2026-01-01T00:00:00Z",
    )  # fmt: skip
    return comparison, fits


@pytest.mark.parametrize(
    ("kinds", "labels", "hands", "accuracy"),
    [
        (tuple(KINDS), ("none", "1", "2", "3"), 240, 0.97),
        (("random-forest",), ("none", "a"), 1, 1.0),
        (("mlp", "logistic-regression"), AWKWARD, 40, 0.4),
        (tuple(KINDS)[:3], tuple(f"class {index}" for index in range(30)), 9000, 1.0),
    ],
    ids=["usual", "one hand", "awkward", "many"],
)
def test_pictures_of_any_comparison(
    kinds: tuple[str, ...], labels: tuple[str, ...], hands: int, accuracy: float, tmp_path: Path
) -> None:
    folder = tmp_path / "a $x$ 手势 comparison"
    comparison, fits = compared(folder, kinds, labels, hands, accuracy)
    paths = save_comparison_plots(comparison, fits, folder)
    assert [path.name for path in paths] == ["comparison.png", "confusion_matrix.png"]
    assert sorted(path.name for path in folder.iterdir()) == ["comparison.png", "confusion_matrix.png"]
    for path in paths:
        check_picture(path)


def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path) -> None:
    """In whatever order its fits come, and with lists for tuples, as JSON gives them back."""
    comparison, fits = compared(tmp_path, ("mlp",))
    again = [fit_from(json.loads(json.dumps(dataclasses.asdict(fit)))) for fit in reversed(fits)]
    one = [path.read_bytes() for path in save_comparison_plots(comparison, fits, tmp_path)]
    assert [path.read_bytes() for path in save_comparison_plots(comparison, again, tmp_path)] == one


def test_the_winner_stands_above_the_others(tmp_path: Path) -> None:
    comparison, fits = compared(tmp_path)
    pixels = check_picture(save_comparison_plots(comparison, fits, tmp_path)[0])
    rows = np.flatnonzero(coloured(pixels, WINNERS_BAND, 2).any(axis=1))
    assert rows.max() < 0.4 * pixels.shape[0]
    assert rows.max() - rows.min() > 60


def ends_of_interval(comparison: Comparison, folder: Path) -> tuple[int, int]:
    """Return where the winner's interval of the accuracy held out begins and ends, in pixels."""
    pixels = pixels_of(save_comparison_plots(comparison, [], folder)[0])
    band = np.flatnonzero(coloured(pixels, WINNERS_BAND, 2).any(axis=1))
    dark = coloured(pixels[band.min() : band.max()], "#374151", 6)
    return max((run for row in dark for run in runs(row)), key=lambda run: run[1] - run[0])


def test_the_interval_knows_of_groups(tmp_path: Path) -> None:
    """By the estimate of the comparison, and without one by as many independent hands."""
    comparison, _ = compared(tmp_path, ("mlp", "random-forest"), accuracy=0.9)
    told = dataclasses.replace(comparison, estimate={"low": 0.5, "high": 0.97, "effective": 20.0})
    plain, grouped = ends_of_interval(comparison, tmp_path), ends_of_interval(told, tmp_path)
    assert grouped[1] - grouped[0] > 100
    assert plain[1] - plain[0] > 20
    # The axis reaches from the least to 1: in the second picture the interval takes nearly all of it.
    assert grouped[1] - grouped[0] > 1.2 * (plain[1] - plain[0])


def test_settings_that_are_far_worse_do_not_squeeze_the_others(tmp_path: Path) -> None:
    comparison, fits = compared(tmp_path, ("mlp", "random-forest"))
    usual = ends_of_interval(comparison, tmp_path)
    far = [dataclasses.replace(fit, scores=equal(0.1)) for fit in fits if fit.kind == "mlp"][:25]
    rest = [fit for fit in fits if fit not in far]
    save_comparison_plots(comparison, [*far, *rest], tmp_path)
    pixels = check_picture(tmp_path / "comparison.png")
    dark = coloured(pixels, "#374151", 6)
    longest = max((run for row in dark for run in runs(row)), key=lambda run: run[1] - run[0])
    assert longest[1] - longest[0] >= usual[1] - usual[0] - 2


def test_costs_that_are_not_known_are_left_out(tmp_path: Path) -> None:
    comparison, fits = compared(tmp_path, ("mlp", "random-forest"))
    first, second = comparison.lines
    nothing = dataclasses.replace(first, train_seconds=0.0, predict_seconds=float("nan"), model_bytes=0)
    save_comparison_plots(dataclasses.replace(comparison, lines=(nothing, second)), fits, tmp_path)
    check_picture(tmp_path / "comparison.png")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        *(
            (0.0, "0 ns"),
            (2.5e-7, "250 ns"),
            (3.14159e-6, "3.14 µs"),
            (0.00099999, "1 ms"),
            (0.5, "500 ms"),
            (12, "12 s"),
        ),
        *((100, "1.67 min"), (7200, "2 h")),
    ],
)
def test_durations_in_words(value: float, words: str) -> None:
    assert _seconds(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (999_600, "1 MB"), (2.345e9, "2.35 GB")]
)
def test_sizes_in_words(value: float, words: str) -> None:
    assert _bytes(value) == words


# A search for settings


def trial(number: int, loss: float | None, state: str = "complete", **settings: Any) -> Trial:
    folds = (loss, loss) if loss is not None else (0.3,) if state == "pruned" else ()
    return Trial(number, settings, state, loss if state == "complete" else None, 0.9, folds, 0.0, 1.0)


def searched(
    trials: Sequence[Trial], folder: Path, sentence: str = "Trial 3 beats the recipe's own settings."
) -> Tuning:
    best = min((one for one in trials if one.loss is not None), key=lambda one: one.loss or 0.0).number
    verdict = Verdict({"loss": 0.1, "accuracy": 0.9}, {"loss": 0.2, "accuracy": 0.9}, True, sentence)
    return Tuning(
        folder, "digits", "0" * 64, ("none", "1"), 100, {}, tuple(trials), best, verdict, {}, "2026-01-01T00:00:00Z"
    )


def many_trials(count: int, seed: int = 0) -> list[Trial]:
    """Return trials in which `augment` decides, `learning_rate` matters and nothing else does."""
    rng = np.random.default_rng(seed)
    trials = [trial(0, 0.08)]
    for number in range(1, count):
        settings = {
            "epochs": int(rng.integers(15, 41)),
            "gamma": float(rng.uniform(0, 4)),
            "learning_rate": float(10 ** rng.uniform(-2.2, -1.2)),
            "batch_size": int(rng.choice([64, 128, 256, 512])),
            "layer_widths": [[], [32], [64, 32], [128, 64]][int(rng.integers(4))],
            "augment": bool(rng.random() < 0.5),
            "lr_decay": float(rng.uniform(0.8, 0.97)),
            "dropout_rate": 0.1,
        }
        loss = 0.05 + 0.05 * np.log(settings["learning_rate"] / 0.006) + 0.2 * (not settings["augment"])
        trials.append(trial(number, float(loss + 0.002 * rng.random()), **settings))
    return trials


TRIALS = {
    "many": many_trials(60),
    "one": [trial(0, 0.1)],
    "none of them tried whole but one": [
        trial(0, 0.1),
        trial(1, 0.2, "pruned", gamma=1.0),
        trial(2, None, "failed", gamma=2.0),
        trial(3, None, "pruned", gamma=2.0),
    ],
    "no trial of the recipe's own settings": [trial(4, 0.1, gamma=1.0), trial(7, 5.0, gamma=2.0)],
    "values of any kind": [
        trial(0, 0.1),
        *(trial(n, 0.1 * n, **{"a $x$": "$y$", "手势": [1] * n, "none": None, "w" * 90: n}) for n in range(1, 6)),
        *(trial(n, 1e-6 * n, **{"a $x$": n % 2 == 0, "手势": "W" * 60, "none": 1.5 * n}) for n in range(6, 14)),
    ],
    "equal losses": [trial(n, 0.0, gamma=float(n), augment=n % 2 == 0) for n in range(12)],
    "infinite losses": [trial(0, 0.2), *(trial(n, float("inf"), gamma=float(n)) for n in range(1, 12))],
}


@pytest.mark.parametrize("name", TRIALS)
def test_pictures_of_any_search(name: str, tmp_path: Path) -> None:
    sentences = {"many": "Trial 3 beats $x$ 手势. " * 40, "one": ""}
    tuning = searched(TRIALS[name], tmp_path / "a $x$ 手势 search", sentences.get(name, "It is better."))
    save_tuning_plot(tuning, tmp_path / "deep" / "trials.png")
    check_picture(tmp_path / "deep" / "trials.png")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["trials.png"]


def test_the_same_search_gives_the_same_bytes(tmp_path: Path) -> None:
    tuning = searched(TRIALS["no trial of the recipe's own settings"], tmp_path)
    for name in ("one.png", "other.png"):
        save_tuning_plot(tuning, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_settings_that_decide_come_first() -> None:
    for seed in range(5):
        ranked = _that_mattered(many_trials(60, seed))
        assert ranked[:2] == ["augment", "learning_rate"]
        assert "dropout_rate" not in ranked  # it had one value only
    few = _that_mattered(many_trials(5))
    assert few == [name for name in few if name in many_trials(5)[1].settings]  # too few to tell: in their order


def test_each_whole_trial_is_a_dot(tmp_path: Path) -> None:
    trials = [trial(number, 0.3 - 0.02 * number) for number in range(10)]
    save_tuning_plot(searched(trials, tmp_path), tmp_path / "trials.png")
    pixels = check_picture(tmp_path / "trials.png")
    dots = coloured(pixels, BLUE, 45)
    columns = runs(dots[: int(0.84 * len(dots))].any(axis=0))  # without the legend
    assert len(columns) == 9  # the best is a star
    rows = [int(np.flatnonzero(dots[:, begin:end].any(axis=1)).mean()) for begin, end in columns]
    assert rows == sorted(rows)  # the less the loss, the lower
    assert coloured(pixels, ORANGE).sum() > 200
