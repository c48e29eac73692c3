"""The whole way on drawn HGR1: 25 poses of 12 people with masks, split by person, a network without weights, and people it has not seen."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from helpers import run_cli

from gesture_maker.synthetic.hgr1 import GESTURES, draw_hgr1

PHOTOS = 2  # of each pose and person
CHANCE = 1 / len(GESTURES)
SEVERAL = 6.0
"""Times chance, below which something is broken: 0.24. With these settings it gives 0.51 of 100 photos of 2 people, after 20 epochs on half as many more 0.74."""


def test_a_small_network_learns_25_poses_of_people_and_knows_them_on_others(tmp_path: Path) -> None:
    assert draw_hgr1(tmp_path / "HGR1 drawn", photos=PHOTOS, size=192) == 25 * 12 * PHOTOS
    collected = run_cli("image", "collect", "HGR1 drawn", "--dataset", "hgr1", cwd=tmp_path)
    assert collected.returncode == 0, collected.stderr
    assert "Skin is black in the masks" in collected.stdout
    settings = (
        *("--backbone", "mobilenetv3-small", "--weights", "none", "--crop", "hand", "--image-size", "64"),
        *("--epochs", "14", "--ease-in", "6"),
    )
    trained = run_cli("image", "train", "hgr1", "--name", "poses", *settings, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    run = tmp_path / "exported_models/poses"
    with (run / "split.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    people = {part: {row["group"] for row in rows if row["part"] == part} for part in ("train", "validation", "test")}
    assert [len(its) for its in people.values()] == [8, 2, 2]
    assert len(set().union(*people.values())) == 12
    assert json.loads((run / "image.json").read_text())["masks"] == 8 * 25 * PHOTOS
    evaluated = run_cli("image", "eval", "poses", "--fail-under", f"{SEVERAL * CHANCE:.2f}", cwd=tmp_path)
    assert evaluated.returncode == 0, evaluated.stdout
    metrics = json.loads((run / "evaluation/test/metrics.json").read_text())
    assert metrics["photos"] == 2 * 25 * PHOTOS
    assert len([one for one in metrics["per_class"].values() if one["recall"] > 0]) > len(GESTURES) / 3
