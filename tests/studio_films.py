"""Films of drawn hands for Chromium's fake camera: of a gesture the moments at which it is held, of `none` all."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cameras import camera_film

SEED = 3


@dataclass(frozen=True)
class Film:
    """What a film shows: a gesture, or `none`, by a person; `index` tells their films apart. `size`: width and height."""

    label: str
    person: int
    index: int = 0
    seconds: float = 2.0
    rate: float = 10.0
    size: tuple[int, int] = (320, 320)

    @property
    def name(self) -> str:
        """The file's name, another for every film."""
        width, height = self.size
        return f"{self.label}_{self.person}_{self.index}_{self.seconds:g}s_{self.rate:g}_{width}x{height}.y4m"


def draw_films(folder: Path, films: Iterable[Film]) -> dict[Film, Path]:
    """Draw the films that are not in the folder yet, in processes of their own, and return where each is.

    A person holds a gesture before pressing the button, so a gesture's film has only the frames in which it is held.
    """
    places = {film: folder / film.name for film in films}
    missing = [(film, path) for film, path in places.items() if not path.exists()]
    if missing:
        fresh = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        with ProcessPoolExecutor(min(len(missing), os.cpu_count() or 1), mp_context=fresh) as pool:
            list(pool.map(_draw, *zip(*missing, strict=True)))
    return places


def _draw(film: Film, path: Path) -> None:
    import cv2

    from gesture_maker.synthetic.film import draw_film

    cv2.setNumThreads(1)  # the other cores draw other films
    frames = draw_film(film.label, film.person, film.index, SEED, seconds=film.seconds, rate=film.rate, size=film.size)
    held = [frame.pixels for frame in frames if frame.truth == film.label]
    growing = camera_film(path.with_suffix(".growing"), held, film.rate)
    growing.replace(path)
