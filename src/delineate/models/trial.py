"""A decoder tried on features without content, before anything else is built."""

from keras import layers

from delineate.catalog import ENCODERS, find
from delineate.models.blocks import style_of
from delineate.models.pairing import Size, strides_of
from delineate.recipe import Model

# Enough for every normalisation; no decoder asks for more.
_CHANNELS = 8


def try_decoder(settings: Model, size: Size) -> None:
    """Build the decoder of some settings on inputs at the encoder's strides, and drop it.

    An encoder of the user's own is not tried: its strides are known once it is built.

    Args:
        settings: The recipe's section `[model]`; encoder and decoder go together.
        size: (height, width) of the images.

    Raises:
        RecipeError: Numbers of filters do not fit the decoder's stages, or a name of an activation
            or initialiser is unknown.
    """
    style = style_of(settings)
    if settings.encoder not in ENCODERS:
        return
    height, width = size
    features = {
        stride: layers.Input((height // stride, width // stride, _CHANNELS))
        for stride in strides_of(settings)
    }
    find("decoders", settings.decoder)(features, settings=settings, style=style)
