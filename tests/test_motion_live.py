"""Gestures that move, live: one event for each, in a film as from numbers, as JSON lines, without TensorFlow."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from helpers import environment, one_sentence_error, write
from test_architecture import RUNNER

from gesture_maker.errors import ConfigError, RunError
from gesture_maker.landmarks.hands import Hand
from gesture_maker.motion.collect_marks import Mark
from gesture_maker.motion.evaluate import evaluate_film
from gesture_maker.motion.events import Debounce, Event
from gesture_maker.motion.live import EventLog, MotionClassifier, live_motions
from gesture_maker.motion.run import MotionRun
from gesture_maker.motion.train import MotionTraining
from gesture_maker.recognition.answers import Recognition, RecognizedHand
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.synthetic.film import FilmFrame
from gesture_maker.synthetic.motions import clip_hands, draw_clip

RATE = 20.0
MADE = ("swipe_left", "swipe_right", "push")
PERSON = 205


def played() -> Iterator[tuple[str, FilmFrame]]:
    """Yield what is made and the frames of clips that follow each other, each with stillness before it."""
    for number, label in enumerate(MADE):
        for what in ("still", label):
            for frame in draw_clip(what, PERSON, number, 0, rate=RATE):
                yield (label if frame.truth == label else "still"), frame


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Mark]]:
    """A film of three gestures, and when each is made."""
    path = tmp_path_factory.mktemp("film") / "three gestures é.mp4"
    spans: dict[str, list[float]] = {}
    with Recorder(path) as recorder:
        for number, (truth, frame) in enumerate(played()):
            recorder.add(frame.pixels, number / RATE)
            if truth != "still":
                spans.setdefault(truth, []).append(number / RATE)
    return path, [Mark(min(its), max(its), label) for label, its in spans.items()]


def classifier_of(made: MotionTraining, **settings: object) -> MotionClassifier:
    run = made.run
    return MotionClassifier(run.model(), run.labels, run.background, run.features, **settings)  # type: ignore[arg-type]


def answered(classifier: MotionClassifier, number: int, seconds: float, hands: list[Hand]) -> Recognition:
    frame = Frame(np.zeros((8, 8, 3), np.uint8), number, seconds)
    return classifier.answered(
        Recognition(tuple(RecognizedHand("none", 0.5, False, hand) for hand in hands), 0.0), frame
    )


def held(label: str, person: int, index: int) -> list[tuple[float, Hand]]:
    """Return a clip's hands, and the last of them held for a second, as a hand is after its gesture."""
    hands = clip_hands(label, person, index, 0, rate=RATE)
    last, hand = hands[-1]
    return [*hands, *((last + number / RATE, hand) for number in range(1, 21))]


def test_each_gesture_of_people_it_has_not_seen_is_one_event(motions_made: MotionTraining) -> None:
    right = []
    for person in range(300, 306):
        for label in MADE:
            classifier = classifier_of(motions_made)
            for number, (seconds, hand) in enumerate(held(label, person, 0)):
                answered(classifier, number, seconds, [hand])
            right.append([event.gesture for event in classifier.events] == [label])
    assert sum(right) >= 0.75 * len(right)  # a network that was trained for seconds; 18 of 18 here


def test_two_hands_are_told_apart(motions_made: MotionTraining) -> None:
    classifier = classifier_of(motions_made)
    left, right = held("swipe_left", 300, 0), held("swipe_right", 300, 1)
    for number, ((seconds, one), (_, other)) in enumerate(zip(left, right, strict=False)):
        apart = [Hand(hand.landmarks + np.array([x, 0, 0], np.float32), hand.world, side, hand.width, hand.height)
                 for hand, x, side in ((one, -2.0, 0.0), (other, 2.0, 1.0))]  # fmt: skip
        answered(classifier, number, seconds, apart)
    assert {(event.gesture, event.track) for event in classifier.events} == {("swipe_left", 1), ("swipe_right", 2)}


def test_nothing_is_said_of_a_hand_that_has_just_come_or_was_away(motions_made: MotionTraining) -> None:
    classifier = classifier_of(motions_made)
    hands = clip_hands("swipe_left", 300, 0, 0, rate=RATE)
    for number, (seconds, hand) in enumerate(hands[:5]):
        (told,) = answered(classifier, number, seconds, [hand]).hands
        assert (told.gesture, told.score) == ("still", 0.0)
    (told,) = answered(classifier, 8, hands[8][0], [hands[8][1]]).hands
    assert told.score > 0
    (told,) = answered(classifier, 100, hands[8][0] + 1.0, [hands[9][1]]).hands
    assert told.score == 0, "a second without a hand is not guessed"
    assert answered(classifier, 101, hands[8][0] + 1.1, []).hands == ()


