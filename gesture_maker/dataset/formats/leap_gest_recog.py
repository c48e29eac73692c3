"""LeapGestRecog: infra-red stills in sequence, by subject and gesture, as Kaggle has it (gti-upm/leapgestrecog).

    leapGestRecog/00/01_palm/frame_00_01_0001.png … frame_00_01_0200.png
    leapGestRecog/00/02_l/…

Ten subjects make ten gestures of 200 frames each. Kaggle's zip holds it twice, as `leapGestRecog/…` and as
`leapgestrecog/leapGestRecog/…`: of frames that lie there twice, those of the outer folder count. Where numbers are missing, a
sequence is broken, because no clip should jump.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.dataset import archives
from gesture_maker.dataset.formats.class_folders import is_passed_over, printable
from gesture_maker.dataset.formats.zips import is_zip_name
from gesture_maker.dataset.manifest import MANIFEST_NAME
from gesture_maker.errors import SourceError

WRAPPERS = 3  # folders above the subjects' that are looked through; Kaggle's zip has two

_FRAME = re.compile(
    r"(?P<above>(?:[^/]+/)*?)(?:(?P<subject>[0-9]{2})/)?"
    r"(?P<folder>[0-9]{2}_[^/]+)/frame_(?P<own>[0-9]{2})_[0-9]{2}_(?P<number>[0-9]{1,9})\.png",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LeapSequence:
    """The frames of one gesture by one subject.

    `gesture` is without its number. `runs`: the frames in order, by their paths within the set (posix), as one tuple for each
    stretch in which no number is missing.
    """

    subject: str
    gesture: str
    folder: str
    runs: tuple[tuple[str, ...], ...]

    @property
    def frames(self) -> tuple[str, ...]:
        """All frames in order."""
        return tuple(frame for run in self.runs for frame in run)


@dataclass(frozen=True)
class LeapGestRecog:
    """What lies in the set, by subject and gesture; `problems`: what is missing, there twice or no frame, each with the reason."""

    sequences: tuple[LeapSequence, ...]
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects, such as `00`."""
        return tuple(sorted({sequence.subject for sequence in self.sequences}))

    @property
    def gestures(self) -> tuple[str, ...]:
        """All gestures, without their numbers."""
        return tuple(sorted({sequence.gesture for sequence in self.sequences}))


def is_leap_gest_recog(path: Path) -> bool:
    """Tell whether a folder or zip has frames where LeapGestRecog has them; of a zip that cannot be read, False."""
    if path.is_dir():
        patterns = (f"{'*/' * depth}[0-9][0-9]_*/frame_[0-9]*.png" for depth in range(WRAPPERS + 2))
        found = (next(path.glob(pattern), None) for pattern in patterns)
        return any(frame is not None and is_leap_frame(frame.relative_to(path).as_posix()) for frame in found)
    if not (path.is_file() and is_zip_name(path.name)):
        return False
    try:
        return any(map(is_leap_frame, _names(path)))
    except (SourceError, OSError):  # whoever reads it says what is wrong
        return False


def is_leap_frame(name: str) -> bool:
    """Tell by its path (posix) whether a file is a frame of LeapGestRecog."""
    return _match(name) is not None


def read_leap_gest_recog(path: Path) -> LeapGestRecog:
    """Return the sequences in a folder or zip.

    Raises SourceError for a zip that cannot be read, and when there is no frame.
    """
    found = leap_sequences(_names(path))
    if not found.sequences:
        raise SourceError(f"There is no frame in {path}: LeapGestRecog has 00/01_palm/frame_00_01_0001.png and so on.")
    return found


def leap_sequences(names: Iterable[str]) -> LeapGestRecog:
    """Return the sequences that these files make, by their posix paths, whatever order they come in."""
    frames: dict[tuple[str, str], dict[int, str]] = {}
    problems: list[tuple[str, str]] = []
    twice: dict[str, int] = {}
    for name in sorted(names, key=lambda name: (name.count("/"), name)):  # the outer folder's first
        match = _match(name)
        if match is None:
            if not any(map(is_passed_over, name.split("/"))) and name.rsplit("/", 1)[-1] != MANIFEST_NAME:
                problems.append((printable(name), "not a frame of LeapGestRecog"))
            continue
        key = match["subject"] or match["own"], match["folder"]
        known = frames.setdefault(key, {})
        if known.setdefault(int(match["number"]), name) != name:
            place = match["above"].rstrip("/") or name.rsplit("/", 1)[0]
            twice[place] = twice.get(place, 0) + 1
    problems += [(printable(place), f"{_many(count)} that lie there twice") for place, count in sorted(twice.items())]
    sequences = [_sequence(*key, numbered, problems) for key, numbered in sorted(frames.items())]
    problems += _missing(sequences)
    return LeapGestRecog(tuple(sequences), tuple(problems))


def _sequence(subject: str, folder: str, numbered: dict[int, str], problems: list[tuple[str, str]]) -> LeapSequence:
    runs: list[list[str]] = []
    gaps: list[str] = []
    before: int | None = None
    for number, name in sorted(numbered.items()):
        if before is None or number > before + 1:
            runs.append([])
        if before is not None and number > before + 1:
            gaps.append(f"{before + 1}" if number == before + 2 else f"{before + 1} to {number - 1}")
        runs[-1].append(name)
        before = number
    if gaps:
        more = f" and {len(gaps) - 3} more gaps" if len(gaps) > 3 else ""
        problems.append(
            (printable(f"{subject}/{folder}"), f"frames are missing ({', '.join(gaps[:3])}{more}), no clip goes across")
        )
    return LeapSequence(subject, folder.partition("_")[2], folder, tuple(map(tuple, runs)))


def _missing(sequences: list[LeapSequence]) -> list[tuple[str, str]]:
    """Return which subjects lack gestures that others have."""
    folders = sorted({sequence.folder for sequence in sequences})
    there: dict[str, set[str]] = {}
    for sequence in sequences:
        there.setdefault(sequence.subject, set()).add(sequence.folder)
    return [
        (subject, f"lacks {', '.join(printable(folder) for folder in folders if folder not in mine)}")
        for subject, mine in there.items()
        if len(mine) < len(folders)
    ]


def _match(name: str) -> re.Match[str] | None:
    match = _FRAME.fullmatch(name)
    return None if match is None or any(map(is_passed_over, name.split("/"))) else match


def _names(path: Path) -> list[str]:
    """Return all files in a folder or zip by their posix paths."""
    if path.is_dir():
        return [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    with archives.opener() as opener:
        return ["/".join(member.parts) for member in opener.open(path).members]


def _many(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
