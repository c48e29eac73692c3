"""Renaming loses no image, whatever the names were and wherever it was killed."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from helpers import DYING, contents, one_sentence_error, run_cli, tree, write
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.dataset.collecting import collect
from gesture_maker.dataset.folder import load_dataset
from gesture_maker.dataset.manifest import read_manifest
from gesture_maker.dataset.renaming import rename
from gesture_maker.errors import DatasetError
from gesture_maker.files import sha256_of

suffixes = st.sampled_from([".jpg", ".JPG", ".jpeg", ".png"])
near_misses = st.builds(lambda number, digits: f"rock_{number:0{digits}d}", st.integers(0, 12), st.integers(1, 7))
stems = near_misses | st.text(alphabet="ab1 _é", min_size=1, max_size=4) | st.just(".renaming-000000")
folders = st.sampled_from(["rock", " rock", "None", "none", "NONE"])
files = st.dictionaries(st.tuples(folders, stems, suffixes), st.none(), max_size=14)


def make(root: Path, names: dict[tuple[str, str, str], None]) -> None:
    (root / "rock").mkdir(parents=True)
    for number, (folder, stem, suffix) in enumerate(names):
        write(root / folder / (stem + suffix), str(number))


def check_named(root: Path) -> None:
    """Check that the images of each class have the numbers 1 to n, and that nothing of the renaming is left."""
    for folder in (path for path in root.iterdir() if path.is_dir()):
        assert folder.name in ("rock", "none")
        numbers = [re.fullmatch(rf"{folder.name}_([0-9]{{6}})\.(jpg|png)", path.name) for path in folder.iterdir()]
        assert sorted(int(match.group(1)) for match in numbers if match) == list(range(1, len(numbers) + 1))
    assert not list(root.rglob(".*"))


@given(files)
def test_any_names_become_the_right_ones_and_every_image_stays(names: dict[tuple[str, str, str], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "d"
        make(root, names)
        before = contents(root)
        first = rename(root)
        assert contents(root) == before
        check_named(root)
        assert len(first.renamed) + first.unchanged == len(names)
        for new, row in read_manifest(root).items():
            assert row.sha256 == sha256_of((root / new).read_bytes())
        after = tree(root)
        assert rename(root).renamed == ()
        assert tree(root) == after


@settings(max_examples=40, deadline=None)
@given(files, st.integers(0, 30), st.integers(0, 30))
def test_interrupted_twice_at_any_step_it_finishes(
    names: dict[tuple[str, str, str], None], first: int, second: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = Path(folder) / "d"
        make(root, names)
        before = contents(root)
        for step in (first, second):
            interrupt_at(patch, step)
            try:
                rename(root)
            except KeyboardInterrupt:
                if (root / ".renaming.json").exists():
                    with pytest.raises(DatasetError, match="gesture-maker rename"):
                        load_dataset(root)
            patch.undo()
            assert contents(root) == before
        rename(root)
        assert contents(root) == before
        check_named(root)
        for new, row in read_manifest(root).items():
            assert row.sha256 == sha256_of((root / new).read_bytes())


def interrupt_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Let the given call that changes a name or removes a file raise KeyboardInterrupt instead, before it does so."""
    import os

    calls = 0

    def wrap(original):  # type: ignore[no-untyped-def]
        def counted(*args, **kwargs):  # type: ignore[no-untyped-def]
            nonlocal calls
            calls += 1
            if calls == step + 1:
                raise KeyboardInterrupt
            return original(*args, **kwargs)

        return counted

    patch.setattr(Path, "rename", wrap(Path.rename))
    patch.setattr(os, "replace", wrap(os.replace))
    patch.setattr(Path, "rmdir", wrap(Path.rmdir))


KILLED = f"""{DYING}
from gesture_maker.dataset.renaming import rename
Path.rename = dying(Path.rename)
os.replace = dying(os.replace)
Path.unlink = dying(Path.unlink)
rename(sys.argv[1], labels=dict([sys.argv[3].split('=')]) if sys.argv[3:] else None)
"""


def test_killed_at_each_step_it_finishes(tmp_path: Path) -> None:
    step, status = 0, 9
    while status == 9:
        root = tmp_path / str(step)
        for number, file in enumerate(["rock/rock_000002.jpg", "rock/a.jpg", "rock/rock_000009.jpg", "None/b.png"]):
            write(root / file, str(number))
        write(root / "None/notes.txt", "kept")
        before = contents(root)
        status = subprocess.run([sys.executable, "-c", KILLED, str(root), str(step)], check=False).returncode
        assert contents(root) == before
        rename(root)
        after = {file: content for file, content in tree(root).items() if not Path(file).name.startswith(".writing-")}
        assert set(after) == {
            "manifest.csv",
            "none/none_000001.png",
            "none/notes.txt",
            "rock/rock_000001.jpg",
            "rock/rock_000002.jpg",
            "rock/rock_000003.jpg",
        }
        assert contents(root) == before
        step += 1
    assert status == 0
    assert step > 10


