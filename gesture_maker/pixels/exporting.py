"""A finished training on pixels in other numbers, half or a quarter of the size, proved in ImageClassifier before it is put in place."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gesture_maker.files import TEMPORARY_PREFIX, write_bytes
from gesture_maker.pixels.classifier import PixelClassifier
from gesture_maker.pixels.prepare import training_pictures
from gesture_maker.pixels.run import KERAS, PixelRun

SHOWN_TO_BOTH = 20
"""Training pictures of which the answers are compared with those in float32."""


@dataclass(frozen=True)
class PixelExport:
    """What was exported: `path` and `size` in bytes. `largest_difference`: between its scores and those of the model in float32, and `same`, the share of pictures with
    the same answer, of `pictures` training pictures."""

    path: Path
    quantize: str
    size: int
    largest_difference: float
    same: float
    pictures: int


def export_pixels(run: str | Path, quantize: str = "none", out: Path | None = None) -> PixelExport:
    """Write the model of a run as float32 ("none"), float16 or int8, into the run or to `out`, and return how it compares.

    int8 is calibrated on training photos, and all are compared on some, so they have to be where they were. Raises RunError when they are not, or for a run that is none
    or was not finished, ConfigError for another `quantize`.
    """
    from gesture_maker.training.pixels.export import CALIBRATED_ON, check_quantize, to_tflite, with_metadata

    check_quantize(quantize)
    made = PixelRun.load_finished(run)
    pictures = training_pictures(made, CALIBRATED_ON)
    content = to_tflite(made.path / KERAS, quantize, pictures)
    written = with_metadata(content, made.labels)
    target = out or made.quantized(quantize)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as folder:
        proof = Path(folder) / "model.tflite"
        proof.write_bytes(written)
        some = pictures[:SHOWN_TO_BOTH]
        with PixelClassifier(made) as first, PixelClassifier(made, proof) as second:
            scores = [np.stack([one.scores(picture) for picture in some]) for one in (first, second)]
    if quantize != "none" or target != made.path / made.MODEL:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(target, written)
    return PixelExport(
        target,
        quantize,
        len(written),
        float(np.abs(scores[0] - scores[1]).max()),
        float((scores[0].argmax(axis=1) == scores[1].argmax(axis=1)).mean()),
        len(some),
    )
