#!/usr/bin/env python
"""How fast `live` is beside a bare loop of GestureRecognizer, and what it answers to a film.

    .venv/bin/python scripts/bench_live.py FOLDER --data ../shared [--times 5]

Trains a bundle on data/model_maker_sample with each embedder (kept in FOLDER), then measures on data/gesture_video.mp4, in
turns, each time in a process of its own:

- bare: all frames are decoded beforehand; a loop makes each MediaPipe's image and calls recognize_for_video, nothing else;
- ours: `live TASK FILM --headless --record FILE.mp4`, as it says itself: from the reading of the first frame until the
  recording and the log are in place. Decoding, drawing, encoding and writing are in it; loading is not, nor the first frame,
  which is decoded when the film is opened.

A turn in which other programs took more than a twentieth of a core is measured again, up to `--patience` times: beside them
four threads lose more than one does.

Writes FOLDER/live.md with a Markdown table of the medians and their ratio, and from when on each gesture was answered.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EMBEDDERS = {"mediapipe": "Google's embedder and canned gestures", "builtin": "built-in embedder"}
DISTURBED = 0.05  # cores
FALSE_ALARM_RATE = "0.01"
"""With which the bundles are exported: by default the sample's head takes the film's thumbs-up, which it was not trained on,
for a call (score 0.93), and canned gestures answer only where it says None."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything is kept")
    parser.add_argument("--data", type=Path, default=Path("../shared"), help="the folder with data/ and assets/")
    parser.add_argument("--film", type=Path, help="another film than data/gesture_video.mp4")
    parser.add_argument("--times", type=int, default=5, help="measurements of each number (default: 5)")
    parser.add_argument(
        "--patience", type=int, default=20, help="disturbed turns that are measured again (default: 20)"
    )
    asked = parser.parse_args(arguments)
    film = (asked.film or asked.data / "data/gesture_video.mp4").resolve()
    if not film.is_file():
        parser.error(f"there is no film {film}")
    asked.folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{film.name}, medians of {asked.times} (and their range), {os.cpu_count()} cores; bundles exported with "
        f"--false-alarm-rate {FALSE_ALARM_RATE}",
        "",
        "| bundle | bare loop, frames/s | `live`, recording, frames/s | ratio |",
        "|---|---|---|---|",
    ]
    answers = []
    for embedder, title in EMBEDDERS.items():
        task = trained(asked.folder, asked.data.resolve(), embedder)
        rates: dict[str, list[float]] = {"bare": [], "ours": []}
        turn = 0
        while len(rates["ours"]) < asked.times:
            turn += 1
            with others() as busy:
                found = {side: SIDES[side](asked.folder, task, film) for side in sorted(SIDES, reverse=turn % 2 == 0)}
            counts = busy[0] <= DISTURBED or turn - len(rates["ours"]) > asked.patience
            for side, rate in found.items() if counts else ():
                rates[side].append(rate)
            told = ", ".join(f"{side} {rate:.1f}" for side, rate in found.items())
            again = "" if counts else ": again"
            print(f"{embedder}: {told} frames/s, others {busy[0]:.2f} of a core{again}", file=sys.stderr, flush=True)
        bare, ours = (statistics.median(rates[side]) for side in ("bare", "ours"))
        spread = {side: f"{min(found):.1f}–{max(found):.1f}" for side, found in rates.items()}
        ratio = f"{ours / bare:.3f}"
        lines.append(f"| {title} | {bare:.1f} ({spread['bare']}) | {ours:.1f} ({spread['ours']}) | {ratio} |")
        answers += ["", f"{title}: {answered(recording(asked.folder, task).with_suffix('.csv'))}."]
    text = "\n".join([*lines, *answers])
    (asked.folder / "live.md").write_text(text + "\n", encoding="utf-8")
    print(text)


@contextlib.contextmanager
def others() -> Iterator[list[float]]:
    """Yield a list whose number tells, after the block, how many cores other programs kept busy (0 where not on Linux)."""
    answer = [0.0]
    begin = _used()
    yield answer
    passed, all_programs, own = (after - before for before, after in zip(begin, _used(), strict=True))
    answer[0] = max(0.0, (all_programs - own) / passed)


