#!/usr/bin/env python
"""What MediaPipe's GestureRecognizer of this Python's mediapipe, whichever version, answers to photos.

    python scripts/parity_ask.py FOLDER BUNDLE.task...

FOLDER holds the bundles and the photos (*.png). Prints JSON as tests/web/recognize.mjs does: {runtime, answers: {BUNDLE:
[{file, pixels, hands}]}}, where `pixels` is the SHA-256 of the photo's RGB bytes, and a hand has its gesture, score, handedness
(probability of right), landmarks and world landmarks. Needs mediapipe and what it asks for, and nothing of this project.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    folder, bundles = Path(sys.argv[1]), sys.argv[2:]
    mediapipe = load_mediapipe()
    found = {bundle: recognize_all(mediapipe, folder, bundle) for bundle in bundles}
    json.dump({"runtime": f"mediapipe {mediapipe.__version__}", "answers": found}, sys.stdout)


def load_mediapipe() -> Any:
    """Return the module, imported without TensorFlow, which older versions import for one decorator (8 s)."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("MPLBACKEND", "Agg")
    sys.modules["tensorflow"] = None  # type: ignore[assignment]  # makes `import tensorflow` fail
    import mediapipe

    return mediapipe


def recognize_all(mediapipe: Any, folder: Path, bundle: str) -> list[dict[str, Any]]:
    """Load a bundle and ask it about each photo of the folder."""
    import cv2
    from mediapipe.tasks.python import BaseOptions, vision

    base = BaseOptions(model_asset_buffer=(folder / bundle).read_bytes(), delegate=BaseOptions.Delegate.CPU)
    answers = []
    with vision.GestureRecognizer.create_from_options(vision.GestureRecognizerOptions(base_options=base)) as recognizer:
        for path in sorted(folder.glob("*.png")):
            pixels = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            result = recognizer.recognize(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels))
            hands = [hand(result, index) for index in range(len(result.gestures))]
            answers.append({"file": path.name, "pixels": hashlib.sha256(pixels.tobytes()).hexdigest(), "hands": hands})
    return answers


def hand(result: Any, index: int) -> dict[str, Any]:
    """Return one hand of a result as plain values."""
    gesture = result.gestures[index][0] if result.gestures[index] else None
    side = result.handedness[index][0]
    return {
        "gesture": gesture.category_name if gesture else "",
        "score": float(gesture.score) if gesture else 0.0,
        "handedness": float(side.score if side.category_name == "Right" else 1 - side.score),
        "landmarks": [[point.x, point.y, point.z] for point in result.hand_landmarks[index]],
        "world": [[point.x, point.y, point.z] for point in result.hand_world_landmarks[index]],
    }


if __name__ == "__main__":
    main()
