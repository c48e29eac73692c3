"""Where a classifier on pixels looks: class activation maps, after Zhou et al., "Learning Deep Features for Discriminative Localization" (2016).

The score of a class is a sum over the places of the last features: of each place, its features times how much each counts for the class. The map
is what each place adds, stretched over the picture. It is computed from the features inside of the run's own TFLite, so that it shows the model that answers,
and needs no TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gesture_maker.errors import RunError
from gesture_maker.files import atomic_write
from gesture_maker.images import Pixels
from gesture_maker.landmarks.hands import Floats
from gesture_maker.pixels.pictures import stretched
from gesture_maker.pixels.run import HEAD, KERAS, PixelRun
from gesture_maker.recognition.interpreter import TfliteModel
from gesture_maker.training.pixels.fitting import features_of

TENSOR = "features_tensor"
"""Under which name `image.json` has the number of the tensor with the last features."""

CLOSE = 1e-3  # of the largest feature, by which TFLite's may differ from Keras's: they add in another order
STRONGEST = 0.6  # of the map's colour over the picture, where it is strongest


@dataclass(frozen=True, eq=False)
class Seen:
    """The answer to a picture: `label`, its `score`, and the map of where it comes from, float32 [height, width], of the features' size."""

    label: str
    score: float
    map: Floats


class Mapper:
    """Makes maps of a run. Raises RunError when its files are missing or damaged."""

    def __init__(self, run: PixelRun) -> None:
        self._model = TfliteModel(run.model(), every_tensor=True)
        self._labels, self._side = run.labels, run.seeing.side
        tensor = run.description.get(TENSOR)
        try:
            with np.load(run.path / HEAD) as arrays:
                self._kernel = np.asarray(arrays["kernel"], np.float32)
        except Exception as error:  # numpy raises many kinds on damaged files
            raise RunError(f"{run.path / HEAD} is missing or damaged: train again.") from error
        if not isinstance(tensor, int) or self._kernel.shape[-1] != len(self._labels):
            raise RunError(f"{run.path / run.MARK} and {HEAD} do not belong together: train again.")
        self._tensor = tensor

    @property
    def places(self) -> tuple[int, int]:
        """How many places a map tells apart, in height and width: one for each 32 pixels of what the network sees."""
        _, height, width, _ = dict(self._model.tensors())[self._tensor]
        return height, width

    def look(self, pixels: Pixels, label: str | None = None) -> Seen:
        """Return the answer to a photo or a part of one, uint8 [height, width, 3], and the map of it, or of another `label`."""
        scores = self._model.scores(stretched(pixels, self._side)[None])[0]
        best = int(np.argmax(scores))
        features = self._model.tensor(self._tensor)
        if features is None:
            raise RunError("The model does not keep its features: train again.")
        wanted = best if label is None else self._labels.index(label)
        return Seen(self._labels[best], float(scores[best]), features[0] @ self._kernel[:, wanted])


def overlaid(pixels: Pixels, found: Floats) -> Pixels:
    """Return a picture, uint8 [height, width, 3], with a map over it: yellow and red where the answer comes from, nothing where it does not."""
    import cv2

    height, width = pixels.shape[:2]
    adding = np.asarray(np.clip(found / max(float(found.max()), 1e-6), 0, 1), np.float32)
    large = np.clip(cv2.resize(adding, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)  # cubic goes beyond
    colours = cv2.applyColorMap(np.asarray(255 * large, np.uint8), cv2.COLORMAP_INFERNO)[:, :, ::-1]
    share = STRONGEST * large[:, :, None]
    return np.asarray(np.clip(pixels + share * (colours.astype(np.float32) - pixels), 0, 255), np.uint8)


def keep_head(run: PixelRun, content: bytes, picture: Pixels) -> int:
    """Write `head.npz`, and return the number of the tensor in which a TFLite file has the features that `model.keras` has.

    It is found by its values, for one picture, uint8 [side, side, 3]: the converter names and numbers tensors as it likes.
    """
    features, kernel = features_of(run.path / KERAS, picture[None])
    model = TfliteModel(content, every_tensor=True)
    model.scores(picture[None])
    limit = CLOSE * float(np.abs(features).max())
    for number, shape in model.tensors():
        if shape != features.shape:
            continue
        values = model.tensor(number)
        if values is not None and float(np.abs(values - features).max()) <= limit:
            with atomic_write(run.path / HEAD) as temporary, temporary.open("wb") as file:
                np.savez(file, kernel=kernel)
            return number
    raise AssertionError("the converter left no tensor with the last features")
