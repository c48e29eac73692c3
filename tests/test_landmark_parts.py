"""The files of one table: whoever writes, merges, dies or damages one, what was found is there, once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from hands import same_answer, some_hand
from helpers import ROOT, environment, tree, write
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from gesture_maker.errors import DatasetError
from gesture_maker.landmarks import merging, parts, table_file
from gesture_maker.landmarks.hands import NOT_FOUND, Hand, HandOrNot, NoHand
from gesture_maker.landmarks.parts import lock_file, part_names, parts_folder
from gesture_maker.landmarks.rows import SCHEMA, Row, answers_of, to_arrow
from gesture_maker.landmarks.table import DamagedTable, LandmarkTable, read_batches
from gesture_maker.landmarks.table_file import KEY_TYPE, TableWriter, keys_of

TEXT = pyarrow.string()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a table may be made."""
    return tmp_path / "landmarks.parquet"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let five rows fill several row groups and chunks."""
    monkeypatch.setattr(table_file, "GROUP_ROWS", 2)
    monkeypatch.setattr(merging, "CHUNK_ROWS", 3)
    monkeypatch.setattr(merging, "MOST_CHUNKS", 1000)


def images(*rows: tuple[str | None, ...], columns: tuple[str, ...] = ("file", "label", "group", "sha256")) -> Any:
    """Return what `merge` is told of images."""
    return pyarrow.table(
        {name: pyarrow.array([row[place] for row in rows], TEXT) for place, name in enumerate(columns)}
    )


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table's merged file, and check that there are no parts."""
    assert not parts_folder(path).exists()
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    assert sum(len(batch) for batch in read_batches(path)) == len(rows)
    return rows


def names_of(path: Path) -> list[tuple[str | None, ...]]:
    """Return the names and looks of the rows of a merged file, in their order."""
    return [tuple(row[name] for name in SCHEMA.names[:5]) for row in rows_of(path)]


def only_the_table(path: Path) -> bool:
    """Tell whether nothing lies in the table's folder but its file, and the one that is locked."""
    return set(tree(path.parent)) <= {path.name, lock_file(path).name}


def equal(table: LandmarkTable, expected: dict[tuple[str, str], HandOrNot]) -> bool:
    """Tell whether a table holds exactly these answers."""
    assert len(table) == len(expected)
    detections = {detection for _, detection in expected}
    for detection in detections:
        shas = [sha256 for sha256, one in expected if one == detection]
        found = table.get_many(shas, detection)
        assert all(same_answer(answer, expected[sha, detection]) for sha, answer in zip(shas, found, strict=True))
    assert all(same_answer(table.get(*key), answer) for key, answer in expected.items())
    assert all(table.has(*key) for key in expected)
    return True


# Whatever is done in whatever order

photos = st.sampled_from([f"{number}" for number in range(12)])
detections = st.sampled_from(["plain", "mirrored"])


