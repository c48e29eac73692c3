"""What is handed out: a wheel and a source archive that hold all of the package and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from helpers import ROOT, environment


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, built without a network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    return folder


def package_files() -> set[str]:
    """Return the files of the package as they lie here."""
    every = (path for path in (ROOT / "gesture_maker").rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix()
        for path in every
        if "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def test_the_wheel_holds_the_whole_package(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        described = file.read(metadata).decode()
    assert {name for name in names if ".dist-info/" not in name} == package_files()
    assert {"gesture_maker/studio/static/index.html", "gesture_maker/studio/static/main.js"} <= names
    for package in ("fastapi", "uvicorn", "websockets"):
        assert any(
            line.startswith(f"Requires-Dist: {package}") and "extra == 'studio'" in line
            for line in described.splitlines()
        )


def test_the_source_archive_is_enough_to_build_from(built: Path) -> None:
    [archive] = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert package_files() <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "tests/studios.py"} <= names
    assert not [name for name in names if "node_modules" in name or name.endswith(".pyc")]
