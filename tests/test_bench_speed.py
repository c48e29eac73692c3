"""`scripts/bench_speed.py`: its arithmetic, what it measures processes with, and every step at a tiny size."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from helpers import ROOT, environment
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gesture_maker.landmarks.hands import Hand, NoHand
from gesture_maker.landmarks.rows import Row, to_arrow

SCRIPTS = ROOT / "scripts"


def _module(name: str) -> Any:
    sys.path.insert(0, str(SCRIPTS))  # its parts lie beside it, as when it is run
    try:
        module: ModuleType = importlib.import_module(name)
    finally:
        sys.path.remove(str(SCRIPTS))
    return module


main: Any = _module("bench_speed")
images, probe, ray, show, steps, tools = (
    _module(f"bench_speed_{part}") for part in ("images", "probe", "ray", "show", "steps", "tools")
)


def bench_speed(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / "bench_speed.py"), *map(str, arguments)]
    return subprocess.run(command, env=environment(**settings), capture_output=True, text=True, check=False)


# ------------------------------------------------------------------------------------------------------------ arithmetic


def test_an_unknown_step_is_a_usage_error(tmp_path: Path) -> None:
    done = bench_speed(tmp_path, "--only", "images,quality")
    assert done.returncode == 2
    assert "quality is none of folder" in done.stderr


def test_without_the_photos_the_steps_that_need_them_are_a_usage_error(tmp_path: Path) -> None:
    done = bench_speed(tmp_path, "--data", tmp_path, "--only", "landmarks")
    assert done.returncode == 2
    assert "--data: there is no data/sign_language_digits/train" in done.stderr


def test_every_step_is_told_of_in_the_help() -> None:
    told = {line.split()[0] for line in (main.__doc__ or "").splitlines() if line.startswith("    ") and line.split()}
    assert set(main.STEPS) <= told


def test_the_rate_counts_from_when_every_thread_is_warm() -> None:
    # Thread 1 has its first photo at 1 s, thread 2 at 2 s; four photos end after that, the last at 4 s, with 7 CPU seconds.
    spans = [
        (1, 0.0, 1.0, 1.0),
        (2, 0.5, 2.0, 3.0),
        (1, 1.0, 2.5, 4.0),
        (2, 2.0, 3.0, 5.0),
        (1, 2.5, 3.5, 6.0),
        (2, 3.0, 4.0, 7.0),
    ]
    found = probe.summary(spans)
    assert found == {"counted": 4, "threads": 2, "window_seconds": 2.0, "per_second": 2.0, "cpu_ms_each": 1000.0}
    assert probe.summary(spans[::-1]) == found
    with pytest.raises(ValueError, match="too few"):
        probe.summary(spans[:2])


def test_spread_and_ratios_of_pairs() -> None:
    cases = {"stock": [{"seconds": s} for s in (10, 20, 30)], "ours": [{"seconds": s} for s in (5, 5, 15)]}
    assert show.ratios(cases, "stock", "ours", "seconds") == tools.Spread(2, 2, 4)
    assert show.spread(cases["stock"], "seconds").told() == "20.0 (10.0 to 30.0)"


def test_the_journal_of_batches(tmp_path: Path) -> None:
    (tmp_path / "host-1").write_text("begin 0\nend 0\nbegin 1\nbeg")  # the last was killed while it wrote
    (tmp_path / "host-2").write_text("begin 2\nend 2\nbegin 1\nend 1\n")
    noted = ray._noted(tmp_path)
    assert noted == {"begin": {"0": 1, "1": 2, "2": 1}, "end": {"0": 1, "1": 1, "2": 1}}


# ---------------------------------------------------------------------------------------------------------------- images


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "drawn"
    images.draw(folder, 7)
    images.check_same_pixels(folder)
    return folder


@given(st.integers(0, 2**63), st.integers(0, 2**63))
def test_a_comment_changes_the_bytes_and_no_pixel(drawn: Path, one: int, other: int) -> None:
    before = next(drawn.glob("*/*.jpg")).read_bytes()
    contents = [images.commented(before, number) for number in (one, other)]
    assert (contents[0] == contents[1]) == (one == other)
    assert before not in contents
    pixels = [np.asarray(Image.open(io.BytesIO(content))) for content in (before, *contents)]
    assert np.array_equal(pixels[0], pixels[1])
    assert np.array_equal(pixels[0], pixels[2])


@pytest.mark.parametrize("equal", [False, True])
def test_images_repeated_by_name(drawn: Path, tmp_path: Path, equal: bool) -> None:
    images.repeat(drawn, tmp_path, 30, equal)
    files = sorted(tmp_path.glob("*/*.jpg"))
    assert len(files) == 30
    assert all(path.name.startswith(path.parent.name) for path in files)
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in files}) == (7 if equal else 30)


# ------------------------------------------------------------------------------------------------------------- processes


def test_the_peak_memory_of_a_process(tmp_path: Path) -> None:
    def peak(code: str) -> float:
        with tools.Process([sys.executable, "-c", code], tmp_path) as process:
            return float(process.wait()["peak_mb"])

    # A moment between, since memory that is taken in the last 50 ms may be missed.
    small = peak("import time; time.sleep(0.3)")
    large = peak("import time; x = bytearray(200_000_000); x[::4096] = b'1' * len(x[::4096]); time.sleep(0.3); del x")
    assert 195 < large - small < 230


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    code = "import sys; print('Warning', file=sys.stderr); sys.exit('Error: the dataset is empty.')"
    with (
        pytest.raises(tools.FailedError, match=r"^the dataset is empty\.$"),
        tools.Process([sys.executable, "-c", code], tmp_path) as process,
    ):
        process.wait()


def test_what_is_left_early_is_ended_with_all_it_started(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "sign")
    inner = "import signal; sign = open('sign', 'w'); print('here', file=sign, flush=True); signal.pause()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"

    def leave() -> None:
        with tools.Process([sys.executable, "-c", code], tmp_path) as process:
            sign.append((tmp_path / "sign").open())
            assert sign[0].readline() == "here\n"
            assert not process.is_over()
            raise KeyboardInterrupt

    sign: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        leave()
    with sign[0]:
        assert sign[0].read() == ""  # which ends when nobody is left who could write


def test_a_measurement_is_made_once_and_a_failure_never_kept(tmp_path: Path) -> None:
    bench = tools.Bench(tmp_path, tmp_path)
    asked = []

    def measure() -> dict[str, Any]:
        asked.append(1)
        if len(asked) == 1:
            raise tools.FailedError("not now")
        return {"seconds": len(asked)}

    with pytest.raises(tools.FailedError):
        bench.kept("step/one-0", measure)
    assert bench.kept("step/one-0", measure)["seconds"] == 2
    assert tools.Bench(tmp_path, tmp_path).kept("step/one-0", measure)["seconds"] == 2
    assert bench.kept("step/one-1", measure)["seconds"] == 3

    other = tools.Bench(tmp_path, tmp_path, any_code=True)
    other.home = tmp_path / "ours-other"
    assert other.kept("step/one-0", measure)["seconds"] == 2
    other.any_code = False
    assert other.kept("step/one-0", measure)["seconds"] == 4


def test_half_of_a_folder_is_never_taken_for_whole(tmp_path: Path) -> None:
    def make(folder: Path, fail: bool) -> None:
        assert list(folder.iterdir()) == []
        (folder / "one").touch()
        if fail:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tools.made_once(tmp_path / "data", lambda folder: make(folder, True))
    assert not (tmp_path / "data").exists()
    assert tools.made_once(tmp_path / "data", lambda folder: make(folder, False)) == tmp_path / "data"


# ---------------------------------------------------------------------------------------------------------------- tables


def _rows(count: int, seed: int = 0) -> list[Row]:
    rng = np.random.default_rng(seed)
    hands = [Hand(*rng.normal(size=(2, 21, 3)).astype(np.float32), 0.9, 100, 80) for _ in range(count)]
    return [
        Row(f"{i:064}", "key", hand if i % 5 else NoHand("none"), f"a/{i}.jpg", "a") for i, hand in enumerate(hands)
    ]


def _written(path: Path, rows: list[Row]) -> Path:
    path.parent.mkdir(exist_ok=True)
    pyarrow.parquet.write_table(to_arrow(rows), path)
    return path


def test_differences_of_two_tables(tmp_path: Path) -> None:
    rows = _rows(20)
    one = _written(tmp_path / "one.parquet", rows)
    same = steps.differences(one, _written(tmp_path / "same.parquet", rows))
    assert same == {
        "rows": 20, "rows_in_the_end": 20, "lost": 0, "added": 0, "twice": 0, "rows_that_differ": 0, "equal": True
    }  # fmt: skip
    changed = [*rows[:7], _rows(20, 1)[7], *rows[8:-1], rows[3]]
    found = steps.differences(one, _written(tmp_path / "changed.parquet", changed))
    assert found["equal"] is False
    assert (found["lost"], found["added"], found["twice"], found["rows_that_differ"]) == (1, 0, 1, 2)


def test_rows_that_a_killed_run_left(tmp_path: Path) -> None:
    rows, table = _rows(6), tmp_path / "t.parquet"
    assert steps.keys_on_disk(table) == set()
    parts = table.with_name(".t.parquet.parts")
    _written(parts / "1.parquet", rows[2:5])
    _written(parts / ".writing-2.parquet", rows[5:])
    assert len(steps.keys_on_disk(table)) == 3
    _written(table, rows[:3])
    assert steps.keys_on_disk(table) == {(row.sha256, row.detection) for row in rows[:5]}


# --------------------------------------------------------------------------------------------------------------- showing


def _timed(*seconds: float, **more: Any) -> list[dict[str, Any]]:
    return [{"seconds": s, "cpu_seconds": s, "peak_mb": 500.0, "anonymous_mb": 400.0, **more} for s in seconds]


def _rated(rate: float) -> list[dict[str, Any]]:
    return [{"per_second": rate, "cpu_ms_each": 10, "looks": 9, "before_seconds": 1, "after_seconds": 0}]


@pytest.fixture
def results() -> dict[str, Any]:
    used: dict[str, Any] = {"used": 700, "photos": 897}
    compared = {"rows": 9, "lost": 0, "twice": 0, "added": 0, "rows_that_differ": 0, "equal": True}
    kills = [{"after_seconds": 1.0, "rows_kept": 5, "finished_before": finished} for finished in (False, True, False)]
    return {
        "machine": {"cores": 2, "python": "3.11"},
        "quick": False,
        "steps": {
            "folder": {
                "photos": 897,
                "cases": {
                    "stock": _timed(30, 32, 34, **used),
                    "cold": _timed(15, 16, 17, **used),
                    "table": _timed(8, 8, 8, **used),
                    "ten": _timed(8, 8, 8, **used),
                },
            },
            "landmarks": {
                "photos": 897,
                "cases": {"bare-1": _rated(100), "ours-1": _rated(96), "bare-2": _rated(190), "ours-2": _rated(170)},
            },
            "images": {"sizes": {"1000": _timed(10), "10000": _timed(100)}},
            "images-most": {"sizes": {"100000": [{**_timed(1000)[0], "peak_mb": 600.0}]}},
            "rows": {"sizes": {"10000": _timed(9), "1000000": _timed(90)}},
            "ray": {"error": "no Ray here"},
            "kill": {
                **compared,
                "images": 9,
                "undisturbed_seconds": 9.0,
                "last_seconds": 3.0,
                "kills": kills,
                "lost_on_the_way": 0,
            },
        },
    }


def test_what_must_be_shown(results: dict[str, Any]) -> None:
    lines = show.must_show(results["steps"])
    assert "1. ours, cold, times as fast as stock: at least 2; 2.00: met" in lines
    assert any("with the table at hand" in line and "4.00: MISSED by 1.00" in line for line in lines)
    assert "2. ours, after ten more photos, times as fast as stock: at least 4; 4.00: met" in lines
    assert "3. of the bare loop, 1 of each: at least 0.95; 0.960: met" in lines
    assert any(line.startswith("3. of the bare loop, 2 of each") and "MISSED by 0.055" in line for line in lines)
    assert "3. two workers against one: at least 1.9; 1.77: MISSED by 0.13 (the bare loop: 1.90)" in lines
    assert "4. memory from 10,000 to 100,000 images, growth: at most 0.1; 0.20: MISSED by 0.10" in lines
    assert "4. memory of training from 1,000,000 rows: at most 3,000 MB; 500 MB: met" in lines
    assert any(line.startswith("6. kill -9, 2 times: met") for line in lines)
    assert "ray: not measured: no Ray here" in lines


@pytest.mark.parametrize("change", [{"lost": 1}, {"twice": 1}, {"equal": False}, {"lost_on_the_way": 1}])
def test_a_row_lost_or_twice_misses(results: dict[str, Any], change: dict[str, Any]) -> None:
    results["steps"]["kill"] |= change
    assert any(line.startswith("6. kill -9, 2 times: MISSED") for line in show.must_show(results["steps"]))


def test_the_tables_and_pictures(results: dict[str, Any], tmp_path: Path) -> None:
    text = show.render(results)
    assert "| Model Maker, stock | 32.0 (30.0 to 34.0) |  | 32.0 (30.0 to 34.0) | 500 | 700 of 897 |" in text
    assert "| ours, cold | 16.0 (15.0 to 17.0) | 2.00 (2.00 to 2.00) |" in text
    assert "| 10,000 | 1 | 100.0 (100.0 to 100.0) | 100.0 |" in text
    assert "Not measured: no Ray here" in text
    pictures = show.draw(results, tmp_path)
    assert [path.name for path in pictures] == ["speed-folder.png", "speed-images.png", "speed-rows.png"]
    for picture in pictures:
        with Image.open(picture) as image:
            assert image.width > 500


# ------------------------------------------------------------------------------------------------------------ end to end


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the steps keep their numbers, and each finds the images of those before it."""
    return tmp_path_factory.mktemp("speed")


