"""Fixtures that many tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos, videos and Google's model files beside the repository; read only."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        reason = "needs the folder of real photos and model files at ../shared"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
