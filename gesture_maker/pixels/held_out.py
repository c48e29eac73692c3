"""Which photos of a comparison are trained on and which are held out, those without a hand too.

Which person is on which side is decided by the hands (`classifiers/data.py`). A photo in which none was found goes with its person; one of
which nobody knows that, or of a person without any hand, goes to a side by the same share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.classifiers.comparison_parts import Parts
from gesture_maker.classifiers.data import HELD_OUT, LabelledHands
from gesture_maker.dataset.folder import LabelledImage, load_dataset
from gesture_maker.errors import RunError
from gesture_maker.evaluation.questions import Photo, Questions
from gesture_maker.files import sha256_of, sha256_of_file
from gesture_maker.pixels.run import PixelRun


@dataclass(frozen=True, eq=False)
class SeenPhoto:
    """A photo, and the SHA-256 of its content, empty where it cannot be read."""

    photo: Photo
    sha256: str

    @property
    def unit(self) -> str:
        """What photos have to share to stay on one side: their person or burst, or else the very same photo."""
        return self.photo.group or self.sha256 or self.photo.file


@dataclass(frozen=True, eq=False)
class Sides:
    """The photos to train on and those held out. `place`: where the first lie; `other`: where the second do, None for the same folder."""

    place: Path
    other: Path | None
    trained: tuple[SeenPhoto, ...]
    held: tuple[SeenPhoto, ...]

    @property
    def questions(self) -> Questions:
        """The photos held out, as a model is asked about them."""
        where = self.other or self.place
        name = where.resolve().name if self.other else f"photos held out of {where.resolve().name}"
        return Questions(name, where, tuple(one.photo for one in self.held), None, ())

    @property
    def identity(self) -> list[list[str]]:
        """The content of both sides as plain values: equal for equal photos, classes and groups."""
        both = (("trained", self.trained), ("held", self.held))
        return sorted([side, one.photo.file, one.photo.group, one.sha256] for side, photos in both for one in photos)


def sides_of(parts: Parts, other: Path | None, group_by: str | None, seed: int) -> Sides:
    """Return the sides of all photos, by what is held out of the hands; `other`: the dataset that is, where there is one.

    Raises DatasetError for folders that are none.
    """
    place = parts.search.place
    photos = _seen(place, group_by, (parts.search,) if other else (parts.search, parts.test))
    if other is not None:
        return Sides(place, other, photos, _seen(other, group_by, (parts.test,)))
    held = set(parts.test.kept_together)
    known = held | set(parts.search.kept_together)
    held |= _dealt([one for one in photos if one.unit not in known], seed)
    return Sides(
        place,
        None,
        tuple(one for one in photos if one.unit not in held),
        tuple(one for one in photos if one.unit in held),
    )


def refuse_trained_on(run: PixelRun, sides: Sides) -> None:
    """Raise RunError when a run was trained on one of the photos held out, or on others of their people in the same folder."""
    used = [row for row in run.split() if row.part in ("train", "validation") and not row.reason]
    contents = {row.sha256 for row in used}
    count = sum(one.sha256 in contents for one in sides.held)
    what = "photos held out"
    if not count and run.photo_folder().resolve() == (sides.other or sides.place).resolve():
        people = {row.group for row in used if row.group and row.group != row.file}
        count, what = sum(one.photo.group in people for one in sides.held), "photos held out, or others of their people"
    if count:
        raise RunError(
            f'The run "{run.name}" was trained on {count} of the {len(sides.held)} {what}: let compare train one '
            "(without --image-run), or hold out photos of other people with --test."
        )


def _seen(place: Path, group_by: str | None, hands: Sequence[LabelledHands]) -> tuple[SeenPhoto, ...]:
    known = {file: sha for its in hands for file, sha in zip(its.files, its.shas, strict=True)}
    return tuple(
        SeenPhoto(_photo(image), known.get(image.file) or _content_of(image.path))
        for image in load_dataset(place, group_by).images
    )


def _photo(image: LabelledImage) -> Photo:
    group = image.group or ""
    return Photo(image.path, image.file, image.label, "" if group == image.file else group)


def _content_of(path: Path) -> str:
    try:
        return sha256_of_file(path)
    except OSError:
        return ""


def _dealt(photos: Sequence[SeenPhoto], seed: int) -> set[str]:
    """Return the units held out of those of which no hand tells the side: every `HELD_OUT`-th, of each class as well as can be."""
    labels = {one.unit: one.photo.label for one in reversed(photos)}
    order = sorted(
        labels, key=lambda unit: (labels[unit], sha256_of(f"{seed}\t{unit}".encode("utf-8", "surrogatepass")))
    )
    return set(order[::HELD_OUT])
