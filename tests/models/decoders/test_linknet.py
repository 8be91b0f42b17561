"""LinkNet: additions, and a quarter of the channels in between."""

import pytest

from delineate.errors import RecipeError
from tests.models.decoders.features import decode, shapes, sources

# What ResNet18 gives, as in the paper.
RESNET = {2: 64, 4: 64, 8: 128, 16: 256, 32: 512}


def test_its_channels_over_resnet18_are_those_of_the_paper():
    model = decode("linknet", RESNET)
    assert shapes(model, "Conv2DTranspose") == {
        "decoder4_double": (4, 4, 128),
        "decoder3_double": (8, 8, 64),
        "decoder2_double": (16, 16, 32),
        "decoder1_double": (32, 32, 16),
        "decoder0_double": (64, 64, 16),
    }
    widened = {
        name: shape[-1] for name, shape in shapes(model, "Conv2D").items() if "widen" in name
    }
    assert list(widened.values()) == [256, 128, 64, 64, 32]
    assert model.output.shape[1:] == (64, 64, 32)


def test_what_comes_up_is_added_to_the_feature_of_its_stride():
    model = decode("linknet", RESNET)
    assert sources(model, "decoder3_add") == ["decoder3_widen_activate", "feature8"]
    assert sources(model, "decoder3_narrow") == ["decoder4_add"]
    assert list(shapes(model, "Add")) == [f"decoder{depth}_add" for depth in (4, 3, 2, 1)]


def test_the_kernels_are_3_by_3_between_two_of_1_by_1():
    model = decode("linknet", RESNET)
    sizes = [
        model.get_layer(f"decoder4_{part}").kernel_size for part in ("narrow", "double", "widen")
    ]
    assert sizes == [(1, 1), (3, 3), (1, 1)]


def test_it_doubles_as_is_set():
    model = decode("linknet", RESNET, upsampling="bilinear")
    assert not shapes(model, "Conv2DTranspose")
    assert len(shapes(model, "UpSampling2D")) == 5


def test_channels_cannot_be_chosen():
    with pytest.raises(RecipeError, match="no effect on the decoder 'linknet'"):
        decode("linknet", RESNET, decoder_filters=(8,))
