"""The folder of a comparison: a fresh one, or an unfinished one of the same hands and settings, for one process at a time.

`fits.jsonl` is there from the beginning, and says of what the comparison is; `comparison.json` comes last, and says that it is
finished.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from gesture_maker.classifiers.comparison import COMPARISON, FITS
from gesture_maker.classifiers.search import identity_in
from gesture_maker.errors import RunError
from gesture_maker.training.run_folder import RUNS, valid_run_name

_LOCK = ".comparing.lock"


def folder_for(name: str | None, default: str, identity: Mapping[str, Any], runs: Path | None = None) -> Path:
    """Return the folder for a comparison: of its `name`, or without one of the `default` name, numbered when that is taken.

    It does not exist, or was never finished and is of the same `identity`. Raises RunError when the one of `name` is another.
    """
    place = runs or RUNS
    if name is not None:
        folder = place / valid_run_name(name)
        _refuse(folder, identity)
        return folder
    for number in count(1):
        folder = place / valid_run_name(default if number == 1 else f"{default}-{number}")
        with contextlib.suppress(RunError):
            _refuse(folder, identity)
            return folder
    raise AssertionError("there are numbers enough")


def refuse_taken(name: str, runs: Path | None = None) -> None:
    """Raise RunError when the folder of a name can only be somebody else's: said before photos are looked at, not after."""
    folder = (runs or RUNS) / valid_run_name(name)
    _refuse(folder, identity_in(folder / FITS))


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Make a folder and keep other processes out of it in the block. Raises RunError when one is at work there."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f'The comparison "{folder.name}" is just being made by another process: wait for it, or choose another --name.'
        ) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / _LOCK).unlink()  # while it is held, so that nobody else holds a file that is gone
        lock.release()


def _refuse(folder: Path, identity: Any) -> None:
    if not folder.exists():
        return
    if (folder / COMPARISON).exists():
        raise RunError(
            f'There is already a comparison "{folder.name}" ({folder}): choose another --name, or remove it.'
        )
    there = identity_in(folder / FITS)
    if there is None:
        if not folder.is_dir() or any(not one.name.startswith(".") for one in folder.iterdir()):
            raise RunError(f"{folder} exists and is no comparison: choose another --name.")
    elif there != identity:
        raise RunError(
            f'The comparison "{folder.name}" was never finished, and is of other hands, folds, seed or versions: choose another '
            f"--name, or remove {folder}."
        )
