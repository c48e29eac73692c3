"""The runtimes of `scripts/parity_runtimes.py` for tests: fetched when first needed, and a reason where they cannot be had."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from helpers import ROOT

T = TypeVar("T")


def script(name: str) -> Any:
    """Return a module of scripts/, imported as when it is run."""
    folder = str(ROOT / "scripts")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)


parity: Any = script("parity")
runtimes: Any = script("parity_runtimes")


def had(get: Callable[[], T]) -> T:
    """Return what `get` gets; without Node, Chromium or a network skip the test, and in CI fail it."""
    try:
        return get()
    except runtimes.NotToBeHad as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def run_node(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script of tests/web; see `had`."""
    done: subprocess.CompletedProcess[str] = had(lambda: runtimes.run_node(name, *arguments))
    return done


def newest_python() -> Path:
    """Return the Python that has the newest mediapipe; see `had`."""
    return had(runtimes.newest_python)
