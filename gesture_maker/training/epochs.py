"""Training a network epoch by epoch, so that it can be stopped at any moment and taken up again: what sequences and pictures share.

What Keras's EarlyStopping and ReduceLROnPlateau do is done by `Patience`, a few numbers that fit into the checkpoint. A checkpoint holds
the weights, those of the best epoch, and the optimizer's state, so that a training that was interrupted ends with the bytes that it
would have had without, as far as what is random follows from the seed and the number of the epoch or step.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gesture_maker.errors import RunError
from gesture_maker.files import atomic_write
from gesture_maker.progress import Progress
from gesture_maker.training.keeper import CHECKPOINT_SECONDS
from gesture_maker.training.tensorflow_runtime import load_tensorflow

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


class Waiting(Protocol):
    """The settings that say how long a training waits for something better, see `MotionSettings`."""

    @property
    def stop_patience(self) -> int: ...
    @property
    def reduce_patience(self) -> int: ...
    @property
    def reduce_factor(self) -> float: ...
    @property
    def min_learning_rate(self) -> float: ...


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

    def reduced(self, rate: float, settings: Waiting) -> float:
        """Return the learning rate for the next epoch."""
        if self.since_reduced < settings.reduce_patience:
            return rate
        self.since_reduced = 0
        return max(rate * settings.reduce_factor, min(rate, settings.min_learning_rate))


_LISTS = ("now", "best", "optimizer")


@dataclass
class State:
    """Where a training is, at the end of an epoch: the weights `now` and at the `best` epoch, the `optimizer`'s variables, and numbers."""

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
        """How many are done."""
        return len(self.history.get("loss", []))

    def save(self, file: Path, training: str) -> None:
        """Write a checkpoint; `training` says of which."""
        told = {
            "training": training,
            "patience": asdict(self.patience),
            "history": self.history,
            "rate": self.rate,
            "step": self.step,
            "seconds": self.seconds,
        }
        arrays = {f"{name}{i}": value for name in _LISTS for i, value in enumerate(getattr(self, name))}
        with atomic_write(file) as temporary:
            np.savez(temporary, state=json.dumps(told), **arrays)

    @classmethod
    def load(cls, file: Path, training: str) -> State | None:
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


class Trainer:
    """A network while it learns, with its optimizer, Adam.

    `model`: what is called with a batch of the shape `given` (None first) to give scores [N, classes]. `step`: an int32 variable that
    counts. `weights`: float32 [classes], how much each counts; None for equally. `smoothing`: share of a class's certainty given to all. `scaled`: for float16.
    """

    def __init__(
        self,
        model: Any,
        given: tuple[int | None, ...],
        classes: int,
        step: Any,
        rate: float,
        *,
        weights: Floats | None = None,
        smoothing: float = 0.0,
        scaled: bool = False,
    ) -> None:
        tensorflow = load_tensorflow()
        self._model, self._step = model, step
        self._optimizer = tensorflow.keras.optimizers.Adam(rate)
        self._rated = self._optimizer
        if scaled:
            self._optimizer = tensorflow.keras.mixed_precision.LossScaleOptimizer(self._rated)
        self._optimizer.build(self._model.trainable_variables)

        def losses(scores: Any, y: Any) -> Any:
            truth = tensorflow.one_hot(y, classes)
            truth = truth * (1 - smoothing) + smoothing / classes
            one = -tensorflow.reduce_sum(truth * tensorflow.math.log(tensorflow.maximum(scores, _SURE)), axis=1)
            return one * tensorflow.gather(weights, y) if weights is not None else one

        def right(scores: Any, y: Any) -> Any:
            found = tensorflow.argmax(scores, axis=1, output_type=tensorflow.int64)
            return tensorflow.reduce_sum(tensorflow.cast(found == y, tensorflow.float32))

        def learn(x: Any, y: Any) -> Any:
            with tensorflow.GradientTape() as tape:
                scores = self._model(x, training=True)
                loss = tensorflow.reduce_mean(losses(scores, y))
                lost = self._optimizer.get_scaled_loss(loss) if scaled else loss
            gradients = tape.gradient(lost, self._model.trainable_variables)
            if scaled:
                gradients = self._optimizer.get_unscaled_gradients(gradients)
            self._optimizer.apply_gradients(zip(gradients, self._model.trainable_variables, strict=True))
            self._step.assign_add(1)
            return loss, right(scores, y)

        def ask(x: Any, y: Any) -> Any:
            scores = self._model(x, training=False)
            return tensorflow.reduce_sum(losses(scores, y)), right(scores, y)

        signature = (
            tensorflow.TensorSpec(given, tensorflow.float32),
            tensorflow.TensorSpec((None,), tensorflow.int64),
        )
        self.learn = tensorflow.function(learn, input_signature=signature, autograph=False)
        self._ask = tensorflow.function(ask, input_signature=signature, autograph=False)

    def learned(self, batches: Iterable[tuple[Any, Any]]) -> dict[str, float]:
        """Learn from batches, and return the loss and the accuracy on them."""
        return _mean(self.learn, batches, of_sum=False)

    def measured(self, batches: Iterable[tuple[Any, Any]]) -> dict[str, float]:
        """Return the loss and the accuracy on batches that nothing is learned from."""
        return _mean(self._ask, batches, of_sum=True)

    def set_rate(self, rate: float) -> None:
        """Change the learning rate."""
        self._rated.learning_rate.assign(rate)

    def state(self, state: State) -> State:
        """Return `state` with the weights as they are now."""
        state.now = self._model.get_weights()
        state.optimizer = [variable.numpy() for variable in self._optimizer.variables]
        state.step = int(self._step.numpy())
        return state

    def take(self, state: State) -> None:
        """Go on from where a training was."""
        self._model.set_weights(state.now)
        for variable, value in zip(self._optimizer.variables, state.optimizer, strict=True):
            variable.assign(value)
        self._step.assign(state.step)
        self.set_rate(state.rate)

    def after(self, state: State, row: Mapping[str, float], settings: Waiting) -> State:
        """Return where the training is after one more epoch that came to the numbers of `row`: "val_loss" decides, without it the last is kept.

        Raises RunError when the loss is no number.
        """
        epoch, validated = state.epochs + 1, "val_loss" in row
        watched = row["val_loss" if validated else "loss"]
        if not all(math.isfinite(value) for value in row.values()):
            raise RunError(
                f"The training did not get anywhere (loss {watched} after epoch {epoch}): lower --learning-rate."
            )
        row = {**row, "learning_rate": state.rate}
        history = {name: [*state.history.get(name, []), value] for name, value in row.items()}
        patience = Patience(**asdict(state.patience))
        better = patience.told(watched, epoch) or not validated
        rate = patience.reduced(state.rate, settings)
        self.set_rate(rate)
        reached = self.state(State(patience=patience, history=history, rate=rate))
        reached.best = reached.now if better else state.best
        if not validated:
            patience.best_epoch = epoch
        return reached


