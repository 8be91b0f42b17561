"""Objects from a mask: touching ones are told apart by seeds that grow until they meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.measure import label
from skimage.segmentation import watershed

from delineate.errors import DataError, UsageError

# Which maps of the network each way of finding seeds needs.
NEEDED = {
    "connected": (),
    "boundary": ("boundary",),
    "distance": ("distance",),
    "both": ("boundary", "distance"),
}


@dataclass(frozen=True)
class Separation:
    """How touching objects are told apart: seeds that grow until they meet.

    Attributes:
        by: What the seeds are found in: the network's boundary channel, its distance channel, or
            the mean of both; "connected": each connected part of the mask is one object.
        seed: A pixel is part of a seed where that map is higher than this, in 0 to 1.
        smoothing: Standard deviation, in pixels, of the Gaussian by which the map is smoothed.
        smallest_seed: Seeds of fewer pixels are none.
    """

    by: Literal["connected", "boundary", "distance", "both"] = "connected"
    seed: float = 0.5
    smoothing: float = 0.0
    smallest_seed: int = 1


def separate(
    mask: np.ndarray,
    foreground: np.ndarray,
    maps: Mapping[str, np.ndarray],
    settings: Separation,
) -> np.ndarray:
    """Return the objects of a mask, each with a number of its own.

    Every pixel of the mask belongs to one object, no object has two classes, and a connected part
    of the mask without a seed is one object.

    Args:
        mask: (height, width) uint8 class ids, 0 = background.
        foreground: (height, width) float32, probability of not being background, 0 to 1.
        maps: What the network predicts beside the classes, (height, width) float32 in 0 to 1:
            "boundary", high on the inner rim of each object; "distance", how far a pixel is from
            the edge of its object, 1 in the middle.
        settings: How the seeds are found.

    Returns:
        (height, width) int32: object numbers 1, 2, ... in the order of their first pixels, row by
        row; 0 = none.

    Raises:
        DataError: A map that the settings need is missing, or the sizes differ.

    Example:
        >>> mask = np.ones((1, 5), np.uint8)
        >>> distance = np.float32([[0.9, 0.6, 0.4, 0.2, 0.9]])
        >>> settings = Separation(by="distance", seed=0.5)
        >>> separate(mask, np.ones((1, 5)), {"distance": distance}, settings).tolist()
        [[1, 1, 1, 2, 2]]
    """
    if settings.by == "connected":
        return connected_parts(mask)
    return grow_seeds(mask, seed_map(foreground, maps, settings), settings)


def seed_map(
    foreground: np.ndarray, maps: Mapping[str, np.ndarray], settings: Separation
) -> np.ndarray:
    """Return the map in which seeds are found: high inside of objects, low between them.

    It depends on ``by`` and ``smoothing`` alone, so that a search over the other settings need
    not make it again.

    Args:
        foreground: (height, width) float32, probability of not being background, 0 to 1.
        maps: As for :func:`separate`.
        settings: How the seeds are found, but not by "connected", which needs no map.

    Returns:
        (height, width) float32: the distance; or foreground less boundary, which is negative where
        the boundary is the likelier; or the mean of the two.

    Raises:
        DataError: A map that the settings need is missing, or the sizes differ.
        UsageError: The settings are by "connected".

    Example:
        >>> settings = Separation(by="boundary")
        >>> seed_map(np.float32([[1, 1]]), {"boundary": np.float32([[0.25, 1]])}, settings)
        array([[0.75, 0.  ]], dtype=float32)
    """
    _check(foreground, maps, settings)
    inner = [
        foreground - maps[name] if name == "boundary" else maps[name]
        for name in NEEDED[settings.by]
    ]
    found: np.ndarray = np.asarray(np.mean(inner, axis=0, dtype=np.float32))
    if settings.smoothing:
        # An object that the image's border cuts goes on behind it.
        found = gaussian_filter(found, settings.smoothing, mode="nearest")
    return found


def grow_seeds(mask: np.ndarray, found: np.ndarray, settings: Separation) -> np.ndarray:
    """Return the objects of a mask that grow from the seeds in a seed map.

    The seeds are flooded from the highest values of the map to its lowest, the watershed by
    markers of Meyer and Beucher, "Morphological segmentation", Journal of Visual Communication and
    Image Representation 1990.

    Args:
        mask: (height, width) uint8 class ids, 0 = background.
        found: (height, width) float32, from :func:`seed_map`.
        settings: Of which ``seed`` and ``smallest_seed`` are used.

    Returns:
        (height, width) int32, as :func:`separate`.

    Raises:
        DataError: The sizes differ.

    Example:
        >>> found = np.float32([[0.9, 0.2, 0.9, 0.2, 0.2]])
        >>> grow_seeds(np.uint8([[1, 1, 1, 0, 1]]), found, Separation(by="distance")).tolist()
        [[1, 1, 2, 0, 3]]
    """
    _check_sizes(mask, {"seed": found})
    parts = connected_parts(mask)
    seeds = _seeds(mask, found, settings)
    crowded = _crowded(parts, seeds)[parts]
    # Only where seeds compete is there anything to flood; other parts are objects as they are.
    objects = np.where(crowded, 0, parts)
    for category in np.unique(mask[crowded]):
        inside = crowded & (mask == category)
        flooded = watershed(-found, np.where(inside, seeds, 0), mask=inside)
        objects[inside] = flooded[inside] + parts.max()
    return _in_scan_order(objects)


def connected_parts(mask: np.ndarray) -> np.ndarray:
    """Return the connected parts of each class; pixels that meet at a corner only are apart.

    Args:
        mask: (height, width) class ids, 0 = background.

    Returns:
        (height, width) int32, as :func:`separate`.

    Example:
        >>> connected_parts(np.uint8([[1, 2, 0], [0, 1, 1]])).tolist()
        [[1, 2, 0], [0, 3, 3]]
    """
    return np.asarray(label(mask, connectivity=1), np.int32)


def _seeds(mask: np.ndarray, found: np.ndarray, settings: Separation) -> np.ndarray:
    """Return the seeds that are large enough, (height, width) int32; numbers have gaps."""
    seeds = connected_parts(np.where(found > settings.seed, mask, 0))
    large = np.bincount(seeds.ravel()) >= settings.smallest_seed
    return np.where(large[seeds], seeds, 0)


def _crowded(parts: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return for each part, from 0 on, whether it holds more than one seed, bool."""
    inside = seeds > 0
    home = np.zeros(seeds.max(initial=0) + 1, np.int32)
    home[seeds[inside]] = parts[inside]
    counts = np.bincount(home[home > 0], minlength=parts.max(initial=0) + 1)
    return np.asarray(counts > 1)


