"""What the parts of a studio share: its folders, who listens, the seats for cameras, and what each part keeps."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gesture_maker.studio.events import Hub
from gesture_maker.studio.frames import Seats

T = TypeVar("T")


@dataclass(frozen=True)
class Studio:
    """One studio: the `dataset` it collects into (a folder, made with the first photo or class), the folder of its `runs`, and
    where Google's files are looked for first (`assets`)."""

    dataset: Path
    runs: Path
    assets: Path | None = None
    hub: Hub = field(default_factory=Hub)
    seats: Seats = field(default_factory=Seats)
    _ending: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _parts: dict[Any, Any] = field(default_factory=dict)
    _making: threading.RLock = field(default_factory=threading.RLock)

    def part(self, make: Callable[[Studio], T]) -> T:
        """Return what `make(studio)` returned when it was first asked for, so that several routers share it."""
        with self._making:
            if make not in self._parts:
                self._parts[make] = make(self)
            found: T = self._parts[make]
            return found

    def at_end(self, work: Callable[[], object]) -> None:
        """Have something done when the studio ends; what was asked for last comes first."""
        self._ending.callback(work)

    def close(self) -> None:
        """Do what `at_end` was asked for."""
        self._ending.close()
