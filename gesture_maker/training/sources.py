"""What a training is given, a folder of photos or a table of landmarks, behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from gesture_maker.dataset.folder import LabelledImage, load_dataset
from gesture_maker.landmarks.engine import Seen, find_hands
from gesture_maker.landmarks.hands import Hand
from gesture_maker.landmarks.making import name_rows
from gesture_maker.landmarks.mirror import to_mirror
from gesture_maker.landmarks.table import LandmarkTable, table_path
from gesture_maker.progress import Progress
from gesture_maker.training.table_source import Mask, Survey, is_table, read, read_mirrored, survey, with_none


class Source(Protocol):
    """Labelled photos, some of which show a hand. `counts`: photos by label, in the order of the head's outputs."""

    root: Path
    counts: dict[str, int]
    ignored: tuple[tuple[Path, str], ...]
    warnings: tuple[str, ...]

    def __len__(self) -> int: ...

    def look(self, progress: Progress | None) -> list[tuple[LabelledImage, Seen]]:
        """Return all photos and what is seen in them."""

    def look_in_mirror(self, photos: Sequence[LabelledImage], progress: Progress | None) -> list[Hand | None]:
        """Return the hands in the mirror images of some of the photos, None where none is found or nobody looked."""

    def remember(self, photos: Sequence[tuple[LabelledImage, Seen]]) -> None:
        """Write down what the photos are called, so that the next training needs nothing but the table."""


class FolderSource:
    """A dataset's folder: its photos are looked at, and what is found is kept in its table."""

    warnings: tuple[str, ...] = ()

    def __init__(self, root: Path, group_by: str | None, min_detection_confidence: float) -> None:
        self._data = load_dataset(root, group_by)
        self._confidence = min_detection_confidence
        self.root, self.counts, self.ignored = self._data.root, self._data.counts, self._data.ignored

    def __len__(self) -> int:
        return len(self._data.images)

    def look(self, progress: Progress | None) -> list[tuple[LabelledImage, Seen]]:
        """Return all photos and what is seen in them."""
        return list(zip(self._data.images, self._find(self._data.images, False, progress), strict=True))

    def look_in_mirror(self, photos: Sequence[LabelledImage], progress: Progress | None) -> list[Hand | None]:
        """Return the hands in the mirror images of some of the photos."""
        return [one.answer if isinstance(one.answer, Hand) else None for one in self._find(photos, True, progress)]

    def remember(self, photos: Sequence[tuple[LabelledImage, Seen]]) -> None:
        """Write down in the table what the photos are called."""
        table = LandmarkTable.open(table_path(self.root))
        name_rows(table, [image for image, _ in photos], [seen for _, seen in photos], self._confidence)

    def _find(self, photos: Sequence[LabelledImage], mirrored: bool, progress: Progress | None) -> list[Seen]:
        table = LandmarkTable.open(table_path(self.root))
        paths = [photo.path for photo in photos]
        return find_hands(paths, table, self._confidence, progress=progress, mirrored=mirrored)


class TableSource:
    """A table of landmarks: nothing is looked at."""

    ignored: tuple[tuple[Path, str], ...] = ()

    def __init__(self, path: Path, group_by: str | None, min_detection_confidence: float) -> None:
        # A table has no empty folders: that there is no row of `none` says that `none` is empty.
        self.survey: Survey = with_none(survey(path, min_detection_confidence, group_by))
        self.root, self.counts, self.warnings = path, self.survey.counts(), self.survey.warnings

    def __len__(self) -> int:
        return len(self.survey)

    def look(self, progress: Progress | None, where: Mask | None = None) -> list[tuple[LabelledImage, Seen]]:
        """Return the photos (those of a mask), and what was seen in them."""
        photos: list[tuple[LabelledImage, Seen]] = [*read(self.survey, where)]
        if progress:
            progress(len(photos), len(photos))
        return photos

    def look_in_mirror(self, photos: Sequence[LabelledImage], progress: Progress | None) -> list[Hand | None]:
        """Return the hands in the mirror images of some of the photos, where the table has them."""
        found = read_mirrored(self.survey, {photo.file for photo in photos})
        if progress:
            progress(len(photos), len(photos))
        return [found.get(photo.file) for photo in photos]

    def remember(self, photos: Sequence[tuple[LabelledImage, Seen]]) -> None:
        """Do nothing: the names are from the table."""


def open_source(place: Path, group_by: str | None, min_detection_confidence: float) -> FolderSource | TableSource:
    """Return what lies at a path. Raises DatasetError when it is neither a dataset nor a table of landmarks."""
    kind = TableSource if is_table(place) else FolderSource
    return kind(place, group_by, min_detection_confidence)


def mirrored_of(
    source: Source, photos: Sequence[tuple[LabelledImage, Seen]], limit: int, progress: Progress | None
) -> list[Hand | None]:
    """Return the hand in the mirror image of each photo; of `limit` photos at most, see `to_mirror`, for the others None."""
    usable = [isinstance(seen.answer, Hand) for _, seen in photos]
    labels, shas = [image.label for image, _ in photos], [seen.sha256 for _, seen in photos]
    chosen = to_mirror(labels, shas, np.array(usable, bool), limit).tolist()
    found: list[Hand | None] = [None] * len(photos)
    for index, hand in zip(chosen, source.look_in_mirror([photos[i][0] for i in chosen], progress), strict=True):
        found[index] = hand
    return found
