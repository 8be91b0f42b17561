"""Losses of overlap: what prediction and truth have in common, against what they have apart.

All leave the background out, which the other classes determine. They add 1 to both parts of Dice
(1/2 to those of Tversky, which is the same), so that a class that is neither there nor predicted
counts as right, and nothing is divided by 0. Label smoothing does not apply: overlap is that of
sets, and with smoothed ones the best prediction would lie beside the truth.
"""

from keras import ops

from delineate.losses.options import LossOptions
from delineate.losses.targets import (
    Tensor,
    counted,
    foreground,
    foreground_weights,
    one_hot,
    probabilities_of,
    ratio,
    sum_of_images,
    weighted_mean,
)

_ADDED = 0.5
_LEAST = 1e-7  # of a loss, whose power has no finite slope at 0 for exponents below 1

Counts = tuple[Tensor, Tensor, Tensor]


def dice_per_class(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return 1 - soft Dice of each foreground class over the whole batch, averaged over classes.

    Milletari et al., V-Net, 3DV 2016, with plain sums in the denominator. Class weights weigh the
    classes in the mean; label smoothing does not apply.
    """
    counts = _over_batch(_counts(truth, logits, output, ignore))
    return weighted_mean(_loss(counts), foreground_weights(logits.shape[-1], options))


def dice_per_image(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return 1 - soft Dice of each foreground class in each image, averaged over both.

    A small object costs as much as a large one in another image. Images that are wholly ignored do
    not count. Class weights weigh the classes in the mean; label smoothing does not apply.
    """
    counts = _counts(truth, logits, output, ignore)
    images = ops.max(counted(truth, ignore), axis=(1, 2))
    weights = foreground_weights(logits.shape[-1], options)
    return weighted_mean(_loss(counts), ops.expand_dims(images, -1) * weights)


def dice_over_batch(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return 1 - soft Dice of all foreground pixels of the batch as one, whatever their class.

    Large classes decide it. With class weights, which weigh the pixels of each class, it is the
    generalised Dice of Sudre et al., DLMIA 2017. Label smoothing does not apply.
    """
    weights = foreground_weights(logits.shape[-1], options)
    counts = _over_batch(_counts(truth, logits, output, ignore))
    hits, false_positives, false_negatives = (ops.sum(count * weights) for count in counts)
    return _loss((hits, false_positives, false_negatives))


def tversky(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return 1 - the Tversky index of each foreground class over the batch, averaged over classes.

    Salehi et al., MLMI 2017: TP / (TP + a·FP + b·FN), where a is ``tversky_false_positives`` and b
    is ``tversky_false_negatives``; Keras's own has the two the other way round. A larger b finds
    more of a small class, at the price of false alarms; 0.5 and 0.5 are Dice. Class weights weigh
    the classes in the mean; label smoothing does not apply.
    """
    losses = _tversky_losses(truth, logits, output, ignore, options)
    return weighted_mean(losses, foreground_weights(logits.shape[-1], options))


def focal_tversky(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return the Tversky loss of each foreground class to an exponent, averaged over classes.

    Abraham and Khan, ISBI 2019, who write the exponent as 1 / gamma and take gamma = 4 / 3: below
    1, classes that are nearly right keep a slope. Class weights weigh the classes in the mean;
    label smoothing does not apply.
    """
    losses = _tversky_losses(truth, logits, output, ignore, options)
    exponent = options.focal_tversky_exponent
    powers = ops.power(ops.maximum(losses, _LEAST), exponent)
    losses = ops.where(losses > _LEAST, powers, 0.0)
    return weighted_mean(losses, foreground_weights(logits.shape[-1], options))


def _tversky_losses(
    truth: Tensor, logits: Tensor, output: str, ignore: int, options: LossOptions
) -> Tensor:
    counts = _over_batch(_counts(truth, logits, output, ignore))
    positives, negatives = options.tversky_false_positives, options.tversky_false_negatives
    return _loss(counts, positives, negatives)


def _counts(truth: Tensor, logits: Tensor, output: str, ignore: int) -> Counts:
    """Return soft true positives, false positives and false negatives, each (batch, classes)."""
    valid = ops.expand_dims(counted(truth, ignore), -1)
    targets = foreground(one_hot(truth, logits.shape[-1], ignore))
    shares = foreground(probabilities_of(logits, output)) * valid
    return (
        sum_of_images(targets * shares),
        sum_of_images((1.0 - targets) * shares),
        sum_of_images(targets * (1.0 - shares)),
    )


def _over_batch(counts: Counts) -> Counts:
    hits, false_positives, false_negatives = (ops.sum(count, axis=0) for count in counts)
    return hits, false_positives, false_negatives


def _loss(counts: Counts, false_positives: float = 0.5, false_negatives: float = 0.5) -> Tensor:
    """Return 1 - the Tversky index; with weights of 0.5, 1 - Dice."""
    wrong = false_positives * counts[1] + false_negatives * counts[2]
    return ratio(wrong, counts[0] + wrong + _ADDED)
