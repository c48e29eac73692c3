"""Grid search by cross-validation, on all cores, that goes on where it was interrupted.

Each attempt (one set of settings, trained without one fold) is a task of its own, so that two cores are busy to the end. Features are
worked out once, since the transformers learn nothing, and the processes share them by memory-mapping. Every process uses one
thread: a forest on two threads, beside another on two, is slower than both on one.

What ended is a line of `fits.jsonl` at once. The first line says of what hands, folds, seed and versions the fits are; a line
that was cut is passed over.
"""

from __future__ import annotations

import contextlib
import json
import signal
import time
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.classifiers.classifier import scores_of
from gesture_maker.classifiers.comparison import Fit, Scores, fit_from
from gesture_maker.classifiers.kinds import KINDS, MODEL_MAKER, Kind, make_estimator, make_features
from gesture_maker.errors import GestureMakerError, RunError
from gesture_maker.evaluation.metrics import Metrics, measure
from gesture_maker.files import write_text
from gesture_maker.landmarks.hands import Floats
from gesture_maker.progress import Progress

Integers = npt.NDArray[np.int64]

IDENTITY = "search"
"""The only key of the first line of `fits.jsonl`."""

ALONE_BELOW = 5.0
"""Seconds of work up to which this process does it alone. Another takes 2 s until it has imported scikit-learn, so that two of
them are sooner ready from 4 s on."""

_PASSED_ON_ABOVE = 50_000  # bytes of an array that go by a memory-mapped file, not with every task


@dataclass(frozen=True)
class Attempt:
    """Settings of a kind of classifier on some features, and the fold that is not trained on but asked about."""

    kind: str
    features: str
    parameters: Mapping[str, Any]
    fold: int

    @property
    def key(self) -> str:
        """The same for the same attempt, also when it comes from a file."""
        return json.dumps([self.kind, self.features, self.parameters, self.fold], sort_keys=True)


@dataclass(frozen=True)
class Best:
    """The best settings of a kind: the means of the folds' scores, and the standard deviation of their accuracies."""

    kind: str
    features: str
    parameters: Mapping[str, Any]
    tried: int
    scores: Scores
    spread: float


def attempts_of(
    kinds: Sequence[Kind], features: Sequence[str], folds: int, hands: int
) -> tuple[list[Attempt], tuple[str, ...]]:
    """Return what is to be tried, in a fixed order, and sentences on what is left out.

    `hands`: of the smallest part that is trained on; nearest neighbours cannot be asked for more than there are. Model Maker's
    head has its own features, whatever is asked for.
    """
    found, left_out = [], []
    for kind in kinds:
        candidates = [one for one in kind.candidates() if one.get("n_neighbors", 0) <= hands]
        if len(candidates) < len(kind.candidates()):
            most = max(one["n_neighbors"] for one in kind.candidates())
            left_out.append(f"With {hands} hands to train on, {kind.title} is not tried with up to {most} neighbours.")
        for name in ("builtin",) if kind.name == MODEL_MAKER else features:
            found += [Attempt(kind.name, name, one, fold) for one in candidates for fold in range(folds)]
    return found, tuple(left_out)


def search(
    attempts: Sequence[Attempt],
    rows: Floats,
    classes: Integers,
    fold: Integers,
    labels: tuple[str, ...],
    *,
    seed: int,
    file: Path,
    identity: Mapping[str, Any],
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Fit]:
    """Return the fits of all attempts, in their order.

    `rows`: hands [N, 127]; `classes`: int64 [N], indices into `labels`; `fold`: int64 [N]. `file`: where fits are kept; those that
    it has of the same `identity` are not done again. `workers`: processes, by default one a core. Raises RunError when an attempt
    fails; what the others brought is kept.
    """
    kept = KeptFits(file, identity)
    done = kept.load()
    left = [one for one in attempts if one.key not in done]
    given = {name: rows if name == MODEL_MAKER else make_features(name).transform(rows) for name in _inputs(left)}
    left.sort(
        key=lambda one: -seconds_of(one, len(rows))
    )  # stable; the longest first, so that no core waits at the end
    total = len(attempts)
    if progress:
        progress(total - len(left), total)
    with contextlib.closing(_outcomes(left, given, classes, fold, labels, seed, workers)) as outcomes:
        for number, fit in enumerate(outcomes, total - len(left) + 1):
            kept.add(fit)
            done[_attempt_of(fit).key] = fit
            if progress:
                progress(number, total)
    return [replace(done[one.key], parameters=one.parameters) for one in attempts]  # JSON knows no tuples


