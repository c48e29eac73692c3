"""`collect --camera`: a real stream from loopback, a real window with a real keyboard, real signals."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cameras import PATIENCE, mjpeg_camera, number_in, numbered, scene, table, wait_until
from conftest import Cli
from hands import drawn
from helpers import check_manifest, contents, environment, one_sentence_error, photo, tree, write
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.dataset.adding import DatasetWriter
from gesture_maker.dataset.manifest import read_manifest
from gesture_maker.errors import ConfigError, DatasetError, GestureMakerError, LabelError, SourceError
from gesture_maker.images import Pixels, read_image
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.recognition import capturing, frames
from gesture_maker.recognition.capturing import (
    MAX_RATE,
    RATE,
    UNDONE,
    Album,
    CaptureResult,
    Pace,
    Photo,
    collect_headless,
    jpeg_of,
)

FAST = 20.0  # photos per second, as many as the camera gives


@pytest.fixture(scope="module")
def hand() -> Pixels:
    return scene(drawn("four")[0])


@pytest.fixture(scope="module")
def empty() -> Pixels:
    return np.full((480, 640, 3), 120, np.uint8)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the first photo without a countdown."""
    monkeypatch.setattr(capturing, "COUNTDOWN", 0)


def taken(address: str, label: str, dataset: Path, count: int, **options: Any) -> CaptureResult:
    return collect_headless(address, label, dataset, count, rate=FAST, **options)


def photos(dataset: Path) -> list[Path]:
    return sorted(path for path in dataset.glob("*/*") if path.is_file())


def numbers(dataset: Path) -> list[int]:
    """Return the numbers of the frames that became photos."""
    return [number_in(read_image(path)) for path in photos(dataset)]


# Without a screen


