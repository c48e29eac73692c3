"""A stranger at the studio's door: other sites, other users, broken and greedy clients; over real sockets."""

from __future__ import annotations

import inspect
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from fastapi.routing import APIRoute, APIWebSocketRoute
from helpers import photo, tree, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtimes import run_node
from starlette.routing import Mount
from studios import PATIENCE, StudioProcess, frame_message, memory_of, studio, studio_with
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from gesture_maker.studio import frames, security
from gesture_maker.studio.app import make_app
from gesture_maker.studio.state import Studio

PAGE = "/api/about"
NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts in /proc")

ADDED = """
import itertools, threading, time
from gesture_maker.studio import app, frames, server, serving
server.PING_SECONDS, serving.HEAD_SECONDS = 1.0, 2.0
real = app.make_app

def answering(frame):
    return {"bytes": len(frame.jpeg)}

class Opened:
    def __enter__(self): return answering
    def __exit__(self, *_): pass

def make_app(studio):
    made = real(studio)

    @made.get("/test/noise")
    def noise(run: int = 0) -> dict:
        for number in range(40):
            studio.hub.publish(f"noise {number % 4}", f"{run} {number} " + "x" * 1_000_000)
        return {}

    @made.post("/test/said")
    def said(value: dict) -> dict:
        return {"length": len(str(value))}

    @made.websocket("/test/frames")
    async def camera(websocket: app.WebSocket):
        await frames.answer_frames(websocket, studio.seats, Opened)

    return made

from fastapi import WebSocket
app.WebSocket = WebSocket
app.make_app = make_app
"""
"""A studio with an echo for frames, a route that makes much noise, and little patience: of a second instead of ten."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset and photos outside of it that nobody may have."""
    folder = tmp_path_factory.mktemp("studio")
    for number, label in enumerate(("none", "none", "fist", "fist"), 1):
        write(folder / f"datasets/small/{label}/{label}_{number:06}.jpg", photo(number))
    for outside in ("secret.jpg", "datasets/secret.jpg", "datasets/small/secret.jpg", "datasets/other/none/secret.jpg"):
        write(folder / outside, photo(9))
    return folder


@pytest.fixture(scope="module")
def home(place: Path) -> Iterator[StudioProcess]:
    """A studio as users have it."""
    with studio(place) as running:
        yield running


@pytest.fixture(scope="module")
def echo(place: Path) -> Iterator[StudioProcess]:
    """See `ADDED`."""
    with studio_with(ADDED, place, dataset="empty") as running:  # no photos: MediaPipe, once there, has 250 MB
        yield running


def exchanged(port: int, request: bytes, ended: bool = False) -> bytes:
    """Send bytes to a port and return what comes back until the other side closes; `ended`: say that nothing more will come."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
        line.sendall(request)
        if ended:
            line.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := line.recv(1 << 16):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


def asked(
    at: StudioProcess, *lines: str, path: str = PAGE, method: str = "GET", version: str = "1.1"
) -> tuple[int, str]:
    """Send a request with exactly these header lines and return status and answer."""
    head = "\r\n".join([f"{method} {path} HTTP/{version}", *lines, "Connection: close", "", ""])
    answer = exchanged(at.port, head.encode("latin-1")).decode("latin-1")
    assert answer, "no answer"
    return int(answer.split()[1]), answer


def headers(at: StudioProcess, **other: str | None) -> list[str]:
    """Return the header lines of the studio's own page; `other`: values instead, None to leave one out."""
    given = {"Host": f"127.0.0.1:{at.port}", "Cookie": at.cookie, "Origin": at.origin, **other}
    return [f"{name}: {value}" for name, value in given.items() if value is not None]


def token_of(at: StudioProcess) -> str:
    return at.address.split("=")[1]


def alive(at: StudioProcess) -> bool:
    """Tell whether the studio answers its page, which opens a new connection for it."""
    return asked(at, *headers(at))[0] == 200


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


# The token


