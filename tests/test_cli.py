"""The command line: help, README and the registered commands agree, it starts fast, and prints no traceback."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import Cli, Trained
from helpers import ROOT, environment, one_sentence_error, run_cli, tree, write
from typer.testing import CliRunner

from gesture_maker import __version__
from gesture_maker.cli import app

HEAVY = ("numpy", "cv2", "mediapipe", "tensorflow", "matplotlib", "sklearn", "pyarrow", "PIL", "yaml", "requests")


def commands(group: Any = None, prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Return every command by its words, those with commands of their own too."""
    group = group or typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():
        found[(*prefix, name)] = command
        if hasattr(command, "commands"):
            found |= commands(command, (*prefix, name))
    return found


COMMANDS = commands()


def help_of(*words: str) -> str:
    """Return the help as a reader sees it, without the lines of its boxes."""
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert done.exit_code == 0
    return re.sub(r"[│╭╮╰╯─]", " ", done.output)


def options_of(command: Any) -> dict[str, Any]:
    return {name: one for one in command.params for name in (*one.opts, *one.secondary_opts) if name.startswith("--")}


# Help


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_ends_with_an_example_of_this_command(words: tuple[str, ...]) -> None:
    last = help_of(*words).strip().splitlines()[-1].strip()
    example = re.fullmatch(r"Example:\s+gesture-maker (.+)", last)
    assert example, last
    assert shlex.split(example[1])[: len(words)] == list(words)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_examples_are_right_usage(words: tuple[str, ...]) -> None:
    """Every option of the example exists, and nothing that is required is missing."""
    example = help_of(*words).strip().splitlines()[-1].split("gesture-maker ", 1)[1]
    arguments = shlex.split(example)
    command = COMMANDS[words]
    given = arguments[len(words) :]
    if hasattr(command, "commands"):
        command, given = COMMANDS[tuple(arguments[: len(words) + 1])], arguments[len(words) + 1 :]
    command.make_context("gesture-maker", given, resilient_parsing=False)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_is_explained(words: tuple[str, ...]) -> None:
    text = help_of(*words)
    for name, option in options_of(COMMANDS[words]).items():
        if option.hidden:
            continue
        assert re.search(rf"(?<![\w-]){name}(?![\w-])", text), name
        if name != "--help":
            assert option.help, f"{' '.join(words)} {name} has no help"
            assert " ".join(option.help.split()[:4]) in text  # Rich takes [text in brackets] for its own
    for argument in COMMANDS[words].params:
        assert argument.param_type_name != "argument" or argument.help


def test_help_and_registered_commands_agree() -> None:
    listed = re.findall(r"^\s+([a-z]+)\s{2,}[A-Z]", help_of(), flags=re.MULTILINE)
    assert listed == [words[0] for words in COMMANDS if len(words) == 1]


def test_the_readme_has_every_command_and_no_other() -> None:
    """Its table: first column `command` in backticks, perhaps with arguments; second column what it does."""
    readme = ROOT / "README.md"
    assert readme.is_file(), "README.md is missing"
    table = re.search(r"^\| command \| does \|\n\|[-| ]+\|\n((?:\|.*\|\n)+)", readme.read_text(), flags=re.MULTILINE)
    assert table, "README.md has no table | command | does |"
    described = [re.match(r"\| `(?:gesture-maker )?([a-z]+)[^`]*` \| \S.*\|$", line) for line in table[1].splitlines()]
    assert all(described), table[1]
    assert sorted(row[1] for row in described if row) == sorted({words[0] for words in COMMANDS})


def test_commands_named_in_the_code_exist() -> None:
    """Sentences such as "finish it with `gesture-maker train --resume RUN`" name commands and options that there are."""
    for path in sorted((ROOT / "gesture_maker").rglob("*.py")):
        for text in re.findall(r"`gesture-maker ([a-z][^`]*)`", path.read_text()):
            words = tuple(re.findall(r"[a-z]+(?=\s|$)", text.split(" --")[0]))
            known = next((words[:n] for n in (2, 1) if words[:n] in COMMANDS), None)
            assert known, f"{path.name}: gesture-maker {text}"
            for option in re.findall(r"--[a-z][a-z-]*", text):
                assert option in options_of(COMMANDS[known]), f"{path.name}: gesture-maker {text}"


# A fast start


def imported_by(code: str, cwd: Path) -> set[str]:
    """Return the heavy packages that are imported when `code` has run in a process of its own."""
    ending = f"\nprint('imported:', *[name for name in {HEAVY!r} if sys.modules.get(name)], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", "import sys\n" + code + ending],
        cwd=cwd, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stderr.strip().splitlines()[-1].split()[1:])


MAIN = """
from gesture_maker.cli import main
sys.argv = ["gesture-maker", *{arguments!r}]
try:
    main()
except SystemExit as leaving:
    assert leaving.code == {status}, leaving.code
"""