def _in_scan_order(objects: np.ndarray) -> np.ndarray:
    """Return objects of any numbers as 1, 2, ... in the order of their first pixels, int32."""
    numbers = objects[objects > 0]
    first = np.full(objects.max(initial=0) + 1, numbers.size)
    np.minimum.at(first, numbers, np.arange(numbers.size))
    order = np.argsort(first, kind="stable")[: np.count_nonzero(first < numbers.size)]
    fresh = np.zeros(first.size, np.int32)
    fresh[order] = np.arange(1, order.size + 1)
    return np.asarray(fresh[objects])


def _check(foreground: np.ndarray, maps: Mapping[str, np.ndarray], settings: Separation) -> None:
    if not NEEDED[settings.by]:
        raise UsageError(
            f"There are no seeds where objects are separated by '{settings.by}'.",
            hint="Call connected_parts, or separate by 'boundary', 'distance' or 'both'.",
        )
    for name in NEEDED[settings.by]:
        if name not in maps:
            raise DataError(
                f"There is no {name} map, by which objects are to be separated (by = "
                f"'{settings.by}').",
                hint="Separate by 'connected', or train a network that predicts that map.",
            )
    _check_sizes(foreground, {name: maps[name] for name in NEEDED[settings.by]})


def _check_sizes(mask: np.ndarray, maps: Mapping[str, np.ndarray]) -> None:
    for name, values in maps.items():
        if values.shape != mask.shape:
            raise DataError(
                f"The {name} map has the shape {values.shape}, the mask {mask.shape}.",
                hint="Give maps of the size of the mask.",
            )
