"""What answers the frames of `live`: GestureRecognizer with its hands, or a classifier that looks at whole pictures.

Both answer a film's frames in three parts, and a camera's as they are sent; the session in `live.py` asks them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from gesture_maker.images import Pixels
from gesture_maker.recognition.answers import Recognition
from gesture_maker.recognition.frames import Frame
from gesture_maker.recognition.runtime import RuntimeOptions
from gesture_maker.recognition.tracking import FilmRecognizer, LiveRecognizer

Answered = Callable[[Frame, Recognition], object]
"""Is called with a camera's frame and its answer."""


class HandClassifier(Protocol):
    """What says in the bundle's place which gesture each hand makes: a server (`remote.py`), or what looks at more than one frame.

    `labels`: its classes. `notice`: what is to be shown of it just now, mostly nothing. `unanswered`: frames with hands that it did not
    answer, and `outages`, how often it stopped answering. It is asked about each frame in turn, from one thread.
    """

    @property
    def labels(self) -> Sequence[str]: ...
    @property
    def notice(self) -> str: ...
    @property
    def unanswered(self) -> int: ...
    @property
    def outages(self) -> int: ...

    def answered(self, recognition: Recognition, frame: Frame) -> Recognition:
        """Return a frame's hands with their gestures; the time that it takes counts."""


class PictureClassifier(Protocol):
    """What says which gesture a whole picture shows, hand or not, so that nobody has to look for hands.

    `labels`: its classes. It is asked about each picture in turn, from one thread, and closed at the end by whoever asks.
    """

    @property
    def labels(self) -> Sequence[str]: ...

    def answered(self, pixels: Pixels, /) -> Recognition:
        """Return the gesture of uint8 [height, width, 3] RGB: one `RecognizedHand`, and the seconds it took.

        Its `hand` is None but where the classifier itself looked for one and found it.
        """

    def close(self) -> None:
        """Free what it holds."""


class HandsOfFilm(AbstractContextManager["HandsOfFilm"]):
    """A bundle's answers to every frame of one film, in three parts: only `asked` has to be one frame after the other.

    Raises BundleError. Those to a camera's frames are `LiveRecognizer`'s.
    """

    def __init__(self, bundle: Path | str | bytes, options: RuntimeOptions) -> None:
        self._recognizer = FilmRecognizer(bundle, options)
        self.labels: Sequence[str] = self._recognizer.labels

    def prepared(self, frame: Frame, /) -> Any:
        """Return MediaPipe's copy of a frame."""
        return self._recognizer.image(frame)

    def asked(self, frame: Frame, prepared: Any, /) -> Callable[[], Recognition]:
        """Have MediaPipe answer the next frame. Raises BundleError."""
        result, seconds = self._recognizer.ask(frame, prepared)
        return partial(self._recognizer.recognition, frame, result, seconds)

    def close(self) -> None:
        """Free the recognizer."""
        self._recognizer.close()

    def __exit__(self, *_: object) -> None:
        self.close()


class PictureAnswers(AbstractContextManager["PictureAnswers"]):
    """A classifier's answers to whole pictures: of a film as `HandsOfFilm` gives them, of a camera as `LiveRecognizer` does.

    `answered` gets those to a camera's frames, before `send` returns, so that none is ever dropped. The classifier stays open.
    """

    dropped = 0

    def __init__(self, pictures: PictureClassifier, answered: Answered) -> None:
        self._pictures, self._answered = pictures, answered
        self.labels = pictures.labels

    def prepared(self, frame: Frame, /) -> Any:
        """Return nothing: the pixels are asked about as they are."""

    def asked(self, frame: Frame, _prepared: Any, /) -> Callable[[], Recognition]:
        """Ask about the next frame of a film."""
        recognition = self._pictures.answered(frame.pixels)
        return lambda: recognition

    def send(self, frame: Frame, /) -> None:
        """Ask about a camera's frame, and hand on the answer."""
        self._answered(frame, self._pictures.answered(frame.pixels))

    def close(self) -> None:
        """Do nothing: what answered is closed with its session, also when that has not begun."""

    def __exit__(self, *_: object) -> None:
        self.close()


FilmAnswers = HandsOfFilm | PictureAnswers
CameraAnswers = LiveRecognizer | PictureAnswers
