"""Training on more hands than are kept in memory: who goes where, the shuffle on disk, resuming, and how much memory it takes."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from conftest import Cli
from helpers import ROOT, environment, one_sentence_error
from hypothesis import given, settings
from hypothesis import strategies as st

import gesture_maker
from gesture_maker.dataset.splitting import HANDS
from gesture_maker.errors import RunError
from gesture_maker.landmarks.hands import NOT_FOUND
from gesture_maker.landmarks.rows import Row, to_arrow
from gesture_maker.training import prepare, stream
from gesture_maker.training.model_maker import LabelledEmbeddings
from gesture_maker.training.run import Run
from gesture_maker.training.spool import Spool, spooled
from gesture_maker.training.stream import TEST, TRAIN, VALIDATION, default_shares_of_many, plan, sampled
from gesture_maker.training.table_source import Survey

sys.path.insert(0, str(ROOT / "scripts"))
import bench_speed_data

ROWS = 2400
FEW = {"batch_size": 64, "epochs": 4, "steps_per_epoch": 60}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 2,400 drawn hands and, spread among them, 24 photos in which none was found."""
    path = tmp_path_factory.mktemp("table") / "many.parquet"
    classes = ("none", "fist", "open_palm", "victory")
    bench_speed_data.write_table(path, ROWS, 0, bench_speed_data.drawn_hands(classes), people=3)
    missed = [
        Row(
            f"{n:064x}", bench_speed_data.Look().key(), NOT_FOUND, f"missed/{n}.jpg", classes[n % 4], f"person{n:02d}-0"
        )
        for n in range(24)
    ]
    rows = pyarrow.concat_tables([pyarrow.parquet.read_table(path), to_arrow(missed)])
    pyarrow.parquet.write_table(rows, path, row_group_size=500)
    return path


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of so few hands are streamed, and less of them is kept."""
    monkeypatch.setattr(prepare, "STREAM_FROM", 1000)
    monkeypatch.setattr(stream, "SAMPLE", 150)


def surveyed(classes: list[int], groups: list[int | None], usable: list[bool]) -> Survey:
    """Return a survey of photos with these classes and groups."""
    count = len(classes)
    content = np.array([random.Random(f"photo {n}").getrandbits(64) for n in range(count)], np.uint64)
    unit = np.array(
        [
            content[n] if group is None else random.Random(f"group {group}").getrandbits(64)
            for n, group in enumerate(groups)
        ],
        np.uint64,
    )
    labels = ["none", *(f"class{n}" for n in range(1, max(classes) + 1))]
    return Survey(
        Path("t.parquet"), None, "", labels, np.array(classes, np.int16), content, unit, np.array(usable), Counter(), ""
    )  # fmt: skip


surveys = st.integers(1, 400).flatmap(
    lambda count: st.builds(
        surveyed,
        st.lists(st.integers(0, 4), min_size=count, max_size=count),
        st.lists(st.one_of(st.none(), st.integers(0, 30)), min_size=count, max_size=count),
        st.lists(st.sampled_from([True] * 9 + [False]), min_size=count, max_size=count).filter(any),
    )
)
shares_asked = st.sampled_from([(80, 10, 10), (60, 20, 20), (80, 20, 0), (100, 0, 0)])


# Who goes where


@given(surveys, shares_asked, st.integers(0, 2**32 - 1))
def test_groups_stay_together_and_every_class_is_trained(of: Survey, shares: Any, seed: int) -> None:
    planned = plan(of, shares, seed)
    held_back_rows = HANDS.no_validation in planned.warnings
    for unit in np.unique(of.unit):
        parts = set(planned.parts[of.unit == unit].tolist())
        assert len(parts) == 1 or (held_back_rows and parts == {TRAIN, VALIDATION})
    if not held_back_rows:
        assert set(of.classes[planned.trained_on].tolist()) == set(of.classes[of.usable].tolist())
    assert set(planned.parts.tolist()) <= {
        part for part, share in zip((TRAIN, VALIDATION, TEST), shares, strict=True) if share
    }
    assert (HANDS.no_test in planned.warnings) <= (not (planned.parts == TEST).any())
    assert sum(planned.hands().values()) == of.hands


@given(surveys, st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_decides_nothing(of: Survey, seed: int, rng: random.Random) -> None:
    order = list(range(len(of)))
    rng.shuffle(order)
    other = Survey(
        of.path, None, "", of.labels, of.classes[order], of.content[order], of.unit[order], of.usable[order], of.reasons, ""
    )  # fmt: skip
    assert np.array_equal(plan(of, (80, 10, 10), seed).parts[order], plan(other, (80, 10, 10), seed).parts)
    every = np.ones(len(of), bool)
    assert np.array_equal(sampled(of, every, 20)[order], sampled(other, every, 20))


def test_the_parts_get_their_shares() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 5, 50_000).tolist()
    for groups in ([None] * 50_000, rng.integers(0, 400, 50_000).tolist()):
        of = surveyed(classes, groups, [True] * 50_000)
        planned = plan(of, (80, 10, 10), 3)
        assert planned.warnings == ()
        shares = [np.mean(planned.parts == part) for part in (TRAIN, VALIDATION, TEST)]
        assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
        for label in range(5):
            of_class = planned.parts[of.classes == label]
            assert np.mean(of_class == TEST) == pytest.approx(0.1, abs=0.02)
        assert (plan(of, (80, 10, 10), 4).parts != planned.parts).any()


def test_few_large_groups() -> None:
    """Of two people, one is tested on; of one, nobody; a group of nearly all is trained on."""

    def planned(groups: list[int]) -> tuple[list[int], tuple[str, ...]]:
        found = plan(surveyed([n % 3 for n in range(len(groups))], list(groups), [True] * len(groups)), (80, 10, 10), 1)
        return [int((found.parts == part).sum()) for part in (TRAIN, VALIDATION, TEST)], found.warnings

    (_, validation, test), warnings = planned([0, 1] * 150)
    assert (test, warnings) == (150, (HANDS.no_validation,))
    assert 0 < validation < 40
    (_, validation, test), warnings = planned([0] * 300)
    assert (test, warnings) == (0, (HANDS.no_test, HANDS.no_validation))
    assert 10 < validation < 60
    (train, validation, test), warnings = planned([0] * 200 + list(range(1, 101)))
    assert warnings == ()
    assert (train >= 240, validation, test) == (True, pytest.approx(30, abs=1), pytest.approx(30, abs=1))
    assert planned([0, 1, 2, 3, 4] * 60)[0] == [180, 60, 60]


@given(surveys, st.integers(1, 100))
def test_a_sample_has_as_many_as_it_should(of: Survey, most: int) -> None:
    every = np.ones(len(of), bool)
    chosen = sampled(of, every, most)
    assert (chosen & of.usable).sum() == min(most, of.hands)
    kept = plan(of, (80, 10, 10), 0).sample(most)
    parts = plan(of, (80, 10, 10), 0).parts
    for part in (TRAIN, VALIDATION, TEST):
        assert (kept & of.usable & (parts == part)).sum() == min(most, (of.usable & (parts == part)).sum())
    assert not (kept & ~of.usable & (parts == TRAIN)).any()


@given(st.integers(10_000, 10**8))
def test_default_shares(hands: int) -> None:
    train, validation, test = default_shares_of_many(hands)
    assert train + validation + test == 100
    assert validation == test
    assert test * hands / 100 >= min(stream.SAMPLE, hands / 10 - 1)
    assert 1 <= test <= 10


# The shuffle on disk


def numbered(count: int, sizes: list[int]) -> Iterator[LabelledEmbeddings]:
    """Yield embeddings that say which they are, in blocks of these sizes and a last one."""
    begin = 0
    for size in [*sizes, count]:
        end = min(begin + size, count)
        numbers = np.arange(begin, end)
        yield LabelledEmbeddings(np.repeat(numbers[:, None], 128, 1).astype(np.float32), numbers % 7)
        begin = end


def epoch_of(spool: Spool, batch: int, steps: int | None, reshuffle: bool = True) -> list[list[int]]:
    batches = []
    for one in spool.next_epoch(batch, steps, reshuffle):
        assert np.array_equal(one.classes, one.embeddings[:, 0].astype(int) % 7)
        batches.append(one.embeddings[:, 5].astype(int).tolist())
    return batches


def flat(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


@settings(max_examples=40)
@given(
    count=st.integers(1, 600),
    sizes=st.lists(st.integers(0, 200), max_size=5),
    buckets=st.integers(1, 9),
    batch=st.integers(1, 300),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_pass_has_every_embedding_once(
    tmp_path_factory: pytest.TempPathFactory, count: int, sizes: list[int], buckets: int, batch: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    with spooled(folder, numbered(count, sizes), buckets * 32_768, seed) as spool:
        assert len(spool) == count
        passes = [epoch_of(spool, batch, None) for _ in range(3)]
        for one in passes:
            assert sorted(flat(one)) == list(range(count))
            assert [len(b) for b in one[:-1]] == [batch] * (len(one) - 1)
        if count > 100:
            assert flat(passes[0]) != flat(passes[1]) != list(range(count))
        spool.begin_at(1)
        assert epoch_of(spool, batch, None) == passes[1]
        spool.begin_at(0)
        assert epoch_of(spool, batch, None, False) == epoch_of(spool, batch, None, False) == passes[0]
    assert list(folder.iterdir()) == []


@settings(max_examples=40)
@given(count=st.integers(2, 500), batch=st.integers(1, 200), steps=st.integers(1, 12), buckets=st.integers(1, 6))
def test_epochs_of_so_many_steps_go_on_where_the_last_ended(
    tmp_path_factory: pytest.TempPathFactory, count: int, batch: int, steps: int, buckets: int
) -> None:
    with spooled(tmp_path_factory.mktemp("spool"), numbered(count, [70]), buckets * 32_768, 5) as spool:
        epochs = [epoch_of(spool, batch, steps) for _ in range(4)]
        assert all([len(b) for b in epoch] == [batch] * steps for epoch in epochs)
        seen = Counter(number for epoch in epochs for b in epoch for number in b)
        assert (
            max(seen.values()) - min(seen[n] for n in range(count)) <= 1
        )  # none is seen a third time before all were twice
        for first in (2, 3):  # as a resumed training begins
            spool.begin_at(first)
            assert epoch_of(spool, batch, steps) == epochs[first]


def test_the_same_embeddings_have_the_same_identity(tmp_path: Path) -> None:
    found = []
    for count, seed in ((300, 1), (300, 1), (299, 1), (300, 2)):
        with spooled(tmp_path, numbered(count, [100]), 60_000, seed) as spool:
            found.append((spool.identity, epoch_of(spool, 32, None)))
    assert found[0] == found[1]
    assert len({identity for identity, _ in found}) == 3


def test_buckets_are_random_samples_whatever_the_order(tmp_path: Path) -> None:
    with spooled(tmp_path, numbered(20_000, [1000] * 20), 5 * 32_768, 0) as spool:
        first = flat(epoch_of(spool, 4000, 1))
    assert abs(np.mean(first) - 10_000) < 400  # in the table's order it would be 2,000


def test_what_a_killed_training_left_is_removed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), spooled(tmp_path, numbered(9, []), 9, 0):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    code = (
        "import os, sys; from pathlib import Path; import numpy as np\n"
        "from gesture_maker.training.spool import spooled\n"
        "from gesture_maker.training.model_maker import LabelledEmbeddings\n"
        "block = LabelledEmbeddings(np.zeros((9, 128), np.float32), np.zeros(9, np.int64))\n"
        "with spooled(Path(sys.argv[1]), [block], 9, 0): os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], env=environment(), check=False)
    assert done.returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    with spooled(tmp_path, numbered(9, []), 9, 0):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


# Whole trainings


@pytest.mark.usefixtures("streaming")
def test_a_large_table_goes_all_the_way(table: Path, tmp_path: Path, cli: Cli) -> None:
    options = [f"--{name.replace('_', '-')}={value}" for name, value in FEW.items()]
    done = cli("train", table, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2,400 of 2,424 rows show a hand" in done.stdout
    assert "photos used" not in done.stdout
    run = Run.load(tmp_path / "exported_models/many")
    streamed = run.description["streamed"]
    assert (streamed["rows"], streamed["hands"], streamed["table"]) == (2424, ROWS, str(table))
    assert streamed["without_a_hand"] == {NOT_FOUND.reason: 24}
    assert sum(streamed["parts"].values()) == ROWS
    assert run.description["hands"] == {part: min(150, count) for part, count in streamed["parts"].items()}
    assert run.description["settings"]["hparams"]["batch_size"] == 64
    rows = run.split()
    assert not {row.group for row in rows if row.part == "train"} & {row.group for row in rows if row.part == "test"}
    assert list(run.path.glob(".writing-*")) == []
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.95
    for command in ("export", "diagnose", "eval"):
        done = cli(command, "many", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "on landmarks, not through GestureRecognizer" in done.stdout
    answers = json.loads((run.path / "evaluation/test/metrics.json").read_text())
    assert answers["photos"] == sum(row.part == "test" for row in rows)
    assert answers["no_hand"] == sum(row.part == "test" and bool(row.reason) for row in rows)
    assert "2424 photos, of which 2400 show a hand" in (run.path / "gesture_recognizer.md").read_text()


@pytest.mark.usefixtures("streaming")
def test_the_same_table_and_seed_give_the_same_head(table: Path, tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run = gesture_maker.train(table, name=name, seed=seed, settings=FEW, estimate=False, runs=tmp_path).run
        weights.append((run.path / "head_weights.h5").read_bytes())
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.usefixtures("streaming")
def test_a_stream_does_as_well_as_memory(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def right(name: str, **more: Any) -> float:
        done = gesture_maker.train(table, name=name, settings=FEW, estimate=False, runs=tmp_path, **more)
        assert ("streamed" in done.run.description) == (name == "streamed")
        return done.metrics["test"].accuracy

    streamed = right("streamed")
    monkeypatch.setattr(prepare, "STREAM_FROM", 10**9)
    assert streamed >= right("memory") - 0.02


class StopError(KeyboardInterrupt):
    """What Ctrl-C raises."""


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("stage", ["rows", "training"])
def test_an_interrupted_training_is_resumed(stage: str, table: Path, tmp_path: Path) -> None:
    def interrupt(now: str, done: int, _: int) -> None:
        if now == stage and done >= 2:
            raise StopError

    about = {"settings": FEW, "estimate": False, "runs": tmp_path / "exported_models"}
    with pytest.raises(KeyboardInterrupt, match="gesture-maker train --resume"):
        gesture_maker.train(table, name="stopped", progress=interrupt, **about)
    run = Run.load(tmp_path / "exported_models/stopped")
    assert not run.finished
    assert list(run.path.glob(".writing-*")) == []
    epochs: list[int] = []
    done = gesture_maker.resume(
        run.path, progress=lambda now, epoch, _: epochs.append(epoch) if now == "training" else None
    )
    assert done.run.finished
    if stage == "training":
        assert next(epoch for epoch in epochs if epoch) == 3
    assert done.metrics["test"].accuracy > 0.9
    whole = gesture_maker.train(table, name="whole", **about)
    same = (whole.run.path / "head_weights.h5").read_bytes() == (run.path / "head_weights.h5").read_bytes()
    assert same == (stage == "rows")


@pytest.mark.usefixtures("streaming")
def test_a_training_is_not_resumed_on_another_table(table: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.parquet"
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(table), own)

    def interrupt(now: str, *_: int) -> None:
        if now == "rows":
            raise StopError

    with pytest.raises(KeyboardInterrupt):
        gesture_maker.train(own, name="stopped", settings=FEW, estimate=False, runs=tmp_path, progress=interrupt)
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(table).slice(3), own)
    with pytest.raises(RunError, match="is not the table that the training began with"):
        gesture_maker.resume(tmp_path / "stopped")
    own.unlink()
    with pytest.raises(RunError, match="is gone: put it back"):
        gesture_maker.resume(tmp_path / "stopped")


@pytest.mark.usefixtures("streaming")
def test_a_stream_may_be_tested_on_another_table(table: Path, tmp_path: Path) -> None:
    others = tmp_path / "others.parquet"
    bench_speed_data.write_table(others, 400, 1, bench_speed_data.drawn_hands(("none", "fist")))
    done = gesture_maker.train(table, name="t", test=others, settings=FEW, estimate=False, runs=tmp_path)
    hands = done.run.description["hands"]
    assert hands["test"] == 400
    assert done.run.description["streamed"]["parts"]["test"] == 0
    assert done.metrics["test"].accuracy > 0.9


@pytest.mark.usefixtures("streaming")
def test_a_full_disk_is_told(table: Path, tmp_path: Path, cli: Cli) -> None:
    """Files may grow to 3 MB: enough for all that a run keeps, not for what passes through."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, before[1]))
    try:
        message = one_sentence_error(cli("train", table, "--no-estimate", "--epochs=1", cwd=tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert str(tmp_path / "exported_models") in message or "exported_models/many" in message
    assert list(tmp_path.rglob(".writing-*")) == []


# Memory

MEASURE = """
import resource, sys
from pathlib import Path
from gesture_maker.embedders.builtin import embed
from gesture_maker.training.model_maker import LabelledEmbeddings
from gesture_maker.training.spool import spooled
from gesture_maker.training.stream import plan
from gesture_maker.training.table_source import hands_of, survey

table, folder = map(Path, sys.argv[1:])
of = survey(table, 0.5)
planned = plan(of, (80, 10, 10), 0)
blocks = (LabelledEmbeddings(embed(hands), of.classes[rows].astype("int64")) for rows, hands in hands_of(of, planned.trained_on))
seen = 0
with spooled(folder, blocks, len(of), 0) as spool:
    for batch in spool.next_epoch(1024, None, True):
        seen += len(batch)
assert seen == planned.trained_on.sum() == len(spool)
print(len(of), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")
def test_memory_hardly_grows_with_the_table(tmp_path: Path) -> None:
    """Ten times the hands, whose embeddings alone are 110 MB more, in less than half of that."""
    peaks = []
    for rows in (24_000, 240_000):
        path = tmp_path / f"{rows}.parquet"
        bench_speed_data.write_table(path, rows)
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, path, tmp_path],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        count, peak = map(int, done.stdout.split())
        assert count == rows
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 55, peaks
