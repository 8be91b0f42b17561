"""Whether the borders of a mask lie on the edges of its image, as it is and in other orientations.

Orientations are numbered as in :func:`~delineate.imaging.reorient`: transposed (4), then rows
mirrored (2), then columns mirrored (1).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from delineate.imaging import reorient

SIDE = 96  # of the longer side of the thumbnails that are compared
_SMALLEST = 16  # sides below which there is too little to compare

TURNS = (
    "as they are",
    "mirrored left to right",
    "mirrored top to bottom",
    "turned by 180 degrees",
    "transposed (rows and columns swapped)",
    "turned by 90 degrees clockwise",
    "turned by 90 degrees counter-clockwise",
    "transposed and turned by 180 degrees",
)
"""What would be done to a mask by each orientation."""

Float = NDArray[np.float32]


def border_of(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (height, width): which pixels differ from one of their four neighbours.

    Args:
        labels: (height, width) of any type.
    """
    border = np.zeros(labels.shape, bool)
    rows, columns = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    border[1:] |= rows
    border[:-1] |= rows
    border[:, 1:] |= columns
    border[:, :-1] |= columns
    return border


def measure_alignment(image: NDArray[Any], border: NDArray[np.bool_]) -> tuple[float, ...]:
    """Return how well the borders of a mask lie on the edges of its image, -1 to 1.

    It is the correlation of the image's gradient with the mask's borders in thumbnails, for the
    mask in each orientation: eight of a square one, four of another. The first is the mask as it
    is. Nothing comes back where there is nothing to compare: no border, no edge, too few pixels.

    Args:
        image: (height, width, channels) uint8 or uint16.
        border: (height, width): the pixels of the mask at which its values change.
    """
    size = _thumbnail_size(border.shape)
    if min(size) < _SMALLEST or not border.any():
        return ()
    edges = _edges(_smaller(image[..., :3], size))
    borders = cv2.blur(_smaller(border.view(np.uint8) * np.uint8(255), size), (3, 3))
    count = 8 if border.shape[0] == border.shape[1] else 4
    found = [_correlation(edges, reorient(borders, number)) for number in range(count)]
    return tuple(found) if any(found) else ()


def _thumbnail_size(shape: tuple[int, ...]) -> tuple[int, int]:
    scale = min(1.0, SIDE / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _smaller(array: NDArray[Any], size: tuple[int, int]) -> Float:
    found = cv2.resize(np.ascontiguousarray(array), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(found, np.float32).reshape(*size, *array.shape[2:])


def _edges(small: Float) -> Float:
    """Return (height, width): the gradient, of the strongest channel, without its few peaks."""
    steepness = np.zeros(small.shape[:2], np.float32)
    for channel in range(small.shape[2]):
        plane = np.ascontiguousarray(small[..., channel])
        steps = cv2.Sobel(plane, cv2.CV_32F, 1, 0), cv2.Sobel(plane, cv2.CV_32F, 0, 1)
        steepness = np.maximum(steepness, cv2.magnitude(*steps))
    # One bright speck must not be all that counts.
    return np.asarray(np.minimum(steepness, steepness.mean() + 3 * steepness.std()))


def _correlation(first: Float, second: Float) -> float:
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return round(float((first * second).sum()) / norm, 3) if norm > 1e-6 else 0.0
