"""`pull`: a model out of a repository, each file proved before the first appears.

The revision is made a commit at first, so that all files are of one moment. Then the manifest says what is fetched; sizes and SHA-256
have to be as it says, names plain, contents what the names say, and labels the same everywhere. Only then is there a folder, at once.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gesture_maker.bundle.task import labels_of, read_task
from gesture_maker.dataset.names import bundle_label
from gesture_maker.errors import BundleError, HubError, HubUnreachableError
from gesture_maker.files import TEMPORARY_PREFIX, sha256_of, sha256_of_file, write_bytes, write_json
from gesture_maker.hub.addresses import Address, host_of, is_commit, parse_address
from gesture_maker.hub.client import Hub, opened
from gesture_maker.hub.fetching import fetch_file, fetch_manifest, forget
from gesture_maker.hub.formats import check_content, parsed_json
from gesture_maker.hub.kinds import CARD, LABELS
from gesture_maker.hub.manifest import MANIFEST, Manifest, read_manifest
from gesture_maker.progress import Progress
from gesture_maker.training.run_folder import RUNS, check_writable, valid_run_name

PULLED = "pulled.json"
"""In a pulled folder: where it is from."""

MAIN = "main"


@dataclass(frozen=True)
class Pulled:
    """What was pulled: its folder, its `kind` and `files`, from which `repo` and `revision` (the commit).

    `again`: it was there already, and is still what was pushed. `fingerprint`: the SHA-256 of the manifest, as `push` told it.
    `left_out`: files that nobody runs, and that are not what was pushed: a model card that was changed on the Hub's page.
    """

    path: Path
    kind: str
    files: tuple[str, ...]
    repo: str
    revision: str
    fingerprint: str
    again: bool = False
    left_out: tuple[str, ...] = ()


def pull(
    repo: str,
    *,
    name: str | None = None,
    revision: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    fingerprint: str | None = None,
    overwrite: bool = False,
    runs: Path | None = None,
    progress: Progress | None = None,
) -> Pulled:
    """Pull a model into `exported_models/<name>/`, where commands find it like a run of one's own.

    `repo`: OWNER/NAME, or OWNER/NAME@REVISION. `name`: by default the repository's. `revision`: a branch, tag or commit, by default
    the newest. `fingerprint`: what `push` told of the model; with it not even the Hub can put another in its place. `overwrite`:
    in place of what was pulled there before, never of anything else. `token` and `endpoint` as for `push`. Raises HubError for
    all that is not as it should be, and then nothing is in place; what arrived before a broken connection is used the next time.
    """
    address = parse_address(repo, revision)
    folder = (runs or RUNS) / valid_run_name(name or address.name)
    if folder.exists() and _origin(folder) is None:
        raise HubError(f"{folder} exists and was not pulled: choose another --name.")
    check_writable(runs)
    with opened(endpoint, token, what=address.repo) as hub:
        commit = commit_of(hub, address)
        origin = _origin(folder) if folder.exists() else None
        if origin is not None:
            same = origin == _origin_of(hub, address, commit)
            if same and intact(folder) and fingerprint in (None, sha256_of((folder / MANIFEST).read_bytes())):
                return _already(folder, address, commit)
            if not overwrite:
                what = "was changed since it was pulled" if same else f"holds {_shown(origin)}"
                raise HubError(f"{folder} {what}: choose another --name, or replace it with --overwrite.")
        return placed(hub, address, commit, folder, fingerprint, progress)


def commit_of(hub: Hub, address: Address) -> str:
    """Return the commit that a repository's revision is now."""
    commit = hub.info(address.repo, address.revision or MAIN).sha
    if not isinstance(commit, str) or not is_commit(commit):
        raise HubError(f"{hub.host} does not answer as a Hub does: check its address.")
    return commit


def placed(
    hub: Hub, address: Address, commit: str, folder: Path, fingerprint: str | None, progress: Progress | None
) -> Pulled:
    """Fetch a model at a commit, prove it, and put it in place of whatever is at `folder`, in one step."""
    content = fetch_manifest(hub, address.repo, commit)
    found = sha256_of(content)
    if fingerprint is not None and fingerprint.lower() != found:
        raise HubError(
            f"{address.repo} has the fingerprint {found}, not {fingerprint[:64]}: it is another model; nothing of it was kept."
        )
    manifest = read_manifest(content, address.repo)
    contents, left_out = _fetched(hub, address.repo, commit, manifest, progress)
    _put(folder, {**contents, MANIFEST: content}, _origin_of(hub, address, commit))
    forget(manifest.files)
    return Pulled(
        folder, manifest.kind.name, tuple(sorted({*contents, MANIFEST})), address.repo, commit, found, False, left_out
    )


