"""DeepLabV3+: how far it sees, its channels, and that the whole is joined as in the paper."""

import keras
import numpy as np
import pytest

from delineate.errors import RecipeError
from delineate.models.blocks import Style
from tests.models.decoders.features import MOBILENET, decode, numbers, shapes, sources


def rates(channels):
    model = decode("deeplabv3plus", channels)
    return [
        model.get_layer(name).dilation_rate[0]
        for name in shapes(model, "DepthwiseConv2D")
        if "rate" in name
    ]


@pytest.mark.parametrize(
    ("deepest", "expected"),
    [(8, [12, 24, 36]), (16, [6, 12, 18]), (32, [3, 6, 9]), (64, [1, 3, 4])],
)
def test_it_sees_as_far_in_the_image_at_any_stride(deepest, expected):
    assert rates({4: 3, deepest: 5}) == expected


def test_its_channels_are_those_of_the_paper():
    model = decode("deeplabv3plus", MOBILENET)
    assert model.get_layer("context_join").output.shape[1:] == (2, 2, 4 * 256)
    assert model.get_layer("detail_convolve").output.shape[1:] == (16, 16, 48)
    assert model.get_layer("decoder_join").output.shape[1:] == (16, 16, 256 + 48)
    assert sources(model, "detail_convolve") == ["feature4"]
    assert model.output.shape[1:] == (16, 16, 256)


def test_the_whole_is_mixed_in_as_if_it_were_repeated_and_joined():
    model = decode("deeplabv3plus", {4: 3, 8: 4}, side=16, style=Style(), decoder_filters=(5, 2))
    names = ("context_join", "context_whole_activate", "context_add")
    outputs = [model.get_layer(name).output for name in names]
    ranges, whole, found = keras.Model(model.input, outputs).predict_on_batch(numbers(model))
    joined = np.concatenate([ranges, np.broadcast_to(whole, (*ranges.shape[:3], 5))], axis=-1)
    kernels = [
        np.array(model.get_layer(name).get_weights()[0])[0, 0]
        for name in ("context_mix", "context_mix_whole")
    ]
    np.testing.assert_allclose(found, joined @ np.concatenate(kernels), rtol=1e-4, atol=1e-5)


def test_the_whole_is_the_mean_of_the_deepest_feature():
    model = decode("deeplabv3plus", {4: 3, 8: 4}, side=16, decoder_filters=(5, 2))
    values = numbers(model)
    whole = keras.Model(model.input, model.get_layer("context_whole").output)
    expected = values[1].mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(whole.predict_on_batch(values), expected, rtol=1e-4, atol=1e-6)


def test_channels_are_those_that_are_given():
    model = decode("deeplabv3plus", MOBILENET, decoder_filters=(7, 3))
    assert model.output.shape[-1] == 7
    assert model.get_layer("detail_convolve").filters == 3
    with pytest.raises(RecipeError, match="which has 2 here"):
        decode("deeplabv3plus", MOBILENET, decoder_filters=(7,))
