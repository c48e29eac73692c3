"""Training a network over pictures: first the new top on what the backbone knows, then the last stages with it, at a lower rate.

The best epoch by validation loss is kept of each, what both come to is told side by side, and of the two the better is what stays. See
`training/epochs.py` for how it is stopped and taken up again; EfficientNetV2 leaves out whole blocks while it learns, and which
these are is the one thing that an interruption changes.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.files import sha256_of
from gesture_maker.progress import Progress
from gesture_maker.training.epochs import Floats, State, Trainer, class_weights, run_epochs
from gesture_maker.training.keeper import CHECKPOINT
from gesture_maker.training.keras_files import MODEL, answers_of, load_network, save_network
from gesture_maker.training.pixels.augment import Pictures
from gesture_maker.training.pixels.network import FEATURES, SCORES, copied, load_weights, set_trainable, trainable
from gesture_maker.training.pixels.settings import PixelSettings
from gesture_maker.training.tensorflow_runtime import load_tensorflow, seed_everything

TOP_CHECKPOINT = "checkpoint_top.npz"

TOP, TUNED = "top", "fine-tuned"
"""The two stages: the top alone, and the last stages of the backbone with it. Without pretrained weights there is the second alone."""

ASKED_AT_ONCE = 32
TENSOR_CORES = (7, 0)  # compute capability of NVIDIA's, from which float16 is quicker than float32
AHEAD = 2  # batches that are made while the network learns


@dataclass(frozen=True)
class Fitted:
    """A trained network. `path`: its `model.keras`; `history`: a row of numbers for each epoch, with its "stage"; `stages`: for each stage, the best epoch, how many were trained, and the loss and accuracy
    of each part after it; `kept`: the stage whose weights it has; `seconds`: of training, all sittings together;
    `parameters`: of the network, and `learned`, how many of these; `mixed`: whether float16 was used."""

    path: Path
    history: list[dict[str, Any]]
    stages: dict[str, dict[str, Any]]
    kept: str
    seconds: float
    parameters: int
    learned: int
    mixed: bool


def fit(
    parts: Mapping[str, Pictures],
    labels: Sequence[str],
    settings: PixelSettings,
    folder: Path,
    *,
    weights: Path | None = None,
    training: str = "",
    progress: Progress | None = None,
) -> Fitted:
    """Train on the part "train", write `model.keras` into the folder, and say how well each part is answered.

    `parts`: by name; "validation" decides when to stop and what is best, and without it all epochs are trained and the last is kept.
    `weights`: of the backbone, where the settings say that it is pretrained. `training`: a text that everything follows from beside the
    settings, such as a checksum of the pictures. `progress` is called with batches done, and of how many at most. Raises ConfigError for weights
    that do not fit, RunError when the loss is no number.
    """
    if settings.pretrained != (weights is not None):
        raise ValueError("weights are for a backbone that is pretrained, and that needs some")
    train = parts["train"]
    validation = parts.get("validation")
    validation = validation if validation is not None and len(validation) else None
    identity = sha256_of(json.dumps([training, list(labels), settings.to_json()], sort_keys=True).encode())
    tensorflow = load_tensorflow(heavy=True)
    seed_everything(settings.seed)
    mixed = _float16_is_quicker() if settings.mixed_precision is None else settings.mixed_precision
    step = tensorflow.Variable(0, dtype="int32", trainable=False)
    model = trainable(settings, len(labels), step, mixed=mixed)
    if weights is not None:
        load_weights(model, weights, settings)
    told = _Told(progress, settings, len(train))
    history: list[dict[str, Any]] = []
    stages: dict[str, dict[str, Any]] = {}
    best: tuple[float, str, list[Any]] | None = None
    seconds, learned = 0.0, 0
    todo = [
        (TOP, settings.top_epochs, 0, settings.top_learning_rate, TOP_CHECKPOINT),
        (TUNED, settings.epochs if settings.stages else 0, settings.stages, settings.learning_rate, CHECKPOINT),
    ]
    for stage, epochs, opened, rate, file in todo:
        if not epochs:
            continue
        set_trainable(model, settings, opened)
        trainer = _trainer(model, train, settings, len(labels), step, rate, mixed)
        about = f"{identity} {stage}"
        state = State.load(folder / file, about) or trainer.state(State(rate=rate))
        trainer.take(state)
        told.begin(stage, state.epochs)
        state = run_epochs(
            state,
            partial(
                _epoch, trainer, train=train, validation=validation, settings=settings, stage=stage, done=told.batch
            ),
            epochs,
            settings if validation is not None else None,
            folder / file,
            about,
        )
        if stage == TOP and settings.epochs and settings.stages:
            state.save(folder / file, about)  # so that a resumed training begins with the second
        trainer.take(state)
        model.set_weights(state.best)
        measured = {part: trainer.measured(_plain(its)) for part, its in parts.items() if part != "train" and len(its)}
        stages[stage] = {"epochs": state.epochs, "best_epoch": state.patience.best_epoch, **measured}
        history += [
            {"stage": stage, "epoch": epoch + 1, **{name: values[epoch] for name, values in state.history.items()}}
            for epoch in range(state.epochs)
        ]
        seconds += state.seconds
        learned = max(learned, int(sum(np.prod(one.shape) for one in model.trainable_variables)))
        if best is None or validation is None or state.patience.best <= best[0]:
            best = (state.patience.best, stage, state.best)
    assert best is not None  # the settings see to it that something is trained
    plain = copied(settings, len(labels), best[2])
    save_network(plain, folder / MODEL)
    for file in (TOP_CHECKPOINT, CHECKPOINT):
        (folder / file).unlink(missing_ok=True)
    return Fitted(folder / MODEL, history, stages, best[1], seconds, int(plain.count_params()), learned, mixed)


def predict(path: Path, x: Any) -> Floats:
    """Return the scores, float32 [N, classes], that a `model.keras` gives pictures [N, side, side, 3] in 0..255. Raises RunError."""
    return answers_of(load_network(path, heavy=True), x, ASKED_AT_ONCE)


def features_of(path: Path, x: Any) -> tuple[Floats, Floats]:
    """Return what the backbone of a `model.keras` makes of pictures, float32 [N, height, width, channels], and how much each channel
    counts for each class, float32 [channels, classes]. Raises RunError."""
    model = load_network(path, heavy=True)
    keras = load_tensorflow().keras
    inner = keras.Model(model.input, model.get_layer(FEATURES).get_output_at(-1))
    return answers_of(inner, x, ASKED_AT_ONCE), np.asarray(model.get_layer(SCORES).get_weights()[0], np.float32)


def _trainer(
    model: Any, train: Pictures, settings: PixelSettings, classes: int, step: Any, rate: float, mixed: bool
) -> Trainer:
    return Trainer(
        model,
        (None, settings.image_size, settings.image_size, 3),
        classes,
        step,
        rate,
        weights=class_weights(train.y, classes) if settings.class_weights else None,
        smoothing=settings.label_smoothing,
        scaled=mixed,
    )


def _epoch(
    trainer: Trainer,
    state: State,
    train: Pictures,
    validation: Pictures | None,
    settings: PixelSettings,
    stage: str,
    done: Callable[[], None],
) -> State:
    """Return where the training is after one more epoch."""
    epoch = 2 * state.epochs + (stage == TOP)  # both stages see other variants
    order = np.random.default_rng((settings.seed, epoch)).permutation(len(train))
    batches = np.array_split(order, _batches(len(order), settings))  # none is of a single picture
    eased = settings.eased(state.epochs + 1)
    row = trainer.learned(_ahead(lambda batch: train.varied(batch, eased, epoch), batches, done))
    if validation is not None:
        row |= {f"val_{name}": value for name, value in trainer.measured(_plain(validation)).items()}
    return trainer.after(state, row, settings)


def _batches(count: int, settings: PixelSettings) -> int:
    return math.ceil(count / settings.batch_size)


def _plain(pictures: Pictures) -> Iterator[tuple[Any, Any]]:
    for begin in range(0, len(pictures), ASKED_AT_ONCE):
        yield pictures.plain(range(begin, min(begin + ASKED_AT_ONCE, len(pictures))))


def _ahead(
    make: Callable[[Any], tuple[Any, Any]], batches: Sequence[Any], done: Callable[[], None]
) -> Iterator[tuple[Any, Any]]:
    """Yield batches that another thread makes while the network learns from the one before; `done` is called after each."""
    with ThreadPoolExecutor(1) as maker:
        todo = iter(batches)
        waiting = [maker.submit(make, batch) for batch in itertools.islice(todo, AHEAD)]
        while waiting:
            made = waiting.pop(0).result()
            waiting += [maker.submit(make, batch) for batch in itertools.islice(todo, 1)]
            yield made
            done()


class _Told:
    """Says how many batches are done, of both stages together."""

    def __init__(self, progress: Progress | None, settings: PixelSettings, pictures: int) -> None:
        self._progress, self._of_epoch = progress, _batches(pictures, settings)
        self._before = {TOP: 0, TUNED: (settings.top_epochs or 0) * self._of_epoch}
        tuned = settings.epochs if settings.stages else 0
        self._total = self._before[TUNED] + tuned * self._of_epoch
        self._done = 0

    def begin(self, stage: str, epochs: int) -> None:
        """Say that a stage begins, of which so many epochs are done."""
        self._done = self._before[stage] + epochs * self._of_epoch
        self._tell()

    def batch(self) -> None:
        """Say that a batch is done."""
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        if self._progress:
            self._progress(min(self._done, self._total), self._total)


def _float16_is_quicker() -> bool:
    """Tell whether the hardware is made for float16: graphics cards with tensor cores, and no processor."""
    experimental = load_tensorflow().config.experimental
    cards = load_tensorflow().config.list_physical_devices("GPU")
    return bool(cards) and all(
        experimental.get_device_details(card).get("compute_capability", (0, 0)) >= TENSOR_CORES for card in cards
    )