def measured(folder: Path, *names: str, data: Path = ROOT) -> dict[str, Any]:
    """Run steps with --quick and return what they found."""
    done = bench_speed(folder, "--quick", "--any-code", "--data", data, "--only", ",".join(names))
    assert done.returncode == 0, done.stderr
    assert (folder / "quick/speed.md").read_text() in done.stdout
    found: dict[str, Any] = json.loads((folder / "quick/speed.json").read_text())["steps"]
    assert set(names) <= set(found)
    return found


def test_memory_over_the_number_of_images_and_what_a_kill_leaves(folder: Path) -> None:
    found = measured(folder, "images", "images-most", "kill")
    sizes = found["images"]["sizes"] | found["images-most"]["sizes"]
    assert list(sizes) == ["24", "48", "96"]
    for size, cases in sizes.items():
        assert [case["rows"] >= int(size) for case in cases] == [True]
        assert 100 < cases[0]["anonymous_mb"] <= cases[0]["peak_mb"] < 2000
    killed = found["kill"]
    assert (killed["lost"], killed["twice"], killed["lost_on_the_way"], killed["equal"]) == (0, 0, 0, True)
    assert killed["rows"] >= killed["images"] == 48
    assert (folder / "quick/speed-images.png").is_file()

    before = (folder / "quick/speed.json").read_text()
    again = measured(folder, "images")  # nothing is measured again, and the other steps are still told of
    assert again == found
    assert json.loads(before)["steps"] == again


