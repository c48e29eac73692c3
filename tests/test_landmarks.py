"""Photos to hands: the coordinates of borders, what the embedder is fed, and the search over many photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hands import bad_photos, drawn, points, same_answer, save_photo, sizes
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from gesture_maker.images import MIN_SIDE, Pixels
from gesture_maker.landmarks.detector import HandDetector, detection_key
from gesture_maker.landmarks.engine import find_hands
from gesture_maker.landmarks.hands import NOT_FOUND, Hand, NoHand, embedder_inputs, normalize
from gesture_maker.landmarks.table import LandmarkTable
from gesture_maker.landmarks.views import BORDERED_VIEWS, PLAIN_VIEW, look, to_photo

margins = st.integers(0, 3000)


@pytest.fixture(scope="module")
def detector() -> Iterator[HandDetector]:
    with HandDetector() as made:
        yield made


# What the embedder is fed


@given(points(-2, 2), st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_normalized_landmarks_do_not_depend_on_where_the_hand_is(
    hand: np.ndarray, x: float, y: float, z: float
) -> None:
    near, far = normalize(hand[None]), normalize((hand + np.array([x, y, z], np.float32))[None])
    # Adding up to 3 costs float32 about 3e-7 of each number, and the division makes it more for a small hand.
    tolerance = 4e-6 / (np.ptp(hand[:, :2], axis=0).max() + 1e-5)
    assert np.abs(near - far).max() <= tolerance


@given(points(-2, 2), st.floats(0.01, 100))
def test_normalized_landmarks_do_not_depend_on_how_large_the_hand_is(hand: np.ndarray, factor: float) -> None:
    reach = float(np.ptp(hand[:, :2], axis=0).max())
    # Source of the tolerance: the runtime adds 1e-5 to the size, so that tiny hands come out smaller.
    change = 1e-5 / (reach + 1e-5) + 1e-5 / (reach * factor + 1e-5) + 1e-6
    once = normalize(hand[None])
    assert np.abs(once - normalize(hand[None] * np.float32(factor))).max() <= change * (np.abs(once).max() + 1)


@given(st.lists(points(-2, 2), max_size=3))
def test_normalized_landmarks_begin_at_the_wrist_and_are_one_long(some: list[np.ndarray]) -> None:
    result = normalize(np.array(some, np.float32).reshape(-1, 21, 3))
    assert result.shape == (len(some), 21, 3)
    assert result.dtype == np.float32
    assert not result[:, 0].any()
    for before, after in zip(some, result, strict=True):
        reach = np.ptp(before[:, :2], axis=0).max()
        assert np.ptp(after[:, :2], axis=0).max() == pytest.approx(reach / (reach + 1e-5), abs=1e-5)


@given(points(-0.2, 1.2), sizes, sizes, margins)
def test_a_hand_keeps_its_proportions_in_photos_of_any_shape(
    landmarks: np.ndarray, width: int, height: int, margin: int
) -> None:
    hand = Hand(landmarks, landmarks, 0.25, width, height, margin)
    inputs = embedder_inputs([hand])
    pixels = landmarks * (width, height, 1)
    longer = max(width, height) + 2 * margin
    pixels[:, 2] *= width / (width + 2 * margin) * longer  # z: share of the width that the landmarker saw
    assert inputs.hand[0] == pytest.approx(normalize(pixels[None] / longer)[0], rel=1e-4, abs=1e-4)
    assert inputs.world_hand[0] == pytest.approx(normalize(landmarks[None])[0])
    assert inputs.handedness.tolist() == [[0.25]]


@given(points(-0.2, 1.2), sizes, sizes)
def test_turning_a_photo_on_its_side_turns_the_hand(landmarks: np.ndarray, width: int, height: int) -> None:
    upright = embedder_inputs([Hand(landmarks, landmarks, 1, width, height)]).hand[0]
    lying = embedder_inputs([Hand(landmarks[:, [1, 0, 2]], landmarks, 1, height, width)]).hand[0]
    assert lying[:, :2] == pytest.approx(upright[:, [1, 0]], abs=1e-5)


def test_no_hands_make_no_inputs() -> None:
    inputs = embedder_inputs([])
    assert len(inputs) == 0
    assert (inputs.hand.shape, inputs.handedness.shape, inputs.world_hand.shape) == ((0, 21, 3), (0, 1), (0, 21, 3))
    assert normalize(np.zeros((0, 21, 3))).shape == (0, 21, 3)


def test_hands_can_be_picked() -> None:
    inputs = embedder_inputs([drawn("four", person, 0, 64)[1] for person in range(4)])
    picked = inputs.take([2, 0])
    assert np.array_equal(picked.hand, inputs.hand[[2, 0]])
    assert np.array_equal(picked.world_hand, inputs.world_hand[[2, 0]])
    assert np.array_equal(inputs.take(np.array([False, True, False, True])).handedness, inputs.handedness[[1, 3]])


def test_a_hand_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"landmarks has the shape \(20, 3\)"):
        Hand(np.zeros((20, 3), np.float32), np.zeros((21, 3), np.float32), 1, 10, 10)


# Views and borders


@given(st.floats(-1, 2), sizes, margins)
def test_a_coordinate_comes_back_from_the_bordered_view(value: float, side: int, margin: int) -> None:
    seen = (value * side + margin) / (side + 2 * margin)
    assert to_photo(seen, side, margin) == pytest.approx(value, abs=1e-9)


def test_views_are_tried_in_order_until_something_is_found() -> None:
    pixels = np.zeros((40, 100, 3), np.uint8)
    seen: list[tuple[int, ...]] = []

    def find(view: Pixels) -> str | None:
        seen.append(view.shape[:2])
        return "hand" if view.shape == (90, 150, 3) else None

    assert look(pixels, find, (0.5, 0.0, 0.25, 0.1)) == ("hand", 25)
    assert seen == [(140, 200), (40, 100), (90, 150)]
    assert look(pixels, lambda _: None, (0.5, 0.0)) is None
    assert look(pixels, lambda view: view.shape, PLAIN_VIEW) == ((40, 100, 3), 0)


@pytest.mark.parametrize("label", ["four", "victory", "thumbs_up"])
@pytest.mark.parametrize(
    "cut", [(0, 320, 0, 320), (0, 320, 40, 280), (50, 270, 0, 320)], ids=["square", "tall", "wide"]
)
def test_landmarks_of_a_bordered_photo_are_in_the_photos_coordinates(
    detector: HandDetector, label: str, cut: tuple[int, int, int, int]
) -> None:
    """Compared with the same hand in a larger picture that is seen as it is: to 0.03 of the hand's size on average."""
    top, bottom, left, right = cut
    photo = drawn(label, 2)[0][top:bottom, left:right]
    canvas = np.full((620, 700, 3), photo.mean(axis=(0, 1)), np.uint8)
    place = np.array([190, 130])  # x, y
    canvas[place[1] : place[1] + photo.shape[0], place[0] : place[0] + photo.shape[1]] = photo
    found = [detector.find(photo, (share,)) for share in (0.5, 0.25)]
    larger = detector.find(canvas, PLAIN_VIEW)
    assert larger is not None
    expected = larger.landmarks[:, :2] * (700, 620) - place
    size = np.ptp(expected, axis=0).max()
    for hand, share in zip(found, (0.5, 0.25), strict=True):
        assert hand is not None
        assert (hand.width, hand.height) == (photo.shape[1], photo.shape[0])
        assert hand.margin == round(max(photo.shape[:2]) * share)
        pixels = hand.landmarks[:, :2] * (hand.width, hand.height)
        assert np.abs(pixels - expected).mean() < 0.03 * size


