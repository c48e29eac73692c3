"""What `check` finds in a dataset, and the picture of it."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from conftest import QUICK, Cli
from hands import bad_photos, drawn, drawn_dataset, save_photo
from helpers import one_sentence_error, photo, run_cli, tree, write
from pictures import check_picture
from PIL import Image

import gesture_maker
from gesture_maker.dataset.checking import Check, Finding, PhotoFacts, find_problems
from gesture_maker.dataset.folder import ImageDataset, LabelledImage
from gesture_maker.dataset.splitting import FEW
from gesture_maker.embedders.builtin import embed
from gesture_maker.errors import DatasetError, RunError
from gesture_maker.landmarks.drawing import TILE, Example, draw_hand, save_contact_sheet
from gesture_maker.landmarks.hands import Hand, HandOrNot, NoHand
from gesture_maker.landmarks.looking import Look
from gesture_maker.landmarks.rows import Row, to_arrow
from gesture_maker.steps import check
from gesture_maker.training.background import background_hands
from gesture_maker.training.enrich import enriched

ROOT = Path("data")


def findings_of(
    photos: dict[str, list[tuple[bool, str]]], empty: tuple[str, ...] = (), ignored: tuple[tuple[Path, str], ...] = ()
) -> dict[str, str]:
    """Return sentence -> level for classes of photos given as (usable, content)."""
    images = [LabelledImage(ROOT / label / f"{i}.jpg", label) for label, its in photos.items() for i in range(len(its))]
    facts = [
        PhotoFacts(what, usable, "" if usable else "no hand found") for its in photos.values() for usable, what in its
    ]
    data = ImageDataset(ROOT, tuple(images), ignored, empty)
    classes, findings = find_problems(data, facts)
    assert {line.label: line.photos for line in classes} == data.counts
    assert {line.label: line.usable for line in classes} == {
        label: sum(usable for usable, _ in photos.get(label, [])) for label in data.labels
    }
    levels = [finding.level for finding in findings]
    assert levels == sorted(levels)  # errors first
    return {finding.sentence: finding.level for finding in findings}


def usable(count: int, of: str) -> list[tuple[bool, str]]:
    return [(True, f"{of}{number}") for number in range(count)]


GOOD = {"none": usable(12, "n"), "rock": usable(12, "r")}


def test_a_good_dataset_has_no_findings() -> None:
    assert findings_of(GOOD) == {}


def test_no_class_none() -> None:
    (found,) = findings_of({"rock": usable(12, "r"), "ok": usable(12, "o")}).items()
    assert found == (
        'There is no class "none": add a folder "none" with hands that make none of your gestures; it may be empty.',
        "error",
    )


def test_none_alone() -> None:
    (found,) = findings_of({"none": usable(12, "n")}).items()
    assert found == ("There is no gesture besides none: add a folder of photos for each gesture.", "error")


def test_an_empty_class() -> None:
    (found,) = findings_of(GOOD, empty=("ok",)).items()
    assert found == ('The class "ok" is empty: add photos to it, or remove its folder.', "error")


@pytest.mark.parametrize(
    ("photos", "what"), [(0, "is empty"), (1, "has no usable hand in 1 photo"), (3, "in 3 photos")]
)
def test_a_none_without_hands_is_a_warning(photos: int, what: str) -> None:
    dark = [(False, f"n{number}") for number in range(photos)]
    found = findings_of({"none": dark, "rock": usable(12, "r")}, empty=() if photos else ("none",))
    ((sentence, level),) = [item for item in found.items() if '"none"' in item[0]]
    assert level == "warning"
    assert f"{what}: the model learns from made-up hands alone" in sentence
    assert set(found.values()) == {"warning"}


# A small dataset is trained on as a whole, a larger one needs a hand of each class for each part of the split.
@pytest.mark.parametrize(
    ("others", "count", "level"),
    [
        *((12, 0, "error"), (12, 1, "warning"), (12, 9, "warning"), (12, 10, None)),
        *((FEW, 0, "error"), (FEW, 2, "error"), (FEW, 3, "warning"), (FEW, 9, "warning"), (FEW, 10, None)),
    ],
)
def test_few_usable_hands(others: int, count: int, level: str | None) -> None:
    found = findings_of(
        {"none": usable(12, "n"), "rock": usable(others, "r"), "ok": [*usable(count, "o"), (False, "x")]}
    )
    about = [its for sentence, its in found.items() if '"ok"' in sentence]
    assert about == ([level] if level else [])


def test_a_class_in_which_hands_are_rarely_found() -> None:
    found = findings_of(GOOD | {"ok": usable(15, "o") + [(False, f"x{i}") for i in range(5)]})
    assert found == {
        'The class "ok" shows a hand in only 15 of 20 photos: see which below.': "warning",
        "5 photos cannot be used: no hand found.": "warning",
    }


def test_the_same_photo_twice_in_a_class() -> None:
    found = findings_of(GOOD | {"rock": [*usable(12, "r"), (True, "r0"), (True, "r0"), (True, "r1")]})
    assert found == {"3 photos repeat another of the same class, such as rock/12.jpg: remove them.": "warning"}


def test_the_same_photo_in_two_classes() -> None:
    found = findings_of(GOOD | {"ok": [*usable(12, "o"), (True, "r3")]})
    assert found == {'The same photo is in "ok" and "rock": remove the wrong one (rock/3.jpg, ok/12.jpg).': "warning"}


def test_one_photo_twice_in_a_class() -> None:
    found = findings_of(GOOD | {"rock": [*usable(12, "r"), (True, "r0")]})
    assert found == {"1 photo repeats another of the same class, such as rock/12.jpg: remove it.": "warning"}


def test_many_photos_in_the_same_two_classes_are_one_finding() -> None:
    found = findings_of(GOOD | {"ok": [*usable(12, "o"), *usable(9, "r")]})
    assert found == {'The same 9 photos are in "ok" and "rock": remove the wrong ones.': "warning"}


def test_photos_that_could_not_be_read_are_no_duplicates() -> None:
    assert findings_of(GOOD | {"ok": [*usable(12, "o"), (False, ""), (False, "")]}) == {
        "2 photos cannot be used: no hand found.": "warning"
    }


def test_names_that_differ_by_case_alone() -> None:
    found = findings_of(GOOD | {"Rock": usable(12, "R")})
    assert set(found.values()) == {"warning"}
    assert sorted(sentence.split('"')[1] for sentence in found) == ["Rock", "rock"]


def test_files_that_are_passed_over() -> None:
    ignored = ((ROOT / "rock/notes.txt", "not an image"),)
    assert findings_of(GOOD, ignored=ignored) == {"1 file will be passed over.": "warning"}


def test_errors_are_the_findings_that_make_training_impossible() -> None:
    findings = (Finding("error", "bad"), Finding("warning", "not so bad"))
    assert Check(ROOT, (), findings, ()).errors == findings[:1]


# On real folders


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with something wrong of every kind that still can be trained."""
    root = drawn_dataset(tmp_path_factory.mktemp("messy") / "data", ("none", "four"), 3)
    for path in bad_photos(root / "four").values():
        if path.name == "whole.png":
            path.unlink()
    write(root / "four" / "notes.txt", "words")
    write(root / "four" / "tiny.png", photo(1, ".png", (8, 8)))
    save_photo(root / "none" / "no_hand.png", np.full((200, 200, 3), 90, np.uint8))
    shutil.copy(root / "none" / "p0_none.png", root / "none" / "again.png")
    shutil.copy(root / "none" / "p1_none.png", root / "four" / "also.png")
    return root


