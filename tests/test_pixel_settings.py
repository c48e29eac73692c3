"""What networks over pictures are trained with: settings that can be, stages that there are, and what learns in each."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.errors import ConfigError
from gesture_maker.training.pixels.backbones import BACKBONES
from gesture_maker.training.pixels.network import FEATURES, MOMENTUM, SCORES, plain, set_trainable
from gesture_maker.training.pixels.settings import FROM_SCRATCH, VARIED, PixelSettings
from gesture_maker.training.tensorflow_runtime import load_tensorflow

STEMS = {
    "resnet50": ("conv1_",),
    "efficientnetv2-b0": ("normalization", "stem_"),
    "mobilenetv3-large": ("Conv/", "Conv"),
    "mobilenetv3-small": ("Conv/", "Conv"),
}
"""How the names begin of the layers that never learn from few photos."""

numbers = st.floats() | st.integers() | st.text(max_size=3) | st.none() | st.booleans()


def small(backbone: str, **more: Any) -> PixelSettings:
    """Return settings without pretrained weights."""
    return PixelSettings.of({"backbone": backbone, "image_size": 32, **more}, pretrained=False)


# Settings


@given(st.sampled_from(sorted(PixelSettings.NUMBERS)), numbers)
def test_a_number_is_within_its_bounds_or_refused(name: str, value: Any) -> None:
    least, most = PixelSettings.NUMBERS[name]
    can_be = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    if can_be:
        assert getattr(PixelSettings(**{name: value}), name) == value
    else:
        with pytest.raises(ConfigError, match=name):
            PixelSettings(**{name: value})


@given(st.sampled_from(sorted(PixelSettings.WHOLE)), numbers)
def test_a_whole_number_is_within_its_bounds_or_refused(name: str, value: Any) -> None:
    least, most = PixelSettings.WHOLE[name]
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        assert getattr(PixelSettings(**{name: value}), name) == value
    else:
        with pytest.raises(ConfigError, match=name):
            PixelSettings(**{name: value})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"backbone": "vgg"}, 'There is no backbone "vgg": use resnet50'),
        ({"flip": 1}, "flip is 1, but has to be true or false"),
        ({"mixed_precision": "yes"}, "mixed_precision"),
        ({"stages": 5}, "stages is 5, but has to be a whole number from 0 to 4"),
        ({"top_epochs": 0, "epochs": 0}, "nothing would be trained"),
        ({"top_epochs": 0, "stages": 0}, "nothing would be trained"),
        ({"pretrained": False}, "Without pretrained weights everything learns"),
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PixelSettings(**wrong)
    assert message in str(caught.value)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("pretrained", [True, False])
def test_settings_are_the_same_after_json(backbone: str, pretrained: bool) -> None:
    made = PixelSettings.of({"backbone": backbone, "flip": False, "light": 0}, pretrained=pretrained)
    assert PixelSettings.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert (made.top_epochs == 0) != pretrained
    if not pretrained:
        assert made.stages == len(BACKBONES[backbone].stages)
        assert {name: getattr(made, name) for name in FROM_SCRATCH} == dict(FROM_SCRATCH)
    with pytest.raises(ConfigError, match="There is no setting 'colour' of a classifier on pixels"):
        PixelSettings.of({"colour": 1}, pretrained=pretrained)


@given(st.integers(0, 50), st.integers(1, 120))
def test_variants_grow_to_what_is_said_and_stay_there(ease_in: int, epoch: int) -> None:
    settings = PixelSettings(ease_in=ease_in)
    eased, next_one = settings.eased(epoch), settings.eased(epoch + 1)
    for name in VARIED:
        assert getattr(eased, name) <= getattr(next_one, name) <= getattr(settings, name)
        assert getattr(eased, name) > 0
    if epoch >= ease_in:
        assert eased == settings
    same = {one.name for one in fields(settings)} - set(VARIED)
    assert all(getattr(eased, name) == getattr(settings, name) for name in same)


# What learns


@pytest.fixture(scope="module", params=list(BACKBONES))
def network(request: pytest.FixtureRequest) -> tuple[PixelSettings, Any]:
    """Settings, and the network of three classes that they make."""
    load_tensorflow().keras.backend.clear_session()
    settings = small(request.param)
    return settings, plain(settings, 3)


def test_stages_are_all_of_a_network_but_its_stem_and_what_is_pretrained_is_handled_with_care(
    network: tuple[PixelSettings, Any],
) -> None:
    settings, model = network
    backbone, base = BACKBONES[settings.backbone], model.get_layer(FEATURES)
    normalization = load_tensorflow().keras.layers.BatchNormalization
    weighty = [layer for layer in base.layers if layer.weights]
    of_stage = [{one.name for one in weighty if one.name.startswith(stage)} for stage in backbone.stages]
    assert all(of_stage), "each stage has layers with weights"
    assert sum(map(len, of_stage)) == len(set.union(*of_stage)), "and none of another's"
    rest = [one.name for one in weighty if one.name not in set.union(*of_stage)]
    assert rest
    assert all(name.startswith(STEMS[backbone.name]) for name in rest), rest
    names = [one.name for one in base.layers]
    last = [max(names.index(name) for name in its) for its in of_stage]
    assert last == sorted(last, reverse=True), "the last stage comes first"

    pretrained = PixelSettings.of({"backbone": backbone.name, "image_size": 32}, pretrained=True)
    for stages in range(len(backbone.stages) + 1):
        set_trainable(model, pretrained, stages)
        learning = {one.name for one in base.layers if one.trainable_weights}
        wanted = {
            one.name
            for one in weighty
            if any(one.name in its for its in of_stage[:stages]) and not isinstance(one, normalization)
        }
        assert learning == wanted
        assert model.get_layer(SCORES).trainable_weights
        frozen = [one for one in base.layers if isinstance(one, normalization)]
        assert not any(one.trainable for one in frozen)

    set_trainable(model, settings, len(backbone.stages))
    assert len(base.trainable_weights) == sum(len(one.trainable_weights) for one in weighty) > 0
    assert all(layer.trainable for layer in base.layers)
    assert {one.momentum for one in base.layers if isinstance(one, normalization)} == {MOMENTUM}


def test_it_takes_pixels_as_they_are_and_gives_scores(network: tuple[PixelSettings, Any]) -> None:
    import numpy as np

    settings, model = network
    assert model.input_shape == (None, 32, 32, 3)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    scores = model(pixels, training=False).numpy()
    assert scores.shape == (2, 3)
    assert scores.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    features = model.get_layer(FEATURES)
    assert len(features.output_shape) == 4
    assert replace(settings, seed=1) != settings
