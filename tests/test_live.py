"""The command `live`: films, cameras and streams through the real runtime, with windows, recordings and logs as a user has them."""

from __future__ import annotations

import csv
import itertools
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cameras import PATIENCE, Screen, mjpeg_camera, number_in, numbered, scene, virtual_screen, wait_until
from conftest import Cli, Trained
from hands import drawn, silent_bundle
from helpers import environment, one_sentence_error, write
from hypothesis import given
from hypothesis import strategies as st
from test_interrupt import signalled

from gesture_maker.errors import ConfigError, GestureMakerError, SourceError
from gesture_maker.images import Pixels
from gesture_maker.recognition import frames
from gesture_maker.recognition import live as live_module
from gesture_maker.recognition.frames import Frame, Live, open_film
from gesture_maker.recognition.live import LiveFrame, live
from gesture_maker.recognition.pace import Pace
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.recognition.seen import LiveSummary
from gesture_maker.recognition.smoothing import parse_smoothing
from gesture_maker.recognition.stages import Pipe, Stages
from gesture_maker.recognition.tracking import FilmRecognizer

RATE, COUNT = 25, 30


def marked(pixels: Pixels, number: int) -> Pixels:
    """Return the picture with its number in the right lower corner, where nothing is drawn over it."""
    return np.ascontiguousarray(numbered(pixels[::-1, ::-1], number)[::-1, ::-1])


def mark_in(pixels: Pixels) -> int:
    return number_in(pixels[::-1, ::-1])


HAND = scene(drawn("open_palm")[0], (640, 320))
EMPTY = np.full((96, 128, 3), 100, np.uint8)


def made_film(path: Path, pictures: Iterator[Pixels]) -> Path:
    with Recorder(path) as recorder:
        for number, pixels in enumerate(pictures):
            recorder.add(marked(pixels, number), number / RATE)
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`hand.mp4`: 30 frames at 25 frames/s, of which the last 20 show a drawn hand; `long.mp4`: 300 empty ones."""
    folder = tmp_path_factory.mktemp("films")
    empty = np.full_like(HAND, 128)
    made_film(folder / "hand.mp4", (HAND if number >= 10 else empty for number in range(COUNT)))
    made_film(folder / "long.mp4", itertools.repeat(EMPTY, 300))
    return folder


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that finds hands and answers none to each."""
    return write(tmp_path_factory.mktemp("bundle") / "silent.task", silent_bundle())


