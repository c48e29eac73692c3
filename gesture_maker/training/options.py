"""The options of `train` by name, with what a page needs to offer them: their help, their kind, their defaults.

The command line has the same words (a command's module may import nothing before it runs, so that it cannot take them from
here); a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gesture_maker.embedders import EMBEDDERS
from gesture_maker.errors import ConfigError
from gesture_maker.training.recipe import RECIPES

Kind = Literal["text", "choice", "whole number", "number", "yes or no", "whole numbers", "weights"]

OWN, HPARAMS, MODEL_OPTIONS, PREPROCESSING = (
    "",
    "Model Maker's HParams",
    "Model Maker's ModelOptions",
    "Model Maker's HandDataPreprocessingParams",
)


@dataclass(frozen=True)
class Option:
    """An option of `train`. `name`: as in `--config`; `group`: of Model Maker's, empty for ours; `help`: what the command's help says.

    `choices`: for the kind "choice".
    """

    name: str
    kind: Kind
    help: str
    group: str = OWN
    choices: tuple[str, ...] = ()


OPTIONS = (
    Option("name", "text", "Of the run; by default the dataset's."),
    Option("embedder", "choice", "What turns hands into numbers: ours (default) or Google's.", choices=EMBEDDERS),
    Option("recipe", "choice", "Settings that fit the data (default), or Model Maker's own.", choices=RECIPES),
    Option("seed", "whole number", "Equal data, settings and seed give equal bytes, unless resumed (default: 0)."),
    Option(
        "split",
        "text",
        "Percent for train, validation and test (default: 80,10,10; 100,0,0 with fewer than 400 hands).",
    ),
    Option(
        "estimate",
        "yes or no",
        "Cross-validate, five more trainings (default: when the test part has fewer than 50 hands).",
    ),
    Option(
        "mirror",
        "yes or no",
        "Look at each photo in a mirror too: the other hand (default with --recipe auto).",
    ),
    Option(
        "augment",
        "yes or no",
        "Train on variants of each hand: other people, other sides (default with --recipe auto).",
    ),
    Option(
        "background",
        "yes or no",
        "Add made-up hands to none, so that unknown gestures are None (default with --recipe auto).",
    ),
    Option("learning_rate", "number", "Of the first epoch (stock: 0.001).", HPARAMS),
    Option("batch_size", "whole number", "Hands in one step (stock: 2).", HPARAMS),
    Option("epochs", "whole number", "After each the validation part is asked (stock: 10).", HPARAMS),
    Option("steps_per_epoch", "whole number", "With --repeat; otherwise all photos once.", HPARAMS),
    Option("shuffle", "yes or no", "Mix the hands of three batches (stock: no).", HPARAMS),
    Option("lr_decay", "number", "The learning rate's factor from epoch to epoch (stock: 0.99).", HPARAMS),
    Option("gamma", "number", "Of the focal loss; 0 is cross-entropy (stock: 2).", HPARAMS),
    Option("class_weights", "weights", "Such as none=2,rock=0.5.", HPARAMS),
    Option("repeat", "yes or no", "Begin the hands again within an epoch (stock: no).", HPARAMS),
    Option("dropout_rate", "number", "Share of a layer's inputs left out of a step (stock: 0.05).", MODEL_OPTIONS),
    Option("layer_widths", "whole numbers", "Hidden layers, such as 64,32 (stock: none).", MODEL_OPTIONS),
    Option(
        "min_detection_confidence",
        "number",
        "How sure the hand detector has to be (default: 0.5, stock: 0.7).",
        PREPROCESSING,
    ),
)


def parse_weights(text: str) -> dict[str, float]:
    """Return class weights from `none=2,rock=0.5`. Raises ValueError, whose message is a sentence."""
    try:
        pairs = [part.rsplit("=", 1) for part in text.split(",")]
        return {label.strip(): float(weight) for label, weight in pairs}
    except ValueError:
        raise ValueError(f'"{text}" has to look like none=2,rock=0.5.') from None


def parse_widths(text: str) -> list[int]:
    """Return the widths of layers from `64,32`. Raises ValueError, whose message is a sentence."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ValueError(f'"{text}" has to look like 64,32.') from None


def values_of(given: Mapping[str, str]) -> dict[str, Any]:
    """Return what was typed for options as values of their kinds, for `TrainConfig`; what is empty is left out.

    A number that is none stays text, for which `TrainConfig` has a sentence. Raises ConfigError for an option that there is not, and
    for weights or widths that are none.
    """
    options = {option.name: option for option in OPTIONS}
    values = {}
    for name, text in given.items():
        if name not in options:
            raise ConfigError(f'There is no option "{name}": use one of {", ".join(options)}.')
        if text.strip():
            values[name] = _value(options[name], text.strip())
    return values


def text_of(value: Any) -> str:
    """Return a value as it would be typed: the inverse of `values_of`; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ",".join(f"{name}={text_of(weight)}" for name, weight in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(text_of, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _value(option: Option, text: str) -> Any:
    try:
        if option.kind == "whole number":
            return int(text)
        if option.kind == "number":
            return float(text)
    except ValueError:
        return text
    if option.kind == "yes or no":
        return {"yes": True, "no": False}.get(text, text)
    try:
        if option.kind == "whole numbers":
            return [] if text == "none" else parse_widths(text)
        return parse_weights(text) if option.kind == "weights" else text
    except ValueError as error:
        raise ConfigError(f"{option.name}: {error}") from error
