"""Motion datasets for tests without minutes of drawing: small films, whose tracks are in the table beside them already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hands import drawn
from helpers import write

from gesture_maker.dataset.manifest import ManifestRow, update_manifest
from gesture_maker.files import sha256_of
from gesture_maker.motion.following import FOLDER_RATE, detection_of
from gesture_maker.motion.track import HandTrack
from gesture_maker.motion.track_table import TABLE, TrackRow, TrackTable
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.recognition.runtime import RuntimeOptions
from gesture_maker.synthetic.motions import clip_hands

LABELS = ("still", "push", "swipe_left", "swipe_right")

QUICK = {
    "model": "tcn",
    "units": (24, 24),
    "dense": (24,),
    "dropout": 0.1,
    "epochs": 25,
    "augment": 2,
    "learning_rate": 0.004,
}
"""Settings with which a training takes seconds and still tells a swipe to the left from one to the right, on whatever processor: with
seven seeds 0.94 or more of the test part, 0.96 of other people and all 18 events of `test_motion_live`. With a dropout of 0.3 and a rate of
0.01 it was 0.83 and 13 with one seed of three."""


def known_clips(
    root: Path, people: Sequence[int], per_person: int = 2, labels: Sequence[str] = LABELS, seed: int = 0
) -> Path:
    """Make a dataset of films of three frames each, and the table that knows what a landmarker would have seen of a whole one."""
    table = TrackTable(root / TABLE)
    detection = detection_of(RuntimeOptions(num_hands=1), FOLDER_RATE)
    rows = []
    for label in labels:
        for place, person in enumerate(people):
            for index in range(per_person):
                file = f"{label}/{label}_{place * per_person + index + 1:06d}.mp4"
                content = small_film(root.parent / "one.mp4", (label, person, index)).read_bytes()
                (root.parent / "one.mp4").unlink()
                write(root / file, content)
                group = f"p{person}"
                track = HandTrack.of(clip_hands(label, person, index, seed))
                table.put(TrackRow(sha256_of(content), detection, track, None, file, label, group))
                rows.append(ManifestRow(file, label, f"drawn:{group}", group, sha256_of(content), ""))
    table.merge()
    update_manifest(root, rows)
    return root


def small_film(path: Path, what: tuple[object, ...]) -> Path:
    """Write a film of three frames that is another for each `what`."""
    pixels = np.full((32, 32, 3), 128, np.uint8)
    pixels[8:24, 8:24] = np.frombuffer(bytes.fromhex(sha256_of(repr(what).encode())) * 24, np.uint8).reshape(16, 16, 3)
    with Recorder(path, overwrite=True) as film:
        for number in range(3):
            film.add(pixels, number / 25)
    return path


def real_clip(path: Path, label: str = "victory", frames: int = 12) -> Path:
    """Write a film in which MediaPipe finds a hand that does not move."""
    pixels = drawn(label)[0]
    with Recorder(path) as film:
        for number in range(frames):
            film.add(pixels, number / 20)
    return path
