"""Clips: which are found, in which order their frames come, and that nothing disappears without a word."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from cameras import number_in
from films import film, folder_of_frames
from helpers import make_zip, photo, write
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gesture_maker.dataset.manifest import ManifestRow, read_manifest, update_manifest
from gesture_maker.errors import ConfigError, DatasetError, SourceError, UnreadableImage
from gesture_maker.motion.clips import (
    A_PHOTO,
    NO_FRAMES,
    STILL,
    TOO_FEW,
    clip_sha256,
    clips_in,
    find_clips,
    is_background,
    read_frames,
)


def test_clips_are_videos_and_folders_of_frames(tmp_path: Path) -> None:
    film(tmp_path / "wave/wave_2.mp4")
    film(tmp_path / "wave/wave_10.mp4", first=5)
    folder_of_frames(tmp_path / "still/hand 👋 é", range(1, 12))
    found = find_clips(tmp_path)
    assert [clip.file for clip in found.clips] == ["still/hand 👋 é", "wave/wave_2.mp4", "wave/wave_10.mp4"]
    assert found.labels == (STILL, "wave")
    assert found.counts == {STILL: 1, "wave": 2}
    assert found.problems == found.empty == ()
    first, *others = found.clips
    assert first.is_folder
    assert [path.name for path in first.frames] == [f"frame_{number}.png" for number in range(1, 12)]
    assert not any(clip.is_folder for clip in others)


def test_frames_come_in_order_with_their_times(tmp_path: Path) -> None:
    film(tmp_path / "wave/film.mp4", 6, rate=10)
    folder_of_frames(tmp_path / "wave/folder", range(8, 12))
    of_film, of_folder = find_clips(tmp_path).clips
    frames = list(read_frames(of_film))
    assert [number_in(frame.pixels) for frame in frames] == [frame.number for frame in frames] == list(range(6))
    assert [frame.seconds for frame in frames] == pytest.approx([number / 10 for number in range(6)], abs=1e-4)
    frames = list(read_frames(of_folder, rate_of_folders=10))
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3])
    for number, frame in zip(range(8, 12), frames, strict=True):
        with Image.open(tmp_path / f"wave/folder/frame_{number}.png") as picture:
            assert np.array_equal(frame.pixels, np.asarray(picture))


def test_grey_frames_are_read_as_rgb(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "ok/a").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 60), 90 + number, np.uint8)).save(tmp_path / f"ok/a/{number}.png")
    (clip,) = find_clips(tmp_path).clips
    assert [frame.pixels.shape for frame in read_frames(clip)] == [(40, 60, 3)] * 2
    assert [int(frame.pixels[0, 0, 2]) for frame in read_frames(clip)] == [90, 91]


def test_damaged_frames_and_films_are_told_of(tmp_path: Path) -> None:
    folder_of_frames(tmp_path / "wave/a", range(3))
    write(tmp_path / "wave/a/frame_1.png", b"no picture")
    write(tmp_path / "wave/b.mp4", b"no film")
    damaged, no_film = find_clips(tmp_path).clips
    frames = read_frames(damaged)
    next(frames)
    with pytest.raises(UnreadableImage, match=r"frame_1\.png"):
        next(frames)
    with pytest.raises(SourceError, match=r"b\.mp4 is not a video"):
        next(read_frames(no_film))


def test_nothing_disappears_without_a_word(tmp_path: Path) -> None:
    film(tmp_path / "wave/good.mp4")
    write(tmp_path / "wave/photo.jpg", photo())
    write(tmp_path / "wave/notes.txt", "x")
    folder_of_frames(tmp_path / "wave/single", range(1))
    folder_of_frames(tmp_path / "wave/mixed", range(3))
    write(tmp_path / "wave/mixed/notes.txt", "x")
    film(tmp_path / "wave/deeper/film.mp4")
    (tmp_path / "wave/nothing").mkdir()
    (tmp_path / "swipe").mkdir()
    film(tmp_path / "outside.mp4")
    for hidden in (".hidden/a.mp4", "wave/.DS_Store", "wave/mixed/.hidden.png", "Thumbs.db", "motion.parquet"):
        write(tmp_path / hidden, "x")
    found = find_clips(tmp_path)
    assert [clip.file for clip in found.clips] == ["wave/good.mp4", "wave/mixed"]
    assert len(found.clips[1].frames) == 3
    assert found.empty == ("swipe",)
    assert {path.relative_to(tmp_path).as_posix(): reason for path, reason in found.problems} == {
        "outside.mp4": "it lies outside the class folders",
        "wave/photo.jpg": A_PHOTO,
        "wave/notes.txt": "not an image and not a video",
        "wave/single": TOO_FEW,
        "wave/nothing": NO_FRAMES,
        "wave/deeper/film.mp4": "it lies in a folder within a class, a class is one folder",
        "wave/mixed/notes.txt": "not an image",
    }


def test_groups_are_those_of_the_manifest_or_of_the_names(tmp_path: Path) -> None:
    film(tmp_path / "wave/wave_000001.mp4")
    film(tmp_path / "wave/wave_000002.mp4", first=5)
    folder_of_frames(tmp_path / "wave/wave_000003", range(3))
    rows = [
        ManifestRow("wave/wave_000001.mp4", "wave", "films/p01_take1.mp4", "anna", "0" * 64),
        ManifestRow("wave/wave_000003", "wave", "frames/p02_take1", "", "1" * 64),
        ManifestRow("wave/gone", "wave", "frames/p02_take1", "", "2" * 64),
    ]
    update_manifest(tmp_path, rows)
    assert set(read_manifest(tmp_path)) == {"wave/wave_000001.mp4", "wave/wave_000003"}
    assert [clip.group for clip in find_clips(tmp_path).clips] == ["anna", None, None]
    assert [clip.group for clip in find_clips(tmp_path, "^(p[0-9]+)_").clips] == ["p01", "wave/wave_000002.mp4", "p02"]
    with pytest.raises(ConfigError, match="matches no file name"):
        find_clips(tmp_path, "nobody")
    with pytest.raises(ConfigError, match="not a regular expression"):
        find_clips(tmp_path, "(")


def test_what_is_no_motion_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_zip(tmp_path / "x.zip", {"wave/1.mp4": b"x"})
    write(tmp_path / "file.txt", "x")
    write(tmp_path / "photos/rock/a.jpg", photo())
    film(tmp_path / "up/swipes/wave/a.mp4")
    (tmp_path / "bare").mkdir()
    (tmp_path / "classes/wave").mkdir(parents=True)
    for name, why in {
        "gone": r"neither gone nor datasets/gone is a folder\. Make one with gesture-maker motion collect\.",
        "x.zip": r"gesture-maker motion collect x\.zip --dataset x",
        "file.txt": "one folder of clips per class",
        "photos": rf"There is no clip in photos, only photos/rock/a\.jpg \({A_PHOTO}\)\.",
        "up": r"use up/swipes instead\.",
        "bare": "has no class folders",
        "classes": "its class folders are empty",
    }.items():
        with pytest.raises(DatasetError, match=why):
            find_clips(name)
    film(tmp_path / "datasets/swipes/wave/a.mp4")
    assert find_clips("swipes").root == Path("datasets/swipes")


def test_the_background_has_two_names(tmp_path: Path) -> None:
    for label in ("still", "None", "Still", "arc"):
        film(tmp_path / label / "a.mp4")
    found = find_clips(tmp_path)
    assert found.labels == ("Still", "none", "still", "arc")
    assert [label for label in found.labels if is_background(label)] == ["Still", "none", "still"]


@given(st.lists(st.binary(max_size=4), min_size=2, max_size=12, unique=True), st.data())
def test_a_folder_is_known_by_its_contents_in_their_order(contents: list[bytes], data: st.DataObject) -> None:
    def key(frames: list[bytes], name: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            for number, content in enumerate(frames, 1):
                write(Path(folder) / "wave/a" / name.format(number), content)
            clip = clips_in(Path(folder)).clips[0]
            return clip_sha256(clip)

    known = key(contents, "frame_{}.png")
    assert key(contents, "{:06d}.png") == known
    other = data.draw(st.permutations(contents).filter(lambda order: order != contents))
    assert key(other, "frame_{}.png") != known
    assert key([*contents, b"more"], "frame_{}.png") != known
