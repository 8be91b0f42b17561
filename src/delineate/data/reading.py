"""From a record to its pixels."""

from dataclasses import dataclass

import cv2
import numpy as np

from delineate.data.records import Facts, Record
from delineate.errors import DataError
from delineate.imaging import read_image, read_mask


@dataclass(frozen=True, eq=False)
class Decoded:
    """A record's pixels as stored.

    Attributes:
        image: (height, width, channels) uint8 or uint16.
        labels: (height, width) uint8 or uint16, the mask's stored values; 0 and 1 where each mask
            file is one object.
        instances: (height, width) int32, or None.
        facts: What these pixels are.
    """

    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray | None
    facts: Facts


def decode(record: Record) -> Decoded:
    """Return a record's pixels.

    Raises:
        ImageError: A file is no image, truncated or of a kind that is not read.
        DataError: The sizes of the image and a mask differ.
    """
    if record.arrays is not None:
        return _with_facts(record.arrays.image, record.arrays.mask, record.arrays.instances)
    if record.image is None:
        raise DataError(f"{record.name} has no image.", hint="Give the record a file or arrays.")
    image = read_image(record.image)
    if record.objects:
        instances, overlap = merge_objects(record, (image.shape[0], image.shape[1]))
        return _with_facts(image, (instances > 0).astype(np.uint8), instances, overlap)
    labels = read_mask(record.masks[0])
    _same_size(record, 0, labels, (image.shape[0], image.shape[1]))
    return _with_facts(image, labels, None)


def merge_objects(record: Record, size: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Return one label image of all mask files, and how many pixels belong to several objects.

    The objects are numbered from 1 in the order of the files' names; where two overlap, the later
    one has the pixel.

    Args:
        record: A record whose mask files are one object each.
        size: (height, width) in pixels that each mask must have.

    Returns:
        (height, width) int32, 0 = none, and the number of overlapping pixels.
    """
    instances = np.zeros(size, np.int32)
    overlap = 0
    for number in range(len(record.masks)):
        labels = read_mask(record.masks[number])
        _same_size(record, number, labels, size)
        box = _box(labels)
        inside = labels[box] > 0
        overlap += int(np.count_nonzero(instances[box][inside]))
        instances[box][inside] = number + 1
    return instances, overlap


def _box(labels: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns that hold an object: a fraction of most masks of objects."""
    column, row, width, height = cv2.boundingRect((labels > 0).view(np.uint8))
    return slice(row, row + height), slice(column, column + width)


def _with_facts(
    image: np.ndarray, labels: np.ndarray, instances: np.ndarray | None, overlap: int = 0
) -> Decoded:
    found, counts = np.unique(labels, return_counts=True)
    objects = None if instances is None else int(np.count_nonzero(np.unique(instances)))
    facts = Facts(
        size=(labels.shape[0], labels.shape[1]),
        channels=image.shape[2],
        dtype=str(image.dtype),
        values={int(value): int(count) for value, count in zip(found, counts, strict=True)},
        objects=objects,
        overlap=overlap,
    )
    return Decoded(image, labels, instances, facts)


def _same_size(record: Record, number: int, labels: np.ndarray, size: tuple[int, int]) -> None:
    if labels.shape != size:
        turned = " It looks turned or transposed." if labels.shape == size[::-1] else ""
        raise DataError(
            f"The mask {record.masks[number]} is {labels.shape[0]}×{labels.shape[1]} pixels (height"
            f"×width), its image {record.image} is {size[0]}×{size[1]}.{turned}",
            hint="Store each mask at its image's size.",
        )
