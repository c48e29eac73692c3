"""Who may import whom, and that nothing but training waits for TensorFlow."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pyarrow.parquet
import pytest
from hands import drawn, drawn_dataset, silent_bundle
from helpers import ROOT, environment, write

from gesture_maker.landmarks.looking import Look
from gesture_maker.landmarks.rows import Row, to_arrow
from gesture_maker.recognition.recorder import Recorder

PACKAGE = ROOT / "gesture_maker"

ORDER = (
    *("dataset", "landmarks", "synthetic", "embedders", "training", "bundle", "recognition", "evaluation"),
    *("classifiers", "tracking", "motion", "pixels", "hub"),
)
"""The rooms in the order of the data: each may import those before it, and itself."""

LEAVES = {"errors", "files", "images", "progress", "downloading", "assets", "mediapipe_runtime", "bundle.task"}
"""Open to all, and themselves on nothing but each other."""

EVERYTHING = {"steps", "demo", "studio", "cli", "__main__", ""}
"""May import any room."""

EXCEPTIONS = {
    ("bundle.export", "recognition.recognizer"),  # a bundle is put in place when the runtime has proved it
}

TRAINING_ONLY = ("tensorflow", "keras", "tf_keras", "mediapipe_model_maker", "official")
TRACKING_ONLY = ("mlflow",)
HUB_ONLY = ("huggingface_hub", "httpx", "httpx2", "hf_xet")
STUDIO_ONLY = ("fastapi", "starlette", "uvicorn", "websockets", "pydantic", "anyio")
COMES_WITH_MLFLOW = ("uvicorn",)  # runs its scoring server
LONGEST = 450  # lines of a module


def modules() -> list[Path]:
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 30
    return found


def name_of(path: Path) -> str:
    """Return a module's name within the package: `landmarks.table`; empty for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports_of(path: Path) -> tuple[tuple[str, bool], ...]:
    """Return the full name of every module that is imported, and whether that is inside a function."""
    return tuple(_imports(ast.parse(path.read_text(encoding="utf-8")), False, path))


def _imports(node: ast.AST, inside: bool, path: Path) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, inside) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{path} has a relative import"
            module = child.module or ""
            for alias in child.names:
                deeper = PACKAGE.parent / Path(*module.split("."), alias.name)
                is_module = deeper.is_dir() or deeper.with_suffix(".py").is_file()
                yield (f"{module}.{alias.name}" if is_module else module), inside
        yield from _imports(child, inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef), path)


