"""Collecting: every image once, byte for byte, over nothing, and again after whatever happened in between."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import check_manifest, contents, make_zip, one_sentence_error, photo, run_cli, tree, write

from gesture_maker.dataset import archives
from gesture_maker.dataset.adding import DatasetWriter
from gesture_maker.dataset.collecting import collect
from gesture_maker.dataset.folder import load_dataset
from gesture_maker.dataset.manifest import (
    COLUMNS,
    ManifestRow,
    read_manifest,
    write_manifest,
)
from gesture_maker.dataset.videos import EVERY
from gesture_maker.errors import ConfigError, DatasetError, LabelError, SourceError
from gesture_maker.files import sha256_of

A, B, C = (photo(seed) for seed in range(3))
HEADER = ",".join(COLUMNS) + "\n"


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


def test_an_empty_class_folder_is_told(tmp_path: Path) -> None:
    write(tmp_path / "s/rock/1.jpg", A)
    write(tmp_path / "s/paper/.DS_Store", "")
    (tmp_path / "s/none/deeper").mkdir(parents=True)
    skipped = collect(tmp_path / "s", tmp_path / "d").skipped
    assert {one.name.removeprefix(f"{tmp_path}/"): one.reason for one in skipped} == {
        "s/paper": "an empty folder",
        "s/none/deeper": "an empty folder",
    }


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


def test_bad_input_originals_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "rock/a.jpg", A)
    monkeypatch.setattr(Path, "unlink", _read_only(Path.unlink, tmp_path / "rock"))
    with pytest.raises(
        SourceError, match=r"a\.jpg cannot be removed \(read-only.*copy is .*rock_000001\.jpg: .*without"
    ):
        collect(tmp_path / "rock", tmp_path / "d", move=True)
    assert contents(tmp_path / "d") == Counter([A])
    check_manifest(tmp_path / "d")


def _read_only(unlink: Callable[..., None], folder: Path) -> Callable[..., None]:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.parent == folder:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        unlink(path, missing_ok)

    return refuse


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


def test_sources_can_be_called_by_their_place_below_a_folder(tmp_path: Path) -> None:
    folder, root = tmp_path / "te mp", tmp_path / "d"
    write(folder / "ho li/é.jpg", photo(1))
    write(folder / "ho li/cut.jpg", photo(2)[:300])
    make_zip(folder / "a.zip", {"rock/1.jpg": photo(3), "rock/notes.txt": b"x"})
    result = collect([folder / "ho li", folder / "a.zip"], root, "rock", below=folder)
    assert {row.source for row in read_manifest(root).values()} == {"ho li/é.jpg", "a.zip/rock/1.jpg"}
    assert {one.name for one in result.skipped} == {"ho li/cut.jpg", "a.zip/rock/notes.txt"}
    make_zip(folder / "b.zip", {"../x.jpg": b"x"})
    for wrong in ("b.zip", "none.jpg"):
        with pytest.raises(SourceError, match=wrong) as caught:
            collect(folder / wrong, root, "rock", below=folder)
        assert str(folder) not in str(caught.value)


def test_a_row_that_another_process_writes_meanwhile_keeps_its_group(tmp_path: Path) -> None:
    writer, other = DatasetWriter(tmp_path), DatasetWriter(tmp_path)
    writer.add(A, ManifestRow("", "rock", "camera 0", "burst", sha256_of(A)), ".jpg")
    other.learn()  # meets a photo without a row
    writer.save()
    other.save()
    row = read_manifest(tmp_path)["rock/rock_000001.jpg"]
    assert (row.source, row.group) == ("camera 0", "burst")
