"""Collecting that was interrupted, killed, run twice at once, or had no room: nothing lost, nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from helpers import ROOT, check_manifest, contents, environment, one_sentence_error, photo, tree, write
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.dataset.adding import place
from gesture_maker.dataset.collecting import collect
from gesture_maker.dataset.manifest import read_manifest


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.booleans())
def test_interrupted_anywhere_the_next_run_finishes(at: int, move: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sources = [write(root / "s/rock" / f"{number}.jpg", photo(number)) for number in range(10)]

        def interrupt(done: int, total: int) -> None:
            assert done <= total
            if done == at:
                raise KeyboardInterrupt

        before = Counter(path.read_bytes() for path in sources)
        try:
            collect(root / "s", root / "d", move=move, progress=interrupt)
        except KeyboardInterrupt:
            check_manifest(root / "d")
        left = Counter(path.read_bytes() for path in sources if path.exists())
        assert left | contents(root / "d") == before
        if left:
            collect(root / "s", root / "d", move=move)
        assert contents(root / "d") == before
        assert not list((root / "d").rglob(".*"))
        assert [path.exists() for path in sources] == [not move] * 10
        check_manifest(root / "d")
        sources_known = {Path(row.source).name for row in read_manifest(root / "d").values()}
        assert sources_known == {path.name for path in sources}


KILLED = """
import os, sys
from gesture_maker.dataset.collecting import collect
def die(done, total):
    if done == 4:
        os._exit(9)
collect(sys.argv[1], sys.argv[2], move=True, progress=die)
"""


def test_killed_before_the_manifest_was_written_the_next_run_knows_where_images_came_from(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / f"s/rock/{number}.jpg", photo(number))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "s"), str(tmp_path / "d")], check=False, cwd=ROOT
    )
    assert done.returncode == 9
    assert not (tmp_path / "d/manifest.csv").exists()
    assert len(list((tmp_path / "s/rock").iterdir())) == 6  # nothing is removed that is not written down
    result = collect(tmp_path / "s", tmp_path / "d")
    assert (result.added, result.already) == ({"rock": 2}, {"rock": 4})
    assert {Path(row.source).name for row in read_manifest(tmp_path / "d").values()} == {f"{n}.jpg" for n in range(6)}
    check_manifest(tmp_path / "d")


def test_several_at_once_overwrite_nothing(tmp_path: Path) -> None:
    code = "import sys; from gesture_maker.dataset.collecting import collect; collect(sys.argv[1], sys.argv[2])"
    for process in range(3):
        for number in range(30):
            write(tmp_path / f"s{process}/rock/{number}.jpg", photo(process * 100 + number))
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / f"s{process}"), str(tmp_path / "d")], cwd=ROOT)
        for process in range(3)
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(contents(tmp_path / "d", "rock")) == 90
    check_manifest(tmp_path / "d")


@given(st.sets(st.integers(1, 12)), st.integers(1, 12), st.integers(1, 5), st.booleans())
def test_place_never_writes_over_a_file(there: set[int], start: int, count: int, links: bool) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("as on a memory card")

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if not links:
            patch.setattr(os, "link", no_links)
        rock = Path(folder) / "rock"
        for number in there:
            write(rock / f"rock_{number:06d}.jpg", f"old {number}")
        before = contents(Path(folder))
        number = start
        for new in range(count):
            path, number = place(f"new {new}".encode(), rock, "rock", ".jpg", number)
            assert path.name == f"rock_{number:06d}.jpg"
        assert contents(Path(folder)) == before + Counter(f"new {new}".encode() for new in range(count))
        assert len(list(rock.iterdir())) == len(there) + count


FULL_DISK = """
import resource, sys
from gesture_maker.cli import main
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # a write beyond it fails as on a full disk
main()
"""


def test_bad_input_full_disk_leaves_no_half_image(tmp_path: Path) -> None:
    small, large = photo(1, ".png", (8, 8)), photo(2, ".png", (300, 300))
    write(tmp_path / "s/paper/1.png", small)
    write(tmp_path / "s/rock/1.png", large)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, "10000", "collect", "s", "--dataset", "d/e"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "nothing half-written" in one_sentence_error(done)
    assert {file for file in tree(tmp_path / "d/e") if file != "manifest.csv"} == {"paper/paper_000001.png"}
    check_manifest(tmp_path / "d/e")
    assert not (tmp_path / "d/e/rock").exists()
    assert collect(tmp_path / "s", tmp_path / "d/e").added == {"rock": 1}


READ_ONLY = """
import fcntl, os, pathlib, sys
from gesture_maker.dataset.collecting import collect
from gesture_maker.images import read_image
read_image(pathlib.Path(sys.argv[1], "rock/1.jpg"))  # imports what it needs, while it may
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # the superuser may write everywhere
try:
    collect(sys.argv[1], sys.argv[2], move=True)
except OSError as error:
    print(type(error).__name__)
"""


def test_bad_input_read_only_folder_loses_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root / "s/rock/1.jpg", photo())
        (root / "d").mkdir()
        for path in (root, root / "s", root / "s/rock", root / "d"):
            path.chmod(0o555)
        try:
            command = [sys.executable, "-c", READ_ONLY, str(root / "s"), str(root / "d")]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        finally:
            for path in (root / "s/rock", root / "s", root / "d", root):
                path.chmod(0o755)
        assert done.stdout.strip() == "PermissionError", done.stderr
        assert tree(root) == {"s/rock/1.jpg": photo()}
