"""A training on motions with everything it used, in a folder of its own under `exported_models/`.

motion.json     settings, features, labels, fingerprint of the data, checksums, and what was measured
split.csv       each clip of the dataset: its part, or why it was not used
sequences.npz   the windows of each part; makes --resume and eval independent of the clips
model.keras     the network, for further training; model.tflite: the same to be run, in built-in operations, without state
labels.txt      the labels in the order of its outputs
history.json, curves.png, confusion_matrix.png
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.errors import ConfigError, RunError
from gesture_maker.files import atomic_write
from gesture_maker.landmarks.hands import Floats
from gesture_maker.motion.features import Features
from gesture_maker.training.run_folder import RunFolder

KERAS, SEQUENCES = "model.keras", "sequences.npz"


@dataclass(frozen=True, eq=False)
class Sequences:
    """The windows of one part: `x` float32 [N, T, F], `y` int64 [N] (numbers of labels), `clip` int64 [N], whose windows they are
    (row of `split.csv`)."""

    x: Floats
    y: npt.NDArray[np.int64]
    clip: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)


class MotionRun(RunFolder):
    """A training on motions."""

    MARK = "motion.json"
    KIND = "motion"
    WHAT = "training on motions"
    COMMANDS = "gesture-maker motion"
    MODEL = "model.tflite"

    @property
    def background(self) -> str | None:
        """The class of hands that do nothing of meaning; None when there is none."""
        found: str | None = self.description.get("background")
        return found

    @property
    def features(self) -> Features:
        """What the network sees. Raises RunError when the description is damaged."""
        try:
            return Features(**self.description["features"])
        except (TypeError, KeyError, ConfigError) as error:
            raise RunError(f"{self.path / self.MARK} is damaged: train again.") from error

    def sequences(self, part: str) -> Sequences:
        """Return the windows of a part. Raises RunError when the file is damaged."""
        try:
            with np.load(self.path / SEQUENCES) as arrays:
                return Sequences(*(arrays[f"{part}_{name}"] for name in ("x", "y", "clip")))
        except Exception as error:  # numpy raises many kinds on damaged files
            raise RunError(f"{self.path / SEQUENCES} is missing or damaged: train again.") from error

    def save_sequences(self, parts: Mapping[str, Sequences]) -> None:
        """Write the windows of all parts."""
        arrays: dict[str, Any] = {
            f"{part}_{key}": value for part, its in parts.items() for key, value in vars(its).items()
        }
        with atomic_write(self.path / SEQUENCES) as file:
            np.savez_compressed(file, **arrays)
