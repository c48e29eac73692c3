"""Many images from few: hands drawn once, repeated under other names, with other bytes but the same pixels."""

from __future__ import annotations

import io
import os
from pathlib import Path

LABELS = ("none", "open_palm", "victory", "thumbs_up", "call", "rock")
SIZE, QUALITY = 200, 90  # pixels and JPEG quality: about 8 kB each
PEOPLE = 20

_COMMENT = b"\xff\xfe"  # JPEG's marker of a comment, followed by its length with these two bytes


def draw(folder: Path, count: int, seed: int = 0) -> None:
    """Draw `count` hands into class folders, equally many of each label."""
    from PIL import Image

    from gesture_maker.synthetic.draw import draw_image

    for number in range(count):
        label, take = LABELS[number % len(LABELS)], number // len(LABELS)
        pixels, _ = draw_image(label, take % PEOPLE, take // PEOPLE, seed, SIZE)
        target = folder / label / f"{label}_{number:06d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(target, "JPEG", quality=QUALITY)


def repeat(drawn: Path, folder: Path, count: int, equal: bool = False) -> None:
    """Fill `folder` with `count` images of the same classes, repeating those of `drawn`.

    Each has bytes of its own, by a comment in the file that changes no pixel; `equal`: hard links instead, to as many
    contents as were drawn.
    """
    sources = sorted(drawn.glob("*/*.jpg"), key=lambda path: path.name.rpartition("_")[2])
    for label in {path.parent.name for path in sources}:
        (folder / label).mkdir(parents=True, exist_ok=True)
    contents = [path.read_bytes() for path in sources]
    for number in range(count):
        source = sources[number % len(sources)]
        target = folder / source.parent.name / f"{source.parent.name}_{number:07d}.jpg"
        if equal:
            os.link(source, target)
        else:
            target.write_bytes(commented(contents[number % len(contents)], number))


def commented(jpeg: bytes, number: int) -> bytes:
    """Return a JPEG file that shows the same and has other bytes for each `number`."""
    text = number.to_bytes(8, "big")
    return jpeg[:2] + _COMMENT + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]


def check_same_pixels(drawn: Path) -> None:
    """Raise SystemExit unless a comment changes the bytes of a drawn image and none of its pixels."""
    import numpy as np
    from PIL import Image

    before = next(drawn.glob("*/*.jpg")).read_bytes()
    one, two = commented(before, 1), commented(before, 2)
    same = [np.asarray(Image.open(io.BytesIO(content))) for content in (before, one, two)]
    if one == two or not all(np.array_equal(same[0], other) for other in same[1:]):
        raise SystemExit("a comment in a JPEG file changes its pixels here: the images cannot be repeated so.")
