"""LeapGestRecog: as Kaggle has it, twice in one another, with gaps, in a zip, and what only looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import make_zip, write
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.dataset.formats.leap_gest_recog import is_leap_gest_recog, leap_sequences, read_leap_gest_recog
from gesture_maker.errors import SourceError

FOLDERS = ("01_palm", "02_l", "04_fist_moved")


def names(place: str = "", subjects: int = 2, frames: int = 5) -> list[str]:
    """Return the paths of a small set."""
    return [
        f"{place}{subject:02d}/{folder}/frame_{subject:02d}_{folder[:2]}_{number:04d}.png"
        for subject in range(subjects)
        for folder in FOLDERS
        for number in range(1, frames + 1)
    ]


@pytest.mark.parametrize("place", ["", "leapGestRecog/", "leapgestrecog/leapGestRecog/", "a b/é/👋/"])
def test_a_folder_and_a_zip_are_the_same(tmp_path: Path, place: str) -> None:
    for name in names(place):
        write(tmp_path / "set" / name, b"x")
    packed = make_zip(tmp_path / "set.zip", dict.fromkeys(names(place), b"x"))
    assert is_leap_gest_recog(tmp_path / "set")
    assert is_leap_gest_recog(packed)
    found = read_leap_gest_recog(tmp_path / "set")
    assert found == read_leap_gest_recog(packed)
    assert found.problems == ()
    assert found.subjects == ("00", "01")
    assert found.gestures == ("fist_moved", "l", "palm")
    first = found.sequences[0]
    assert (first.subject, first.gesture, first.folder) == ("00", "palm", "01_palm")
    assert first.runs == (first.frames,)
    assert first.frames == tuple(names(place)[:5])


def test_one_subject_alone_is_known_by_its_frames(tmp_path: Path) -> None:
    for name in names(subjects=4):
        write(tmp_path / name, b"x")
    assert is_leap_gest_recog(tmp_path / "03")
    found = read_leap_gest_recog(tmp_path / "03")
    assert [(sequence.subject, sequence.gesture) for sequence in found.sequences] == [
        ("03", "palm"),
        ("03", "l"),
        ("03", "fist_moved"),
    ]


def test_kaggles_second_copy_is_passed_over() -> None:
    inner = [f"leapgestrecog/{name}" for name in names("leapGestRecog/")]
    found = leap_sequences([*inner, *names("leapGestRecog/")])
    assert found.sequences == leap_sequences(names("leapGestRecog/")).sequences
    assert found.problems == (("leapgestrecog/leapGestRecog", "30 frames that lie there twice"),)


def test_what_is_missing_is_told() -> None:
    kept = [name for name in names(frames=12) if not name.startswith("01/02_l")]
    kept = [name for name in kept if name[-8:-4] not in ("0004", "0008", "0009") or not name.startswith("00/01")]
    found = leap_sequences([*kept, "notes.txt", "00/01_palm/.DS_Store", "__MACOSX/00/01_palm/frame_00_01_0099.png"])
    assert dict(found.problems) == {
        "notes.txt": "not a frame of LeapGestRecog",
        "00/01_palm": "frames are missing (4, 8 to 9), no clip goes across",
        "01": "lacks 02_l",
    }
    assert [len(run) for run in found.sequences[0].runs] == [3, 3, 3]


def test_what_is_none(tmp_path: Path) -> None:
    write(tmp_path / "photos/rock/frame_1.png", b"x")
    write(tmp_path / "photos/00/01_palm/photo.png", b"x")
    write(tmp_path / "no.zip", b"no zip")
    write(tmp_path / "film.mp4", b"x")
    make_zip(tmp_path / "other.zip", {"rock/1.png": b"x"})
    for name in ("photos", "no.zip", "film.mp4", "other.zip", "gone"):
        assert not is_leap_gest_recog(tmp_path / name)
    with pytest.raises(SourceError, match="There is no frame in"):
        read_leap_gest_recog(tmp_path / "photos")
    with pytest.raises(SourceError, match="is no zip"):
        read_leap_gest_recog(tmp_path / "no.zip")


@given(st.permutations(names()), st.sets(st.integers(0, 29)))
def test_the_order_of_files_does_not_matter_and_none_is_lost(order: list[str], gone: set[int]) -> None:
    kept = [name for number, name in enumerate(names()) if number not in gone]
    found = leap_sequences(name for name in order if name in kept)
    assert found == leap_sequences(kept)
    assert sorted(frame for sequence in found.sequences for frame in sequence.frames) == sorted(kept)
    for sequence in found.sequences:
        for run in sequence.runs:
            numbers = [int(frame[-8:-4]) for frame in run]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
