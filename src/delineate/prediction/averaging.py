"""Predictions averaged over the ways to lay an image down, and over its size."""

from collections.abc import Callable, Sequence

import numpy as np

from delineate.data.windows import Turn
from delineate.imaging import pad_to_multiple, resize_image, resize_probabilities

Predict = Callable[[np.ndarray], np.ndarray]

_MIRROR = (Turn(), Turn(flip_columns=True))
_FLIPS = (*_MIRROR, Turn(flip_rows=True), Turn(flip_rows=True, flip_columns=True))
WAYS = {
    "none": _MIRROR[:1],
    "mirror": _MIRROR,
    "flips": _FLIPS,
    # A half turn is both flips, so that two of the four quarters are enough.
    "turns": (*_FLIPS, *(Turn(turn.flip_rows, turn.flip_columns, 1) for turn in _FLIPS)),
}
"""By its name: how the image is laid down each time."""


def averaged(
    image: np.ndarray,
    predict: Predict,
    *,
    ways: str = "none",
    scales: Sequence[float] = (),
    multiple: int = 1,
) -> np.ndarray:
    """Return the mean of several predictions of one image.

    Args:
        image: (height, width, channels).
        predict: Returns float32 (height, width, classes) of such an image of any size.
        ways: A key of ``WAYS``.
        scales: The image is predicted at these factors of its size too, each in all the ways.
        multiple: What the network's sides have to divide by: an image is padded to it before it is
            turned, so that a tile of it, turned, lies on the same grid as the whole.

    Returns:
        float32 (height, width, classes).

    Example:
        >>> image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
        >>> averaged(image, lambda part: part.astype(np.float32), ways="turns")[..., 0].tolist()
        [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    """
    turns = WAYS[ways]
    if len(turns) == 1 and not scales:
        return predict(image)
    size = image.shape[0], image.shape[1]
    found = np.zeros(0, np.float32)
    for scale in (1.0, *scales):
        scaled = _scaled(image, scale)
        padding = pad_to_multiple((scaled.shape[0], scaled.shape[1]), multiple)
        of_scale = padding.undo(_turned(padding.apply(scaled), predict, turns))
        of_scale = of_scale if scale == 1 else resize_probabilities(of_scale, size)
        found = found + of_scale if found.size else of_scale
    found /= np.float32(1 + len(scales))
    return found


def _turned(image: np.ndarray, predict: Predict, turns: Sequence[Turn]) -> np.ndarray:
    """Return the mean over the ways to lay the image down; one prediction is kept at a time."""
    total = np.zeros(0, np.float32)
    for turn in turns:
        found = _undone(turn, predict(turn.apply(image)))
        if total.size:
            total += found
        else:
            total = np.array(found, np.float32)
    total /= np.float32(len(turns))
    return total


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return resize_image(image, (height, width))


def _undone(turn: Turn, found: np.ndarray) -> np.ndarray:
    """Return what was found of a turned image as it lies in the image."""
    back = np.rot90(found, -turn.quarters)
    flips = -1 if turn.flip_rows else 1, -1 if turn.flip_columns else 1
    return np.ascontiguousarray(back[:: flips[0], :: flips[1]])
