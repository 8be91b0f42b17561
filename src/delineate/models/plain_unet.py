"""The plain U-Net (Ronneberger, Fischer and Brox, MICCAI 2015), every part a setting."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import layers

from delineate.models.blocks import Style, block, double, halve
from delineate.recipe import Model

Tensor = Any


def plain_encoder(image: Tensor, *, settings: Model, style: Style) -> dict[int, Tensor]:
    """Return the features of a plain convolutional encoder by stride: 1, 2, 4 and so on.

    Args:
        image: (batch, height, width, channels); sides divide by 2^depth.
        settings: The recipe's section `[model]`.
        style: What all blocks have in common.
    """
    features = {}
    for depth in range(settings.depth + 1):
        name = f"encoder{depth}"
        if depth:
            image = halve(image, how=settings.downsampling, style=style, name=f"{name}_halve")
        image = block(
            image,
            filters_at(depth, settings),
            style=style,
            dropout=value_at(depth, settings.dropout),
            name=name,
        )
        features[2**depth] = image
    return features


def unet_decoder(features: Mapping[int, Tensor], *, settings: Model, style: Style) -> Tensor:
    """Return the tensor at full resolution that the U-Net's right side makes.

    Args:
        features: Tensors by stride; the deepest one is where it starts.
        settings: The recipe's section `[model]`.
        style: What all blocks have in common.
    """
    deepest = max(features)
    image = features[deepest]
    for depth in reversed(range(deepest.bit_length() - 1)):
        name = f"decoder{depth}"
        filters = filters_at(depth, settings)
        image = double(image, filters, how=settings.upsampling, style=style, name=f"{name}_double")
        if 2**depth in features:
            join = layers.Concatenate(dtype=style.dtype, name=f"{name}_join")
            image = join([image, features[2**depth]])
        image = block(
            image, filters, style=style, dropout=value_at(depth, settings.dropout), name=name
        )
    return image


def filters_at(depth: int, settings: Model) -> int:
    """Return the channels at a depth: doubled each time, up to the largest."""
    return int(min(settings.filters * 2**depth, settings.largest_filters))


def value_at(depth: int, values: Sequence[float]) -> float:
    """Return the value for a depth; the last one holds for all deeper ones, none is 0."""
    return values[min(depth, len(values) - 1)] if values else 0.0
