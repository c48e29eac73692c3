#!/usr/bin/env python
"""Draw films of the demo's gestures by several people, and of moving hands that make none, for `gesture-maker eval --videos`.

    .venv/bin/python scripts/draw_films.py FOLDER [--people 4] [--per-person 1] [--first-person 1000] [--seconds 3]

The people are by default those on whom the demo's bundle is tested, not those it was trained on. Films that are there already are
kept. A film of 3 s takes 2 s of one core.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gesture_maker.dataset.names import NONE
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.synthetic.film import RATE, SECONDS, SIZE, draw_film
from gesture_maker.synthetic.people import person_name
from gesture_maker.synthetic.poses import DEMO_CLASSES, GESTURES

IDLE_SECONDS = 5.0  # of a film without a gesture: as long as the guided validation watches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--classes", nargs="+", default=DEMO_CLASSES, choices=(NONE, *GESTURES), metavar="CLASS")
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--first-person", type=int, default=1000)
    parser.add_argument("--per-person", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a gesture's film")
    parser.add_argument("--rate", type=float, default=RATE, help="frames per second")
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    people = range(asked.first_person, asked.first_person + asked.people)
    films = [
        (label, person, index) for label in asked.classes for person in people for index in range(asked.per_person)
    ]

    def draw(film: tuple[str, int, int]) -> Path:
        label, person, index = film
        path = Path(asked.folder, label, f"{person_name(person)}_{index + 1}.mp4")
        if not path.exists():
            seconds = IDLE_SECONDS if label == NONE else asked.seconds
            path.parent.mkdir(parents=True, exist_ok=True)
            with Recorder(path) as recorder:
                for frame in draw_film(*film, asked.seed, seconds=seconds, rate=asked.rate, size=tuple(asked.size)):
                    recorder.add(frame.pixels, frame.seconds)
        return path

    with ThreadPoolExecutor(2) as pool:
        for path in pool.map(draw, films):
            print(path)


if __name__ == "__main__":
    main()
