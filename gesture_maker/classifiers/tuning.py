"""A search for settings of Model Maker's head that do better than the recipe's own, by cross-validation.

    tuning = tune("rps")
    print(tuning.verdict.sentence)
    gesture_maker.train("rps", settings=tuning.trial(tuning.best).settings)    # if tuning.verdict.better

Each trial is one set of settings, tried on all hands by heads that did not see them nor others of their group, and trained as `train` would.
Its value is the mean negative log likelihood of the answers, at the temperature that `train` would fold into the head: accuracy alone
hardly differs between good settings. Trial 0 has the recipe's own settings. At the end the best is compared with these on folds that the
search did not see, and where it is not better beyond chance, `config.yaml` holds no settings: a tuned training is never worse by chance.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gesture_maker.classifiers import tune_space
from gesture_maker.classifiers.tune_config import write_config
from gesture_maker.classifiers.tune_hands import HANDS, TuningHands, load_tuning_hands, look_for_hands
from gesture_maker.classifiers.tune_search import Search, TrialReport
from gesture_maker.classifiers.tune_space import Space, as_text, check_space, own_parameters, recipe_for
from gesture_maker.classifiers.tune_study import STUDY, Study
from gesture_maker.classifiers.tune_workers import Workers
from gesture_maker.classifiers.tuned import TUNING, Tuning, load_tuning
from gesture_maker.classifiers.tuning_plots import save_tuning_plot
from gesture_maker.dataset.folder import find_dataset
from gesture_maker.errors import ConfigError, RunError
from gesture_maker.files import TEMPORARY_PREFIX
from gesture_maker.landmarks.detector import MIN_DETECTION_CONFIDENCE
from gesture_maker.progress import StageProgress, of_stage
from gesture_maker.training.run_folder import RUNS, check_writable, valid_run_name
from gesture_maker.training.session import MAX_SEED, versions
from gesture_maker.training.table_source import run_name

TRIALS = 30

PICTURE = "trials.png"

_LOCK = ".lock"


def tune(
    data: str | Path,
    *,
    name: str | None = None,
    group_by: str | None = None,
    trials: int = TRIALS,
    timeout: float | None = None,
    workers: int | None = None,
    seed: int = 0,
    min_detection_confidence: float = MIN_DETECTION_CONFIDENCE,
    runs: Path | None = None,
    progress: StageProgress | None = None,
    on_trial: TrialReport | None = None,
) -> Tuning:
    """Search for settings of Model Maker's head on a dataset, and return the search when it is finished.

    `data`: a folder of class folders, a name under `datasets/`, or a table of landmarks. `name`: of the search's folder, by
    default that of the data with `-tune`. The same call again goes on with what is missing of `trials` (in all). `timeout`: seconds
    after which no trial is begun any more. `workers`: processes at the same time, by default one a core; with one, equal data,
    settings and seed give equal trials. `runs`: in place of `exported_models`. `progress`: called with the stages "landmarks",
    "tuning" (trials) and "verdict" (cross-validations).

    `mirror` and `background` stay as the recipe has them: they are for the other hand and for unknown gestures, of which
    cross-validation on the hands of known gestures sees nothing. Raises a GestureMakerError for data or settings that cannot be used,
    and for a folder of that name that holds something else. What an interruption (KeyboardInterrupt) leaves can be taken up.
    """
    _check(trials, timeout, workers, seed)
    space = {key: values for key, values in tune_space.SPACE.items() if key not in tune_space.FIXED}
    check_space(space)
    place = find_dataset(data)
    check_writable(runs)
    hands = look_for_hands(
        place,
        group_by=group_by,
        min_detection_confidence=min_detection_confidence,
        progress=of_stage(progress, "landmarks"),
    )
    settings = {
        "seed": seed,
        "folds": hands.folds(),
        "group_by": group_by,
        "min_detection_confidence": min_detection_confidence,
        "space": as_text(space),
        "fixed": dict(tune_space.FIXED),
    }
    about = {"data": str(place.resolve()), "settings": settings, "warnings": list(hands.hands.warnings)}
    folder = _place(place, name, runs or RUNS, hands, settings)
    if not folder.exists():
        _make_folder(folder, hands, about, space)
    return _search(folder, trials, timeout, workers, progress, on_trial)


def resume_tuning(
    name: str | Path,
    *,
    trials: int | None = None,
    timeout: float | None = None,
    workers: int | None = None,
    runs: Path | None = None,
    progress: StageProgress | None = None,
    on_trial: TrialReport | None = None,
) -> Tuning:
    """Go on with a search, with the hands and settings that it began with; `trials` (in all): by default as many as it was to have.

    Raises RunError when there is no search of that name, or when it is damaged.
    """
    _check(trials, timeout, workers, 0)
    found = next((one for one in (Path(name), (runs or RUNS) / name) if (one / STUDY).is_file()), None)
    if found is None:
        raise RunError(f'There is no search "{name}": begin one with `gesture-maker tune DATASET`.')
    return _search(found, trials, timeout, workers, progress, on_trial)


def _check(trials: int | None, timeout: float | None, workers: int | None, seed: int) -> None:
    if trials is not None and trials < 1:
        raise ConfigError(f"trials is {trials}, but has to be a whole number from 1.")
    if timeout is not None and not timeout > 0:
        raise ConfigError(f"timeout is {timeout:g}, but has to be a number of seconds above 0.")
    if workers is not None and workers < 1:
        raise ConfigError(f"workers is {workers}, but has to be a whole number from 1.")
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"seed is {seed}, but has to be a whole number from 0 to {MAX_SEED}.")


def _place(place: Path, name: str | None, runs: Path, hands: TuningHands, settings: Mapping[str, Any]) -> Path:
    """Return the folder of the search: of one that was begun on the same hands with the same settings, or a new one.

    Raises RunError when something else has the name that was asked for.
    """
    wanted = valid_run_name(name if name is not None else f"{run_name(place)}-tune")
    number, folder = 1, runs / wanted
    while folder.exists():
        why = f"{folder} exists and is no search"
        if (folder / STUDY).is_file():
            its, about = load_tuning_hands(folder)
            if its.fingerprint == hands.fingerprint and about["settings"] == settings:
                return folder
            why = f'The search "{folder.name}" is of other hands or has other settings'
        if name is not None:
            raise RunError(f"{why}: choose another --name, or remove it.")
        number += 1
        folder = runs / f"{wanted}-{number}"
    return folder


def _make_folder(folder: Path, hands: TuningHands, about: Mapping[str, Any], space: Space) -> None:
    """Make the folder of a new search, with all that it needs from now on; it appears at once or not at all."""
    recipe = recipe_for(tune_space.FIXED, len(hands), list(hands.hands.labels))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=folder.parent) as temporary:
        unseen = Path(temporary) / "search"
        unseen.mkdir()
        hands.save(unseen / HANDS, about)
        Study.create(unseen, space, about["settings"]["seed"], own_parameters(recipe, space))
        try:
            unseen.rename(folder)
        except OSError:
            if folder.exists():
                raise RunError(f"{folder} was made by another search meanwhile: use another --name.") from None
            raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other searches out of a folder."""
    try:
        with FileLock(folder / _LOCK, timeout=0):
            yield
    except Timeout:
        raise RunError(f"{folder} is being searched by another process: wait for its end.") from None