def test_import_and_help_import_nothing_heavy(tmp_path: Path) -> None:
    assert imported_by("import gesture_maker; dir(gesture_maker); gesture_maker.GestureMakerError", tmp_path) == set()
    every_help = "".join(MAIN.format(arguments=[*words, "--help"], status=0) for words in [(), *COMMANDS])
    assert imported_by(every_help, tmp_path) == set()
    assert imported_by(MAIN.format(arguments=["--version"], status=0), tmp_path) == set()


def test_commands_that_do_not_train_never_import_tensorflow(trained: Trained, tmp_path: Path) -> None:
    dataset, bundle = str(trained.dataset), str(trained.export.bundle)
    looking = (["collect", dataset, "--dataset", "copy"], ["rename", "copy"], ["check", "copy"], ["assets", "list"])
    for several in (looking, (["eval", bundle, dataset, "--out", "evaluation"],)):
        code = "".join(MAIN.format(arguments=arguments, status=0) for arguments in several)
        assert "tensorflow" not in imported_by(code, tmp_path)
    assert (tmp_path / "evaluation/metrics.json").is_file()
    assert (tmp_path / "datasets/copy/contact_sheet.png").is_file()


def test_the_api_is_flat_and_complete() -> None:
    import gesture_maker

    for name in gesture_maker.__all__:
        assert getattr(gesture_maker, name).__doc__
        assert name in dir(gesture_maker)
    assert {"collect", "check", "train", "export", "evaluate", "Recognizer"} <= set(gesture_maker.__all__)
    with pytest.raises(AttributeError, match="no attribute 'tune_it'"):
        gesture_maker.tune_it  # noqa: B018


# Ends


def test_a_process_of_its_own(tmp_path: Path) -> None:
    assert run_cli("--version", cwd=tmp_path).stdout == f"gesture-maker {__version__}\n"
    assert "There is no dataset nowhere" in one_sentence_error(run_cli("train", "nowhere", cwd=tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [[], ["trian"], ["train", "--no-such"], ["assets"], ["eval"], ["export"]])
def test_wrong_usage_exits_2(arguments: list[str], tmp_path: Path, cli: Cli) -> None:
    done = cli(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Usage: " in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


def test_output_that_nobody_reads_is_no_error(tmp_path: Path) -> None:
    """As in `gesture-maker --help | head -1`."""
    command = f"{shlex.quote(sys.executable)} -m gesture_maker --help | true"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr


# check, on the command line


def test_check_exits_0_and_shows_what_there_is(workspace: Path, cli: Cli) -> None:
    done = cli("check", "small", cwd=workspace)
    assert (done.returncode, done.stderr) == (0, "")
    for label in ("none", "open_palm", "thumbs_up", "victory"):
        assert re.search(rf"{label}\s+│\s+12\s+│\s+12", done.stdout)
    sheet = workspace / "datasets/small/contact_sheet.png"
    assert f"Contact sheet: {sheet.relative_to(workspace)}" in done.stdout
    assert sheet.read_bytes().startswith(b"\x89PNG")


BAD_DATASETS = {
    "nowhere": "There is no dataset nowhere",
    "file.txt": "file.txt is a file",
    "flat": "flat has no class folders",
}


@pytest.mark.parametrize("name", BAD_DATASETS)
def test_bad_input_check(name: str, tmp_path: Path, cli: Cli) -> None:
    write(tmp_path / "file.txt", "text")
    write(tmp_path / "flat/1.jpg", b"\xff\xd8")
    before = tree(tmp_path)
    assert BAD_DATASETS[name] in one_sentence_error(cli("check", name, cwd=tmp_path))
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("no none", 'There is no class "none"'),
        ("none only", "There is no gesture besides none"),
        ("empty class", 'The class "fist" is empty'),
    ],
)
def test_bad_input_check_exits_1_exactly_when_training_fails(
    change: str, message: str, workspace: Path, cli: Cli
) -> None:
    import shutil

    dataset = workspace / "datasets/small"
    if change == "no none":
        shutil.rmtree(dataset / "none")
    elif change == "none only":
        for label in ("open_palm", "thumbs_up", "victory"):
            shutil.rmtree(dataset / label)
    else:
        (dataset / "fist").mkdir()
    done = cli("check", "small", cwd=workspace)
    assert (done.returncode, done.stderr) == (1, "Training would fail: mend the errors first.\n")
    assert f"Error: {message}" in done.stdout
    one_sentence_error(cli("train", "small", "--name", "x", cwd=workspace))
    assert not (workspace / "exported_models/x").exists()


def test_bad_input_check_lists_unusable_photos_and_goes_on(workspace: Path, cli: Cli) -> None:
    folder = workspace / "datasets/small/victory"
    write(folder / "empty.jpg", b"")
    write(folder / "notes.txt", "text")
    write(folder / "again.jpg", (folder / "victory_000001.jpg").read_bytes())
    done = cli("check", "small", cwd=workspace)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 photo cannot be used: the file is empty." in done.stdout
    assert "notes.txt: not an image" in done.stdout
    assert "1 photo repeats another" in done.stdout or "1 photo repeat another" in done.stdout
