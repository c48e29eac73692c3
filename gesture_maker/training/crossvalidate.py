"""How well heads do that were trained without a hand and all others of its person or burst: cross-validation by group.

With few photos nothing can be spared for a test part, and a tenth of them would say little. Here every hand is tested once,
by a head that is trained exactly as the final one, but on the other folds. It costs a training per fold.
"""

from __future__ import annotations

import functools
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import RunError
from gesture_maker.files import atomic_write, sha256_of, sha256_of_file
from gesture_maker.landmarks.hands import EmbedderInputs, Floats
from gesture_maker.progress import Progress
from gesture_maker.training.enrich import Embed
from gesture_maker.training.fitting import fit_head, hands_to_train_on, hparams_of, one_ahead
from gesture_maker.training.keeper import EpochReport
from gesture_maker.training.model_maker import LabelledEmbeddings, load_model_maker
from gesture_maker.training.run import Run, by_content
from gesture_maker.training.run_folder import SplitRow

Integers = npt.NDArray[np.int64]

FOLDS = 5

MOST_HANDS = 10_000
"""Of a run that keeps more hands so many are cross-validated, at random: in memory they take 1.2 GB, four times as many 3.1."""

CROSS_VALIDATION = "cross_validation.npz"


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What heads that did not see a hand, nor others of its group, answer to it; for N hands of a run's own photos.

    `scores`: float32 [N, classes], not calibrated, a row of NaN where the class could not be tested; `classes`: int64 [N];
    `fold`: int64 [N]; `rows`: the N lines of `split.csv`.
    """

    scores: Floats
    classes: Integers
    fold: Integers
    rows: tuple[SplitRow, ...]

    def __post_init__(self) -> None:
        if not len(self.scores) == len(self.classes) == len(self.fold) == len(self.rows):
            raise ValueError("scores, classes, fold and rows are not of the same hands")

    @property
    def tested(self) -> npt.NDArray[np.bool_]:
        """Which hands have scores: bool [N]."""
        return np.asarray(~np.isnan(self.scores).any(axis=1))

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each hand, empty where it is not known."""
        return tuple(known_group(row) for row in self.rows)


def known_group(row: SplitRow) -> str:
    """Return the person or burst of a photo, empty when it is not known: `--group-by` calls what does not match by its name."""
    return "" if row.group == row.file else row.group


@dataclass(frozen=True, eq=False)
class OwnHands:
    """The hands of a run's dataset, whatever part they are in, without those of `--test`; in the order of their content.

    `MOST_HANDS` of them at most.
    """

    rows: tuple[SplitRow, ...]
    hands: EmbedderInputs
    mirrored: EmbedderInputs | None
    embedded: LabelledEmbeddings


def own_hands(run: Run) -> OwnHands:
    """Return the hands that a run was given to train, validate and test on. Raises RunError for a run of an older version."""
    parts = ["train", "validation"] + ([] if run.description.get("test_dataset") else ["test"])
    rows = [row for part in parts for row in run.rows_of_hands(part)]
    order = sorted(range(len(rows)), key=lambda index: by_content(rows[index]))[:MOST_HANDS]
    hands = [run.hands(part) for part in parts]
    mirrored = [one for part in parts if (one := run.mirrored_hands(part)) is not None]
    embedded = [run.embeddings(part) for part in parts]
    return OwnHands(
        tuple(rows[index] for index in order),
        hands[0].joined(*hands[1:]).take(order),
        mirrored[0].joined(*mirrored[1:]).take(order) if mirrored else None,
        LabelledEmbeddings(
            np.concatenate([one.embeddings for one in embedded])[order],
            np.concatenate([one.classes for one in embedded])[order],
        ),
    )


