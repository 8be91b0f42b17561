"""What losses are made of: which pixels count and how much, targets, probabilities, means."""

from typing import Any

from keras import ops

from delineate.losses.options import LossOptions

Tensor = Any


def counted(truth: Tensor, ignore: int) -> Tensor:
    """Return 1 where a pixel counts and 0 where it is ignored, float32 (batch, height, width)."""
    return ops.cast(ops.not_equal(truth, ignore), "float32")


def one_hot(truth: Tensor, channels: int, ignore: int) -> Tensor:
    """Return float32 targets (batch, height, width, channels): 0 or 1, and 0 where ignored.

    One channel stands for the second of two classes.
    """
    if channels == 1:
        return ops.expand_dims(ops.cast(ops.equal(truth, 1), "float32"), -1)
    ids = ops.where(ops.not_equal(truth, ignore), truth, channels)
    return ops.one_hot(ids, channels + 1, dtype="float32")[..., :channels]


def smoothed(targets: Tensor, share: float, output: str) -> Tensor:
    """Return targets of which a share is spread over all classes (Szegedy et al., CVPR 2016).

    A sigmoid asks of each channel yes or no, so the share is spread over these two.
    """
    if not share:
        return targets
    classes = 2 if output == "sigmoid" else targets.shape[-1]
    return targets * (1.0 - share) + share / classes


def probabilities_of(logits: Tensor, output: str) -> Tensor:
    """Return the probabilities that logits stand for."""
    return ops.sigmoid(logits) if output == "sigmoid" else ops.softmax(logits, axis=-1)


def foreground(channels: Tensor) -> Tensor:
    """Return the last axis without the background, which one channel does not have."""
    return channels if channels.shape[-1] == 1 else ops.split(channels, [1], axis=-1)[1]


def pixel_weights(truth: Tensor, channels: int, ignore: int, options: LossOptions) -> Tensor:
    """Return each pixel's weight, that of its true class and 0 where ignored, float32."""
    valid = counted(truth, ignore)
    if options.class_weights is None:
        return valid
    ids = ops.where(ops.not_equal(truth, ignore), truth, 0)
    return ops.take(_weights(max(channels, 2), options), ids) * valid


def channel_weights(channels: int, options: LossOptions) -> Tensor:
    """Return a weight for each channel, float32 (channels,); one channel alone has weight 1."""
    return ops.ones((1,)) if channels == 1 else _weights(channels, options)


def foreground_weights(channels: int, options: LossOptions) -> Tensor:
    """Return a weight for each foreground class, with the mean 1, float32."""
    if channels == 1:
        return ops.ones((1,))
    weights = _weights(channels, options)[1:]
    return weights / ops.mean(weights)


def sum_of_images(values: Tensor) -> Tensor:
    """Return the sum over the pixels of each image, (batch, channels)."""
    # TensorFlow adds up one number after the other: over millions at once, that loses digits.
    return ops.sum(ops.sum(values, axis=2), axis=1)


def ratio(total: Tensor, size: Tensor) -> Tensor:
    """Return total / size, and 0 where the size is 0."""
    empty = ops.equal(size, 0)
    return ops.where(empty, 0.0, total / ops.where(empty, 1.0, size))


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of values by weights of a shape that broadcasts; 0 without any weight."""
    weights = ops.broadcast_to(weights, ops.shape(values))
    return ratio(ops.sum(values * weights), ops.sum(weights))


def _weights(classes: int, options: LossOptions) -> Tensor:
    if options.class_weights is None:
        return ops.ones((classes,))
    return ops.convert_to_tensor(options.class_weights, "float32")
