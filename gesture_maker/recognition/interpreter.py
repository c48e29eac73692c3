"""A TFLite model asked without TensorFlow, by LiteRT's interpreter: what `motion live` runs on.

One call takes 1.5 ms for the default network over 30 frames, on one thread of an x86-64 core. Any model with one input and one
output will do, such as a classifier of images; what a quantized one takes and gives is turned into plain numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.errors import RunError
from gesture_maker.mediapipe_runtime import quiet_stderr

Floats = npt.NDArray[np.float32]


class TfliteModel:
    """A TFLite file, ready to be asked. `every_tensor`: keep what goes between its layers too, for `tensor`, which costs speed.

    Raises RunError for bytes that are none. Not for two threads at a time.
    """

    def __init__(self, content: bytes, *, every_tensor: bool = False) -> None:
        try:
            with quiet_stderr():  # about delegates
                self._interpreter = _interpreter(content, every_tensor)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:  # nothing of TFLite's own, it tells by these
            raise RunError("This is no TFLite model, or a damaged one: export it again.") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise RunError(
                f"This TFLite model has {len(inputs)} inputs and {len(outputs)} outputs: only one of each can be asked."
            )
        self._input, self._output = inputs[0], outputs[0]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of what one call takes, the batch first: (1, 30, 63)."""
        return tuple(int(size) for size in self._input["shape"])

    def scores(self, x: npt.ArrayLike) -> Floats:
        """Return the scores of each class, float32 [N, classes], for N inputs of the shape `input_shape[1:]`, one after the other."""
        given = np.asarray(x, np.float32)
        if given.shape[1:] != self.input_shape[1:]:
            raise ValueError(f"inputs of {given.shape[1:]} for a model that takes {self.input_shape[1:]}")
        rows = []
        for one in given:
            self._interpreter.set_tensor(self._input["index"], _quantized(one[None], self._input))
            self._interpreter.invoke()
            rows.append(_plain(self._interpreter.get_tensor(self._output["index"])[0], self._output))
        return np.array(rows, np.float32).reshape(len(given), int(np.prod(self._output["shape"][1:])))

    def tensors(self) -> list[tuple[int, tuple[int, ...]]]:
        """Return number and shape of every tensor."""
        details = self._interpreter.get_tensor_details()
        return [(int(one["index"]), tuple(int(size) for size in one["shape"])) for one in details]

    def tensor(self, number: int) -> Floats | None:
        """Return what a tensor held at the last call, as plain numbers; None where it is not kept, such as what two operations became one for."""
        try:
            values = self._interpreter.get_tensor(number)
        except ValueError:
            return None
        detail = next(one for one in self._interpreter.get_tensor_details() if one["index"] == number)
        return _plain(values, detail)


def _interpreter(content: bytes, every_tensor: bool) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:  # there is no build for Intel Macs
        from gesture_maker.training import tflite

        return tflite._interpreter(content, every_tensor)
    return Interpreter(model_content=content, num_threads=1, experimental_preserve_all_tensors=every_tensor)


def _quantized(values: Floats, detail: Any) -> npt.NDArray[Any]:
    """Return plain numbers as a tensor takes them."""
    kind = np.dtype(detail["dtype"])
    scale, zero = detail["quantization"]
    if not np.issubdtype(kind, np.integer):
        return values.astype(kind)
    bounds = np.iinfo(kind)
    return np.asarray(np.clip(np.round(values / (scale or 1) + zero), bounds.min, bounds.max), kind)


def _plain(values: npt.NDArray[Any], detail: Any) -> Floats:
    """Return what a tensor holds as plain numbers."""
    scale, zero = detail["quantization"]
    if not np.issubdtype(values.dtype, np.integer):
        return np.asarray(values, np.float32)
    return np.asarray((values.astype(np.float32) - zero) * (scale or 1), np.float32)
