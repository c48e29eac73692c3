#!/usr/bin/env python
"""How long the random forest's grid search takes on one core and on two: 18 settings x 5 folds on 25,000 hands.

    .venv/bin/python scripts/bench_compare.py FOLDER [--table CSV] [--rows 25000] [--jobs 1,2] [--times 1] [--small]

The hands are those of a table in HaGRID's layout, repeated with jitter. The line that a hand was made of is its group, so that the
copies stay together in every split; otherwise the search would only be asked about what it has seen. Both numbers of jobs are
measured in turn, in processes of their own, on the same folds, and have to find the same settings. Writes FOLDER/compare.json and
prints the table; FOLDER/hands-ROWS.csv is made once. About 26 minutes on two cores that do nothing else; `--small` is a try of
some seconds.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))  # the other parts of this script lie beside it
sys.path.insert(1, str(SCRIPTS.parent))

from bench_quality import log  # noqa: E402
from bench_speed_tools import facts  # noqa: E402

from gesture_maker.files import atomic_write, write_json  # noqa: E402

TABLE = SCRIPTS.parent.parent / "shared/data/hagrid_style_landmarks.csv"
NOISE = 0.3, 0.003  # of x and y in pixels, of which a photo has about 100 here, and of z in shares of its width
FOLDS = 5
SMALL_ROWS, SMALL_EVERY = 1500, 6  # of the settings every so many


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything is kept")
    parser.add_argument("--table", type=Path, default=TABLE, help="the hands that are repeated")
    parser.add_argument("--rows", type=int, default=25_000, help="hands (default: 25,000)")
    parser.add_argument("--jobs", default="1,2", metavar="N,…", help="processes of each search (default: 1,2)")
    parser.add_argument("--times", type=int, default=1, help="measurements of each, in turn (default: 1)")
    parser.add_argument("--small", action="store_true", help="few hands and settings, to see that it works")
    parser.add_argument(
        "--measure", type=int, metavar="N", help=argparse.SUPPRESS
    )  # what is called in a process of its own
    asked = parser.parse_args(arguments)
    rows = SMALL_ROWS if asked.small else asked.rows
    if not asked.table.is_file():
        parser.error(f"--table: there is no file {asked.table}")
    if not all(one.isdecimal() and int(one) for one in asked.jobs.split(",")) or asked.times < 1 or rows < FOLDS:
        parser.error("--jobs: whole numbers from 1; --times: at least 1; --rows: at least 5")
    table = asked.folder / f"hands-{rows}.csv"
    if asked.measure:
        print(json.dumps(measure(table, asked.measure, asked.small)))
        return
    if not table.is_file():
        repeat(asked.table, table, rows)
    found: list[dict[str, Any]] = []
    try:
        for _ in range(asked.times):
            for jobs in map(int, asked.jobs.split(",")):
                log(f"{jobs} at once")
                found.append(in_a_process(asked, jobs))
    except KeyboardInterrupt:
        log("stopped")
        sys.exit(130)
    if len({json.dumps(one["best"]) for one in found}) > 1:
        sys.exit("the searches found different settings, which must not be")
    write_json(asked.folder / "compare.json", {"machine": facts(), "rows": rows, "small": asked.small, "runs": found})
    show(found, rows)


def repeat(source: Path, target: Path, rows: int) -> None:
    """Write the lines of a table again and again, with jitter, until there are so many; each knows its line as `group`."""
    import numpy as np

    rng = np.random.default_rng(0)
    with source.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        lines = list(reader)
    numbers = [place for place, name in enumerate(header) if name != "label"]
    spread = np.array([NOISE[header[place].startswith("z")] for place in numbers])
    points = np.array([[float(line[place]) for place in numbers] for line in lines])
    label = header.index("label")
    with atomic_write(target) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(header[place] for place in numbers), "label", "group"])
        for row in range(rows):
            of = row % len(lines)
            jittered = points[of] + (rng.normal(0, 1, len(numbers)) * spread if row >= len(lines) else 0)
            writer.writerow([*(f"{one:.6g}" for one in jittered), lines[of][label], f"line-{of}"])


def in_a_process(asked: argparse.Namespace, jobs: int) -> dict[str, Any]:
    """Return what `measure` finds in a fresh process."""
    command = [sys.executable, str(Path(__file__).resolve()), str(asked.folder), "--table", str(asked.table)]
    command += ["--rows", str(asked.rows), "--measure", str(jobs), *(["--small"] if asked.small else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def measure(table: Path, jobs: int, small: bool) -> dict[str, Any]:
    """Search with so many processes and return the seconds: of reading, of making the folds, and of the search."""
    from gesture_maker.classifiers.data import folds_of, load_hands
    from gesture_maker.classifiers.kinds import kinds_named
    from gesture_maker.classifiers.search import attempts_of, best_of, search

    begin = time.monotonic()
    hands = load_hands(table)
    read = time.monotonic()
    fold = folds_of(hands, FOLDS, 0)
    made = time.monotonic()
    attempts, _ = attempts_of(kinds_named(["random-forest"]), ("builtin",), FOLDS, len(hands))
    if small:
        chosen = {json.dumps(dict(one.parameters)) for one in attempts[:: SMALL_EVERY * FOLDS]}
        attempts = [one for one in attempts if json.dumps(dict(one.parameters)) in chosen]
    with tempfile.TemporaryDirectory() as folder:
        fits = search(
            attempts,
            hands.rows,
            hands.classes,
            fold,
            hands.labels,
            seed=0,
            file=Path(folder) / "fits.jsonl",
            identity={},
            workers=jobs,
            progress=lambda done, total: log(f"{done} of {total}") if done % 10 == 0 else None,
        )
    ended = time.monotonic()
    best = best_of(fits, "random-forest")
    return {
        "jobs": jobs,
        "hands": len(hands),
        "groups": len(set(hands.groups)),
        "fits": len(fits),
        "read_seconds": read - begin,
        "folds_seconds": made - read,
        "search_seconds": ended - made,
        "fit_seconds": sum(one.train_seconds + one.predict_seconds * one.hands for one in fits),
        "best": {"parameters": dict(best.parameters), "accuracy": best.scores.accuracy},
    }


def show(found: Sequence[dict[str, Any]], rows: int) -> None:
    """Print the medians of each number of jobs, and how many times as fast it is as the first."""
    from statistics import median

    first = found[0]
    print(f"{rows} hands in {first['groups']} groups, {first['fits']} fits; folds in {first['folds_seconds']:.1f} s")
    seconds = {one["jobs"]: [run["search_seconds"] for run in found if run["jobs"] == one["jobs"]] for one in found}
    base = median(seconds[first["jobs"]])
    for jobs, times in seconds.items():
        each = ", ".join(f"{one:.1f}" for one in times)
        print(f"{jobs:>3} at once: {median(times):8.1f} s ({each}), {base / median(times):.2f} times as fast")
    best = first["best"]
    print(f"best: {best['parameters']}, {best['accuracy']:.4f} by cross-validation over groups")


if __name__ == "__main__":
    main()
