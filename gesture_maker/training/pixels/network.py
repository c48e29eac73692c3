"""The network over pictures: a backbone of Keras Applications, the mean of its features, and a score for each class.

It takes float32 [N, side, side, 3], RGB in 0..255: whatever the backbone wants of them is done inside, so that MediaPipe, Keras and TFLite are given
the same. The means of the features and one dense layer are all of the top, which makes its decision a sum over places: see
`pixels/maps.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gesture_maker.errors import ConfigError
from gesture_maker.training.epochs import stateless_dropout
from gesture_maker.training.pixels.backbones import BACKBONES
from gesture_maker.training.pixels.settings import PixelSettings
from gesture_maker.training.tensorflow_runtime import load_tensorflow

FEATURES, SCORES = "features", "scores"
"""The names of the layers that give features [N, height, width, channels], and scores [N, classes]."""

CAFFE_MEANS = (123.68, 116.779, 103.939)
"""Of ImageNet's pictures, RGB in 0..255: ResNet50's published weights want pixels without them, in the order BGR (Keras's `caffe` mode)."""

MOMENTUM = 0.9
"""Of batch normalization's running means where nothing is pretrained. MobileNetV3 comes with 0.999: 500 steps, as few photos give, leave 0.6 of what it
began with in them, and the network answers at random when it is asked, though it learned."""

Tensor = Any


def plain(settings: PixelSettings, classes: int) -> Any:
    """Return the network, of Keras's own layers and in float32, untrained."""
    layers = load_tensorflow().keras.layers
    return _network(settings, classes, lambda name: layers.Dropout(settings.dropout, name=name))


def trainable(settings: PixelSettings, classes: int, step: Any, *, mixed: bool = False) -> Any:
    """Return the network to be trained, with the same weights in the same order as `plain`.

    `step`: an int32 variable that changes from step to step. `mixed`: calculates in float16 where that is enough.
    """
    keras = load_tensorflow().keras
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_float16" if mixed else "float32")
    try:
        return _network(
            settings,
            classes,
            lambda name: stateless_dropout()(settings.dropout, lambda: (settings.seed, step), name),
        )
    finally:
        keras.mixed_precision.set_global_policy(before)


def copied(settings: PixelSettings, classes: int, weights: Sequence[Any]) -> Any:
    """Return the plain network with the weights of a trained one."""
    model = plain(settings, classes)
    model.set_weights(weights)
    return model


def load_weights(model: Any, path: Path, settings: PixelSettings) -> None:
    """Give a network's backbone the weights of a file in Keras's HDF5 format, without top, or of the backbone in a `model.keras`.

    Raises ConfigError when they do not fit.
    """
    base = model.get_layer(FEATURES)
    try:
        if path.suffix == ".keras":
            other = load_tensorflow().keras.models.load_model(path, compile=False, safe_mode=True)
            base.set_weights(other.get_layer(FEATURES).get_weights())
            return
        base.load_weights(path)
    except Exception as error:  # h5py and Keras raise many kinds
        backbone = BACKBONES[settings.backbone]
        raise ConfigError(
            f"{path} has no weights that fit {backbone.title} without its top: give the file that Keras Applications publishes for it "
            f"({backbone.file}), or the model.keras of a run on it."
        ) from error
    if settings.backbone == "resnet50":
        _turn_to_rgb(base)


def set_trainable(model: Any, settings: PixelSettings, stages: int) -> None:
    """Let the top learn, and of the backbone the last `stages`; all of it without pretrained weights.

    Batch normalization of pretrained stages stays as it is: a few photos say less about means and variances than ImageNet does.
    """
    tensorflow = load_tensorflow()
    base = model.get_layer(FEATURES)
    base.trainable = True
    normalization = tensorflow.keras.layers.BatchNormalization
    if not settings.pretrained:
        for layer in base.layers:
            if isinstance(layer, normalization):
                layer.momentum = min(layer.momentum, MOMENTUM)
        return
    learning = tuple(begin for stage in BACKBONES[settings.backbone].stages[:stages] for begin in stage)
    for layer in base.layers:
        layer.trainable = bool(learning) and layer.name.startswith(learning) and not isinstance(layer, normalization)


def _network(settings: PixelSettings, classes: int, dropout: Any) -> Any:
    keras = load_tensorflow().keras
    keras.backend.reset_uids()  # layers without a name are numbered, and the TFLite has their names: the same bytes each time
    layers, backbone = keras.layers, BACKBONES[settings.backbone]
    shape = (settings.image_size, settings.image_size, 3)
    given = layers.Input(shape, name="picture")
    base = getattr(keras.applications, backbone.keras)(
        include_top=False, weights=None, input_shape=shape, **backbone.options
    )
    base._name = FEATURES
    values = given
    if settings.backbone == "resnet50":
        values = layers.Rescaling(1.0, [-mean for mean in CAFFE_MEANS], name="without_means")(values)
    features = base(values)
    mean = layers.GlobalAveragePooling2D(name="mean")(features)
    mean = dropout("dropout")(mean)
    scores = layers.Dense(classes, activation="softmax", name=SCORES, dtype="float32")(mean)
    return keras.Model(given, scores, name=settings.backbone.replace("-", "_"))


def _turn_to_rgb(base: Any) -> None:
    """Let ResNet50's first layer, which was trained on BGR, take RGB: the same answers without an operation for it."""
    first = base.get_layer("conv1_conv")
    kernel, bias = first.get_weights()
    first.set_weights([kernel[:, :, ::-1], bias])
