"""LiteRT's interpreter: any model of one input and one output, and nothing of TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import environment

from gesture_maker.errors import RunError
from gesture_maker.recognition.interpreter import TfliteModel
from gesture_maker.training.tensorflow_runtime import load_tensorflow, seed_everything

ASK = """
import sys
import numpy as np
from gesture_maker.recognition.interpreter import TfliteModel
with open(sys.argv[1], "rb") as file:
    model = TfliteModel(file.read())
scores = model.scores(np.linspace(-1, 1, 2 * 12).reshape(2, 12))
print(*(name for name in ("tensorflow", "keras", "tf_keras") if name in sys.modules), *scores.argmax(axis=1))
"""


def converted(quantized: bool, shape: tuple[int, ...]) -> tuple[bytes, object]:
    """Return a little classifier as TFLite, with its inputs and outputs quantized or not, and as Keras."""
    seed_everything(0)
    tensorflow = load_tensorflow()
    layers = tensorflow.keras.layers
    model = tensorflow.keras.Sequential(
        [layers.Input(shape, batch_size=1), layers.Flatten(), layers.Dense(3, activation="softmax", name="scores")]
    )
    converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
    if quantized:
        rng = np.random.default_rng(0)
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [rng.uniform(-1, 1, (1, *shape)).astype(np.float32)] for _ in range(50)
        )
        converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tensorflow.uint8
    return converter.convert(), model


@pytest.mark.parametrize(("quantized", "shape"), [(False, (3, 4)), (False, (5,)), (True, (8, 8, 3))])
def test_it_answers_as_keras_does(quantized: bool, shape: tuple[int, ...]) -> None:
    content, keras = converted(quantized, shape)
    model = TfliteModel(content)
    assert model.input_shape == (1, *shape)
    x = np.random.default_rng(1).uniform(-1, 1, (20, *shape)).astype(np.float32)
    scores = model.scores(x)
    assert scores.dtype == np.float32
    assert scores.shape == (20, 3)
    assert np.abs(scores - keras.predict(x, verbose=0)).max() <= (0.03 if quantized else 1e-6)  # type: ignore[attr-defined]
    assert np.array_equal(model.scores(x[::-1]), scores[::-1])


def test_nothing_asked_nothing_answered() -> None:
    model = TfliteModel(converted(False, (5,))[0])
    assert model.scores(np.zeros((0, 5))).shape == (0, 3)
    with pytest.raises(ValueError, match="takes"):
        model.scores(np.zeros((1, 6)))


@pytest.mark.parametrize("content", [b"", b"no model", b"\x1c\x00\x00\x00TFL3" + bytes(40)])
def test_what_is_no_model_is_said_so(content: bytes) -> None:
    with pytest.raises(RunError, match="no TFLite model"):
        TfliteModel(content)


def test_it_needs_no_tensorflow(tmp_path: Path) -> None:
    content, _ = converted(False, (12,))
    (tmp_path / "model.tflite").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path / "model.tflite")],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 2, done.stdout
