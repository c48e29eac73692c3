"""What a user calls a repository: OWNER/NAME, hf://OWNER/NAME, or either with @REVISION; and which server it is on."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from gesture_maker.errors import HubError

SCHEME = "hf://"
PUBLIC_ENDPOINT = "https://huggingface.co"

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"  # as the Hub has it: no dash or dot at either end
_ADDRESS = re.compile(rf"(?:(?P<owner>{_PART})/)?(?P<name>{_PART})(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]*))?")
_MOST_LETTERS = 96  # of OWNER/NAME, the Hub's own limit
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Address:
    """A repository, and a revision (a branch, tag or commit) or None for the newest; `owner` may be empty for one's own."""

    owner: str
    name: str
    revision: str | None = None

    @property
    def repo(self) -> str:
        """OWNER/NAME."""
        return f"{self.owner}/{self.name}"


def parse_address(text: str, revision: str | None = None, *, own: bool = False) -> Address:
    """Return the repository that a text names; `revision` may be given beside it, too.

    `own`: the owner may be left out. Raises HubError for what names none.
    """
    rest = text.removeprefix(SCHEME)
    found = _ADDRESS.fullmatch(rest)
    forms = "NAME or OWNER/NAME" if own else "OWNER/NAME or OWNER/NAME@REVISION"
    if found is None or not (found["owner"] or own):
        raise HubError(f"{_shown(text)} names no repository: write {forms}, of letters, digits, '-', '_' and '.'.")
    owner, name, named = found["owner"] or "", found["name"], found["revision"]
    if (
        "--" in rest.split("@")[0]
        or ".." in rest
        or name.endswith(".git")
        or len(owner) + 1 + len(name) > _MOST_LETTERS
    ):
        raise HubError(f"{_shown(text)} cannot be a repository's name on a Hub: leave out '--', '..' and '.git'.")
    if named and revision and named != revision:
        raise HubError(f"{text} names the revision {named}, and --revision {_shown(revision)}: give one of them.")
    if revision is not None and not _ADDRESS.fullmatch(f"name@{revision}"):
        raise HubError(f"{_shown(revision)} is no revision: give a branch, a tag or a commit.")
    return Address(owner, name, named or revision)


def is_commit(revision: str | None) -> bool:
    """Tell whether a revision is a commit's full name, which stands for the same files for ever."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def checked_endpoint(endpoint: str, with_token: bool) -> str:
    """Return a server's address without a slash at its end.

    Raises HubError for what is none, and where a token would go over the network for all to read.
    """
    try:
        parts = urlsplit(endpoint)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise HubError(f"{_shown(endpoint)} is no address of a Hub: give one such as {PUBLIC_ENDPOINT}.")
    if parts.username is not None or parts.password is not None:
        raise HubError(
            "The Hub's address holds a name or a password, which do not belong there: give a token in HF_TOKEN."
        )
    if with_token and parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise HubError(f"A token would go to {endpoint} for everybody on the way to read: use https://.")
    return endpoint.rstrip("/")


def host_of(endpoint: str) -> str:
    """Return a server's name for people: its host, and its port where that is not the usual one."""
    return urlsplit(endpoint).netloc.rpartition("@")[2]


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(text: str) -> str:
    return (text if text.isprintable() else ascii(text))[:100] or "An empty text"
