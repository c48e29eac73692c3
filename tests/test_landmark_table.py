"""landmarks.parquet: what goes in comes out, and no accident costs more than the latest answers."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from hands import answers, drawn, drawn_dataset, same_answer, some_hand
from helpers import environment, one_sentence_error, run_cli, tree, write
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker import steps
from gesture_maker.landmarks.hands import NOT_FOUND, HandOrNot, NoHand
from gesture_maker.landmarks.parts import lock_file, parts_folder
from gesture_maker.landmarks.rows import key_of
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


def test_rows_are_there_before_and_after_they_are_written(tmp_path: Path) -> None:
    table = LandmarkTable.open(tmp_path / "landmarks.parquet")
    hand = drawn("four", 0, 0, 64)[1]
    for step in (lambda: None, table.flush, table.merge):
        for number in range(3):
            table.put(f"{number}", "key", hand)
        step()
        assert [table.has(name, "key") for name in ("0", "2", "3")] == [True, True, False]
        assert not table.has("0", "other")
        assert same_answer(table.get("1", "key"), hand)
        many = table.get_many(["2", "none of them", "0", "2"], "key")
        assert [answer is None for answer in many] == [False, True, False, False]
        assert len(table) == 3
        keys = table.keys()
        assert keys.tolist() == sorted(key_of(f"{number}", "key") for number in range(3))
        assert keys.dtype == "V16"


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


def without_lock(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder but the empty one that is locked while a table is merged."""
    lock = lock_file(folder / "landmarks.parquet").name
    files = tree(folder)
    assert files.pop(lock, b"") == b""
    return files


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


KINDS = ["cut short", "changed inside", "other columns", "other values", "empty", "words"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_set_aside_and_made_anew(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "landmarks.parquet"
    for number in ("", "-2", "-3"):  # one does not take the place of another
        filled(place)
        content = damaged(place.read_bytes(), kind, place)
        place.write_bytes(content)
        table = LandmarkTable.open(place)
        assert len(table) == 0
        files = without_lock(tmp_path)
        assert "landmarks.parquet" not in files
        assert files[f"landmarks.parquet.damaged{number}"] == content
    assert len(files) == 3
    filled(place)
    assert len(LandmarkTable.open(place)) == 4


OUT_OF_FILES = """
import os, resource, sys
from pathlib import Path
import pyarrow.parquet
from gesture_maker.landmarks.parts import lock_file, parts_folder
from gesture_maker.landmarks.rows import key_of
from gesture_maker.landmarks.table import LandmarkTable

LandmarkTable.open(Path(sys.argv[1]))  # all is imported
resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    LandmarkTable.open(Path(sys.argv[1]))
except OSError as error:
    os._exit(error.errno or 0)
"""


def test_a_file_that_cannot_be_read_is_not_taken_for_damaged(tmp_path: Path) -> None:
    place = tmp_path / "landmarks.parquet"
    filled(place)
    before = tree(tmp_path)
    done = subprocess.run([sys.executable, "-c", OUT_OF_FILES, place], env=environment(), check=False)
    assert done.returncode == errno.EMFILE
    assert tree(tmp_path) == before


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """Let no file grow beyond `most` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("step", ["flush", "merge"])
def test_a_full_disk_leaves_the_old_table(tmp_path: Path, step: str) -> None:
    place = tmp_path / "landmarks.parquet"
    table = filled(place)
    for number in range(60):
        table.put(f"hand {number}", "key", some_hand(number))
    table.save()
    table.put("more", "key", NOT_FOUND)
    if step == "merge":
        table.flush()
    assert place.stat().st_size > 20_000
    before = tree(tmp_path)
    with full_disk(100 if step == "flush" else 20_000), pytest.raises(OSError, match="too large") as told:
        table.merge()
    assert told.value.filename == str(place)
    assert tree(tmp_path) == before
    table.merge()  # there is room again, and nothing was forgotten
    assert len(LandmarkTable.open(place)) == 65
    assert list(without_lock(tmp_path)) == ["landmarks.parquet"]


@pytest.mark.parametrize("way", ["the parts are in the way", "no folder"])
def test_bad_input_a_place_that_cannot_be_written(tmp_path: Path, way: str) -> None:
    if way == "no folder":
        place = write(tmp_path / "file", "") / "landmarks.parquet"
    else:
        place = tmp_path / "landmarks.parquet"
        write(parts_folder(place), "words")
    before = tree(tmp_path)
    table = LandmarkTable.open(place)
    table.put("0", "key", NOT_FOUND)
    with pytest.raises(OSError) as told:  # noqa: PT011 - of several kinds
        table.flush()
    assert told.value.filename == str(place)
    assert told.value.strerror
    assert tree(tmp_path) == before
    assert table.get("0", "key") == NOT_FOUND


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