def best_of(fits: Sequence[Fit], kind: str) -> Best:
    """Return the best settings of a kind by mean accuracy over the folds; of equals the first tried, which is the smaller model.

    Times do not count, since they would make the winner of equals another in every run.
    """
    by_settings: dict[str, list[Fit]] = {}
    for fit in fits:
        if fit.kind == kind:
            by_settings.setdefault(Attempt(kind, fit.features, fit.parameters, 0).key, []).append(fit)
    found = [_summed_up(kind, group, len(by_settings)) for group in by_settings.values()]
    return max(found, key=lambda one: round(one.scores.accuracy, 12))  # the first of equals


def scores_from(metrics: Metrics) -> Scores:
    """Return accuracy, and the means of precision, recall and F1 over the classes that have hands, 0 where nothing was answered."""
    there = [values for values in metrics.per_class.values() if values["support"]]
    precision, recall, f1 = (float(np.mean([one[name] for one in there])) for name in ("precision", "recall", "f1"))
    return Scores(metrics.accuracy, precision, recall, f1)


def measured(classes: Integers, answers: Integers, labels: Sequence[str]) -> Metrics:
    """Return the metrics of answers int64 [N] to hands of classes int64 [N], both indices into the labels."""
    return measure([labels[index] for index in classes], [labels[index] for index in answers], labels)


def seconds_of(attempt: Attempt, hands: int) -> float:
    """Return about how long an attempt takes on one core, for N hands, to order attempts; measured with 1,000 and 25,000 hands."""
    given = attempt.parameters
    if (
        attempt.kind == MODEL_MAKER
    ):  # as many steps whatever the hands; and of TensorFlow's import every process has its part
        return 3.0 + 1e-4 * hands
    if attempt.kind == "random-forest":
        return float(3.3e-7 * given["n_estimators"] * hands * np.log2(max(2, hands)))
    if attempt.kind == "mlp":
        return 0.25 + 5e-5 * hands
    if attempt.kind == "logistic-regression":
        return 1e-5 * hands
    return hands * hands * (9e-9 if given["metric"] == "manhattan" else 9e-10)


@dataclass(frozen=True)
class KeptFits:
    """The fits in `fits.jsonl`, which are of one `identity`: plain values that decide what a fit comes to."""

    file: Path
    identity: Mapping[str, Any]

    def load(self) -> dict[str, Fit]:
        """Return the fits by the keys of their attempts, and make the file ready for more. Raises RunError for another identity."""
        there = identity_in(self.file)
        if there is not None and there != self.identity:
            raise RunError(f"{self.file} is of other hands or settings: compare under another name.")
        whole, lines = {}, [json.dumps({IDENTITY: self.identity})]
        for line in self.file.read_text(encoding="utf-8", errors="replace").splitlines()[1:] if there else ():
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):  # cut by a kill
                fit = fit_from(json.loads(line))
                whole[_attempt_of(fit).key] = fit
                lines.append(line)
        write_text(self.file, "".join(f"{line}\n" for line in lines))
        return whole

    def add(self, fit: Fit) -> None:
        """Add a fit at once."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(fit)) + "\n")


def identity_in(file: Path) -> Any:
    """Return the identity that the fits in a file are of, None when there is no file or its first line is damaged."""
    try:
        with file.open(encoding="utf-8") as lines:
            return json.loads(lines.readline())[IDENTITY]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _inputs(attempts: Sequence[Attempt]) -> set[str]:
    return {_input_of(one) for one in attempts}


def _input_of(attempt: Attempt) -> str:
    """Return what an attempt is given: features, or for Model Maker's head, which varies hands, the rows themselves."""
    return MODEL_MAKER if attempt.kind == MODEL_MAKER else attempt.features


def _attempt_of(fit: Fit) -> Attempt:
    return Attempt(fit.kind, fit.features, fit.parameters, fit.fold)


def _summed_up(kind: str, fits: Sequence[Fit], tried: int) -> Best:
    fits = sorted(fits, key=lambda one: one.fold)
    means = {name: float(np.mean([getattr(one.scores, name) for one in fits])) for name in Scores.__dataclass_fields__}
    spread = float(np.std([one.scores.accuracy for one in fits]))
    return Best(kind, fits[0].features, fits[0].parameters, tried, Scores(**means), spread)


