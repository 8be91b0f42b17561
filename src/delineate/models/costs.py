"""What a model costs to compute, counted from the shapes in its graph."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from delineate.models.summary import Call, Graph, follow, trace


@dataclass(frozen=True)
class Demand:
    """What a network takes for one image.

    Attributes:
        largest: How many numbers its largest tensor has, be it one that is there for a moment only.
        values: How many numbers all of its tensors have together.
        steps: Multiply-adds, and values that pooling looks at.
    """

    largest: int
    values: int
    steps: int


def demand_of(graph: Graph) -> Demand:
    """Return what a network takes for the image that its graph was worked through for.

    Tensors within its layers count too, such as the weights of attention: one for each pair of
    places, in each head; what PyTorch pads with is part of the largest one.

    Args:
        graph: All shapes of the network.

    Raises:
        ValueError: A layer would repeat what it takes, so that its shape is none of those.

    Example:
        >>> image = keras.Input((None, None, 3))
        >>> model = keras.Model(image, layers.UpSampling2D(2)(image))
        >>> demand_of(trace(model, 10))
        Demand(largest=1200, values=1200, steps=0)
    """
    calls = list(_plain(graph.calls))
    for call in calls:
        if not _keeps_its_shape(call):
            raise ValueError(f"the layer {call.layer.name} would repeat what it takes")
    sizes = [size for call in calls for size in _sizes_of(call)]
    steps = sum(_counted(call, _MULTIPLY_ADDS) + _counted(call, _LOOKS) for call in calls)
    # What is padded is gone before the next layer.
    largest = max([*sizes, *map(_padded, calls)], default=0)
    return Demand(largest, sum(sizes), steps)


def count_multiply_adds(model: keras.Model, *, size: int = 256) -> int:
    """Return the multiply-adds of all convolutions, dense layers and attention for one image.

    A multiplication and the addition that follows it count as one, as in most papers. What is
    added to padding counts too; normalisation, activations and resizing do not.

    Args:
        model: A functional or sequential model of one image.
        size: The side of the image, in pixels, where the model leaves it open.

    Raises:
        UsageError: The model has no graph of layers, or not one image as input.

    Example:
        >>> image = keras.Input((None, None, 3))
        >>> model = keras.Model(image, keras.layers.Conv2D(8, 3, padding="same")(image))
        >>> count_multiply_adds(model, size=10)
        21600
    """
    return sum(_counted(call, _MULTIPLY_ADDS) for call in _plain(trace(model, size).calls))


def count_values(model: keras.Model, *, size: int = 256) -> int:
    """Return how many numbers the layers of a model give for one image.

    A step of training keeps most of them until their gradients have been computed.

    Args:
        model: A functional or sequential model of one image.
        size: The side of the image, in pixels, where the model leaves it open.

    Raises:
        UsageError: The model has no graph of layers, or not one image as input.

    Example:
        >>> image = keras.Input((None, None, 3))
        >>> model = keras.Model(image, keras.layers.Conv2D(8, 3, padding="same")(image))
        >>> count_values(model, size=10)
        800
    """
    calls = _plain(trace(model, size).calls)
    return sum(_size(output) for call in calls for output in call.outputs)


def _plain(calls: Iterable[Call]) -> Iterator[Call]:
    """Yield calls of layers; in place of the call of a model those of its layers."""
    for call in calls:
        if isinstance(call.layer, keras.Model):
            yield from _plain(follow(call.layer, call.inputs)[0])
        else:
            yield call


def _counted(call: Call, counts: Sequence[tuple[Any, Callable[[Call], int]]]) -> int:
    return next((count(call) for kind, count in counts if isinstance(call.layer, kind)), 0)


def _sizes_of(call: Call) -> list[int]:
    """Return how many numbers each tensor has that a layer makes: within it, and in the end."""
    inner = (sizes(call) for kind, sizes in _WITHIN if isinstance(call.layer, kind))
    return [*next(inner, []), *map(_size, call.outputs)]


def _keeps_its_shape(call: Call) -> bool:
    """Return whether what a layer normalises or scales by is not larger than what it takes.

    Keras says that such a layer gives the shape that it takes, and does not look at its numbers.
    """
    names = next((names for kind, names in _SCALING if isinstance(call.layer, kind)), ())
    numbers = [getattr(call.layer, name, None) for name in names]
    shapes = [_shape_of(each) for each in numbers if each is not None]
    if not shapes:
        return True
    shape = tuple(call.outputs[0].shape)
    try:
        return np.broadcast_shapes(shape, *shapes) == shape
    except ValueError:
        return False


def _shape_of(numbers: Any) -> tuple[int, ...]:
    return tuple(map(int, numbers.shape if hasattr(numbers, "shape") else np.shape(numbers)))


def _convolution(call: Call) -> int:
    return _places(call.outputs[0]) * _size(call.layer.kernel)


def _separable(call: Call) -> int:
    kernels = call.layer.depthwise_kernel, call.layer.pointwise_kernel
    return _places(call.outputs[0]) * sum(map(_size, kernels))


def _transposed(call: Call) -> int:
    # Each place of what goes in is spread by the kernel.
    return _places(call.inputs[0]) * _size(call.layer.kernel)


def _attention(call: Call) -> int:
    attention = call.layer
    query, value = _places(call.inputs[0]), _places(call.inputs[1])
    projections = (
        query * (_size(attention.query_dense.kernel) + _size(attention.output_dense.kernel)),
        value * (_size(attention.key_dense.kernel) + _size(attention.value_dense.kernel)),
    )
    per_pair = attention.num_heads * (attention.key_dim + attention.value_dim)
    return int(sum(projections) + query * value * per_pair)


def _within_attention(call: Call) -> list[int]:
    attention = call.layer
    query, value = _places(call.inputs[0]), _places(call.inputs[1])
    dims = attention.key_dim, attention.value_dim
    projected = [places * dim for places in (query, value) for dim in dims]
    # Before the softmax, and after it.
    pairs = [query * value] * 2
    return [int(attention.num_heads * each) for each in (*projected, *pairs)]


def _within_separable(call: Call) -> list[int]:
    # Between its two convolutions.
    return [_places(call.outputs[0]) * math.prod(call.layer.depthwise_kernel.shape[2:])]


def _within_resizing(call: Call) -> list[int]:
    """Return the sizes of a tensor that is resized along one axis and not yet the other."""
    _, height, width, channels = call.inputs[0].shape
    rows, columns = call.outputs[0].shape[1:3]
    return [rows * width * channels, height * columns * channels]


def _padded(call: Call) -> int:
    """Return how many numbers a tensor has that a layer pads before it slides over it; 0: none.

    Some backends never make it, and PyTorch not always.
    """
    layer = call.layer
    if isinstance(layer, layers.Conv2DTranspose):
        # PyTorch cuts what is asked for out of all that the kernel reaches.
        rows, columns = _covered(layer, call.inputs[0].shape[1:3])
        return int(rows * columns * layer.filters)
    if not isinstance(layer, _SLIDING) or layer.padding != "same":
        return 0
    _, height, width, channels = call.inputs[0].shape
    rows, columns = _covered(layer, call.outputs[0].shape[1:3])
    return int(max(height, rows) * max(width, columns) * channels)


def _covered(layer: Any, places: Sequence[int]) -> list[int]:
    """Return how many rows and columns the windows of a layer cover, given how many they are."""
    sides = getattr(layer, "pool_size", None) or layer.kernel_size
    gaps = getattr(layer, "dilation_rate", (1, 1))
    return [
        (count - 1) * step + (side - 1) * gap + 1
        for count, step, side, gap in zip(places, layer.strides, sides, gaps, strict=True)
    ]


def _pooling(call: Call) -> int:
    return int(_size(call.outputs[0]) * math.prod(call.layer.pool_size))


def _adaptive_pooling(call: Call) -> int:
    # Along one axis after the other, in windows as wide as a part, that is a pixel more or less.
    parts = zip(call.inputs[0].shape[1:3], call.outputs[0].shape[1:3], strict=True)
    largest = max(_size(call.inputs[0]), *_within_resizing(call))
    return int(largest * sum(side // part + 2 for side, part in parts))


def _places(tensor: Any) -> int:
    """Return how many vectors of channels a tensor of one image has."""
    return int(math.prod(tensor.shape[1:-1]))


def _size(tensor: Any) -> int:
    return int(math.prod(tensor.shape))


_ADAPTIVE = layers.AdaptiveAveragePooling2D, layers.AdaptiveMaxPooling2D
_POOLING = layers.AveragePooling2D, layers.MaxPooling2D
_SLIDING = (*_POOLING, layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
# Keras derives none of these from another.
_MULTIPLY_ADDS: Sequence[tuple[Any, Callable[[Call], int]]] = (
    (layers.Conv2D, _convolution),
    (layers.DepthwiseConv2D, _convolution),
    (layers.SeparableConv2D, _separable),
    (layers.Conv2DTranspose, _transposed),
    (layers.Dense, _convolution),
    (layers.MultiHeadAttention, _attention),
)
# At how many values pooling looks.
_LOOKS: Sequence[tuple[Any, Callable[[Call], int]]] = (
    (_POOLING, _pooling),
    (_ADAPTIVE, _adaptive_pooling),
)
_WITHIN: Sequence[tuple[Any, Callable[[Call], list[int]]]] = (
    (layers.MultiHeadAttention, _within_attention),
    (layers.SeparableConv2D, _within_separable),
    ((layers.Resizing, *_ADAPTIVE), _within_resizing),
)
# The numbers by which layers normalise or scale, by the names of their attributes.
_SCALING: Sequence[tuple[Any, tuple[str, ...]]] = (
    (layers.BatchNormalization, ("moving_mean",)),
    (layers.GroupNormalization, ("gamma", "beta")),
    (layers.LayerNormalization, ("gamma", "beta")),
    (layers.Normalization, ("mean", "variance")),
    (layers.PReLU, ("alpha",)),
    (layers.RMSNormalization, ("scale",)),
    (layers.Rescaling, ("scale", "offset")),
)