def own_imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Return what a module imports of this package, by names within it."""
    for name, inside in imports_of(path):
        if name.split(".")[0] == PACKAGE.name:
            yield name.removeprefix(PACKAGE.name).removeprefix("."), inside


def room_of(name: str) -> str:
    return name.split(".")[0]


def is_leaf(name: str) -> bool:
    return name in LEAVES


def test_every_module_is_in_a_known_room() -> None:
    rooms = {room_of(name_of(path)) for path in modules() if not is_leaf(name_of(path))}
    assert rooms <= {*ORDER, *EVERYTHING}


def test_imports_go_down_the_pipeline_only() -> None:
    wrong = []
    for path in modules():
        name = name_of(path)
        if room_of(name) in EVERYTHING:
            continue
        for target, _ in own_imports(path):
            if is_leaf(target) or target == "" or (name, target) in EXCEPTIONS:
                continue
            allowed: set[str] = set() if is_leaf(name) else set(ORDER[: ORDER.index(room_of(name)) + 1])
            if room_of(target) not in allowed:
                wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_the_exceptions_are_inside_functions_and_still_needed() -> None:
    found = {(name_of(path), target): inside for path in modules() for target, inside in own_imports(path)}
    assert found[("bundle.export", "recognition.recognizer")] is True
    assert set(found) >= EXCEPTIONS


def test_nothing_imports_the_command_line_but_itself() -> None:
    wrong = [
        f"{name_of(path)} imports {target}"
        for path in modules()
        for target, _ in own_imports(path)
        if room_of(target) == "cli" and room_of(name_of(path)) not in ("cli", "__main__")
    ]
    assert wrong == []


def test_nothing_imports_the_studio_but_the_command_line() -> None:
    """It is the one part that needs an extra; and what it does, library and commands do without it."""
    wrong = [
        f"{name_of(path)} imports {target}"
        for path in modules()
        for target, _ in own_imports(path)
        if room_of(target) == "studio" and room_of(name_of(path)) not in ("studio", "cli")
    ]
    assert wrong == []


def test_nothing_but_the_studio_needs_its_extra() -> None:
    wrong = [
        f"{name_of(path)} imports {target}"
        for path in modules()
        for target, _ in imports_of(path)
        if target.split(".")[0] in STUDIO_ONLY
        and room_of(name_of(path)) != "studio"
        and not (room_of(name_of(path)) == "tracking" and target.split(".")[0] in COMES_WITH_MLFLOW)
    ]
    assert wrong == []


def test_mlflow_is_imported_in_tracking_only() -> None:
    wrong = [
        f"{name_of(path)} imports {target}"
        for path in modules()
        for target, _ in imports_of(path)
        if target.split(".")[0] in TRACKING_ONLY and room_of(name_of(path)) != "tracking"
    ]
    assert wrong == []


def test_the_hubs_client_is_imported_in_hub_only_and_when_it_is_needed() -> None:
    wrong = [
        f"{name_of(path)} imports {target}"
        for path in modules()
        for target, inside in imports_of(path)
        if target.split(".")[0] in HUB_ONLY and (room_of(name_of(path)) != "hub" or not inside)
    ]
    assert wrong == []


def test_tensorflow_is_imported_in_training_only() -> None:
    wrong = [
        f"{name_of(path)} imports {target}"
        for path in modules()
        for target, _ in imports_of(path)
        if target.split(".")[0] in TRAINING_ONLY and room_of(name_of(path)) != "training"
    ]
    assert wrong == []


def test_commands_import_nothing_heavy_before_they_run() -> None:
    allowed = {"__future__", "typing", "pathlib", "typer", "collections", "contextlib", "sys", "signal"}
    wrong = [
        f"{name_of(path)} imports {target}"
        for path in (PACKAGE / "cli").glob("*.py")
        for target, inside in _not_for_types(path)
        if not inside
        and target.split(".")[0] not in allowed
        and target not in ("gesture_maker", "gesture_maker.errors")
        and not target.startswith("gesture_maker.cli.")  # looked at themselves
    ]
    assert wrong == []


def _not_for_types(path: Path) -> Iterator[tuple[str, bool]]:
    """Return the imports that are carried out: not those under `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    yield from _imports(tree, False, path)


def test_no_module_is_long() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_script_of_the_studio_is_long() -> None:
    """`texts.js` holds every word of the page, and may be longer."""
    scripts = list((PACKAGE / "studio/static").glob("*.js"))
    assert len(scripts) > 10
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in scripts}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == (
        {"texts.js": lengths["texts.js"]} if lengths["texts.js"] > LONGEST else {}
    )


def test_the_page_asks_nobody_but_its_server() -> None:
    """No address of another host, nothing that its policy would refuse, no HTML made of strings."""
    for path in (PACKAGE / "studio/static").iterdir():
        if path.suffix not in (".js", ".css", ".html", ".svg"):
            continue
        text = re.sub(r"^\s*(//|\*|/\*).*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        hosts = set(re.findall(r"(?:https?|wss?)://([^/\s\"'`]+)", text.replace("ws://${location.host}", ""))) - {
            "www.w3.org"
        }
        assert hosts == set(), path.name
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert forbidden not in text, path.name
        if path.suffix == ".html":
            assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", text), path.name


# In a process of its own

RUNNER = """
import sys
from gesture_maker.cli import main
try:
    main()
finally:
    heavy = sorted({name.split(".")[0] for name in sys.modules} & {"tensorflow", "keras", "tf_keras", "mediapipe_model_maker"})
    print("LOADED", *heavy, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset of drawn hands, a bundle, and a cache of its own."""
    folder = tmp_path_factory.mktemp("place")
    drawn_dataset(folder / "data", ("none", "four"), 3)
    drawn_dataset(folder / "photos", ("none",), 2)
    write(folder / "silent.task", silent_bundle())
    rows = [
        Row(f"{n:064d}", Look().key(), drawn(label, n)[1], label=label) for n in range(3) for label in ("none", "four")
    ]
    pyarrow.parquet.write_table(to_arrow(rows), folder / "hands.parquet")
    with Recorder(folder / "film.mp4") as film:
        for number in range(5):
            film.add(drawn("four")[0], number / 25)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "check data",
        "check data --plots",
        "check hands.parquet",
        "collect photos --dataset collected",
        "eval silent.task data --out evaluated",
        "live silent.task film.mp4 --headless --record answers.mp4",
        "rename photos",
        "assets list",
        "assets verify",
        "assets import silent.task",
        "--help",
        "train --help",
    ],
)
def test_a_command_that_does_not_train_never_imports_tensorflow(place: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *command.split()],
        cwd=place,
        env=environment(XDG_CACHE_HOME=str(place / "cache"), GESTURE_MAKER_ASSETS=""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (1 if command == "assets import silent.task" else 0), done.stderr + done.stdout
    assert done.stderr.splitlines()[-1] == "LOADED"


def test_the_command_line_starts_without_the_library() -> None:
    """`--help` has to answer at once: none of what takes its time is imported before a command runs."""
    code = "import sys, gesture_maker.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    heavy = {"numpy", "cv2", "PIL", "matplotlib", "mediapipe", "tensorflow", "sklearn", "pyarrow", "yaml", "requests"}
    assert set(done.stdout.split()) & heavy == set()


def test_the_api_is_imported_lazily() -> None:
    code = "import sys, gesture_maker; print(len([n for n in sys.modules if n.startswith('gesture_maker')]))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    import gesture_maker

    for name in gesture_maker.__all__:
        assert getattr(gesture_maker, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing_of_ours"):
        gesture_maker.nothing_of_ours  # noqa: B018