@pytest.mark.parametrize(
    "query",
    ["", "token=", "token", "token={wrong}", "token={half}", "token={token}x", "token={token}&token={token}",
     "token={wrong}&token={token}", "Token={token}", "key={token}", "token={token}%00", "token=%ff%fe", "token[]={token}"],
)  # fmt: skip
def test_only_the_one_token_opens_the_door(home: StudioProcess, query: str) -> None:
    token = token_of(home)
    query = query.format(token=token, half=token[:20], wrong="A" * len(token))
    status, answer = asked(home, *headers(home, Cookie=None), path=f"/?{query}")
    assert status == 403
    assert "set-cookie" not in answer.lower()
    assert "open the one that gesture-maker studio printed" in answer.replace("&#x27;", "'")


@pytest.mark.parametrize("path", ["/api/about", "/api/dataset", "/static/main.js", "/index.html", "//", "/?", "/x/../"])
def test_the_token_opens_the_entrance_only(home: StudioProcess, path: str) -> None:
    query = f"{'&' if '?' in path else '?'}token={token_of(home)}"
    status, answer = asked(home, *headers(home, Cookie=None), path=path + query)
    assert status == (200 if path == "/?" else 403), answer


def test_the_token_elsewhere_is_no_key(home: StudioProcess) -> None:
    token = token_of(home)
    for line in (f"Authorization: Bearer {token}", f"X-Token: {token}", f"Cookie: token={token}", f"Cookie: {token}"):
        assert asked(home, *headers(home, Cookie=None), line)[0] == 403
    assert asked(home, *headers(home, Cookie=None), path=f"/?token={token}", method="POST")[0] == 403


def test_the_cookie_is_for_scripts_and_other_sites_out_of_reach(home: StudioProcess) -> None:
    _, answer = asked(home, *headers(home, Cookie=None, Origin=None), path="/?token=" + token_of(home))
    cookie = re.search(r"^set-cookie: (.*)\r$", answer, re.MULTILINE | re.IGNORECASE)
    assert cookie
    name, *attributes = cookie[1].split("; ")
    assert name == f"gesture_maker_{home.port}={token_of(home)}"
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Path=/"}
    assert "no-store" in answer


def test_another_studios_cookie_is_no_key(home: StudioProcess) -> None:
    token = token_of(home)
    for cookie in (f"gesture_maker_1={token}", f"gesture_maker_{home.port}={token[:-1]}", f"gesture_maker_{home.port}"):
        assert asked(home, *headers(home, Cookie=cookie))[0] == 403


@pytest.mark.parametrize(
    "other", ["path=1", 'a="{\\"b\\": [1]}"', "=; ; ,", "version", "\xe4=\xff", "gesture_maker_{port}=x"]
)
def test_other_servers_cookies_do_not_lock_the_user_out(home: StudioProcess, other: str) -> None:
    """Cookies are for a host with all its ports: a notebook's come along."""
    other = other.replace("{port}", str(home.port))
    for cookie in (f"{other}; {home.cookie}", f"{home.cookie}; {other}"):
        assert asked(home, *headers(home, Cookie=cookie))[0] == 200


# Host and Origin


@pytest.mark.parametrize(
    "hosts",
    [["evil.example:{port}"], ["127.0.0.1"], ["127.0.0.1:1"], ["localhost.evil.example:{port}"], ["[::1]:{port}"], [""],
     ["127.0.0.1:{port}.evil.example"], ["0.0.0.0:{port}"], ["127.1:{port}"], ["user@127.0.0.1:{port}"],
     ["127.0.0.1:{port}", "127.0.0.1:{port}"], ["127.0.0.1:{port}", "evil.example"], []],
    ids=" ".join,
)  # fmt: skip
def test_foreign_hosts(home: StudioProcess, hosts: list[str]) -> None:
    lines = [f"Host: {host.format(port=home.port)}" for host in hosts]
    for version in ("1.1", "1.0"):
        status, answer = asked(home, *headers(home, Host=None), *lines, version=version)
        assert status in (400, 421)
        assert "dataset" not in answer


def test_a_host_in_the_address_is_no_way_in(home: StudioProcess) -> None:
    for target in (
        f"http://evil.example:{home.port}{PAGE}",
        f"http://127.0.0.1:{home.port}{PAGE}",
        "*",
        "evil.example:80",
    ):
        status, answer = asked(home, *headers(home), path=target)
        assert status in (400, 404, 421), answer
    assert asked(home, *headers(home, Host="evil.example"), path=f"http://127.0.0.1:{home.port}{PAGE}")[0] == 421


