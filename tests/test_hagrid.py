"""HaGRID's layouts: boxes, labels and people from its annotations, and the hand of each box found in the photo."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hands import drawn
from helpers import make_zip, photo, tree, write
from PIL import Image

from gesture_maker.dataset.finding import list_images
from gesture_maker.dataset.listing import Listing
from gesture_maker.dataset.reading import Reader
from gesture_maker.errors import ConfigError, DatasetError, SourceError
from gesture_maker.images import Pixels
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.landmarks.hands import Floats, Hand, NoHand
from gesture_maker.landmarks.looking import Look, look_at

A, B = photo(1), photo(2)
BOX, OTHER = [0.1, 0.2, 0.25, 0.5], [0.6, 0.125, 0.25, 0.5]

V1 = {"leading_hand": "right", "leading_conf": 1.0, "landmarks": [[[0.5, 0.5]] * 21]}
V2 = {"hand_landmarks": [[[0.5, 0.5]] * 21], "united_bbox": None, "united_label": None, "meta": {"age": [24.4]}}


def record(labels: list[str], user: str = "u1", **more: Any) -> dict[str, Any]:
    boxes = [BOX, OTHER][: len(labels)]
    return {"bboxes": boxes, "labels": labels, **more, "user_id": user}


CALL = {
    "a2": record(["call"], "u1", **V1),
    "a10": record(["no_gesture", "call"], "u2", **V1),
    "gone": record(["call"], "u3", **V1),
}
HOLY = {"b1": record(["holy", "holy"], "u4", **V2 | {"united_bbox": [[0, 0, 1, 1]], "united_label": ["holy"]})}
FIST = {"c1": record(["fist"], "u5", **V2)}
ANNOTATIONS = {"call": CALL, "holy": HOLY, "fist": FIST}
PHOTOS = {"call": ["a2.jpg", "a10.jpg", "extra.jpg"], "holy": ["b1.jpg"]}

ROWS = [
    ("call/a10.jpg#1", "none", "u2", BOX),
    ("call/a2.jpg", "call", "u1", BOX),
    ("call/a10.jpg#2", "call", "u2", OTHER),
    ("holy/b1.jpg#1", "holy", "u4", BOX),
    ("holy/b1.jpg#2", "holy", "u4", OTHER),
]


def unpacked(root: Path, photos: str, annotations: str) -> Path:
    for name, names in PHOTOS.items():
        for one in names:
            write(root / photos.format(name) / one, A if one == "a2.jpg" else B)
    for name, records in ANNOTATIONS.items():
        write(root / annotations.format(name), json.dumps(records))
    return root


def zip_of(path: Path, files: dict[str, bytes]) -> Path:
    return make_zip(path, {name.removeprefix("/"): content for name, content in files.items()})


def layouts(root: Path) -> Iterator[Path]:
    """Yield the same photos and annotations in the ways in which they are handed round."""
    yield unpacked(root / "sample", "hagrid_30k/train_val_{}", "ann_train_val/{}.json")
    yield unpacked(root / "second", "hagrid_dataset/{}", "hagrid_annotations/train/{}.json")
    yield unpacked(root / "beside", "train_val_{0}", "train_val_{0}/{0}.json")
    split = unpacked(root / "split", "{}", "annotations/train/{}.json")
    for part in ("val", "test"):
        write(split / f"annotations/{part}/call.json", json.dumps({"gone": CALL["gone"]}))
    yield split
    plain = unpacked(root / "plain", "{}", "{}.json")
    packed = root / "packed"
    for name in PHOTOS:
        inner = {f"{name}/{one.name}": one.read_bytes() for one in (plain / name).iterdir()}
        make_zip(packed / f"{name}.zip", inner)
    inside = {f"annotations/train/{name}.json": json.dumps(records).encode() for name, records in ANNOTATIONS.items()}
    make_zip(packed / "annotations.zip", {"__MACOSX/annotations/._x.json": b"x", **inside})
    yield packed
    bare = root / "bare"
    for name, names in PHOTOS.items():
        make_zip(bare / f"sub/train_val_{name}.zip", {one: A if one == "a2.jpg" else B for one in names})
        write(bare / f"ann_train_val/{name}.json", json.dumps(ANNOTATIONS[name]))
    write(bare / "ann_train_val/fist.json", json.dumps(FIST))
    yield bare
    everything = {f"hagrid-sample/{name}": content for name, content in tree(root / "sample").items()}
    yield make_zip(root / "one/hagrid-sample.zip", everything)
    yield root / "one"


def rows_of(listing: Listing) -> list[tuple[Any, ...]]:
    rows = listing.images.to_pylist()
    return [(row["file"], row["label"], row["group"], pytest.approx(row["box"])) for row in rows]


def test_every_layout_gives_a_row_for_each_box(tmp_path: Path) -> None:
    for place in layouts(tmp_path):
        for source in (place, place.as_uri()):
            listing = list_images(source)
            assert rows_of(listing) == ROWS, source
            reader = Reader(listing.root)
            for row in listing.images.to_pylist():
                assert reader.read(row["path"], row["member"]) == (A if "a2" in row["file"] else B)
            assert sorted(reason for _, reason in listing.ignored) == [
                "1 annotation of no image here",
                "1 box around both hands of a gesture, each hand is used by itself",
                "1 class has annotations but no images here: fist",
                "1 image without annotation",
            ]


def test_groups_by_regular_expression_go_by_the_photos_names(tmp_path: Path) -> None:
    root = unpacked(tmp_path, "{}", "ann/{}.json")
    groups = {row["file"]: row["group"] for row in list_images(root, "a([0-9]+)").images.to_pylist()}
    assert groups["call/a2.jpg"] == "2"
    assert groups["call/a10.jpg#1"] == groups["call/a10.jpg#2"] == "10"
    assert groups["holy/b1.jpg#1"] == "holy/b1.jpg"
    with pytest.raises(ConfigError, match="matches no file name"):
        list_images(root, "zzz")


def test_photos_that_are_there_twice_are_used_once(tmp_path: Path) -> None:
    unpacked(tmp_path / "a", "{}", "ann/{}.json")
    unpacked(tmp_path / "b", "train_val_{}", "ann/{}.json")
    listing = list_images(tmp_path)
    assert rows_of(listing) == ROWS
    assert "3 images that are there twice" in {reason for _, reason in listing.ignored}


def test_boxes_that_are_none_and_people_that_are_not_known(tmp_path: Path) -> None:
    boxes = [[0.1, 0.1, 0.0, 0.2], [0.1, 0.1, 0.2], [1.5, 0.1, 0.2, 0.2], ["a", 0, 0, 1], None, [-0.1, 0.2, 0.3, 0.4]]
    write(tmp_path / "call/a.jpg", A)
    write(tmp_path / "ann/call.json", json.dumps({"a": {"bboxes": boxes, "labels": ["call"] * 6}}))
    listing = list_images(tmp_path)
    assert rows_of(listing) == [("call/a.jpg#6", "call", None, [-0.1, 0.2, 0.3, 0.4])]
    assert [reason for _, reason in listing.ignored] == ["5 boxes that are none"]


def test_class_folders_with_other_json_files_stay_class_folders(tmp_path: Path) -> None:
    write(tmp_path / "rock/1.jpg", A)
    write(tmp_path / "rock.json", json.dumps({"images": [], "annotations": [{"bbox": [0, 0, 1, 1]}]}))
    write(tmp_path / "rock/bboxes.json", "no JSON but it speaks of bboxes")
    make_zip(tmp_path / "banner.zip", {"call.json": json.dumps(CALL).encode()})
    listing = list_images(tmp_path)
    assert [row["box"] for row in listing.images.to_pylist()] == [None]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (json.dumps(CALL)[:-20], "no JSON or is cut short"),
        (json.dumps({"a2": {"bboxes": [BOX], "labels": []}}), "not as HaGRID"),
        (json.dumps({"a2": {"bboxes": [BOX]}}), "not as HaGRID"),
        (json.dumps({"a2": {"bboxes": [BOX], "labels": [1]}}), "not as HaGRID"),
        (json.dumps({"a2": {"bboxes": [BOX], "labels": ["call"]}, "a3": 7}), "not as HaGRID"),
        (json.dumps({"a2": {"bboxes": [BOX], "labels": ["a/b"]}}), "slash"),
        (json.dumps({"bboxes": [BOX], "labels": ["call"]}), "not as HaGRID"),
    ],
)
def test_bad_input_annotations(tmp_path: Path, content: str, why: str) -> None:
    write(tmp_path / "call/a2.jpg", A)
    write(tmp_path / "ann/call.json", content)
    with pytest.raises(DatasetError, match=why) as caught:
        list_images(tmp_path)
    assert "call.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_input_annotations_without_their_photos_or_in_a_broken_zip(tmp_path: Path) -> None:
    write(tmp_path / "a/ann/call.json", json.dumps(CALL))
    write(tmp_path / "a/other/x.jpg", A)
    with pytest.raises(DatasetError, match=r"None of the photos .* put the folders or zips"):
        list_images(tmp_path / "a")
    write(tmp_path / "b/call/a2.jpg", A)
    write(tmp_path / "b/ann_train_val.zip", b"cut short")
    with pytest.raises(SourceError, match=r"ann_train_val\.zip is no zip"):
        list_images(tmp_path / "b")


# The hand of a box


@pytest.fixture(scope="module")
def detector() -> Iterator[HandDetector]:
    with HandDetector() as one:
        yield one


SIZE = 320


def side_by_side(*labels: str, gap: int = 0) -> tuple[Pixels, list[Floats]]:
    """Return drawn photos beside each other, `gap` pixels of each cut away between them, and where their hands are, in pixels."""
    pieces, hands, left = [], [], 0
    for number, label in enumerate(labels):
        pixels, hand = drawn(label, number)
        cut = gap if number else 0
        pieces.append(pixels[:, cut:])
        hands.append(hand.landmarks[:, :2] * SIZE + [left - cut, 0])
        left += SIZE - cut
    return np.concatenate(pieces, axis=1), hands


def box_around(points: Floats, pixels: Pixels, pad: float = 0.05) -> list[float]:
    low, high = points.min(axis=0), points.max(axis=0)
    low, high = low - pad * (high - low).max(), high + pad * (high - low).max()
    size = np.array(pixels.shape[1::-1])
    return [float(value) for value in (*(low / size), *((high - low) / size))]


def png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def distance(hand: Hand, points: Floats, mirrored: bool = False) -> float:
    """Return how far landmarks are from where the hand was drawn, mean, in shares of the hand's size."""
    found = hand.landmarks[:, :2].astype(np.float64)
    if mirrored:
        found[:, 0] = 1 - found[:, 0]
    found = found * [hand.width, hand.height]
    return float(np.linalg.norm(found - points, axis=1).mean() / np.ptp(points, axis=0).max())


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_landmarks_of_each_box_are_of_its_hand(detector: HandDetector, mirrored: bool) -> None:
    for labels in (("four", "fist"), ("call", "victory"), ("open_palm", "thumbs_up")):
        pixels, hands = side_by_side(*labels, gap=40)
        for points in hands:
            answer = look_at(png(pixels), "x", Look(mirrored=mirrored), detector, box_around(points, pixels))
            assert isinstance(answer, Hand), labels
            assert (answer.width, answer.height, answer.margin) == (pixels.shape[1], pixels.shape[0], 0)
            assert distance(answer, points, mirrored) < 0.15, labels


