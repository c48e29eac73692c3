"""The demo: the whole way on drawn hands, small here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import check_manifest

from gesture_maker.demo import TEST_PEOPLE, TRAIN_PEOPLE, run_demo
from gesture_maker.synthetic.poses import DEMO_CLASSES


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in sorted(folder.glob("datasets/*/*/*.jpg"))}


def test_it_goes_all_the_way_and_a_second_time_without_drawing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[tuple[str, int, int]] = []
    small: dict[str, Any] = {
        "people": range(4),
        "test_people": range(1000, 1002),
        "per_person": 1,
        "settings": {"epochs": 5, "steps_per_epoch": 40},
    }
    made = run_demo(**small, progress=lambda *stage: told.append(stage))
    assert (made.dataset, made.test_dataset) == (Path("datasets/demo"), Path("datasets/demo_other_people"))
    for folder, people in ((made.dataset, 4), (made.test_dataset, 2)):
        assert len(list(folder.glob("*/*.jpg"))) == people * len(DEMO_CLASSES)
        check_manifest(folder)
    assert made.training.run.path == Path("exported_models/demo")
    assert made.export.bundle == Path("exported_models/demo/gesture_recognizer.task")
    assert made.export.labels == ("None", *sorted(DEMO_CLASSES[1:]))
    assert made.evaluation.metrics.photos == 2 * len(DEMO_CLASSES)
    assert made.evaluation.metrics.accuracy >= 0.6  # of seven classes, from four drawings of each
    assert (made.evaluation.folder / "predictions.csv").is_file()
    trained_on = {row.sha256 for row in made.training.run.split()}
    assert len(trained_on) == 4 * len(DEMO_CLASSES)

    # Each stage is reported from its beginning to its end, one after the other.
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    drawing = ["Drawing demo", "Drawing demo_other_people"]
    assert stages == [*drawing, "landmarks", "training", "recognizing"]
    for name in stages:
        counts = [(done, total) for stage, done, total in told if stage == name]
        assert counts == sorted(counts)
        assert counts[-1][0] == counts[-1][1]

    before = stamps(tmp_path)
    next(iter(before)).unlink()  # as if drawing had been interrupted
    again = run_demo(**small)
    after = stamps(tmp_path)
    assert [path for path in before if before[path] != after[path]] == [next(iter(before))]
    assert again.training.run.name == "demo-2"
    assert again.export.sha256 == made.export.sha256
    assert made.export.bundle.is_file()


def test_nobody_is_drawn_for_both_training_and_test() -> None:
    assert not set(TRAIN_PEOPLE) & set(TEST_PEOPLE)
