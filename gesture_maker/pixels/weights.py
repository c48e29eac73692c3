"""The weights that a training begins with: those that Keras publishes, trained on ImageNet, or a file; checked before they are used.

Keras's own files are known by their MD5, which Keras has too, and the `model.keras` of a run by what the run says of it. Any other is taken only with
the SHA-256 that its maker tells, so that nobody trains on what came from somewhere.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gesture_maker.downloading import DownloadError, downloaded_file
from gesture_maker.errors import ConfigError, RunError
from gesture_maker.files import sha256_of_file, user_cache
from gesture_maker.pixels.run import PixelRun
from gesture_maker.progress import Progress
from gesture_maker.training.pixels.backbones import BACKBONES, Backbone
from gesture_maker.training.pixels.settings import IMAGENET, SCRATCH

_MAX_BYTES = 500 << 20  # ResNet50 without its top has 95 MB


@dataclass(frozen=True)
class Weights:
    """A file of weights. `name`: "imagenet", or the file's name; `sha256`: its checksum."""

    path: Path
    name: str
    sha256: str


def find_weights(
    given: str | Path, backbone: str, sha256: str | None = None, progress: Progress | None = None
) -> Weights | None:
    """Return the weights for a backbone: `given` is "imagenet" (downloaded once), "none" (None is returned), a file in Keras's HDF5 format, or the
    `model.keras` of another run, whose backbone is gone on from.

    `sha256`: what a file has to have that Keras has not published. `progress` is called with bytes done and in all. Raises ConfigError for a file that is missing or another, and
    without a network.
    """
    known = BACKBONES[backbone]
    if str(given) == SCRATCH:
        return None
    if str(given) == IMAGENET:
        return _published(known, progress)
    path = Path(given)
    if not path.is_file():
        raise ConfigError(f"There is no file {path} of weights: give one, or {IMAGENET} or {SCRATCH}.")
    found = sha256_of_file(path)
    if sha256 is not None and found != sha256.lower():
        raise ConfigError(f"{path} has the SHA-256 {found}, not {sha256}: download it again.")
    if sha256 is None and path.suffix == ".keras":
        _check_is_of_run(path, found)
    elif sha256 is None and md5_of(path) != known.md5:
        raise ConfigError(
            f"{path} is not the file that Keras publishes for {known.title} ({known.file}): if you trust it, add "
            f"--weights-sha256 {found}."
        )
    return Weights(path, path.name, found)


def _check_is_of_run(path: Path, sha256: str) -> None:
    try:
        told = PixelRun.load_finished(path.resolve().parent).description.get("keras_sha256")
    except RunError as error:
        raise ConfigError(f"{path} is of no run: if you trust it, add --weights-sha256 {sha256}.") from error
    if told != sha256:
        raise ConfigError(f"{path} is not what its training wrote: put that back, or train again.")


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, by which Keras knows its weights; nothing else is trusted for it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() if hasattr(hashlib, "file_digest") else _md5(file.read())


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _published(backbone: Backbone, progress: Progress | None) -> Weights:
    target = user_cache("weights") / backbone.file
    try:
        checked = downloaded_file(backbone.url, target, _MAX_BYTES, lambda path: md5_of(path) == backbone.md5, progress)
    except DownloadError as error:
        raise ConfigError(
            f"The weights of {backbone.title} cannot be downloaded ({error.reason}): run the same command again with a network, download {backbone.url} "
            f"elsewhere and give --weights FILE, or train without them with --weights {SCRATCH}."
        ) from error
    return Weights(checked.path, IMAGENET, checked.sha256)
