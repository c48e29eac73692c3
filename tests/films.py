"""Clips for tests: small films whose frames bear their numbers, and folders of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cameras import numbered
from helpers import photo, write

from gesture_maker.recognition.recorder import Recorder

GREY = np.full((96, 128, 3), 128, np.uint8)


def film(path: Path, frames: int = 5, first: int = 0, rate: float = 25.0) -> Path:
    """Write a small film whose frames bear their numbers, the first of them `first`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Recorder(path) as recorder:
        for number in range(frames):
            recorder.add(numbered(GREY, first + number), number / rate)
    return path


def folder_of_frames(folder: Path, numbers: range, name: str = "frame_{}.png") -> Path:
    """Write a folder of small frames, each another picture."""
    for number in numbers:
        write(folder / name.format(number), photo(number, ".png"))
    return folder
