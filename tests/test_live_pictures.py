"""`live` with a classifier of whole pictures: every frame answered, hand or not, drawn and logged, and no hand looked for."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cameras import number_in, numbered
from conftest import Cli
from hands import some_hand
from helpers import environment, one_sentence_error
from hypothesis import given
from hypothesis import strategies as st
from test_live import Endless, Fast, Shown, pictures_of, rows_of

from gesture_maker.cli.live_shown import answers_line
from gesture_maker.errors import ConfigError, GestureMakerError, SourceError
from gesture_maker.images import Pixels
from gesture_maker.recognition.answers import Recognition, RecognizedHand
from gesture_maker.recognition.frames import Live
from gesture_maker.recognition.live import live
from gesture_maker.recognition.overlay import draw_overlay
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.recognition.showing import LiveFrame
from gesture_maker.recognition.smoothing import ShownHand, parse_smoothing
from gesture_maker.recognition.tracks import PATIENCE, Tracker

RATE, COUNT = 25, 30
DARK, BRIGHT = (np.full((240, 320, 3), level, np.uint8) for level in (40, 220))


class Brightness:
    """Tells bright pictures from dark ones; keeps the numbers of those that it was asked about."""

    labels = ("none", "bright", "dark")

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.closed = 0

    def answered(self, pixels: Pixels, /) -> Recognition:
        begin = time.perf_counter()
        self.asked.append(number_in(pixels))
        level = float(pixels[pixels.shape[0] // 2 :].mean()) / 255
        gesture, score = ("bright", level) if level > 0.5 else ("dark", 1 - level)
        return Recognition((RecognizedHand(gesture, score, False, None),), time.perf_counter() - begin)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 frames at 25 frames/s with their numbers, of which the first 10 are dark."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    with Recorder(path) as recorder:
        for number in range(COUNT):
            recorder.add(numbered(DARK if number < 10 else BRIGHT, number), number / RATE)
    return path


# Films


def test_every_frame_of_a_film_is_asked_about_once_and_in_order(film: Path, tmp_path: Path) -> None:
    pictures, looked = Brightness(), []
    summary = live(None, film, pictures=pictures, record=tmp_path / "a.mp4", on_frame=looked.append)
    assert pictures.asked == [one.frame.number for one in looked] == list(range(COUNT))
    assert (summary.answered, summary.skipped, summary.lost, summary.dropped) == (COUNT, 0, 0, 0)
    assert [(one.gesture, one.frames) for one in summary.seen] == [("bright", 20), ("dark", 10)]
    assert pictures.closed == 1
    rows = rows_of(tmp_path / "a.csv")
    assert [row["gesture"] for row in rows] == ["dark"] * 10 + ["bright"] * 20
    assert {(row["track"], row["classifier"], row["handedness"], row["handedness_score"]) for row in rows} == {
        ("1", "custom", "", "")
    }
    assert all(float(row["recognition_ms"]) > 0 and row["raw_gesture"] == row["gesture"] for row in rows)
    recorded = pictures_of(tmp_path / "a.mp4")
    assert len(recorded) == COUNT
    for picture, level in ((recorded[5], 40), (recorded[25], 220)):
        assert abs(float(picture[120:].mean()) - level) < 3, "nothing is drawn but the status and the label at the top"
        assert abs(float(picture[:60, :100].mean()) - level) > 5


def test_json_lines_say_that_there_is_no_hand(film: Path, tmp_path: Path) -> None:
    live(None, film, pictures=Brightness(), out=tmp_path / "log.jsonl", frames=2)
    for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines():
        (hand,) = json.loads(line)["hands"]
        assert (hand["gesture"], hand["track"]) == ("dark", 1)
        assert [hand[name] for name in ("handedness", "handedness_score", "landmarks", "world_landmarks")] == [None] * 4


@pytest.mark.parametrize(("most", "numbers"), [(5, range(0, COUNT, 5)), (12.5, range(0, COUNT, 2)), (99, range(COUNT))])
def test_max_fps_asks_about_no_more(most: float, numbers: range, film: Path) -> None:
    pictures = Brightness()
    summary = live(None, film, pictures=pictures, max_fps=most)
    assert pictures.asked == list(numbers)
    assert summary.answered + summary.skipped == COUNT


def test_smoothing_takes_all_pictures_for_one_track(film: Path, tmp_path: Path) -> None:
    live(None, film, pictures=Brightness(), out=tmp_path / "a.csv", smoothing=parse_smoothing("vote:5"))
    rows = rows_of(tmp_path / "a.csv")
    assert {row["track"] for row in rows} == {"1"}
    assert [row["raw_gesture"] for row in rows] == ["dark"] * 10 + ["bright"] * 20
    assert [row["gesture"] for row in rows] == ["dark"] * 12 + ["bright"] * 18


@given(st.lists(st.sampled_from(["picture", "hand", ""]), max_size=40))
def test_whole_pictures_are_one_track_and_no_hand_s(kinds: list[str]) -> None:
    tracker, hand = Tracker(), some_hand(0)
    last: dict[str, tuple[int, int]] = {}  # kind: its number, and when it was seen
    for now, kind in enumerate(kinds):
        numbers = tracker.follow([{"picture": None, "hand": hand}[kind]] if kind else [])
        assert len(numbers) == bool(kind)
        for number in numbers:
            if kind in last:
                assert (number == last[kind][0]) == (now - last[kind][1] <= PATIENCE + 1)
            last[kind] = number, now
    assert len({number for number, _ in last.values()}) == len(last)


def test_in_a_window_it_ends_by_a_key(film: Path) -> None:
    window, pictures = Shown(None, None, "q"), Brightness()
    summary = live(None, film, pictures=pictures, window=window)
    assert 1 <= len(window.pictures) <= summary.answered < COUNT
    assert pictures.closed == 1


# Cameras


def test_of_a_camera_the_newest_frame_is_asked_about_and_none_dropped(tmp_path: Path) -> None:
    source, behind = Endless(), []

    class OfMarked(Brightness):
        def answered(self, pixels: Pixels, /) -> Recognition:
            return super().answered(np.ascontiguousarray(pixels[::-1, ::-1]))

    def slow(one: LiveFrame) -> None:
        threading.Event().wait(0.01)
        behind.append(source.taken - one.frame.number)

    pictures = OfMarked()
    summary = live(None, source, pictures=pictures, on_frame=slow, frames=40, record=tmp_path / "a.mp4")
    assert (summary.answered, summary.dropped) == (40, 0)
    assert pictures.asked == [int(row["frame"]) for row in rows_of(tmp_path / "a.csv")] == list(range(40))
    assert max(behind) <= 4  # two under way, one that waits to be shown, and the one that is shown


def test_bad_input_a_camera_that_disappears_leaves_what_was_answered(tmp_path: Path) -> None:
    tick, pictures = threading.Event(), Brightness()
    camera = Live(Fast(20, lambda: tick.wait(0.01)), "Camera 3")
    with pytest.raises(SourceError, match=r"Camera 3 is gone after 20 frames.* What came before is in \S+a.csv\."):
        live(None, camera, pictures=pictures, out=tmp_path / "a.csv")
    assert len(rows_of(tmp_path / "a.csv")) == len(pictures.asked) > 0
    assert pictures.closed == 1


# Errors


@pytest.mark.parametrize("camera", [False, True])
def test_bad_input_a_classifier_that_fails_ends_it_and_files_are_kept(camera: bool, film: Path, tmp_path: Path) -> None:
    class Failing(Brightness):
        def answered(self, pixels: Pixels, /) -> Recognition:
            if len(self.asked) == 5:
                raise GestureMakerError("The network is broken: train again.")
            return super().answered(pixels)

    pictures = Failing()
    with pytest.raises(GestureMakerError, match=r"^The network is broken: train again. What came before is in \S+a"):
        live(None, Endless() if camera else film, pictures=pictures, record=tmp_path / "a.mp4")
    assert len(pictures_of(tmp_path / "a.mp4")) == len(rows_of(tmp_path / "a.csv")) == 5
    assert pictures.closed == 1


def test_bad_input_pictures_and_a_bundle(film: Path) -> None:
    for bundle, settings in (("first", {}), (None, {"server": "http://127.0.0.1:1"}), (None, {"max_fps": 0})):
        pictures = Brightness()
        with pytest.raises(ConfigError):
            live(bundle, film, pictures=pictures, **settings)  # type: ignore[arg-type]
        assert pictures.closed == 1, "also when it does not come to anything"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nobody", "{film}"), 'There is no run "nobody"'),
        (("nobody", "{film}", "--smooth", "much"), '"much" is no smoothing'),
        ((".", "{film}"), "is no training on pixels"),
    ],
)
def test_bad_input_image_live(arguments: tuple[str, ...], sentence: str, film: Path, tmp_path: Path, cli: Cli) -> None:
    given = [one.format(film=film) for one in arguments]
    assert sentence in one_sentence_error(cli("image", "live", *given, "--headless", cwd=tmp_path))
    assert not list(tmp_path.iterdir())


def test_neither_mediapipe_nor_tensorflow_is_loaded(film: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from test_live_pictures import Brightness
from gesture_maker.recognition.live import live
assert live(None, sys.argv[1], pictures=Brightness(), record=Path(sys.argv[2])).answered == 30
print(sorted({"mediapipe", "tensorflow", "keras"} & set(sys.modules)))
"""
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, str(film), "a.mp4"],
        cwd=tmp_path, env=environment(PYTHONPATH=here), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


