"""Training a network over sequences, epoch by epoch, so that it can be stopped at any moment and taken up again.

Everything random follows from the seed and the number of the epoch or step: the order, the variants (new ones in every epoch) and
what dropout leaves out. See `training/epochs.py`.

An epoch of 1,024 sequences of 30 x 63 takes 1.5 s of one core with the default network; with Keras's own LSTM layers 1.7, unrolled
1.6 and more before the first step, on two threads 2.3 of two cores, and unrolled for XLA 3.1 and 100 before the first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.files import sha256_of, write_json
from gesture_maker.progress import Progress
from gesture_maker.training.epochs import State, Trainer, class_weights, run_epochs
from gesture_maker.training.keeper import CHECKPOINT
from gesture_maker.training.keras_files import MODEL, answers_of, load_network, save_network
from gesture_maker.training.motion.augment import Floats, Integers, augmented, is_hand, unit_of
from gesture_maker.training.motion.network import Shape, copied, trainable
from gesture_maker.training.motion.settings import MotionSettings
from gesture_maker.training.tensorflow_runtime import load_tensorflow, seed_everything

HISTORY = "history.json"

ASKED_AT_ONCE = 256  # sequences


@dataclass(frozen=True)
class Fitted:
    """A trained network. `path`: its `model.keras`; `history`: by name a number for each epoch; `best_epoch`: that whose weights it has,
    from 1 on; `epochs`: that were trained; `seconds`: of training, all sittings together; `parameters`: numbers that were learned."""

    path: Path
    history: dict[str, list[float]]
    best_epoch: int
    epochs: int
    seconds: float
    parameters: int


def fit(
    train: tuple[Floats, Integers],
    validation: tuple[Floats, Integers] | None,
    labels: Sequence[str],
    settings: MotionSettings,
    folder: Path,
    progress: Progress | None = None,
) -> Fitted:
    """Train on sequences float32 [N, T, F] with their classes int64 [N], write `model.keras` and `history.json` into the folder.

    Kept are the weights with the lowest loss on the validation part; without one, all epochs are trained, and the last are kept. Equal
    data, settings and seed give equal weights on one machine, interrupted or not: a checkpoint in the folder of the same training is
    gone on from. `progress` is called with epochs done, and of how many at most. Raises RunError when the loss is no number.
    """
    x, y = _checked(*train, labels)
    asked = _checked(*validation, labels) if validation is not None and len(validation[1]) else None
    shape = Shape(x.shape[1], x.shape[2], len(labels), None if is_hand(x) else unit_of(x))
    training = _identity((x, y), asked, labels, settings)
    seed_everything(settings.seed)
    step = load_tensorflow().Variable(0, dtype="int32", trainable=False)
    network = Trainer(
        trainable(settings, shape, step),
        (None, shape.frames, shape.numbers),
        shape.classes,
        step,
        settings.learning_rate,
        weights=class_weights(y, len(labels)) if settings.class_weights else None,
        smoothing=settings.label_smoothing,
    )
    state = State.load(folder / CHECKPOINT, training) or network.state(State(rate=settings.learning_rate))
    network.take(state)
    state = run_epochs(
        state,
        lambda before: _epoch(network, before, (x, y), asked, settings),
        settings.epochs,
        settings if asked is not None else None,
        folder / CHECKPOINT,
        training,
        progress,
    )
    return _kept(state, settings, shape, folder)


def predict(model_path: Path, x: Floats) -> Floats:
    """Return the scores, float32 [N, classes], of sequences [N, T, F]. Raises RunError for a file that is no model."""
    return answers_of(load_network(model_path), x, ASKED_AT_ONCE)


def _epoch(
    network: Trainer,
    state: State,
    train: tuple[Floats, Integers],
    validation: tuple[Floats, Integers] | None,
    settings: MotionSettings,
) -> State:
    """Return where the training is after one more epoch."""
    rng = np.random.default_rng((settings.seed, state.epochs + 1))
    x, y = augmented(*train, settings, rng)
    order = rng.permutation(len(y))
    batches = np.array_split(order, math.ceil(len(order) / settings.batch_size))  # none is of a single sequence
    row = network.learned((x[batch], y[batch]) for batch in batches)
    if validation is not None:
        measured = network.measured(_pieces(*validation))
        row |= {f"val_{name}": value for name, value in measured.items()}
    return network.after(state, row, settings)


def _pieces(x: Floats, y: Integers) -> Iterator[tuple[Floats, Integers]]:
    for begin in range(0, len(y), ASKED_AT_ONCE):
        yield x[begin : begin + ASKED_AT_ONCE], y[begin : begin + ASKED_AT_ONCE]


def _kept(state: State, settings: MotionSettings, shape: Shape, folder: Path) -> Fitted:
    model = copied(settings, shape, state.best)
    save_network(model, folder / MODEL)
    write_json(folder / HISTORY, state.history)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return Fitted(
        folder / MODEL,
        state.history,
        state.patience.best_epoch,
        state.epochs,
        state.seconds,
        int(sum(np.prod(weight.shape) for weight in model.trainable_weights)),
    )


def _checked(x: Any, y: Any, labels: Sequence[str]) -> tuple[Floats, Integers]:
    x, y = np.asarray(x, np.float32), np.asarray(y, np.int64)
    if x.ndim != 3 or len(x) != len(y) or len(x) < 2:
        raise ValueError(f"sequences {x.shape} and classes {y.shape} do not fit together")
    if y.min() < 0 or y.max() >= len(labels):
        raise ValueError(f"classes from {y.min()} to {y.max()} for {len(labels)} labels")
    if not np.isfinite(x).all():
        raise ValueError("the sequences hold what is no number")
    return x, y


def _identity(train: Any, validation: Any, labels: Sequence[str], settings: MotionSettings) -> str:
    """Return a checksum of everything that a training follows from."""
    arrays: Mapping[str, Any] = {"train": train, "validation": validation or ()}
    told = {name: [sha256_of(np.ascontiguousarray(one).tobytes()) for one in arrays[name]] for name in arrays}
    return sha256_of(json.dumps([told, list(labels), settings.to_json()], sort_keys=True).encode())
