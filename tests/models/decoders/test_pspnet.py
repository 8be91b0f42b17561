"""Pyramid pooling: its parts, its channels, and the sizes that it refuses."""

import math

import keras
import numpy as np
import pytest

from delineate.errors import RecipeError
from delineate.models.blocks import Style
from tests.models.decoders.features import decode, numbers, sources


def means_over_parts(values, bins):
    """Return the means as torch and the paper have them: parts may overlap by a pixel."""

    def part(number, side):
        return slice(number * side // bins, math.ceil((number + 1) * side / bins))

    return np.stack(
        [
            np.stack(
                [
                    values[:, part(row, values.shape[1]), part(column, values.shape[2])].mean(
                        (1, 2)
                    )
                    for column in range(bins)
                ],
                axis=1,
            )
            for row in range(bins)
        ],
        axis=1,
    )


def test_it_pools_the_deepest_feature_to_a_quarter_of_its_channels_each():
    model = decode("pspnet", {8: 7, 32: 2048}, side=320)
    for bins in (1, 2, 3, 6):
        assert model.get_layer(f"parts{bins}_convolve").output.shape[1:] == (bins, bins, 512)
        assert sources(model, f"parts{bins}_pool") == ["feature32"]
    assert model.get_layer("parts_join").output.shape[1:] == (10, 10, 4096)
    assert model.output.shape[1:] == (10, 10, 512)


@pytest.mark.parametrize("side", [2, 3, 4, 6, 8, 11])
def test_the_parts_are_those_of_adaptive_pooling_elsewhere(side):
    model = decode("pspnet", {1: 2}, side=side, decoder_filters=(1,))
    pools = [model.get_layer(f"parts{bins}_pool").output for bins in (1, 2, 3, 6)]
    values = numbers(model)
    found = keras.Model(model.input, pools).predict_on_batch(values)
    for bins, means in zip((1, 2, 3, 6), found, strict=True):
        np.testing.assert_allclose(means, means_over_parts(values[0], bins), rtol=1e-4, atol=1e-5)


def test_the_whole_is_seen_also_in_a_batch_of_one_image():
    model = decode("pspnet", {1: 8}, side=6, style=Style(), decoder_filters=(1,))
    whole = keras.Model(model.input, model.get_layer("parts1_enlarge").output)
    values = [numbers(model)[0][:1]]
    found = keras.ops.convert_to_numpy(whole(values, training=True))
    assert found.std() > 0
    np.testing.assert_allclose(found, np.broadcast_to(found[:, :1, :1], found.shape), rtol=1e-5)


@pytest.mark.parametrize(
    ("side", "message"), [(None, "image of unknown size"), (32, "feature of 1×1 pixels")]
)
def test_sizes_that_cannot_be_pooled_are_refused(side, message):
    with pytest.raises(RecipeError, match=f"'pspnet' pools over parts of a.* {message}"):
        decode("pspnet", {32: 4}, side=side)


def test_channels_are_those_that_are_given():
    assert decode("pspnet", {16: 4}, decoder_filters=(9,)).output.shape[-1] == 9
    with pytest.raises(RecipeError, match="which has 1 here"):
        decode("pspnet", {16: 4}, decoder_filters=(9, 9))
