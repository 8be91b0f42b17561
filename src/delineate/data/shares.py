"""How many pixels each class has in each image."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from delineate.data.classes import IGNORE, Encoding
from delineate.data.dataset import Dataset
from delineate.data.records import Facts


def pixels_of_classes(dataset: Dataset) -> np.ndarray:
    """Return the pixels of each class in each image, (images, classes) int64, ignored ones not.

    They are counted when an image is read, and kept with what is known of it.

    Args:
        dataset: The images; of a part of a data set, the classes are those of the whole.

    Raises:
        DataError: An image cannot be read, or which classes there are is not known.

    Example:
        >>> masks = np.array([[[0, 1, 255]], [[0, 0, 0]]], np.uint8)
        >>> images = np.zeros((2, 1, 3, 3), np.uint8)
        >>> dataset = Dataset.from_arrays(images, masks, classes=["background", "cell"])
        >>> pixels_of_classes(dataset)
        array([[1, 1],
               [3, 0]])
    """
    classes = range(len(dataset.classes))
    found = [class_pixels([facts], dataset.encoding) for facts in dataset.facts]
    rows = [[pixels[number] for number in classes] for pixels in found]
    return np.array(rows, np.int64).reshape(len(rows), len(classes))


def stored_values(facts: Iterable[Facts]) -> Counter[int]:
    """Return the pixels of each stored value."""
    pixels: Counter[int] = Counter()
    for fact in facts:
        pixels.update(fact.values)
    return pixels


def class_pixels(facts: Iterable[Facts], encoding: Encoding) -> Counter[int]:
    """Return the pixels of each class, and of ignore."""
    pixels: Counter[int] = Counter()
    for value, count in stored_values(facts).items():
        pixels[encoding.values.get(value, IGNORE)] += count
    return pixels