_SURE = 1e-7  # the lowest score that is taken for what it is, as Keras has it


def _mean(ask: Callable[[Any, Any], Any], batches: Iterable[tuple[Any, Any]], *, of_sum: bool) -> dict[str, float]:
    loss, right, count = 0.0, 0.0, 0
    for x, y in batches:
        of_some, right_of_some = ask(x, y)
        loss += float(of_some) * (1 if of_sum else len(y))
        right, count = right + float(right_of_some), count + len(y)
    return {"loss": loss / count, "accuracy": right / count}


def run_epochs(
    state: State,
    one_more: Callable[[State], State],
    most: int,
    settings: Waiting | None,
    file: Path,
    training: str,
    progress: Progress | None = None,
) -> State:
    """Return where a training is after `most` epochs, or when `settings` (None without a validation part) say to wait no longer.

    `one_more` trains an epoch. A checkpoint is written now and then, and when the training is interrupted. `progress` is called with the
    epochs done, and of how many at most.
    """
    earlier, began = state.seconds, time.monotonic()
    saved = began
    try:
        while state.epochs < most and not (settings and state.patience.since_best >= settings.stop_patience):
            state = one_more(state)
            state.seconds = earlier + time.monotonic() - began
            if progress:
                progress(state.epochs, most)
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                state.save(file, training)
                saved = time.monotonic()
    except BaseException:
        if state.epochs:
            state.save(file, training)
        raise
    return state


def class_weights(y: Integers, classes: int) -> Floats:
    """Return for each class how much one of it counts: all classes as much together, 1 on average."""
    counts = np.bincount(y, minlength=classes)
    return np.asarray(len(y) / (np.maximum(counts, 1) * max(1, np.count_nonzero(counts))), np.float32)


@cache
def stateless_dropout() -> Any:
    """Return the layer, whose base is TensorFlow's: a dropout that leaves out what follows from two numbers, of which one is the step.

    A training that goes on after a kill leaves out what it would have left out. `StatelessDropout(rate, seed, name)`: `seed` is a
    function that returns both.
    """
    tensorflow = load_tensorflow()
    layer: Any = tensorflow.keras.layers.Layer

    class StatelessDropout(layer):  # type: ignore[misc]
        def __init__(self, rate: float, seed: Callable[[], tuple[int, Any]], name: str) -> None:
            super().__init__(name=name)
            self._rate, self._seed = rate, seed

        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training or not self._rate:
                return inputs
            return tensorflow.nn.experimental.stateless_dropout(
                inputs, self._rate, tensorflow.stack(self._seed()), rng_alg="philox"
            )

    return StatelessDropout
