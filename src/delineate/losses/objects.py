"""The loss of what a network says of objects: their rims, and how deep in them a pixel lies."""

from keras import ops

from delineate.data.classes import IGNORE
from delineate.data.object_targets import STEPS
from delineate.losses.targets import Tensor, weighted_mean


def object_loss(targets: Tensor, logits: Tensor) -> Tensor:
    """Return the binary cross-entropy of soft targets, summed over the channels, a scalar.

    It is least where the sigmoid of a logit is the target itself, for distances as for rims.

    Args:
        targets: int32 (batch, height, width, channels): values in 0 to 1 as 0 to 254, 255 = ignore.
        logits: float32 of the same shape.
    """
    valid = ops.cast(ops.not_equal(targets, IGNORE), "float32")
    wanted = ops.cast(targets, "float32") / STEPS * valid
    losses = ops.softplus(logits) - ops.multiply(logits, wanted)
    return weighted_mean(losses, valid) * targets.shape[-1]
