"""Depthwise convolutions with a stride, trained faster on a processor with TensorFlow.

In bfloat16 its gradient of the images takes many times as long as that of a convolution without a
stride, of which it can be made: by zeros between the values that come back.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

Tensor = Any


def is_slow(layer: layers.Layer) -> bool:
    """Return whether a layer is a depthwise convolution whose gradient takes TensorFlow long."""
    if type(layer) is not layers.DepthwiseConv2D or keras.backend.backend() != "tensorflow":
        return False
    plain = layer.padding == "valid" and set(layer.dilation_rate) == {1} and not layer.use_bias
    down, right = layer.strides
    steps = down == right > 1 and layer.data_format == "channels_last"
    linear = layer.activation is keras.activations.linear
    return bool(
        plain and steps and linear and layer.compute_dtype == "bfloat16" and _on_processor()
    )


def _on_processor() -> bool:
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")


def call_strided(layer: layers.DepthwiseConv2D, inputs: Tensor) -> Tensor:
    """Return what a depthwise convolution gives; its gradient is made with a stride of one."""
    import tensorflow as tf

    step = layer.strides[0]
    strides, ones = [1, step, step, 1], [1, 1, 1, 1]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolved(images: Tensor, kernel: Tensor) -> tuple[Tensor, Callable[..., Any]]:
        def gradients(upstream: Tensor) -> tuple[Tensor, Tensor]:
            sizes = tf.shape(images)
            height, width = (sizes[axis] - kernel.shape[axis - 1] + 1 for axis in (1, 2))
            of_images = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=sizes,
                filter=kernel,
                out_backprop=_spread(upstream, step)[:, :height, :width],
                strides=ones,
                padding="VALID",
            )
            of_kernel = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=images,
                filter_sizes=kernel.shape,
                out_backprop=upstream,
                strides=strides,
                padding="VALID",
            )
            return of_images, of_kernel

        outputs = tf.raw_ops.DepthwiseConv2dNative(
            input=images, filter=kernel, strides=strides, padding="VALID"
        )
        return outputs, gradients

    return convolved(inputs, tf.convert_to_tensor(layer.kernel))


def _spread(images: Tensor, step: int) -> Tensor:
    """Return images (batch, height, width, channels) whose pixels are so far apart, zeros between.

    They are as many times as high and wide, rounded up to where the next pixel would be.
    """
    import tensorflow as tf

    batch, height, width, channels = tf.unstack(tf.shape(images))
    rows = tf.concat([images, *[tf.zeros_like(images)] * (step - 1)], axis=-1)
    rows = tf.reshape(rows, (batch, height, step * width * channels))
    spread = tf.concat([rows, *[tf.zeros_like(rows)] * (step - 1)], axis=-1)
    return tf.reshape(spread, (batch, step * height, step * width, channels))
