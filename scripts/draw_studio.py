#!/usr/bin/env python
"""Draw the README's picture of the studio: recording, training, an answer, and the shop, each as the page shows it.

    ./scripts/setup && .venv/bin/python scripts/draw_studio.py [--out FILE] [--scheme dark] [--keep FOLDER]

Nothing in it is made up: the real studio, used in Chromium (`apt install chromium nodejs npm`), whose camera shows films of drawn people,
and a real training. Takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from gesture_maker.files import atomic_write
from gesture_maker.synthetic.pointing import Act, draw_pointing

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from cameras import camera_film  # noqa: E402
from parity_runtimes import WEB, NotToBeHad, web_ready  # noqa: E402
from studio_films import Film, draw_films  # noqa: E402
from studios import studio  # noqa: E402

CLICK, GRAB = "ok", "open_palm"
LABELS = ("none", GRAB, "point", CLICK)  # the last is being recorded in the picture
PEOPLE, PHOTOS = (4, 0, 5), 9  # of whom the last is in the picture
TRIED, PLAYER = 1002, 1001  # people who were not recorded
SIZE, RATE = (640, 480), 10.0  # of the camera
WINDOW = (1180, 740)
MOMENTS = ("collect", "train", "try", "play")
WIDTH, GAP, CORNER = 1600, 16, 14  # pixels of the picture, between its parts, and of their corners
BORDER = {"light": (222, 226, 231), "dark": (47, 54, 63)}
COLOURS, ROUNDS = (
    256,
    4,
)  # with all colours it has 750 kB, mostly the camera's noise; with these 230 kB and looks the same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / ".github/studio.png")
    parser.add_argument("--scheme", choices=tuple(BORDER), default="light")
    parser.add_argument("--keep", type=Path, help="a folder for the moments, each as it is, and the films")
    asked = parser.parse_args()
    try:
        node = web_ready()
    except NotToBeHad as missing:
        sys.exit(f"draw_studio: {missing}")
    with tempfile.TemporaryDirectory(prefix="draw-studio-") as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        use_studio(node, folder, Path(temporary), asked.scheme)
        strip = put_together([Image.open(folder / f"{moment}.png") for moment in MOMENTS], asked.scheme)
    with atomic_write(asked.out) as growing:
        strip.save(growing, format="PNG", optimize=True)
    print(f"{asked.out} ({asked.out.stat().st_size / 1000:.0f} kB)")


def use_studio(node: str, folder: Path, work: Path, scheme: str) -> None:
    """Use a new studio and leave its pictures in a folder; see tests/web/studio_pictures.mjs."""
    recorded = [Film(label, person, size=SIZE, rate=RATE) for person in PEOPLE for label in LABELS]
    tried = Film(CLICK, TRIED, size=SIZE, rate=RATE)
    films = draw_films(folder / "films", [*recorded, tried])
    played = work / "played.y4m"
    with studio(work, dataset="shop") as served:
        plan = {
            "address": served.address,
            "camera": str(work / "camera.y4m"),
            "width": WINDOW[0],
            "height": WINDOW[1],
            "scheme": scheme,
            "presses": [{"label": film.label, "film": str(films[film]), "photos": PHOTOS} for film in recorded],
            "tried": str(films[tried]),
            "click": CLICK,
            "grab": GRAB,
            "played": str(played),
            "folder": str(folder),
        }
        (work / "plan.json").write_text(json.dumps(plan))
        command = [node, str(WEB / "studio_pictures.mjs"), str(work / "plan.json")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            first = process.stdout.readline()
            if first:
                draw_shopping(played, json.loads(first)["places"])
                process.stdin.write("\n")
                process.stdin.flush()
        if process.returncode:
            sys.exit("draw_studio: the studio could not be used as it should; see above.")


def draw_shopping(path: Path, places: dict[str, Any]) -> None:
    """Draw the film of a hand that puts an apple into the basket, for places in shares of the camera's picture."""
    x, y = places["add apple"]
    acts = [Act((0.5, 0.45), way=0.5, rest=0.5), Act((x, y), CLICK, way=0.6, rest=0.6, hold=3.0)]
    camera_film(path, [frame.pixels for frame in draw_pointing(acts, PLAYER, 2, rate=RATE, size=SIZE)], RATE)


def put_together(moments: list[Image.Image], scheme: str) -> Image.Image:
    """Return the moments two by two, as windows on a transparent ground, in few colours."""
    width = (WIDTH - GAP) // 2
    height = round(width * moments[0].height / moments[0].width)
    sheet = Image.new("RGB", (WIDTH, 2 * height + GAP), "white")
    shape = Image.new("L", sheet.size, 0)
    for place, moment in enumerate(moments):
        left, top = (place % 2) * (width + GAP), (place // 2) * (height + GAP)
        small = moment.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        box = (0, 0, width - 1, height - 1)
        ImageDraw.Draw(small).rounded_rectangle(box, CORNER, outline=BORDER[scheme], width=2)
        sheet.paste(small, (left, top))
        corners = tuple(a + b for a, b in zip(box, (left, top, left, top), strict=True))
        ImageDraw.Draw(shape).rounded_rectangle(corners, CORNER, fill=255)
    sheet = Image.composite(sheet, Image.new("RGB", sheet.size, "white"), shape)
    return sheet.quantize(COLOURS, Image.Quantize.MEDIANCUT, kmeans=ROUNDS, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
