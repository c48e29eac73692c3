"""Cameras and screens for tests: a camera is a real MJPEG server on loopback, a screen is a real X server without a monitor."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gesture_maker.images import Pixels

PATIENCE = 60  # seconds; only for a broken program, nothing waits this long
BOUNDARY = "frame"


def scene(pixels: Pixels, size: tuple[int, int] = (640, 480)) -> Pixels:
    """Return a photo in the middle of a grey picture of `size` (width, height), as a camera would see it."""
    canvas = np.full((size[1], size[0], 3), 128, np.uint8)
    scale = min(size[0] / pixels.shape[1], size[1] / pixels.shape[0])
    small = cv2.resize(np.ascontiguousarray(pixels), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top, left = (size[1] - small.shape[0]) // 2, (size[0] - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def numbered(pixels: Pixels, number: int) -> Pixels:
    """Return the picture with its number in the left upper corner as 12 black or white squares, so that no two are alike."""
    marked = pixels.copy()
    for bit in range(12):
        marked[0:8, 8 * bit : 8 * bit + 8] = 255 if number >> bit & 1 else 0
    return marked


def number_in(pixels: Pixels) -> int:
    """Return the number that `numbered` put there."""
    return sum(int(pixels[2:6, 8 * bit + 2 : 8 * bit + 6].mean() > 127) << bit for bit in range(12))


class Camera:
    """What a test knows of its camera: `address` to open, `sent` frames until now, and its plug."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.sent = 0
        self._unplugged = threading.Event()

    def unplug(self) -> None:
        """End the connection after the frame that is being sent."""
        self._unplugged.set()

    @property
    def unplugged(self) -> bool:
        return self._unplugged.is_set()

    def pause(self, seconds: float) -> None:
        self._unplugged.wait(seconds)


@contextmanager
def mjpeg_camera(
    picture: Pixels | Sequence[Pixels] | Callable[[int], Pixels],
    *,
    rate: float = 20.0,
    ends_after: int | None = None,
    hangs_after: int | None = None,
    same: bool = False,
) -> Iterator[Camera]:
    """Run a camera at `http://127.0.0.1:PORT/camera.mjpg` that shows a picture, several in turn, or that of each number.

    `rate`: frames per second. `ends_after` so many frames the connection ends, `hangs_after` so many nothing comes any more (0:
    never anything), and it stays open. Frames bear their number (`number_in`), also over several connections, unless they are to be
    the `same`.
    """

    def frame(number: int) -> bytes:
        if callable(picture):
            pixels = picture(number)
        elif isinstance(picture, np.ndarray):
            pixels = picture
        else:
            pixels = picture[number % len(picture)]
        marked = pixels if same else numbered(pixels, number)
        return bytes(cv2.imencode(".jpg", cv2.cvtColor(marked, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])[1])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
            self.end_headers()
            first, number, due = camera.sent, 0, time.monotonic()
            while not camera.unplugged and number != ends_after:
                if number == hangs_after:
                    camera.pause(PATIENCE)
                    return
                content = frame(first + number)
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
                try:
                    self.wfile.write(head.encode() + content + b"\r\n")
                    self.wfile.flush()
                except OSError:  # nobody looks any more
                    return
                number += 1
                camera.sent = max(camera.sent, first + number)
                due = max(due + 1 / rate, time.monotonic())
                camera.pause(due - time.monotonic())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    camera = Camera(f"http://127.0.0.1:{server.server_address[1]}/camera.mjpg")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield camera
    finally:
        camera.unplug()
        server.shutdown()
        server.server_close()
        thread.join(5)


def wait_until(condition: Callable[[], Any], what: str = "what the test waits for") -> Any:
    """Wait until the condition holds, and return what it answered."""
    begin = time.monotonic()
    while not (answer := condition()):
        assert time.monotonic() - begin < PATIENCE, f"{what} did not happen"
        time.sleep(0.01)
    return answer


def table(written: str) -> dict[str, list[int]]:
    """Return the rows of the table that the command prints: per class added, with a hand, total."""
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")] for line in written.splitlines() if line.startswith("│")
    ]
    return {name: list(map(int, cells)) for name, *cells in rows}


class Screen:
    """An X server: its `display`, and a hand at its keyboard and mouse."""

    def __init__(self, display: str) -> None:
        self.display = display

    def xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments],
            env={**os.environ, "DISPLAY": self.display},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def window(self, title: str) -> str:
        """Wait for a visible window with this in its title, put the mouse on it, and return its id."""
        found = wait_until(lambda: self.xdotool("search", "--onlyvisible", "--name", title), f"the window {title}")
        window = str(found).split()[0]
        self.xdotool(
            "mousemove", "--window", window, "50", "50"
        )  # without a window manager, keys go where the mouse is
        return window

    def picture(self) -> Pixels:
        """Return what is on the screen, uint8 [height, width, 3] RGB."""
        from PIL import ImageGrab

        return np.asarray(ImageGrab.grab(xdisplay=self.display).convert("RGB"))

    def press(self, *keys: str) -> None:
        """Press and release keys, by their X names (`space`, `q`, `Escape`)."""
        self.xdotool("key", *keys)

    def hold(self, key: str) -> None:
        self.xdotool("keydown", key)

    def release(self, key: str) -> None:
        self.xdotool("keyup", key)

    def close_window(self, title: str) -> None:
        """Ask the window to close as a click on its cross does (xdotool cannot)."""
        window = int(self.window(title))
        x = ctypes.CDLL("libX11.so.6")
        x.XOpenDisplay.restype = x.XInternAtom.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x.XOpenDisplay(self.display.encode()))
        protocols, delete = (x.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
        event = _ClientMessage(33, 0, 1, display, window, protocols, 32, (ctypes.c_long * 5)(delete, 0, 0, 0, 0))
        x.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(event))
        x.XSync(display, 0)
        x.XCloseDisplay(display)


class _ClientMessage(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("room", ctypes.c_long * 24),  # XSendEvent reads the whole union
    )


@contextmanager
def virtual_screen(size: str = "1280x800") -> Iterator[Screen]:
    """Run an X server without a monitor; skip the test (fail when CI=true) where Xvfb or xdotool is missing."""
    missing = [program for program in ("Xvfb", "xdotool") if not shutil.which(program)]
    if missing:
        reason = f"needs {' and '.join(missing)} (apt-get install xvfb xdotool)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    told, tell = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(tell), "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[tell],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(tell)
    try:
        with open(told) as answer:  # noqa: PTH123 - a pipe
            number = answer.readline().strip()
        assert number, "Xvfb did not start"
        yield Screen(f":{number}")
    finally:
        server.terminate()
        server.wait(PATIENCE)


def camera_film(path: Path, frames: Sequence[Pixels], rate: float = 15.0) -> Path:
    """Write a film that Chromium plays, over and over, as its fake camera (`--use-file-for-fake-video-capture`): Y4M, 4:2:0.

    `frames`: uint8 [height, width, 3] RGB with even sides, all of one size.
    """
    height, width = frames[0].shape[:2]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{round(1000 * rate)}:1000 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2YUV_I420).tobytes())
    return path
