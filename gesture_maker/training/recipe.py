"""Training settings under Model Maker's names, and how they follow from the data.

`stock` is what Model Maker does when nothing is said. `auto` gives every dataset about the same number of steps, because
Model Maker's 10 epochs of batch 2 are far too few for few photos, and makes them large, because a step of 256 hands takes hardly
longer than one of 32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from gesture_maker.errors import ConfigError
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE

RECIPES = ("auto", "stock")


@dataclass(frozen=True)
class HParams:
    """Model Maker's `HParams`, with its defaults."""

    learning_rate: float = 0.001
    batch_size: int = 2
    epochs: int = 10
    steps_per_epoch: int | None = None
    class_weights: Mapping[int, float] | None = None
    shuffle: bool = False
    repeat: bool = False
    lr_decay: float = 0.99
    gamma: float = 2.0

    def as_model_maker(self) -> dict[str, Any]:
        """Return the keyword arguments for Model Maker's class."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class ModelOptions:
    """Model Maker's `ModelOptions`, with its defaults."""

    dropout_rate: float = 0.05
    layer_widths: tuple[int, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a head is trained from given hands.

    `reshuffle`: a new order in every epoch; `best_epoch`: by the validation part, else the last is kept; `mirror`: look at each photo in a mirror too; `variants`: about how many augmented
    hands, equally many of every class, which therefore need no weights; `background`: hands that make no gesture, at most;
    `calibrate`: fold temperature and margin into the head.
    """

    hparams: HParams = field(default_factory=HParams)
    model_options: ModelOptions = field(default_factory=ModelOptions)
    reshuffle: bool = False
    best_epoch: bool = True
    mirror: bool = False
    variants: int = 0
    background: int = 0
    calibrate: bool = False
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE

    def as_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values, for `run.json`."""
        return asdict(self)


STOCK_MIN_DETECTION_CONFIDENCE = 0.7  # HandDataPreprocessingParams

# The `auto` recipe. Mean accuracy for k = 1, 3, 10, 30 of the 90 training people of the Sign Language Digits (16, 12, 8, 6 draws
# of k people, three seeds, all their hands and mirror images trained on), on the photos and mirror images of the people not
# drawn; and of photos of 6-9 the share that is called one of 1-5 by heads trained on none and 1-5 of 60 people (before a margin):
#     steps of hands, learning rate      photos                        mirror images                 called known
#     500 of 256, 0.02                   0.969, 0.994, 0.996, 0.997    0.957, 0.984, 0.987, 0.987    0.11
#     500 of 256, 0.012                  0.967, 0.994, 0.996, 0.996    0.955, 0.984, 0.987, 0.987    0.12
#     3000 of 32, 0.003, in 60 epochs    0.969, 0.994, 0.996, 0.997    0.957, 0.983, 0.987, 0.987    0.15
# and with one seed 400 of 256, 0.003    0.955, 0.993, 0.996, 0.996    0.944, 0.983, 0.987, 0.987    0.25
#     300 of 512, 0.012                  0.964, 0.994, 0.996, 0.997    0.953, 0.984, 0.987, 0.986    0.17
# Photos alone, 3000 steps of 32, other draws:
#     one layer of 64, dropout 0.2       0.968, 0.992, 0.996, 0.996
#     no hidden layer, dropout 0.05      0.949, 0.991, 0.995, 0.997
#     32, 128 units                      0.963, 0.992, 0.995, 0.997   0.964, 0.993, 0.996, 0.996
#     dropout 0.4                        0.972, 0.994, 0.996, 0.997, but 0.48 instead of 0.26 of unseen gestures called known
# The last epoch is kept: by the loss of 54 validation hands it was the 12th of 60, and 0.17 instead of 0.14 of unseen gestures
# were called known.
EPOCHS = 25
STEPS = 500  # of a whole batch, in all, as many for few photos as for many
MOST_STEPS = 3000  # of smaller batches
BATCH = 256
LEARNING_RATE = 0.02
LR_DECAY = 0.88
LAYER_WIDTHS = (64,)
DROPOUT_RATE = 0.2
VARIANTS = 8000  # with 16,000 beside so much background, 0.26 of unseen gestures were called known, not 0.17
BACKGROUND = 4000

SETTINGS = (
    *tuple(f.name for f in (*fields(HParams), *fields(ModelOptions))),
    "min_detection_confidence",
    "mirror",
    "augment",
    "background",
)
"""The names that flags and `--config` may set: Model Maker's own, and `mirror`, `augment` and `background` of the auto recipe."""


def make_recipe(name: str, settings: Mapping[str, Any], hands: int, labels: list[str]) -> Recipe:
    """Return the recipe `name` for so many training hands, with `settings` in place of its own values.

    `settings` maps names of `SETTINGS` to values; `class_weights` maps labels (or their indices) to numbers. Raises
    ConfigError for an unknown recipe or name, or an impossible value.
    """
    if name not in RECIPES:
        raise ConfigError(f'There is no recipe "{name}": use {" or ".join(RECIPES)}.')
    check_settings(settings)
    automatic = name == "auto"
    recipe = Recipe(
        reshuffle=automatic,
        best_epoch=not automatic,
        mirror=_flag(settings, "mirror", automatic),
        variants=VARIANTS if _flag(settings, "augment", automatic) else 0,
        background=BACKGROUND if _flag(settings, "background", automatic) else 0,
        calibrate=automatic,
    )
    trained_on = max(hands, recipe.variants, recipe.background)
    if name == "auto":
        batch = int(settings.get("batch_size") or min(BATCH, max(2, trained_on // 2)))
        epochs = int(settings.get("epochs") or EPOCHS)
        steps = min(MOST_STEPS, math.ceil(STEPS * BATCH / batch))
        recipe = replace(
            recipe,
            hparams=replace(
                recipe.hparams,
                learning_rate=LEARNING_RATE * math.sqrt(batch / BATCH),
                batch_size=batch,
                epochs=epochs,
                steps_per_epoch=max(math.ceil(hands / batch), math.ceil(steps / epochs)),
                repeat=True,
                lr_decay=LR_DECAY,
            ),
            model_options=replace(recipe.model_options, dropout_rate=DROPOUT_RATE, layer_widths=LAYER_WIDTHS),
        )
    hparams = {f.name: settings[f.name] for f in fields(HParams) if settings.get(f.name) is not None}
    options = {f.name: settings[f.name] for f in fields(ModelOptions) if settings.get(f.name) is not None}
    if "class_weights" in hparams:
        hparams["class_weights"] = _by_index(hparams["class_weights"], labels)
    if "layer_widths" in options:
        options["layer_widths"] = tuple(options["layer_widths"])
    confidence = settings.get("min_detection_confidence")
    if confidence is None:
        confidence = MIN_DETECTION_CONFIDENCE if name == "auto" else STOCK_MIN_DETECTION_CONFIDENCE
    recipe = replace(
        recipe,
        hparams=replace(recipe.hparams, **hparams),
        model_options=replace(recipe.model_options, **options),
        min_detection_confidence=float(confidence),
    )
    if recipe.hparams.repeat and recipe.hparams.steps_per_epoch is None:
        raise ConfigError("repeat needs steps_per_epoch: set both, or leave repeat off.")
    if not recipe.hparams.repeat and trained_on < recipe.hparams.batch_size:
        raise ConfigError(
            f"batch_size is {recipe.hparams.batch_size}, but there are only {trained_on} hands to train on: "
            "make it smaller, or turn repeat on."
        )
    return recipe


def _flag(settings: Mapping[str, Any], name: str, default: bool) -> bool:
    value = settings.get(name)
    return default if value is None else bool(value)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise ConfigError for a name that is not in `SETTINGS` or a value that cannot be."""
    for name, value in settings.items():
        if name not in SETTINGS:
            raise ConfigError(f'There is no setting "{name}": use one of {", ".join(SETTINGS)}.')
        if value is None:
            continue
        kind, wanted, fits = _RULES[name]
        right_kind = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not right_kind or not fits(value):
            raise ConfigError(f"{name} is {value!r}, but has to be {wanted}.")


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a YAML file. Raises ConfigError when it cannot be read or is no mapping."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no config file {path}: check the name.") from None
    except OSError as error:
        raise ConfigError(f"The config file {path} cannot be read ({error.strerror}): name a YAML file.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        detail = " ".join(str(error).split())
        raise ConfigError(f"The config file {path} cannot be read as YAML ({detail}): mend it.") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"The config file {path} has to hold lines such as `epochs: 30`: mend it.")
    return {str(name).replace("-", "_"): value for name, value in found.items()}


def _by_index(weights: Mapping[Any, float], labels: list[str]) -> dict[int, float]:
    """Return class weights keyed as Model Maker wants them; classes that are not named weigh 1."""
    by_index = dict.fromkeys(range(len(labels)), 1.0)
    for name, weight in weights.items():
        if str(name) in labels:
            index = labels.index(str(name))
        elif str(name).isdecimal() and int(name) < len(labels):
            index = int(name)
        else:
            raise ConfigError(f'class_weights names "{name}", which is no class: use {", ".join(labels)}.')
        by_index[index] = float(weight)
    return by_index


def _positive(value: Any) -> bool:
    return bool(0 < value < math.inf)


_NUMBER = (int, float)
_RULES: dict[str, tuple[Any, str, Any]] = {
    "learning_rate": (_NUMBER, "a number above 0", _positive),
    "batch_size": (int, "a whole number from 1", _positive),
    "epochs": (int, "a whole number from 1", _positive),
    "steps_per_epoch": (int, "a whole number from 1", _positive),
    "class_weights": (
        Mapping,
        "a mapping of classes to numbers from 0",
        lambda v: bool(v) and all(isinstance(w, _NUMBER) and 0 <= w < math.inf for w in v.values()),
    ),
    "shuffle": (bool, "true or false", lambda _: True),
    "repeat": (bool, "true or false", lambda _: True),
    "lr_decay": (_NUMBER, "a number above 0, at most 1", lambda v: 0 < v <= 1),
    "gamma": (_NUMBER, "a number from 0", lambda v: 0 <= v < math.inf),
    "dropout_rate": (_NUMBER, "a number from 0, below 1", lambda v: 0 <= v < 1),
    "layer_widths": (
        (list, tuple),
        "a list of whole numbers from 1",
        lambda v: all(isinstance(w, int) and not isinstance(w, bool) and w > 0 for w in v),
    ),
    "mirror": (bool, "true or false", lambda _: True),
    "augment": (bool, "true or false", lambda _: True),
    "background": (bool, "true or false", lambda _: True),
    "min_detection_confidence": (_NUMBER, "a number from 0 to 1", lambda v: 0 <= v <= 1),
}
