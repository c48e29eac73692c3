"""What is recorded plays, with each frame at its time, whatever happens in the middle."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest
from helpers import environment, tree, write
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.errors import ConfigError
from gesture_maker.images import Pixels
from gesture_maker.recognition.frames import open_film
from gesture_maker.recognition.growing import RecordingError
from gesture_maker.recognition.recorder import COLOURS, Recorder, _cut_to_whole_pieces, _Film

PATIENCE = 120  # seconds; only for a broken program, nothing waits this long


def picture(level: int, width: int = 64, height: int = 48) -> Pixels:
    """Return a picture of one grey, with a red left half, so that one sees order, colours and sides."""
    pixels = np.full((height, width, 3), level, np.uint8)
    pixels[:, : width // 2] = (200, 40, 40)
    return pixels


def times_of(path: Path) -> list[float]:
    """Return the times of a film's frames, all of them decoded."""
    with av.open(str(path)) as film:
        return [float(frame.pts * frame.time_base) for frame in film.decode(video=0)]


def played(path: Path) -> list[tuple[float, Pixels]]:
    """Return times and pictures as OpenCV plays them."""
    film, frames = open_film(path), []
    while (frame := film.read()) is not None:
        frames.append((frame.seconds, frame.pixels))
    film.close()
    return frames


def boxes(path: Path) -> list[str]:
    """Return the names of the boxes that an MP4 consists of."""
    content, begin, names = path.read_bytes(), 0, []
    while begin < len(content):
        names.append(content[begin + 4 : begin + 8].decode())
        begin += int.from_bytes(content[begin : begin + 4], "big")
    assert begin == len(content)
    return names


@settings(max_examples=15)
@given(st.lists(st.floats(0.002, 20), min_size=1, max_size=25), st.floats(0, 1e5))
def test_every_frame_has_its_own_time(
    tmp_path_factory: pytest.TempPathFactory, steps: list[float], begin: float
) -> None:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    times = np.cumsum([begin, *steps])
    with Recorder(path) as recorder:
        for number, seconds in enumerate(times):
            recorder.add(picture(8 * number), float(seconds))
    expected = times - times[0]
    assert np.abs(np.array(times_of(path)) - expected).max() < 0.001
    frames = played(path)
    assert len(frames) == len(times)
    assert np.abs(np.array([seconds for seconds, _ in frames]) - expected).max() < 0.001
    for number, (_, pixels) in enumerate(frames):
        assert abs(float(pixels[:, 40:].mean()) - 8 * number) < 6
        assert np.abs(pixels[8:-8, 8:24].mean(axis=(0, 1)) - (200, 40, 40)).max() < 12
    assert [path.name for path in path.parent.iterdir()] == ["film.mp4"]


def test_times_that_do_not_rise_are_shown_one_after_the_other(tmp_path: Path) -> None:
    with Recorder(tmp_path / "film.mp4") as recorder:
        for seconds in (5.0, 5.0, 4.0, 6.0, 5.5, 7.0):
            recorder.add(picture(90), seconds)
    found = times_of(tmp_path / "film.mp4")
    assert found == sorted(set(found))
    assert found == pytest.approx([0, 0, 0, 1, 1, 2], abs=0.001)


def test_the_finished_film_has_its_index_first_and_the_growing_one_is_gone(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a folder" / "film: 100% é.MP4")  # FFmpeg would take it for a protocol and a pattern
    for number in range(120):
        recorder.add(picture(number), number / 30)
    kept = recorder.close()
    assert kept == tmp_path / "a folder" / "film: 100% é.MP4"
    assert recorder.close() == kept
    assert set(tree(tmp_path)) == {"a folder/film: 100% é.MP4"}
    names = boxes(kept)
    assert "moof" not in names
    assert names.index("moov") < names.index("mdat")
    with av.open(str(kept)) as film:
        stream = film.streams.video[0]
        assert (stream.codec.name, stream.pix_fmt, stream.frames) == ("h264", "yuv420p", 120)
        context = stream.codec_context
        tags = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        assert tags == tuple(COLOURS.values())  # or browsers show other colours
        assert float(stream.duration * stream.time_base) == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (640, 481), (33, 20), (17, 300), (1, 1), (1281, 721)])