def _used() -> tuple[float, float, float]:
    """Return the time, and the seconds of cores that all programs used, and this one with its children that have ended."""
    used = os.times()
    own = used.user + used.system + used.children_user + used.children_system
    try:
        counted = [int(one) for one in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
    except OSError:
        return time.perf_counter(), own, own
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = counted
    return time.perf_counter(), (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK"), own


def trained(folder: Path, data: Path, embedder: str) -> Path:
    """Return a bundle trained on the sample, made if it is not there."""
    task = folder / "exported_models" / embedder / "gesture_recognizer.task"
    if not task.is_file():
        sample = str(shutil.copytree(data / "data/model_maker_sample", folder / "sample", dirs_exist_ok=True))
        more = ["--embedder", embedder, "--assets", str(data / "assets")] if embedder != "builtin" else []
        gesture_maker(folder, "train", str(Path(sample).resolve()), "--name", embedder, *more)
        gesture_maker(folder, "export", embedder, "--false-alarm-rate", FALSE_ALARM_RATE, *more[2:])
    return task


def gesture_maker(folder: Path, *arguments: str) -> str:
    """Run a command in `folder` and return what it said."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "gesture_maker", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def ours(folder: Path, task: Path, film: Path) -> float:
    """Return the frames per second of the command line, which records."""
    said = gesture_maker(
        folder, "live", str(task.resolve()), str(film),
        "--headless", "--overwrite", "--record", str(recording(folder, task).resolve()),
    )  # fmt: skip
    found = re.search(r"^Answered: (\d+) frames in ([\d.]+) s", said, re.MULTILINE)
    if found is None:
        raise SystemExit(f"live said something else:\n{said}")
    return int(found[1]) / float(found[2])


def recording(folder: Path, task: Path) -> Path:
    """Return where the recording of a bundle's answers lies."""
    return folder / f"{task.parent.name}.mp4"


def bare(_: Path, task: Path, film: Path) -> float:
    """Return the frames per second of a loop over frames that were decoded beforehand, in a process of its own."""
    code = f"import bench_live; bench_live.bare_loop({str(task)!r}, {str(film)!r})"
    path = os.pathsep.join([str(ROOT), str(ROOT / "scripts")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
    )  # fmt: skip
    return float(json.loads(done.stdout))


def bare_loop(task: str, film: str) -> None:
    """Print the frames per second of GestureRecognizer in VIDEO mode with two hands, and of nothing else."""
    import cv2

    from gesture_maker.mediapipe_runtime import load_mediapipe

    mediapipe = load_mediapipe()
    from mediapipe.tasks.python import BaseOptions, vision

    capture = cv2.VideoCapture(film)
    rate = capture.get(cv2.CAP_PROP_FPS)
    frames = []
    while True:
        taken, picture = capture.read()
        if not taken:
            break
        frames.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    options = vision.GestureRecognizerOptions(
        base_options=BaseOptions(model_asset_path=task), running_mode=vision.RunningMode.VIDEO, num_hands=2
    )
    with vision.GestureRecognizer.create_from_options(options) as recognizer:
        recognizer.recognize_for_video(_image(mediapipe, frames[0] * 0), 0)  # loads what is loaded at the first call
        begin = time.perf_counter()
        for number, frame in enumerate(frames):
            recognizer.recognize_for_video(_image(mediapipe, frame), 1 + round(1000 * number / rate))
        seconds = time.perf_counter() - begin
    print(len(frames) / seconds)


def _image(mediapipe: object, pixels: object) -> object:
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)  # type: ignore[attr-defined]


def answered(log: Path) -> str:
    """Return what the surest hand of each frame was answered with, as stretches of frames."""
    with log.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    best: dict[int, tuple[bool, float, str]] = {}
    for row in rows:
        gesture = row["gesture"] and f"{row['gesture']} ({row['classifier']})"
        one = (row["gesture"] not in ("", "none"), float(row["score"] or 0), gesture or "no hand")
        best[int(row["frame"])] = max(one, best.get(int(row["frame"]), one))
    stretches = [(what, list(frames)) for what, frames in groupby(sorted(best), key=lambda frame: best[frame][2])]
    return ", ".join(f"frames {frames[0]} to {frames[-1]}: {what}" for what, frames in stretches)


SIDES = {"bare": bare, "ours": ours}

if __name__ == "__main__":
    main()
