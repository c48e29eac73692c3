"""A network over pictures as a TFLite file that MediaPipe's ImageClassifier runs, in any of three sizes of numbers.

    none      float32, as it was trained
    float16   half the size; TFLite calculates in float32 all the same
    int8      a quarter: weights and what goes between layers in 8 bits, pixels in and scores out as uint8, so that scores are steps of 1/256

Its metadata has the labels, and says that pixels are taken as they are, since the network does the rest itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.errors import ConfigError, RunError
from gesture_maker.images import Pixels
from gesture_maker.mediapipe_runtime import load_mediapipe, quiet_stderr
from gesture_maker.training.epochs import Floats
from gesture_maker.training.keras_files import converter_of, load_network
from gesture_maker.training.metadata import without_time_stamps
from gesture_maker.training.tensorflow_runtime import load_tensorflow

QUANTIZED = ("none", "float16", "int8")
"""The values of `--quantize`."""

CALIBRATED_ON = 200
"""Training pictures from which int8 learns the range of every layer's numbers; TensorFlow's guide asks for 100 to 500."""


def to_tflite(model_path: Path, quantize: str = "none", pictures: Pixels | None = None) -> bytes:
    """Return the TFLite file, still without metadata, of a `model.keras`: one picture [1, side, side, 3] in, scores [1, classes] out.

    `quantize`: one of `QUANTIZED`. `pictures`: uint8 [N, side, side, 3] of the training part, which int8 is calibrated on. Raises
    ConfigError for another `quantize`, RunError for a damaged file.
    """
    check_quantize(quantize)
    model = load_network(model_path, heavy=True)
    tensorflow = load_tensorflow()
    with quiet_stderr():
        converter = converter_of(model, "picture")
        if quantize != "none":
            converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tensorflow.float16]
        if quantize == "int8":
            if pictures is None or not len(pictures):
                raise ValueError("int8 is calibrated on pictures")
            converter.representative_dataset = lambda: ([one] for one in _full_range(pictures))
            converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tensorflow.uint8
        content = bytes(converter.convert())
    if quantize == "int8":
        _check_pixels_are_taken_as_they_are(content)
    return content


def check_quantize(quantize: str) -> None:
    """Raise ConfigError for what is none of `QUANTIZED`."""
    if quantize not in QUANTIZED:
        raise ConfigError(f"There is no quantization {quantize!r}: use {', '.join(QUANTIZED)}.")


def with_metadata(content: bytes, labels: Sequence[str]) -> bytes:
    """Return a TFLite file with the metadata of MediaPipe's image classifier: the same bytes for the same file and labels."""
    load_mediapipe()
    from mediapipe.tasks.python.metadata.metadata_writers import image_classifier, metadata_writer

    named = metadata_writer.Labels().add(list(labels))
    # ImageClassifier gives (pixel - mean) / std: the pixel itself.
    writer = image_classifier.MetadataWriter.create(bytearray(content), [0.0], [1.0], named)
    return without_time_stamps(bytes(writer.populate()[0]))


def _full_range(pictures: Pixels) -> list[Floats]:
    """Return pictures for calibration, float32 [1, side, side, 3], of which the first has a black and a white pixel.

    So the range of the input is 0 to 255 and its scale is 1: MediaPipe puts pixels in as they are, whatever the scale.
    """
    made = [np.asarray(one[None], np.float32) for one in pictures]
    made[0][0, 0, 0], made[0][0, 0, 1] = 0.0, 255.0
    return made


def _check_pixels_are_taken_as_they_are(content: bytes) -> None:
    scale, zero = _input_of(content)["quantization"]
    if abs(scale - 1) > 1e-6 or zero != 0:
        raise RunError(f"The converter scaled pixels by {scale:g} from {zero}: MediaPipe would not. Export as float16.")


def _input_of(content: bytes) -> Any:
    with quiet_stderr():
        interpreter = load_tensorflow().lite.Interpreter(model_content=content)
    return interpreter.get_input_details()[0]
