"""`scripts/bench_quality.py`: its arithmetic, its draws and folds, and that it starts with nothing but the standard library."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "bench_quality.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_quality", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_quality"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


bench: Any = _load()

# Twelve people with a photo of each of three classes, but the last two people lack one.
FILES = sorted(
    f"{name}/p{number:03}_IMG.jpg"
    for name in ("none", "1", "2")
    for number in range(12)
    if (name, number) not in {("none", 10), ("2", 11)}
)


def test_help_needs_the_standard_library_only() -> None:
    """The scorer's Python, which has mediapipe and OpenCV only, runs this file too."""
    done = subprocess.run([sys.executable, "-I", "-S", SCRIPT, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--scorer" in done.stdout
    assert "--rescore" in done.stdout


def test_an_unknown_section_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, ".", "--only", "people,speed"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "speed is none of people" in done.stderr


def test_calibration_error_by_hand() -> None:
    # Bin 14 of 15 (0.9333 up): scores 0.95 and 1, one of two right; bin 7 (0.4667 up): 0.5, right.
    assert bench.calibration_error([0.95, 1.0, 0.5], [True, False, True]) == pytest.approx((0.95 + 0.5) / 3)
    assert bench.calibration_error([], []) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_calibration_error_lies_between_the_overall_gap_and_one(answers: list[tuple[float, bool]]) -> None:
    scores, right = [score for score, _ in answers], [is_right for _, is_right in answers]
    error = bench.calibration_error(scores, right)
    overall = abs(sum(scores) - sum(right)) / len(answers)
    assert overall - 1e-9 <= error <= 1 + 1e-9
    assert error <= bench.calibration_error(scores, right, bins=15 * 4) + 1e-9  # finer bins hide nothing


def test_first_people() -> None:
    assert {bench.person(file) for file in bench.first_people(FILES, 3)} == {"p000", "p001", "p002"}


@given(count=st.integers(1, 11), draw=st.integers(0, 50))
def test_draws_are_of_whole_people_seeded_and_have_every_class(count: int, draw: int) -> None:
    drawn = bench.drawn_people(FILES, count, draw)
    people = {bench.person(file) for file in drawn}
    assert len(people) == count
    assert drawn == [file for file in FILES if bench.person(file) in people]
    assert {bench.label(file) for file in drawn} == {"none", "1", "2"}
    assert drawn == bench.drawn_people(FILES, count, draw)


def test_draws_differ() -> None:
    assert len({tuple(bench.drawn_people(FILES, 3, draw)) for draw in range(5)}) == 5


@given(st.randoms())
def test_folds_ask_about_each_photo_once_and_are_stratified(chance: random.Random) -> None:
    files = [f"{name}/{number}.jpg" for name, count in (("a", 10), ("none", 11)) for number in range(count)]
    chance.shuffle(files)
    parts = bench.folds(files)
    assert sorted(file for part in parts for file in part) == sorted(files)
    assert parts == bench.folds(sorted(files))
    for part in parts:
        counts = Counter(map(bench.label, part))
        assert counts["a"] == 2
        assert counts["none"] in (2, 3)


def test_unseen_shares() -> None:
    answered = {
        "1/a.jpg": "1", "1/b.jpg": "none", "2/a.jpg": None, "5/a.jpg": "5",
        "none/a.jpg": "none", "6/a.jpg": "2", "7/a.jpg": "none", "8/a.jpg": None, "9/a.jpg": "thumb_up",
    }  # fmt: skip
    shares = bench.unseen_shares([{"file": file, "answer": answer} for file, answer in answered.items()])
    assert shares == {"called_known": 0.25, "recall": 0.5, "none_called_known": 0.0}


def _cell(same: float, mirrored: float, *draws: float) -> dict[str, Any]:
    def views(same: float, mirrored: float) -> dict[str, Any]:
        values = {"bordered": same, "bordered, mirrored": mirrored, "as is": 0.5}
        return {"views": {view: {"end_to_end": value} for view, value in values.items()}}

    return {"first": views(same, mirrored), "draws": [views(draw, draw) for draw in draws]}


def test_the_table_and_what_must_show() -> None:
    sentence = "The class has 1 usable hand | too few."
    results = {
        "mediapipe": "1.2.3",
        "rows": {
            "builtin": {
                "title": "ours",
                "people": {"1": {"first": {"error": sentence}, "draws": []}, "3": _cell(0.97, 0.95, 0.9, 0.8)},
                "unseen": {"called_known": 0.2, "recall": 0.98},
                "sample": {"accuracy": {"as is": 0.8, "bordered": 0.9, "eval": 0.95}},
            },
            "no-augment": {"title": "without", "people": {"3": _cell(0.95, 0.96)}},
        },
        "time": {"median": 14.0, "load_before": 0.1},
    }
    text = bench.render(results)
    assert "| ours | cannot train [1] | 0.970 (0.850) |" in text
    assert f"[1] cannot train: {sentence}" in text
    assert "| ours | 0.200 | 0.980 |  |  |  | 0.800 | 0.900 | 0.950 |" in text
    lines = bench.must_show(results)
    assert "1. same hand, k=1: at least 0.85; cannot train" in lines
    assert "1. same hand, k=3: at least 0.96; 0.970: met (draws: 0.850: MISSED by 0.11)" in lines
    assert "2. the other hand, k=3: within 0.01 of 0.970; 0.950: MISSED by 0.01" in lines
    assert any(line.startswith("3.") and "MISSED by 0.05; recall: at least 0.97; 0.980: met" in line for line in lines)
    assert "4. without: same k=3 -0.020; mirrored k=3 +0.010" in lines
    assert any(line.startswith("5.") and line.endswith("met") for line in lines)


def test_a_comment_does_not_make_other_code(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('"""One."""\nx = 1\n')
    before = bench._fingerprint(tmp_path)
    file.write_text('"""Two."""\nx = 1  # why\n')
    assert bench._fingerprint(tmp_path) == before
    file.write_text("x = 2\n")
    assert bench._fingerprint(tmp_path) != before