def test_any_size_is_recorded_with_at_most_one_pixel_more(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    with Recorder(tmp_path / "film.mp4") as recorder:
        for number in range(3):
            recorder.add(picture(100, width, height), number / 10)
    frames = played(tmp_path / "film.mp4")
    assert len(frames) == 3
    pixels = frames[-1][1]
    assert pixels.shape == (max(16, height + height % 2), max(16, width + width % 2), 3)
    if min(size) > 20:
        assert abs(float(pixels[:, -4:].mean()) - 100) < 6  # up to the edge
        assert abs(float(pixels[-4:, -20:].mean()) - 100) < 6


def test_pictures_of_another_size_are_fitted_into_that_of_the_first(tmp_path: Path) -> None:
    with Recorder(tmp_path / "film.mp4") as recorder:
        recorder.add(picture(100, 320, 240), 0)
        recorder.add(picture(100, 640, 480), 0.1)
        recorder.add(picture(100, 240, 240), 0.2)  # bars at its sides
        recorder.add(picture(100, 80, 20), 0.3)  # bars above and below
    same, square, wide = (pixels for _, pixels in played(tmp_path / "film.mp4")[1:])
    assert {one.shape for one in (same, square, wide)} == {(240, 320, 3)}
    assert abs(float(same[:, 200:].mean()) - 100) < 6
    assert float(square[:, :32].mean()) < 10
    assert float(square[:, -32:].mean()) < 10
    assert abs(float(square[:, 180:260].mean()) - 100) < 6
    assert float(wide[:72].mean()) < 10
    assert abs(float(wide[90:150, 200:].mean()) - 100) < 6


def test_without_a_frame_there_is_no_film(tmp_path: Path) -> None:
    with Recorder(tmp_path / "film.mp4") as recorder:
        pass
    assert recorder.close() is None
    assert tree(tmp_path) == {}


# Names


@pytest.mark.parametrize("name", ["film.avi", "film", "film.mp4.txt", ".mp4"])
def test_a_recording_is_an_mp4(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.mp4\.$"):
        Recorder(tmp_path / name)
    assert tree(tmp_path) == {}


def test_an_existing_file_is_not_overwritten_unless_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", b"a film of the user's")
    with pytest.raises(ConfigError, match="exists already"):
        Recorder(path)
    assert tree(tmp_path) == {"film.mp4": b"a film of the user's"}
    with Recorder(path, overwrite=True) as recorder:
        recorder.add(picture(1), 0)
        assert path.read_bytes() == b"a film of the user's"
    assert len(times_of(path)) == 1
    with Recorder(path, overwrite=True):
        pass
    assert len(times_of(path)) == 1  # no frame, no new film
    assert set(tree(tmp_path)) == {"film.mp4"}


def test_a_folder_is_no_place_for_a_film(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").mkdir()
    for overwrite in (False, True):
        with pytest.raises(ConfigError, match="is a folder"):
            Recorder(tmp_path / "film.mp4", overwrite=overwrite)


def test_a_file_that_was_made_in_the_meantime_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    first, second = Recorder(path), Recorder(path)
    for recorder, count in ((first, 1), (second, 2)):
        for number in range(count):
            recorder.add(picture(1), number)
    write(tmp_path / "film-2.mp4", b"somebody else's")
    assert first.close() == path
    assert second.close() == tmp_path / "film-3.mp4"
    assert (len(times_of(path)), len(times_of(tmp_path / "film-3.mp4"))) == (1, 2)
    assert set(tree(tmp_path)) == {"film.mp4", "film-2.mp4", "film-3.mp4"}


def test_what_a_kill_left_is_not_written_over(tmp_path: Path) -> None:
    write(tmp_path / "film.recording.mp4", b"what a kill left")
    with Recorder(tmp_path / "film.mp4") as recorder:
        recorder.add(picture(1), 0)
    assert (tmp_path / "film.recording.mp4").read_bytes() == b"what a kill left"
    assert len(times_of(tmp_path / "film.mp4")) == 1


# What happens in the middle


@pytest.mark.parametrize("problem", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_the_film_is_kept_after_an_error_or_ctrl_c(tmp_path: Path, problem: type[BaseException]) -> None:
    recorder = Recorder(tmp_path / "film.mp4")
    for number in range(40):
        recorder.add(picture(number), number / 30)
    with pytest.raises(problem), recorder:
        raise problem
    assert len(times_of(tmp_path / "film.mp4")) == 40
    assert set(tree(tmp_path)) == {"film.mp4"}


def test_a_picture_that_is_none_is_an_error_and_what_came_before_is_kept(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "film.mp4")
    recorder.add(picture(1), 0)
    recorder.add(np.zeros((0, 0, 3), np.uint8), 1)
    with pytest.raises(Exception, match=r".") as problem:
        recorder.close()
    assert not isinstance(problem.value, AssertionError)
    assert len(times_of(tmp_path / "film.mp4")) == 1


@settings(max_examples=25)
@given(st.floats(0, 1))
def test_a_film_that_is_cut_anywhere_is_cut_to_what_plays(
    film_in_pieces: bytes, tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    whole = film_in_pieces
    path = tmp_path_factory.mktemp("cut") / "film.mp4"
    path.write_bytes(whole[: round(share * len(whole))])
    plays = _cut_to_whole_pieces(path)
    content = path.read_bytes()
    assert whole.startswith(content)
    assert plays is (content != b"")
    if not plays:
        assert share < 0.5
        return
    assert boxes(path)[-1] in ("mdat", "mfra")
    assert len(played(path)) == len(times_of(path))
    assert len(times_of(path)) >= 30 * int(share * 130 / 30 - 1)


@pytest.fixture(scope="module")
def film_in_pieces(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a film of 130 frames, in pieces of 30, as it grows."""
    path = tmp_path_factory.mktemp("pieces") / "film.mp4"
    film = _Film(path, picture(0))
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for number in range(130):
        film.add(np.roll(noise, number, axis=1), number / 30)
    film.close()
    return path.read_bytes()


RECORD = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from gesture_maker.recognition.recorder import Recorder
path, count, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
pixels = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
with Recorder(path) as recorder:
    for number in range(count):
        recorder.add(np.roll(pixels, number, axis=1), number / 30)
        print(number, flush=True)
print("kept", recorder.close())
"""


def test_what_a_kill_leaves_plays_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    process = subprocess.Popen(
        [sys.executable, "-c", RECORD, str(path), "1000000", "0"],
        env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        given = next(number for number, _ in enumerate(process.stdout) if number >= 200)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE)
    assert not path.exists()
    left = tmp_path / "film.recording.mp4"
    found = times_of(left)
    assert len(found) > given - 8 - 1 - 31  # those that waited, the one in work, and the piece that was not finished
    assert found == pytest.approx([number / 30 for number in range(len(found))], abs=0.001)
    assert len(played(left)) == len(found)


def recorded(*arguments: str | int | Path, status: int) -> str:
    """Run `RECORD` to its end and return the last line that it wrote."""
    done = subprocess.run(
        [sys.executable, "-c", RECORD, *map(str, arguments)],
        env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return (done.stdout + done.stderr).strip().splitlines()[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files")
def test_a_full_disk_is_one_sentence_and_the_film_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    sentence = recorded(path, 1000000, 3_000_000, status=1)
    assert sentence.startswith(f"gesture_maker.recognition.growing.RecordingError: {path} cannot be written further (")
    assert sentence.endswith("what came before is in it, make room or choose another folder.")
    assert set(tree(tmp_path)) == {"film.mp4"}
    assert 1_500_000 < path.stat().st_size <= 3_000_000
    found = times_of(path)
    assert len(found) > 30
    assert found == pytest.approx([number / 30 for number in range(len(found))], abs=0.001)
    assert len(played(path)) == len(found)
    assert boxes(path)[-1] == "mdat"  # whole pieces only


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files")
def test_a_disk_that_is_full_from_the_beginning_leaves_nothing(tmp_path: Path) -> None:
    sentence = recorded(tmp_path / "film.mp4", 1000000, 2000, status=1)
    assert "RecordingError" in sentence
    assert sentence.endswith("nothing was recorded, make room or choose another folder.")
    assert tree(tmp_path) == {}


def test_without_room_for_the_copy_in_order_the_film_stays_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "film.mp4"
    recorder = Recorder(path)
    for number in range(60):
        recorder.add(picture(number), number / 30)
    monkeypatch.setattr(tempfile, "mkstemp", full)  # after the last frame there is no room for another file
    assert recorder.close() == path
    assert "moof" in boxes(path)
    assert len(times_of(path)) == len(played(path)) == 60
    assert set(tree(tmp_path)) == {"film.mp4"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a file that is being written")
def test_a_film_that_somebody_removes_is_not_lost_silently(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "film.mp4")
    for number in range(60):
        recorder.add(picture(number), number / 30)
    (tmp_path / "film.recording.mp4").unlink()
    with pytest.raises(RecordingError, match="nothing was recorded"):
        recorder.close()
    assert tree(tmp_path) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permissions of this kind")
def test_a_folder_that_cannot_be_written_to_is_said_before_anything_starts(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from gesture_maker.recognition.recorder import Recorder
if os.getuid() == 0:
    os.setuid(65534)  # root may write anywhere
try:
    Recorder(Path("film.mp4").absolute())
except PermissionError as error:
    sys.exit(f"{error.strerror}: {error.filename}")
"""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (1, f"Permission denied: {folder / 'film.mp4'}")
    assert tree(folder) == {}


def test_a_slow_encoder_holds_up_the_one_who_records_and_not_the_memory(tmp_path: Path) -> None:
    """Frames wait in a queue with an end: more than it holds are never under way."""
    recorder = Recorder(tmp_path / "film.mp4")
    most = 0
    for number in range(200):
        recorder.add(picture(number % 256, 320, 240), number / 30)
        most = max(most, recorder._waiting.qsize())
    recorder.close()
    assert most <= 8
    assert len(times_of(tmp_path / "film.mp4")) == 200