def intact(folder: Path) -> bool:
    """Tell whether the files of a pulled folder are those that were pushed; a card that was left out may be missing."""
    try:
        manifest = read_manifest((folder / MANIFEST).read_bytes(), str(folder))
        return all(
            sha256_of_file(folder / file.name) == file.sha256
            for file in manifest.files
            if file.name != CARD or (folder / CARD).exists()
        )
    except (OSError, HubError):
        return False


def _fetched(
    hub: Hub, repo: str, commit: str, manifest: Manifest, progress: Progress | None
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the files of a model by name, proved, and those that were left out."""
    contents: dict[str, bytes] = {}
    left_out = []
    before = 0
    try:
        for file in manifest.files:

            def count(done: int, before: int = before) -> None:
                if progress is not None:
                    progress(before + done, manifest.size)

            try:
                contents[file.name] = fetch_file(hub, repo, commit, file, count).read_bytes()
            except HubUnreachableError:
                raise
            except HubError:
                if file.name != CARD:
                    raise
                left_out.append(file.name)  # people correct cards on the Hub's page; nobody runs them
            before += file.size
        for name, content in contents.items():
            check_content(name, content, repo)
        _check_together(manifest, contents, repo)
    except HubUnreachableError:
        raise
    except HubError:
        forget(manifest.files)
        raise
    return contents, tuple(left_out)


def _check_together(manifest: Manifest, contents: Mapping[str, bytes], repo: str) -> None:
    """Raise HubError when labels, description and model do not belong to each other: a model under other labels answers wrongly."""
    kind, labels = manifest.kind, list(manifest.labels)
    fits = contents[LABELS].decode() == "".join(f"{label}\n" for label in labels)
    if kind.model.endswith(".task"):
        try:
            head = read_task(contents[kind.model]).custom_gesture_classifier
            fits = fits and head is not None and labels_of(head) == [bundle_label(label) for label in labels]
        except BundleError:
            fits = False
    if kind.described:
        described = parsed_json(contents[kind.mark])
        trained = described.get("model_sha256", sha256_of(contents[kind.model]))
        fits = fits and described.get("labels") == labels and trained == sha256_of(contents[kind.model])
    if not fits:
        raise HubError(f"The labels or the description in {repo} do not belong to its model: nothing of it was kept.")


def _put(folder: Path, contents: Mapping[str, bytes], origin: Mapping[str, str]) -> None:
    """Make the folder, in one step."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=folder.parent) as temporary:
        unseen = Path(temporary) / folder.name
        unseen.mkdir()
        try:
            for name, content in contents.items():
                write_bytes(unseen / name, content)
            write_json(unseen / PULLED, dict(origin))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error  # temporary names say nothing to a user
        if folder.exists():
            if _origin(folder) is None:
                raise HubError(f"{folder} was made meanwhile by something else: choose another --name.")
            folder.rename(Path(temporary) / ".old")
        unseen.rename(folder)


def _origin_of(hub: Hub, address: Address, commit: str) -> dict[str, str]:
    return {"repo": address.repo, "endpoint": hub.endpoint, "commit": commit}


def _origin(folder: Path) -> dict[str, str] | None:
    """Return where a pulled folder is from; None when it is none."""
    try:
        values: Any = json.loads((folder / PULLED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    right = isinstance(values, dict) and {"repo", "endpoint", "commit"} == set(values)
    return values if right and all(isinstance(one, str) for one in values.values()) else None


def _shown(origin: Mapping[str, str]) -> str:
    return f"{origin['repo']} of {host_of(origin['endpoint'])} at {origin['commit'][:12]}"


def _already(folder: Path, address: Address, commit: str) -> Pulled:
    content = (folder / MANIFEST).read_bytes()
    manifest = read_manifest(content, address.repo)
    files = [file.name for file in manifest.files if (folder / file.name).exists()]
    return Pulled(folder, manifest.kind.name, (*files, MANIFEST), address.repo, commit, sha256_of(content), True)
