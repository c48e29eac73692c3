"""TensorFlow, quiet, repeatable, and imported in this one place."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

from gesture_maker.mediapipe_runtime import load_mediapipe, quiet_stderr

_loaded: list[Any] = []


def load_tensorflow() -> Any:
    """Return the `tensorflow` module, imported at the first call (2.8 s)."""
    if not _loaded:
        load_mediapipe()  # first, so that mediapipe does not import TensorFlow in passing
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its results differ between machines with equal seeds
        with quiet_stderr(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import tensorflow
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        _loaded.append(tensorflow)
    return _loaded[0]


def seed_everything(seed: int) -> None:
    """Make what TensorFlow does from here on repeatable, bit for bit, on one machine."""
    tensorflow = load_tensorflow()
    tensorflow.keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()
