"""How far from a pixel a network looks at most: what its graph of layers allows.

The way of bounds through a graph is that of Araujo, Norris and Sim, "Computing receptive fields of
convolutional neural networks", Distill 2019, here with enlargement as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import keras

from delineate.models.graph import replay

Tensor = Any

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")
_POOLS = ("MaxPooling2D", "AveragePooling2D")
# Each value that these give depends on values of the same place only, in inference.
_BY_PLACE = frozenset(
    {
        *("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "Identity", "Cast"),
        *("BatchNormalization", "Normalization", "Rescaling", "Dropout", "SpatialDropout2D"),
        *("GaussianNoise", "GaussianDropout", "Add", "Subtract", "Multiply", "Average"),
        *("Maximum", "Minimum", "Concatenate", "InputLayer"),
    }
)


@dataclass(frozen=True)
class _Reach:
    """What a tensor's values depend on, in pixels of the image, along either axis.

    A value at the index i has its place at ``i * stride``.

    Attributes:
        stride: From one value to the next.
        before: How far before its place a value looks.
        after: How far behind it.
    """

    stride: Fraction = Fraction(1)
    before: Fraction = Fraction(0)
    after: Fraction = Fraction(0)

    def looking(self, before: float | Fraction, after: float | Fraction) -> "_Reach":
        """Return the reach of what looks at so many of these values before and behind."""
        return replace(
            self,
            before=self.before + Fraction(before) * self.stride,
            after=self.after + Fraction(after) * self.stride,
        )

    def apart(self, factor: Fraction) -> "_Reach":
        """Return the same with another stride, as a factor on this one."""
        return replace(self, stride=self.stride * factor)


def receptive_field(model: keras.Model) -> int | None:
    """Return how many pixels away from a pixel may change what a network says of it.

    It holds for prediction: batch normalisation has its own statistics, dropout drops nothing.

    Args:
        model: A functional model of images, (height, width, channels).

    Returns:
        A bound in pixels, along rows and columns alike; None: all of an image may (a mean over all
        of it, attention), or there are layers of which it is not known here.

    Example:
        >>> from keras import layers
        >>> receptive_field(keras.Sequential([layers.Input((None, None, 1)), layers.Conv2D(1, 5)]))
        4
    """
    # Tensors are told by their identity, so none may go while others are made.
    kept: list[Tensor] = list(model.inputs)
    reach: dict[int, _Reach | None] = {id(each): _Reach() for each in model.inputs}

    def followed(operation: Any) -> Callable[..., Tensor]:
        def call(*arguments: Any, **options: Any) -> Tensor:
            given = [each for each in keras.tree.flatten(arguments) if id(each) in reach]
            outputs = operation.compute_output_spec(*arguments, **options)
            kept.extend(keras.tree.flatten(outputs))
            found = _after(operation, [reach[id(each)] for each in given])
            reach.update({id(each): found for each in keras.tree.flatten(outputs)})
            return outputs

        return call

    ends = [reach.get(id(each)) for each in replay(model, model.inputs, followed)]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        return None
    return max(max(-(-end.before // 1), -(-end.after // 1), 0) for end in known)


def _after(operation: Any, given: list[_Reach | None]) -> _Reach | None:
    """Return the reach of what an operation gives; None: it has no bound, or is not known."""
    known = [each for each in given if each is not None]
    if not known or len(known) < len(given) or len({each.stride for each in known}) > 1:
        return None
    reach = _Reach(
        known[0].stride, max(each.before for each in known), max(each.after for each in known)
    )
    kind = type(operation).__name__
    if kind in _BY_PLACE:
        return reach if _joins_channels(operation) else None
    rule = _RULES.get(kind)
    return None if rule is None else rule(operation, reach)


def _joins_channels(layer: Any) -> bool:
    """Return whether a layer works along the channels, as nearly all with an axis do."""
    axis = getattr(layer, "axis", -1)
    axes = [axis] if isinstance(axis, int) else list(axis or ())
    return bool(axes) and all(each in (-1, 3) for each in axes)


def _convolution(layer: Any, reach: _Reach) -> _Reach | None:
    return _window(layer, reach, layer.kernel_size, layer.dilation_rate)


def _pool(layer: Any, reach: _Reach) -> _Reach | None:
    return _window(layer, reach, layer.pool_size, (1, 1))


def _window(
    layer: Any, reach: _Reach, size: tuple[int, ...], dilation: tuple[int, ...]
) -> _Reach | None:
    if len({*_two(layer.strides)}) > 1:
        return None
    side = max((each - 1) * step + 1 for each, step in zip(size, _two(dilation), strict=True))
    stride = max(_two(layer.strides))
    # Sides divide by the stride, so that "same" adds what the window exceeds it by, first behind.
    before = max(side - stride, 0) // 2 if layer.padding == "same" else 0
    return reach.looking(before, side - 1 - before).apart(Fraction(stride))


def _transposed(layer: Any, reach: _Reach) -> _Reach | None:
    side, stride = max(_two(layer.kernel_size)), max(_two(layer.strides))
    usual = {*_two(layer.dilation_rate)} == {1} and len({*_two(layer.strides)}) == 1
    if not usual or layer.padding != "same" or layer.output_padding is not None:
        return None
    before = max(side - stride, 0) // 2
    share = Fraction(1, stride)
    return reach.looking((side - 1 - before) * share, before * share).apart(share)


def _enlarged(layer: Any, reach: _Reach) -> _Reach | None:
    if len({*_two(layer.size)}) > 1:
        return None
    factor = _two(layer.size)[0]
    if layer.interpolation != "nearest":
        side = _KERNELS.get(layer.interpolation, max(_KERNELS.values()))
        # Between the centres of what is enlarged: half a pixel further on.
        half, share = Fraction(1, 2), Fraction(1, factor)
        return reach.looking(side + half - share, side - half).apart(share)
    return reach.looking(1 - Fraction(1, factor), 0).apart(Fraction(1, factor))


def _padded(layer: Any, reach: _Reach) -> _Reach:
    above = max(side[0] for side in layer.padding)
    return reach.looking(above, -min(side[0] for side in layer.padding))


def _cropped(layer: Any, reach: _Reach) -> _Reach:
    above = min(side[0] for side in layer.cropping)
    return reach.looking(-above, max(side[0] for side in layer.cropping))


def _of_channels(layer: Any, reach: _Reach) -> _Reach | None:
    """Return the reach of a normalisation over the channels of each pixel."""
    axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    return reach if list(axes) in ([-1], [3]) else None


def _two(size: int | tuple[int, ...]) -> tuple[int, ...]:
    return (size, size) if isinstance(size, int) else tuple(size)


# How many values to either side an interpolation looks at.
_KERNELS = {"bilinear": 1, "bicubic": 2, "lanczos3": 3, "lanczos5": 5}

_RULES: dict[str, Callable[[Any, _Reach], _Reach | None]] = {
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    **dict.fromkeys(_POOLS, _pool),
    "Conv2DTranspose": _transposed,
    "UpSampling2D": _enlarged,
    "ZeroPadding2D": _padded,
    "Cropping2D": _cropped,
    "LayerNormalization": _of_channels,
    "Dense": lambda layer, reach: reach,
}
