"""The Mix Transformers of SegFormer (Xie and others, NeurIPS 2021, arXiv:2105.15203).

KerasHub has them too, but its layers take the square root of the number of tokens for both sides of
the image, and a graph of them cannot be opened again (their configuration is not what their
constructors take). These are made of Keras's own layers: they work at any size, and plain Keras
opens them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from delineate.models.conventions import TORCH
from delineate.models.encoders.encoder import Encoder

Tensor = Any

_PATCHES = ((7, 4), (3, 2), (3, 2), (3, 2))  # kernel and stride of each stage
_HEADS = (1, 2, 5, 8)
_REDUCTIONS = (8, 4, 2, 1)
_DROPPED = 0.1
_SMALL = (32, 64, 160, 256)
_LARGE = (64, 128, 320, 512)


def _transformer(blocks: Sequence[int], channels: Sequence[int]) -> Callable[[float], keras.Model]:
    def make(width: float) -> keras.Model:
        del width
        image = layers.Input((None, None, 3), name="image")
        tensor, before = image, 0
        for stage, count in enumerate(blocks):
            name = f"stage{stage + 1}"
            tensor = _patches(tensor, channels[stage], *_PATCHES[stage], name=name)
            for number in range(count):
                tensor = _block(
                    tensor,
                    _HEADS[stage],
                    _REDUCTIONS[stage],
                    dropped=_DROPPED * (before + number) / (sum(blocks) - 1),
                    name=f"{name}_block{number + 1}",
                )
            before += count
            tensor = _normalise(tensor, f"{name}_out")
        return keras.Model(image, tensor)

    return make


def _patches(tensor: Tensor, channels: int, kernel: int, stride: int, *, name: str) -> Tensor:
    """Return overlapping patches as vectors, with a stride."""
    tensor = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(tensor)
    tensor = _convolution(channels, kernel, strides=stride, name=f"{name}_embed")(tensor)
    return _normalise(tensor, f"{name}_normalise")


def _block(tensor: Tensor, heads: int, reduction: int, *, dropped: float, name: str) -> Tensor:
    """Return attention and a mixing network of two layers, each added to what goes in."""
    channels = tensor.shape[-1]
    queries = _normalise(tensor, f"{name}_normalise1", epsilon=1e-6)
    values = queries
    if reduction > 1:
        # "same": images that do not divide by 32 have a border of less than a whole reduction.
        reduce = _convolution(
            channels, reduction, strides=reduction, padding="same", name=f"{name}_reduce"
        )
        values = _normalise(reduce(values), f"{name}_reduce_normalise")
    attended = layers.MultiHeadAttention(
        heads,
        channels // heads,
        attention_axes=(1, 2),
        kernel_initializer=_initialiser(),
        name=f"{name}_attend",
    )(queries, values)
    tensor = _added(tensor, attended, dropped, f"{name}_attend")
    mixed = _normalise(tensor, f"{name}_normalise2", epsilon=1e-6)
    mixed = _dense(4 * channels, f"{name}_widen")(mixed)
    mixed = layers.DepthwiseConv2D(
        3, padding="same", depthwise_initializer=_kernel_initialiser(), name=f"{name}_mix"
    )(mixed)
    mixed = layers.Activation("gelu", name=f"{name}_activate")(mixed)
    mixed = _dense(channels, f"{name}_narrow")(mixed)
    return _added(tensor, mixed, dropped, f"{name}_mix")


def _added(tensor: Tensor, change: Tensor, dropped: float, name: str) -> Tensor:
    """Return the sum; in training the change is left out of a share of the images."""
    if dropped:
        each_image = (None, 1, 1, 1)
        change = layers.Dropout(dropped, noise_shape=each_image, name=f"{name}_drop")(change)
    return layers.Add(name=f"{name}_add")([tensor, change])


def _normalise(tensor: Tensor, name: str, epsilon: float = 1e-5) -> Tensor:
    return layers.LayerNormalization(epsilon=epsilon, name=name)(tensor)


def _dense(channels: int, name: str) -> layers.Dense:
    return layers.Dense(channels, kernel_initializer=_initialiser(), name=name)


def _convolution(channels: int, kernel: int, **options: Any) -> layers.Conv2D:
    return layers.Conv2D(channels, kernel, kernel_initializer=_kernel_initialiser(), **options)


def _initialiser() -> keras.Initializer:
    return keras.initializers.TruncatedNormal(stddev=0.02)


def _kernel_initialiser() -> keras.Initializer:
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def _encoder(name: str, blocks: Sequence[int], channels: Sequence[int] = _LARGE) -> Encoder:
    return Encoder(
        name,
        _transformer(blocks, channels),
        TORCH,
        "NVIDIA (research)",
        taps=("stage1_out", "stage2_out", "stage3_out", "stage4_out"),
        least_stride=4,
    )


MITB0 = _encoder("mitb0", (2, 2, 2, 2), _SMALL)
MITB1 = _encoder("mitb1", (2, 2, 2, 2))
MITB2 = _encoder("mitb2", (3, 4, 6, 3))
MITB3 = _encoder("mitb3", (3, 4, 18, 3))
MITB4 = _encoder("mitb4", (3, 8, 27, 3))
MITB5 = _encoder("mitb5", (3, 6, 40, 3))
