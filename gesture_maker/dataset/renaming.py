"""Renaming: the names `collect` gives, for the images that lie in class folders already.

The images of a class get the numbers 1 to n. Who has the right name with a number up to n keeps it, the others fill the
free numbers in natural order, so that adding one photo to a thousand renames one. New names may collide with old ones
(also with those that only differ in case, on the disks where that is the same file), so every image goes by a hidden
name:

    .renaming.json written  ->  old name to hidden name  ->  phase 2 written  ->  hidden name to new name  ->  manifest.csv

The journal holds all that is needed to go on from any point after a kill; nothing is renamed before it is on the disk.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from gesture_maker.dataset import trash
from gesture_maker.dataset.folder import JOURNAL_NAME, check_is_folder
from gesture_maker.dataset.formats.class_folders import RENAMING_PREFIX, natural_key, printable
from gesture_maker.dataset.manifest import ManifestRow, locked, now, read_manifest, write_manifest
from gesture_maker.dataset.names import NONE, normalize_label
from gesture_maker.errors import DatasetError, LabelError
from gesture_maker.files import sha256_of_file, write_text
from gesture_maker.images import is_image_name
from gesture_maker.progress import Progress

ROUNDS = 3  # one is enough unless somebody puts files in the way meanwhile


@dataclass(frozen=True)
class RenameResult:
    """What a rename did: (old, new) names relative to the dataset, and how many images had the right name before.

    `resumed` tells that it finished an interrupted one.
    """

    dataset: Path
    renamed: tuple[tuple[str, str], ...]
    unchanged: int
    resumed: bool = False


@dataclass
class _Journal:
    """All names of one rename, relative to the dataset: `moves` holds (old, hidden, new), `rows` the new manifest
    rows."""

    moves: list[tuple[str, str, str]] = field(default_factory=list)
    rows: list[ManifestRow] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # class folders that should be empty afterwards
    phase: int = 1
    labels: dict[str, str] = field(default_factory=dict)  # classes that get other names


def rename(
    dataset: str | Path, progress: Progress | None = None, labels: Mapping[str, str] | None = None
) -> RenameResult:
    """Give all images of a dataset the names `<class>/<class>_000001.<ext>`, and its class folders their labels' names.

    `labels`: classes that get other names, {old: new}; then the others stay as they are. Interrupted at any point, the same call
    finishes it. Called again without `labels`, it changes nothing. An image without a row in `manifest.csv` gets one, with its
    old name as source. Raises DatasetError, LabelError.
    """
    root = Path(dataset)
    wanted = {normalize_label(old): normalize_label(new) for old, new in (labels or {}).items()}
    journal_path = root / JOURNAL_NAME
    resumed = journal_path.is_file()
    if not resumed:
        check_is_folder(root)
    with locked(root):
        renamed: list[tuple[str, str]] = []
        if resumed:
            journal = _read_journal(journal_path)
            _finish(root, journal, progress)
            renamed += [(old, new) for old, _, new in journal.moves]
            if wanted == journal.labels:
                wanted = {}  # that is what was interrupted
        _check_labels(root, wanted)
        for _ in range(ROUNDS):
            journal, unchanged = _planned(root, progress, wanted)
            if not journal.moves and not journal.left:
                break
            _write_journal(root, journal)
            _finish(root, journal, progress)
            renamed += [(old, new) for old, _, new in journal.moves]
        if wanted:
            trash.follow(root, wanted)
    images = {new for _, new in renamed if is_image_name(new)}
    return RenameResult(root, tuple(renamed), max(0, unchanged - len(images)), resumed)


def _folders_of(root: Path) -> dict[str, list[str]]:
    """Return the class folders of each label."""
    folders: dict[str, list[str]] = {}
    for name in sorted((entry.name for entry in os.scandir(root) if entry.is_dir()), key=natural_key):
        if not name.startswith("."):
            folders.setdefault(_label_of(name, root), []).append(name)
    if not folders:
        raise DatasetError(f"{root} has no class folders: put the photos of each gesture into a folder of its name.")
    return folders


def _check_labels(root: Path, labels: Mapping[str, str]) -> None:
    """Raise DatasetError unless these classes are there, and their new names are not."""
    there = _folders_of(root) if labels else {}
    for old, new in labels.items():
        if NONE in (old, new):
            raise DatasetError(f"The class {NONE} has a meaning of its own: it keeps its name, and no other gets it.")
        if old not in there:
            raise DatasetError(f'There is no class "{old}" in {root}: the classes are {", ".join(there)}.')
        same = (root / new).exists() and (root / new).samefile(root / there[old][0])  # on a disk that ignores case
        if new in there or ((root / new).exists() and not same) or list(labels.values()).count(new) > 1:
            raise DatasetError(f'{root} has a class "{new}" already: choose another name.')


def _planned(root: Path, progress: Progress | None, labels: Mapping[str, str]) -> tuple[_Journal, int]:
    """Return what has to be renamed, and how many images are right as they are."""
    folders = _folders_of(root)
    if labels:
        folders = {new: folders[old] for old, new in labels.items() if old in folders}
    journal, unchanged = _Journal(labels=dict(labels)), 0
    used: set[str] = set()
    for label, names in folders.items():
        images: list[tuple[str, str]] = []  # (folder, file name)
        for name in names:
            here = sorted((path.name for path in (root / name).iterdir()), key=natural_key)
            images += [(name, file) for file in here if _is_image(root / name / file)]
            used.update(f"{label}/{file}" for file in here if file.startswith(RENAMING_PREFIX))
            if name != label:
                journal.left.append(name)
                others = [file for file in here if not _is_image(root / name / file)]
                _plan_others(journal, root, name, label, others, used)
        images.sort(key=lambda image: natural_key(image[1]))
        unchanged += _plan_images(journal, root, label, images, used)
    _plan_rows(journal, root, progress)
    return journal, unchanged


def _plan_images(
    journal: _Journal,
    root: Path,
    label: str,
    images: list[tuple[str, str]],
    used: set[str],
) -> int:
    """Plan the images of one class and return how many keep their names."""
    kept: dict[int, str] = {}
    moving = []
    for folder, file in images:
        number = _number_of(file, label) if folder == label else 0
        if 1 <= number <= len(images) and number not in kept:
            kept[number] = file
        else:
            moving.append((folder, file))
    going = {f"{folder}/{file}".casefold(): f"{folder}/{file}" for folder, file in moving}
    number = 0
    for folder, file in moving:
        new, number = _next_free(root, label, _suffix_of(file), number, kept, going)
        journal.moves.append((f"{folder}/{file}", _hidden(label, file, used), new))
    return len(kept)


def _plan_rows(journal: _Journal, root: Path, progress: Progress | None) -> None:
    """Plan the manifest: the rows under their new names, and new rows for images that had none."""
    manifest = read_manifest(root)
    for done, (old, _, new) in enumerate(journal.moves):
        if not is_image_name(new):
            continue
        label = new.split("/")[0]
        row = manifest.get(old)
        if row is None:
            row = ManifestRow(old, label, source=printable(old), sha256=sha256_of_file(root / old), added=now())
        journal.rows.append(replace(row, file=new, label=label))
        if progress:
            progress(done + 1, 3 * len(journal.moves))


def _plan_others(journal: _Journal, root: Path, name: str, label: str, others: list[str], used: set[str]) -> None:
    """Plan what else lies in a class folder that goes: it keeps its name, or gets a number behind it."""
    for file in others:
        if file.startswith(RENAMING_PREFIX):
            continue
        path, count = Path(file), 1
        new = f"{label}/{file}"
        while new in used or os.path.lexists(root / new):
            count += 1
            new = f"{label}/{path.stem}-{count}{path.suffix}"
        used.add(new)
        journal.moves.append((f"{name}/{file}", _hidden(label, file, used), new))


def _next_free(
    root: Path, label: str, suffix: str, number: int, kept: dict[int, str], going: dict[str, str]
) -> tuple[str, int]:
    """Return the next name, and its number, that nobody keeps; one whose present owner goes too is free."""
    while True:
        number += 1
        new = f"{label}/{label}_{number:06d}{suffix}"
        owner = going.get(new.casefold())
        if number in kept:
            continue
        if not os.path.lexists(root / new) or owner == new or (owner and (root / owner).samefile(root / new)):
            return new, number


def _finish(root: Path, journal: _Journal, progress: Progress | None) -> None:
    """Do what of a journal has not been done yet."""
    count = len(journal.moves)
    blocked = set()
    if journal.phase == 1:
        for done, (old, hidden, _) in enumerate(journal.moves):
            (root / hidden).parent.mkdir(exist_ok=True)
            if os.path.lexists(root / old) and not os.path.lexists(root / hidden):
                (root / old).rename(root / hidden)
            if progress:
                progress(count + done + 1, 3 * count)
        # Old names may be new names of others from here on, so that phase 1 must never run again.
        journal.phase = 2
        _write_journal(root, journal)
    for done, (_, hidden, new) in enumerate(journal.moves):
        if os.path.lexists(root / hidden):
            if os.path.lexists(root / new):  # somebody has put a file there meanwhile
                blocked.add(new)  # it stays, and the next round finds the hidden one
                continue
            (root / hidden).rename(root / new)
        if progress:
            progress(2 * count + done + 1, 3 * count)
    _drop_empty(root, journal)
    if journal.rows:
        rows = read_manifest(root)
        # Rows of old names go when it is written, because their files are gone.
        rows.update((row.file, row) for row in journal.rows if row.file not in blocked)
        write_manifest(root, rows.values())
    (root / JOURNAL_NAME).unlink()


def _drop_empty(root: Path, journal: _Journal) -> None:
    for name in journal.left:
        own = normalize_label(name)
        folder, label = root / name, root / journal.labels.get(own, own)
        if not folder.is_dir():
            continue
        if label.exists() and folder.samefile(label):  # the same folder on a disk that ignores case
            folder.rename(label)
        elif any(folder.iterdir()):
            continue
        else:
            label.mkdir(exist_ok=True)  # an empty class stays one
            folder.rmdir()


def _write_journal(root: Path, journal: _Journal) -> None:
    # All letters escaped: an old name need not be text, and has to come back exactly.
    write_text(root / JOURNAL_NAME, json.dumps(asdict(journal), ensure_ascii=True))


def _read_journal(path: Path) -> _Journal:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        moves = [(str(old), str(hidden), str(new)) for old, hidden, new in content["moves"]]
        for names in moves:
            if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
                raise ValueError(names)
        rows = [ManifestRow(**row) for row in content["rows"]]
        left = [str(name) for name in content["left"]]
        labels = {str(old): normalize_label(new) for old, new in content.get("labels", {}).items()}
        return _Journal(moves, rows, left, int(content["phase"]), labels)
    except (ValueError, KeyError, TypeError, AttributeError, LabelError) as error:
        raise DatasetError(
            f"{path} is damaged: delete it and rename again; images that are still hidden as {RENAMING_PREFIX}* "
            "are found then."
        ) from error


def _is_image(path: Path) -> bool:
    ours_or_open = path.name.startswith(RENAMING_PREFIX) or not path.name.startswith(".")
    return is_image_name(path.name) and ours_or_open and path.is_file()


def _number_of(file: str, label: str) -> int:
    """Return the number in `<label>_<number>.<ext>`; 0 when the name is not exactly what collect would give."""
    stem, suffix = Path(file).stem, Path(file).suffix
    digits = stem.removeprefix(f"{label}_")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        return 0
    right = f"{label}_{int(digits):06d}{_suffix_of(file)}"
    return int(digits) if file == f"{stem}{suffix}" == right else 0


def _suffix_of(file: str) -> str:
    suffix = Path(file).suffix.lower()
    return ".jpg" if suffix == ".jpeg" else suffix


def _hidden(label: str, file: str, used: set[str]) -> str:
    count = len(used)
    while (hidden := f"{label}/{RENAMING_PREFIX}{count:06d}{_suffix_of(file)}") in used:
        count += 1
    used.add(hidden)
    return hidden


def _label_of(name: str, root: Path) -> str:
    try:
        return normalize_label(name)
    except LabelError as error:
        raise DatasetError(f"{error} It is a folder of {root}.") from error
