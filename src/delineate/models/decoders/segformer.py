"""The all-MLP decoder of SegFormer (Xie et al., NeurIPS 2021, arXiv:2105.15203)."""

from collections.abc import Mapping
from typing import Any

from delineate.models.blocks import Style, convolution, drop, enlarge, join, project, value_at
from delineate.models.decoders.decoder import Decoder, from_stride
from delineate.models.decoders.filters import chosen_filters
from delineate.recipe import Model

Tensor = Any

STRIDE = 4
FILTERS = (256,)


def segformer_decoder(features: Mapping[int, Tensor], *, settings: Model, style: Style) -> Tensor:
    """Return all features, each brought to the same channels and to stride 4, mixed pixel by pixel.

    Args:
        features: Tensors by stride; those finer than 4 are not used.
        settings: The recipe's section `[model]`. ``decoder_filters``: the channels; empty: 256, as
            the paper has for its small models (768 for the large ones).
        style: What all blocks have in common.

    Raises:
        RecipeError: Not one number in ``decoder_filters``.
    """
    (filters,) = chosen_filters(settings, FILTERS, least=1)
    kept = from_stride(STRIDE, features)
    end = min(kept)
    scales = []
    for stride in sorted(kept, reverse=True):
        name = f"scale{stride.bit_length() - 1}"
        image = project(kept[stride], filters, style=style, name=f"{name}_project")
        scales.append(enlarge(image, stride // end, style=style, name=f"{name}_enlarge"))
    image = join(scales, style=style, name="decoder_join")
    image = convolution(image, filters, style=style, name="decoder_mix", kernel_size=1)
    share = value_at(end.bit_length() - 1, settings.dropout)
    return drop(image, share, style=style, name="decoder")


SEGFORMER = Decoder(segformer_decoder, strides=(STRIDE,))
