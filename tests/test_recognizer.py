"""A bundle, loaded into the runtime: whose answer it is, and what is no bundle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hands import answering, bad_photos, drawn, make_bundle, save_photo, silent_bundle
from helpers import environment, write

from gesture_maker.bundle.task import TaskBundle, read_task, write_task
from gesture_maker.embedders.builtin import tflite_bytes
from gesture_maker.errors import BundleError, ConfigError, UnreadableImage
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.recognition.answers import Recognition, RecognizedHand
from gesture_maker.recognition.recognizer import Recognizer

PHOTO = drawn("four")[0]


@pytest.fixture(scope="module")
def silent() -> bytes:
    return silent_bundle()


def test_the_custom_heads_answer() -> None:
    with Recognizer(make_bundle(answering([0.1, 0.7, 0.2]), ["None", "rock", "手势"])) as recognizer:
        assert recognizer.labels == ["None", "rock", "手势"]
        answer = recognizer.recognize(PHOTO)
    (hand,) = answer.hands
    assert (hand.gesture, hand.canned) == ("rock", False)
    assert hand.score == pytest.approx(0.7, abs=1e-5)
    assert answer.best is hand
    assert answer.seconds > 0


@pytest.mark.parametrize("labels", [["None", "rock"], ["none", "rock"]], ids=["ours", "stock"])
def test_no_gesture_is_the_class_none(labels: list[str]) -> None:
    with Recognizer(make_bundle(answering([0.8, 0.2]), labels)) as recognizer:
        (hand,) = recognizer.recognize(PHOTO).hands
    assert (hand.gesture, hand.canned) == ("none", False)


def test_an_answer_below_the_threshold_is_none() -> None:
    with Recognizer(make_bundle(answering([0.2, 0.45, 0.35]), ["None", "rock", "ok"])) as recognizer:
        (hand,) = recognizer.recognize(PHOTO).hands
    assert (hand.gesture, hand.canned) == ("none", False)


def test_where_the_custom_head_says_none_googles_gestures_answer(shared: Path) -> None:
    bundle = silent_bundle("mediapipe", shared / "assets")
    photo = drawn("thumbs_up", 1)[0]
    with Recognizer(bundle) as recognizer:
        assert recognizer.labels == ["None"]
        (hand,) = recognizer.recognize(photo).hands
        assert (hand.gesture, hand.canned) == ("Thumb_Up", True)
    with Recognizer(bundle, canned=False) as recognizer:
        (hand,) = recognizer.recognize(photo).hands
        assert (hand.gesture, hand.canned) == ("none", False)


def test_a_bundle_without_a_custom_head_has_googles_gestures(shared: Path) -> None:
    parts = replace(read_task(silent_bundle("mediapipe", shared / "assets")), custom_gesture_classifier=None)
    with Recognizer(write_task(parts)) as recognizer:
        assert recognizer.labels == []
        (hand,) = recognizer.recognize(drawn("thumbs_up", 1)[0]).hands
        assert (hand.gesture, hand.canned) == ("Thumb_Up", True)


def test_files_and_pixels_get_the_same_answer(tmp_path: Path, silent: bytes) -> None:
    photo, task = save_photo(tmp_path / "a.png", PHOTO), write(tmp_path / "a.task", silent)
    with Recognizer(str(task)) as recognizer:
        found = [recognizer.recognize(source).hands[0].hand for source in (PHOTO, photo, str(photo))]
    with HandDetector() as detector:
        expected = detector.find(PHOTO)
    assert expected is not None
    for hand in found:
        assert np.array_equal(hand.landmarks, expected.landmarks)
        assert hand.handedness == expected.handedness


def test_a_photo_without_a_hand_has_no_answer(silent: bytes) -> None:
    with Recognizer(silent) as recognizer:
        answer = recognizer.recognize(np.full((240, 320, 3), 128, np.uint8))
    assert answer.hands == ()
    assert answer.best is None


def test_without_the_border_the_photo_is_seen_as_it_is(silent: bytes) -> None:
    with Recognizer(silent) as with_border, Recognizer(silent, border=False) as without:
        assert with_border.recognize(PHOTO).hands[0].hand.margin == 160
        assert without.recognize(PHOTO).hands[0].hand.margin == 0


def test_both_hands_of_a_photo(silent: bytes) -> None:
    left, right = drawn("open_palm", 0)[0], drawn("open_palm", 3)[0]
    both = np.concatenate([left, right], axis=1)
    with Recognizer(silent, num_hands=2, border=False) as recognizer:
        hands = recognizer.recognize(both).hands
    with Recognizer(silent, border=False) as recognizer:
        assert len(recognizer.recognize(both).hands) == 1
    middles = sorted(float(hand.hand.landmarks[:, 0].mean()) for hand in hands)
    assert len(middles) == 2
    assert middles[0] < 0.5 < middles[1]


def test_the_best_hand_is_one_that_makes_a_gesture(silent: bytes) -> None:
    with Recognizer(silent) as recognizer:
        (some,) = recognizer.recognize(PHOTO).hands

    def hand(gesture: str, score: float) -> RecognizedHand:
        return replace(some, gesture=gesture, score=score)

    best = Recognition((hand("none", 0.99), hand("rock", 0.6), hand("ok", 0.7)), 0.0).best
    assert best is not None
    assert best.gesture == "ok"


# What is no bundle, no photo, no setting


@pytest.mark.parametrize(
    "setting",
    [{"num_hands": 0}, {"min_hand_detection_confidence": 1.5}, {"min_tracking_confidence": -0.1}],
)
def test_bad_input_settings(silent: bytes, setting: dict[str, float]) -> None:
    (name,) = setting
    with pytest.raises(ConfigError, match=f"^{name} is .*, but has to be "):
        Recognizer(silent, **setting)  # type: ignore[arg-type]


def test_bad_input_photos(tmp_path: Path, silent: bytes) -> None:
    with Recognizer(silent) as recognizer:
        for path in bad_photos(tmp_path).values():
            with pytest.raises(UnreadableImage):
                recognizer.recognize(path)
        assert recognizer.recognize(PHOTO).hands  # and goes on


def test_bad_input_a_missing_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"There is no file .*gone\.task: check the name"):
        Recognizer(tmp_path / "gone.task")
    with pytest.raises(BundleError, match="is a folder"):
        Recognizer(tmp_path)


def test_bad_input_a_bundle_cut_short(tmp_path: Path, silent: bytes) -> None:
    for share in (0, 0.3, 0.999):
        task = write(tmp_path / "cut.task", silent[: int(len(silent) * share)])
        with pytest.raises(BundleError):
            Recognizer(task)


PARTS = ["hand_detector", "hand_landmarks_detector", "gesture_embedder", "canned_gesture_classifier"]
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "words": lambda model: model[:8] + b"these are words " * 200,
    "cut short": lambda model: model[: len(model) // 2],
    "its head alone": lambda model: model[:8],
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("part", [*PARTS, "custom_gesture_classifier"])
def test_bad_input_a_whole_bundle_of_a_broken_model(
    silent: bytes, part: str, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = read_task(silent)
    broken = write_task(replace(parts, **{part: DAMAGE[damage](getattr(parts, part))}))
    with pytest.raises(BundleError) as raised:
        Recognizer(broken)
    message = str(raised.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert capfd.readouterr() == ("", "")  # the sentence is all: MediaPipe's log stays out of sight


def swapped(parts: TaskBundle, part: str) -> TaskBundle:
    """Return the bundle with a whole model in the place of another."""
    return replace(parts, **{part: parts.hand_detector if part != "hand_detector" else tflite_bytes()})


@pytest.mark.parametrize("part", [*PARTS, "custom_gesture_classifier"])
def test_bad_input_a_bundle_with_a_model_in_the_place_of_another(silent: bytes, part: str) -> None:
    """Some of these load, and fail at the first hand."""
    with (
        pytest.raises(BundleError, match="export it again"),
        Recognizer(write_task(swapped(read_task(silent), part))) as recognizer,
    ):
        recognizer.recognize(PHOTO)


CLOSING = """
import sys
from pathlib import Path
from gesture_maker.recognition.recognizer import Recognizer
recognizer = Recognizer(Path(sys.argv[1]))
print(len(recognizer.recognize(Path(sys.argv[2])).hands))
"""


def test_a_script_that_forgets_to_close_ends_well(tmp_path: Path, silent: bytes) -> None:
    photo, task = save_photo(tmp_path / "a.png", PHOTO), write(tmp_path / "a.task", silent)
    command = [sys.executable, "-c", CLOSING, str(task), str(photo)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
