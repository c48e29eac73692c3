"""A network over sequences as a TFLite file of built-in operations, which keeps nothing from one call to the next.

TensorFlow's converter makes UNIDIRECTIONAL_SEQUENCE_LSTM of an LSTM, whose state is a variable of the interpreter and is carried over:
the second call answers otherwise than the first, by 0.0005 to 0.0024 with random weights. Here the frames are unrolled. Measured on the default network (30 frames,
128, 128 and 64 units) with one thread of an x86-64 core:

                converted in   size      one call   differs from Keras by, over 200 calls
    fused       4 s            1.3 MB    1.4 ms     0.0005
    unrolled    10 s           1.5 MB    1.5 ms     0.00000006
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gesture_maker.bundle.task import operators_of
from gesture_maker.mediapipe_runtime import quiet_stderr
from gesture_maker.training.keras_files import converter_of, load_network
from gesture_maker.training.tensorflow_runtime import load_tensorflow

STATEFUL = (
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "LSTM",
    "VAR_HANDLE",
    "READ_VARIABLE",
    "ASSIGN_VARIABLE",
)


def to_tflite(model_path: Path) -> bytes:
    """Return the TFLite file of a `model.keras`: one sequence in, float32 [1, frames, numbers], scores out, float32 [1, classes].

    Raises RunError when the file is missing or damaged.
    """
    model = unrolled(load_network(model_path))
    with quiet_stderr():
        converter = converter_of(model, "sequence")
        converter.target_spec.supported_ops = [load_tensorflow().lite.OpsSet.TFLITE_BUILTINS]
        content = bytes(converter.convert())
    foreign = [name for name in operators_of(content) if name in STATEFUL or name.startswith("CUSTOM:")]
    if foreign:
        raise AssertionError(f"the converter made {', '.join(foreign)}")
    return content


def unrolled(model: Any) -> Any:
    """Return the same network with its recurrent layers written out frame by frame."""
    keras = load_tensorflow().keras

    def clone(layer: Any) -> Any:
        settings = layer.get_config()
        if isinstance(layer, keras.layers.LSTM | keras.layers.GRU):
            settings["unroll"] = True
        return type(layer).from_config(settings)

    cloned = keras.models.clone_model(model, clone_function=clone)
    cloned.set_weights(model.get_weights())
    return cloned
