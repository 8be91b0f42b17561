"""The decoder of pix2pix over MobileNetV2: kernels, channels, initial numbers, end."""

import numpy as np
import pytest

from delineate.errors import RecipeError
from delineate.models.blocks import Style
from tests.models.decoders.features import MOBILENET, decode, shapes, sources


def test_over_mobilenet_it_is_that_of_the_tutorial():
    model = decode("pix2pix", MOBILENET)
    assert shapes(model, "Conv2DTranspose") == {
        "decoder4_double": (4, 4, 512),
        "decoder3_double": (8, 8, 256),
        "decoder2_double": (16, 16, 128),
        "decoder1_double": (32, 32, 64),
    }
    assert shapes(model, "Concatenate") == {
        "decoder4_join": (4, 4, 512 + 576),
        "decoder3_join": (8, 8, 256 + 192),
        "decoder2_join": (16, 16, 128 + 144),
        "decoder1_join": (32, 32, 64 + 96),
    }
    assert sources(model, "decoder3_double") == ["decoder4_join"]
    assert sources(model, "decoder3_double_normalise") == ["decoder3_double"]
    assert sources(model, "decoder3_join") == ["decoder3_double_activate", "feature8"]


def test_its_kernels_are_4_by_4_without_a_bias_and_begin_as_in_the_paper():
    model = decode("pix2pix", {2: 8, 4: 8}, decoder_filters=(32,), style=Style())
    layer = model.get_layer("decoder1_double")
    assert (layer.kernel_size, layer.strides, layer.use_bias) == ((4, 4), (2, 2), False)
    assert np.array(layer.get_weights()[0]).std() == pytest.approx(0.02, rel=0.05)


def test_its_initial_numbers_are_those_of_the_seed_and_of_the_layer():
    def seeds(number):
        model = decode("pix2pix", MOBILENET, style=Style(seed=number))
        names = shapes(model, "Conv2DTranspose")
        return [model.get_layer(name).kernel_initializer.seed for name in names]

    assert seeds(0) == seeds(0)
    assert len({*seeds(0), *seeds(1)}) == 8


def test_an_encoder_of_less_depth_has_the_same_channels_at_the_same_resolution():
    model = decode("pix2pix", {1: 3, 2: 3, 4: 3, 8: 3})
    assert shapes(model, "Conv2DTranspose") == {
        "decoder2_double": (16, 16, 128),
        "decoder1_double": (32, 32, 64),
    }


def test_it_ends_at_full_resolution_only_where_it_cannot_end_at_stride_2():
    assert decode("pix2pix", {1: 3, 2: 3}).output.shape[1:] == (64, 64, 64 + 3)


def test_channels_are_those_that_are_given_one_for_each_doubling():
    model = decode("pix2pix", MOBILENET, decoder_filters=(4, 3, 2, 1))
    assert [shape[-1] for shape in shapes(model, "Conv2DTranspose").values()] == [4, 3, 2, 1]
    with pytest.raises(RecipeError, match="which has 4 here"):
        decode("pix2pix", MOBILENET, decoder_filters=(4, 3, 2))
