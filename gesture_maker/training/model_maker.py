"""Model Maker's GestureRecognizer, fed with embeddings that are already there.

Model Maker would find hands and embed them itself: on one thread, anew in every epoch, dropping what it does not find. Here
it gets arrays, and does what users know it for: its head, its focal loss, its HParams and ModelOptions, its metadata writer.
Changed from outside: the best epoch is restored (it exports the last), it can train without a validation part, checkpoints
are written now and then instead of every epoch, class weights work (its loss fails on them), several steps are run as one,
and its chatter goes to a log file.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.util
import io
import json
import math
import os
import struct
import sys
import time
import types
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gesture_maker.bundle.task import TaskBundle, read_task
from gesture_maker.errors import ConfigError, RunError
from gesture_maker.files import atomic_write, sha256_of
from gesture_maker.landmarks.hands import Floats
from gesture_maker.mediapipe_runtime import quiet_stderr
from gesture_maker.training.recipe import HParams, ModelOptions
from gesture_maker.training.tensorflow_runtime import load_tensorflow, seed_everything

EpochReport = Callable[[int, Mapping[str, float]], None]
"""Called after each epoch with the number of epochs done and their `loss` and `accuracy`, and with a validation part its
`val_loss` and `val_accuracy`."""

CHECKPOINT_SECONDS = 10.0
"""Between two checkpoints: a killed training loses at most this much, one that is interrupted only the epoch it was in."""

CHECKPOINT = "checkpoint.npz"

STEPS_AT_ONCE = 100
"""Steps that Keras runs without coming back to Python, which takes as long as the step itself: 3000 steps of batch 32, with
60 epochs and their validation, took 8.2 s one by one and 4.9 s like this on two busy cores (5.4 and 3.6 s of processor time),
with the same losses to the last digit. More at once would delay Ctrl-C, and would not be quicker."""


def load_model_maker() -> Any:
    """Return Model Maker's `gesture_recognizer` package without its other four tasks.

    The top-level `__init__` imports object detection, text and more, whose dependencies no longer fit together; an empty
    module in its place, with the right `__path__`, lets the gesture part be imported alone.
    """
    load_tensorflow()
    name = "mediapipe_model_maker"
    if name not in sys.modules:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise ConfigError("mediapipe-model-maker is not installed: run ./scripts/setup or `pip install .` again.")
        package = types.ModuleType(name)
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules[name] = package
    with quiet_stderr():
        from mediapipe_model_maker.python.vision import gesture_recognizer
    return gesture_recognizer


@dataclass(frozen=True, eq=False)
class LabelledEmbeddings:
    """`embeddings`: float32 [N, 128]; `classes`: int64 [N], indices into the labels."""

    embeddings: Floats
    classes: np.ndarray[Any, np.dtype[np.int64]]

    def __len__(self) -> int:
        return len(self.embeddings)


_AT_ONCE = 4096  # embeddings, 2 MB


class TrainedHead:
    """A trained gesture classifier: Model Maker's recognizer with the weights of its best epoch."""

    def __init__(self, recognizer: Any) -> None:
        self._recognizer = recognizer

    @property
    def model(self) -> Any:
        """The Keras model, embeddings [N, 128] to scores [N, classes]."""
        return self._recognizer._model

    def scores(self, embeddings: Floats) -> Floats:
        """Return the probability of each class, float32 [N, classes]."""
        if not len(embeddings):
            return np.zeros((0, self.model.output_shape[-1]), np.float32)
        # Called as it is: `predict` would first build a graph, 0.3 s for every new head.
        batches = [embeddings[start : start + _AT_ONCE] for start in range(0, len(embeddings), _AT_ONCE)]
        return np.concatenate([np.asarray(self.model(batch, training=False), np.float32) for batch in batches])

    def save(self, path: Path) -> None:
        """Write the weights (HDF5)."""
        with atomic_write(path) as temporary:
            try:
                self.model.save_weights(str(temporary), save_format="h5")
            except OSError as error:  # HDF5 tells the story of its buffers over several lines
                number = error.errno or errno.EIO
                raise OSError(number, os.strerror(number), str(path)) from error

    def tflite(self) -> bytes:
        """Return the head as TFLite, without metadata."""
        load_model_maker()
        from mediapipe_model_maker.python.core.utils import model_util

        with quiet_stderr():
            return bytes(model_util.convert_to_tflite(self.model))


