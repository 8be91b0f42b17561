"""The U-Net's right side (Ronneberger, Fischer and Brox, MICCAI 2015, arXiv:1505.04597)."""

from collections.abc import Callable, Mapping
from typing import Any

from delineate.models.blocks import Style, block, double, filters_at, join, value_at
from delineate.models.decoders.decoder import Decoder
from delineate.models.decoders.filters import chosen_filters
from delineate.recipe import Model

Tensor = Any
# Takes a feature, what comes up from below it, and a name; returns what is joined.
Gate = Callable[[Tensor, Tensor, str], Tensor]


def unet_decoder(
    features: Mapping[int, Tensor], *, settings: Model, style: Style, gate: Gate | None = None
) -> Tensor:
    """Return the tensor that doubling, joining with a feature and convolving, in turn, makes.

    Each doubling is joined where the encoder has a feature of that stride; without one, as with
    encoders that begin at stride 2 or 4, it is only convolved. It goes up to full resolution, or
    as many times as ``settings.decoder_filters`` has numbers: four of them after an encoder of
    stride 32 end at stride 2, at a third of the cost.

    Args:
        features: Tensors by stride; the deepest one is where it starts.
        settings: The recipe's section `[model]`. ``decoder_filters``: a number for each doubling;
            empty: by ``filters``.
        style: What all blocks have in common.
        gate: What is done to a feature before it is joined.

    Raises:
        RecipeError: More ``decoder_filters`` than doublings.
    """
    deepest = max(features)
    depths = [*reversed(range(deepest.bit_length() - 1))]
    standard = [filters_at(depth, settings) for depth in depths]
    image = features[deepest]
    for depth, filters in zip(depths, chosen_filters(settings, standard, least=1), strict=False):
        name = f"decoder{depth}"
        skips = [features[2**depth]] if 2**depth in features else []
        if gate is not None:
            skips = [gate(skip, image, name) for skip in skips]
        image = double(image, filters, how=settings.upsampling, style=style, name=f"{name}_double")
        image = join([image, *skips], style=style, name=f"{name}_join")
        image = block(
            image, filters, style=style, dropout=value_at(depth, settings.dropout), name=name
        )
    return image


UNET = Decoder(unet_decoder)
