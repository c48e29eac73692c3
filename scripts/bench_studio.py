#!/usr/bin/env python
"""How long a frame takes from the studio's page to its answer, and what streaming costs in memory.

    .venv/bin/python scripts/bench_studio.py FOLDER [--seconds 20] [--times 3] [--memory MINUTES]

A real Chromium with a fake camera (a drawn film of 640x480 pixels and 30 frames/s), a real server and the runtime share this
machine's cores. Measured in turns, for the page Try and for the preview of Collect:

- delay: from a frame's WebSocket.send in the page to its answer there; median and 95th percentile;
- frames/s that are answered, which the camera limits to 30;
- bare: a loop that decodes the same JPEGs and asks GestureRecognizer, without page, network and server, in a process of its
  own, while nothing else runs: ms per frame. The ratio is how many times as long the delay is.

A turn in whose bare loop other programs took more than a twentieth of a core is measured again, up to `--patience` times. (While
Chromium runs nobody can tell: it takes half a core in processes that it does not wait for, and so are nobody's in the end.)

With --memory: streams Try for so many minutes, and prints the server's resident memory half a minute after the beginning and
at the end. Exits 1 when it has grown by more than a tenth.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench_live import DISTURBED
from parity_runtimes import WEB, web_ready

ROOT = Path(__file__).resolve().parent.parent
RUN, GESTURE, PERSON = "bench", "victory", 1001
SIZE, RATE, SECONDS = (640, 480), 30.0, 2.0  # of the film
CLASSES = ("none", "open_palm", "thumbs_up", "victory")
STEPS = {"try": "Try", "collect": "Collect"}
SENT = (480, 80)  # the side and quality of the JPEGs that the page Try sends
WARM_UP = 30.0  # seconds before memory is looked at
GROWTH = 0.1
GOAL_RATE, GOAL_DELAY = 15.0, 150.0  # frames per second, ms at the 95th percentile


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything is kept")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement (default: 20)")
    parser.add_argument("--times", type=int, default=3, help="measurements of each number (default: 3)")
    parser.add_argument(
        "--patience", type=int, default=10, help="disturbed turns that are measured again (default: 10)"
    )
    parser.add_argument("--memory", type=float, metavar="MINUTES", help="look at the memory of so many minutes instead")
    asked = parser.parse_args(arguments)
    folder = asked.folder.resolve()
    bundle, film = prepared(folder)
    with server(folder) as (address, process):
        if asked.memory is not None:
            raise SystemExit(0 if memory(address, process, film, 60 * asked.memory) else 1)
        table = delays(folder, address, process, bundle, film, asked)
    (folder / "studio.md").write_text(table + "\n", encoding="utf-8")
    print(table)


def delays(folder: Path, address: str, server: int, bundle: Path, film: Path, asked: argparse.Namespace) -> str:
    """Return a table of what was measured."""
    found: dict[str, list[dict[str, Any]]] = {step: [] for step in STEPS}
    alone = []
    turn, browser = 0, ""
    while len(alone) < asked.times:
        turn += 1
        told = {}
        for step in STEPS:
            told[step] = streamed(address, film, step, asked.seconds)
            browser = told[step].pop("browser")
        before, began = used(server), time.perf_counter()
        bare = json.loads(ours(folder, "bare_loop", str(bundle), str(film)))
        busy = (used(server) - before) / (time.perf_counter() - began)
        counts = busy <= DISTURBED or turn - len(alone) > asked.patience
        if counts:
            alone.append(bare)
            for step, numbers in told.items():
                found[step].append(numbers)
        shown = ", ".join(f"{step} {n['median']:.0f} ms, {n['rate']:.1f} frames/s" for step, n in told.items())
        again = "" if counts else ": again"
        print(f"{shown}, bare {bare:.1f} ms, others {busy:.2f} of a core{again}", file=sys.stderr, flush=True)
    base = statistics.median(alone)
    side, quality = SENT
    lines = [
        f"{browser} and the studio on {os.cpu_count()} cores; camera {SIZE[0]}x{SIZE[1]}, {RATE:.0f} frames/s; medians of "
        f"{asked.times} times {asked.seconds:g} s",
        "",
        "| page | delay, median, ms | delay, 95 %, ms | frames/s | encoding, ms | in the runtime, ms | bytes | delay : bare loop |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for step, title in STEPS.items():
        n = {key: statistics.median(one[key] for one in found[step]) for key in found[step][0]}
        runtime = f"{n['runtime']:.1f}" if n["runtime"] else "–"
        lines.append(
            f"| {title} | {n['median']:.0f} | {n['late']:.0f} | {n['rate']:.1f} | {n['encoding']:.1f} | {runtime} | "
            f"{n['bytes']:.0f} | {n['median'] / base:.2f} |"
        )
    rate, late = (statistics.median(one[key] for one in found["try"]) for key in ("rate", "late"))
    reached = "reached" if rate >= GOAL_RATE and late <= GOAL_DELAY else "not reached"
    return "\n".join(
        [
            *lines,
            "",
            f"Bare loop over JPEGs of {side} pixels at quality {quality}: {base:.1f} ms a frame. The goal for Try, "
            f"{GOAL_RATE:.0f} frames/s and {GOAL_DELAY:.0f} ms at the 95th percentile, is {reached}.",
        ]
    )


def streamed(address: str, film: Path, step: str, seconds: float) -> dict[str, Any]:
    """Return what the page's frames met with: ms, frames per second, bytes."""
    said = node(address, film, step, str(seconds)).communicate()[0].splitlines()
    told = json.loads(said[-1])
    return {
        "browser": told["browser"],
        "median": statistics.median(told["delays"]),
        "late": percentile(told["delays"], 0.95),
        "rate": told["answered"] / told["seconds"],
        "encoding": statistics.median(told["encoding"]),
        "runtime": statistics.median(told["runtime"]) if told["runtime"] else 0.0,
        "bytes": statistics.median(told["bytes"]),
    }


