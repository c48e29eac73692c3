"""The model card beside a bundle: what it says is so. Its snippets are run in test_snippets.py."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import CLASSES, Trained
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.bundle.card import as_code, model_card
from gesture_maker.training.run import Run


@pytest.fixture
def card(trained: Trained) -> str:
    return trained.export.card.read_text()


def snippets(card: str) -> dict[str, str]:
    return dict(re.findall(r"^```(\w+)\n(.*?)^```$", card, flags=re.MULTILINE | re.DOTALL))


def test_it_says_what_the_bundle_is(trained: Trained, card: str) -> None:
    assert card.startswith("# first: a MediaPipe gesture recognizer\n")
    assert f"`gesture_recognizer.task`, SHA-256 `{trained.export.sha256}`" in card
    for label in ("None", *CLASSES[1:]):
        assert f"`{label}`" in card
    assert "below 0.5 do not count" in card
    about = trained.training.run.description
    for value in (about["fingerprint"], about["checksums"]["gesture_embedder"], "Model Maker 0.2.1.4", "epochs 3"):
        assert value in card
    assert "48 photos, of which 48 show a hand: 32 for training, 8 for validation, 8 for the test" in card
    assert "split by group and class" in card
    assert not re.search(r"[{}]{2}|None,|\bnan\b", "".join(line for line in card.splitlines() if "`" not in line))


def test_its_numbers_are_those_of_metrics_json(trained: Trained, card: str) -> None:
    measured = json.loads((trained.run / "metrics.json").read_text())["test"]
    assert f"accuracy {measured['accuracy']:.3f}" in card
    table = re.findall(r"^\| `(.+?)` \| (\S+) \| (\S+) \| (\S+) \| (\d+) \|$", card, flags=re.MULTILINE)
    assert [row[0] for row in table] == ["None", *CLASSES[1:]]
    for label, row in zip(measured["per_class"], table, strict=True):
        numbers = measured["per_class"][label]
        assert row[1:4] == tuple(f"{numbers[name]:.3f}" for name in ("precision", "recall", "f1"))
        assert int(row[4]) == numbers["support"]


def test_the_snippets_name_the_bundle_and_are_balanced(card: str) -> None:
    found = snippets(card)
    assert set(found) == {"python", "javascript", "kotlin"}
    for code in found.values():
        assert '"gesture_recognizer.task"' in code
        for opening, closing in ("()", "{}", "[]"):
            assert code.count(opening) == code.count(closing)
        assert "{{" not in code
    assert 'runningMode: "IMAGE"' in found["javascript"]
    assert "RunningMode.IMAGE" in found["kotlin"]


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20))
def test_any_label_is_one_cell_and_one_piece_of_code(label: str) -> None:
    code = as_code(label)
    assert not re.search(r"(?<!\\)\|", code)
    assert label.replace("|", r"\|") in code
    assert code.startswith("``") == ("`" in label)


def test_odd_file_names_are_strings_in_every_snippet(trained: Trained) -> None:
    name = 'a "b" $c.task'
    found = snippets(model_card(trained.training.run, name, "0" * 64, 0.5))
    assert json.dumps(name) in found["python"]
    assert json.dumps(name) in found["javascript"]
    assert json.dumps(name).replace("$", r"\$") in found["kotlin"]


def test_without_a_test_part_it_says_whose_numbers_these_are(trained: Trained, tmp_path: Path) -> None:
    run = Run(shutil.copytree(trained.run, tmp_path / "first"), trained.training.run.description)
    metrics = json.loads((run.path / "metrics.json").read_text())
    metrics["test"]["photos"] = 0
    (run.path / "metrics.json").write_text(json.dumps(metrics))
    assert "hands of the validation part (by which the training was adjusted: it flatters)" in model_card(
        run, "a.task", "0" * 64, 0.5
    )
    (run.path / "metrics.json").unlink()
    assert "Not measured." in model_card(run, "a.task", "0" * 64, 0.5)
