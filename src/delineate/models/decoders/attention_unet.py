"""The U-Net with attention gates (Oktay et al., MIDL 2018, arXiv:1804.03999)."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from keras import layers

from delineate.models.blocks import Style, add, enlarge, project
from delineate.models.decoders.decoder import Decoder
from delineate.models.decoders.unet import unet_decoder
from delineate.recipe import Model

Tensor = Any


def attention_unet_decoder(
    features: Mapping[int, Tensor], *, settings: Model, style: Style
) -> Tensor:
    """Return what the U-Net's decoder makes of features that are gated before they are joined.

    As in the paper, a feature at full resolution is joined as it is: it says too little to be
    judged.

    Args:
        features: Tensors by stride.
        settings: The recipe's section `[model]`; ``decoder_filters`` as for ``unet``.
        style: What all blocks have in common.

    Raises:
        RecipeError: More ``decoder_filters`` than doublings.
    """

    def gate(feature: Tensor, below: Tensor, depth: int) -> Tensor:
        if depth == 0:
            return feature
        return attend(feature, below, style=style, name=f"decoder{depth}")

    return unet_decoder(features, settings=settings, style=style, gate=gate)


def attend(feature: Tensor, below: Tensor, *, style: Style, name: str) -> Tensor:
    """Return a feature, each pixel times a share in [0, 1] that both tensors decide on.

    Args:
        feature: (batch, height, width, channels).
        below: (batch, height / 2, width / 2, any channels): what knows the surroundings.
        style: What all blocks have in common.
        name: The beginning of the layers' names.
    """
    linear = partial(project, style=style)
    filters = max(1, feature.shape[-1] // 2)
    seen = linear(feature, filters, name=f"{name}_gate_feature", kernel_size=2, strides=2)
    wanted = linear(below, filters, name=f"{name}_gate_below")
    both = add([seen, wanted], style=style, name=f"{name}_gate_add")
    both = layers.Activation("relu", dtype=style.dtype, name=f"{name}_gate_activate")(both)
    share = linear(both, 1, name=f"{name}_gate_logit")
    share = layers.Activation("sigmoid", dtype=style.dtype, name=f"{name}_gate_share")(share)
    share = enlarge(share, 2, style=style, name=f"{name}_gate_double")
    return layers.Multiply(dtype=style.dtype, name=f"{name}_gate")([feature, share])


ATTENTION_UNET = Decoder(attention_unet_decoder, narrows=True)
