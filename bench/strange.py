"""Test images as other microscopes might have given them.

Sizes, magnifications and lights are changed to what nobody trained on, and the truth with them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import delineate as dl
from delineate.data.records import Sample
from delineate.imaging import resize_image

Array = np.ndarray[Any, Any]
Change = Callable[[Sample], tuple[Array, Array, Array] | None]

WINDOW = (161, 519)


def _window(height: int, width: int) -> Change:
    """Return what cuts the middle out of an image that is large enough."""

    def change(sample: Sample) -> tuple[Array, Array, Array] | None:
        top, left = sample.mask.shape[0] - height, sample.mask.shape[1] - width
        if top < 0 or left < 0:
            return None
        rows, columns = slice(top // 2, top // 2 + height), slice(left // 2, left // 2 + width)
        return tuple(each[rows, columns] for each in _all(sample))

    return change


def _with_room(height: int, width: int) -> Change:
    """Return what leaves images as they are where such a window fits, to compare it with."""

    def change(sample: Sample) -> tuple[Array, Array, Array] | None:
        fits = sample.mask.shape[0] >= height and sample.mask.shape[1] >= width
        return _all(sample) if fits else None

    return change


def _magnified(factor: float) -> Change:
    def change(sample: Sample) -> tuple[Array, Array, Array]:
        image, mask, instances = _all(sample)
        height, width = (round(side * factor) for side in mask.shape)
        rows = ((np.arange(height) + 0.5) / factor).astype(int).clip(0, mask.shape[0] - 1)
        columns = ((np.arange(width) + 0.5) / factor).astype(int).clip(0, mask.shape[1] - 1)
        nearest = np.ix_(rows, columns)
        return resize_image(image, (height, width)), mask[nearest], instances[nearest]

    return change


def _lit(light: Callable[[Array], Array]) -> Change:
    """Return what changes the pixels, float64 in [0, 255], and leaves the truth."""

    def change(sample: Sample) -> tuple[Array, Array, Array]:
        image, mask, instances = _all(sample)
        lit = np.rint(np.clip(light(image.astype(np.float64)), 0, 255)).astype(np.uint8)
        return lit, mask, instances

    return change


def _all(sample: Sample) -> tuple[Array, Array, Array]:
    return sample.image, sample.mask, np.asarray(sample.instances)


CHANGES: Mapping[str, Change] = {
    "as they are": _magnified(1.0),
    f"windows of {WINDOW[0]} × {WINDOW[1]}": _window(*WINDOW),
    "the images they are cut from": _with_room(*WINDOW),
    "half the size": _magnified(0.5),
    "twice the size": _magnified(2.0),
    "a quarter as bright": _lit(lambda image: image / 4),
    "negatives": _lit(lambda image: 255 - image),
    "blue first": _lit(lambda image: image[..., ::-1]),
}


def changed(dataset: dl.Dataset, change: Change) -> dl.Dataset:
    """Return the data set with each image changed that can be, all of them for the test."""
    found = [kept for sample in dataset if (kept := change(sample)) is not None]
    images, masks, instances = zip(*found, strict=True)
    return dl.Dataset.from_arrays(
        images,
        masks,
        instances=instances,
        classes=dataset.classes,
        splits=["test"] * len(found),
        name=dataset.name,
    )
