"""`diagnose.png`: the photos that a diagnosis is about, with their landmarks, labels and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.evaluation.diagnose import Confusion, Suspect, least_sure
from gesture_maker.files import sha256_of_file
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE
from gesture_maker.landmarks.drawing import PER_CLASS, Example, save_contact_sheet
from gesture_maker.landmarks.engine import find_hands
from gesture_maker.landmarks.hands import Floats, Hand
from gesture_maker.landmarks.table import LandmarkTable, table_path
from gesture_maker.progress import Progress
from gesture_maker.training.crossvalidate import CrossValidation
from gesture_maker.training.run import Run

PAIRS = 6  # confused more than once that are shown, a row for each
SUSPECTS = 2 * PER_CLASS
GROUPS = 3  # named beside a pair


@dataclass(frozen=True)
class _Tile:
    hand: int
    caption: str


def save_picture(
    run: Run,
    found: CrossValidation,
    scores: Floats,
    confusions: Sequence[Confusion],
    suspects: Sequence[Suspect],
    path: Path,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Draw the photos that look mislabelled, those of the most confused pairs, and the rightly answered but least sure.

    Each has its landmarks and, below, the answer with its score [N, classes] and the file's name. Returns the photos that
    are gone from the dataset or have changed since, which the picture says too.
    """
    labels = run.labels
    rows: dict[str, list[_Tile]] = {}
    notes: dict[str, str] = {}
    for start in range(0, min(len(suspects), SUSPECTS), PER_CLASS):
        title = "Mislabelled?" if start == 0 else "Mislabelled? (more)"
        some = suspects[start : start + PER_CLASS]
        rows[title] = [_Tile(one.hand, f"{one.label} → {one.answer} {one.score:.2f}") for one in some]
        notes[title] = "label → answer of a model that was trained on the others, with its score" if start == 0 else ""
    several = [one for one in confusions if one.count > 1]
    for one in several[:PAIRS]:
        title = f"{one.label} taken for {one.answer}"
        rows[title] = [_Tile(hand, _answer(scores, hand, one.answer, labels)) for hand in one.hands[:PER_CLASS]]
        notes[title] = f"{one.count} of {one.tested}{by_whom(one)}"
    title, above = "Confused once", {tile.hand for tiles in rows.values() for tile in tiles}
    rows[title] = [
        _Tile(one.hands[0], f"{one.label} → {_answer(scores, one.hands[0], one.answer, labels)}")
        for one in confusions
        if one.count == 1 and one.hands[0] not in above
    ][:PER_CLASS]
    title = "Right, but least sure"
    rows[title] = [
        _Tile(hand, _answer(scores, hand, labels[int(found.classes[hand])], labels))
        for hand in least_sure(found, scores, PER_CLASS)
    ]
    notes[title] = "more photos like these help most"
    rows = {title: tiles for title, tiles in rows.items() if tiles}

    shown = sorted({tile.hand for tiles in rows.values() for tile in tiles})
    root = run.photo_folder()
    paths = {hand: root / found.rows[hand].file for hand in shown}
    gone = {hand for hand, place in paths.items() if not place.is_file()}
    changed = {hand for hand in shown if hand not in gone and sha256_of_file(paths[hand]) != found.rows[hand].sha256}
    hands = _hands(root, {hand: place for hand, place in paths.items() if hand not in gone | changed}, run, progress)

    def example(tile: _Tile) -> Example:
        name = Path(found.rows[tile.hand].file).name
        if tile.hand in gone | changed:
            name = f"{'gone' if tile.hand in gone else 'changed'}: {name}"
        return Example(paths[tile.hand], hands.get(tile.hand), f"{tile.caption}\n{name}")

    save_contact_sheet({title: [example(tile) for tile in tiles] for title, tiles in rows.items()}, notes, path)
    return tuple(paths[hand] for hand in sorted(gone | changed))


def by_whom(one: Confusion) -> str:
    """Return by whom a pair is confused: `, by p003 (4), p010 (2)`; empty when no groups are known."""
    known = [(group, count) for group, count in one.groups if group]
    named = ", ".join(f"{group} ({count})" for group, count in known[:GROUPS])
    more = f" and {len(known) - GROUPS} more" if len(known) > GROUPS else ""
    return f", by {named}{more}" if named else ""


def _answer(scores: Floats, hand: int, answer: str, labels: Sequence[str]) -> str:
    return f"{answer} {scores[hand, labels.index(answer)]:.2f}"


def _hands(root: Path, paths: dict[int, Path], run: Run, progress: Progress | None) -> dict[int, Hand]:
    """Return the hands in photos: from the dataset's table, or looked for again where that is gone."""
    if not paths:
        return {}
    confidence = run.description["settings"].get("min_detection_confidence", MIN_DETECTION_CONFIDENCE)
    table = LandmarkTable.open(table_path(root))
    seen = find_hands(list(paths.values()), table, confidence, progress=progress)
    return {hand: one.answer for hand, one in zip(paths, seen, strict=True) if isinstance(one.answer, Hand)}
