"""A run's bundle in MediaPipe's GestureRecognizer: what it answers to a page's camera, to a photo and to a film.

The gesture is always the runtime's. Scores of all classes are told beside it (`class_scores.py`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gesture_maker.images import Pixels, read_image
from gesture_maker.recognition.answers import Recognition
from gesture_maker.recognition.class_scores import ClassScores
from gesture_maker.studio.frames import Answerer, PageFrame
from gesture_maker.studio.runs import runs_of
from gesture_maker.studio.state import Studio

HANDS = 2

_FIGURES = 5  # of coordinates and scores: a tenth of a pixel of 10,000, and a third of the bytes of all figures


def bundle_of(studio: Studio, run: str) -> Path:
    """Return the bundle of a run of this studio by its name. Raises RunError when there is no such run, or it has none."""
    return studio.part(runs_of).file(run, "task")[0]


@contextlib.contextmanager
def answering_frames(studio: Studio, run: str) -> Iterator[Answerer]:
    """Yield what answers the frames of one camera with a run's bundle; all in one thread.

    An answer is {"ms": milliseconds that the runtime took, "hands": see `told`}. Raises what `bundle_of` does, BundleError
    for a broken bundle; answers raise UnreadableImage for what is no usable JPEG.
    """
    from gesture_maker.recognition.frames import Frame
    from gesture_maker.recognition.tracking import FilmRecognizer

    bundle = bundle_of(studio, run)
    with contextlib.closing(ClassScores(bundle)) as scores, FilmRecognizer(bundle) as recognizer:
        begin, number = time.perf_counter(), 0

        def answer(frame: PageFrame) -> Mapping[str, Any]:
            nonlocal number
            # Pillow takes 0.9 ms for 640x480 and OpenCV 0.5, of 25 with the runtime; but OpenCV fills what was cut off with grey.
            pixels = read_image(frame.jpeg, "The frame")
            recognition = recognizer.recognize(Frame(pixels, number, time.perf_counter() - begin))
            number += 1
            return {"ms": round(1000 * recognition.seconds, 1), "hands": told(recognition, scores)}

        yield answer


def answer_photo(bundle: Path, content: bytes) -> dict[str, Any]:
    """Return {"width", "height", "hands"} for a photo's bytes, upright. Raises BundleError and UnreadableImage."""
    from gesture_maker.recognition.recognizer import Recognizer

    pixels: Pixels = read_image(content, "The photo")
    with contextlib.closing(ClassScores(bundle)) as scores, Recognizer(bundle, num_hands=HANDS) as recognizer:
        recognition = recognizer.recognize(pixels)
        height, width = pixels.shape[:2]
        return {"width": width, "height": height, "hands": told(recognition, scores)}


def answer_film(bundle: Path, film: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield what is said of a film, frame by frame; `name` is what messages call it.

    First {"frames": how many there will be about or None, "rate": frames per second or None, "width", "height"}; then for
    each frame {"t": its time in seconds, "hands": see `told`}. Raises BundleError and SourceError.
    """
    from gesture_maker.dataset.videos import open_capture
    from gesture_maker.recognition.frames import Film
    from gesture_maker.recognition.tracking import FilmRecognizer

    with contextlib.ExitStack() as stack:
        scores = stack.enter_context(contextlib.closing(ClassScores(bundle)))
        recognizer = stack.enter_context(FilmRecognizer(bundle))
        source = stack.enter_context(contextlib.closing(Film(open_capture(str(film)), name)))
        frame = source.read()
        assert frame is not None  # or it would not have opened
        height, width = frame.pixels.shape[:2]
        yield {"frames": source.count, "rate": source.rate, "width": width, "height": height}
        while frame is not None:
            recognition = recognizer.recognize(frame)
            yield {"t": round(frame.seconds, 3), "hands": told(recognition, scores)}
            frame = source.read()


def told(recognition: Recognition, scores: ClassScores) -> list[dict[str, Any]]:
    """Return the hands of an answer as the page wants them.

    Each is {"gesture", "score", "canned": whether Google's classifier said it, "side": "left" or "right", "points": [[x, y] x 21]
    in shares of the picture's width and height, "scores": {class: score}}.
    """
    hands = recognition.hands
    return [
        {
            "gesture": one.gesture,
            "score": round(one.score, _FIGURES),
            "canned": one.canned,
            "side": "right" if one.found.handedness > 0.5 else "left",
            "points": [[round(x, _FIGURES), round(y, _FIGURES)] for x, y in one.found.landmarks[:, :2].tolist()],
            "scores": {label: round(score, _FIGURES) for label, score in of_classes.items()},
        }
        for one, of_classes in zip(hands, scores.of([one.found for one in hands]), strict=True)
    ]
