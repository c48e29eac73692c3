"""Collecting: every image once, byte for byte, over nothing, and again after whatever happened in between."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from helpers import ROOT, contents, environment, make_zip, one_sentence_error, photo, run_cli, tree, write
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.dataset import archives
from gesture_maker.dataset.collecting import collect, place
from gesture_maker.dataset.folder import find_dataset, load_dataset, place_for
from gesture_maker.dataset.manifest import (
    COLUMNS,
    ManifestRow,
    format_manifest,
    parse_manifest,
    read_manifest,
    update_manifest,
    write_manifest,
)
from gesture_maker.dataset.videos import EVERY
from gesture_maker.errors import ConfigError, DatasetError, LabelError, SourceError
from gesture_maker.files import sha256_of

A, B, C, D = (photo(seed) for seed in range(4))
HEADER = ",".join(COLUMNS) + "\n"


def check_manifest(root: Path) -> None:
    """Check that the manifest has a right row for every image and no other."""
    rows = read_manifest(root)
    images = {image.file: image for image in load_dataset(root).images}
    assert set(rows) == set(images)
    for file, row in rows.items():
        assert row.sha256 == sha256_of((root / file).read_bytes())
        assert row.label == images[file].label


# What is collected


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    source = tmp_path / "s"
    for name, content in {"rock/img10.JPEG": A, "rock/img9.png": photo(9, ".png"), "None/x.jpg": B}.items():
        write(source / name, content)
    for name in ("rock/notes.txt", "rock/a.HEIC", "rock/deep/b.jpg", "top.jpg", "rock/.hidden.jpg", "rock/Thumbs.db"):
        write(source / name, C)
    before = tree(source)
    result = collect(source, tmp_path / "d")
    assert result.added == {"none": 1, "rock": 2}
    assert result.totals == {"none": 1, "rock": 2}
    assert {(Path(skipped.name).name, skipped.reason) for skipped in result.skipped} == {
        ("notes.txt", "not an image"),
        ("a.HEIC", ".heic photos are not read, convert them to JPEG first"),
        ("b.jpg", "it lies in a folder within a class, a class is one folder"),
        ("top.jpg", "it lies outside the class folders"),
    }
    assert tree(source) == before
    written = tree(tmp_path / "d")
    assert written.pop("manifest.csv").startswith(HEADER.encode())
    assert written == {
        "rock/rock_000001.png": photo(9, ".png"),
        "rock/rock_000002.jpg": A,
        "none/none_000001.jpg": B,
    }
    check_manifest(tmp_path / "d")


def test_one_folder_is_a_class_of_its_name_or_of_the_label(tmp_path: Path) -> None:
    write(tmp_path / " Rock/a.jpg", A)
    assert collect(tmp_path / " Rock", tmp_path / "d").added == {"Rock": 1}
    assert collect(str(tmp_path / " Rock"), tmp_path / "e", label="NONE").added == {"none": 1}


def test_files_with_a_label_and_in_the_order_given(tmp_path: Path) -> None:
    files = [write(tmp_path / name, content) for name, content in {"b.jpg": B, "a.jpg": A}.items()]
    result = collect([*files, write(tmp_path / "n.txt", "x")], tmp_path / "d", label="rock")
    assert result.added == {"rock": 2}
    assert (tmp_path / "d/rock/rock_000001.jpg").read_bytes() == B
    assert [skipped.reason for skipped in result.skipped] == ["not an image"]


def test_numbers_go_on_after_the_highest_whatever_its_suffix(tmp_path: Path) -> None:
    for name in ("rock_000007.png", "Rock_8.JPG", "rock_x.jpg", "other_000100.jpg"):
        write(tmp_path / "d/rock" / name, photo(len(name), ".png"))
    before = tree(tmp_path / "d")
    collect(write(tmp_path / "a.jpg", A), tmp_path / "d", label="rock")
    after = tree(tmp_path / "d")
    assert after["rock/rock_000009.jpg"] == A
    assert before.items() <= after.items()


def test_the_same_bytes_come_once_and_another_label_is_reported(tmp_path: Path) -> None:
    for name, content in {"s/rock/1.jpg": A, "s/rock/2.jpg": A, "s/stone/1.jpg": A, "s/stone/2.jpg": B}.items():
        write(tmp_path / name, content)
    result = collect(tmp_path / "s", tmp_path / "d")
    assert result.added == {"rock": 1, "stone": 1}
    assert result.already == {"rock": 1}
    assert [skipped.reason for skipped in result.skipped] == ["the same image is there as rock (rock/rock_000001.jpg)"]
    again = collect(tmp_path / "s", tmp_path / "d")
    assert again.added == {}
    assert again.already == {"rock": 2, "stone": 1}


def test_an_image_that_was_changed_in_the_dataset_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jpg", A)
    collect(source, tmp_path / "d", label="rock")
    changed = write(tmp_path / "d/rock/rock_000001.jpg", B)
    later = changed.stat().st_mtime + 60
    os.utime(changed, (later, later))
    assert collect(source, tmp_path / "d", label="rock").added == {"rock": 1}
    assert contents(tmp_path / "d") == Counter([A, B])
    check_manifest(tmp_path / "d")


def test_images_that_were_put_there_by_hand_are_known(tmp_path: Path) -> None:
    write(tmp_path / "d/rock/mine.jpg", A)
    result = collect([write(tmp_path / "a.jpg", A), write(tmp_path / "b.jpg", B)], tmp_path / "d", label="rock")
    assert (result.added, result.already, result.totals) == ({"rock": 1}, {"rock": 1}, {"rock": 2})
    check_manifest(tmp_path / "d")


def test_groups_of_a_dataset_come_along_also_from_one_of_its_classes(tmp_path: Path) -> None:
    for name, content in {"s/rock/a.jpg": A, "s/rock/b.jpg": B, "s/paper/c.jpg": C}.items():
        write(tmp_path / name, content)
    rows = [ManifestRow(f, f.split("/")[0], "", g) for f, g in (("rock/a.jpg", "anna"), ("paper/c.jpg", "ben"))]
    write_manifest(tmp_path / "s", rows)
    collect(tmp_path / "s", tmp_path / "whole")
    assert [image.group for image in load_dataset(tmp_path / "whole").images] == ["ben", "anna", None]
    collect(tmp_path / "s/rock", tmp_path / "part")
    assert [image.group for image in load_dataset(tmp_path / "part").images] == ["anna", None]


def test_a_foreign_manifest_is_reported_not_used(tmp_path: Path) -> None:
    write(tmp_path / "s/rock/a.jpg", A)
    write(tmp_path / "s/manifest.csv", "id,name\n1,2\n")
    result = collect(tmp_path / "s", tmp_path / "d")
    assert result.added == {"rock": 1}
    assert [Path(skipped.name).name for skipped in result.skipped] == ["manifest.csv"]


def test_every_nth_frame_of_a_video_is_an_image_of_one_group(tmp_path: Path, shared: Path) -> None:
    video = shared / "data/gesture_video.mp4"  # 195 frames
    result = collect(video, tmp_path / "d", label="thumb", every=50)
    assert result.added == {"thumb": 4}
    assert result.skipped == ()
    images = load_dataset(tmp_path / "d").images
    assert len({image.group for image in images}) == 1
    assert [image.source for image in images] == [f"{video}#frame={number}" for number in (0, 50, 100, 150)]
    assert collect(video, tmp_path / "d", label="thumb", every=50).already == {"thumb": 4}
    assert collect(video, tmp_path / "d", label="thumb", every=50, move=True).moved == 0
    assert video.exists()


def test_a_video_in_a_class_folder_and_one_that_is_none(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    import numpy as np

    (tmp_path / "s/rock").mkdir(parents=True)
    writer = cv2.VideoWriter(str(tmp_path / "s/rock/v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(25):
        writer.write(np.full((48, 64, 3), number * 10, np.uint8))
    writer.release()
    write(tmp_path / "s/rock/broken.mp4", "no video")
    result = collect(tmp_path / "s", tmp_path / "d")
    assert result.added == {"rock": 3}
    assert [(Path(skipped.name).name, skipped.reason) for skipped in result.skipped] == [
        ("broken.mp4", "not a video that can be read")
    ]


def test_a_source_that_holds_the_dataset_leaves_it_out(tmp_path: Path) -> None:
    write(tmp_path / "rock/a.jpg", A)
    write(tmp_path / "d/paper/b.jpg", B)
    assert collect(tmp_path, tmp_path / "d").added == {"rock": 1}


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    write(tmp_path / "s/rock/a.jpg", A)
    (tmp_path / "s/rock/again").symlink_to(tmp_path / "s")
    (tmp_path / "s/rock/b.jpg").symlink_to(tmp_path / "gone.jpg")
    result = collect(tmp_path / "s", tmp_path / "d")
    assert result.added == {"rock": 1}
    assert [skipped.reason for skipped in result.skipped] == ["a broken link"]


# --move


def test_move_removes_only_what_is_safely_there(tmp_path: Path) -> None:
    for name, content in {"a.jpg": A, "a_again.jpg": A, "bad.jpg": b"x", "c.jpg": C, "notes.txt": b"n"}.items():
        write(tmp_path / "rock" / name, content)
    zipped = make_zip(tmp_path / "z.zip", {"rock/1.jpg": B})
    result = collect([tmp_path / "rock", zipped], tmp_path / "d", move=True)
    assert result.moved == 2
    assert sorted(path.name for path in (tmp_path / "rock").iterdir()) == ["a_again.jpg", "bad.jpg", "notes.txt"]
    assert zipped.exists()
    assert contents(tmp_path / "d") == Counter([A, B, C])
    assert collect(tmp_path / "rock", tmp_path / "d", move=True).moved == 0
    assert (tmp_path / "rock/a_again.jpg").exists()


# Interrupted, at once, and without room


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.booleans())
def test_interrupted_anywhere_the_next_run_finishes(at: int, move: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sources = [write(root / "s/rock" / f"{number}.jpg", photo(number)) for number in range(10)]

        def interrupt(done: int, total: int) -> None:
            assert done <= total
            if done == at:
                raise KeyboardInterrupt

        before = Counter(path.read_bytes() for path in sources)
        try:
            collect(root / "s", root / "d", move=move, progress=interrupt)
        except KeyboardInterrupt:
            check_manifest(root / "d")
        left = Counter(path.read_bytes() for path in sources if path.exists())
        assert left | contents(root / "d") == before
        if left:
            collect(root / "s", root / "d", move=move)
        assert contents(root / "d") == before
        assert not list((root / "d").rglob(".*"))
        assert [path.exists() for path in sources] == [not move] * 10
        check_manifest(root / "d")
        sources_known = {Path(row.source).name for row in read_manifest(root / "d").values()}
        assert sources_known == {path.name for path in sources}


KILLED = """
import os, sys
from gesture_maker.dataset.collecting import collect
def die(done, total):
    if done == 4:
        os._exit(9)
