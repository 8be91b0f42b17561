"""Losses that are a mean over pixels: cross-entropies and the focal loss.

With class weights each pixel has the weight of its true class, and the sum is divided by the sum of
these weights, as ``torch.nn.CrossEntropyLoss`` and the ``sample_weight`` of scikit-learn have it.
So only the ratios of the weights matter, and the loss stays on the scale of one without weights.
"""

import keras
from keras import ops

from delineate.losses.options import LossOptions
from delineate.losses.targets import (
    Tensor,
    counted,
    one_hot,
    pixel_weights,
    ratio,
    smoothed,
    weighted_mean,
)

_LEAST = 1e-7  # of 1 - p, whose power has no finite slope at 0 for exponents below 1


def binary_crossentropy(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return the cross-entropy of a sigmoid: of each class against all others.

    Class weights and label smoothing apply.
    """
    channels = logits.shape[-1]
    targets = smoothed(one_hot(truth, channels, ignore), options.label_smoothing, output)
    # Written with relu and abs the gradient would be wrong at 0, where dark images begin.
    losses = ops.softplus(logits) - logits * targets
    weights = pixel_weights(truth, channels, ignore, options)
    return weighted_mean(ops.mean(losses, axis=-1), weights)


def sparse_categorical_crossentropy(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return the cross-entropy of a softmax, from class ids.

    Class weights and label smoothing apply, both as in ``torch.nn.CrossEntropyLoss``: what
    smoothing gives to another class has the weight of that class.
    """
    channels = logits.shape[-1]
    weights = pixel_weights(truth, channels, ignore, options)
    ids = ops.where(ops.not_equal(truth, ignore), truth, 0)
    losses = _of_ids(ids, logits) * weights
    share = options.label_smoothing
    if share:
        others = _crossentropy(ops.ones_like(logits) / channels, logits, options)
        losses = losses * (1.0 - share) + others * share * counted(truth, ignore)
    return ratio(ops.sum(losses), ops.sum(weights))


def categorical_crossentropy(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return the cross-entropy of a softmax, from one-hot classes: the sparse one's value.

    Class weights and label smoothing apply, as there.
    """
    channels = logits.shape[-1]
    targets = smoothed(one_hot(truth, channels, ignore), options.label_smoothing, output)
    losses = _crossentropy(targets, logits, options) * counted(truth, ignore)
    return ratio(ops.sum(losses), ops.sum(pixel_weights(truth, channels, ignore, options)))


def focal(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return the focal loss: a cross-entropy in which pixels that are right count little.

    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017: the cross-entropy of each class
    times (1 - its probability) ^ ``focal_gamma``; the alpha of the paper is the class weights. With
    a softmax over all classes, with a sigmoid for each class against all others. Label smoothing
    applies. With ``focal_gamma = 0`` it is the cross-entropy.
    """
    channels = logits.shape[-1]
    targets = smoothed(one_hot(truth, channels, ignore), options.label_smoothing, output)
    weights = pixel_weights(truth, channels, ignore, options)
    gamma = options.focal_gamma
    if output == "sigmoid":
        yes, no = ops.softplus(-logits), ops.softplus(logits)
        losses = targets * yes * ops.exp(-gamma * no) + (1 - targets) * no * ops.exp(-gamma * yes)
        return weighted_mean(ops.mean(losses, axis=-1), weights)
    missing = 1.0 - ops.softmax(logits, axis=-1)
    hard = ops.power(ops.maximum(missing, _LEAST), gamma)
    losses = _crossentropy(targets * hard, logits, options) * counted(truth, ignore)
    return ratio(ops.sum(losses), ops.sum(weights))


def _of_ids(ids: Tensor, logits: Tensor) -> Tensor:
    """Return the cross-entropy of each pixel, from the id of its class."""
    if keras.backend.backend() == "tensorflow":
        # Its own, deterministic, takes twice as long.
        return -ops.sum(ops.one_hot(ids, logits.shape[-1]) * ops.log_softmax(logits), axis=-1)
    return ops.sparse_categorical_crossentropy(ids, logits, from_logits=True)


def _crossentropy(targets: Tensor, logits: Tensor, options: LossOptions) -> Tensor:
    """Return the cross-entropy of each pixel, its classes weighted."""
    if options.class_weights is not None:
        targets = targets * ops.convert_to_tensor(options.class_weights, "float32")
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)
