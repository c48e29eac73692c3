"""Sharing models when something fails: the network, the server, permissions, a kill; and that no token is ever shown."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Cli
from helpers import environment, one_sentence_error, run_cli, tree, write
from hub_runs import Shared, image_run
from hub_server import Fault, hub_server

from gesture_maker.errors import HubError, HubUnreachableError
from gesture_maker.hub.addresses import checked_endpoint
from gesture_maker.hub.client import Hub, opened, read_token
from gesture_maker.hub.finding import is_hub_address, local_of


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shared]:
    """A Hub with a tiny model, pushed."""
    with hub_server() as server:
        found = Shared.at_home(server, tmp_path, monkeypatch)
        image_run(tmp_path / "exported_models")
        found.push("pixels")
        server.requests.clear()
        yield found


NOWHERE = "http://127.0.0.1:9"  # the port of `discard`, where nothing listens


# The network and the server


def test_no_network_is_a_sentence(shared: Shared) -> None:
    for task in (lambda: shared.pull(endpoint=NOWHERE), lambda: shared.push("pixels", endpoint=NOWHERE)):
        with pytest.raises(HubUnreachableError, match=r"^127\.0\.0\.1:9 cannot be reached: check the connection"):
            task()


def test_a_server_that_fails_is_a_sentence(shared: Shared) -> None:
    shared.server.faults = [Fault("POST", "/api/repos/create", status=500)]
    with pytest.raises(HubUnreachableError, match="answers with the error 500: try again later"):
        shared.push("pixels", "anna/new")
    shared.server.faults = [Fault("GET", "/api/models", status=503)]
    with pytest.raises(HubUnreachableError, match="answers with the error 503"):
        shared.pull()
    shared.server.faults = [Fault("GET", "resolve/.*/model", status=502)]
    with pytest.raises(HubUnreachableError, match="answers with the error 502"):
        shared.pull()
    assert not Path("exported_models/rps").exists()


def test_what_is_no_hub_is_a_sentence(shared: Shared) -> None:
    with pytest.raises(HubError, match="There is no repository anna/rps on"):
        shared.pull(endpoint=f"{shared.server.address}/api")
    shared.server.faults = [Fault("GET", "/api/models", status=204)]
    with pytest.raises(HubError, match="does not answer as a Hub does"):
        shared.pull()


def test_a_pull_goes_on_where_the_connection_broke_off(shared: Shared) -> None:
    size = len(shared.repository.files()["model.tflite"])
    shared.server.faults = [Fault("GET", "/storage/", after=700), Fault("GET", "/storage/", after=500, times=9)]
    # The picture is the first large file; it has fewer bytes, and comes whole.
    with pytest.raises(HubUnreachableError, match=r"broke off at model\.tflite: 1,500 of [0-9,]+ bytes are kept"):
        shared.pull()
    assert not Path("exported_models/rps").exists()
    shared.server.faults = []
    shared.server.headers_seen.clear()
    told: list[int] = []
    pulled = shared.pull(progress=lambda done, _: told.append(done))
    ranges = {seen["range"] for seen in shared.server.headers_seen if "range" in seen}
    assert ranges == {"bytes=1500-"}
    assert (pulled.path / "model.tflite").stat().st_size == size
    assert tree(shared.place / "cache") == {}


def test_a_break_within_one_pull_is_mended_at_once(shared: Shared) -> None:
    shared.server.faults = [Fault("GET", "resolve/.*/image.json", after=100)]
    assert shared.pull().kind == "image"
    assert any(seen.get("range") == "bytes=100-" for seen in shared.server.headers_seen)


def test_a_part_of_another_content_is_not_gone_on_with(shared: Shared) -> None:
    """What is kept has the name of the SHA-256 that the whole is to have; a part that is not its beginning does not become it."""
    sha = next(one["sha256"] for one in shared.manifest()["files"] if one["name"] == "model.tflite")
    write(shared.place / "cache/hub/parts" / sha, b"\0" * 40)
    with pytest.raises(HubError, match="is not the file that was pushed"):
        shared.pull()
    assert shared.pull().kind == "image"


def test_a_push_that_broke_off_goes_on(shared: Shared) -> None:
    image_run(shared.place / "exported_models", "second")
    shared.server.faults = [Fault("POST", "/commit/", status=500)]
    with pytest.raises(HubUnreachableError, match="error 500"):
        shared.push("second", "anna/second", revision="main")
    assert set(shared.server.repositories["anna/second"].files()) == {".gitattributes"}
    shared.server.requests.clear()
    shared.push("second", "anna/second")
    assert "model.tflite" in shared.server.repositories["anna/second"].files()
    assert not [path for method, path in shared.server.requests if method == "PUT"]


def test_an_interrupted_pull_leaves_nothing(shared: Shared) -> None:
    def interrupt(done: int, _: int) -> None:
        if done > 3000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared.pull(progress=interrupt)
    assert {path.name for path in Path("exported_models").iterdir()} == {"pixels"}
    assert shared.pull().kind == "image"


# Revisions and folders


def test_the_same_again_is_nothing_to_do_and_another_needs_a_name(shared: Shared) -> None:
    first = shared.pull()
    shared.server.requests.clear()
    again = shared.pull()
    assert (again.again, again.revision, again.fingerprint) == (True, first.revision, first.fingerprint)
    assert set(again.files) == set(first.files)
    assert not [path for _, path in shared.server.requests if "resolve" in path]
    image_run(shared.place / "exported_models", settings={"epochs": 9})
    newest = shared.push("pixels").commit
    assert shared.pull(revision=first.revision).again
    with pytest.raises(
        HubError, match=r"rps holds anna/rps of .* at [0-9a-f]{12}: choose another --name, or replace it"
    ):
        shared.pull()
    assert shared.pull(name="newer").revision == newest
    (first.path / "evaluation").mkdir()
    assert shared.pull(overwrite=True).revision == newest
    assert not (first.path / "evaluation").exists()
    assert shared.pull(f"anna/rps@{first.revision}", name="older").revision == first.revision


def test_a_run_of_ones_own_is_never_replaced(shared: Shared) -> None:
    before = tree(Path("exported_models"))
    for overwrite in (False, True):
        with pytest.raises(HubError, match="pixels exists and was not pulled: choose another --name"):
            shared.pull(name="pixels", overwrite=overwrite)
    assert tree(Path("exported_models")) == before
    assert shared.server.requests == []


def test_revisions_that_there_are_not(shared: Shared) -> None:
    with pytest.raises(HubError, match="has no such revision"):
        shared.pull(revision="v9")
    with pytest.raises(HubError, match="give one of them"):
        shared.pull("anna/rps@v1", revision="v2")


# hf://OWNER/NAME


def test_a_model_named_by_its_address_is_pulled_once(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", shared.token)
    monkeypatch.setenv("HF_ENDPOINT", shared.server.address)
    assert is_hub_address("hf://anna/rps")
    assert not is_hub_address("anna/rps")
    folder = local_of("hf://anna/rps")
    assert (folder / "model.tflite").is_file()
    shared.server.requests.clear()
    assert local_of("hf://anna/rps") == folder
    assert [path for _, path in shared.server.requests] == ["/api/models/anna/rps/revision/main"]
    assert local_of(f"hf://anna/rps@{folder.name}") == folder
    assert len(shared.server.requests) == 1
    (folder / "labels.txt").write_text("damaged")
    assert local_of("hf://anna/rps") == folder
    assert (folder / "labels.txt").read_text() != "damaged"
    assert not Path("exported_models/rps").exists()


def test_without_a_network_the_last_pull_is_used_and_that_is_said(shared: Shared) -> None:
    where = {"endpoint": shared.server.address, "token": shared.token}
    folder = local_of("hf://anna/rps", **where)
    shared.server.faults = [Fault("GET", "/api/models", status=503, times=9)]
    told: list[str] = []
    assert local_of("hf://anna/rps", notice=told.append, **where) == folder
    assert told == [
        f"{shared.server.address[7:]} answers with the error 503: anna/rps is used as it was pulled before ({folder.name[:12]})."
    ]
    with pytest.raises(HubUnreachableError):
        local_of("hf://anna/other", **where)


# Tokens


def test_without_a_token_it_is_said_how_to_get_one(shared: Shared) -> None:
    with pytest.raises(HubError, match=r"needs a token: make one at .*/settings/tokens, and set HF_TOKEN, log in"):
        shared.push("pixels", token=None)
    with pytest.raises(HubError, match="it is private and needs a token"):
        shared.pull(token=None)


def test_a_token_that_is_wrong_or_may_not_write(shared: Shared) -> None:
    with pytest.raises(HubError, match="does not accept the token: make one at"):
        shared.push("pixels", token="hf_wrong")
    with pytest.raises(HubError, match="does not accept the token"):
        shared.pull(token="hf_wrong")
    reader = shared.server.token("anna", write=False)
    with pytest.raises(HubError, match="does not allow this token to write to anna/rps"):
        shared.push("pixels", token=reader)
    assert shared.pull(token=reader).kind == "image"
    with pytest.raises(HubError, match="does not allow this token to write to ben/rps"):
        shared.push("pixels", "ben/rps")


@pytest.mark.parametrize("content", ["", "\n", "two words", "hf_a\nhf_b", b"\xff\xfe", "x" * 9000])
def test_a_file_without_a_token(content: str | bytes, tmp_path: Path) -> None:
    with pytest.raises(HubError, match="holds no token") as told:
        read_token(write(tmp_path / "token", content))
    assert "hf_a" not in str(told.value)
    with pytest.raises(HubError, match="cannot be read"):
        read_token(tmp_path / "nowhere")


def test_a_token_with_a_line_break_is_not_printed_by_the_http_library(shared: Shared) -> None:
    with pytest.raises(HubError, match="has a space, a line break") as told:
        shared.push("pixels", token="hf_secret\nhf_more")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "command", ["push", "pull", "push with 500", "pull with 500", "push elsewhere", "push as nobody", "cut"]
)
def test_a_token_is_in_no_output_file_or_traceback(
    command: str, shared: Shared, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = shared.token
    settings = {"HF_TOKEN": token, "HF_ENDPOINT": shared.server.address, "HF_DEBUG": "1"}
    if "500" in command:
        shared.server.faults = [Fault("GET", "/api/models", status=500, times=9)]
    if command == "push elsewhere":
        settings["HF_ENDPOINT"] = NOWHERE
    if command == "push as nobody":
        del shared.server.users[token]
    if command == "cut":
        shared.server.faults = [Fault("GET", "resolve/.*/image.json", after=10, times=9)]
    words = ("push", "pixels", "anna/rps") if "push" in command else ("pull", "anna/rps")
    done = run_cli("hub", *words, cwd=shared.place, **settings)
    assert token not in done.stdout + done.stderr
    if command in ("push", "pull"):
        assert (done.returncode, done.stderr) == (0, "")
    else:
        one_sentence_error(done)
    for content in tree(shared.place).values():
        assert token.encode() not in content
    for content in [*shared.repository.files().values(), *shared.server.stored.values()]:
        assert token.encode() not in content


def test_a_token_that_a_server_says_back_is_not_shown(shared: Shared) -> None:
    def ask() -> None:
        with opened(shared.server.address, shared.token, what="a/b") as hub:
            assert shared.token not in repr(hub)
            raise_with(hub, f"Your token {shared.token} is\x1b[2J\nbad")

    with pytest.raises(HubError, match=r"418: Your token … is\[2J bad") as told:
        ask()
    assert shared.token not in str(told.value)
    assert told.value.__cause__ is None


def raise_with(hub: Hub, message: str) -> None:
    """Raise what the client raises for an answer 418 that says this."""
    import importlib

    from huggingface_hub.utils import hf_raise_for_status

    http = importlib.import_module(type(hub.session).__module__.split(".")[0])
    request = http.Request("GET", "http://127.0.0.1/api/models/a/b")
    hf_raise_for_status(http.Response(418, text=message, request=request, headers={"Content-Type": "text/plain"}))


def test_a_token_goes_to_the_hub_alone(shared: Shared) -> None:
    """Large files lie at another host, which would refuse it: the server here does, too."""
    shared.server.headers_seen.clear()
    shared.pull()
    hosts = {(seen["host"].split(":")[0], "authorization" in seen) for seen in shared.server.headers_seen}
    assert hosts == {("127.0.0.1", True), ("localhost", False)}


@pytest.mark.parametrize(
    "address",
    [
        "http://hub.example.org",
        "ftp://a.org",
        "hub.example.org",
        "https://a:b@hub.example.org",
        "https://",
        "http://a:x",
    ],
)
def test_addresses_to_which_no_token_is_sent(address: str) -> None:
    with pytest.raises(HubError):
        checked_endpoint(address, with_token=True)


def test_addresses_to_which_one_is_sent() -> None:
    assert checked_endpoint("https://hub.example.org/", with_token=True) == "https://hub.example.org"
    assert checked_endpoint("http://[::1]:80", with_token=True) == "http://[::1]:80"
    assert checked_endpoint("http://hub.example.org", with_token=False) == "http://hub.example.org"


# The client


def test_the_client_is_afterwards_as_it_was(shared: Shared) -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import are_progress_bars_disabled, get_session

    log = logging.getLogger("huggingface_hub")

    def state() -> tuple[object, ...]:
        return get_session().timeout, log.level, constants.HF_HUB_DISABLE_XET, are_progress_bars_disabled()

    before = state()
    shared.pull()
    with pytest.raises(HubError):
        shared.pull("anna/other")
    assert state() == before


def test_no_telemetry_is_sent(shared: Shared) -> None:
    shared.pull()
    for seen in shared.server.headers_seen:
        agent = seen.get("user-agent", "")
        assert "torch" not in agent
        assert "agent/" not in agent
    assert {path.split("/")[1] for _, path in shared.server.requests} <= {"api", "anna", "storage"}


def test_without_the_extra_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    code = """
import importlib.abc, sys
class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "huggingface_hub":
            raise ModuleNotFoundError(name)
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "huggingface_hub" else found(name, *rest)
sys.meta_path.insert(0, Hidden())
from gesture_maker.cli import main
sys.argv = ["gesture-maker", "hub", "pull", "anna/rps"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert one_sentence_error(done) == "The Hub's client is not installed: pip install 'gesture-maker[hub]'"


def test_offline_is_a_sentence(shared: Shared, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    done = cli("hub", "pull", "anna/rps", "--endpoint", shared.server.address, cwd=shared.place)
    assert "HF_HUB_OFFLINE is set" in one_sentence_error(done)


def test_a_folder_that_was_copied_by_hand_is_not_taken_for_a_pulled_one(shared: Shared) -> None:
    pulled = shared.pull()
    copy = shutil.copytree(pulled.path, Path("exported_models/copy"))
    (copy / "pulled.json").write_text(json.dumps({"repo": 1}))
    with pytest.raises(HubError, match="was not pulled"):
        shared.pull(name="copy")
