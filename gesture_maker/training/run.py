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

import csv
import io
import json
import os
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.dataset.names import normalize_label
from gesture_maker.errors import LabelError, RunError
from gesture_maker.files import TEMPORARY_PREFIX, atomic_write, sha256_of_file, write_json, write_text
from gesture_maker.landmarks.hands import EmbedderInputs
from gesture_maker.training.model_maker import LabelledEmbeddings
from gesture_maker.training.table_source import SUFFIXES

RUNS = Path("exported_models")
"""Where runs are made and where a bare name is looked up, relative to the current folder."""

WEIGHTS = "head_weights.h5"
BUNDLE = "gesture_recognizer.task"

UNFINISHED, FINISHED = "unfinished", "finished"


@dataclass(frozen=True)
class SplitRow:
    """One photo in `split.csv`.

    `part` is one of `PARTS`, or empty when the photo cannot be read. `reason` says why it was not used for training or
    measuring the head; a photo without a hand has a part and a reason, so that `eval` counts it.
    """

    file: str
    label: str
    group: str
    part: str
    sha256: str
    reason: str


def mirror_of(part: str) -> str:
    """Return the name under which the hands in the mirror images of a part are kept."""
    return f"{part}_mirrored"


def by_content(row: SplitRow) -> tuple[str, str, str]:
    """Return the sort key of photos: by checksum, so that a renamed photo changes nothing and the classes come mixed."""
    return row.sha256, row.label, row.group


class Run:
    """An existing run folder."""

    def __init__(self, path: Path, description: dict[str, Any]) -> None:
        self.path = path
        self.description = description

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def call(self) -> str:
        """How a command names the run from the current folder: its name where that is enough, else its path."""
        return self.name if self.path.resolve() == (RUNS / self.name).resolve() else str(self.path)

    @property
    def labels(self) -> list[str]:
        """The classes in the order of the head's outputs, `none` first."""
        return list(self.description["labels"])

    @property
    def finished(self) -> bool:
        """Whether training came to its end."""
        return bool(self.description.get("status") == FINISHED)

    @property
    def bundle(self) -> Path:
        """Where `export` puts the `.task` file unless told otherwise."""
        return self.path / BUNDLE

    def update(self, **values: Any) -> None:
        """Change values of `run.json`."""
        self.description |= values
        write_json(self.path / "run.json", self.description)

    def finish(self) -> None:
        """Mark the run as finished, with the checksum of its weights: the last thing that a training writes."""
        self.update(status=FINISHED, weights_sha256=sha256_of_file(self.path / WEIGHTS))

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

    def split(self) -> list[SplitRow]:
        """Return what became of each photo. Raises RunError when `split.csv` is missing or damaged."""
        try:
            with (self.path / "split.csv").open(encoding="utf-8", newline="") as file:
                rows = [SplitRow(**row) for row in csv.DictReader(file)]
            if len(rows) != self.description["photos"] or any(None in vars(row).values() for row in rows):
                raise ValueError("rows or values are missing")
        except (OSError, TypeError, KeyError, ValueError, csv.Error) as error:
            raise RunError(f"{self.path / 'split.csv'} is missing or damaged: train again.") from error
        return rows

    def rows_of_hands(self, part: str) -> list[SplitRow]:
        """Return the lines of `split.csv` that the rows of `embeddings(part)` and `hands(part)` are of, in their order."""
        rows = sorted((row for row in self.split() if row.part == part and not row.reason), key=by_content)
        if len(rows) != len(self.embeddings(part)):
            raise RunError(f"{self.path / 'split.csv'} and embeddings.npz do not belong together: train again.")
        return rows

    def save_split(self, rows: Sequence[SplitRow]) -> None:
        """Write `split.csv`."""
        write_csv(self.path / "split.csv", [vars(row) for row in rows], list(SplitRow.__dataclass_fields__))

    def test_photos(self) -> list[tuple[Path, SplitRow]]:
        """Return the photos of the test part, which training never saw; those without a hand are among them.

        Raises RunError when there is no test part, or when a photo is gone or is no longer the same.
        """
        photos = self._photos_of_test_part()
        if not photos:
            raise RunError(
                f'The run "{self.name}" has no test part: all photos were needed for training. Name a folder of photos '
                f"of other people, `gesture-maker eval {shlex.quote(self.call)} FOLDER`."
            )
        for path, row in photos:
            if not path.is_file() or sha256_of_file(path) != row.sha256:
                what = "has changed since" if path.is_file() else "is gone"
                raise RunError(
                    f"{path} of the run's test part {what}: put it back, or name a folder, "
                    f"`gesture-maker eval {self.name} FOLDER`."
                )
        return photos

    def photos_are_elsewhere(self) -> bool:
        """Tell whether the test part is of a table of landmarks, and none of its photos lies beside that. Raises RunError."""
        photos = self._photos_of_test_part()
        return bool(photos) and _is_of_table(self._test_dataset) and not any(path.is_file() for path, _ in photos)

    @property
    def photo_folder(self) -> Path:
        """Where the photos of the run's dataset lie; of a table of landmarks, where they would."""
        return _beside(Path(self.description["dataset"]))

    @property
    def _test_dataset(self) -> Path:
        return Path(self.description.get("test_dataset") or self.description["dataset"])

    def _photos_of_test_part(self) -> list[tuple[Path, SplitRow]]:
        folder = _beside(self._test_dataset)
        return [(folder / row.file, row) for row in self.split() if row.part == "test"]

    def save_history(self, history: Sequence[dict[str, float]]) -> None:
        """Write `history.csv`."""
        write_csv(self.path / "history.csv", history, list(history[0]) if history else [])

    def save_labels(self) -> None:
        """Write `labels.txt`."""
        write_text(self.path / "labels.txt", "".join(f"{label}\n" for label in self.labels))


