"""Training on more hands than are kept in memory: which of a table's rows go to which part.

Of a table with `STREAM_FROM` hands or more, 20 bytes a row are in memory, and the hands pass through it in batches. The head is
trained on all hands of the training part; measured on a random sample of the others, `SAMPLE` of each part, which the run keeps
with as many of the training part, so that everything that reads a run finds what it finds in any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.splitting import HANDS, PARTS
from gesture_maker.errors import RunError
from gesture_maker.training.table_source import Mask, Survey, survey, with_none

STREAM_FROM = 10_000
"""Hands from which on a table is streamed. In memory each comes with its mirror image and at least four variants of both: peak
memory was 1.3 GB with 10,000 hands, 1.9 with 20,000 and 3.1 with 40,000 (29 s of processor time); as a stream 1.14 GB with 10,000
(12 s), 1.27 with 100,000 (20 s) and 1.33 with 1,000,000 (56 s)."""

SAMPLE = 20_000
"""Hands of each part that a run keeps. Of 20,000 hands the accuracy is known to 0.002 (95 %, at 0.98)."""

TRAIN, VALIDATION, TEST = range(len(PARTS))

LARGEST_GROUPS = (0.2, 0.5)
"""Groups of more than this share of the hands are always trained on: first only such are held back as leave the parts near
their shares; where that holds back too little, larger ones."""


@dataclass(frozen=True, eq=False)
class Streamed:
    """A table that is trained on as a stream. `parts`: uint8 [N], of each row that counts the index of its part; `shares`: percent
    of each."""

    survey: Survey
    parts: npt.NDArray[np.uint8]
    shares: tuple[int, int, int]
    warnings: tuple[str, ...] = ()

    @property
    def trained_on(self) -> Mask:
        """The rows whose hands are trained on: bool [N]."""
        return np.asarray(self.survey.usable & (self.parts == TRAIN))

    def hands(self) -> dict[str, int]:
        """Return how many hands each part has."""
        numbers = np.bincount(self.parts[self.survey.usable], minlength=len(PARTS))
        return {part: int(number) for part, number in zip(PARTS, numbers, strict=True)}

    def sample(self, most: int | None = None) -> Mask:
        """Return which rows the run keeps, bool [N]: of each part `most` hands (`SAMPLE`), at random; of those that are not trained
        on, their share of the rows without one too."""
        most = most or SAMPLE
        chosen = np.zeros(len(self.survey), bool)
        for part in range(len(PARTS)):
            chosen |= sampled(self.survey, self.parts == part, most)
        return np.asarray(chosen & (self.survey.usable | (self.parts != TRAIN)))

    def as_dict(self) -> dict[str, Any]:
        """Return what `run.json` says of it."""
        of = self.survey
        return {
            "table": str(of.path.resolve()),
            "detection": of.detection,
            "group_by": of.group_by,
            "split": list(self.shares),
            "fingerprint": of.fingerprint,
            "rows": len(of),
            "hands": of.hands,
            "parts": self.hands(),
            "sample": SAMPLE,
            "without_a_hand": dict(of.reasons.most_common(10)),
        }


def sampled(of: Survey, among: Mask, most: int) -> Mask:
    """Return a random sample of the rows of a mask, bool [N]: `most` hands, and their share of the rows without one.

    Photos are chosen by their content, so that the same ones are chosen wherever they lie in the table.
    """
    hands = of.content[among & of.usable]
    if len(hands) <= most:
        return among
    return np.asarray(among & (of.content <= np.partition(hands, most - 1)[most - 1]))


def plan(of: Survey, shares: tuple[int, int, int], seed: int) -> Streamed:
    """Return the parts of a table's rows, the same for the same photos, shares and seed, in whatever order they come.

    Groups (or photos, where a row has none) are put in the order of a seeded hash; the first go to the test part until it has
    its share of the hands, the next to the validation part, all others to training. A group is never split. Where a class
    would not be trained on, its groups are; where there are too few groups for a test part, there is none, and for a
    validation part, it is taken row by row from the training part.
    """
    number, sizes = _units(of, seed)
    _, validation, test = (share / 100 for share in shares)
    for largest in LARGEST_GROUPS:
        fitting = sizes <= largest * of.hands
        begins = (np.cumsum(sizes * fitting) - sizes) / of.hands  # the share of the hands in all groups before it
        tested = sizes[fitting & (begins < test)].sum() / of.hands  # may be more than its share
        held_back = np.where(begins < test, TEST, np.where(begins < tested + validation, VALIDATION, TRAIN))
        part = np.where(fitting, held_back, TRAIN).astype(np.uint8)
        _train_every_class(of, part, number)
        parts = part[number]
        lacking = [
            one for one, share in ((TEST, test), (VALIDATION, validation)) if share and not _covers(of, parts, one)
        ]
        if not lacking:
            return Streamed(of, parts, shares)
    warnings = []
    if TEST in lacking:
        parts[parts == TEST] = TRAIN
        warnings.append(HANDS.no_test)
    if VALIDATION in lacking:
        parts[parts == VALIDATION] = TRAIN
        parts[(parts == TRAIN) & (_mixed(of.content, seed) < np.uint64(validation * 2**64))] = VALIDATION
        warnings.append(HANDS.no_validation)
    return Streamed(of, parts, shares, tuple(warnings))


def default_shares_of_many(hands: int) -> tuple[int, int, int]:
    """Return the shares when none are asked for: a tenth is held back for each part, or what makes up a sample of it."""
    held_back = min(10, max(1, -(-100 * SAMPLE // hands)))
    return 100 - 2 * held_back, held_back, held_back


def planned_again(streamed: Mapping[str, Any], seed: int) -> Streamed:
    """Return the stream that a run began with, by what `run.json` says. Raises RunError when its table is gone or is another."""
    path = Path(streamed["table"])
    if not path.is_file():
        raise RunError(f"{path}, which the run is trained on, is gone: put it back, or train again.")
    of = with_none(survey(path, 0.0, streamed["group_by"], streamed["detection"]))
    if of.fingerprint != streamed["fingerprint"]:
        raise RunError(f"{path} is not the table that the training began with: put that back, or train again.")
    train, validation, test = streamed["split"]
    return plan(of, (train, validation, test), seed)


def _units(of: Survey, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return of which group each row is, groups numbered in the order of their seeded hash, and how many hands each has."""
    units, number = np.unique(_mixed(of.unit, seed), return_inverse=True)
    return number, np.bincount(number[of.usable], minlength=len(units)).astype(np.int64)


def _mixed(hashes: npt.NDArray[np.uint64], seed: int) -> npt.NDArray[np.uint64]:
    """Return other hashes for another seed: the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    x = hashes + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _train_every_class(of: Survey, part: npt.NDArray[np.uint8], number: npt.NDArray[np.int64]) -> None:
    """Move groups to training until every class is in it: a class that is never trained on cannot be recognized."""
    trained = set(np.unique(of.classes[of.usable & (part[number] == TRAIN)]).tolist())
    for missing in sorted(set(np.unique(of.classes[of.usable]).tolist()) - trained):
        having = np.unique(number[of.usable & (of.classes == missing)])
        if not (part[having] == TRAIN).any():
            part[having[-1]] = TRAIN


def _covers(of: Survey, parts: npt.NDArray[np.uint8], part: int) -> bool:
    """Tell whether a part has hands of more than half of the classes: of fewer it says nothing about the others."""
    found = np.unique(of.classes[of.usable & (parts == part)])
    return 2 * len(found) > len(np.unique(of.classes[of.usable]))
