"""Google's TFLite files: found, downloaded (from a server on this machine), imported, and never used unverified."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gesture_maker.assets import (
    ASSETS,
    asset_bytes,
    cache_folder,
    fetch_assets,
    import_assets,
    list_assets,
    verify_assets,
)
from gesture_maker.bundle.task import TaskBundle, write_task
from gesture_maker.errors import AssetError
from gesture_maker.files import sha256_of

ROOT = Path(__file__).resolve().parent.parent
FILES = {"gesture_embedder": "gesture_embedder.tflite", "canned_gesture_classifier": "canned_gesture_classifier.tflite"}
BOTH_WAYS_OUT = r"assets import FILE.*--embedder builtin"
NOT_A_MODEL_OF_GOOGLES = b"\x1c\0\0\0TFL3 something else"


class Server:
    """A server on this machine that gives one answer after another, the last one for ever, and counts the questions."""

    def __init__(self) -> None:
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = outer.answers[min(outer.asked, len(outer.answers) - 1)]
                outer.asked += 1
                answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/gesture_recognizer.task"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def answer(
    body: bytes, status: int = 200, length: int | None = None, headers: tuple[tuple[str, str], ...] = ()
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return an answer of the server; a `length` beyond the body's is a connection that broke off."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for header in headers:
            handler.send_header(*header)
        handler.end_headers()
        handler.wfile.write(body)

    return send


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, no settings of the person who runs the tests, and no way out of this machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for variable in ("GESTURE_MAKER_ASSETS", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GESTURE_MAKER_ASSETS_URL", "http://127.0.0.1:1/nothing-listens-here")
    folder = cache_folder()
    assert tmp_path in folder.parents
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    running = Server()
    monkeypatch.setenv("GESTURE_MAKER_ASSETS_URL", running.url)
    yield running
    running.close()


@pytest.fixture(scope="module")
def google(shared: Path) -> dict[str, bytes]:
    """The four files of Google's, by name."""
    own = {name: asset_bytes(name) for name in ("hand_detector", "hand_landmarks_detector")}
    return own | {name: (shared / "assets" / file).read_bytes() for name, file in FILES.items()}


@pytest.fixture(scope="module")
def published(google: dict[str, bytes]) -> bytes:
    """Google's published bundle."""
    return write_task(TaskBundle(**google))


@pytest.fixture(scope="module")
def impostor(google: dict[str, bytes]) -> bytes:
    """A bundle whose embedder is another one, as a run with the built-in embedder has it."""
    return write_task(TaskBundle(**{**google, "gesture_embedder": NOT_A_MODEL_OF_GOOGLES}))


# --- found on this machine


def test_the_hand_files_come_from_the_installed_mediapipe_package() -> None:
    for name in ("hand_detector", "hand_landmarks_detector"):
        assert sha256_of(asset_bytes(name, download=False)) == ASSETS[name].sha256


@pytest.mark.parametrize("name", FILES)
def test_the_named_folder_comes_before_the_environments_and_that_before_the_cache(
    name: str, google: dict[str, bytes], own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, environment = tmp_path / "named", tmp_path / "environment"
    # Each place in turn is the only right one, with wrong files in all places after it.
    for folder in (named, environment, own_cache):
        folder.mkdir(parents=True)
        (folder / FILES[name]).write_bytes(NOT_A_MODEL_OF_GOOGLES)
    monkeypatch.setenv("GESTURE_MAKER_ASSETS", str(environment))
    for folder, argument in ((named, named), (environment, None)):
        (folder / FILES[name]).write_bytes(google[name])
        assert asset_bytes(name, argument, download=False) == google[name]
        (folder / FILES[name]).unlink()
    (own_cache / FILES[name]).write_bytes(google[name])
    assert asset_bytes(name, named, download=False) == google[name]
    assert asset_bytes(name, download=False) == google[name]


def test_without_download_the_sentence_says_what_to_do(server: Server) -> None:
    with pytest.raises(AssetError, match=rf"assets fetch.*{BOTH_WAYS_OUT}"):
        asset_bytes("gesture_embedder", download=False)
    assert server.asked == 0


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AssetError, match="choose one of hand_detector"):
        asset_bytes("face_detector")


