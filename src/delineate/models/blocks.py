"""The pieces that networks are built from."""

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import keras
from keras import layers

Tensor = Any

# Keras's default of 0.99 takes hundreds of steps to settle: too long for small data sets.
MOMENTUM = 0.9


@dataclass(frozen=True)
class Style:
    """What all blocks of a network have in common.

    Attributes:
        convolutions: Convolutions per block.
        kernel_size: Side of the kernels in pixels.
        normalisation: "none", "batch" or "group".
        activation: A Keras activation.
        initialiser: A Keras initialiser.
        seed: Of the initial weights and of dropout.
        dtype: A Keras dtype policy, such as "float32" or "mixed_bfloat16".
    """

    convolutions: int = 2
    kernel_size: int = 3
    normalisation: str = "batch"
    activation: str = "relu"
    initialiser: str = "he_normal"
    seed: int = 0
    dtype: str = "float32"

    def seed_of(self, name: str) -> int:
        """Return a seed for the layer of a name, so that no two layers draw the same numbers."""
        # 31 bits, since PyTorch's seed states are signed.
        return crc32(f"{self.seed} {name}".encode()) & 0x7FFFFFFF

    def initialiser_of(self, name: str) -> keras.Initializer:
        """Return the seeded initialiser for the layer of a name."""
        initialiser = keras.initializers.get(self.initialiser)
        config = initialiser.get_config()
        if "seed" in config:
            config["seed"] = self.seed_of(name)
        return type(initialiser).from_config(config)


def convolution(
    image: Tensor, filters: int, *, style: Style, name: str, strides: int = 1
) -> Tensor:
    """Return a convolution with its normalisation and activation."""
    image = layers.Conv2D(
        filters,
        style.kernel_size,
        strides=strides,
        padding="same",
        # The normalisation's own offset makes a bias useless.
        use_bias=style.normalisation == "none",
        kernel_initializer=style.initialiser_of(name),
        dtype=style.dtype,
        name=name,
    )(image)
    image = normalise(image, style=style, name=f"{name}_normalise")
    return layers.Activation(style.activation, dtype=style.dtype, name=f"{name}_activate")(image)


def normalise(image: Tensor, *, style: Style, name: str) -> Tensor:
    """Return the normalised image: by batch, by up to 8 groups of channels, or not at all."""
    if style.normalisation == "batch":
        return layers.BatchNormalization(momentum=MOMENTUM, dtype=style.dtype, name=name)(image)
    if style.normalisation == "group":
        channels = image.shape[-1]
        groups = max(count for count in range(1, 9) if channels % count == 0)
        return layers.GroupNormalization(groups, dtype=style.dtype, name=name)(image)
    return image


def block(image: Tensor, filters: int, *, style: Style, dropout: float, name: str) -> Tensor:
    """Return several convolutions, with dropout after the first."""
    for number in range(1, style.convolutions + 1):
        image = convolution(image, filters, style=style, name=f"{name}_convolve{number}")
        if number == 1 and dropout > 0:
            image = layers.Dropout(
                dropout, seed=style.seed_of(name), dtype=style.dtype, name=f"{name}_dropout"
            )(image)
    return image


def halve(image: Tensor, *, how: str, style: Style, name: str) -> Tensor:
    """Return the image at half the resolution: by "max", "average" or "convolution"."""
    if how == "convolution":
        return convolution(image, image.shape[-1], style=style, name=name, strides=2)
    pooling = layers.MaxPooling2D if how == "max" else layers.AveragePooling2D
    return pooling(2, dtype=style.dtype, name=name)(image)


def double(image: Tensor, filters: int, *, how: str, style: Style, name: str) -> Tensor:
    """Return the image at twice the resolution: by "transposed" or "bilinear"."""
    if how == "bilinear":
        image = layers.UpSampling2D(2, interpolation="bilinear", dtype=style.dtype, name=name)(
            image
        )
        return convolution(image, filters, style=style, name=f"{name}_convolve")
    return layers.Conv2DTranspose(
        filters,
        2,
        strides=2,
        padding="same",
        kernel_initializer=style.initialiser_of(name),
        dtype=style.dtype,
        name=name,
    )(image)
