"""Losses on logits, with an ignore value everywhere.

Each function takes ``truth``, integer class ids (batch, height, width), and ``logits``, float32
(batch, height, width, channels), where one channel stands for two classes. Each returns a scalar:
the mean over all pixels that are not ignored, or 0 where all are.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from delineate.catalog import find
from delineate.errors import RecipeError

Tensor = Any
IGNORE = 255


def binary_crossentropy(truth: Tensor, logits: Tensor, *, output: str, ignore: int) -> Tensor:
    """Return the cross-entropy of a sigmoid: of each class against all others."""
    targets, valid = _targets(truth, logits, ignore)
    # Written with relu and abs the gradient would be wrong at 0, where dark images begin.
    losses = ops.softplus(logits) - logits * targets
    return _mean(ops.mean(losses, axis=-1), valid)


def sparse_categorical_crossentropy(
    truth: Tensor,
    logits: Tensor,
    *,
    output: str,
    ignore: int,
) -> Tensor:
    """Return the cross-entropy of a softmax, from class ids."""
    valid = ops.not_equal(truth, ignore)
    ids = ops.where(valid, truth, 0)
    losses = ops.sparse_categorical_crossentropy(ids, logits, from_logits=True)
    return _mean(losses, valid)


def categorical_crossentropy(truth: Tensor, logits: Tensor, *, output: str, ignore: int) -> Tensor:
    """Return the cross-entropy of a softmax, from one-hot classes: the sparse one's value."""
    targets, valid = _targets(truth, logits, ignore)
    losses = ops.categorical_crossentropy(targets, logits, from_logits=True)
    return _mean(losses, valid)


def dice(truth: Tensor, logits: Tensor, *, output: str, ignore: int) -> Tensor:
    """Return 1 - soft Dice over the whole batch, averaged over the foreground classes.

    Milletari et al., V-Net, 3DV 2016, with plain sums in the denominator and 1 added to both
    parts, so that a class that is neither there nor predicted counts as right.
    """
    targets, valid = _targets(truth, logits, ignore)
    probabilities = ops.sigmoid(logits) if output == "sigmoid" else ops.softmax(logits, axis=-1)
    if targets.shape[-1] > 1:
        targets, probabilities = targets[..., 1:], probabilities[..., 1:]
    weight = ops.expand_dims(ops.cast(valid, "float32"), -1)
    axes = (0, 1, 2)
    common = ops.sum(targets * probabilities * weight, axis=axes)
    total = ops.sum((targets + probabilities) * weight, axis=axes)
    return 1.0 - ops.mean((2.0 * common + 1.0) / (total + 1.0))


class SegmentationLoss(keras.losses.Loss):
    """A weighted sum of the losses in the table.

    Args:
        terms: Weight by the loss's name.
        output: "softmax" or "sigmoid": what the network ends in.
        ignore: The class id that never counts.

    Raises:
        UsageError: A name is not in the table.
        RecipeError: There is no loss, or one does not go with the output.
    """

    def __init__(self, terms: Mapping[str, float], *, output: str, ignore: int = IGNORE) -> None:
        super().__init__(name="loss")
        if not terms:
            raise RecipeError(
                "The recipe names no loss.",
                hint="Set loss.terms, for example to {dice = 1.0}.",
            )
        for name in terms:
            _check_output(name, output)
        self.terms = [(find("losses", name), weight) for name, weight in terms.items()]
        self.output = output
        self.ignore = ignore

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the weighted sum, a scalar."""
        truth = ops.cast(y_true, "int32")
        logits = ops.cast(y_pred, "float32")
        values = [
            weight * loss(truth, logits, output=self.output, ignore=self.ignore)
            for loss, weight in self.terms
        ]
        return sum(values[1:], values[0])


def _check_output(name: str, output: str) -> None:
    wrong = {
        "binary_crossentropy": "softmax",
        "categorical_crossentropy": "sigmoid",
        "sparse_categorical_crossentropy": "sigmoid",
    }
    if wrong.get(name) == output:
        fitting = "sigmoid" if output == "softmax" else "softmax"
        raise RecipeError(
            f"The loss '{name}' does not go with model.output = {output}.",
            hint=f"Set model.output={fitting}, or another loss.",
        )


def _targets(truth: Tensor, logits: Tensor, ignore: int) -> tuple[Tensor, Tensor]:
    """Return float32 targets of the logits' shape, zero where ignored, and what is not ignored."""
    valid = ops.not_equal(truth, ignore)
    channels = logits.shape[-1]
    if channels == 1:
        return ops.expand_dims(ops.cast(ops.equal(truth, 1), "float32"), -1), valid
    ids = ops.where(valid, truth, channels)
    return ops.one_hot(ids, channels + 1, dtype="float32")[..., :channels], valid


def _mean(losses: Tensor, valid: Tensor) -> Tensor:
    weight = ops.cast(valid, losses.dtype)
    return ops.sum(losses * weight) / ops.maximum(ops.sum(weight), 1.0)