def test_every_photo_is_accounted_for(messy: Path) -> None:
    calls: list[tuple[int, int]] = []
    result = check(messy, progress=lambda done, total: calls.append((done, total)))
    files = {path for path in messy.glob("*/*") if path.is_file()}
    unused = dict(result.unused)
    assert len(unused) == len(result.unused)
    assert sum(line.usable for line in result.classes) + len(unused) == len(files)
    assert unused[messy / "four/notes.txt"] == "not an image"
    assert unused[messy / "four/empty.jpg"] == "the file is empty"
    assert unused[messy / "none/no_hand.png"] == "no hand found"
    assert "over 100 megapixels" in unused[messy / "four/huge.png"]
    assert result.errors == ()
    sentences = " ".join(finding.sentence for finding in result.findings)
    for words in ("repeat another of the same class", 'The same photo is in "four" and "none"', "passed over"):
        assert words in sentences
    assert calls[-1] == (calls[-1][1],) * 2
    assert result.contact_sheet == messy / "contact_sheet.png"


def test_the_command_exits_0_with_warnings_and_1_with_errors(messy: Path, tmp_path: Path) -> None:
    done = run_cli("check", messy, "--list-all", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Warning: " in done.stdout
    assert "empty.jpg" in done.stdout
    assert done.stderr == ""
    lacking = drawn_dataset(tmp_path / "lacking", ("four", "fist"), 1)
    done = run_cli("check", lacking, "--out", tmp_path / "sheet.png", cwd=tmp_path)
    assert done.returncode == 1
    assert 'Error: There is no class "none"' in done.stdout
    assert done.stderr.strip() == "Training would fail: mend the errors first."
    assert (tmp_path / "sheet.png").is_file()


def test_bad_input_no_dataset_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="There is no folder"):
        check(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no class folders"):
        check(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_empty_class_folders_make_no_contact_sheet(tmp_path: Path) -> None:
    for label in ("none", "rock"):
        (tmp_path / label).mkdir()
    result = check(tmp_path)
    assert result.contact_sheet is None
    assert [(finding.level, '"rock" is empty' in finding.sentence) for finding in result.findings] == [
        ("error", True),
        ("warning", False),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["none", "rock"]


# A class none without a hand

NO_NONE = ("none", "open_palm", "victory")


@pytest.fixture(scope="module", params=["no photo", "no hand"])
def without_none(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose class none has no photo, or two in which there is no hand; its landmarks are known."""
    root = drawn_dataset(tmp_path_factory.mktemp("without_none") / "data", NO_NONE, 4)
    for path in (root / "none").iterdir():
        path.unlink()
    for seed in range(2 if request.param == "no hand" else 0):
        write(root / "none" / f"{seed}.jpg", photo(seed))
    check(root)
    return root


def test_a_none_without_hands_can_be_trained_on_and_is_told(without_none: Path, tmp_path: Path, cli: Cli) -> None:
    done = run_cli("check", without_none, "--out", tmp_path / "sheet.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (told,) = [line for line in done.stdout.splitlines() if "made-up hands alone" in line]
    assert told.startswith("Warning: ")
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
    done = cli("train", without_none, "--name", "first", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert told in done.stdout.splitlines()
    done = cli("export", "first", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Labels: None, open_palm, victory" in done.stdout
    with gesture_maker.Recognizer(tmp_path / "exported_models/first/gesture_recognizer.task") as recognizer:
        found = [recognizer.recognize(path).best for path in sorted((without_none / "victory").iterdir())]
    assert "victory" in {hand.gesture for hand in found if hand}


@pytest.mark.parametrize("flag", ["--no-background", "--recipe=stock"])
def test_bad_input_a_none_without_hands_and_without_background(
    flag: str, without_none: Path, tmp_path: Path, cli: Cli
) -> None:
    before = tree(tmp_path)
    message = one_sentence_error(cli("train", without_none, flag, cwd=tmp_path))
    assert '"none"' in message
    assert "--no-background" in message or "No hand was found" in message
    assert tree(tmp_path) == before


def test_a_none_without_hands_needs_some_that_are_made_up() -> None:
    hands, classes = background_hands(4, seed=0), np.array([1, 1, 2, 2], np.int64)
    with pytest.raises(RunError, match='"none" has no hand to train on'):
        enriched(hands, classes, list(NO_NONE), embed, variants=2, background=0, seed=0)
    found = enriched(hands, classes, list(NO_NONE), embed, variants=2, background=50, seed=0)
    assert (found.classes == 0).any()


# The contact sheet

AWKWARD = ["none", "$x$", "手势", "👍🏽 gut", "W" * 150, "مرحبا", "日本語クラス名とても長い" * 5, "ok\u200dok"]


def text_ends(sheet: Image.Image, row: int) -> tuple[int, int]:
    """Return the first and last column of the line above the photos of a row in which something is written."""
    top = 6 + row * (TILE + 36)
    line = np.asarray(sheet.convert("L"))[top : top + 22]
    columns = np.flatnonzero((line < 200).any(axis=0))
    return int(columns[0]), int(columns[-1])


def test_a_contact_sheet_can_be_drawn_of_any_labels(tmp_path: Path) -> None:
    pixels, hand = drawn("four")
    found = Example(save_photo(tmp_path / "a.png", pixels), hand)
    flat = Example(save_photo(tmp_path / "b.png", pixels[100:130]), None)
    broken = Example(tmp_path / "gone.png", None)
    note = "8 of 10 photos show a usable hand"
    target = tmp_path / "deep" / "sheet.png"
    save_contact_sheet({label: [found, flat, broken] * 3 for label in AWKWARD}, dict.fromkeys(AWKWARD, note), target)
    with Image.open(target) as sheet:
        assert sheet.size == (8 * (TILE + 6) + 6, len(AWKWARD) * (TILE + 36) + 6)
        for row in range(len(AWKWARD)):
            begin, end = text_ends(sheet, row)
            assert begin >= 3
            assert end < sheet.width - 10  # nothing is cut off at the edge
        red = np.asarray(sheet.convert("RGB"))[36 + 20, :, :]
        assert (red[6] != [255, 0, 0]).any()  # a hand was found in the first photo
        assert (red[6 + TILE + 6] == [255, 0, 0]).all()  # and none in the second
    assert [path.name for path in target.parent.iterdir()] == ["sheet.png"]


def test_a_contact_sheet_of_nothing_is_a_picture_too(tmp_path: Path) -> None:
    save_contact_sheet({}, {}, tmp_path / "none.png")
    save_contact_sheet({"rock": []}, {}, tmp_path / "rock.png")
    with Image.open(tmp_path / "rock.png") as sheet:
        assert text_ends(sheet, 0)[1] < 200


def test_a_hand_is_drawn_where_its_landmarks_are() -> None:
    pixels, hand = drawn("open_palm", 0)
    changed = (draw_hand(pixels, hand) != pixels).any(axis=2)
    assert changed.any()
    rows, columns = np.nonzero(changed)
    spots = hand.landmarks[:, :2] * 320
    assert (spots.min(axis=0) - 8 <= (columns.min(), rows.min())).all()
    assert (spots.max(axis=0) + 8 >= (columns.max(), rows.max())).all()
    for x, y in spots:
        assert changed[int(np.clip(round(y), 0, 319)), int(np.clip(round(x), 0, 319))]


@pytest.mark.parametrize("place", [(0.5, 0.5), (-0.4, 0.5), (1.4, 1.4), (5.0, -5.0)])
@pytest.mark.parametrize("size", [0.1, 0.9, 0.0])
def test_a_hand_anywhere_can_be_put_on_the_sheet(tmp_path: Path, place: tuple[float, float], size: float) -> None:
    pixels, hand = drawn("four")
    moved = hand.landmarks.copy()
    moved[:, :2] = (moved[:, :2] - moved[:, :2].mean(axis=0)) * size + place
    path = save_photo(tmp_path / "a.png", pixels)
    save_contact_sheet({"a": [Example(path, Hand(moved, hand.world, 1, 320, 320))]}, {}, tmp_path / "s.png")
    assert (tmp_path / "s.png").stat().st_size > 1000


# Tables of landmarks

PICTURES = ("classes.png", "skeletons.png", "normalized.png")
KEY = Look().key()


def table_row(label: str, number: int, answer: HandOrNot | None = None, **values: str) -> Row:
    """Return a row of a drawn hand, another for each number."""
    name = label if label in ("four", "fist") else "four"
    hand = drawn(name, number % 7, number // 7, 64)[1]
    return replace(
        Row(f"{label}{number:060d}"[-64:], KEY, answer or hand, f"{label}/{number}.jpg", label, None), **values
    )


def table_at(path: Path, rows: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(to_arrow(rows), path)
    return path


@pytest.fixture
def messy_table(tmp_path: Path) -> Path:
    """Three classes, groups of two of them, rows without a hand, and rows that are there twice."""
    rows = [
        *(table_row("none", number) for number in range(12)),
        *(table_row("four", number, group=f"p{number % 3}") for number in range(11)),
        *(table_row("fist", number, group=f"p{number}") for number in range(4)),
        *(table_row("fist", number, NoHand("no hand found")) for number in range(20, 23)),
        table_row("four", 24, NoHand("the file is empty")),
        replace(table_row("four", 3), file="four/again.jpg"),
        replace(table_row("none", 5), label="fist", file="fist/none.jpg"),
        # Two boxes in one photo are two hands; a look in the mirror is no row of its own.
        replace(table_row("none", 30), sha256="f" * 64, detection=f"{KEY}@1"),
        replace(table_row("four", 31), sha256="f" * 64, detection=f"{KEY}@2"),
        replace(table_row("four", 4), detection=f"{KEY}-mirrored"),
    ]
    return table_at(tmp_path / "data/hands.parquet", rows)


def test_a_table_is_told_as_its_photos_would_be(messy_table: Path) -> None:
    calls: list[tuple[int, int]] = []
    result = check(messy_table, progress=lambda done, total: calls.append((done, total)))
    found = {line.label: (line.photos, line.usable, line.groups) for line in result.classes}
    assert found == {"none": (13, 13, 0), "fist": (8, 5, 4), "four": (14, 13, 3)}
    assert [(level, sentence) for level, sentence in ((one.level, one.sentence) for one in result.findings)] == [
        ("warning", 'The class "fist" has only 5 usable hands: 10 or more are better.'),
        ("warning", 'The same row is in "fist" and "none": remove the wrong one (none/5.jpg, fist/none.jpg).'),
        ("warning", "1 row repeats another of the same class, such as four/again.jpg: remove it."),
        ("warning", "3 rows cannot be used: no hand found."),
        ("warning", "1 row cannot be used: the file is empty."),
    ]
    unused = dict(result.unused)
    assert sorted(set(unused.values())) == ["no hand found", "the file is empty"]
    assert messy_table.parent / "fist/20.jpg" in unused
    assert result.contact_sheet is None
    assert result.pictures == tuple(messy_table.with_name(f"hands_{name}") for name in PICTURES)
    for path in result.pictures:
        check_picture(path)
    assert calls
    assert calls[-1][0] == calls[-1][1]


@pytest.mark.parametrize("rows", ["one class", "no hand", "only none", "one hand"])
def test_poor_tables_are_told_and_not_refused(rows: str, tmp_path: Path, cli: Cli) -> None:
    tables = {
        "one class": [table_row("fist", number) for number in range(12)],
        "no hand": [table_row("fist", number, NoHand("no hand found")) for number in range(3)],
        "only none": [table_row("none", number) for number in range(12)],
        "one hand": [table_row("fist", 0), *(table_row("none", number) for number in range(12))],
    }
    sentences = {
        "one class": 'Warning: The class "none" is empty',
        "no hand": 'Error: The class "fist" has 0 usable hands of 3 rows: training needs at least 1, add rows.',
        "only none": "Error: There is no gesture besides none: add rows for each gesture.",
        "one hand": 'Warning: The class "fist" has only 1 usable hand',
    }
    table_at(tmp_path / "t.parquet", tables[rows])
    done = cli("check", "t.parquet", cwd=tmp_path)
    assert sentences[rows] in done.stdout
    assert done.returncode == (1 if "Error:" in sentences[rows] else 0)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(["t.parquet", *(f"t_{name}" for name in PICTURES[: 1 if rows == "no hand" else 3])])


def test_the_command_shows_rows_and_groups_and_where_the_pictures_are(messy_table: Path, cli: Cli) -> None:
    done = cli("check", messy_table, "--out", "made/here", "--list-all", cwd=messy_table.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"class\s+┃\s+rows\s+┃\s+usable\s+┃\s+groups", done.stdout)
    assert re.search(r"four\s+│\s+14\s+│\s+13\s+│\s+3", done.stdout)
    for name in PICTURES:
        assert f"Picture: made/here/{name}" in done.stdout
    assert "Contact sheet" not in done.stdout
    assert f"{messy_table.parent}/fist/22.jpg" in done.stdout
    assert sorted(tree(messy_table.parent)) == sorted(["hands.parquet", *(f"made/here/{name}" for name in PICTURES)])


def test_group_by_is_applied_to_the_names_in_a_table(tmp_path: Path, cli: Cli) -> None:
    names = [("none", "a"), ("none", "b"), ("fist", "a"), ("fist", "a")]
    rows = [table_row(label, n, file=f"{label}/{who}_{n}.jpg") for n, (label, who) in enumerate(names)]
    table_at(tmp_path / "t.parquet", rows)
    done = cli("check", "t.parquet", "--group-by", r"^\w_", cwd=tmp_path)
    assert re.search(r"none\s+│\s+2\s+│\s+2\s+│\s+2", done.stdout)
    assert re.search(r"fist\s+│\s+2\s+│\s+2\s+│\s+1", done.stdout)


def test_the_pictures_of_a_table_in_a_read_only_folder_are_in_the_cache(
    messy_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    messy_table.parent.chmod(0o555)
    try:
        before = tree(messy_table.parent)
        pictures = check(messy_table).pictures
        assert tree(messy_table.parent) == before
    finally:
        messy_table.parent.chmod(0o755)
    assert len(pictures) == 3
    assert all(path.is_relative_to(tmp_path / "cache") and path.is_file() for path in pictures)


def test_a_sample_of_a_large_table_is_drawn_and_all_of_it_counted(
    messy_table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = check(messy_table)
    monkeypatch.setattr("gesture_maker.classifiers.data.MOST_HANDS", 12)
    monkeypatch.setattr("gesture_maker.classifiers.table_check.MOST_HANDS", 12)
    before = [path.read_bytes() for path in usual.pictures]
    result = check(messy_table)
    assert result.classes == usual.classes
    assert result.findings == usual.findings
    after = [path.read_bytes() for path in result.pictures]
    assert after[0] == before[0]  # the classes
    assert after[1] != before[1]


@pytest.mark.parametrize(
    ("content", "out", "message"),
    [
        (None, "folder.png", "folder.png is no folder"),
        (None, "hands.parquet", "hands.parquet is no folder"),
        (b"words", None, "hands.parquet is no table of landmarks"),
    ],
)
def test_bad_input_check_of_a_table(
    content: bytes | None, out: str | None, message: str, messy_table: Path, cli: Cli
) -> None:
    if content is not None:
        messy_table.write_bytes(content)
    before = tree(messy_table.parent)
    options = ["--out", out] if out else []
    assert message in one_sentence_error(cli("check", "hands.parquet", *options, cwd=messy_table.parent))
    assert tree(messy_table.parent) == before


def test_bad_input_check_of_a_csv(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path / "hands.csv", "x1,y1\n1,2\n")
    assert "hands.csv lacks the columns z1" in one_sentence_error(cli("check", "hands.csv", cwd=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["hands.csv"]


def test_a_csv_of_landmarks_is_checked(shared: Path, tmp_path: Path, cli: Cli) -> None:
    lines = (shared / "data/hagrid_style_landmarks.csv").read_text(encoding="utf-8").splitlines()
    write(tmp_path / "digits.csv", "\n".join([*lines, lines[3]]))
    done = cli("check", "digits.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 row repeats another of the same class, such as digits.csv#1194: remove it." in done.stdout
    assert done.stdout.endswith("Next:  gesture-maker train digits.csv\n")
    for name in PICTURES:
        check_picture(tmp_path / f"digits_{name}")


def test_a_dataset_gets_the_pictures_when_they_are_asked_for(workspace: Path, tmp_path: Path, cli: Cli) -> None:
    dataset = workspace / "datasets/small"
    done = cli("check", "small", "--plots", cwd=workspace)
    assert (done.returncode, done.stderr) == (0, "")
    for name in PICTURES:
        assert f"Picture: datasets/small/check_{name}" in done.stdout
        check_picture(dataset / f"check_{name}")
    again = check(dataset, out=tmp_path / "elsewhere/sheet.png", plots=True)
    assert again.contact_sheet == tmp_path / "elsewhere/sheet.png"
    assert again.pictures == tuple(tmp_path / f"elsewhere/check_{name}" for name in PICTURES)
    assert not any(finding.files for finding in again.findings if "passed over" in finding.sentence)  # nor the pictures
    own = check(dataset / "landmarks.parquet")
    assert own.pictures == tuple(dataset / f"check_{name}" for name in PICTURES)
    assert check(dataset).pictures == ()
