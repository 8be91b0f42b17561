"""What is done to a class mask: holes filled, specks dropped, the largest part kept."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import find_objects
from skimage.measure import label

from delineate.prediction.separation import connected_parts


def clean(
    mask: np.ndarray,
    *,
    largest_hole: int = 0,
    smallest_object: int = 0,
    largest_only: Sequence[int] = (),
) -> np.ndarray:
    """Return a mask with holes filled, then all but the largest parts, then small parts dropped.

    Args:
        mask: (height, width) uint8 class ids, 0 = background.
        largest_hole: Background of up to so many pixels that one class alone surrounds becomes that
            class.
        smallest_object: Connected parts of a class of fewer pixels become background.
        largest_only: Classes of which only the largest connected part is kept.

    Returns:
        uint8 (height, width); the mask itself where nothing is asked for.

    Example:
        >>> clean(np.uint8([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 2]]), largest_hole=1).tolist()
        [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 2]]
    """
    if largest_hole:
        mask = _filled(mask, largest_hole)
    for category in largest_only:
        mask = _largest(mask, category)
    if smallest_object > 1:
        parts = connected_parts(mask)
        mask = np.where(_small(parts, smallest_object)[parts], 0, mask).astype(mask.dtype)
    return mask


def drop_small(
    instances: np.ndarray, mask: np.ndarray, smallest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return objects and mask without the objects of fewer pixels, the others numbered anew.

    Args:
        instances: (height, width) int32 object numbers, 0 = none.
        mask: (height, width) uint8 class ids.
        smallest: Pixels of the smallest object that stays.
    """
    if smallest <= 1:
        return instances, mask
    kept = ~_small(instances, smallest)
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    fresh = numbers[instances]
    return fresh, np.where((instances > 0) & (fresh == 0), 0, mask).astype(mask.dtype)


def _small(parts: np.ndarray, smallest: int) -> np.ndarray:
    """Return for each number, from 0 on, whether fewer pixels have it, bool."""
    small: np.ndarray = np.bincount(parts.ravel()) < smallest
    small[0] = False
    return small


def _filled(mask: np.ndarray, largest: int) -> np.ndarray:
    # Background that meets at corners hangs together where what surrounds it does not.
    holes = np.asarray(label(mask == 0, connectivity=2), np.int32)
    areas = np.bincount(holes.ravel())
    filled = mask.copy()
    for number, place in enumerate(find_objects(holes), 1):
        if place is None or areas[number] > largest:
            continue
        outer = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in place)
        inside = holes[outer] == number
        if _touches_border(place, mask.shape):
            continue
        around = np.unique(mask[outer][_rim(inside)])
        if len(around) == 1:
            filled[outer][inside] = around[0]
    return filled


def _touches_border(place: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    ends = zip(place, shape, strict=True)
    return any(side.start == 0 or side.stop == length for side, length in ends)


def _rim(inside: np.ndarray) -> np.ndarray:
    """Return the pixels beside a shape, by their sides."""
    beside = np.zeros_like(inside)
    beside[1:] |= inside[:-1]
    beside[:-1] |= inside[1:]
    beside[:, 1:] |= inside[:, :-1]
    beside[:, :-1] |= inside[:, 1:]
    return np.asarray(beside & ~inside)


def _largest(mask: np.ndarray, category: int) -> np.ndarray:
    parts = np.asarray(label(mask == category, connectivity=1), np.int32)
    areas = np.bincount(parts.ravel())
    if len(areas) < 3:
        return mask
    keep = 1 + int(np.argmax(areas[1:]))
    return np.where((parts > 0) & (parts != keep), 0, mask).astype(mask.dtype)
