"""Frames of films, cameras and streams: every one at its time, the newest of what does not wait, and a sentence for the rest."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cameras import mjpeg_camera, number_in, numbered
from helpers import write
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.errors import SourceError
from gesture_maker.recognition import frames
from gesture_maker.recognition.frames import (
    Film,
    Frame,
    FrameSource,
    Live,
    is_address,
    open_camera,
    open_film,
    open_frames,
    open_stream,
    without_password,
)
from gesture_maker.recognition.recorder import Recorder

GREY = np.full((96, 128, 3), 100, np.uint8)
RATE = 25


def every(source: FrameSource) -> list[Frame]:
    """Read a source to its end."""
    found: list[Frame] = []
    read_into(found, source)
    return found


def read_into(found: list[Frame], source: FrameSource) -> None:
    """Read a source to its end or until it fails."""
    while (frame := source.read()) is not None:
        found.append(frame)


def made_film(path: Path, times: Sequence[float]) -> Path:
    """Record numbered frames at these times and return the file."""
    with Recorder(path) as recorder:
        for number, seconds in enumerate(times):
            recorder.add(numbered(GREY, number), seconds)
    return path


# Films


def test_every_frame_of_a_film_in_order_at_its_time(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).choice([0.02, 0.033, 0.04, 0.5, 1.5], 40))  # as a phone records
    with closing(open_film(made_film(tmp_path / "film.mp4", list(times)))) as film:
        found = every(film)
        assert not film.live
        assert film.count == 40
    assert [number_in(frame.pixels) for frame in found] == list(range(40))
    assert [frame.number for frame in found] == list(range(40))
    assert np.allclose([frame.seconds for frame in found], times - times[0], atol=0.001)
    assert found[0].pixels.shape == GREY.shape


@pytest.mark.parametrize("mirrored", [False, True])
def test_colours_are_red_green_blue(mirrored: bool, tmp_path: Path) -> None:
    colours = np.zeros((96, 128, 3), np.uint8)
    colours[:48], colours[48:] = (200, 60, 20), (20, 60, 200)
    with Recorder(tmp_path / "film.mp4") as recorder:
        for number in range(3):
            recorder.add(colours, number / RATE)
    with closing(open_film(tmp_path / "film.mp4", mirrored=mirrored)) as film:
        for frame in every(film):
            assert frame.pixels.dtype == np.uint8
            assert np.abs(frame.pixels.astype(int) - colours).max(axis=(1, 2))[[10, 80]].max() < 30
    with mjpeg_camera(colours, ends_after=3, same=True) as camera, closing(open_stream(camera.address)) as stream:
        first = stream.read()
        assert first is not None
        assert np.abs(first.pixels.astype(int) - colours).max(axis=(1, 2))[[10, 80]].max() < 30


@pytest.mark.parametrize(("name", "codec"), [("film.avi", "MJPG"), ("film.mp4", "mp4v"), ("film.mkv", "MJPG")])
def test_films_of_other_makers(name: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / name
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), RATE, (128, 96))
    for number in range(30):
        writer.write(numbered(GREY, number))
    writer.release()
    with closing(open_film(path)) as film:
        found = every(film)
        assert film.rate == RATE
    assert [number_in(frame.pixels) for frame in found] == list(range(30))
    assert np.allclose([frame.seconds for frame in found], np.arange(30) / RATE, atol=0.001)


def test_a_film_that_tells_no_times_has_those_of_its_rate(tmp_path: Path) -> None:
    jpegs = [cv2.imencode(".jpg", numbered(GREY, number))[1].tobytes() for number in range(20)]
    path = write(tmp_path / "raw.mjpeg", b"".join(jpegs))
    with closing(open_film(path)) as film:
        found = every(film)
    assert [number_in(frame.pixels) for frame in found] == list(range(20))
    assert np.allclose([frame.seconds for frame in found], np.arange(20) / frames.USUAL_RATE, atol=0.001)


class Told:
    """A film's capture whose header and times say what they like."""

    def __init__(self, milliseconds: Sequence[float], rate: float = 30.0, count: float = -1.0) -> None:
        self.milliseconds, self.rate, self.count, self.taken = milliseconds, rate, count, 0

    def read(self) -> tuple[bool, Any]:
        self.taken += 1
        return (True, GREY) if self.taken <= len(self.milliseconds) else (False, None)

    def get(self, prop: int) -> float:
        return {
            cv2.CAP_PROP_FPS: self.rate,
            cv2.CAP_PROP_FRAME_COUNT: self.count,
            cv2.CAP_PROP_POS_MSEC: self.milliseconds[min(self.taken, len(self.milliseconds)) - 1],
        }[prop]

    def release(self) -> None:
        pass


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.sampled_from([0.0, -1.0, 15.0, 1000.0, 1e9]))
def test_times_begin_at_0_and_only_go_on(milliseconds: list[float], rate: float) -> None:
    found = every(Film(Told(milliseconds, rate), "film"))
    times = [frame.seconds for frame in found]
    assert times[0] == 0
    assert all(before < after for before, after in pairwise(times))


