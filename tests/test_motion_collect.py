"""`motion collect`: clips from films, folders and zips, cut by marks, from a camera and from Kaggle; none twice, none overwritten."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cameras import PATIENCE, mjpeg_camera, number_in, table, virtual_screen, wait_until
from conftest import Cli
from films import film, folder_of_frames
from helpers import environment, make_zip, one_sentence_error, photo, tree, write, zip_bytes
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.dataset.manifest import read_manifest
from gesture_maker.dataset.sources import Skipped
from gesture_maker.errors import ConfigError, DatasetError, LabelError, SourceError
from gesture_maker.motion.clips import clip_sha256, find_clips, read_frames
from gesture_maker.motion.collect_camera import record_clips
from gesture_maker.motion.collect_marks import Mark, between, cut_by_marks, read_marks, seconds_of
from gesture_maker.motion.collect_sources import dealt
from gesture_maker.motion.collect_window import SpaceBar, record_clips_in_window, record_in_window
from gesture_maker.motion.collecting import collect_clips
from gesture_maker.motion.fetching import clean_up, fetch
from gesture_maker.recognition.capture_window import RECORDING
from gesture_maker.recognition.capturing import UNDONE
from gesture_maker.recognition.frames import open_film


def check_manifest(root: Path) -> None:
    """Check that the manifest has a right row for every clip and no other."""
    rows = read_manifest(root)
    clips = {clip.file: clip for clip in find_clips(root).clips}
    assert set(rows) == set(clips)
    for file, row in rows.items():
        assert (row.sha256, row.label) == (clip_sha256(clips[file]), clips[file].label)
        assert row.source
        assert row.added


def files(root: Path) -> list[str]:
    return [clip.file for clip in find_clips(root).clips]


def numbers(root: Path, file: str) -> list[int]:
    """Return the numbers of the frames in a clip of a numbered film."""
    (clip,) = (clip for clip in find_clips(root).clips if clip.file == file)
    return [number_in(frame.pixels) for frame in read_frames(clip)]


# Films, folders of frames, zips


def test_a_film_and_a_folder_of_frames_need_a_label(tmp_path: Path) -> None:
    one = film(tmp_path / "é 👋.MP4".replace("MP4", "mp4"))
    frames = folder_of_frames(tmp_path / "frames", range(9, 12), "{}.jpeg".replace("jpeg", "png"))
    dataset = tmp_path / "set"
    for source in (one, frames):
        with pytest.raises(SourceError, match="say it with --label NAME"):
            collect_clips(source, dataset)
    assert not dataset.exists()
    result = collect_clips([one, frames], dataset, " wave ", group="anna")
    assert result.added == result.totals == {"wave": 2}
    assert files(dataset) == ["wave/wave_000001.mp4", "wave/wave_000002"]
    assert (dataset / "wave/wave_000001.mp4").read_bytes() == one.read_bytes()
    assert [path.name for path in find_clips(dataset).clips[1].frames] == [f"frame_{n:06d}.png" for n in (1, 2, 3)]
    assert (dataset / "wave/wave_000002/frame_000002.png").read_bytes() == photo(10, ".png")
    assert {row.group for row in read_manifest(dataset).values()} == {"anna"}
    check_manifest(dataset)
    before = tree(dataset)
    again = collect_clips([frames, one], dataset, "wave")
    assert (again.added, again.already) == ({}, {"wave": 2})
    assert tree(dataset) == before
    other = collect_clips(one, dataset, "swipe")
    assert other.skipped == (Skipped(one.as_posix(), "the same clip is there as wave (wave/wave_000001.mp4)"),)
    assert not (dataset / "swipe").exists()


def test_classes_are_read_off_the_folders(tmp_path: Path) -> None:
    source = tmp_path / "all/swipes"
    film(source / "left/b.mp4")
    film(source / "left/a.mp4", first=5)
    folder_of_frames(source / "right/take 2", range(3))
    folder_of_frames(source / "right/take 10", range(3, 6))
    write(source / "contact_sheet.png", photo())
    write(source / "cover.jpg", photo())
    write(source / "left/thumbnail.jpg", photo())
    write(source / "left/.hidden.mp4", b"x")
    write(source / "notes.txt", b"x")
    folder_of_frames(source / "right/single", range(1))
    (source / "empty").mkdir()
    result = collect_clips(tmp_path / "all", tmp_path / "set")
    assert result.added == {"left": 2, "right": 2}
    reasons = {Path(skipped.name).name: skipped.reason for skipped in result.skipped}
    assert reasons == {
        "cover.jpg": "a photo beside clips, which are videos or folders of frames",
        "thumbnail.jpg": "a photo beside clips, which are videos or folders of frames",
        "notes.txt": "not an image and not a video",
        "single": "one frame alone, in which nothing moves",
        "empty": "an empty folder",
    }
    rows = read_manifest(tmp_path / "set")
    assert [Path(rows[file].source).name for file in files(tmp_path / "set")] == ["a.mp4", "b.mp4", "take 2", "take 10"]
    check_manifest(tmp_path / "set")
    with pytest.raises(SourceError, match="which --label wave would mix"):
        collect_clips(source, tmp_path / "set", "wave")
    assert collect_clips(source / "left", tmp_path / "other", "wave").totals == {"wave": 2}
    assert collect_clips(source / "left", tmp_path / "third").totals == {"left": 2}


def test_zips_and_zips_in_them(tmp_path: Path) -> None:
    one, two = (film(tmp_path / f"{n}.mp4", first=5 * n).read_bytes() for n in (1, 2))
    frames = {f"take/frame_{n}.png": photo(n, ".png") for n in (2, 10)}
    packed = make_zip(
        tmp_path / "swipes.zip",
        {"x/left/a.mp4": one, "x/right.zip": zip_bytes({"b.mp4": two, **frames}), "x/__MACOSX/._a.mp4": b"x"},
    )
    result = collect_clips(packed, tmp_path / "set")
    assert (result.added, result.skipped) == ({"left": 1, "right": 2}, ())
    assert (tmp_path / "set/left/left_000001.mp4").read_bytes() == one
    folder = find_clips(tmp_path / "set").clips[2]
    assert [path.read_bytes() for path in folder.frames] == [photo(2, ".png"), photo(10, ".png")]
    check_manifest(tmp_path / "set")
    deep = zip_bytes({"c.zip": zip_bytes({"d.mp4": two})})
    with pytest.raises(SourceError, match=r"only .*c\.zip \(a zip in a zip in a zip, unpack it first\)"):
        collect_clips(make_zip(tmp_path / "deep.zip", {"b.zip": deep}), tmp_path / "set", "wave")
    with pytest.raises(SourceError, match="would lie outside it"):
        collect_clips(make_zip(tmp_path / "evil.zip", {"../a.mp4": one}), tmp_path / "set", "wave")


def test_a_dataset_of_clips_is_taken_over_with_its_groups(tmp_path: Path) -> None:
    one = film(tmp_path / "a.mp4")
    collect_clips(one, tmp_path / "first", "wave", group="anna")
    collect_clips(folder_of_frames(tmp_path / "f", range(3)), tmp_path / "first", "still", group="ben")
    for source in (tmp_path / "first", make_zip(tmp_path / "z.zip", tree(tmp_path / "first"))):
        target = tmp_path / f"from {source.name}"
        collect_clips(source, target, group="nobody")
        assert [clip.group for clip in find_clips(target).clips] == ["ben", "anna"]
        assert [clip.source for clip in find_clips(target).clips] == [(tmp_path / "f").as_posix(), one.as_posix()]
        check_manifest(target)
    collect_clips(tmp_path / "first/wave", tmp_path / "one class")
    assert [clip.group for clip in find_clips(tmp_path / "one class").clips] == ["anna"]


def test_what_is_damaged_is_told_and_not_taken(tmp_path: Path) -> None:
    whole = film(tmp_path / "in/wave/whole.mp4", 60).read_bytes()
    write(tmp_path / "in/wave/rubbish.mp4", b"no film")
    write(tmp_path / "in/wave/cut.mp4", whole[: len(whole) * 2 // 3])
    film(tmp_path / "in/wave/short.mp4", 1)
    folder_of_frames(tmp_path / "in/wave/frames", range(4))
    write(tmp_path / "in/wave/frames/frame_2.png", photo(2, ".png")[:99])
    result = collect_clips(tmp_path / "in", tmp_path / "set")
    assert files(tmp_path / "set") == ["wave/wave_000001.mp4"]
    reasons = {Path(skipped.name).name: skipped.reason for skipped in result.skipped}
    assert set(reasons) == {"rubbish.mp4", "cut.mp4", "short.mp4", "frames"}
    assert reasons["rubbish.mp4"] == "is not a video that can be read: convert it to MP4 (H.264) first"
    assert reasons["cut.mp4"].startswith("breaks off after")
    assert reasons["short.mp4"] == "one frame alone, in which nothing moves"
    assert reasons["frames"] == "frame_2.png: the image is damaged or cut short"
    assert {path.name for path in (tmp_path / "set/wave").iterdir()} == {"wave_000001.mp4"}


def test_nothing_of_the_users_is_overwritten_or_changed(tmp_path: Path) -> None:
    source = tmp_path / "in/wave"
    film(source / "a.mp4")
    folder_of_frames(source / "b", range(2))
    dataset = tmp_path / "set"
    write(dataset / "wave/wave_000003.mp4", film(tmp_path / "mine.mp4", first=9).read_bytes())
    write(dataset / "wave/wave_000004/keep.txt", b"mine")
    before = {**tree(dataset), **tree(source)}
    for path in source.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    result = collect_clips(source, dataset)
    assert result.totals == {"wave": 3}
    assert files(dataset) == ["wave/wave_000003.mp4", "wave/wave_000005.mp4", "wave/wave_000006"]
    assert {**tree(dataset), **tree(source)}.items() >= before.items()
    assert os.access(dataset / "wave/wave_000006/frame_000001.png", os.W_OK)


def test_sources_that_cannot_be_used(tmp_path: Path) -> None:
    one = film(tmp_path / "a.mp4")
    write(tmp_path / "text.txt", b"x")
    (tmp_path / "empty").mkdir()
    film(tmp_path / "set/wave/a.mp4")
    for source, label, error, why in [
        ("gone", "wave", SourceError, "check the path"),
        ("text.txt", "wave", SourceError, r"only .*text\.txt \(not an image and not a video\)"),
        ("empty", "wave", SourceError, "There is no clip in"),
        ("set", None, SourceError, "is the dataset itself"),
        ("set/wave", None, SourceError, "lies in the dataset"),
        ("a.mp4", "a/b", LabelError, "slash"),
    ]:
        with pytest.raises(error, match=why):
            collect_clips(tmp_path / source, tmp_path / "set", label)
    with pytest.raises(ConfigError, match="--clip-frames 1 is impossible"):
        collect_clips(one, tmp_path / "set", "wave", clip_frames=1)
    with pytest.raises(DatasetError, match="is a file"):
        collect_clips(one, tmp_path / "text.txt", "wave")
    assert files(tmp_path / "set") == ["wave/a.mp4"]


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid"), reason="needs the permissions of POSIX")
def test_a_full_or_closed_dataset_is_told_without_temporary_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of_frames(tmp_path / "f", range(3))
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if "frame_000002" in path.name:
            raise OSError(28, "No space left on device", str(path))
        return real(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as caught:
        collect_clips(folder, tmp_path / "set", "wave")
    assert caught.value.filename == str(tmp_path / "set/wave")
    assert not (tmp_path / "set").exists()


def test_an_interrupted_collect_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "in/wave"
    for number in range(4):
        folder_of_frames(source / f"{number}", range(3 * number, 3 * number + 3))

    def interrupt(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect_clips(source, tmp_path / "set", progress=interrupt)
    check_manifest(tmp_path / "set")
    assert len(files(tmp_path / "set")) == 2
    result = collect_clips(source, tmp_path / "set")
    assert (result.added, result.already) == ({"wave": 2}, {"wave": 2})
    check_manifest(tmp_path / "set")


# LeapGestRecog


def leap_set(root: Path, frames: int = 20, place: str = "leapGestRecog") -> Path:
    """Write two subjects with two gestures each, small grey frames that are all different."""
    for subject, (number, gesture) in itertools.product(range(2), [(1, "palm"), (4, "fist_moved")]):
        for frame in range(1, frames + 1):
            name = f"{place}/{subject:02d}/{number:02d}_{gesture}/frame_{subject:02d}_{number:02d}_{frame:04d}.png"
            write(root / name, photo(1000 * (10 * subject + number) + frame, ".png", (32, 32)))
    return root


@pytest.mark.parametrize("packed", [False, True])
def test_leap_gest_recog_is_cut_into_clips_of_its_subjects(tmp_path: Path, packed: bool) -> None:
    source = leap_set(tmp_path / "leap")
    shutil.copytree(source / "leapGestRecog", source / "leapgestrecog/leapGestRecog")
    (source / "leapGestRecog/01/04_fist_moved/frame_01_04_0008.png").unlink()
    (source / "leapgestrecog/leapGestRecog/01/04_fist_moved/frame_01_04_0008.png").unlink()
    if packed:
        source = make_zip(tmp_path / "leap.zip", tree(source))
    result = collect_clips(source, tmp_path / "set", clip_frames=6)
    assert result.added == {"fist_moved": 6, "palm": 6}
    found = find_clips(tmp_path / "set").clips
    assert [len(clip.frames) for clip in found] == [6, 7, 7, 7, 6, 6, 6, 7, 7, 6, 7, 7]
    assert [clip.group for clip in found] == 2 * ["00", "00", "00", "01", "01", "01"]
    assert found[0].source is not None
    assert found[0].source.endswith("00/04_fist_moved#frames=1-6")
    assert [path.read_bytes() for path in found[6].frames] == [photo(1000 + n, ".png", (32, 32)) for n in range(1, 7)]
    reasons = {Path(skipped.name).name: skipped.reason for skipped in result.skipped}
    assert reasons == {
        "leapGestRecog": "79 frames that lie there twice",
        "04_fist_moved": "frames are missing (8), no clip goes across",
    }
    check_manifest(tmp_path / "set")
    with pytest.raises(SourceError, match="leave --label out"):
        collect_clips(source, tmp_path / "set", "palm")
    outer = make_zip(tmp_path / "outer.zip", {"archive.zip": zip_bytes(tree(tmp_path / "leap"))})
    with pytest.raises(SourceError, match="LeapGestRecog in a zip, give that zip itself"):
        collect_clips(outer, tmp_path / "set")


@given(st.integers(1, 1000), st.integers(2, 100))
def test_frames_are_dealt_evenly_and_none_is_lost(count: int, size: int) -> None:
    parts = dealt(count, size)
    assert [number for part in parts for number in part] == list(range(count))
    lengths = {len(part) for part in parts}
    assert max(lengths) - min(lengths) <= 1
    assert min(lengths) >= min(size, count)
    assert max(lengths) < 2 * size or len(parts) == 1


def test_two_hundred_frames_are_six_clips() -> None:
    assert [len(part) for part in dealt(200, 30)] == [33, 33, 34, 33, 33, 34]


# Marks


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 100 numbered frames, ten a second."""
    return film(tmp_path_factory.mktemp("long") / "swipes.mp4", 100, rate=10)


