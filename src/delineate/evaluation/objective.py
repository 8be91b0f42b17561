"""The one number by which settings are compared, and by how much it differs beyond chance."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from delineate.bundle import Card
from delineate.data.classes import IGNORE
from delineate.data.dataset import Dataset
from delineate.instance_scores import dsb_map
from delineate.prediction.predictor import Prediction
from delineate.scores import confusion_table, image_scores, summarise

DICE, MEAN_IOU, WITH_OBJECTS = "dice_per_image", "mean_iou", " and dsb_map"


@dataclass(frozen=True)
class Truth:
    """What is true of one image.

    Attributes:
        mask: (height, width) uint8 class ids, 255 = ignore.
        instances: (height, width) int32 object numbers, 0 where ignored; None: there are none.
        group: What the image belongs to, such as a patient or a film; None: it stands alone.
    """

    mask: np.ndarray
    instances: np.ndarray | None
    group: str | None = None

    @property
    def known(self) -> np.ndarray:
        """The class ids, background where ignored."""
        return np.where(self.mask == IGNORE, 0, self.mask)


@dataclass(frozen=True)
class Measured:
    """What some settings reach on some images.

    Attributes:
        value: The score.
        without: (groups,) float64: the score without each image, or without each group of images
            that belong together.
    """

    value: float
    without: np.ndarray


def truths_of(part: Dataset) -> list[Truth]:
    """Return the truth of each image of a data set."""
    truths = []
    for record, sample in zip(part.records, part, strict=True):
        instances = sample.instances
        if instances is not None:
            instances = np.where(sample.mask == IGNORE, 0, instances)
        truths.append(Truth(np.asarray(sample.mask), instances, record.group))
    return truths


def objective_of(card: Card, part: Dataset) -> str:
    """Return which score counts: the Dice of two classes, the mean IoU of more; and of objects.

    Args:
        card: Of the bundle.
        part: The images.
    """
    first = DICE if len(card.classes) == 2 else MEAN_IOU
    objects = all(fact.objects is not None for fact in part.facts)
    return first + (WITH_OBJECTS if objects else "")


def measure(
    truths: Sequence[Truth], predictions: Iterable[Prediction], objective: str, *, classes: int
) -> Measured:
    """Return a score over images, and what it would be without each of them or of their groups.

    Images of one group are no independent evidence.

    Args:
        truths: The truth of each.
        predictions: The prediction of each.
        objective: As :func:`objective_of` returns.
        classes: Number of classes.

    Example:
        >>> mask = np.array([[0, 1]], np.uint8)
        >>> found = Prediction(mask, np.zeros((1, 2, 2), np.float32))
        >>> measure([Truth(mask, None)] * 2, [found] * 2, "dice_per_image", classes=2).value
        1.0
    """
    tables, objects = [], []
    for truth, found in zip(truths, predictions, strict=True):
        tables.append(confusion_table(truth.mask, found.mask, classes=classes))
        if objective.endswith(WITH_OBJECTS) and truth.instances is not None:
            ignored = truth.mask == IGNORE
            objects.append(dsb_map(truth.instances, np.where(ignored, 0, found.instances)))
    pooled = objective.startswith(MEAN_IOU)
    drawn = _drawn(truths)
    dice = [image_scores(table)[1] for table in tables]
    first = _pooled(np.array(tables), drawn) if pooled else _mean(dice, drawn)
    if not objects:
        return first
    second = _mean(objects, drawn)
    return Measured((first.value + second.value) / 2, (first.without + second.without) / 2)


def gain_of(before: Measured, after: Measured) -> tuple[float, float]:
    """Return by how much a score has gained, and the standard error of that by the jackknife.

    Args:
        before: What is compared with.
        after: On the same images.

    Example:
        >>> same = Measured(0.5, np.array([0.4, 0.6]))
        >>> gain_of(same, same)
        (0.0, 0.0)
    """
    differences = after.without - before.without
    count = len(differences)
    spread = float(((differences - differences.mean()) ** 2).sum()) if count else 0.0
    return after.value - before.value, float(np.sqrt(max(count - 1, 0) / max(count, 1) * spread))


def _drawn(truths: Sequence[Truth]) -> np.ndarray:
    """Return the number of the group of each image, (images,), from 0; one group alone is none."""
    keys = [
        ("image", number) if truth.group is None else ("group", truth.group)
        for number, truth in enumerate(truths)
    ]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    if len(numbers) == 1:
        return np.arange(len(truths))
    return np.array([numbers[key] for key in keys])


def _mean(scores: Sequence[float | None], drawn: np.ndarray) -> Measured:
    """Return the mean of the scores that are there; an image without one changes nothing."""
    there = np.bincount(drawn, [score is not None for score in scores])
    values = np.bincount(drawn, [score or 0.0 for score in scores])
    total, count = values.sum(), there.sum()
    left = count - there
    without = np.where(left > 0, (total - values) / np.maximum(left, 1), 0.0)
    return Measured(float(total / count) if count else 0.0, without)


def _pooled(tables: np.ndarray, drawn: np.ndarray) -> Measured:
    total = tables.sum(axis=0)
    groups = [tables[drawn == number].sum(axis=0) for number in range(int(drawn.max()) + 1)]
    without = [summarise(total - table)["mean_iou"] or 0.0 for table in groups]
    return Measured(summarise(total)["mean_iou"] or 0.0, np.array(without))
