"""The bytes of a repository's files: no more of them than the manifest says, on from where a broken connection left them.

What has arrived lies in the user's cache under the SHA-256 that it is to have, until the whole model is there and proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gesture_maker.errors import HubError, HubUnreachableError
from gesture_maker.files import sha256_of_file, user_cache
from gesture_maker.hub.client import ANSWER_SECONDS, Hub, network_errors
from gesture_maker.hub.manifest import MANIFEST, MAX_BYTES, SharedFile

_TRIES = 3
"""Of a connection that breaks off and has brought something, without a pause: each begins where the one before ended."""


def cache_folder() -> Path:
    """Return the folder for what is pulled without a name of its own, and for parts of files; it need not exist."""
    return user_cache("hub")


def fetch_manifest(hub: Hub, repo: str, commit: str) -> bytes:
    """Return the manifest of a repository at a commit. Raises HubError when it is larger than one can be."""
    content = b""
    with _asked(hub, repo, commit, MANIFEST, 0) as answer:
        for piece in answer.iter_raw():
            content += piece
            if len(content) > MAX_BYTES:
                raise HubError(f"{MANIFEST} of {repo} is over {MAX_BYTES >> 20} MB, and no manifest: nothing was kept.")
    return content


def fetch_file(hub: Hub, repo: str, commit: str, file: SharedFile, count: Callable[[int], None]) -> Path:
    """Return the path of a file of exactly this size and SHA-256; `count` is told the bytes that it has so far.

    Raises HubUnreachableError when the connection breaks off: what arrived is kept for the next time. Raises HubError for a file
    that is another: nothing of it is kept.
    """
    from filelock import FileLock

    folder = cache_folder() / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / file.sha256
    with FileLock(folder / f"{file.sha256}.lock"):  # two pulls of one file would write between each other's bytes
        for _ in range(_TRIES):
            begin = _size(part, file)
            if begin < file.size:
                _on(hub, repo, commit, file, part, count)
            if _size(part, file) in (begin, file.size):
                break
        count(_size(part, file))
        if _size(part, file) < file.size:
            have = f"{_size(part, file):,} of {file.size:,} bytes"
            raise HubUnreachableError(
                f"The connection to {hub.host} broke off at {file.name}: {have} are kept, run the same command again to go on."
            )
        found = sha256_of_file(part)
        if found != file.sha256:
            part.unlink()
            raise HubError(
                f"{file.name} in {repo} is not the file that was pushed: its SHA-256 is {found[:12]}…, and that of the manifest "
                f"{file.sha256[:12]}…; nothing of it was kept."
            )
    return part


def forget(files: tuple[SharedFile, ...]) -> None:
    """Remove what is kept of these files."""
    for file in files:
        (cache_folder() / "parts" / file.sha256).unlink(missing_ok=True)
        (cache_folder() / "parts" / f"{file.sha256}.lock").unlink(missing_ok=True)


def _on(hub: Hub, repo: str, commit: str, file: SharedFile, part: Path, count: Callable[[int], None]) -> None:
    """Append what the server sends to a part, until it ends or the connection does."""
    done = _size(part, file)
    try:
        with _asked(hub, repo, commit, file.name, done) as answer, part.open("ab") as out:
            if answer.status_code != 206 and done:  # the server sends all of it
                out.truncate(0)
                done = 0
            for piece in answer.iter_raw():
                done += len(piece)
                if done > file.size:
                    out.truncate(0)
                    raise HubError(f"{file.name} in {repo} is larger than its manifest says: nothing of it was kept.")
                out.write(piece)
                count(done)
    except network_errors(hub.session):
        if _size(part, file) == 0:
            raise  # nothing at all arrived


@contextmanager
def _asked(hub: Hub, repo: str, commit: str, name: str, begin: int) -> Iterator[Any]:
    """Yield the answer to a request for a file from a byte on. A token goes to the Hub's own host only, not to where it sends on."""
    from huggingface_hub.utils import hf_raise_for_status

    url = f"{hub.endpoint}/{repo}/resolve/{quote(commit, safe='')}/{quote(name)}"
    headers = hub.headers() | ({"Range": f"bytes={begin}-"} if begin else {})
    with hub.session.stream("GET", url, headers=headers, timeout=ANSWER_SECONDS, follow_redirects=True) as answer:
        if answer.status_code == 416:  # it ends where the part does
            raise HubError(f"{name} in {repo} is smaller than its manifest says: nothing of it was kept.")
        hf_raise_for_status(answer)
        if answer.status_code == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {begin}-"):
            raise HubError(f"{hub.host} sends another part of {name} than it was asked for: try again later.")
        yield answer


def _size(part: Path, file: SharedFile) -> int:
    try:
        size = part.stat().st_size
    except OSError:
        return 0
    if size > file.size:
        part.unlink()
        return 0
    return size
