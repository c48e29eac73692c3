"""A motion dataset made ready for training: every clip followed, accounted for, given a part, and cut into windows.

A dataset is a folder of clips, or a table of fingertip paths, whose rows are windows already. Clips of one person or recording stay in one
part. A clip in which no hand can be followed has a part too: the test counts it as wrong, as `live` would miss it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gesture_maker.dataset.formats.point_history import is_point_history, read_point_history
from gesture_maker.dataset.sentences import about_empty
from gesture_maker.dataset.splitting import PARTS, Words, split
from gesture_maker.errors import DatasetError
from gesture_maker.files import sha256_of
from gesture_maker.landmarks.table import table_path
from gesture_maker.motion.clips import Clip, find_clips, is_background
from gesture_maker.motion.features import Features
from gesture_maker.motion.following import FOLDER_RATE, Followed, follow_clips
from gesture_maker.motion.run import Sequences
from gesture_maker.motion.track import MAX_GAP
from gesture_maker.motion.track_table import TABLE, TrackTable
from gesture_maker.motion.windows import ClipWindows, windows_of
from gesture_maker.progress import StageProgress, of_stage
from gesture_maker.training.run_folder import SplitRow

SHARES = (64, 16, 20)
"""Percent for train, validation and test."""

_CLIPS, _PATHS = Words("readable clip", "readable clips", "clips"), Words("path", "paths", "paths")


@dataclass(frozen=True, eq=False)
class PreparedMotions:
    """The windows of each part, and what became of each clip.

    `labels`: in the order of the network's outputs, the `background` (None when there is none) first. `rows`: of `split.csv`. `parts`:
    by name; "train" holds windows to learn from, the others those that stand for their clips. `unusable`: clips and why.
    """

    root: Path
    labels: tuple[str, ...]
    background: str | None
    rows: tuple[SplitRow, ...]
    parts: dict[str, Sequences]
    features: Features
    warnings: tuple[str, ...]
    problems: tuple[tuple[Path, str], ...] = ()

    @property
    def unusable(self) -> list[SplitRow]:
        """The clips that are not learned from."""
        return [row for row in self.rows if row.reason]

    @property
    def fingerprint(self) -> str:
        """A checksum of the clips' contents, classes and parts."""
        return sha256_of("\n".join(sorted(f"{row.sha256} {row.label} {row.part}" for row in self.rows)).encode())[:16]


def prepare_motions(
    dataset: str | Path,
    features: Features,
    *,
    shares: tuple[int, int, int] = SHARES,
    seed: int = 0,
    group_by: str | None = None,
    max_gap: float = MAX_GAP,
    folder_rate: float = FOLDER_RATE,
    progress: StageProgress | None = None,
) -> PreparedMotions:
    """Return a dataset's windows by part. See `train_motions` for the arguments. Raises DatasetError for what cannot be trained on."""
    if is_point_history(Path(dataset)):
        return _of_paths(Path(dataset), features, shares, seed)
    found = find_clips(dataset, group_by)
    followed = follow_dataset(found.root, found.clips, max_gap=max_gap, folder_rate=folder_rate, progress=progress)
    background = next((label for label in found.labels if is_background(label)), None)
    labels = [label for label in found.labels if label == background or label not in found.empty]
    warnings = about_empty(label for label in found.empty if label != background)
    readable = [one for one in followed if one.track is not None]
    _check(labels, background, readable)
    dealt = split([one.clip.label for one in readable], [one.clip.group for one in readable], shares, seed, _CLIPS)
    parts = dict(zip((one.clip.file for one in readable), dealt.parts, strict=True))
    rows = tuple(
        SplitRow(
            one.clip.file,
            one.clip.label,
            one.clip.group or "",
            parts.get(one.clip.file, ""),
            one.sha256,
            one.problem or "",
        )
        for one in followed
    )
    numbers = {label: number for number, label in enumerate(labels)}
    usable = [(number, one) for number, one in enumerate(followed) if one.problem is None]
    windows = {number: windows_of(one.track, features) for number, one in usable if one.track is not None}
    made = {
        part: _sequences(
            {n: w for n, w in windows.items() if rows[n].part == part}, rows, numbers, background, part, features
        )
        for part in PARTS
    }
    warnings += dealt.warnings
    if background is None:
        warnings.append(
            'There is no class "still": live, every hand makes one of the gestures all the time. Add a folder of that name, '
            "which may be empty, and what hands do between gestures is learned too."
        )
    return PreparedMotions(found.root, tuple(labels), background, rows, made, features, tuple(warnings), found.problems)


def follow_dataset(
    root: Path,
    clips: Sequence[Clip],
    *,
    max_gap: float = MAX_GAP,
    folder_rate: float = FOLDER_RATE,
    progress: StageProgress | None = None,
) -> list[Followed]:
    """Return the track of each clip of a dataset, with the table beside it (or in the user's cache, where that is read-only)."""
    table = TrackTable(table_path(root, TABLE))
    told = of_stage(progress, "landmarks")
    return follow_clips(clips, table, max_gap=max_gap, folder_rate=folder_rate, progress=told)


def _sequences(
    windows: dict[int, ClipWindows],
    rows: Sequence[SplitRow],
    numbers: dict[str, int],
    background: str | None,
    part: str,
    features: Features,
) -> Sequences:
    x, y, clip = [], [], []
    for number, its in windows.items():
        chosen = its.most if part == "train" else its.whole
        x += list(chosen)
        y += [numbers[rows[number].label]] * len(chosen)
        clip += [number] * len(chosen)
        if part == "train" and background is not None and rows[number].label != background:
            x += list(its.still)
            y += [numbers[background]] * len(its.still)
            clip += [number] * len(its.still)
    shape = (len(x), features.length, features.size)
    return Sequences(np.array(x, np.float32).reshape(shape), np.array(y, np.int64), np.array(clip, np.int64))


def _check(labels: Sequence[str], background: str | None, readable: Sequence[Followed]) -> None:
    usable = Counter(one.clip.label for one in readable if one.problem is None)
    gestures = [label for label in labels if label != background]
    if len(labels) < 2 or not gestures:
        raise DatasetError(
            f"There {'is only one class' if labels else 'are no classes'} with clips: a gesture is told from others, add folders."
        )
    for label in gestures:
        if not usable[label]:
            reasons = Counter(one.problem for one in readable if one.clip.label == label)
            why = f" ({reasons.most_common(1)[0][0]})" if reasons else ""
            raise DatasetError(
                f'No clip of the class "{label}" shows a hand that can be followed{why}: film it nearer, or remove the class.'
            )


def _of_paths(table: Path, features: Features, shares: tuple[int, int, int], seed: int) -> PreparedMotions:
    paths = read_point_history(table)
    features = replace(features, kind="path", length=paths.x.shape[1])
    names = [paths.labels[number] for number in paths.y]
    parts = split(names, [None] * len(names), shares, seed, _PATHS).parts
    rows = tuple(
        SplitRow(f"{table.name}#{number}", label, "", part, sha256_of(row.tobytes()), "")
        for number, (label, part, row) in enumerate(zip(names, parts, paths.x, strict=True), 1)
    )
    chosen = {part: np.flatnonzero(np.array(parts) == part) for part in PARTS}
    made = {
        part: Sequences(paths.x[index], paths.y[index].astype(np.int64), index.astype(np.int64))
        for part, index in chosen.items()
    }
    background = next((label for label in paths.labels if is_background(label)), None)
    return PreparedMotions(table, paths.labels, background, rows, made, features, ())
