#!/usr/bin/env python
"""Draw a data set in the shape of Kaggle's LeapGestRecog: subjects who each make ten gestures before an infra-red camera.

    .venv/bin/python scripts/draw_leap_gestures.py FOLDER [--subjects 10] [--frames 30] [--size 640 240]

Writes FOLDER/leapGestRecog/<subject>/<gesture>/frame_<subject>_<gesture>_<number>.png, grey. Frames that are there already are kept.
The real set has 10 subjects of 200 frames. A frame takes 20 to 30 ms of one core; MediaPipe finds the hand in all frames of 640x240 pixels,
and in 0.90 of the fists of 320x120.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gesture_maker.cli.progress import progress_bar
from gesture_maker.synthetic.infrared import ROOT, SIZE, draw_leap_gestures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subjects", type=int, default=10)
    parser.add_argument("--frames", type=int, default=30, help="of each gesture of each subject")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("WIDTH", "HEIGHT"))
    asked = parser.parse_args()
    with progress_bar("Drawing") as show:
        drawn = draw_leap_gestures(
            asked.folder, asked.subjects, asked.frames, asked.seed, size=tuple(asked.size), progress=show
        )
    print(f"{asked.folder / ROOT}: {drawn} new frames.")


if __name__ == "__main__":
    main()
