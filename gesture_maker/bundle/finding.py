"""Which `.task` a user means: a file, or a run or comparison by its folder or name."""

from __future__ import annotations

from pathlib import Path

from gesture_maker.errors import RunError
from gesture_maker.training.run import BUNDLE, Run
from gesture_maker.training.run_folder import RUNS


def find_bundle(what: str | Path) -> tuple[Path, Run | None]:
    """Return the `.task` that `what` stands for, and the run it is of; None for a file, and for what is no run (a comparison).

    Raises RunError when it is no file, no folder with a bundle, and no finished run whose bundle was exported. Whether a file
    is a bundle is not looked at.
    """
    path = Path(what)
    if path.is_file() or path.suffix == ".task":
        return path, None
    for folder in (path, RUNS / path):
        if (folder / BUNDLE).is_file() and not (folder / "run.json").exists():
            return folder / BUNDLE, None
    run = Run.load_finished(what)
    if not run.bundle.is_file():
        raise RunError(f'The run "{run.name}" has no bundle yet: make it with `gesture-maker export {run.name}`.')
    return run.bundle, run
