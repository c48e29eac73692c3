"""What many tests make: small photos, zips of them, and a run of the command line."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


def photo(seed: int = 0, suffix: str = ".jpg", size: tuple[int, int] = (48, 40)) -> bytes:
    """Return the bytes of a small image that is another for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    kind = {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper())
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def write(path: Path, content: bytes | str) -> Path:
    """Write a file with its folders and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    """Write a zip of these members, names as they are, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zip_bytes(members))
    return path


def zip_bytes(members: dict[str, bytes]) -> bytes:
    """Return the bytes of a zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, hidden ones too, with their contents."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def contents(folder: Path, label: str = "*") -> Counter[bytes]:
    """Return how often each content occurs among the files of the class folders."""
    return Counter(path.read_bytes() for path in folder.glob(f"{label}/*") if path.is_file())


def environment(**settings: str) -> dict[str, str]:
    """Return the environment in which another Python finds the package from any folder."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", **settings}


def check_manifest(root: Path) -> None:
    """Check that the manifest has a right row for every image and no other."""
    from gesture_maker.dataset.folder import load_dataset
    from gesture_maker.dataset.manifest import read_manifest
    from gesture_maker.files import sha256_of

    rows = read_manifest(root)
    images = {image.file: image for image in load_dataset(root).images}
    assert set(rows) == set(images)
    for file, row in rows.items():
        assert row.sha256 == sha256_of((root / file).read_bytes())
        assert row.label == images[file].label


def run_cli(*args: str | Path, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `gesture-maker ARGS` in a process of its own and return it finished, with its output as text."""
    return subprocess.run(
        [sys.executable, "-m", "gesture_maker", *map(str, args)],
        cwd=cwd,
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
    )


def one_sentence_error(done: subprocess.CompletedProcess[str]) -> str:
    """Return the message of a command that failed as it should: exit 1, one line, no traceback."""
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: "), done.stderr
    return lines[0].removeprefix("Error: ")


DYING = """
import os, sys
from pathlib import Path
left = int(sys.argv[2])
def dying(original):
    def call(*args, **kwargs):
        global left
        if left == 0:
            os._exit(9)
        left -= 1
        return original(*args, **kwargs)
    return call
"""
"""The beginning of a program that is killed: what it wraps in `dying` may be called as often as its second argument says."""
