"""What a training minimises: a weighted sum of the losses in the table."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from delineate.catalog import find
from delineate.data.classes import IGNORE
from delineate.errors import RecipeError
from delineate.losses.objects import object_loss
from delineate.losses.options import LossOptions
from delineate.losses.targets import Tensor

_OUTPUTS = {
    "binary_crossentropy": "sigmoid",
    "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
}
_TVERSKY = ("tversky", "focal_tversky")


class SegmentationLoss(keras.losses.Loss):
    """A weighted sum of the losses in the table.

    Args:
        terms: Weight by the loss's name.
        output: "softmax" or "sigmoid": what the network ends in.
        ignore: The class id that never counts.
        options: What the losses are told.
        outputs: How many outputs, one after the other, the prediction's channels hold: the main one
            first, then the inner ones of deep supervision. The loss is the mean over them.
        objects: How many channels follow these that say something of objects. The truth then is
            (batch, height, width, 1 + objects): class ids, and targets in 0 to 1 as 0 to 254, 255 =
            ignore; to the loss is added the binary cross-entropy of each.
        objects_weight: What that is multiplied with.

    Raises:
        UsageError: A name is not in the table.
        RecipeError: There is no loss, one does not go with the output, or the options make one
            constant.
    """

    def __init__(
        self,
        terms: Mapping[str, float],
        *,
        output: str,
        ignore: int = IGNORE,
        options: LossOptions | None = None,
        outputs: int = 1,
        objects: int = 0,
        objects_weight: float = 1.0,
    ) -> None:
        super().__init__(name="loss")
        self.output = output
        self.ignore = ignore
        self.options = options or LossOptions()
        self.outputs = outputs
        self.objects, self.objects_weight = objects, objects_weight
        if not terms:
            raise RecipeError(
                "The recipe names no loss.",
                hint="Set loss.terms, for example to {dice_per_class = 1.0}.",
            )
        for name in terms:
            _check_output(name, output)
            _check_tversky(name, self.options)
        self.terms = [(find("losses", name), weight) for name, weight in terms.items()]

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the weighted sum, a scalar.

        Raises:
            RecipeError: There are more or fewer class weights than classes.
        """
        truth = ops.cast(y_true, "int32")
        logits = ops.cast(y_pred, "float32")
        if not self.objects:
            return self._of_classes(truth, logits)
        # Split and not sliced: TensorFlow's gradient of a slice writes all of it once more.
        of_classes, said = ops.split(logits, [logits.shape[-1] - self.objects], axis=-1)
        of_objects = object_loss(truth[..., 1:], said)
        found = self._of_classes(truth[..., 0], of_classes)
        return found + self.objects_weight * of_objects

    def _of_classes(self, truth: Tensor, logits: Tensor) -> Tensor:
        parts = ops.split(logits, self.outputs, axis=-1) if self.outputs > 1 else [logits]
        self._check_weights(max(parts[0].shape[-1], 2))
        values = [
            weight / len(parts) * self._value(loss, truth, part)
            for part in parts
            for loss, weight in self.terms
        ]
        return sum(values[1:], values[0])

    def _value(self, loss: Any, truth: Tensor, logits: Tensor) -> Tensor:
        return loss(truth, logits, output=self.output, ignore=self.ignore, options=self.options)

    def _check_weights(self, classes: int) -> None:
        weights = self.options.class_weights
        if weights is not None:
            require_length(weights, classes)


def require_length(weights: Sequence[float], classes: int) -> None:
    """Refuse class weights that are more or fewer than the classes.

    Raises:
        RecipeError: Naming both numbers.
    """
    if len(weights) != classes:
        raise RecipeError(
            f"loss.class_weights has {len(weights)} numbers, and there are {classes} classes.",
            hint=f"Give {classes} weights, that of the background first.",
        )


def _check_output(name: str, output: str) -> None:
    if _OUTPUTS.get(name, output) != output:
        raise RecipeError(
            f"The loss '{name}' does not go with model.output = {output}.",
            hint=f"Set model.output={_OUTPUTS[name]}, or another loss.",
        )


def _check_tversky(name: str, options: LossOptions) -> None:
    if name in _TVERSKY and not options.tversky_false_positives + options.tversky_false_negatives:
        raise RecipeError(
            f"The loss '{name}' is always 0: neither false positives nor false negatives count.",
            hint="Set loss.tversky_false_positives or loss.tversky_false_negatives above 0.",
        )
