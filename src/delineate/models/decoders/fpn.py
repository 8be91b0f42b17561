"""The semantic branch of panoptic FPN (Kirillov et al., CVPR 2019, arXiv:1901.02446)."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from delineate.models.blocks import Style, add, convolution, drop, enlarge, project, value_at
from delineate.models.decoders.decoder import Decoder, from_stride
from delineate.models.decoders.filters import chosen_filters
from delineate.recipe import Model

Tensor = Any

STRIDE = 4
FILTERS = (256, 128)


def fpn_decoder(features: Mapping[int, Tensor], *, settings: Model, style: Style) -> Tensor:
    """Return the sum, at stride 4, of a pyramid's levels, each brought there by convolutions.

    Args:
        features: Tensors by stride; those finer than 4 are not used.
        settings: The recipe's section `[model]`. ``decoder_filters``: channels of the pyramid and
            of what is summed; empty: 256 and 128.
        style: What all blocks have in common; the paper normalises by group.

    Raises:
        RecipeError: Not two ``decoder_filters``.
    """
    filters, summed = chosen_filters(settings, FILTERS, least=2)
    kept = from_stride(STRIDE, features)
    end = min(kept).bit_length() - 1
    levels = [
        _finest(level, depth - end, summed, style=style, name=f"level{depth}")
        for depth, level in _pyramid(kept, filters, style=style).items()
    ]
    image = add(levels, style=style, name="levels_add")
    return drop(image, value_at(end, settings.dropout), style=style, name="levels")


def _pyramid(features: Mapping[int, Tensor], filters: int, *, style: Style) -> dict[int, Tensor]:
    """Return the pyramid's levels by depth: each feature plus the level below it, enlarged."""
    linear = partial(project, style=style)
    levels: dict[int, Tensor] = {}
    below: list[Tensor] = []
    previous = max(features)
    for stride in sorted(features, reverse=True):
        depth = stride.bit_length() - 1
        name = f"pyramid{depth}"
        image = linear(features[stride], filters, name=f"{name}_lateral")
        below = [
            enlarge(
                level,
                previous // stride,
                style=style,
                name=f"{name}_double",
                interpolation="nearest",
            )
            for level in below
        ]
        image = add([image, *below], style=style, name=f"{name}_add")
        levels[depth] = linear(image, filters, name=f"{name}_smooth", kernel_size=style.kernel_size)
        below, previous = [image], stride
    return levels


def _finest(image: Tensor, doublings: int, filters: int, *, style: Style, name: str) -> Tensor:
    """Return a level after as many convolutions and doublings, a single convolution for none."""
    for number in range(1, max(doublings, 1) + 1):
        image = convolution(image, filters, style=style, name=f"{name}_convolve{number}")
        if doublings:
            image = enlarge(image, 2, style=style, name=f"{name}_double{number}")
    return image


FPN = Decoder(fpn_decoder, strides=(STRIDE,))
