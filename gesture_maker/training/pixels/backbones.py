"""The networks of Keras Applications that a classifier on pixels can stand on: their stages, and their published weights.

Each takes pictures float32 [N, side, side, 3], RGB in 0..255, and gives features [N, height, width, channels]. Nothing here needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_WEB = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Backbone:
    """One network. `keras`: its name in Keras Applications; `options`: for that. `stages`: how the names of the layers of each begin,
    the last stage first; the stem is none. `url` and `md5`: of the weights without the top that Keras publishes, trained on ImageNet."""

    name: str
    title: str
    keras: str
    options: Mapping[str, bool]
    stages: tuple[tuple[str, ...], ...]
    url: str
    md5: str

    @property
    def file(self) -> str:
        """The name of the published weights."""
        return self.url.rpartition("/")[2]


def _convs(*numbers: int) -> tuple[str, ...]:
    return tuple(f"expanded_conv_{number}/" for number in numbers)


BACKBONES: dict[str, Backbone] = {
    one.name: one
    for one in (
        Backbone(
            "resnet50",
            "ResNet50",
            "ResNet50",
            {},
            (("conv5_",), ("conv4_",), ("conv3_",), ("conv2_",)),
            f"{_WEB}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "4d473c1dd8becc155b73f8504c6f6626",
        ),
        Backbone(
            "efficientnetv2-b0",
            "EfficientNetV2-B0",
            "EfficientNetV2B0",
            {"include_preprocessing": True},
            (("top_", "block6"), ("block5",), ("block4",), ("block3",), ("block1", "block2")),
            f"{_WEB}/efficientnet_v2/efficientnetv2-b0_notop.h5",
            "893217f2bb855e2983157299931e43ff",
        ),
        Backbone(
            "mobilenetv3-large",
            "MobileNetV3-Large",
            "MobileNetV3Large",
            {"include_preprocessing": True},
            (
                ("Conv_1", *_convs(12, 13, 14)),
                _convs(*range(6, 12)),
                _convs(3, 4, 5),
                ("expanded_conv/", *_convs(1, 2)),
            ),
            f"{_WEB}/mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
            "07fb09a5933dd0c8eaafa16978110389",
        ),
        Backbone(
            "mobilenetv3-small",
            "MobileNetV3-Small",
            "MobileNetV3Small",
            {"include_preprocessing": True},
            (("Conv_1", *_convs(8, 9, 10)), _convs(*range(3, 8)), _convs(1, 2), ("expanded_conv/",)),
            f"{_WEB}/mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
            "d3e8ec802a04aa4fc771ee12a9a9b836",
        ),
    )
}
"""By name, the largest first. Addresses and MD5 sums are those in Keras 2.15's own tables."""
