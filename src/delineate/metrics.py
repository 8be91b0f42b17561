"""Scores while training, from one exact confusion table."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.special import logit

from delineate.catalog import find
from delineate.counting import count_ids
from delineate.data.classes import IGNORE

Tensor = Any
# A count is kept as high * 2^30 + low in two int32, since JAX has no int64 unless told so.
LOW_BITS = 30


def accuracy(table: Tensor) -> Tensor:
    """Return the share of pixels that are right."""
    return _ratio(ops.sum(ops.diagonal(table)), ops.sum(table))


def mean_iou(table: Tensor) -> Tensor:
    """Return the mean IoU over the classes in truth or prediction, background included."""
    return _mean_over_present(table, _iou)


def foreground_iou(table: Tensor) -> Tensor:
    """Return the mean IoU over the classes in truth or prediction, without the background."""
    return _mean_over_present(table, _iou, first=1)


def dice(table: Tensor) -> Tensor:
    """Return the mean Dice over the classes in truth or prediction, without the background."""
    return _mean_over_present(table, _dice, first=1)


class Scores(keras.metrics.Metric):
    """Several scores of one confusion table, which is exact to 2^61 pixels on each backend.

    Args:
        classes: Number of classes.
        names: Scores in the table of metrics.
        threshold: With two classes: foreground from this probability on.
        ignore: The class id that never counts.
        outputs: How many groups of logits the prediction's channels hold; the first one counts.
        objects: How many channels follow these that say something of objects: they do not count,
            and the class ids are the first channel of the truth.
    """

    def __init__(
        self,
        classes: int,
        names: Sequence[str] = ("accuracy", "mean_iou", "dice"),
        *,
        threshold: float = 0.5,
        ignore: int = IGNORE,
        outputs: int = 1,
        objects: int = 0,
    ) -> None:
        super().__init__(name="scores")
        self.classes = classes
        self.outputs, self.objects = outputs, objects
        self.scores: dict[str, Callable[[Tensor], Tensor]] = {
            name.rpartition(":")[2]: find("metrics", name) for name in names
        }
        self.logit = float(logit(threshold))
        self.ignore = ignore
        shape = (classes, classes)
        self.low = self.add_weight(shape=shape, dtype="int32", initializer="zeros", name="low")
        self.high = self.add_weight(shape=shape, dtype="int32", initializer="zeros", name="high")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Count a batch: class ids (batch, height, width), logits (..., channels)."""
        truth = ops.cast(y_true[..., 0] if self.objects else y_true, "int32")
        logits = y_pred[..., : (y_pred.shape[-1] - self.objects) // self.outputs]
        counted = self.low + self._count(truth, ops.cast(self._decide(logits), "int32"))
        self.high.assign(self.high + ops.right_shift(counted, LOW_BITS))
        self.low.assign(ops.bitwise_and(counted, 2**LOW_BITS - 1))

    def result(self) -> dict[str, Tensor]:
        """Return each score by its name, float32 scalars."""
        table = ops.cast(self.high, "float32") * 2.0**LOW_BITS + ops.cast(self.low, "float32")
        return {name: score(table) for name, score in self.scores.items()}

    def summarise(self, table: np.ndarray) -> dict[str, float]:
        """Return each score of a confusion table, int64 (classes, classes)."""
        counts = ops.convert_to_tensor(table.astype(np.float32))
        return {name: float(score(counts)) for name, score in self.scores.items()}

    def table(self) -> np.ndarray:
        """Return the confusion table, int64 (classes, classes), rows truth, columns prediction."""
        high, low = (ops.convert_to_numpy(part).astype(np.int64) for part in (self.high, self.low))
        counts: np.ndarray = (high << LOW_BITS) + low
        return counts

    def _decide(self, logits: Tensor) -> Tensor:
        if logits.shape[-1] == 1:
            return ops.squeeze(logits, -1) >= self.logit
        if logits.shape[-1] == 2 and self.logit:
            # The difference of two logits is the logit of their softmax.
            return logits[..., 1] - logits[..., 0] >= self.logit
        return ops.argmax(logits, axis=-1)

    def _count(self, truth: Tensor, prediction: Tensor) -> Tensor:
        cells = self.classes**2
        counts = ops.logical_and(truth != self.ignore, truth < self.classes)
        ids = ops.where(counts, truth * self.classes + prediction, cells)
        counts = count_ids(ops.reshape(ids, (-1,)), cells + 1)
        return ops.reshape(counts[:cells], (self.classes, self.classes))


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    return part / ops.maximum(whole, 1.0)


def _iou(hits: Tensor, total: Tensor) -> Tensor:
    return _ratio(hits, total - hits)


def _dice(hits: Tensor, total: Tensor) -> Tensor:
    return _ratio(2.0 * hits, total)


def _mean_over_present(
    table: Tensor, score: Callable[[Tensor, Tensor], Tensor], first: int = 0
) -> Tensor:
    hits = ops.diagonal(table)[first:]
    total = (ops.sum(table, axis=0) + ops.sum(table, axis=1))[first:]
    present = ops.cast(total > 0, "float32")
    return _ratio(ops.sum(score(hits, total) * present), ops.sum(present))
