"""The pieces that networks are built from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import keras
from keras import layers

from delineate.errors import RecipeError
from delineate.recipe import Model

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


def style_of(settings: Model, seed: int = 0, precision: str = "float32") -> Style:
    """Return the style that a recipe's section `[model]` asks for.

    Args:
        settings: The section.
        seed: Of the initial weights and of dropout.
        precision: "float32" or "bfloat16".

    Raises:
        RecipeError: Keras knows no such activation or initialiser.
    """
    for kind, name, known in (
        ("activation", settings.activation, keras.activations.get),
        ("initialiser", settings.initialiser, keras.initializers.get),
    ):
        try:
            known(name)
        except ValueError as error:
            raise RecipeError(
                f"model.{kind} = '{name}' is none that Keras knows.",
                hint=f"Use the name of a Keras {kind}, such as "
                f"{'relu' if kind == 'activation' else 'he_normal'}.",
            ) from error
    return Style(
        convolutions=settings.convolutions,
        kernel_size=settings.kernel_size,
        normalisation=settings.normalisation,
        activation=settings.activation,
        initialiser=settings.initialiser,
        seed=seed,
        dtype=policy_of(precision),
    )


def policy_of(precision: str) -> str:
    """Return the Keras dtype policy for a precision, "float32" or "bfloat16"."""
    return "mixed_bfloat16" if precision == "bfloat16" else precision


def filters_at(depth: int, settings: Model) -> int:
    """Return the channels at a depth: doubled each time, up to the largest."""
    return int(min(settings.filters * 2**depth, settings.largest_filters))


def value_at(depth: int, values: Sequence[float]) -> float:
    """Return the value for a depth; the last one holds for all deeper ones, none is 0."""
    return values[min(depth, len(values) - 1)] if values else 0.0


def convolution(
    image: Tensor,
    filters: int,
    *,
    style: Style,
    name: str,
    strides: int = 1,
    kernel_size: int | None = None,
) -> Tensor:
    """Return a convolution with its normalisation and activation; its kernel is the style's."""
    image = layers.Conv2D(
        filters,
        kernel_size or style.kernel_size,
        strides=strides,
        padding="same",
        # The normalisation's own offset makes a bias useless.
        use_bias=style.normalisation == "none",
        kernel_initializer=style.initialiser_of(name),
        dtype=style.dtype,
        name=name,
    )(image)
    return _finish(image, style=style, name=name)


def separable(image: Tensor, filters: int, *, style: Style, name: str, dilation: int = 1) -> Tensor:
    """Return a convolution by channel, dilated, and one of 1×1, both with all that follows one."""
    image = layers.DepthwiseConv2D(
        style.kernel_size,
        padding="same",
        dilation_rate=dilation,
        use_bias=style.normalisation == "none",
        depthwise_initializer=style.initialiser_of(name),
        dtype=style.dtype,
        name=name,
    )(image)
    image = _finish(image, style=style, name=name)
    return convolution(image, filters, style=style, name=f"{name}_mix", kernel_size=1)


def transposed(
    image: Tensor,
    filters: int,
    *,
    style: Style,
    name: str,
    kernel_size: int,
    initialiser: keras.Initializer | None = None,
) -> Tensor:
    """Return a transposed convolution of stride 2 with its normalisation and activation."""
    image = layers.Conv2DTranspose(
        filters,
        kernel_size,
        strides=2,
        padding="same",
        use_bias=style.normalisation == "none",
        kernel_initializer=initialiser or style.initialiser_of(name),
        dtype=style.dtype,
        name=name,
    )(image)
    return _finish(image, style=style, name=name)


def project(
    image: Tensor, filters: int, *, style: Style, name: str, kernel_size: int = 1, strides: int = 1
) -> Tensor:
    """Return a convolution with a bias and nothing after it."""
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        kernel_initializer=style.initialiser_of(name),
        dtype=style.dtype,
        name=name,
    )(image)


def _finish(image: Tensor, *, style: Style, name: str) -> Tensor:
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
        if number == 1:
            image = drop(image, dropout, style=style, name=name)
    return image


