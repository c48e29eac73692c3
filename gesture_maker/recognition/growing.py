"""Files that grow while something is going on, a recording or a log: never in place of another, and kept whatever happens.

`film.mp4` is `film.recording.mp4` while it grows, which is complete up to its end at any moment and is what a kill or a
power cut leaves. It gets its own name when it is closed.
"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

from gesture_maker.errors import ConfigError, GestureMakerError


class RecordingError(GestureMakerError):
    """A recording or log that cannot be written further. The message says where what was written before is."""


class GrowingFile:
    """The place of a file that grows.

    `target`: the name it gets at the end; `partial`: where it is until then, made empty. Raises ConfigError when there is
    a file at `target` already (unless `overwrite`) or a folder, OSError when nothing can be written there.
    """

    def __init__(self, target: Path, *, overwrite: bool = False) -> None:
        if target.is_dir():
            raise ConfigError(f"{target} is a folder: give the name of a file in it.")
        if not overwrite and os.path.lexists(target):
            raise ConfigError(f"{target} exists already: give another name, or remove it first.")
        self.target = target
        self._overwrite = overwrite
        target.parent.mkdir(parents=True, exist_ok=True)
        self.partial = self._claimed()

    def _claimed(self) -> Path:
        """Make the partial file, beside those that others are writing or that a kill has left."""
        for number in count(1):
            more = "" if number == 1 else f"-{number}"
            name = self.target.with_name(f"{self.target.stem}.recording{more}{self.target.suffix}")
            try:
                name.open("xb").close()
            except FileExistsError:
                continue
            except OSError as error:
                raise OSError(error.errno, os.strerror(error.errno or 0), str(self.target)) from error
            return name
        raise AssertionError("numbers do not run out")

    def finish(self) -> Path:
        """Give the file its own name and return it: `film-2.mp4` if somebody has made a `film.mp4` in the meantime."""
        if self._overwrite:
            return self.partial.replace(self.target)
        return _placed(self.partial, self.target)

    def problem(self, error: OSError, something: bool = True) -> RecordingError:
        """Return what to say when the file cannot grow further; `something`: whether there is something in it."""
        kept = "what came before is in it" if something else "nothing was recorded"
        return RecordingError(
            f"{self.target} cannot be written further ({os.strerror(error.errno or 0)}): "
            f"{kept}, make room or choose another folder."
        )

    def discard(self) -> None:
        """Remove the partial file."""
        self.partial.unlink(missing_ok=True)


def _placed(content: Path, target: Path) -> Path:
    """Rename a file without replacing another, and return its name."""
    for number in count(1):
        name = target if number == 1 else target.with_name(f"{target.stem}-{number}{target.suffix}")
        try:
            os.link(content, name)  # unlike a rename it fails when there is a file
        except FileExistsError:
            continue
        except OSError:  # exFAT and some network disks have no links
            if os.path.lexists(name):
                continue
            return content.replace(name)
        content.unlink()
        return name
    raise AssertionError("numbers do not run out")
