"""What is said of a dataset, in the same words, by whatever reads it: hands, motions, pixels, evaluation and comparison."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gesture_maker.dataset.folder import ImageDataset
from gesture_maker.errors import DatasetError


def check_same_classes(root: Path, labels: Iterable[str], other: Path, others: Iterable[str]) -> None:
    """Raise DatasetError when the dataset `other`, which is to be tested on, has classes that `root` lacks."""
    unknown = sorted(set(others) - set(labels))
    if unknown:
        raise DatasetError(f"{other} has classes that {root} lacks ({', '.join(unknown)}): both need the same classes.")


def about_shared(other: Path, root: Path, contents: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return what is said of photos to test on that are trained on as well, both by their SHA-256; nothing without any."""
    known = set(known)
    return about_so_many_shared(sum(one in known for one in contents), other, root)


def about_so_many_shared(count: int, other: Path, root: Path) -> list[str]:
    """Return the same of so many photos."""
    return [f"{count} photos of {other} are also in {root}: the accuracy flatters."] if count else []


def about_empty(labels: Iterable[str]) -> list[str]:
    """Return what is said of classes that have nothing to learn from."""
    return [f'The class "{label}" is left out: it is empty.' for label in labels]


def about_ignored(data: ImageDataset, place: Path | None = None) -> list[str]:
    """Return what is said of files beside the photos, nothing without any. `place`: where they are, if that is not clear."""
    count = len(data.ignored)
    where = f" in {place}" if place else ""
    what = f"file{where} is no image and was" if count == 1 else f"files{where} are no images and were"
    return [f"{count} {what} passed over, such as {data.ignored[0][0].name}."] if count else []
