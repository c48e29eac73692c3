"""gesture-maker: photos of hand gestures in, a MediaPipe `.task` bundle out.

    import gesture_maker

    gesture_maker.collect(["photos"], "datasets/rps")
    print(gesture_maker.check("rps").findings)
    training = gesture_maker.train("rps", name="first")
    print(gesture_maker.diagnose("first").advice)
    bundle = gesture_maker.export("first").bundle
    print(gesture_maker.evaluate("first").metrics.accuracy)
    with gesture_maker.Recognizer(bundle) as recognizer:
        print(recognizer.recognize("photo.jpg").best)

Each name is imported when it is first used, so that `import gesture_maker` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from gesture_maker.bundle.export import export
    from gesture_maker.classifiers.comparing import compare
    from gesture_maker.classifiers.tuning import resume_tuning, tune
    from gesture_maker.dataset.collecting import collect
    from gesture_maker.dataset.renaming import rename
    from gesture_maker.errors import GestureMakerError
    from gesture_maker.evaluation.evaluate import evaluate
    from gesture_maker.recognition.live import live
    from gesture_maker.recognition.recognizer import Recognizer
    from gesture_maker.steps import check, diagnose, find_landmarks, resume, train

_HOMES = {
    "GestureMakerError": "gesture_maker.errors",
    "Recognizer": "gesture_maker.recognition.recognizer",
    "check": "gesture_maker.steps",
    "collect": "gesture_maker.dataset.collecting",
    "compare": "gesture_maker.classifiers.comparing",
    "diagnose": "gesture_maker.steps",
    "evaluate": "gesture_maker.evaluation.evaluate",
    "export": "gesture_maker.bundle.export",
    "find_landmarks": "gesture_maker.steps",
    "live": "gesture_maker.recognition.live",
    "rename": "gesture_maker.dataset.renaming",
    "resume": "gesture_maker.steps",
    "resume_tuning": "gesture_maker.classifiers.tuning",
    "train": "gesture_maker.steps",
    "tune": "gesture_maker.classifiers.tuning",
}

__all__ = [
    "GestureMakerError",
    "Recognizer",
    "check",
    "collect",
    "compare",
    "diagnose",
    "evaluate",
    "export",
    "find_landmarks",
    "live",
    "rename",
    "resume",
    "resume_tuning",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'gesture_maker' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
