#!/usr/bin/env python
"""How well bundles do for people they were not trained on, as MediaPipe's own GestureRecognizer answers.

    .venv/bin/python scripts/bench_people.py TRAIN TEST [--assets DIR] [--group-by REGEX]

TRAIN and TEST are folders of class folders with photos of different people. Trains, exports and evaluates with each
embedder through the command line, in a temporary folder, and prints a table. `--assets` is where Google's embedder is;
without it only the built-in one is measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def gesture_maker(*arguments: str, folder: Path) -> float:
    """Run a command and return how many seconds it took."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "gesture_maker", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--assets", type=Path)
    parser.add_argument("--group-by", default=None)
    asked = parser.parse_args()
    print("| embedder | photos used | other people's photos right | no hand found | train, export, eval |")
    print("|---|---|---|---|---|")
    for embedder in ("builtin", *(("mediapipe",) if asked.assets else ())):
        assets = ["--assets", str(asked.assets.resolve())] if asked.assets else []
        groups = ["--group-by", asked.group_by] if asked.group_by else []
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            seconds = [
                gesture_maker(
                    "train", str(asked.train.resolve()), "--name", "bench", "--embedder", embedder, *assets, *groups,
                    folder=folder,
                ),
                gesture_maker("export", "bench", *assets, folder=folder),
                gesture_maker("eval", "bench", str(asked.test.resolve()), folder=folder),
            ]  # fmt: skip
            run = json.loads((folder / "exported_models/bench/run.json").read_text())
            found = json.loads(next((folder / "exported_models/bench/evaluation").glob("*/metrics.json")).read_text())
        used = sum(run["hands"].values())
        print(
            f"| {embedder} | {used} of {run['photos']} | {found['accuracy']:.3f} of {found['photos']} | "
            f"{found['no_hand']} | {', '.join(f'{s:.0f}' for s in seconds)} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
