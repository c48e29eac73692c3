"""`gesture-maker landmarks`: one table from any source, whatever happens on the way."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from conftest import CLASSES, Cli
from hands import bad_photos
from helpers import environment, make_zip, one_sentence_error, tree, write
from test_interrupt import last_sentence, signalled

from gesture_maker import steps
from gesture_maker.dataset.folder import load_dataset
from gesture_maker.files import sha256_of_file
from gesture_maker.landmarks.detector import HandDetector, detection_key
from gesture_maker.landmarks.engine import find_hands
from gesture_maker.landmarks.making import MadeTable
from gesture_maker.landmarks.rows import answers_of
from gesture_maker.landmarks.table import LandmarkTable, read_batches

Rows = pyarrow.Table


def rows_of(table: Path) -> Rows:
    """Return the rows of a table in their order."""
    return pyarrow.Table.from_batches(read_batches(table))


def plain(rows: Rows) -> Rows:
    """Return the rows of the looks that are not in a mirror."""
    return rows.filter(pyarrow.compute.equal(rows.column("detection"), detection_key()))


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the looks."""
    seen: list[int] = []
    find = HandDetector.find

    def counting(self: HandDetector, *args: object) -> object:
        seen.append(1)
        return find(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(HandDetector, "find", counting)
    return seen


@pytest.fixture
def some(drawn: Path, tmp_path: Path) -> Path:
    """Four photos of each class, without a table, in a folder with a blank and an accent in its name."""
    folder = tmp_path / "mes gestes é"
    for label in CLASSES:
        for path in sorted((drawn / label).glob("*.jpg"))[:4]:
            write(folder / label / path.name, path.read_bytes())
    return folder


def test_each_photo_has_its_row(some: Path, tmp_path: Path, looked_at: list[int]) -> None:
    write(some / "victory/broken.jpg", b"these are words")
    made = steps.find_landmarks(some, out=tmp_path / "out.parquet")
    assert made == MadeTable(
        tmp_path / "out.parquet",
        Counter(dict.fromkeys(CLASSES, 4)) + Counter(victory=1),
        Counter(dict.fromkeys(CLASSES, 4)),
        Counter({"not an image": 1}),
        33,  # 16 photos and their mirror images; and what turned out to be none
    )
    assert len(looked_at) == 32
    data = load_dataset(some)
    rows = plain(rows_of(made.path))
    for name in ("file", "label", "group"):
        assert rows.column(name).to_pylist() == [getattr(image, name) for image in data.images]
    assert rows.column("sha256").to_pylist() == [sha256_of_file(image.path) for image in data.images]
    expected = find_hands([image.path for image in data.images])
    for answer, one in zip(answers_of(rows), expected, strict=True):
        assert repr(answer) == repr(one.answer)
    assert not (some / "landmarks.parquet").exists()


def test_nothing_is_looked_at_twice(some: Path, tmp_path: Path, cli: Cli, looked_at: list[int]) -> None:
    done = cli("landmarks", some, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Looks at images: 32." in done.stdout
    assert re.search(r"victory\s+│\s+4\s+│\s+4", done.stdout)
    before = tree(some)
    for arguments in ((some,), (some, "--out", "copy.parquet"), (some, "--workers", "1")):
        done = cli("landmarks", *arguments, cwd=tmp_path)
        assert "Looks at images: 0." in done.stdout, (done.stdout, done.stderr)
    assert len(looked_at) == 32
    assert tree(some) == before  # the same table is not written again
    assert rows_of(tmp_path / "copy.parquet") == rows_of(some / "landmarks.parquet")

    write(some / "rock/new.jpg", next((some / "none").glob("*.jpg")).read_bytes() + b"!")
    (some / "victory").rename(some / "peace")
    done = cli("landmarks", some, cwd=tmp_path)
    assert "Looks at images: 2." in done.stdout  # the new one, also in a mirror
    data = load_dataset(some)
    assert plain(rows_of(some / "landmarks.parquet")).column("file").to_pylist() == [i.file for i in data.images]
    done = cli("check", some, cwd=tmp_path)
    assert len(looked_at) == 34


def test_a_zip_and_an_address_give_the_rows_of_the_folder(some: Path, tmp_path: Path) -> None:
    files = {f"{p.parent.name}/{p.name}": p.read_bytes() for p in sorted(some.glob("*/*.jpg"))}
    make_zip(tmp_path / "all.zip", files)
    tables = [
        steps.find_landmarks(source, out=tmp_path / f"{number}.parquet").path
        for number, source in enumerate([some, tmp_path / "all.zip", some.resolve().as_uri()])
    ]
    first, *others = (rows_of(table).drop_columns(["file", "group"]) for table in tables)
    for other in others:
        assert first == other


def test_what_cannot_be_used_is_said(some: Path, tmp_path: Path, cli: Cli) -> None:
    bad = bad_photos(some / "none")
    bad["gone"].symlink_to(tmp_path / "nowhere.jpg")
    archive = tmp_path / "cut.zip"
    make_zip(
        archive, {"rock/1.jpg": bytes(range(256)) * 20, "none/1.jpg": next((some / "none").glob("*.jpg")).read_bytes()}
    )
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        offset = opened.getinfo("rock/1.jpg").header_offset
    content[offset + 60 : offset + 80] = bytes(20)
    archive.write_bytes(bytes(content))
    done = cli("landmarks", some, "--out", "some.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for reason in ("the image is damaged or cut short", "the file is empty", "not an image", "over 100 megapixels"):
        assert reason in done.stdout, done.stdout
    done = cli("landmarks", archive, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "rock/1.jpg: cannot be read from its zip" in done.stdout
    assert plain(rows_of(tmp_path / "cut.parquet")).num_rows == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing here",), "There is no dataset nothing here"),
        (("some", "--out", "table.csv"), "use one that ends in .parquet"),
        (("some", "--out", "other.parquet"), "holds something else than landmarks"),
        (("some", "--engine", "dask"), 'There is no engine "dask": use local or ray.'),
        (("some", "--address", "auto"), "use the engine ray with it"),
        (("some", "--group-by", "("), "is not a regular expression"),
        (("empty",), "has no class folders"),
        (("words.csv",), "words.csv"),
        (("s3://",), "s3://"),
        (("nothing://at/all",), "nothing://at/all"),
    ],
)
def test_bad_input_is_one_sentence(
    some: Path, tmp_path: Path, cli: Cli, arguments: tuple[str, ...], words: str
) -> None:
    some.rename(tmp_path / "some")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "words.csv", "these,are\nonly,words\n")
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "other.parquet")
    before = tree(tmp_path)
    assert words in one_sentence_error(cli("landmarks", *arguments, cwd=tmp_path))
    assert tree(tmp_path) == before


