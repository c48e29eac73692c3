"""What decides how a network over pictures is trained: every number with its default, checked when it is given.

Pretrained weights are handled with care: first the new top alone learns, then the last stages with it at a tenth of the rate. Without
them there is nothing to be careful with, and everything learns from the start. Nothing here needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from gesture_maker.errors import ConfigError
from gesture_maker.training.checked import CheckedSettings, whole
from gesture_maker.training.pixels.backbones import BACKBONES

IMAGENET, SCRATCH = "imagenet", "none"

VARIED = ("rotation", "scale", "shift", "light", "background")
"""The settings of variants that grow over the first epochs where nothing is pretrained."""

FROM_SCRATCH: Mapping[str, Any] = {
    "batch_size": 16,
    "top_epochs": 0,
    "epochs": 100,
    "learning_rate": 1e-3,
    "stop_patience": 25,
    "reduce_patience": 10,
    "ease_in": 20,
}
"""Other defaults where nothing is pretrained, beside all stages.

Drawn hands in HGR1's layout, 600 photos of 8 people and 25 poses at 96 x 96 pixels, MobileNetV3-Small, 40 epochs, one seed; 150 photos of 2 others: batches of 32
and variants of full strength from the start 0.47, batches of 16 and variants that grow 0.65. At 64 x 64 pixels and full strength it
stays at chance (0.04) for 15 epochs, and a patience of 10 ended the training there; a learning rate of 0.003 never got away from it."""

LEAST_SIDE, MOST_SIDE = 32, 512


@dataclass(frozen=True)
class PixelSettings(CheckedSettings):
    """How a network over pictures is made and trained.

    `backbone`: one of `BACKBONES`. `image_size`: side of the pictures in pixels. `pretrained`: whether the backbone comes with weights.
    `dropout`: before the scores. `label_smoothing`: share of a class's certainty given to all. `class_weights`: weigh classes with few
    photos more. `mixed_precision`: float16 where it can be, None for where the hardware is made for it.

    `top_epochs`: in which the top alone learns. `stages`: how many of the last stages learn afterwards.
    `epochs`: of that, at most. `top_learning_rate`, `learning_rate`: of the first and of the second. `stop_patience`: epochs without a lower validation loss,
    after which the best is restored; `reduce_patience`: those after which the learning rate is multiplied by `reduce_factor`, down to
    `min_learning_rate`.

    Of every picture in every epoch: `flip`: half of them are mirrored; `rotation`: degrees at most; `scale` and `shift`: by at most this share of the side; `light`:
    brightness and contrast, by at most this share; `background`: the share of the pictures with a mask that get another background. `ease_in`: epochs over which these grow to
    what is said here.

    The defaults are for pretrained weights; `of` knows those without.
    """

    KIND: ClassVar[str] = "a classifier on pixels"
    FLAGS: ClassVar[tuple[str, ...]] = ("pretrained", "class_weights", "flip")
    WHOLE: ClassVar[Mapping[str, tuple[int, int]]] = {
        "image_size": (LEAST_SIDE, MOST_SIDE),
        "batch_size": (2, 4096),  # batch normalization knows nothing of a single picture
        "top_epochs": (0, 100_000),
        "epochs": (0, 100_000),
        "ease_in": (0, 100_000),
        "stop_patience": (1, 100_000),
        "reduce_patience": (1, 100_000),
        "seed": (0, 2**31 - 1),
    }
    NUMBERS: ClassVar[Mapping[str, tuple[float, float]]] = {
        "dropout": (0.0, 0.95),
        "label_smoothing": (0.0, 0.5),
        "top_learning_rate": (1e-8, 10.0),
        "learning_rate": (1e-8, 10.0),
        "reduce_factor": (0.01, 1.0),
        "min_learning_rate": (0.0, 10.0),
        "rotation": (0.0, 180.0),
        "scale": (0.0, 0.9),
        "shift": (0.0, 0.5),
        "light": (0.0, 0.9),
        "background": (0.0, 1.0),
    }

    backbone: str = "resnet50"
    image_size: int = 224
    pretrained: bool = True
    dropout: float = 0.2
    label_smoothing: float = 0.05
    class_weights: bool = False
    mixed_precision: bool | None = None
    batch_size: int = 32
    top_epochs: int = 10
    top_learning_rate: float = 1e-3
    epochs: int = 40
    stages: int = 2
    learning_rate: float = 1e-4
    stop_patience: int = 10
    reduce_patience: int = 4
    reduce_factor: float = 0.5
    min_learning_rate: float = 1e-6
    flip: bool = True
    rotation: float = 15.0
    scale: float = 0.15
    shift: float = 0.08
    light: float = 0.3
    background: float = 0.5
    ease_in: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise ConfigError(f'There is no backbone "{self.backbone}": use {", ".join(BACKBONES)}.')
        most = len(BACKBONES[self.backbone].stages)
        self.check()
        self.set("stages", whole("stages", self.stages, 0, most))
        if self.mixed_precision not in (None, True, False):
            raise ConfigError(f"mixed_precision is {self.mixed_precision!r}, but has to be true, false or left out.")
        if not self.top_epochs and not (self.epochs and self.stages):
            raise ConfigError("top_epochs is 0 and so is epochs or stages: nothing would be trained.")
        if not self.pretrained and (self.top_epochs or self.stages != most):
            raise ConfigError(
                "Without pretrained weights everything learns from the start: leave top_epochs and stages out, or give weights."
            )

    @classmethod
    def of(cls, given: Mapping[str, Any], *, pretrained: bool) -> PixelSettings:
        """Return the settings that are given, and for the others what suits a backbone with weights, or without any. Raises ConfigError."""
        backbone = BACKBONES.get(given.get("backbone", cls.backbone))
        own = {} if pretrained or backbone is None else {**FROM_SCRATCH, "stages": len(backbone.stages)}
        made: PixelSettings = cls.from_json({**own, "pretrained": pretrained, **given})
        return made

    def eased(self, epoch: int) -> PixelSettings:
        """Return the same settings with the variants as strong as they are in an epoch, from 1 on."""
        share = min(1.0, epoch / self.ease_in) if self.ease_in else 1.0
        if share == 1.0:
            return self
        return replace(self, **{name: share * getattr(self, name) for name in VARIED})
