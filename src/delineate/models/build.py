"""From settings to a Keras model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
from keras import layers

from delineate.catalog import find
from delineate.errors import RecipeError
from delineate.models.blocks import Style, enlarge, style_of
from delineate.models.encoders.features import Features
from delineate.models.network import Network
from delineate.models.pairing import refuse_pairing, works_at_one_size
from delineate.recipe import Model, depth_of, from_values, object_targets_of

Tensor = Any
Size = tuple[int, int]
# Class ids are stored in 8 bits, and 255 is not a class.
MOST_CLASSES = 255
# The side, in pixels, at which strides are measured.
MEASURED = 256


def build_model(
    *,
    classes: int,
    channels: int = 3,
    size: Size | None = None,
    seed: int = 0,
    precision: str = "float32",
    **settings: Any,
) -> keras.Model:
    """Return a functional Keras model of plain layers: pixel values in, probabilities out.

    Its input is float32 (batch, height, width, channels), pixel values as stored, with sides that
    divide by the model's stride. Its output, the layer ``probabilities``, is float32 (batch,
    height, width, classes), or one channel for two classes with ``output="sigmoid"``. The layer
    ``logits`` comes before it. With ``objects``, what is said of objects follows along the
    channels, each value in 0 to 1; the layer ``object_logits`` comes before it.

    Args:
        classes: Number of classes, background included: from 2 to 255.
        channels: Channels of the images.
        size: (height, width) of the images, for networks that work at one size only.
        seed: Of the initial weights and of dropout.
        precision: "float32", or "bfloat16" for the arithmetic; the weights stay float32.
        **settings: Keys of the recipe's section `[model]`.

    Raises:
        RecipeError: An unknown setting, a bad value, weights that do not fit, or an encoder and a
            decoder that do not go together.
        UsageError: An encoder or decoder that does not exist.

    Example:
        >>> model = build_model(classes=2, channels=1, depth=2, filters=4)
        >>> model.output.shape
        (None, None, None, 2)
    """
    chosen: Model = from_values(
        {"model": settings, "runtime": {"precision": precision}}, "build_model"
    ).model
    return build_network(
        chosen, classes=classes, channels=channels, size=size, seed=seed, precision=precision
    ).model


def build_network(
    settings: Model,
    *,
    classes: int,
    channels: int,
    size: Size | None = None,
    seed: int = 0,
    precision: str = "float32",
) -> Network:
    """Return the network of a recipe's section `[model]`, all of it to be trained.

    The arguments and errors are those of :func:`build_model`.
    """
    _refuse_outside("classes", classes, 2, MOST_CLASSES)
    _refuse_outside("channels", channels, 1, None)
    refuse_pairing(settings, size)
    style = style_of(settings, seed, precision)
    image = layers.Input((*_side(settings, size), channels), name="image")
    factor = settings.input_scale if settings.input_scale is not None else 1 / 255
    scaled = layers.Rescaling(factor, dtype="float32", name="scale")(image)
    features = find("encoders", settings.encoder)(scaled, settings=settings, style=style)
    decoded = find("decoders", settings.decoder)(features, settings=settings, style=style)
    tensors = decoded if isinstance(decoded, list | tuple) else [decoded]
    strides = _strides(image, list(tensors))
    count = 1 if settings.output == "sigmoid" and classes == 2 else classes
    said = object_targets_of(settings)
    names = ["logits", *(f"inner_logits{number}" for number in range(1, len(tensors)))]
    logits = [
        _head(tensor, count, stride, settings=settings, style=style, name=name)
        for tensor, stride, name in zip(tensors, strides, names, strict=True)
    ]
    if said:
        logits.append(
            _head(
                tensors[0],
                len(said),
                strides[0],
                settings=settings,
                style=style,
                name="object_logits",
            )
        )
    probabilities = _probabilities(logits[0], logits[-1] if said else None, settings.output)
    model = keras.Model(
        image, probabilities, name=f"{_plain(settings.encoder)}_{_plain(settings.decoder)}"
    )
    return Network(
        model,
        _trainer(image, logits, model.name),
        len(tensors),
        _stages(image, features),
        features.provenance if isinstance(features, Features) else None,
        objects=len(said),
    )


def without_weights(settings: Model) -> Model:
    """Return settings of the same network that need no file: its weights are random, and move.

    Args:
        settings: The recipe's section `[model]`.
    """
    return settings.model_copy(update={"weights": None, "freeze": "none", "statistics": "trained"})


def _probabilities(logits: Tensor, objects: Tensor | None, output: str) -> Tensor:
    if objects is None:
        return layers.Activation(output, dtype="float32", name="probabilities")(logits)
    of_classes = layers.Activation(output, dtype="float32", name="class_probabilities")(logits)
    of_objects = layers.Activation("sigmoid", dtype="float32", name="objects")(objects)
    joined = layers.Concatenate(dtype="float32", name="probabilities")
    return joined([of_classes, of_objects])


def _trainer(image: Tensor, logits: list[Tensor], name: str) -> keras.Model:
    joined = logits[0]
    if len(logits) > 1:
        joined = layers.Concatenate(dtype="float32", name="all_logits")(logits)
    return keras.Model(image, joined, name=f"{name}_logits")


def _strides(image: Tensor, tensors: list[Tensor]) -> list[int]:
    """Return how many rows of the image one row of each tensor stands for."""
    model = keras.Model(image, list(tensors))
    height = image.shape[1] or MEASURED
    shapes = model.compute_output_shape((1, height, image.shape[2] or MEASURED, image.shape[3]))
    return [height // shape[1] for shape in shapes]


def _stages(image: Tensor, features: Mapping[int, Tensor]) -> dict[int, tuple[layers.Layer, ...]]:
    return {
        stride: tuple(keras.Model(image, features[stride]).layers) for stride in sorted(features)
    }


def _head(
    image: Tensor, channels: int, stride: int, *, settings: Model, style: Style, name: str
) -> Tensor:
    """Return logits at full resolution."""
    initialiser = style.initialiser_of(name)
    if stride > 1 and settings.head == "transposed":
        kernel = 3 if stride == 2 else 2 * stride
        return layers.Conv2DTranspose(
            channels,
            kernel,
            strides=stride,
            padding="same",
            kernel_initializer=initialiser,
            dtype="float32",
            name=name,
        )(image)
    convolution = layers.Conv2D(
        channels,
        1,
        kernel_initializer=initialiser,
        dtype="float32",
        name=name if stride == 1 else f"{name}_small",
    )
    if stride == 1:
        return convolution(image)
    return enlarge(convolution(image), stride, style=replace(style, dtype="float32"), name=name)


def _side(settings: Model, size: Size | None) -> tuple[int | None, int | None]:
    return size if size is not None and works_at_one_size(settings) else (None, None)


def _plain(name: str) -> str:
    return name.replace(":", "_").replace(".", "_")


def stride_of(settings: Model) -> int:
    """Return what the sides of an image have to divide by."""
    return int(2 ** depth_of(settings))


def _refuse_outside(name: str, count: int, least: int, most: int | None) -> None:
    if count < least or (most is not None and count > most):
        bounds = f"{least} or more" if most is None else f"from {least} to {most}"
        raise RecipeError(
            f"A network with {name}={count} cannot be built.",
            hint=f"Give {bounds}; the classes include the background, and class ids are stored in "
            "8 bits.",
        )
