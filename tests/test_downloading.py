"""Downloads from a server on this machine: broken off, gone on from, and checked by what came first."""

from __future__ import annotations

import io
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving_files
from helpers import tree, write

from gesture_maker.downloading import ChecksumError, DownloadError, download, downloaded_file
from gesture_maker.files import sha256_of

CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
LIMIT = 1 << 20
PIECE = 1 << 16  # what is read at a time: of a piece that broke off nothing is kept


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving_files(photos__zip=CONTENT) as running:
        yield running


def anything(_: Path) -> bool:
    return True


def fetched(server: FileServer, target: Path) -> bytes:
    return downloaded_file(f"{server.address}/photos.zip", target, LIMIT, anything).path.read_bytes()


def leave_half(server: FileServer, target: Path) -> None:
    """Let a download break off after a piece, as often as it is tried."""
    server.cuts, ranges, server.ranges = [PIECE + 9] * 3, server.ranges, False
    with pytest.raises(DownloadError, match="broke off"):
        fetched(server, target)
    server.ranges = ranges
    server.asked.clear()


def test_a_file_comes_once_and_has_its_checksum_beside_it(server: FileServer, tmp_path: Path) -> None:
    target = tmp_path / "mein Café" / "photos.zip"
    seen: list[tuple[int, int]] = []
    url = f"{server.address}/photos.zip"
    first = downloaded_file(url, target, LIMIT, anything, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert (first.path, first.sha256, first.first) == (target, sha256_of(CONTENT), True)
    assert target.with_name("photos.zip.sha256").read_text() == f"{sha256_of(CONTENT)}  photos.zip\n"
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    again = downloaded_file(url, target, LIMIT, anything)
    assert not again.first
    assert len(server.asked) == 1


def test_a_broken_connection_is_taken_up_where_it_ended(server: FileServer) -> None:
    server.cuts = [PIECE + 9, 0, 2 * PIECE + 9]
    out = io.BytesIO()
    download(f"{server.address}/photos.zip", out, LIMIT)
    assert out.getvalue() == CONTENT
    assert [begin for _, begin in server.asked] == ["", *(f"bytes={n * PIECE}-" for n in (1, 1, 3))]


def test_the_next_run_goes_on(server: FileServer, tmp_path: Path) -> None:
    leave_half(server, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
    assert fetched(server, tmp_path / "a.zip") == CONTENT
    assert server.asked == [("photos.zip", f"bytes={PIECE}-")]
    assert set(tree(tmp_path)) - {"a.zip.lock"} == {"a.zip", "a.zip.sha256"}


def test_a_part_of_another_version_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    leave_half(server, tmp_path / "a.zip")
    server.files["photos.zip"] = OTHER
    assert fetched(server, tmp_path / "a.zip") == OTHER


@pytest.mark.parametrize("what", ["ranges", "versions"])
def test_a_server_that_knows_less_sends_all_again(what: str, server: FileServer, tmp_path: Path) -> None:
    setattr(server, what, False)
    leave_half(server, tmp_path / "a.zip")
    assert fetched(server, tmp_path / "a.zip") == CONTENT


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    leave_half(server, tmp_path / "a.zip")
    part = tmp_path / "a.zip.part"
    part.write_bytes(part.read_bytes() + bytes(400_000))
    assert fetched(server, tmp_path / "a.zip") == CONTENT


def test_bad_input_another_file_than_the_first_time(server: FileServer, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    fetched(server, target)
    write(target, OTHER)
    with pytest.raises(ChecksumError, match=rf"{sha256_of(OTHER)[:12]}.*{sha256_of(CONTENT)[:12]}.*remove it"):
        fetched(server, target)
    assert target.read_bytes() == OTHER
    target.unlink()
    server.files["photos.zip"] = OTHER
    with pytest.raises(ChecksumError):
        fetched(server, target)
    assert not target.exists()


def test_bad_input_something_else_leaves_no_checksum(server: FileServer, tmp_path: Path) -> None:
    url = f"{server.address}/photos.zip"
    with pytest.raises(DownloadError, match="something else"):
        downloaded_file(url, tmp_path / "a.zip", LIMIT, lambda path: path.read_bytes() == OTHER)
    assert not {"a.zip", "a.zip.sha256", "a.zip.part"} & set(tree(tmp_path))
    with pytest.raises(DownloadError, match="is over 0 MB"):
        downloaded_file(url, tmp_path / "a.zip", 1000, anything)
    server.status = 403
    with pytest.raises(DownloadError, match="answered 403"):
        fetched(server, tmp_path / "a.zip")


def test_bad_input_no_server(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://user:secret@127.0.0.1:{free.getsockname()[1]}/photos.zip"
    with pytest.raises(DownloadError, match="no connection") as told:
        downloaded_file(address, tmp_path / "a.zip", LIMIT, anything)
    assert "secret" not in str(told.value)
