"""The layers of a model: how they are connected, what they give, how many parameters they have."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from delineate.errors import UsageError
from delineate.models.graph import replay


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        layer: The layer.
        inputs: The tensors it was called on.
        outputs: The tensors it gave.
    """

    layer: Any
    inputs: list[Any]
    outputs: list[Any]

    @property
    def feature_map(self) -> Any:
        """The first output, (1, height, width, channels); None where that is no feature map."""
        first = self.outputs[0]
        return first if len(first.shape) == 4 and max(first.shape[1:3]) > 1 else None


@dataclass(frozen=True)
class Graph:
    """A model worked through for an image of one size.

    Attributes:
        image: The image, (1, height, width, channels).
        calls: All calls of layers, in the order of computation.
        outputs: The tensors the model gives.
    """

    image: Any
    calls: list[Call]
    outputs: list[Any]

    def stride_of(self, tensor: Any) -> float:
        """Return how many rows of the image one row of a feature map stands for."""
        return float(self.image.shape[1] / tensor.shape[1])


def summarise_model(model: keras.Model, *, size: int = 256) -> list[dict[str, Any]]:
    """Return a row for each call of a layer, in the order of computation.

    Args:
        model: A functional or sequential model of one image.
        size: The side of the image, in pixels, where the model leaves it open.

    Returns:
        ``name`` and ``type`` of the layer; ``size``, [height, width] of what it gives, ``stride``
        and ``channels`` (None where that is no feature map); ``parameters``, counted where the
        layer is called first.

    Raises:
        UsageError: The model has no graph of layers, or not one image as input.

    Example:
        >>> image = keras.Input((None, None, 3))
        >>> model = keras.Model(image, keras.layers.MaxPooling2D(2)(image))
        >>> summarise_model(model)[0]["stride"]
        2
    """
    graph = trace(model, size)
    counted: set[int] = set()
    rows = []
    for call in graph.calls:
        tensor = call.feature_map
        stride = None if tensor is None else graph.stride_of(tensor)
        weights = [] if id(call.layer) in counted else getattr(call.layer, "weights", [])
        counted.add(id(call.layer))
        rows.append(
            {
                "name": call.layer.name,
                "type": type(call.layer).__name__,
                "size": None if tensor is None else [int(side) for side in tensor.shape[1:3]],
                "stride": int(stride) if stride is not None and stride.is_integer() else stride,
                "channels": None if tensor is None else int(tensor.shape[3]),
                "parameters": _count(weights),
            }
        )
    return rows


def count_parameters(model: keras.Model) -> tuple[int, int]:
    """Return the number of all parameters and of those that are trained.

    Example:
        >>> image = keras.Input((None, None, 3))
        >>> count_parameters(keras.Model(image, keras.layers.Conv2D(2, 1)(image)))
        (8, 8)
    """
    return _count(model.weights), _count(model.trainable_weights)


def trace(model: keras.Model, size: int) -> Graph:
    """Return the graph of a model with all shapes.

    Nothing is computed, and nothing is added to the model's own graph.

    Args:
        model: A functional or sequential model of one image.
        size: The side of the image, in pixels, where the model leaves it open.

    Raises:
        UsageError: The model has no graph of layers, or not one image as input.
    """
    try:
        inputs = model.inputs
    except (AttributeError, ValueError):
        inputs = []
    if not inputs or len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise UsageError(
            f"The model '{model.name}' is no graph of layers from one image.",
            hint="Build it with the functional interface: keras.Model(image, output).",
        )
    shape = (1, *(side or size for side in inputs[0].shape[1:3]), inputs[0].shape[3])
    image = keras.KerasTensor(shape, inputs[0].dtype)
    calls, outputs = follow(model, [image])
    return Graph(image, calls, outputs)


def follow(model: keras.Model, tensors: Sequence[Any]) -> tuple[list[Call], list[Any]]:
    """Return the calls of a model's layers, in the order of computation, and what it gives.

    Args:
        model: A functional or sequential model.
        tensors: One for each of its inputs, of known shape.
    """
    calls: list[Call] = []

    def recorded(layer: Any) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            result = layer.compute_output_spec(*values, **named)
            given = keras.tree.flatten([values, named])
            inputs = [value for value in given if isinstance(value, keras.KerasTensor)]
            calls.append(Call(layer, inputs, keras.tree.flatten(result)))
            return result

        return call

    return calls, replay(model, tensors, recorded)


def _count(weights: Sequence[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)