class TwoHandles(RuleBasedStateMachine):
    """Two programs that fill and merge one table."""

    handles = Bundle("handles")

    @initialize(target=handles)
    def first(self) -> int:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "landmarks.parquet"
        self.tables = [LandmarkTable.open(self.path) for _ in range(2)]
        self.put: list[dict[tuple[str, str], HandOrNot]] = [{}, {}]
        self.written: dict[tuple[str, str], HandOrNot] = {}
        return 0

    @rule(target=handles)
    def second(self) -> int:
        return 1

    @rule(handle=handles, sha256=photos, detection=detections, seed=st.integers(0, 100), hand=st.booleans())
    def puts(self, handle: int, sha256: str, detection: str, seed: int, hand: bool) -> None:
        answer = some_hand(seed) if hand else NoHand(f"reason {seed}")
        self.tables[handle].put(sha256, detection, answer)
        self.put[handle][sha256, detection] = answer

    @rule(handle=handles)
    def flushes(self, handle: int) -> None:
        self.tables[handle].flush()
        self._wrote(handle)

    @rule(handle=handles)
    def merges(self, handle: int) -> None:
        self.tables[handle].merge()
        self._wrote(handle)
        assert equal(self.tables[handle], self.written)

    @rule(handle=handles, shas=st.lists(st.none() | photos, max_size=8), looks=st.permutations(["plain", "mirrored"]))
    def merges_with_names(self, handle: int, shas: list[str | None], looks: list[str]) -> None:
        table = images(*((f"{number}.jpg", "a", None, sha) for number, sha in enumerate(shas)))
        self.tables[handle].merge(table, looks)
        self._wrote(handle)
        named = [
            (f"{number}.jpg", "a", None, sha, look)
            for look in looks
            for number, sha in enumerate(shas)
            if (sha, look) in self.written
        ]
        rest = set(self.written) - {(sha, look) for *_, sha, look in named}
        if self.written:
            found = names_of(self.path)
            assert found[: len(named)] == named
            assert Counter(found[len(named) :]) == Counter((None, None, None, *key) for key in rest)

    @rule(handle=handles)
    def opens_again(self, handle: int) -> None:
        """As after a kill: what was not written is gone."""
        self.tables[handle] = LandmarkTable.open(self.path)
        self.put[handle].clear()
        assert equal(self.tables[handle], self.written)

    @rule()
    def is_read(self) -> None:
        if self.written:
            rows = [pyarrow.Table.from_batches([batch]) for batch in read_batches(self.path)]
            table = pyarrow.concat_tables(rows)
            keys = zip(table.column("sha256").to_pylist(), table.column("detection").to_pylist(), strict=True)
            found = dict(zip(keys, answers_of(table), strict=True))
            assert set(found) == set(self.written)
            assert all(same_answer(found[key], answer) for key, answer in self.written.items())

    @invariant()
    def knows_its_own(self) -> None:
        for table, put in zip(getattr(self, "tables", []), getattr(self, "put", []), strict=True):
            assert all(same_answer(table.get(*key), answer) for key, answer in put.items())

    def _wrote(self, handle: int) -> None:
        self.written |= self.put[handle]
        self.put[handle].clear()

    def teardown(self) -> None:
        if not hasattr(self, "tables"):
            return
        for handle, table in enumerate(self.tables):
            table.flush()
            self._wrote(handle)
        self.tables[0].merge()
        for table in (self.tables[0], LandmarkTable.open(self.path)):
            assert equal(table, self.written)
        assert only_the_table(self.path)
        self.folder.cleanup()