@pytest.fixture(scope="module")
def canned(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose own classifier answers none, so that Google's canned gestures have their turn."""
    content = silent_bundle("mediapipe", shared / "assets")
    return write(tmp_path_factory.mktemp("bundle") / "canned.task", content)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pictures_of(path: Path) -> list[Pixels]:
    """Return the frames of a recording, as another reader than ours sees them."""
    capture = cv2.VideoCapture(str(path))
    found = []
    while (taken := capture.read())[0]:
        found.append(np.asarray(taken[1][:, :, ::-1]))
    capture.release()
    return found


def check_files(folder: Path, answered: int | None = None) -> int:
    """Check that a.mp4 plays and holds the frames that a.csv tells of, and nothing else is there; return how many."""
    assert sorted(path.name for path in folder.glob("a.*")) == ["a.csv", "a.mp4"]
    told = [int(row["frame"]) for row in rows_of(folder / "a.csv")]
    assert told == sorted(set(told))
    assert [mark_in(picture) for picture in pictures_of(folder / "a.mp4")] == told
    assert answered in (None, len(told))
    return len(told)


# Films


def test_every_frame_of_a_film_has_the_answer_of_a_bare_loop(trained: Trained, films: Path, tmp_path: Path) -> None:
    looked: list[LiveFrame] = []
    counted: list[tuple[int, int]] = []
    summary = live(
        trained.run, films / "hand.mp4", record=tmp_path / "a.mp4",
        on_frame=looked.append, progress=lambda *numbers: counted.append(numbers),
    )  # fmt: skip
    assert check_files(tmp_path) == summary.answered == COUNT
    assert summary.files == (tmp_path / "a.mp4", tmp_path / "a.csv")
    assert (summary.skipped, summary.lost, summary.dropped) == (0, 0, 0)
    assert counted == [(number, COUNT) for number in range(1, COUNT + 1)]
    with closing(open_film(films / "hand.mp4")) as film, FilmRecognizer(trained.export.bundle) as recognizer:
        for one, row in zip(looked, rows_of(tmp_path / "a.csv"), strict=True):
            frame = film.read()
            assert frame is not None
            best = recognizer.recognize(frame).best
            assert (one.frame.number, one.frame.seconds) == (frame.number, frame.seconds)
            assert row["gesture"] == (best.gesture if best else "")
            assert float(row["score"] or 0) == pytest.approx(best.score if best else 0, abs=1e-5)
    seen = {one.gesture: one for one in summary.seen}
    assert seen[None].frames == 10
    assert seen[None].seconds == pytest.approx(10 / RATE, abs=0.001)
    assert sum(one.frames for one in summary.seen) == COUNT
    assert sum(one.seconds for one in summary.seen) == pytest.approx(COUNT / RATE, abs=0.001)
    assert summary.size == (640, 320)


def test_a_film_on_the_command_line(trained: Trained, films: Path, tmp_path: Path, cli: Cli) -> None:
    command = (
        "live",
        trained.export.bundle,
        films / "hand.mp4",
        "--headless",
        "--record",
        "a.mp4",
        "--smooth",
        "vote:5",
    )
    done = cli(*command, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Smoothing vote:5: a change shows 2 frames later, 0.08 s at 25.1 frames/s." in done.stdout
    assert re.search(r"\(no hand\) +│ +│ +0\.00 s │ +0\.40 │ +10 │", done.stdout)
    assert re.search(r"Answered: 30 frames in [\d.]+ s, [\d.]+ frames/s", done.stdout)
    assert re.search(r"Latency: [\d.]+ ms \(median\), [\d.]+ ms \(p95\)", done.stdout)
    assert "Written: a.mp4, a.csv" in done.stdout
    check_files(tmp_path, COUNT)
    before = (tmp_path / "a.mp4").read_bytes()
    assert "a.mp4 exists already" in one_sentence_error(cli(*command, cwd=tmp_path))
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert cli(*command, "--overwrite", "--max-fps", "5", cwd=tmp_path).returncode == 0
    check_files(tmp_path, 6)


def test_a_log_alone_or_elsewhere(silent: Path, films: Path, tmp_path: Path) -> None:
    summary = live(silent, films / "hand.mp4", out=tmp_path / "log.jsonl", frames=3)
    assert summary.files == (tmp_path / "log.jsonl",)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3
    summary = live(silent, films / "hand.mp4", record=tmp_path / "a.mp4", out=tmp_path / "sub/log.csv", frames=3)
    assert summary.files == (tmp_path / "a.mp4", tmp_path / "sub/log.csv")
    assert not (tmp_path / "a.csv").exists()


def test_canned_gestures_are_shown_with_their_classifier_and_silenced(
    canned: Path, shared: Path, tmp_path: Path, cli: Cli
) -> None:
    """The film has a thumbs-up from frame 52 on, which a vote of five frames shows from 54 on."""
    film = shared / "data/gesture_video.mp4"
    arguments = (canned, film, "--headless", "--seconds", "2.4", "--num-hands", "1")
    done = cli("live", *arguments, "--out", "log.csv", "--smooth", "vote:5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Thumb_Up +│ canned", done.stdout)
    rows = rows_of(tmp_path / "log.csv")
    assert [row["raw_gesture"] for row in rows[48:]] == ["none"] * 4 + ["Thumb_Up"] * 8
    assert [row["gesture"] for row in rows[48:]] == ["none"] * 6 + ["Thumb_Up"] * 6
    assert {row["classifier"] for row in rows[54:]} == {"canned"}
    assert {row["handedness"] for row in rows[52:]} == {"right"}
    done = cli("live", *arguments, "--out", "without.csv", "--no-canned", cwd=tmp_path)
    assert {row["gesture"] for row in rows_of(tmp_path / "without.csv")} == {"", "none"}
    assert "canned" not in done.stdout


times = st.lists(st.floats(0.001, 0.3), min_size=1, max_size=200).map(lambda steps: list(np.cumsum(steps)))


@given(times, st.floats(1, 60))
def test_max_fps_takes_no_more_frames_than_asked_and_no_fewer_than_there_are(at: list[float], most: float) -> None:
    pace = Pace(most, None, None)
    taken = [seconds for seconds in at if pace.takes(Frame(EMPTY, 0, seconds))]
    assert taken[0] == at[0]
    assert pace.taken == len(taken)
    for first, begin in enumerate(taken):
        for number, end in enumerate(taken[first:], 1):
            assert number <= (end - begin) * most + 2
    step = 1 / most
    for before, after in itertools.pairwise(taken):  # nothing was passed over that was due
        assert not [seconds for seconds in at if before + step <= seconds < after]


@given(st.integers(1, 60), st.integers(0, 3))
def test_max_fps_of_the_source_s_own_rate_takes_every_frame(rate: int, digits: int) -> None:
    """Also where times are rounded, as in many files."""
    digits = max(digits, 3)
    pace = Pace(rate, None, None)
    assert all(pace.takes(Frame(EMPTY, 0, round(number / rate, digits))) for number in range(200))


def test_max_fps_and_limits_go_by_the_film_s_time(silent: Path, films: Path) -> None:
    def numbers(**settings: Any) -> list[int]:
        looked: list[LiveFrame] = []
        summary = live(silent, films / "hand.mp4", on_frame=looked.append, **settings)
        assert summary.answered == len(looked)
        return [one.frame.number for one in looked]

    assert numbers(max_fps=5) == [0, 5, 10, 15, 20, 25]
    assert numbers(max_fps=1000, seconds=0.4) == list(range(10))
    assert numbers(frames=7) == list(range(7))
    assert numbers(max_fps=12.5, seconds=1) == list(range(0, 25, 2))


# Mirrors


def test_a_mirror_changes_what_is_shown_and_no_name(silent: Path, films: Path, tmp_path: Path) -> None:
    for name, mirror in (("plain", False), ("mirrored", True)):
        live(silent, films / "hand.mp4", record=tmp_path / f"{name}.mp4", mirror=mirror)
    plain, mirrored = (pictures_of(tmp_path / f"{name}.mp4") for name in ("plain", "mirrored"))
    assert [mark_in(picture) for picture in plain] == [mark_in(picture[:, ::-1]) for picture in mirrored]
    one, other = (rows_of(tmp_path / f"{name}.csv") for name in ("plain", "mirrored"))
    assert [timeless(row) for row in one] == [timeless(row) for row in other]
    shown = {row["handedness"] for row in one}

    made_film(tmp_path / "selfie.mp4", (picture[:, ::-1] for picture in pictures_of(films / "hand.mp4")))
    live(silent, tmp_path / "selfie.mp4", out=tmp_path / "taken.csv")
    live(silent, tmp_path / "selfie.mp4", out=tmp_path / "turned.csv", mirrored_source=True)
    taken, turned = ({row["handedness"] for row in rows_of(tmp_path / f"{n}.csv")} for n in ("taken", "turned"))
    assert turned == shown
    assert len(shown - {""}) == len(taken - {""}) == 1
    assert taken & shown == {""}


def timeless(row: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if not name.endswith("_ms")}


class Shown:
    """A window for the library: keeps what is shown, and answers with these keys in turn."""

    def __init__(self, *keys: str | None) -> None:
        self.closed = False
        self.pictures: list[Pixels] = []
        self.keys = iter(keys)

    def show(self, pixels: Pixels) -> None:
        self.pictures.append(pixels)

    def key(self, milliseconds: int = 1) -> str | None:
        threading.Event().wait(milliseconds / 1000)
        return next(self.keys, None) if self.pictures else None


def test_only_a_camera_in_a_window_is_shown_as_in_a_mirror(
    silent: Path, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "open_frames", lambda *_, **__: Live(Fast(), "Camera 0"))
    window = Shown()
    live(silent, 0, window=window, frames=3)
    assert [mark_in(picture[:, ::-1]) for picture in window.pictures] == sorted(
        {mark_in(picture[:, ::-1]) for picture in window.pictures}
    )
    monkeypatch.undo()
    window = Shown()
    live(silent, films / "hand.mp4", window=window, frames=3)
    assert [mark_in(picture) for picture in window.pictures] == [0, 1, 2]


# Windows


def test_in_a_window_a_film_takes_its_time_and_every_frame_is_seen(silent: Path, films: Path) -> None:
    window = Shown()
    summary = live(silent, films / "hand.mp4", window=window)
    assert [mark_in(picture) for picture in window.pictures] == list(range(COUNT))
    assert summary.seconds >= (COUNT - 1) / RATE


@pytest.mark.parametrize("key", ["q", "escape"])
def test_a_key_ends_it(key: str, silent: Path, films: Path, tmp_path: Path) -> None:
    window = Shown(None, "x", None, key)
    summary = live(silent, films / "long.mp4", window=window, record=tmp_path / "a.mp4")
    assert 1 <= len(window.pictures) <= 4
    assert len(window.pictures) <= check_files(tmp_path, summary.answered) < 50


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with virtual_screen() as one:
        yield one


@pytest.mark.parametrize("how", ["q", "Escape", "its cross"])
def test_on_a_screen(how: str, screen: Screen, silent: Path, films: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gesture_maker", "live", silent, films / "long.mp4", "--record", "a.mp4"],
        cwd=tmp_path,
        env=environment(DISPLAY=screen.display),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        screen.window("gesture-maker live")
        wait_until(lambda: lines_of(tmp_path / "a.recording.csv") > 5)
        if how == "its cross":
            screen.close_window("gesture-maker live")
        else:
            screen.press(how)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, err) == (0, "")
    assert "Written: a.mp4, a.csv" in out
    assert 5 <= check_files(tmp_path) < 300


def lines_of(path: Path) -> int:
    try:
        return len(path.read_bytes().splitlines())
    except FileNotFoundError:
        return 0


def test_bad_input_no_screen(
    silent: Path, films: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    done = cli("live", silent, films / "hand.mp4", "--record", "a.mp4", cwd=tmp_path)
    if sys.platform.startswith("linux"):
        assert one_sentence_error(done).endswith("use --headless.")
        assert not list(tmp_path.iterdir())
    assert cli("live", silent, films / "hand.mp4", "--headless", "--seconds", "0.2", cwd=tmp_path).returncode == 0
    assert not list(tmp_path.iterdir())


# Cameras and streams


class Fast:
    """A camera that sends frames as fast as they are taken, until it is unplugged after `count`."""

    def __init__(self, count: int | None = None, wait: Callable[[], object] = lambda: None) -> None:
        self.count, self.sent, self.wait = count, 0, wait

    def read(self) -> tuple[bool, Any]:
        if self.sent == self.count:
            return False, None
        self.wait()
        self.sent += 1
        return True, marked(EMPTY, self.sent - 1)

    def get(self, _: int) -> float:
        return 30.0

    def release(self) -> None:
        pass


class Endless:
    """A source that always has a newer frame, and counts those that were taken."""

    name, live, rate, count = "endless", True, 30.0, None

    def __init__(self) -> None:
        self.taken = 0
        self.closed = threading.Event()

    def read(self) -> Frame | None:
        if self.closed.is_set():
            return None
        self.taken += 1
        return Frame(marked(EMPTY, self.taken - 1), self.taken - 1, (self.taken - 1) / 30)

    def close(self) -> None:
        self.closed.set()


def test_whoever_is_slow_sees_new_frames_and_no_queue_grows(silent: Path, tmp_path: Path) -> None:
    source, behind = Endless(), []

    def slow(one: LiveFrame) -> None:
        threading.Event().wait(0.02)
        behind.append(source.taken - one.frame.number)

    summary = live(silent, source, on_frame=slow, frames=40, record=tmp_path / "a.mp4")
    assert check_files(tmp_path) == summary.answered == len(behind) == 40
    assert summary.dropped == 0
    assert max(behind) <= 4  # two under way, one that waits to be shown, and the one that is shown


def test_bad_input_a_camera_that_disappears_leaves_what_plays(silent: Path, tmp_path: Path) -> None:
    ended: list[LiveSummary] = []
    tick = threading.Event()
    camera = Live(Fast(20, lambda: tick.wait(0.02)), "Camera 3")
    with pytest.raises(SourceError) as failed:
        live(silent, camera, record=tmp_path / "a.mp4", on_end=ended.append)
    answered = check_files(tmp_path)
    assert str(failed.value) == (
        f"Camera 3 is gone after 20 frames: check its cable or network. What came before is in {tmp_path / 'a.mp4'} and "
        f"{tmp_path / 'a.csv'}."
    )
    assert 0 < answered <= 20
    assert [summary.answered for summary in ended] == [answered]
    assert rows_of(tmp_path / "a.csv")[-1]["frame"] == "19"


def test_bad_input_a_camera_without_frames_leaves_nothing(
    silent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "FIRST_FRAME_SECONDS", 0.2)
    stuck = threading.Event()
    with pytest.raises(SourceError, match=r"^Camera 3 sends no frames: [^\n]*[a-z]\.$"):
        live(silent, Live(Fast(None, stuck.wait), "Camera 3"), record=tmp_path / "a.mp4", out=tmp_path / "log.csv")
    stuck.set()
    assert not list(tmp_path.iterdir())


def test_bad_input_a_stream_that_breaks_off(silent: Path, tmp_path: Path, cli: Cli) -> None:
    with mjpeg_camera(lambda number: marked(HAND, number), rate=15, ends_after=20, same=True) as camera:
        done = cli("live", silent, camera.address, "--headless", "--record", "a.mp4", cwd=tmp_path)
    assert re.fullmatch(
        r"http://127.0.0.1:\d+/camera.mjpg is gone after \d+ frames: check its cable or network. "
        r"What came before is in a.mp4 and a.csv.",
        one_sentence_error(done),
    )
    answered = check_files(tmp_path)
    assert answered > 0
    assert re.search(rf"Answered: {answered} frames? in", done.stdout)
    assert re.search(r"none +│ custom", done.stdout)
    recorded = [frame.seconds for frame in every_frame(tmp_path / "a.mp4")]
    told = [float(row["seconds"]) for row in rows_of(tmp_path / "a.csv")]
    assert np.allclose(recorded, np.array(told) - told[0], atol=0.002)


def every_frame(path: Path) -> list[Frame]:
    with closing(open_film(path)) as film:
        return list(iter(film.read, None))


def test_bad_input_a_stream_that_says_nothing(
    silent: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "FIRST_FRAME_SECONDS", 0.5)
    with mjpeg_camera(EMPTY, hangs_after=0) as camera:
        done = cli("live", silent, camera.address, "--headless", "--record", "a.mp4", cwd=tmp_path)
    assert re.match(r"No video can be read from http://|http://\S+ sends no frames", one_sentence_error(done))
    assert not list(tmp_path.iterdir())


def test_a_stream_for_some_seconds(silent: Path, tmp_path: Path, cli: Cli) -> None:
    with mjpeg_camera(lambda number: marked(EMPTY, number), rate=60, same=True) as camera:
        done = cli(
            "live", silent, camera.address, "--headless", "--seconds", "1", "--max-fps", "20", "--record", "a.mp4",
            cwd=tmp_path,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "passed over for --max-fps" in done.stdout
    assert 1 <= check_files(tmp_path) <= 22
    assert float(rows_of(tmp_path / "a.csv")[-1]["seconds"]) < 1 + float(rows_of(tmp_path / "a.csv")[0]["seconds"])


# Ctrl-C and kill


@pytest.mark.parametrize(("by", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_kill_in_the_middle_of_a_stream(by: int, status: int, silent: Path, tmp_path: Path) -> None:
    with mjpeg_camera(lambda number: marked(EMPTY, number), rate=60, same=True) as camera:
        done = signalled(
            "live", silent, camera.address, "--headless", "--record", "a.mp4",
            cwd=tmp_path, when=lambda _: lines_of(tmp_path / "a.recording.csv") > 10, by=by,
        )  # fmt: skip
    assert done.returncode == status, done.stderr
    answered = check_files(tmp_path)
    assert answered >= 10
    assert "Traceback" not in done.stderr
    sentences = [line for line in done.stderr.splitlines() if line.strip() and "frames/s" not in line]
    told = [f"Stopped after {answered} frames. They are in a.mp4 and a.csv."]
    assert sentences == (told if by == signal.SIGINT else [])
    if by == signal.SIGINT:
        assert re.search(rf"Answered: {answered} frames in", done.stdout)


def test_ctrl_c_in_the_middle_of_a_film(silent: Path, films: Path, tmp_path: Path) -> None:
    done = signalled(
        "live", silent, films / "long.mp4", "--headless", "--record", "a.mp4",
        cwd=tmp_path, when=lambda _: lines_of(tmp_path / "a.recording.csv") > 10,
    )  # fmt: skip
    assert done.returncode == 130
    assert 10 <= check_files(tmp_path) < 300


# Errors in the stages


def test_an_error_of_the_caller_s_ends_it_and_files_are_kept(silent: Path, films: Path, tmp_path: Path) -> None:
    class CallerError(Exception):
        pass

    def fail(one: LiveFrame) -> None:
        if one.frame.number == 5:
            raise CallerError

    with pytest.raises(CallerError):
        live(silent, films / "long.mp4", record=tmp_path / "a.mp4", on_frame=fail)
    assert 6 <= check_files(tmp_path) < 50
    assert not [one for one in threading.enumerate() if one.name in ("reading", "recognizing", "recording")]


def test_bad_input_a_film_that_breaks_off(silent: Path, films: Path, tmp_path: Path) -> None:
    whole = (films / "long.mp4").read_bytes()
    cut = write(tmp_path / "cut.mp4", whole[: len(whole) // 2])
    with pytest.raises(
        SourceError, match=r"cut.mp4 breaks off after (\d+) of 300 frames: .* is in \S+a.mp4 and \S+a"
    ) as e:
        live(silent, cut, record=tmp_path / "a.mp4")
    check_files(tmp_path, int(re.search(r"after (\d+) of", str(e.value))[1]))  # type: ignore[index]


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")
def test_bad_input_a_full_disk(silent: Path, films: Path, tmp_path: Path) -> None:
    """A limit for a file's size ends writing as a full disk does."""
    command = f'ulimit -f 4; exec "{sys.executable}" -m gesture_maker live "$0" "$1" --headless --out a.csv'
    done = subprocess.run(
        ["bash", "-c", command, silent, films / "long.mp4"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "a.csv cannot be written further" in one_sentence_error(done)
    assert 50 < len(rows_of(tmp_path / "a.csv")) < 300


def test_pipes_are_short_and_end_from_both_sides() -> None:
    pipe: Pipe[int] = Pipe(2)
    taken: list[int | None] = []
    stages = Stages()
    stages.start("making", lambda: [pipe.put(number) for number in range(100)] and None, None, pipe)
    while not pipe.over:
        assert len(pipe._items) <= 2
        taken.append(pipe.get())
    assert taken == list(range(100))
    assert pipe.get() is None
    stages.wait()

    refused: Pipe[int] = Pipe(1)
    after: Pipe[int] = Pipe(1)

    def fail() -> None:
        refused.get()
        raise SourceError("the first")

    stages.start("failing", fail, refused, after)
    assert refused.put(1)
    assert after.get() is None  # it has ended
    assert not refused.put(2)
    stages.failed(SourceError("the second"))
    stages.wait()
    assert str(stages.problem) == "the first"


# Bad input

HERE = "{films}/hand.mp4"
BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no film": (("{silent}", "nowhere.mp4"), "There is no video nowhere.mp4: check the name."),
    "no film but text": (("{silent}", "words.mp4"), "words.mp4 is not a video that can be read"),
    "no run": (("nobody", HERE), 'There is no run "nobody"'),
    "no task": (("words.task", HERE), "words.task"),
    "no camera": (("{silent}", "--camera", "77"), "amera 77"),
    "no recording's name": (("{silent}", HERE, "--record", "a.avi"), "a.avi is no name for a recording: give one that"),
    "no log's name": (
        ("{silent}", HERE, "--out", "a.txt"),
        "a.txt is no name for a table of frames: give one that ends",
    ),
    "an existing log": (("{silent}", HERE, "--out", "there.csv"), "there.csv exists already: give another name"),
    "the log beside it": (("{silent}", HERE, "--record", "there.mp4"), "there.csv exists already: give another name"),
    "the film itself": (("{silent}", "words.mp4", "--record", "./words.mp4", "--overwrite"), "is the film itself"),
    "a file for a folder": (("{silent}", HERE, "--record", "words.mp4/a.mp4"), "words.mp4"),
    "no smoothing": (("{silent}", HERE, "--smooth", "much"), '"much" is no smoothing'),
    "no frames": (("{silent}", HERE, "--max-fps", "0"), "max_fps is 0, but has to be more than 0."),
    "no seconds": (("{silent}", HERE, "--seconds", "-1"), "seconds is -1, but has to be more than 0."),
    "no hands": (("{silent}", HERE, "--num-hands", "0"), "num_hands is 0"),
    "no share": (("{silent}", HERE, "--min-tracking-confidence", "2"), "min_tracking_confidence is 2.0"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_live(kind: str, silent: Path, films: Path, tmp_path: Path, cli: Cli) -> None:
    for name in ("words.mp4", "words.task", "there.csv"):
        write(tmp_path / name, "words")
    arguments, sentence = BAD[kind]
    given = [one.format(silent=silent, films=films) for one in arguments]
    assert sentence in one_sentence_error(cli("live", *given, "--headless", cwd=tmp_path))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        ("words.mp4", "words.task", "there.csv"), "words"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [((HERE, "--camera", "0"), "give a SOURCE or --camera, not both"), (("7",), "for a camera give --camera 7")],
)
def test_wrong_usage_exits_2(arguments: tuple[str, ...], sentence: str, tmp_path: Path, cli: Cli) -> None:
    done = cli("live", "some.task", *arguments, "--headless", cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_bad_input_in_python(silent: Path, films: Path) -> None:
    for settings in ({"max_fps": float("nan")}, {"frames": 0}):
        with pytest.raises(ConfigError, match="has to be more than 0"):
            live(silent, films / "hand.mp4", **settings)
    with pytest.raises(GestureMakerError, match="no smoothing"):
        parse_smoothing("vote")
