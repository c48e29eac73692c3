"""landmarks.parquet: what goes in comes out, and no accident costs more than the latest answers."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from hands import answers, drawn, drawn_dataset, same_answer
from helpers import ROOT, environment, one_sentence_error, run_cli, tree, write
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker import steps
from gesture_maker.landmarks.hands import NOT_FOUND, HandOrNot, NoHand
from gesture_maker.landmarks.table import LandmarkTable, table_path

names = st.text("0123456789abcdef", min_size=1, max_size=64)


def filled(path: Path, count: int = 3) -> LandmarkTable:
    """Return a saved table of one hand under several names, and one photo without."""
    table = LandmarkTable.open(path)
    for number in range(count):
        table.put(f"{number}", "key", drawn("four", 0, 0, 64)[1])
    table.put("nothing", "key", NOT_FOUND)
    table.save()
    return table


@given(st.dictionaries(st.tuples(names, names), answers, max_size=6))
def test_what_goes_in_comes_out(tmp_path_factory: pytest.TempPathFactory, rows: dict[Any, HandOrNot]) -> None:
    place = tmp_path_factory.mktemp("table") / "deep" / "landmarks.parquet"
    table = LandmarkTable.open(place)
    for (sha256, key), answer in rows.items():
        table.put(sha256, key, answer)
    table.save()
    assert place.exists() == bool(rows)  # nothing to say makes no file
    again = LandmarkTable.open(place)
    assert len(again) == len(rows)
    for (sha256, key), answer in rows.items():
        found = again.get(sha256, key)
        assert found is not None
        assert same_answer(found, answer)
    assert again.get("no such photo", "key") is None


def test_a_later_answer_replaces_an_earlier_one(tmp_path: Path) -> None:
    table = filled(tmp_path / "landmarks.parquet")
    table.put("nothing", "key", NoHand("other"))
    table.save()
    again = LandmarkTable.open(table.path)
    assert again.get("nothing", "key") == NoHand("other")
    assert len(again) == 4


def test_an_unchanged_table_is_not_written_again(tmp_path: Path) -> None:
    table = filled(tmp_path / "landmarks.parquet")
    table.path.unlink()
    table.save()
    assert not table.path.exists()


def damaged(whole: bytes, kind: str, place: Path) -> bytes:
    if kind == "cut short":
        return whole[: len(whole) // 2]
    if kind == "changed inside":
        return whole[:40] + bytes(len(whole) - 80) + whole[-40:]
    if kind in ("other columns", "other values"):
        columns = (
            {"a": [1]}
            if kind == "other columns"
            else {name: ["x"] for name in pyarrow.parquet.read_table(place).column_names}
        )
        if kind == "other values":
            columns["reason"] = pyarrow.array([None], pyarrow.string())
        pyarrow.parquet.write_table(pyarrow.table(columns), place)
        return place.read_bytes()
    return {"empty": b"", "words": b"these are words\n" * 30}[kind]


@pytest.mark.parametrize("kind", ["cut short", "changed inside", "other columns", "other values", "empty", "words"])
def test_a_damaged_file_is_set_aside_and_made_anew(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "landmarks.parquet"
    filled(place)
    content = damaged(place.read_bytes(), kind, place)
    place.write_bytes(content)
    table = LandmarkTable.open(place)
    assert len(table) == 0
    assert tree(tmp_path) == {"landmarks.parquet.damaged": content}
    filled(place)
    assert len(LandmarkTable.open(place)) == 4


def test_a_file_that_cannot_be_read_is_not_taken_for_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "landmarks.parquet"
    filled(place)
    whole = place.read_bytes()

    def fails(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(place))

    monkeypatch.setattr(pyarrow.parquet, "read_table", fails)
    with pytest.raises(PermissionError):
        LandmarkTable.open(place)
    assert tree(tmp_path) == {"landmarks.parquet": whole}


def test_a_full_disk_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "landmarks.parquet"
    table = filled(place)
    before = tree(tmp_path)
    table.put("more", "key", NOT_FOUND)

    def fails(_: object, target: Path, **__: object) -> None:
        Path(target).write_bytes(b"PAR1 and no more")
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    with monkeypatch.context() as patched:
        patched.setattr(pyarrow.parquet, "write_table", fails)
        with pytest.raises(OSError, match="No space left"):
            table.save()
    assert tree(tmp_path) == before
    table.save()  # there is room again, and nothing was forgotten
    assert len(LandmarkTable.open(place)) == 5


KILLED = """
import os, signal, sys
from pathlib import Path
import pyarrow.parquet
from gesture_maker.landmarks.hands import NOT_FOUND
from gesture_maker.landmarks.table import LandmarkTable

