"""What in a table of landmarks is usable, what is not, and why, with pictures of its hands.

It reads a table as a training does, a batch at a time, and keeps of a row what its survey keeps; hands are in memory of a sample
only, and names of those rows that something is said about.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

import numpy as np

from gesture_maker.classifiers.data import MOST_HANDS, hands_in
from gesture_maker.classifiers.data_plots import CHECK_PREFIX, Balance, save_data_plots
from gesture_maker.dataset.checking import (
    Check,
    ClassCount,
    Finding,
    PhotoFacts,
    about_classes,
    about_duplicates,
    about_unused,
)
from gesture_maker.dataset.folder import ImageDataset
from gesture_maker.errors import ConfigError
from gesture_maker.landmarks.hands import NoHand
from gesture_maker.landmarks.table import TABLE_NAME, table_path
from gesture_maker.progress import Progress
from gesture_maker.training.sources import TableSource
from gesture_maker.training.table_source import Mask, Survey, hands_of, read

ROW = "row"


def check_table(
    path: Path,
    out: Path | None,
    group_by: str | None,
    min_detection_confidence: float,
    progress: Progress | None = None,
) -> Check:
    """Return what is in a table of landmarks, with `classes.png`, `skeletons.png` and `normalized.png` in the folder `out`.

    By default they lie beside the table, with its name (of a dataset's own table, "check") before theirs, or in the user's cache when that folder is read-only.
    Raises DatasetError for a file that is no table of landmarks, ConfigError when `out` is no folder.
    """
    if out is not None and (out.is_file() or out.suffix.lower() == ".png"):
        raise ConfigError(
            f"{out} is no folder: several pictures are made of a table, give the name of a folder for them."
        )
    source = TableSource(path, group_by, min_detection_confidence)
    survey = source.survey
    hands = hands_in(source, path, progress)
    balance = Balance.of(hands)
    if survey.hands > MOST_HANDS:  # and so they are but a sample
        balance = _balance_of(survey)
    rows = survey.counts()
    classes = tuple(
        ClassCount(label, rows[label], usable, balance.groups.get(label, 0))
        for label, usable in survey.counts(survey.usable).items()
    )
    unused, why_not = _unused(survey)
    findings = [
        *about_classes(classes, ROW),
        *(Finding("warning", sentence) for sentence in source.warnings),
        *_repeated(survey),
        *why_not,
    ]
    folder, prefix = (out, "") if out else _beside(path)
    pictures = save_data_plots(hands, folder, prefix, balance)
    return Check(
        path, classes, tuple(sorted(findings, key=lambda one: one.level)), unused, contact_sheet=None, pictures=pictures
    )


def _balance_of(survey: Survey) -> Balance:
    """Return the balance of all rows of a table, by the hashes that its survey has of groups."""
    known = survey.usable & (survey.unit != survey.content)
    pairs = np.unique(np.stack([survey.classes[known].astype(np.uint64), survey.unit[known]]), axis=1)
    groups = np.bincount(pairs[0].astype(np.int64), minlength=len(survey.labels)).tolist()
    missed = survey.counts(~survey.usable)
    return Balance(
        survey.counts(survey.usable),
        {label: count for label, count in missed.items() if count},
        dict(zip(survey.labels, groups, strict=True)),
        len(np.unique(pairs[1])),
    )


def _unused(survey: Survey) -> tuple[tuple[tuple[Path, str], ...], list[Finding]]:
    """Return the rows that show no hand, each with its reason, and a finding for each reason."""
    found = read(survey, ~survey.usable) if not survey.usable.all() else []
    facts = [
        PhotoFacts(seen.sha256, usable=False, reason=seen.answer.reason)
        for _, seen in found
        if isinstance(seen.answer, NoHand)
    ]
    data = ImageDataset(survey.path.parent, tuple(image for image, _ in found))
    unused = tuple((image.path, fact.reason) for (image, _), fact in zip(found, facts, strict=True))
    return unused, about_unused(data, facts, ROW)


def _repeated(survey: Survey) -> list[Finding]:
    """Return findings about hands that are there twice: rows of one photo that also have the same landmarks.

    One photo may well have several rows: HaGRID's have a box around each hand.
    """
    values, counts = np.unique(survey.content[survey.usable], return_counts=True)
    candidates: Mask = survey.usable & np.isin(survey.content, values[counts > 1])
    places: dict[bytes, list[int]] = defaultdict(list)
    if candidates.any():
        for numbers, hands in hands_of(survey, candidates):
            for number, row in zip(numbers.tolist(), hands.rows(), strict=True):
                key = hashlib.blake2b(row.tobytes(), digest_size=16, key=survey.content[number].tobytes()).digest()
                places[key].append(number)
    same = {number: key for key, numbers in places.items() if len(numbers) > 1 for number in numbers}
    if not same:
        return []
    chosen = np.zeros(len(survey), bool)
    chosen[list(same)] = True
    images = tuple(image for image, _ in read(survey, chosen))
    facts = [PhotoFacts(same[number].hex(), usable=True) for number in np.flatnonzero(chosen).tolist()]
    return about_duplicates(ImageDataset(survey.path.parent, images), facts, ROW)


def _beside(path: Path) -> tuple[Path, str]:
    """Return the folder for the pictures of a table, and what comes before their names there."""
    table = table_path(path.resolve().parent)
    prefix = CHECK_PREFIX if path.name == TABLE_NAME else f"{path.stem}_"
    beside = table.parent == path.resolve().parent
    return (path.parent, prefix) if beside else (table.parent, f"{table.stem}_{prefix}")