@pytest.mark.usefixtures("at_once")
def test_headless_on_the_command_line(hand: Pixels, tmp_path: Path, cli: Cli) -> None:
    with mjpeg_camera(hand) as camera:
        address = camera.address.replace("127", "somebody:secret@127")
        done = cli(
            "collect", "--camera", address, "-l", " None ", "-d", "rps", "--headless", "--count", "5", "--rate", "15",
            cwd=tmp_path,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert table(done.stdout) == {"none": [5, 5, 5]}
    assert "Next:  gesture-maker check rps" in done.stdout
    dataset = tmp_path / "datasets/rps"
    assert [path.name for path in photos(dataset)] == [f"none_{n:06d}.jpg" for n in range(1, 6)]
    check_manifest(dataset)
    rows = read_manifest(dataset).values()
    assert {row.source for row in rows} == {camera.address}  # without the password
    assert len({row.group for row in rows}) == 1
    assert all(row.added for row in rows)
    seen = numbers(dataset)  # so the photos are not mirrored, and in the order in which they were taken
    assert seen == sorted(set(seen))
    read = read_image(dataset / "none/none_000001.jpg")
    assert np.abs(read.astype(int) - numbered(hand, seen[0])).mean() < 3


@pytest.mark.usefixtures("at_once")
def test_each_run_is_a_group_and_goes_on_with_the_numbers(hand: Pixels, tmp_path: Path) -> None:
    write(tmp_path / "four/four_000007.jpg", photo(1))
    write(tmp_path / "fist/mine.png", photo(2, ".png"))
    before = contents(tmp_path)
    with mjpeg_camera(hand) as camera:
        first = taken(camera.address, "four", tmp_path, 2)
        second = taken(camera.address, "four", tmp_path, 2)
    assert [path.name for path in photos(tmp_path)[1:]] == [f"four_{n:06d}.jpg" for n in (7, 8, 9, 10, 11)]
    assert contents(tmp_path) & before == before
    check_manifest(tmp_path)
    groups = Counter(row.group for row in read_manifest(tmp_path).values())
    assert sorted(groups.values()) == [2, 2, 2]
    assert groups[""] == 2
    assert (first.added, second.added) == ({"four": 2}, {"four": 2})
    assert second.totals == {"fist": 1, "four": 5}
    assert [first.bursts, second.bursts] == [1, 1]


@pytest.mark.usefixtures("at_once")
def test_a_mirrored_source_is_turned_back(hand: Pixels, tmp_path: Path) -> None:
    with mjpeg_camera(lambda number: np.ascontiguousarray(numbered(hand, number)[:, ::-1]), same=True) as camera:
        taken(camera.address, "four", tmp_path, 3, mirrored_source=True)
    assert numbers(tmp_path) == sorted(set(numbers(tmp_path)))
    middle = slice(200, 400)
    read = read_image(photos(tmp_path)[0])
    assert np.abs(read.astype(int) - hand)[middle].mean() < 3


@pytest.mark.usefixtures("at_once")
def test_a_frame_that_repeats_another_is_kept_once(hand: Pixels, tmp_path: Path) -> None:
    with mjpeg_camera(hand, same=True) as camera:
        result = taken(camera.address, "four", tmp_path, 4)
        assert (result.added, result.repeated) == ({"four": 1}, 3)
        result = taken(camera.address, "fist", tmp_path, 2)
        assert (result.added, result.repeated) == ({}, 2)
    check_manifest(tmp_path)
    assert not (tmp_path / "fist").exists()


@pytest.mark.usefixtures("at_once")
def test_photos_without_a_hand_are_counted_or_left_out(hand: Pixels, empty: Pixels, tmp_path: Path) -> None:
    with mjpeg_camera([hand, empty, empty]) as camera:
        result = taken(camera.address, "four", tmp_path / "all", 8)
        only = taken(camera.address, "four", tmp_path / "only", 3, only_usable=True)
    with HandDetector() as detector:
        found = {path: detector.find(read_image(path)) is not None for path in photos(tmp_path / "all")}
        assert {path: number % 3 == 0 for path, number in zip(found, numbers(tmp_path / "all"), strict=True)} == found
        assert (result.added, result.usable) == (
            {"four": 8},
            {"four": sum(found.values())} if any(found.values()) else {"four": 0},
        )
        assert all(detector.find(read_image(path)) for path in photos(tmp_path / "only"))
    assert (only.added, only.usable, len(photos(tmp_path / "only"))) == ({"four": 3}, {"four": 3}, 3)


@pytest.mark.usefixtures("at_once")
def test_only_usable_gives_up_where_no_hand_comes(
    empty: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capturing, "NO_HAND_SECONDS", 0.5)
    with (
        mjpeg_camera(empty) as camera,
        pytest.raises(SourceError, match=r"No hand has been seen .*; no photo was taken\.$"),
    ):
        taken(camera.address, "four", tmp_path / "d", 3, only_usable=True)
    assert not (tmp_path / "d").exists()


def test_the_countdown_begins_with_the_first_frame(
    hand: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capturing, "COUNTDOWN", 1)
    told: list[Any] = []
    with mjpeg_camera(hand) as camera:
        taken(
            camera.address, "four", tmp_path / "d", 2,
            countdown=lambda left: told.append((left, camera.sent > 0, (tmp_path / "d").exists())),
            progress=lambda *about: told.append(about),
        )  # fmt: skip
    assert told == [(1, True, False), (0, True, False), ("photos", 1, 2), ("photos", 2, 2)]


# Cameras that fail


@pytest.mark.usefixtures("at_once")
def test_bad_input_a_camera_that_is_unplugged(hand: Pixels, tmp_path: Path, cli: Cli) -> None:
    arguments = ("-l", "four", "-d", "rps", "--headless", "--count", "99", "--rate", "30")
    with mjpeg_camera(hand, ends_after=12) as camera:
        done = cli("collect", "--camera", camera.address, *arguments, cwd=tmp_path)
    kept = len(photos(tmp_path / "datasets/rps"))
    assert 0 < kept <= 12
    sentence = one_sentence_error(done)
    assert f"{camera.address} is gone after 12 frames" in sentence
    assert re.search(
        rf"; the ({kept} photos taken until then are|photo taken until then is) in datasets/rps\.$", sentence
    )
    check_manifest(tmp_path / "datasets/rps")


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("frames_before", "words"), [(3, "has sent no frame for"), (0, "No video can be read")])
def test_bad_input_a_camera_that_hangs(
    frames_before: int, words: str, hand: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "FIRST_FRAME_SECONDS", 1.0)
    monkeypatch.setattr(frames, "NEXT_FRAME_SECONDS", 0.5)
    with mjpeg_camera(hand, hangs_after=frames_before) as camera, pytest.raises(SourceError, match=words):
        taken(camera.address, "four", tmp_path / "d", 99)
    assert (tmp_path / "d").exists() == bool(frames_before)
    if frames_before:
        check_manifest(tmp_path / "d")


