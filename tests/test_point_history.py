"""Tables of fingertip paths: what is read, and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import write
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.dataset.formats.point_history import PointPaths, is_point_history, read_point_history
from gesture_maker.errors import DatasetError

TWO = "0,0,0,0.1,0.2\n1,0,0,-0.1,1e-3\n"


def table(folder: Path, text: str | bytes, **beside: str) -> Path:
    path = folder / "point_history.csv"
    write(path, text if isinstance(text, bytes) else text.encode())
    for name, content in beside.items():
        write(folder / f"{name}.csv", content.encode())
    return path


def test_the_real_table(shared: Path) -> None:
    path = shared / "data/point_history/point_history.csv"
    assert is_point_history(path)
    paths = read_point_history(path)
    assert paths.labels == ("Stop", "Clockwise", "Counter Clockwise", "Move")
    assert (paths.x.shape, paths.x.dtype, paths.y.dtype) == ((5296, 16, 2), np.float32, np.int64)
    assert np.bincount(paths.y).tolist() == [1481, 1234, 1279, 1302]
    assert not paths.x[:, 0].any()
    assert not is_point_history(shared / "data/hagrid_style_landmarks.csv")


def test_the_names_are_beside_it(tmp_path: Path) -> None:
    assert read_point_history(table(tmp_path / "none", TWO)).labels == ("0", "1")
    own = table(tmp_path / "own", TWO, labels="\ufeffStop\r\nMove\r\n", other_label="a\nb\n")
    assert read_point_history(own).labels == ("Stop", "Move")
    theirs = table(tmp_path / "theirs", TWO, point_history_classifier_label="a\nb\nc\n")
    assert read_point_history(theirs).labels == ("a", "b")


def test_classes_without_paths_are_left_out(tmp_path: Path) -> None:
    paths = read_point_history(table(tmp_path, "3,0,0,1,1\n1,0,0,2,2\n3,0,0,3,3\n", labels="a\nb\nc\nd\n"))
    assert paths.labels == ("b", "d")
    assert paths.y.tolist() == [1, 0, 1]
    assert paths.x[:, 1, 0].tolist() == [1, 2, 3]


@given(
    rows=st.integers(2, 9).flatmap(
        lambda points: st.lists(
            st.lists(st.floats(-1, 1, width=32), min_size=2 * points, max_size=2 * points), min_size=2, max_size=6
        )
    ),
    ending=st.sampled_from(["\n", "\r\n"]),
    mark=st.booleans(),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]], ending: str, mark: bool
) -> None:
    lines = [",".join(map(repr, [number % 2, *row])) for number, row in enumerate(rows)]
    text = ending.join(lines) + ending
    paths = read_point_history(table(tmp_path_factory.mktemp("paths"), text.encode("utf-8-sig" if mark else "utf-8")))
    assert paths.y.tolist() == [number % 2 for number in range(len(rows))]
    assert np.array_equal(paths.x, np.array(rows, np.float32).reshape(len(rows), -1, 2))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("0,0,0,1,1\n1,0,0,1\n", "Line 2 of .* has 4 values"),
        ("0,0,0,1,1\n1,0,0,1,1,2,2\n", "Line 2 of .* has 7 values, those before it 5"),
        ("0,0,0\n1,0,0\n", "Line 1 of .* has 3 values"),
        ("0,0,0,1,1\n\n1,0,0,one,1\n", '"one" in line 3'),
        ("0,0,0,1,1\n1,0,0,nan,1\n", '"nan" in line 2'),
        ("0,0,0,1,1\n1,0,0,inf,1\n", '"inf" in line 2'),
        ("0,0,0,1,1\n1,0,0,1e300,1\n", '"1e300" in line 2'),
        ("0,0,0,1,1\n1.5,0,0,1,1\n", '"1.5" in line 2 of .* is no number of a class'),
        ("0,0,0,1,1\n-1,0,0,1,1\n", '"-1" in line 2'),
        ("0,0,0,1,1\n0,0,0,2,2\n", "paths of the class 0 only"),
        (b"0,0,0,1,1\n1,0,0,\xff,1\n", "UTF-8"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(DatasetError, match=told) as caught:
        read_point_history(table(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("names", "told"), [("a\n", "the class 1, but .* has 1 lines"), ("a\na\n", "twice"), ("a\n..\n", "It is in line 2")]
)
def test_what_is_wrong_with_the_names(tmp_path: Path, names: str, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        read_point_history(table(tmp_path, TWO, labels=names))


def test_what_is_not_meant(tmp_path: Path) -> None:
    assert not is_point_history(tmp_path)
    assert not is_point_history(tmp_path / "none.csv")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_point_history(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="do not fit"):
        PointPaths(("a", "b"), np.zeros(3, np.int64), np.zeros((2, 4, 2), np.float32))