def test_a_video_is_cut_by_marks(tmp_path: Path, long_film: Path) -> None:
    marks = write(
        tmp_path / "marks.csv",
        "\ufeffBegin, end,label,group\n1.0,2.0,left,anna\n\n0:01.5,0:02.5,right,\n9.5,0:10,left,ben\n".encode(),
    )
    assert seconds_of(long_film) == pytest.approx(10, abs=0.11)
    dataset = tmp_path / "set"
    result = cut_by_marks(long_film, marks, dataset, group="cleo", still_between=True)
    assert result.added == {"still": 2, "left": 2, "right": 1}
    assert numbers(dataset, "left/left_000001.mp4") == list(range(10, 20))
    assert numbers(dataset, "right/right_000001.mp4") == list(range(15, 25))
    assert numbers(dataset, "left/left_000002.mp4") == list(range(95, 100))
    clips = {clip.file: clip for clip in find_clips(dataset).clips}
    assert [clip.group for clip in clips.values()] == ["anna", "cleo", "anna", "ben", "cleo"]
    assert clips["left/left_000001.mp4"].source == f"{long_film.as_posix()}#1.00-2.00"
    check_manifest(dataset)
    before = tree(dataset)
    again = cut_by_marks(long_film, marks, dataset, group="cleo", still_between=True)
    assert (again.added, sum(again.already.values())) == ({}, 5)
    assert tree(dataset) == before


