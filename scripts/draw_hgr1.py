#!/usr/bin/env python
"""Draw a look-alike of HGR1: photos of 25 still gestures by 12 people, with the mask of the skin of each.

    .venv/bin/python scripts/draw_hgr1.py FOLDER [--people 12] [--poses 25] [--photos 3] [--size 320] [--seed 0] [--zips]

Writes FOLDER/original_images/<gesture>_hgr1_id<person>_<number>.jpg and FOLDER/skin_masks/<the same>.bmp, or with --zips the two zips as
they are published, for `gesture-maker image collect FOLDER --dataset DIR`. Photos that are there already are
kept. 900 take 40 s of one core; MediaPipe finds the hand in all of 100.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gesture_maker.cli.progress import progress_bar
from gesture_maker.synthetic.hgr1 import GESTURES, draw_hgr1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--poses", type=int, default=len(GESTURES), help=f"the first so many of {', '.join(GESTURES)}")
    parser.add_argument("--photos", type=int, default=3, help="of each pose by each person")
    parser.add_argument("--size", type=int, default=320, help="width and height in pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--zips", action="store_true", help="hgr1_images.zip and hgr1_skin.zip in place of the folders")
    asked = parser.parse_args()
    with progress_bar("Drawing") as show:
        drawn = draw_hgr1(
            asked.folder,
            asked.people,
            asked.poses,
            asked.photos,
            size=asked.size,
            seed=asked.seed,
            zips=asked.zips,
            progress=show,
        )
    print(f"{asked.folder}: {drawn} new photos.")


if __name__ == "__main__":
    main()