def _outcomes(
    attempts: Sequence[Attempt],
    given: Mapping[str, Floats],
    classes: Integers,
    fold: Integers,
    labels: tuple[str, ...],
    seed: int,
    workers: int | None,
) -> Generator[Fit, None, None]:
    """Yield the fits as they end; when the generator is closed, the processes are ended."""
    from joblib import cpu_count  # type: ignore[import-untyped]

    tasks = [(one, given[_input_of(one)], classes, fold, labels, seed) for one in attempts]
    work = sum(seconds_of(one, len(classes)) for one in attempts)
    at_once = min(workers or cpu_count(), len(tasks))
    if at_once < 2 or (workers is None and work < ALONE_BELOW):
        for task in tasks:
            outcome = _try(*task)
            if isinstance(outcome, str):
                raise RunError(outcome)
            yield outcome
        return
    yield from _by_processes(tasks, at_once)


def _by_processes(tasks: Sequence[tuple[Any, ...]], at_once: int) -> Iterator[Fit]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor  # type: ignore[import-untyped]
    from joblib.externals.loky.process_executor import TerminatedWorkerError  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        # That work is given up when somebody presses Ctrl-C; that a process was renewed because it had grown.
        warnings.filterwarnings("ignore", category=UserWarning, module="joblib")
        try:
            with parallel_config(backend="loky", inner_max_num_threads=1):
                parallel = Parallel(at_once, return_as="generator_unordered", max_nbytes=_PASSED_ON_ABOVE)
            with _without_interrupts():
                outcomes = parallel(delayed(_try)(*task) for task in tasks)
            with contextlib.closing(outcomes):
                for outcome in outcomes:
                    if isinstance(outcome, str):
                        raise RunError(outcome)
                    yield outcome
        except TerminatedWorkerError as error:
            raise RunError(
                "A process of the search was ended by the system, most likely because memory ran out: what the others "
                "found is kept, run the same command with fewer --jobs to go on."
            ) from error
        finally:
            get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from processes and threads that are started in the block: this process alone takes it, and ends them.

    A terminal sends it to all of them, and each would tell of it with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # before: where it starts in the block, it lets Ctrl-C through again (Python 3.10 to 3.13)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _try(
    attempt: Attempt, given: Floats, classes: Integers, fold: Integers, labels: tuple[str, ...], seed: int
) -> Fit | str:
    """Return the fit of an attempt, or a sentence on why it failed: an exception from a process comes with all its traceback."""
    try:
        return _fit(attempt, given, classes, fold, labels, seed)
    except GestureMakerError as error:
        why = str(error)
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".") + "."
    settings = ", ".join(f"{name} {value}" for name, value in attempt.parameters.items())
    title = KINDS[attempt.kind].title
    return f"Training {title} ({settings}) failed, leave it out with --classifier. {why}"


def _fit(attempt: Attempt, given: Floats, classes: Integers, fold: Integers, labels: tuple[str, ...], seed: int) -> Fit:
    train, test = np.flatnonzero(fold != attempt.fold), np.flatnonzero(fold == attempt.fold)
    estimator = make_estimator(attempt.kind, attempt.parameters, labels, seed)
    began = time.time()
    with on_one_core(attempt.kind):
        begin = time.process_time()
        estimator.fit(given[train], classes[train])
        trained = time.process_time()
        answers = scores_of(estimator, given[test], len(labels)).argmax(axis=1)
        ended = time.process_time()
    return Fit(
        attempt.kind,
        attempt.features,
        dict(attempt.parameters),
        attempt.fold,
        scores_from(measured(classes[test], answers, labels)),
        len(test),
        began,
        trained - begin,
        (ended - trained) / len(test),
    )


@contextlib.contextmanager
def on_one_core(kind: str) -> Iterator[None]:
    """Let what is trained in the block use one thread, with its libraries imported and without its warnings.

    Those are of scikit-learn about iterations that did not come to their end, which is what `max_iter` is tried for.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if kind == MODEL_MAKER:  # or its import, 3 s, would count as training
        from gesture_maker.training.model_maker import load_model_maker

        load_model_maker()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
