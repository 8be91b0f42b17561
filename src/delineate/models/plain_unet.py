"""The plain U-Net's left side (Ronneberger, Fischer and Brox, MICCAI 2015), all of it settings."""

from typing import Any

from delineate.models.blocks import Style, block, filters_at, halve, value_at
from delineate.recipe import Model, depth_of

Tensor = Any


def plain_encoder(image: Tensor, *, settings: Model, style: Style) -> dict[int, Tensor]:
    """Return the features of a plain convolutional encoder by stride: 1, 2, 4 and so on.

    Args:
        image: (batch, height, width, channels); sides divide by 2^depth.
        settings: The recipe's section `[model]`.
        style: What all blocks have in common.
    """
    features = {}
    for depth in range(depth_of(settings) + 1):
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
