"""What is logged of every frame reads back as it was, whatever the gestures are called and however it ends."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hands import hands, some_hand
from helpers import environment, tree, write
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.errors import ConfigError
from gesture_maker.recognition import frame_log
from gesture_maker.recognition.answers import Recognition, RecognizedHand
from gesture_maker.recognition.frame_log import COLUMNS, FrameLog
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.smoothing import ShownHand

names = st.one_of(
    st.sampled_from(
        ["none", "拇指向上 👍🏽", 'a "name"', "a,b;c", "two\nlines", "\ttab", "=1+1", "", "é́", "'", "null", "\\"]
    ),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20),
)
scores = st.floats(0, 1)


def shown(track: int, gesture: str, score: float, canned: bool, raw: str, raw_score: float, hand: Any) -> ShownHand:
    return ShownHand(track, gesture, score, canned, RecognizedHand(raw, raw_score, not canned, hand))


one_hand = st.builds(shown, st.integers(1, 99), names, scores, st.booleans(), names, scores, hands)
frames = st.lists(st.tuples(st.lists(one_hand, max_size=3), st.floats(0, 1e5), st.floats(0, 60)), max_size=6)
Frames = Sequence[tuple[Sequence[ShownHand], float, float]]


def log(path: Path, sequence: Frames, **options: bool) -> Path:
    with FrameLog(path, **options) as opened:
        for number, (seen, seconds, latency) in enumerate(sequence):
            add(opened, 3 * number, seen, seconds, latency)
    return opened.close()


def add(opened: FrameLog, number: int, seen: Sequence[ShownHand], seconds: float = 0.5, latency: float = 0.02) -> None:
    frame = Frame(np.zeros((48, 64, 3), np.uint8), number, seconds)
    opened.add(frame, Recognition(tuple(one.raw for one in seen), latency / 2), seen, latency)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def check_hand(found: dict[str, Any], one: ShownHand) -> None:
    """Check what a row or object says of a hand, numbers as they are or as text."""
    right = one.raw.hand.handedness
    assert int(found["track"]) == one.track
    assert (found["gesture"], found["raw_gesture"]) == (one.gesture, one.raw.gesture)
    assert float(found["score"]) == pytest.approx(one.score, abs=1e-6)
    assert float(found["raw_score"]) == pytest.approx(one.raw.score, abs=1e-6)
    answerer = "canned" if one.canned else "custom"
    assert found["classifier"] == (answerer if one.raw.gesture else "unanswered")
    assert found["handedness"] == ("right" if right >= 0.5 else "left")
    assert float(found["handedness_score"]) == pytest.approx(max(right, 1 - right), abs=1e-6)


@settings(max_examples=40)
@given(frames)
def test_a_csv_reads_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, sequence: Frames) -> None:
    path = tmp_path_factory.mktemp("log") / "frames.csv"
    assert log(path, sequence) == path
    found = rows(path)
    expected = [
        (3 * number, seconds, latency, one)
        for number, (seen, seconds, latency) in enumerate(sequence)
        for one in seen or [None]
    ]
    assert len(found) == len(expected)
    for row, (number, seconds, latency, one) in zip(found, expected, strict=True):
        assert tuple(row) == COLUMNS
        assert int(row["frame"]) == number
        assert float(row["seconds"]) == pytest.approx(seconds, abs=1e-6)
        assert float(row["latency_ms"]) == pytest.approx(1000 * latency, abs=1e-3)
        assert float(row["recognition_ms"]) == pytest.approx(500 * latency, abs=1e-3)
        if one is None:
            assert {row[name] for name in COLUMNS[2:-2]} == {""}
        else:
            check_hand(row, one)
    assert set(tree(path.parent)) == {"frames.csv"}


@settings(max_examples=40)
@given(frames)
def test_json_lines_read_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, sequence: Frames) -> None:
    path = tmp_path_factory.mktemp("log") / "frames.jsonl"
    assert log(path, sequence) == path
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == len(sequence)
    for number, (line, (seen, seconds, latency)) in enumerate(zip(lines, sequence, strict=True)):
        found = json.loads(line)
        assert (found["frame"], found["width"], found["height"]) == (3 * number, 64, 48)
        assert found["seconds"] == pytest.approx(seconds, abs=1e-6)
        assert found["latency_ms"] == pytest.approx(1000 * latency, abs=1e-3)
        assert found["recognition_ms"] == pytest.approx(500 * latency, abs=1e-3)
        assert len(found["hands"]) == len(seen)
        for described, one in zip(found["hands"], seen, strict=True):
            check_hand(described, one)
            assert np.allclose(described["landmarks"], one.raw.hand.landmarks, atol=1e-6)
            assert np.allclose(described["world_landmarks"], one.raw.hand.world, atol=1e-6)
            assert np.shape(described["landmarks"]) == np.shape(described["world_landmarks"]) == (21, 3)


def test_both_kinds_have_the_columns_that_the_module_describes(tmp_path: Path) -> None:
    described = [name.strip() for line in (frame_log.__doc__ or "").splitlines() if line.startswith("| ")
                 for name in line.split("|")[1].split(",")][1:]  # fmt: skip
    assert tuple(described) == COLUMNS
    log(tmp_path / "frames.jsonl", [([a_hand()], 0.5, 0.1)])
    found = json.loads((tmp_path / "frames.jsonl").read_bytes())
    assert {*found, *found["hands"][0]} - {"hands", "width", "height", "landmarks", "world_landmarks"} == set(COLUMNS)


def a_hand(gesture: str = "fist") -> ShownHand:
    return shown(1, gesture, 0.75, False, gesture, 0.5, some_hand(0))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".CSV"])
def test_a_log_without_frames_is_a_log(tmp_path: Path, suffix: str) -> None:
    path = log(tmp_path / f"frames{suffix}", [])
    assert path.read_text() == ("" if suffix == ".jsonl" else ",".join(COLUMNS) + "\n")


@pytest.mark.parametrize("problem", [KeyboardInterrupt, RuntimeError, SystemExit])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_log_is_written_as_it_comes_and_kept_after_an_error(
    tmp_path: Path, suffix: str, problem: type[BaseException]
) -> None:
    path = tmp_path / "a folder" / f"frames{suffix}"
    opened = FrameLog(path)
    growing = path.with_name(f"frames.recording{suffix}")
    lengths = [growing.stat().st_size]
    for number in range(5):
        add(opened, number, [a_hand("拇指 👍")] * (number % 3))
        content = growing.read_bytes()
        assert content.endswith(b"\n")
        assert len(content) > lengths[-1]
        lengths.append(len(content))
    assert not path.exists()
    with pytest.raises(problem), opened:
        raise problem
    assert path.read_bytes() == content
    assert opened.close() == path
    assert set(tree(tmp_path)) == {f"a folder/frames{suffix}"}


@pytest.mark.parametrize("name", ["frames.txt", "frames", "frames.json", ".csv", "frames.csv.gz"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.csv or \.jsonl\.$"):
        FrameLog(tmp_path / name)
    assert tree(tmp_path) == {}


def test_an_existing_log_is_not_overwritten_unless_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "frames.csv", b"mine")
    with pytest.raises(ConfigError, match="exists already"):
        FrameLog(path)
    assert tree(tmp_path) == {"frames.csv": b"mine"}
    log(path, [([a_hand()], 0, 0)], overwrite=True)
    assert len(rows(path)) == 1
    assert set(tree(tmp_path)) == {"frames.csv"}


LOG = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_frame_log import FrameLog, a_hand, add
path, limit = Path(sys.argv[1]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with FrameLog(path) as opened:
    for number in range(100000):
        add(opened, number, [a_hand()])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files")
@pytest.mark.parametrize(("name", "limit"), [("frames.csv", 5000), ("frames.jsonl", 20_001)])
def test_a_full_disk_is_one_sentence_and_whole_lines_are_kept(tmp_path: Path, name: str, limit: int) -> None:
    path = tmp_path / name
    done = subprocess.run(
        [sys.executable, "-c", LOG, str(path), str(Path(__file__).parent), str(limit)],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith(f"gesture_maker.recognition.growing.RecordingError: {path} cannot be written further (")
    assert set(tree(tmp_path)) == {name}
    content = path.read_bytes()
    assert limit - 3500 < len(content) <= limit
    assert content.endswith(b"\n")
    lines = content.decode().splitlines()
    numbers = (
        [int(row["frame"]) for row in rows(path)]
        if name.endswith(".csv")
        else [json.loads(line)["frame"] for line in lines]
    )
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 3


def test_what_a_kill_leaves_is_whole_lines(tmp_path: Path) -> None:
    """Nothing is held back: a process that ends at once, without closing anything, has written every frame."""
    code = LOG.replace("100000", "7").replace(
        "        add(opened, number, [a_hand()])",
        "        add(opened, number, [a_hand()])\n    import os\n    os._exit(9)",
    )
    path = tmp_path / "frames.csv"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(Path(__file__).parent), "100000"], env=environment(), check=False
    )
    assert done.returncode == 9
    assert set(tree(tmp_path)) == {"frames.recording.csv"}
    assert [int(row["frame"]) for row in rows(tmp_path / "frames.recording.csv")] == list(range(7))
