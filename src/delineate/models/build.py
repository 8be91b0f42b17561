"""From settings to a Keras model."""

from typing import Any

import keras
from keras import layers

from delineate.catalog import find
from delineate.errors import RecipeError
from delineate.models.blocks import Style
from delineate.recipe import Model, from_values


def build_model(
    *, classes: int, channels: int = 3, seed: int = 0, precision: str = "float32", **settings: Any
) -> keras.Model:
    """Return a functional Keras model of plain layers: pixel values in, probabilities out.

    Its input is float32 (batch, height, width, channels), pixel values as stored, with sides that
    divide by the model's stride. Its output, the layer ``probabilities``, is float32 (batch,
    height, width, classes), or one channel for two classes with ``output="sigmoid"``. The layer
    ``logits`` comes before it.

    Args:
        classes: Number of classes, background included: two or more.
        channels: Channels of the images.
        seed: Of the initial weights and of dropout.
        precision: "float32", or "bfloat16" for the arithmetic; the weights stay float32.
        **settings: Keys of the recipe's section `[model]`.

    Raises:
        RecipeError: An unknown setting or a bad value.
        UsageError: An encoder or decoder that does not exist.

    Example:
        >>> model = build_model(classes=2, channels=1, depth=2, filters=4)
        >>> model.output.shape
        (None, None, None, 2)
    """
    _refuse_below(2, "classes", classes)
    _refuse_below(1, "channels", channels)
    values = {"model": settings, "runtime": {"precision": precision}}
    chosen: Model = from_values(values, "build_model").model
    style = _style(chosen, seed, precision)
    image = layers.Input((None, None, channels), name="image")
    factor = chosen.input_scale if chosen.input_scale is not None else 1 / 255
    scaled = layers.Rescaling(factor, dtype="float32", name="scale")(image)
    features = find("encoders", chosen.encoder)(scaled, settings=chosen, style=style)
    decoded = find("decoders", chosen.decoder)(features, settings=chosen, style=style)
    logits = layers.Conv2D(
        1 if chosen.output == "sigmoid" and classes == 2 else classes,
        1,
        kernel_initializer=style.initialiser_of("logits"),
        dtype="float32",
        name="logits",
    )(decoded)
    probabilities = layers.Activation(chosen.output, dtype="float32", name="probabilities")(logits)
    return keras.Model(image, probabilities, name=f"{chosen.encoder}_{chosen.decoder}")


def logits_model(model: keras.Model) -> keras.Model:
    """Return the model up to its logits, sharing all layers: what a training steps."""
    return keras.Model(model.input, model.get_layer("logits").output, name=f"{model.name}_logits")


def stride_of(settings: Model) -> int:
    """Return what the sides of an image have to divide by."""
    return int(2**settings.depth)


def _refuse_below(least: int, name: str, count: int) -> None:
    if count < least:
        raise RecipeError(
            f"A network with {name}={count} cannot be built.",
            hint=f"Give {least} or more; the classes include the background.",
        )


def _style(settings: Model, seed: int, precision: str) -> Style:
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
        dtype="mixed_bfloat16" if precision == "bfloat16" else "float32",
    )
