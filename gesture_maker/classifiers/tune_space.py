"""What a search may change, and how far: one table, `SPACE`.

`mirror` and `background` are not in it: they are for the other hand and for gestures nobody has shown, and cross-validation has
neither. The ranges stay near what `recipe.py` has measurements of, for the same reason: a head without any of the dropout, or
trained in steps too small, can do as well on the known gestures and call far more of the unknown ones known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gesture_maker.training.options import parse_widths, text_of
from gesture_maker.training.recipe import BATCH, Recipe, check_settings, make_recipe

DIGITS = 3
"""Significant digits of a number that is tried: what is written into a file is what was tried, and can be read."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`. `log`: as many below the geometric mean as above; `whole`: whole numbers only."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Choice:
    """One of some values. The widths of layers are as on the command line, `none` for no hidden layer."""

    values: tuple[bool | float | str, ...]


Space = Mapping[str, Range | Choice]

SPACE: Space = {
    # Of batches of 256; of others as the recipe has it, by the root of their size. 400 steps of 0.003 called 0.25 of the unknown
    # gestures known, 500 of 0.012 or 0.02 0.11 (`recipe.py`).
    "learning_rate": Range(0.006, 0.06, log=True),
    # Smaller batches make more steps of the same hands: 3000 of 32 take 3.5 s, 500 of 256 1.4 (`recipe.py`).
    "batch_size": Choice((64, 128, 256, 512)),
    # The steps in all stay the same: this says how often the learning rate falls.
    "epochs": Range(15, 40, whole=True),
    "lr_decay": Range(0.8, 0.97),
    "gamma": Range(0.0, 4.0),
    # With 0.4 0.48 of the unknown gestures were called known, with 0.2 0.26 (`recipe.py`).
    "dropout_rate": Range(0.05, 0.3),
    "layer_widths": Choice(("none", "32", "64", "128", "64,32", "128,64")),
    "augment": Choice((True, False)),
}
"""`train`'s options by name. How many steps an epoch has follows from the recipe, so that each trial makes about as many."""

FIXED: Mapping[str, Any] = {}
"""Settings that every trial and the recipe have in place of their own; for tests, which have no time."""


def check_space(space: Space) -> None:
    """Raise ConfigError for a setting that `train` does not have, or whose bounds it would not take."""
    for name, values in space.items():
        for one in values.values if isinstance(values, Choice) else (values.low, values.high):
            check_settings({name: _value(name, one, values)})


def distributions(space: Space) -> dict[str, Any]:
    """Return the space as Optuna's distributions, by name."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, Any] = {}
    for name, values in space.items():
        if isinstance(values, Choice):
            found[name] = CategoricalDistribution(values.values)
        elif values.whole:
            found[name] = IntDistribution(int(values.low), int(values.high), log=values.log)
        else:
            found[name] = FloatDistribution(values.low, values.high, log=values.log)
    return found


def settings_of(parameters: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return the settings, by the names of `train`'s options, that Optuna's parameters stand for."""
    found = {name: _value(name, value, space[name]) for name, value in parameters.items()}
    if "learning_rate" in found and "batch_size" in found:
        found["learning_rate"] = _rounded(found["learning_rate"] * _by_batch(found["batch_size"]))
    return found


def own_parameters(recipe: Recipe, space: Space) -> dict[str, Any]:
    """Return Optuna's parameters that stand for a recipe's own settings; of those outside the space the nearest in it."""
    values = {**vars(recipe.hparams), "augment": recipe.variants > 0, **vars(recipe.model_options)}
    values["layer_widths"] = text_of(list(recipe.model_options.layer_widths)) or "none"
    values["learning_rate"] = recipe.hparams.learning_rate / _by_batch(recipe.hparams.batch_size)
    found: dict[str, Any] = {}
    for name, allowed in space.items():
        if isinstance(allowed, Choice):
            found[name] = values[name] if values[name] in allowed.values else allowed.values[0]
        else:
            found[name] = min(max(values[name], allowed.low), allowed.high)
    return found


def recipe_for(settings: Mapping[str, Any], hands: int, labels: list[str]) -> Recipe:
    """Return the recipe `auto` with these settings for so many hands. Raises ConfigError for settings that cannot be."""
    return make_recipe("auto", settings, hands, labels)


def as_text(space: Space) -> dict[str, str]:
    """Return the space in words, for `tuning.json`, and to tell whether two searches have the same."""
    found = {}
    for name, values in space.items():
        if isinstance(values, Choice):
            found[name] = " | ".join(map(text_of, values.values))
        else:
            found[name] = f"{values.low:g} to {values.high:g}" + (" (logarithmic)" if values.log else "")
    return found


def _by_batch(batch: int) -> float:
    return float((batch / BATCH) ** 0.5)


def _value(name: str, value: Any, allowed: Range | Choice) -> Any:
    if name == "layer_widths":
        return [] if value == "none" else parse_widths(str(value))
    if isinstance(allowed, Range):
        return int(value) if allowed.whole else _rounded(value)
    return value


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")
