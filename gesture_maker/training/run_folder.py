"""What the folders of all trainings have in common: one folder under `exported_models/` with everything that a training used.

A folder's kind is told by its `MARK`, the JSON file that describes it: `run.json` of hands, `motion.json` of motions. Beside it lie `split.csv`,
what became of each photo or clip, and `labels.txt`, the labels in the order of the model's outputs. What else a kind needs is in its own
module. A folder appears at once or not at all, unfinished; that it is finished, with the checksum of its model, is the last thing that a
training writes.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gesture_maker.dataset.names import normalize_label
from gesture_maker.errors import LabelError, RunError
from gesture_maker.files import TEMPORARY_PREFIX, sha256_of, sha256_of_file, write_csv, write_json, write_text

if TYPE_CHECKING:
    from typing_extensions import Self

RUNS = Path("exported_models")
"""Where runs are made and where a bare name is looked up, relative to the current folder."""

UNFINISHED, FINISHED = "unfinished", "finished"

SPLIT, LABELS = "split.csv", "labels.txt"

COMMANDS_OF = {
    "run.json": "gesture-maker",
    "motion.json": "gesture-maker motion",
    "image.json": "gesture-maker image",
}
"""By the mark of each kind of folder the commands for it, to be told when another is given one."""


@dataclass(frozen=True)
class SplitRow:
    """One photo or clip in `split.csv`.

    `part` is one of `PARTS`, or empty when it cannot be read. `reason` says why it was not used for training or measuring; a photo
    without a hand has a part and a reason, so that `eval` counts it.
    """

    file: str
    label: str
    group: str
    part: str
    sha256: str
    reason: str


class RunFolder:
    """An existing run folder. A kind of training derives from it, and says in class attributes:

    `MARK`: the file that describes the run, and by which a folder is one. `KIND`: its value of "kind"; None where it has none. `WHAT`: the
    kind in a sentence, after "is no". `COMMANDS`: before which `train` and `eval` are put. `MODEL`: the file that training is for, and
    `CHECKSUM`, under which name its checksum is kept.
    """

    MARK: ClassVar[str]
    KIND: ClassVar[str | None]
    WHAT: ClassVar[str]
    COMMANDS: ClassVar[str]
    MODEL: ClassVar[str]
    CHECKSUM: ClassVar[str] = "model_sha256"

    def __init__(self, path: Path, description: dict[str, Any]) -> None:
        self.path, self.description = path, description

    # Making and finding

    @classmethod
    def new_name(cls, name: str | None, default: str, runs: Path | None = None) -> str:
        """Return the name for a new run: `name`, or without one `default`, with a number when that is taken.

        Raises RunError when `name` is taken or no folder name, or nothing can be written there: said before the data is looked at, not after.
        """
        wanted = valid_run_name(name) if name is not None else free_run_name(valid_run_name(default), runs)
        cls.refuse_existing((runs or RUNS) / wanted)
        check_writable(runs)
        return wanted

    @classmethod
    def create(
        cls, name: str, description: Mapping[str, Any], fill: Callable[[Self], object], runs: Path | None = None
    ) -> Self:
        """Make the folder of a new run, unfinished, with all that the training needs from now on, and return it.

        `description` has at least "labels". `fill` writes what else there is, `split.csv` (`save_split`) among it, while nobody sees the
        folder: it appears at once or not at all. Raises RunError when there is one already: a run never continues in what another one left.
        """
        folder = (runs or RUNS) / valid_run_name(name)
        cls.refuse_existing(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        kind = {} if cls.KIND is None else {"kind": cls.KIND}
        with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=folder.parent) as temporary:
            unseen = cls(Path(temporary) / folder.name, {**kind, "status": UNFINISHED, **description})
            try:
                unseen.update()
                write_text(unseen.path / LABELS, "".join(f"{label}\n" for label in unseen.labels))
                fill(unseen)
            except OSError as error:
                raise OSError(
                    error.errno, error.strerror, str(folder)
                ) from error  # temporary names say nothing to a user
            try:
                unseen.path.rename(folder)
            except OSError:
                cls.refuse_existing(folder)  # another training of this name was quicker
                raise
        return cls(folder, unseen.description)

    @classmethod
    def refuse_existing(cls, folder: Path) -> None:
        """Raise RunError when there is something at `folder`."""
        if not folder.exists():
            return
        try:
            run = cls._read(folder)
        except RunError:
            raise RunError(f"{folder} exists and is no {cls.WHAT}: choose another --name.") from None
        if run.finished:
            raise RunError(f'There is already a run "{run.name}" ({folder}): choose another --name, or remove it.')
        raise RunError(f'The run "{run.name}" was never finished: {run.how_to_resume}, or choose another --name.')

    @classmethod
    def find(cls, name: str | Path, runs: Path | None = None) -> Path:
        """Return the folder that a run's name stands for: an existing folder, or that name under `exported_models/`.

        Raises RunError when neither exists.
        """
        path, under = Path(name), (runs or RUNS) / name
        for place in (path, under):
            if (place / cls.MARK).is_file():
                return place
        train = f"Train one with `{cls.COMMANDS} train DATASET`."
        for place in (path, under):
            other = next((commands for mark, commands in COMMANDS_OF.items() if (place / mark).is_file()), None)
            if other is not None:
                raise RunError(
                    f"{place} is a run of another kind, and no {cls.WHAT}: its commands begin with `{other}`."
                )
            if place.is_dir():
                raise RunError(f"{place} is no {cls.WHAT}: it has no {cls.MARK}. {train}")
        raise RunError(f'There is no run "{name}": neither {path} nor {under} exists. {train}')

    @classmethod
    def load(cls, name: str | Path, runs: Path | None = None) -> Self:
        """Return an existing run, finished or not, by its folder or its name under `exported_models/`.

        Raises RunError when there is none or its description is damaged.
        """
        return cls._read(cls.find(name, runs))

    @classmethod
    def load_finished(cls, name: str | Path, runs: Path | None = None) -> Self:
        """Return a finished run, whose model was checked. Raises RunError when it is not, saying how to finish it."""
        run = cls.load(name, runs)
        if not run.finished:
            raise RunError(f'The run "{run.name}" was never finished: {run.how_to_resume}.')
        run.model()
        return run

    @classmethod
    def load_unfinished(cls, name: str | Path, runs: Path | None = None) -> Self:
        """Return a run whose training is to go on. Raises RunError when it is finished already."""
        run = cls.load(name, runs)
        if run.finished:
            raise RunError(f'The run "{run.name}" is finished: there is nothing to resume.')
        return run

    @classmethod
    def _read(cls, path: Path) -> Self:
        try:
            description = json.loads((path / cls.MARK).read_text(encoding="utf-8"))
            labels = description["labels"]
            if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
                raise TypeError("labels")
            if description.get("kind") != cls.KIND:
                raise ValueError("kind")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path / cls.MARK} is damaged: train again.") from error
        return cls(path, description)

    # What it is

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def call(self) -> str:
        """How a command names the run from the current folder: its name where that is enough, else its path."""
        return self.name if self.path.resolve() == (RUNS / self.name).resolve() else str(self.path)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes in the order of the model's outputs."""
        return tuple(self.description["labels"])

    @property
    def finished(self) -> bool:
        """Whether training came to its end."""
        return bool(self.description.get("status") == FINISHED)

    @property
    def how_to_resume(self) -> str:
        """The end of a sentence about an unfinished run."""
        return f"continue it with `{self.COMMANDS} train --resume {shlex.quote(self.call)}`"

    @contextlib.contextmanager
    def told_how_to_resume(self) -> Iterator[None]:
        """Let Ctrl-C in the block say how the training can go on."""
        try:
            yield
        except KeyboardInterrupt as interrupt:
            sentence = f'The training of "{self.name}" was interrupted: {self.how_to_resume}.'
            raise KeyboardInterrupt(sentence) from interrupt

    def update(self, **values: Any) -> None:
        """Change values of the description."""
        self.description |= values
        write_json(self.path / self.MARK, self.description)

    def finish(self, **values: Any) -> None:
        """Mark the run as finished, with the checksum of its model: the last thing that a training writes."""
        self.update(status=FINISHED, **{self.CHECKSUM: sha256_of_file(self.path / self.MODEL)}, **values)

    def model(self) -> bytes:
        """Return the content of the model's file. Raises RunError when it is not what the training wrote."""
        path = self.path / self.MODEL
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}): train again.") from error
        if sha256_of(content) != self.description.get(self.CHECKSUM):
            raise RunError(f"{path} is not what the training wrote: put that back, or train again.")
        return content

    # What it was trained on

    def split(self) -> list[SplitRow]:
        """Return what became of each photo or clip. Raises RunError when `split.csv` is missing or damaged."""
        try:
            with (self.path / SPLIT).open(encoding="utf-8", newline="") as file:
                rows = [SplitRow(**row) for row in csv.DictReader(file)]
            count = self.description.get("photos", len(rows))  # clips are not counted as a whole
            if len(rows) != count or any(None in vars(row).values() for row in rows):
                raise ValueError("rows or values are missing")
        except (OSError, TypeError, ValueError, csv.Error) as error:
            raise RunError(f"{self.path / SPLIT} is missing or damaged: train again.") from error
        return rows

    def save_split(self, rows: Sequence[SplitRow]) -> None:
        """Write `split.csv`."""
        write_csv(self.path / SPLIT, [vars(row) for row in rows], list(SplitRow.__dataclass_fields__))

    def photo_folder(self, part: str = "train") -> Path:
        """Return the folder where a part's photos lie: of the dataset, or of the one that was named for testing."""
        tested = self.description.get("test_dataset") if part == "test" else None
        return Path(tested or self.description["dataset"])

    def photos_of(self, part: str) -> list[tuple[Path, SplitRow]]:
        """Return the photos of a part in the order of `split.csv`; those without a hand are among them. They may be gone."""
        folder = self.photo_folder(part)
        return [(folder / row.file, row) for row in self.split() if row.part == part]

    def check_photos(self, photos: Collection[tuple[Path, SplitRow]]) -> None:
        """Raise RunError when one of the run's photos is gone or is no longer the same."""
        for path, row in photos:
            if path.is_file() and sha256_of_file(path) == row.sha256:
                continue
            what = "has changed since" if path.is_file() else "is gone"
            other = f"name a folder, `{self._eval_folder}`" if row.part == "test" else "train again"
            raise RunError(f"{path} of the run's {row.part} part {what}: put it back, or {other}.")

    def test_photos(self) -> list[tuple[Path, SplitRow]]:
        """Return the photos of the test part, which training never saw; those without a hand are among them.

        Raises RunError when there is no test part, or when a photo is gone or is no longer the same.
        """
        photos = self.photos_of("test")
        if not photos:
            raise self.no_test_part("photos")
        self.check_photos(photos)
        return photos

    def no_test_part(self, things: str) -> RunError:
        """Return the error that says that there is nothing (no `things`, such as "photos") to measure the run on."""
        return RunError(
            f'The run "{self.name}" has no test part: all {things} were needed for training. Name a folder of {things} '
            f"of other people, `{self._eval_folder}`."
        )

    @property
    def _eval_folder(self) -> str:
        return f"{self.COMMANDS} eval {shlex.quote(self.call)} FOLDER"


