"""Which hands of a comparison are searched on, and which are held out until the end."""

from __future__ import annotations

from dataclasses import dataclass

from gesture_maker.classifiers.data import HELD_OUT, Integers, LabelledHands, folds_of, hold_out, on_labels_of
from gesture_maker.dataset.sentences import about_shared
from gesture_maker.errors import DatasetError
from gesture_maker.training.crossvalidate import group_numbers


@dataclass(frozen=True, eq=False)
class Parts:
    """The hands to search on, their folds (int64 [N]), those held out, and sentences for the user."""

    search: LabelledHands
    fold: Integers
    folds: int
    test: LabelledHands
    warnings: tuple[str, ...]


def parts_of(hands: LabelledHands, test: LabelledHands | None, folds: int, seed: int) -> Parts:
    """Return what is searched on and what is held out; with `test` that.

    There are fewer folds where there are fewer groups, or hands of a class. Raises DatasetError when there are too few to hold any
    back, or classes without a hand.
    """
    missed = [label for label in hands.without_hand if label not in hands.labels]
    if missed:
        raise DatasetError(
            f'No hand was found in any of the {hands.without_hand[missed[0]]} photos of the class "{missed[0]}" in '
            f"{hands.place}: take others, or remove it."
        )
    about = [*hands.warnings, *_about_missed(hands)]
    if test is None:
        _check_enough(hands)
        search_on, held_out = hold_out(hands, seed)
        if not len(held_out):
            raise DatasetError(
                f"Nothing in {hands.place} can be held out without leaving a class untrained: add photos of other people, or "
                "name another dataset with --test."
            )
    else:
        search_on, held_out = hands, on_labels_of(test, hands.labels)
        about += [*test.warnings, *_about_missed(test)]
        about += about_shared(test.place, hands.place, set(test.shas), hands.shas)
    untested = sorted({label for label, count in search_on.counts().items() if count and not held_out.counts()[label]})
    if untested:
        about.append(f"No hand of {', '.join(untested)} is held out: how well that is recognized is not tested.")
    groups = len(set(group_numbers(search_on.kept_together).tolist()))
    most = min(folds, groups, max(search_on.counts().values()))
    if 2 <= most < folds:
        about.append(
            f"There are {most} folds, not {folds}: the hands to search on are of {groups} people, bursts or single photos, "
            f"and at most {max(search_on.counts().values())} of a class."
        )
    fold = folds_of(search_on, max(2, most), seed)
    for number in range(int(fold.max()) + 1):
        trained = set(search_on.classes[fold != number].tolist())
        if len(trained) < 2 or not (fold == number).any():
            raise DatasetError(
                f"The hands of {hands.place} hang together too much to be cross-validated: without one of the {most} parts, "
                "fewer than two classes are left. Add photos of other people."
            )
    return Parts(search_on, fold, int(fold.max()) + 1, held_out, tuple(about))


def _about_missed(hands: LabelledHands) -> list[str]:
    """Say how many photos show no usable hand: `eval` counts them as wrong, and here they are not counted."""
    missed = sum(hands.without_hand.values())
    if not missed:
        return []
    what = "photo shows no usable hand and is" if missed == 1 else "photos show no usable hand and are"
    return [f"{missed} {what} not counted here (of {hands.place})."]


def _check_enough(hands: LabelledHands) -> None:
    groups, most = len(set(hands.kept_together)), max(hands.counts().values())
    if min(groups, most) < HELD_OUT:
        few = f"only {most} of a class at most" if most < HELD_OUT else f"of only {groups} people or bursts"
        raise DatasetError(
            f"{hands.place} has {len(hands)} hands, {few}: that is too few to hold a fifth back. Add photos, or name another "
            "dataset with --test."
        )
