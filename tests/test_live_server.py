"""`live --server`: hands found here, gestures from a real server on loopback, which is killed, starts again, hangs and lies."""

from __future__ import annotations

import csv
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cameras import mjpeg_camera, scene
from conftest import Cli, Trained
from hands import drawn, some_hand
from helpers import one_sentence_error
from servers import PATIENCE, Server, serving

from gesture_maker.errors import ConfigError
from gesture_maker.images import Pixels
from gesture_maker.landmarks.hands import Hand, embedder_inputs
from gesture_maker.recognition import remote as remote_module
from gesture_maker.recognition.answers import UNANSWERED, Recognition, RecognizedHand
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.live import LiveFrame, live
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.recognition.remote import RemoteClassifier, ServerError, record_of
from gesture_maker.recognition.smoothing import Smoothing

RATE, COUNT = 25, 20
HAND = scene(drawn("open_palm")[0], (640, 320))
EMPTY = np.full_like(HAND, 128)


@pytest.fixture(scope="module")
def server(trained: Trained) -> Iterator[Server]:
    """A server of the trained run."""
    with serving("first", cwd=trained.folder) as one:
        yield one


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 20 frames, of which the last 15 show a drawn hand."""
    path = tmp_path_factory.mktemp("films") / "hand.mp4"
    with Recorder(path) as recorder:
        for number in range(COUNT):
            recorder.add(HAND if number >= 5 else EMPTY, number / RATE)
    return path


class Endless:
    """A source of frames with a hand, live or a film, until it is closed."""

    name, rate, count = "endless", 30.0, None

    def __init__(self, live: bool) -> None:
        self.live = live
        self.taken = 0
        self.closed = threading.Event()

    def read(self) -> Frame | None:
        if self.closed.is_set():
            return None
        self.taken += 1
        came = time.perf_counter() if self.live else None
        return Frame(HAND, self.taken - 1, (self.taken - 1) / 30, came)

    def close(self) -> None:
        self.closed.set()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# Answers


def test_a_film_has_the_answers_that_the_bundle_gives_here(
    server: Server, trained: Trained, film: Path, tmp_path: Path, cli: Cli
) -> None:
    here = cli("live", trained.export.bundle, film, "--headless", "--out", "here.csv", cwd=tmp_path)
    there = cli(
        "live", "--server", server.address, film, "--headless", "--out", "there.csv", "--record", "a.mp4", cwd=tmp_path
    )
    assert (here.returncode, there.returncode, there.stderr) == (0, 0, "")
    rows = [rows_of(tmp_path / name) for name in ("here.csv", "there.csv")]
    assert [row["frame"] for row in rows[1]] == [str(number) for number in range(COUNT)]
    told = 0
    for one, other in zip(*rows, strict=True):
        assert set(one) == set(other)
        assert one["gesture"] == other["gesture"]
        if one["gesture"] not in ("", "none"):  # of none the runtime gives another classifier's score
            assert float(one["score"]) == pytest.approx(float(other["score"]), abs=1e-5)
            assert other["classifier"] == "custom"
            told += 1
    assert told >= 10
    assert "Not answered by the server" not in there.stdout
    assert "Written: a.mp4, there.csv" in there.stdout


def test_the_record_of_a_hand_keeps_every_digit_and_knows_its_border() -> None:
    for seed in range(5):
        hand = some_hand(seed)
        record = json.loads(json.dumps(record_of(hand)))
        again = Hand(
            np.array(record["landmarks"], np.float32), np.array(record["world_landmarks"], np.float32),
            record["handedness"], record["width"], record["height"],
        )  # fmt: skip
        assert np.allclose(embedder_inputs([hand]).rows(), embedder_inputs([again]).rows(), atol=1e-5)
        bare = Hand(hand.landmarks, hand.world, hand.handedness, hand.width, hand.height)
        assert record_of(bare)["landmarks"] == bare.landmarks.tolist()


def test_a_camera(server: Server, tmp_path: Path, cli: Cli) -> None:
    with mjpeg_camera(HAND, rate=30) as camera:
        done = cli(
            "live", "--server", server.address, camera.address, "--headless", "--seconds", "1", "--out", "a.csv",
            cwd=tmp_path,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert {row["classifier"] for row in rows_of(tmp_path / "a.csv") if row["track"]} == {"custom"}


# A server that goes and comes


def test_a_server_that_is_killed_and_comes_back(trained: Trained, tmp_path: Path) -> None:
    """Frames go on without answers, say so, show nothing of before, and are answered again by themselves."""
    frames: list[LiveFrame] = []
    states: list[str] = []
    source = Endless(live=True)
    started: list[Any] = []
    with serving(trained.export.bundle, cwd=tmp_path) as first:
        port = str(first.port)

        def look(one: LiveFrame) -> None:
            frames.append(one)
            state = "gone" if one.notice else "there"
            if not one.recognition.hands or states[-1:] == [state]:
                if len(states) == 3 and len(frames) > 5:
                    source.close()
                return
            states.append(state)
            if states == ["there"]:
                first.process.kill()
                first.process.wait()
            elif states == ["there", "gone"]:
                context = serving(trained.export.bundle, "--port", port, cwd=tmp_path)
                thread = threading.Thread(target=lambda: started.append((context, context.__enter__())))
                thread.start()

        try:
            summary = live(
                None, source, server=first.address, smoothing=Smoothing.vote(5), record=tmp_path / "a.mp4",
                on_frame=look, seconds=3600,
            )  # fmt: skip
        finally:
            wait_for(lambda: started)
            started[0][0].__exit__(None, None, None)
    assert states == ["there", "gone", "there"]
    assert summary.outages == 1
    rows = rows_of(tmp_path / "a.csv")
    without = [row for row in rows if row["classifier"] == "unanswered"]
    assert summary.unanswered == len(without) > 0
    assert {(row["gesture"], float(row["score"])) for row in without} == {("", 0.0)}
    assert {row["gesture"] for row in rows if row["classifier"] == "custom"} <= {
        "none",
        "open_palm",
        "thumbs_up",
        "victory",
    }
    gone = [one for one in frames if one.notice]
    assert all(re.fullmatch(r"server not answering since \d+ s: [a-z0-9 ]+", one.notice) for one in gone)
    assert any(one.notice.endswith("connection refused") for one in gone)
    assert [one.gesture for one in summary.seen if one.gesture == UNANSWERED] == [UNANSWERED]


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


# Servers that hang and lie


class Liar:
    """What a test knows of a server that answers the first question and then what it is told to."""

    def __init__(self) -> None:
        self.address = ""
        self.asked = 0
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.answer: Callable[[BaseHTTPRequestHandler], None] = honest


def honest(handler: BaseHTTPRequestHandler, score: float = 0.9) -> None:
    body = json.loads(handler.body)
    one = {"gesture": "four", "score": score, "scores": {"none": 1 - score, "four": score}}
    send(handler, json.dumps({"predictions": [one for _ in body["instances"]]}).encode())


def send(handler: BaseHTTPRequestHandler, content: bytes, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


@contextmanager
def lying() -> Iterator[Liar]:
    """Yield a server of the same protocol on loopback, whose answers the test chooses."""
    liar = Liar()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.body = self.rfile.read(int(self.headers["Content-Length"]))
            with liar.lock:
                liar.asked += 1
                liar.at_once += 1
                liar.most_at_once = max(liar.most_at_once, liar.at_once)
            try:
                liar.answer(self)
            except OSError:  # whoever asked has gone
                self.close_connection = True
            finally:
                with liar.lock:
                    liar.at_once -= 1

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    liar.address = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield liar
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def test_a_slow_server_is_asked_once_at_a_time_and_holds_nothing_up() -> None:
    with lying() as liar:

        def hang(handler: BaseHTTPRequestHandler) -> None:
            handler.connection.recv(1)  # nothing comes; it returns when whoever asked hangs up
            handler.close_connection = True

        frames: list[LiveFrame] = []

        def look(one: LiveFrame) -> None:
            frames.append(one)
            if len(frames) == 3:
                liar.answer = hang

        summary = live(None, Endless(live=False), server=liar.address, server_timeout=0.2, on_frame=look, frames=60)
        assert summary.answered == len(frames) == 60
        assert liar.most_at_once == 1
        without = [one for one in frames if one.shown and one.shown[0].gesture == UNANSWERED]
        assert 40 < len(without) == summary.unanswered
        assert all("no answer within 0.2 s" in one.notice for one in without)
        held_up = [one for one in frames if one.recognition.seconds > 0.2]
        assert len(held_up) <= 3  # the first that waited; the others pass


BOGUS: dict[str, tuple[Callable[[BaseHTTPRequestHandler], None], str]] = {
    "an error": (lambda handler: send(handler, b"{}", 500), "it answers 500 Internal Server Error"),
    "elsewhere": (lambda handler: send(handler, b"", 307), "it answers 307 Temporary Redirect"),
    "no JSON": (lambda handler: send(handler, b"<html>"), "what it answers is no gesture"),
    "other JSON": (lambda handler: send(handler, b'{"predictions": [1]}'), "what it answers is no gesture"),
    "too few": (lambda handler: send(handler, b'{"predictions": []}'), "what it answers is no gesture"),
    "a score of 7": (lambda handler: honest(handler, 7.0), "what it answers is no gesture"),
    "NaN": (lambda handler: honest(handler, float("nan")), "what it answers is no gesture"),
    "too much": (lambda handler: send(handler, bytes(2 << 20)), "its answer is over 1 MB"),
}


@pytest.mark.parametrize("kind", BOGUS)
def test_nonsense_is_no_answer(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_module, "RETRY_SECONDS", (0.01,))
    hand = drawn("four")[1]
    found = Recognition((RecognizedHand("none", 1.0, False, hand),), 0.01)
    with lying() as liar, RemoteClassifier(liar.address) as remote:
        assert remote.labels == ("none", "four")
        assert (first := remote.answered(found)).hands[0].gesture == "four"
        assert first.seconds > 0.01
        liar.answer, reason = BOGUS[kind]
        bad = remote.answered(found)
        assert (bad.hands[0].gesture, bad.hands[0].score) == (UNANSWERED, 0.0)
        assert bad.hands[0].hand is hand
        assert remote.outage is not None
        assert remote.outage.reason == reason
        liar.answer = honest
        wait_for(lambda: remote.answered(found).hands[0].gesture == "four")
        assert (remote.outage, remote.outages) == (None, 1)
        nobody = Recognition((), 0.5)
        assert remote.answered(nobody) is nobody


def test_a_server_that_accepts_and_never_answers_at_the_start(film: Path, tmp_path: Path, cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = cli(
            "live",
            "--server",
            address,
            film,
            "--headless",
            "--record",
            "a.mp4",
            "--server-timeout",
            "0.2",
            cwd=tmp_path,
        )
        assert one_sentence_error(done) == (
            f"The server {address} does not answer (no answer within 0.2 s): start it with `gesture-maker serve`, or correct "
            "the address."
        )
    done = cli("live", "--server", address, film, "--headless", "--record", "a.mp4", cwd=tmp_path)
    assert "does not answer (connection refused)" in one_sentence_error(done)
    assert not list(tmp_path.iterdir())


def test_smoothing_shows_nothing_of_before() -> None:
    hand = drawn("four")[1]
    smoothing = Smoothing.vote(5)
    for gesture, shown in (
        ("four", "four"),
        ("four", "four"),
        (UNANSWERED, UNANSWERED),
        ("fist", "fist"),
        ("four", "fist"),
    ):
        one = RecognizedHand(gesture, 0.9 if gesture else 0.0, False, hand)
        assert [found.gesture for found in smoothing.show(Recognition((one,), 0.0))] == [shown]


# Usage


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("first", "a.mp4", "--server", "http://x"), "give a TASK or --server, not both"),
        (("--server", "http://x", "--no-canned"), "a server's canned gestures are its own"),
        (("first", "a.mp4", "--server-timeout", "2"), "it goes with --server"),
        ((), "give a TASK, or the --server to ask in its place"),
        (("a.mp4", "--server", "http://x", "--camera", "0"), "give a SOURCE or --camera, not both"),
    ],
)
def test_wrong_usage_exits_2(arguments: tuple[str, ...], sentence: str, tmp_path: Path, cli: Cli) -> None:
    done = cli("live", *arguments, "--headless", cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:5001", "ftp://x", "http://", "http://x:99999999", "http://x?y=1", "file:///a"]
)
def test_bad_input_an_address_that_is_none(url: str, film: Path) -> None:
    with pytest.raises(ConfigError, match="is no address of a server"):
        live(None, film, server=url)


def test_bad_input_in_python(film: Path, trained: Trained) -> None:
    with pytest.raises(ConfigError, match="Give a bundle, or a server"):
        live(None, film)
    with pytest.raises(ConfigError, match="Give a bundle, or a server"):
        live(trained.run, film, server="http://127.0.0.1:1")
    with pytest.raises(ConfigError, match="server_timeout is 0"):
        live(None, film, server="http://127.0.0.1:1", server_timeout=0)
    with pytest.raises(ServerError, match="connection refused"):
        live(None, film, server="http://127.0.0.1:1")


def test_the_sign_is_seen(tmp_path: Path) -> None:
    """The recording of a server that went shows a plate with it, and a label without a gesture."""
    with lying() as liar:
        pictures: list[Pixels | None] = []

        def look(one: LiveFrame) -> None:
            pictures.append(one.picture)
            if len(pictures) == 2:
                liar.answer = lambda handler: send(handler, b"{}", 503)

        live(None, Endless(live=False), server=liar.address, on_frame=look, frames=8, record=tmp_path / "a.mp4")
    before, after = pictures[1], pictures[-1]
    assert before is not None
    assert after is not None
    plate = np.abs(after.astype(int) - before)[20:60, :300].max(axis=2) > 60
    assert plate.mean() > 0.2