def _is_of_table(dataset: Path) -> bool:
    return dataset.suffix.lower() in SUFFIXES and not dataset.is_dir()


def _beside(dataset: Path) -> Path:
    return dataset.parent if _is_of_table(dataset) else dataset


def new_run(
    name: str,
    description: dict[str, Any],
    split: Sequence[SplitRow],
    parts: dict[str, LabelledEmbeddings],
    hands: dict[str, EmbedderInputs],
    runs: Path | None = None,
) -> Run:
    """Make the folder of a new run, unfinished, with all that the training needs from now on.

    The folder appears at once or not at all. Raises RunError when there is one already: a run never continues in what
    another one left.
    """
    folder = (runs or RUNS) / valid_run_name(name)
    refuse_existing(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=folder.parent) as temporary:
        unseen = Run(Path(temporary) / folder.name, {"status": UNFINISHED, **description})
        try:
            unseen.update()
            unseen.save_split(split)
            unseen.save_embeddings(parts, hands)
            unseen.save_labels()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error  # temporary names say nothing to a user
        try:
            unseen.path.rename(folder)
        except OSError:
            refuse_existing(folder)  # another training of this name was quicker
            raise
    return Run(folder, unseen.description)


def check_writable(runs: Path | None = None) -> None:
    """Raise RunError when no folder can be made where runs are: said before the photos are looked at, not after."""
    place = (runs or RUNS).resolve()
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    if not existing.is_dir():
        raise RunError(f"{existing} is a file, where the folder for runs has to be: rename it.")
    if not os.access(existing, os.W_OK):
        raise RunError(f"{existing} cannot be written to: change its permissions, or work in another folder.")


def refuse_existing(folder: Path) -> None:
    """Raise RunError when there is something at `folder`."""
    if not folder.exists():
        return
    try:
        run = load_run(folder)
    except RunError:
        raise RunError(f"{folder} exists and is no run: choose another --name.") from None
    if run.finished:
        raise RunError(f'There is already a run "{run.name}" ({folder}): choose another --name, or remove it.')
    raise RunError(f'The run "{run.name}" was never finished: {how_to_resume(run)}, or choose another --name.')


def valid_run_name(name: str) -> str:
    """Return the name of a run, which is one folder. Raises RunError for slashes, dots alone and the like."""
    try:
        return normalize_label(name)
    except LabelError:
        raise RunError(f"The run name {name!r} is no folder name: use letters, digits and dashes.") from None


def free_run_name(wanted: str, runs: Path | None = None) -> str:
    """Return `wanted`, or `wanted-2`, `wanted-3` … when runs of that name exist."""
    folder, number, name = runs or RUNS, 1, wanted
    while (folder / name).exists():
        number += 1
        name = f"{wanted}-{number}"
    return name


def find_run(name: str | Path, runs: Path | None = None) -> Path:
    """Return the folder a run's name stands for: an existing folder, or that name under `exported_models/`.

    Raises RunError when neither exists.
    """
    path, under = Path(name), (runs or RUNS) / name
    for place in (path, under):
        if (place / "run.json").is_file():
            return place
    if path.is_dir() or under.is_dir():
        place = path if path.is_dir() else under
        raise RunError(f"{place} is no run: it has no run.json. Train one with `gesture-maker train DATASET`.")
    raise RunError(
        f'There is no run "{name}": neither {path} nor {under} exists. Train one with `gesture-maker train DATASET`.'
    )


def load_run(name: str | Path, runs: Path | None = None) -> Run:
    """Return an existing run, finished or not. Raises RunError when there is none or its `run.json` is damaged."""
    path = find_run(name, runs)
    try:
        description = json.loads((path / "run.json").read_text(encoding="utf-8"))
        if not isinstance(description["labels"], list):
            raise TypeError("labels")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path / 'run.json'} is damaged: train again.") from error
    return Run(path, description)


def load_finished_run(name: str | Path, runs: Path | None = None) -> Run:
    """Return a finished run. Raises RunError when it is not, saying how to finish it."""
    run = load_run(name, runs)
    if not run.finished:
        raise RunError(f'The run "{run.name}" was never finished: {how_to_resume(run)}.')
    weights = run.path / WEIGHTS
    try:
        same = sha256_of_file(weights) == run.description.get("weights_sha256")
    except OSError as error:
        raise RunError(f"{weights} cannot be read ({error.strerror}): train again.") from error
    if not same:
        raise RunError(f"{weights} is not what the training wrote: put that back, or train again.")
    return run


def how_to_resume(run: Run) -> str:
    """Return the end of a sentence about an unfinished run."""
    return f"continue it with `gesture-maker train --resume {shlex.quote(run.call)}`"


def write_csv(path: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as CSV in one step."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
