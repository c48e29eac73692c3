"""The study of a search: Optuna's, in a file of its own, from which an interrupted search goes on.

The sampler is a tree-structured Parzen estimator. Each trial has a sampler of its own, seeded by the search's seed and the number of
trials before it: so a search that goes on draws what it would have drawn, and not again what it drew at its beginning.

The pruner compares a trial with the best one fold by fold (Wilcoxon's signed ranks). Optuna's median pruner would take a trial's
least loss so far, and a trial whose first fold is an easy one would never be pruned.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from gesture_maker.classifiers.tune_space import Space, distributions, settings_of
from gesture_maker.classifiers.tuned import Trial
from gesture_maker.errors import RunError

STUDY = "study.db"

PRUNE_BELOW = 0.2
"""The probability of a trial's being as far behind the best one by chance. Of five folds three then suffice, if it is behind in each
(0.125); with Optuna's usual 0.1 it would take four."""

RANDOM_TRIALS = 10
"""Trials before the sampler believes that it knows something; Optuna's own number."""

MOST_TRIES = 3
"""Of a trial whose process is killed; by then it is taken to be the trial's own fault, such as its need of memory."""

WAIT_SECONDS = 60.0
"""For the file, if somebody else looks at it, such as Optuna's dashboard."""

_OWN, _INTERRUPTED, _AGAIN = "own", "interrupted", "again_of"


