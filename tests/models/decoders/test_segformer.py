"""SegFormer's decoder: all scales, the same channels, pixel by pixel."""

import pytest

from delineate.errors import RecipeError
from tests.models.decoders.features import decode, shapes, sources

# What MiT-B0 gives, as in the paper.
MIT = {4: 32, 8: 64, 16: 160, 32: 256}


def test_its_channels_over_mit_b0_are_those_of_the_paper():
    model = decode("segformer", MIT)
    assert shapes(model, "Conv2D") == {
        "scale5_project": (2, 2, 256),
        "scale4_project": (4, 4, 256),
        "scale3_project": (8, 8, 256),
        "scale2_project": (16, 16, 256),
        "decoder_mix": (16, 16, 256),
    }
    assert model.get_layer("decoder_join").output.shape[1:] == (16, 16, 4 * 256)
    assert sources(model, "scale5_project") == ["feature32"]


def test_no_convolution_looks_beyond_its_pixel():
    model = decode("segformer", MIT)
    assert {model.get_layer(name).kernel_size for name in shapes(model, "Conv2D")} == {(1, 1)}


def test_features_finer_than_stride_4_are_not_used():
    model = decode("segformer", {1: 2, 2: 3, **MIT})
    assert len(sources(model, "decoder_join")) == 4
    assert model.output.shape[1:] == (16, 16, 256)


def test_channels_are_those_that_are_given():
    assert decode("segformer", MIT, decoder_filters=(7,)).output.shape[-1] == 7
    with pytest.raises(RecipeError, match="which has 1 here"):
        decode("segformer", MIT, decoder_filters=(7, 7))
