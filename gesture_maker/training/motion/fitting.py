"""Training a network over sequences, epoch by epoch, so that it can be stopped at any moment and taken up again.

Everything random follows from the seed and the number of the epoch or step: the order, the variants (new ones in every epoch) and
what dropout leaves out. A checkpoint holds the weights, those of the best epoch, and the optimizer's state. So a training
that was interrupted ends with the bytes that it would have had without. What Keras's EarlyStopping and ReduceLROnPlateau do is done
by `Patience`, a few numbers that fit into the checkpoint.

An epoch of 1,024 sequences of 30 x 63 takes 1.5 s of one core with the default network; with Keras's own LSTM layers 1.7, unrolled
1.6 and more before the first step, on two threads 2.3 of two cores, and unrolled for XLA 3.1 and 100 before the first.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.errors import RunError
from gesture_maker.files import atomic_write, sha256_of, write_json
from gesture_maker.training.keeper import CHECKPOINT, CHECKPOINT_SECONDS
from gesture_maker.training.motion.augment import Floats, Integers, augmented, is_hand, unit_of
from gesture_maker.training.motion.network import Shape, copied, trainable
from gesture_maker.training.motion.settings import MotionSettings
from gesture_maker.training.tensorflow_runtime import load_tensorflow, seed_everything

MODEL, HISTORY = "model.keras", "history.json"

ASKED_AT_ONCE = 256  # sequences

Progress = Callable[[int, int], None]


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


@dataclass
class Patience:
    """What follows from the loss of each epoch: which is the best, when the learning rate goes down, and when there is nothing to wait for."""

    best: float = math.inf
    best_epoch: int = 0
    since_best: int = 0
    since_reduced: int = 0

    def told(self, loss: float, epoch: int) -> bool:
        """Take in the loss of an epoch; True when it is the lowest until now."""
        if loss < self.best:
            self.best, self.best_epoch = loss, epoch
            self.since_best = self.since_reduced = 0
            return True
        self.since_best += 1
        self.since_reduced += 1
        return False

    def reduced(self, rate: float, settings: MotionSettings) -> float:
        """Return the learning rate for the next epoch."""
        if self.since_reduced < settings.reduce_patience:
            return rate
        self.since_reduced = 0
        return max(rate * settings.reduce_factor, min(rate, settings.min_learning_rate))


@dataclass
class _State:
    """Where a training is, at the end of an epoch."""

    now: list[Any] = field(default_factory=list)
    best: list[Any] = field(default_factory=list)
    optimizer: list[Any] = field(default_factory=list)
    patience: Patience = field(default_factory=Patience)
    history: dict[str, list[float]] = field(default_factory=dict)
    rate: float = 0.0
    step: int = 0
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        return len(self.history.get("loss", []))

    def save(self, file: Path, training: str) -> None:
        told = {
            "training": training,
            "patience": asdict(self.patience),
            "history": self.history,
            "rate": self.rate,
            "step": self.step,
            "seconds": self.seconds,
        }
        lists = {"now": self.now, "best": self.best, "optimizer": self.optimizer}
        arrays = {f"{name}{i}": value for name, values in lists.items() for i, value in enumerate(values)}
        with atomic_write(file) as temporary:
            np.savez(temporary, state=json.dumps(told), **arrays)

    @classmethod
    def load(cls, file: Path, training: str) -> _State | None:
        """Return what a checkpoint holds; None without one of this training."""
        try:
            with np.load(file) as arrays:
                told = json.loads(str(arrays["state"]))
                if told["training"] != training:
                    return None
                names = {name: sum(key.rstrip("0123456789") == name for key in arrays.files) for name in _LISTS}
                lists: dict[str, Any] = {
                    name: [arrays[f"{name}{i}"] for i in range(count)] for name, count in names.items()
                }
        except Exception:  # numpy raises many kinds on damaged files, and the training can begin again
            return None
        patience = Patience(**told["patience"])
        numbers: dict[str, Any] = {key: told[key] for key in ("history", "rate", "step", "seconds")}
        return cls(patience=patience, **lists, **numbers)


_LISTS = ("now", "best", "optimizer")


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
    began = time.monotonic()
    x, y = _checked(*train, labels)
    asked = _checked(*validation, labels) if validation is not None and len(validation[1]) else None
    shape = Shape(x.shape[1], x.shape[2], len(labels), None if is_hand(x) else unit_of(x))
    training = _identity((x, y), asked, labels, settings)
    seed_everything(settings.seed)
    network = _Trainer(settings, shape, _class_weights(y, len(labels)) if settings.class_weights else None)
    state = _State.load(folder / CHECKPOINT, training) or network.state(_State(rate=settings.learning_rate))
    network.take(state)
    earlier, saved = state.seconds, time.monotonic()
    try:
        while state.epochs < settings.epochs and not _given_up(state, asked, settings):
            state = _epoch(network, state, (x, y), asked, settings)
            state.seconds = earlier + time.monotonic() - began
            if progress:
                progress(state.epochs, settings.epochs)
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                state.save(folder / CHECKPOINT, training)
                saved = time.monotonic()
    except BaseException:
        if state.epochs:
            state.save(folder / CHECKPOINT, training)
        raise
    return _kept(state, settings, shape, folder)


def load_network(path: Path) -> Any:
    """Return the network of a `model.keras`. Raises RunError when it is missing or damaged, or holds code of its own."""
    keras = load_tensorflow().keras
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # h5py, zipfile and Keras raise many kinds
        raise RunError(f"{path} is no Keras model that can be read: train again.") from error


def predict(model_path: Path, x: Floats) -> Floats:
    """Return the scores, float32 [N, classes], of sequences [N, T, F]. Raises RunError for a file that is no model."""
    return _scores(load_network(model_path), x)


def _scores(model: Any, x: Floats) -> Floats:
    ask = load_tensorflow().function(lambda some: model(some, training=False), autograph=False, reduce_retracing=True)
    parts = [ask(x[begin : begin + ASKED_AT_ONCE]).numpy() for begin in range(0, len(x), ASKED_AT_ONCE)]
    return np.concatenate([np.zeros((0, model.output_shape[-1]), np.float32), *parts])


def _epoch(
    network: _Trainer,
    state: _State,
    train: tuple[Floats, Integers],
    validation: tuple[Floats, Integers] | None,
    settings: MotionSettings,
) -> _State:
    """Return where the training is after one more epoch."""
    epoch = state.epochs + 1
    rng = np.random.default_rng((settings.seed, epoch))
    x, y = augmented(*train, settings, rng)
    order = rng.permutation(len(y))
    batches = np.array_split(order, math.ceil(len(order) / settings.batch_size))  # none is of a single sequence
    loss, right = 0.0, 0.0
    for batch in batches:
        of_batch, right_of_batch = network.learn(x[batch], y[batch])
        loss += float(of_batch) * len(batch)
        right += float(right_of_batch)
    row = {"loss": loss / len(y), "accuracy": right / len(y)}
    if validation is not None:
        row |= network.measured(*validation)
    watched = row["val_loss" if validation is not None else "loss"]
    if not all(math.isfinite(value) for value in row.values()):
        raise RunError(
            f"The training did not get anywhere (loss {watched} after epoch {epoch}): lower --learning-rate."
        )
    row["learning_rate"] = state.rate
    history = {name: [*state.history.get(name, []), value] for name, value in row.items()}
    patience = Patience(**asdict(state.patience))
    better = patience.told(watched, epoch) or validation is None
    rate = patience.reduced(state.rate, settings)
    network.set_rate(rate)
    after = network.state(_State(patience=patience, history=history, rate=rate))
    after.best = after.now if better else state.best
    if validation is None:
        patience.best_epoch = epoch
    return after


class _Trainer:
    """The network while it learns, with its optimizer."""

    def __init__(self, settings: MotionSettings, shape: Shape, weights: Floats | None) -> None:
        tensorflow = load_tensorflow()
        self._step = tensorflow.Variable(0, dtype=tensorflow.int32, trainable=False)
        self._model = trainable(settings, shape, self._step)
        self._optimizer = tensorflow.keras.optimizers.Adam(settings.learning_rate)
        self._optimizer.build(self._model.trainable_variables)
        self._classes = shape.classes
        smoothing = settings.label_smoothing

        def losses(scores: Any, y: Any) -> Any:
            truth = tensorflow.one_hot(y, shape.classes)
            truth = truth * (1 - smoothing) + smoothing / shape.classes
            one = -tensorflow.reduce_sum(truth * tensorflow.math.log(tensorflow.maximum(scores, _SURE)), axis=1)
            return one * tensorflow.gather(weights, y) if weights is not None else one

        def right(scores: Any, y: Any) -> Any:
            found = tensorflow.argmax(scores, axis=1, output_type=tensorflow.int64)
            return tensorflow.reduce_sum(tensorflow.cast(found == y, tensorflow.float32))

        def learn(x: Any, y: Any) -> Any:
            with tensorflow.GradientTape() as tape:
                scores = self._model(x, training=True)
                loss = tensorflow.reduce_mean(losses(scores, y))
            gradients = tape.gradient(loss, self._model.trainable_variables)
            self._optimizer.apply_gradients(zip(gradients, self._model.trainable_variables, strict=True))
            self._step.assign_add(1)
            return loss, right(scores, y)

        def ask(x: Any, y: Any) -> Any:
            scores = self._model(x, training=False)
            return tensorflow.reduce_sum(losses(scores, y)), right(scores, y)

        signature = (
            tensorflow.TensorSpec((None, shape.frames, shape.numbers), tensorflow.float32),
            tensorflow.TensorSpec((None,), tensorflow.int64),
        )
        self.learn = tensorflow.function(learn, input_signature=signature, autograph=False)
        self._ask = tensorflow.function(ask, input_signature=signature, autograph=False)

    def measured(self, x: Floats, y: Integers) -> dict[str, float]:
        """Return the loss and the accuracy on the validation part."""
        loss, right = 0.0, 0.0
        for begin in range(0, len(y), ASKED_AT_ONCE):
            of_some, right_of_some = self._ask(x[begin : begin + ASKED_AT_ONCE], y[begin : begin + ASKED_AT_ONCE])
            loss, right = loss + float(of_some), right + float(right_of_some)
        return {"val_loss": loss / len(y), "val_accuracy": right / len(y)}

    def set_rate(self, rate: float) -> None:
        self._optimizer.learning_rate.assign(rate)

    def state(self, state: _State) -> _State:
        """Return `state` with the weights as they are now."""
        state.now = self._model.get_weights()
        state.optimizer = [variable.numpy() for variable in self._optimizer.variables]
        state.step = int(self._step.numpy())
        return state

    def take(self, state: _State) -> None:
        """Go on from where a training was."""
        self._model.set_weights(state.now)
        for variable, value in zip(self._optimizer.variables, state.optimizer, strict=True):
            variable.assign(value)
        self._step.assign(state.step)
        self.set_rate(state.rate)


_SURE = 1e-7  # the lowest score that is taken for what it is, as Keras has it


def _given_up(state: _State, validation: Any, settings: MotionSettings) -> bool:
    return validation is not None and state.patience.since_best >= settings.stop_patience


def _kept(state: _State, settings: MotionSettings, shape: Shape, folder: Path) -> Fitted:
    model = copied(settings, shape, state.best)
    with atomic_write(folder / MODEL) as temporary:
        model.save(temporary, save_format="keras")
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


def _class_weights(y: Integers, classes: int) -> Floats:
    """Return for each class how much a sequence of it counts: all classes as much together, 1 on average."""
    counts = np.bincount(y, minlength=classes)
    return np.asarray(len(y) / (np.maximum(counts, 1) * max(1, np.count_nonzero(counts))), np.float32)


def _identity(train: Any, validation: Any, labels: Sequence[str], settings: MotionSettings) -> str:
    """Return a checksum of everything that a training follows from."""
    arrays: Mapping[str, Any] = {"train": train, "validation": validation or ()}
    told = {name: [sha256_of(np.ascontiguousarray(one).tobytes()) for one in arrays[name]] for name in arrays}
    return sha256_of(json.dumps([told, list(labels), settings.to_json()], sort_keys=True).encode())
