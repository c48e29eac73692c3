"""What to do next: sentences by rule, each with the number behind it, the most useful first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.names import NONE
from gesture_maker.evaluation.diagnose import ClassLine, Confusion, Suspect
from gesture_maker.evaluation.estimate import A_GUESS, MORE_PEOPLE
from gesture_maker.landmarks.hands import NOT_FOUND, EmbedderInputs
from gesture_maker.training.run_folder import SplitRow

ONE_SIDED = 0.95  # share of a class's hands from which on it is called one-sided; of 10 hands, all
ENOUGH_TO_JUDGE = 10  # hands below which one-sidedness is chance
FEWER = 0.5  # of the median of the classes, below which a class lacks hands or people
MISSED = 0.1  # share of a class's photos without a hand from which on it is worth a word
MOSTLY_ONE = 0.5  # of the wrong answers, from which on one person or burst is named


def advice(
    lines: Sequence[ClassLine],
    confusions: Sequence[Confusion],
    suspects: Sequence[Suspect],
    hands: EmbedderInputs,
    classes: npt.NDArray[np.int64],
    rows: Sequence[SplitRow],
) -> tuple[str, ...]:
    """Return what to do next: photos to look at, and what to photograph.

    `hands`, `classes`: of the N usable hands, `classes` indices into `lines`; `rows`: all photos, those without a hand too.
    """
    return (
        *_about_suspects(suspects),
        *_about_the_worst(lines, confusions),
        *_about_one_person(confusions),
        *_about_people(lines),
        *_about_few_hands(lines),
        *_about_none(lines),
        *_about_sides(lines, hands, classes),
        *_about_missed(rows),
    )


def _about_suspects(suspects: Sequence[Suspect]) -> list[str]:
    if not suspects:
        return []
    if len(suspects) == 1:
        return [
            f"First look at {suspects[0].file}, which counts as wrong here: if it is in the wrong folder, move it, and train again."
        ]
    return [
        f"First look at the {len(suspects)} photos that look mislabelled, which count as wrong here: move those that are in a "
        "wrong folder, and train again."
    ]


def _about_the_worst(lines: Sequence[ClassLine], confusions: Sequence[Confusion]) -> list[str]:
    tested = [line for line in lines if line.recall is not None and line.right < line.tested]
    if not tested:
        return []
    worst = min(tested, key=lambda line: (line.recall or 0.0, -line.tested))
    partner = next(one for one in confusions if one.label == worst.label)  # the most frequent comes first
    wrong = worst.tested - worst.right
    which = "all" if partner.count == wrong else f"{partner.count}"
    taken = f'taken for "{partner.answer}"' if wrong == 1 else f'{which} of them taken for "{partner.answer}"'
    return [
        f'Photograph more of "{worst.label}": {wrong} of {worst.tested} were not recognized, {taken}. Show what tells it '
        f"from {_quoted(partner.answer)}, with every person and from several sides."
    ]


def _about_one_person(confusions: Sequence[Confusion]) -> list[str]:
    wrong: Counter[str] = Counter()
    for one in confusions:
        wrong.update(dict(one.groups))
    total = sum(wrong.values())
    wrong.pop("", None)
    if not wrong:
        return []
    group, count = wrong.most_common(1)[0]
    if count < 3 or count < MOSTLY_ONE * total:
        return []
    return [
        f"{count} of the {total} wrong answers are to photos of {_quoted(group)}: look at these first, and photograph others "
        "who do it that way."
    ]


def _about_people(lines: Sequence[ClassLine]) -> list[str]:
    known = [line for line in lines if line.groups]
    if not known:
        return []
    usual = float(np.median([line.groups for line in known]))
    fewest = min(known, key=lambda line: line.groups)
    if fewest.groups < FEWER * usual:
        return [
            f'"{fewest.label}" is of {_count(fewest.groups, "person or burst", "people or bursts")}, the other classes of '
            f"{usual:g} (median): photograph it with more people."
        ]
    if usual < A_GUESS:
        return [f"Each class is of about {usual:g} people or bursts: photograph {MORE_PEOPLE} more people."]
    return []


def _about_few_hands(lines: Sequence[ClassLine]) -> list[str]:
    gestures = [line for line in lines if line.label != NONE]
    usual = float(np.median([line.hands for line in gestures]))
    fewest = min(gestures, key=lambda line: line.hands)
    if fewest.hands >= FEWER * usual:
        return []
    return [
        f'"{fewest.label}" has {_count(fewest.hands, "usable hand", "usable hands")}, the other gestures {usual:g} (median): '
        "photograph it more often."
    ]


def _about_none(lines: Sequence[ClassLine]) -> list[str]:
    usual = float(np.median([line.hands for line in lines if line.label != NONE]))
    none = sum(line.hands for line in lines if line.label == NONE)
    if none >= FEWER * usual:
        return []
    has = f'"{NONE}" has {_count(none, "usable hand", "usable hands")}'
    return [
        f"{has}, a gesture {usual:g} (median): photograph relaxed hands, hands on their way from one gesture to another, and "
        "gestures that are none of yours."
    ]


def _about_sides(lines: Sequence[ClassLine], hands: EmbedderInputs, classes: npt.NDArray[np.int64]) -> list[str]:
    right = hands.handedness[:, 0] > 0.5
    front = _front(hands)
    every = range(len(lines))
    one_hand = [n for n in every if _one_sided(right[classes == n])]
    one_side = [n for n in every if _one_sided(front[classes == n])]
    sentences = []
    judged = [n for n in every if (classes == n).sum() >= ENOUGH_TO_JUDGE]
    if one_hand:
        of_right = np.mean(right[np.isin(classes, one_hand)]) > 0.5
        name, other = ("right", "left") if of_right else ("left", "right")
        which = np.isin(classes, one_hand) & (right == of_right)
        total = int(np.isin(classes, one_hand).sum())
        sentences.append(
            f"{int(which.sum())} of {total} hands {_of_classes(one_hand, judged, lines)} are {name} hands: photograph some "
            f"{other} ones too."
        )
    if one_side:
        total = int(np.isin(classes, one_side).sum())
        same = sum(int(max(np.sum(front[classes == n]), np.sum(~front[classes == n]))) for n in one_side)
        sentences.append(
            f"{same} of {total} hands {_of_classes(one_side, judged, lines)} are seen from one side (palm or back): if the "
            "other side will be seen too, photograph it."
        )
    return sentences


def _one_sided(values: npt.NDArray[np.bool_]) -> bool:
    return len(values) >= ENOUGH_TO_JUDGE and (values.mean() >= ONE_SIDED or values.mean() <= 1 - ONE_SIDED)


def _of_classes(some: Sequence[int], judged: Sequence[int], lines: Sequence[ClassLine]) -> str:
    if len(some) == len(judged):
        return "of all classes"
    names = ", ".join(f'"{lines[n].label}"' for n in some)
    return f"of {names}"


def _front(hands: EmbedderInputs) -> npt.NDArray[np.bool_]:
    """Return which of the two sides of each hand the camera sees: palm or back, the same for left and right hands."""
    points = hands.world_hand
    out = np.cross(points[:, 5] - points[:, 0], points[:, 17] - points[:, 0])[:, 2]  # along the camera's axis
    return np.asarray((out > 0) == (hands.handedness[:, 0] > 0.5))


def _about_missed(rows: Sequence[SplitRow]) -> list[str]:
    photos = Counter(row.label for row in rows)
    missed = Counter(row.label for row in rows if row.reason == NOT_FOUND.reason)
    if not missed:
        return []
    label = max(missed, key=lambda label: (missed[label] / photos[label], missed[label]))
    if missed[label] < MISSED * photos[label]:
        return []
    return [
        f'In {missed[label]} of {photos[label]} photos of "{label}" no hand was found: take them with the whole hand in the '
        "picture and some room around it."
    ]


def _quoted(name: str) -> str:
    return f'"{name}"'


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
