"""`collect --camera` in a window: a real X server, a real keyboard and mouse, and a real stream."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cameras import PATIENCE, Screen, mjpeg_camera, scene, table, virtual_screen, wait_until
from hands import drawn, save_photo
from helpers import check_manifest, environment
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.dataset.manifest import read_manifest
from gesture_maker.images import Pixels
from gesture_maker.recognition.capture_window import NO_HAND, Scene, collect_in_window, draw_capture
from gesture_maker.recognition.capturing import UNDONE


@pytest.fixture(scope="module")
def hand() -> Pixels:
    return scene(drawn("four")[0])


@pytest.fixture(scope="module")
def empty() -> Pixels:
    return np.full((480, 640, 3), 120, np.uint8)


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with virtual_screen() as one:
        yield one


class InWindow:
    """`collect --camera` in a window on a screen."""

    def __init__(self, screen: Screen, address: str, folder: Path, *more: str) -> None:
        self.screen, self.dataset = screen, folder / "datasets/rps"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gesture_maker", "collect", "--camera", address, "-l", "four", "-d", "rps", *more],
            cwd=folder,
            env=environment(DISPLAY=screen.display),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> InWindow:
        self.screen.window("gesture-maker collect")
        return self

    def __exit__(self, *_: object) -> None:
        self.screen.release("space")
        self.process.kill()
        self.process.wait()

    def count(self, label: str = "*") -> int:
        return len(list(self.dataset.glob(f"{label}/*.jpg")))

    def wait_for(self, count: int, label: str = "*") -> None:
        self.wait_until(lambda: self.count(label) >= count, f"{count} photos")

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until the condition holds, and no longer than the command runs."""
        wait_until(lambda: self.process.poll() is not None or condition(), what)
        assert self.process.poll() is None, self.process.communicate()

    def hold_until(self, count: int, label: str = "*") -> None:
        self.screen.hold("space")
        self.wait_for(count, label)
        self.wait_until(self.shows_recording, "the red frame")
        self.screen.release("space")
        self.wait_until(lambda: not self.shows_recording(), "the end of the recording")

    def shows_recording(self) -> bool:
        """Tell whether there is the red frame on the screen that says so."""
        return bool((np.abs(self.screen.picture().astype(int) - (239, 68, 68)).max(axis=2) < 30).sum() > 500)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


def test_each_press_of_the_space_bar_is_a_group(screen: Screen, hand: Pixels, tmp_path: Path) -> None:
    save_photo(tmp_path / "datasets/rps/fist/mine.png", drawn("fist")[0])
    with mjpeg_camera(hand) as camera, InWindow(screen, camera.address, tmp_path, "--rate", "10") as shown:
        wait_until(lambda: camera.sent > 5, "frames")
        shown.hold_until(4)
        first = shown.count("four")
        shown.hold_until(first + 3, "four")
        both = shown.count("four")
        before = screen.picture()
        screen.press("n")  # from four on to the next class of the dataset, which is fist
        name = (slice(0, 60), slice(0, 200))
        wait_until(lambda: not np.array_equal(screen.picture()[name], before[name]), "another name in the window")
        screen.press("space")
        shown.wait_for(1, "fist")
        wait_until(lambda: not shown.shows_recording(), "the end of the recording")
        assert shown.count("fist") == 1  # a tap is one photo: what followed was without the key
        screen.press("u")
        wait_until(lambda: not shown.count("fist"), "the undoing")
        screen.press("p")
        screen.press("q")
        status, out, err = shown.end()
    assert (status, err) == (0, ""), out
    check_manifest(shown.dataset)
    rows = [row for row in read_manifest(shown.dataset).values() if row.label == "four"]
    assert sorted(Counter(row.group for row in rows).values()) == sorted([first, both - first])
    assert table(out) == {"fist": [0, 0, 1], "four": [both, both, both]}
    assert f"Undone: 1, kept in datasets/rps/{UNDONE};" in out
    away = list((shown.dataset / UNDONE).rglob("*.jpg"))
    assert len(away) == 1


