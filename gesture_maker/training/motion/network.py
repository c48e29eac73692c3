"""The networks over sequences, float32 [N, frames, numbers] to scores [N, classes], in Keras.

Each is there twice. `plain` is made of Keras's own layers only, so that the file that is kept loads wherever Keras does.
`trainable` has the same weights in the same order and computes the same, with two layers that suit training better: an LSTM that runs through
a sequence in one operation, and a dropout that is told by a number what to leave out, so that a training that goes on after a
kill leaves out what it would have left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from gesture_maker.training.epochs import stateless_dropout
from gesture_maker.training.motion.settings import MotionSettings
from gesture_maker.training.tensorflow_runtime import load_tensorflow


@dataclass(frozen=True)
class Shape:
    """What goes in and out: `frames` of `numbers` each, `classes`. `unit`: of paths, the spread of their numbers; None for hands."""

    frames: int
    numbers: int
    classes: int
    unit: float | None = None


def plain(settings: MotionSettings, shape: Shape) -> Any:
    """Return the network of Keras's own layers."""
    layers = load_tensorflow().keras.layers
    return _network(settings, shape, layers.LSTM, lambda name: layers.Dropout(settings.dropout, name=name))


def trainable(settings: MotionSettings, shape: Shape, step: Any) -> Any:
    """Return the network to be trained. `step`: an int32 variable, which has to change from step to step."""
    numbers = itertools.count(1000 * settings.seed)

    def dropout(name: str) -> Any:
        number = next(numbers) % 2**31
        return stateless_dropout()(
            settings.dropout, lambda: (number, step), name
        )  # a function: the step is no weight of the layer

    return _network(settings, shape, _whole_lstm(), dropout)


def _network(settings: MotionSettings, shape: Shape, lstm: Any, dropout: Any) -> Any:
    keras = load_tensorflow().keras
    layers = keras.layers
    assert settings.units is not None
    assert settings.dense is not None

    def settled(values: Any, name: str) -> Any:
        return dropout(f"dropout_{name}")(layers.BatchNormalization(name=f"normalization_{name}")(values))

    given = layers.Input((shape.frames, shape.numbers), name="sequence")
    values = given if shape.unit is None else _path(given, shape.unit)
    if settings.model == "tcn":
        values = _convolutions(settings, values, settled)
    else:
        kind = lstm if settings.model == "lstm" else layers.GRU
        for number, units in enumerate(settings.units, 1):
            whole = number < len(settings.units)  # the last layer's answer at the end of the sequence is what counts
            values = settled(
                kind(units, return_sequences=whole, name=f"{settings.model}_{number}")(values), f"{number}"
            )
    for number, units in enumerate(settings.dense, 1):
        values = settled(layers.Dense(units, activation="relu", name=f"dense_{number}")(values), f"dense_{number}")
    scores = layers.Dense(shape.classes, activation="softmax", name="scores")(values)
    return keras.Model(given, scores, name=settings.model)


SQUASHED = (0.1, 1.0)  # of places, in units
SQUASHED_STEPS = (0.01, 0.1, 1.0)  # of what changes from frame to frame
"""Sizes within which the network sees differences; what is much larger is all the same.

A finger held still moves by a thousandth of the picture, a circle is a tenth, and a frame in which the hand was lost is a jump across all of it. Of
the table of fingertip paths, five-fold cross-validation in blocks, tcn of four layers of 64 without variants: 0.976 from the places
themselves, 0.985 and 0.986 (other parts to stop by) with places and steps squashed at two sizes each, 0.982 with the turn from step to step beside them. Steps at three sizes tell a finger
held still from one that was not seen at all: 0.9994 instead of 0.997 where the folds are shuffled. With variants, three layers of 48, batches of 64: 0.992 in blocks.
"""


def _path(given: Any, unit: float) -> Any:
    """Return what the network sees of a path: its places and steps, small and large."""
    layers = load_tensorflow().keras.layers
    later, earlier = (
        layers.Cropping1D(cut, name=name)(given) for cut, name in (((1, 0), "later"), ((0, 1), "earlier"))
    )
    steps = layers.ZeroPadding1D((1, 0), name="steps")(layers.Subtract(name="difference")([later, earlier]))
    seen = [
        layers.Activation("tanh", name=f"{name}_{number}")(
            layers.Rescaling(1 / (size * unit), name=f"{name}_scale_{number}")(values)
        )
        for name, values, sizes in (("place", given, SQUASHED), ("step", steps, SQUASHED_STEPS))
        for number, size in enumerate(sizes, 1)
    ]
    return layers.Concatenate(name="seen")(seen)


def _convolutions(settings: MotionSettings, values: Any, settled: Any) -> Any:
    """Return what convolutions over ever longer stretches of time make of a sequence, each added to what it was given."""
    layers = load_tensorflow().keras.layers
    assert settings.units is not None
    for number, units in enumerate(settings.units, 1):
        seen = layers.Conv1D(
            units,
            settings.kernel,
            padding="same",
            dilation_rate=2 ** (number - 1),
            activation="relu",
            name=f"tcn_{number}",
        )(values)
        seen = settled(seen, f"{number}")
        values = layers.Add(name=f"sum_{number}")([values, seen]) if values.shape[-1] == units else seen
    mean = layers.GlobalAveragePooling1D(name="mean")(values)
    return layers.Concatenate(name="summary")([mean, layers.GlobalMaxPooling1D(name="most")(values)])


@cache
def _whole_lstm() -> Any:
    """Return the LSTM for training; made when first needed, since its base is TensorFlow's."""
    tensorflow = load_tensorflow()
    lstm: Any = tensorflow.keras.layers.LSTM

    class WholeLstm(lstm):  # type: ignore[misc]
        """An LSTM with its defaults, in one operation a sequence."""

        def call(self, inputs: Any, **_: Any) -> Any:
            cell = self.cell
            by_time = tensorflow.transpose(inputs, [1, 0, 2])
            nothing = tensorflow.zeros([tensorflow.shape(inputs)[0], self.units])
            unused = tensorflow.zeros([self.units])
            # Not BlockLSTMV2, which takes Keras's order of gates: its gradient is that of another order, off by as much as itself.
            out = tensorflow.raw_ops.BlockLSTM(
                seq_len_max=tensorflow.constant(inputs.shape[1], tensorflow.int64),
                x=by_time,
                cs_prev=nothing,
                h_prev=nothing,
                w=reordered(tensorflow.concat([cell.kernel, cell.recurrent_kernel], axis=0)),
                wci=unused,
                wcf=unused,
                wco=unused,
                b=reordered(cell.bias),
                forget_bias=0.0,  # it is in Keras's bias
                cell_clip=-1.0,  # not at all
                use_peephole=False,
            ).h
            return tensorflow.transpose(out, [1, 0, 2]) if self.return_sequences else out[-1]

    def reordered(gates: Any) -> Any:
        """Return weights for the gates input, forget, cell, output, which is Keras's order, as input, cell, forget, output."""
        write, keep, cell, out = tensorflow.split(gates, 4, axis=-1)
        return tensorflow.concat([write, cell, keep, out], axis=-1)

    return WholeLstm


def copied(settings: MotionSettings, shape: Shape, weights: Sequence[Any]) -> Any:
    """Return the plain network with the weights of a trained one."""
    model = plain(settings, shape)
    model.set_weights(weights)
    return model
