"""From the hands that were photographed to the hands that are trained on: variants of each, and background."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gesture_maker.dataset.names import NONE
from gesture_maker.landmarks.hands import EmbedderInputs, Floats
from gesture_maker.training.augment import augmented
from gesture_maker.training.background import background_for
from gesture_maker.training.model_maker import LabelledEmbeddings

Embed = Callable[[EmbedderInputs], Floats]


def enriched(
    hands: EmbedderInputs,
    classes: npt.NDArray[np.int64],
    labels: list[str],
    embed: Embed,
    *,
    variants: int,
    background: int,
    seed: int,
) -> LabelledEmbeddings:
    """Return the embeddings to train on: each of the N hands, `variants` of each, and `background` hands as `none`."""
    parts, belongs = [embed(hands)], [classes]
    if variants:
        parts.append(embed(augmented(hands, variants, np.random.default_rng((seed, 0xA06)))))
        belongs.append(np.repeat(classes, variants))
    is_gesture = classes != labels.index(NONE)
    if background and is_gesture.any():
        per_class = is_gesture.sum() / max(1, len(labels) - 1)
        others = embed(background_for(hands.take(is_gesture), float(per_class), background, seed))
        parts.append(others)
        belongs.append(np.full(len(others), labels.index(NONE), np.int64))
    return LabelledEmbeddings(np.concatenate(parts), np.concatenate(belongs))