def train_head(
    train: LabelledEmbeddings,
    validation: LabelledEmbeddings | None,
    labels: list[str],
    hparams: HParams,
    model_options: ModelOptions,
    seed: int,
    folder: Path,
    reshuffle: bool = True,
    best_epoch: bool = True,
    on_epoch: EpochReport | None = None,
) -> tuple[TrainedHead, list[dict[str, float]]]:
    """Train with Model Maker and return the head at its best epoch (by validation loss) and the history of all epochs.

    With `best_epoch` false, or without `validation`, or with none in it, the head is that of the last epoch; without
    validation the history has no `val_loss` and `val_accuracy`. `folder` takes checkpoints and the log; when it holds a
    checkpoint of this training (the same hands, settings and seed), the training goes on from there. `reshuffle`: a new order of all hands in every epoch, where Model Maker's own shuffling
    (`hparams.shuffle`) looks no further than three batches. Raises RunError when no epoch ended with a finite loss.
    """
    tensorflow = load_tensorflow()
    gesture_recognizer = load_model_maker()
    seed_everything(seed)
    folder.mkdir(parents=True, exist_ok=True)
    validation = validation if validation is not None and len(validation) else None
    training = _identity(train, validation, labels, hparams, model_options, seed, reshuffle, best_epoch)
    keeper = _make_keeper(tensorflow, folder, training, validation is not None, best_epoch, on_epoch)
    recognizer_class = _recognizer_with(gesture_recognizer.GestureRecognizer, keeper)
    options = gesture_recognizer.GestureRecognizerOptions(
        model_options=gesture_recognizer.ModelOptions(
            dropout_rate=model_options.dropout_rate, layer_widths=list(model_options.layer_widths)
        ),
        hparams=gesture_recognizer.HParams(export_dir=str(folder), **hparams.as_model_maker()),
    )
    tensorflow.keras.backend.reset_uids()  # layers are numbered through a process, and the numbers end up in the bundle
    # Not within quiet_stderr: the progress is shown there, and Model Maker's own words all go to stdout.
    with (folder / "train.log").open("a") as log, contextlib.redirect_stdout(log):
        recognizer = recognizer_class.create(
            train_data=_as_dataset(train, labels, seed, reshuffle),
            validation_data=_as_dataset(validation, labels, seed, False) if validation else _NoValidation(),
            options=options,
        )
    keeper.restore_best(recognizer._model)
    return TrainedHead(recognizer), keeper.history


def load_head(path: Path, labels: list[str], model_options: ModelOptions) -> TrainedHead:
    """Return a head with the weights that `TrainedHead.save` wrote. Raises RunError when they do not fit or are damaged."""
    gesture_recognizer = load_model_maker()
    load_tensorflow().keras.backend.reset_uids()
    recognizer = gesture_recognizer.GestureRecognizer(
        label_names=list(labels),
        model_options=gesture_recognizer.ModelOptions(
            dropout_rate=model_options.dropout_rate, layer_widths=list(model_options.layer_widths)
        ),
        hparams=gesture_recognizer.HParams(export_dir=str(path.parent)),
    )
    with contextlib.redirect_stdout(io.StringIO()), quiet_stderr():
        recognizer._create_model()
    try:
        recognizer._model.load_weights(str(path))
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # h5py and Keras raise any of them
        raise RunError(f"{path} is missing or damaged: train again.") from error
    return TrainedHead(recognizer)


def add_classifier_metadata(model: bytes, labels: list[str], score_threshold: float) -> bytes:
    """Return a gesture classifier with its labels and score threshold in the metadata, always the same bytes."""
    parts = {"hand_detector": model, "hand_landmarks_detector": model, "gesture_embedder": model}
    bundle = write_bundle(model, labels, score_threshold, canned_gesture_classifier=model, **parts)
    assert bundle.custom_gesture_classifier is not None
    return bundle.custom_gesture_classifier


def write_bundle(
    head: bytes,
    labels: list[str],
    score_threshold: float,
    *,
    hand_detector: bytes,
    hand_landmarks_detector: bytes,
    gesture_embedder: bytes,
    canned_gesture_classifier: bytes,
) -> TaskBundle:
    """Return the bundle that Model Maker's metadata writer makes of a head and the four other files."""
    load_model_maker()
    from mediapipe.tasks.python.metadata.metadata_writers import metadata_writer as base
    from mediapipe_model_maker.python.vision.gesture_recognizer import metadata_writer

    options = metadata_writer.GestureClassifierOptions(
        model_buffer=bytearray(head),
        labels=base.Labels().add(list(labels)),
        score_thresholding=base.ScoreThresholding(global_score_threshold=score_threshold),
    )
    writer = metadata_writer.MetadataWriter.create(
        bytearray(hand_detector),
        bytearray(hand_landmarks_detector),
        bytearray(gesture_embedder),
        bytearray(canned_gesture_classifier),
        options,
    )
    content, _ = writer.populate()
    bundle = read_task(bytes(content))
    assert bundle.custom_gesture_classifier is not None
    return replace(bundle, custom_gesture_classifier=_without_time_stamps(bundle.custom_gesture_classifier))


def _without_time_stamps(model: bytes) -> bytes:
    """Return a TFLite file whose attached files (a zip at its end) are dated 1980-01-01, the earliest a zip can say."""
    content = bytearray(model)
    earliest = struct.pack("<HH", 0, (1 << 5) | 1)  # time 00:00:00, date year 0, month 1, day 1
    with zipfile.ZipFile(io.BytesIO(model)) as attached:
        position = attached.start_dir
        for entry in attached.infolist():
            content[entry.header_offset + 10 : entry.header_offset + 14] = earliest
            content[position + 12 : position + 16] = earliest
            name, extra, comment = struct.unpack_from("<HHH", content, position + 28)
            position += 46 + name + extra + comment
    return bytes(content)


