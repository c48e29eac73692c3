"""A training on pixels with everything it used, in a folder of its own under `exported_models/`.

image.json      settings, labels, where the pictures come from, fingerprint of the data, checksums, and what was measured
split.csv       each photo of the dataset: its part, or why it was not used
pictures/       the photos as the network sees them; there while the training lasts, so that it can be resumed
model.keras     the network, for further training; model.tflite: the same in float32, for MediaPipe's ImageClassifier
model_float16.tflite, model_int8.tflite   what `image export --quantize` made
head.npz        how much each feature counts for each class, for the maps of where the network looks
labels.txt      the labels in the order of its outputs
history.csv, curves.png, confusion_matrix.png
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gesture_maker.errors import ConfigError, RunError
from gesture_maker.pixels.pictures import Seeing
from gesture_maker.training.pixels.settings import PixelSettings
from gesture_maker.training.run_folder import RunFolder

KERAS = "model.keras"
HEAD = "head.npz"
PICTURES = "pictures"


class PixelRun(RunFolder):
    """An existing run folder."""

    MARK = "image.json"
    KIND = "image"
    WHAT = "training on pixels"
    COMMANDS = "gesture-maker image"
    MODEL = "model.tflite"

    @property
    def seeing(self) -> Seeing:
        """How a photo becomes what the network sees. Raises RunError when the description is damaged."""
        about = self._described("seeing")
        try:
            return Seeing(self.settings.image_size, str(about["crop"]), float(about["margin"]))
        except (ConfigError, KeyError, TypeError, ValueError) as error:
            raise self._damaged() from error

    @property
    def settings(self) -> PixelSettings:
        """How it was trained. Raises RunError when the description is damaged."""
        try:
            made: PixelSettings = PixelSettings.from_json(self._described("settings"))
        except ConfigError as error:
            raise self._damaged() from error
        return made

    def quantized(self, quantize: str) -> Path:
        """Return where the model in these numbers is put, see `training/pixels/export.py`."""
        return self.path / (self.MODEL if quantize == "none" else f"model_{quantize}.tflite")

    def _described(self, key: str) -> dict[str, Any]:
        found = self.description.get(key)
        if not isinstance(found, dict):
            raise self._damaged()
        return found

    def _damaged(self) -> RunError:
        return RunError(f"{self.path / self.MARK} is damaged: train again.")
