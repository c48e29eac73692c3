"""What happens after each epoch: the validation part is asked, the best weights are kept, and a checkpoint is written."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gesture_maker.errors import RunError
from gesture_maker.files import atomic_write
from gesture_maker.training.tensorflow_runtime import load_tensorflow

if TYPE_CHECKING:
    from gesture_maker.training.model_maker import LabelledEmbeddings

EpochReport = Callable[[int, Mapping[str, float]], None]
"""Called after each epoch with the number of epochs done and their `loss` and `accuracy`, and with a validation part its
`val_loss` and `val_accuracy`."""

CHECKPOINT_SECONDS = 10.0
"""Between two checkpoints: a killed training loses at most this much, one that is interrupted only the epoch it was in."""

CHECKPOINT = "checkpoint.npz"


def make_keeper(
    folder: Path,
    training: str,
    validation: LabelledEmbeddings | None,
    best_epoch: bool,
    on_epoch: EpochReport | None,
) -> Any:
    """Return the Keras callback that asks the validation part, remembers the best epoch and writes a checkpoint now and then.

    Without a validation part, or when the best epoch is not wanted, it is the last with a finite loss.
    """
    tensorflow = load_tensorflow()
    callback: Any = tensorflow.keras.callbacks.Callback
    choosing = validation is not None and best_epoch
    measured = ("", "val_") if validation is not None else ("",)
    file = folder / CHECKPOINT

    class Keeper(callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.history: list[dict[str, float]] = []
            self.now: list[Any] = []  # the weights after the last whole epoch
            self.best: list[Any] = []
            self.best_loss = math.inf
            self.resumed: Callable[[int], None] = lambda _: None  # is told the first epoch to come
            self._saved = time.monotonic()
            self._ask: Any = None

        def resume(self, model: Any) -> int:
            """Load the checkpoint, if there is one of this training, and return the number of epochs it had done."""
            if not file.is_file():
                return 0
            try:
                with np.load(file) as arrays:
                    state = json.loads(str(arrays["state"]))
                    count = len(model.get_weights())
                    now, best = ([arrays[f"{name}{i}"] for i in range(count)] for name in ("now", "best"))
            except Exception:  # numpy raises many kinds on damaged files; beginning again is a matter of seconds
                return 0
            if state["training"] != training:
                return 0
            model.set_weights(now)
            self.now, self.best = now, best
            self.history, self.best_loss = state["history"], state["best_loss"]
            return len(self.history)

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            logs = logs or {}
            found = {"loss": logs.get("loss", math.nan), "accuracy": logs.get("categorical_accuracy", math.nan)}
            found |= self.ask_validation()
            row = {"epoch": epoch + 1} | {
                f"{p}{name}": float(found[f"{p}{name}"]) for name in ("loss", "accuracy") for p in measured
            }
            row["learning_rate"] = float(logs.get("lr", math.nan))
            self.history.append(row)
            self.now = self.model.get_weights()
            loss = row[f"{measured[-1]}loss"]
            finite = math.isfinite(loss) and all(np.isfinite(weights).all() for weights in self.now)
            if finite and (loss < self.best_loss or not choosing):
                self.best_loss, self.best = loss, self.now
            if not self.best:
                of = "validation loss" if validation is not None else "loss"
                raise RunError(
                    f"The training did not get anywhere ({of} {loss} after epoch {epoch + 1}): lower --learning-rate."
                )
            if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
                self.write_checkpoint()
            if on_epoch:
                on_epoch(len(self.history), row)

        def ask_validation(self) -> dict[str, float]:
            """Return Model Maker's loss of the validation part and the share of it that is right; nothing without one."""
            if validation is None:
                return {}
            if self._ask is None:
                model, truth = self.model, np.eye(self.model.output_shape[-1], dtype=np.float32)[validation.classes]

                def ask(embeddings: Any) -> Any:
                    scores = model(embeddings, training=False)
                    return scores, model.loss(truth, scores)

                self._ask = tensorflow.function(ask, autograph=False)  # 1 ms a time, layer by layer 7
            scores, loss = self._ask(validation.embeddings)
            right = np.argmax(scores, axis=1) == validation.classes
            return {"val_loss": float(loss), "val_accuracy": float(np.float32(right.mean()))}

        def write_checkpoint(self) -> None:
            """Write down where the last whole epoch left off; nothing before the first has ended."""
            if not self.history:
                return
            state = {"training": training, "best_loss": self.best_loss, "history": self.history}
            arrays = {f"now{i}": value for i, value in enumerate(self.now)}
            arrays |= {f"best{i}": value for i, value in enumerate(self.best)}
            with atomic_write(file) as temporary:
                np.savez(temporary, state=json.dumps(state), **arrays)
            self._saved = time.monotonic()

        def restore_best(self, model: Any) -> None:
            model.set_weights(self.best)
            file.unlink(missing_ok=True)

    return Keeper()
