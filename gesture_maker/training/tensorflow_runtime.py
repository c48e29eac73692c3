"""TensorFlow, quiet, repeatable, and imported in this one place."""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import threading
from typing import Any

from gesture_maker.mediapipe_runtime import load_mediapipe

_lock = threading.Lock()
_loaded: list[Any] = []


def load_tensorflow(*, heavy: bool = False) -> Any:
    """Return the `tensorflow` module, imported at the first call (1.6 s), from whichever thread that comes.

    `heavy`: for networks over pictures, all cores and oneDNN's operations; what was said at the first call counts for the process. A
    step of ResNet50 takes 54 ms of two cores a picture of 96 x 96 with them, 161 without oneDNN, but results then differ between sorts of processors.
    Nothing is kept from stderr meanwhile, since another thread may have something to say to the user.
    """
    with _lock:
        if not _loaded:
            load_mediapipe()  # first, so that mediapipe does not import TensorFlow in passing
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            # oneDNN's results differ between machines with equal seeds.
            os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1" if heavy else "0")
            logging.getLogger().addFilter(_about_tensorboard)
            collecting = gc.isenabled()
            gc.disable()  # walking over all that is being imported, again and again, took 0.4 of 2.0 s
            try:
                import tensorflow
            finally:
                if collecting:
                    gc.enable()
            gc.freeze()  # for as long as the process works: building a graph would walk over it as often again
            atexit.register(gc.unfreeze)  # a function that is collected later than TensorFlow's modules prints an error
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
            with contextlib.suppress(RuntimeError):  # the process has used TensorFlow already, and it stays as it is
                # A network over hands is so small that threads cost more than they save: 0.75 ms a step instead of 1.1.
                if not heavy:
                    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
            _loaded.append(tensorflow)
        return _loaded[0]


def _about_tensorboard(record: logging.LogRecord) -> bool:
    """Tell whether a record is something else than TensorFlow's note that TensorBoard, which nothing here uses, is missing."""
    return "missing TensorBoard" not in record.getMessage()


def seed_everything(seed: int) -> None:
    """Make what TensorFlow does from here on repeatable, bit for bit, on one machine."""
    tensorflow = load_tensorflow()
    tensorflow.keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()