# A class gets another name


def with_groups(root: Path) -> dict[str, bytes]:
    """Make a dataset of two classes whose photos have groups and sources."""
    rows = ["file,label,source,group,sha256,added"]
    for number, file in enumerate(["rock/rock_000002.jpg", "rock/b.png", "rock/a.jpg", "paper/p.jpg"]):
        content = str(number).encode()
        write(root / file, content)
        rows.append(f"{file},{file.split('/')[0]},src {number},g{number},{sha256_of(content)},2026-01-31T12:00:00Z")
    write(root / "manifest.csv", "\n".join(rows) + "\n")
    return tree(root)


def check_class(root: Path, label: str) -> None:
    """Check that the photos of `with_groups` are in the class `label`, with their groups and sources."""
    names = {"1": f"{label}_000002.png", "2": f"{label}_000001.jpg", "0": f"{label}_000003.jpg"}
    assert {path.read_text(): path.name for path in (root / label).iterdir()} == names
    for number, name in names.items():
        row = read_manifest(root)[f"{label}/{name}"]
        assert (row.label, row.source, row.group) == (label, f"src {number}", f"g{number}")
    assert read_manifest(root)["paper/p.jpg"].group == "g3"  # a photo of another class keeps even its name
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == sorted(["paper", label])


def test_a_class_gets_another_name_and_its_photos_keep_groups_and_sources(tmp_path: Path) -> None:
    with_groups(tmp_path)
    result = rename(tmp_path, labels={"rock": " ste in é "})
    assert (len(result.renamed), result.resumed) == (3, False)
    check_class(tmp_path, "ste in é")
    assert not list(tmp_path.rglob(".*"))


def test_a_class_without_photos_and_one_with_other_files_get_other_names(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "rock/notes.txt", "mine")
    write(tmp_path / "rock/sub/deep.jpg", "deep")
    rename(tmp_path, labels={"rock": "stone", "empty": "void"})
    assert tree(tmp_path) == {"stone/notes.txt": b"mine", "stone/sub/deep.jpg": b"deep"}
    assert (tmp_path / "void").is_dir()
    assert not (tmp_path / "empty").exists()


def test_renaming_a_class_killed_at_each_step_is_finished_by_the_same_or_by_rename(tmp_path: Path) -> None:
    step, status = 0, 9
    while status == 9:
        root = tmp_path / str(step)
        before = with_groups(root)
        arguments = [sys.executable, "-c", KILLED, str(root), str(step), "rock=stone"]
        status = subprocess.run(arguments, check=False).returncode
        assert contents(root) == contents_of(before)
        interrupted = (root / ".renaming.json").exists()
        if interrupted and step % 2:
            rename(root)
            assert not (root / "rock").exists()
            assert {read_manifest(root)[f"stone/{path.name}"].group for path in (root / "stone").iterdir()} == {
                "g0",
                "g1",
                "g2",
            }
        else:
            if (root / "rock").exists() or interrupted:
                rename(root, labels={"rock": "stone"})
            if not interrupted:
                check_class(root, "stone")
        assert contents(root) == contents_of(before)
        assert not (root / ".renaming.json").exists()
        step += 1
    assert status == 0
    assert step > 8


def contents_of(before: dict[str, bytes]) -> Counter[bytes]:
    return Counter(content for file, content in before.items() if "/" in file)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"rock": "paper"}, 'a class "paper" already'),
        ({"rock": "rock"}, 'a class "rock" already'),
        ({"rock": "notes"}, 'a class "notes" already'),
        ({"rock": "x", "paper": "x"}, 'a class "x" already'),
        ({"scissors": "x"}, 'no class "scissors"'),
        ({"rock": "None"}, "keeps its name"),
        ({"NONE": "x"}, "keeps its name"),
        ({"rock": "../x"}, "slash"),
        ({"rock": ""}, "empty"),
    ],
)
def test_bad_input_a_class_that_cannot_have_that_name(labels: dict[str, str], words: str, tmp_path: Path) -> None:
    with_groups(tmp_path)
    write(tmp_path / "notes", "a file")
    before = tree(tmp_path)
    with pytest.raises(DatasetError, match=words):
        rename(tmp_path, labels=labels)
    assert tree(tmp_path) == before


