"""What takes part in a comparison without being one of its classifiers on hands, such as a network on the photos' pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from gesture_maker.classifiers.comparison import Line
from gesture_maker.classifiers.comparison_parts import Parts


class Beside(Protocol):
    """Is told what is held out before anything is tried, and asked in the end, before the comparison is written down."""

    def begin(self, parts: Parts, test: Path | None) -> None:
        """Take note of what is held out; `test`: the other dataset that is. Raises a GestureMakerError when it cannot take part."""

    def beside(self, winner: Line, folder: Path) -> Mapping[str, Any]:
        """Return how it compares with the winner, whose bundle lies in the comparison's `folder`, as plain values for JSON.

        What was begun in that folder by a call that was interrupted is gone on with.
        """
