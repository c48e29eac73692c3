"""Tables of landmarks of any size for benchmarks: some hundred real or drawn hands, repeated with a little noise.

    .venv/bin/python scripts/bench_speed_data.py big.parquet 1000000 [--photos FOLDER] [--seed N]

Every row has a content of its own, the classes are equally frequent, and they come one after the other, as they do in a
table made of class folders: the awkward order for a training that reads it in pieces.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from gesture_maker.files import atomic_write
from gesture_maker.landmarks.hands import Hand
from gesture_maker.landmarks.looking import Look
from gesture_maker.landmarks.rows import SCHEMA

ROW_GROUP = 10_000

NOISE = 0.003  # added to each coordinate: of the photo's width and height, and of 10 cm; a finger's width is 0.02 of a photo

CLASSES = ("none", "fist", "four", "open_palm", "three", "thumbs_up", "victory")
PEOPLE, TAKES = 30, 4  # drawn, of each class


def write_table(
    path: Path,
    rows: int,
    seed: int = 0,
    hands: Sequence[tuple[str, str, Hand]] | None = None,
    people: int | None = None,
) -> None:
    """Write a landmark table of `rows` hands: `hands` (label, group, hand; by default drawn ones) repeated with noise.

    `people`: how many groups each group stands for, by default one for every 30 of its rows: a group is copied under several
    names, as no one has made a gesture a thousand times.
    """
    hands = hands or drawn_hands()
    with (
        atomic_write(path) as temporary,
        pyarrow.parquet.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer,
    ):
        for part in tables(rows, seed, hands, people):
            writer.write_table(part)


def tables(
    rows: int, seed: int, hands: Sequence[tuple[str, str, Hand]], people: int | None = None
) -> Iterator[pyarrow.Table]:
    """Yield `write_table`'s rows in pieces."""
    rng = np.random.default_rng(seed)
    by_class: dict[str, list[int]] = {}
    for index, (label, _, _) in enumerate(hands):
        by_class.setdefault(label, []).append(index)
    labels = sorted(by_class)
    groups = len({group for _, group, _ in hands})
    people = people or max(1, rows // (30 * groups))
    image, world = (np.stack([getattr(hand, name) for *_, hand in hands]) for name in ("landmarks", "world"))
    sizes = {name: np.array([getattr(hand, name) for *_, hand in hands]) for name in ("width", "height", "margin")}
    right = np.array([hand.handedness for *_, hand in hands])
    key = Look().key()
    for start in range(0, rows, ROW_GROUP):
        numbers = np.arange(start, min(start + ROW_GROUP, rows))
        of_class = [by_class[labels[number * len(labels) // rows]] for number in numbers]
        source = np.array([own[number % len(own)] for own, number in zip(of_class, numbers, strict=True)])
        copies = (numbers // len(hands)) % people
        names = [labels[number * len(labels) // rows] for number in numbers]
        columns = {
            "file": [f"{name}/{name}_{number:07d}.jpg" for name, number in zip(names, numbers, strict=True)],
            "label": names,
            "group": [f"{hands[one][1]}-{copy}" for one, copy in zip(source, copies, strict=True)],
            "sha256": [hashlib.sha256(f"{seed} {number}".encode()).hexdigest() for number in numbers],
            "detection": [key] * len(numbers),
            "reason": pyarrow.nulls(len(numbers), pyarrow.string()),
            **{name: pyarrow.array(values[source], pyarrow.int32()) for name, values in sizes.items()},
            "handedness": right[source],
            "landmarks": _points(image[source] + rng.normal(0, NOISE, (len(numbers), 21, 3))),
            "world": _points(world[source] + rng.normal(0, NOISE / 10, (len(numbers), 21, 3))),
        }
        yield pyarrow.table(columns, schema=SCHEMA)


def drawn_hands(classes: Sequence[str] = CLASSES) -> list[tuple[str, str, Hand]]:
    """Return drawn hands (label, person, hand) of these classes."""
    from gesture_maker.synthetic.draw import draw_image

    return [
        (label, f"person{person:02d}", draw_image(label, person, take, 0, 32)[1])
        for label in classes
        for person in range(PEOPLE)
        for take in range(TAKES)
    ]


def photographed_hands(folder: Path) -> list[tuple[str, str, Hand]]:
    """Return the hands (label, person, hand) in the photos of a dataset folder."""
    from gesture_maker.dataset.folder import load_dataset
    from gesture_maker.landmarks.engine import find_hands
    from gesture_maker.landmarks.table import LandmarkTable, table_path

    images = load_dataset(folder).images
    table = LandmarkTable.open(table_path(folder))
    seen = find_hands([image.path for image in images], table)
    return [
        (image.label, image.group or image.path.stem, one.answer)
        for image, one in zip(images, seen, strict=True)
        if isinstance(one.answer, Hand)
    ]


def _points(values: np.ndarray) -> pyarrow.ListArray:
    flat = pyarrow.array(values.astype(np.float32).ravel())
    return pyarrow.ListArray.from_arrays(pyarrow.array(np.arange(len(values) + 1, dtype=np.int32) * 63), flat)


def main() -> None:
    """Write the table that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("--photos", type=Path, help="a dataset whose hands are repeated, in place of drawn ones")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    write_table(chosen.path, chosen.rows, chosen.seed, photographed_hands(chosen.photos) if chosen.photos else None)


if __name__ == "__main__":
    main()
