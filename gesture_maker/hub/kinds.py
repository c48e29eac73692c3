"""The kinds of models that are shared: by which file a folder is one, and which of its files leave the machine.

A new kind is an entry in `KINDS`. Whatever a folder holds beside, such as the hands that it was trained on or the list of its photos,
stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from gesture_maker.training.run import BUNDLE

CARD, LABELS = "README.md", "labels.txt"


@dataclass(frozen=True)
class Kind:
    """One kind of model.

    `mark`: the file by which a folder is of this kind. `model`: what is run. `described`: whether who runs the model reads the
    mark too, so that it is published, cleaned. `pictures`: published where they are there, with what they show. `title`,
    `says` and `live`: what the model card says it is and does, and the command that runs it. `pipeline_tag`: one of the Hub's tasks.
    """

    name: str
    mark: str
    model: str
    title: str
    says: str
    live: str
    pipeline_tag: str
    tags: tuple[str, ...]
    pictures: tuple[tuple[str, str], ...] = ()
    described: bool = False

    @property
    def needed(self) -> frozenset[str]:
        """The files without which it is no such model."""
        return frozenset({CARD, LABELS, self.model, *([self.mark] if self.described else [])})

    @property
    def names(self) -> frozenset[str]:
        """Every file that such a model may have."""
        return self.needed | {name for name, _ in self.pictures}


_TAGS = ("gesture-recognition", "hand-landmarks", "tflite", "gesture-maker")
_IN_PICTURES = (
    "It finds hands in pictures and says which of the gestures below they make. The `.task` runs unchanged in MediaPipe Studio, on "
    "Android, iOS, the web and in Python."
)
_CONFUSION = ("confusion_matrix.png", "Confusion matrix")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "static",
            mark="run.json",
            model=BUNDLE,
            title="a MediaPipe gesture recognizer",
            says=_IN_PICTURES,
            live="live",
            pipeline_tag="image-classification",
            tags=("mediapipe", *_TAGS),
            pictures=(_CONFUSION,),
        ),
        Kind(
            "comparison",
            mark="comparison.json",
            model=BUNDLE,
            title="a MediaPipe gesture recognizer, the best of a comparison",
            says=_IN_PICTURES,
            live="live",
            pipeline_tag="image-classification",
            tags=("mediapipe", *_TAGS),
            pictures=(_CONFUSION, ("comparison.png", "The classifiers compared")),
        ),
        Kind(
            "motion",
            mark="motion.json",
            model="model.tflite",
            title="a recognizer of gestures that move",
            says="It follows a hand by MediaPipe's landmarks and says which of the movements below it makes.",
            live="motion live",
            pipeline_tag="video-classification",
            tags=("mediapipe", *_TAGS),
            pictures=(_CONFUSION,),
            described=True,
        ),
        Kind(
            "image",
            mark="image.json",
            model="model.tflite",
            title="a classifier of hand gestures in pictures",
            says="It says which of the gestures below a picture shows, of its pixels alone.",
            live="image live",
            pipeline_tag="image-classification",
            tags=_TAGS,
            pictures=(_CONFUSION,),
            described=True,
        ),
    )
}
"""By name, in the order in which a folder's kind is looked for."""
