"""Frozen batch normalisation folded into the convolution before it, in training and validation.

Where its statistics and weights stay, batch normalisation is one factor and one offset for each
channel. Keras multiplies and adds them to each feature, which reads and writes all of it twice
more; multiplied into the kernel, the factor costs next to nothing.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import MethodType
from typing import Any

import keras
from keras import layers, ops

from delineate.models.graph import replay

Tensor = Any
Pair = tuple[layers.Layer, layers.BatchNormalization]
_RANK = 4


class _Calls(threading.local):
    """What the models that this thread calls, or makes a program of, are called for."""

    validating = False


_calls = _Calls()


@contextmanager
def validating() -> Iterator[None]:
    """While open, this thread's models are only looked at: all normalisation is as if frozen."""
    before, _calls.validating = _calls.validating, True
    try:
        yield
    finally:
        _calls.validating = before


def fold_frozen(model: keras.Model, *, predicting: bool = False) -> int:
    """Let convolutions do the work of the batch normalisation behind them, while that is frozen.

    Only what layers do in this process changes: weights, configuration and what is saved stay as
    they are, and outputs up to rounding. A normalisation that is trained, now or later, works as
    before, but within :func:`validating`. To be called before the model is compiled.

    Args:
        model: A functional model.
        predicting: Whether it is never trained again: all of its normalisation is as if frozen.

    Returns:
        How many pairs there are, frozen or not.
    """
    pairs = _pairs(model)
    for convolution, normalisation in pairs:
        frozen = partial(_is_frozen, normalisation, predicting)
        convolution.call = MethodType(_folded(convolution.call, normalisation, frozen), convolution)
        normalisation.call = MethodType(_passing(normalisation.call, frozen), normalisation)
    return len(pairs)


def _is_frozen(normalisation: layers.BatchNormalization, predicting: bool) -> bool:
    return predicting or _calls.validating or not normalisation.trainable


def _pairs(model: keras.Model) -> list[Pair]:
    """Return each convolution whose only reader is a batch normalisation, with that.

    A layer that is used in several places is in none of them.
    """
    made: dict[int, layers.Layer] = {}
    read: Counter[int] = Counter()
    used: Counter[int] = Counter()
    found: list[tuple[int, layers.BatchNormalization]] = []
    # Tensors are told by their identity, so none may go while others are made.
    kept: list[Tensor] = []

    def recorded(operation: Any) -> Callable[..., Tensor]:
        def call(*arguments: Any, **options: Any) -> Tensor:
            given = [each for each in keras.tree.flatten(arguments) if hasattr(each, "shape")]
            read.update(id(each) for each in given)
            used[id(operation)] += 1
            if type(operation) is layers.BatchNormalization:
                found.append((id(given[0]), operation))
            outputs = operation.compute_output_spec(*arguments, **options)
            kept.extend([*given, outputs])
            made[id(outputs)] = operation
            return outputs

        return call

    # What a model gives is read too: by whoever has it.
    read.update(id(each) for each in replay(model, model.inputs, recorded))
    pairs = ((made.get(tensor), layer) for tensor, layer in found if read[tensor] == 1)
    return [
        (first, layer)
        for first, layer in pairs
        if used[id(first)] == used[id(layer)] == 1 and _fits(first, layer)
    ]


def _fits(convolution: Any, normalisation: layers.BatchNormalization) -> bool:
    if type(convolution) not in (layers.Conv2D, layers.DepthwiseConv2D):
        return False
    last = normalisation.axis in (-1, _RANK - 1) and convolution.data_format == "channels_last"
    linear = convolution.activation in (None, keras.activations.linear)
    return bool(last and linear and not normalisation.renorm)


def _folded(
    usual: Callable[..., Tensor],
    normalisation: layers.BatchNormalization,
    is_frozen: Callable[[], bool],
) -> Callable[..., Tensor]:
    """Return what a convolution does: with the kernel scaled and an offset while that is frozen."""

    def call(self: Any, inputs: Tensor) -> Tensor:
        if not is_frozen():
            return usual(inputs)
        factor = ops.rsqrt(normalisation.moving_variance + normalisation.epsilon)
        if normalisation.scale:
            factor = factor * normalisation.gamma
        offset = -normalisation.moving_mean * factor
        if normalisation.center:
            offset = offset + normalisation.beta
        if self.use_bias:
            offset = offset + self.bias * factor
        outputs = _convolved(self, inputs, factor)
        return outputs + ops.cast(offset, outputs.dtype)

    return call


def _convolved(layer: Any, inputs: Tensor, factor: Tensor) -> Tensor:
    if type(layer) is layers.Conv2D:
        kernel = ops.cast(layer.kernel, factor.dtype) * factor
        return layer.convolution_op(inputs, ops.cast(kernel, inputs.dtype))
    scaled = ops.reshape(factor, layer.kernel.shape[-2:])
    kernel = ops.cast(layer.kernel, factor.dtype) * scaled
    return ops.depthwise_conv(
        inputs,
        ops.cast(kernel, inputs.dtype),
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def _passing(usual: Callable[..., Tensor], is_frozen: Callable[[], bool]) -> Callable[..., Tensor]:
    """Return what a batch normalisation does: nothing, while it is frozen."""

    def call(
        self: layers.BatchNormalization,
        inputs: Tensor,
        training: bool | None = None,
        mask: Tensor = None,
    ) -> Tensor:
        if not is_frozen():
            return usual(inputs, training=training, mask=mask)
        return inputs

    return call
