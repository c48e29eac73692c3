#!/usr/bin/env python
"""Draw a film of one person who makes gestures that move, one after the other, and write down when each begins and ends.

    .venv/bin/python scripts/draw_motion_film.py FILM.mp4 [--events 20] [--person 2000] [--seed 0]

Beside the film, FILM.csv holds its events as marks, begin, end and label, for `gesture-maker motion eval RUN FILM.mp4 --marks FILM.csv`. The person is by default nobody whom the demo trains or
tests on. 20 events take about a minute, in 320x240 pixels 35 s of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from gesture_maker.cli.progress import progress_bar
from gesture_maker.files import write_csv
from gesture_maker.synthetic.film import FilmFrame
from gesture_maker.synthetic.motion_dataset import write_film
from gesture_maker.synthetic.motion_film import RATE, SIZE, draw_motion_film


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--person", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=RATE, help="frames per second")
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("WIDTH", "HEIGHT"), help="even numbers")
    asked = parser.parse_args()
    if asked.film.suffix.lower() != ".mp4":
        parser.error(f"{asked.film} is no name for a film: give one that ends with .mp4.")

    events, frames = draw_motion_film(asked.events, asked.person, asked.seed, rate=asked.rate, size=tuple(asked.size))
    with progress_bar("Drawing") as show:

        def counted(frames: Iterable[FilmFrame]) -> Iterator[FilmFrame]:
            for number, frame in enumerate(frames, 1):
                show(number, max(number, round(events[-1].end * asked.rate)))
                yield frame

        write_film(asked.film, counted(frames), asked.rate)
    rows = [{"begin": round(one.begin, 3), "end": round(one.end, 3), "label": one.label} for one in events]
    write_csv(asked.film.with_suffix(".csv"), rows, ("begin", "end", "label"))
    print(asked.film)


if __name__ == "__main__":
    main()
