"""Networks as Keras files: written, read, asked, and handed to the converter for TFLite. What those over sequences and over pictures share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.errors import RunError
from gesture_maker.files import atomic_write
from gesture_maker.training.epochs import Floats
from gesture_maker.training.tensorflow_runtime import load_tensorflow

MODEL = "model.keras"


def save_network(model: Any, path: Path) -> None:
    """Write a network into a file, with its structure."""
    with atomic_write(path) as temporary:
        model.save(temporary, save_format="keras")


def load_network(path: Path, *, heavy: bool = False) -> Any:
    """Return the network of a file; `heavy`: see `load_tensorflow`. Raises RunError when it is missing or damaged, or holds code of its own."""
    keras = load_tensorflow(heavy=heavy).keras
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # h5py, zipfile and Keras raise many kinds
        raise RunError(f"{path} is no Keras model that can be read: train again.") from error


def answers_of(model: Any, x: Any, at_once: int) -> Floats:
    """Return what a network answers to N inputs, float32 [N, …], so many of them `at_once`."""
    ask = load_tensorflow().function(lambda some: model(some, training=False), autograph=False, reduce_retracing=True)
    parts = [ask(np.asarray(x[begin : begin + at_once], np.float32)).numpy() for begin in range(0, len(x), at_once)]
    return np.concatenate([np.zeros((0, *model.output_shape[1:]), np.float32), *parts])


def converter_of(model: Any, name: str) -> Any:
    """Return TensorFlow's converter of a network whose TFLite takes one input, float32 [1, …], called `name`."""
    tensorflow = load_tensorflow()
    given = tensorflow.TensorSpec((1, *model.input_shape[1:]), tensorflow.float32, name=name)
    called = tensorflow.function(lambda one: model(one, training=False), autograph=False)
    holder = (
        tensorflow.Module()
    )  # in place of the model: the 230 layers of a ResNet50 would be saved one by one, 5 s instead of 16
    holder.variables_of_the_network = list(model.weights)
    return tensorflow.lite.TFLiteConverter.from_concrete_functions([called.get_concrete_function(given)], holder)
