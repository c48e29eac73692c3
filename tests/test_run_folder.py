"""What the folders of all trainings have in common: made at once or not at all, found by name, of one kind, whole or refused."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import tree, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gesture_maker.errors import RunError
from gesture_maker.files import sha256_of, write_csv
from gesture_maker.motion.run import MotionRun
from gesture_maker.pixels.run import PixelRun
from gesture_maker.training.run import Run
from gesture_maker.training.run_folder import COMMANDS_OF, RunFolder, SplitRow

LABELS = ["none", "fist"]


class Drawing(RunFolder):
    """A kind of training that there is only here."""

    MARK = "drawing.json"
    KIND = "drawing"
    WHAT = "training on drawings"
    COMMANDS = "gesture-maker draw"
    MODEL = "model.bin"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(name: str = "first", rows: tuple[SplitRow, ...] = (), **description: object) -> Drawing:
    return Drawing.create(name, {"labels": LABELS, **description}, lambda unseen: unseen.save_split(rows))


def finished(name: str = "first") -> Drawing:
    run = made(name)
    write(run.path / "model.bin", b"trained")
    run.finish(epochs=3)
    return run


def refused(what: Callable[[], object]) -> str:
    with pytest.raises(RunError) as caught:
        what()
    return str(caught.value)


def test_a_run_is_unfinished_until_its_model_is_there() -> None:
    run = made()
    assert (run.path, run.name, run.call) == (Path("exported_models/first"), "first", "first")
    assert (run.labels, run.finished) == (("none", "fist"), False)
    assert (run.path / "labels.txt").read_text() == "none\nfist\n"
    assert refused(lambda: Drawing.load_finished("first")) == (
        'The run "first" was never finished: continue it with `gesture-maker draw train --resume first`.'
    )
    assert Drawing.load_unfinished("first").description == run.description
    finished("second")
    again = Drawing.load_finished("second")
    assert again.model() == b"trained"
    assert again.description["epochs"] == 3
    assert (
        refused(lambda: Drawing.load_unfinished("second"))
        == 'The run "second" is finished: there is nothing to resume.'
    )
    write(again.path / "model.bin", b"another")
    assert "is not what the training wrote" in refused(lambda: Drawing.load_finished("second"))
    (again.path / "model.bin").unlink()
    assert "model.bin cannot be read" in refused(lambda: Drawing.load_finished("second"))


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device", "x"), RunError("no"), KeyboardInterrupt()]
)
def test_a_folder_appears_at_once_or_not_at_all(here: Path, error: BaseException) -> None:
    def fill(unseen: Drawing) -> None:
        assert not Path("exported_models/first").exists()
        write(unseen.path / "half.npz", b"half")
        raise error

    with pytest.raises(type(error)) as caught:
        Drawing.create("first", {"labels": LABELS}, fill)
    assert tree(here) == {}
    if isinstance(caught.value, OSError):
        assert caught.value.filename == str(Path("exported_models/first"))


def test_of_two_trainings_of_a_name_the_slower_is_refused() -> None:
    with pytest.raises(RunError, match="was never finished"):
        Drawing.create("first", {"labels": LABELS, "who": "slow"}, lambda _: made(who="quick"))
    assert Drawing.load("first").description["who"] == "quick"
    assert [path.name for path in Path("exported_models").iterdir()] == ["first"]


def test_a_name_that_is_taken_is_refused_and_without_one_a_free_one_is_found() -> None:
    assert Drawing.new_name(None, "my photos") == "my photos"
    finished("my photos")
    assert Drawing.new_name(None, "my photos") == "my photos-2"
    assert refused(lambda: Drawing.new_name("my photos", "x")).startswith(
        'There is already a run "my photos" (exported_models'
    )
    made("half")
    assert "--resume half`, or choose another --name" in refused(lambda: Drawing.new_name("half", "x"))
    write(Path("exported_models/notes/a.txt"), "")
    assert refused(lambda: Drawing.new_name("notes", "x")) == (
        f"{Path('exported_models/notes')} exists and is no training on drawings: choose another --name."
    )
    assert "is no folder name" in refused(lambda: Drawing.new_name("", "x"))


@pytest.mark.parametrize("kind", [Run, MotionRun])
def test_a_folder_is_of_one_kind(kind: type[RunFolder]) -> None:
    finished()
    assert refused(lambda: kind.load("first")).startswith(
        f"{Path('exported_models/first')} is no {kind.WHAT}: it has no {kind.MARK}. Train one with `{kind.COMMANDS} train "
    )
    write(Path("exported_models/first") / kind.MARK, (Path("exported_models/first") / Drawing.MARK).read_bytes())
    assert f"{kind.MARK} is damaged" in refused(lambda: kind.load("first"))
    assert 'There is no run "second": neither second nor' in refused(lambda: kind.load("second"))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '"kind"', '{"kind": "drawing", "labels": []}', '{"kind": "drawing", "labels": [1]}', b"\xff"],
)
def test_a_damaged_description_is_told(text: str | bytes) -> None:
    write(Path("exported_models/first/drawing.json"), text)
    assert (
        refused(lambda: Drawing.load("first"))
        == f"{Path('exported_models/first/drawing.json')} is damaged: train again."
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.builds(SplitRow, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT), max_size=4))
def test_the_split_comes_back_whatever_photos_and_people_are_called(rows: list[SplitRow]) -> None:
    run = Drawing(Path("run"), {"photos": len(rows)})
    run.save_split(rows)
    assert run.split() == rows
    path = run.path / "split.csv"
    write(path, path.read_bytes() + b"one,more\n")
    assert "split.csv is missing or damaged" in refused(run.split)


def test_photos_are_the_ones_of_then_or_are_refused() -> None:
    def row(file: str, part: str) -> SplitRow:
        write(Path("photos") / file, file)
        return SplitRow(file, "fist", "", part, sha256_of(file.encode()), "")

    rows = (row("a.jpg", "train"), row("b.jpg", "test"), row("c.jpg", "test"))
    run = made("it's", rows, dataset="photos", photos=3)
    assert run.test_photos() == [(Path("photos/b.jpg"), rows[1]), (Path("photos/c.jpg"), rows[2])]
    run.check_photos(run.photos_of("train"))
    write(Path("photos/a.jpg"), "other")
    (Path("photos/c.jpg")).unlink()
    assert refused(lambda: run.check_photos(run.photos_of("train"))) == (
        f"{Path('photos/a.jpg')} of the run's train part has changed since: put it back, or train again."
    )
    eval_folder = "`gesture-maker draw eval 'it'\"'\"'s' FOLDER`"
    assert refused(run.test_photos) == (
        f"{Path('photos/c.jpg')} of the run's test part is gone: put it back, or name a folder, {eval_folder}."
    )
    run.update(test_dataset="others")
    assert [path.parent for path, _ in (*run.photos_of("train"), *run.photos_of("test"))] == [
        *map(Path, ("photos", "others", "others"))
    ]
    write_csv(run.path / "split.csv", [vars(rows[0])] * 3, list(vars(rows[0])))
    assert refused(run.test_photos) == (
        'The run "it\'s" has no test part: all photos were needed for training. Name a folder of photos of other people, '
        f"{eval_folder}."
    )


def test_ctrl_c_says_how_to_go_on() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, made().told_how_to_resume():
        raise KeyboardInterrupt
    assert str(caught.value) == (
        'The training of "first" was interrupted: continue it with `gesture-maker draw train --resume first`.'
    )


def test_a_run_of_another_kind_is_told_with_its_commands(tmp_path: Path) -> None:
    assert {kind.MARK: kind.COMMANDS for kind in (Run, MotionRun, PixelRun)} == COMMANDS_OF
    (tmp_path / "image.json").write_text("{}")
    with pytest.raises(RunError, match=r"another kind.*`gesture-maker image`"):
        Run.load(tmp_path)
    with pytest.raises(RunError, match=r"another kind.*`gesture-maker image`"):
        MotionRun.load(tmp_path)
