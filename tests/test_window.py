"""The window on a real X server, with a real keyboard and mouse; and what is concluded of a key that is held."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cameras import PATIENCE, Screen, virtual_screen, wait_until
from helpers import environment
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.errors import ConfigError
from gesture_maker.recognition import window
from gesture_maker.recognition.window import FIRST_REPEAT_SECONDS, REPEAT_SECONDS, HeldKey, screen_size

TITLE = "Fenster 窓 ☺"

SHOWING = f"""
import sys
import numpy as np
from gesture_maker.recognition.window import Window
pixels = np.zeros((int(sys.argv[2]), int(sys.argv[1]), 3), np.uint8)
pixels[:] = (200, 100, 50)
with Window({TITLE!r}) as shown:
    while not shown.closed:
        shown.show(pixels)
        key = shown.key(20)
        if key:
            print(key, flush=True)
        if key == "q":
            break
    print("closed by the user" if shown.closed else "still open", flush=True)
"""


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with virtual_screen() as one:
        yield one


@contextmanager
def showing(screen: Screen, width: int = 320, height: int = 240, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program that shows a picture and prints the keys it hears: Qt belongs to its process and display for good."""
    process = subprocess.Popen(
        [sys.executable, "-c", SHOWING, str(width), str(height)],
        env=environment(DISPLAY=screen.display, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def rest_of(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    return out.split("\n")[:-1]


def test_keys_arrive_by_their_names_and_colours_are_right(screen: Screen) -> None:
    from PIL import ImageGrab

    with showing(screen) as process:
        window_id = screen.window(TITLE)
        wait_until(lambda: "320x240" in screen.xdotool("getwindowgeometry", window_id), "the picture's size")
        assert process.stdout is not None
        for key, name in {"space": "space", "N": "n", "Escape": "escape", "Return": "enter", "7": "7"}.items():
            screen.press(key)
            assert process.stdout.readline() == f"{name}\n"
        # A key may come before the picture does.
        wait_until(
            lambda: ImageGrab.grab(xdisplay=screen.display).getpixel((160, 120)) == (200, 100, 50),
            "the picture's colours",
        )
        screen.press("q")
        assert rest_of(process) == ["q", "still open"]


def test_a_held_key_comes_again_and_again(screen: Screen) -> None:
    with showing(screen) as process:
        screen.window(TITLE)
        screen.hold("space")
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(5)] == ["space\n"] * 5
        screen.release("space")
        screen.press("q")
        assert set(rest_of(process)) - {"space"} == {"q", "still open"}


def test_closing_it_by_the_mouse_ends_it_and_it_does_not_come_back(screen: Screen) -> None:
    with showing(screen) as process:
        screen.close_window(TITLE)
        assert rest_of(process) == ["closed by the user"]


def test_a_picture_larger_than_the_screen_is_made_smaller_with_its_proportions(screen: Screen) -> None:
    with showing(screen, 3840, 2160) as process:
        geometry = screen.xdotool("getwindowgeometry", "--shell", screen.window(TITLE))
        width, height = (int(geometry.split(f"{side}=")[1].split()[0]) for side in ("WIDTH", "HEIGHT"))
        assert width <= 0.95 * 1280
        assert height <= 0.85 * 800
        assert abs(width / height - 16 / 9) < 0.01
        screen.press("q")
        assert rest_of(process) == ["q", "still open"]


def test_where_the_toolkit_is_told_to_use_wayland_the_window_opens_all_the_same(screen: Screen) -> None:
    with showing(screen, QT_QPA_PLATFORM="wayland") as process:
        screen.window(TITLE)
        screen.press("q")
        assert rest_of(process) == ["q", "still open"]


needs_x = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone may have no screen")


@needs_x
def test_bad_input_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(
        ConfigError, match=r"^There is no screen for a window \(DISPLAY is not set\): use --headless\.$"
    ):
        screen_size()


@needs_x
@pytest.mark.parametrize("name", [":4711", "nobody.invalid:0", "nonsense"])
def test_bad_input_a_screen_that_is_not_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", name)
    with pytest.raises(ConfigError, match=f"^No window can be opened on the screen {name}: .* use --headless"):
        screen_size()


@needs_x
def test_bad_input_a_screen_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        port = next(port for port in range(6070, 6999) if _bound(silent, port))
        silent.listen()
        monkeypatch.setenv("DISPLAY", f"127.0.0.1:{port - 6000}")
        monkeypatch.setattr(window, "PROBE_SECONDS", 1.0)
        with pytest.raises(ConfigError, match=r"does not answer: check it, or give --frames\.$"):
            screen_size("give --frames")


def _bound(one: socket.socket, port: int) -> bool:
    try:
        one.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


# A key that is held

FASTEST, SLOWEST = 0.005, 0.05  # seconds between two looks

presses = st.lists(
    st.tuples(st.floats(0.01, 5.0), st.floats(1.2, 3.0)).map(lambda both: (both[0], FIRST_REPEAT_SECONDS * both[1])),
    min_size=1,
    max_size=4,
)
"""How long a key is down, and then up: longer than until a first repeat, or the next press would look like that."""


@given(presses, st.floats(0.2, FIRST_REPEAT_SECONDS - SLOWEST), st.floats(0.01, REPEAT_SECONDS - SLOWEST), st.data())
def test_presses_and_releases_are_what_the_finger_did(
    held: list[tuple[float, float]], first_repeat: float, repeat: float, data: st.DataObject
) -> None:
    times, now = [], 1.0
    for down, up in held:
        times.append((now, now + down))
        now += down + up
    events = []
    for begin, end in times:
        at = [begin, *(begin + first_repeat + n * repeat for n in range(int(5 / repeat) + 1))]
        events.append([moment for moment in at if moment <= end])

    key, now, number = HeldKey(), 0.0, -1
    steps = data.draw(st.lists(st.floats(FASTEST, SLOWEST), min_size=20, max_size=20))
    look = 0
    while now < times[-1][1] + FIRST_REPEAT_SECONDS + 2 * SLOWEST:
        before, now, look = now, now + steps[look % len(steps)], look + 1
        heard = [n for n, several in enumerate(events) if any(before < moment <= now for moment in several)]
        state = key.look(bool(heard), now)
        number = heard[-1] if heard else number
        assert key.presses == number + 1
        if number >= 0:
            begin, end = times[number]
            if before >= begin and now <= end:
                assert state != "released"  # never while the finger is down
            if state == "released":
                assert now > end
            latest = max(moment for moment in events[number] if moment <= now)
            assert latest <= key.heard <= latest + SLOWEST  # what was done until then, was done with the key down
    assert key.state == "released"


@given(st.lists(st.floats(0, 100), min_size=2, max_size=30).map(sorted))
def test_who_looks_seldom_takes_no_repeat_for_a_new_press(moments: list[float]) -> None:
    key = HeldKey()
    states = [key.look(True, now) for now in moments]
    assert states == ["pressed"] + ["held"] * (len(moments) - 1)
    assert (key.presses, key.heard) == (1, moments[-1])


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 2)), max_size=40))
def test_whatever_is_heard_the_key_is_released_after_a_while(looks: list[tuple[bool, float]]) -> None:
    key, now, heard = HeldKey(), 0.0, 0
    for hears, after in looks:
        now += after
        before = key.state
        state = key.look(hears, now)
        heard += hears and before == "released"
        assert (state == "pressed") >= (hears and before == "released")
        assert key.presses == heard
    assert key.look(False, now + FIRST_REPEAT_SECONDS + 0.01) == "released"
    key.look(True, now + 2)
    key.release()
    assert key.look(False, now + 2) == "released"
