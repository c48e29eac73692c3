"""A training on motions with everything it used, in a folder of its own under `exported_models/`.

motion.json     settings, features, labels, fingerprint of the data, checksums, and what was measured
split.csv       each clip of the dataset: its part, or why it was not used
sequences.npz   the windows of each part; makes --resume and eval independent of the clips
model.keras     the network, for further training; model.tflite: the same to be run, in built-in operations, without state
labels.txt      the labels in the order of its outputs
history.json, curves.png, confusion_matrix.png
"""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.errors import ConfigError, RunError
from gesture_maker.files import TEMPORARY_PREFIX, atomic_write, sha256_of_file, write_json, write_text
from gesture_maker.landmarks.hands import Floats
from gesture_maker.motion.features import Features
from gesture_maker.training.run import FINISHED, RUNS, UNFINISHED, valid_run_name, write_csv

DESCRIPTION, MODEL, KERAS, LABELS = "motion.json", "model.tflite", "model.keras", "labels.txt"
SEQUENCES, SPLIT = "sequences.npz", "split.csv"
KIND = "motion"


@dataclass(frozen=True, eq=False)
class Sequences:
    """The windows of one part: `x` float32 [N, T, F], `y` int64 [N] (numbers of labels), `clip` int64 [N], whose windows they are
    (row of `split.csv`)."""

    x: Floats
    y: npt.NDArray[np.int64]
    clip: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class ClipRow:
    """One clip in `split.csv`: its part, or empty with the `reason` why it was not used."""

    file: str
    label: str
    group: str
    part: str
    sha256: str
    reason: str


class MotionRun:
    """An existing run folder."""

    def __init__(self, path: Path, description: dict[str, Any]) -> None:
        self.path, self.description = path, description

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def call(self) -> str:
        """How a command names it: its name where that is enough, else its path."""
        return self.name if self.path.resolve() == (RUNS / self.name).resolve() else str(self.path)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes in the order of the network's outputs."""
        return tuple(self.description["labels"])

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
            raise RunError(f"{self.path / DESCRIPTION} is damaged: train again.") from error

    @property
    def finished(self) -> bool:
        """Whether the training came to its end."""
        return bool(self.description.get("status") == FINISHED)

    def update(self, **values: Any) -> None:
        """Change values of `motion.json`."""
        self.description |= values
        write_json(self.path / DESCRIPTION, self.description)

    def sequences(self, part: str) -> Sequences:
        """Return the windows of a part. Raises RunError when the file is damaged."""
        try:
            with np.load(self.path / SEQUENCES) as arrays:
                return Sequences(*(arrays[f"{part}_{name}"] for name in ("x", "y", "clip")))
        except Exception as error:  # numpy raises many kinds on damaged files
            raise RunError(f"{self.path / SEQUENCES} is missing or damaged: train again.") from error

    def split(self) -> list[ClipRow]:
        """Return what became of each clip. Raises RunError when `split.csv` is missing or damaged."""
        import csv

        try:
            with (self.path / SPLIT).open(encoding="utf-8", newline="") as file:
                rows = [ClipRow(**row) for row in csv.DictReader(file)]
            if any(None in vars(row).values() for row in rows):
                raise ValueError("values are missing")
        except (OSError, TypeError, ValueError, csv.Error) as error:
            raise RunError(f"{self.path / SPLIT} is missing or damaged: train again.") from error
        return rows

    def model(self) -> bytes:
        """Return `model.tflite`. Raises RunError when it is not what the training wrote."""
        path = self.path / MODEL
        try:
            same = sha256_of_file(path) == self.description.get("model_sha256")
            content = path.read_bytes()
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}): train again.") from error
        if not same:
            raise RunError(f"{path} is not what the training wrote: put that back, or train again.")
        return content

    def finish(self, **values: Any) -> None:
        """Mark it as finished, with the checksum of its model: the last thing that a training writes."""
        self.update(status=FINISHED, model_sha256=sha256_of_file(self.path / MODEL), **values)


def new_motion_run(
    name: str,
    description: Mapping[str, Any],
    split: Sequence[ClipRow],
    parts: Mapping[str, Sequences],
    runs: Path | None = None,
) -> MotionRun:
    """Make the folder of a new run, unfinished, with all that the training needs from now on, at once or not at all.

    Raises RunError when there is something of that name.
    """
    folder = (runs or RUNS) / valid_run_name(name)
    refuse_existing_motion(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=folder.parent) as temporary:
        unseen = MotionRun(Path(temporary) / folder.name, {"kind": KIND, "status": UNFINISHED, **description})
        unseen.path.mkdir()
        try:
            unseen.update()
            write_csv(unseen.path / SPLIT, [vars(row) for row in split], list(ClipRow.__dataclass_fields__))
            arrays = {f"{part}_{key}": value for part, its in parts.items() for key, value in vars(its).items()}
            with atomic_write(unseen.path / SEQUENCES) as file:
                np.savez_compressed(file, **arrays)
            write_text(unseen.path / LABELS, "".join(f"{label}\n" for label in unseen.labels))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error  # temporary names say nothing to a user
        try:
            unseen.path.rename(folder)
        except OSError:
            refuse_existing_motion(folder)  # another training of this name was quicker
            raise
    return MotionRun(folder, unseen.description)


def refuse_existing_motion(folder: Path) -> None:
    """Raise RunError when there is something at `folder`."""
    if not folder.exists():
        return
    if not (folder / DESCRIPTION).is_file():
        raise RunError(f"{folder} exists and is no training on motions: choose another --name.")
    run = load_motion_run(folder)
    if run.finished:
        raise RunError(f'There is already a run "{run.name}" ({folder}): choose another --name, or remove it.')
    raise RunError(f'The run "{run.name}" was never finished: {how_to_resume_motion(run)}, or choose another --name.')


def load_motion_run(name: str | Path, runs: Path | None = None) -> MotionRun:
    """Return an existing run, finished or not, by its folder or its name under `exported_models/`.

    Raises RunError when there is none, or its description is damaged.
    """
    path, under = Path(name), (runs or RUNS) / name
    place = next((one for one in (path, under) if (one / DESCRIPTION).is_file()), None)
    if place is None:
        there = next((one for one in (path, under) if one.is_dir()), None)
        what = f"{there} is no training on motions" if there else f'There is no run "{name}"'
        raise RunError(f"{what}: make one with `gesture-maker motion train DATASET`.")
    try:
        description = json.loads((place / DESCRIPTION).read_text(encoding="utf-8"))
        run = MotionRun(place, description)
        if description["kind"] != KIND or not run.labels or not all(isinstance(label, str) for label in run.labels):
            raise TypeError("kind or labels")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{place / DESCRIPTION} is damaged: train again.") from error
    return run


def load_finished_motion_run(name: str | Path, runs: Path | None = None) -> MotionRun:
    """Return a finished run. Raises RunError when it is not, saying how to finish it."""
    run = load_motion_run(name, runs)
    if not run.finished:
        raise RunError(f'The run "{run.name}" was never finished: {how_to_resume_motion(run)}.')
    return run


def how_to_resume_motion(run: MotionRun) -> str:
    """Return the end of a sentence about an unfinished run."""
    return f"continue it with `gesture-maker motion train --resume {shlex.quote(run.call)}`"