@pytest.mark.parametrize("milliseconds", [[0, 40, 80, 120], [3000, 3040, 3080, 3120]])
def test_right_times_are_believed(milliseconds: list[float]) -> None:
    found = every(Film(Told(milliseconds, rate=7.0), "film"))
    assert np.allclose([frame.seconds for frame in found], [0, 0.04, 0.08, 0.12])


def test_irregular_frames_that_the_header_does_not_count_are_no_broken_film() -> None:
    """Of a film in Matroska OpenCV says length · shortest step: 268 of what were 61 frames."""
    seconds = 8.895
    irregular = np.cumsum([0, *np.random.default_rng(0).dirichlet(np.ones(60)) * seconds])
    assert len(every(Film(Told(list(1000 * irregular), 30.0, 30 * seconds), "film"))) == 61


def test_bad_input_a_film_cut_short(tmp_path: Path) -> None:
    whole = made_film(tmp_path / "whole.mp4", [number / RATE for number in range(100)]).read_bytes()
    cut = write(tmp_path / "cut.mp4", whole[: len(whole) * 6 // 10])
    with closing(open_film(cut)) as film:
        found: list[Frame] = []
        with pytest.raises(SourceError, match=r"cut.mp4 breaks off after \d+ of 100 frames: it is cut short"):
            read_into(found, film)
    assert 20 < len(found) < 90
    assert [number_in(frame.pixels) for frame in found] == list(range(len(found)))


def test_mirrored_films_are_turned_back(tmp_path: Path) -> None:
    path = made_film(tmp_path / "film.mp4", [0, 0.04])
    with closing(open_film(path)) as film, closing(open_film(path, mirrored=True)) as turned:
        assert np.array_equal(every(film)[1].pixels[:, ::-1], every(turned)[1].pixels)


@pytest.mark.parametrize("name", ["a film: 100%d [x].mp4", "фильм 映画.mp4", "-.mp4", "http:film.mp4"])
def test_names_that_mean_something_elsewhere(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made_film(Path(name), [0, 0.04, 0.08])
    with closing(open_frames(name)) as film:
        assert len(every(film)) == 3


BAD_FILMS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nowhere": (lambda path: path, r"There is no video \S*film.mp4: check the name\."),
    "a folder": (Path.mkdir, r"\S*film.mp4 is a folder: name a video in it\."),
    "empty": (lambda path: write(path, b""), r"\S*film.mp4 is not a video that can be read: convert it to MP4 "),
    "text": (lambda path: write(path, "words\n" * 99), r"\S*film.mp4 is not a video that can be read"),
    "no index": (
        lambda path: write(path, b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(9999)),
        r"\S*film.mp4 is not a video that can be read",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILMS)
def test_bad_input_no_film(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make, sentence = BAD_FILMS[kind]
    path = tmp_path / "film.mp4"
    make(path)
    with pytest.raises(SourceError, match=sentence):
        every(open_film(path))
    assert capfd.readouterr() == ("", "")


# Cameras


class Plugged:
    """A camera that sends a frame whenever the test says so; `ends`: with what its cable is pulled."""

    def __init__(self, count: int | None = None, ends: BaseException | None = None) -> None:
        self.allowed = threading.Semaphore(0)
        self.count, self.ends, self.sent, self.released = count, ends, 0, 0

    def send(self, number: int = 1) -> None:
        self.allowed.release(number)

    def read(self) -> tuple[bool, Any]:
        self.allowed.acquire()
        if self.sent == self.count:
            if self.ends:
                raise self.ends
            return False, None
        self.sent += 1
        return True, numbered(GREY, self.sent - 1)

    def get(self, _: int) -> float:
        return 30.0

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def plugged() -> Iterator[Callable[..., tuple[Plugged, Live]]]:
    made: list[tuple[Plugged, Live]] = []

    def make(*arguments: Any) -> tuple[Plugged, Live]:
        camera = Plugged(*arguments)
        made.append((camera, Live(camera, "Camera 7")))
        return made[-1]

    yield make
    for camera, live in made:
        camera.send(99)
        live.close()
        if live._thread.ident is not None:
            live._thread.join(10)
        assert camera.released == 1


def test_a_camera_is_not_read_before_somebody_wants_its_frames(plugged: Callable[..., tuple[Plugged, Live]]) -> None:
    camera, live = plugged()
    camera.send(3)
    assert camera.sent == 0
    first = live.read()
    assert first is not None
    assert first.seconds >= 0
    assert live.live


def test_who_is_slow_gets_the_newest(plugged: Callable[..., tuple[Plugged, Live]]) -> None:
    camera, live = plugged()
    camera.send()
    first = live.read()
    assert first is not None
    assert (first.number, number_in(first.pixels), first.seconds) == (0, 0, 0.0)
    camera.send(5)
    while live._newest is None or live._newest.number < 5:  # all have come, nobody read them
        pass
    newest = live.read()
    assert newest is not None
    assert (newest.number, number_in(newest.pixels), live.lost) == (5, 5, 4)
    assert newest.seconds > 0


def test_closing_wakes_who_waits_for_a_frame(plugged: Callable[..., tuple[Plugged, Live]]) -> None:
    _, live = plugged()
    answers: list[Frame | None] = []
    waiting = threading.Thread(target=lambda: answers.append(live.read()))
    waiting.start()
    live.close()
    waiting.join(10)
    assert answers == [None]
    assert live.read() is None


@pytest.mark.parametrize("ends", [None, cv2.error("the cable")])
def test_bad_input_a_camera_that_disappears(
    ends: BaseException | None, plugged: Callable[..., tuple[Plugged, Live]]
) -> None:
    camera, live = plugged(3, ends)
    camera.send(9)
    found: list[Frame] = []
    with pytest.raises(SourceError, match=r"^Camera 7 is gone after 3 frames: check its cable or network\.$"):
        read_into(found, live)
    assert found[-1].number == 2  # the last is not lost
    with pytest.raises(SourceError, match="is gone after 3 frames"):
        live.read()


def test_bad_input_a_camera_without_frames(
    plugged: Callable[..., tuple[Plugged, Live]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "FIRST_FRAME_SECONDS", 0.1)
    _, live = plugged()
    with pytest.raises(SourceError, match=r"^Camera 7 sends no frames: another program may be using it, or its cover"):
        live.read()
    _, ended = plugged(0)
    ended._capture.send()  # type: ignore[attr-defined]
    with pytest.raises(SourceError, match=r"^Camera 7 sends no frames"):
        ended.read()


def test_bad_input_a_camera_that_hangs(
    plugged: Callable[..., tuple[Plugged, Live]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "NEXT_FRAME_SECONDS", 0.1)
    camera, live = plugged()
    camera.send()
    assert live.read() is not None
    with pytest.raises(SourceError, match=r"^Camera 7 has sent no frame for 0 s: check its cable or network\.$"):
        live.read()


def test_bad_input_a_camera_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=r"^(There is no camera 77: |Camera 77 cannot be opened: )[^\n]+\.$"):
        open_camera(77)
    assert capfd.readouterr() == ("", "")


def test_bad_input_cameras_that_are_there_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("video0", "video2", "video-codec"):
        write(tmp_path / name, b"")
    monkeypatch.setattr(frames, "Path", lambda _: tmp_path)
    assert frames._about_cameras(1) == "There is no camera 1: this machine has 0, 2, choose one with --camera."
    assert frames._about_cameras(2).startswith("Camera 2 cannot be opened: another program may be using it")


# Streams


def test_a_stream_gives_its_frames_until_it_breaks_off() -> None:
    with mjpeg_camera(GREY, rate=200, ends_after=30) as camera, closing(open_frames(camera.address)) as stream:
        assert stream.live
        found: list[Frame] = []
        with pytest.raises(SourceError, match=r"^http://127.0.0.1:\d+/camera.mjpg is gone after \d+ frames: check"):
            read_into(found, stream)
    numbers, times = ([one(frame) for frame in found] for one in (lambda f: number_in(f.pixels), lambda f: f.seconds))
    assert numbers == sorted(set(numbers))
    assert times == sorted(set(times))
    assert numbers[-1] >= 27  # FFmpeg needs the next frame's beginning to see a frame's end


def test_bad_input_a_stream_that_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "FIRST_FRAME_SECONDS", 0.5)
    with (
        mjpeg_camera(GREY, hangs_after=0) as camera,
        pytest.raises(SourceError, match=r"^(No video can be read from http://|http://\S+ sends no frames)[^\n]+\.$"),
        closing(open_stream(camera.address)) as stream,
    ):
        stream.read()


def test_bad_input_nobody_answers_and_the_password_is_not_told(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(SourceError, match=f"^No video can be read from http://127.0.0.1:{port}/x: check the addr"):
            open_stream(f"http://anna:secret@127.0.0.1:{port}/x")
    assert capfd.readouterr() == ("", "")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def test_a_film_at_an_address_is_a_film(tmp_path: Path) -> None:
    """All its frames count, and its end is no failure."""
    made_film(tmp_path / "film.mp4", [number / RATE for number in range(40)])
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        with closing(open_frames(f"http://127.0.0.1:{server.server_address[1]}/film.mp4")) as film:
            assert not film.live
            assert [number_in(frame.pixels) for frame in every(film)] == list(range(40))
    finally:
        server.shutdown()
        server.server_close()


names = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/@:"), min_size=1, max_size=9)


@given(st.sampled_from(["rtsp", "http", "https", "RTMP", "srt"]), names, names)
def test_passwords_are_in_no_name(scheme: str, user: str, password: str) -> None:
    user, password = (part.strip() or "x" for part in (user, password))
    if any(letter.isspace() for letter in user + password):
        return
    address = f"{scheme}://{user}:{password}@camera.example/live?x=1"
    assert is_address(address)
    assert without_password(address) == f"{scheme}://camera.example/live"


@pytest.mark.parametrize("password", ["p@ss", "p/ss", "p?ss", "p@s/s", "p#s?s@", "p/s@s"])
def test_odd_passwords_are_in_no_name_either(password: str) -> None:
    assert without_password(f"rtsp://me:{password}@camera.example:554/live") == "rtsp://camera.example:554/live"
    assert without_password("http://camera.example:80/live?password=pass") == "http://camera.example:80/live"


@given(st.from_regex(r"\A[A-Za-z]:[\\/][a-z\\]{0,9}film.mp4\Z") | st.just("film.mp4") | st.just("a:b//c"))
def test_a_path_is_no_address(path: str) -> None:
    assert not is_address(path)
