"""The Lovász losses: a convex stand-in for the IoU."""

from keras import ops

from delineate.counting import count_ids
from delineate.losses.options import LossOptions
from delineate.losses.targets import (
    Tensor,
    channel_weights,
    one_hot,
    probabilities_of,
    sum_of_images,
    weighted_mean,
)

_BINS = 16384


def lovasz(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return the Lovász extension of 1 - IoU over the whole batch, averaged over classes.

    Berman et al., The Lovász-Softmax loss, CVPR 2018. With a softmax: of the errors of the
    probabilities, over the classes that the truth has, background included. With a sigmoid: the
    Lovász hinge of each channel, which moves on until each logit is 1 on its right side.

    Class weights weigh the classes in the mean. Label smoothing does not apply: the order of the
    errors is that of sets.

    The errors are not sorted but counted into 16,384 bins between 0 and the largest: the time grows
    with the pixels only, and the value is less than a bin's width away.
    """
    channels = logits.shape[-1]
    targets = one_hot(truth, channels, ignore)
    weights = channel_weights(channels, options)
    valid = ops.expand_dims(ops.not_equal(truth, ignore), -1)
    if output == "sigmoid":
        errors = ops.where(valid, ops.relu(1.0 - logits * (2.0 * targets - 1.0)), 0.0)
        largest = ops.maximum(ops.max(errors), 1e-6)
    else:
        errors = ops.abs(targets - probabilities_of(logits, output))
        largest = 1.0
        weights = weights * ops.max(targets, axis=(0, 1, 2))
    slopes = ops.stop_gradient(_slopes(errors / largest, targets, valid))
    return weighted_mean(ops.sum(sum_of_images(errors * slopes), axis=0), weights)


def _slopes(errors: Tensor, targets: Tensor, valid: Tensor) -> Tensor:
    """Return what each error adds to 1 - IoU when it is made after all larger ones.

    Errors of one bin are made together, and share what they add. Each line here is a pass over
    many megabytes, so there are as few as there can be.

    Args:
        errors: From 0 to 1, float32 (batch, height, width, channels).
        targets: 0 or 1, likewise.
        valid: Whether a pixel counts, (batch, height, width, 1).
    """
    channels = errors.shape[-1]
    # The lowest bin is for no error at all. What is not a number becomes some bin, and then a loss
    # that is none, which is told.
    bins = ops.clip(ops.cast(ops.ceil(errors * (_BINS - 1)), "int32"), 0, _BINS - 1)
    firsts = 2 * _BINS * ops.arange(channels, dtype="int32")
    # Ignored pixels are counted behind all bins, and add nothing.
    behind = 2 * _BINS * channels
    places = ops.where(valid, 2 * bins + (ops.cast(targets, "int32") + firsts), behind)
    places = ops.reshape(places, (-1,))
    counts = ops.reshape(count_ids(places, behind + 1)[:behind], (channels, _BINS, 2))
    steps = ops.reshape(_steps(counts[..., 0], counts[..., 1]), (-1,))
    steps = ops.concatenate([steps, ops.zeros((1,))])
    return ops.reshape(ops.take(steps, places), ops.shape(errors))


def _steps(others: Tensor, inside: Tensor) -> Tensor:
    """Return what an error of each bin adds, (channels, bins, 2): outside the class, and inside.

    Args:
        others: Errors outside the class, int32 (channels, bins).
        inside: Errors inside it, likewise.
    """
    size = _float(ops.sum(inside, axis=1, keepdims=True))
    left = _float(ops.cumsum(inside, axis=1) - inside)  # of the class, once this bin is done
    passed = _float(ops.sum(others, axis=1, keepdims=True) - ops.cumsum(others, axis=1))
    union = ops.maximum(size + passed, 1.0)
    wider = union + _float(others)
    # The mean of both orders: first those inside the class, and first the others.
    of_inside = (1.0 / union + 1.0 / wider) / 2.0
    of_others = (left + _float(inside) / 2.0) / (union * wider)
    # Of a class that is not there, only the largest errors count.
    alone = ops.where(passed > 0, 0.0, 1.0 / ops.maximum(_float(others), 1.0))
    return ops.stack([ops.where(size > 0, of_others, alone), of_inside], axis=-1)


def _float(counts: Tensor) -> Tensor:
    return ops.cast(counts, "float32")
