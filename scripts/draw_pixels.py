#!/usr/bin/env python
"""Draw the README's picture of a classifier on pixels: photos that it was not trained on, a variant of each, and where the answer comes from.

    .venv/bin/python scripts/draw_hgr1.py drawn_hgr1
    .venv/bin/gesture-maker image collect drawn_hgr1 --dataset hgr1
    .venv/bin/gesture-maker image train hgr1 --backbone mobilenetv3-small --weights none --image-size 96 --name pixels
    .venv/bin/python scripts/draw_pixels.py [--run pixels] [--out FILE]

Each column is a photo of the run's test part, of another class and of as many people as there are: as it is, before another background through its mask, as
training sees it, and with the map of what adds to the score of the answer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gesture_maker.dataset.masks import read_mask
from gesture_maker.files import atomic_write
from gesture_maker.images import Pixels, read_image
from gesture_maker.pixels.maps import Mapper, overlaid
from gesture_maker.pixels.pictures import stretched
from gesture_maker.pixels.run import PixelRun
from gesture_maker.training.pixels.augment import variant

COLUMNS, SIDE, GAP, TEXT = 8, 150, 8, 24
RIGHT, WRONG = "#15803d", "#b91c1c"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="pixels")
    parser.add_argument("--out", type=Path, default=Path(".github/pixels.png"))
    asked = parser.parse_args()
    run = PixelRun.load_finished(asked.run)
    mapper = Mapper(run)
    photos = run.test_photos()
    labels = [label for label in run.labels if any(row.label == label for _, row in photos)]
    chosen = [labels[int(index)] for index in np.linspace(0, len(labels) - 1, COLUMNS).round()]
    sheet = Image.new("RGB", (COLUMNS * (SIDE + GAP) + GAP, 3 * (SIDE + GAP) + TEXT + GAP), "white")
    pen = ImageDraw.Draw(sheet)
    font = _font()
    for column, label in enumerate(chosen):
        its = [(path, row) for path, row in photos if row.label == label]
        path, row = its[column % len(its)]  # not always the same person
        pixels = read_image(path)
        left = GAP + column * (SIDE + GAP)
        answer = mapper.look(pixels)
        for line, one in enumerate((pixels, _varied(run, pixels, row.sha256, column), overlaid(pixels, answer.map))):
            sheet.paste(
                Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.LANCZOS), (left, GAP + line * (SIDE + GAP))
            )
        said = f"{label} → {answer.label} {answer.score:.2f}"
        pen.text((left, 3 * (SIDE + GAP) + GAP), said, fill=RIGHT if answer.label == label else WRONG, font=font)
    with atomic_write(asked.out) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)
    print(asked.out)


def _varied(run: PixelRun, pixels: Pixels, sha256: str, number: int) -> Pixels:
    mask = read_mask(run.photo_folder("test"), sha256)
    side = max(run.seeing.side, SIDE)
    small = None if mask is None else stretched(mask, side)
    made = variant(stretched(pixels, side), small, run.settings, np.random.default_rng(number))
    return np.asarray(made.round(), np.uint8)


def _font() -> ImageFont.FreeTypeFont:
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 13)


if __name__ == "__main__":
    main()