def test_localhost_is_this_machine_too(home: StudioProcess) -> None:
    host = f"LocalHost:{home.port}"
    assert asked(home, *headers(home, Host=host, Origin=f"http://localhost:{home.port}"))[0] == 200


FOREIGN = [
    "null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://127.0.0.1", "",
    "http://127.0.0.1:{port}.evil.example", "http://127.0.0.1:{port}/", "file://", "http://[::1]:{port}",
    "HTTP://127.0.0.1:{port}",
]  # fmt: skip


@pytest.mark.parametrize("origin", FOREIGN)
def test_foreign_origins(home: StudioProcess, origin: str) -> None:
    origin = origin.format(port=home.port)
    for method in ("GET", "POST", "OPTIONS", "DELETE"):
        assert asked(home, *headers(home, Origin=origin), "Content-Length: 0", method=method)[0] == 403
    assert upgraded(home, Origin=origin) == 403
    assert asked(home, *headers(home, Origin=home.origin), f"Origin: {origin}")[0] == 403


def test_what_changes_something_needs_an_origin(home: StudioProcess) -> None:
    assert asked(home, *headers(home, Origin=None))[0] == 200  # as browsers open a page
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"):
        assert asked(home, *headers(home, Origin=None), "Content-Length: 0", method=method)[0] == 403
    assert upgraded(home, Origin=None) == 403


def upgraded(at: StudioProcess, path: str = "/ws/events", **other: str | None) -> int:
    """Ask for a WebSocket and return the status."""
    lines = [
        f"GET {path} HTTP/1.1", *headers(at, **other), "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "", "",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", at.port), PATIENCE) as line:
        line.sendall("\r\n".join(lines).encode("latin-1"))
        answer = line.recv(1 << 16).decode("latin-1")
    return int(answer.split()[1])


def test_a_websocket_needs_all_of_it(home: StudioProcess) -> None:
    assert upgraded(home) == 101
    for other in ({"Cookie": None}, {"Host": "evil.example"}, {"Cookie": "gesture_maker_1=x"}):
        assert upgraded(home, **other) in (403, 421)
    assert upgraded(home, f"/ws/events?token={token_of(home)}", Cookie=None) == 403


# Every route


def all_routes(routes: Any) -> Iterator[Any]:
    for route in routes:
        if inner := getattr(route, "original_router", None):  # how FastAPI keeps included routers
            yield from all_routes(inner.routes)
        else:
            yield route


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("routes")
    part = Studio(folder / "dataset", folder / "runs")
    try:
        found = list(all_routes(make_app(part).routes))
    finally:
        part.close()
    assert len(found) > 3
    return found


def test_no_route_answers_strangers(home: StudioProcess, routes: list[Any]) -> None:
    kinds = (APIRoute, APIWebSocketRoute, Mount)
    assert all(isinstance(route, kinds) for route in routes), "a kind of route that this test does not know"
    for route in routes:
        if isinstance(route, APIWebSocketRoute):
            assert upgraded(home, route.path, Cookie=None) == 403
            assert upgraded(home, route.path, Origin=None) == 403
        elif isinstance(route, Mount):
            assert asked(home, *headers(home, Cookie=None), path=route.path + "/main.js")[0] == 403
        else:
            for method in route.methods:
                assert asked(home, *headers(home, Cookie=None), path=route.path, method=method)[0] == 403
                assert (asked(home, *headers(home, Origin=None), path=route.path, method=method)[0] == 403) == (
                    method not in security.SAFE_METHODS
                )


def test_no_route_takes_a_path(routes: list[Any]) -> None:
    """Labels, files and names of runs come in queries and bodies, where nothing resolves dots and slashes."""
    assert [route.path for route in routes if "{" in route.path and not isinstance(route, Mount)] == []


def test_nothing_is_changed_by_looking(home: StudioProcess, routes: list[Any]) -> None:
    before = tree(home.folder)
    values = {
        "label": "none",
        "file": "none/none_000001.jpg",
        "run": "first",
        "what": "task",
        "upload": "1",
        "undo": "1",
    }
    for route in routes:
        if isinstance(route, APIRoute) and "GET" in route.methods:
            assert not route.methods & {"POST", "PUT", "PATCH", "DELETE"}
            response = home.session.get(home.origin + route.path, params=values, timeout=PATIENCE)
            assert response.status_code < 500, (route.path, response.text)
    changed = {name for name, content in tree(home.folder).items() if before.get(name) != content}
    assert {name for name in changed if "landmarks.parquet" not in name} == set()
    assert set(before) <= set(tree(home.folder))


