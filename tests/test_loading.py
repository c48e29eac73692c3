"""TensorFlow, imported by another thread while hands are found."""

from __future__ import annotations

import subprocess
import sys

from helpers import environment

AHEAD = """
import sys
from gesture_maker.training.model_maker import load_model_maker, loading_ahead
assert "tensorflow" not in sys.modules
with loading_ahead():
    print("said meanwhile", file=sys.stderr)
    from gesture_maker.mediapipe_runtime import load_mediapipe
    load_mediapipe()
first = load_model_maker()
import gc, threading
for thread in threading.enumerate():
    if thread.name == "loading":
        thread.join()
assert first is load_model_maker()
assert gc.isenabled()
print(sorted({"mediapipe", "mediapipe_model_maker", "tensorflow"} & set(sys.modules)))
"""

IN_VAIN = """
import sys
from gesture_maker.training import model_maker
began = []
model_maker.load_mediapipe = lambda: began.append("mediapipe") or failed.wait()
import threading
failed = threading.Event()
try:
    with model_maker.loading_ahead():
        raise ValueError
except ValueError:
    failed.set()
for thread in threading.enumerate():
    if thread.name == "loading":
        thread.join()
print(began, "tensorflow" in sys.modules)
"""

WITHOUT_IT = """
import sys
from gesture_maker.training import model_maker
sys.modules["tensorflow"] = None  # cannot be imported
with model_maker.loading_ahead():
    pass
try:
    model_maker.load_model_maker()
except ImportError as error:
    print(type(error).__name__, "tensorflow" in str(error))
"""


def said_by(script: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_all_is_loaded_and_nothing_else_is_said_nor_lost() -> None:
    assert said_by(AHEAD) == ("['mediapipe', 'mediapipe_model_maker', 'tensorflow']\n", "said meanwhile\n")


def test_what_fails_loads_no_further() -> None:
    assert said_by(IN_VAIN) == ("['mediapipe'] False\n", "")


def test_what_cannot_be_loaded_is_told_when_it_is_needed() -> None:
    out, err = said_by(WITHOUT_IT)
    assert (out, err) == ("ModuleNotFoundError True\n", "")