def test_the_background_keeps_the_name_that_it_has(tmp_path: Path, long_film: Path) -> None:
    collect_clips(film(tmp_path / "a.mp4"), tmp_path / "set", "None")
    marks = write(tmp_path / "marks.csv", "begin,end,label\n2,10,wave\n")
    assert cut_by_marks(long_film, marks, tmp_path / "set", still_between=True).totals == {"none": 2, "wave": 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "lacks the columns begin, end, label"),
        ("1,2,wave\n", "lacks the columns begin, end, label"),
        ("begin;end;label\n", "separated by commas"),
        ("begin,end,label,speed\n1,2,wave,3\n", r"unknown columns \(speed\)"),
        ("begin,end,label,label\n1,2,wave,3\n", "the column label twice"),
        ("begin,end,label\n", "There is no mark"),
        ("begin,end,label\n1,2,wave\n3,2.5,wave\n", r"line 3: the end, 2\.5, does not come after the begin, 3"),
        ("begin,end,label\n1,1,wave\n", "line 2: the end, 1, does not come after"),
        ("begin,end,label\n1,soon,wave\n", "line 2: the end 'soon' is no time"),
        ("begin,end,label\n,2,wave\n", "line 2: the begin is missing"),
        ("begin,end,label\n-1,2,wave\n", "line 2: the begin '-1' is no time"),
        ("begin,end,label\n10.5,10.6,wave\n", r"line 2: it begins at 10\.5, and the video is over after 9"),
        ("begin,end,label\n9,0:59,wave\n", "line 2: it ends at 0:59, and the video is over after 9"),
        ("begin,end,label\n1,2,\n", "line 2: A class name is empty"),
        ("begin,end,label\n1,2,wave,4,5\n", "line 2 has 5 values, the first line 3"),
    ],
)
def test_wrong_marks(tmp_path: Path, long_film: Path, text: str, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        cut_by_marks(long_film, write(tmp_path / "marks.csv", text), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_marks_that_cannot_be_read(tmp_path: Path, long_film: Path) -> None:
    with pytest.raises(SourceError, match="check the path of the marks"):
        cut_by_marks(long_film, tmp_path / "gone.csv", tmp_path / "set")
    with pytest.raises(SourceError, match="not text in UTF-8"):
        cut_by_marks(long_film, write(tmp_path / "m.csv", b"\xff\xfe"), tmp_path / "set")
    marks = write(tmp_path / "marks.csv", "begin,end,label\n1,1.05,wave\n2,3,wave\n")
    with pytest.raises(SourceError, match="There is no video"):
        cut_by_marks(tmp_path / "gone.mp4", marks, tmp_path / "set")
    with pytest.raises(SourceError, match="is not a video"):
        cut_by_marks(write(tmp_path / "no.mp4", b"x"), marks, tmp_path / "set")
    result = cut_by_marks(long_film, marks, tmp_path / "set")
    assert result.added == {"wave": 1}
    assert [skipped.reason for skipped in result.skipped] == ["one frame alone, in which nothing moves"]


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 30)), min_size=1, max_size=6))
def test_what_is_between_touches_no_mark(times: list[tuple[int, int]]) -> None:
    marks = [Mark(begin, begin + length, "wave") for begin, length in times]
    gaps = between(marks, 100, "still")
    for gap, mark in itertools.product(gaps, marks):
        assert gap.end <= mark.begin or gap.begin >= mark.end
    marked = {second for mark in marks for second in range(int(mark.begin), int(min(mark.end, 100)))}
    free = {second for gap in gaps for second in range(int(gap.begin), int(gap.end))}
    assert free == set(range(100)) - marked


