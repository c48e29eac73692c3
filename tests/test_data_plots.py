"""The pictures of the hands that classifiers are trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import AWKWARD, check_picture, coloured, pixels_of, runs

from gesture_maker.classifiers.data import LabelledHands
from gesture_maker.classifiers.data_plots import (
    COLUMNS,
    MOST_CLASSES,
    Balance,
    _save_skeletons,
    save_data_plots,
)
from gesture_maker.dataset.names import normalize_label
from gesture_maker.errors import LabelError
from gesture_maker.evaluation.plots import BLUE, DPI
from gesture_maker.landmarks.drawing import FINGER_COLOURS
from gesture_maker.landmarks.hands import POINTS, EmbedderInputs, normalize
from gesture_maker.synthetic.hand import HandShape, many_landmarks
from gesture_maker.synthetic.poses import any_angles

NAMES = ["classes.png", "skeletons.png", "normalized.png"]


def labelled(
    labels: list[str],
    counts: list[int],
    people: int = 0,
    missed: dict[str, int] | None = None,
    seed: int = 0,
    alike: bool = False,
) -> LabelledHands:
    """Return drawn hands, so many of each label, each class in a pose of its own; `alike`: all of a class nearly equal."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(labels)), counts)
    classes = classes if alike else rng.permutation(classes)
    count = len(classes)
    poses = any_angles(rng, len(labels))[classes]
    angles = poses + rng.normal(0, 0.1 if alike else 6, poses.shape)
    turns = rng.normal(0, 0.5 if alike else 12, (count, 3))
    world = many_landmarks([HandShape()] * count, angles, turns) if count else np.zeros((0, POINTS, 3), np.float32)
    hand = normalize(world)
    right = np.ones((count, 1), np.float32)
    rows = EmbedderInputs(hand, right, normalize(world)).rows()
    pixels = hand[..., :2] * rng.uniform(60, 200, (count, 1, 1)) + rng.uniform(200, 500, (count, 1, 2))
    groups = tuple(f"p{index}" for index in rng.integers(0, people, count)) if people else ("",) * count
    shas = tuple(f"{index:064x}" for index in range(count))
    files = tuple(f"{index}.jpg" for index in range(count))
    place = Path("hands.parquet")
    return LabelledHands(
        place, tuple(labels), rows, classes, groups, shas, files, missed or {}, (), pixels.astype(np.float32)
    )


@pytest.mark.parametrize(
    ("labels", "counts", "people"),
    [
        (["none", "fist"], [0, 1], 0),
        (["none", "fist"], [20, 4], 3),
        (AWKWARD, [3, 9, 1, 4, 2, 30, 5, 6, 2, 2], 4),
        ([f"class {index}" for index in range(50)], [1 + 7 * index % 60 for index in range(50)], 9),
        (["one"], [5], 1),
    ],
    ids=["one hand", "two classes", "awkward", "fifty", "one class"],
)
def test_pictures_of_any_hands(labels: list[str], counts: list[int], people: int, tmp_path: Path) -> None:
    hands = labelled(labels, counts, people, missed={labels[-1]: 3, AWKWARD[1]: 2, AWKWARD[2]: 50})
    folder = tmp_path / "deep" / "folder"
    paths = save_data_plots(hands, folder)
    assert [path.name for path in paths] == NAMES
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    for path in paths:
        check_picture(path)


def test_the_same_hands_give_the_same_bytes(tmp_path: Path) -> None:
    hands = labelled(AWKWARD, [4] * len(AWKWARD), 3, {"fist": 1})
    one, other = (save_data_plots(hands, tmp_path, prefix) for prefix in ("", "again_"))
    assert [path.name for path in other] == [f"again_{name}" for name in NAMES]
    assert [path.read_bytes() for path in other] == [path.read_bytes() for path in one]


def is_label(name: str) -> bool:
    try:
        return normalize_label(name) == name
    except LabelError:
        return False


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.text(max_size=40).filter(is_label), min_size=1, max_size=4, unique=True), data=st.data())
def test_any_name_can_be_written(names: list[str], data: st.DataObject, tmp_path: Path) -> None:
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(names), max_size=len(names)).filter(any))
    hands = dataclasses.replace(labelled(names, counts), place=tmp_path / data.draw(st.sampled_from(names)))
    for path in save_data_plots(hands, tmp_path):
        check_picture(path)


def test_without_any_hand_there_is_only_the_picture_of_the_classes(tmp_path: Path) -> None:
    (only,) = save_data_plots(labelled(["none", "fist"], [0, 0], missed={"fist": 4}), tmp_path)
    check_picture(only)
    assert [path.name for path in tmp_path.iterdir()] == ["classes.png"]


