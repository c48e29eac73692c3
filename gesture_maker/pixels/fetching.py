"""HGR1 from where it is published, into the user's cache: two zips, photos and skin masks.

The place has no certificate, and publishes no checksums: those of the first download are written down, and hold from then on.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from gesture_maker.downloading import Checked, DownloadError, downloaded_file, without_password
from gesture_maker.errors import SourceError
from gesture_maker.files import user_cache

URL_VARIABLE = "GESTURE_MAKER_HGR1_URL"
"""The environment variable for another address of the folder that has the zips."""

PUBLISHED_URL = "http://sun.aei.polsl.pl/~mkawulok/gestures"
FILES = ("hgr1_images.zip", "hgr1_skin.zip")
_MAX_BYTES = 4 << 30  # of each; 899 photos


def cache_folder() -> Path:
    """Return the folder in which the zips are kept; it need not exist."""
    return user_cache("hgr1")


def fetch_hgr1(progress: Callable[[str, int, int], None] | None = None) -> list[Checked]:
    """Return the two zips in the cache, downloaded unless they are there, each with its SHA-256.

    `progress` is called with (file, bytes done, bytes in all or 0). What arrived of an interrupted download is gone on from.
    Raises SourceError without a network or when the server sends something else, ChecksumError when a zip is not the one that was
    first downloaded, OSError when the disk is full.
    """
    base = (os.environ.get(URL_VARIABLE) or PUBLISHED_URL).rstrip("/")
    return [_fetch(f"{base}/{name}", cache_folder() / name, progress) for name in FILES]


def _fetch(url: str, target: Path, progress: Callable[[str, int, int], None] | None) -> Checked:
    def report(done: int, total: int) -> None:
        if progress:
            progress(target.name, done, total)

    try:
        return downloaded_file(url, target, _MAX_BYTES, zipfile.is_zipfile, report)
    except DownloadError as error:
        raise SourceError(
            f"{target.name} cannot be downloaded from {without_password(url)} ({error.reason}): run the same command again to go on, "
            f"or give {' and '.join(FILES)} as SOURCE."
        ) from error