def test_the_listed_boxes_of_a_photo_with_two_hands_find_both(tmp_path: Path, detector: HandDetector) -> None:
    pixels, hands = side_by_side("four", "fist")
    write(tmp_path / "four/p.png", png(pixels))
    boxes = [box_around(points, pixels) for points in hands]
    records = {"p": {"bboxes": boxes, "labels": ["four", "no_gesture"], "user_id": "u"}}
    write(tmp_path / "ann/four.json", json.dumps(records))
    rows = {row["label"]: row for row in list_images(tmp_path).images.to_pylist()}
    for label, points in zip(("four", "none"), hands, strict=True):
        content = Reader(str(tmp_path)).read(rows[label]["path"])
        answer = look_at(content, "p.png", Look(), detector, rows[label]["box"])
        assert isinstance(answer, Hand)
        assert distance(answer, points) < 0.15


def test_a_box_beside_a_hand_does_not_get_that_hand(detector: HandDetector) -> None:
    pixels, hands = side_by_side("four")
    wide = np.concatenate([pixels, np.repeat(pixels[:, -1:], SIZE, axis=1)], axis=1)
    beside = hands[0] + [np.ptp(hands[0], axis=0)[0], 0]
    assert isinstance(look_at(png(wide), "x", Look(), detector, box_around(hands[0], wide)), Hand)
    assert look_at(png(wide), "x", Look(), detector, box_around(beside, wide)) == NoHand("no hand found")


def test_boxes_that_are_too_small_or_reach_out_of_the_photo(detector: HandDetector) -> None:
    pixels, hands = side_by_side("four")
    small = look_at(png(pixels), "x", Look(), detector, [0.5, 0.5, 0.03, 0.04])
    assert isinstance(small, NoHand)
    assert "10x13 pixels is too small" in small.reason
    left, top, width, height = box_around(hands[0], pixels)
    answer = look_at(png(pixels), "x", Look(), detector, [left, top, width, height + 0.1])
    assert isinstance(answer, Hand)
    for box in ([0.95, 0.95, 0.2, 0.2], [-0.3, -0.3, 0.35, 0.35]):
        assert isinstance(look_at(png(pixels), "x", Look(), detector, box), NoHand)
