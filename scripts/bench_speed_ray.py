"""Ray on one and on two nodes of this machine beside the local engine, and a node that dies in the middle.

    python bench_speed_ray.py cluster NODES KILL_AFTER JOURNAL COMMAND…
    python bench_speed_ray.py journal JOURNAL COMMAND…

`cluster` starts Ray nodes of one CPU each, runs a `gesture-maker` command with `--address` of them to its end, and prints
what happened; with KILL_AFTER above 0 it kills a node when so many batches are finished. `journal` is the command itself,
with the engine's journal of batches on.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parent
SIZES, QUICK_SIZES = (300, 1_500), (24, 96)
FAULT_IMAGES, QUICK_FAULT_IMAGES = 3_000, 320
CASES = {
    "local-1": "local engine, 1 worker",
    "ray-1": "Ray, 1 node of 1 CPU",
    "local-2": "local engine, 2 workers",
    "ray-2": "Ray, 2 nodes of 1 CPU",
}
AGAINST = {"ray-1": "local-1", "ray-2": "local-2"}

Numbers = dict[str, Any]


# ------------------------------------------------------------------------------------------------------- 5. the steps


def speed(bench: Any) -> Numbers:
    """Images per second with Ray on one and on two nodes, and with the local engine, without the start."""
    from bench_speed_steps import repeated_images

    sizes = QUICK_SIZES if bench.quick else SIZES
    datasets = {size: repeated_images(bench, size) for size in sizes}

    def measure(case: str, name: str) -> Numbers:
        engine, _, workers = case.partition("-")
        seconds = []
        for dataset in datasets.values():
            place = bench.scratch(name)
            command = ("landmarks", dataset, "--out", place / "out.parquet", "--no-mirror", "--workers", workers)
            if engine == "local":
                seconds.append(bench.run(*command, folder=place)["seconds"])
            else:
                seconds.append(_on_cluster(bench, place, int(workers), 0, *command)["seconds"])
        rate = (sizes[1] - sizes[0]) / max(seconds[1] - seconds[0], 1e-3)
        return {"seconds": seconds[1], "seconds_of_fewer": seconds[0], "per_second": round(rate, 3)}

    found: dict[str, list[Numbers]] = {case: [] for case in CASES}
    for turn in range(bench.times):
        for case in CASES:
            name = f"ray/{case}-{turn}"
            found[case].append(bench.kept(name, partial(measure, case, name)))
    return {"images": sizes, "titles": CASES, "against": AGAINST, "cases": found}


def fault(bench: Any) -> Numbers:
    """A node of two is killed in the middle of a batch when a third are finished; the table, and which batches ran twice."""
    from bench_speed_steps import differences, repeated_images

    from gesture_maker.landmarks.ray_engine import BATCH

    count = QUICK_FAULT_IMAGES if bench.quick else FAULT_IMAGES
    dataset = repeated_images(bench, count)
    batches = -(-count // BATCH)

    def measure() -> Numbers:
        place = bench.scratch("ray-fault")
        command = ("landmarks", dataset, "--no-mirror", "--workers", "2", "--out")
        bench.run(*command, place / "local.parquet", folder=place)
        told = _on_cluster(bench, place, 2, max(1, batches // 3), *command, place / "ray.parquet")
        return {
            "images": count,
            "batches": batches,
            **told,
            **differences(place / "local.parquet", place / "ray.parquet"),
        }

    return dict(bench.kept(f"ray-fault-{count}", measure))


def _on_cluster(bench: Any, place: Path, nodes: int, kill_after: int, *command: str | Path) -> Numbers:
    from bench_speed_tools import line_of_json

    journal = place / "journal"
    journal.mkdir()
    bench.run("cluster", str(nodes), str(kill_after), journal, *command, folder=place, script="bench_speed_ray.py")
    return line_of_json(place)


# ------------------------------------------------------------------------------------------------ in a process of its own


def cluster(nodes: int, kill_after: int, journal: Path, command: list[str]) -> Numbers:
    """Return how long a command took on a cluster of `nodes` nodes besides the head, and what its journal says."""
    session = tempfile.mkdtemp(prefix="bs-", dir="/tmp")  # for sockets, whose paths are limited to 107 bytes
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": session}
    from ray.cluster_utils import Cluster

    common = {"object_store_memory": 100 << 20, "include_dashboard": False}
    # The head has no CPU, so that nothing but the nodes looks.
    ray = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **common})
    try:
        workers = [ray.add_node(num_cpus=1, **common) for _ in range(nodes)]
        noting = ["journal", str(journal)] if kill_after else []
        program = [str(Path(__file__).resolve()), *noting] if noting else ["-m", "gesture_maker"]
        start, killed, before = time.perf_counter(), 0.0, 0
        running = subprocess.Popen(
            [sys.executable, *program, *command, "--engine", "ray", "--address", ray.address], stdout=sys.stderr
        )
        while kill_after and not killed and running.poll() is None:
            before = len(_noted(journal)["end"])
            if before >= kill_after and (victim := _busy(workers, journal)):
                killed = time.perf_counter() - start
                _kill(ray, victim)
            time.sleep(0.02)
        status = running.wait()
        seconds = time.perf_counter() - start
        if status:
            sys.exit(status)
        if kill_after and not killed:
            sys.exit("The command ended before both nodes were at work and one could be killed.")
    finally:
        with contextlib.suppress(Exception):
            ray.shutdown()
        shutil.rmtree(session, ignore_errors=True)
    noted = _noted(journal)
    return {
        "seconds": round(seconds, 3),
        "killed_after_seconds": round(killed, 2),
        "batches_before": before,
        "batches_twice": sum(times > 1 for times in noted["begin"].values()),
        "finished_twice": sum(times > 1 for times in noted["end"].values()),
    }


def _busy(nodes: list[Any], journal: Path) -> Any | None:
    """Return a node in the middle of a batch once all of them are at work."""
    at_work, busy = {}, {}
    for path in journal.glob("*"):
        pid, lines = int(path.name.rpartition("-")[2]), path.read_text().split("\n")[:-1]
        for node in nodes:
            if pid in _processes(node):
                at_work[id(node)] = node
                if lines[-1:] and lines[-1].startswith("begin"):
                    busy[id(node)] = node
    return next(iter(busy.values()), None) if len(at_work) == len(nodes) else None


def _kill(ray: Any, node: Any) -> None:
    """End a node as a power cut does: Ray's own processes, and at the same time the workers that they started."""
    for pid in _processes(node):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    ray.remove_node(node, allow_graceful=False)


def _processes(node: Any) -> set[int]:
    started = {one.process.pid for several in node.all_processes.values() for one in several}
    return started | _children(started)


def _children(parents: set[int]) -> set[int]:
    """Return the processes that these have started, and those that they did."""
    parent_of = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            parent_of[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    while more := {pid for pid, parent in parent_of.items() if parent in parents | found} - found:
        found |= more
    return found


def _noted(journal: Path) -> dict[str, Counter[str]]:
    """Return how often each batch was begun and ended."""
    lines = [line.split() for path in journal.glob("*") for line in path.read_text().splitlines()]
    return {what: Counter(line[1] for line in lines if len(line) == 2 and line[0] == what) for what in ("begin", "end")}


def journal(folder: str, command: list[str]) -> None:
    """Run a command of ours with the Ray engine's journal on."""
    from gesture_maker.cli import main
    from gesture_maker.landmarks import ray_engine

    ray_engine.find = partial(ray_engine.find, journal=folder)
    sys.argv = ["gesture-maker", *command]
    main()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if sys.argv[1] == "cluster":
        print(json.dumps(cluster(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:])))
    else:
        journal(sys.argv[2], sys.argv[3:])
