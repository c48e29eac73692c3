"""A search under way: trials from the study to the processes and back, and at the end the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gesture_maker.classifiers.tune_hands import TuningHands
from gesture_maker.classifiers.tune_study import Study
from gesture_maker.classifiers.tune_verdict import Outcome, best_few, judge, nothing_to_judge, seeds_of
from gesture_maker.classifiers.tune_workers import Workers, one_by_one
from gesture_maker.classifiers.tuned import Trial, Verdict
from gesture_maker.errors import RunError
from gesture_maker.progress import StageProgress

TrialReport = Callable[[Trial, Trial | None], None]
"""Called after each trial with it, and with the best one so far."""


class Search:
    """The trials that are missing to `wanted` in all, then the verdict. `warnings`: what went wrong without ending it."""

    def __init__(
        self,
        study: Study,
        hands: TuningHands,
        settings: Mapping[str, Any],
        wanted: int,
        timeout: float | None,
        progress: StageProgress | None,
        on_trial: TrialReport | None,
    ) -> None:
        self.wanted = wanted
        self.warnings: list[str] = []
        self.folds = int(settings["folds"])
        self._study, self._hands = study, hands
        self._seed, self._fixed = int(settings["seed"]), dict(settings["fixed"])
        self._until = None if timeout is None else time.monotonic() + timeout
        self._progress, self._on_trial = progress, on_trial

    @property
    def done(self) -> int:
        """How many trials have ended."""
        return len(self._study.trials())

    def run(self, processes: Workers) -> tuple[int, Verdict]:
        """Make the trials and return the number of the best and the verdict. Raises RunError when the first one fails."""
        self.report()
        processes.run(self._next)
        own = next((trial for trial in self._study.trials() if trial.number == 0), None)
        if own is None or own.state != "complete":
            why = self._study.why_failed(0) or "there was no time for them."
            raise RunError(f"The recipe's own settings could not be tried on these hands: {why}")
        return self._judged(processes, own)

    def report(self) -> None:
        """Say how many trials have ended."""
        if self._progress:
            self._progress("tuning", min(self.done, self.wanted), self.wanted)

    def trial_ended(self, number: int) -> None:
        """Say that one has."""
        self.report()
        if not self._on_trial:
            return
        trials = self._study.trials()
        complete = [trial for trial in trials if trial.loss is not None]
        best = min(complete, key=lambda trial: (trial.loss, trial.number), default=None)
        self._on_trial(next(trial for trial in trials if trial.number == self._study.first_of(number)), best)

    def job(self, settings: Mapping[str, Any], seed: int, hands: bool) -> dict[str, Any]:
        """Return what a worker is told to try."""
        return {"settings": {**self._fixed, **settings}, "seed": seed, "hands": hands}

    def _next(self) -> _TrialTask | None:
        late = self._until is not None and time.monotonic() > self._until
        if late or not self._study.left(self.wanted):
            return None
        number, settings = self._study.ask()
        return _TrialTask(self, self._study, number, self.job(settings, self._seed, False))

    def _judged(self, processes: Workers, own: Trial) -> tuple[int, Verdict]:
        trials = {trial.number: trial for trial in self._study.trials()}
        few = best_few(list(trials.values()))
        if not few:
            return 0, nothing_to_judge(own)
        choosing, comparing = seeds_of(self._seed)
        total = (len(few) if len(few) > 1 else 0) + 2 * len(comparing)
        done = 0

        def ended() -> None:
            nonlocal done
            done += 1
            if self._progress:
                self._progress("verdict", done, total)

        def outcomes(numbers: Sequence[int], seeds: Sequence[int]) -> dict[tuple[int, int], Outcome]:
            """Cross-validate these trials' settings with these seeds, those that were not before."""
            wanted = [(number, seed) for number in numbers for seed in seeds]
            tasks = [
                _VerdictTask(self, self._study, one, self.job(trials[one[0]].settings, one[1], True), ended)
                for one in wanted
                if self._study.kept(_name(*one)) is None
            ]
            for _ in range(len(wanted) - len(tasks)):
                ended()
            while left := [task for task in tasks if self._study.kept(_name(*task.what)) is None]:  # lost ones again
                processes.run(one_by_one(left))
            return {one: Outcome.of(self._study.kept(_name(*one))) for one in wanted}

        if self._progress:
            self._progress("verdict", 0, total)
        best = few[0]
        if len(few) > 1:
            found = outcomes(few, [choosing])
            best = min(few, key=lambda number: found[number, choosing].loss)
        found = outcomes([best, 0], comparing)
        return best, judge(
            best, [found[best, seed] for seed in comparing], [found[0, seed] for seed in comparing], self._hands.units
        )

    def warn(self, sentence: str) -> None:
        """Keep a sentence for the user."""
        self.warnings.append(sentence)


class _TrialTask:
    """A trial of the study."""

    def __init__(self, search: Search, study: Study, number: int, job: Mapping[str, Any]) -> None:
        self.job = job
        self._search, self._study, self._number = search, study, number

    def after_fold(self, told: Mapping[str, Any]) -> bool:
        self._search.report()
        worth = self._study.report(self._number, told["fold_losses"])
        return worth or len(told["fold_losses"]) == self._search.folds  # after the last nothing is saved

    def end(self, told: Mapping[str, Any]) -> None:
        self._study.end(self._number, told)
        self._search.trial_ended(self._number)

    def lost(self, how: str) -> None:
        again = self._study.lost(self._number, how)
        first = self._study.first_of(self._number)
        then = "its settings were tried again" if again else "it counts as failed"
        self._search.warn(f"The process of trial {first} was ended {how}: {then}.")
        if not again:
            self._search.trial_ended(self._number)


class _VerdictTask:
    """The settings of a trial, `what[0]`, on folds of another seed, `what[1]`."""

    def __init__(
        self, search: Search, study: Study, what: tuple[int, int], job: Mapping[str, Any], ended: Callable[[], None]
    ) -> None:
        self.job, self.what = job, what
        self._search, self._study, self._ended = search, study, ended

    def after_fold(self, told: Mapping[str, Any]) -> bool:  # noqa: ARG002
        return True

    def end(self, told: Mapping[str, Any]) -> None:
        self._study.keep(_name(*self.what), dict(told))
        self._ended()

    def lost(self, how: str) -> None:
        self._search.warn(f"A process of the last comparison was ended {how}: what it did was done again.")


def _name(number: int, seed: int) -> str:
    return f"trial {number}, seed {seed}"
