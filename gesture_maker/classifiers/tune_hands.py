"""The hands that a search is made on, kept beside it: photos are looked at once, and an interrupted search goes on without them.

Hands in mirror images are among them, as in `train`, so that each trial trains as `train` would; they are never asked about.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.classifiers.data import Integers, LabelledHands, folds_of, load_hands
from gesture_maker.errors import DatasetError, RunError
from gesture_maker.files import atomic_write, sha256_of
from gesture_maker.landmarks.hands import EmbedderInputs, Floats, embedder_inputs
from gesture_maker.landmarks.mirror import MIRROR_LOOKS, to_mirror
from gesture_maker.progress import Progress
from gesture_maker.training.augment import mirrored
from gesture_maker.training.crossvalidate import FOLDS, MOST_HANDS, group_numbers
from gesture_maker.training.sources import open_source
from gesture_maker.training.table_source import TableImage

HANDS = "hands.npz"


@dataclass(frozen=True, eq=False)
class TuningHands:
    """`hands`: N of them; `mirrored`: float32 [N, 127], the same in a mirror. `fingerprint`: of both."""

    hands: LabelledHands
    mirrored: Floats
    fingerprint: str

    def __len__(self) -> int:
        return len(self.hands)

    @property
    def units(self) -> Integers:
        """What is never split, int64 [N]: a number for each person or burst, or photo where that is not known."""
        return group_numbers(self.hands.kept_together)

    def folds(self) -> int:
        """Return how many folds there can be, `FOLDS` at most.

        Raises DatasetError when no class has hands of two groups: then none can be held back while its class is trained on.
        """
        units, classes = self.units, self.hands.classes
        most = max(len(set(units[classes == one])) for one in np.unique(classes))
        if most < 2:
            raise DatasetError(
                f"All hands of each class in {self.hands.place} are of one person or burst, so that none can be held back to "
                "compare settings by: add photos of others."
            )
        return int(min(FOLDS, len(set(units)), np.bincount(classes).max()))

    def fold(self, seed: int) -> Integers:
        """Return the fold of each hand, int64 [N]; another seed gives other folds."""
        return folds_of(self.hands, self.folds(), seed)

    def save(self, file: Path, about: Mapping[str, Any]) -> None:
        """Write them, with what else there is to know (plain values)."""
        arrays = {name: np.array(getattr(self.hands, name), np.str_) for name in ("labels", "groups", "shas", "files")}
        known = {"place": str(self.hands.place), "fingerprint": self.fingerprint, **about}
        with atomic_write(file) as temporary:
            np.savez_compressed(
                temporary,
                rows=self.hands.rows,
                mirrored=self.mirrored,
                classes=self.hands.classes,
                about=json.dumps(known),
                **arrays,
            )


def look_for_hands(
    place: Path, *, group_by: str | None, min_detection_confidence: float, progress: Progress | None
) -> TuningHands:
    """Return the hands of a dataset's folder or a table, `MOST_HANDS` of them at most.

    Of the photos `MIRROR_LOOKS` are looked at in a mirror too, and the other mirror images are computed, as in `train`. Raises
    DatasetError for a dataset that nothing can be tuned on.
    """
    hands = load_hands(place, group_by=group_by, min_detection_confidence=min_detection_confidence, progress=progress)
    if len(hands) > MOST_HANDS:
        about = f"Of the {len(hands)} hands in {place} a random sample of {MOST_HANDS} is used."
        few = hands.take(np.arange(MOST_HANDS))  # they come in the order of their checksums
        hands = replace(few, warnings=(*few.warnings, about))
    rows = _in_mirror(hands, group_by, min_detection_confidence, progress)
    both = hands.fingerprint + replace(hands, rows=rows).fingerprint
    found = TuningHands(hands, rows, sha256_of(both.encode()))
    found.folds()  # or say what is missing
    return found


def load_tuning_hands(folder: Path) -> tuple[TuningHands, dict[str, Any]]:
    """Return the hands of a search, and what was saved with them. Raises RunError when they are damaged."""
    file = folder / HANDS
    try:
        with np.load(file) as arrays:
            about = json.loads(str(arrays["about"]))
            labels, groups, shas, files = (
                tuple(arrays[name].tolist()) for name in ("labels", "groups", "shas", "files")
            )
            place = Path(about.pop("place"))
            hands = LabelledHands(place, labels, arrays["rows"], arrays["classes"], groups, shas, files, {})
            return TuningHands(hands, arrays["mirrored"], about.pop("fingerprint")), about
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{file} is missing or damaged: search anew, with another --name.") from error


def _in_mirror(
    hands: LabelledHands, group_by: str | None, min_detection_confidence: float, progress: Progress | None
) -> Floats:
    labels = [hands.labels[index] for index in hands.classes.tolist()]
    chosen: npt.NDArray[np.int64] = to_mirror(labels, hands.shas, np.ones(len(hands), bool), MIRROR_LOOKS)
    source = open_source(hands.place, group_by, min_detection_confidence)
    photos = [TableImage(hands.place / hands.files[one], labels[one], name=hands.files[one]) for one in chosen.tolist()]
    seen = source.look_in_mirror(photos, progress)
    found = [(int(one), hand) for one, hand in zip(chosen, seen, strict=True) if hand is not None]
    computed = mirrored(EmbedderInputs.from_rows(hands.rows))
    return computed.replaced([one for one, _ in found], embedder_inputs([hand for _, hand in found])).rows()
