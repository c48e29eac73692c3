"""Running TFLite files outside MediaPipe: the embedder over many hands, a head over many embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from gesture_maker.landmarks.hands import EmbedderInputs, Floats
from gesture_maker.mediapipe_runtime import quiet_stderr
from gesture_maker.training.tensorflow_runtime import load_tensorflow


def _interpreter(model: bytes, every_tensor: bool = False) -> Any:
    tensorflow = load_tensorflow()
    with quiet_stderr():
        interpreter = tensorflow.lite.Interpreter(
            model_content=model, num_threads=1, experimental_preserve_all_tensors=every_tensor
        )
        interpreter.allocate_tensors()
    return interpreter


class TfliteEmbedder:
    """Any gesture embedder: a function from `EmbedderInputs` of N hands to float32 [N, 128]."""

    def __init__(self, model: bytes) -> None:
        self._interpreter = _interpreter(model)
        # In the order of the file: that is how the runtime feeds them, whatever they are called.
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, inputs: EmbedderInputs) -> Floats:
        rows = []
        for one in range(len(inputs)):
            for index, values in zip(self._inputs, (inputs.hand, inputs.handedness, inputs.world_hand), strict=True):
                self._interpreter.set_tensor(index, values[one : one + 1])
            self._interpreter.invoke()
            rows.append(self._interpreter.get_tensor(self._output)[0].copy())
        return np.array(rows, np.float32).reshape(len(inputs), -1)


def classify(model: bytes, embeddings: Floats) -> Floats:
    """Return the scores, float32 [N, classes], that a gesture classifier gives embeddings [N, 128]."""
    interpreter = _interpreter(model)
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    rows = []
    for embedding in embeddings:
        interpreter.set_tensor(source, embedding[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target)[0].copy())
    return np.array(rows, np.float32)