def test_memory_over_the_rows_of_a_table(folder: Path) -> None:
    found = measured(folder, "rows")["rows"]["sizes"]
    assert list(found) == ["300", "900"]
    assert all(case["peak_mb"] > 300 for cases in found.values() for case in cases)
    assert (folder / "quick/speed-rows.png").is_file()


def test_as_many_looks_as_the_bare_loop(folder: Path, shared: Path) -> None:
    found = measured(folder, "landmarks", data=shared)["landmarks"]
    assert found["photos"] == 36
    for case, (numbers,) in found["cases"].items():
        assert (numbers["photos"], numbers["threads"]) == (36, int(case[-1]))
        assert numbers["per_second"] > 0
    assert len({numbers["looks"] for (numbers,) in found["cases"].values()}) == 1


def test_stock_and_ours_from_a_folder_to_a_bundle(folder: Path, shared: Path) -> None:
    found = measured(folder, "folder", data=shared)["folder"]["cases"]
    assert [numbers["photos"] for (numbers,) in found.values()] == [36, 36, 36, 36]
    assert all(numbers["seconds"] > 0 for (numbers,) in found.values())
    assert found["cold"][0]["used"] == found["table"][0]["used"] == found["ten"][0]["used"] > 30
    assert (folder / "quick/speed-folder.png").is_file()


def test_a_ray_node_killed(folder: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    found = measured(folder, "ray-fault")["ray-fault"]
    assert found["batches_twice"] >= 1  # the one that the node was at
    assert found["finished_twice"] == 0
    assert (found["lost"], found["twice"], found["equal"]) == (0, 0, True)
