"""Which photos are looked at in a mirror: few, the same ones wherever they lie, and of every class."""

from __future__ import annotations

import shutil
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from conftest import QUICK
from hypothesis import given
from hypothesis import strategies as st

import gesture_maker
from gesture_maker.dataset.splitting import DEFAULT_SHARES
from gesture_maker.landmarks.looking import Look
from gesture_maker.landmarks.mirror import to_mirror
from gesture_maker.landmarks.table import TABLE_NAME, read_batches, table_path
from gesture_maker.training import prepare

photos = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.integers(0, 10**6).map(lambda n: sha256(b"%d" % n).hexdigest()), st.booleans()
    ),
    max_size=60,
    unique_by=lambda one: one[1],
)


@given(photos, st.integers(0, 30), st.randoms(use_true_random=False))
def test_equally_many_of_every_class_by_content(found: list, limit: int, rng: object) -> None:
    labels, shas, usable = zip(*found, strict=True) if found else ((), (), ())
    chosen = to_mirror(labels, shas, usable, limit)
    assert chosen.dtype == np.int64
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert all(usable[index] for index in chosen)
    assert len(chosen) == min(limit, sum(usable))
    having = Counter(label for label, _, is_usable in found if is_usable)
    taken = Counter(labels[index] for index in chosen)
    for label, count in having.items():  # none has fewer than another by more than one, unless it has no more
        assert taken[label] == count or taken[label] >= max(taken.values(), default=0) - 1
    again = list(found)
    rng.shuffle(again)  # type: ignore[attr-defined]
    labels_again, shas_again, usable_again = zip(*again, strict=True) if again else ((), (), ())
    other = to_mirror(labels_again, np.array(shas_again, "S64"), usable_again, limit)
    assert {again[index] for index in other} == {found[index] for index in chosen}


def test_a_training_looks_at_no_more_than_these(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = shutil.copytree(drawn, tmp_path / "small")
    (dataset / TABLE_NAME).unlink()  # other tests may have looked at all of them
    monkeypatch.setattr(prepare, "MIRROR_LOOKS", 8)
    reports: list[tuple[int, int]] = []
    run = gesture_maker.train(
        dataset,
        shares=DEFAULT_SHARES,
        estimate=False,
        settings=QUICK,
        runs=tmp_path / "runs",
        progress=lambda stage, done, total: reports.append((done, total)) if stage == "landmarks" else None,
    ).run
    rows = [row for batch in read_batches(table_path(dataset), ["detection", "file"]) for row in batch.to_pylist()]
    mirrored = {row["file"] for row in rows if row["detection"] == Look(mirrored=True).key()}
    classes = Counter(file.split("/")[0] for file in mirrored)
    assert set(classes.values()) == {2}
    assert reports[-1] == (48 + 8, 48 + 8)
    assert all(done <= total for done, total in reports)
    # The mirror images of all the others are computed.
    hands = run.mirrored_hands("train")
    assert hands is not None
    assert len(hands) == len(run.hands("train"))
    plain = run.hands("train")
    flipped = np.abs(hands.world_hand * [-1, 1, 1] - plain.world_hand).max(axis=(1, 2)) < 1e-6
    files = [row.file for row in run.rows_of_hands("train")]
    assert flipped.tolist() == [file not in mirrored for file in files]
