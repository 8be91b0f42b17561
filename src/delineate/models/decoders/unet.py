"""The U-Net's right side (Ronneberger, Fischer and Brox, MICCAI 2015, arXiv:1505.04597)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from delineate.errors import RecipeError
from delineate.models.blocks import (
    Style,
    block,
    convolution,
    double,
    filters_at,
    join,
    value_at,
)
from delineate.models.decoders.decoder import Decoder
from delineate.models.decoders.filters import chosen_filters
from delineate.recipe import Model

Tensor = Any
# Takes a feature, what comes up from below it, and its depth; returns what is joined.
Gate = Callable[[Tensor, Tensor, int], Tensor]


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
            empty: by ``filters``. ``skip_filters``: a number for each of the first features that
            are joined.
        style: What all blocks have in common.
        gate: What is done to a feature before it is joined.

    Raises:
        RecipeError: More ``decoder_filters`` than doublings, or ``skip_filters`` than features.
    """
    deepest = max(features)
    depths = [*reversed(range(deepest.bit_length() - 1))]
    standard = [filters_at(depth, settings) for depth in depths]
    stages = [*zip(depths, chosen_filters(settings, standard, least=1), strict=False)]
    narrow = _skip_filters([2**depth for depth, _ in stages if 2**depth in features], settings)
    image = features[deepest]
    for depth, filters in stages:
        name = f"decoder{depth}"
        skips = [features[2**depth]] if 2**depth in features else []
        if 2**depth in narrow:
            narrowed = partial(convolution, style=style, name=f"{name}_narrow", kernel_size=1)
            skips = [narrowed(skip, narrow[2**depth]) for skip in skips]
        if gate is not None:
            skips = [gate(skip, image, depth) for skip in skips]
        image = double(image, filters, how=settings.upsampling, style=style, name=f"{name}_double")
        image = join([image, *skips], style=style, name=f"{name}_join")
        image = block(
            image, filters, style=style, dropout=value_at(depth, settings.dropout), name=name
        )
    return image


def _skip_filters(joined: list[int], settings: Model) -> dict[int, int]:
    """Return the channels of the features that are to be narrowed, by stride."""
    given = settings.skip_filters
    if len(given) > len(joined):
        raise RecipeError(
            f"model.skip_filters = {list(given)} has {len(given)} numbers, and the decoder "
            f"'{settings.decoder}' joins {len(joined)} features here.",
            hint=f"Give up to {len(joined)} numbers, the deepest feature first.",
        )
    return dict(zip(joined, given, strict=False))


UNET = Decoder(unet_decoder, narrows=True)
