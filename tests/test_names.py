"""Class names: what is accepted makes a folder, comes back unchanged, and is never another class."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path

import pytest
from helpers import photo, write
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.dataset.folder import load_dataset
from gesture_maker.dataset.formats.class_folders import natural_key
from gesture_maker.dataset.names import MAX_BYTES, NONE, bundle_label, class_of_bundle_label, normalize_label
from gesture_maker.errors import LabelError

PHOTO = photo()
names = st.text(max_size=100) | st.sampled_from([" None ", "NONE", "é", "e\u0301", "\u2000a", "a\n", "\u0301", "..."])


def accepted(name: str) -> str | None:
    try:
        return normalize_label(name)
    except LabelError as error:
        message = str(error)
    assert message.endswith(".")
    assert message.isprintable()
    return None


@given(names)
def test_a_label_is_idempotent_trimmed_and_nfc(name: str) -> None:
    label = accepted(name)
    if label is not None:
        assert normalize_label(label) == label
        assert normalize_label(f"  {label}\t") == label
        assert label == label.strip()
        assert unicodedata.is_normalized("NFC", label)
        assert 0 < len(label.encode()) <= MAX_BYTES


@given(names)
def test_an_accepted_label_is_a_folder_and_comes_back(name: str) -> None:
    label = accepted(name)
    if label is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root / label / f"{label}_000001.jpeg", PHOTO)
        write(root / "manifest.csv", "file,label,source,group,sha256,added\n")
        assert [path.parent.parent for path in root.rglob("*.jpeg")] == [root]  # one level, inside
        (image,) = load_dataset(root).images
        assert (image.label, image.file) == (label, f"{label}/{label}_000001.jpeg")


@given(names)
def test_a_bundle_label_comes_back(name: str) -> None:
    label = accepted(name)
    if label is not None:
        assert class_of_bundle_label(bundle_label(label)) == label


@pytest.mark.parametrize("name", ["None", "NONE", " none ", "nOnE\n"])
def test_every_spelling_of_none_is_none(name: str) -> None:
    assert normalize_label(name) == NONE


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a/b", "slash"),
        ("a\\b", "slash"),
        ("/", "slash"),
        (".", "dot"),
        ("..", "dot"),
        ("...", "dot"),
        (".hidden", "dot"),
        ("", "empty"),
        (" \t", "empty"),
        ("\u200b\u200d", "empty"),
        ("a\x00b", "control"),
        ("a\nb", "control"),
        ("a\u2028b", "control"),
        ("\udcff", "control"),
        ("x" * 181, "longer"),
        ("Manifest.CSV", "file of the dataset"),
    ],
)
def test_bad_input_label(name: str, why: str) -> None:
    with pytest.raises(LabelError, match=why):
        normalize_label(name)


@given(st.lists(st.text(alphabet="ab0129_.²٣", max_size=8)))
def test_natural_order_is_total_and_by_number(names: list[str]) -> None:
    backwards = list(reversed(names))
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)
    numbered = [f"img{number}.jpg" for number in ("1" + "0" * 5000, "100", "010", "2", "1")]
    assert sorted(numbered, key=natural_key) == list(reversed(numbered))
