"""A run: one training with everything it used, in a folder of its own under `exported_models/`.

run.json          settings, versions, checksums of the TFLite files, fingerprint of the data, seed, labels
split.csv         each photo of the dataset: its part, or why it was not used
embeddings.npz    the hands of each part and their embeddings; makes --resume and export independent of the photos
cross_validation.npz  what heads trained on other hands answer to each, if that was asked for
history.csv       one line per epoch
head_weights.h5   the weights of the last epoch, with the recipe stock of the best by validation loss
metrics.json      how well the head does on each part
labels.txt        the labels in the order of the head's outputs
curves.png, confusion_matrix.png
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.errors import RunError
from gesture_maker.files import atomic_write, write_csv
from gesture_maker.landmarks.hands import EmbedderInputs
from gesture_maker.training.model_maker import LabelledEmbeddings
from gesture_maker.training.run_folder import RunFolder, SplitRow
from gesture_maker.training.table_source import SUFFIXES

WEIGHTS = "head_weights.h5"
BUNDLE = "gesture_recognizer.task"


def mirror_of(part: str) -> str:
    """Return the name under which the hands in the mirror images of a part are kept."""
    return f"{part}_mirrored"


def by_content(row: SplitRow) -> tuple[str, str, str]:
    """Return the sort key of photos: by checksum, so that a renamed photo changes nothing and the classes come mixed."""
    return row.sha256, row.label, row.group


class Run(RunFolder):
    """A training on hands, whose labels begin with `none`."""

    MARK = "run.json"
    KIND = None
    WHAT = "run"
    COMMANDS = "gesture-maker"
    MODEL = WEIGHTS
    CHECKSUM = "weights_sha256"

    @property
    def bundle(self) -> Path:
        """Where `export` puts the `.task` file unless told otherwise."""
        return self.path / BUNDLE

    def embeddings(self, part: str) -> LabelledEmbeddings:
        """Return the embedded hands of one part. Raises RunError when the file is damaged."""
        try:
            with np.load(self.path / "embeddings.npz") as arrays:
                return LabelledEmbeddings(arrays[f"{part}_embeddings"], arrays[f"{part}_classes"])
        except Exception as error:  # numpy raises many kinds on damaged files
            raise RunError(f"{self.path / 'embeddings.npz'} is missing or damaged: train again.") from error

    def hands(self, part: str) -> EmbedderInputs:
        """Return the hands of one part as they were before they were embedded. Raises RunError when the file is damaged."""
        try:
            with np.load(self.path / "embeddings.npz") as arrays:
                return EmbedderInputs(*(arrays[f"{part}_{name}"] for name in ("hand", "handedness", "world_hand")))
        except Exception as error:
            raise RunError(
                f"{self.path / 'embeddings.npz'} is missing or damaged, or of an older version: train again."
            ) from error

    def mirrored_hands(self, part: str) -> EmbedderInputs | None:
        """Return the hands in the mirror images of one part's photos, in the same order; None when they were not looked at."""
        return self.hands(mirror_of(part)) if self.description["settings"].get("mirror") else None

    def save_embeddings(self, parts: dict[str, LabelledEmbeddings], hands: dict[str, EmbedderInputs]) -> None:
        """Write the hands of all parts and their embeddings."""
        arrays: dict[str, Any] = {f"{part}_embeddings": data.embeddings for part, data in parts.items()}
        arrays |= {f"{part}_classes": data.classes for part, data in parts.items()}
        arrays |= {f"{part}_{name}": values for part, its in hands.items() for name, values in vars(its).items()}
        with atomic_write(self.path / "embeddings.npz") as temporary:
            np.savez_compressed(temporary, **arrays)

    def rows_of_hands(self, part: str) -> list[SplitRow]:
        """Return the lines of `split.csv` that the rows of `embeddings(part)` and `hands(part)` are of, in their order."""
        rows = sorted((row for row in self.split() if row.part == part and not row.reason), key=by_content)
        if len(rows) != len(self.embeddings(part)):
            raise RunError(f"{self.path / 'split.csv'} and embeddings.npz do not belong together: train again.")
        return rows

    def photo_folder(self, part: str = "train") -> Path:
        """Return the folder where a part's photos lie; of a table of landmarks, where they would."""
        dataset = super().photo_folder(part)
        return dataset.parent if _is_of_table(dataset) else dataset

    def photos_are_elsewhere(self) -> bool:
        """Tell whether the test part is of a table of landmarks, and none of its photos lies beside that. Raises RunError."""
        photos = self.photos_of("test")
        of_table = _is_of_table(super().photo_folder("test"))
        return bool(photos) and of_table and not any(path.is_file() for path, _ in photos)

    def save_history(self, history: Sequence[dict[str, float]]) -> None:
        """Write `history.csv`."""
        write_csv(self.path / "history.csv", history, list(history[0]) if history else [])


def _is_of_table(dataset: Path) -> bool:
    return dataset.suffix.lower() in SUFFIXES and not dataset.is_dir()