class _NoValidation:
    """Stands for a validation part that there is not: Keras then trains without one."""

    def gen_tf_dataset(self, *_: Any, **__: Any) -> None:
        """Return None, where a part would return its batches."""


def _as_dataset(data: LabelledEmbeddings, labels: list[str], seed: int, reshuffle: bool) -> Any:
    tensorflow = load_tensorflow()
    from mediapipe_model_maker.python.core.data import classification_dataset

    one_hot = np.eye(len(labels), dtype=np.float32)[data.classes]
    dataset = tensorflow.data.Dataset.from_tensor_slices((data.embeddings, one_hot))
    if reshuffle:
        dataset = dataset.shuffle(len(data), seed=seed, reshuffle_each_iteration=True)
    return classification_dataset.ClassificationDataset(dataset=dataset, label_names=list(labels), size=len(data))


def _recognizer_with(base: Any, keeper: Any) -> Any:
    """Return Model Maker's class with our keeper among its callbacks, in place of its checkpoints and TensorBoard."""

    class Recognizer(base):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._loss_function: Any = _taking_class_weights(self._loss_function)

        def _get_callbacks(self) -> list[Any]:
            tensorflow = load_tensorflow()
            schedule = tensorflow.keras.callbacks.LearningRateScheduler
            return [c for c in super()._get_callbacks() if isinstance(c, schedule)] + [keeper]

        def _get_checkpoint_path(self) -> str:
            return ""  # never "resume" from whatever lies there: the keeper knows its own training

        def _train_model(self, *args: Any, **kwargs: Any) -> None:
            first_epoch = keeper.resume(self._model)
            self._model.fit = functools.partial(self._model.fit, initial_epoch=first_epoch, verbose=0)
            self._model.compile = functools.partial(_compile, self._model, self._model.compile)
            try:
                super()._train_model(*args, **kwargs)
            except (KeyboardInterrupt, SystemExit):
                keeper.write_checkpoint()
                raise

    return Recognizer


def _compile(model: Any, compile_: Callable[..., None], **arguments: Any) -> None:
    """Compile so that Keras runs many steps at once, and builds the graph of a step once where it would four times.

    When an epoch has fewer steps than this, or they do not go into it, Keras runs what is left.
    """
    compile_(steps_per_execution=STEPS_AT_ONCE, **arguments)
    model.optimizer.build(model.trainable_variables)  # else the first graph makes them, and is then made again
    model.train_step = load_tensorflow().function(model.train_step)


def _taking_class_weights(loss: Any) -> Any:
    """Return Model Maker's focal loss so that `class_weights` work: Keras gives the weights as [batch, 1], it wants [batch]."""
    tensorflow = load_tensorflow()

    class Loss(type(loss)):  # type: ignore[misc]
        def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            if sample_weight is not None:
                sample_weight = tensorflow.reshape(sample_weight, [-1])
            return super().__call__(y_true, y_pred, sample_weight)

    return Loss(gamma=loss._gamma)


def _identity(train: LabelledEmbeddings, validation: LabelledEmbeddings | None, *settings: Any) -> str:
    """Return a SHA-256 of everything that makes one training another than the next."""
    both = (train, validation) if validation else (train,)
    arrays = b"".join(part.tobytes() for data in both for part in (data.embeddings, data.classes))
    plain = [asdict(one) if isinstance(one, HParams | ModelOptions) else one for one in settings]
    return sha256_of(arrays + repr(plain).encode())


def _make_keeper(
    tensorflow: Any, folder: Path, training: str, validated: bool, best_epoch: bool, on_epoch: EpochReport | None
) -> Any:
    """Return the Keras callback that remembers the best epoch and writes a checkpoint now and then.

    Without a validation part, or when the best epoch is not wanted, it is the last with a finite loss.
    """
    choosing = validated and best_epoch
    measured = ("", "val_") if validated else ("",)
    file = folder / CHECKPOINT

    class Keeper(tensorflow.keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.history: list[dict[str, float]] = []
            self.now: list[Any] = []  # the weights after the last whole epoch
            self.best: list[Any] = []
            self.best_loss = math.inf
            self._saved = time.monotonic()

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
            row: dict[str, float] = {"epoch": epoch + 1}
            for part in measured:
                row[f"{part}loss"] = float(logs.get(f"{part}loss", math.nan))
            for part in measured:
                row[f"{part}accuracy"] = float(logs.get(f"{part}categorical_accuracy", math.nan))
            row["learning_rate"] = float(logs.get("lr", math.nan))
            self.history.append(row)
            self.now = self.model.get_weights()
            loss = row[f"{measured[-1]}loss"]
            finite = math.isfinite(loss) and all(np.isfinite(weights).all() for weights in self.now)
            if finite and (loss < self.best_loss or not choosing):
                self.best_loss, self.best = loss, self.now
            if not self.best:
                of = "validation loss" if validated else "loss"
                raise RunError(
                    f"The training did not get anywhere ({of} {loss} after epoch {epoch + 1}): lower --learning-rate."
                )
            if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
                self.write_checkpoint()
            if on_epoch:
                on_epoch(len(self.history), row)

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
