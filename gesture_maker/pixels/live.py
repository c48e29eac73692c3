"""A classifier on pixels, live: each frame that is looked at goes to the network, hand or not.

Frames, the limit of frames per second, drawing, recording and the log are those of `recognition/live.py`. Nothing here needs TensorFlow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gesture_maker.pixels.classifier import PixelClassifier
from gesture_maker.pixels.run import PixelRun
from gesture_maker.recognition.frames import FrameSource
from gesture_maker.recognition.live import live
from gesture_maker.recognition.seen import LiveSummary

THRESHOLD = 0.5
"""Score below which a picture shows no gesture."""


def live_pictures(
    run: str | Path,
    source: str | Path | int | FrameSource = 0,
    *,
    model: Path | None = None,
    threshold: float = THRESHOLD,
    **settings: Any,
) -> LiveSummary:
    """Say which gesture each picture of a film, camera or stream shows, and return what was seen.

    `run`: a training on pixels, by name or folder. `model`: a .tflite of it in place of its own, such as a quantized one. `threshold`:
    a picture whose best score is less is `none`. `settings`: those of `recognition.live.live`, such as `record`, `max_fps`, `window`.

    Raises what `live` raises, RunError for a run that is none or is damaged. What came before an error or Ctrl-C is kept.
    """
    pictures = PixelClassifier(PixelRun.load_finished(run), model, threshold)
    return live(None, source, pictures=pictures, **settings)