def test_a_film_is_told_drawn_logged_and_compared_with_its_marks(
    motions_made: MotionTraining, film: tuple[Path, list[Mark]], tmp_path: Path
) -> None:
    heard: list[Event] = []
    path, marks = film
    done = evaluate_film(
        motions_made.run.path,
        path,
        marks,
        events=tmp_path / "events.jsonl",
        record=tmp_path / "seen.mp4",
        on_event=heard.append,
    )
    assert len(done.found) >= 2, [(event.gesture, event.seconds) for event in heard]
    assert [one.mark.label for one in done.marked] == list(MADE)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["gesture"], line["frame"]) for line in lines] == [(event.gesture, event.frame) for event in heard]
    assert tuple(heard) == done.summary.events
    with (tmp_path / "seen.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["gesture"] for row in rows} <= {*motions_made.run.labels, ""}
    assert done.summary.live.answered == sum(1 for _ in played())
    assert {one.name for one in done.summary.live.files} == {"events.jsonl", "seen.mp4", "seen.csv"}
    assert all(one.delay_frames is not None and abs(one.delay_frames) <= 2 * RATE for one in done.found)


def test_the_command_needs_no_tensorflow(
    motions_made: MotionTraining, film: tuple[Path, list[Mark]], tmp_path: Path
) -> None:
    shutil.copytree(motions_made.run.path, tmp_path / "exported_models/first")
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, "motion", "live", "first", str(film[0]), "--headless", "--events", "-"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "LOADED"
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all({"gesture", "seconds", "frame", "score", "track"} == set(line) for line in lines)
    assert f"Events: {len(lines)}" in done.stderr


def test_bad_input(motions_made: MotionTraining, film: tuple[Path, list[Mark]], tmp_path: Path, cli: Cli) -> None:
    run, path = str(motions_made.run.path), str(film[0])
    assert "There is no run" in one_sentence_error(cli("motion", "live", "nothing", path, "--headless", cwd=tmp_path))
    assert "is no training on motions" in one_sentence_error(
        cli("motion", "live", ".", path, "--headless", cwd=tmp_path)
    )
    assert "no file for events" in one_sentence_error(
        cli("motion", "live", run, path, "--headless", "--events", "events.txt", cwd=tmp_path)
    )
    write(tmp_path / "events.jsonl", "mine")
    assert "exists already" in one_sentence_error(
        cli("motion", "live", run, path, "--headless", "--events", "events.jsonl", cwd=tmp_path)
    )
    assert (tmp_path / "events.jsonl").read_text() == "mine"
    assert "release is 0.5" in one_sentence_error(
        cli("motion", "live", run, path, "--headless", "--threshold", "0.4", cwd=tmp_path)
    )
    assert "There is no video" in one_sentence_error(cli("motion", "live", run, "none.mp4", "--headless", cwd=tmp_path))
    write(tmp_path / "marks.csv", "begin,end,label\n0,1,jump\n")
    done = cli("motion", "eval", run, path, "--marks", "marks.csv", cwd=tmp_path)
    assert "does not know jump" in one_sentence_error(done)
    assert {one.name for one in tmp_path.iterdir()} == {"events.jsonl", "marks.csv"}


def test_an_unfinished_run_says_how_to_finish_it(motions_made: MotionTraining, tmp_path: Path) -> None:
    copy = shutil.copytree(motions_made.run.path, tmp_path / "copy")
    about = json.loads((copy / "motion.json").read_text())
    write(copy / "motion.json", json.dumps({**about, "status": "unfinished"}))
    with pytest.raises(RunError, match="--resume"):
        live_motions(copy, "any.mp4")
    run = MotionRun.load_finished(motions_made.run.path)
    with pytest.raises(ConfigError, match="takes"):
        MotionClassifier(run.model(), run.labels, None, type(run.features)(length=12), debounce=Debounce())


def test_events_grow_in_a_file_of_their_own(tmp_path: Path) -> None:
    with EventLog(tmp_path / "e.jsonl") as log:
        log.add(Event("ä", 1.23456, 30, 0.987654321))
        assert (tmp_path / "e.recording.jsonl").read_text(encoding="utf-8").count("\n") == 1
    assert json.loads((tmp_path / "e.jsonl").read_text(encoding="utf-8")) == {
        "gesture": "ä", "seconds": 1.235, "frame": 30, "score": 0.987654, "track": 1
    }  # fmt: skip