def drop(image: Tensor, share: float, *, style: Style, name: str) -> Tensor:
    """Return the image with a share of its activations dropped in training."""
    if share == 0:
        return image
    return layers.Dropout(
        share, seed=style.seed_of(name), dtype=style.dtype, name=f"{name}_dropout"
    )(image)


def join(images: Sequence[Tensor], *, style: Style, name: str) -> Tensor:
    """Return the channels of all images in one, a single image as it is."""
    if len(images) == 1:
        return images[0]
    return layers.Concatenate(dtype=style.dtype, name=name)(list(images))


def add(images: Sequence[Tensor], *, style: Style, name: str) -> Tensor:
    """Return the sum of all images, a single image as it is."""
    if len(images) == 1:
        return images[0]
    return layers.Add(dtype=style.dtype, name=name)(list(images))


def halve(image: Tensor, *, how: str, style: Style, name: str) -> Tensor:
    """Return the image at half the resolution: by "max", "average" or "convolution"."""
    if how == "convolution":
        return convolution(image, image.shape[-1], style=style, name=name, strides=2)
    pooling = layers.MaxPooling2D if how == "max" else layers.AveragePooling2D
    return pooling(2, dtype=style.dtype, name=name)(image)


def double(image: Tensor, filters: int, *, how: str, style: Style, name: str) -> Tensor:
    """Return the image at twice the resolution: by "transposed" or "bilinear"."""
    if how == "bilinear":
        # Channels are mixed first, where there are a quarter of the pixels and often more channels.
        image = convolution(image, filters, style=style, name=f"{name}_convolve", kernel_size=1)
        return enlarge(image, 2, style=style, name=name)
    return layers.Conv2DTranspose(
        filters,
        2,
        strides=2,
        padding="same",
        kernel_initializer=style.initialiser_of(name),
        dtype=style.dtype,
        name=name,
    )(image)


def enlarge(
    image: Tensor, factor: int, *, style: Style, name: str, interpolation: str = "bilinear"
) -> Tensor:
    """Return the image at a multiple of its resolution: "bilinear" (even ones) or "nearest"."""
    if factor == 1:
        return image
    # On TensorFlow, Keras's bilinear layer fails in a graph of images of unknown size.
    if interpolation == "nearest" or None not in image.shape[1:3]:
        return layers.UpSampling2D(
            factor, interpolation=interpolation, dtype=style.dtype, name=name
        )(image)
    repeat = layers.UpSampling2D(factor, dtype=style.dtype, name=f"{name}_repeat")
    rows = _slope(repeat(image), factor, (1, 0), style=style, name=f"{name}_rows")
    return _slope(rows, factor, (0, 1), style=style, name=name)


def names_of_enlargement(name: str, factor: int) -> list[str]:
    """Return the names of the layers of which :func:`enlarge` makes a bilinear enlargement.

    Args:
        name: Its name.
        factor: What the resolution is multiplied with.
    """
    found = [f"{name}_repeat"]
    for slope in (f"{name}_rows", name):
        found += [f"{slope}_mean{size}" for size in _means(factor) if size > 1]
        found += [f"{slope}_weigh{size}" for size in _means(factor)]
        found.append(slope)
    return found


def _means(factor: int) -> tuple[int, int]:
    """Return over how many pixels the two means of a slope are taken."""
    return factor + 1, factor - 1


def _slope(image: Tensor, factor: int, axis: tuple[int, int], *, style: Style, name: str) -> Tensor:
    """Return an image of repeated pixels made linear in between, along one axis.

    That is a mean over factor + 1 pixels in which those at both ends count half: the sum of the
    means over factor + 1 and over factor - 1 pixels, weighted by their sizes.
    """
    parts = []
    for size in _means(factor):
        window = tuple(size if along else 1 for along in axis)
        part = image
        if size > 1:
            part = layers.AveragePooling2D(
                window, strides=1, padding="same", dtype=style.dtype, name=f"{name}_mean{size}"
            )(part)
        scale = layers.Rescaling(size / (2 * factor), dtype=style.dtype, name=f"{name}_weigh{size}")
        parts.append(scale(part))
    return add(parts, style=style, name=name)