def test_depth_is_in_the_scale_of_x_with_and_without_a_border(detector: HandDetector) -> None:
    """Seen in exactly the same pixels, once with our border and once as a photo of that size: the same in pixels."""
    photo = drawn("four", 2)[0][:, 40:280]
    hand = detector.find(photo, (0.5,))
    as_it_is = detector.find(np.pad(photo, ((160, 160), (160, 160), (0, 0)), "edge"), PLAIN_VIEW)
    assert hand is not None
    assert as_it_is is not None
    expected = as_it_is.landmarks * (560, 640, 560) - (160, 160, 0)
    assert hand.landmarks * (240, 320, 240) == pytest.approx(expected, abs=0.01)
    assert np.array_equal(hand.world, as_it_is.world)


def test_landmarks_are_where_the_hand_was_drawn(detector: HandDetector) -> None:
    far = []
    for person in range(4):
        pixels, truth = drawn("open_palm", person)
        hand = detector.find(pixels)
        assert hand is not None
        size = np.ptp(truth.landmarks[:, :2], axis=0).max()
        far.append(np.abs(hand.landmarks[:, :2] - truth.landmarks[:, :2]).mean() / size)
    assert np.median(far) < 0.05


def test_a_mirrored_photo_shows_the_other_hand(detector: HandDetector) -> None:
    pixels = drawn("open_palm", 1)[0]
    one, other = detector.find(pixels), detector.find(np.ascontiguousarray(pixels[:, ::-1]))
    assert one is not None
    assert other is not None
    assert (one.handedness > 0.5) != (other.handedness > 0.5)
    assert other.landmarks[:, 0] == pytest.approx(1 - one.landmarks[:, 0], abs=0.05)


