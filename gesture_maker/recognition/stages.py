"""Work that is done in threads one behind the other, so that decoding, recognizing and encoding overlap.

Between two stages is a short `Pipe`: whoever is faster waits, nothing piles up. A stage that ends, for whatever reason, lets
the one behind it finish what is in the pipe, and tells the one before it to stop. So the first error ends all of them, and
what came before it has been dealt with.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Pipe(Generic[T]):
    """A queue between two threads with room for `room` items, which either side can end."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = self._refused = False

    def put(self, item: T) -> bool:
        """Wait for room and put an item in; return False when nobody will take it."""
        with self._changed:
            self._changed.wait_for(lambda: self._refused or len(self._items) < self._room)
            if self._refused:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self, seconds: float | None = None) -> T | None:
        """Wait for the next item and return it; None after the last, or when none came within `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended, seconds)
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    @property
    def over(self) -> bool:
        """Whether the last item has been taken."""
        with self._changed:
            return self._ended and not self._items

    @property
    def refused(self) -> bool:
        """Whether no more items will be taken."""
        with self._changed:
            return self._refused

    def end(self) -> None:
        """Say that no more items will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def refuse(self) -> None:
        """Say that no more items will be taken."""
        with self._changed:
            self._refused = True
            self._items.clear()
            self._changed.notify_all()


class Stages:
    """Threads one behind the other, and `problem`, the first error of any of them."""

    def __init__(self) -> None:
        self.problem: BaseException | None = None
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, work: Callable[[], None], before: Pipe[Any] | None, after: Pipe[Any]) -> None:
        """Run `work` in a thread; when it ends, nothing is taken from `before` any more and `after` gets no more."""

        def run() -> None:
            try:
                work()
            except BaseException as error:
                self.failed(error)
            finally:
                if before is not None:
                    before.refuse()
                after.end()

        thread = threading.Thread(target=run, name=name)
        self._threads.append(thread)
        thread.start()

    def failed(self, error: BaseException) -> None:
        """Keep the error if it is the first."""
        with self._lock:
            self.problem = self.problem or error

    def wait(self) -> None:
        """Wait until all have ended."""
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def helpers_on_one_core() -> Iterator[None]:
    """On a machine of two cores, keep this thread and those that it starts on one of them, while the block lasts.

    MediaPipe hands each frame from thread to thread a dozen times. Where decoding, drawing and encoding are on both cores,
    each hand-over may wait for them: 4.5 ms of a frame's 23. With the other core free for it, `live` recorded 41 frames/s in
    place of 36, a bare loop doing 43; OpenCV's own threads, which would be on both cores again, cost one of these. Three
    cores and more need none of this.
    """
    if sys.platform != "linux":  # others have no such call
        yield
        return
    cores = os.sched_getaffinity(0)
    if len(cores) != 2:
        yield
        return
    import cv2

    usual = cv2.getNumThreads()
    os.sched_setaffinity(0, {max(cores)})  # 0: this thread; what it starts has the same
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(usual)
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def interrupts_noted() -> Iterator[threading.Event]:
    """Yield what the first Ctrl-C sets, in place of raising KeyboardInterrupt at any line; the second raises it.

    An exception in the middle of a lock's taking would leave it taken for ever. In another than the main thread, and where
    somebody handles SIGINT already, everything stays as it is.
    """
    interrupted = threading.Event()
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or usual is not signal.default_int_handler:
        yield interrupted
        return

    def note(*_: object) -> None:
        signal.signal(signal.SIGINT, usual)
        interrupted.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, usual)