# Headers


HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def test_every_answer_says_how_to_treat_it(home: StudioProcess) -> None:
    ask = home.session.get
    answers = [
        ask(home.origin + "/", timeout=PATIENCE),
        ask(home.origin + "/static/main.js", timeout=PATIENCE),
        ask(home.origin + "/static/nothing", timeout=PATIENCE),
        ask(home.origin + "/api/nothing", timeout=PATIENCE),
        ask(home.origin + "/api/about", timeout=PATIENCE),
        ask(home.origin + "/api/about/", timeout=PATIENCE, allow_redirects=False),
        home.session.post(home.origin + "/api/about", timeout=PATIENCE),
        requests.get(home.origin + "/", timeout=PATIENCE),
        requests.get(home.origin + "/", timeout=PATIENCE, headers={"Host": "evil.example"}),
    ]
    assert [one.status_code for one in answers] == [200, 200, 404, 404, 200, 307, 405, 403, 421]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        policy = dict(part.split(None, 1) for part in answer.headers["content-security-policy"].split("; "))
        assert (
            policy["default-src"]
            == policy["frame-ancestors"]
            == policy["base-uri"]
            == policy["form-action"]
            == "'none'"
        )
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
        assert answer.headers["cache-control"] in ("no-store", "no-cache")
    assert token_of(home) not in "".join(one.text + str(one.headers) for one in answers)
    assert urlsplit(answers[5].headers["location"]).netloc == f"127.0.0.1:{home.port}"


def test_what_goes_wrong_is_a_sentence(home: StudioProcess) -> None:
    for path in ("/api/nothing", "/static/nothing", "/static/../index.html"):
        assert set(home.get(path, status=404)) == {"error"}


# Paths


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/%252e%252e/app.py", "/static/..%2fapp.py",
     "/static/..%5capp.py", "/static/..\\app.py", "/static//etc/passwd", "/static/%2fetc/passwd", "/static/....//app.py",
     "/static/./../app.py", "/static/main.js/../../app.py", "/static/%c0%ae%c0%ae/app.py", "/static/\x7f", "/static/%00",
     "/static/main.js%00.css", "/static", "/static/", "/static/" + "a" * 5000, "/static/" + "../" * 50 + "etc/passwd",
     "/../static/main.js", "/%2e%2e/static/main.js"],
    ids=lambda path: path[:30],
)  # fmt: skip
def test_static_files_are_those_of_their_folder(home: StudioProcess, path: str) -> None:
    status, answer = asked(home, *headers(home), path=path)
    assert status in (307, 400, 404), answer
    assert "import annotations" not in answer
    assert "root:" not in answer
    assert status != 307 or path == "/static"


# Sizes


def test_a_body_is_limited_said_or_not(echo: StudioProcess) -> None:
    room = security.MAX_BODY - 100
    assert echo.post("/test/said", {"a": "x" * room})["length"] > room
    told = echo.post("/test/said", {"a": "x" * security.MAX_BODY}, status=413)
    assert told == {"error": "This request is larger than 1,048,576 bytes."}
    lines = [*headers(echo), "Content-Type: application/json"]
    assert asked(echo, *lines, f"Content-Length: {10**12}", path="/test/said", method="POST")[0] == 413
    before = memory_of(echo.process.pid) if Path("/proc/self").exists() else 0
    pieces = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    head = "\r\n".join(["POST /test/said HTTP/1.1", *lines, "Transfer-Encoding: chunked", "", ""]).encode()
    assert b" 413 " in exchanged(echo.port, head + 32 * pieces + b"0\r\n\r\n").splitlines()[0]
    if before:
        assert memory_of(echo.process.pid) < before + (16 << 20)
    assert alive(echo)


def test_every_body_is_limited(home: StudioProcess, routes: list[Any]) -> None:
    """By the gate, but for files, which are read piece by piece."""
    posts = {route.path: route for route in routes if isinstance(route, APIRoute) and "POST" in route.methods}
    streamed = {path for path, route in posts.items() if asks_for_request(route.endpoint)}
    assert streamed == security.UPLOADS
    too_large = b'{"label": "' + b"x" * security.MAX_BODY + b'"}'
    read = {path for path, route in posts.items() if route.body_field is not None}
    for path in set(posts) - streamed:
        status = home.session.post(home.origin + path, data=too_large, timeout=PATIENCE).status_code
        assert (status == 413) == (path in read), path


