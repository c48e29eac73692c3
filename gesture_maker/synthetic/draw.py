"""Images and whole datasets of drawn hands, each image from its own seed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

from gesture_maker.dataset.manifest import ManifestRow, read_manifest, update_manifest
from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError, DatasetError
from gesture_maker.files import sha256_of_file, write_bytes
from gesture_maker.images import MIN_SIDE, Pixels
from gesture_maker.landmarks.hands import Hand
from gesture_maker.synthetic.people import OTHER_HAND, Person, draw_person, generator, person_name
from gesture_maker.synthetic.poses import GESTURES, POSES, jitter, none_pose
from gesture_maker.synthetic.render import draw_camera, draw_light, render

ADDED = "2000-01-01T00:00:00Z"
"""The manifest's `added` of every drawn image: a real time would make two drawings of one dataset differ."""

JPEG_QUALITY = 92
THREADS = 2  # numpy and OpenCV free the interpreter for part of the work; more threads gain nothing


def draw_image(label: str, person: int, index: int, seed: int, size: int = 320) -> tuple[Pixels, Hand]:
    """Return a drawn image, uint8 [size, size, 3] RGB, and the hand in it.

    `label`: a name of `POSES`, or `none` for a relaxed, random or in-between pose. `index` tells the takes of one person
    apart. The same arguments give the same pixels, whatever was drawn before. Raises ConfigError for another label or a
    size under 32 pixels.
    """
    if label != NONE and label not in POSES:
        raise ConfigError(f'There is no drawn gesture "{label}": choose from {NONE}, {", ".join(POSES)}.')
    if size < MIN_SIDE:
        raise ConfigError(f"A drawn image of {size} pixels shows no hand: draw at least {MIN_SIDE}.")
    rng = generator(seed, "image", person, label, index)
    who = _person(person, seed)
    pose = none_pose(rng) if label == NONE else POSES[label]
    pose = jitter(who.styled(pose), rng)
    left = who.left_handed != bool(rng.random() < OTHER_HAND)
    drawn = render(who, pose, left, draw_camera(rng), draw_light(rng), rng, size)
    hand = Hand(drawn.image_landmarks, drawn.world_landmarks, 0.0 if left else 1.0, size, size)
    return drawn.pixels, hand


def draw_dataset(
    folder: Path,
    classes: Sequence[str],
    people: Sequence[int],
    per_person: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Draw `per_person` images of each class by each person into a dataset; return how many were drawn now.

    Files are `<folder>/<class>/<class>_000001.jpg` and a row each in `manifest.csv` (group: the person). An image that is
    already there is left, so that an interrupted call can be made again. `progress` is called with (done, total).
    Raises ConfigError for a class that cannot be drawn, and DatasetError when the folder's files of these names are
    known to be something else.
    """
    for label in classes:
        if label != NONE and label not in POSES:
            raise ConfigError(f'There is no drawn gesture "{label}": choose from {NONE}, {", ".join(GESTURES)}.')
    plan = plan_files(classes, people, per_person, ".jpg")
    with ThreadPoolExecutor(THREADS) as pool:
        return draw_files(folder, plan, pool, partial(_write_image, seed=seed), progress)


Planned = tuple[ManifestRow, int, int]
"""The manifest row (without hash), the person and the take of a file."""


def plan_files(classes: Sequence[str], people: Sequence[int], per_person: int, suffix: str) -> list[Planned]:
    """Return the files of a drawn dataset, `<class>/<class>_000001` and the suffix, in the order of classes and people."""
    plan = []
    for label in classes:
        for place, person in enumerate(people):
            name = person_name(person)
            for index in range(per_person):
                file = f"{label}/{label}_{place * per_person + index + 1:06d}{suffix}"
                plan.append((ManifestRow(file, label, f"drawn:{name}", name, added=ADDED), person, index))
    return plan


def draw_files(
    folder: Path,
    plan: Sequence[Planned],
    pool: Executor,
    write: Callable[[Path, str, int, int], None],
    progress: Callable[[int, int], None] | None = None,
    what: str = "image",
) -> int:
    """Make the files that are not there yet, and a row of the manifest for each; return how many were made.

    `write` is called in the pool with the path, label, person and take of each file. Raises DatasetError when a file of one of
    these names is known to be something else.
    """
    known = read_manifest(folder) if folder.is_dir() else {}
    for row, _, _ in plan:
        before = known.get(row.file)
        if before and (before.source, before.label) != (row.source, row.label) and (folder / row.file).exists():
            raise DatasetError(
                f"{folder / row.file} is already another {what} (from {before.source or 'an unknown source'}): "
                f"draw into an empty folder."
            )

    drawn = 0
    rows: list[ManifestRow] = []
    folder.mkdir(parents=True, exist_ok=True)
    waiting: deque[Future[tuple[ManifestRow, bool]]] = deque()
    try:
        for planned in plan:
            waiting.append(pool.submit(_draw_file, folder, *planned, write))
        while waiting:
            row, is_new = waiting.popleft().result()
            rows.append(row)
            drawn += is_new
            if progress:
                progress(len(rows), len(plan))
    finally:
        for future in waiting:
            future.cancel()
        update_manifest(folder, rows)  # also of an interrupted call: what is there has its row
    return drawn


def _draw_file(
    folder: Path, row: ManifestRow, person: int, index: int, write: Callable[[Path, str, int, int], None]
) -> tuple[ManifestRow, bool]:
    target = folder / row.file
    is_new = not target.exists()
    if is_new:
        write(target, row.label, person, index)
    return replace(row, sha256=sha256_of_file(target)), is_new


def _write_image(target: Path, label: str, person: int, index: int, seed: int) -> None:
    import cv2

    pixels, _ = draw_image(label, person, index, seed)
    done, jpeg = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    write_bytes(target, jpeg.tobytes())


@lru_cache(maxsize=64)
def _person(number: int, seed: int) -> Person:
    return draw_person(number, seed)
