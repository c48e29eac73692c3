"""The steps of `bench_speed.py` on one machine: each measures one thing, in fresh processes, and returns its numbers."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import bench_speed_images as images
from bench_quality import WITHOUT_TENSORBOARD, _hash, log, photos_in
from bench_speed_tools import SCRIPTS, Bench, FailedError, Numbers, Process, line_of_json, made_once

from gesture_maker.landmarks.parts import parts_folder

TEN = 10  # photos added after the first training
KILLS, QUICK_KILLS = 10, 3
DRAWN = 1000  # hands, repeated by name
WORKERS = (1, 2)
KEY = ("file", "sha256", "detection")  # of a row


# ------------------------------------------------------------------------------------- 1. from a folder to a bundle


def folder(bench: Bench) -> Numbers:
    """Seconds from a folder of photos to a trained and exported bundle: stock, and ours cold, with the table, and after ten more."""
    files = chosen_photos(bench)
    photos = copied_photos(bench, files)
    held_back = set(random.Random(0).sample(files, TEN))
    rest = [file for file in files if file not in held_back]

    def with_table(target: Path, part: Sequence[str]) -> None:
        log(f"ours: landmarks of {len(part)} photos, not counted")
        _copy(bench.photos, part, target / "photos")
        _train(bench, target)
        shutil.rmtree(target / "exported_models")

    after_all = made_once(bench.home / f"data/trained-{len(files)}", lambda target: with_table(target, files))
    before_ten = made_once(bench.home / f"data/trained-{len(rest)}", lambda target: with_table(target, rest))

    def cold(name: str) -> Numbers:
        place = bench.scratch(name)
        shutil.copytree(photos, place / "photos")
        return _train(bench, place)

    def table(name: str) -> Numbers:
        place = bench.scratch(name)
        shutil.copytree(after_all / "photos", place / "photos")
        return _train(bench, place)

    def ten(name: str) -> Numbers:
        place = bench.scratch(name)
        shutil.copytree(before_ten / "photos", place / "photos")
        _copy(bench.photos, sorted(held_back), place / "photos")
        return _train(bench, place)

    def stock(name: str) -> Numbers:
        return _train_stock(bench, photos, bench.scratch(name))

    cases = {"stock": stock, "cold": cold, "table": table, "ten": ten}
    found: dict[str, list[Numbers]] = {case: [] for case in cases}
    for turn in range(bench.times):
        for case, measure in cases.items():
            name = f"folder-{len(files)}/{case}-{turn}"
            found[case].append(bench.kept(name, partial(measure, name)))
    return {"photos": len(files), "cases": found}


def chosen_photos(bench: Bench) -> list[str]:
    """Return the photos of the digits as `class/name`: all, or with --quick a dozen of three classes."""
    files = photos_in(bench.photos)
    if not bench.quick:
        return files
    by_class: dict[str, list[str]] = {}
    for file in files:
        by_class.setdefault(file.partition("/")[0], []).append(file)
    return [file for label in ("1", "5", "none") for file in by_class[label][:12]]


def copied_photos(bench: Bench, files: Sequence[str]) -> Path:
    """Return a folder of these photos without a table; never trained on itself."""
    return made_once(bench.home / f"data/photos-{len(files)}", lambda target: _copy(bench.photos, files, target))


def _copy(source: Path, files: Sequence[str], target: Path) -> None:
    for file in files:
        place = target / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, place)


def _train(bench: Bench, place: Path) -> Numbers:
    """Train and export in one command on `place/photos`."""
    numbers = bench.run("train", "photos", "--name", "bench", "--export", *bench.train_flags, folder=place)
    made = place / "exported_models/bench"
    if not (made / "gesture_recognizer.task").is_file():
        raise FailedError("`train --export` left no gesture_recognizer.task")
    run = json.loads((made / "run.json").read_text())
    return {**numbers, "photos": run["photos"], "used": sum(run["hands"].values())}


def _train_stock(bench: Bench, photos: Path, place: Path) -> Numbers:
    """Do the same with Model Maker as its tutorial has it."""
    temporary = place / "temporary"
    temporary.mkdir()
    (temporary / "model_maker").symlink_to(stock_files(bench) / "model_maker")
    script = str(bench.shared / "baseline/stock_model_maker.py")
    command = [sys.executable, "-c", WITHOUT_TENSORBOARD, script, str(photos), str(place / "out")]
    with Process(command, place, TMPDIR=str(temporary)) as process:
        numbers = process.wait()
    if not (place / "out/gesture_recognizer.task").is_file():
        raise FailedError("stock Model Maker left no gesture_recognizer.task")
    told = line_of_json(place)
    return {**numbers, "photos": told["images"], "used": told["kept"], "steps": told["seconds"]}


def stock_files(bench: Bench) -> Path:
    """Return the temporary folder in which stock Model Maker finds the files that it would download."""

    def make(target: Path) -> None:
        log("stock: making the files that it would download")
        script = str(bench.shared / "baseline/savedmodel_from_tflite.py")
        with Process([sys.executable, script], bench.scratch("stock-files"), TMPDIR=str(target)) as process:
            process.wait()

    return made_once(bench.stock_files, make)


# --------------------------------------------------------------------------------------- 2. landmarks per second


def landmarks(bench: Bench) -> Numbers:
    """Photos per second of a bare HandLandmarker loop and of ours, from files to the table, both without the start."""
    files = chosen_photos(bench)
    photos = copied_photos(bench, files)

    def bare(workers: int, name: str) -> Numbers:
        place = bench.scratch(name)
        numbers = bench.run("bare", photos, str(workers), folder=place, script="bench_speed_probe.py")
        return numbers | line_of_json(place)

    def ours(workers: int, name: str) -> Numbers:
        place = bench.scratch(name)
        command = ("landmarks", photos, "--out", place / "out.parquet", "--no-mirror", "--workers", str(workers))
        numbers = bench.run("watch", place / "watched.json", *command, folder=place, script="bench_speed_probe.py")
        numbers |= json.loads((place / "watched.json").read_text())
        if numbers["photos"] != len(files):
            raise FailedError(f"ours looked at {numbers['photos']} of {len(files)} photos")
        return numbers

    found: dict[str, list[Numbers]] = {f"{who}-{workers}": [] for workers in WORKERS for who in ("bare", "ours")}
    for turn in range(bench.times):
        for workers in WORKERS:
            for who, measure in (("bare", bare), ("ours", ours)):
                name = f"landmarks-{len(files)}/{who}-{workers}-{turn}"
                found[f"{who}-{workers}"].append(bench.kept(name, partial(measure, workers, name)))
    return {"photos": len(files), "cases": found}


# ------------------------------------------------------------------------- 3. memory and time over the number of images


def few_and_many(bench: Bench) -> Numbers:
    """Time and peak memory of `landmarks` for the two smaller sizes, every image with a content of its own."""
    return _sizes(bench, bench.image_sizes[:-1], bench.times)


def most(bench: Bench) -> Numbers:
    """The same for the greatest size, once."""
    return _sizes(bench, bench.image_sizes[-1:], 1)


def equal(bench: Bench) -> Numbers:
    """The same for all sizes where only as many contents differ as were drawn: all others are read and hashed."""
    return _sizes(bench, bench.image_sizes, bench.times, equal_contents=True)


def _sizes(bench: Bench, sizes: Sequence[int], times: int, equal_contents: bool = False) -> Numbers:
    found: dict[str, list[Numbers]] = {str(size): [] for size in sizes}
    for turn in range(times):
        for size in sizes:
            dataset = repeated_images(bench, size, equal_contents)
            name = f"{'equal' if equal_contents else 'images'}-{size}/{turn}"

            def measure(dataset: Path = dataset, size: int = size, name: str = name) -> Numbers:
                place = bench.scratch(name)
                numbers = bench.run("landmarks", dataset, "--out", place / "out.parquet", folder=place)
                rows = _rows(place / "out.parquet")
                if rows < size:
                    raise FailedError(f"the table has {rows} rows for {size} images")
                shutil.rmtree(place)
                return {**numbers, "images": size, "rows": rows}

            found[str(size)].append(bench.kept(name, measure))
    return {"sizes": found}


def repeated_images(bench: Bench, count: int, equal_contents: bool = False) -> Path:
    """Return a dataset of so many images, made of the drawn ones."""
    few = min(DRAWN, bench.image_sizes[0])

    def draw(target: Path) -> None:
        log(f"drawing {few} hands")
        images.draw(target, few)
        images.check_same_pixels(target)

    drawn = made_once(bench.folder / f"drawn-{few}", draw)
    name = f"{'equal' if equal_contents else 'images'}-{count}"

    def repeat(target: Path) -> None:
        log(f"writing {count} images")
        images.repeat(drawn, target, count, equal_contents)

    return made_once(bench.folder / name, repeat)


# ------------------------------------------------------------------------ 4. memory and time over the number of table rows


def rows(bench: Bench) -> Numbers:
    """Time and peak memory of `train TABLE` over its rows."""
    found: dict[str, list[Numbers]] = {str(size): [] for size in bench.row_sizes}
    for turn in range(bench.times):
        for size in bench.row_sizes:
            table = table_of(bench, size)
            name = f"rows-{size}/{turn}"

            def measure(table: Path = table, size: int = size, name: str = name) -> Numbers:
                place = bench.scratch(name)
                numbers = bench.run("train", table, "--name", "bench", *bench.train_flags, folder=place)
                run = json.loads((place / "exported_models/bench/run.json").read_text())
                shutil.rmtree(place)
                told = {key: run[key] for key in ("streamed", "metrics") if key in run}
                return {**numbers, "rows": size, "run": told}

            found[str(size)].append(bench.kept(name, measure))
    return {"sizes": found}


def table_of(bench: Bench, count: int) -> Path:
    """Return a table of so many rows, written by `bench_speed_data.write_table`."""
    generator = SCRIPTS / "bench_speed_data.py"
    if not generator.is_file():
        raise FailedError("scripts/bench_speed_data.py is missing")
    table = bench.folder / "tables" / f"rows-{count}-{_hash(generator.read_bytes())}.parquet"
    if not table.is_file():
        log(f"writing a table of {count} rows")
        table.parent.mkdir(parents=True, exist_ok=True)
        making = table.with_name(f".making-{table.name}")
        code = "import sys, pathlib, bench_speed_data as data; data.write_table(pathlib.Path(sys.argv[1]), int(sys.argv[2]), 0)"
        paths = os.pathsep.join([str(SCRIPTS), bench.environment["PYTHONPATH"]])
        command = [sys.executable, "-c", code, str(making), str(count)]
        with Process(command, bench.scratch("table"), **{**bench.environment, "PYTHONPATH": paths}) as process:
            process.wait()
        making.replace(table)
    return table


# --------------------------------------------------------------------------------------------------------- 6. kill -9


def kill(bench: Bench) -> Numbers:
    """Kill a local run at random moments, let it end, and compare its table with that of an undisturbed run."""
    count = bench.image_sizes[1]
    dataset = repeated_images(bench, count)

    def measure() -> Numbers:
        place = bench.scratch("kill")
        command = ("landmarks", dataset, "--workers", str(WORKERS[-1]))
        undisturbed = bench.run(*command, "--out", place / "undisturbed.parquet", folder=place)
        chance, table = random.Random(0), place / "killed.parquet"
        moments: list[Numbers] = []
        keys: set[tuple[str, str]] = set()
        lost_on_the_way = 0
        # Each moment anywhere in the next fifth of an undisturbed run: ten of them come about as far as its end, so that
        # beginnings, the middle and the merging at the end are hit. A quick run is mostly its start.
        kills, within = (QUICK_KILLS, 1.1) if bench.quick else (KILLS, 2 / KILLS)
        for _ in range(kills):
            after = chance.uniform(0, within) * undisturbed["seconds"]
            with bench.ours(*command, "--out", table, folder=place) as process:
                finished = process.is_over(within=after)
                process.kill()
                process.wait(check=False)
            now = keys_on_disk(table)
            lost_on_the_way += len(keys - now)
            keys = now
            moments.append({"after_seconds": round(after, 2), "finished_before": finished, "rows_kept": len(now)})
            log(f"killed after {after:.1f} s: {len(now)} rows are kept")
        last = bench.run(*command, "--out", table, folder=place)
        return {
            "images": count,
            "undisturbed_seconds": undisturbed["seconds"],
            "last_seconds": last["seconds"],
            "kills": moments,
            "lost_on_the_way": lost_on_the_way,
            **differences(place / "undisturbed.parquet", table),
        }

    return bench.kept(f"kill-{count}", measure)


def differences(one: Path, other: Path) -> Numbers:
    """Return the rows of two tables, and how many of `one` the `other` lacks, has twice, or has with other values or elsewhere."""
    import pyarrow.parquet

    first, second = (pyarrow.parquet.read_table(path) for path in (one, other))
    if first.schema.names != second.schema.names:
        raise FailedError(f"{other.name} has other columns than {one.name}")
    keys = [list(zip(*(table.column(name).to_pylist() for name in KEY), strict=True)) for table in (first, second)]
    equal = first.equals(second)
    pairs = () if equal else zip(first.to_pylist(), second.to_pylist(), strict=False)
    return {
        "rows": len(keys[0]),
        "rows_in_the_end": len(keys[1]),
        "lost": len(set(keys[0]) - set(keys[1])),
        "added": len(set(keys[1]) - set(keys[0])),
        "twice": len(keys[1]) - len(set(keys[1])),
        "rows_that_differ": sum(before != after for before, after in pairs),
        "equal": equal,
    }


def keys_on_disk(table: Path) -> set[tuple[str, str]]:
    """Return SHA-256 and settings of all rows that a killed run left, in the table or in its parts."""
    import pyarrow.parquet

    parts = sorted(parts_folder(table).glob("*.parquet"))
    found: set[tuple[str, str]] = set()
    for path in (table, *parts):
        if path.is_file() and not path.name.startswith("."):
            columns = pyarrow.parquet.read_table(path, columns=["sha256", "detection"])
            found |= set(zip(*(column.to_pylist() for column in columns.columns), strict=True))
    return found


def _rows(table: Path) -> int:
    import pyarrow.parquet

    return int(pyarrow.parquet.read_metadata(table).num_rows)