def killed(_, target, **__):
    Path(target).write_bytes(b"PAR1 and no more")
    os.kill(os.getpid(), signal.SIGKILL)

pyarrow.parquet.write_table = killed
table = LandmarkTable.open(Path(sys.argv[1]))
table.put("more", "key", NOT_FOUND)
table.save()
"""


def test_a_kill_while_saving_leaves_the_old_table(tmp_path: Path) -> None:
    place = tmp_path / "landmarks.parquet"
    filled(place)
    before = place.read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED, place], env=environment(), check=False)
    assert done.returncode == -signal.SIGKILL
    assert place.read_bytes() == before
    assert len(LandmarkTable.open(place)) == 4


SAVING = """
import sys
from pathlib import Path
from gesture_maker.landmarks.hands import NoHand
from gesture_maker.landmarks.table import LandmarkTable

table = LandmarkTable.open(Path(sys.argv[1]))
for number in range(60):
    table.put(f"{sys.argv[2]}-{number}", "key", NoHand("long " * 1000))
    table.save()
"""


def test_two_processes_that_save_at_once_leave_a_whole_table(tmp_path: Path) -> None:
    place = tmp_path / "landmarks.parquet"
    command = [sys.executable, "-c", SAVING, str(place)]
    both = [subprocess.Popen([*command, name], env=environment(), cwd=ROOT) for name in ("one", "two")]
    while any(process.poll() is None for process in both):
        LandmarkTable.open(place)  # would set a broken one aside
    assert [process.returncode for process in both] == [0, 0]
    assert list(tree(tmp_path)) == ["landmarks.parquet"]
    assert len(LandmarkTable.open(place)) >= 60


# Where it lies


def test_it_lies_beside_the_photos(tmp_path: Path) -> None:
    assert table_path(tmp_path) == tmp_path.resolve() / "landmarks.parquet"


def test_a_read_only_dataset_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = drawn_dataset(tmp_path / "data")
    before = tree(dataset)
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    dataset.chmod(0o555)
    try:
        result = steps.check(dataset)
        place = table_path(dataset)
        again = steps.check(dataset)
    finally:
        dataset.chmod(0o755)
    assert [line.usable for line in result.classes] == [3, 3]
    assert place.is_relative_to(cache)
    assert len(LandmarkTable.open(place)) == 6
    assert result.contact_sheet == again.contact_sheet
    assert result.contact_sheet is not None
    assert result.contact_sheet.is_relative_to(cache)
    assert tree(dataset) == before
    other = tmp_path / "other"
    other.mkdir(mode=0o555)
    assert table_path(other) != place


def test_bad_input_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    dataset = drawn_dataset(tmp_path / "data", per_class=1)
    blocked = write(tmp_path / "a file", "in the way")
    dataset.chmod(0o555)
    try:
        done = run_cli("check", dataset, cwd=tmp_path, XDG_CACHE_HOME=str(blocked))
    finally:
        dataset.chmod(0o755)
    message = one_sentence_error(done)
    assert str(blocked) in message
    assert message.endswith(".")
    assert blocked.read_text() == "in the way"


def test_numbers_are_kept_as_they_were(tmp_path: Path) -> None:
    hand = drawn("four", 0, 0, 64)[1]
    table = LandmarkTable.open(tmp_path / "t.parquet")
    table.put("a", "b", hand)
    table.save()
    found = LandmarkTable.open(table.path).get("a", "b")
    assert not isinstance(found, NoHand)
    assert found is not None
    assert found.landmarks.dtype == found.world.dtype == np.float32
    assert isinstance(found.width, int)
    assert isinstance(found.handedness, float)