@given(st.integers(0, 3), st.integers(0, 59), st.integers(0, 599))
def test_times_of_marks(hours: int, minutes: int, tenths: int) -> None:
    text = f"{hours}:{minutes:02d}:{tenths / 10:04.1f}" if hours else f"{minutes}:{tenths / 10:04.1f}"
    seconds = 3600 * hours + 60 * minutes + tenths / 10
    with tempfile.TemporaryDirectory() as folder:
        marks = write(Path(folder) / "m.csv", f"begin,end,label\n{text},100000,a\n{seconds:.1f},100000,a\n")
        one, other = read_marks(marks)
    assert one.begin == pytest.approx(seconds)
    assert other.begin == pytest.approx(seconds)


# From a camera, which is a film or a real stream from loopback


def test_clips_by_the_clock(tmp_path: Path, long_film: Path) -> None:
    told: list[tuple[int, int]] = []
    source = open_film(long_film)
    result = record_clips(
        source, " wave ", tmp_path / "set", 2, seconds=1, pause=2, group="anna", countdown=lambda *at: told.append(at)
    )
    assert result.added == {"wave": 2}
    assert numbers(tmp_path / "set", "wave/wave_000001.mp4") == list(range(20, 30))
    assert numbers(tmp_path / "set", "wave/wave_000002.mp4") == list(range(50, 60))
    assert told == [(2, 1), (1, 1), (0, 1), (2, 2), (1, 2), (0, 2)]
    assert {(row.group, row.source) for row in read_manifest(tmp_path / "set").values()} == {("anna", str(long_film))}
    check_manifest(tmp_path / "set")


