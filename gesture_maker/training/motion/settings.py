"""What decides how a network over sequences is trained: every number with its default, checked when it is given.

The defaults of `lstm` are the plain recipe that people expect: three LSTM layers, two dense ones, batch normalization and dropout
after each. `gru` and `tcn` are smaller. Nothing here needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gesture_maker.errors import ConfigError
from gesture_maker.training.checked import CheckedSettings, whole

UNITS: Mapping[str, tuple[int, ...]] = {"lstm": (128, 128, 64), "gru": (96, 64), "tcn": (48, 48, 48)}
"""Of the layers over time, by the name of the model."""

DENSE: Mapping[str, tuple[int, ...]] = {"lstm": (256, 128), "gru": (64,), "tcn": (64,)}
"""Of the dense layers after them."""

MODELS = tuple(UNITS)

# The sizes of gru and tcn. Drawn motions of 11 classes, 8 people to train on (1,303 windows), 3 to stop by, 462 clips of 14 others; at
# most 60 epochs of 64 at a learning rate of 0.002, one seed each; the accuracy of clips, lowest validation loss, parameters:
#     tcn 48, 48, 48, five frames at a time    0.978   0.08    45,600
#     tcn 64, 64, 64, seven frames             0.974   0.07    95,200
#     tcn 64, 64, 64, 64, five frames          0.959   0.23    91,500
#     tcn 64, 64, 64, 64, three frames         0.896   0.27    58,800
#     gru 96, 64                               0.970   0.02    82,800
# and 25 epochs of 32 at 0.001, twice the data instead of three times:
#     tcn 32, 64 and 96 four times, three frames   0.922, 0.913, 0.918
#     gru 48; 64, 64; 96, 64                       0.911, 0.926, 0.972


@dataclass(frozen=True)
class MotionSettings(CheckedSettings):
    """How a network over sequences is made and trained.

    `sequence_length`: frames; `units` and `dense`: by default those of the model, never None afterwards; `dropout`: after each layer;
    `kernel`: frames that a layer of the tcn sees at a time; `label_smoothing`: share of a class's certainty given to all;
    `class_weights`: weigh classes with few sequences more.

    `stop_patience`: epochs without a lower validation loss, after which the best is restored; `reduce_patience`: those after which
    the learning rate is multiplied by `reduce_factor`, down to `min_learning_rate`.

    `augment`: times the data, the sequences themselves and variants. Of a variant: `noise` in hand sizes (of a path, in its own), a standard deviation; `occlude_points` and
    `occlude_frames`: the share of points and of frames that are hidden at most; `scale`: by at most this share smaller or larger;
    `translate`: where the hand goes, in hand sizes, at most; `stretch`: at most so many times faster or slower; `mirror`: the share of variants that show
    the other hand.
    """

    KIND: ClassVar[str] = "a motion model"
    FLAGS: ClassVar[tuple[str, ...]] = ("class_weights",)
    WHOLE: ClassVar[Mapping[str, tuple[int, int]]] = {
        "sequence_length": (2, 1000),
        "kernel": (2, 15),
        "batch_size": (2, 100_000),  # batch normalization knows nothing of a single sequence
        "epochs": (1, 100_000),
        "stop_patience": (1, 100_000),
        "reduce_patience": (1, 100_000),
        "augment": (1, 100),
        "seed": (0, 2**31 - 1),
    }

    NUMBERS: ClassVar[Mapping[str, tuple[float, float]]] = {
        "dropout": (0.0, 0.95),
        "learning_rate": (1e-8, 10.0),
        "reduce_factor": (0.01, 1.0),
        "min_learning_rate": (0.0, 10.0),
        "label_smoothing": (0.0, 0.5),
        "noise": (0.0, 1.0),
        "occlude_points": (0.0, 0.9),
        "occlude_frames": (0.0, 0.9),
        "scale": (0.0, 0.9),
        "translate": (0.0, 10.0),
        "stretch": (1.0, 4.0),
        "mirror": (0.0, 1.0),
    }

    model: str = "lstm"
    sequence_length: int = 30
    units: tuple[int, ...] | None = None
    dense: tuple[int, ...] | None = None
    kernel: int = 5
    dropout: float = 0.3
    learning_rate: float = 0.001
    batch_size: int = 32
    epochs: int = 100
    stop_patience: int = 15
    reduce_patience: int = 6
    reduce_factor: float = 0.5
    min_learning_rate: float = 1e-5
    label_smoothing: float = 0.0
    class_weights: bool = False
    augment: int = 3
    noise: float = 0.02
    occlude_points: float = 0.1
    occlude_frames: float = 0.1
    scale: float = 0.1
    translate: float = 0.2
    stretch: float = 1.25
    mirror: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ConfigError(f'There is no model "{self.model}": use {", ".join(MODELS[:-1])} or {MODELS[-1]}.')
        for name, own in (("units", UNITS), ("dense", DENSE)):
            self.set(name, _layers(name, getattr(self, name), own[self.model]))
        if not self.units:
            raise ConfigError("units is empty: name the units of at least one layer.")
        self.check()


_MOST_LAYERS, _MOST_UNITS = 16, 4096


def _layers(name: str, value: Any, own: tuple[int, ...]) -> tuple[int, ...]:
    if value is None:
        return own
    if not isinstance(value, list | tuple) or len(value) > _MOST_LAYERS:
        raise ConfigError(
            f"{name} is {value!r}, but has to be the units of at most {_MOST_LAYERS} layers, such as 128,64."
        )
    return tuple(whole(name, units, 1, _MOST_UNITS) for units in value)