def _search(
    folder: Path,
    trials: int | None,
    timeout: float | None,
    workers: int | None,
    progress: StageProgress | None,
    on_trial: TrialReport | None,
) -> Tuning:
    from gesture_maker.landmarks.local_engine import usable_cores

    with _alone(folder):
        hands, about = load_tuning_hands(folder)
        settings = about["settings"]
        space = {name: values for name, values in tune_space.SPACE.items() if name in settings["space"]}
        if as_text(space) != settings["space"]:
            raise RunError(
                f"{folder} was begun by another version, with other ranges: search anew, with another --name."
            )
        with closing(Study(folder, space, settings["seed"])) as study:
            trials = trials or study.kept("trials") or TRIALS
            study.keep("trials", trials)
            study.take_up()
            if (folder / TUNING).is_file() and not study.left(trials):
                return load_tuning(folder)
            search = Search(study, hands, settings, trials, timeout, progress, on_trial)
            with _told_how_to_go_on(folder, search), Workers(folder, workers or usable_cores()) as processes:
                best, verdict = search.run(processes)
            tuning = Tuning(
                path=folder,
                data=about["data"],
                fingerprint=hands.fingerprint,
                labels=hands.hands.labels,
                hands=len(hands),
                settings={**settings, "trials": trials},
                trials=tuple(study.trials()),
                best=best,
                verdict=verdict,
                versions=versions() | {"optuna": metadata.version("optuna")},
                created=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                warnings=(*about["warnings"], *search.warnings),
            )
        write_config(tuning)
        save_tuning_plot(tuning, folder / PICTURE)
        tuning.save()
    return tuning


@contextmanager
def _told_how_to_go_on(folder: Path, search: Search) -> Iterator[None]:
    """Let Ctrl-C in the block say how the search can go on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        call = folder.name if folder.resolve() == (RUNS / folder.name).resolve() else str(folder)
        raise KeyboardInterrupt(
            f'The search "{folder.name}" was interrupted after {search.done} of {search.wanted} trials: go on with '
            f"`gesture-maker tune --resume {shlex.quote(call)}`."
        ) from interrupt