def test_what_is_not_finished_is_dropped(tmp_path: Path, long_film: Path) -> None:
    result = record_clips(open_film(long_film), "wave", tmp_path / "set", 3, seconds=4, pause=1)
    assert result.added == {"wave": 1}
    assert [path.name for path in (tmp_path / "set/wave").iterdir()] == ["wave_000001.mp4"]


def test_ctrl_c_keeps_what_was_finished(tmp_path: Path, long_film: Path) -> None:
    def interrupt(left: int, number: int) -> None:
        if (left, number) == (0, 3):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"Interrupted: the 2 clips finished until then are in .*set\."):
        record_clips(open_film(long_film), "wave", tmp_path / "set", 5, seconds=1, pause=1, countdown=interrupt)
    check_manifest(tmp_path / "set")
    assert len(list((tmp_path / "set/wave").iterdir())) == 2


def test_a_camera_that_goes(tmp_path: Path) -> None:
    picture = np.full((120, 160, 3), 128, np.uint8)
    with (
        mjpeg_camera(picture, rate=50, ends_after=10) as camera,
        pytest.raises(SourceError, match=r"is gone after 10 frames.*; no clip was finished\."),
    ):
        record_clips(camera.address, "wave", tmp_path / "set", 1, seconds=50, pause=0)
    assert not (tmp_path / "set").exists()


