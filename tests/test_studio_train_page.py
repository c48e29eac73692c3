"""Train, the page: a training by a click, its curves, what came of it, comparing and removing runs, in Chromium."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import CLASSES, Trained
from runtimes import run_node
from studios import studio
from test_studio_train import working_folder

from gesture_maker.bundle.task import labels_of, read_task
from gesture_maker.dataset.names import bundle_label


def test_a_person_trains_looks_and_compares(trained: Trained, tmp_path: Path) -> None:
    folder = working_folder(trained, tmp_path / "place")
    wrong = folder / "datasets/small/victory/victory_000099.jpg"
    wrong.write_bytes((folder / "datasets/small/open_palm/open_palm_000001.jpg").read_bytes())
    with studio(folder) as running:
        done = run_node("studio_train.mjs", running.address, tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["errors"] == []
    assert told["refused"] == []
    assert [said for said in told["said"] if "400 (Bad Request)" not in said["text"]] == []  # the one that is refused
    found = told["answer"]

    assert [row.split() for row in found["classes"]] == [
        [label, str(count), str(count)] for label, count in zip(CLASSES, (12, 12, 12, 13), strict=True)
    ]
    assert (found["placeholder"], found["placeholderOfStock"]) == ("25", "10")
    assert found["help"] == "After each the validation part is asked (stock: 10)."
    assert found["focusAfterReset"] == "SELECT"
    assert found["refused"] == "epochs is 'many', but has to be a whole number from 1."
    assert found["jobBefore"] is False

    assert found["busy"] is True
    assert found["curve"].startswith("Loss after epoch ")
    assert found["progress"]
    assert "is trained" in found["ended"]
    assert found["kept"] == "4"

    metrics = json.loads((folder / "exported_models/small/metrics.json").read_text())
    assert found["estimate"] == metrics["estimate"]["sentences"][0]
    assert "95 % interval" in found["estimate"]
    shown = [[label, *map(int, (cell.replace("·", "0") for cell in cells))] for label, *cells in found["matrix"]]
    counts = metrics["cross_validation"]["confusion"]["counts"]
    assert shown == [[label, *row[: len(CLASSES)]] for label, row in zip(CLASSES, counts, strict=True)]
    assert "0.44)" in found["shaded"]
    assert any(words.startswith("In victory; the others say open_palm") for words in found["suspects"])
    assert found["advice"] > 0
    assert found["download"] == "small.task"
    head = read_task(tmp_path / "small.task").custom_gesture_classifier
    assert head is not None
    assert labels_of(head) == [bundle_label(label) for label in CLASSES]

    assert "can be continued" in found["cancelled"]
    assert found["unfinished"] is True
    assert found["continued"]
    assert found["compared"]["split"] == ["100,0,0", "80,10,10"]
    assert found["compared"]["augment"] == ["no", "yes"]
    assert "seed" not in found["compared"]  # the same in both
    assert found["matrices"] == 2
    assert found["comparedAfter"] == 0
    assert found["width"] <= 360
    assert found["small"] == []