@pytest.mark.usefixtures("small")
class TestTwoHandles(TwoHandles.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


# Names and order


@pytest.mark.usefixtures("small")
def test_rows_come_in_the_order_of_the_images_with_their_names(place: Path) -> None:
    table = LandmarkTable.open(place)
    answers = {(f"{number}", look): some_hand(number) for look in ("plain", "mirrored") for number in range(7)}
    del answers["2", "mirrored"]  # not looked at
    for (sha256, look), answer in answers.items():
        table.put(sha256, look, answer, "old.jpg", "old", "old")
    first = images(
        ("b.jpg", "b", None, "3"),
        ("a.jpg", "a", "someone", "1"),
        ("unreadable.jpg", "a", None, None),
        ("copy of b.jpg", "c", None, "3"),
        ("new.jpg", "a", None, "not looked at"),
        ("z.jpg", "a", None, "2"),
    )
    table.merge(first, ["plain", "mirrored"])
    expected = [
        ("b.jpg", "b", None, "3", "plain"),
        ("a.jpg", "a", "someone", "1", "plain"),
        ("copy of b.jpg", "c", None, "3", "plain"),
        ("z.jpg", "a", None, "2", "plain"),
        ("b.jpg", "b", None, "3", "mirrored"),
        ("a.jpg", "a", "someone", "1", "mirrored"),
        ("copy of b.jpg", "c", None, "3", "mirrored"),
    ]
    others = [key for key in answers if key[0] not in "123"]
    others.sort(key=lambda key: keys_of([key[0]], key[1])[0].tobytes())
    assert names_of(place) == expected + [(None, None, None, *key) for key in others]
    for one in (table, LandmarkTable.open(place)):
        assert equal(one, answers)
    assert only_the_table(place)

    # What is new comes last where no names are given, and what is found anew takes the place of the old.
    table = LandmarkTable.open(place)
    table.put("9", "plain", NOT_FOUND, "nine.jpg", "a", "x")
    table.put("3", "plain", NOT_FOUND)
    before = names_of(place)
    table.merge()
    assert names_of(place) == [*before, ("nine.jpg", "a", "x", "9", "plain")]
    assert [row["reason"] for row in rows_of(place)[:4]] == [NOT_FOUND.reason, None, NOT_FOUND.reason, None]
    assert equal(table, answers | {("9", "plain"): NOT_FOUND, ("3", "plain"): NOT_FOUND})

    # Renamed, one removed, another order.
    table.merge(images(("A.jpg", "a", None, "1"), ("z.jpg", "b", None, "2")), ["plain"])
    assert names_of(place)[:2] == [("A.jpg", "a", None, "1", "plain"), ("z.jpg", "b", None, "2", "plain")]
    assert {row[:3] for row in names_of(place)[2:]} == {(None, None, None)}
    assert len(names_of(place)) == len(answers) + 1


def test_boxes_of_one_photo_have_rows_of_their_own(place: Path) -> None:
    table = LandmarkTable.open(place)
    for key in ("plain", "plain@1", "plain@2", "mirrored@2"):
        table.put("photo", key, NoHand(key))
    both = ("file", "label", "group", "sha256", "box_key")
    listed = images(
        ("two", "b", None, "photo", "@2"),
        ("one", "a", None, "photo", "@1"),
        ("three", "a", None, "photo", "@3"),
        ("whole", "a", None, "photo", None),
        columns=both,
    )
    table.merge(listed, ["plain", "mirrored"])
    assert [(row["file"], row["reason"]) for row in rows_of(place)] == [
        ("two", "plain@2"),
        ("one", "plain@1"),
        ("whole", "plain"),
        ("two", "mirrored@2"),
    ]


def test_an_unchanged_table_is_not_touched(place: Path) -> None:
    table = LandmarkTable.open(place)
    for number in range(5):
        table.put(f"{number}", "plain", some_hand(number))
    listed = [(f"{number}.jpg", "a", None, f"{number}") for number in range(4)]
    table.merge(images(*listed), ["plain"])

    def identity() -> tuple[int, int]:
        return place.stat().st_ino, place.stat().st_mtime_ns

    before = identity()
    for one in (table, LandmarkTable.open(place)):
        one.merge(images(*listed), ["plain"])
        one.merge(images(*listed), ["plain", "mirrored"])  # nothing was looked at in a mirror
        one.merge()
        one.flush()
        assert identity() == before
    changes: list[Any] = [listed[:3], listed[::-1], [("other.jpg", *listed[0][1:]), *listed[1:]]]
    changes += [[(*listed[0][:2], "someone", "0"), *listed[1:]], [("0.jpg", "b", None, "0"), *listed[1:]]]
    for change in changes:
        table.merge(images(*change), ["plain"])
        assert identity() != before
        before = identity()


def test_a_table_of_version_01_is_read(place: Path) -> None:
    old = [name for name in SCHEMA.names if name not in ("file", "label", "group")]
    rows = [Row("1", "plain", some_hand(1)), Row("2", "plain", NOT_FOUND)]
    pyarrow.parquet.write_table(to_arrow(rows).select(old), place, compression="zstd")
    whole = place.read_bytes()
    table = LandmarkTable.open(place)
    assert equal(table, {(row.sha256, row.detection): row.answer for row in rows})
    assert next(read_batches(place, ["label", "sha256"])).to_pydict() == {"label": [None] * 2, "sha256": ["1", "2"]}
    table.merge()
    assert place.read_bytes() == whole
    table.put("3", "plain", NOT_FOUND)
    assert equal(table, {(row.sha256, row.detection): row.answer for row in [*rows, Row("3", "plain", NOT_FOUND)]})
    table.merge(images(("two.jpg", "a", None, "2"), ("one.jpg", "b", "x", "1")), ["plain"])
    assert names_of(place) == [
        ("two.jpg", "a", None, "2", "plain"),
        ("one.jpg", "b", "x", "1", "plain"),
        (None, None, None, "3", "plain"),
    ]


def test_what_other_programs_make_of_a_table_is_read(place: Path) -> None:
    """pandas, for one, turns integers with gaps into floating point numbers."""
    rows = [Row("1", "plain", some_hand(1), "1.jpg", "a"), Row("2", "plain", NOT_FOUND, "2.jpg", "b")]
    table = to_arrow(rows)
    wide = {"width": pyarrow.float64(), "height": pyarrow.int64(), "label": pyarrow.large_string()}
    wide["world"] = pyarrow.large_list(pyarrow.float64())
    for name, type_ in wide.items():
        table = table.set_column(table.schema.get_field_index(name), name, table.column(name).cast(type_))
    pyarrow.parquet.write_table(table.append_column("more", [[1, 2]]), place)
    assert next(read_batches(place)).schema == SCHEMA
    assert equal(LandmarkTable.open(place), {(row.sha256, row.detection): row.answer for row in rows})


# Reading for training


def test_batches_are_of_the_wanted_columns_and_size(place: Path) -> None:
    table = LandmarkTable.open(place)
    for number in range(2500):
        table.put(f"{number}", "plain", NoHand(f"{number}"), f"{number}.jpg", "a", None)
    for _ in range(2):  # not merged, and merged
        table.flush()
        for size in (700, 10_000):
            batches = list(read_batches(place, ["label", "file"], size))
            assert all(batch.schema.names == ["label", "file"] for batch in batches)
            assert max(len(batch) for batch in batches) <= size
            files = [file for batch in batches for file in batch.column("file").to_pylist()]
            assert files == [f"{number}.jpg" for number in range(2500)]
        table.merge()


@pytest.mark.parametrize("kind", ["missing", "words", "other columns", "folder", "damaged", "damaged part"])
def test_bad_input_a_file_to_train_from_that_is_no_table(place: Path, kind: str) -> None:
    if kind == "words":
        write(place, "words")
    elif kind == "other columns":
        pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), place)
    elif kind == "folder":
        place.mkdir()
    elif kind.startswith("damaged"):
        table = LandmarkTable.open(place)
        table.put("1", "plain", some_hand(1))
        table.flush()
        if kind == "damaged":
            table.merge()
        flip(place if kind == "damaged" else parts_folder(place) / part_names(place)[0], some_hand(1))
    before = tree(place.parent)
    with pytest.raises(DatasetError) as told:
        list(read_batches(place))
    assert place.name in str(told.value)
    assert str(told.value).endswith(".")
    assert "\n" not in str(told.value)
    assert tree(place.parent) == before  # it may be the user's


