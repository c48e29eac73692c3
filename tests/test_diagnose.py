"""`diagnose`: what is confused and by whom, planted mislabels are found, and each piece of advice has its number."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, QUICK, Cli
from helpers import one_sentence_error, tree
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import gesture_maker
from gesture_maker.evaluation.advice import advice
from gesture_maker.evaluation.diagnose import (
    ClassLine,
    Confusion,
    Suspect,
    calibrated,
    class_lines,
    find_confusions,
    find_suspects,
    least_sure,
)
from gesture_maker.landmarks.hands import NOT_FOUND, EmbedderInputs
from gesture_maker.steps import Training
from gesture_maker.training.background import background_hands
from gesture_maker.training.crossvalidate import CROSS_VALIDATION, CrossValidation
from gesture_maker.training.run_folder import SplitRow

LABELS = ["none", "one", "two"]


def cross_validation(rows: list[tuple[int, str, list[float]]]) -> CrossValidation:
    """Return the cross-validation of hands given as (class, group, scores); no scores: not tested."""
    scores = np.array([scores or [np.nan] * len(LABELS) for _, _, scores in rows], np.float32)
    classes = np.array([number for number, _, _ in rows], np.int64)
    photos = [SplitRow(f"{LABELS[n]}/{i}.jpg", LABELS[n], g, "train", str(i), "") for i, (n, g, _) in enumerate(rows)]
    return CrossValidation(scores, classes, np.zeros(len(rows), np.int64), tuple(photos))


some_scores = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(lambda row: [value / sum(row) for value in row])
some_hands = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["", "a", "b"]), st.one_of(st.just([]), some_scores)),
    min_size=1, max_size=40,
)  # fmt: skip


@given(some_hands)
def test_every_wrong_answer_is_in_one_confusion(rows: list[tuple[int, str, list[float]]]) -> None:
    found = cross_validation(rows)
    confusions = find_confusions(found, found.scores, LABELS)
    wrong = {i for i, (label, _, scores) in enumerate(rows) if scores and int(np.argmax(found.scores[i])) != label}
    listed = [hand for one in confusions for hand in one.hands]
    assert sorted(listed) == sorted(wrong)
    assert [one.count for one in confusions] == sorted((one.count for one in confusions), reverse=True)
    lines = class_lines(LABELS, found.classes, found.groups, found)
    for one in confusions:
        assert one.label != one.answer
        assert sum(count for _, count in one.groups) == one.count <= one.tested
        for hand in one.hands:
            assert LABELS[rows[hand][0]] == one.label
            assert LABELS[int(np.argmax(found.scores[hand]))] == one.answer
        line = lines[LABELS.index(one.label)]
        assert line.tested == one.tested
        assert line.tested - line.right >= one.count
    suspects = find_suspects(found, found.scores, LABELS)
    assert {one.hand for one in suspects} <= wrong
    own = [found.scores[one.hand, LABELS.index(one.label)] for one in suspects]
    assert own == sorted(own)
    assert set(least_sure(found, found.scores, 99)).isdisjoint(wrong)


def test_a_confident_other_answer_is_a_suspect_and_an_unsure_one_is_not() -> None:
    sure, unsure = [0.02, 0.03, 0.95], [0.1, 0.42, 0.48]
    rows = [(1, "a", [0.1, 0.8, 0.1])] * 5 + [(2, "a", [0.1, 0.1, 0.8])] * 5 + [(1, "b", sure), (1, "c", unsure)]
    found = cross_validation(rows)
    assert find_suspects(found, found.scores, LABELS) == (
        Suspect(10, "one/10.jpg", "b", "one", "two", pytest.approx(0.95)),
    )
    (confusion,) = find_confusions(found, found.scores, LABELS)
    assert confusion == Confusion("one", "two", 7, (10, 11), (("b", 1), ("c", 1)))
    assert least_sure(found, found.scores, 2) == [0, 1]
    unsure_of_all = cross_validation([(1, "a", [0.3, 0.36, 0.34])] * 5 + [(1, "b", [0.3, 0.3, 0.4])])
    assert find_suspects(unsure_of_all, unsure_of_all.scores, LABELS) == ()


@given(st.lists(some_scores, min_size=1, max_size=9), st.floats(0.3, 3))
def test_a_temperature_changes_no_answer(rows: list[list[float]], temperature: float) -> None:
    scores = np.array(rows, np.float32)
    made = calibrated(scores, temperature)
    np.testing.assert_allclose(made.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(calibrated(scores, 1.0), scores, atol=1e-5)
    lead = np.sort(scores, axis=1)
    clear = lead[:, -1] - lead[:, -2] > 1e-4
    assert np.array_equal(made.argmax(axis=1)[clear], scores.argmax(axis=1)[clear])


# Planted mislabels


def test_planted_mislabels_are_found(shared: Path, tmp_path: Path) -> None:
    """Five of about 120 real photos of twelve people are in a wrong folder: they come first, and hardly another does."""
    source, dataset = shared / "data/sign_language_digits/train", tmp_path / "digits"
    files = [path for path in sorted(source.glob("*/*")) if int(path.name[1:4]) < 12]
    chosen = random.Random(3)
    wrong = set(chosen.sample(files, 5))
    planted = set()
    for path in files:
        label = path.parent.name
        if path in wrong:
            label = chosen.choice(sorted({other.parent.name for other in files} - {label}))
            planted.add(f"{label}/{path.name}")
        (dataset / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, dataset / label)
    settings = {"epochs": 10, "steps_per_epoch": 100}
    training = gesture_maker.train(dataset, group_by=r"^p\d+", settings=settings, runs=tmp_path / "runs")
    found = gesture_maker.diagnose(training.run.path)
    first = [one.file for one in found.suspects[:5]]
    assert len(planted.intersection(first)) >= 4
    assert len(found.suspects) <= 8
    assert {one.group for one in found.suspects} <= {f"p{number:03}" for number in range(12)}
    assert found.picture == training.run.path / "diagnose.png"
    with Image.open(found.picture) as picture:
        assert picture.width > 1000
        assert picture.height > 400
    assert found.missing == ()
    assert any("look mislabelled" in sentence for sentence in found.advice)


# On the command line


@pytest.fixture
def place(estimated: Training, drawn: Path, tmp_path: Path) -> Path:
    """A working folder with the dataset and the run `first`, cross-validated, to be changed at will."""
    shutil.copytree(drawn, tmp_path / "datasets/small")
    shutil.copytree(estimated.run.path, tmp_path / "exported_models/first")
    described = tmp_path / "exported_models/first/run.json"
    about = json.loads(described.read_text()) | {"dataset": str(tmp_path / "datasets/small")}
    described.write_text(json.dumps(about))
    return tmp_path


def test_diagnose_prints_a_table_and_draws(place: Path, cli: Cli) -> None:
    before = tree(place)
    done = cli("diagnose", "first", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    metrics = json.loads((place / "exported_models/first/metrics.json").read_text())["cross_validation"]
    for label in CLASSES:
        recall = f"{100 * metrics['per_class'][label]['recall']:.1f}%"
        assert re.search(rf"{label}\s+│\s+12\s+│\s+6\s+│\s+{recall}", done.stdout)
    counts = np.array(metrics["confusion"]["counts"])
    for row, label in enumerate(CLASSES):
        for column, answer in enumerate(CLASSES):
            said = f"{label} taken for {answer}: {counts[row, column]} of 12, by person"
            assert (said in done.stdout) == (row != column and counts[row, column] > 0)
    assert "Estimate for people like these" in done.stdout
    assert "Picture: exported_models/first/diagnose.png" in done.stdout
    after = tree(place)
    assert after.pop("exported_models/first/diagnose.png").startswith(b"\x89PNG")
    assert after == before


def test_diagnose_cross_validates_a_run_that_was_not_and_keeps_it(place: Path, cli: Cli) -> None:
    file = place / "exported_models/first" / CROSS_VALIDATION
    with np.load(file) as arrays:
        scores = arrays["scores"]
    first = cli("diagnose", "first", cwd=place)
    file.unlink()
    again = cli("diagnose", "first", cwd=place)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == first.stdout
    with np.load(file) as arrays:
        np.testing.assert_array_equal(arrays["scores"], scores)


def test_photos_that_are_gone_are_told_and_drawn_as_gone(place: Path, cli: Cli) -> None:
    assert cli("diagnose", "first", "--out", "before.png", cwd=place).returncode == 0
    shutil.rmtree(place / "datasets")
    done = cli("diagnose", "first", "--out", "after.png", cwd=place)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Warning: \S+/datasets/small/\w+/\S+ is gone or has changed", done.stdout)
    with Image.open(place / "before.png") as one, Image.open(place / "after.png") as other:
        assert one.size == other.size
        colours = [
            len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) for picture in (one, other)
        ]
    assert colours[1] < colours[0] / 5  # no photos any more


def test_with_one_person_there_is_advice_but_no_table_of_answers(drawn: Path, tmp_path: Path, cli: Cli) -> None:
    from gesture_maker.dataset.manifest import read_manifest, write_manifest

    dataset = shutil.copytree(drawn, tmp_path / "datasets/me")
    rows = [
        type(row)(row.file, row.label, row.source, "me", row.sha256, row.added)
        for row in read_manifest(dataset).values()
    ]
    write_manifest(dataset, rows)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
    assert cli("train", "me", *flags, cwd=tmp_path).returncode == 0
    done = cli("diagnose", "me", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("not tested") == len(CLASSES)
    assert "All photos are of one person or burst" in done.stdout
    assert "Each class is of about 1 people or bursts: photograph 3 more people." in done.stdout
    assert "Picture" not in done.stdout


@pytest.mark.parametrize("way", ["nothing", "unfinished", "old"])
def test_bad_input_diagnose(way: str, place: Path, cli: Cli) -> None:
    run = place / "exported_models/first"
    if way == "unfinished":
        about = json.loads((run / "run.json").read_text()) | {"status": "unfinished"}
        (run / "run.json").write_text(json.dumps(about))
    if way == "old":
        with np.load(run / "embeddings.npz") as arrays:
            kept = {name: arrays[name] for name in arrays.files if not re.match("(validation|test)_.*hand", name)}
        np.savez(run / "embeddings.npz", **kept)
    before = tree(place)
    message = one_sentence_error(cli("diagnose", "second" if way == "nothing" else "first", cwd=place))
    words = {
        "nothing": 'There is no run "second"',
        "unfinished": "never finished",
        "old": "of an older version: train again",
    }
    assert words[way] in message
    assert tree(place) == before


# Advice


def line(label: str, hands: int = 40, groups: int = 10, right: int | None = None) -> ClassLine:
    return ClassLine(label, hands, groups, hands, hands if right is None else right)


def hands_of(count: int, left: bool = False) -> EmbedderInputs:
    """Return hands of which half are left and half are seen from the other side, or all are right and seen alike."""
    hands = background_hands(1, 0)
    turned = EmbedderInputs(hands.hand, 1 - hands.handedness, hands.world_hand)  # named the other hand: the other side
    both = [hands, turned] if left else [hands, hands]
    return hands.take([]).joined(*(both[index % 2] for index in range(count)))


def told(
    lines: list[ClassLine],
    confusions: tuple[Confusion, ...] = (),
    suspects: tuple[Suspect, ...] = (),
    rows: tuple[SplitRow, ...] = (),
    varied: bool = True,
) -> tuple[str, ...]:
    classes = np.repeat(np.arange(len(lines)), [one.hands for one in lines])
    return advice(lines, confusions, suspects, hands_of(len(classes), varied), classes, rows)


FINE = [line("none"), line("one"), line("two")]


def test_nothing_to_say_is_nothing_said() -> None:
    assert told(FINE) == ()


def test_the_worst_class_and_its_partner() -> None:
    confusions = (
        Confusion("two", "one", 40, tuple(range(9)), (("p1", 4), ("p2", 5))),
        Confusion("two", "none", 40, (9,), (("p3", 1),)),
        Confusion("one", "two", 40, (10,), (("p4", 1),)),
    )
    (sentence,) = told([line("none"), line("one", right=39), line("two", right=30)], confusions)
    assert sentence.startswith('Photograph more of "two": 10 of 40 were not recognized, 9 of them taken for "one".')


def test_one_person_with_most_of_the_errors() -> None:
    confusions = (Confusion("two", "one", 40, tuple(range(9)), (("p1", 8), ("p2", 1))),)
    assert '8 of the 9 wrong answers are to photos of "p1"' in told([*FINE[:2], line("two", right=31)], confusions)[1]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([*FINE, line("x", groups=2)], '"x" is of 2 people or bursts, the other classes of 10 (median)'),
        ([line(name, groups=3) for name in LABELS], "Each class is of about 3 people or bursts: photograph 3 more people."),
        ([*FINE, line("x", hands=9)], '"x" has 9 usable hands, the other gestures 40 (median): photograph it more often.'),
        ([line("none", hands=4), *FINE[1:]], '"none" has 4 usable hands, a gesture 40 (median): photograph relaxed hands'),
        ([line("none", hands=0), *FINE[1:]], '"none" has 0 usable hands'),
    ],
)  # fmt: skip
def test_what_there_is_little_of(lines: list[ClassLine], sentence: str) -> None:
    (said,) = [one for one in told(lines) if "one side" not in one]
    assert said.startswith(sentence)


def test_hands_that_are_all_of_one_side() -> None:
    hand, side = told(FINE, varied=False)
    assert hand == "120 of 120 hands of all classes are right hands: photograph some left ones too."
    assert side.startswith("120 of 120 hands of all classes are seen from one side (palm or back)")


def test_photos_without_a_hand() -> None:
    rows = tuple(SplitRow(f"one/{n}", "one", "", "train", str(n), NOT_FOUND.reason if n < 5 else "") for n in range(30))
    (sentence,) = told(FINE, rows=rows)
    assert sentence.startswith('In 5 of 30 photos of "one" no hand was found')
    assert told(FINE, rows=rows[4:]) == ()


def test_suspects_come_first() -> None:
    one = Suspect(0, "one/1.jpg", "", "one", "two", 0.99)
    assert told(FINE, suspects=(one,))[0].startswith("First look at one/1.jpg, which counts as wrong here")
    assert told(FINE, suspects=(one, one))[0].startswith("First look at the 2 photos that look mislabelled")
