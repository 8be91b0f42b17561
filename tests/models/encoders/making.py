"""Random weights, features and images for the tests of encoders."""

import keras
import numpy as np

from delineate.catalog import find
from delineate.models.blocks import Style
from delineate.recipe import Model


def randomise(model, seed=0):
    """Give a model random weights whose features neither vanish nor explode; statistics too."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.Sequential):
            randomise(layer, seed + 1)
        elif not isinstance(layer, keras.layers.Normalization):
            layer.set_weights([_drawn(rng, weight) for weight in layer.weights])


def _drawn(rng, weight):
    shape = tuple(weight.shape)
    if len(shape) > 1:
        return np.asarray(weight) * rng.uniform(0.5, 1.5, shape)
    if weight.name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 1.5, shape)
    return rng.normal(0, 0.1, shape)


def encoder_model(name, *, channels=3, style=None, **settings):
    """Return a model from an image in [0, 1] to an encoder's features, finest first."""
    image = keras.Input((None, None, channels), name="image")
    style = style or Style()
    features = find("encoders", name)(image, settings=Model(encoder=name, **settings), style=style)
    return keras.Model(image, list(features.values()))


def picture(size=(64, 64), channels=3, seed=0):
    """Return uint8 values (1, height, width, channels) as float32."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (1, *size, channels)).astype(np.float32)