def bars(path: Path) -> list[int]:
    """Return the length of each bar of hands in pixels, from above."""
    blue = coloured(pixels_of(path), BLUE)
    rows = runs(blue.any(axis=1))
    return [int(blue[(begin + end) // 2].sum()) for begin, end in rows]


def test_a_bar_is_as_long_as_there_are_hands(tmp_path: Path) -> None:
    counts = [40, 10, 25, 1]
    hands = labelled(["none", "a", "b", "c"], counts, people=2)
    lengths = bars(save_data_plots(hands, tmp_path)[0])
    assert lengths == pytest.approx([count * lengths[0] / 40 for count in counts], abs=3)
    all_of_them = Balance({"none": 10, "a": 10, "b": 0, "c": 20}, {"c": 3}, {"a": 1}, 1)
    path = save_data_plots(hands, tmp_path, balance=all_of_them)[0]  # the hands are a sample of these
    key, *lengths = bars(path)  # the key's own mark is above the bars, where it hides none of their words
    assert key < min(lengths) / 2
    assert lengths == pytest.approx([lengths[2] / 2, lengths[2] / 2, lengths[2]], abs=3)
    assert coloured(pixels_of(path), "#d5d9e0").any()  # photos without a hand


def test_a_left_hand_is_drawn_as_its_mirror_image(tmp_path: Path) -> None:
    right = labelled(["none", "fist"], [6, 6])
    inputs = EmbedderInputs.from_rows(right.rows)
    mirror = np.array([-1, 1, 1], np.float32)
    left = EmbedderInputs(inputs.hand * mirror, 1 - inputs.handedness, inputs.world_hand * mirror)
    # Some of the hands, so that it is not the picture as a whole that is mirrored.
    some = np.arange(len(right)) % 2 == 0
    rows = np.where(some[:, None], left.rows(), right.rows)
    for name, hands in (("right", right), ("mixed", dataclasses.replace(right, rows=rows))):
        _save_skeletons(hands, tmp_path / f"{name}.png")
    assert (tmp_path / "right.png").read_bytes() == (tmp_path / "mixed.png").read_bytes()


def test_the_typical_hand_is_not_the_odd_one(tmp_path: Path) -> None:
    """Of ten hands nine are alike: which is drawn in colours does not depend on what the tenth is."""
    usual = labelled(["fist"], [10], alike=True)
    odd = labelled(["other"], [1], seed=5).rows[0]

    def coloured_part(rows: np.ndarray) -> np.ndarray:
        _save_skeletons(dataclasses.replace(usual, rows=rows), tmp_path / "skeletons.png")
        pixels = pixels_of(tmp_path / "skeletons.png")
        finger = (np.array(FINGER_COLOURS[8]) * 0.88).astype(int)
        return coloured(pixels, "#" + "".join(f"{value:02x}" for value in finger), 8)

    without = coloured_part(usual.rows[:9].repeat(2, axis=0)[:10])
    for place in (0, 9):
        rows = usual.rows.copy()
        rows[place] = odd
        with_it = coloured_part(rows)
        assert with_it.sum() > 100
        assert (with_it != without).sum() < 0.35 * without.sum()  # the nine differ a little


def test_normalizing_takes_out_where_in_the_photo_a_hand_is(tmp_path: Path) -> None:
    """With the places of the hands exchanged, the left of three parts is another, the others are the same."""
    hands = labelled(["none", "fist"], [8, 8])
    assert hands.pixels is not None
    exchanged = dataclasses.replace(hands, pixels=hands.pixels[::-1])
    one, other = (
        pixels_of(save_data_plots(some, tmp_path / name)[2]) for name, some in (("a", hands), ("b", exchanged))
    )
    third = one.shape[1] // 3
    assert (one[:, :third] != other[:, :third]).any()
    assert (one[:, third:] == other[:, third:]).all()


def test_hands_whose_places_are_not_known_are_drawn_as_the_runtime_hands_them_on(tmp_path: Path) -> None:
    check_picture(save_data_plots(dataclasses.replace(labelled(["a", "b"], [3, 3]), pixels=None), tmp_path)[2])


def test_a_fingertip_on_the_wrist_does_not_make_the_others_small(tmp_path: Path) -> None:
    """It is divided by next to nothing."""
    hands = labelled(["none", "fist"], [30, 30])
    rows = hands.rows.copy()
    rows[:1, 12 * 3 : 12 * 3 + 3] = 0
    save_data_plots(dataclasses.replace(hands, rows=rows), tmp_path)
    usual = save_data_plots(hands, tmp_path / "usual")
    for name, path in zip(NAMES[1:], usual[1:], strict=True):
        drawn = [(pixels_of(place) != 255).any(axis=2).mean() for place in (path, tmp_path / name)]
        assert drawn[1] == pytest.approx(drawn[0], rel=0.4)


def test_more_classes_than_can_be_shown_are_counted(tmp_path: Path) -> None:
    count = MOST_CLASSES + 9
    hands = labelled([f"g{index}" for index in range(count)], [2] * count)
    heights = [check_picture(path).shape[0] for path in save_data_plots(hands, tmp_path)]
    assert heights[1] / MOST_CLASSES == pytest.approx(1.8 * DPI / COLUMNS, rel=0.05)  # no row for the others


def test_a_sample_of_many_hands_has_all_classes(tmp_path: Path) -> None:
    hands = labelled(["none", "rare"], [30, 2])
    many = hands.take(
        np.concatenate([np.repeat(np.flatnonzero(hands.classes == 0), 1000), np.flatnonzero(hands.classes)])
    )
    paths = save_data_plots(many, tmp_path)
    pixels = check_picture(paths[2])
    for colour in ("#2563a8", "#d9822b"):
        assert coloured(pixels[:, : pixels.shape[1] // 3], colour, 40).sum() > 50
