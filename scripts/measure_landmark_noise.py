#!/usr/bin/env python
"""How much the landmarker contradicts itself: the same photos with other borders, larger and smaller, and in a mirror.

    .venv/bin/python scripts/measure_landmark_noise.py PHOTOS

PHOTOS is a folder of class folders. Prints, for each way of looking, in how many photos the other hand is named, and how far
the world landmarks are from those of the plain look (border of half the longer side): standard deviations of x, y and z in
units of the hand's size, as the embedder sees them. What `training/augment.py` does to points follows from it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from gesture_maker.dataset.folder import load_dataset
from gesture_maker.errors import UnreadableImage
from gesture_maker.images import Pixels, read_image
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.landmarks.hands import EmbedderInputs, Hand, embedder_inputs
from gesture_maker.training.augment import mirrored

PLAIN = (0.5, 1.0, False)
LOOKS = {
    "border 0.25": (0.25, 1.0, False),
    "border 0.75": (0.75, 1.0, False),
    "2.5 times larger": (0.5, 2.5, False),
    "0.7 times smaller": (0.5, 0.7, False),
    "mirrored": (0.5, 1.0, True),
    "mirrored, border 0.25": (0.25, 1.0, True),
}


def look(detector: HandDetector, pixels: Pixels, border: float, scale: float, in_mirror: bool) -> Hand | None:
    """Return the hand that is found when looking in this way."""
    seen = pixels[:, ::-1] if in_mirror else pixels
    if scale != 1:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        seen = cv2.resize(np.ascontiguousarray(seen), None, fx=scale, fy=scale, interpolation=how)
    return detector.find(np.asarray(seen, np.uint8), (border,))


def inputs(hand: Hand, in_mirror: bool) -> EmbedderInputs:
    """Return the hand as the embedder sees it, mirrored back."""
    seen = embedder_inputs([hand])
    return mirrored(seen) if in_mirror else seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    paths = [image.path for image in load_dataset(parser.parse_args().photos).images]
    differences: dict[str, list[np.ndarray]] = {name: [] for name in LOOKS}
    other_hand = dict.fromkeys(LOOKS, 0)
    with HandDetector() as detector:
        for path in paths:
            try:
                pixels = read_image(path)
            except UnreadableImage:
                continue
            first = look(detector, pixels, *PLAIN)
            if first is None:
                continue
            plain = inputs(first, False)
            for name, how in LOOKS.items():
                found = look(detector, pixels, *how)
                if found is None:
                    continue
                other = inputs(found, how[2])
                other_hand[name] += int((other.handedness[0, 0] > 0.5) != (plain.handedness[0, 0] > 0.5))
                differences[name].append(other.world_hand[0, 1:] - plain.world_hand[0, 1:])
    print("| look | hands | other hand named | x | y | z |")
    print("|---|---|---|---|---|---|")
    for name, found in differences.items():
        if found:
            x, y, z = np.sqrt((np.stack(found) ** 2).mean(axis=(0, 1)))
            print(f"| {name} | {len(found)} | {other_hand[name]} | {x:.3f} | {y:.3f} | {z:.3f} |")


if __name__ == "__main__":
    main()
