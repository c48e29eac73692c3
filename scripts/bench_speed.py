#!/usr/bin/env python
"""How fast it is and how much memory it takes: stock Model Maker beside ours, a bare landmarker loop, Ray, and kills.

    .venv/bin/python scripts/bench_speed.py FOLDER --data ../shared [--only NAME,…] [--times 5] [--quick]

Each number is of a fresh process of the command line, measured from outside; the sides are measured in turns, so that a
slow minute of the machine hits all of them. Every measurement is kept in FOLDER by the code that was measured, so that
after Ctrl-C the same command goes on; remove FOLDER/ours-… to measure again. Writes FOLDER/speed.md, speed.json and
pictures. FOLDER takes 3 GB for the steps with 100,000 images.

    folder          folder to bundle: stock, ours cold, with the table, after ten more photos     6 min
    landmarks       a bare HandLandmarker loop and ours, at one and two workers                   9 min
    images          time and memory of `landmarks` at 1,000 and 10,000 images                    11 min
    rows            time and memory of `train TABLE` from 10,000 to 1,000,000 rows
    kill            kill -9 at ten random moments; the table                                      5 min
    ray             Ray on one and on two nodes, and the local engine                            18 min
    ray-fault       a node killed in the middle; the table, and what ran twice                    2 min
    images-equal    1,000 to 100,000 images of 1,000 contents                                     8 min
    images-most     the same as `images` at 100,000, once                                        20 min

The minutes are for two cores that do nothing else and find 50 hands a second each.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))  # the other parts of this script lie beside it
sys.path.insert(1, str(SCRIPTS.parent))

import bench_speed_ray  # noqa: E402
import bench_speed_show as show  # noqa: E402
import bench_speed_steps as steps  # noqa: E402
from bench_quality import _write, log  # noqa: E402
from bench_speed_tools import Bench, FailedError, Numbers, facts  # noqa: E402

STEPS: dict[str, Callable[[Bench], Numbers]] = {
    "folder": steps.folder,
    "landmarks": steps.landmarks,
    "images": steps.few_and_many,
    "rows": steps.rows,
    "kill": steps.kill,
    "ray": bench_speed_ray.speed,
    "ray-fault": bench_speed_ray.fault,
    "images-equal": steps.equal,
    "images-most": steps.most,
}
"""In the order in which they are measured: the longest last."""

NEED_DATA = ("folder", "landmarks")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything is kept")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared"), help="the folder with data/, assets/ and baseline/"
    )
    parser.add_argument("--only", default=",".join(STEPS), metavar="NAME,…", help="these steps (default: all)")
    parser.add_argument("--times", type=int, default=5, help="measurements of each number (default: 5)")
    parser.add_argument("--quick", action="store_true", help="a few images, once, to see that it works")
    parser.add_argument("--any-code", action="store_true", help="take what was measured of other code, too")
    parser.add_argument("--stock-files", type=Path, help="where savedmodel_from_tflite.py has written (default: made)")
    asked = parser.parse_args(arguments)
    names = asked.only.split(",")
    if unknown := [name for name in names if name not in STEPS]:
        parser.error(f"--only: {', '.join(unknown)} is none of {', '.join(STEPS)}")
    if asked.times < 1:
        parser.error("--times: at least 1")
    if set(names) & set(NEED_DATA) and not (asked.data / "data/sign_language_digits/train").is_dir():
        parser.error(f"--data: there is no data/sign_language_digits/train in {asked.data}")
    bench = Bench(asked.folder, asked.data, asked.quick, asked.times, asked.any_code)
    if asked.stock_files:
        bench.stock_files = asked.stock_files.resolve()
    try:
        results = measure(bench, names)
    except KeyboardInterrupt:
        log(f"stopped; what was measured is kept in {bench.home}: the same command goes on from there")
        sys.exit(130)
    print(text := show.render(results))
    _write(bench.folder / "speed.md", text)
    _write(bench.folder / "speed.json", json.dumps(results, indent=1))
    for picture in show.draw(results, bench.folder):
        log(f"drew {picture}")
    if any("error" in found for found in results["steps"].values()):
        sys.exit(1)


def measure(bench: Bench, names: Sequence[str]) -> Numbers:
    """Return the numbers of these steps; of one that fails, the reason."""
    found: Numbers = {}
    for name, step in STEPS.items():
        if name in names:
            log(f"{name}: {(step.__doc__ or '').splitlines()[0]}")
            try:
                found[name] = step(bench)
            except FailedError as error:
                log(f"{name} failed: {error}")
                found[name] = {"error": str(error)}
            except Exception as error:  # also a mistake in here: the other steps may take hours
                traceback.print_exc()
                found[name] = {"error": f"{type(error).__name__}: {error}"}
            else:
                _write(bench.home / "steps" / f"{name}.json", json.dumps(found[name]))
        elif kept := bench.newest(f"steps/{name}.json"):  # of an earlier call
            found[name] = kept
    return {"machine": facts(), "code": bench.code, "quick": bench.quick, "times": bench.times, "steps": found}


if __name__ == "__main__":
    main()