def asks_for_request(endpoint: Callable[..., Any]) -> bool:
    """Tell whether an endpoint reads the body itself."""
    return inspect.iscoroutinefunction(endpoint) and "request" in inspect.signature(endpoint).parameters


def test_an_upload_that_says_it_is_huge_is_refused(home: StudioProcess) -> None:
    upload = home.post("/api/upload/begin", {"label": "fist"})["upload"]
    path = f"/api/upload/file?upload={upload}&path=photo.jpg"
    lines = [f"POST {path} HTTP/1.1", *headers(home), f"Content-Length: {10**14}", "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", home.port), PATIENCE) as line:
        line.sendall("\r\n".join(lines).encode() + b"x" * 100_000)
        line.shutdown(socket.SHUT_WR)  # and goes
    home.post("/api/upload/cancel", {"upload": upload})
    assert alive(home)
    assert not list(home.folder.rglob("*photo.jpg"))


@pytest.mark.parametrize(
    "bomb", [b"[" * 500_000, b'{"a":' * 100_000, b"9" * 1_000_000, b"\xff\xfe[\x00", b"NaN", b"", b"[]"]
)
def test_json_bombs(echo: StudioProcess, bomb: bytes) -> None:
    lines = [
        *headers(echo),
        "Content-Type: application/json",
        f"Content-Length: {len(bomb)}",
        "Connection: close",
        "",
        "",
    ]
    request = "\r\n".join(["POST /test/said HTTP/1.1", *lines]).encode() + bomb
    status, body = exchanged(echo.port, request).split(b"\r\n\r\n")
    assert status.split()[1] in (b"400", b"422")
    assert set(json.loads(body)) == {"error"}


def test_conflicting_lengths_are_no_request(home: StudioProcess) -> None:
    """The basics of smuggling; there is no proxy before the studio, so that there is nobody to be misled either."""
    for lines in (
        ["Content-Length: 3", "Content-Length: 5"],
        ["Transfer-Encoding: x"],
        ["Content-Length: -1"],
        ["A b: c"],
    ):
        assert asked(home, *headers(home), *lines, method="POST")[0] in (400, 501)
    assert asked(home, *headers(home), "X: " + "x" * 1_000_000)[0] in (400, 431)


# Frames


def code_of(line: ClientConnection) -> int | None:
    """Wait for the other side to close and return its code."""
    with suppress(ConnectionClosed):
        while True:
            line.recv(PATIENCE)
    return line.close_code


def test_an_oversized_message_ends_its_socket_only(echo: StudioProcess) -> None:
    with echo.socket("/test/frames") as camera, echo.socket("/test/frames") as other:
        with suppress(ConnectionClosed):
            camera.send(b"\0" * (frames.MAX_MESSAGE + 1))
        assert code_of(camera) in (1009, 1006, 1011)  # a reset for what was not read may outrun the reason
        assert_answers(other)
    assert alive(echo)


def assert_answers(camera: ClientConnection, number: int = 7) -> None:
    camera.send(frame_message(number, b"12345"))
    while (told := json.loads(camera.recv(PATIENCE))).get("n") != number:
        assert told == {"ready": True}
    assert told == {"n": number, "bytes": 5}


def deep(levels: int) -> bytes:
    return len(b"[" * levels).to_bytes(4, "little") + b"[" * levels


@pytest.mark.parametrize(
    "message",
    [b"", b"\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f{}", b"\x02\0\0\0{}", b"\x02\0\0\0[]", b"\x04\0\0\0null",
     (9).to_bytes(4, "little") + b'{"n": "1"', (12).to_bytes(4, "little") + b'{"n":"none"}', deep(8000), deep(60_000), "text",
     (20000).to_bytes(4, "little") + b'{"n": 1, "x": "' + b"x" * 19983 + b'"}'],
    ids=range(13),
)  # fmt: skip
def test_garbage_instead_of_frames(echo: StudioProcess, message: bytes | str) -> None:
    with echo.socket("/test/frames") as camera:
        camera.send(message)
        assert code_of(camera) == frames.BAD_MESSAGE
    with echo.socket("/test/frames") as camera:
        assert_answers(camera)