@pytest.mark.parametrize("by_environment", [False, True])
def test_bad_input_assets_folder_that_is_not_there(
    by_environment: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "nothing"
    if by_environment:
        monkeypatch.setenv("GESTURE_MAKER_ASSETS", str(wrong))
    with pytest.raises(AssetError, match=f"{wrong}.*does not exist"):
        asset_bytes("gesture_embedder", None if by_environment else wrong)
    wrong.write_bytes(b"")
    with pytest.raises(AssetError, match="is not a folder"):
        asset_bytes("gesture_embedder", None if by_environment else wrong)


# --- a wrong hash


@pytest.mark.parametrize("place", ["folder", "environment", "cache"])
def test_bad_input_asset_with_a_wrong_hash(
    place: str,
    google: dict[str, bytes],
    published: bytes,
    own_cache: Path,
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.answers = [answer(published)]  # never asked: a wrong file is not passed over
    folder = own_cache if place == "cache" else tmp_path / place
    folder.mkdir(parents=True)
    wrong = google["gesture_embedder"][:-1] + b"?"
    (folder / "gesture_embedder.tflite").write_bytes(wrong)
    if place == "environment":
        monkeypatch.setenv("GESTURE_MAKER_ASSETS", str(folder))
    argument = folder if place == "folder" else None

    with pytest.raises(AssetError, match="remove it") as raised:
        asset_bytes("gesture_embedder", argument)
    for part in (str(folder / "gesture_embedder.tflite"), sha256_of(wrong), ASSETS["gesture_embedder"].sha256):
        assert part in str(raised.value)
    assert server.asked == 0
    assert [status.name for status in verify_assets(argument) if status.expected] == ["gesture_embedder"]

    fetch_assets(argument)  # replaces it
    assert asset_bytes("gesture_embedder", argument) == google["gesture_embedder"]


def test_bad_input_hand_file_of_mediapipe_with_a_wrong_hash(tmp_path: Path) -> None:
    wrong = tmp_path / "mediapipe/modules/palm_detection/palm_detection_full.tflite"
    wrong.parent.mkdir(parents=True)
    (tmp_path / "mediapipe/__init__.py").write_text("")
    wrong.write_bytes(NOT_A_MODEL_OF_GOOGLES)
    program = (
        "from gesture_maker.assets import asset_bytes, list_assets\n"
        "print([status.state for status in list_assets()][:2])\n"
        "asset_bytes('hand_detector')\n"
    )
    result = _python("-c", program, PYTHONPATH=str(tmp_path))
    assert result.stdout.strip() == "['wrong hash', 'missing']"
    assert f"{wrong} is not the file it should be" in result.stderr
    assert "install mediapipe 0.10.21 again" in result.stderr


# --- downloads


def test_a_download_is_kept_and_not_repeated(
    google: dict[str, bytes], published: bytes, own_cache: Path, server: Server
) -> None:
    server.answers = [answer(published)]
    seen: list[tuple[int, int]] = []
    assert asset_bytes("gesture_embedder", progress=lambda *now: seen.append(now)) == google["gesture_embedder"]
    assert seen[-1] == (len(published), len(published))
    assert seen == sorted(seen)
    assert (own_cache / "gesture_embedder.tflite").read_bytes() == google["gesture_embedder"]
    assert asset_bytes("gesture_embedder") == google["gesture_embedder"]
    assert server.asked == 1


def test_fetch_gets_both_files_once(
    google: dict[str, bytes], published: bytes, own_cache: Path, server: Server
) -> None:
    server.answers = [answer(published)]
    for _ in range(2):
        assert [status.state for status in fetch_assets()] == ["verified", "verified"]
    assert server.asked == 1
    assert {path.name: path.read_bytes() for path in own_cache.iterdir()} == {
        file: google[name] for name, file in FILES.items()
    }


def test_fetch_goes_to_the_named_folder(published: bytes, own_cache: Path, tmp_path: Path, server: Server) -> None:
    server.answers = [answer(published)]
    (tmp_path / "named").mkdir()
    fetch_assets(tmp_path / "named")
    assert sorted(path.name for path in (tmp_path / "named").iterdir()) == sorted(FILES.values())
    assert not own_cache.exists()


def test_bad_input_download_with_a_wrong_hash(impostor: bytes, own_cache: Path, server: Server) -> None:
    server.answers = [answer(impostor)]
    with pytest.raises(AssetError, match=BOTH_WAYS_OUT) as raised:
        fetch_assets()
    for part in ("gesture_embedder.tflite", sha256_of(NOT_A_MODEL_OF_GOOGLES), ASSETS["gesture_embedder"].sha256):
        assert part in str(raised.value)
    assert not own_cache.exists()  # not even the right one of the two


@pytest.mark.parametrize(
    ("answers", "asked", "reason"),
    [
        ([answer(b"<!DOCTYPE html><title>Sign in to this network</title>")], 1, "not Google's bundle"),
        ([answer(b"", 204)], 1, "answered 204"),
        ([answer(b"")], 1, "not Google's bundle"),
        ([answer(b"Not here", 404)], 1, "answered 404"),
        ([answer(b"Broken", 500)], 4, "answered 500"),
        ([answer(b"PK\x03\x04 and no more", length=1000)], 3, "broke off"),
        ([answer(b"PK\x03\x04 and no more")], 1, "cut short"),
    ],
)
def test_bad_input_download_of_something_else(
    answers: list[Callable[[BaseHTTPRequestHandler], None]], asked: int, reason: str, own_cache: Path, server: Server
) -> None:
    server.answers = answers
    with pytest.raises(AssetError, match=BOTH_WAYS_OUT) as raised:
        asset_bytes("gesture_embedder")
    assert reason in str(raised.value)
    assert server.url in str(raised.value)
    assert server.asked == asked
    assert not own_cache.exists()


@pytest.mark.parametrize("first", ["error", "cut off"])
def test_a_server_that_recovers_is_asked_again(
    first: str, google: dict[str, bytes], published: bytes, server: Server
) -> None:
    failure = answer(b"Busy", 503) if first == "error" else answer(published[:100_000], length=len(published))
    server.answers = [failure, failure, answer(published)]
    assert asset_bytes("canned_gesture_classifier") == google["canned_gesture_classifier"]
    assert server.asked == 3


def test_a_server_that_asks_to_wait_for_an_hour_is_not_obeyed(published: bytes, server: Server) -> None:
    server.answers = [answer(b"Busy", 503, headers=(("Retry-After", "3600"),)), answer(published)]
    assert _python("-m", "gesture_maker", "assets", "fetch").returncode == 0  # within its time-out of two minutes
    assert server.asked == 2


def test_bad_input_no_network(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    with socket.socket() as taken:  # bound and not listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GESTURE_MAKER_ASSETS_URL", f"http://name:secret@127.0.0.1:{taken.getsockname()[1]}/a.task")
        with pytest.raises(AssetError, match=BOTH_WAYS_OUT) as raised:
            asset_bytes("gesture_embedder")
    assert "no connection" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not own_cache.exists()


@pytest.mark.parametrize("address", ["no-address", "ftp://127.0.0.1/a.task", "http://[", "file:///etc/hostname"])
def test_bad_input_download_address(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GESTURE_MAKER_ASSETS_URL", address)
    with pytest.raises(AssetError, match="no address to download from"):
        asset_bytes("gesture_embedder")


# --- imports


def test_files_are_imported_from_a_bundle_whatever_they_are_called(
    google: dict[str, bytes], published: bytes, own_cache: Path, tmp_path: Path
) -> None:
    source = tmp_path / "downloaded (1).bin"
    source.write_bytes(published)
    assert [status.state for status in import_assets(source)] == ["verified", "verified"]
    for name in FILES:
        assert asset_bytes(name, download=False) == google[name]
        assert (own_cache / FILES[name]).read_bytes() == google[name]


def test_files_are_imported_from_a_folder_of_files_or_bundles(
    google: dict[str, bytes], published: bytes, impostor: bytes, tmp_path: Path
) -> None:
    files, bundles = tmp_path / "files", tmp_path / "bundles"
    for folder in (files, bundles):
        folder.mkdir()
        (folder / "readme.txt").write_text("not a model")
    for number, name in enumerate(FILES):
        (files / f"{number}.tflite").write_bytes(google[name])
    (bundles / "a.task").write_bytes(impostor)  # another file of the same name does no harm beside the right one
    (bundles / "b.task").write_bytes(published)
    for folder in (files, bundles):
        target = tmp_path / f"from {folder.name}"  # is made
        assert [status.state for status in import_assets(folder, target)] == ["verified", "verified"]
        assert {path.name: path.read_bytes() for path in target.iterdir()} == {
            file: google[name] for name, file in FILES.items()
        }


def test_one_file_alone_is_imported_and_the_other_reported_missing(google: dict[str, bytes], tmp_path: Path) -> None:
    source = tmp_path / "a.tflite"
    source.write_bytes(google["gesture_embedder"])
    assert {status.name: status.state for status in import_assets(source)} == {
        "gesture_embedder": "verified",
        "canned_gesture_classifier": "missing",
    }


def test_an_import_replaces_a_damaged_file(google: dict[str, bytes], published: bytes, own_cache: Path) -> None:
    own_cache.mkdir(parents=True)
    (own_cache / "gesture_embedder.tflite").write_bytes(b"")
    source = own_cache.parent / "a.task"
    source.write_bytes(published)
    import_assets(source)
    assert asset_bytes("gesture_embedder") == google["gesture_embedder"]


@pytest.mark.parametrize("case", ["garbage", "empty", "nothing there", "empty folder", "cut short", "hands only"])
def test_bad_input_import(
    case: str, google: dict[str, bytes], published: bytes, own_cache: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source.task"
    contents = {
        "garbage": b"not a bundle",
        "empty": b"",
        "cut short": published[: len(published) // 2],
        "hands only": google["hand_detector"],
    }
    if case in contents:
        source.write_bytes(contents[case])
    elif case == "empty folder":
        source.mkdir()
    with pytest.raises(AssetError) as raised:
        import_assets(source)
    assert str(source) in str(raised.value)
    assert not own_cache.exists()


@pytest.mark.parametrize("in_folder", [False, True])
def test_bad_input_import_with_a_wrong_hash(in_folder: bool, impostor: bytes, own_cache: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    source = tmp_path / "folder" / "mine.task"
    source.write_bytes(impostor)
    with pytest.raises(AssetError, match=r"Google.s own gesture_recognizer\.task") as raised:
        import_assets(source.parent if in_folder else source)
    for part in (
        f"gesture_embedder.tflite in hand_gesture_recognizer.task in {source}",
        sha256_of(NOT_A_MODEL_OF_GOOGLES),
    ):
        assert part in str(raised.value)
    assert not own_cache.exists()


# --- the list, and the command line


def test_the_list_tells_where_each_file_is(google: dict[str, bytes], shared: Path, own_cache: Path) -> None:
    before = {status.name: status for status in list_assets() if status.expected}
    assert {name: status.state for name, status in before.items()} == {
        "hand_detector": "verified",
        "hand_landmarks_detector": "verified",
        "gesture_embedder": "missing",
        "canned_gesture_classifier": "missing",
    }
    own_cache.mkdir(parents=True)
    shutil.copy(shared / "assets/gesture_embedder.tflite", own_cache)
    after = {status.name: status for status in list_assets(shared / "assets")}
    assert after["gesture_embedder"].path == shared / "assets/gesture_embedder.tflite"
    for name, content in google.items():
        assert (after[name].sha256, after[name].size) == (sha256_of(content), len(content))
    assert all(status.problem is None for status in after.values())
    cached = {status.name: status for status in list_assets()}
    assert cached["gesture_embedder"].path == own_cache / "gesture_embedder.tflite"


def test_missing_files_of_googles_are_no_problem_and_our_own_are_there() -> None:
    assert verify_assets() == []
    shipped = {status.name: status for status in list_assets() if status.expected is None}
    assert set(shipped) == {"builtin_embedder", "silent_canned_classifier"}
    for status in shipped.values():
        assert status.path is not None
        assert status.sha256 == sha256_of(status.path.read_bytes())


def test_commands_fetch_import_list_and_verify(published: bytes, own_cache: Path, server: Server) -> None:
    from gesture_maker.cli.assets import app

    server.answers = [answer(published)]
    run = CliRunner().invoke
    listed = run(app, ["list"])
    assert listed.exit_code == 0
    assert "gesture_embedder: not there: needed only for --embedder mediapipe" in listed.output
    fetched = run(app, ["fetch"])
    assert fetched.exit_code == 0
    assert fetched.output.count("verified") == 2
    assert str(own_cache) in fetched.output
    assert run(app, ["verify"]).exit_code == 0
    source = own_cache.parent / "[a] b.task"
    source.write_bytes(published)
    shutil.rmtree(own_cache)
    imported = run(app, ["import", str(source)])
    assert imported.exit_code == 0
    assert imported.output.count(ASSETS["gesture_embedder"].sha256) == 1


def test_verify_exits_1_when_a_file_is_wrong(own_cache: Path) -> None:
    own_cache.mkdir(parents=True)
    (own_cache / "gesture_embedder.tflite").write_bytes(NOT_A_MODEL_OF_GOOGLES)
    verified = _python("-m", "gesture_maker", "assets", "verify")
    assert verified.returncode == 1
    assert verified.stderr.startswith(f"Error: {own_cache / 'gesture_embedder.tflite'} is not the file it should be")
    assert "Traceback" not in verified.stderr
    assert _python("-m", "gesture_maker", "assets", "list").returncode == 0


def test_bad_input_on_the_command_line_is_one_sentence_and_exit_1(tmp_path: Path) -> None:
    for arguments in (
        ["import", str(tmp_path / "nothing.task")],
        ["fetch"],
        ["list", "--assets", str(tmp_path / "no")],
    ):
        result = _python("-m", "gesture_maker", "assets", *arguments)
        assert result.returncode == 1
        assert result.stderr.startswith("Error: ")
        assert len(result.stderr.splitlines()) == 1
    assert _python("-m", "gesture_maker", "assets", "import").returncode == 2


@pytest.mark.parametrize("command", [[], ["list"], ["fetch"], ["import"], ["verify"]])
def test_every_help_ends_with_an_example(command: list[str]) -> None:
    shown = _python("-m", "gesture_maker", "assets", *command, "--help")
    assert shown.returncode == 0
    assert "Example:  gesture-maker assets" in shown.stdout.strip().splitlines()[-1]


def test_neither_tensorflow_nor_mediapipe_is_imported(shared: Path) -> None:
    program = (
        "import sys, pathlib, gesture_maker.assets, gesture_maker.bundle.task as task, gesture_maker.cli.assets\n"
        "assert 'requests' not in sys.modules\n"
        f"folder = pathlib.Path({str(shared / 'assets')!r})\n"
        "assert gesture_maker.assets.list_assets(folder)\n"
        "task.labels_of(gesture_maker.assets.asset_bytes('canned_gesture_classifier', folder))\n"
        "assert not {'tensorflow', 'mediapipe'} & set(sys.modules)\n"
    )
    result = _python("-c", program)
    assert (result.returncode, result.stderr) == (0, "")


def _python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
