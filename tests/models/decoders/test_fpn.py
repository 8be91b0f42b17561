"""The feature pyramid and the branch that sums it."""

import keras
import numpy as np
import pytest

from delineate.errors import RecipeError
from delineate.models.blocks import Style
from tests.models.decoders.features import decode, numbers, shapes, sources

RESNET = {2: 64, 4: 256, 8: 512, 16: 1024, 32: 2048}


def test_its_channels_are_those_of_the_paper():
    found = shapes(decode("fpn", RESNET), "Conv2D")
    pyramid = {name: shape for name, shape in found.items() if "pyramid" in name}
    assert {shape[-1] for shape in pyramid.values()} == {256}
    assert len(pyramid) == 2 * 4
    assert {shape[-1] for name, shape in found.items() if "level" in name} == {128}


def test_each_level_has_as_many_convolutions_and_doublings_as_it_is_above_stride_4():
    model = decode("fpn", RESNET)
    names = {*shapes(model, "Conv2D"), *shapes(model, "UpSampling2D")}
    for depth, convolutions, doublings in ((2, 1, 0), (3, 1, 1), (4, 2, 2), (5, 3, 3)):
        assert sum(name.startswith(f"level{depth}_convolve") for name in names) == convolutions
        assert sum(name.startswith(f"level{depth}_double") for name in names) == doublings
    assert model.output.shape[1:] == (16, 16, 128)
    assert len(sources(model, "levels_add")) == 4


def test_features_finer_than_stride_4_are_not_used():
    model = decode("fpn", RESNET)
    assert "feature2" not in {
        name for layer in model.layers[5:] for name in sources(model, layer.name)
    }


def test_each_level_of_the_pyramid_is_the_feature_plus_the_level_below():
    model = decode("fpn", {4: 3, 8: 2}, style=Style(), side=16, decoder_filters=(5, 4))
    values = numbers(model)
    layers = [model.get_layer(f"pyramid{depth}_lateral") for depth in (2, 3)]
    fine, deep = (
        value @ np.array(layer.get_weights()[0])[0, 0]
        for layer, value in zip(layers, values, strict=True)
    )
    expected = fine + deep.repeat(2, axis=1).repeat(2, axis=2)
    found = keras.Model(model.input, model.get_layer("pyramid2_add").output)
    np.testing.assert_allclose(found.predict_on_batch(values), expected, rtol=1e-4, atol=1e-5)


def test_channels_are_those_that_are_given():
    model = decode("fpn", RESNET, decoder_filters=(6, 5))
    assert {shape[-1] for shape in shapes(model, "Conv2D").values()} == {6, 5}
    with pytest.raises(RecipeError, match="which has 2 here"):
        decode("fpn", RESNET, decoder_filters=(6,))
