"""Kernels of the backend's own, exchanged in for training; the saved model knows nothing of them.

Keras computes batch normalisation from moments and elementwise steps in float32, which reads and
writes each feature many times over. TensorFlow and PyTorch have one kernel for all of it, which
also takes bfloat16 as it is. JAX's compiler fuses the steps by itself.
"""

from collections.abc import Callable
from types import MethodType
from typing import Any

import keras
from keras import layers, ops

from delineate.models.depthwise import call_strided, is_slow

Tensor = Any
Normalise = Callable[[layers.BatchNormalization, Tensor], tuple[Tensor, Tensor, Tensor]]

_RANK = 4


def exchange_kernels(model: keras.Model) -> int:
    """Let layers of a model use the backend's own kernels in training, where those are faster.

    Batch normalisation, and on a processor with TensorFlow depthwise convolutions with a stride.

    Only what a layer does in this process changes: weights, configuration and what is saved stay as
    they are, and its outputs up to rounding. To be called before the model is compiled.

    Args:
        model: Any model; layers within layers are found too.

    Returns:
        How many layers have another kernel now: none on a backend without one.
    """
    kernel = _KERNELS.get(keras.backend.backend())
    if kernel is None:
        return 0
    chosen = [layer for layer in _layers(model) if _fits(layer)]
    for layer in chosen:
        layer.call = MethodType(_call_with(kernel), layer)
    strided = [layer for layer in _layers(model) if is_slow(layer)]
    for layer in strided:
        layer.call = MethodType(call_strided, layer)
    return len(chosen) + len(strided)


def _layers(model: keras.Model) -> list[layers.Layer]:
    # Private in name only: it is what keras.Model itself walks its layers with.
    found: list[layers.Layer] = list(model._flatten_layers(include_self=False))
    return found


def _fits(layer: layers.Layer) -> bool:
    if type(layer) is not layers.BatchNormalization or layer.input_spec is None:
        return False
    plain = not layer.renorm and not layer.synchronized and layer.scale and layer.center
    last = list(layer.input_spec.axes) in ([-1], [_RANK - 1])
    return bool(plain and last and layer.input_spec.ndim == _RANK)


def _call_with(kernel: Normalise) -> Callable[..., Tensor]:
    """Return what a layer does when called: the kernel in training, else Keras's own steps."""

    def call(
        self: layers.BatchNormalization,
        inputs: Tensor,
        training: bool | None = None,
        mask: Tensor = None,
    ) -> Tensor:
        # A single value has no spread: PyTorch's kernel refuses it.
        single = all(side == 1 for side in inputs.shape[:-1])
        if mask is not None or training is not True or not self.trainable or single:
            return layers.BatchNormalization.call(self, inputs, training=training, mask=mask)
        outputs, mean, variance = kernel(self, inputs)
        for moving, fresh in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + fresh * (1.0 - self.momentum))
        return ops.cast(outputs, self.compute_dtype)

    return call


def _tensorflow(layer: layers.BatchNormalization, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    import tensorflow as tf

    found = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.convert_to_tensor(layer.gamma),
        offset=tf.convert_to_tensor(layer.beta),
        mean=tf.constant([], tf.float32),
        variance=tf.constant([], tf.float32),
        epsilon=layer.epsilon,
        exponential_avg_factor=1.0,
        is_training=True,
    )
    # The kernel's variance is that of a sample (divided by n - 1), Keras's that of all values.
    count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
    return found.y, found.batch_mean, found.batch_variance * (count - 1) / tf.maximum(count, 1)


def _torch(layer: layers.BatchNormalization, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    import torch

    channels = inputs.shape[-1]
    mean = torch.zeros(channels, device=inputs.device)
    variance = torch.zeros(channels, device=inputs.device)
    outputs = torch.nn.functional.batch_norm(
        inputs.permute(0, 3, 1, 2),
        mean,
        variance,
        layer.gamma.value,
        layer.beta.value,
        training=True,
        momentum=1.0,
        eps=layer.epsilon,
    )
    count = inputs.numel() // channels
    return outputs.permute(0, 2, 3, 1), mean, variance * ((count - 1) / max(count, 1))


_KERNELS: dict[str, Normalise] = {"tensorflow": _tensorflow, "torch": _torch}
