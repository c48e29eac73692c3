"""A window that shows pictures and hears keys, and what can be known of a key that is being held.

The window is OpenCV's, whose toolkit (Qt on Linux) ends the whole process where it finds no screen, and tells of keys that go
down but not of those that come up. So another process tries the screen first, and `HeldKey` concludes the rest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Literal

import numpy as np

from gesture_maker.errors import ConfigError
from gesture_maker.images import Pixels

HEADLESS = "use --headless"

PROBE_SECONDS = 20.0  # for a display that does not answer; one that does takes 0.2 s
SHARE_OF_SCREEN = (0.95, 0.85)  # of its width and height; the rest is for the title and the desktop's bars
LARGEST = (1280, 720)  # pixels, where the screen's size is unknown
UNSEEN, UNABLE = 3, 4  # the probe's exit statuses

# In a process of its own: Qt calls abort() without a display. The size is asked of Xlib, because OpenCV cannot tell it.
_PROBE = f"""
import cv2
try:
    cv2.namedWindow("Is there a screen?", cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL)
except cv2.error as error:
    raise SystemExit({UNABLE} if "not implemented" in str(error) else {UNSEEN})
import ctypes
try:
    x = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x.XOpenDisplay(None))
    if display:
        print(x.XDisplayWidth(display, 0), x.XDisplayHeight(display, 0))
except (OSError, AttributeError):
    pass
"""

_NAMES = {8: "backspace", 9: "tab", 10: "enter", 13: "enter", 27: "escape", 32: "space", 127: "delete"}


class Window:
    """A window on the screen, made when the first picture is shown. Only to be used from the main thread.

    `closed`: whether the user has closed it; what is shown after that does not appear. Raises ConfigError, and says to use
    `headless` (an option or other words for it), where there is no screen.
    """

    def __init__(self, title: str, headless: str = HEADLESS) -> None:
        self.title = title
        self.closed = False
        self._largest = screen_size(headless)
        self._is_open = False

    def show(self, pixels: Pixels) -> None:
        """Show a picture, uint8 [height, width, 3] RGB; a large one is made smaller so that the screen holds it.

        The first one decides on the window's size, into which later ones of another size are fitted.
        """
        import cv2

        if self._was_closed():
            return
        height, width = pixels.shape[:2]
        scale = min(1.0, self._largest[0] / width, self._largest[1] / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        if size != (width, height):
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        first = not self._is_open
        if first:
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            self._is_open = True
        cv2.imshow(self.title, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        if first:  # never again: of windows that were resized later, one in thirty stayed black
            cv2.resizeWindow(self.title, *size)

    def key(self, milliseconds: int = 1) -> str | None:
        """Wait up to so many milliseconds and return the key that went down, None when none did.

        A letter or digit as it is, letters small; "space", "escape", "enter", "backspace", "tab", "delete". A key that is
        held comes again and again. The picture appears only while this waits.
        """
        import cv2

        if not self._is_open or self._was_closed():
            time.sleep(milliseconds / 1000)  # OpenCV would not wait
            return None
        code = cv2.waitKeyEx(max(1, milliseconds))
        self._was_closed()
        if code < 0:
            return None
        code &= 0xFFFF  # above are NumLock and the like
        if code in _NAMES:
            return _NAMES[code]
        return chr(code).lower() if 32 < code < 127 else None

    def close(self) -> None:
        """Remove the window."""
        import cv2

        if self._is_open and not self._was_closed():
            cv2.destroyWindow(self.title)
            cv2.waitKey(1)  # it goes while events are looked at
        self._is_open, self.closed = False, True

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _was_closed(self) -> bool:
        import cv2

        if self._is_open and not self.closed:
            self.closed = cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1
        return self.closed


def screen_size(headless: str = HEADLESS) -> tuple[int, int]:
    """Return the largest width and height in pixels that a picture should have on this screen.

    Raises ConfigError, in one sentence that says to use `headless`, where no window can be opened.
    """
    if not sys.platform.startswith("linux"):
        return LARGEST  # there is always a screen, and OpenCV's windows there end no process
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise ConfigError(f"There is no screen for a window (DISPLAY is not set): {headless}.")
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if platform and "xcb" not in platform:
        os.environ["QT_QPA_PLATFORM"] = f"{platform};xcb"  # the only one that OpenCV's wheels bring
    os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false;*.info=false")
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False, timeout=PROBE_SECONDS
        )
    except subprocess.TimeoutExpired as late:
        raise ConfigError(f"The screen {_display()} does not answer: check it, or {headless}.") from late
    if tried.returncode == UNABLE:
        raise ConfigError(
            f"This OpenCV cannot open windows: install opencv-contrib-python in place of a headless one, or {headless}."
        )
    if tried.returncode:
        raise ConfigError(f"No window can be opened on the screen {_display()}: check it, or {headless}.")
    try:
        width, height = map(int, tried.stdout.split())
    except ValueError:
        return LARGEST
    return max(64, int(width * SHARE_OF_SCREEN[0])), max(64, int(height * SHARE_OF_SCREEN[1]))


def _display() -> str:
    return os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY", "")


KeyState = Literal["released", "pressed", "held"]

FIRST_REPEAT_SECONDS = 0.8  # after which a held key comes again: X.Org 0.66, GNOME 0.5, macOS 0.5, Windows up to 1
REPEAT_SECONDS = 0.25  # between later ones: 0.03 to 0.04 everywhere, 0.25 for a slow setting on Windows


class HeldKey:
    """What can be known of a key of which only the going down and the repeats are heard. Time is an argument.

    A key that goes down is "pressed", and with its first repeat "held". It is "released" at the first look that hears nothing
    and comes more than `first_repeat` seconds (of a pressed key) or `repeat` seconds (of a held one) after the key was last
    heard. A look that hears it never releases it, however long it is after the one before: whoever looks seldom was busy.

    `presses`: how many there have been. `heard`: when the key was heard last; what was done after that is in doubt until it is
    heard again, and once it is released, was done without it.
    """

    def __init__(self, first_repeat: float = FIRST_REPEAT_SECONDS, repeat: float = REPEAT_SECONDS) -> None:
        self.first_repeat, self.repeat = first_repeat, repeat
        self.presses = 0
        self.heard = float("-inf")
        self.state: KeyState = "released"

    def look(self, hears: bool, now: float) -> KeyState:
        """Return the key's state at the time `now` (seconds, never going back), at which it is heard or not."""
        if hears:
            self.state = "pressed" if self.state == "released" else "held"
            self.presses += self.state == "pressed"
            self.heard = now
        elif self.state != "released":
            patience = self.first_repeat if self.state == "pressed" else self.repeat
            if now - self.heard > patience:
                self.state = "released"
        return self.state

    def release(self) -> None:
        """Take the key as released, whatever is heard of it: another key that goes down ends the repeats of this one."""
        self.state = "released"
