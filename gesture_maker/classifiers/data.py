"""The hands that classifiers are compared on, from a folder of photos or a table of landmarks."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import DatasetError
from gesture_maker.files import sha256_of
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE
from gesture_maker.landmarks.hands import POINTS, Floats, Hand, embedder_inputs
from gesture_maker.progress import Progress
from gesture_maker.training.crossvalidate import group_numbers
from gesture_maker.training.sources import FolderSource, TableSource, open_source
from gesture_maker.training.stream import sampled

MOST_HANDS = 100_000
"""Of a larger table so many are taken at random: as rows they take 50 MB, and a forest of 200 trees on them minutes."""

HELD_OUT = 5
"""One hand of so many is held out."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LabelledHands:
    """N hands, their classes, and what must not be split.

    `labels`: `none` first, which is there even when it has no hand; `rows`: float32 [N, 127], see `EmbedderInputs.rows`;
    `classes`: int64 [N], indices into `labels`; `groups`: the person or burst, empty where not known; `shas`: of the photos;
    `files`: their names. `without_hand`: photos that show none, by label; `warnings`: sentences for the user. `pixels`: float32
    [N, 21, 2], x and y of the landmarks in their photo, None where that is not known; for pictures only.
    """

    place: Path
    labels: tuple[str, ...]
    rows: Floats
    classes: Integers
    groups: tuple[str, ...]
    shas: tuple[str, ...]
    files: tuple[str, ...]
    without_hand: dict[str, int]
    warnings: tuple[str, ...] = ()
    pixels: Floats | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def kept_together(self) -> list[str]:
        """What hands have to share to stay on one side of a split: their group, or else the very same photo."""
        return [group or sha for group, sha in zip(self.groups, self.shas, strict=True)]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of labels, groups and hands, in whatever order."""
        lines = sorted(
            f"{self.labels[index]}\t{group}\t{sha}\t{sha256_of(row.tobytes())}\n"
            for index, group, sha, row in zip(self.classes.tolist(), self.groups, self.shas, self.rows, strict=True)
        )
        return sha256_of("".join(lines).encode("utf-8", "surrogatepass"))

    def counts(self) -> dict[str, int]:
        """Return how many hands each label has."""
        numbers = np.bincount(self.classes, minlength=len(self.labels))
        return {label: int(number) for label, number in zip(self.labels, numbers, strict=True)}

    def take(self, chosen: npt.NDArray[np.bool_] | Integers) -> LabelledHands:
        """Return some of the hands, by a mask or their numbers."""
        numbers = np.arange(len(self))[chosen].tolist()
        return LabelledHands(
            self.place,
            self.labels,
            self.rows[chosen],
            self.classes[chosen],
            tuple(self.groups[one] for one in numbers),
            tuple(self.shas[one] for one in numbers),
            tuple(self.files[one] for one in numbers),
            self.without_hand,
            self.warnings,
            None if self.pixels is None else self.pixels[chosen],
        )


def load_hands(
    place: Path,
    *,
    group_by: str | None = None,
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE,
    progress: Progress | None = None,
) -> LabelledHands:
    """Return the hands of a folder of class folders, or of a table of landmarks (Parquet, or CSV in HaGRID's layout).

    Photos are looked at, and what is found is kept in the dataset's table. They come in the order of their content, which has
    nothing to do with classes or names. Raises DatasetError when there are fewer than two classes with hands.
    """
    hands = hands_in(open_source(place, group_by, min_detection_confidence), place, progress)
    found = len(set(hands.classes.tolist()))
    if found < 2:
        raise DatasetError(
            f"{place} has hands of {found} {'class' if found == 1 else 'classes'} only: "
            "to tell classes apart there have to be two at least."
        )
    return hands


def hands_in(source: FolderSource | TableSource, place: Path, progress: Progress | None = None) -> LabelledHands:
    """Return the hands of what lies at `place`, see `load_hands`; there may be none at all."""
    about = source.warnings
    if isinstance(source, TableSource):
        where = None
        if source.survey.hands > MOST_HANDS:
            where = sampled(source.survey, np.ones(len(source), bool), MOST_HANDS)
            about += (f"Of the {source.survey.hands} hands in {place} a random sample of {MOST_HANDS} is used.",)
        photos = source.look(progress, where)
    else:
        photos = source.look(progress)
        source.remember(photos)
        empty = [label for label, count in source.counts.items() if not count and label != NONE]
        about += tuple(f'The class "{label}" in {place} is empty, and is left out.' for label in empty)
    with_hand = [(image, seen) for image, seen in photos if isinstance(seen.answer, Hand)]
    with_hand.sort(key=lambda one: (one[1].sha256, one[0].label, one[0].file))
    missed = Counter(image.label for image, seen in photos if not isinstance(seen.answer, Hand))
    found = {image.label for image, _ in with_hand}
    labels = (NONE, *(label for label in source.counts if label in found and label != NONE))
    hands = [seen.answer for _, seen in with_hand if isinstance(seen.answer, Hand)]
    return LabelledHands(
        place,
        labels,
        embedder_inputs(hands).rows(),
        np.array([labels.index(image.label) for image, _ in with_hand], np.int64),
        tuple(image.group if image.group and image.group != image.file else "" for image, _ in with_hand),
        tuple(seen.sha256 for _, seen in with_hand),
        tuple(image.file for image, _ in with_hand),
        dict(missed),
        about,
        _in_pixels(hands),
    )


def _in_pixels(hands: Sequence[Hand]) -> Floats:
    sizes = np.array([(one.width, one.height) for one in hands], np.float32).reshape(-1, 1, 2)
    return np.array([one.landmarks[:, :2] for one in hands], np.float32).reshape(-1, POINTS, 2) * sizes


def folds_of(hands: LabelledHands, folds: int, seed: int) -> Integers:
    """Return the fold of each hand, int64 [N], 0 to `folds` - 1: no group in two, each class spread as well as can be.

    Raises DatasetError when there are fewer groups than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    units = group_numbers(hands.kept_together)
    groups = len(set(units.tolist()))
    if groups < folds:
        raise DatasetError(
            f"{hands.place} has hands of {groups} {'person or burst' if groups == 1 else 'people or bursts'}, which cannot be "
            f"split into {folds} parts: add photos of others, or compare with fewer --folds."
        )
    largest = int(np.bincount(hands.classes).max(initial=0))
    if largest < folds:
        raise DatasetError(
            f"{hands.place} has {largest} {'hand' if largest == 1 else 'hands'} of a class at most, which cannot be split into "
            f"{folds} parts: add photos, or compare with fewer --folds."
        )
    # Of single hands the plain splitter is enough; the other looks at each of them in turn, 25,000 in 11 s.
    alone = groups == len(hands)
    splitter = (StratifiedKFold if alone else StratifiedGroupKFold)(folds, shuffle=True, random_state=seed)
    fold = np.zeros(len(hands), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about classes with fewer hands than folds
        for number, (_, tested) in enumerate(splitter.split(hands.classes, hands.classes, units)):
            fold[tested] = number
    return fold


def hold_out(hands: LabelledHands, seed: int) -> tuple[LabelledHands, LabelledHands]:
    """Return four fifths of the hands to search and train on, and a fifth to test on; no group is in both. Raises DatasetError.

    Of a class that is of one group only, nothing is held out: otherwise it would not be trained on.
    """
    held = folds_of(hands, HELD_OUT, seed) == 0
    units = group_numbers(hands.kept_together)
    untrained = np.setdiff1d(hands.classes[held], hands.classes[~held])
    held &= ~np.isin(units, units[held & np.isin(hands.classes, untrained)])
    return hands.take(~held), hands.take(held)


def on_labels_of(hands: LabelledHands, labels: Sequence[str]) -> LabelledHands:
    """Return hands with their classes as indices into other labels. Raises DatasetError when one of theirs is not among them."""
    unknown = sorted({hands.labels[index] for index in np.unique(hands.classes)} - set(labels))
    if unknown:
        raise DatasetError(
            f"{hands.place} has classes that were not trained on ({', '.join(unknown)}): both need the same classes."
        )
    place = np.array([labels.index(label) if label in labels else -1 for label in hands.labels])
    return LabelledHands(
        hands.place,
        tuple(labels),
        hands.rows,
        place[hands.classes],
        hands.groups,
        hands.shas,
        hands.files,
        hands.without_hand,
        hands.warnings,
        hands.pixels,
    )
