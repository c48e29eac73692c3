"""Guided validation end to end: drawn films, simulated cameras, a window, and whatever can be wrong with them."""

from __future__ import annotations

import csv
import json
import re
import signal
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cameras import mjpeg_camera, scene, virtual_screen
from conftest import CLASSES, Cli, Trained
from hands import drawn
from helpers import ROOT, environment, one_sentence_error, write
from test_interrupt import last_sentence, signalled

from gesture_maker.dataset.names import NONE
from gesture_maker.errors import ConfigError, DatasetError, SourceError
from gesture_maker.evaluation.bundle import Bundle, find_bundle
from gesture_maker.evaluation.guided_camera import evaluate_camera
from gesture_maker.evaluation.guided_films import evaluate_films
from gesture_maker.evaluation.guided_results import (
    FrameAnswer,
    GuidedEvaluation,
    Said,
    answer_to,
)
from gesture_maker.evaluation.guided_script import Moment
from gesture_maker.evaluation.model import results_folder
from gesture_maker.images import Pixels
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.recorder import Recorder
from gesture_maker.synthetic.film import draw_film

GESTURES = tuple(label for label in CLASSES if label != NONE)
RATE = 10.0
PEOPLE = (0, 1)


# Films


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of each gesture, and of none, by two people; not to be changed."""
    folder = tmp_path_factory.mktemp("films") / "drawn films"
    for label in CLASSES:
        for person in PEOPLE:
            path = folder / label / f"person{person}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            with Recorder(path) as recorder:
                for frame in draw_film(label, person, 0, 0, seconds=2.0, rate=RATE):
                    recorder.add(frame.pixels, frame.seconds)
    return folder


@pytest.fixture(scope="module")
def watched(trained: Trained, films: Path, tmp_path_factory: pytest.TempPathFactory) -> GuidedEvaluation:
    """The guided validation of those films."""
    return evaluate_films(trained.export.bundle, films, out=tmp_path_factory.mktemp("watched"))


def test_drawn_films_are_recognized_where_the_gesture_is_held(watched: GuidedEvaluation) -> None:
    assert [one.gesture for one in watched.gestures] == list(GESTURES)
    for one in watched.gestures:
        assert (one.tries, one.frames) == (len(PEOPLE), len(PEOPLE) * 20)
        assert one.share is not None
        assert one.share >= 0.5
        assert one.median_seconds is not None
        assert one.median_seconds <= 1
    for one in watched.tries:
        person = int(re.findall(r"person(\d+)", one.name)[0])
        truth = [frame.truth for frame in draw_film(one.asked, person, 0, 0, seconds=2.0, rate=RATE, size=(32, 32))]
        held = [frame for frame, true in zip(one.frames, truth, strict=True) if true == one.asked]
        assert sum(one.is_right(frame) for frame in held) >= 0.75 * len(held)
        assert [frame.seconds for frame in one.frames] == pytest.approx([n / RATE for n in range(20)], abs=0.002)
    assert watched.idle is not None
    assert (watched.idle.tries, watched.idle.frames) == (len(PEOPLE), len(PEOPLE) * 20)
    assert watched.idle.share is not None
    assert watched.idle.share <= 0.25
    assert watched.idle.seconds == pytest.approx(2.0 * len(PEOPLE), abs=0.01)
    assert (watched.partial, watched.stopped, watched.live) == ("", None, False)


def test_what_is_written_says_the_same_as_the_result(watched: GuidedEvaluation) -> None:
    about = json.loads((watched.folder / "metrics.json").read_text())
    with (watched.folder / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(one.frames) for one in watched.tries)
    for label in GESTURES:
        of_it = [row for row in rows if row["asked"] == label]
        right = [row for row in of_it if row["answer"] == label and row["classifier"] == "custom"]
        assert right == [row for row in of_it if row["right"] == "1"]
        numbers = about["gestures"][label]
        assert (numbers["frames"], numbers["recognized"]) == (len(of_it), len(right))
        for name, several in groupby(of_it, key=lambda row: row["name"]):
            first = next((float(row["seconds"]) for row in several if row["right"] == "1"), None)
            number = [one.name for one in watched.tries if one.asked == label].index(name)
            assert numbers["seconds_until_recognized"]["each"][number] == pytest.approx(first, abs=0.001)
        taken = {row["answer"] or None for row in of_it if row["right"] == "0"}
        assert {entry["answer"] for entry in numbers["taken_for"]} == taken
    gestures = [row for row in rows if row["asked"] != NONE]
    assert about["share_recognized"] == pytest.approx(sum(row["right"] == "1" for row in gestures) / len(gestures))
    assert about["interval"]["groups"] == len(PEOPLE) * len(GESTURES)
    page = watched.report.read_text()
    for one in watched.tries:
        assert f"<bdi>{one.name}</bdi>" in page


def test_the_command_watches_films(
    trained: Trained, films: Path, watched: GuidedEvaluation, tmp_path: Path, cli: Cli
) -> None:
    few = tmp_path / "few"
    for label in ("victory", "none"):
        write(few / label / "one.mp4", (films / label / "person0.mp4").read_bytes())
    write(few / "wave" / "one.mp4", b"never looked into")
    write(few / "open_palm" / "notes.txt", "no film")
    write(few / "thumbs_up" / "broken.mp4", b"no film")
    write(few / "outside.mp4", b"no film")
    task = write(tmp_path / "some bundle.task", trained.export.bundle.read_bytes())
    done = cli("eval", task, "--videos", "few", "--fail-under", "0.5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "some bundle_evaluation" / "few"
    about = json.loads((folder / "metrics.json").read_text())
    one = next(one for one in watched.tries if one.name == "victory/person0.mp4")
    assert f"Frames recognized: {one.recognized / 20:.4f} ({one.recognized} of 20" in done.stdout
    assert about["gestures"]["victory"]["recognized"] == one.recognized  # VIDEO mode begins anew with each film
    warnings = [line.removeprefix("Warning: ") for line in done.stdout.splitlines() if line.startswith("Warning: ")]
    assert warnings == about["warnings"]
    for part in ('"open_palm"', '"wave"', "thumbs_up/broken.mp4", "1 video outside", "1 file of open_palm"):
        assert sum(part in sentence for sentence in warnings) == 1, warnings
    assert f"Report: {Path('some bundle_evaluation/few/report/index.html')}" in done.stdout.replace(f"{tmp_path}/", "")
    assert cli("eval", task, "--videos", "few", "--fail-under", "0.999", cwd=tmp_path).returncode == 1


def test_a_film_that_breaks_off_counts_as_far_as_it_goes(trained: Trained, films: Path, tmp_path: Path) -> None:
    whole = (films / "victory" / "person0.mp4").read_bytes()
    write(tmp_path / "v" / "victory" / "cut\x1b.mp4", whole[: len(whole) * 2 // 3])
    found = evaluate_films(trained.export.bundle, tmp_path / "v", out=tmp_path / "out")
    (one,) = found.tries
    assert 0 < len(one.frames) < 20
    assert not one.whole
    (sentence,) = [warning for warning in found.warnings if "breaks off" in warning]
    assert "cut\\x1b.mp4" in sentence
    assert "\x1b" not in "".join(found.warnings) + found.report.read_text()


def test_results_of_photos_and_of_films_do_not_write_over_each_other(trained: Trained, tmp_path: Path) -> None:
    bundle = Bundle(tmp_path / "my.task", None)
    assert results_folder(bundle, "rps", "videos") == tmp_path / "my_evaluation/rps"
    write(tmp_path / "my_evaluation/rps/predictions.csv", "of photos")
    assert results_folder(bundle, "rps", "videos") == tmp_path / "my_evaluation/rps_videos"
    assert results_folder(bundle, "rps") == tmp_path / "my_evaluation/rps"
    write(tmp_path / "my_evaluation/films/frames.csv", "of films")
    assert results_folder(bundle, "films") == tmp_path / "my_evaluation/films_photos"
    assert results_folder(bundle, "films", "videos") == tmp_path / "my_evaluation/films"
    assert results_folder(find_bundle(trained.run), "rps", "videos") == trained.run / "evaluation/rps"


def test_films_recorded_in_a_mirror_are_turned_back(trained: Trained, tmp_path: Path) -> None:
    def right_hands(folder: Path, mirrored: bool) -> float:
        found = evaluate_films(trained.export.bundle, folder, mirrored=mirrored, out=tmp_path / "out")
        seen = [frame.handedness for one in found.tries for frame in one.frames if frame.handedness is not None]
        return float(np.median(seen))

    for folder, flip in (("plain", False), ("turned", True)):
        path = tmp_path / folder / "victory" / "one.mp4"
        path.parent.mkdir(parents=True)
        with Recorder(path) as recorder:
            for frame in draw_film("victory", 0, 0, 0, seconds=1.0, rate=RATE):
                recorder.add(np.ascontiguousarray(frame.pixels[:, ::-1]) if flip else frame.pixels, frame.seconds)
    plain = right_hands(tmp_path / "plain", False) > 0.5
    assert (right_hands(tmp_path / "turned", True) > 0.5) == plain
    assert (right_hands(tmp_path / "turned", False) > 0.5) != plain


def test_ctrl_c_in_a_film_keeps_what_was_watched(trained: Trained, films: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total == len(CLASSES) * len(PEOPLE) * 20
        if done == 25:
            signal.raise_signal(signal.SIGINT)

    found = evaluate_films(trained.export.bundle, films, out=tmp_path, progress=interrupt)
    assert isinstance(found.stopped, KeyboardInterrupt)
    assert sum(len(one.frames) for one in found.tries) == 25
    assert [one.whole for one in found.tries] == [True, False]
    assert found.partial == "Interrupted after 1 of 8 films."
    assert found.partial in found.report.read_text()
    assert json.loads((tmp_path / "metrics.json").read_text())["partial"] == found.partial


def test_the_command_says_that_it_was_interrupted(
    trained: Trained, films: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gesture_maker.evaluation import guided_films

    def answer_and_interrupt(*args: Any) -> FrameAnswer:
        if args[2].number == 5:
            signal.raise_signal(signal.SIGINT)
        return answer_to(*args)

    monkeypatch.setattr(guided_films, "answer_to", answer_and_interrupt)
    done = cli("eval", trained.export.bundle, "--videos", films, "--out", "out", cwd=tmp_path)
    assert done.returncode == 130
    assert done.stderr.strip() == "Interrupted: the report holds what was watched until then."
    assert "This is not all of it. Interrupted after 0 of 8 films." in done.stdout
    assert (tmp_path / "out/report/index.html").is_file()


# Cameras


class Actor:
    """A camera before which somebody makes what is asked for, or something else; its clock does not wait."""

    name = "Camera of a test"
    live = True
    rate: float | None = RATE
    count: int | None = None

    def __init__(self, pictures: Callable[[str], Pixels], fails_after: int | None = None) -> None:
        self.asked, self.number, self.closed = "", 0, False
        self._pictures, self._fails_after = pictures, fails_after

    def read(self) -> Frame | None:
        if self.closed:
            return None
        if self.number == self._fails_after:
            raise SourceError("Camera of a test is gone: check its cable.")
        self.number += 1
        return Frame(self._pictures(self.asked), self.number - 1, (self.number - 1) / RATE)

    def close(self) -> None:
        self.closed = True

    def told(self, moment: Moment) -> None:
        self.asked = moment.asked


def hand_of(asked: str) -> Pixels:
    return scene(drawn(asked if asked in GESTURES else "relaxed", 0)[0], (320, 320))


def black(_: str) -> Pixels:
    return np.zeros((64, 64, 3), np.uint8)


class Keyboard:
    """A screen at which keys are pressed when something is asked for."""

    def __init__(self, *presses: tuple[str, str, str]) -> None:
        self.closed, self.shown = False, 0
        self._presses, self._now = list(presses), ("", "")

    def told(self, moment: Moment) -> None:
        self._now = (moment.phase, moment.asked)

    def show(self, pixels: Pixels, /) -> None:
        assert pixels.shape == (64, 64, 3)
        self.shown += 1

    def key(self, _milliseconds: int = 1, /) -> str | None:
        if self._presses and self._presses[0][1:] == self._now:
            return self._presses.pop(0)[0]
        return None


def test_before_a_camera_each_gesture_is_recognized(trained: Trained, tmp_path: Path) -> None:
    camera, tries = Actor(hand_of), []
    found = evaluate_camera(
        trained.run, camera, watch=2, idle=3, countdown=1, out=tmp_path, on_moment=camera.told, on_try=tries.append
    )
    assert (found.partial, found.stopped, found.live, found.source) == ("", None, True, camera.name)
    assert [one.asked for one in found.tries] == [*GESTURES, NONE]
    assert tuple(tries) == found.tries
    assert camera.closed
    for one in found.tries:
        length = 3 if one.asked == NONE else 2
        assert (one.whole, one.seconds) == (True, length)
        assert 0.5 * RATE * length <= len(one.frames) <= RATE * length  # MediaPipe may drop some
        assert all(0 <= frame.seconds < length for frame in one.frames)
        assert one.recognized >= 0.6 * len(one.frames), one.asked
    assert found.interval is not None
    assert found.interval.groups == len(GESTURES)
    assert "LIVE_STREAM" in found.report.read_text()


def test_keys_leave_out_repeat_and_end(trained: Trained, tmp_path: Path) -> None:
    first, second, third = GESTURES
    keyboard = Keyboard(
        ("n", "countdown", first),  # left out
        ("x", "watch", second),  # nothing
        ("r", "countdown", third),  # the second again
        ("q", "watch", third),
    )
    camera, moments, tries = Actor(black), [], []

    def told(moment: Moment) -> None:
        moments.append((moment.phase, moment.asked))
        keyboard.told(moment)

    found = evaluate_camera(
        trained.run, camera, watch=1, countdown=1, out=tmp_path, window=keyboard, on_moment=told, on_try=tries.append
    )
    assert [phase for phase, _ in groupby(moments)] == [
        ("countdown", first), ("countdown", second), ("watch", second), ("countdown", third), ("countdown", second),
        ("watch", second), ("countdown", third), ("watch", third),
    ]  # fmt: skip
    assert keyboard.shown == len(moments)
    assert [one.asked for one in found.tries] == [second, third]
    assert [one.whole for one in found.tries] == [True, False]
    assert [one.asked for one in tries] == [second, second]
    assert found.partial == (
        f"It was ended by hand. Not watched to its end: {third}. Not watched: {first}, hands without a gesture."
    )
    assert found.stopped is None
    assert found.gestures[0].taken_for == {Said(None): found.gestures[0].frames}


def test_a_camera_that_is_unplugged_in_the_middle(trained: Trained, tmp_path: Path) -> None:
    found = evaluate_camera(trained.run, Actor(black, fails_after=25), watch=1, countdown=1, out=tmp_path)
    assert isinstance(found.stopped, SourceError)
    assert next(one.whole for one in found.tries) is True
    assert found.partial.startswith("Camera of a test is gone: check its cable. Not watched")
    with pytest.raises(SourceError, match="is gone"):  # before anything was watched
        evaluate_camera(trained.run, Actor(black, fails_after=5), countdown=1, out=tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_ctrl_c_before_a_camera(trained: Trained, tmp_path: Path) -> None:
    def interrupt(moment: Moment) -> None:
        if moment.phase == "watch" and moment.number == 2:
            signal.raise_signal(signal.SIGINT)

    found = evaluate_camera(trained.run, Actor(black), watch=1, countdown=1, out=tmp_path, on_moment=interrupt)
    assert isinstance(found.stopped, KeyboardInterrupt)
    assert [one.whole for one in found.tries] == [True, False]
    assert found.partial.startswith("It was interrupted. Not watched to its end: ")


def test_a_stream_ends_while_the_command_watches(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    pictures = [scene(drawn(GESTURES[0], 0, 0)[0], (320, 240))]
    with mjpeg_camera(pictures, rate=20, ends_after=75) as camera:
        done = cli(
            "eval", trained.export.bundle, "--camera", camera.address, "--headless", "--watch", "5", "--out", "out", cwd=tmp_path
        )  # fmt: skip
    error = one_sentence_error(done)
    assert "gone after" in error
    assert error.endswith("The report holds what was watched until then.")
    assert f"1/4  {GESTURES[0]}: 3 2 1 now\n" in done.stdout
    about = json.loads((tmp_path / "out/metrics.json").read_text())
    assert about["mode"] == "LIVE_STREAM"
    assert about["watched"] == camera.address
    assert about["partial"]
    numbers = about["gestures"][GESTURES[0]]
    assert 0 < numbers["frames"] <= 15
    assert numbers["recognized"] >= 0.6 * numbers["frames"]


def test_ctrl_c_before_the_command_has_watched_anything(trained: Trained, tmp_path: Path) -> None:
    with mjpeg_camera(np.zeros((120, 160, 3), np.uint8)) as camera:
        arguments = ("eval", trained.export.bundle, "--camera", camera.address, "--headless", "--out", "out")
        done = signalled(*arguments, cwd=tmp_path, when=lambda _: camera.sent > 5)
    assert last_sentence(done) == "Interrupted: nothing was watched yet."
    assert not (tmp_path / "out").exists()


def test_a_window_shows_it_and_hears_keys(trained: Trained, tmp_path: Path) -> None:
    import subprocess
    import sys

    with virtual_screen() as screen, mjpeg_camera(scene(drawn(GESTURES[1], 0)[0])) as camera:
        process = subprocess.Popen(
            [sys.executable, "-m", "gesture_maker", "eval", str(trained.export.bundle), "--camera", camera.address,
             "--watch", "0.5", "--out", "out"],
            cwd=tmp_path, env=environment(DISPLAY=screen.display, PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            screen.window("gesture-maker eval")
            screen.press("n")
            assert process.stdout is not None
            line = process.stdout.readline()  # the second has been watched
            assert re.match(r" +\d+ of \d+ frames recognized", line), line
            screen.press("q")
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0, err
    assert f"Not watched: {GESTURES[0]}, {GESTURES[2]}" in out
    about = json.loads((tmp_path / "out/metrics.json").read_text())
    assert list(about["gestures"]) == [GESTURES[1]]
    assert about["gestures"][GESTURES[1]]["share"] >= 0.6


# Bad input


def test_bad_input_wrong_usage(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    task = trained.export.bundle
    for arguments, reason in [
        (["photos", "--videos", "films"], "IMAGES"),
        (["photos", "--camera", "0"], "IMAGES"),
        (["--camera", "0", "--videos", "films"], "not both"),
        (["--camera", "0", "--compare", "other"], "--compare"),
        (["--videos", "films", "--no-border"], "--no-border"),
        (["--videos", "films", "--group-by", "x"], "--group-by"),
        (["--videos", "films", "--headless"], "--headless"),
        (["--watch", "2"], "--watch"),
        (["photos", "--idle", "2"], "--idle"),
        (["photos", "--mirrored-source"], "--mirrored-source"),
        (["--camera", "film.mp4"], "--videos"),
        (["--camera", "-1"], "neither"),
    ]:
        done = cli("eval", task, *arguments, cwd=tmp_path)
        assert done.returncode == 2, (arguments, done.stderr)
        assert reason in " ".join(done.stderr.split()), (arguments, done.stderr)
        assert "Traceback" not in done.stderr


def test_bad_input_folders(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "classes/victory").mkdir(parents=True)
    write(tmp_path / "loose/victory.mp4", b"no film")
    write(tmp_path / "unknown/wave/a.mp4", b"no film")
    write(tmp_path / "unreadable/victory/a.mp4", b"no film")
    write(tmp_path / "file", "no folder")
    for videos, reason in [
        ("missing", "There is no folder missing"),
        ("file", "There is no folder file"),
        ("empty", "There are no videos in class folders in empty"),
        ("classes", "There are no videos in class folders in classes"),
        ("loose", "There are no videos in class folders in loose"),
        ("unknown", "knows none of the classes of these videos (wave)"),
        ("unreadable", "No video in unreadable can be read"),
    ]:
        error = one_sentence_error(cli("eval", trained.export.bundle, "--videos", videos, cwd=tmp_path))
        assert reason in error
    assert "no run" in one_sentence_error(cli("eval", "nothing", "--videos", "unreadable", cwd=tmp_path)).lower()
    assert not list(tmp_path.rglob("metrics.json"))


def test_bad_input_cameras(trained: Trained, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    eval_ = ("eval", trained.export.bundle, "--out", "out")
    for arguments, reason in [
        (["--camera", "97", "--headless"], "no camera 97"),
        (["--camera", "http://user:secret@127.0.0.1:9/x.mjpg", "--headless"], "http://127.0.0.1:9/x.mjpg"),
        (["--camera", "97"], "--headless"),
        (["--camera", "97", "--headless", "--watch", "0"], "cannot be watched for 0 s"),
        (["--camera", "97", "--headless", "--watch", "nan"], "cannot be watched for nan s"),
        (["--camera", "97", "--headless", "--idle", "-1"], "-1 s"),
        (["--camera", "97", "--headless", "--num-hands", "0"], "num_hands is 0"),
    ]:
        error = one_sentence_error(cli(*eval_, *arguments, cwd=tmp_path))
        assert reason in error
        assert "secret" not in error
    assert not (tmp_path / "out").exists()


def test_a_bundle_without_gestures_can_be_watched_for_none_only(tmp_path: Path) -> None:
    from hands import silent_bundle

    task = write(tmp_path / "silent.task", silent_bundle())
    with pytest.raises(ConfigError, match="no gesture"):
        evaluate_camera(task, Actor(black), idle=0)
    with pytest.raises(DatasetError):
        evaluate_films(task, tmp_path)
    found = evaluate_camera(task, Actor(black), idle=1, countdown=0, out=tmp_path / "out")
    assert found.gestures == ()
    assert found.interval is None
    assert found.idle is not None
    assert found.idle.count == 0


def test_the_script_that_draws_films(tmp_path: Path) -> None:
    import subprocess
    import sys

    command = [sys.executable, str(ROOT / "scripts/draw_films.py"), "films", "--classes", "rock", "none",
               "--people", "1", "--seconds", "0.5", "--rate", "4", "--size", "64", "48"]  # fmt: skip
    for _ in range(2):  # the second time they are there already
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["films/rock/person1000_1.mp4", "films/none/person1000_1.mp4"]
    for path, count in zip(done.stdout.split(), (2, 20), strict=True):
        film = cv2.VideoCapture(str(tmp_path / path))
        frames = 0
        while film.read()[0]:
            frames += 1
        assert (frames, film.get(cv2.CAP_PROP_FRAME_WIDTH), film.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (count, 64, 48)
