"""What there is to know of each encoder and decoder before one is built.

Building all of them takes minutes, so that the facts are kept in ``facts.json`` beside this file,
which ``delineate show`` and the reference read. ``bench/facts.py`` writes it; a test recomputes it.
"""

from typing import Any

import keras

from delineate.catalog import find
from delineate.models.blocks import Style
from delineate.models.conventions import UNIT
from delineate.models.costs import count_multiply_adds
from delineate.models.summary import count_parameters, trace
from delineate.recipe import Model

# The side of the RGB image, in pixels, for which multiply-adds are counted.
SIDE = 256


def encoder_facts(name: str) -> dict[str, Any]:
    """Return what an encoder of width 1 is, at its usual depth and without a decoder.

    Args:
        name: In the table of encoders.

    Returns:
        ``parameters``; ``multiply_adds`` for an RGB image of 256×256; ``strides`` and ``channels``
        of its features, finest first; ``input``: the values that its published weights expect;
        ``licence`` of these weights, None where none are published; ``widths`` that it has, None:
        any.
    """
    encoder = find("encoders", name)
    widths = getattr(encoder, "widths", (1.0,))
    image = keras.Input((None, None, 3))
    features = encoder(image, settings=Model(encoder=name), style=Style())
    model = keras.Model(image, list(features.values()))
    return {
        "parameters": count_parameters(model)[0],
        "multiply_adds": count_multiply_adds(model, size=SIDE),
        "strides": list(features),
        "channels": [int(tensor.shape[-1]) for tensor in trace(model, SIDE).outputs],
        "input": getattr(encoder, "convention", UNIT).name,
        "licence": getattr(encoder, "licence", None),
        "widths": list(widths) if widths else None,
    }


def decoder_facts(name: str) -> dict[str, Any]:
    """Return what a decoder needs.

    Args:
        name: In the table of decoders.

    Returns:
        ``needs``: the strides at which there have to be features; ``one_size``: whether its images
        have to be of one fixed size; ``deep_supervision``: whether it has inner outputs.
    """
    decoder = find("decoders", name)
    return {
        "needs": list(decoder.strides),
        "one_size": bool(decoder.fixed_size),
        "deep_supervision": bool(decoder.supervised),
    }
