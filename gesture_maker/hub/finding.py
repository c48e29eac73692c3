"""`hf://OWNER/NAME`: a model that is used where it is named, pulled into the user's cache once for each commit.

Without a network the commit that a revision had the last time is used, if it is still there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from gesture_maker.errors import HubUnreachableError
from gesture_maker.files import write_text
from gesture_maker.hub.addresses import SCHEME, Address, host_of, is_commit, parse_address
from gesture_maker.hub.client import endpoint_of, opened
from gesture_maker.hub.fetching import cache_folder
from gesture_maker.hub.pulling import MAIN, commit_of, intact, placed
from gesture_maker.progress import Progress


def is_hub_address(text: str | Path) -> bool:
    """Tell whether a model is named by where it is on a Hub."""
    return isinstance(text, str) and text.startswith(SCHEME)


def local_of(
    text: str,
    *,
    token: str | None = None,
    endpoint: str | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> Path:
    """Return the folder of a model named `hf://OWNER/NAME` or `hf://OWNER/NAME@REVISION`, which is pulled where it is not there yet.

    A model at a full commit that is there needs no network. `notice` is told, in a sentence, when the Hub could not be asked and an
    earlier pull is used. `token` and `endpoint` as for `pull`; raises HubError as that does.
    """
    address = parse_address(text)
    place = _place(address, endpoint_of(endpoint))
    revision = address.revision or MAIN
    if is_commit(revision) and intact(place / revision):
        return place / revision
    try:
        with opened(endpoint, token, what=address.repo) as hub:
            commit = commit_of(hub, address)
            if not intact(place / commit):
                placed(hub, address, commit, place / commit, None, progress)
    except HubUnreachableError as error:
        kept = _kept(place, revision)
        if kept is None:
            raise
        if notice is not None:
            notice(
                f"{str(error).partition(': ')[0]}: {address.repo} is used as it was pulled before ({kept.name[:12]})."
            )
        return kept
    write_text(_reference(place, revision), f"{commit}\n")
    return place / commit


def _place(address: Address, endpoint: str) -> Path:
    return cache_folder() / "models" / quote(host_of(endpoint), safe="") / f"{address.owner}--{address.name}"


def _reference(place: Path, revision: str) -> Path:
    return place / "revisions" / quote(revision, safe="")


def _kept(place: Path, revision: str) -> Path | None:
    """Return the folder of the commit that a revision had the last time; None when there is none."""
    try:
        commit = _reference(place, revision).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return place / commit if is_commit(commit) and intact(place / commit) else None