def test_settings_of_a_camera_that_cannot_be(tmp_path: Path) -> None:
    for options, error in [
        ({"clips": 0}, ConfigError),
        ({"seconds": 0}, ConfigError),
        ({"seconds": 61}, ConfigError),
        ({"seconds": float("nan")}, ConfigError),
        ({"pause": -1}, ConfigError),
        ({"label": "a/b"}, LabelError),
    ]:
        settings: dict[str, Any] = {"camera": 99, "label": "wave", "dataset": tmp_path / "set", "clips": 1, **options}
        with pytest.raises(error):
            record_clips(**settings)
    with pytest.raises(SourceError, match="camera"):
        record_clips(99, "wave", tmp_path / "set", 1)
    assert not (tmp_path / "set").exists()


class Scripted:
    """A screen that hears keys at the times of a script: `keys` by the number of the picture that is shown."""

    def __init__(self, keys: dict[int, str], closes: int = 10_000) -> None:
        self.keys, self.closes, self.shown = keys, closes, 0
        self.closed = False

    def __call__(self, _: str) -> Scripted:
        return self

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, pixels: Any) -> None:
        assert pixels.dtype == np.uint8
        self.shown += 1
        self.closed = self.shown >= self.closes

    def key(self) -> str | None:
        return self.keys.get(self.shown - 1)


def test_the_space_bar_begins_and_ends_clips(tmp_path: Path, long_film: Path) -> None:
    held = dict.fromkeys(range(50, 61), "space")
    screen: Any = Scripted({10: "space", 30: "space", **held, 70: "space", 85: "space", 95: "u", 97: "q"})
    result = record_in_window(open_film(long_film), "wave", tmp_path / "set", window=screen)
    assert result.added == result.totals == {"wave": 2}
    assert numbers(tmp_path / "set", "wave/wave_000001.mp4") == list(range(10, 30))  # tapped
    assert numbers(tmp_path / "set", "wave/wave_000002.mp4") == list(range(50, 61))  # held
    assert len(list((tmp_path / "set" / UNDONE / "wave").iterdir())) == 1
    assert screen.shown == 98
    check_manifest(tmp_path / "set")


def test_what_is_under_way_when_the_window_closes_is_dropped(tmp_path: Path, long_film: Path) -> None:
    collect_clips(film(tmp_path / "a.mp4"), tmp_path / "set", "left")
    screen: Any = Scripted({5: "n", 10: "space", 30: "space", 45: "space"}, closes=70)
    result = record_in_window(open_film(long_film), "wave", tmp_path / "set", window=screen)
    assert result.added == {"left": 1}
    assert files(tmp_path / "set") == ["left/left_000001.mp4", "left/left_000002.mp4"]
    assert {path.name for path in (tmp_path / "set").iterdir()} == {"left", "manifest.csv"}


def test_clips_by_the_clock_in_a_window(tmp_path: Path, long_film: Path) -> None:
    screen: Any = Scripted({65: "q"})
    result = record_clips_in_window(
        open_film(long_film), "wave", tmp_path / "set", 9, seconds=1, pause=1, window=screen
    )
    assert result.added == {"wave": 3}
    assert screen.shown == 66


@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 2)), max_size=60))
def test_a_bar_that_is_never_pressed_records_nothing_and_each_clip_begins_with_a_press(
    looks: list[tuple[bool, float]],
) -> None:
    bar, now, recording = SpaceBar(), 0.0, False
    for hears, step in looks:
        now += step
        bar.look(hears, now)
        assert bar.recording <= (bar.key.presses > 0)
        if bar.recording and not recording:
            assert hears
        recording = bar.recording


# From Kaggle


class Kaggle:
    """A server that answers as Kaggle does, and what it was asked."""

    def __init__(self, content: bytes) -> None:
        self.content, self.status = content, 200
        self.asked: list[str] = []


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    """Kaggle on loopback: its client asks `localhost` by way of a proxy, which is this server."""
    pytest.importorskip("kagglehub")
    here = Kaggle(zip_bytes(tree(leap_set(tmp_path / "leap", 4))))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            what = self.path.rsplit("/", 1)[-1]
            here.asked.append(what)
            content, kind = here.content, "application/zip"
            if what == "GetDataset" or here.status != 200:
                content, kind = json.dumps({"currentVersionNumber": 3}).encode(), "application/json"
            self.send_response(here.status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Kaggle-HubVersion", "99.0.0")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    for name in [name for name in os.environ if name.upper().startswith("KAGGLE") or name.lower() == "no_proxy"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "nobody"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_address[1]}")
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody answer: port 1 of loopback, which is closed."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")