def test_bad_input_a_camera_that_is_not_there(tmp_path: Path, cli: Cli) -> None:
    arguments = ("-l", "four", "-d", "rps", "--headless", "--count", "1")
    assert "There is no camera 97" in one_sentence_error(cli("collect", "--camera", "97", *arguments, cwd=tmp_path))
    address = "http://somebody:secret@127.0.0.1:9/x"
    sentence = one_sentence_error(cli("collect", "--camera", address, *arguments, cwd=tmp_path))
    assert "No video can be read from http://127.0.0.1:9/x" in sentence
    assert not (tmp_path / "datasets").exists()


# Bad input: one sentence, before a camera is opened


@pytest.mark.parametrize(
    ("error", "change"),
    [
        (LabelError, {"label": "a/b"}),
        (LabelError, {"label": "manifest.csv"}),
        (ConfigError, {"count": 0}),
        (ConfigError, {"rate": 0.0}),
        (ConfigError, {"rate": float("nan")}),
        (ConfigError, {"rate": MAX_RATE + 1}),
        (ConfigError, {"camera": "film.mp4"}),
        (DatasetError, {"dataset": "file"}),
        (DatasetError, {"label": "taken"}),
        (DatasetError, {"dataset": "broken"}),
    ],
)
def test_bad_input_settings(
    error: type[GestureMakerError], change: dict[str, Any], hand: Pixels, tmp_path: Path
) -> None:
    write(tmp_path / "file", "x")
    write(tmp_path / "d/taken", "a file where a class belongs")
    write(tmp_path / "broken/manifest.csv", "no table")
    before = tree(tmp_path)
    with mjpeg_camera(hand) as camera:
        settings: dict[str, Any] = {"camera": camera.address, "label": "four", "dataset": "d", "count": 1} | change
        with pytest.raises(error) as caught:
            collect_headless(**settings | {"dataset": tmp_path / settings["dataset"]})
        assert camera.sent == 0
    assert tree(tmp_path) == before
    assert str(caught.value).endswith(".")


READ_ONLY = """
import os, sys
from gesture_maker.recognition.capturing import collect_headless  # imports what it needs, while it may
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # the superuser may write everywhere
try:
    collect_headless(sys.argv[1], "four", sys.argv[2], 1)
except OSError as error:
    print(type(error).__name__, error.filename)
"""