@given(st.binary(max_size=200))
def test_parse_raises_value_error_only(message: bytes) -> None:
    try:
        frame = frames.parse(message)
    except ValueError:
        return
    assert isinstance(frame.header["n"], int)


@given(
    st.integers(0, 2**31),
    st.dictionaries(st.text(max_size=5).filter(lambda key: key != "n"), st.text(max_size=5), max_size=3),
    st.binary(max_size=50),
)
def test_parse_reads_what_pages_send(number: int, header: dict[str, str], jpeg: bytes) -> None:
    frame = frames.parse(frame_message(number, jpeg, **header))
    assert frame.header == {"n": number, **header}
    assert frame.jpeg == jpeg


# Many, slow, and greedy


def counts(at: StudioProcess) -> tuple[int, int]:
    """Return file descriptors and threads of the studio's process."""
    root = Path(f"/proc/{at.process.pid}")
    return len(list((root / "fd").iterdir())), len(list((root / "task").iterdir()))


@NEEDS_PROC
def test_two_hundred_connections(echo: StudioProcess) -> None:
    with echo.socket("/test/frames") as camera:
        assert_answers(camera)
    assert alive(echo)
    before, threads = counts(echo)
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(("127.0.0.1", echo.port))) for _ in range(200)]
        for line in lines[:100]:
            line.sendall(b"G")
        seen = 0
        for _ in range(200):
            with suppress(InvalidStatus):  # with 403
                stack.enter_context(echo.socket("/ws/events"))
                seen += 1
        assert 20 <= seen <= 32
        cameras = [stack.enter_context(echo.socket("/test/frames")) for _ in range(frames.MAX_SEATS)]
        with echo.socket("/test/frames") as late:
            assert code_of(late) == frames.TRY_LATER
            assert "close another page" in late.close_reason  # type: ignore[operator]
        assert_answers(cameras[-1])
        assert alive(echo)
        until(lambda: counts(echo)[0] < before + 100)  # those that asked for nothing were parted from
    until(lambda: counts(echo)[0] <= before + 2)
    with echo.socket("/test/frames") as camera, echo.socket("/ws/events"):
        assert_answers(camera)
    until(lambda: counts(echo)[1] <= threads + 1)


def test_a_byte_a_second_is_not_waited_for(echo: StudioProcess) -> None:
    with socket.create_connection(("127.0.0.1", echo.port), PATIENCE) as line:
        ended = threading.Event()
        request = iter(f"GET {PAGE} HTTP/1.1\r\nHost: 127.0.0.1:{echo.port}\r\nX: {'x' * 10_000}".encode())

        def drip() -> None:
            try:
                while not ended.wait(0.1):
                    line.sendall(bytes([next(request)]))
            except OSError:
                pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert line.recv(1) == b""
        except ConnectionResetError:
            pass
        finally:
            ended.set()
            dripping.join()
    # Also when a request went before.
    with socket.create_connection(("127.0.0.1", echo.port), PATIENCE) as line:
        line.sendall("\r\n".join([f"GET {PAGE} HTTP/1.1", *headers(echo), "", ""]).encode() + b"GET /")
        answer = b""
        try:
            while piece := line.recv(1 << 16):
                answer += piece
        except ConnectionResetError:
            pass
        assert answer.count(b"HTTP/1.1 200") == 1


