"""The pyramid pooling of PSPNet (Zhao et al., CVPR 2017, arXiv:1612.01105)."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras import layers

from delineate.errors import RecipeError
from delineate.models.blocks import Style, convolution, drop, join, project, value_at
from delineate.models.decoders.decoder import Decoder
from delineate.models.decoders.filters import chosen_filters
from delineate.recipe import Model

Tensor = Any

BINS = (1, 2, 3, 6)
FILTERS = (512,)


def pspnet_decoder(features: Mapping[int, Tensor], *, settings: Model, style: Style) -> Tensor:
    """Return the deepest feature, convolved together with its means over 1, 4, 9 and 36 parts.

    It ends at the stride of the feature that it pools, the deepest: in the paper, too, that is
    the whole network's last one, kept at stride 8 by dilation. The encoders here have none, so
    ``depth`` chooses between a feature that knows much and is coarse (5: stride 32) and one that
    knows less and is fine (3: stride 8).

    Args:
        features: Tensors by stride, of known height and width.
        settings: The recipe's section `[model]`. ``decoder_filters``: channels of the convolution
            after the pooling; empty: 512.
        style: What all blocks have in common.

    Raises:
        RecipeError: Not one number in ``decoder_filters``, or the feature's height and width are
            open, or one of them is a single pixel.
    """
    (filters,) = chosen_filters(settings, FILTERS, least=1)
    deepest = max(features)
    image = features[deepest]
    _refuse_size(image.shape[1:3], settings.decoder)
    pooled = [_pool(image, bins, style=style) for bins in BINS]
    image = join([image, *pooled], style=style, name="parts_join")
    image = convolution(image, filters, style=style, name="decoder_convolve")
    share = value_at(deepest.bit_length() - 1, settings.dropout)
    return drop(image, share, style=style, name="decoder")


def _pool(image: Tensor, bins: int, *, style: Style) -> Tensor:
    """Return the means over bins × bins parts, convolved and enlarged to the image's size."""
    height, width, channels = image.shape[1:]
    name, filters = f"parts{bins}", max(1, channels // len(BINS))
    if bins == 1:
        # Adaptive pooling to a single part fails on TensorFlow, and what normalisation makes of a
        # single value, in a batch of one image, is always zero.
        pool = layers.GlobalAveragePooling2D(keepdims=True, dtype=style.dtype, name=f"{name}_pool")
        pooled = project(pool(image), filters, style=style, name=f"{name}_convolve")
        activate = layers.Activation(style.activation, dtype=style.dtype, name=f"{name}_activate")
        pooled = activate(pooled)
    else:
        pool = layers.AdaptiveAveragePooling2D(bins, dtype=style.dtype, name=f"{name}_pool")
        pooled = convolution(
            pool(image), filters, style=style, name=f"{name}_convolve", kernel_size=1
        )
    return layers.Resizing(
        height, width, interpolation="bilinear", dtype=style.dtype, name=f"{name}_enlarge"
    )(pooled)


def _refuse_size(size: Sequence[int | None], decoder: str) -> None:
    if None in size:
        raise RecipeError(
            f"The decoder '{decoder}' pools over parts of an image of unknown size.",
            hint="Build the network for one size: size=(height, width).",
        )
    if 1 in size:
        raise RecipeError(
            f"The decoder '{decoder}' pools over parts of a feature of {size[0]}×{size[1]} pixels.",
            hint="Take a larger data.size or a smaller model.depth.",
        )


PSPNET = Decoder(pspnet_decoder, fixed_size=True)
