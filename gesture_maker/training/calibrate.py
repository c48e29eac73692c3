"""Scores that mean what they say, and a head that rather answers `None` than a gesture it is not sure of.

Both are folded into the head's last layer, so that the runtime needs to know nothing of them: the weights are divided by a
temperature, and a margin is added to the bias of `none`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gesture_maker.landmarks.hands import Floats
from gesture_maker.training.model_maker import TrainedHead

TEMPERATURES = np.geomspace(0.2, 3.0, 60)

PRIOR_TEMPERATURE = 0.6
"""What the focal loss (gamma 2) leaves to be sharpened on average, and how many validation hands that belief weighs."""
PRIOR_HANDS = 20

MARGIN_SHARE = 0.2
"""Of the lead that all but the worst percent of the validation hands have before `none`, what is given to `none`. Trained on
60 of the 90 people and none, 1-5, the 30 others asked (three folds): without a margin all of 1-5 were recognized and 0.13 of
6-9 called one of them, with 0.3 it was 0.998 and 0.04; 0.5 costs 0.003 of the accuracy on all ten gestures."""

WORST = 0.01

ENOUGH = 40
"""Validation hands of gestures below which no margin is set: their worst percent says nothing yet. From cross-validation it
says too little as well, since few people were photographed: trained on the first 10 of the Sign Language Digits training
photos, the margin took the accuracy on the test people from 0.975 to 0.960."""


@dataclass(frozen=True)
class Calibration:
    """What was folded into the head: logits are divided by `temperature`, then `margin` is added to that of `none`."""

    temperature: float
    margin: float


def calibrate(
    head: TrainedHead,
    scores: Floats,
    classes: npt.NDArray[np.int64],
    none: int,
    *,
    cautious: bool,
) -> Calibration:
    """Fit temperature and margin on hands that were not trained on, fold them into the head, and return them.

    `scores` [N, classes] are what the head gives to hands of the classes `classes` [N], or what heads trained in the same
    way on other hands give (cross-validation); N may be 0. `none` is the index of that class. The likeliest gesture of a
    hand stays the same; with `cautious`, a hand near to none may become `None`.
    """
    logits = np.log(np.maximum(scores, 1e-12))
    temperature = best_temperature(logits, classes)
    gestures = classes != none
    margin = 0.0
    if cautious and gestures.sum() >= ENOUGH:
        lead = _lead(logits[gestures] / temperature, classes[gestures], none)
        margin = MARGIN_SHARE * max(0.0, float(np.quantile(lead, WORST, method="lower")))
    layer = head.model.layers[-1]
    weights, bias = layer.get_weights()
    bias = bias / temperature
    bias[none] += margin
    layer.set_weights([weights / temperature, bias])
    return Calibration(temperature, margin)


def calibrated(scores: Floats, found: Calibration, none: int) -> Floats:
    """Return `scores` [N, classes] of a head that is not calibrated as they would be with `found` folded into it."""
    logits = np.log(np.maximum(scores, 1e-12)) / found.temperature
    logits[:, none] += found.margin
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def best_temperature(logits: Floats, classes: npt.NDArray[np.int64]) -> float:
    """Return the temperature with the least negative log likelihood, drawn towards the usual one when there are few hands."""
    losses = [
        _negative_log_likelihood(logits / t, classes) + PRIOR_HANDS * np.log(t / PRIOR_TEMPERATURE) ** 2
        for t in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(losses))])


def _negative_log_likelihood(logits: Any, classes: npt.NDArray[np.int64]) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True) if len(logits) else logits
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(classes)), classes].sum())


def _lead(logits: Any, classes: npt.NDArray[np.int64], none: int) -> Any:
    """How far each hand's own class is before `none`, in logits."""
    return logits[np.arange(len(classes)), classes] - logits[:, none]