# Many photos


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of pixels of each photo that a detector was given, which it still looks at."""
    seen: list[int] = []
    find = HandDetector.find

    def spy(self: HandDetector, pixels: Pixels, views: tuple[float, ...] = BORDERED_VIEWS) -> Hand | None:
        seen.append(pixels.size)
        return find(self, pixels, views)

    monkeypatch.setattr(HandDetector, "find", spy)
    return seen


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Six photos, the fourth without a hand."""
    paths = [save_photo(tmp_path / f"{i}.png", drawn("four", i)[0]) for i in range(5)]
    empty = save_photo(tmp_path / "empty.png", np.full((200, 300, 3), 128, np.uint8))
    return [*paths[:3], empty, *paths[3:]]


def test_answers_come_in_the_order_of_the_photos(photos: list[Path]) -> None:
    reports: list[tuple[int, int]] = []
    seen = find_hands(photos, progress=lambda done, total: reports.append((done, total)))
    assert [one.path for one in seen] == photos
    assert [isinstance(one.answer, Hand) for one in seen] == [True] * 3 + [False] + [True] * 2
    assert seen[3].answer == NOT_FOUND
    assert reports == [(done, 6) for done in range(1, 7)]
    backwards = find_hands(photos[::-1])
    assert all(same_answer(one.answer, other.answer) for one, other in zip(seen, backwards[::-1], strict=True))
    assert find_hands([]) == []


def test_two_workers_answer_as_one_does(photos: list[Path]) -> None:
    one, two = find_hands(photos, workers=1), find_hands(photos, workers=2)
    assert all(same_answer(a.answer, b.answer) for a, b in zip(one, two, strict=True))


def test_bad_input_photos_become_reasons_and_the_others_are_found(tmp_path: Path, photos: list[Path]) -> None:
    bad = bad_photos(tmp_path / "bad")
    mixed = [path for pair in zip(photos, bad.values(), strict=True) for path in pair]
    table = LandmarkTable.open(tmp_path / "landmarks.parquet")
    for _ in range(2):  # found, and then known
        seen = find_hands(mixed, table)
        assert [one.path for one in seen] == mixed
        reasons = {kind: seen[2 * i + 1].answer for i, kind in enumerate(bad)}
        assert reasons == {
            "cut short": NoHand("the image is damaged or cut short"),
            "empty": NoHand("the file is empty"),
            "not an image": NoHand("not an image"),
            "no pixels": reasons["no pixels"],
            "huge": NoHand("20000x6000 is over 100 megapixels, make it smaller first"),
            "gone": NoHand("cannot be read (No such file or directory)"),
        }
        assert isinstance(reasons["no pixels"], NoHand)
        assert sum(isinstance(one.answer, Hand) for one in seen) == 5
        table = LandmarkTable.open(tmp_path / "landmarks.parquet")
    assert len(table) == len(mixed) - 1  # the one that is gone has no content to be known by


def test_bad_input_a_thumbnail_shows_no_hand(tmp_path: Path, photos: list[Path]) -> None:
    """The landmarker finds something that looks like a hand even there."""
    with Image.open(photos[0]) as image:
        image.resize((20, 40)).save(tmp_path / "small.png")
        image.resize((MIN_SIDE, MIN_SIDE)).save(tmp_path / "least.png")
    small, least = find_hands([tmp_path / "small.png", tmp_path / "least.png"])
    assert small.answer == NoHand("20x40 pixels are too few to show a hand")
    assert "too few" not in str(least.answer)


