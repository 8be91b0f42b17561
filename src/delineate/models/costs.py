"""What a model costs to compute, counted from the shapes in its graph."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from delineate.models.summary import Call, follow, trace


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
    return sum(map(_of_call, trace(model, size).calls))


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
    return sum(map(_values_of, trace(model, size).calls))


def largest_tensor(model: keras.Model, *, size: int = 256) -> int:
    """Return how many numbers the largest tensor has that a model makes of one image.

    The weights of attention count too: one for each pair of places, in each head.

    Args:
        model: A functional or sequential model of one image.
        size: The side of the image, in pixels, where the model leaves it open.

    Raises:
        UsageError: The model has no graph of layers, or not one image as input.

    Example:
        >>> image = keras.Input((None, None, 3))
        >>> model = keras.Model(image, keras.layers.UpSampling2D(2)(image))
        >>> largest_tensor(model, size=10)
        1200
    """
    return max(map(_largest_of, trace(model, size).calls), default=0)


def _largest_of(call: Call) -> int:
    if isinstance(call.layer, keras.Model):
        return max(map(_largest_of, follow(call.layer, call.inputs)[0]), default=0)
    sizes = [int(math.prod(output.shape)) for output in call.outputs]
    if isinstance(call.layer, layers.MultiHeadAttention):
        query, value = _places(call.inputs[0]), _places(call.inputs[1])
        sizes.append(int(call.layer.num_heads * query * value))
    return max(sizes, default=0)


def _values_of(call: Call) -> int:
    if isinstance(call.layer, keras.Model):
        return sum(map(_values_of, follow(call.layer, call.inputs)[0]))
    return sum(int(math.prod(output.shape)) for output in call.outputs)


def _of_call(call: Call) -> int:
    for kind, count in _COUNTS:
        if isinstance(call.layer, kind):
            return count(call)
    if isinstance(call.layer, keras.Model):
        return sum(map(_of_call, follow(call.layer, call.inputs)[0]))
    return 0


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


def _places(tensor: Any) -> int:
    """Return how many vectors of channels a tensor of one image has."""
    return int(math.prod(tensor.shape[1:-1]))


def _size(weight: Any) -> int:
    return int(math.prod(weight.shape))


# Keras derives none of these from another.
_COUNTS: Sequence[tuple[Any, Callable[[Call], int]]] = (
    (layers.Conv2D, _convolution),
    (layers.DepthwiseConv2D, _convolution),
    (layers.SeparableConv2D, _separable),
    (layers.Conv2DTranspose, _transposed),
    (layers.Dense, _convolution),
    (layers.MultiHeadAttention, _attention),
)
