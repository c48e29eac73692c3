"""What MLflow loads of a model folder: a `.task`, or the folder of a classifier, that answers requests.

MLflow's scoring server calls `predict` from the threads of a pool, several at a time. A hand's scores take 0.1 ms, in which MediaPipe
hands them from thread to thread, so one graph behind a lock is quicker than several beside each other. Photos take 15 ms, in which
MediaPipe lets go of Python's lock: of their recognizers there are as many as cores, made when they are first needed.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from gesture_maker.bundle.task import read_task, score_threshold_of
from gesture_maker.dataset.names import NONE
from gesture_maker.errors import BundleError, GestureMakerError, UnreadableImage
from gesture_maker.images import FORMATS, read_image
from gesture_maker.landmarks.hands import EmbedderInputs
from gesture_maker.recognition.answers import RecognizedHand
from gesture_maker.recognition.class_scores import ClassScores
from gesture_maker.recognition.recognizer import Recognizer
from gesture_maker.tracking.records import RecordError, questions_of

MOST_PIXELS = 24_000_000
"""Of a photo: 72 MB as RGB, and as much again with a border; one for each core may be in memory."""

HANDS_IN_PHOTO = 2
"""So many are looked for, as `live` does."""

LAST_RECOGNIZER_SECONDS = 5.0  # for the answers under way when a model is closed


class Scorer(Protocol):
    """Answers landmarks."""

    @property
    def labels(self) -> Sequence[str]:
        """The classes."""

    @property
    def threshold(self) -> float:
        """Scores below it do not count."""

    def scores(self, hands: EmbedderInputs) -> Sequence[Sequence[float]]:
        """Return the score of each label for each of the hands."""

    def close(self) -> None:
        """Free the models."""


class BundleScorer:
    """A `.task`, asked about landmarks: its embedder and its custom classifier, see `ClassScores`. Raises BundleError."""

    def __init__(self, bundle: Path) -> None:
        classifier = read_task(bundle).custom_gesture_classifier
        if classifier is None:
            raise BundleError(f"{bundle} has no custom gesture classifier: give a bundle of `gesture-maker export`.")
        self.threshold = score_threshold_of(classifier) or 0.0
        self._scores = ClassScores(bundle)
        self.labels = self._scores.labels
        self._lock = threading.Lock()

    def scores(self, hands: EmbedderInputs) -> Sequence[Sequence[float]]:
        """Return the score of each label for each of the hands."""
        with self._lock:
            return self._scores.of_inputs(hands)

    def close(self) -> None:
        """Free the models."""
        self._scores.close()


class ClassifierScorer:
    """A folder that `save_classifier` wrote. Raises a GestureMakerError when it is damaged."""

    threshold = 0.0

    def __init__(self, folder: Path) -> None:
        from gesture_maker.classifiers.storing import load_classifier

        self._classifier = load_classifier(folder)
        self.labels = self._classifier.labels
        self._lock = threading.Lock()  # Keras is not for several threads

    def scores(self, hands: EmbedderInputs) -> Sequence[Sequence[float]]:
        """Return the score of each label for each of the hands."""
        with self._lock:
            found: list[list[float]] = self._classifier.scores(hands.rows()).tolist()
        return found

    def close(self) -> None:
        """Nothing has to be freed."""


class _Recognizers:
    """Recognizers of photos, one for each core, made when first needed and lent to one thread at a time."""

    def __init__(self, bundle: Path) -> None:
        self._bundle = bundle
        self._free: queue.LifoQueue[Recognizer | None] = queue.LifoQueue()
        self._count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        for _ in range(self._count):
            self._free.put(None)

    @contextlib.contextmanager
    def lent(self) -> Iterator[Recognizer]:
        recognizer = self._free.get()
        try:
            if recognizer is None:
                recognizer = Recognizer(self._bundle, num_hands=HANDS_IN_PHOTO)
            yield recognizer
        finally:
            self._free.put(recognizer)

    def close(self) -> None:
        for _ in range(self._count):
            with contextlib.suppress(queue.Empty):
                recognizer = self._free.get(timeout=LAST_RECOGNIZER_SECONDS)
                if recognizer is not None:
                    recognizer.close()


class Refused(MlflowException):
    """A request that is answered with HTTP 400 and one sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, error_code=BAD_REQUEST)
        self.sentence = sentence

    def serialize_as_json(self) -> str:
        """Return the body of the answer, without the whole request, which MLflow puts before the sentence."""
        self.message = self.sentence
        return str(super().serialize_as_json())  # type: ignore[no-untyped-call]


