"""The TFLite files by name and SHA-256: where they come from, and how they are found without a network.

The two that find hands are in the installed mediapipe package. Google's gesture embedder and canned classifier are
looked for in the folder that the user names (an argument, or the environment variable GESTURE_MAKER_ASSETS), then in
the user's cache, and at last downloaded out of Google's published bundle. The bytes that are returned always have the
SHA-256 below: where a file is found that has another, that is an error, and the search does not go on past it.

The project's own files, in `SHIPPED`, are part of the package and only listed here.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gesture_maker.bundle.task import MAX_BYTES, is_tflite, is_zip, mediapipe_folder, read_limited, zip_members
from gesture_maker.downloading import DownloadError, download, without_password
from gesture_maker.errors import AssetError, BundleError
from gesture_maker.files import sha256_of, user_cache, write_bytes
from gesture_maker.progress import Progress

FOLDER_VARIABLE = "GESTURE_MAKER_ASSETS"
URL_VARIABLE = "GESTURE_MAKER_ASSETS_URL"
PUBLISHED_URL = "https://storage.googleapis.com/mediapipe-models/gesture_recognizer/gesture_recognizer/float16/1/gesture_recognizer.task"

_MAX_DOWNLOAD = 64 << 20  # bytes; Google's bundle has 8 MB

_WAYS_OUT = (
    "take it out of any gesture_recognizer.task with `gesture-maker assets import FILE`, "
    "or use the built-in embedder (`--embedder builtin`)"
)
_GIVE_GOOGLES = "give Google's own gesture_recognizer.task"


@dataclass(frozen=True)
class Asset:
    """One file of Google's: its name, its SHA-256, and where it lies in the mediapipe package (None: not in it)."""

    name: str
    file: str
    sha256: str
    in_wheel: str | None = None


ASSETS: dict[str, Asset] = {
    asset.name: asset
    for asset in (
        Asset(
            "hand_detector",
            "palm_detection_full.tflite",
            "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
            in_wheel="modules/palm_detection/palm_detection_full.tflite",
        ),
        Asset(
            "hand_landmarks_detector",
            "hand_landmark_full.tflite",
            "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
            in_wheel="modules/hand_landmark/hand_landmark_full.tflite",
        ),
        Asset(
            "gesture_embedder",
            "gesture_embedder.tflite",
            "54abe78de1d1cd5e3cdaa0dab01db18e3ec7e09a76e7c3b5fa278572f7a60977",
        ),
        Asset(
            "canned_gesture_classifier",
            "canned_gesture_classifier.tflite",
            "62a87ded76da05155f6a59c8babb4c537c138c25138b29450fb030e207a5c0e9",
        ),
    )
}
"""Google's files, by the name of the part that they are in a bundle."""

SHIPPED: dict[str, str] = {
    "builtin_embedder": "embedders/builtin.tflite",
    "silent_canned_classifier": "embedders/silent_canned_classifier.tflite",
}
"""Our own files: name, path in the package."""


@dataclass(frozen=True)
class AssetStatus:
    """Where one file was found, and whether it is the right one.

    `expected` is None for our own files; `sha256`, `size` (bytes) and `path` are None when it is missing. `optional`
    files are needed only for `--embedder mediapipe`.
    """

    name: str
    file: str
    expected: str | None
    sha256: str | None
    size: int | None
    path: Path | None
    state: Literal["verified", "shipped", "missing", "wrong hash"]
    optional: bool = False

    @property
    def problem(self) -> str | None:
        """One sentence about what is wrong and what to do; None when nothing is, or when it is missing and optional."""
        if self.state == "wrong hash":
            return _wrong_hash(str(self.path), str(self.expected), str(self.sha256), _mend(self.optional))
        if self.state == "missing" and not self.optional:
            return _not_installed(self.file, self.expected is None)
        return None


def asset_bytes(
    name: str, folder: Path | None = None, download: bool = True, progress: Progress | None = None
) -> bytes:
    """Return the TFLite file `name` (a key of `ASSETS`), its SHA-256 checked.

    `folder` is looked in first, in place of the environment's. Without `download` no connection is opened. Raises
    AssetError when the file is nowhere, cannot be downloaded, or has another SHA-256.
    """
    asset = _asset(name)
    path = _find(asset, folder)
    if path is not None:
        return _verified(asset, _read(path), str(path), _mend(asset.in_wheel is None))
    if asset.in_wheel is not None:
        raise AssetError(_not_installed(asset.file, ours=False))
    if not download:
        raise AssetError(f"{asset.file} is not on this machine: get it with `gesture-maker assets fetch`, {_WAYS_OUT}.")
    return _fetch([asset], cache_folder(), progress)[name]