# Damage


def flip(path: Path, hand: Hand) -> None:
    """Change a byte in the middle of the page in which a hand's landmarks lie."""
    content = bytearray(path.read_bytes())
    at = content.find(hand.landmarks.tobytes()[:16])  # random numbers, which do not compress
    assert at >= 0
    content[at + 5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize("way", ["get", "get_many", "merge", "merge with names", "other handle"])
def test_a_flipped_bit_in_a_page_is_found_when_its_rows_are_read(place: Path, way: str, merged: bool) -> None:
    filler = LandmarkTable.open(place)
    kept = {("whole", "plain"): some_hand(0)}
    if merged:
        filler.put("1", "plain", some_hand(1))
        filler.merge()
        filler.put("whole", "plain", some_hand(0))
    else:
        filler.put("whole", "plain", some_hand(0))
        filler.merge()
        filler.put("1", "plain", some_hand(1))
    filler.flush()
    damaged = place if merged else parts_folder(place) / part_names(place)[0]
    flip(damaged, some_hand(1))
    content = damaged.read_bytes()
    table = filler if way == "other handle" and not merged else LandmarkTable.open(place)
    table.put("fresh", "plain", NOT_FOUND)
    assert table.has("1", "plain")  # it cannot be known yet
    if way == "merge":
        table.put("2", "plain", NOT_FOUND)
        kept["2", "plain"] = NOT_FOUND
    reading = {
        "get_many": lambda: table.get_many(["whole", "1"], "plain"),
        "merge": table.merge,
        "merge with names": lambda: table.merge(images(("1.jpg", "a", None, "1")), ["plain"]),
    }
    with pytest.raises(DamagedTable) as told:
        reading.get(way, lambda: table.get("1", "plain"))()
    assert place.with_name("landmarks.parquet.damaged").read_bytes() == content
    assert not damaged.exists()
    assert "landmarks.parquet.damaged" in str(told.value)
    # The table goes on without it.
    kept["fresh", "plain"] = NOT_FOUND
    assert equal(table, kept)
    assert not table.has("1", "plain")
    table.put("1", "plain", some_hand(1))
    table.merge()
    kept["1", "plain"] = some_hand(1)
    assert equal(LandmarkTable.open(place), kept)


def test_a_damaged_part_is_set_aside(place: Path) -> None:
    table = LandmarkTable.open(place)
    for number in range(3):
        table.put(f"{number}", "plain", some_hand(number))
        table.flush()
    first, second, third = (parts_folder(place) / name for name in part_names(place))
    first.write_bytes(first.read_bytes()[:-10])
    write(third, "words")
    again = LandmarkTable.open(place)
    assert equal(again, {("1", "plain"): some_hand(1)})
    assert {name for name in tree(place.parent) if "damaged" in name} == {
        "landmarks.parquet.damaged",
        "landmarks.parquet.damaged-2",
    }
    assert second.exists()


@pytest.fixture(scope="module")
def whole_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A merged table of three rows; not to be changed."""
    path = tmp_path_factory.mktemp("whole") / "landmarks.parquet"
    table = LandmarkTable.open(path)
    for number in range(3):
        table.put(f"{number}", "plain", some_hand(number) if number else NOT_FOUND, f"{number}.jpg", "a", "b")
    table.merge()
    return path


@given(st.data())
@settings(max_examples=400)
def test_no_damage_is_believed(
    whole_table: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any byte may change: the rows are then as they were, or gone and the file set aside."""
    content = bytearray(whole_table.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    place = tmp_path_factory.mktemp("damage") / "landmarks.parquet"
    place.write_bytes(content)
    expected = {(f"{number}", "plain"): some_hand(number) if number else NOT_FOUND for number in range(3)}
    table = LandmarkTable.open(place)
    try:
        found = table.get_many(["0", "1", "2"], "plain")
    except DamagedTable:
        found = [None] * 3
    if found == [None] * 3:
        assert len(table) == 0
        assert tree(place.parent)["landmarks.parquet.damaged"] == content
    else:
        assert equal(table, expected)
    shutil.rmtree(place.parent)


# Several at once

SAVING = """
import sys
from pathlib import Path
from gesture_maker.landmarks.hands import NoHand
from gesture_maker.landmarks.table import LandmarkTable

table = LandmarkTable.open(Path(sys.argv[1]))
for number in range(150):
    table.put(f"{sys.argv[2]} {number}", "plain", NoHand("long " * 1000))
    table.put(f"both {number}", "plain", NoHand(f"{number}"))
    table.flush()
    if number % 10 == int(sys.argv[3]):
        table.merge()
        assert len(table.get_many([f"{sys.argv[2]} {one}" for one in range(number)], "plain")) == number
    assert table.get(f"{sys.argv[2]} {number // 2}", "plain") == NoHand("long " * 1000)
table.merge()
"""


def test_two_processes_fill_and_merge_one_table_at_once(place: Path) -> None:
    command = [sys.executable, "-c", SAVING, str(place)]
    both = [
        subprocess.Popen([*command, name, str(3 * number)], env=environment(), cwd=ROOT)
        for number, name in enumerate(("one", "two"))
    ]
    while any(process.poll() is None for process in both):
        known = LandmarkTable.open(place)  # would set a broken one aside
        for number in range(0, 150, 10):
            if known.has(f"one {number}", "plain"):
                assert known.get(f"one {number}", "plain") == NoHand("long " * 1000)
    assert [process.returncode for process in both] == [0, 0]
    assert only_the_table(place)
    expected = {
        (f"{name} {number}", "plain"): NoHand("long " * 1000) for name in ("one", "two") for number in range(150)
    }
    expected |= {(f"both {number}", "plain"): NoHand(f"{number}") for number in range(150)}
    assert equal(LandmarkTable.open(place), expected)
    assert len(rows_of(place)) == 450


def test_while_another_merges_the_parts_are_left(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = LandmarkTable.open(place)
    table.put("1", "plain", NOT_FOUND)
    monkeypatch.setattr(parts, "LOCK_SECONDS", 0.05)
    taken, done = threading.Event(), threading.Event()

    def other() -> None:
        with parts.locked(place) as ours:
            assert ours
            taken.set()
            done.wait()

    thread = threading.Thread(target=other)
    thread.start()
    try:
        assert taken.wait(60)
        table.merge()
        assert not place.exists()
        assert len(part_names(place)) == 1
        assert equal(LandmarkTable.open(place), {("1", "plain"): NOT_FOUND})
    finally:
        done.set()
        thread.join()
    table.merge()
    assert only_the_table(place)
    assert equal(table, {("1", "plain"): NOT_FOUND})


def test_threads_share_a_table(place: Path) -> None:
    table = LandmarkTable.open(place)
    wrong: list[BaseException] = []
    stop = threading.Event()

    def asks() -> None:
        try:
            while not stop.is_set():
                known = [
                    table.get(f"{number}", "plain") for number in range(0, 300, 7) if table.has(f"{number}", "plain")
                ]
                assert all(isinstance(answer, NoHand) for answer in known)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=asks) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(300):
        table.put(f"{number}", "plain", NoHand(f"{number}"))
        if number % 10 == 0:
            table.flush()
        if number % 70 == 0:
            table.merge()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(table) == 300


# Killed

FILLING = """
import os, random, sys
from pathlib import Path
from hands import some_hand
from gesture_maker.landmarks.table import LandmarkTable

table = LandmarkTable.open(Path(sys.argv[1]))
begin = int(sys.argv[2])
for number in range(begin, begin + 100_000):
    table.put(f"{number}", "plain", some_hand(number))
    if number % 7 == 0:
        table.flush()
        os.write(1, f"{number}\\n".encode())
    if number % 50 == 0:
        table.merge()
"""


def test_kill_at_any_moment_loses_nothing_that_was_written(place: Path) -> None:
    """Ten times at random, each time on what the killed ones have left."""
    chance = random.Random(0)
    written: set[int] = set()
    begin = 0
    for _ in range(10):
        process = subprocess.Popen(
            [sys.executable, "-c", FILLING, str(place), str(begin)],
            env=environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests")])),
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        last = begin
        for _ in range(chance.randrange(1, 40)):
            last = int(process.stdout.readline())
        spin = chance.randrange(200_000)  # up to some 10 ms
        for _ in range(spin):
            pass
        process.send_signal(signal.SIGKILL)
        last = max([last, *map(int, process.stdout.read().split())])
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        written |= set(range(begin, last + 1))
        table = LandmarkTable.open(place)
        assert all(table.has(f"{number}", "plain") for number in written)
        begin = last + 1  # as an engine would, which asks what is missing
    for half_written in parts_folder(place).glob(".writing-*"):
        os.utime(half_written, (1, 1))  # it is removed when it is certain that nobody writes it
    table.merge()
    assert only_the_table(place)
    rows = rows_of(place)
    found = Counter(int(row["sha256"]) for row in rows)
    assert set(found.values()) == {1}
    assert set(found) >= written
    assert equal(LandmarkTable.open(place), {(f"{number}", "plain"): some_hand(number) for number in found})


DYING = """
import os, signal, shutil, sys
from pathlib import Path
import pyarrow
from gesture_maker.landmarks.hands import NoHand
from gesture_maker.landmarks.table import LandmarkTable

folder, spare = Path(sys.argv[1]), Path(sys.argv[2])
place = folder / "landmarks.parquet"
OPERATIONS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.listdir", "os.scandir"}

def work(step):
    table = LandmarkTable.open(place)
    table.put("later", "plain", NoHand("2"))
    names = [("file", ["a", "b"]), ("label", ["x", "x"]), ("group", ["y", "y"]), ("sha256", ["0", "later"])]
    left = [step]

    def dies(event, arguments):
        if event in OPERATIONS and str(folder) in str(arguments[:1]):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(dies)
    table.merge(pyarrow.table(dict(names)), ["plain"])

LandmarkTable.open(place)
for step in range(1000):
    shutil.rmtree(folder)
    shutil.copytree(spare, folder)
    child = os.fork()
    if not child:
        try:
            work(step)
        finally:
            os._exit(7)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 7:
        print(step)
        break
    assert status == -signal.SIGKILL, status
    table = LandmarkTable.open(place)
    expected = {f"{number}": NoHand("1") for number in range(6)} | {"3": NoHand("newer")}
    later = table.get("later", "plain")
    assert later in (None, NoHand("0"), NoHand("2")), later
    assert len(table) == 7
    assert {name: table.get(name, "plain") for name in expected} == expected, step
    table.merge()
    again = LandmarkTable.open(place)
    assert len(again) == 7
    assert again.get("later", "plain") == later
    left = {path.name for path in folder.rglob("*")} - {"landmarks.parquet", ".landmarks.parquet.lock"}
    assert all(name.startswith(".writing-") or name == ".landmarks.parquet.parts" for name in left), left
"""


def test_killed_before_every_single_operation_on_files(place: Path, tmp_path: Path) -> None:
    """A flush and a merge with names of a table with three parts, killed before the first operation, the second, and so on."""
    spare = tmp_path / "spare"
    table = LandmarkTable.open(spare / place.name)
    for number in range(6):
        table.put(f"{number}", "plain", NoHand("1" if number != 3 else "older"))
        if number == 2:
            table.merge()
        if number > 2:
            table.flush()
    table.put("3", "plain", NoHand("newer"))
    table.put("later", "plain", NoHand("0"))
    table.flush()
    folder = tmp_path / "work"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(folder), str(spare)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15  # operations


def test_what_a_kill_left_is_removed_and_what_is_being_written_is_not(place: Path) -> None:
    table = LandmarkTable.open(place)
    table.put("1", "plain", NOT_FOUND)
    table.flush()
    folder = parts_folder(place)
    write(folder / "merged", "half")
    write(folder / ".writing-abc", "half")
    old = write(folder / ".writing-old.parquet", "half")
    os.utime(old, (1, 1))
    young = write(folder / ".writing-young.parquet", "half")
    table.merge()
    assert [path.name for path in folder.iterdir()] == [young.name]
    os.utime(young, (1, 1))
    table.merge()  # though there is nothing to merge
    assert only_the_table(place)
    assert len(LandmarkTable.open(place)) == 1


# Memory

LARGE = """
import hashlib, resource, sys
from pathlib import Path
import numpy as np, pyarrow, pyarrow.compute, pyarrow.parquet, filelock
from hands import some_hand
from gesture_maker.landmarks.hands import Hand
from gesture_maker.landmarks.table import LandmarkTable, read_batches

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def sha(number):
    return hashlib.sha256(number.to_bytes(4, "big")).hexdigest()

rng = np.random.default_rng(0)
count, path = int(sys.argv[2]), Path(sys.argv[1])
table = LandmarkTable.open(path)
table.put("first", "plain", some_hand(0))
table.merge()
begin = peak()
points = rng.random((1000, 21, 3)).astype(np.float32)
for number in range(count):
    table.put(sha(number), "plain", Hand(points[number % 1000], points[-number % 1000], 0.5, 640, 480))
    if number % 1000 == 999:
        table.flush()
numbers = pyarrow.array(np.arange(count)).cast(pyarrow.string())
shas = pyarrow.array((sha(number) for number in range(count)), pyarrow.string())
images = pyarrow.table({"file": numbers, "label": numbers, "group": pyarrow.nulls(count, pyarrow.string()), "sha256": shas})
table.merge(images, ["plain"])
table.merge(images, ["plain"])
again = LandmarkTable.open(path)
assert len(again) == count + 1
assert sum(len(batch) for batch in read_batches(path)) == count + 1
print(round(peak() - begin))
"""


def test_memory_grows_with_the_keys_not_with_the_rows(place: Path) -> None:
    """300,000 rows are 170 MB on disk and as objects 400 MB; twice an index of 7 MB, their shas and names 35 MB."""
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(place), "300000"],
        env=environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests")])),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 160


# The one file


def test_row_groups_are_of_a_thousand_rows_whatever_comes_at_once(tmp_path: Path) -> None:
    rows = to_arrow([Row(f"{number}", "plain", NOT_FOUND) for number in range(2300)])
    keys = keys_of(rows.column("sha256").to_pylist(), "plain")
    digests = set()
    for size in (1, 7, 999, 1000, 2300):
        path = tmp_path / f"{size}.parquet"
        with TableWriter(path) as writer:
            for begin in range(0, 2300, size):
                writer.write(rows.slice(begin, size), keys[begin : begin + size])
        file = table_file.TableFile.open(path)
        assert file.starts.tolist() == [0, 1000, 2000, 2300]
        assert np.array_equal(file.keys(), keys)
        digests.add(file.rows_digest)
    assert len(digests) == 1
    with TableWriter(tmp_path / "none.parquet"):
        pass
    assert len(table_file.TableFile.open(tmp_path / "none.parquet").keys()) == 0
    assert keys.dtype == KEY_TYPE
