#!/usr/bin/env python
"""Draw the README's picture of motions: frames of the demo's film, a strip for each gesture that was told, with the hand's way and the event.

    .venv/bin/gesture-maker motion demo && .venv/bin/python scripts/draw_motions.py [--run motion-demo] [--out FILE]

Each strip ends with the frame in which the gesture was told; the line is the way of the index fingertip from the first frame on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gesture_maker.files import atomic_write
from gesture_maker.landmarks.drawing import draw_hand
from gesture_maker.landmarks.hands import Hand
from gesture_maker.motion.collect_marks import read_marks
from gesture_maker.motion.evaluate import MarkedEvent, evaluate_film
from gesture_maker.motion.features import FINGERTIP
from gesture_maker.recognition.frames import Frame, open_film
from gesture_maker.recognition.showing import LiveFrame

FRAMES, WIDTH, GAP, TEXT = 6, 150, 8, 24
COLUMNS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".github/motions.png"))
    parser.add_argument("--run", default="motion-demo")
    parser.add_argument("--film", type=Path, default=Path("datasets/motion_demo_film.mp4"))
    asked = parser.parse_args()
    hands: dict[int, Hand] = {}

    def look(one: LiveFrame) -> None:
        if one.recognition.hands:
            hands[one.frame.number] = one.recognition.hands[0].hand

    done = evaluate_film(asked.run, asked.film, read_marks(asked.film.with_suffix(".csv")), on_frame=look)
    film = open_film(asked.film)
    frames: list[Frame] = []
    while (frame := film.read()) is not None:
        frames.append(frame)
    shown = {one.mark.label: one for one in reversed(done.found)}
    strips = [_strip(frames, hands, shown[label]) for label in sorted(shown)]
    rows = -(-len(strips) // COLUMNS)
    wide, high = strips[0].size
    sheet = Image.new("RGB", (COLUMNS * (wide + GAP) + GAP, rows * (high + GAP) + GAP), "white")
    for number, strip in enumerate(strips):
        sheet.paste(strip, (GAP + number // rows * (wide + GAP), GAP + number % rows * (high + GAP)))
    with atomic_write(asked.out) as temporary:
        sheet.save(temporary, format="PNG", optimize=True)
    print(asked.out)


def _strip(frames: list[Frame], hands: dict[int, Hand], one: MarkedEvent) -> Image.Image:
    from matplotlib import font_manager

    mark, event = one.mark, one.event
    assert event is not None
    first = next(frame.number for frame in frames if frame.seconds >= mark.begin)
    numbers = np.linspace(first, max(event.frame, first + FRAMES), FRAMES).round().astype(int)
    height = round(WIDTH * frames[0].pixels.shape[0] / frames[0].pixels.shape[1])
    strip = Image.new("RGB", (FRAMES * WIDTH, height + TEXT), "white")
    for place, number in enumerate(numbers):
        pixels = frames[number].pixels
        picture = Image.fromarray(draw_hand(pixels, hands[number]) if number in hands else pixels)
        way = [
            (
                float(hands[k].landmarks[FINGERTIP, 0]) * picture.width,
                float(hands[k].landmarks[FINGERTIP, 1]) * picture.height,
            )
            for k in range(first, number + 1)
            if k in hands
        ]
        if len(way) > 1:
            ImageDraw.Draw(picture).line(way, fill="#f59e0b", width=5, joint="curve")
        strip.paste(picture.resize((WIDTH, height), Image.Resampling.LANCZOS), (place * WIDTH, 0))
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 15)
    pen = ImageDraw.Draw(strip)
    pen.text(
        (2, height + 3), f"{mark.label}, made from {mark.begin:.1f} to {mark.end:.1f} s", fill="#374151", font=font
    )
    told = f"told at {event.seconds:.1f} s, {event.score:.2f}"
    pen.text((strip.width - 2, height + 3), told, fill="#15803d", font=font, anchor="ra")
    return strip


if __name__ == "__main__":
    main()
