"""What a model is asked: labelled photos, or the landmarks of such photos, or those of its own test part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gesture_maker.dataset.folder import find_dataset, load_dataset
from gesture_maker.dataset.sentences import about_ignored
from gesture_maker.errors import DatasetError, RunError
from gesture_maker.evaluation import on_landmarks
from gesture_maker.files import sha256_of_file
from gesture_maker.training.crossvalidate import known_group
from gesture_maker.training.run import Run
from gesture_maker.training.run_folder import RunFolder

OWN_TEST_PART = "test"
"""How the results of a run's own test part are called."""


@dataclass(frozen=True)
class Photo:
    """A labelled photo. `file`: as its dataset calls it; `group`: the person or burst, empty where it is not known."""

    path: Path
    file: str
    label: str
    group: str


@dataclass(frozen=True, eq=False)
class Questions:
    """What a model is asked about: photos, or `rows` of landmarks where there are none.

    `name`: how the set is called; `images`: where it was found, None for a run's own test part; `warnings`: on what was
    passed over.
    """

    name: str
    images: Path | None
    photos: tuple[Photo, ...]
    rows: on_landmarks.Rows | None
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.photos) if self.rows is None else len(self.rows.files)

    @property
    def classes(self) -> set[str]:
        """The labels."""
        return {photo.label for photo in self.photos} if self.rows is None else set(self.rows.labels)

    @cached_property
    def shas(self) -> list[str]:
        """The SHA-256 of each photo, empty for one that is gone."""
        return self.rows.shas if self.rows is not None else [_content_of(photo.path) for photo in self.photos]


def find_photos(images: str | Path, group_by: str | None = None) -> Questions:
    """Return the photos of a folder of class folders, or of a dataset by its name. Raises DatasetError when there are none.

    `group_by`: a regular expression on file names, as for `train`.
    """
    place = find_dataset(images)
    data = load_dataset(place, group_by)
    if not data.images:
        raise DatasetError(f"There are no images in {place}: its class folders are empty.")
    photos = tuple(Photo(one.path, one.file, one.label, _known(one.group, one.file)) for one in data.images)
    return Questions(name_of(place), place, photos, None, tuple(about_ignored(data, place)))


def own_test_photos(run: RunFolder) -> Questions:
    """Return the photos of a run's own test part. Raises RunError when it has none, or one is gone."""
    photos = tuple(Photo(path, row.file, row.label, known_group(row)) for path, row in run.test_photos())
    return Questions(OWN_TEST_PART, None, photos, None, ())


def landmarks_of_table(
    images: str | Path, place: Path, min_detection_confidence: float, group_by: str | None
) -> Questions:
    """Return the rows of a table of landmarks, which `images` names and which lies at `place`. Raises DatasetError."""
    rows = on_landmarks.rows_of_table(place, min_detection_confidence, group_by)
    return Questions(name_of(Path(images).with_suffix("")), place, (), rows, rows.warnings)


def landmarks_of_test_part(run: Run) -> Questions:
    """Return the rows of the test part of a run that was trained from a table of landmarks."""
    rows = on_landmarks.rows_of_test_part(run)
    return Questions(OWN_TEST_PART, None, (), rows, rows.warnings)


def about_trained_on(run: RunFolder | None, shas: Sequence[str], things: str = "photos") -> list[str]:
    """Return a sentence when a run was trained on some of these photos (or `things`), which therefore say little."""
    if run is None:
        return []
    try:
        used = {row.sha256 for row in run.split() if row.part in ("train", "validation") and not row.reason}
    except RunError:  # a damaged list is no reason not to evaluate
        return []
    count = sum(sha256 in used for sha256 in shas)
    if not count:
        return []
    least = "at least " if run.description.get("streamed") else ""  # split.csv has a sample of what it was trained on
    return [f"The run was trained on {least}{count} of these {len(shas)} {things}: the accuracy flatters."]


def _known(group: str | None, file: str) -> str:
    return "" if group is None or group == file else group  # what --group-by does not match is called by its name


def name_of(place: Path) -> str:
    """Return how the results on these photos are called."""
    name = re.sub(r"[^\w.-]+", "_", place.resolve().name) or "images"
    if name == OWN_TEST_PART:  # photos/test: not to be taken for the run's own, nor written over it
        name = re.sub(r"[^\w.-]+", "_", f"{place.resolve().parent.name}_{name}")
    return name


def _content_of(path: Path) -> str:
    return sha256_of_file(path) if path.is_file() else ""
