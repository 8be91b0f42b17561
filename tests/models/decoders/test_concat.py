"""The decoder for DenseNet: its order, its channels, its doubling without weights."""

import pytest

from delineate.errors import RecipeError
from delineate.models.blocks import Style
from tests.models.decoders.features import DENSENET, decode, shapes, sources

CONVOLVED = {
    "decoder4_convolve": (2, 2, 256),
    "decoder3_convolve": (4, 4, 128),
    "decoder2_convolve": (8, 8, 64),
    "decoder1_convolve": (16, 16, 32),
    "decoder0_convolve": (32, 32, 32),
}


def test_over_densenet_it_convolves_before_it_doubles_and_joins():
    model = decode("concat", DENSENET)
    assert shapes(model, "Conv2D") == CONVOLVED
    assert shapes(model, "Concatenate") == {
        "decoder4_join": (4, 4, 256 + 1024),
        "decoder3_join": (8, 8, 128 + 512),
        "decoder2_join": (16, 16, 64 + 256),
        "decoder1_join": (32, 32, 32 + 64),
    }
    assert sources(model, "decoder4_convolve") == ["feature32"]
    assert sources(model, "decoder4_join") == ["decoder4_double", "feature16"]
    assert sources(model, "decoder3_convolve") == ["decoder4_join"]
    assert model.output.shape[1:] == (64, 64, 32)


def test_its_convolutions_are_plain_where_nothing_is_normalised():
    model = decode("concat", DENSENET, style=Style(initialiser="zeros", normalisation="none"))
    kinds = {type(layer).__name__ for layer in model.layers}
    assert kinds == {"InputLayer", "Conv2D", "Activation", "UpSampling2D", "Concatenate"}
    assert model.get_layer("decoder4_convolve").use_bias
    assert model.get_layer("decoder4_convolve").kernel_size == (3, 3)


@pytest.mark.parametrize(
    ("upsampling", "how"), [("transposed", "nearest"), ("bilinear", "bilinear")]
)
def test_doubling_repeats_pixels_or_is_bilinear(upsampling, how):
    model = decode("concat", DENSENET, upsampling=upsampling)
    assert {model.get_layer(n).interpolation for n in shapes(model, "UpSampling2D")} == {how}


def test_an_encoder_of_less_depth_has_the_same_channels_at_the_same_resolution():
    model = decode("concat", {1: 3, 2: 3, 4: 3, 8: 3})
    assert shapes(model, "Conv2D") == {
        "decoder2_convolve": (8, 8, 64),
        "decoder1_convolve": (16, 16, 32),
        "decoder0_convolve": (32, 32, 32),
    }
    assert model.output.shape[1:] == (64, 64, 32 + 3)


def test_channels_are_those_that_are_given_and_fewer_end_below_full_resolution():
    model = decode("concat", DENSENET, decoder_filters=(9, 7))
    assert [shape[-1] for shape in shapes(model, "Conv2D").values()] == [9, 7]
    assert model.output.shape[1:] == (8, 8, 7 + 512)
    with pytest.raises(RecipeError, match="which has 5 here"):
        decode("concat", DENSENET, decoder_filters=(1,) * 6)