def make_folds(classes: Integers, groups: Sequence[str], seed: int) -> Integers | None:
    """Return the fold of each of N hands: `FOLDS` of them or fewer, no group in two, each class spread as well as can be.

    A hand without a group is a group of its own. None when no class has two groups: then none can be held back while its
    class is trained on.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    numbers = group_numbers(groups)
    most = max((len(set(numbers[classes == one])) for one in set(classes)), default=0)
    if most < 2:
        return None
    fold = np.zeros(len(classes), np.int64)
    # As it counts hands, not groups, a class of two big groups may still end up in one fold: that is then not tested.
    largest = max(int((classes == one).sum()) for one in set(classes))
    splitter = StratifiedGroupKFold(min(FOLDS, len(set(numbers)), largest), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about classes with fewer hands than folds
        for number, (_, tested) in enumerate(splitter.split(classes, classes, numbers)):
            fold[tested] = number
    return fold


def group_numbers(groups: Sequence[str]) -> Integers:
    """Return a number for each group, int64 [N]; each empty name gets one of its own."""
    known: dict[str, int] = {}
    return np.array(
        [known.setdefault(group or f"\0{index}", len(known)) for index, group in enumerate(groups)], np.int64
    )


def cross_validate(
    run: Run, embed: Embed, progress: Progress | None = None, on_epoch: EpochReport | None = None
) -> CrossValidation | None:
    """Return the answers of heads trained on the other folds to each hand of a run; None when there is nothing to hold back.

    Heads are trained as the final one, and the last epoch counts. After each fold `cross_validation.npz` is written, and
    what it holds of the same hands and settings is not done again. `progress` is called with epochs done, of all folds; `on_epoch`
    after each, its number beginning at 1 in each fold.
    """
    own = own_hands(run)
    classes = own.embedded.classes
    fold = make_folds(classes, _kept_together(own), run.description["seed"])
    if fold is None:
        return None
    file, identity = run.path / CROSS_VALIDATION, _identity(run, fold)
    state = _State.load(file, identity) or _State(
        np.full((len(classes), len(run.labels)), np.nan, np.float32), np.zeros(int(fold.max()) + 1, bool)
    )
    left = [int(number) for number in np.flatnonzero(~state.done)]
    epochs = hparams_of(run).epochs
    total = len(state.done) * epochs

    def without(number: int) -> LabelledEmbeddings | None:
        train = fold != number
        mirrored = own.mirrored.take(train) if own.mirrored else None
        try:
            return hands_to_train_on(run, embed, own.hands.take(train), mirrored, classes[train])
        except RunError:  # nothing is left of `none`
            return None

    if progress:
        progress(total - len(left) * epochs, total)
    with one_ahead([functools.partial(without, number) for number in left]) as trains:
        load_model_maker()  # while the other thread works out what is trained on
        for number, train in zip(left, trains, strict=True):
            before = int(state.done.sum()) * epochs

            def report(epoch: int, values: Mapping[str, float], before: int = before) -> None:
                if on_epoch:
                    on_epoch(epoch, values)
                if progress:
                    progress(before + epoch, total)

            tested = (fold == number) & np.isin(classes, _learned(train, run))
            if train is not None and tested.any():
                with tempfile.TemporaryDirectory() as folder:
                    head, _ = fit_head(run, train, None, Path(folder), report)
                state.scores[tested] = head.scores(own.embedded.embeddings[tested])
            state.done[number] = True
            state.save(file, identity, own.rows, fold, classes)
    return CrossValidation(state.scores, classes, fold, own.rows)


def load_cross_validation(run: Run) -> CrossValidation | None:
    """Return the cross-validation that a run holds, None when it holds none that is whole and of its hands."""
    file = run.path / CROSS_VALIDATION
    if not file.is_file():
        return None
    own = own_hands(run)
    fold = make_folds(own.embedded.classes, _kept_together(own), run.description["seed"])
    state = _State.load(file, _identity(run, fold)) if fold is not None else None
    if fold is None or state is None or not state.done.all():
        return None
    return CrossValidation(state.scores, own.embedded.classes, fold, own.rows)


def _kept_together(own: OwnHands) -> list[str]:
    """Return what hands have to share to stay in one fold: their group, or else the very same photo."""
    return [known_group(row) or row.sha256 for row in own.rows]


def _learned(train: LabelledEmbeddings | None, run: Run) -> Sequence[int]:
    """Return the classes that a head learns from these hands; none at all when there is no gesture among them."""
    found = sorted({int(index) for index in train.classes}) if train is not None else []
    return found if set(found) - {run.labels.index(NONE)} else []


@dataclass(eq=False)
class _State:
    """What is done of a cross-validation: scores [N, classes] and which folds."""

    scores: Floats
    done: npt.NDArray[np.bool_]

    @classmethod
    def load(cls, file: Path, identity: str) -> _State | None:
        """Return what a file holds, None when it is missing, damaged, or of other hands or settings."""
        try:
            with np.load(file) as arrays:
                return cls(arrays["scores"], arrays["done"]) if str(arrays["identity"]) == identity else None
        except Exception:  # numpy raises many kinds on damaged files; beginning again is a matter of seconds
            return None

    def save(self, file: Path, identity: str, rows: Sequence[SplitRow], fold: Integers, classes: Integers) -> None:
        """Write it, with what a reader needs to know whose scores they are."""
        names = {f"{name}s": np.array([getattr(row, name) for row in rows], np.str_) for name in ("file", "group")}
        with atomic_write(file) as temporary:
            np.savez_compressed(
                temporary, scores=self.scores, done=self.done, identity=identity, fold=fold, classes=classes, **names
            )


def _identity(run: Run, fold: Integers) -> str:
    settings = json.dumps([run.description["settings"], run.description["seed"]], sort_keys=True)
    hands = sha256_of_file(run.path / "embeddings.npz")
    return sha256_of(f"{settings}\n{hands}\n".encode() + fold.tobytes())
