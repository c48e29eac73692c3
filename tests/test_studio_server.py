"""The studio's process: how it starts, what it says when it cannot, and that it always ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from helpers import environment, one_sentence_error, photo, tree, write
from studios import (
    PATIENCE,
    PROGRAM,
    StudioProcess,
    frame_message,
    program_with,
    running_studio,
    studio,
    studio_with,
)
from test_studio_safety import all_routes, code_of

from gesture_maker.dataset.folder import JOURNAL_NAME
from gesture_maker.studio import server

FAILING = """
import sys, threading, time
from fastapi import WebSocket
from gesture_maker.studio import app, frames, serving, server
serving.LEAVE_SECONDS, server.GRACE_SECONDS, frames.LAST_SECONDS = 3.0, 1, 1
real = app.make_app

class Hanging:
    def __enter__(self): return self.answer
    def __exit__(self, *_): pass
    def answer(self, frame):
        sys.stderr.write("hangs\\n")
        threading.Event().wait()

class Failing(Hanging):
    def answer(self, frame): return {"n": 1 // 0}

def make_app(studio):
    made = real(studio)

    @made.get("/test/defect")
    def defect() -> None: raise ZeroDivisionError("a defect of ours")

    @made.get("/test/full")
    def full() -> None: raise OSError(28, "No space left on device", "photo.jpg")

    @made.get("/test/hang")
    def hang() -> None: Hanging().answer(None)

    @made.websocket("/test/early")
    async def early(websocket: WebSocket) -> None: raise ZeroDivisionError

    @made.websocket("/test/defect")
    async def late(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()
        raise ZeroDivisionError("a defect of a socket")

    @made.websocket("/test/frames")
    async def failing(websocket: WebSocket) -> None: await frames.answer_frames(websocket, studio.seats, Failing)

    @made.websocket("/test/hanging")
    async def hanging(websocket: WebSocket) -> None: await frames.answer_frames(websocket, studio.seats, Hanging)

    return made

app.WebSocket = WebSocket
app.make_app = make_app
"""


def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dataset of four photos, on which no hand is."""
    for number, label in enumerate(("none", "none", "fist", "fist"), 1):
        write(tmp_path / f"datasets/small/{label}/{label}_{number:06}.jpg", photo(number))
    return tmp_path


def done_with(folder: Path, *arguments: str, program: Sequence[str] = PROGRAM) -> subprocess.CompletedProcess[str]:
    """Run a studio that ends by itself and return it finished."""
    return subprocess.run(
        [sys.executable, *program, "studio", "--no-open", *arguments],
        cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip


# Starting


def test_the_address_is_printed_at_once_and_on_one_line(folder: Path) -> None:
    with studio(folder) as running:
        assert running.process.stdout is not None
        assert running.address.startswith(f"http://127.0.0.1:{running.port}/?token=")
        assert "Ctrl-C" in running.process.stdout.readline()
        assert running.get("/api/about")["dataset"]["name"] == "small"


def test_two_studios_at_once(folder: Path) -> None:
    write(folder / "datasets/other/none/none_000001.jpg", photo(1))
    with studio(folder) as one, studio(folder, dataset="other") as two:
        assert one.get("/api/about")["dataset"]["name"] == "small"
        assert two.get("/api/about")["dataset"]["name"] == "other"
        both = requests.Session()  # one browser: cookies are for a host with all its ports
        for running in (one, two):
            both.get(running.address, timeout=PATIENCE)
        for running in (one, two):
            assert both.get(running.origin + "/api/about", timeout=PATIENCE).status_code == 200
        key = {"Cookie": one.cookie}
        assert requests.get(two.origin + "/api/about", headers=key, timeout=PATIENCE).status_code == 403


def test_a_port_that_is_taken(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = one_sentence_error(done_with(folder, "--port", str(port)))
        assert message.startswith(f"The studio cannot listen on port {port} (")
        assert "choose another --port" in message
        with running_studio(
            program_with(f"from gesture_maker.studio import server; server.PORT = {port}"),
            ["--no-open", "--dataset", "small"],
            folder,
            {},
        ) as running:
            assert running.port != port


def test_its_usual_port(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    usual = program_with(f"from gesture_maker.studio import server; server.PORT = {port}")
    for _ in range(2):  # again at once, though connections of before may linger
        with running_studio(usual, ["--no-open", "--dataset", "small"], folder, {}) as running:
            assert running.port == port


def test_ports_that_are_none(folder: Path) -> None:
    for port in ("65536", "-1", "http"):
        assert done_with(folder, "--port", port).returncode == 2
    assert done_with(folder, "--host", "0.0.0.0").returncode == 2  # by design there is none


def test_a_dataset_that_does_not_exist_yet_is_not_made_by_looking(tmp_path: Path) -> None:
    with studio(tmp_path, dataset="new") as running:
        assert running.get("/api/about")["dataset"] == {"name": "new", "path": str(Path("datasets/new"))}
        assert running.stop() == 0
    assert tree(tmp_path) == {}


def test_bad_input_studio(folder: Path) -> None:
    write(folder / "file.txt", "text")
    write(folder / "datasets/half" / JOURNAL_NAME, "{}")
    (folder / "dangling").symlink_to("nowhere")
    for dataset, said in (
        ("file.txt", "file.txt is a file: a dataset is a folder"),
        ("half", "run `gesture-maker rename"),
        ("./dangling", "There is no folder dangling"),
    ):
        before = tree(folder)
        assert said in one_sentence_error(done_with(folder, "--dataset", dataset))
        assert tree(folder) == before


@pytest.mark.parametrize("package", ["fastapi", "websockets"])
def test_without_the_extra_it_says_what_to_install(package: str, folder: Path) -> None:
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""
    message = one_sentence_error(done_with(folder, program=program_with(code)))
    assert message == f"The studio needs {package}, which is not installed: pip install 'gesture-maker[studio]'."


def test_without_a_home_folder(folder: Path) -> None:
    nowhere = str(folder / "nowhere")
    with studio(folder, HOME=nowhere, XDG_CACHE_HOME=nowhere + "/cache", XDG_CONFIG_HOME=nowhere) as running:
        running.get("/api/about")
        assert running.stop() == 0
        assert running.said == ""


def test_the_server_never_imports_tensorflow(folder: Path) -> None:
    """Whatever is looked at; a training is a process of its own."""
    code = """
import sys
from gesture_maker.studio import app
real = app.make_app
def make_app(studio):
    made = real(studio)
    @made.get("/test/loaded")
    def loaded() -> list:
        heavy = {"tensorflow", "keras", "tf_keras", "mediapipe_model_maker", "official"}
        return sorted(name for name in heavy if sys.modules.get(name))
    return made
app.make_app = make_app
"""
    with studio_with(code, folder) as running:
        for path in paths_to_look_at(folder):
            running.session.get(running.origin + path, timeout=PATIENCE)
        running.event("dataset", lambda told: sum(one["pending"] for one in told["classes"]) == 0)  # MediaPipe is there
        assert running.get("/test/loaded") == []


def paths_to_look_at(folder: Path) -> list[str]:
    """Return the paths of all GET routes."""
    from gesture_maker.studio.app import make_app
    from gesture_maker.studio.state import Studio

    part = Studio(folder / "nothing", folder / "runs")
    try:
        routes = list(all_routes(make_app(part).routes))
    finally:
        part.close()
    return [route.path for route in routes if "GET" in (getattr(route, "methods", None) or ())]


# Browsers


@pytest.fixture
def browsers(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Make a browser of shell lines, which writes its number and its address down first; all are ended at the end."""
    place = tmp_path / "browsers"
    place.mkdir()

    def make(lines: str) -> Path:
        program = place / "browser"
        program.write_text(
            f'#!/bin/sh\necho $$ "$1" > {place}/opened.new; mv {place}/opened.new {place}/opened\n{lines}\n'
        )
        program.chmod(0o755)
        return program

    yield make
    opened = place / "opened"
    if opened.exists():
        number = int(opened.read_text().split()[0])
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)


def test_a_browser_is_opened_and_not_waited_for(folder: Path, browsers: Callable[[str], Path]) -> None:
    """As with one that runs in a terminal; Ctrl-C of the studio is not for it."""
    browser = browsers("exec sleep 1000")
    with running_studio(PROGRAM, ["--port", "0", "--dataset", "small"], folder, {"BROWSER": str(browser)}) as running:
        until((opened := browser.with_name("opened")).exists)
        number, address = opened.read_text().split()
        assert address == running.address
        running.get("/api/about")
        assert running.stop() == 0
        os.kill(int(number), 0)  # it is still there


def test_no_browser(folder: Path, browsers: Callable[[str], Path]) -> None:
    browser = browsers("exit 1")
    with running_studio(PROGRAM, ["--port", "0", "--dataset", "small"], folder, {"BROWSER": str(browser)}) as running:
        assert running.process.stdout is not None
        lines = iter(running.process.stdout.readline, "")
        assert any("open the address yourself" in line for line in lines)
        running.get("/api/about")
    browser.with_name("opened").unlink()
    with studio(folder, BROWSER=str(browser)) as running:  # --no-open
        running.get("/api/about")
        assert running.stop() == 0
    assert not browser.with_name("opened").exists()


# Ending


@pytest.mark.parametrize(
    ("how", "status"),
    [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 143)],
    ids=["Ctrl-C", "kill", "hang up"],
)
def test_it_ends_while_pages_listen_and_stream(folder: Path, how: signal.Signals, status: int) -> None:
    with studio_with(FAILING, folder, dataset="new") as running, running.socket("/ws/events") as events:
        with running.socket("/test/hanging") as idle:
            idle.recv(PATIENCE)
            assert running.stop(how) == status
            assert code_of(idle) in (1012, 1006)
        assert code_of(events) in (1012, 1006)  # service restart: the page connects again
        assert running.said == ""


def test_ctrl_c_as_soon_as_it_has_spoken(folder: Path) -> None:
    """Before the server has begun to listen for it."""
    code = """
import typer
real = typer.echo
def echo(text):
    real(text)
    if "http://" in text:
        import os, signal
        os.kill(os.getpid(), signal.SIGINT)
typer.echo = echo
"""
    done = done_with(folder, "--port", "0", program=program_with(code))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_a_thread_that_hangs_does_not_keep_it(folder: Path, twice: bool) -> None:
    """Python waits for threads; one that hangs in MediaPipe would need a kill."""
    with studio_with(FAILING, folder, dataset="new") as running, running.socket("/test/hanging") as camera:
        camera.send(frame_message(1, b""))
        asking = threading.Thread(target=lambda: _ignored(lambda: running.get("/test/hang")))
        asking.start()
        assert running.process.stderr is not None
        for _ in range(2):
            assert running.process.stderr.readline() == "hangs\n"
        running.get("/api/about")
        running.process.send_signal(signal.SIGINT)
        if twice:
            until(lambda: not connects(running))
            running.process.send_signal(signal.SIGINT)
        assert running.process.wait(PATIENCE) == 0
        asking.join()


def connects(running: StudioProcess) -> bool:
    try:
        socket.create_connection(("127.0.0.1", running.port), PATIENCE).close()
    except OSError:
        return False
    return True


def _ignored(work: Callable[[], object]) -> None:
    with contextlib.suppress(requests.RequestException, AssertionError):
        work()


def test_ctrl_c_while_a_file_comes(folder: Path) -> None:
    """Nothing of it stays, beside the dataset or in it."""
    before = set(tree(folder))
    with studio(folder) as running:
        upload = running.post("/api/upload/begin", {"label": "fist"})["upload"]
        pieces = threading.Event()

        def film() -> Iterator[bytes]:
            for _ in range(10):
                yield b"x" * 1_000_000
            pieces.set()
            threading.Event().wait(PATIENCE)

        query = {"upload": upload, "path": "film.mp4"}
        sending = threading.Thread(
            target=lambda: _ignored(
                lambda: running.session.post(
                    running.origin + "/api/upload/file", params=query, data=film(), timeout=PATIENCE
                )
            ),
            daemon=True,
        )
        sending.start()
        assert pieces.wait(PATIENCE)
        until(lambda: any("film" in name for name in tree(folder)))
        assert running.stop() == 0
    after = {name for name in tree(folder) if "landmarks.parquet" not in name}
    assert after - before == set()
    assert before <= after


# Defects


def test_a_defect_is_told_in_a_sentence_and_shown_in_the_terminal(folder: Path) -> None:
    with studio_with(FAILING, folder, dataset="new") as running:  # no photo: while MediaPipe is opened, stderr is quiet
        told = running.get("/test/defect", status=500)
        assert set(told) == {"error"}
        assert "defect" in told["error"]
        assert "ZeroDivision" not in told["error"]
        assert "No space left" in running.get("/test/full", status=507)["error"]
        with running.socket("/test/defect") as line:
            line.send("go")
            assert code_of(line) == 1011
        with running.socket("/test/frames") as camera:
            camera.send(frame_message(1, b""))
            assert code_of(camera) == 1011
        with pytest.raises(Exception, match="HTTP 403"):
            running.socket("/test/early")
        running.get("/api/about")
        assert running.stop() == 0
        said = running.said
        assert "ZeroDivisionError: a defect of ours" in said
        assert "ZeroDivisionError: a defect of a socket" in said
        assert said.count("Traceback") == 4


def test_a_page_that_goes_is_no_defect(folder: Path) -> None:
    with studio(folder, dataset="new") as running:
        for _ in range(5):
            with running.socket("/ws/events"):
                pass
            line = running.socket("/ws/events")
            line.socket.shutdown(socket.SHUT_RDWR)
            code_of(line)
        running.get("/api/about")
        assert running.stop() == 0
        assert running.said == ""


def test_events_are_told_as_they_were(folder: Path) -> None:
    """Whoever publishes may go on changing what was published; a page that comes later is told the newest of each kind."""
    code = """
from gesture_maker.studio import app
real = app.make_app
def make_app(studio):
    made = real(studio)
    studio.hub.publish("early", 1)
    @made.get("/test/publish")
    def publish() -> None:
        data = {"list": [1]}
        studio.hub.publish("changed", data)
        data["list"].append(2)
        for wrong in (float("nan"), object()):
            try: studio.hub.publish("wrong", wrong)
            except (TypeError, ValueError): pass
            else: raise AssertionError
    return made
app.make_app = make_app
"""
    with studio_with(code, folder) as running, running.socket("/ws/events") as events:
        assert (
            next(one for one in iter(lambda: json.loads(events.recv(PATIENCE)), None) if one["kind"] == "early")["data"]
            == 1
        )
        running.get("/test/publish")
        assert running.event("changed") == {"list": [1]}
        assert running.event("early") == 1


def test_patience_is_more_than_a_browser_needs() -> None:
    """The tests of safety shorten it."""
    assert server.PING_SECONDS >= 5
