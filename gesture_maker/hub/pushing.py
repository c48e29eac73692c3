"""`push`: a run to a repository, in one commit: the model, its labels, its card and the manifest, and nothing else.

What is large is sent file by file before the commit, so that a push that broke off goes on: what the Hub has is not sent again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gesture_maker import __version__
from gesture_maker.errors import HubError
from gesture_maker.files import sha256_of
from gesture_maker.hub.addresses import Address, parse_address
from gesture_maker.hub.card import hub_card
from gesture_maker.hub.client import Hub, opened
from gesture_maker.hub.fetching import fetch_manifest
from gesture_maker.hub.kinds import CARD
from gesture_maker.hub.manifest import MANIFEST, manifest_of, read_manifest
from gesture_maker.hub.reading import check_nothing_private, read_run
from gesture_maker.progress import Progress

MAIN = "main"


@dataclass(frozen=True)
class Pushed:
    """What was pushed: the `repo` (OWNER/NAME), its page's `address`, the `commit`, and the names of the `files`.

    `private`: whether only those may see it whom its owner lets. `again`: the repository had all of it already. `fingerprint`: the
    SHA-256 of the manifest, which stands for every byte of the model; who pulls can demand it.
    """

    repo: str
    address: str
    commit: str
    files: tuple[str, ...]
    private: bool
    again: bool
    fingerprint: str


def push(
    run: str | Path,
    repo: str,
    *,
    public: bool = False,
    revision: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    message: str | None = None,
    license_name: str | None = None,
    progress: Progress | None = None,
) -> Pushed:
    """Push a finished run to a repository, which is made, private, where there is none.

    `repo`: OWNER/NAME, or NAME for one of the token's own. `public`: make one for all to see, and agree to push to one that is.
    `revision`: the branch, made where there is none, by default `main`. `token`: by default HF_TOKEN or the client's login.
    `endpoint`: the server, by default HF_ENDPOINT or the public one. `license_name`: one of the Hub's identifiers, such as
    apache-2.0. Raises RunError for a run that is not finished or exported, HubError for all that the Hub or the network can refuse.
    """
    address = parse_address(repo, revision, own=True)
    reading = read_run(run)
    with opened(endpoint, token, what=repo.removeprefix("hf://"), needs_token=True) as hub:
        address = address if address.owner else Address(_user(hub), address.name, address.revision)
        contents = {**reading.contents, CARD: hub_card(reading, address.repo, license_name).encode()}
        manifest = manifest_of(reading.kind, reading.labels, contents, reading.about, __version__)
        contents[MANIFEST] = manifest.to_bytes()
        check_nothing_private(contents, reading.folder)
        read_manifest(contents[MANIFEST], address.repo)  # what could not be pulled is not pushed
        private = _made(hub, address.repo, public)
        branch = address.revision or MAIN
        if branch != MAIN:
            hub.api.create_branch(address.repo, branch=branch, exist_ok=True)
        before = hub.info(address.repo, branch)
        what = message or f"{reading.kind.name.capitalize()} model by gesture-maker {__version__}"
        commit = _committed(hub, address.repo, branch, before, contents, what, progress)
        page = f"{hub.endpoint}/{address.repo}"
        again = commit == before.sha
        return Pushed(
            address.repo, page, commit, tuple(sorted(contents)), private, again, sha256_of(contents[MANIFEST])
        )


def _user(hub: Hub) -> str:
    name = hub.api.whoami(token=hub.token).get("name")
    if not isinstance(name, str) or not name:
        raise HubError(f"{hub.host} does not say whose the token is: give the repository as OWNER/NAME.")
    return name


def _made(hub: Hub, repo: str, public: bool) -> bool:
    """Make the repository where there is none, and return whether it is private."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        private = bool(hub.info(repo).private)
    except RepositoryNotFoundError:
        hub.api.create_repo(repo, private=not public)
        private = bool(hub.info(repo).private)
    if not private and not public:
        raise HubError(
            f"{repo} on {hub.host} is public: push with --public if all may see this model, or to another name."
        )
    return private


def _committed(
    hub: Hub, repo: str, branch: str, before: Any, contents: dict[str, bytes], message: str, progress: Progress | None
) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    additions = [CommitOperationAdd(name, content) for name, content in sorted(contents.items())]
    done, total = 0, sum(map(len, contents.values()))
    for addition, (_, content) in zip(additions, sorted(contents.items()), strict=True):
        hub.api.preupload_lfs_files(repo, additions=[addition], revision=branch, free_memory=False)
        done += len(content)
        if progress is not None:
            progress(done, total)
    gone = [CommitOperationDelete(name) for name in _left_from_before(hub, repo, before) if name not in contents]
    info = hub.api.create_commit(repo, operations=[*additions, *gone], commit_message=message, revision=branch)
    return str(info.oid)


def _left_from_before(hub: Hub, repo: str, before: Any) -> list[str]:
    """Return the files of a model that was pushed there before; what else is in the repository is its owner's."""
    there = {one.rfilename for one in before.siblings or ()}
    if MANIFEST not in there:
        return []
    try:
        old = read_manifest(fetch_manifest(hub, repo, before.sha), repo)
    except HubError:
        return []
    return [file.name for file in old.files if file.name in there]
