"""Reading a dataset: nothing disappears without a word, groups are found, the manifest comes back as written."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import make_zip, photo, write
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.dataset.collecting import collect
from gesture_maker.dataset.folder import find_dataset, load_dataset, place_for
from gesture_maker.dataset.manifest import (
    COLUMNS,
    ManifestRow,
    format_manifest,
    parse_manifest,
    read_manifest,
    update_manifest,
)
from gesture_maker.errors import ConfigError, DatasetError

A, B = photo(0), photo(1)
HEADER = ",".join(COLUMNS) + "\n"


def test_bad_input_datasets_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "up/data/rock/a.jpg", A)
    (tmp_path / "empty").mkdir()
    make_zip(tmp_path / "x.zip", {"rock/1.jpg": A})
    write(tmp_path / "file.txt", "x")
    write(tmp_path / "bad/a\\b/x.jpg", A)
    for name, why in {
        "gone": "no folder",
        "x.zip": "collect it first",
        "file.txt": "is a file",
        "empty": "no class folders",
        "up": "up/data instead",
        "bad": "slash",
    }.items():
        with pytest.raises(DatasetError, match=why):
            load_dataset(Path(name))
    with pytest.raises(DatasetError, match=r"neither gone nor datasets/gone"):
        find_dataset("gone")


def test_a_bare_name_is_looked_up_under_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert place_for("rps") == Path("datasets/rps")
    assert place_for("./rps") == Path("./rps")
    (tmp_path / "datasets/rps").mkdir(parents=True)
    assert find_dataset("rps") == Path("datasets/rps")
    (tmp_path / "rps").mkdir()
    assert find_dataset("rps") == place_for("rps") == Path("rps")


def test_nothing_in_a_dataset_disappears_without_a_word(tmp_path: Path) -> None:
    for name in ("rock/a.jpg", "None/b.jpg", "none/c.jpg"):
        write(tmp_path / name, A)
    reported = {"rock/n.txt", "rock/p.HEIC", "rock/deep/er/x.jpg", "top.png", "notes.md"}
    silent = {
        "README.md",
        "landmarks.parquet",
        "contact_sheet.png",
        "rock/.DS_Store",
        ".git/x.jpg",
        "rock/Thumbs.db",
        "rock/desktop.ini",
    }
    for name in reported | silent:
        write(tmp_path / name, "x")
    (tmp_path / "empty").mkdir()
    dataset = load_dataset(tmp_path)
    assert dataset.labels == ("none", "empty", "rock")
    assert dataset.counts == {"none": 2, "empty": 0, "rock": 1}
    assert [image.file for image in dataset.images] == ["None/b.jpg", "none/c.jpg", "rock/a.jpg"]
    assert {path.relative_to(tmp_path).as_posix() for path, _ in dataset.ignored} == reported


def test_groups_by_regular_expression(tmp_path: Path) -> None:
    for name in ("p1_a.jpg", "p1_b.jpg", "p2_a.jpg", "other.jpg"):
        write(tmp_path / "rock" / name, A)
    groups = {image.path.name: image.group for image in load_dataset(tmp_path, "^p([0-9]+)_").images}
    assert groups == {"p1_a.jpg": "1", "p1_b.jpg": "1", "p2_a.jpg": "2", "other.jpg": "rock/other.jpg"}
    assert load_dataset(tmp_path, "^p[0-9]").images[1].group == "p1"
    for pattern, why in (("(", "not a regular expression"), ("zzz", "matches no file name")):
        with pytest.raises(ConfigError, match=why):
            load_dataset(tmp_path, pattern)


def test_groups_by_regular_expression_go_by_the_name_before_collecting(tmp_path: Path) -> None:
    write(tmp_path / "s/rock/p012_IMG_1.jpg", A)
    make_zip(tmp_path / "z.zip", {"rock/p013_IMG_1.jpg": B})
    collect([tmp_path / "s", tmp_path / "z.zip"], tmp_path / "d")
    assert [image.group for image in load_dataset(tmp_path / "d", r"^p\d+").images] == ["p012", "p013"]


texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=8)


@given(st.lists(st.builds(ManifestRow, texts.filter(bool), texts, texts, texts, texts, texts), max_size=3))
def test_the_manifest_comes_back_as_it_was_written(rows: list[ManifestRow]) -> None:
    assert parse_manifest(format_manifest(rows), "manifest.csv") == {row.file: row for row in rows}


def test_the_manifest_on_disk_keeps_the_rows_of_others_and_drops_those_without_a_file(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        write(tmp_path / "rock" / name, A)
    update_manifest(tmp_path, [ManifestRow("rock/a.jpg", "rock", group="anna"), ManifestRow("rock/gone.jpg", "rock")])
    update_manifest(tmp_path, [ManifestRow("rock/b.jpg", "rock")])
    assert list(read_manifest(tmp_path)) == ["rock/a.jpg", "rock/b.jpg"]
    assert read_manifest(tmp_path)["rock/a.jpg"].group == "anna"


@pytest.mark.parametrize("content", [b"", b"file;label\n", b"\xff\xfe\x00", b"file,label,source,group,sha256\n", b"\0"])
def test_bad_input_damaged_manifest(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "rock/a.jpg", A)
    write(tmp_path / "manifest.csv", content)
    with pytest.raises(DatasetError, match=r"manifest\.csv"):
        load_dataset(tmp_path)
    write(tmp_path / "manifest.csv", b"\xef\xbb\xbf" + HEADER.encode() + b"rock/a.jpg,rock,,anna\n")  # short row, BOM
    assert load_dataset(tmp_path).images[0].group == "anna"