@contextmanager
def deaf(at: StudioProcess, path: str) -> Iterator[socket.socket]:
    """Open a WebSocket by hand, on a socket of which nothing is read but the handshake."""
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(PATIENCE)
        line.connect(("127.0.0.1", at.port))
        lines = [f"GET {path} HTTP/1.1", *headers(at), "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "", ""]  # fmt: skip
        line.sendall("\r\n".join(lines).encode())
        assert line.recv(12) == b"HTTP/1.1 101"
        yield line


@NEEDS_PROC
def test_who_never_reads_events_is_parted_from(echo: StudioProcess) -> None:
    echo.get("/test/noise")
    echo.get("/test/noise")
    descriptors, before = counts(echo)[0], memory_of(echo.process.pid)
    with ExitStack() as stack:
        lines = [stack.enter_context(deaf(echo, "/ws/events")) for _ in range(5)]
        for _ in range(5):
            echo.get("/test/noise")  # 100 MB for those who read
        assert memory_of(echo.process.pid) < before + (80 << 20)
        assert echo.event("noise 3", lambda said: said.startswith("0 39 "))
        until(lambda: counts(echo)[0] <= descriptors + 1)  # though their sockets are still open here
        assert all(line.fileno() >= 0 for line in lines)
    assert alive(echo)


@NEEDS_PROC
def test_who_sends_frames_and_never_reads_answers(echo: StudioProcess) -> None:
    """The answers find no room at last, and then the frames find none: nothing grows."""
    descriptors, before = counts(echo)[0], memory_of(echo.process.pid)
    message = frame_message(1, b"x" * 100)
    framed = b"\x82\xfe" + len(message).to_bytes(2, "big") + b"\0\0\0\0" + message
    with deaf(echo, "/test/frames") as line:
        line.settimeout(0.5)
        try:
            while True:
                line.sendall(100 * framed)
        except (TimeoutError, OSError):
            pass
        assert memory_of(echo.process.pid) < before + (64 << 20)
        until(lambda: counts(echo)[0] <= descriptors)
    with ExitStack() as stack:  # all seats are free again
        for _ in range(frames.MAX_SEATS):
            assert_answers(stack.enter_context(echo.socket("/test/frames")))


@NEEDS_PROC
def test_memory_after_many_events_and_frames(echo: StudioProcess) -> None:
    loudest = "{} 39 " + "x" * 1_000_000

    def work(run: int) -> None:
        with echo.socket("/test/frames") as camera, echo.socket("/ws/events", close_timeout=0.1) as events:
            for number in range(100):
                camera.send(frame_message(number, b"x" * 100_000))
                while json.loads(camera.recv(PATIENCE)).get("n") != number:
                    pass
            echo.get("/test/noise", run=run)
            while json.loads(events.recv(PATIENCE))["data"] != loudest.format(run):
                pass

    sizes = []
    for run in range(8):
        work(run)
        sizes.append(memory_of(echo.process.pid))
    assert min(sizes[4:]) < 1.1 * max(sizes[:2])  # it comes and goes by a few MB, as events wait or not


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(min_size=1, max_size=300))
def test_garbage_instead_of_requests(echo: StudioProcess, garbage: bytes) -> None:
    assert b" 200 " not in exchanged(echo.port, garbage, ended=True)[:20]


def test_it_said_nothing_of_all_this(place: Path) -> None:
    """Nothing of the token, no traceback, nothing at all: strangers cannot fill the user's terminal."""
    with studio(place) as running:
        assert asked(running, "Host: evil.example", path=f"/?token={token_of(running)}")[0] == 421
        exchanged(running.port, b"garbage\r\n\r\n", ended=True)
        assert alive(running)
        assert upgraded(running, f"/ws/events?token={token_of(running)}") == 101
        assert upgraded(running, "/ws/nothing") == 403
        assert running.stop() == 0
        assert running.said == ""
        assert running.process.stdout is not None
        assert token_of(running) not in running.process.stdout.read()


def test_the_key_leaves_the_address_bar(home: StudioProcess) -> None:
    """In Chromium: neither the page nor what it asks for shows it, and the page can be loaded again without."""
    told = json.loads(run_node("studio_address.mjs", home.address).stdout)
    answer = told["answer"]
    assert answer["place"] == f"{home.origin}/"
    assert answer["cookies"] == ""
    [kept] = answer["kept"]
    assert (kept["httpOnly"], kept["sameSite"], kept["expires"]) == (True, "Strict", -1)
    assert len(answer["asked"]) > 3
    assert token_of(home) not in json.dumps([answer["asked"], answer["title"], told["said"]])
    assert {one["url"].split("/")[2] for one in answer["asked"]} == {f"127.0.0.1:{home.port}"}
    assert (told["errors"], told["refused"]) == ([], [])


def test_nobody_listens_elsewhere(home: StudioProcess) -> None:
    """On 127.0.0.1 only, by design: there is no --host."""
    for family, address in ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.2")):
        with socket.socket(family) as line, pytest.raises(OSError):  # noqa: PT011
            line.connect((address, home.port))
    with pytest.raises(OSError):  # noqa: PT011
        connect(f"ws://[::1]:{home.port}/ws/events").close()
