"""What is frozen does not move, and what is not does."""

from itertools import pairwise

import keras
import numpy as np
import pytest

from delineate.losses import SegmentationLoss
from delineate.losses.options import LossOptions
from delineate.models.build import build_network
from delineate.models.summary import trace
from delineate.recipe import Model

ENCODERS = {
    "plain": Model(filters=2, depth=3),
    "mobilenetv2": Model(encoder="mobilenetv2", width=0.35, filters=2, depth=3),
}


def network_of(name):
    return build_network(ENCODERS[name], classes=3, channels=3)


def moved_by_a_step(network):
    """Return the names of layers with weights: those that a step moved, and those that it did not."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    truth = (images[..., 0] // 86).astype(np.int32)
    loss = SegmentationLoss(
        {"sparse_categorical_crossentropy": 1.0}, output="softmax", options=LossOptions()
    )
    trainer = network.trainer
    trainer.compile(keras.optimizers.Adam(0.01), loss, run_eagerly=True, jit_compile=False)
    weighty = [layer for layer in trainer.layers if layer.weights]
    before = {layer.name: layer.get_weights() for layer in weighty}
    trainer.train_on_batch(images, truth)
    moved = {
        layer.name
        for layer in weighty
        if any((a != b).any() for a, b in zip(before[layer.name], layer.get_weights(), strict=True))
    }
    return moved, set(before) - moved


def names_of(layers):
    return {layer.name for layer in layers if layer.weights}


def statistics_of(network):
    return {
        layer.name
        for layer in network.encoder_layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }


@pytest.mark.parametrize("name", ENCODERS)
def test_the_stages_of_an_encoder_lead_to_its_features(name):
    network = network_of(name)
    strides = list(network.encoder)
    assert strides == ([1, 2, 4, 8] if name == "plain" else [2, 4, 8])
    for fine, coarse in pairwise(strides):
        assert names_of(network.encoder[fine]) < names_of(network.encoder[coarse])
    graph = trace(network.model, 32)
    last = {call.layer.name: call for call in graph.calls}
    for stride, layers in network.encoder.items():
        assert graph.stride_of(last[layers[-1].name].outputs[0]) == stride


@pytest.mark.parametrize("name", ENCODERS)
def test_nothing_is_frozen_at_first(name):
    _, still = moved_by_a_step(network_of(name))
    assert not still


@pytest.mark.parametrize("name", ENCODERS)
def test_of_a_frozen_encoder_nothing_moves_not_even_its_statistics(name):
    network = network_of(name)
    network.freeze("all")
    moved, still = moved_by_a_step(network)
    assert still == names_of(network.encoder_layers)
    assert moved
    assert statistics_of(network) <= still


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_frozen_until_a_stride_moves_below_it(name):
    network = network_of(name)
    network.freeze(4)
    _, still = moved_by_a_step(network)
    assert still == names_of(network.encoder[4])
    assert still < names_of(network.encoder_layers)


@pytest.mark.parametrize("name", ENCODERS)
def test_frozen_statistics_stay_while_all_kernels_move(name):
    network = network_of(name)
    network.freeze("none", statistics="frozen")
    moved, still = moved_by_a_step(network)
    assert still == statistics_of(network)
    assert names_of(network.encoder_layers) - still <= moved


def test_what_was_frozen_can_be_trained_again():
    network = network_of("mobilenetv2")
    network.freeze("all")
    network.freeze("none")
    _, still = moved_by_a_step(network)
    assert not still
