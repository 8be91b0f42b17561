"""The decoder of DeepLabV3+ (Chen et al., ECCV 2018, arXiv:1802.02611)."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from keras import layers

from delineate.models.blocks import (
    Style,
    add,
    convolution,
    drop,
    enlarge,
    join,
    normalise,
    project,
    separable,
    value_at,
)
from delineate.models.decoders.decoder import Decoder, from_stride
from delineate.models.decoders.filters import chosen_filters
from delineate.recipe import Model

Tensor = Any

STRIDE = 4
FILTERS = (256, 48)
# At stride 16; elsewhere scaled so that they reach as far in the image.
RATES = (6, 12, 18)


def deeplabv3plus_decoder(
    features: Mapping[int, Tensor], *, settings: Model, style: Style
) -> Tensor:
    """Return what is seen far around at the deepest feature, joined with the detail at stride 4.

    Args:
        features: Tensors by stride; the deepest one and that of stride 4 are used.
        settings: The recipe's section `[model]`. ``decoder_filters``: channels of most
            convolutions, and of the detail; empty: 256 and 48.
        style: What all blocks have in common.

    Raises:
        RecipeError: Not two ``decoder_filters``.
    """
    filters, few = chosen_filters(settings, FILTERS, least=2)
    kept = from_stride(STRIDE, features)
    fine, deepest = min(kept), max(kept)
    end = fine.bit_length() - 1
    context = _context(kept[deepest], deepest, filters, style=style)
    context = enlarge(context, deepest // fine, style=style, name="context_enlarge")
    detail = convolution(kept[fine], few, style=style, name="detail_convolve", kernel_size=1)
    image = join([context, detail], style=style, name="decoder_join")
    image = separable(image, filters, style=style, name="decoder_convolve1")
    image = drop(image, value_at(end, settings.dropout), style=style, name="decoder")
    return separable(image, filters, style=style, name="decoder_convolve2")


def _context(image: Tensor, stride: int, filters: int, *, style: Style) -> Tensor:
    """Return the feature seen at four ranges and as a whole (atrous spatial pyramid pooling)."""
    linear = partial(project, style=style)
    activation = partial(layers.Activation, style.activation, dtype=style.dtype)
    ranges = [convolution(image, filters, style=style, name="context_near", kernel_size=1)]
    for rate in RATES:
        dilation = max(1, rate * 16 // stride)
        name = f"context_rate{rate}"
        ranges.append(separable(image, filters, style=style, name=name, dilation=dilation))
    joined = join(ranges, style=style, name="context_join")
    whole = layers.GlobalAveragePooling2D(keepdims=True, dtype=style.dtype, name="context_whole")(
        image
    )
    # Not normalised: over a batch of one image, a single value would always become zero.
    whole = linear(whole, filters, name="context_whole_convolve")
    whole = activation(name="context_whole_activate")(whole)
    # The paper joins the whole with the ranges and mixes all by one 1×1 convolution. Its two parts
    # added are the same, and need no size at which the whole would have to be repeated.
    parts = [
        linear(joined, filters, name="context_mix"),
        linear(whole, filters, name="context_mix_whole"),
    ]
    mixed = add(parts, style=style, name="context_add")
    mixed = normalise(mixed, style=style, name="context_normalise")
    return activation(name="context_activate")(mixed)


DEEPLABV3PLUS = Decoder(deeplabv3plus_decoder, strides=(STRIDE,))
