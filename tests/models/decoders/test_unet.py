"""The U-Net's decoder: up to full resolution, joined where there is something to join."""

import pytest

from delineate.errors import RecipeError
from tests.models.decoders.features import MOBILENET, decode, shapes, sources

PLAIN = {1: 2, 2: 4, 4: 8, 8: 16}


def test_it_doubles_joins_and_convolves_from_the_deepest_feature_on():
    model = decode("unet", PLAIN, filters=2)
    assert sources(model, "decoder2_double") == ["feature8"]
    assert sources(model, "decoder1_double") == ["decoder2_convolve2_activate"]
    joins = {f"decoder{depth}_join": depth for depth in (0, 1, 2)}
    for name, depth in joins.items():
        assert sources(model, name) == [f"decoder{depth}_double", f"feature{2**depth}"]
    assert shapes(model, "Concatenate") == {
        "decoder2_join": (16, 16, 16),
        "decoder1_join": (32, 32, 8),
        "decoder0_join": (64, 64, 4),
    }
    assert model.output.shape[1:] == (64, 64, 2)


@pytest.mark.parametrize("first", [2, 4, 8])
def test_it_goes_up_to_full_resolution_where_an_encoder_begins_below(first):
    features = {stride: 3 for stride in (2, 4, 8, 16, 32) if stride >= first}
    model = decode("unet", features, filters=2)
    assert model.output.shape[1:] == (64, 64, 2)
    joined = [stride for stride in features if stride < 32]
    assert len(shapes(model, "Concatenate")) == len(joined)


def test_channels_double_with_the_depth_or_are_those_that_are_given():
    def channels(**settings):
        found = shapes(decode("unet", MOBILENET, filters=2, **settings), "Conv2DTranspose")
        return [shape[-1] for shape in found.values()]

    assert channels() == [32, 16, 8, 4, 2]
    assert channels(largest_filters=10) == [10, 10, 8, 4, 2]
    assert channels(decoder_filters=(9, 7, 5, 3, 1)) == [9, 7, 5, 3, 1]


def test_fewer_numbers_end_at_a_coarser_stride():
    model = decode("unet", MOBILENET, decoder_filters=(9, 7, 5, 3))
    assert model.output.shape[1:] == (32, 32, 3)


def test_more_numbers_than_doublings_are_refused():
    with pytest.raises(RecipeError, match="which has 5 here"):
        decode("unet", MOBILENET, decoder_filters=(9, 7, 5, 3, 2, 1))


@pytest.mark.parametrize("decoder", ["unet", "attention_unet"])
def test_features_are_narrowed_from_the_deepest_on(decoder):
    model = decode(decoder, PLAIN, filters=2, skip_filters=(3, 1))
    joined = {name: shape[-1] for name, shape in shapes(model, "Concatenate").items()}
    assert joined == {"decoder2_join": 8 + 3, "decoder1_join": 4 + 1, "decoder0_join": 2 + 2}
    assert model.get_layer("decoder2_narrow").kernel_size == (1, 1)


def test_more_numbers_than_features_are_refused():
    with pytest.raises(RecipeError, match="joins 3 features here"):
        decode("unet", PLAIN, skip_filters=(1, 1, 1, 1))


def test_it_doubles_as_is_set():
    assert not shapes(decode("unet", PLAIN, upsampling="bilinear"), "Conv2DTranspose")


def test_dropout_is_by_depth():
    model = decode("unet", PLAIN, dropout=(0.0, 0.1, 0.2))
    rates = {name: model.get_layer(name).rate for name in shapes(model, "Dropout")}
    assert rates == {"decoder2_dropout": 0.2, "decoder1_dropout": 0.1}
