"""The right side of pix2pix's generator (Isola et al., CVPR 2017, arXiv:1611.07004).

TensorFlow's tutorial "Image segmentation" puts it on the expand layers of MobileNetV2.
"""

from collections.abc import Mapping
from typing import Any

import keras

from delineate.models.blocks import Style, drop, join, transposed, value_at
from delineate.models.decoders.decoder import Decoder
from delineate.models.decoders.filters import chosen_filters, last_filters
from delineate.recipe import Model

Tensor = Any

# What comes out at strides 16, 8, 4 and 2.
FILTERS = (512, 256, 128, 64)
KERNEL = 4
DEVIATION = 0.02


def pix2pix_decoder(features: Mapping[int, Tensor], *, settings: Model, style: Style) -> Tensor:
    """Return the tensor at stride 2 that transposed convolutions and joins, in turn, make.

    The kernels are 4×4 and begin normally distributed with deviation 0.02, as in the paper (the
    tutorial takes 3×3). The tutorial's last layer, one more transposed convolution, is the head:
    ``settings.head`` = "transposed". Where the encoder's deepest stride is 2, it ends at 1.

    Args:
        features: Tensors by stride; the deepest one is where it starts.
        settings: The recipe's section `[model]`. ``decoder_filters``: a number for each doubling;
            empty: 512-256-128-64 from stride 32 on. ``upsampling`` has no effect.
        style: What all blocks have in common.

    Raises:
        RecipeError: Not as many ``decoder_filters`` as doublings.
    """
    deepest = max(features)
    last = 1 if deepest > 2 else 0
    depths = [*reversed(range(last, deepest.bit_length() - 1))]
    standard = last_filters(FILTERS, len(depths))
    chosen = chosen_filters(settings, standard, least=len(depths))
    image = features[deepest]
    for depth, filters in zip(depths, chosen, strict=True):
        name = f"decoder{depth}"
        initialiser = keras.initializers.RandomNormal(
            stddev=DEVIATION, seed=style.seed_of(f"{name}_double")
        )
        image = transposed(
            image,
            filters,
            style=style,
            name=f"{name}_double",
            kernel_size=KERNEL,
            initialiser=initialiser,
        )
        image = drop(image, value_at(depth, settings.dropout), style=style, name=name)
        skips = [features[2**depth]] if 2**depth in features else []
        image = join([image, *skips], style=style, name=f"{name}_join")
    return image


PIX2PIX = Decoder(pix2pix_decoder)
