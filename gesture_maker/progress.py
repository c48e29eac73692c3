"""How far something long has come: what is called meanwhile, and how a part of it tells its own share."""

from __future__ import annotations

import functools
from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much (0 while that is not known); downloads count bytes."""

StageProgress = Callable[[str, int, int], None]
"""Called with the stage, such as "landmarks" or "training", how much of it is done, and of how much."""


def of_stage(progress: StageProgress | None, stage: str) -> Progress | None:
    """Return what one stage calls; None where nobody listens."""
    return functools.partial(progress, stage) if progress else None