collect(sys.argv[1], sys.argv[2], move=True, progress=die)
"""


def test_killed_before_the_manifest_was_written_the_next_run_knows_where_images_came_from(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / f"s/rock/{number}.jpg", photo(number))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "s"), str(tmp_path / "d")], check=False, cwd=ROOT
    )
    assert done.returncode == 9
    assert not (tmp_path / "d/manifest.csv").exists()
    assert len(list((tmp_path / "s/rock").iterdir())) == 6  # nothing is removed that is not written down
    result = collect(tmp_path / "s", tmp_path / "d")
    assert (result.added, result.already) == ({"rock": 2}, {"rock": 4})
    assert {Path(row.source).name for row in read_manifest(tmp_path / "d").values()} == {f"{n}.jpg" for n in range(6)}
    check_manifest(tmp_path / "d")


def test_several_at_once_overwrite_nothing(tmp_path: Path) -> None:
    code = "import sys; from gesture_maker.dataset.collecting import collect; collect(sys.argv[1], sys.argv[2])"
    for process in range(3):
        for number in range(30):
            write(tmp_path / f"s{process}/rock/{number}.jpg", photo(process * 100 + number))
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / f"s{process}"), str(tmp_path / "d")], cwd=ROOT)
        for process in range(3)
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(contents(tmp_path / "d", "rock")) == 90
    check_manifest(tmp_path / "d")


@given(st.sets(st.integers(1, 12)), st.integers(1, 12), st.integers(1, 5), st.booleans())
def test_place_never_writes_over_a_file(there: set[int], start: int, count: int, links: bool) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("as on a memory card")

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if not links:
            patch.setattr(os, "link", no_links)
        rock = Path(folder) / "rock"
        for number in there:
            write(rock / f"rock_{number:06d}.jpg", f"old {number}")
        before = contents(Path(folder))
        number = start
        for new in range(count):
            path, number = place(f"new {new}".encode(), rock, "rock", ".jpg", number)
            assert path.name == f"rock_{number:06d}.jpg"
        assert contents(Path(folder)) == before + Counter(f"new {new}".encode() for new in range(count))
        assert len(list(rock.iterdir())) == len(there) + count


FULL_DISK = """
import resource, sys
from gesture_maker.cli import main
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # a write beyond it fails as on a full disk
main()
"""


def test_bad_input_full_disk_leaves_no_half_image(tmp_path: Path) -> None:
    small, large = photo(1, ".png", (8, 8)), photo(2, ".png", (300, 300))
    write(tmp_path / "s/paper/1.png", small)
    write(tmp_path / "s/rock/1.png", large)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, "10000", "collect", "s", "--dataset", "d/e"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "nothing half-written" in one_sentence_error(done)
    assert {file for file in tree(tmp_path / "d/e") if file != "manifest.csv"} == {"paper/paper_000001.png"}
    check_manifest(tmp_path / "d/e")
    assert not (tmp_path / "d/e/rock").exists()
    assert collect(tmp_path / "s", tmp_path / "d/e").added == {"rock": 1}


READ_ONLY = """
import fcntl, os, pathlib, sys
from gesture_maker.dataset.collecting import collect
from gesture_maker.images import read_image
read_image(pathlib.Path(sys.argv[1], "rock/1.jpg"))  # imports what it needs, while it may
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # the superuser may write everywhere
try:
    collect(sys.argv[1], sys.argv[2], move=True)
