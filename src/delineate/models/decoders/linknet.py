"""LinkNet (Chaurasia and Culurciello, VCIP 2017, arXiv:1707.03718)."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from delineate.models.blocks import (
    Style,
    add,
    convolution,
    drop,
    enlarge,
    transposed,
    value_at,
)
from delineate.models.decoders.decoder import Decoder
from delineate.models.decoders.filters import refuse_filters
from delineate.recipe import Model

Tensor = Any

# Where there is no feature whose channels it could take.
FILTERS = 32


def linknet_decoder(features: Mapping[int, Tensor], *, settings: Model, style: Style) -> Tensor:
    """Return the tensor at full resolution that narrow doublings and additions, in turn, make.

    Each doubling has a quarter of the channels that come in and gives those of the feature that
    is added to it, 32 where the encoder has none of that stride.

    Args:
        features: Tensors by stride; the deepest one is where it starts.
        settings: The recipe's section `[model]`.
        style: What all blocks have in common.

    Raises:
        RecipeError: ``decoder_filters`` are given: the encoder decides on the channels.
    """
    refuse_filters(settings, "it adds the encoder's features, and so has their channels")
    deepest = max(features)
    image = features[deepest]
    for depth in reversed(range(deepest.bit_length() - 1)):
        name = f"decoder{depth}"
        skips = [features[2**depth]] if 2**depth in features else []
        filters = skips[0].shape[-1] if skips else FILTERS
        image = _double(image, filters, how=settings.upsampling, style=style, name=name)
        image = drop(image, value_at(depth, settings.dropout), style=style, name=name)
        image = add([image, *skips], style=style, name=f"{name}_add")
    return convolution(image, image.shape[-1], style=style, name="decoder0_convolve")


def _double(image: Tensor, filters: int, *, how: str, style: Style, name: str) -> Tensor:
    point = partial(convolution, style=style, kernel_size=1)
    narrow = max(1, image.shape[-1] // 4)
    image = point(image, narrow, name=f"{name}_narrow")
    if how == "bilinear":
        image = enlarge(image, 2, style=style, name=f"{name}_enlarge")
        image = convolution(image, narrow, style=style, name=f"{name}_double")
    else:
        image = transposed(
            image, narrow, style=style, name=f"{name}_double", kernel_size=style.kernel_size
        )
    return point(image, filters, name=f"{name}_widen")


LINKNET = Decoder(linknet_decoder)
