"""Splitting a dataset into train, validation and test, by group and class.

Photos of one person or one burst look alike; on both sides of a split they flatter the measured accuracy. So a group
goes to one part as a whole, and the parts get about the wanted share of every class. A photo without a known group is a
group of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gesture_maker.errors import ConfigError, DatasetError

PARTS = ("train", "validation", "test")

DEFAULT_SHARES = (80, 10, 10)

ALL = (100, 0, 0)
"""Train on everything: nothing to choose the best epoch by, nothing to test on."""

FEW = 400
"""Usable hands below which nothing is held back unless asked for: a tenth as validation part cost 0.01 of accuracy at 30 and
at 100 hands, and a test part of fewer than 40 hands says little. Cross-validation tests on all of them instead."""


@dataclass(frozen=True)
class Words:
    """What `split` calls the things it splits. `one`, `many`: those that can be used; `all`: whether or not; `train_on_all`: how that is asked for."""

    one: str
    many: str
    all: str
    train_on_all: str = "train on all (--split 100,0,0)"

    @property
    def no_test(self) -> str:
        """What is said where nothing can be held back to test on."""
        return (
            f"All {self.all}, or all of most classes, are of one group (person or burst), so nothing can be held back to test on "
            f"other people: the accuracy shown is of the validation {self.all}."
        )

    @property
    def no_validation(self) -> str:
        """What is said where groups are on both sides of the validation part."""
        return f"There are too few groups for a validation part of its own: it is taken from the training {self.all}."


HANDS = Words("usable hand", "usable hands", "photos", "train on all with the recipe auto (--split 100,0,0)")


@dataclass(frozen=True)
class Split:
    """`parts`: for each photo, in order, one of `PARTS`. `warnings`: sentences on what the split cannot do."""

    parts: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def parse_shares(text: str) -> tuple[int, int, int]:
    """Return the shares of train, validation and test from `80,10,10`. Raises ConfigError for anything else."""
    try:
        shares = tuple(int(part) for part in text.split(","))
    except ValueError:
        shares = ()
    possible = len(shares) == 3 and sum(shares) == 100 and min(shares) >= 0 and shares[0] > 0
    if not possible or (shares[1] == 0 and shares != ALL):
        raise ConfigError(
            f'The split "{text}" has to be three whole numbers that add up to 100, such as 80,10,10 '
            "(train, validation, test; the last may be 0, or 100,0,0 to train on all)."
        )
    return shares[0], shares[1], shares[2]


def default_shares(hands: int) -> tuple[int, int, int]:
    """Return the shares for so many usable hands when none are asked for: all to train on when they are `FEW`."""
    return ALL if hands < FEW else DEFAULT_SHARES


def split(
    labels: Sequence[str],
    groups: Sequence[str | None],
    shares: tuple[int, int, int] = DEFAULT_SHARES,
    seed: int = 0,
    words: Words = HANDS,
) -> Split:
    """Return the part of each photo, the same for the same photos, shares and seed. `words`: for what is not photos with a hand.

    Whole groups are dealt out, largest first, each to the part that then is nearest to its share of every class, and
    every class is in the training part. Where there are too few groups for this to give a validation and a test part
    of most classes, the validation part is taken photo by photo from the training groups; where there are too few even
    to hold back a test part, there is none. `warnings` says so. With `ALL` everything is in the training part. Raises
    DatasetError when a class has fewer photos than there are parts.
    """
    if shares == ALL:
        return Split(("train",) * len(labels))
    wanted = [part for part, share in zip(PARTS, shares, strict=True) if share]
    counts = Counter(labels)
    for label, count in counts.items():
        if count < len(wanted):
            raise DatasetError(
                f'The class "{label}" has {count} {words.one if count == 1 else words.many}, but the split '
                f"({', '.join(wanted)}) needs at least {len(wanted)}: add {words.all} of it, remove the class, or "
                f"{words.train_on_all}."
            )
    units = [group if group else f"\0{index}" for index, group in enumerate(groups)]
    train, validation, test = shares
    apart = _repaired(
        _deal(labels, units, {"train": train, "validation": validation, "test": test}, seed), labels, units
    )
    if not test:
        if _covers(apart, labels, "validation"):
            return Split(tuple(apart))
        return Split(_validated(["train"] * len(units), labels, shares, seed), (words.no_validation,))
    held_back = _repaired(_deal(labels, units, {"train": train + validation, "test": test}, seed), labels, units)
    enough = _covers(apart, labels, "validation") and _covers(apart, labels, "test")
    if enough and len(_classes(apart, labels, "test")) >= len(_classes(held_back, labels, "test")):
        return Split(tuple(apart), _about_untested(apart, labels, words))
    parts = _validated(held_back, labels, shares, seed)
    if _covers(parts, labels, "test") and _covers(parts, labels, "validation"):
        return Split(parts, (words.no_validation, *_about_untested(parts, labels, words)))
    parts = _validated(["train"] * len(units), labels, shares, seed)
    return Split(parts, (words.no_test, words.no_validation))


def _classes(parts: Sequence[str], labels: Sequence[str], wanted: str) -> set[str]:
    return {label for label, part in zip(labels, parts, strict=True) if part == wanted}


def _covers(parts: Sequence[str], labels: Sequence[str], wanted: str) -> bool:
    """Tell whether a part has photos of more than half of the classes: of fewer it says nothing about the others."""
    return 2 * len(_classes(parts, labels, wanted)) > len(set(labels))


def _about_untested(parts: Sequence[str], labels: Sequence[str], words: Words) -> tuple[str, ...]:
    missing = sorted(set(labels) - _classes(parts, labels, "test"))
    names = ", ".join(f'"{label}"' for label in missing)
    sentence = f"The test part has no {words.all} of {names}: all their groups are needed for training."
    return (sentence,) if missing else ()


def _validated(parts: Sequence[str], labels: Sequence[str], shares: tuple[int, int, int], seed: int) -> tuple[str, ...]:
    """Take the validation part photo by photo from what is in train."""
    rest = [index for index, part in enumerate(parts) if part == "train"]
    alone = [str(index) for index in rest]
    train, validation, _ = shares
    dealt = _deal([labels[i] for i in rest], alone, {"train": train, "validation": validation}, seed)
    result = list(parts)
    for index, part in zip(rest, dealt, strict=True):
        result[index] = part
    return tuple(result)


def _deal(labels: Sequence[str], units: Sequence[str], shares: dict[str, int], seed: int) -> list[str]:
    """Deal groups to parts, largest first, each to where it brings all classes nearest to their shares."""
    names = sorted(set(labels))
    column = {label: index for index, label in enumerate(names)}
    members: dict[str, list[int]] = {}
    for index, unit in enumerate(units):
        members.setdefault(unit, []).append(index)
    order = list(members)
    np.random.default_rng(seed).shuffle(order)
    order.sort(key=lambda unit: -len(members[unit]))  # stable: equal sizes stay shuffled

    share = np.array([shares.get(part, 0) for part in PARTS], float) / sum(shares.values())
    totals = np.bincount([column[label] for label in labels], minlength=len(names)).astype(float)
    target = np.maximum(share[:, None] * totals, 1)  # [parts, classes]; at least one photo, however small the share
    have = np.zeros_like(target)
    parts = [""] * len(labels)
    for unit in order:
        added = np.bincount([column[labels[index]] for index in members[unit]], minlength=len(names))
        touched = added > 0
        lack = (target - have)[:, touched] / target[:, touched]
        lack[share == 0] = -np.inf
        part = int(np.argmax(lack @ added[touched]))
        have[part] += added
        for index in members[unit]:
            parts[index] = PARTS[part]
    return parts


def _repaired(parts: list[str], labels: Sequence[str], units: Sequence[str]) -> list[str]:
    """Move groups to train until every class is in it: a class that is never trained on cannot be recognized."""
    sizes = Counter(units)
    while missing := sorted(set(labels) - _classes(parts, labels, "train")):
        having = {unit for label, unit in zip(labels, units, strict=True) if label == missing[0]}
        moved = min(having, key=lambda unit: (sizes[unit], unit))
        parts = ["train" if unit == moved else part for unit, part in zip(units, parts, strict=True)]
    return parts