def test_a_damaged_table_is_made_whole(some: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("landmarks", some, cwd=tmp_path).returncode == 0
    table = some / "landmarks.parquet"
    whole, rows = table.read_bytes(), rows_of(table)
    for place in (len(whole) // 3, len(whole) // 2, len(whole) - 5):  # pages of the points, and the end
        content = bytearray(whole)
        content[place] ^= 0xFF
        table.write_bytes(bytes(content))
        done = cli("landmarks", some, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert rows_of(table) == rows
    assert (some / "landmarks.parquet.damaged").is_file()
    assert load_dataset(some).labels == CLASSES


@pytest.fixture
def many(some: Path) -> Path:
    """160 photos: a byte after its end makes a JPEG another file, not another photo."""
    for path in sorted(some.glob("*/*.jpg")):
        for number in range(9):
            write(path.with_name(f"{path.stem}_{number}.jpg"), path.read_bytes() + bytes([number]))
    return some


def test_kill_at_any_moment_and_going_on(many: Path, tmp_path: Path) -> None:
    undisturbed = shutil.copytree(many, tmp_path / "undisturbed")
    expected = rows_of(steps.find_landmarks(undisturbed, mirror=False).path)
    rng = random.Random(4)
    command = [sys.executable, "-c", _FLUSHING, "landmarks", str(many), "--no-mirror"]
    table, known = many / "landmarks.parquet", 0
    for _ in range(4):
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wanted = known + rng.randint(5, 30)
        while process.poll() is None and _looks(table) < wanted:
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert _looks(table) >= wanted > known  # nothing that was written is lost
        known = len(LandmarkTable.open(table))
    assert known < 160
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert f"Looks at images: {160 - known}." in done.stdout
    assert rows_of(table) == expected
    assert {path.name for path in many.iterdir() if path.name.startswith(".")} <= {".landmarks.parquet.lock"}


# Writes after every four photos what it otherwise writes after 1,000 or 2 s, so that a kill finds it in the middle.
_FLUSHING = (
    "from gesture_maker.landmarks import engine; engine.FLUSH_ROWS = 4; from gesture_maker.cli import main; main()"
)


def _looks(table: Path) -> int:
    """Return how many looks lie in a table and its parts, while somebody else is writing."""
    names = [table, *(os.scandir(folder) if (folder := table.with_name(f".{table.name}.parts")).is_dir() else ())]
    count = 0
    for name in names:
        path = Path(name)
        if path.suffix == ".parquet" and not path.name.startswith(".") and path.is_file():
            count += pyarrow.parquet.read_metadata(path).num_rows
    return count


def test_two_at_once(many: Path) -> None:
    command = [sys.executable, "-c", _FLUSHING, "landmarks", str(many), "--no-mirror"]
    both = [subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        out, _ = process.communicate()
        assert process.returncode == 0, out
    rows = rows_of(many / "landmarks.parquet")
    assert rows.column("file").to_pylist() == [image.file for image in load_dataset(many).images]


def test_ctrl_c_says_how_to_go_on(many: Path, tmp_path: Path) -> None:
    done = signalled(
        "landmarks", many, "--out", "t.parquet", cwd=tmp_path,
        when=lambda stderr: re.search(r"Looking for hands.*?\b([1-9]\d*)/160", stderr),
    )  # fmt: skip
    assert last_sentence(done).startswith("Interrupted: what was finished is kept, run the same command again")
    assert 0 < len(LandmarkTable.open(tmp_path / "t.parquet")) < 160