class Study:
    """The study in a folder. `space`: what its trials may change."""

    def __init__(self, folder: Path, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed
        self._distributions = distributions(space)
        self._file = folder / STUDY
        with _told(self._file):
            self._study = _opened(self._file)
        self._running: dict[int, Any] = {}

    @classmethod
    def create(cls, folder: Path, space: Space, seed: int, own: Mapping[str, Any]) -> None:
        """Make the file of a new study, whose first trial is the recipe's `own` parameters."""
        study = cls(folder, space, seed)
        study._study.enqueue_trial(dict(own), user_attrs={_OWN: True})
        study.close()

    def close(self) -> None:
        """Let go of the file."""
        self._study._storage.remove_session()
        storage = self._study._storage
        getattr(storage, "_backend", storage).engine.dispose()

    def take_up(self) -> None:
        """Mark trials that were under way when the search was interrupted as failed, and have their settings tried again."""
        with _told(self._file):
            for trial in self._all():
                if trial.state.name == "RUNNING":
                    self._try_again(trial)

    def left(self, trials: int) -> int:
        """Return how many trials are missing to so many in all; those under way count."""
        return max(0, trials - len([one for one in self._all() if one.state.name != "WAITING" and not _gone(one)]))

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Begin a trial, and return its number and its settings, which are empty for the recipe's own."""
        before = [one for one in self._all() if one.state.name != "WAITING" and not _gone(one)]
        with _told(self._file):
            self._study.sampler = _sampler(self._seed, len(before))
            trial = self._study.ask(self._distributions)
        self._running[trial.number] = trial
        own = trial.user_attrs.get(_OWN, False)
        return trial.number, {} if own else settings_of(trial.params, self._space)

    def report(self, number: int, fold_losses: list[float]) -> bool:
        """Write down the folds of a trial so far, and return whether it is worth going on. The recipe's own always is."""
        trial = self._running[number]
        with _told(self._file), _quiet():
            trial.report(fold_losses[-1], len(fold_losses) - 1)
            return bool(trial.user_attrs.get(_OWN)) or not trial.should_prune()

    def end(self, number: int, told: Mapping[str, Any]) -> None:
        """Write down how a trial ended: `kind` is "done", "stopped" or "failed"."""
        from optuna.trial import TrialState

        trial = self._running.pop(number)
        with _told(self._file), _quiet():
            for name in ("accuracy", "fold_losses", "sentence"):
                if name in told:
                    trial.set_user_attr(name, told[name])
            if told["kind"] == "done":
                self._study.tell(trial, float(told["loss"]))
            else:
                self._study.tell(trial, state=TrialState.PRUNED if told["kind"] == "stopped" else TrialState.FAIL)

    def lost(self, number: int, how: str) -> bool:
        """Have the settings of a trial whose process was killed tried again; False when that was done too often."""
        self._running.pop(number)
        with _told(self._file):
            trial = next(one for one in self._all() if one.number == number)
            if len(self._chain(trial)) < MOST_TRIES:
                self._try_again(trial)
                return True
            self._study._storage.set_trial_user_attr(trial._trial_id, "sentence", f"Its process was ended {how}.")
            self._fail(trial)
            return False

    def trials(self) -> list[Trial]:
        """Return the trials that have ended, by number: of settings that were tried again the number of the first time."""
        found = []
        with _told(self._file):
            for one in self._all():
                if one.state.is_finished() and not _gone(one):
                    found.append(self._as_trial(one))
        return sorted(found, key=lambda trial: trial.number)

    def kept(self, name: str) -> Any:
        """Return what was kept with the study under a name, None when nothing was."""
        with _told(self._file):
            return self._study.user_attrs.get(name)

    def keep(self, name: str, value: Any) -> None:
        """Keep a plain value with the study."""
        with _told(self._file):
            self._study.set_user_attr(name, value)

    def first_of(self, number: int) -> int:
        """Return the number that a trial has in `trials()`: that of the first time its settings were tried."""
        return int(self._chain(next(one for one in self._all() if one.number == number))[-1].number)

    def why_failed(self, number: int) -> str:
        """Return the sentence of a failed trial, by its number in `trials()`."""
        found = [one for one in self._all() if self._chain(one)[-1].number == number]
        return str(found[-1].user_attrs.get("sentence", "")) if found else ""

    def _all(self) -> list[Any]:
        return list(self._study.get_trials(deepcopy=False))

    def _chain(self, trial: Any) -> list[Any]:
        """Return a trial and those that it is another try of, the first one last."""
        numbers = {one.number: one for one in self._all()}
        chain = [trial]
        while (before := chain[-1].user_attrs.get(_AGAIN)) is not None:
            chain.append(numbers[before])
        return chain

    def _try_again(self, trial: Any) -> None:
        # In this order: a kill in between leaves it running, and waiting too, which the next time is seen.
        if not any(one.user_attrs.get(_AGAIN) == trial.number for one in self._all()):
            about = {_AGAIN: trial.number} | ({_OWN: True} if trial.user_attrs.get(_OWN) else {})
            parameters = trial.params or trial.system_attrs.get("fixed_params", {})
            self._study.enqueue_trial(dict(parameters), user_attrs=about)
        self._study._storage.set_trial_user_attr(trial._trial_id, _INTERRUPTED, True)
        self._fail(trial)

    def _fail(self, trial: Any) -> None:
        from optuna.trial import TrialState

        self._study.tell(trial.number, state=TrialState.FAIL)

    def _as_trial(self, one: Any) -> Trial:
        state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(one.state.name, "failed")
        own = bool(one.user_attrs.get(_OWN))
        so_far = [one.intermediate_values[step] for step in sorted(one.intermediate_values)]
        began, ended = one.datetime_start.timestamp(), one.datetime_complete.timestamp()
        return Trial(
            number=self._chain(one)[-1].number,
            settings={} if own else settings_of(one.params, self._space),
            state=state,
            loss=one.value if state == "complete" else None,
            accuracy=one.user_attrs.get("accuracy") if state == "complete" else None,
            fold_losses=tuple(
                one.user_attrs.get("fold_losses", so_far)
            ),  # of all folds at one temperature, if there are all
            began=began,
            seconds=ended - began,
        )


def _gone(trial: Any) -> bool:
    return bool(trial.user_attrs.get(_INTERRUPTED))


def _sampler(seed: int, before: int) -> Any:
    from optuna.samplers import TPESampler

    own_seed = int(np.random.SeedSequence((seed, before)).generate_state(1)[0])
    with _quiet():
        # Settings depend on each other (learning rate and decay), and trials that are under way are not to be tried twice.
        return TPESampler(seed=own_seed, n_startup_trials=RANDOM_TRIALS, multivariate=True, constant_liar=True)


def _opened(file: Path) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(_address(file), engine_kwargs={"connect_args": {"timeout": WAIT_SECONDS}})
    with _quiet():
        pruner = optuna.pruners.WilcoxonPruner(p_threshold=PRUNE_BELOW)
        return optuna.create_study(
            storage=storage, study_name="tune", direction="minimize", pruner=pruner, load_if_exists=True
        )


def _address(file: Path) -> str:
    """Return the address of an SQLite file, whatever the names of its folders hold. Older SQLAlchemy takes a path as it is."""
    from sqlalchemy.engine import make_url

    path = str(file.absolute())
    for written in (quote(path), path):
        if "{" not in written and make_url(f"sqlite:///{written}").database == path:
            return f"sqlite:///{written}"
    raise RunError(f"{file} cannot be a study, because of a character in its path: use another folder.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Say nothing of what Optuna calls experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Say of which file it is that cannot be read or written."""
    import sqlite3

    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError, sqlite3.Error) as error:
        cause = " ".join(str(error.__cause__ or error).split("\n")[0].split())
        raise RunError(
            f"{file} cannot be read or written ({cause}): make room, or search anew with another --name."
        ) from error