def check_writable(runs: Path | None = None) -> None:
    """Raise RunError when no folder can be made where runs are: said before the photos are looked at, not after."""
    place = (runs or RUNS).resolve()
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    if not existing.is_dir():
        raise RunError(f"{existing} is a file, where the folder for runs has to be: rename it.")
    if not os.access(existing, os.W_OK):
        raise RunError(f"{existing} cannot be written to: change its permissions, or work in another folder.")


def valid_run_name(name: str) -> str:
    """Return the name of a run, which is one folder. Raises RunError for slashes, dots alone and the like."""
    try:
        return normalize_label(name)
    except LabelError:
        raise RunError(f"The run name {name!r} is no folder name: use letters, digits and dashes.") from None


def free_run_name(wanted: str, runs: Path | None = None) -> str:
    """Return `wanted`, or `wanted-2`, `wanted-3` … when runs of that name exist."""
    folder, number, name = runs or RUNS, 1, wanted
    while (folder / name).exists():
        number += 1
        name = f"{wanted}-{number}"
    return name


def versions_of(*packages: str) -> dict[str, str]:
    """Return the versions of this program, Python, the platform and the packages that a run's result depends on.

    A package that is not installed is left out, such as LiteRT on an Intel Mac.
    """
    from gesture_maker import __version__

    found = {"gesture-maker": __version__, "python": platform.python_version(), "platform": sys.platform}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