def test_bad_input_a_dataset_that_cannot_be_written_to(hand: Pixels) -> None:
    with tempfile.TemporaryDirectory() as folder, mjpeg_camera(hand) as camera:
        dataset = Path(folder) / "d"
        write(dataset / "four/four_000001.jpg", photo())
        Path(folder).chmod(0o755)
        dataset.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, camera.address, dataset],
            env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        dataset.chmod(0o755)
        assert done.stdout == f"PermissionError {dataset}\n", done.stderr
        assert camera.sent == 0
        assert tree(dataset) == {"four/four_000001.jpg": photo()}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("-d rps", "SOURCE"),
        ("-d rps --camera 0", "--label"),
        ("-d rps -l x --camera 0 photos", "--camera"),
        ("-d rps -l x --camera 0 --move --list-skipped", "--move, --list-skipped"),
        ("-d rps -l x --camera 0 --every 10", "--every"),
        ("-d rps -l x --camera film.mp4", "film.mp4"),
        ("-d rps -l x --camera -1", "-1"),
        ("-d rps -l x --camera 0 --headless", "--count"),
        ("-d rps -l x --camera 0 --count 3", "--headless"),
        ("-d rps -l x --camera 0 --headless --count 3 --no-mirror", "--no-mirror"),
        ("-d rps photos --rate 5", "--rate"),
        ("-d rps photos --headless --count 3", "--headless, --count"),
        ("-d rps photos --only-usable --no-mirror --mirrored-source", "--only-usable, --no-mirror, --mirrored-source"),
    ],
)
def test_wrong_usage(arguments: str, named: str, tmp_path: Path, cli: Cli) -> None:
    write(tmp_path / "photos/rock/a.jpg", photo())
    before = tree(tmp_path)
    done = cli("collect", *arguments.split(), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert tree(tmp_path) == before


def test_bad_input_no_screen(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    done = cli("collect", "--camera", "0", "-l", "four", "-d", "rps", cwd=tmp_path)
    assert "There is no screen for a window (DISPLAY is not set): use --headless" in one_sentence_error(done)


def test_the_command_has_the_settings_of_the_library() -> None:
    from gesture_maker.cli import collect as command

    assert command.RATE == RATE


# Interrupted


@pytest.mark.parametrize(("by", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_interrupted_all_that_was_taken_is_there(by: signal.Signals, status: int, hand: Pixels, tmp_path: Path) -> None:
    code = "from gesture_maker.recognition import capturing; capturing.COUNTDOWN = 0; from gesture_maker.cli import main; main()"
    with mjpeg_camera(hand) as camera:
        process = subprocess.Popen(
            [sys.executable, "-c", code, "collect", "--camera", camera.address, "-l", "four", "-d", "rps",
             "--headless", "--count", "9999", "--rate", "20"],
            cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        dataset = tmp_path / "datasets/rps"
        try:
            wait_until(lambda: process.poll() is not None or len(photos(dataset)) > 3, "a few photos")
            process.send_signal(by)
            _, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == status, err
    whole = [read_image(path) for path in photos(dataset)]
    assert len(whole) > 3
    if by == signal.SIGKILL:
        return
    check_manifest(dataset)
    assert not list(dataset.rglob(".*"))
    if by == signal.SIGINT:
        assert err == f"Interrupted: the {len(whole)} photos taken until then are in datasets/rps.\n"


# Bursts, and how they are taken back

steps = st.lists(
    st.sampled_from(["new burst", "other class", "keep", "keep", "keep again", "undo", "bring back"]), max_size=25
)


@settings(max_examples=40)
@given(steps, st.booleans())
def test_nothing_is_lost_whatever_is_undone(actions: list[str], saved_in_between: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root / "rock/rock_000003.jpg", photo(10_000))
        writer = DatasetWriter(root)
        writer.learn()
        album = Album(writer, "camera 0")
        burst, kept, number = album.begin("rock"), Counter([photo(10_000)]), 0
        for action in actions:
            if action in ("new burst", "other class"):
                burst = album.begin("paper" if action == "other class" else "rock")
            elif action in ("keep", "keep again"):
                number += action == "keep"
                jpeg = photo(number)
                if album.keep(Photo(jpeg, 0.0, number % 2 == 0), burst):
                    kept[jpeg] += 1
            elif action == "undo":
                album.undo()
                burst = album.begin(burst.label)
            else:
                album.bring_back()
                burst = album.begin(burst.label)
            if saved_in_between:
                writer.save()
            away = Counter(path.read_bytes() for path in (root / UNDONE).rglob("*.jpg"))
            assert contents(root) + away == kept
            result = album.result()
            assert result.undone == away.total()
            assert sum(result.added.values()) == contents(root).total() - 1
        writer.save()
        check_manifest(root)
        rows = read_manifest(root)
        for one in album.bursts:
            assert {rows[file].group for file in one.files} == {one.group}
            assert {rows[file].label for file in one.files} == {one.label}
        assert len({one.group for one in album.bursts}) == len(album.bursts)
        for _ in range(len(album.undone)):
            album.bring_back()
        assert contents(root) == kept
        assert not (root / UNDONE).exists()
        check_manifest(root)


def test_what_was_undone_is_no_part_of_the_dataset(tmp_path: Path) -> None:
    from gesture_maker.dataset.folder import load_dataset

    write(tmp_path / "rock/1.jpg", photo(1))
    writer = DatasetWriter(tmp_path)
    writer.learn()
    album = Album(writer, "camera 0")
    album.keep(Photo(photo(2), 0.0, True), album.begin("paper"))
    assert load_dataset(tmp_path).counts == {"paper": 1, "rock": 1}
    album.undo()
    found = load_dataset(tmp_path)
    assert (found.counts, found.ignored) == ({"rock": 1}, ())


@given(st.floats(0.1, MAX_RATE), st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_photos_are_due_by_the_clock(rate: float, gaps: list[float]) -> None:
    pace, now, due = Pace(rate), 1000.0, [1000.0]
    assert pace.due(now)
    for gap in gaps:
        now += gap
        if pace.due(now):
            due.append(now)
            assert len(due) <= (now - due[0]) * rate + 1 + 1e-6
            if gap * rate < 1:
                assert now - due[-2] > 0
        else:
            assert now - due[-1] < 1 / rate  # never later than its time, as soon as somebody asks
    pace.restart()
    assert pace.due(now)


@given(st.floats(1, 20), st.floats(0.001, 0.04))
def test_however_often_is_asked_there_are_as_many_as_the_rate_says(rate: float, gap: float) -> None:
    pace = Pace(rate)
    count = sum(pace.due(n * gap) for n in range(int(10 / gap)))
    assert abs(count - 10 * rate) <= 2


def test_same_pixels_give_the_same_bytes(hand: Pixels) -> None:
    assert jpeg_of(hand) == jpeg_of(hand.copy())
    assert np.abs(read_image(jpeg_of(hand)).astype(int) - hand).mean() < 2
