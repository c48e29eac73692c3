"""The snippets of a real model card, run as they stand in it: Python in a process of its own, JavaScript in Chromium.

Kotlin cannot be run here. Its names were compared with MediaPipe's Java sources, which are the Android API
(google-ai-edge/mediapipe, mediapipe/tasks/java/com/google/mediapipe/): tasks/core/BaseOptions has setModelAssetPath,
tasks/vision/gesturerecognizer/GestureRecognizer has createFromOptions(Context, GestureRecognizerOptions),
recognize(MPImage) and the nested GestureRecognizerOptions with setBaseOptions and setRunningMode,
tasks/vision/core/RunningMode has IMAGE, GestureRecognizerResult has gestures(): List<List<Category>>,
tasks/components/containers/Category has categoryName() and score(), framework/image/BitmapImageBuilder takes a Bitmap.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CLASSES, Trained
from helpers import write
from runtimes import newest_python, run_node

PAGE = """\
<!doctype html>
<html lang="en">
<title>loading</title>
<script type="importmap">
{"imports": {"@mediapipe/tasks-vision": "./node_modules/@mediapipe/tasks-vision/vision_bundle.mjs"}}
</script>
<body><img src="photo.jpg" alt=""></body>
<script type="module">
try { await import("./snippet.mjs"); }
catch (error) { console.error(String(error)); }
document.title = "done";
</script>
</html>
"""
"""What an app's page is to the snippet: the package under its name, the wasm files where npm puts them, and an image."""

ANSWER = re.compile(r"(\w+) (\d\.\d+)")


@pytest.fixture(scope="module")
def place(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundle and `photo.jpg`, and each snippet of the bundle's model card in a file."""
    folder = tmp_path_factory.mktemp("snippets")
    shutil.copy(trained.export.bundle, folder)
    row = next(row for row in trained.training.run.split() if row.label == "open_palm" and row.part == "train")
    shutil.copy(trained.dataset / row.file, folder / "photo.jpg")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", trained.export.card.read_text(), flags=re.MULTILINE | re.DOTALL)
    found = dict(blocks)
    assert sorted(found) == sorted(language for language, _ in blocks) == ["javascript", "kotlin", "python"]
    write(folder / "snippet.py", found["python"])
    write(folder / "snippet.mjs", found["javascript"])
    return folder


def python_answer(python: Path | str, place: Path) -> tuple[str, float]:
    """Run the Python snippet and return the gesture and score that it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "snippet.py"], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return answer(done.stdout)


def answer(said: str) -> tuple[str, float]:
    match = ANSWER.fullmatch(said.strip())
    assert match, said
    return match[1], float(match[2])


@pytest.fixture(scope="module")
def expected(place: Path) -> tuple[str, float]:
    """What the Python snippet answers in the project's own environment."""
    return python_answer(sys.executable, place)


def test_python(expected: tuple[str, float]) -> None:
    label, score = expected
    assert label in CLASSES
    assert 0.5 <= score <= 1


def test_python_with_the_newest_mediapipe(place: Path, expected: tuple[str, float]) -> None:
    label, score = python_answer(newest_python(), place)
    assert label == expected[0]
    assert score == pytest.approx(expected[1], abs=0.02)


def test_javascript(place: Path, expected: tuple[str, float]) -> None:
    write(place / "page.html", PAGE)
    done = run_node("open.mjs", place, "page.html")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["errors"], told["missing"]) == ([], []), told
    said = [line["text"] for line in told["said"]]
    answers = [line for line in said if ANSWER.fullmatch(line)]
    assert len(answers) == 1, said
    label, score = answer(answers[0])
    assert label == expected[0]
    assert score == pytest.approx(expected[1], abs=0.02)
