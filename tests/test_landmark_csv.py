"""Tables of image landmarks in HaGRID's users' layout: what is made of them, and what is said about those that are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from hands import drawn
from helpers import write
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.dataset.formats import landmark_csv
from gesture_maker.dataset.formats.landmark_csv import NUMBERS, is_landmark_csv, read_landmark_csv
from gesture_maker.embedders.builtin import embed
from gesture_maker.errors import DatasetError
from gesture_maker.landmarks.csv_table import DETECTION, NO_PALM, are_right, landmark_csv_tables, world_landmarks
from gesture_maker.landmarks.hands import Hand, NoHand, embedder_inputs
from gesture_maker.landmarks.rows import SCHEMA, answers_of, inputs_of

HEADER = ",".join((*NUMBERS, "label"))


def hands_of(*labels: str, people: int = 2) -> Iterator[tuple[str, Hand]]:
    for label in labels:
        for person in range(people):
            yield label, drawn(label, person)[1]


def in_pixels(hand: Hand) -> Any:
    return hand.landmarks.astype(np.float64) * [hand.width, hand.height, 1]


def line_of(hand: Hand, *more: str) -> str:
    return ",".join([*(repr(float(value)) for value in in_pixels(hand).ravel()), *more])


def one_table(path: Path) -> Any:
    return pyarrow.concat_tables([SCHEMA.empty_table(), *landmark_csv_tables(path)])


def test_hands_come_back_from_a_table(tmp_path: Path) -> None:
    hands = list(hands_of("four", "call", "fist", "open_palm"))
    labels = {"fist": "no_gesture", "call": " cállé "}
    lines = [line_of(hand, labels.get(label, label)) for label, hand in hands]
    table = one_table(write(tmp_path / "hands.csv", "\n".join([HEADER, *lines, ""])))
    assert table.schema == SCHEMA
    assert table.column("file").to_pylist() == [f"hands.csv#{number + 2}" for number in range(len(hands))]
    assert table.column("label").to_pylist() == ["four"] * 2 + ["cállé"] * 2 + ["none"] * 2 + ["open_palm"] * 2
    assert set(table.column("detection").to_pylist()) == {DETECTION}
    assert table.column("group").null_count == len(table)
    assert len(set(table.column("sha256").to_pylist())) == len(hands)
    for (label, hand), made in zip(hands, answers_of(table), strict=True):
        assert isinstance(made, Hand)
        assert in_pixels(made) == pytest.approx(in_pixels(hand), abs=1e-3)
        assert (made.handedness > 0.5) == (hand.handedness > 0.5), label
        # In metres, from the centre, and lying as the drawn hand does.
        assert made.world.mean(axis=0) == pytest.approx(0, abs=1e-6)
        one, other = (points - points.mean(axis=0) for points in (made.world, hand.world))
        palm = np.linalg.norm(other[[5, 9, 13, 17]] - other[0], axis=1).mean()
        assert np.linalg.norm(one * (one * other).sum() / (one * one).sum() - other, axis=1).mean() < 0.35 * palm, label
        assert np.linalg.norm(one[[5, 9, 13, 17]] - one[0], axis=1).mean() == pytest.approx(0.095)


def test_equal_numbers_are_known_by_one_hash_however_they_are_written(tmp_path: Path) -> None:
    hand = drawn("four")[1]
    values = [f"{value:.3f}" for value in in_pixels(hand).ravel()]
    plain = write(tmp_path / "a.csv", f"{HEADER}\n{','.join(values)},four\n")
    columns = ["", *reversed(NUMBERS), "user_id", " LABEL "]
    turned = ",".join(["0", *(f" {float(value):.6e}" for value in reversed(values)), "anna", '"four"'])
    other = write(tmp_path / "b.csv", f"\ufeff{','.join(columns)}\r\n\r\n{turned}\r\n\r\n")
    one, two = one_table(plain), one_table(other)
    assert one.column("sha256") == two.column("sha256")
    assert one.column("world") == two.column("world")
    assert two.select(["file", "group", "label"]).to_pylist() == [{"file": "b.csv#3", "group": "anna", "label": "four"}]


def test_a_large_table_is_read_in_pieces_with_the_right_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmark_csv, "_BLOCK", 5000)
    hands = list(hands_of("four", "call")) * 20
    lines = [line_of(hand, label) for label, hand in hands]
    path = write(tmp_path / "hands.csv", "\n".join([HEADER, *lines]))
    pieces = list(read_landmark_csv(path))
    assert len(pieces) > 10
    assert [line for piece in pieces for line in piece.lines] == list(range(2, len(hands) + 2))
    assert [label for piece in pieces for label in piece.labels] == [label for label, _ in hands]
    for broken, why in (("7", "Line 31 of"), ("x" + lines[0][lines[0].index(",") :], '"x" for x1 in line 31')):
        write(path, "\n".join([HEADER, *lines[:29], broken, *lines[29:]]))
        with pytest.raises(DatasetError, match=why):
            list(read_landmark_csv(path))


def test_points_in_one_place_are_no_hand(tmp_path: Path) -> None:
    hand = line_of(drawn("four")[1], "four")
    table = one_table(write(tmp_path / "x.csv", f"{HEADER}\n{','.join(['100'] * 63)},four\n{hand}\n"))
    first, second = answers_of(table)
    assert first == NoHand(NO_PALM)
    assert isinstance(second, Hand)
    assert len(inputs_of(table)) == 1


def test_flat_hands_stay_finite(tmp_path: Path) -> None:
    points = in_pixels(drawn("four")[1]) * [1, 1, 0]
    line = ",".join(map(str, points.ravel()))
    (hand,) = answers_of(one_table(write(tmp_path / "x.csv", f"{HEADER}\n{line},four\n")))
    assert isinstance(hand, Hand)
    assert np.isfinite(embed(embedder_inputs([hand]))).all()


@given(st.floats(0.01, 100), st.floats(-5000, 5000), st.floats(-5000, 5000), st.floats(0.01, 50))
def test_where_and_how_large_a_hand_was_in_its_photo_does_not_matter(
    size: float, left: float, top: float, width: float
) -> None:
    points = np.stack([in_pixels(hand) for _, hand in hands_of("four", "call")])
    world, wide = world_landmarks(points)
    moved = points * [size, size, 1] + [left, top, 0]
    again, again_wide = world_landmarks(moved)
    assert again == pytest.approx(world, abs=1e-5)
    assert again_wide == pytest.approx(wide * size)
    # In a photo that is `width` times as wide, z is a smaller share; found up to the steps of the search.
    other, _ = world_landmarks(points / [1, 1, np.clip(width, 0.5, 5)])
    assert np.abs(other - world).max() < 0.01


def test_a_mirrored_hand_is_the_other_hand() -> None:
    world = np.stack([hand.world for _, hand in hands_of("four", "call", "fist", "victory", people=3)])
    right = [hand.handedness > 0.5 for _, hand in hands_of("four", "call", "fist", "victory", people=3)]
    assert set(right) == {True, False}
    assert list(are_right(world)) == right
    assert list(are_right(world * [-1, 1, 1])) == [not one for one in right]


GOOD = ",".join(["10", "20.5", "-0.1"] * 20 + ["30", "90", "0.1", "call"])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "lacks the columns x1, y1, z1 and 61 more"),
        ("\n", "lacks the columns"),
        (HEADER.replace("z21,", "") + "\n", "lacks the columns z21:"),
        (HEADER.replace(",", ";") + "\n", "lacks the columns"),
        (HEADER + ",x1\n" + GOOD + ",1\n", "column x1 twice"),
        (HEADER, "no line below its header"),
        (HEADER + "\n", "no line below its header"),
        (f"{HEADER}\n{GOOD}\n{GOOD},1\n", "Line 3 of .* 64"),
        (f"{HEADER}\n\n{GOOD[5:]}\n", "Line 3 of .* 64"),
        (f"{HEADER}\n{GOOD}\n{GOOD.replace('20.5', 'left', 1)}\n", '"left" for y1 in line 3'),
        (f"{HEADER}\n{GOOD}\n{GOOD.replace('20.5', '', 1)}\n", "no number for y1 in line 3"),
        (f"{HEADER}\n{GOOD.replace('-0.1', 'nan', 1)}\n", "no number for z1 in line 2"),
        (f"{HEADER}\n{GOOD.replace('-0.1', 'inf', 1)}\n", "no number for z1 in line 2"),
        (f"{HEADER}\n{GOOD.replace('call', '')}\n", "empty.* line 2"),
        (f"{HEADER}\n{GOOD.replace('call', 'a/b')}\n", "slash.* line 2"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16"), "UTF-8"),
        (f"{HEADER}\n{GOOD.replace('call', 'café')}\n".encode("latin-1"), "UTF-8"),
        (HEADER + "\n" + ",".join(["0.5", "0.4", "0.1"] * 21) + ",call\n", "multiply them by the width"),
        (b"\x89PNG\r\n\x1a\n\0\0", "UTF-8"),
    ],
)
def test_bad_input_tables(tmp_path: Path, content: str | bytes, why: str) -> None:
    path = write(tmp_path / "hands.csv", content)
    with pytest.raises(DatasetError, match=why) as caught:
        list(landmark_csv_tables(path))
    assert "hands.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_input_tables_that_are_not_there(tmp_path: Path) -> None:
    assert is_landmark_csv("x.CSV")
    assert not is_landmark_csv("rps")
    for place in (tmp_path / "gone.csv", f"file://{tmp_path}/gone.csv", tmp_path):
        with pytest.raises(DatasetError, match=re.escape(str(place))):
            list(read_landmark_csv(place))


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_bad_input_anything_below_a_header_gives_rows_or_one_sentence(content: str | bytes) -> None:
    import tempfile

    raw = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "x.csv"), f"{HEADER}\n{GOOD}\n".encode() + raw)
        try:
            assert len(one_table(path)) >= 1
        except DatasetError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either is right


def test_a_table_can_lie_at_an_address(tmp_path: Path) -> None:
    path = write(tmp_path / "hands.csv", f"{HEADER}\n{line_of(drawn('four')[1], 'four')}\n")
    (there,) = landmark_csv_tables(path.as_uri())
    assert there.equals(one_table(path).combine_chunks())


def test_what_is_trained_on_a_real_table_recognizes_real_photos(shared: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    from gesture_maker.landmarks.engine import find_hands

    table = one_table(shared / "data/hagrid_style_landmarks.csv")
    assert len(table) == 1192
    labels = table.column("label").to_pylist()
    assert set(labels) == {"none", *map(str, range(1, 10))}
    assert np.mean(table.column("handedness").to_numpy() > 0.5) > 0.98  # all photos show right hands
    head = LogisticRegression(max_iter=300).fit(embed(inputs_of(table)), labels)
    photos = [
        path
        for folder in sorted((shared / "data/sign_language_digits/test").iterdir())
        for path in sorted(folder.iterdir())[:5]
    ]
    hands = [(seen.path.parent.name, seen.answer) for seen in find_hands(photos) if isinstance(seen.answer, Hand)]
    assert len(hands) >= 49
    answers = head.predict(embed(embedder_inputs([hand for _, hand in hands])))
    assert np.mean([answer == label for answer, (label, _) in zip(answers, hands, strict=True)]) > 0.93
