"""What resizing alone costs: the scores of true masks at the network's size and back.

A network that sees whole images resized answers at its own size. What lies below that size is lost
before it has learnt anything; one that has learnt its targets perfectly has these scores.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from delineate.data.classes import IGNORE
from delineate.evaluation.tally import mean_of
from delineate.imaging import resize_mask, resize_probabilities
from delineate.scores import class_scores, confusion_table, image_scores, summarise


def there_and_back(mask: np.ndarray, size: tuple[int, int], *, classes: int) -> np.ndarray:
    """Return the mask that a perfect network of some size predicts.

    As in training, each pixel of the network has the class with the largest area share; as in
    prediction, the classes' probabilities, here 0 and 1, are resized to the image's size, and the
    largest wins. Pixels of the network that are ignored have no say.

    Args:
        mask: (height, width) uint8 class ids, 255 = ignore.
        size: The network's (height, width).
        classes: Number of classes, background included.

    Returns:
        (height, width) uint8 class ids.

    Raises:
        DataError: The mask holds an id that is no class.

    Example:
        >>> there_and_back(np.uint8([[0, 0, 0, 1]]), (1, 2), classes=2).tolist()
        [[0, 0, 0, 0]]
    """
    small = resize_mask(mask, size, classes, ignore=IGNORE)
    shape = mask.shape[0], mask.shape[1]
    found = np.zeros(shape, np.uint8)
    best = np.zeros(shape, np.float32)
    # One class at a time: all of them at the image's size can be more than the memory holds.
    for label in np.unique(small[small != IGNORE]):
        here = (small == label)[..., np.newaxis].astype(np.float32)
        share = resize_probabilities(here, shape)[..., 0]
        found[share > best] = label
        np.maximum(best, share, out=best)
    return found


def limit_table(mask: np.ndarray, size: tuple[int, int], *, classes: int) -> np.ndarray:
    """Return the confusion table of a mask and what a perfect network of some size predicts.

    Args:
        mask: (height, width) uint8 class ids, 255 = ignore.
        size: The network's (height, width).
        classes: Number of classes, background included.

    Returns:
        (classes, classes) int64, in pixels at the mask's own size.

    Raises:
        DataError: The mask holds an id that is no class.

    Example:
        >>> limit_table(np.uint8([[0, 0, 0, 1]]), (1, 2), classes=2).tolist()
        [[3, 0], [1, 0]]
    """
    return confusion_table(mask, there_and_back(mask, size, classes=classes), classes=classes)


def resize_limit(tables: Sequence[np.ndarray], names: Sequence[str]) -> dict[str, Any]:
    """Return the best scores that images allow after resizing, by their names in the JSON.

    Args:
        tables: The :func:`limit_table` of each image.
        names: The class names, background first.

    Returns:
        ``dice_per_image``, ``iou_per_image`` and ``mean_iou``, and in ``classes`` the name, IoU,
        Dice and number of true pixels of each; None where nothing is there to be scored.

    Example:
        >>> resize_limit([np.array([[3, 0], [1, 1]])], ["ground", "cell"])["iou_per_image"]
        0.5
    """
    total = np.sum(tables, axis=0)
    pairs = [image_scores(table) for table in tables]
    return {
        "dice_per_image": mean_of([dice for _, dice in pairs]),
        "iou_per_image": mean_of([iou for iou, _ in pairs]),
        "mean_iou": summarise(total)["mean_iou"],
        "classes": class_scores(total, names),
    }