class GestureModel:
    """What MLflow calls. `labels`: the classes; `takes_images`: whether it answers photos too."""

    def __init__(self, scorer: Scorer, bundle: Path | None = None) -> None:
        self.scorer = scorer
        self.labels = list(scorer.labels)
        self.takes_images = bundle is not None
        self._recognizers = None if bundle is None else _Recognizers(bundle)

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return the answer to each record, see `records.py`, in their order.

        Of a hand `gesture` (a class; `none` too when the score is below the bundle's threshold), `score` (0..1, the winner's) and
        `scores` (of each class); of a photo `hands`, a list of these with `classifier` ("custom", or "canned" for Google's),
        `handedness` (probability of right), `landmarks`, `world_landmarks`, `width` and `height`. Raises Refused.
        """
        try:
            questions = questions_of(data)
            images = [index for index, one in enumerate(questions) if isinstance(one, bytes)]
            if images and self._recognizers is None:
                raise RecordError("This model takes landmarks only: serve a .task to ask it about photos.")
            hands = [one for one in questions if isinstance(one, EmbedderInputs)]
            answers = iter(self._about_hands(hands))
            return [
                self._about_photo(one, f"Record {number} of {len(questions)}")
                if isinstance(one, bytes)
                else next(answers)
                for number, one in enumerate(questions, 1)
            ]
        except GestureMakerError as error:
            raise Refused(str(error)) from error

    def close(self) -> None:
        """Free the models."""
        self.scorer.close()
        if self._recognizers is not None:
            self._recognizers.close()

    def _about_hands(self, hands: Sequence[EmbedderInputs]) -> list[dict[str, Any]]:
        if not hands:
            return []
        answers = []
        for scores in self.scorer.scores(hands[0].joined(*hands[1:])):
            if not np.isfinite(scores).all():
                raise RecordError("A hand is too unlike any other to be answered: its scores are not finite.")
            winner = max(range(len(scores)), key=scores.__getitem__)
            gesture = self.labels[winner] if scores[winner] >= self.scorer.threshold else NONE
            named = dict(zip(self.labels, map(float, scores), strict=True))
            answers.append({"gesture": gesture, "score": float(scores[winner]), "scores": named})
        return answers

    def _about_photo(self, content: bytes, name: str) -> dict[str, Any]:
        assert self._recognizers is not None
        with self._recognizers.lent() as recognizer:  # before the photo is decoded: so few are in memory
            try:
                _check_size(content, name)
                recognition = recognizer.recognize(read_image(content, name))
            except UnreadableImage as error:
                raise RecordError(f"{error.name}: the image cannot be read, {error.reason}.") from error
        return {"hands": [self._about_hand(one) for one in recognition.hands]}

    def _about_hand(self, one: RecognizedHand) -> dict[str, Any]:
        from gesture_maker.landmarks.hands import embedder_inputs

        hand = one.found
        (asked,) = self._about_hands([embedder_inputs([hand])])
        return {
            "gesture": one.gesture,
            "score": one.score,
            "classifier": "canned" if one.canned else "custom",
            "scores": asked["scores"],
            "handedness": hand.handedness,
            "landmarks": hand.landmarks.tolist(),
            "world_landmarks": hand.world.tolist(),
            "width": hand.width,
            "height": hand.height,
        }


def _check_size(content: bytes, name: str) -> None:
    """Raise UnreadableImage for a photo that is larger than a server should unpack for anybody."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except Exception:  # read_image says what is wrong
        return
    if width * height > MOST_PIXELS:
        raise UnreadableImage(name, f"{width}x{height} is over {MOST_PIXELS // 1_000_000} megapixels")


def load_gestures(place: Path) -> GestureModel:
    """Return the model of a `.task` file, or of a folder that `save_classifier` wrote. Raises a GestureMakerError."""
    if place.is_dir():
        return GestureModel(ClassifierScorer(place))
    return GestureModel(BundleScorer(place), place)


def _load_pyfunc(path: str) -> GestureModel:
    """Return the model at `path`: the entry that MLflow looks for in the module that a model folder names."""
    return load_gestures(Path(path))