def test_a_known_photo_is_not_looked_at_again(tmp_path: Path, photos: list[Path], looked_at: list[int]) -> None:
    place = tmp_path / "landmarks.parquet"
    first = find_hands(photos, LandmarkTable.open(place))
    assert len(looked_at) == 6
    moved = photos[0].rename(tmp_path / "renamed.png")
    again = find_hands([moved, *photos[1:]], LandmarkTable.open(place))
    assert len(looked_at) == 6
    assert all(same_answer(a.answer, b.answer) for a, b in zip(first, again, strict=True))


def test_other_settings_look_again(tmp_path: Path, photos: list[Path], looked_at: list[int]) -> None:
    place = tmp_path / "landmarks.parquet"
    find_hands(photos[:2], LandmarkTable.open(place))
    find_hands(photos[:2], LandmarkTable.open(place), 0.6)
    assert len(looked_at) == 4
    find_hands(photos[:2], LandmarkTable.open(place))
    assert len(looked_at) == 4
    assert len(LandmarkTable.open(place)) == 4


def test_the_key_tells_settings_apart() -> None:
    keys = [detection_key(), detection_key(0.6), detection_key(0.5, (0.5,)), detection_key(0.5, (0.5, 0.0))]
    assert len(set(keys)) == 4
    assert detection_key(1) == detection_key(1.0)


def stop_after(count: int) -> Callable[[int, int], None]:
    def progress(done: int, _: int) -> None:
        if done == count:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_what_was_found(tmp_path: Path, photos: list[Path], looked_at: list[int], workers: int) -> None:
    whole = find_hands(photos)
    place = tmp_path / "landmarks.parquet"
    with pytest.raises(KeyboardInterrupt):
        find_hands(photos, LandmarkTable.open(place), workers=workers, progress=stop_after(3))
    kept = len(LandmarkTable.open(place))
    assert kept >= 3
    looked_at.clear()
    rest = find_hands(photos, LandmarkTable.open(place), workers=workers)
    assert len(looked_at) == 6 - kept
    assert all(same_answer(a.answer, b.answer) for a, b in zip(whole, rest, strict=True))


def test_nothing_works_on_after_ctrl_c(photos: list[Path], looked_at: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt) as interrupted:
        find_hands(photos * 5, workers=1, progress=stop_after(1))
    so_far = len(looked_at)  # while the traceback, and with it the search, is still held
    find_hands(photos[:1])
    assert len(looked_at) == so_far + 1
    assert so_far <= 6
    assert interrupted.tb is not None


def test_a_defect_in_the_search_also_keeps_what_was_found(
    tmp_path: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "landmarks.parquet"
    find = HandDetector.find

    def broken(self: HandDetector, pixels: Pixels, views: tuple[float, ...] = BORDERED_VIEWS) -> Hand | None:
        if pixels.shape == (200, 300, 3):
            raise RuntimeError("out of luck")
        return find(self, pixels, views)

    monkeypatch.setattr(HandDetector, "find", broken)
    with pytest.raises(RuntimeError, match="out of luck"):
        find_hands(photos, LandmarkTable.open(place), workers=1)
    assert len(LandmarkTable.open(place)) >= 1


def test_looking_in_a_mirror_is_looking_at_the_mirror_image(tmp_path: Path, photos: list[Path]) -> None:
    mirrored = []
    for path in photos:
        with Image.open(path) as image:
            ImageOps.mirror(image).save(tmp_path / f"mirrored_{path.name}")
        mirrored.append(tmp_path / f"mirrored_{path.name}")
    table = LandmarkTable.open(tmp_path / "landmarks.parquet")
    plain = find_hands(photos, table)
    in_mirror = find_hands(photos, table, mirrored=True)
    expected = find_hands(mirrored)
    assert all(same_answer(a.answer, b.answer) for a, b in zip(in_mirror, expected, strict=True))
    assert len(table) == 2 * len(photos)  # neither is taken for the other
    again = find_hands(photos, LandmarkTable.open(tmp_path / "landmarks.parquet"))
    assert all(same_answer(a.answer, b.answer) for a, b in zip(plain, again, strict=True))