@pytest.mark.parametrize("way", ["mouse", "Ctrl-C", "unplugged"])
def test_however_it_ends_all_that_was_taken_is_there(way: str, screen: Screen, hand: Pixels, tmp_path: Path) -> None:
    with mjpeg_camera(hand) as camera, InWindow(screen, camera.address, tmp_path) as shown:
        wait_until(lambda: camera.sent > 5, "frames")
        screen.hold("space")
        shown.wait_for(3)
        if way == "mouse":
            screen.close_window("gesture-maker collect")
        elif way == "Ctrl-C":
            shown.process.send_signal(signal.SIGINT)
        else:
            camera.unplug()
        status, out, err = shown.end()
    kept = shown.count()
    check_manifest(shown.dataset)
    assert len({row.group for row in read_manifest(shown.dataset).values()}) == 1
    if way == "unplugged":
        assert status == 1
        assert re.fullmatch(rf"Error: {camera.address} is gone .*; the {kept} photos .* are in datasets/rps\.\n", err)
    else:
        assert (status, err) == (0, "")
        assert table(out) == {"four": [kept, kept, kept]}


class Keys:
    """A window without a screen, in which somebody presses these keys, one at each look."""

    def __init__(self, keys: list[str | None]) -> None:
        self.keys, self.closed = iter(keys), False
        self.shown: list[Pixels] = []

    def __call__(self, _: str) -> Keys:
        return self

    def show(self, pixels: Pixels) -> None:
        self.shown.append(pixels)

    def key(self, _: int = 1) -> str | None:
        time.sleep(0.01)
        return next(self.keys) if self.shown else None

    def __enter__(self) -> Keys:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_a_hand_is_drawn_and_its_absence_told(
    hand: Pixels, empty: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gesture_maker.recognition import capture_window

    monkeypatch.setattr(capture_window, "NO_HAND_SECONDS", 0.0)
    shown = {}
    for name, picture in {"hand": hand, "empty": empty}.items():
        keys: Any = Keys([None] * 6 + ["escape"])
        with mjpeg_camera(picture) as camera:
            collect_in_window(camera.address, "four", tmp_path / "d", window=keys)
        assert next(keys.keys, "nothing left") == "nothing left"
        shown[name] = keys.shown[-1]
    assert not (tmp_path / "d").exists()
    amber = {
        name: int((np.abs(one.astype(int) - (251, 191, 36)).max(axis=2) < 12).sum()) for name, one in shown.items()
    }
    assert amber["empty"] > 10 * max(1, amber["hand"])


@pytest.mark.parametrize("rate", [4.0, 30.0])
def test_a_tap_is_one_photo_however_slow_the_camera(rate: float, hand: Pixels, tmp_path: Path) -> None:
    keys: Any = Keys([None, "space", *[None] * 30, "q"])
    with mjpeg_camera(hand, rate=rate) as camera:
        result = collect_in_window(camera.address, "four", tmp_path, rate=60, window=keys)
    assert (result.added, result.usable, result.bursts) == ({"four": 1}, {"four": 1}, 1)
    check_manifest(tmp_path)


def test_a_picture_is_shown_mirrored_and_its_words_are_not(hand: Pixels) -> None:
    about = Scene("four", (0, 0, 0), 0, "q: end")
    plain, mirrored = draw_capture(hand, None, about, False), draw_capture(hand, None, about, True)
    rows = np.flatnonzero((plain != mirrored).any(axis=(1, 2)))
    assert np.array_equal(plain[rows], mirrored[rows][:, ::-1])
    assert len(rows) > 0.5 * len(plain)
    top, bottom = rows[0], rows[-1] + 1
    assert np.array_equal(plain[:top], mirrored[:top])
    assert np.array_equal(plain[bottom:], mirrored[bottom:])
    assert len(np.unique(plain[:top].reshape(-1, 3), axis=0)) > 10  # there are words


@given(
    st.text(min_size=1, max_size=80),
    st.tuples(st.integers(32, 2000), st.integers(32, 1200)),
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**4)),
    st.booleans(),
)
@settings(max_examples=30)
def test_any_class_name_and_any_camera_fit(
    label: str, size: tuple[int, int], counts: tuple[int, int, int], recording: bool
) -> None:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    picture = draw_capture(pixels, None, Scene(label, counts, 10**6, "q: end", NO_HAND, recording), True)
    assert picture.shape[1] <= 1280
    assert picture.shape[0] <= 840
