"""What tests of the search for settings share: a table of hands that costs milliseconds, settings that cost hardly more, a process."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from helpers import environment

from gesture_maker.landmarks.hands import Hand
from gesture_maker.landmarks.looking import Look
from gesture_maker.landmarks.rows import Row, to_arrow
from gesture_maker.synthetic.hand import landmarks
from gesture_maker.synthetic.people import draw_person
from gesture_maker.synthetic.poses import POSES, jitter, none_pose

QUICK: dict[str, Any] = {"epochs": 1, "steps_per_epoch": 10, "augment": False, "background": False}
"""In place of the recipe's own, for all trials: a fold then takes half a second, most of it to build the head."""

LABELS = ("none", "four", "fist", "call")


def table_of_hands(path: Path, people: int = 3, each: int = 2, *, noise: bool = False) -> Path:
    """Write a table of landmarks of jointed hands, with people as groups, and return its path; `noise`: classes drawn by lot."""
    rng = np.random.default_rng(0)
    rows = []
    for person in range(people):
        shape = draw_person(person).shape
        for label in LABELS:
            for take in range(each):
                pose = none_pose(rng) if label == "none" else jitter(POSES[label], rng)
                world = landmarks(shape, pose)
                seen = (world * 4 + np.array([0.5, 0.5, 0], np.float32)).astype(np.float32)
                hand = Hand(seen, (world - world.mean(axis=0)).astype(np.float32), 0.95, 320, 320)
                called = str(rng.choice(LABELS)) if noise else label
                file = f"{called}/p{person:02d}_{label}_{take}.jpg"
                rows.append(Row(rng.bytes(32).hex(), Look().key(), hand, file, called, f"p{person:02d}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(to_arrow(rows), path)
    return path


def command(*arguments: str | Path, fixed: Mapping[str, Any] = QUICK) -> list[str]:
    """Return the command line of a process that is `gesture-maker ARGUMENTS` with these settings for all trials."""
    program = (
        "import json, sys; from gesture_maker.classifiers import tune_space; "
        "tune_space.FIXED = json.loads(sys.argv.pop(1)); from gesture_maker.cli import main; main()"
    )
    return [sys.executable, "-c", program, json.dumps(fixed), *map(str, arguments)]


def own_scratch(folder: Path) -> dict[str, str]:
    """Return the environment of a process whose temporary files go to a folder of their own, made here."""
    folder.mkdir()
    return environment(FORCE_COLOR="1", TERM="xterm", TMPDIR=os.fspath(folder))