def memory(address: str, server: int, film: Path, seconds: float) -> bool:
    """Print the server's memory while a page streams; return whether it grew by no more than `GROWTH`."""
    page = node(address, film, "try", str(seconds), str(WARM_UP))
    assert page.stdout is not None
    page.stdout.readline()  # the warm-up is over
    start = resident(server)
    print(f"after {WARM_UP:.0f} s: {start / 1e6:.0f} MB", flush=True)
    told = json.loads(page.communicate()[0].splitlines()[-1])
    end = resident(server)
    change = end / start - 1
    print(f"after {told['answered']:,} more frames in {seconds / 60:g} min: {end / 1e6:.0f} MB, {100 * change:+.1f} %")
    return change <= GROWTH


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def node(address: str, film: Path, *more: str) -> subprocess.Popen[str]:
    """Start the page, see tests/web/bench_studio.mjs."""
    command = [web_ready(), str(WEB / "bench_studio.mjs"), address, str(film), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the address and the process of a studio in `folder`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gesture_maker", "studio", "--no-open", "--port", "0", "--dataset", "new"],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        found = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)), None)
        if found is None:
            raise SystemExit("the studio printed no address")
        yield found.group(), process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stdout.close()


def prepared(folder: Path) -> tuple[Path, Path]:
    """Return a bundle trained on drawn hands, and a film of one of its gestures, made if they are not there."""
    bundle = folder / "exported_models" / RUN / "gesture_recognizer.task"
    film = folder / f"{GESTURE}.y4m"
    shutil.rmtree(folder / "datasets/new", ignore_errors=True)
    if not bundle.is_file() or not film.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(bundle.parent, ignore_errors=True)
        ours(folder, "prepare", str(folder))  # in another process: this one is not to hold TensorFlow
    return bundle, film


def prepare(folder: str) -> None:
    """Train a bundle on drawn hands and draw the film."""
    from gesture_maker import export, train
    from gesture_maker.synthetic.draw import draw_dataset

    place = Path(folder)
    photos = place / "datasets/drawn"
    if not photos.is_dir():
        draw_dataset(photos, CLASSES, range(12), 3, 0)
    export(train(photos, name=RUN, estimate=False, runs=place / "exported_models").run.path)
    draw(place / f"{GESTURE}.y4m")


def draw(path: Path) -> None:
    """Write a film of a hand that holds a gesture, as Chromium's fake camera reads it: Y4M, 4:2:0."""
    import cv2

    from gesture_maker.synthetic.film import draw_film

    frames = draw_film(GESTURE, PERSON, 0, 0, seconds=SECONDS, rate=RATE, size=SIZE)
    growing = path.with_suffix(".growing")
    with growing.open("wb") as file:
        file.write(f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F{RATE:.0f}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            if frame.truth == GESTURE:
                file.write(b"FRAME\n" + cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2YUV_I420).tobytes())
    growing.replace(path)


def bare_loop(bundle: str, film: str) -> None:
    """Print the ms that decoding and GestureRecognizer take for a frame, in VIDEO mode with two hands, and nothing else."""
    import cv2
    import numpy as np
    from PIL import Image

    from gesture_maker.mediapipe_runtime import load_mediapipe

    mediapipe = load_mediapipe()
    from mediapipe.tasks.python import BaseOptions, vision

    width, height = SIZE
    head, size = len(Path(film).read_bytes().split(b"\n", 1)[0]) + 1, 6 + width * height * 3 // 2
    content = Path(film).read_bytes()[head:]
    side, quality = SENT
    jpegs = []
    for start in range(0, len(content), size):
        planes = np.frombuffer(content[start + 6 : start + size], np.uint8).reshape(height * 3 // 2, width)
        picture = Image.fromarray(cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420))
        buffer = io.BytesIO()
        picture.resize((side, side * height // width)).save(buffer, "JPEG", quality=quality)
        jpegs.append(buffer.getvalue())
    options = vision.GestureRecognizerOptions(
        base_options=BaseOptions(model_asset_path=bundle), running_mode=vision.RunningMode.VIDEO, num_hands=2
    )
    with vision.GestureRecognizer.create_from_options(options) as recognizer:
        times = []
        for number in range(200):
            start_of_frame = time.perf_counter()
            pixels = np.asarray(Image.open(io.BytesIO(jpegs[number % len(jpegs)])).convert("RGB"))
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
            recognizer.recognize_for_video(image, round(1000 * number / RATE))
            times.append(time.perf_counter() - start_of_frame)
    print(1000 * statistics.median(times[20:]))


def ours(folder: Path, function: str, *arguments: str) -> str:
    """Run one of this script's functions in a process of its own, and return the last line that it printed."""
    code = f"import sys, bench_studio; bench_studio.{function}(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
    )  # fmt: skip
    return (done.stdout.splitlines() or [""])[-1]


def environment() -> dict[str, str]:
    """Return the environment in which another Python finds the package and this script."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "scripts")])}


def used(server: int) -> float:
    """Return the seconds of cores that programs used which are neither the server nor this one and its children that ended.

    0 where not on Linux.
    """
    own = os.times()
    try:
        whole = [int(one) for one in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
        its = [int(one) for one in Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[11:13]]
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = whole
    everything = (user + nice + system + interrupts + soft + stolen - sum(its)) / os.sysconf("SC_CLK_TCK")
    return everything - own.user - own.system - own.children_user - own.children_system


def resident(process: int) -> int:
    """Return the memory that a process holds, in bytes."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
