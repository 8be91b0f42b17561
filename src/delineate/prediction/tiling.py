"""Large images in overlapping tiles, blended where they overlap."""

from collections.abc import Callable

import numpy as np


def in_tiles(
    image: np.ndarray,
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    tile: tuple[int, int],
    overlap: int,
) -> np.ndarray:
    """Return the blended predictions of an image's tiles.

    Args:
        image: (height, width, channels), at least one pixel.
        predict: Returns float32 (height, width, classes) for a tile.
        tile: (height, width) of the tiles in pixels.
        overlap: By how much neighbours overlap, in pixels; less than either side.

    Returns:
        float32 (height, width, classes).
    """
    height, width = image.shape[:2]
    total = np.zeros((height, width, 0), np.float32)
    weights = np.zeros((height, width, 1), np.float32)
    for row in starts(height, tile[0], overlap):
        for column in starts(width, tile[1], overlap):
            part = np.s_[row : row + tile[0], column : column + tile[1]]
            found = predict(image[part])
            weight = (
                _ramp(found.shape[0], overlap)[:, None, None]
                * _ramp(found.shape[1], overlap)[None, :, None]
            )
            if not total.size:
                total = np.zeros((height, width, found.shape[2]), np.float32)
            total[part] += found * weight
            weights[part] += weight
    blended: np.ndarray = total / weights
    return blended


def starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return where the tiles of a side begin: evenly spread, the last one ends with the side."""
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    return [round(number * (length - tile) / (count - 1)) for number in range(count)]


def _ramp(length: int, overlap: int) -> np.ndarray:
    """Return weights that rise over the overlap from each end, float32, always positive."""
    distance = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1))
    ramp: np.ndarray = np.minimum(distance / (overlap + 1), 1.0).astype(np.float32)
    return ramp