def cache_folder() -> Path:
    """Return the folder in which downloaded and imported files are kept; it need not exist."""
    return user_cache("assets")


def list_assets(folder: Path | None = None) -> list[AssetStatus]:
    """Return the state of every file, Google's and our own, as `asset_bytes` would find it, without a network."""
    google = [_status(asset, _find(asset, folder)) for asset in ASSETS.values()]
    package = Path(__file__).parent
    return google + [_shipped_status(name, package / path) for name, path in SHIPPED.items()]


def verify_assets(folder: Path | None = None) -> list[AssetStatus]:
    """Return those files that have a `problem`: a wrong SHA-256, or missing from what is installed."""
    return [status for status in list_assets(folder) if status.problem is not None]


def fetch_assets(folder: Path | None = None, progress: Progress | None = None) -> list[AssetStatus]:
    """Download what is missing or wrong of Google's embedder and canned classifier; return their states.

    They go to `folder`, or the environment's, or the user's cache. Raises AssetError as `asset_bytes`.
    """
    target = _chosen_folder(folder) or cache_folder()
    wanted = [asset for asset in _downloadable() if _status_in(asset, target).state != "verified"]
    if wanted:
        _fetch(wanted, target, progress)
    return [_status_in(asset, target) for asset in _downloadable()]


def import_assets(source: Path, folder: Path | None = None) -> list[AssetStatus]:
    """Take Google's embedder and canned classifier out of `source`, known by their SHA-256 whatever they are called.

    `source` is a `.task` (or any zip), a `.tflite`, or a folder of `.task` and `.tflite` files. They go to `folder`, or
    the environment's, or the user's cache. Returns the states of both there; one of them may still be missing. Raises
    AssetError when `source` holds neither, or a file of that name with another SHA-256: then nothing is written.
    """
    if not source.exists():
        raise AssetError(f"There is no file or folder {source}: give Google's gesture_recognizer.task.")
    target = _chosen_folder(folder, must_exist=False) or cache_folder()
    wanted = _downloadable()
    found = _pick(_members_of_folder(source) if source.is_dir() else _members_of_file(source), wanted, _GIVE_GOOGLES)
    if not found:
        names = " nor ".join(asset.file for asset in wanted)
        raise AssetError(f"{source} holds neither Google's {names}: {_GIVE_GOOGLES}.")
    _keep(found, target)
    return [_status_in(asset, target) for asset in wanted]


def _asset(name: str) -> Asset:
    if name not in ASSETS:
        raise AssetError(f"There is no asset {name!r}: choose one of {', '.join(ASSETS)}.")
    return ASSETS[name]


def _downloadable() -> list[Asset]:
    return [asset for asset in ASSETS.values() if asset.in_wheel is None]


def _chosen_folder(folder: Path | None, must_exist: bool = True) -> Path | None:
    """The folder that the user named, by argument or environment."""
    named = os.environ.get(FOLDER_VARIABLE)
    chosen = folder if folder is not None else Path(named).expanduser() if named else None
    if chosen is None or chosen.is_dir() or (not must_exist and not chosen.exists()):
        return chosen
    where = f"the environment variable {FOLDER_VARIABLE}" if folder is None else "--assets"
    what = "is not a folder" if chosen.exists() else "does not exist"
    raise AssetError(f"The folder {chosen} given by {where} {what}: make it, or give the folder of the TFLite files.")


