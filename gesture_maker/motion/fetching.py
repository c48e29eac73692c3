"""Datasets of Kaggle, fetched with its own client into its own cache: `kaggle:gti-upm/leapgestrecog`.

Without a network, what the cache has is taken. Nothing of ours decides on accounts: kagglehub looks for a token where it always
does, and public datasets need none.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gesture_maker.errors import SourceError

PREFIX = "kaggle:"
LEAP_GEST_RECOG = "gti-upm/leapgestrecog"

_HANDLE = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9_-]+(/versions/[1-9][0-9]{0,8})?")


@dataclass(frozen=True)
class Fetched:
    """A dataset in kagglehub's cache: the folder where it is, and its `handle`, such as `gti-upm/leapgestrecog`."""

    handle: str
    path: Path


def is_kaggle(source: str | Path) -> bool:
    """Tell whether a source is a dataset of Kaggle, and no path."""
    return str(source).startswith(PREFIX)


def fetch(source: str) -> Fetched:
    """Return a dataset of Kaggle (`kaggle:OWNER/NAME`, or with `/versions/N`), fetched unless the cache has it.

    Raises SourceError, in one sentence, without the extra or a network, and for a dataset that does not exist or may not be had;
    OSError when the disk is full.
    """
    handle = source.removeprefix(PREFIX)
    if _HANDLE.fullmatch(handle) is None:
        raise SourceError(
            f"{source} is not the name of a dataset of Kaggle: write {PREFIX}OWNER/NAME, such as {PREFIX}{LEAP_GEST_RECOG}."
        )
    kagglehub = _client(source)
    with _quiet():
        return Fetched(handle, _downloaded(kagglehub, handle))


def clean_up(fetched: Fetched) -> bool:
    """Remove a fetched dataset from kagglehub's cache, that version of it alone; return whether it was there.

    What lies elsewhere stays: on Kaggle's and Colab's own machines kagglehub points to folders that are not its cache.
    """
    _client(PREFIX + fetched.handle)
    from kagglehub.cache import delete_from_cache
    from kagglehub.handle import parse_dataset_handle

    versions, version = _place_of(fetched.handle).absolute() / "versions", fetched.path.name
    if fetched.path.absolute().parent != versions or not version.isdecimal() or not fetched.path.is_dir():
        return False
    with _quiet():
        delete_from_cache(parse_dataset_handle(fetched.handle).with_version(int(version)))
    return True


def _downloaded(kagglehub: Any, handle: str) -> Path:
    import requests

    try:
        return Path(kagglehub.dataset_download(handle))
    except (requests.ConnectionError, requests.Timeout) as error:
        if (version := _newest_there(handle)) is not None:
            return Path(kagglehub.dataset_download(f"{handle}/versions/{version}"))
        raise SourceError(
            f"Kaggle cannot be reached, and kagglehub's cache does not have {handle}: check the network, "
            "or give a folder or zip of it."
        ) from error
    except requests.HTTPError as error:
        raise SourceError(_refused(handle, getattr(error.response, "status_code", None))) from error
    except requests.RequestException as error:
        raise SourceError(
            f"{handle} could not be fetched from Kaggle ({type(error).__name__}): try again later."
        ) from error
    except OSError:
        raise
    except Exception as error:  # kagglehub's own: a wrong checksum, another archive, a damaged file of credentials
        words = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(f"{handle} could not be fetched from Kaggle ({words}).") from error


def _refused(handle: str, status: int | None) -> str:
    if status == 404:
        return f"Kaggle has no dataset {handle}: check its name."
    if status in (401, 403):
        return f"Kaggle does not give {handle} without an account that may have it: log in with kagglehub, or give a zip of it."
    return f"Kaggle answers {status} in place of {handle}: try again later."


def _newest_there(handle: str) -> int | None:
    """Return the newest version of a dataset that the cache has whole; None when it has none, or one was asked for by number."""
    if "/versions/" in handle:
        return None
    markers = _place_of(handle).glob("*.complete")
    versions = [int(marker.stem) for marker in markers if marker.stem.isdecimal()]
    return max(versions, default=None)


def _place_of(handle: str) -> Path:
    """Return the folder of a dataset in kagglehub's cache, whether it is there or not."""
    from kagglehub.config import get_cache_folder

    owner, name = handle.split("/")[:2]
    return Path(get_cache_folder(), "datasets", owner, name)


def _client(source: str) -> Any:
    try:
        import kagglehub
    except ImportError as error:
        raise SourceError(f"{source} needs Kaggle's client: pip install 'gesture-maker[kaggle]'.") from error
    return kagglehub


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let kagglehub say nothing: it logs each step to stdout, and writes there that there is a newer one.

    Its bar is on stderr, and shown where somebody sees it.
    """
    logger = logging.getLogger("kagglehub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    unseen = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(unseen),
            contextlib.redirect_stderr(sys.stderr if sys.stderr.isatty() else unseen),
        ):
            yield
    finally:
        logger.setLevel(before)