def test_a_class_gets_another_name_on_the_command_line(tmp_path: Path) -> None:
    with_groups(tmp_path / "datasets/rps")
    done = run_cli("rename", "rps", "--class", "rock=stone=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check_class(tmp_path / "datasets/rps", "stone=1")
    assert run_cli("rename", "rps", "--class", "rock", cwd=tmp_path).returncode == 2
    assert 'no class "rock"' in one_sentence_error(run_cli("rename", "rps", "--class", "rock=x", cwd=tmp_path))


def test_who_has_a_right_name_keeps_it(tmp_path: Path) -> None:
    for name in ("rock_000002.jpg", "IMG_10.JPEG", "IMG_9.jpg"):
        write(tmp_path / "rock" / name, name)
    result = rename(tmp_path)
    assert {file.name: file.read_text() for file in (tmp_path / "rock").iterdir()} == {
        "rock_000001.jpg": "IMG_9.jpg",
        "rock_000002.jpg": "rock_000002.jpg",
        "rock_000003.jpg": "IMG_10.JPEG",
    }
    assert result.unchanged == 1
    assert read_manifest(tmp_path)["rock/rock_000003.jpg"].source == "rock/IMG_10.JPEG"


def test_groups_and_sources_move_along_and_old_names_can_still_be_grouped_by(tmp_path: Path) -> None:
    write(
        tmp_path / "manifest.csv",
        "file,label,source,group,sha256,added\nrock/x.jpg,rock,p3.jpg,anna,,\nrock/gone.jpg,,,,,\n",
    )
    write(tmp_path / "rock/x.jpg", "x")
    write(tmp_path / "rock/p2_b.jpg", "b")
    rename(tmp_path)
    rows = read_manifest(tmp_path)
    assert set(rows) == {"rock/rock_000001.jpg", "rock/rock_000002.jpg"}
    assert [image.group for image in load_dataset(tmp_path).images] == [None, "anna"]
    assert [image.group for image in load_dataset(tmp_path, r"^p\d+").images] == ["p2", "p3"]


def test_files_that_are_no_images_stay_and_those_of_a_merged_folder_come_along(tmp_path: Path) -> None:
    write(tmp_path / "None/notes.txt", "from None")
    write(tmp_path / "none/notes.txt", "from none")
    write(tmp_path / "None/sub/deep.jpg", "deep")
    (tmp_path / "NONE").mkdir()
    (tmp_path / "none/none_000001.jpg").mkdir()  # a folder is in the way
    write(tmp_path / "None/a.jpg", "a")
    rename(tmp_path)
    assert {path for path in tree(tmp_path) if path != "manifest.csv"} == {
        "none/notes.txt",
        "none/notes-2.txt",
        "none/sub/deep.jpg",
        "none/none_000002.jpg",
    }
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["none"]


def test_names_that_are_no_text_are_renamed(tmp_path: Path) -> None:
    (tmp_path / "rock").mkdir()
    try:
        Path(bytes(tmp_path / "rock").decode() + "/\udcff.jpg").write_text("x")
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system has names of text only")
    dataset = load_dataset(tmp_path)
    assert dataset.images == ()
    assert "gesture-maker rename" in dataset.ignored[0][1]
    rename(tmp_path)
    assert [image.file for image in load_dataset(tmp_path).images] == ["rock/rock_000001.jpg"]


def test_a_rename_that_was_interrupted_is_finished_before_anything_is_collected(tmp_path: Path) -> None:
    write(tmp_path / "d/rock/a.jpg", "a")
    write(tmp_path / "d/.renaming.json", "{}")
    with pytest.raises(DatasetError, match="interrupted"):
        collect(tmp_path, tmp_path / "d")
    with pytest.raises(DatasetError, match="damaged"):
        rename(tmp_path / "d")
    write(
        tmp_path / "d/.renaming.json",
        '{"moves": [["rock/a.jpg", "../a.jpg", "/etc/a"]], "rows": [], "left": [], "phase": 1}',
    )
    with pytest.raises(DatasetError, match="damaged"):
        rename(tmp_path / "d")
    assert (tmp_path / "d/rock/a.jpg").read_text() == "a"


def test_bad_input_rename_on_the_command_line(tmp_path: Path) -> None:
    write(tmp_path / "file.txt", "x")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "datasets/rps/rock/a.jpg", "a")
    assert "datasets/missing" in one_sentence_error(run_cli("rename", "missing", cwd=tmp_path))
    assert "is a file" in one_sentence_error(run_cli("rename", "file.txt", cwd=tmp_path))
    assert "no class folders" in one_sentence_error(run_cli("rename", "empty", cwd=tmp_path))
    done = run_cli("rename", "rps", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 renamed" in done.stdout
    assert (tmp_path / "datasets/rps/rock/rock_000001.jpg").exists()
