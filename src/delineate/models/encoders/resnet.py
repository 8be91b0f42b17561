"""ResNet 18 and 34 (He and others, CVPR 2016, arXiv:1512.03385), which keras.applications lacks.

Layers are named as in its larger ones, and padded as in PyTorch, where their weights are from.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from delineate.models.conventions import TORCH
from delineate.models.encoders.encoder import Encoder

Tensor = Any

_FILTERS = (64, 128, 256, 512)


def _residual(blocks: Sequence[int]) -> Callable[[float], keras.Model]:
    def make(width: float) -> keras.Model:
        del width
        image = layers.Input((None, None, 3), name="image")
        tensor = _convolved(image, _FILTERS[0], 7, strides=2, name="conv1")
        tensor = layers.Activation("relu", name="conv1_relu")(tensor)
        tensor = layers.ZeroPadding2D(1, name="pool1_pad")(tensor)
        tensor = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(tensor)
        for stage, (filters, count) in enumerate(zip(_FILTERS, blocks, strict=True), start=2):
            for number in range(1, count + 1):
                strides = 2 if number == 1 and stage > 2 else 1
                name = f"conv{stage}_block{number}"
                tensor = _block(tensor, filters, strides=strides, name=name)
        return keras.Model(image, tensor)

    return make


def _block(tensor: Tensor, filters: int, *, strides: int, name: str) -> Tensor:
    """Return two convolutions, added to what goes in."""
    shortcut = tensor
    if strides > 1:
        shortcut = _convolved(tensor, filters, 1, strides=strides, name=f"{name}_0")
    tensor = _convolved(tensor, filters, 3, strides=strides, name=f"{name}_1")
    tensor = layers.Activation("relu", name=f"{name}_1_relu")(tensor)
    tensor = _convolved(tensor, filters, 3, strides=1, name=f"{name}_2")
    tensor = layers.Add(name=f"{name}_add")([shortcut, tensor])
    return layers.Activation("relu", name=f"{name}_out")(tensor)


def _convolved(tensor: Tensor, filters: int, kernel: int, *, strides: int, name: str) -> Tensor:
    if kernel > 1:
        tensor = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(tensor)
    tensor = layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(tensor)
    return layers.BatchNormalization(epsilon=1e-5, name=f"{name}_bn")(tensor)


RESNET18 = Encoder("resnet18", _residual((2, 2, 2, 2)), TORCH, "BSD-3-Clause")
RESNET34 = Encoder("resnet34", _residual((3, 4, 6, 3)), TORCH, "BSD-3-Clause")
