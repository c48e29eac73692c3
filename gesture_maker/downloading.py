"""Files from the web: a connection that breaks off is taken up where it ended, and what came once is checked ever after.

    <cache>/hgr1_images.zip.part, .part.from    what has arrived, and of which version of the file
    <cache>/hgr1_images.zip, .zip.sha256        the whole file, and its SHA-256 as it was first downloaded

`download` writes to any file that can seek, `downloaded_file` keeps one in a folder. Models of the Hub do not come this way: their
addresses, tokens and redirects are the business of its own client.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from gesture_maker.errors import GestureMakerError
from gesture_maker.files import sha256_of_file, write_text
from gesture_maker.progress import Progress

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0  # between two pieces, not for the whole
RETRIES = 3
BACKOFF = 0.3  # seconds; doubled each time, so that without a network the answer comes within 2 s
BROKE_OFF = "the connection broke off"
_PIECE = 1 << 16


class DownloadError(GestureMakerError):
    """Something cannot be downloaded. `reason` is a few words, for a sentence that says what to do."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{without_password(url)} cannot be downloaded ({reason}): try again later.")
        self.reason = reason


class ChecksumError(GestureMakerError):
    """A file is not the one that was first downloaded."""


@dataclass(frozen=True)
class Checked:
    """A downloaded file, its SHA-256, and whether this was its `first` download, so that there was none to check it by."""

    path: Path
    sha256: str
    first: bool


def download(
    url: str,
    out: BinaryIO,
    limit: int,
    progress: Progress | None = None,
    *,
    version: str = "",
    begun: Callable[[str], None] | None = None,
) -> None:
    """Write what `url` sends to `out`, at most `limit` bytes; `out` has the beginning already, or nothing.

    `version`: the ETag or date of what `out` has, so that the rest of another version is not put behind it. `begun` is called
    with the version whenever a download begins from the first byte. Broken connections are taken up again. Raises DownloadError;
    `out` then has what came.
    """
    import logging

    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    # Where TensorFlow has set up logging, each new attempt would be a line before the one sentence that counts.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    retry = Retry(
        total=RETRIES,
        connect=RETRIES - 1,
        backoff_factor=BACKOFF,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,  # we say ourselves what the last answer was
        respect_retry_after_header=False,  # it may ask for an hour
    )
    adapter = HTTPAdapter(max_retries=retry)
    part = _Part(url, out, limit, progress, version, begun)
    with requests.Session() as session:
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        failures = furthest = 0
        while failures < RETRIES:  # urllib3 asks again until an answer begins, but not when its body is cut short
            furthest = max(furthest, part.size)
            try:
                timeout = (CONNECT_SECONDS, READ_SECONDS)
                with session.get(url, stream=True, timeout=timeout, headers=part.headers()) as response:
                    if part.receive(response):
                        return
                failures += 1
            except requests.exceptions.ChunkedEncodingError:
                failures = 1 if part.size > furthest else failures + 1
            except requests.Timeout as error:
                raise DownloadError(url, "no answer in time") from error
            except requests.exceptions.SSLError as error:
                raise DownloadError(url, "its certificate is not accepted") from error
            except requests.ConnectionError as error:
                raise DownloadError(url, "no connection") from error
            except (requests.RequestException, ValueError) as error:
                raise DownloadError(url, "that is no address to download from") from error
    raise DownloadError(url, BROKE_OFF)


@dataclass
class _Part:
    """What has arrived of a file."""

    url: str
    out: BinaryIO
    limit: int
    progress: Progress | None
    version: str
    begun: Callable[[str], None] | None

    @property
    def size(self) -> int:
        return self.out.seek(0, 2)

    def headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}  # so that Content-Length counts the bytes that we get
        if self.size:
            headers["Range"] = f"bytes={self.size}-"
            if self.version:
                headers["If-Range"] = self.version
        return headers

    def receive(self, response: Any) -> bool:
        """Write an answer behind what is there, or in its place; False when all has to be asked for anew."""
        goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {self.size}-")
        if response.status_code == 416 or (response.status_code == 206 and not goes_on):
            self._empty()  # it is no beginning of what there is now
            return False
        if response.status_code not in (200, 206):
            reason = f"the server answered {response.status_code} {response.reason or ''}".strip()
            raise DownloadError(self.url, reason)
        if response.status_code == 200:
            self._empty()
            version = response.headers.get("ETag") or ""
            # A weak ETag may stand for other bytes too.
            self.version = version if version.startswith('"') else response.headers.get("Last-Modified") or ""
            if self.begun:
                self.begun(self.version)
        done = self.size
        length = int(response.headers.get("Content-Length") or 0)
        total = done + length if length else 0
        for piece in response.iter_content(_PIECE):
            done += len(piece)
            if done > self.limit:
                self._empty()
                raise DownloadError(self.url, f"it is over {self.limit >> 20} MB")
            self.out.write(piece)
            if self.progress:
                self.progress(done, total)
        return True

    def _empty(self) -> None:
        self.out.seek(0)
        self.out.truncate()
        self.version = ""


def downloaded_file(
    url: str,
    target: Path,
    limit: int,
    is_right: Callable[[Path], bool],
    progress: Progress | None = None,
) -> Checked:
    """Return the file at `url` kept as `target`, downloaded unless it is there; at most `limit` bytes.

    Its SHA-256 is written beside it the first time and checked from then on, also when it is downloaded again. `is_right` looks at
    what has come before that, so that no error page is taken for the file. What arrived of an interrupted download is
    gone on from. Raises DownloadError, and ChecksumError for another SHA-256: then the file is left where it is.
    """
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    part, since = _beside(target, ".part"), _beside(target, ".part.from")
    with FileLock(_beside(target, ".lock")):  # two at once would write between each other's bytes
        if not target.is_file():
            version = since.read_text(encoding="utf-8") if since.is_file() else ""
            if not version:  # nobody knows of which version the part is
                part.unlink(missing_ok=True)
            with part.open("a+b") as out:
                download(url, out, limit, progress, version=version, begun=lambda new: write_text(since, new))
            if not is_right(part):
                part.unlink()
                raise DownloadError(url, "what the server sent is something else")
            checked = _check(part, target, url)
            part.replace(target)
            since.unlink(missing_ok=True)
            return checked
        return _check(target, target, url)


def without_password(url: str, otherwise: str = "the address") -> str:
    """Return an address for a message; a mirror's may hold a name and password, or a token, which do not belong there."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.netloc else parts.path
    except ValueError:
        return otherwise


def _check(file: Path, target: Path, url: str) -> Checked:
    """Check a file by the SHA-256 that was written down for `target`; write it down when there is none."""
    kept = _beside(target, ".sha256")
    found = sha256_of_file(file)
    known = kept.read_text(encoding="utf-8").split(maxsplit=1)[:1] if kept.is_file() else []
    if known and known != [found]:
        raise ChecksumError(
            f"{file} is not the file that was first downloaded from {without_password(url)} (SHA-256 {found[:12]}… instead of "
            f"{known[0][:12]}…): remove it to download it again, and {kept.name} too if you trust the new one."
        )
    if not known:
        write_text(kept, f"{found}  {target.name}\n")  # as sha256sum writes and checks it
    return Checked(target, found, not known)


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(target.name + suffix)
