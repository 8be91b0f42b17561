"""How many pixels each class has in each image."""

import numpy as np

from delineate.data.checking.rules.values import class_pixels
from delineate.data.dataset import Dataset


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
