"""Model Maker's GestureRecognizer, fed with embeddings that are already there.

Model Maker would find hands and embed them itself: on one thread, anew in every epoch, dropping what it does not find. Here
it gets arrays, and does what users know it for: its head, its focal loss, its HParams and ModelOptions, its metadata writer.
Changed from outside: the best epoch is restored (it exports the last), it can train without a validation part, checkpoints
are written now and then instead of every epoch, class weights work (its loss fails on them), its chatter goes to a log file.

And it is quicker. So small a network takes less time than what is around it: of the 2.5 s of processor time that 25 epochs of
20 steps took, the steps were 0.5. Now it is 1.4 s: Keras runs several steps as one and builds the graph of a step once; the
validation part is asked by the keeper, in a small graph of its own; and the dataset holds the numbers of hands, not the hands,
which the step takes from one array. The head is converted without saving its Keras layers, in 0.2 s where it took 0.7.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import math
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gesture_maker.bundle.task import TaskBundle, read_task
from gesture_maker.errors import ConfigError, RunError
from gesture_maker.files import sha256_of, write_bytes
from gesture_maker.landmarks.hands import Floats
from gesture_maker.mediapipe_runtime import load_mediapipe, quiet_stderr
from gesture_maker.training.keeper import EpochReport, make_keeper
from gesture_maker.training.metadata import without_time_stamps
from gesture_maker.training.recipe import HParams, ModelOptions
from gesture_maker.training.tensorflow_runtime import load_tensorflow, seed_everything

if TYPE_CHECKING:
    from gesture_maker.training.spool import Spool

_loading = threading.Lock()

MOST_DEALT = 200_000  # hands in the batches that are dealt beforehand: with ten classes 10 MB

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
    with _loading:
        if name not in sys.modules:
            spec = importlib.util.find_spec(name)
            if spec is None or spec.submodule_search_locations is None:
                raise ConfigError(
                    "mediapipe-model-maker is not installed: run ./scripts/setup or `pip install .` again."
                )
            package = types.ModuleType(name)
            package.__path__ = list(spec.submodule_search_locations)
            sys.modules[name] = package
        from mediapipe_model_maker.python.vision import gesture_recognizer
    return gesture_recognizer


@contextlib.contextmanager
def loading_ahead() -> Iterator[None]:
    """Import all that a training needs in another thread, which begins with the block and may go on after it.

    That takes 2.2 s of one core, in which hands are found, or read and varied. When the block fails, no more is imported than what
    has begun. What goes wrong is told by the import that then finds it missing.
    """
    given_up = threading.Event()

    def load() -> None:
        with contextlib.suppress(Exception):
            for load_one in (load_mediapipe, load_tensorflow, load_model_maker):
                if given_up.is_set():
                    return
                load_one()

    # No daemon: Python would end it in the middle of an extension's import, which can abort the process.
    threading.Thread(target=load, name="loading").start()
    try:
        yield
    except BaseException:
        given_up.set()
        raise


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
        """Write the weights (HDF5), as Keras would: but made in memory, since HDF5 on a full disk reports it in many ways."""
        load_tensorflow()
        import h5py  # type: ignore[import-untyped]
        from keras.src.saving.legacy.hdf5_format import save_weights_to_hdf5_group

        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            save_weights_to_hdf5_group(file, self.model)
        write_bytes(path, content.getvalue())

    def tflite(self) -> bytes:
        """Return the head as TFLite, without metadata: the same bytes for the same weights.

        As Model Maker's `convert_to_tflite` does it, in built-in operations only, but from the function that the head is:
        saving its layers first, as Keras does, took 0.5 s of 0.7.
        """
        tensorflow = load_tensorflow()
        signature = tensorflow.TensorSpec([None, self.model.input_shape[-1]], tensorflow.float32, name="hand_embedding")
        answer = tensorflow.function(lambda embedding: self.model(embedding, training=False), autograph=False)
        holder = tensorflow.Module()
        holder.variables_of_the_head = list(self.model.weights)
        converter = tensorflow.lite.TFLiteConverter.from_concrete_functions(
            [answer.get_concrete_function(signature)], holder
        )
        converter.target_spec.supported_ops = (tensorflow.lite.OpsSet.TFLITE_BUILTINS,)
        with quiet_stderr():
            return bytes(converter.convert())


def train_head(
    train: LabelledEmbeddings | Spool,
    validation: LabelledEmbeddings | None,
    labels: Sequence[str],
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
    training = _identity(train, validation, list(labels), hparams, model_options, seed, reshuffle, best_epoch)
    keeper = make_keeper(folder, training, validation, best_epoch, on_epoch)
    embeddings = None
    if isinstance(train, LabelledEmbeddings):
        embeddings = train.embeddings
    else:
        keeper.resumed = train.begin_at
    recognizer_class = _recognizer_with(gesture_recognizer.GestureRecognizer, keeper, embeddings)
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
            train_data=_as_dataset(train, labels, hparams, seed, reshuffle)
            if isinstance(train, LabelledEmbeddings)
            else train.as_dataset(labels, hparams.steps_per_epoch if hparams.repeat else None, reshuffle),
            validation_data=_NoValidation(),  # the keeper asks it
            options=options,
        )
    keeper.restore_best(recognizer._model)
    return TrainedHead(recognizer), keeper.history


def load_head(path: Path, labels: Sequence[str], model_options: ModelOptions) -> TrainedHead:
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


def add_classifier_metadata(model: bytes, labels: Sequence[str], score_threshold: float) -> bytes:
    """Return a gesture classifier with its labels and score threshold in the metadata, always the same bytes."""
    parts = {"hand_detector": model, "hand_landmarks_detector": model, "gesture_embedder": model}
    bundle = write_bundle(model, labels, score_threshold, canned_gesture_classifier=model, **parts)
    assert bundle.custom_gesture_classifier is not None
    return bundle.custom_gesture_classifier


def write_bundle(
    head: bytes,
    labels: Sequence[str],
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
    return replace(bundle, custom_gesture_classifier=without_time_stamps(bundle.custom_gesture_classifier))


class _NoValidation:
    """Stands for a validation part: Keras then trains without one, and builds no graph for it."""

    def gen_tf_dataset(self, *_: Any, **__: Any) -> None:
        """Return None, where a part would return its batches."""


def _as_dataset(data: LabelledEmbeddings, labels: Sequence[str], hparams: HParams, seed: int, reshuffle: bool) -> Any:
    """Return Model Maker's dataset of the numbers of hands and their classes; the step looks up the embeddings.

    With `reshuffle` and `hparams.repeat` the hands are dealt into batches beforehand, see `_dealt`: to mix 11,000 embeddings one by
    one takes 26 ms in each epoch, their numbers 14 ms, and some hundred batches one.
    """
    tensorflow = load_tensorflow()
    from mediapipe_model_maker.python.core.data import classification_dataset

    options = tensorflow.data.Options()  # to make so short a pipeline better takes longer than it runs
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    one_hot = np.eye(len(labels), dtype=np.float32)[data.classes]

    class Dealt(classification_dataset.ClassificationDataset):  # type: ignore[misc]
        def gen_tf_dataset(self, *_: Any, **__: Any) -> Any:
            return self._dataset

    if reshuffle and hparams.repeat:
        numbers = _dealt(len(data), hparams, seed)
        dataset = tensorflow.data.Dataset.from_tensor_slices((numbers, one_hot[numbers]))
        dataset = dataset.shuffle(len(numbers), seed=seed, reshuffle_each_iteration=True)
        return Dealt(dataset=dataset.with_options(options), label_names=list(labels), size=len(data))
    dataset = tensorflow.data.Dataset.from_tensor_slices((np.arange(len(data)), one_hot))
    if reshuffle:
        dataset = dataset.shuffle(len(data), seed=seed, reshuffle_each_iteration=True)
    return classification_dataset.ClassificationDataset(
        dataset=dataset.with_options(options), label_names=list(labels), size=len(data)
    )


def _dealt(hands: int, hparams: HParams, seed: int) -> npt.NDArray[np.int64]:
    """Return which hands are in each of some batches, int64 [batches, batch_size], of which each epoch takes some at random.

    They are dealt from as many whole passes over all hands, each mixed anew, as the training has, or as `MOST_DEALT` allows.
    """
    assert hparams.steps_per_epoch is not None
    wanted = hparams.epochs * hparams.steps_per_epoch * hparams.batch_size
    rng = np.random.default_rng((seed, 0xDEA1))
    passes = math.ceil(max(min(wanted, MOST_DEALT), hparams.batch_size) / hands)
    order = np.concatenate([rng.permutation(hands) for _ in range(passes)])
    whole = len(order) // hparams.batch_size * hparams.batch_size
    return np.asarray(order[:whole].reshape(-1, hparams.batch_size), np.int64)


def _recognizer_with(base: Any, keeper: Any, embeddings: Floats | None) -> Any:
    """Return Model Maker's class with our keeper among its callbacks, in place of its checkpoints and TensorBoard.

    `embeddings`: what the numbers in the dataset stand for; None where the dataset holds the embeddings themselves.
    """

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
            keeper.resumed(first_epoch)
            self._model.fit = functools.partial(self._model.fit, initial_epoch=first_epoch, verbose=0)
            self._model.compile = functools.partial(_compile, self._model, self._model.compile, embeddings)
            try:
                super()._train_model(*args, **kwargs)
            except (KeyboardInterrupt, SystemExit):
                keeper.write_checkpoint()
                raise

    return Recognizer


def _compile(model: Any, compile_: Callable[..., None], embeddings: Floats | None, **arguments: Any) -> None:
    """Compile so that Keras runs many steps at once, and builds the graph of a step once where it would four times.

    When an epoch has fewer steps than this, or they do not go into it, Keras runs what is left.
    """
    tensorflow = load_tensorflow()
    compile_(steps_per_execution=STEPS_AT_ONCE, **arguments)
    # All variables now: a graph that makes some of them would then be built again without.
    nothing = tensorflow.zeros([1, model.output_shape[-1]])
    model.optimizer.build(model.trainable_variables)
    model.compiled_loss.build(nothing)
    model.compiled_metrics.build(nothing, nothing)
    step = model.train_step
    if embeddings is not None:
        step = _looking_up(tensorflow.constant(embeddings), step)
    model.train_step = tensorflow.function(step, autograph=False)


def _looking_up(embeddings: Any, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the training step for batches that begin with the numbers of hands."""
    gather = load_tensorflow().gather

    def train_step(batch: tuple[Any, ...]) -> Any:
        numbers, *classes_and_weights = batch
        return step((gather(embeddings, numbers), *classes_and_weights))

    return train_step


def _taking_class_weights(loss: Any) -> Any:
    """Return Model Maker's focal loss so that `class_weights` work: Keras gives the weights as [batch, 1], it wants [batch]."""
    tensorflow = load_tensorflow()

    class Loss(type(loss)):  # type: ignore[misc]
        def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            if sample_weight is not None:
                sample_weight = tensorflow.reshape(sample_weight, [-1])
            return super().__call__(y_true, y_pred, sample_weight)

    return Loss(gamma=loss._gamma)


def _identity(train: LabelledEmbeddings | Spool, validation: LabelledEmbeddings | None, *settings: Any) -> str:
    """Return a SHA-256 of everything that makes one training another than the next."""
    both = [one for one in (train, validation) if isinstance(one, LabelledEmbeddings)]
    arrays = b"".join(part.tobytes() for data in both for part in (data.embeddings, data.classes))
    if not isinstance(train, LabelledEmbeddings):
        arrays += train.identity.encode()
    plain = [asdict(one) if isinstance(one, HParams | ModelOptions) else one for one in settings]
    return sha256_of(arrays + repr(plain).encode())
