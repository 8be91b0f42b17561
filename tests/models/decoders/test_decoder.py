"""What all decoders have in common."""

import keras
import pytest

from delineate.catalog import DECODERS, find
from delineate.models.blocks import Style
from delineate.models.decoders.decoder import Decoder, from_stride
from tests.models.decoders.features import decode, shapes

PLAIN = {1: 4, 2: 4, 4: 6, 8: 6, 16: 8}
ENDS = {
    "attention_unet": 1,
    "concat": 1,
    "deeplabv3plus": 4,
    "fpn": 4,
    "linknet": 1,
    "pix2pix": 2,
    "pspnet": 16,
    "segformer": 4,
    "unet": 1,
    "unetplusplus": 1,
}


def test_the_table_holds_decoders_whose_ends_are_tried_here():
    assert all(isinstance(find("decoders", name), Decoder) for name in DECODERS)
    assert ENDS.keys() == DECODERS.keys()


@pytest.mark.parametrize("name", DECODERS)
def test_each_decoder_ends_at_the_stride_that_it_promises(name):
    assert decode(name, PLAIN).output.shape[1:3] == (64 // ENDS[name], 64 // ENDS[name])


@pytest.mark.parametrize("name", [name for name in DECODERS if name != "pspnet"])
def test_all_but_pyramid_pooling_take_images_of_any_size(name):
    assert decode(name, PLAIN, side=None).output.shape[1:3] == (None, None)
    assert not find("decoders", name).fixed_size


@pytest.mark.parametrize("name", DECODERS)
def test_each_decoder_takes_what_strides_there_are(name):
    for strides in ([1, 2], [16], [4, 16], [2, 32], [4, 8, 16, 32, 64], [1]):
        assert decode(name, dict.fromkeys(strides, 4), side=256).output.shape[1] >= 4


@pytest.mark.parametrize("name", DECODERS)
def test_every_layer_of_a_decoder_is_of_keras_and_has_the_precision_of_the_style(name):
    style = Style(initialiser="zeros", dtype="mixed_bfloat16", normalisation="group")
    model = decode(name, PLAIN, style=style, dropout=(0.1,))
    added = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    assert {layer.dtype_policy.name for layer in added} == {"mixed_bfloat16"}
    assert {type(layer).__module__.split(".")[0] for layer in added} == {"keras"}
    assert not [layer for layer in added if isinstance(layer, keras.layers.Lambda)]


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoders_normalisation_activation_and_dropout_are_those_that_are_set(name):
    plain = decode(name, PLAIN, style=Style(initialiser="zeros", normalisation="none"))
    assert not shapes(plain, "BatchNormalization")
    assert not shapes(plain, "Dropout")
    model = decode(name, PLAIN, style=Style(initialiser="zeros", activation="elu"), dropout=(0.3,))
    assert shapes(model, "BatchNormalization")
    assert {layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)} == {
        0.3
    }
    activations = {
        layer.activation.__name__
        for layer in model.layers
        if isinstance(layer, keras.layers.Activation) and "gate" not in layer.name
    }
    assert activations == {"elu"}


@pytest.mark.parametrize("name", DECODERS)
def test_no_two_dropouts_of_a_decoder_share_their_seed(name):
    model = decode(name, PLAIN, dropout=(0.3,))
    seeds = [layer.seed for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(set(seeds)) == len(seeds) > 0


def test_features_from_a_stride_on_are_those_and_at_least_the_deepest():
    features = {8: "c", 2: "a", 4: "b"}
    assert from_stride(4, features) == {4: "b", 8: "c"}
    assert list(from_stride(1, features)) == [2, 4, 8]
    assert from_stride(16, features) == {8: "c"}
