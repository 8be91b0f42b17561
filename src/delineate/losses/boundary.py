"""The boundary loss: how far the outlines of prediction and truth agree."""

from keras import ops

from delineate.losses.options import LossOptions
from delineate.losses.targets import (
    Tensor,
    counted,
    foreground,
    foreground_weights,
    one_hot,
    probabilities_of,
    sum_of_images,
    weighted_mean,
)

_OUTLINE = 3  # side of the window in which a pixel inside looks for one outside
_TOLERANCE = 5  # side of the window in which an outline finds its partner: 2 pixels each way


def boundary(
    truth: Tensor, logits: Tensor, *, output: str, ignore: int, options: LossOptions
) -> Tensor:
    """Return 1 - a soft boundary F1 of each foreground class in each image, averaged over both.

    Bokhovkin and Burnaev, Boundary Loss for Remote Sensing Imagery Semantic Segmentation, ISNN
    2019: outlines are what max pooling adds to the outside of a class, and an outline may be 2
    pixels away, as in the score ``boundary_f1``. To each length 1 is added, so that a class that is
    neither there nor predicted counts as right. What borders on ignored pixels is no outline.

    It sees nothing away from outlines: use it beside a loss of overlap. Class weights weigh the
    classes in the mean; label smoothing does not apply.
    """
    valid = ops.expand_dims(counted(truth, ignore), -1)
    channels = logits.shape[-1]
    true = _outline(foreground(one_hot(truth, channels, ignore)), valid)
    found = _outline(foreground(probabilities_of(logits, output)), valid)
    precision = _share(found, _widest(true, _TOLERANCE))
    recall = _share(true, _widest(found, _TOLERANCE))
    losses = 1.0 - 2.0 * precision * recall / (precision + recall)
    images = ops.max(valid, axis=(1, 2))
    return weighted_mean(losses, images * foreground_weights(channels, options))


def _outline(inside: Tensor, valid: Tensor) -> Tensor:
    outside = (1.0 - inside) * valid
    return (_widest(outside, _OUTLINE) - outside) * valid


def _share(outline: Tensor, near: Tensor) -> Tensor:
    """Return the share of an outline that lies near the other, (batch, channels)."""
    common = sum_of_images(outline * near)
    return (common + 1.0) / (sum_of_images(outline) + 1.0)


def _widest(values: Tensor, side: int) -> Tensor:
    """Return the largest value of the square window around each pixel."""
    # One axis after the other is the same, and faster.
    for window in ((1, side), (side, 1)):
        values = ops.max_pool(
            values, window, strides=1, padding="same", data_format="channels_last"
        )
    return values