except OSError as error:
    print(type(error).__name__)
"""


def test_bad_input_read_only_folder_loses_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root / "s/rock/1.jpg", A)
        (root / "d").mkdir()
        for path in (root, root / "s", root / "s/rock", root / "d"):
            path.chmod(0o555)
        try:
            command = [sys.executable, "-c", READ_ONLY, str(root / "s"), str(root / "d")]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        finally:
            for path in (root / "s/rock", root / "s", root / "d", root):
                path.chmod(0o755)
        assert done.stdout.strip() == "PermissionError", done.stderr
        assert tree(root) == {"s/rock/1.jpg": A}


# Bad input: one sentence, and nothing written


def refused(error: type[Exception], *arguments: object, root: Path, **options: object) -> str:
    before = tree(root)
    with pytest.raises(error) as caught:
        collect(*arguments, **options)  # type: ignore[arg-type]
    assert tree(root) == before
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def test_bad_input_sources(tmp_path: Path) -> None:
    good, d = write(tmp_path / "rock/a.jpg", A).parent, tmp_path / "d"
    (tmp_path / "empty").mkdir()
    text = write(tmp_path / "text/notes.txt", "x").parent
    os.mkfifo(tmp_path / "pipe")
    for source, why in [
        (tmp_path / "missing", "There is no"),
        (tmp_path / "empty", "no image"),
        (text, "notes.txt"),
        (good / "a.jpg", "--label"),
        (tmp_path / "pipe", "neither a file nor a folder"),
    ]:
        assert why in refused(SourceError, [good, source], d, root=tmp_path)
    assert "notes.txt" in refused(SourceError, text / "notes.txt", d, root=tmp_path, label="rock")
    video = write(tmp_path / "v/v.mp4", "no video")
    assert "not a video" in refused(SourceError, video, d, root=tmp_path, label="rock")
    assert "--every" in refused(ConfigError, good, d, root=tmp_path, every=0)


@pytest.mark.parametrize("label", ["a/b", "..", "...", "", "a\\b"])
def test_bad_input_label_with_a_slash_or_only_dots(tmp_path: Path, label: str) -> None:
    source = write(tmp_path / "a.jpg", A)
    refused(LabelError, source, tmp_path / "d", root=tmp_path, label=label)


def test_bad_input_one_label_for_several_class_folders(tmp_path: Path) -> None:
    write(tmp_path / "s/rock/a.jpg", A)
    write(tmp_path / "s/paper/b.jpg", B)
    message = refused(SourceError, tmp_path / "s", tmp_path / "d", root=tmp_path, label="rock")
    assert "paper, rock" in message
    assert collect(tmp_path / "s/rock", tmp_path / "d", label="stone").added == {"stone": 1}


def test_bad_input_the_dataset_itself_as_source(tmp_path: Path) -> None:
    write(tmp_path / "d/rock/a.jpg", A)
    (tmp_path / "link").symlink_to(tmp_path / "d")
    d = tmp_path / "d"
    for source in (d, d / "rock", d / "rock/a.jpg", tmp_path / "link"):
        assert "dataset" in refused(SourceError, source, d, root=tmp_path, label="paper")


def test_bad_input_a_file_where_the_dataset_or_a_class_belongs(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jpg", A)
    write(tmp_path / "file", "x")
    assert "is a file" in refused(DatasetError, source, tmp_path / "file", root=tmp_path, label="rock")
    write(tmp_path / "d/rock", "x")
    assert "is a file" in refused(DatasetError, source, tmp_path / "d", root=tmp_path, label="rock")


def test_bad_input_unusable_images_are_skipped_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_IMAGE_BYTES", 20_000)
    for name, content in {
        "good.jpg": A,
        "empty.jpg": b"",
        "text.jpg": b"hello",
        "cut.jpg": B[:-100],
        "large.png": photo(1, ".png", (200, 200)),
    }.items():
        write(tmp_path / "rock" / name, content)
    result = collect(tmp_path / "rock", tmp_path / "d")
    assert result.added == {"rock": 1}
    assert {Path(skipped.name).name: skipped.reason for skipped in result.skipped} == {
        "empty.jpg": "the file is empty",
        "text.jpg": "not an image",
        "cut.jpg": "the image is damaged or cut short",
        "large.png": "it is larger than 0.0 MB",
    }


# Reading a dataset


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
    silent = {"README.md", "landmarks.parquet", "rock/.DS_Store", ".git/x.jpg", "rock/Thumbs.db", "rock/desktop.ini"}
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


def test_archives_that_are_not_read_are_named_as_such(tmp_path: Path) -> None:
    for name in ("a.rar", "b.tar.gz", "project.tm"):
        write(tmp_path / "rock" / name, "x")
    write(tmp_path / "rock/a.jpg", A)
    reasons = [skipped.reason for skipped in collect(tmp_path / "rock", tmp_path / "d").skipped]
    assert [reason.split(",")[0] for reason in reasons] == [
        "an archive that is no zip",
        "an archive that is no zip",
        "a project of Teachable Machine",
    ]


# The command line


def test_the_command_takes_as_many_frames_as_the_library() -> None:
    from gesture_maker.cli import collect as command

    assert command.EVERY == EVERY


def test_collect_and_rename_on_the_command_line(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path / f"s/rock/bad{number}.jpg", "x")
    write(tmp_path / "s/rock/a.jpg", A)
    done = run_cli("collect", "s", "--dataset", "rps", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "datasets/rps/rock/rock_000001.jpg").read_bytes() == A
    for expected in ("12 skipped", "bad9.jpg: not an image", "and 2 more", "gesture-maker check rps"):
        assert expected in done.stdout
    assert "bad11.jpg" not in done.stdout
    assert "bad11.jpg" in run_cli("collect", "s", "-d", "rps", "--list-skipped", cwd=tmp_path).stdout


def test_bad_input_collect_on_the_command_line(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", A)
    write(tmp_path / "broken.zip", "x")
    write(tmp_path / "all/bad.jpg", "x")
    assert "There is no gone" in one_sentence_error(run_cli("collect", "gone", "--dataset", "d", cwd=tmp_path))
    assert "broken.zip" in one_sentence_error(run_cli("collect", "broken.zip", "--dataset", "d", cwd=tmp_path))
    assert "slash" in one_sentence_error(run_cli("collect", "a.jpg", "--dataset", "d", "--label", "a/b", cwd=tmp_path))
    done = run_cli("collect", "all", "--dataset", "d", cwd=tmp_path)
    assert "Nothing was collected" in one_sentence_error(done)
    assert "bad.jpg: not an image" in done.stdout
    assert run_cli("collect", "a.jpg", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "datasets").exists()
