"""A convolution, a doubling, a join, in turn: a light decoder for a dense encoder."""

from collections.abc import Mapping
from typing import Any

from delineate.models.blocks import Style, convolution, drop, enlarge, join, value_at
from delineate.models.decoders.decoder import Decoder
from delineate.models.decoders.filters import chosen_filters, last_filters
from delineate.recipe import Model

Tensor = Any

# For strides 32, 16, 8, 4 and 2.
FILTERS = (256, 128, 64, 32, 32)


def concat_decoder(features: Mapping[int, Tensor], *, settings: Model, style: Style) -> Tensor:
    """Return the tensor that convolving, doubling and joining, in turn, makes.

    Over DenseNet121 it convolves ``conv5_block16_concat``, doubles it, joins it with
    ``conv4_block24_concat``, and so on with ``conv3_block12_concat``, ``conv2_block6_concat`` and
    ``conv1_relu``; the last doubling has nothing to join. Doubling repeats pixels, or is bilinear
    with ``settings.upsampling`` = "bilinear": it has no weights in either case.

    Args:
        features: Tensors by stride; the deepest one is where it starts.
        settings: The recipe's section `[model]`. ``decoder_filters``: a number for each doubling;
            fewer end below full resolution; empty: 256-128-64-32-32 from stride 32 on.
        style: What all blocks have in common; its normalisation "none" makes plain convolutions.

    Raises:
        RecipeError: More ``decoder_filters`` than doublings.
    """
    deepest = max(features)
    depths = [*reversed(range(deepest.bit_length() - 1))]
    standard = last_filters(FILTERS, len(depths))
    how = "bilinear" if settings.upsampling == "bilinear" else "nearest"
    image = features[deepest]
    for depth, filters in zip(depths, chosen_filters(settings, standard, least=1), strict=False):
        name = f"decoder{depth}"
        image = convolution(image, filters, style=style, name=f"{name}_convolve")
        image = drop(image, value_at(depth, settings.dropout), style=style, name=name)
        image = enlarge(image, 2, style=style, name=f"{name}_double", interpolation=how)
        skips = [features[2**depth]] if 2**depth in features else []
        image = join([image, *skips], style=style, name=f"{name}_join")
    return image


CONCAT = Decoder(concat_decoder)
