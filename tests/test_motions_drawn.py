"""Drawn motions: that each is what it is called whoever makes it, and that a hand between motions is none of them."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gesture_maker.assets import asset_bytes
from gesture_maker.bundle.task import hand_landmarker_task
from gesture_maker.dataset.formats.leap_gest_recog import is_leap_gest_recog
from gesture_maker.dataset.manifest import MANIFEST_NAME, read_manifest
from gesture_maker.errors import ConfigError, DatasetError
from gesture_maker.files import sha256_of_file
from gesture_maker.images import Pixels, read_image
from gesture_maker.landmarks.hands import Hand
from gesture_maker.mediapipe_runtime import load_mediapipe, quiet_stderr
from gesture_maker.motion.collect_marks import read_marks
from gesture_maker.synthetic.draw import ADDED
from gesture_maker.synthetic.infrared import GESTURES, draw_leap_frame, draw_leap_gestures
from gesture_maker.synthetic.motion_dataset import draw_motion_dataset, write_film
from gesture_maker.synthetic.motion_film import draw_motion_film
from gesture_maker.synthetic.motions import (
    MOTIONS,
    SECONDS,
    STILL,
    clip_hands,
    clip_parts,
    draw_clip,
    frames_of,
)

SMALL = (48, 48)
FINE = 40.0  # frames per second, to measure movements

people, indices, seeds = st.integers(0, 10_000), st.integers(0, 1000), st.integers(0, 2**31)
labels = st.sampled_from([*MOTIONS, STILL])
Floats = NDArray[np.float64]


class Moved:
    """The frames of a clip in which its motion goes on. `points` [T, 21, 2] in palm lengths of the picture, y down; `world`."""

    def __init__(self, label: str, person: int, index: int, seed: int) -> None:
        hands = clip_hands(label, person, index, seed, rate=FINE)
        truth = [name for _, name, _ in frames_of(clip_parts(label, person, index, seed), FINE)]
        assert len(truth) == len(hands)
        begin, end = truth.index(label), len(truth) - truth[::-1].index(label)
        hands = hands[begin:end]
        self.seconds = (end - begin) / FINE
        self.points = np.array([hand.landmarks[:, :2] for _, hand in hands], np.float64)
        self.palms = _palms([hand for _, hand in hands])
        self.points /= np.median(self.palms)
        self.world = np.array([hand.world for _, hand in hands], np.float64)

    @property
    def wrist(self) -> Floats:
        return self.points[:, 0]


def _palms(hands: list[Hand]) -> Floats:
    return np.array([np.linalg.norm(hand.landmarks[9, :2] - hand.landmarks[0, :2]) for hand in hands])


def _smooth(values: Floats) -> Floats:
    return np.convolve(values, np.ones(3) / 3, mode="valid")


@pytest.mark.parametrize(
    ("label", "towards"),
    [("swipe_left", (-1, 0)), ("swipe_right", (1, 0)), ("swipe_up", (0, -1)), ("swipe_down", (0, 1))],
)
@settings(max_examples=25)
@given(person=people, index=indices, seed=seeds)
def test_a_swipe_goes_two_hand_widths_its_way_in_a_short_time(
    label: str, towards: tuple[int, int], person: int, index: int, seed: int
) -> None:
    moved = Moved(label, person, index, seed)
    assert 0.25 - 1 / FINE <= moved.seconds <= 0.6 + 1 / FINE
    way = moved.wrist[-1] - moved.wrist[0]
    along = float(way @ towards)
    assert 2.0 <= along <= 5.0  # a palm that is turned from the camera looks shorter than the hand is wide
    assert np.abs(way - along * np.array(towards)).max() < 0.4 * along


@pytest.mark.parametrize(("label", "sign"), [("circle_clockwise", 1), ("circle_counterclockwise", -1)])
@settings(max_examples=25)
@given(person=people, index=indices, seed=seeds)
def test_a_circle_goes_round_its_way(label: str, sign: int, person: int, index: int, seed: int) -> None:
    x, y = (Moved(label, person, index, seed).wrist).T
    # y points down, so that what goes clockwise for the eye has a positive area.
    area = 0.5 * float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
    assert area * sign > 0.4
    assert min(np.ptp(x), np.ptp(y)) > 0.7


@settings(max_examples=25)
@given(people, indices, seeds)
def test_a_wave_swings_from_side_to_side(person: int, index: int, seed: int) -> None:
    moved = Moved("wave", person, index, seed)
    assert np.ptp(_smooth(moved.points[:, 12, 0] - moved.wrist[:, 0])) > 0.3  # of the middle finger's tip
    # How often, without what the living hand and the landmarker's noise add.
    wave = clip_parts("wave", person, index, seed)[1]
    roll = np.array([wave.at(share).pose.orientation[2] for share in np.linspace(0, 1, 81)])
    roll -= roll[0]
    sides = np.sign(roll[np.abs(roll) > 0.5 * np.abs(roll).max()])
    assert np.count_nonzero(np.diff(sides)) in (3, 5, 7)  # two to four times to either side


@settings(max_examples=25)
@given(people, indices, seeds)
def test_a_pinch_closes_and_opens_once_or_twice(person: int, index: int, seed: int) -> None:
    moved = Moved("pinch", person, index, seed)
    apart = _smooth(np.linalg.norm(moved.world[:, 4] - moved.world[:, 8], axis=1))
    assert apart.min() < 0.03 < 0.04 < min(apart[0], apart[-1])  # metres
    closed = apart < (apart.max() + apart.min()) / 2
    assert np.count_nonzero(np.diff(closed.astype(int)) == 1) in (1, 2)
    assert np.ptp(moved.wrist, axis=0).max() < 0.6


@settings(max_examples=25)
@given(people, indices, seeds)
def test_a_grab_closes_all_fingers_and_opens_them(person: int, index: int, seed: int) -> None:
    moved = Moved("grab_release", person, index, seed)
    reach = np.linalg.norm(moved.world[:, [8, 12, 16, 20]] - moved.world[:, :1], axis=2).mean(axis=1)
    assert _smooth(reach).min() < 0.65 * min(reach[0], reach[-1])
    assert reach[-1] == pytest.approx(reach[0], rel=0.2)


@settings(max_examples=25)
@given(people, indices, seeds)
def test_a_push_comes_near_and_goes_back(person: int, index: int, seed: int) -> None:
    palms = _smooth(Moved("push", person, index, seed).palms)
    assert 1.33 < palms.max() / palms[0] < 2.1
    assert palms[-1] == pytest.approx(palms[0], rel=0.15)


@settings(max_examples=60)
@given(people, indices, seeds)
def test_a_still_hand_is_far_slower_than_any_swipe(person: int, index: int, seed: int) -> None:
    assert _fastest(STILL, person, index, seed) < 0.9
    swipe = MOTIONS[index % 4]
    assert _fastest(swipe, person, index, seed) > 1.4


def _fastest(label: str, person: int, index: int, seed: int) -> float:
    """Return the longest way of the wrist within a quarter of a second, in palm lengths."""
    hands = [hand for _, hand in clip_hands(label, person, index, seed, rate=FINE)]
    wrists = np.array([hand.landmarks[0, :2] for hand in hands])
    quarter = round(FINE / 4)
    return float(np.linalg.norm(wrists[quarter:] - wrists[:-quarter], axis=1).max() / np.median(_palms(hands)))


@settings(max_examples=60)
@given(labels, people, indices, seeds)
def test_any_clip_is_as_long_as_promised_and_begins_and_ends_still(
    label: str, person: int, index: int, seed: int
) -> None:
    hands = clip_hands(label, person, index, seed)
    parts = clip_parts(label, person, index, seed)
    total = sum(part.seconds for part in parts)
    assert SECONDS[0] - 1e-9 <= total <= SECONDS[1] + 1e-9
    assert len(hands) == round(total * 20)
    assert [seconds for seconds, _ in hands] == pytest.approx([number / 20 for number in range(len(hands))])
    names = [part.label for part in parts]
    assert names == [STILL, label, STILL] if label != STILL else set(names) == {STILL}
    inside = np.array([(hand.landmarks[:, :2] > 0) & (hand.landmarks[:, :2] < 1) for _, hand in hands])
    assert inside.mean() > 0.9
    assert inside[:, 0].mean() > 0.9  # the wrist
    assert len({hand.handedness > 0.5 for _, hand in hands}) == 1


def test_both_hands_move_and_people_differ() -> None:
    clips = [clip_hands("swipe_right", person, 0, 0) for person in range(40)]
    left = sum(hands[0][1].handedness < 0.5 for hands in clips)
    assert 2 <= left <= 25
    tempos = [clip_parts("swipe_right", person, 0, 0)[1].seconds for person in range(40)]
    assert np.std(tempos) > 0.04
    own = [clip_parts("swipe_right", 3, index, 0)[1].seconds for index in range(40)]
    assert np.std(own) < np.std(tempos)  # a person is more alike than people are


@pytest.mark.parametrize("label", ["swipe_up", STILL])
def test_the_same_clip_twice_is_the_same_and_others_are_others(label: str) -> None:
    def clip(*what: int) -> bytes:
        return b"".join(frame.pixels.tobytes() for frame in draw_clip(label, *what, rate=6, size=SMALL))

    first = clip(3, 0, 7)
    assert clip(3, 0, 7) == first
    assert len({first, clip(3, 1, 7), clip(4, 0, 7), clip(3, 0, 8)}) == 4


def test_another_frame_rate_shows_the_same_movement() -> None:
    slow = list(draw_clip("wave", 1, 0, 0, rate=8, size=SMALL))
    fast = list(draw_clip("wave", 1, 0, 0, rate=16, size=SMALL))[::2][: len(slow)]
    assert [frame.truth for frame in slow] == [frame.truth for frame in fast]
    for one, other in zip(slow, fast, strict=True):
        assert np.abs(one.pixels.astype(int) - other.pixels).mean() < 3  # only the noise differs


def test_the_numbers_are_those_of_the_picture(landmarker: type[Landmarker]) -> None:
    """What MediaPipe finds in the frames is where `clip_hands` says, and the truth of the frames is that of the parts."""
    for label, person in (("push", 1), ("grab_release", 2)):
        frames, hands = list(draw_clip(label, person, 0, 0)), clip_hands(label, person, 0, 0)
        assert [frame.seconds for frame in frames] == [seconds for seconds, _ in hands]
        assert {frame.truth for frame in frames} == {label, STILL}
        assert frames[0].truth == frames[-1].truth == STILL
        with landmarker() as finder:
            found = [finder.find(frame.pixels, frame.seconds) for frame in frames]
        errors = [
            np.median(np.linalg.norm(one - hand.landmarks[:, :2], axis=1)) / _palms([hand])[0]
            for one, (_, hand) in zip(found, hands, strict=True)
            if one is not None
        ]
        assert np.median(errors) < 0.1  # of a palm


@pytest.mark.parametrize("label", ["swipe_left", "swipe_down", "circle_clockwise", "wave", "pinch"])
def test_mediapipe_follows_drawn_hands(label: str, landmarker: type[Landmarker]) -> None:
    found = []
    for person in (5,):
        with landmarker() as finder:
            found += [finder.find(frame.pixels, frame.seconds) is not None for frame in draw_clip(label, person, 1, 0)]
    assert np.mean(found) >= 0.93  # of 2106 frames 0.989


@pytest.mark.parametrize(
    ("label", "settings", "reason"),
    [
        ("rock", {}, 'no drawn motion "rock"'),
        ("wave", {"size": (31, 64)}, "31x64"),
        ("wave", {"rate": 0.0}, "no frames"),
        ("wave", {"rate": float("nan")}, "no frames"),
    ],
)
def test_bad_input_is_refused_before_the_first_frame(label: str, settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        draw_clip(label, 0, 0, 0, **settings)  # type: ignore[arg-type]


# Datasets


def _content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dataset_is_drawn_listed_and_continued(tmp_path: Path) -> None:
    """By other processes at first, by this one in the end: the same bytes."""
    folder, seen = tmp_path / "drawn", list[tuple[int, int]]()
    classes = [STILL, "wave"]

    def draw(folder: Path) -> int:
        return draw_motion_dataset(
            folder, classes, [3, 7], 2, 5, progress=lambda *done: seen.append(done), rate=8, size=SMALL
        )

    assert draw(folder) == 8
    assert seen == [(n, 8) for n in range(1, 9)]
    content = _content(folder)
    assert sorted(content) == sorted(
        [MANIFEST_NAME, *(f"{label}/{label}_00000{n}.mp4" for label in classes for n in range(1, 5))]
    )
    row = read_manifest(folder)["wave/wave_000003.mp4"]
    assert (row.label, row.source, row.group, row.added) == ("wave", "drawn:person07", "person07", ADDED)
    assert row.sha256 == sha256_of_file(folder / row.file)

    for name in ("wave/wave_000002.mp4", "still/still_000004.mp4", MANIFEST_NAME):
        (folder / name).unlink()
    assert draw(folder) == 2
    assert _content(folder) == content
    assert draw(folder) == 0


def test_a_dataset_is_not_drawn_over_other_films(tmp_path: Path) -> None:
    draw_motion_dataset(tmp_path, ["push"], [1], 1, 0, rate=4, size=SMALL)
    with pytest.raises(DatasetError, match=r"push_000001\.mp4 is already another film"):
        draw_motion_dataset(tmp_path, ["push"], [2], 1, 0, rate=4, size=SMALL)
    with pytest.raises(ConfigError, match="even"):
        draw_motion_dataset(tmp_path / "new", ["push"], [2], 1, 0, size=(49, 48))
    with pytest.raises(ConfigError, match="salute"):
        draw_motion_dataset(tmp_path / "new", ["push", "salute"], [2], 1, 0)
    assert not (tmp_path / "new").exists()


def test_a_film_is_written_as_it_was_drawn(tmp_path: Path) -> None:
    import cv2

    frames = list(draw_clip("swipe_left", 0, 0, 0, rate=10, size=(96, 64)))
    write_film(tmp_path / "film.mp4", frames, 10)
    film = cv2.VideoCapture(str(tmp_path / "film.mp4"))
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    for frame in frames:
        there, pixels = film.read()
        assert there
        assert np.abs(pixels[:, :, ::-1].astype(int) - frame.pixels).mean() < 6
    assert not film.read()[0]


# Long films


@settings(max_examples=25)
@given(st.integers(1, 23), people, seeds)
def test_a_films_events_are_in_order_apart_and_each_motion_is_there(events: int, person: int, seed: int) -> None:
    known, _ = draw_motion_film(events, person, seed)
    assert len(known) == events
    counts = [sum(event.label == label for event in known) for label in MOTIONS]
    assert max(counts) - min(counts) <= 1
    assert known[0].begin >= 1.0
    for event in known:
        assert 0.2 < event.end - event.begin < 2.5
    for before, after in itertools.pairwise(known):
        assert after.begin - before.end >= 1.0


def test_a_films_frames_say_what_its_events_say() -> None:
    known, frames = draw_motion_film(10, 2000, 1, rate=12, size=(48, 36))
    seconds, truth = [], []
    for frame in frames:
        assert frame.pixels.shape == (36, 48, 3)
        seconds.append(frame.seconds)
        truth.append(frame.truth)
    said = [next((event.label for event in known if event.begin <= moment < event.end), STILL) for moment in seconds]
    assert truth == said
    assert {*truth} == {*MOTIONS, STILL}
    assert truth[-1] == STILL
    assert seconds[-1] > known[-1].end + 1
    assert draw_motion_film(10, 2000, 1, rate=25, size=(48, 36))[0] == known


def test_a_film_is_drawn_frame_by_frame() -> None:
    _, frames = draw_motion_film(500, 0, 0, size=(48, 36))  # of half an hour
    assert next(frames).seconds == 0
    with pytest.raises(ConfigError, match="one at least"):
        draw_motion_film(0, 0, 0)


def test_the_script_writes_a_film_and_its_events(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts/draw_motion_film.py"), "a film.mp4", "--events", "2"]
    command += ["--size", "64", "48", "--rate", "8"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    told = read_marks(tmp_path / "a film.csv")
    known, _ = draw_motion_film(2, 2000, 0, rate=8, size=(64, 48))
    assert [(mark.label, mark.begin, mark.end) for mark in told] == [
        (event.label, pytest.approx(event.begin, abs=1e-3), pytest.approx(event.end, abs=1e-3)) for event in known
    ]
    assert (tmp_path / "a film.mp4").stat().st_size > 1000


# Infra-red stills


def test_leap_gestures_are_drawn_in_their_folders_and_continued(tmp_path: Path) -> None:
    assert draw_leap_gestures(tmp_path, 2, 2, 0, size=(80, 33)) == 40
    content = _content(tmp_path)
    assert "leapGestRecog/01/10_down/frame_01_10_0002.png" in content
    assert len(content) == 40
    assert is_leap_gest_recog(tmp_path)
    (tmp_path / "leapGestRecog/00/02_l/frame_00_02_0001.png").unlink()
    seen: list[tuple[int, int]] = []
    assert draw_leap_gestures(tmp_path, 2, 2, 0, size=(80, 33), progress=lambda *done: seen.append(done)) == 1
    assert seen[-1] == (40, 40)
    assert _content(tmp_path) == content
    pixels = read_image(tmp_path / "leapGestRecog/00/08_palm_moved/frame_00_08_0001.png")
    assert pixels.shape == (33, 80, 3)
    assert (pixels[..., :1] == pixels).all()  # grey
    assert np.median(pixels) < 30 < 120 < pixels.max()  # a bright hand in the dark
    with pytest.raises(ConfigError, match="0 subjects"):
        draw_leap_gestures(tmp_path, 0, 2, 0)


def test_mediapipe_finds_hands_in_infra_red(landmarker: type[Landmarker]) -> None:
    for number, gesture in enumerate(GESTURES, 1):
        with landmarker() as finder:
            found = [finder.find(_rgb(draw_leap_frame(2, number, frame, 0)), frame / 20) for frame in range(0, 12, 4)]
        assert all(one is not None for one in found), gesture.folder


def test_what_is_called_moved_moves_more() -> None:
    def change(number: int) -> float:
        first, last = (draw_leap_frame(0, number, frame, 0, (160, 60)).astype(int) for frame in (0, 12))
        return float(np.abs(first - last).mean())

    assert change(8) > change(1)
    assert change(4) > change(3)


def _rgb(grey: Pixels) -> Pixels:
    return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))


class Landmarker:
    """MediaPipe's HandLandmarker in VIDEO mode, with one hand."""

    def __init__(self) -> None:
        self._mediapipe = load_mediapipe()
        from mediapipe.tasks.python import BaseOptions, vision

        task = hand_landmarker_task(asset_bytes("hand_detector"), asset_bytes("hand_landmarks_detector"))
        options = vision.HandLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=task), num_hands=1, running_mode=vision.RunningMode.VIDEO
        )
        with quiet_stderr():
            self._landmarker = vision.HandLandmarker.create_from_options(options)

    def find(self, pixels: Pixels, seconds: float) -> Floats | None:
        """Return the hand's points [21, 2] in shares of the picture, if there is one."""
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        result = self._landmarker.detect_for_video(image, round(1000 * seconds))
        if not result.hand_landmarks:
            return None
        return np.array([[point.x, point.y] for point in result.hand_landmarks[0]])

    def __enter__(self) -> Landmarker:
        return self

    def __exit__(self, *_: object) -> None:
        self._landmarker.close()


@pytest.fixture(scope="module")
def landmarker() -> Iterator[type[Landmarker]]:
    """What makes landmarkers: each clip needs its own, which follows one hand."""
    return Landmarker
