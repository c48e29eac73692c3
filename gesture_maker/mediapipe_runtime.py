"""MediaPipe, imported without TensorFlow and without its chatter.

`import mediapipe` imports TensorFlow wherever that is installed, for one decorator of its documentation build: 8 s. While
the import runs, TensorFlow is marked as not importable, which mediapipe takes as "not installed" (1.2 s, and 0.5 s once the
files are in the system's cache).
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

_lock = threading.Lock()
_quiet = threading.RLock()  # stderr is the whole process's


def load_mediapipe() -> Any:
    """Return the `mediapipe` module; the first call imports it, without TensorFlow."""
    with _lock:
        if "mediapipe" in sys.modules:
            return sys.modules["mediapipe"]
        os.environ.setdefault("GLOG_minloglevel", "2")
        os.environ.setdefault("MPLBACKEND", "Agg")  # mediapipe imports pyplot; without a screen that would fail
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # a home it cannot write to is not worth a warning
        hidden = "tensorflow" not in sys.modules
        if hidden:
            sys.modules["tensorflow"] = None  # type: ignore[assignment]  # makes `import tensorflow` fail
        try:
            import mediapipe
        finally:
            if hidden:
                del sys.modules["tensorflow"]
        return mediapipe


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what C++ libraries write to the process's stderr out of sight, unless the block fails.

    MediaPipe's and TensorFlow's notes about delegates and feedback tensors come before any logging level applies. The block
    must not report to the user itself. One thread at a time gets in, the others wait.
    """
    if os.environ.get("GESTURE_MAKER_VERBOSE"):
        yield
        return
    with _quiet, tempfile.TemporaryFile() as caught:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        except Exception:
            _restore(kept)
            caught.seek(0)
            sys.stderr.write(caught.read().decode(errors="replace"))
            raise
        finally:
            _restore(kept)
            os.close(kept)


def _restore(kept: int) -> None:
    sys.stderr.flush()
    os.dup2(kept, 2)
