"""What a training would be given now: photos by class, those in which a hand was seen already, and what is missing."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gesture_maker.dataset.checking import PhotoFacts, find_problems
from gesture_maker.dataset.folder import ImageDataset, load_dataset
from gesture_maker.dataset.names import NONE
from gesture_maker.errors import DatasetError, RunError
from gesture_maker.files import sha256_of_file
from gesture_maker.studio.answers import Answers
from gesture_maker.studio.collecting import Collecting
from gesture_maker.studio.state import Studio
from gesture_maker.training.run_folder import free_run_name, valid_run_name
from gesture_maker.training.table_source import run_name

NO_PHOTOS = "There are no photos yet: add a class for each gesture under Collect, and take photos of it."
NO_GESTURE = "There is no gesture yet: add a class for each under Collect, and take photos of it."


@dataclass(frozen=True)
class Ready:
    """`problems`: why a training makes no sense now; `hints`: what would make it better. All are sentences.

    `classes`: label, photos, usable, unusable and pending (not looked at yet) of each, `none` first.
    """

    problems: tuple[str, ...]
    hints: tuple[str, ...]
    classes: tuple[dict[str, Any], ...]

    def total(self, what: str) -> int:
        """Return the sum over all classes."""
        return sum(one[what] for one in self.classes)

    @property
    def hands(self) -> int:
        """How many hands there will be to train on, as far as is known."""
        return self.total("usable") + self.total("pending")


class Readiness:
    """Looks at a studio's dataset; `answers`: what was found in its photos. Threads may share it."""

    def __init__(self, dataset: Path, answers: Answers) -> None:
        self._dataset, self._answers = dataset, answers
        self._lock = threading.Lock()
        self._contents: dict[Path, tuple[tuple[int, int], str]] = {}  # by file: size and time, SHA-256

    def now(self) -> Ready:
        """Return what there is. A dataset that cannot be used is a problem, not an error."""
        if not self._dataset.exists():
            return Ready((NO_PHOTOS,), (), ())
        try:
            data = load_dataset(self._dataset)
        except DatasetError as error:
            empty = self._dataset.is_dir() and not any(
                child.is_dir() and not child.name.startswith(".") for child in self._dataset.iterdir()
            )
            return Ready((NO_PHOTOS if empty else str(error),), (), ())
        if NONE not in data.labels:  # the studio makes its folder before it trains
            data = replace(data, empty=(NONE, *data.empty))
        with self._lock:
            facts = self._facts(data)
        hopeful = [fact or PhotoFacts("", True) for fact in facts]  # of those that nobody looked at yet
        _, findings = find_problems(data, hopeful)
        problems = [finding.sentence for finding in findings if finding.level == "error"]
        if data.labels == (NONE,):
            problems = [NO_GESTURE]
        hints = [finding.sentence for finding in findings if finding.level == "warning"]
        return Ready(tuple(problems), tuple(hints), tuple(_classes(data, facts)))

    def _facts(self, data: ImageDataset) -> list[PhotoFacts | None]:
        shas = [self._content_of(image.path) for image in data.images]
        self._answers.learn([sha for sha in dict.fromkeys(shas) if sha])
        return [_fact(sha, *self._answers.of(sha)) for sha in shas]

    def _content_of(self, path: Path) -> str:
        try:
            about = path.stat()
            state = (about.st_size, about.st_mtime_ns)
            if path not in self._contents or self._contents[path][0] != state:
                self._contents[path] = (state, sha256_of_file(path))
        except OSError:  # removed meanwhile, or not to be read, which a training will say
            return ""
        return self._contents[path][1]


def readiness_of(studio: Studio) -> Readiness:
    """Return what looks at a studio's dataset; use it by `studio.part(readiness_of)`."""
    return Readiness(studio.dataset, studio.part(Collecting.of).collection.answers)


def default_name(studio: Studio) -> str:
    """Return how the next run is called when the user does not say: as the dataset, or with a number behind it."""
    try:
        wanted = valid_run_name(run_name(studio.dataset))
    except RunError:  # a folder may be called what a run may not
        wanted = "gestures"
    return free_run_name(wanted, studio.runs)


def _classes(data: ImageDataset, facts: list[PhotoFacts | None]) -> list[dict[str, Any]]:
    kinds = Counter(
        (image.label, "pending" if fact is None else "usable" if fact.usable else "unusable")
        for image, fact in zip(data.images, facts, strict=True)
    )
    return [
        {"label": label, "photos": photos, **{kind: kinds[label, kind] for kind in ("usable", "unusable", "pending")}}
        for label, photos in data.counts.items()
    ]


def _fact(sha256: str, looked: bool, reason: str | None) -> PhotoFacts | None:
    return PhotoFacts(sha256, reason is None, reason or "") if looked else None
