"""What is deleted from a dataset comes back, whatever happened meanwhile and wherever it was killed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from helpers import DYING, check_manifest, contents, environment, photo, tree, write
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gesture_maker.dataset.adding import DatasetWriter
from gesture_maker.dataset.folder import load_dataset
from gesture_maker.dataset.manifest import ManifestRow, read_manifest
from gesture_maker.dataset.renaming import rename
from gesture_maker.dataset.trash import TRASH, delete_class, delete_photos, deleted, restore
from gesture_maker.errors import DatasetError
from gesture_maker.files import sha256_of

LABELS = ("none", "rock", "dé jà")


def add(root: Path, label: str, content: bytes, group: str = "", source: str = "") -> str:
    """Put a photo into a class and return its file."""
    writer = DatasetWriter(root)
    row = writer.add(content, ManifestRow("", label, source, group, sha256_of(content)), ".jpg")
    writer.save()
    return row.file


def groups(root: Path) -> Counter[tuple[str, str, str]]:
    """Return how often each content, group and source is in the manifest."""
    return Counter((row.sha256, row.group, row.source) for row in read_manifest(root).values())


def in_trash(root: Path) -> Counter[bytes]:
    return Counter(path.read_bytes() for path in (root / TRASH).glob("*/*/*") if path.is_file())


class Deleting(RuleBasedStateMachine):
    """Photos that are added, deleted and brought back in any order: none is lost, and each keeps its group and source."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name) / "d"
        self.added: Counter[bytes] = Counter()
        self.known: Counter[tuple[str, str, str]] = Counter()
        self.gone: list[str] = []

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        for one in self.gone:
            restore(self.root, one)
        assert contents(self.root) == self.added
        assert groups(self.root) == self.known
        assert not (self.root / TRASH).exists()
        self.folder.cleanup()

    @rule(label=st.sampled_from(LABELS), group=st.sampled_from(["", "a", "b"]))
    def add(self, label: str, group: str) -> None:
        content = str(sum(self.added.values())).encode()
        add(self.root, label, content, group, "camera, 1")
        self.added[content] += 1
        self.known[sha256_of(content), group, "camera, 1"] += 1

    @precondition(lambda self: self.files())
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        files = data.draw(st.lists(st.sampled_from(self.files()), min_size=1, unique=True))
        one = delete_photos(self.root, [*files, "rock/rock_999999.jpg"])
        assert set(one.files) == set(files)
        assert not any((self.root / file).exists() for file in files)
        self.gone.append(one.id)

    @precondition(lambda self: self.files())
    @rule(data=st.data())
    def delete_class(self, data: st.DataObject) -> None:
        label = data.draw(st.sampled_from(self.files())).split("/")[0]
        self.gone.append(delete_class(self.root, label).id)
        assert not (self.root / label).exists()

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.gone))
        self.gone.remove(one)
        for file in restore(self.root, one):
            assert (self.root / file).is_file()
        with pytest.raises(DatasetError, match="brought back already"):
            restore(self.root, one)

    @invariant()
    def nothing_is_lost(self) -> None:
        if not self.root.is_dir():
            return
        assert contents(self.root) + in_trash(self.root) == self.added
        assert {one.id for one in deleted(self.root)} == set(self.gone)
        if self.files():
            check_manifest(self.root)

    def files(self) -> list[str]:
        return (
            [image.file for image in load_dataset(self.root).images]
            if self.root.is_dir() and has_class(self.root)
            else []
        )


def has_class(root: Path) -> bool:
    return any(path.is_dir() and not path.name.startswith(".") for path in root.iterdir())


TestDeleting = Deleting.TestCase
TestDeleting.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)


KILLED = f"""{DYING}
from gesture_maker.dataset import trash
root = Path(sys.argv[1])
for name in ("rename", "replace", "link", "unlink", "mkdir", "rmdir"):
    setattr(os, name, dying(getattr(os, name)))
exec(sys.argv[3])
"""

DELETE = "trash.delete_photos(root, ['rock/rock_000001.jpg', 'rock/rock_000003.jpg', 'paper/paper_000001.jpg'])"
DELETE_CLASS = "trash.delete_class(root, 'rock')"
RESTORE = "trash.restore(root, trash.deleted(root)[0].id)"


@pytest.mark.parametrize("work", [DELETE, DELETE_CLASS, RESTORE], ids=["delete", "class", "restore"])
def test_killed_at_each_step_nothing_is_lost(work: str, tmp_path: Path) -> None:
    step, pid = 0, 9
    while pid == 9:
        root = tmp_path / str(step)
        for number in range(3):
            add(root, "rock", f"rock {number}".encode(), f"g{number}", "s")
        add(root, "paper", b"paper", "g", "s")
        every, known = contents(root), groups(root)
        if work == RESTORE:
            delete_photos(root, ["rock/rock_000001.jpg", "rock/rock_000002.jpg"])
            add(root, "rock", b"new", "n", "s")  # has the number 4
            write(root / "rock/rock_000001.jpg", b"in the way")
            every += Counter([b"new", b"in the way"])
            known[sha256_of(b"new"), "n", "s"] += 1
        pid = run_killed(root, step, work)
        assert contents(root) + in_trash(root) - every <= every  # at one moment a file has two names
        assert set(contents(root) + in_trash(root)) == set(every)
        for one in deleted(root):
            restore(root, one.id)
        assert contents(root) == every
        assert deleted(root) == []
        assert groups(root) & known == known
        assert not list(root.glob(f"{TRASH}/*/*/*"))
        step += 1
    assert pid == 0
    assert step > 4


def run_killed(root: Path, step: int, work: str) -> int:
    arguments = [sys.executable, "-c", KILLED, str(root), str(step), work]
    return subprocess.run(arguments, env=environment(), check=False).returncode