SOURCE = "kaggle:gti-upm/leapgestrecog"


def test_a_dataset_of_kaggle_is_fetched_collected_and_removed(
    tmp_path: Path, kaggle: Kaggle, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "cache/datasets/gti-upm/other/versions/1/mine.txt", b"x")
    result = collect_clips(SOURCE, tmp_path / "set", clip_frames=2)
    assert result.added == {"fist_moved": 4, "palm": 4}
    assert kaggle.asked == ["GetDataset", "DownloadDataset"]
    place = tmp_path / "cache/datasets/gti-upm/leapgestrecog/versions/3"
    assert (place / "leapGestRecog/00").is_dir()
    first = find_clips(tmp_path / "set").clips[0]
    assert first.source == f"{SOURCE}/00/04_fist_moved#frames=1-2"
    again = collect_clips(SOURCE, tmp_path / "set", clip_frames=2, cleanup=True)
    assert again.already == {"fist_moved": 4, "palm": 4}
    assert kaggle.asked[2:] == ["GetDataset"]
    assert sorted(tree(tmp_path / "cache")) == ["datasets/gti-upm/other/versions/1/mine.txt"]
    assert len(files(tmp_path / "set")) == 8
    assert capfd.readouterr() == ("", "")


def test_without_a_network_the_cache_is_taken(tmp_path: Path, kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    offline(monkeypatch)
    with pytest.raises(SourceError, match="Kaggle cannot be reached, and kagglehub's cache does not have gti-upm/"):
        collect_clips(SOURCE, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    place = tmp_path / "cache/datasets/gti-upm/leapgestrecog"
    for version in (9, 10):
        leap_set(place / f"versions/{version}", 2)
        write(place / f"{version}.complete", b"")
    leap_set(place / "versions/11", 2)  # which was not finished
    assert fetch(SOURCE).path == place / "versions/10"
    fetched = fetch(f"{SOURCE}/versions/9")
    assert fetched.path == place / "versions/9"
    assert collect_clips(f"{SOURCE}/versions/9", tmp_path / "set", cleanup=True).added == {"fist_moved": 2, "palm": 2}
    assert {path.name for path in place.iterdir()} == {"10.complete", "versions"}
    assert {path.name for path in (place / "versions").iterdir()} == {"10", "11"}
    assert not clean_up(fetched)
    with pytest.raises(SourceError, match="cannot be reached"):
        fetch(f"{SOURCE}/versions/9")
    assert kaggle.asked == []


def test_what_fails_is_not_cleaned_up(tmp_path: Path, kaggle: Kaggle) -> None:
    kaggle.content = zip_bytes({"readme.txt": b"x"})
    with pytest.raises(SourceError, match="There is no clip to collect in"):
        collect_clips(SOURCE, tmp_path / "set", cleanup=True)
    assert list(tree(tmp_path / "cache")) != []


@pytest.mark.parametrize(
    ("status", "why"),
    [(404, "Kaggle has no dataset"), (403, "without an account that may have it"), (500, "Kaggle answers 500")],
)
def test_what_kaggle_refuses(kaggle: Kaggle, status: int, why: str) -> None:
    kaggle.status = status
    with pytest.raises(SourceError, match=why) as caught:
        fetch(SOURCE)
    assert "\n" not in str(caught.value)


def test_an_archive_that_is_none(kaggle: Kaggle) -> None:
    kaggle.content = b"no archive"
    with pytest.raises(SourceError, match="could not be fetched from Kaggle"):
        fetch(SOURCE)


def test_names_that_are_none_of_kaggles_and_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", "leapgestrecog", "a/b/c", "a/b/versions/x", "../etc/passwd", "a/../..", "a/b/versions/0"):
        with pytest.raises(SourceError, match="is not the name of a dataset of Kaggle"):
            fetch(f"kaggle:{name}")
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(SourceError, match=r"pip install 'gesture-maker\[kaggle\]'"):
        fetch(SOURCE)


# On the command line


def test_the_commands_example(tmp_path: Path, long_film: Path, cli: Cli) -> None:
    shutil.copy(long_film, tmp_path / "swipes.mp4")
    write(tmp_path / "swipes.csv", "begin,end,label\n1,2,left\n5,5.05,right\n")
    command = ["motion", "collect", "swipes.mp4", "--marks", "swipes.csv", "--dataset", "swipes"]
    done = cli(*command, "--still-between", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert table(done.stdout) == {"still": [3, 0, 3], "left": [1, 0, 1]}
    assert "swipes.mp4#5.00-5.05: one frame alone, in which nothing moves" in done.stdout
    assert "Next:  gesture-maker motion train swipes" in done.stdout
    check_manifest(tmp_path / "datasets/swipes")
    done = cli(*command, cwd=tmp_path)
    assert table(done.stdout) == {"still": [0, 0, 3], "left": [0, 1, 1]}
    write(tmp_path / "swipes.csv", "begin,end,label\n2,1,left\n")
    why = "swipes.csv, line 2: the end, 1, does not come after the begin, 2."
    assert one_sentence_error(cli(*command, cwd=tmp_path)) == why


def test_files_on_the_command_line(tmp_path: Path, cli: Cli) -> None:
    film(tmp_path / "in/wave/a b.mp4")
    write(tmp_path / "bad/wave/a.mp4", b"x")
    done = cli("motion", "collect", "in", "-d", "set", "--group", "anna", cwd=tmp_path)
    assert (done.returncode, table(done.stdout)) == (0, {"wave": [1, 0, 1]})
    assert find_clips(tmp_path / "datasets/set").clips[0].group == "anna"
    why = "Nothing was collected: none of the clips can be used."
    assert one_sentence_error(cli("motion", "collect", "bad", "-d", "set", cwd=tmp_path)) == why
    name = "kaggle:gti-upm"
    assert name in one_sentence_error(cli("motion", "collect", name, "-d", "set", cwd=tmp_path))


@pytest.mark.parametrize(
    "options",
    [
        "",
        "in --camera 0 -l wave",
        "--camera 0",
        "--camera film.mp4 -l wave",
        "--camera 0 -l wave --headless",
        "--camera 0 -l wave --seconds 2",
        "--camera 0 -l wave --clips 2 --headless --no-mirror",
        "--camera 0 -l wave --marks m.csv",
        "in --clips 2",
        "in --still-between",
        "in --cleanup",
        "in --marks m.csv -l wave",
        "in out --marks m.csv",
    ],
)
def test_options_that_do_not_belong_together(tmp_path: Path, cli: Cli, options: str) -> None:
    done = cli("motion", "collect", *options.split(), "-d", "set", cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_camera_on_the_command_line(tmp_path: Path, cli: Cli) -> None:
    with mjpeg_camera(np.full((120, 160, 3), 128, np.uint8), rate=50) as camera:
        options = ["--headless", "--clips", "2", "--seconds", "0.2", "--pause", "0.1"]
        done = cli("motion", "collect", "--camera", camera.address, "-l", "wave", "-d", "set", *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert table(done.stdout) == {"wave": [2, 0, 2]}
    check_manifest(tmp_path / "datasets/set")
    assert {row.source for row in read_manifest(tmp_path / "datasets/set").values()} == {camera.address}


def test_a_real_window_and_a_real_keyboard(tmp_path: Path) -> None:
    dataset = tmp_path / "datasets/set"
    command = [sys.executable, "-m", "gesture_maker", "motion", "collect", "-l", "wave", "-d", "set", "--camera"]
    with virtual_screen() as screen, mjpeg_camera(np.full((120, 160, 3), 128, np.uint8)) as camera:
        process = subprocess.Popen(
            [*command, camera.address],
            cwd=tmp_path,
            env=environment(DISPLAY=screen.display),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def wait_for(condition: Callable[[], bool], what: str) -> None:
            wait_until(lambda: process.poll() is not None or condition(), what)
            assert process.poll() is None, process.communicate()

        def recording() -> bool:
            return bool((np.abs(screen.picture().astype(int) - RECORDING).max(axis=2) < 30).sum() > 500)

        def clips() -> int:
            return len(list(dataset.glob("wave/wave_*.mp4")))

        try:
            screen.window("gesture-maker motion collect")
            wait_for(
                lambda: (np.abs(screen.picture().astype(int) - 128).max(axis=2) < 6).sum() > 2000,
                "the camera's picture",
            )
            screen.hold("space")
            wait_for(recording, "the red frame")
            before = camera.sent
            wait_for(lambda: camera.sent > before + 40, "two seconds of frames")
            screen.release("space")
            wait_for(lambda: clips() == 1, "the clip of the held key")
            screen.press("space")
            wait_for(recording, "the red frame")
            before = camera.sent
            wait_for(lambda: camera.sent > before + 40, "two seconds of frames")
            screen.press("space")
            wait_for(lambda: clips() == 2, "the clip between two taps")
            screen.press("q")
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, err) == (0, "")
    assert table(out) == {"wave": [2, 0, 2]}
    check_manifest(dataset)
