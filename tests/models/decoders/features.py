"""Features without an encoder, and what a decoder makes of them."""

import keras
import numpy as np

from delineate.catalog import find
from delineate.models.blocks import Style
from delineate.recipe import Model

# Drawing random numbers makes JAX compile for each shape of kernel.
ZEROS = Style(initialiser="zeros")
# What DenseNet121 and MobileNetV2 (its expand layers) give.
DENSENET = {2: 64, 4: 256, 8: 512, 16: 1024, 32: 1024}
MOBILENET = {2: 96, 4: 144, 8: 192, 16: 576, 32: 960}


def features_of(channels, *, side=64):
    """Return inputs by stride, of an image of a side in pixels; None leaves the side open."""
    sides = {stride: None if side is None else side // stride for stride in channels}
    return {
        stride: keras.Input((sides[stride], sides[stride], count), name=f"feature{stride}")
        for stride, count in channels.items()
    }


def decode(name, channels, *, style=ZEROS, side=64, **settings):
    """Return the model that a decoder makes of features of so many channels by stride."""
    features = features_of(channels, side=side)
    chosen = Model(decoder=name, **settings)
    output = find("decoders", name)(features, settings=chosen, style=style)
    return keras.Model(list(features.values()), output)


def sources(model, name):
    """Return the names of the layers whose tensors a layer takes."""
    tensors = keras.tree.flatten(model.get_layer(name).input)
    return [tensor._keras_history.operation.name for tensor in tensors]


def shapes(model, kind):
    """Return the (height, width, channels) that the layers of a kind give, by name."""
    return {
        layer.name: tuple(layer.output.shape[1:])
        for layer in model.layers
        if type(layer).__name__ == kind
    }


def numbers(model, seed=0):
    """Return random values for the inputs of a model of known size, a batch of two."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(2, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
