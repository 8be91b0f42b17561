"""A Keras model in float32, whatever it was trained in."""

from typing import Any

import keras

_MIXED = ("mixed_bfloat16", "mixed_float16")


def in_float32(model: keras.Model) -> keras.Model:
    """Return a model that computes in float32, with the same weights.

    Weights are float32 already: only what is made of them and of the images was coarser.

    Args:
        model: A functional model.

    Returns:
        The model itself where it computes in float32.
    """
    config = model.get_config()
    if not _has_mixed(config):
        return model
    fresh = type(model).from_config(_unmixed(config))
    fresh.set_weights(model.get_weights())
    return fresh


def _has_mixed(config: Any) -> bool:
    if isinstance(config, dict):
        return any(_has_mixed(each) for each in config.values())
    if isinstance(config, list | tuple):
        return any(_has_mixed(each) for each in config)
    return config in _MIXED if isinstance(config, str) else False


def _unmixed(config: Any) -> Any:
    """Return a configuration in which every mixed policy is float32, and so is what it makes."""
    if isinstance(config, dict):
        return {key: _unmixed(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_unmixed(each) for each in config)
    coarse = isinstance(config, str) and config in (*_MIXED, "bfloat16", "float16")
    return "float32" if coarse else config