# What is shown


def shown(gesture: str, score: float) -> ShownHand:
    return ShownHand(1, gesture, score, False, RecognizedHand(gesture, score, False, None))


def test_the_label_is_at_the_top_left_below_the_status() -> None:
    for mirror in (False, True):
        bare = draw_overlay(BRIGHT, [], ["30 frames/s", ""], mirror=mirror)
        with_label = draw_overlay(BRIGHT, [shown("bright", 0.93)], ["30 frames/s", ""], mirror=mirror)
        status = np.argwhere((bare != BRIGHT).any(axis=2))
        label = np.argwhere((with_label != bare).any(axis=2))
        assert label[:, 0].min() > status[:, 0].max(), "below the status"
        assert abs(int(label[:, 1].min()) - int(status[:, 1].min())) <= 1
        assert label[:, 0].max() < BRIGHT.shape[0] / 4
        alone = np.argwhere((draw_overlay(BRIGHT, [shown("bright", 0.93)], "", mirror=mirror) != BRIGHT).any(axis=2))
        assert alone[:, 0].min() == status[:, 0].min()
        assert (np.ptp(alone, axis=0) == np.ptp(label, axis=0)).all()


def test_a_hand_s_label_keeps_clear_of_a_picture_s() -> None:
    hand = some_hand(0)
    hand = replace(hand, landmarks=hand.landmarks * np.float32(0.3) + np.float32([0.02, 0.14, 0]))  # right below it
    both = [shown("bright", 0.9), ShownHand(2, "fist", 0.9, False, RecognizedHand("fist", 0.9, False, hand))]
    alone = draw_overlay(BRIGHT, both[:1], "", mirror=False)
    changed = (alone != BRIGHT).any(axis=2)
    assert (draw_overlay(BRIGHT, both, "", mirror=False)[changed] == alone[changed]).all()


def test_a_line_of_the_terminal_names_no_hand(film: Path) -> None:
    looked: list[LiveFrame] = []
    live(None, film, pictures=Brightness(), frames=1, on_frame=looked.append)
    assert answers_line(looked[0]).startswith("0:00  0 frames/s  ")
    assert answers_line(looked[0]).endswith(" ms  dark 0.85")
