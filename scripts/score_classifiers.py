#!/usr/bin/env python
"""Ask each classifier of a comparison twice about the same photos: its `.task` in the runtime, and scikit-learn.

    .venv/bin/python scripts/score_classifiers.py exported_models/digits-compare PHOTOS     # PHOTOS/<class>/*.jpg

GestureRecognizer gets the photos as ../shared/baseline/score_task.py shows them: as they are, and with a replicated border of half
the longer side. scikit-learn's estimator (for Model Maker's head, the Keras model) is then asked about the very landmarks that
the runtime reported. A table for each view: the accuracy of both (a photo without a hand counts as wrong, labels are compared without
regard to case), how many of their answers differ, and the largest difference of the winner's score.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from gesture_maker.classifiers.classifier import Classifier
from gesture_maker.classifiers.storing import DESCRIPTION, load_classifier
from gesture_maker.errors import GestureMakerError
from gesture_maker.files import write_json
from gesture_maker.landmarks.hands import Hand, embedder_inputs
from gesture_maker.recognition.runtime import Runtime, RuntimeOptions
from gesture_maker.training.run import BUNDLE

VIEWS = {"as is": 0.0, "bordered": 0.5}
"""Widths of the border as shares of the longer side."""

IMAGES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Answer:
    """The runtime's answer to a photo: its class, what it said and how surely, and the hand; None where it found no hand."""

    label: str
    said: str | None
    score: float
    hand: Hand | None


@dataclass(frozen=True)
class Row:
    """One classifier in one view. Accuracies: 0..1 of all photos; `largest_difference`: of the winner's score."""

    classifier: str
    view: str
    photos: int
    without_hand: int
    task_accuracy: float
    sklearn_accuracy: float
    other_answers: int
    largest_difference: float


def answers_of(bundle: Path, photos: list[Path], border: float) -> Iterator[Answer]:
    """Yield the runtime's answer to each photo."""
    runtime = Runtime(bundle, RuntimeOptions(), "IMAGE")
    try:
        for photo in photos:
            read = cv2.imread(str(photo))
            if read is None:
                raise SystemExit(f"{photo} cannot be read: remove it.")
            pixels = cv2.cvtColor(read, cv2.COLOR_BGR2RGB)
            height, width = pixels.shape[:2]
            margin = int(max(height, width) * border)
            if margin:
                pixels = cv2.copyMakeBorder(pixels, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
            result = runtime.recognizer.recognize(runtime.image(np.ascontiguousarray(pixels)))
            found = runtime.hands(result, width, height, margin)
            label = photo.parent.name.lower()
            if found:
                yield Answer(label, found[0].gesture, found[0].score, found[0].hand)
            else:
                yield Answer(label, None, 0.0, None)
    finally:
        runtime.close()


def scored(classifier: Classifier, bundle: Path, photos: list[Path], view: str) -> Row:
    """Return how the bundle and the classifier itself answer the photos in a view."""
    answers = list(answers_of(bundle, photos, VIEWS[view]))
    seen = [answer for answer in answers if answer.hand is not None]
    scores = classifier.scores(embedder_inputs([answer.hand for answer in seen if answer.hand is not None]).rows())
    own = [classifier.labels[index] for index in scores.argmax(axis=1)]
    apart = [
        abs(answer.score - float(row[classifier.labels.index(str(answer.said))]))
        for answer, row in zip(seen, scores, strict=True)
    ]
    right = sum(str(answer.said).lower() == answer.label for answer in seen)
    right_itself = sum(label.lower() == answer.label for answer, label in zip(seen, own, strict=True))
    return Row(
        bundle.parent.name,
        view,
        len(photos),
        len(answers) - len(seen),
        right / len(photos),
        right_itself / len(photos),
        sum(answer.said != label for answer, label in zip(seen, own, strict=True)),
        max(apart, default=0.0),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparison", type=Path, help="folder that `gesture-maker compare` made")
    parser.add_argument("photos", type=Path, help="folder with a folder of photos for each class")
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    asked = parser.parse_args()
    photos = sorted(path for path in asked.photos.glob("*/*") if path.suffix.lower() in IMAGES)
    folders = sorted(
        path.parent for path in asked.comparison.glob(f"*/{DESCRIPTION}") if (path.parent / BUNDLE).is_file()
    )
    if not photos or not folders:
        sys.exit(
            f"{asked.comparison} has {len(folders)} classifiers with a .task, {asked.photos} has {len(photos)} photos."
        )
    rows: list[Row] = []
    heading = ("classifier", "photos", "no hand", ".task", "scikit-learn", "differ", "largest difference")
    for view in VIEWS:
        print(f"\n{view}\n{heading[0]:22}" + "".join(f"{title:>{len(title) + 2}}" for title in heading[1:]), flush=True)
        for folder in folders:
            try:
                row = scored(load_classifier(folder), folder / BUNDLE, photos, view)
            except GestureMakerError as error:
                sys.exit(str(error))
            rows.append(row)
            print(
                f"{row.classifier:22}{row.photos:8}{row.without_hand:9}{row.task_accuracy:7.4f}{row.sklearn_accuracy:14.4f}"
                f"{row.other_answers:8}{row.largest_difference:20.1e}",
                flush=True,
            )
    if asked.json:
        write_json(asked.json, [vars(row) for row in rows])


if __name__ == "__main__":
    main()