def test_what_is_listed_says_what_comes_back(tmp_path: Path) -> None:
    for number in range(3):
        add(tmp_path, "rock", photo(number))
    add(tmp_path, "paper", photo(9))
    first = delete_photos(tmp_path, ["rock/rock_000002.jpg"])
    second = delete_photos(tmp_path, ["rock/rock_000001.jpg", "paper/paper_000001.jpg"])
    third = delete_class(tmp_path, "paper")
    assert deleted(tmp_path) == [third, second, first]
    assert (first.label, second.label, third.label) == ("rock", None, "paper")
    assert [one.whole for one in (first, second, third)] == [False, False, True]
    assert (first.files, third.files) == (("rock/rock_000002.jpg",), ())
    assert restore(tmp_path, third.id) == []
    assert (tmp_path / "paper").is_dir()  # a class without photos comes back too
    assert set(restore(tmp_path, second.id)) == {"paper/paper_000001.jpg", "rock/rock_000001.jpg"}


def test_a_name_that_is_taken_meanwhile_stays_with_its_owner(tmp_path: Path) -> None:
    first = add(tmp_path, "rock", b"first", "g1")
    one = delete_photos(tmp_path, [first])
    assert add(tmp_path, "rock", b"second", "g2") == first
    assert restore(tmp_path, one.id) == ["rock/rock_000002.jpg"]
    rows = read_manifest(tmp_path)
    assert [(rows[f"rock/rock_00000{n}.jpg"].group) for n in (1, 2)] == ["g2", "g1"]
    check_manifest(tmp_path)


def test_photos_come_back_into_a_class_that_got_another_name(tmp_path: Path) -> None:
    for number in range(4):
        add(tmp_path, "rock", f"{number}".encode(), f"g{number}")
    first = delete_photos(tmp_path, ["rock/rock_000001.jpg"])
    rename(tmp_path, labels={"rock": "stone"})
    second = delete_photos(tmp_path, ["stone/stone_000003.jpg"])
    rename(tmp_path, labels={"stone": "pebble"})
    add(tmp_path, "rock", b"another", "g9")
    whole = delete_class(tmp_path, "rock")
    add(tmp_path, "rock", b"and another", "g9")
    rename(tmp_path, labels={"rock": "other"})
    assert [(one.id, one.label) for one in deleted(tmp_path)] == [
        (whole.id, "rock"), (second.id, "pebble"), (first.id, "pebble")
    ]  # fmt: skip
    assert restore(tmp_path, first.id) == ["pebble/pebble_000003.jpg"]
    assert restore(tmp_path, second.id) == ["pebble/pebble_000004.jpg"]
    assert restore(tmp_path, whole.id) == ["rock/rock_000001.jpg"]
    check_manifest(tmp_path)
    groups_of = {(tmp_path / row.file).read_bytes(): row.group for row in read_manifest(tmp_path).values()}
    assert groups_of == {**{f"{n}".encode(): f"g{n}" for n in range(4)}, b"another": "g9", b"and another": "g9"}


def test_a_class_goes_and_comes_with_all_that_lies_in_its_folder(tmp_path: Path) -> None:
    add(tmp_path, "rock", b"1", "g")
    write(tmp_path / "rock/notes.txt", "mine")
    write(tmp_path / "rock/sub/deep.jpg", "deep")
    write(tmp_path / "ROCK.txt", "outside")
    before = tree(tmp_path)
    one = delete_class(tmp_path, "rock")
    assert not (tmp_path / "rock").exists()
    write(tmp_path / "rock/notes.txt", "other")
    restore(tmp_path, one.id)
    assert tree(tmp_path) == before | {"rock/notes.txt": b"other", "rock/notes-1.txt": b"mine"}


def test_a_description_that_is_damaged_costs_groups_but_no_photo(tmp_path: Path) -> None:
    file = add(tmp_path, "rock", b"1", "g")
    one = delete_photos(tmp_path, [file])
    place = tmp_path / TRASH / one.id / "deleted.json"
    told = json.loads(place.read_text())
    for damaged in ("{", json.dumps(told | {"going": {"rock/rock_000001.jpg": "../../outside.jpg"}})):
        place.write_text(damaged)
        assert [found.files for found in deleted(tmp_path)] == [(file,)]
    assert restore(tmp_path, one.id) == [file]
    assert (tmp_path / file).read_bytes() == b"1"


@pytest.mark.parametrize(
    "file", ["../outside.jpg", "rock/../../outside.jpg", "/etc/passwd", "rock", "manifest.csv", ""]
)
def test_bad_input_no_file_outside_the_classes_can_be_deleted(file: str, tmp_path: Path) -> None:
    root = tmp_path / "d"
    add(root, "rock", b"1")
    write(tmp_path / "outside.jpg", "x")
    before = tree(tmp_path)
    with pytest.raises(DatasetError, match="not in the dataset any more"):
        delete_photos(root, [file])
    for wrong in ("..", "20260101T000000000000-00000000", "../../d", ""):
        with pytest.raises(DatasetError, match="brought back already"):
            restore(root, wrong)
    with pytest.raises(DatasetError, match='no class "paper"'):
        delete_class(root, "paper")
    assert tree(tmp_path) == before


def test_bad_input_an_interrupted_rename_comes_first(tmp_path: Path) -> None:
    file = add(tmp_path, "rock", b"1")
    one = delete_photos(tmp_path, [file])
    write(tmp_path / ".renaming.json", "{}")
    for work in (lambda: delete_photos(tmp_path, [file]), lambda: restore(tmp_path, one.id)):
        with pytest.raises(DatasetError, match="gesture-maker rename"):
            work()
