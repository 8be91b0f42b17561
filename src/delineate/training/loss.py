"""From the recipe's section `[loss]` and the training part to what is minimised."""

from delineate.data.dataset import Dataset
from delineate.losses import LossOptions, SegmentationLoss
from delineate.recipe import Loss
from delineate.training.class_weights import class_weights


def make_loss(settings: Loss, dataset: Dataset, *, output: str) -> SegmentationLoss:
    """Return what is minimised.

    Args:
        settings: The section `[loss]`.
        dataset: The images and masks of the training part.
        output: "softmax" or "sigmoid": what the network ends in.

    Raises:
        UsageError: A loss does not exist, or settings do not go together.
        DataError: The class weights cannot be had from the data.
    """
    weights = class_weights(settings.class_weights, dataset)
    options = LossOptions.of(settings, weights)
    return SegmentationLoss(
        settings.terms, output=output, options=options, objects_weight=settings.objects
    )
