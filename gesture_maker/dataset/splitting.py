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
    if len(shares) != 3 or sum(shares) != 100 or min(shares) < 0 or shares[0] == 0 or shares[1] == 0:
        raise ConfigError(
            f'The split "{text}" has to be three whole numbers that add up to 100, such as 80,10,10 '
            "(train, validation, test; only the last may be 0)."
        )
    return shares[0], shares[1], shares[2]


def split(
    labels: Sequence[str],
    groups: Sequence[str | None],
    shares: tuple[int, int, int] = DEFAULT_SHARES,
    seed: int = 0,
) -> Split:
    """Return the part of each photo, the same for the same photos, shares and seed.

    Whole groups are dealt out, largest first, each to the part that then is nearest to its share of every class. With
    one group in all there is no test part, and with one or two the validation part is taken photo by photo from the
    training groups; `warnings` says so. Raises DatasetError when a class has fewer photos than there are parts.
    """
    wanted = [part for part, share in zip(PARTS, shares, strict=True) if share]
    counts = Counter(labels)
    for label, count in counts.items():
        if count < len(wanted):
            raise DatasetError(
                f'The class "{label}" has {count} usable {"hand" if count == 1 else "hands"}, but the split '
                f"({', '.join(wanted)}) needs at least {len(wanted)}: add photos of it, or remove the class."
            )
    units = [group if group else f"\0{index}" for index, group in enumerate(groups)]
    distinct = len(set(units))
    if distinct >= len(PARTS):
        parts = _deal(labels, units, dict(zip(PARTS, shares, strict=True)), seed)
        return Split(tuple(_repaired(parts, labels, units)), ())
    return _with_few_groups(labels, units, shares, seed, distinct)


def _with_few_groups(
    labels: Sequence[str], units: Sequence[str], shares: tuple[int, int, int], seed: int, distinct: int
) -> Split:
    train, validation, test = shares
    alone = [f"\0{index}" for index in range(len(units))]
    parts = ["train"] * len(units)
    warnings = []
    rest = list(range(len(units)))
    if distinct == 2 and test:
        smaller = min(set(units), key=lambda unit: (units.count(unit), unit))
        missing = sorted(set(labels) - {label for label, unit in zip(labels, units, strict=True) if unit != smaller})
        if not missing:
            for index in rest:
                parts[index] = "test" if units[index] == smaller else "train"
            rest = [index for index in rest if parts[index] == "train"]
    if test and "test" not in parts:
        warnings.append(
            "All photos are of one group (person or burst), so nothing can be held back to test on other people: "
            "the accuracy shown is of the validation photos."
        )
    warnings.append("There are too few groups for a validation part of its own: it is taken from the training photos.")
    dealt = _deal(
        [labels[i] for i in rest], [alone[i] for i in rest], {"train": train, "validation": validation, "test": 0}, seed
    )
    for index, part in zip(rest, dealt, strict=True):
        parts[index] = part
    return Split(tuple(parts), tuple(warnings))


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

    share = np.array([shares[part] for part in PARTS], float) / sum(shares.values())
    totals = np.bincount([column[label] for label in labels], minlength=len(names)).astype(float)
    target = share[:, None] * totals  # [parts, classes]
    have = np.zeros_like(target)
    parts = [""] * len(labels)
    for unit in order:
        added = np.bincount([column[labels[index]] for index in members[unit]], minlength=len(names))
        touched = added > 0
        lack = (target - have)[:, touched] / np.maximum(target[:, touched], 0.5)
        lack[share == 0] = -np.inf
        part = int(np.argmax(lack @ added[touched]))
        have[part] += added
        for index in members[unit]:
            parts[index] = PARTS[part]
    return parts


def _repaired(parts: list[str], labels: Sequence[str], units: Sequence[str]) -> list[str]:
    """Move groups to train until every class is in it: a class that is never trained on cannot be recognized."""
    while True:
        trained = {label for label, part in zip(labels, parts, strict=True) if part == "train"}
        missing = sorted(set(labels) - trained)
        if not missing:
            return parts
        moved = next(unit for label, unit in zip(labels, units, strict=True) if label == missing[0])
        parts = ["train" if unit == moved else part for unit, part in zip(units, parts, strict=True)]