def _find(asset: Asset, folder: Path | None) -> Path | None:
    """The first place that has a file of the asset's name, be it the right one or not."""
    if asset.in_wheel is not None:
        wheel = mediapipe_folder()
        places = [wheel / asset.in_wheel] if wheel else []
    else:
        chosen = _chosen_folder(folder)
        places = [place / asset.file for place in (chosen, cache_folder()) if place is not None]
    return next((path for path in places if path.is_file()), None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AssetError(f"{path} cannot be read ({error.strerror}): make it readable or remove it.") from error


def _verified(asset: Asset, content: bytes, place: str, what_to_do: str) -> bytes:
    found = sha256_of(content)
    if found != asset.sha256:
        raise AssetError(_wrong_hash(place, asset.sha256, found, what_to_do))
    return content


def _wrong_hash(place: str, expected: str, found: str, what_to_do: str) -> str:
    return f"{place} is not the file it should be (SHA-256 {found} instead of {expected}): {what_to_do}."


def _mend(optional: bool) -> str:
    if not optional:
        return "install mediapipe 0.10.21 again"
    return "remove it, then get the right one with `gesture-maker assets fetch` or `gesture-maker assets import FILE`"


def _not_installed(file: str, ours: bool) -> str:
    package = "gesture-maker" if ours else "mediapipe 0.10.21"
    return f"{file} is not where the installation should have put it: install {package} again."


def _status(asset: Asset, path: Path | None) -> AssetStatus:
    optional = asset.in_wheel is None
    if path is None:
        return AssetStatus(asset.name, asset.file, asset.sha256, None, None, None, "missing", optional)
    content = _read(path)
    found = sha256_of(content)
    state: Literal["verified", "wrong hash"] = "verified" if found == asset.sha256 else "wrong hash"
    return AssetStatus(asset.name, asset.file, asset.sha256, found, len(content), path, state, optional)


def _status_in(asset: Asset, folder: Path) -> AssetStatus:
    path = folder / asset.file
    return _status(asset, path if path.is_file() else None)


def _shipped_status(name: str, path: Path) -> AssetStatus:
    if not path.is_file():
        return AssetStatus(name, path.name, None, None, None, None, "missing")
    content = _read(path)
    return AssetStatus(name, path.name, None, sha256_of(content), len(content), path, "shipped")


@dataclass(frozen=True)
class _Member:
    file: str
    place: str  # for messages: "a.tflite in b.task in /folder/c.task"
    content: bytes


def _tflite_files(content: bytes, file: str, place: str) -> Iterator[_Member]:
    """Yield each TFLite file in a `.task`, at whatever depth. Raises BundleError when it is a damaged zip or a bomb."""
    waiting = [_Member(file, place, content)]
    unpacked = 0
    while waiting:
        member = waiting.pop(0)
        if is_tflite(member.content):
            yield member
        elif is_zip(member.content):
            inner = zip_members(member.content, member.place)
            unpacked += sum(map(len, inner.values()))
            if unpacked > MAX_BYTES:
                raise BundleError(f"{place} would unpack to over {MAX_BYTES >> 20} MB: it is no bundle.")
            waiting += [_Member(name, f"{name} in {member.place}", data) for name, data in inner.items()]


def _members_of_file(path: Path) -> list[_Member]:
    try:
        members = list(_tflite_files(read_limited(path), path.name, str(path)))
    except BundleError as error:
        raise AssetError(str(error)) from error
    if not members:
        raise AssetError(f"{path} is neither a .task bundle nor a TFLite file: {_GIVE_GOOGLES}.")
    return members


def _members_of_folder(folder: Path) -> Iterator[_Member]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".task", ".tflite") and path.is_file():
            yield from _members_of_file(path)


def _pick(members: Iterable[_Member], wanted: list[Asset], what_to_do: str) -> dict[Asset, bytes]:
    """Return those of the wanted files that are among the members, by hash.

    Raises AssetError when one is not, but another file of its name is there.
    """
    by_hash = {asset.sha256: asset for asset in wanted}
    found: dict[Asset, bytes] = {}
    others: dict[str, tuple[str, str]] = {}
    for member in members:
        digest = sha256_of(member.content)
        if digest in by_hash:
            found[by_hash[digest]] = member.content
        else:
            others[member.file] = (member.place, digest)
    for asset in wanted:
        if asset not in found and asset.file in others:
            place, digest = others[asset.file]
            raise AssetError(_wrong_hash(place, asset.sha256, digest, what_to_do))
    return found


def _keep(found: dict[Asset, bytes], target: Path) -> None:
    for asset, content in found.items():
        if _status_in(asset, target).state != "verified":
            write_bytes(target / asset.file, content)


def _fetch(wanted: list[Asset], target: Path, progress: Progress | None) -> dict[str, bytes]:
    """Download the published bundle, check the wanted files in it, keep them in `target` and return them by name."""
    url = os.environ.get(URL_VARIABLE) or PUBLISHED_URL
    names = " and ".join(asset.file for asset in wanted)
    content = _download(url, names, progress)
    shown = _without_password(url)
    try:
        found = _pick(_tflite_files(content, "", shown), wanted, _WAYS_OUT)
    except BundleError as error:
        raise AssetError(f"What {shown} sent is cut short or damaged: try again, or {_WAYS_OUT}.") from error
    missing = " and ".join(asset.file for asset in wanted if asset not in found)
    if missing:
        raise AssetError(f"What {shown} sent is not Google's bundle, it lacks {missing}: {_WAYS_OUT}.")
    _keep(found, target)
    return {asset.name: data for asset, data in found.items()}


def _download(url: str, names: str, progress: Progress | None) -> bytes:
    """Return what `url` sends; `names` are the files wanted from it, for the sentence of an error."""
    content = io.BytesIO()
    try:
        download(url, content, _MAX_DOWNLOAD, progress)
    except DownloadError as error:
        raise AssetError(
            f"{names} cannot be downloaded from {_without_password(url)} ({error.reason}): try again, or {_WAYS_OUT}."
        ) from error
    return content.getvalue()


def _without_password(url: str) -> str:
    return without_password(url, f"the address in {URL_VARIABLE}")
