#!/usr/bin/env python
"""Draw the README's picture: the demo's test people, their landmarks, and what the demo's bundle answers.

./scripts/demo && .venv/bin/python scripts/draw_overview.py [--out FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from gesture_maker import Recognizer
from gesture_maker.files import atomic_write
from gesture_maker.images import read_image
from gesture_maker.landmarks.drawing import draw_hand
from gesture_maker.synthetic.poses import DEMO_CLASSES

SIDE, GAP, TEXT = 190, 10, 46


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".github/overview.png"))
    parser.add_argument("--bundle", type=Path, default=Path("exported_models/demo/gesture_recognizer.task"))
    parser.add_argument("--photos", type=Path, default=Path("datasets/demo_other_people"))
    asked = parser.parse_args()
    from matplotlib import font_manager

    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 15)
    classes = [*[label for label in DEMO_CLASSES if label != "none"][:6], "none"]
    width = len(classes) * (SIDE + GAP) + GAP
    sheet = Image.new("RGB", (width, SIDE + 2 * GAP + TEXT), "white")
    pen = ImageDraw.Draw(sheet)
    with Recognizer(asked.bundle) as recognizer:
        for column, label in enumerate(classes):
            photos = sorted((asked.photos / label).glob("*.jpg"))
            path = photos[(3 * column) % len(photos)]  # another person for each class
            pixels = read_image(path)
            best = recognizer.recognize(pixels).best
            if best is not None:
                pixels = draw_hand(pixels, best.hand)
            left = GAP + column * (SIDE + GAP)
            sheet.paste(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.LANCZOS), (left, GAP))
            answer = f"{best.gesture}\n{best.score:.2f}" if best else "no hand"
            colour = "#15803d" if best and best.gesture == label else "#b91c1c"
            pen.multiline_text(
                (left + SIDE / 2, GAP + SIDE + 4), answer, fill=colour, font=font, anchor="ma", align="center"
            )
    with atomic_write(asked.out) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)
    print(asked.out)


if __name__ == "__main__":
    main()
