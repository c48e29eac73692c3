"""What is asked and of whom: the bundle of a run or a `.task` file, and labelled photos or the landmarks of such photos."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gesture_maker.bundle import finding
from gesture_maker.bundle.task import TaskBundle, labels_of, read_task
from gesture_maker.dataset.folder import find_dataset, load_dataset
from gesture_maker.dataset.names import class_of_bundle_label
from gesture_maker.errors import BundleError, ConfigError, DatasetError, RunError
from gesture_maker.evaluation import on_landmarks
from gesture_maker.files import sha256_of_file
from gesture_maker.training.crossvalidate import known_group
from gesture_maker.training.run import Run
from gesture_maker.training.table_source import is_table

OWN_TEST_PART = "test"
"""How the results of a run's own test part are called."""


@dataclass(frozen=True)
class Bundle:
    """A `.task` file, and the run that it is of; None when the file was given."""

    task: Path
    run: Run | None

    @property
    def name(self) -> str:
        """How it is called: the run's name, or the file's."""
        return self.run.name if self.run else self.task.name

    @cached_property
    def parts(self) -> TaskBundle:
        """What is in it. Raises BundleError for a file that is no gesture recognizer bundle."""
        return read_task(self.task)

    @cached_property
    def labels(self) -> list[str]:
        """The classes of its custom classifier, as photos are labelled. Raises BundleError when it has none."""
        head = self.parts.custom_gesture_classifier
        labels = labels_of(head) if head else []
        if not labels:
            raise BundleError(f"{self.task} has no custom gesture classifier: give a bundle of `gesture-maker export`.")
        return [class_of_bundle_label(label) for label in labels]

    @property
    def has_canned(self) -> bool:
        """Whether its canned classifier knows more than the background."""
        return len(labels_of(self.parts.canned_gesture_classifier)) > 1


@dataclass(frozen=True)
class Photo:
    """A labelled photo. `file`: as its dataset calls it; `group`: the person or burst, empty where it is not known."""

    path: Path
    file: str
    label: str
    group: str


@dataclass(frozen=True, eq=False)
class Questions:
    """What a bundle is asked about: photos, or `rows` of landmarks where there are none.

    `name`: how the set is called; `images`: where it was found, None for a run's own test part; `warnings`: on what was
    passed over.
    """

    name: str
    images: Path | None
    photos: tuple[Photo, ...]
    rows: on_landmarks.Rows | None
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.photos) if self.rows is None else len(self.rows.files)

    @property
    def classes(self) -> set[str]:
        """The labels."""
        return {photo.label for photo in self.photos} if self.rows is None else set(self.rows.labels)

    @cached_property
    def shas(self) -> list[str]:
        """The SHA-256 of each photo, empty for one that is gone."""
        return self.rows.shas if self.rows is not None else [_content_of(photo.path) for photo in self.photos]


def find_bundle(bundle: str | Path) -> Bundle:
    """Return a `.task` file, or the bundle of a run (its folder or its name). Raises RunError when it was never exported."""
    return Bundle(*finding.find_bundle(bundle))


def results_folder(bundle: Bundle, name: str, of: str = "photos") -> Path:
    """Return where results go when nothing else is said: `evaluation/<name>` in the run, or beside the `.task`.

    `of`: "photos" or "videos", whose results of the same name are not written over by each other's.
    """
    beside = bundle.run.path / "evaluation" if bundle.run else bundle.task.parent / f"{bundle.task.stem}_evaluation"
    others = "frames.csv" if of == "photos" else "predictions.csv"
    return beside / (f"{name}_{of}" if (beside / name / others).exists() else name)


def find_questions(
    bundle: Bundle, images: str | Path | None, min_detection_confidence: float, group_by: str | None = None
) -> Questions:
    """Return what a bundle is to be asked about: a folder of class folders or a table, or its run's own test part.

    `group_by`: a regular expression on file names, as for `train`. Raises a GestureMakerError when there is nothing to ask
    about.
    """
    if images is None:
        return _test_part(bundle, group_by)
    place = find_dataset(images)
    if is_table(place):
        rows = on_landmarks.rows_of_table(place, min_detection_confidence, group_by)
        return Questions(name_of(Path(images).with_suffix("")), place, (), rows, rows.warnings)
    data = load_dataset(place, group_by)
    if not data.images:
        raise DatasetError(f"There are no images in {place}: its class folders are empty.")
    passed_over = len(data.ignored)
    verbs = "file in {} is no image and was" if passed_over == 1 else "files in {} are no images and were"
    ignored = (f"{passed_over} {verbs.format(place)} passed over.",) if passed_over else ()
    photos = tuple(Photo(one.path, one.file, one.label, _known(one.group, one.file)) for one in data.images)
    return Questions(name_of(place), place, photos, None, ignored)


def _test_part(bundle: Bundle, group_by: str | None) -> Questions:
    run = bundle.run
    if run is None:
        raise DatasetError(f"Name the photos to evaluate {bundle.task} on: a folder with one folder per class.")
    if group_by is not None:
        raise ConfigError("The groups of a run's own test part are those of its training: leave out --group-by.")
    if run.photos_are_elsewhere():
        rows = on_landmarks.rows_of_test_part(run)
        return Questions(OWN_TEST_PART, None, (), rows, rows.warnings)
    photos = tuple(Photo(path, row.file, row.label, known_group(row)) for path, row in run.test_photos())
    return Questions(OWN_TEST_PART, None, photos, None, ())


def about_unknown_classes(classes: Collection[str], bundle: Bundle) -> list[str]:
    """Return sentences on classes that a bundle does not know. Raises DatasetError when it knows none of them."""
    unknown = sorted(set(classes) - set(bundle.labels))
    if unknown and len(unknown) == len(classes):
        raise DatasetError(
            f"{bundle.task} knows none of the classes of these photos ({', '.join(unknown)}): its classes are "
            f"{', '.join(bundle.labels)}."
        )
    return [f'The bundle does not know the class "{name}": its photos count as wrong.' for name in unknown]


def about_trained_on(run: Run | None, shas: Sequence[str]) -> list[str]:
    """Return a sentence when a run was trained on some of these photos, which therefore say little."""
    if run is None:
        return []
    try:
        used = {row.sha256 for row in run.split() if row.part in ("train", "validation") and not row.reason}
    except RunError:  # a damaged list is no reason not to evaluate
        return []
    count = sum(sha256 in used for sha256 in shas)
    if not count:
        return []
    least = "at least " if run.description.get("streamed") else ""  # split.csv has a sample of what it was trained on
    return [f"The run was trained on {least}{count} of these {len(shas)} photos: the accuracy flatters."]


def _known(group: str | None, file: str) -> str:
    return "" if group is None or group == file else group  # what --group-by does not match is called by its name


def name_of(place: Path) -> str:
    """Return how the results on these photos are called."""
    name = re.sub(r"[^\w.-]+", "_", place.resolve().name) or "images"
    if name == OWN_TEST_PART:  # photos/test: not to be taken for the run's own, nor written over it
        name = re.sub(r"[^\w.-]+", "_", f"{place.resolve().parent.name}_{name}")
    return name


def _content_of(path: Path) -> str:
    return sha256_of_file(path) if path.is_file() else ""
